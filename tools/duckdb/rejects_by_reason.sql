-- Why receivers refused messages, by message type; mutated says how many of them a fault had changed on their way.
select
    reject_reason,
    command,
    count(*) as refused,
    count(*) filter (where mutation is not null) as mutated,
    count(distinct (scenario, seed)) as runs
from messages
where reject_reason is not null
group by reject_reason, command
order by refused desc;
