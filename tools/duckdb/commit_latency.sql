-- Virtual time from the first append of an entry to its first commit anywhere, in milliseconds, per scenario.
with entries as (
    select
        scenario,
        seed,
        op,
        entry_hash,
        min(time_ns) filter (where event = 'entry_appended') as appended_ns,
        min(time_ns) filter (where event = 'committed') as committed_ns
    from transitions
    where event in ('entry_appended', 'committed')
    group by scenario, seed, op, entry_hash
)
select
    scenario,
    count(*) as entries,
    round(quantile_cont((committed_ns::double - appended_ns) / 1e6, 0.50), 3) as p50_ms,
    round(quantile_cont((committed_ns::double - appended_ns) / 1e6, 0.90), 3) as p90_ms,
    round(quantile_cont((committed_ns::double - appended_ns) / 1e6, 0.99), 3) as p99_ms,
    round(max((committed_ns::double - appended_ns) / 1e6), 3) as max_ms
from entries
where appended_ns is not null and committed_ns >= appended_ns
group by scenario
order by scenario;
