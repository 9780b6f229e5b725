-- Crashes and restarts per replica, and the longest time that one needed from its restart until it was normal in a view.
with restarts as (
    select scenario, seed, replica, incarnation, min(time_ns) filter (where event = 'restarted') as restarted_ns,
        min(time_ns) filter (where event = 'view_entered') as normal_ns
    from transitions
    where event in ('restarted', 'view_entered')
    group by scenario, seed, replica, incarnation
)
select
    scenario,
    replica,
    count(*) as restarts,
    count(*) filter (where normal_ns is null) as never_normal,
    round(median((normal_ns::double - restarted_ns) / 1e6), 3) as median_ms,
    round(max((normal_ns::double - restarted_ns) / 1e6), 3) as max_ms
from restarts
where restarted_ns is not null
group by scenario, replica
order by scenario, replica;
