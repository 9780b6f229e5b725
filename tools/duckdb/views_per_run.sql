-- How many views each run went through, and how often a replica left a view it had not completed.
select
    scenario,
    seed,
    count(distinct view) filter (where event = 'view_entered') as views_entered,
    max(view) as highest_view,
    count(distinct view) filter (where event = 'vote_cast') as views_voted_for,
    count(*) filter (where event = 'abdicated') as abdications
from transitions
group by scenario, seed
order by highest_view desc, seed;
