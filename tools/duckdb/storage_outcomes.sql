-- How disk accesses ended, and how long they took, by what was done and where.
select
    io,
    zone,
    outcome,
    count(*) as accesses,
    round(median(latency_ns) / 1e3, 1) as median_us,
    round(max(latency_ns) / 1e3, 1) as max_us
from storage
group by io, zone, outcome
order by accesses desc;
