-- Who had acknowledged an entry when it was first committed, against the majority that its run's membership needs.
with votes as (
    select scenario, seed, op, entry_hash, replica, min(seq) as seq
    from transitions
    where event = 'acknowledged'
    group by scenario, seed, op, entry_hash, replica
),
commits as (
    select scenario, seed, op, entry_hash, min(seq) as seq
    from transitions
    where event = 'committed'
    group by scenario, seed, op, entry_hash
)
select
    scenario,
    replicas,
    replicas // 2 + 1 as majority,
    acknowledged_by,
    count(*) as entries
from (
    select commits.scenario, commits.seed, commits.op, count(distinct votes.replica) as acknowledged_by
    from commits
    left join votes
        on votes.scenario = commits.scenario
        and votes.seed = commits.seed
        and votes.op = commits.op
        and votes.entry_hash = commits.entry_hash
        and votes.seq < commits.seq
    group by commits.scenario, commits.seed, commits.op
)
join runs using (scenario, seed)
group by all
order by scenario, replicas, acknowledged_by;
