-- Everything that happened in one run, in order. The run is the variable `seed`, or the lowest seed when it is not set.
with chosen as (
    select scenario, seed
    from runs
    where seed = coalesce(getvariable('seed'), (select min(seed) from runs))
    order by scenario
    limit 1
),
events as (
    select
        scenario,
        seed,
        seq,
        time_ns,
        'operation' as kind,
        concat('client ', tenant, '/', client) as who,
        concat("function", ' key ', "key", ': ', outcome) as what
    from operations
    union all
    select
        scenario,
        seed,
        seq,
        time_ns,
        'message',
        concat('endpoint ', "from"),
        concat(command, ' to ', "to", coalesce(' op ' || op, ''), coalesce(' view ' || "view", ''), ': ', fate, coalesce(', ' || reject_reason, ''))
    from messages
    union all
    select
        scenario,
        seed,
        seq,
        time_ns,
        'transition',
        concat('replica ', replica),
        concat(event, coalesce(' op ' || op, ''), ' view ', "view", ' commit ', "commit")
    from transitions
    union all
    select
        scenario,
        seed,
        seq,
        time_ns,
        'storage',
        concat('replica ', replica),
        concat(io, ' ', zone, coalesce(' op ' || op, ''), ': ', outcome)
    from storage
    union all
    select
        scenario,
        seed,
        seq,
        time_ns,
        'fault',
        coalesce('target ' || target, ''),
        concat(fault, coalesce(' to ' || peer, ''), ' magnitude ', magnitude)
    from faults
)
select seq, round(time_ns / 1e6, 3) as time_ms, kind, who, what
from events
semi join chosen using (scenario, seed)
order by seq;
