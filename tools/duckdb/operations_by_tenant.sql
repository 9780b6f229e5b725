-- What each tenant asked for and got: a tenant that suffers from another one's load shows here.
select
    scenario,
    tenant,
    count(*) as operations,
    count(*) filter (where outcome = 'ok') as ok,
    count(*) filter (where outcome = 'error') as error,
    count(*) filter (where outcome = 'unknown') as unknown,
    round(quantile_cont((return_time_ns::double - time_ns) / 1e6, 0.5), 3) as p50_ms,
    round(quantile_cont((return_time_ns::double - time_ns) / 1e6, 0.99), 3) as p99_ms
from operations
group by scenario, tenant
order by scenario, tenant;
