-- Which faults were injected, in how many runs, and how many a run saw on average.
select
    family,
    fault,
    count(*) as injected,
    count(distinct (scenario, seed)) as runs,
    round(count(*) / count(distinct (scenario, seed)), 1) as per_run
from faults
group by family, fault
order by injected desc;
