-- How many sessions were registered and evicted in each run (each counted once, not once per replica).
select
    scenario,
    seed,
    count(distinct (tenant, client, session)) filter (where event = 'session_registered') as registered,
    count(distinct (tenant, client, session)) filter (where event = 'session_evicted') as evicted,
    count(distinct (tenant, client)) as clients
from transitions
where event in ('session_registered', 'session_evicted')
group by scenario, seed
order by evicted desc, registered desc, scenario, seed;
