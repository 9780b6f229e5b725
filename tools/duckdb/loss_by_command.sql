-- How many copies of each message type reached their receiver, and what became of the others.
select
    command,
    count(*) as copies,
    round(100.0 * count(*) filter (where fate = 'delivered') / count(*), 2) as delivered_percent,
    count(*) filter (where fate = 'lost') as lost,
    count(*) filter (where fate = 'partitioned') as partitioned,
    count(*) filter (where fate in ('clogged', 'overflow')) as crowded_out,
    count(*) filter (where fate = 'receiver_down') as receiver_down,
    count(*) filter (where copy > 0) as duplicates
from messages
group by command
order by copies desc;
