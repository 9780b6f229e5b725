-- How operations of each function ended, and why they were refused.
select "function", outcome, error, count(*) as operations, round(avg(attempts), 2) as attempts
from operations
group by "function", outcome, error
order by "function", operations desc;
