-- The twenty client operations that took longest, those that never returned first.
select
    scenario,
    seed,
    seq,
    tenant,
    client,
    request_number,
    "function",
    "key",
    outcome,
    attempts,
    round((return_time_ns::double - time_ns) / 1e6, 3) as latency_ms
from operations
order by latency_ms desc nulls first, scenario, seed, seq
limit 20;
