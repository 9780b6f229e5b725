//! What can be taken away from a run: time, clients, faults, rates, replicas, limits, operations; at last with other random draws.
//!
//! Time goes first, because whatever happens after the violation is not about it.

use super::reduce::Reducer;
use core::ops::RangeInclusive;
use vopr_sim::RunRequest;
use vopr_sim::fault_plan::FaultPlan;
use vopr_sim::options::{Clogger, ClusterOptions, Rate, RunOptions};
use vopr_sim::workload_plan::{PlannedStep, Step, WorkloadPlan};

/// One thing made quieter.
type Quieter = fn(&mut RunOptions);

/// What happens at random besides the plan. Each is switched off alone or with others.
const QUIETER: &[Quieter] = &[
    |options| options.network.drop = Rate::NEVER,
    |options| options.network.duplicate = Rate::NEVER,
    |options| options.network.clogger = Clogger::Off,
    |options| options.network.partition = Rate::NEVER,
    |options| options.network.latency_ns_max = options.network.latency_ns_min,
    |options| options.storage.write_failure = Rate::NEVER,
    |options| options.storage.flush_failure = Rate::NEVER,
    |options| options.storage.read_failure = Rate::NEVER,
    |options| options.storage.corruption = Rate::NEVER,
    |options| options.storage.torn_write = Rate::NEVER,
    |options| options.storage.silent_read = Rate::NEVER,
    |options| options.storage.latency_ns_max = options.storage.latency_ns_min,
    |options| options.crash.per_commit = Rate::NEVER,
    |options| options.crash.per_view_change_step = Rate::NEVER,
    |options| options.crash.per_write = Rate::NEVER,
    |options| options.gray.fail = Rate::NEVER,
    |options| (options.clock.offset_ns_max, options.clock.drift_ppm_max, options.clock.step_ns_max) = (0, 0, 0),
    |options| options.byzantine.mutation = Rate::NEVER,
];

/// How long after the rows of its witness a run may end, nanoseconds: at once, or when what was under way is done.
const AFTER_WITNESS_NS: [u64; 5] = [1, 1_000_000, 5_000_000, 20_000_000, 80_000_000];

/// The heal phase begins earlier: at an eighth of the time, a quarter, and so on, or shortly after everything that the witness
/// cites has happened; faults and steps after that are dropped.
pub(super) fn less_time(reducer: &mut Reducer<'_>) {
    loop {
        let (best, visible_ns) = (reducer.best(), reducer.seen().visible_ns);
        let end_ns = end_of(best);
        let shares = [125, 250, 500, 750, 875, 950].map(|share| end_ns / 1_000 * share);
        let visible = AFTER_WITNESS_NS.map(|more_ns| visible_ns.saturating_add(more_ns));
        let mut ends: Vec<u64> = shares.into_iter().chain(visible).filter(|until_ns| *until_ns < end_ns).collect();
        ends.sort_unstable();
        ends.dedup();
        let candidates: Vec<RunRequest> = ends.into_iter().filter_map(|until_ns| until(best, until_ns)).collect();
        if reducer.first_of(candidates.into_iter()).is_none() {
            return;
        }
    }
}

/// When a run's safety phase ends at the latest: its limit, or its last planned step, whichever is first.
fn end_of(request: &RunRequest) -> u64 {
    let steps = request.workload.iter().flat_map(|workload| workload.0.iter().flatten()).map(|planned| planned.time_ns);
    let last = steps.chain(request.plan.0.iter().map(|planned| planned.time_ns)).max().unwrap_or(0);
    request.options.limits.time_ns_max.min(last + last / 8 + 1_000_000)
}

fn until(request: &RunRequest, end_ns: u64) -> Option<RunRequest> {
    let mut options = request.options.clone();
    options.limits.time_ns_max = end_ns;
    let plan = FaultPlan(request.plan.0.iter().filter(|planned| planned.time_ns <= end_ns).cloned().collect());
    let workload = request.workload.clone().unwrap_or_default();
    let steps = workload.0.into_iter().map(|steps| steps.into_iter().filter(|planned| planned.time_ns <= end_ns).collect());
    RunRequest::planned(options, plan, WorkloadPlan(steps.collect())).ok()
}

/// Whole clients do nothing.
pub(super) fn fewer_clients(reducer: &mut Reducer<'_>) {
    let active = |request: &RunRequest| {
        let clients = request.workload.iter().flat_map(|workload| workload.0.iter().enumerate());
        clients.filter(|(_, steps)| !steps.is_empty()).map(|(client, _)| client).collect()
    };
    reducer.shrink(active, |request, kept: &[usize]| {
        let keep = |(client, steps): (usize, &Vec<PlannedStep>)| if kept.contains(&client) { steps.clone() } else { Vec::new() };
        let workload = WorkloadPlan(request.workload.as_ref()?.0.iter().enumerate().map(keep).collect());
        RunRequest::planned(request.options.clone(), request.plan.clone(), workload).ok()
    });
}

/// Planned faults do not happen.
pub(super) fn fewer_faults(reducer: &mut Reducer<'_>) {
    reducer.shrink(
        |request| request.plan.0.clone(),
        |request, kept| RunRequest::planned(request.options.clone(), FaultPlan(kept.to_vec()), request.workload.clone()?).ok(),
    );
}

/// An operation: when, by which client, the planned step.
type Operation = (u64, usize, PlannedStep);

/// Operations are not invoked. A client without any does not even register.
pub(super) fn fewer_operations(reducer: &mut Reducer<'_>) {
    reducer.shrink(operations, with_operations);
}

fn operations(request: &RunRequest) -> Vec<Operation> {
    let clients = request.workload.iter().flat_map(|workload| workload.0.iter().enumerate());
    let mut all: Vec<Operation> = clients
        .flat_map(|(client, steps)| steps.iter().map(move |planned| (planned.time_ns, client, planned.clone())))
        .filter(|(_, _, planned)| matches!(planned.step, Step::Invoke(_)))
        .collect();
    all.sort_by_key(|(time_ns, client, _)| (*time_ns, *client));
    all
}

fn with_operations(request: &RunRequest, kept: &[Operation]) -> Option<RunRequest> {
    let mut workload = WorkloadPlan::idle(request.options.clients());
    for (client, steps) in request.workload.as_ref()?.0.iter().enumerate() {
        let own = kept.iter().filter(|(_, owner, _)| *owner == client).map(|(_, _, planned)| planned.clone());
        let mut own: Vec<PlannedStep> = own.collect();
        if !own.is_empty() {
            own.extend(steps.iter().filter(|planned| !matches!(planned.step, Step::Invoke(_))).cloned());
            own.sort_by_key(|planned| planned.time_ns);
        }
        workload.0[client] = own;
    }
    RunRequest::planned(request.options.clone(), request.plan.clone(), workload).ok()
}

/// Each part is tried with so many other seeds, with more only where nothing was found and many operations are left.
const OTHER_SEEDS: [u64; 3] = [8, 64, 512];

/// So many operations are few: a person reads them.
const FEW_OPERATIONS: usize = 30;

/// Fewer operations, or fewer planned faults, with the random draws of other seeds. What is taken away moves all later draws of losses and
/// damage, and a failure that needs them is stuck where any other seed would show it with far less.
pub(super) fn other_draws(reducer: &mut Reducer<'_>) {
    let mut tried = 0;
    for seeds in OTHER_SEEDS {
        while with_other_draws(reducer, tried + 1..=seeds) {
            tried = 0;
        }
        tried = seeds;
        if reducer.seen().weight.operations <= FEW_OPERATIONS {
            return;
        }
    }
}

/// Whether one of these seeds, mixed into the run's own, shows the failure with less.
fn with_other_draws(reducer: &mut Reducer<'_>, salts: RangeInclusive<u64>) -> bool {
    let best = reducer.best().clone();
    let (steps, faults) = (operations(&best), best.plan.0.clone());
    let without_steps = parts(steps.len()).filter_map(|part| with_operations(&best, &without(&steps, part)));
    let without_faults = parts(faults.len()).filter_map(|part| {
        let plan = FaultPlan(without(&faults, part));
        RunRequest::planned(best.options.clone(), plan, best.workload.clone()?).ok()
    });
    let candidates = without_steps.chain(without_faults).flat_map(|request| {
        salts.clone().map(move |salt| {
            let mut other = request.clone();
            other.options.seed ^= salt;
            other
        })
    });
    reducer.first_of(candidates).is_some()
}

/// Halves, quarters and eighths of a list of so many items.
fn parts(count: usize) -> impl Iterator<Item = core::ops::Range<usize>> {
    [2, 4, 8].into_iter().filter(move |parts| *parts <= count.max(2)).flat_map(move |parts| {
        let size = count.div_ceil(parts).max(1);
        (0..count).step_by(size).map(move |start| start..(start + size).min(count))
    })
}

fn without<T: Clone>(items: &[T], part: core::ops::Range<usize>) -> Vec<T> {
    [&items[..part.start], &items[part.end..]].concat()
}

/// Nothing happens at random: all of it at once, or as much as can be.
pub(super) fn quieter(reducer: &mut Reducer<'_>) {
    let options = reducer.best().options.clone();
    let changes = |quieter: &&Quieter| {
        let mut quiet = options.clone();
        quieter(&mut quiet);
        quiet != options
    };
    let loud: Vec<Quieter> = QUIETER.iter().filter(changes).copied().collect();
    let list = |request: &RunRequest| {
        let still = |quieter: &&Quieter| {
            let mut quiet = request.options.clone();
            quieter(&mut quiet);
            quiet != request.options
        };
        loud.iter().filter(still).copied().collect()
    };
    reducer.shrink(list, |request, kept: &[Quieter]| {
        let mut quiet = request.options.clone();
        let stays = |quieter: &Quieter| kept.iter().any(|kept| core::ptr::fn_addr_eq(*kept, *quieter));
        loud.iter().filter(|quieter| !stays(quieter)).for_each(|quieter| quieter(&mut quiet));
        RunRequest::planned(quiet, request.plan.clone(), request.workload.clone()?).ok()
    });
}

/// The smallest cluster that the failure still means something in: no standbys, three voters instead of five.
pub(super) fn fewer_replicas(reducer: &mut Reducer<'_>) {
    let best = reducer.best();
    let smaller = |replicas: u8, standbys: u8| {
        let mut options = best.options.clone();
        (options.cluster.replicas, options.cluster.standbys) = (replicas, standbys);
        RunRequest::planned(options, best.plan.clone(), best.workload.clone()?).ok()
    };
    let now = best.options.cluster;
    let sizes =
        (reducer.kept().replicas_min..now.replicas).map(|replicas| (replicas, 0)).chain((now.standbys > 0).then_some((now.replicas, 0)));
    let candidates: Vec<RunRequest> = sizes.filter_map(|(replicas, standbys)| smaller(replicas, standbys)).collect();
    reducer.first_of(candidates.into_iter());
}

/// Numbers of entries between two checkpoints that are tried, and numbers of sessions.
const INTERVALS: [u32; 4] = [4, 8, 16, 32];
const SESSIONS: [u32; 3] = [1, 2, 4];

/// Smaller limits: a log that is soon full, checkpoints that come early, few sessions. What shows only when the ring has gone around, or the
/// table has no room, takes as many operations as they are large. So a run with smaller limits is taken whatever it costs in events.
pub(super) fn smaller_limits(reducer: &mut Reducer<'_>) {
    let best = reducer.best().clone();
    let now = best.options.cluster;
    let shorter = INTERVALS.into_iter().filter(|interval| *interval < now.checkpoint_interval);
    let logs = shorter.filter_map(|interval| with_interval(&best, interval)).collect::<Vec<_>>();
    reducer.first_of_any_size(logs.into_iter().filter(|request| request.options.cluster.log_slots < now.log_slots));
    let best = reducer.best().clone();
    let fewer = SESSIONS.into_iter().filter(|sessions| *sessions < now.sessions_max);
    let tables: Vec<RunRequest> = fewer.filter_map(|sessions| with_cluster(&best, |cluster| cluster.sessions_max = sessions)).collect();
    reducer.first_of_any_size(tables.into_iter());
}

/// A checkpoint after so many entries, and the smallest log that the replica takes: room for two intervals and a full pipeline.
fn with_interval(request: &RunRequest, interval: u32) -> Option<RunRequest> {
    with_cluster(request, |cluster| {
        (cluster.checkpoint_interval, cluster.log_slots) = (interval, 2 * interval + cluster.pipeline_max);
    })
}

fn with_cluster(request: &RunRequest, change: impl FnOnce(&mut ClusterOptions)) -> Option<RunRequest> {
    let mut options = request.options.clone();
    change(&mut options.cluster);
    RunRequest::planned(options, request.plan.clone(), request.workload.clone()?).ok()
}

#[cfg(test)]
mod tests {
    use super::{INTERVALS, parts, with_interval, without};
    use crate::failure::trial::Trial;
    use vopr_checker::Selection;
    use vopr_schema::{Ended, History};
    use vopr_sim::scenario::Overrides;
    use vopr_sim::{RunRequest, scenarios};

    #[test]
    fn a_replica_takes_every_smaller_log() {
        let overrides = Overrides { events_max: Some(3000), ..Overrides::default() };
        let request = RunRequest::new(scenarios::find("combined").unwrap(), 5, &overrides).unwrap();
        let run = |request: &RunRequest| Trial::run(request, &Selection::none(), History::default()).expect("nothing breaks down");
        let planned = RunRequest { workload: Some(run(&request).workload), ..request };
        for interval in INTERVALS {
            let smaller = with_interval(&planned, interval).expect("a run with a smaller log");
            let summary = run(&smaller).summary;
            assert_ne!(summary.ended, Ended::Panicked, "{interval}: {:?}", summary.ended_detail);
        }
    }

    #[test]
    fn parts_cover_the_list_at_each_size() {
        assert_eq!(parts(0).count(), 0);
        assert_eq!(parts(1).map(|part| part.len()).collect::<Vec<_>>(), [1]);
        assert_eq!(parts(3).collect::<Vec<_>>(), [0..2, 2..3]);
        let lengths: Vec<usize> = parts(10).map(|part| part.len()).collect();
        assert_eq!(lengths, [5, 5, 3, 3, 3, 1, 2, 2, 2, 2, 2]);
        assert_eq!(without(&[1, 2, 3, 4], 1..3), [1, 4]);
    }
}
