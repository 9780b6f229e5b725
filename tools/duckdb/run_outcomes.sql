-- How the runs of each scenario ended, and how much happened in them.
select
    scenario,
    bug,
    ended,
    count(*) as runs,
    sum(events) as events,
    sum(operations_ok) as operations_ok,
    sum(operations_error) as operations_error,
    sum(operations_unknown) as operations_unknown,
    round(avg(end_time_ns) / 1e9, 1) as virtual_seconds
from runs
group by scenario, bug, ended
order by scenario, runs desc;
