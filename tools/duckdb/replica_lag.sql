-- How far each replica commits behind the first one to commit the same entry, in milliseconds of virtual time.
with commits as (
    select scenario, seed, replica, op, min(time_ns) as committed_ns
    from transitions
    where event = 'committed'
    group by scenario, seed, replica, op
),
lags as (
    select
        scenario,
        seed,
        replica,
        (committed_ns::double - min(committed_ns) over (partition by scenario, seed, op)) / 1e6 as lag_ms
    from commits
)
select
    scenario,
    seed,
    replica,
    count(*) as commits,
    round(median(lag_ms), 3) as median_ms,
    round(max(lag_ms), 3) as max_ms
from lags
group by scenario, seed, replica
order by max_ms desc, scenario, seed, replica
limit 50;
