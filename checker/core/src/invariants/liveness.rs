//! `liveness`: once faults have stopped, the cluster serves again and everybody catches up; and it never stalls for long
//! before.
//!
//! A cluster that never answers is perfectly safe; safety alone would pass it.
//!
//! **Formally.** (1) The run did not end stuck or by a failed assertion. (2) There is no `stalled` transition. (3) In a run
//! whose heal phase was completed: every replica whose last row does not leave it down is normal, all in one view, with one
//! commit number; the primary of that view is among them; and every operation of a client that did not crash has returned. Each
//! of these is read from the rows, whatever the run's own row says.
//!
//! **Evidence.** run: ended, `ended_detail`, `heal_time_ns`, clients, tenants. transition: replica, event, status, view,
//! op, commit, epoch, quorum. operation: client, tenant, `return_seq`. fault: fault, target.
//!
//! **Deliberately not checked.** How long anything took: the bounds are the scenario's. Runs whose heal phase ran out of time
//! without being stuck are unknown.

use crate::budget::Meter;
use crate::index::RunIndex;
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::{Step, Witness};
use vopr_schema::column::Niche;
use vopr_schema::{Ended, FaultKind, Kind, Status, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "liveness",
    version: 2,
    category: Category::Liveness,
    reads: &[
        Reads { kind: Kind::Run, columns: &["ended", "ended_detail", "heal_time_ns", "clients", "tenants"] },
        Reads { kind: Kind::Transition, columns: &["replica", "event", "status", "view", "op", "commit", "epoch", "quorum"] },
        Reads { kind: Kind::Operation, columns: &["client", "tenant", "return_seq"] },
        Reads { kind: Kind::Fault, columns: &["fault", "target"] },
    ],
    statement: "after the heal phase there is a primary, no pending operation of a live client, and all live replicas have converged",
    // No cluster counts as settled while one of its replicas has something left to repair.
    because_of: &["repair_completion"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    if index.transition_rows().is_empty() {
        return Verdict::not_applicable("no replica was recorded");
    }
    if let Some(witness) = ended(index).or_else(|| stalled(index)) {
        return Verdict::Violation(witness);
    }
    let meta = index.meta();
    match meta.ended {
        Ended::TimeLimit => Verdict::unknown("the heal phase ran out of time before everything had settled"),
        _ if meta.heal_time_ns.is_none() => Verdict::not_applicable("the run had no heal phase"),
        _ => Verdict::decide("nothing was left to settle", || settled(index, meter)),
    }
}

fn ended(index: &RunIndex<'_>) -> Option<Witness> {
    let meta = index.meta();
    let detail = meta.ended_detail.as_deref().unwrap_or("no reason recorded");
    let (shape, summary) = match meta.ended {
        Ended::Stuck => ("stuck", format!("the cluster could not settle after all faults had stopped: {detail}")),
        Ended::Panicked => ("panicked", format!("the system under test failed an assertion: {detail}")),
        _ => return None,
    };
    // The last rows are where it stopped.
    let last = index.transition_rows().next_back();
    let step =
        last.map(|row| index.transition_step(row, format!("the last thing that a replica did: {}", index.transitions().event.get(row))));
    let held_up = if meta.ended == Ended::Stuck { held_up(index) } else { Vec::new() };
    Some(Witness::new(shape, summary).steps(held_up).step_if(step))
}

/// The oldest entry that is not committed anywhere: where the primary (or somebody) has it, and which voters have not acknowledged it
/// in the newest view.
fn held_up(index: &RunIndex<'_>) -> Vec<Step> {
    let table = index.transitions();
    let rows = || index.transition_rows();
    let op = rows().map(|row| table.commit[row]).max().unwrap_or(0) + 1;
    let view = rows().filter(|row| table.status.get(*row) == Status::Normal).map(|row| table.view[row]).max().unwrap_or(0);
    let about = |replica: u8, event: Event| {
        rows().rfind(|row| table.replica[*row] == replica && table.event.get(*row) == event && table.op.get(*row) == Some(op))
    };
    let replicas = || (0..u8::MAX).take(index.replicas());
    let primary = index.primary(view);
    let Some(owner) = primary.into_iter().chain(replicas()).find(|replica| about(*replica, Event::EntryAppended).is_some()) else {
        return Vec::new();
    };
    let taken = about(owner, Event::EntryAppended).map(|row| {
        index.transition_step(row, format!("op {op} is the oldest that is not committed; replica {owner} puts it into its log"))
    });
    // Of the last epoch that anybody entered.
    let epoch = rows().rfind(|row| table.event.get(*row) == Event::EpochEntered).and_then(|row| table.quorum.get(row));
    let votes = |replica: &u8| match epoch {
        Some(voters) => voters.checked_shr(u32::from(*replica)).is_some_and(|voters| voters & 1 == 1),
        None => usize::from(*replica) < index.members(),
    };
    let missing = replicas().filter(votes).filter_map(|replica| {
        let acknowledged = about(replica, Event::Acknowledged).is_some_and(|row| table.view[row] == view);
        let down = rows().rfind(|row| table.replica[*row] == replica).is_none_or(|row| table.status.get(row) == Status::Down);
        if acknowledged || down {
            return None;
        }
        let has = about(replica, Event::EntryAppended)
            .map(|row| index.transition_step(row, format!("replica {replica} has op {op} and does not acknowledge it in view {view}")));
        let last = || rows().rfind(|row| table.replica[*row] == replica);
        has.or_else(|| {
            last().map(|row| index.transition_step(row, format!("replica {replica} never had op {op}: the last thing that it did")))
        })
    });
    taken.into_iter().chain(missing).collect()
}

fn stalled(index: &RunIndex<'_>) -> Option<Witness> {
    let table = index.transitions();
    let row = index.transition_rows().find(|row| table.event.get(*row) == Event::Stalled)?;
    let summary = "no operation was committed for longer than the scenario's bound while a quorum was connected";
    Some(Witness::new("stalled", summary).step(index.transition_step(row, "the bound is exceeded")))
}

/// The last row of each replica, as row + 1.
fn last_rows(index: &RunIndex<'_>, meter: &Meter) -> Result<Vec<usize>, Box<Verdict>> {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    let mut last = vec![0_usize; index.replicas()];
    for row in index.transition_rows() {
        ticker.step()?;
        if let Some(last) = last.get_mut(usize::from(table.replica[row])) {
            *last = row + 1;
        }
    }
    Ok(last)
}

fn settled(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let last = last_rows(index, meter)?;
    let down = |row: usize| table.event.get(row) == Event::Crashed || table.status.get(row) == Status::Down;
    let live: Vec<usize> = last.iter().filter_map(|row| row.checked_sub(1)).filter(|row| !down(*row)).collect();
    let mut facts = converged(index, &live)?;
    facts += answered(index, meter)?;
    Ok(facts)
}

fn converged(index: &RunIndex<'_>, live: &[usize]) -> Decision {
    let table = index.transitions();
    let Some(first) = live.first().copied() else {
        return Err(Witness::new("nobody_lives", "no replica is up after the heal phase").into());
    };
    let show = |row: usize| {
        let words = format!(
            "replica {} ends {} in view {} with commit number {}",
            table.replica[row],
            table.status.get(row),
            table.view[row],
            table.commit[row]
        );
        index.transition_step(row, words)
    };
    for row in live.iter().copied() {
        if table.status.get(row) != Status::Normal {
            let summary = format!("replica {} is still {} after the heal phase", table.replica[row], table.status.get(row));
            return Err(Witness::new("not_normal", summary).step(show(row)).into());
        }
        if table.view[row] != table.view[first] || table.commit[row] != table.commit[first] {
            let summary = format!("replicas {} and {} have not converged after the heal phase", table.replica[first], table.replica[row]);
            return Err(Witness::new("not_converged", summary).step(show(first)).step(show(row)).into());
        }
    }
    let primary = index.primary(table.view[first]);
    let leads = live.iter().any(|row| Some(table.replica[*row]) == primary);
    if !leads {
        let summary = format!("view {} has no live primary after the heal phase", table.view[first]);
        return Err(Witness::new("no_primary", summary).step(show(first)).into());
    }
    Ok(live.len() as u64)
}

fn answered(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (table, faults) = (index.operations(), index.faults());
    let mut ticker = meter.ticker();
    let mut facts = 0;
    // A crashed client has lost its pending operation, and only that: it goes on with a later one.
    let crashes: Vec<usize> = index.fault_rows().filter(|row| faults.fault.get(*row) == FaultKind::ClientCrash).collect();
    for row in index.operation_rows() {
        ticker.step()?;
        if table.return_seq.0[row] != u64::NONE {
            facts += 1;
            continue;
        }
        let endpoint = endpoint(index, row);
        let lost_by = |crash: &usize| faults.seq[*crash] > table.seq[row] && faults.target.get(*crash) == endpoint;
        let excused = crashes.iter().any(lost_by);
        if !excused {
            let (tenant, client, request) = (table.tenant[row], table.client[row], table.request_number[row]);
            let summary = format!("request {request} of client {client} of tenant {tenant} was never answered");
            let words = format!("{} by client {client} of tenant {tenant}, request {request}", table.function.get(row));
            return Err(Witness::new("never_answered", summary).step(index.operation_step(row, words)).into());
        }
    }
    Ok(facts)
}

/// The endpoint of an operation's client: 1000.., tenant by tenant.
fn endpoint(index: &RunIndex<'_>, row: usize) -> Option<u32> {
    let (table, meta) = (index.operations(), index.meta());
    let of_tenant = meta.clients.checked_div(meta.tenants)?;
    table.tenant[row].checked_mul(of_tenant)?.checked_add(table.client[row])?.checked_add(1000)
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Ended, FaultKind, FaultRow, Status, TransitionEvent as Event};

    const NAME: &str = "liveness";

    fn shape(story: &Story) -> String {
        story.verdict(NAME).witness().expect("a violation").shape.clone()
    }

    fn healed() -> Story {
        let mut story = Story::clean(2);
        story.operation(|_| {});
        story.run.heal_time_ns = Some(10_000);
        story
    }

    #[test]
    fn a_settled_run_passes() {
        assert_eq!(healed().verdict(NAME).facts(), 4);
        assert_eq!(Story::clean(2).verdict(NAME).name(), "not_applicable");
        let mut external = Story::new(0);
        external.operation(|row| row.return_seq = None);
        assert_eq!(external.verdict(NAME).name(), "not_applicable");
    }

    #[test]
    fn stuck_panicked_and_stalled_runs_are_violations() {
        let mut story = healed();
        story.run.ended = Ended::Stuck;
        assert_eq!(shape(&story), "stuck");
        story.run.ended = Ended::Panicked;
        assert_eq!(shape(&story), "panicked");
        let mut story = healed();
        story.event(0, Event::Stalled, |_| {});
        assert_eq!(shape(&story), "stalled");
    }

    #[test]
    fn who_did_not_acknowledge_the_oldest_entry_is_cited() {
        let mut story = Story::clean(2);
        (story.run.ended, story.run.heal_time_ns) = (Ended::Stuck, Some(10_000));
        for replica in [0, 1] {
            story.event(replica, Event::EntryAppended, |row| row.op = Some(3));
        }
        story.event(0, Event::Acknowledged, |row| row.op = Some(3));
        let verdict = story.verdict(NAME);
        let words: Vec<&str> = verdict.witness().expect("stuck").steps.iter().map(|step| step.words.as_str()).collect();
        assert!(words[0].contains("op 3 is the oldest that is not committed; replica 0"), "{words:?}");
        assert!(words[1].contains("replica 1 has op 3 and does not acknowledge it"), "{words:?}");
        assert!(words[2].contains("replica 2 never had op 3"), "{words:?}");
        assert_eq!(words.len(), 4, "{words:?}");
    }

    #[test]
    fn a_run_that_was_cut_off_is_unknown() {
        let mut story = healed();
        story.run.ended = Ended::TimeLimit;
        assert_eq!(story.verdict(NAME).name(), "unknown");
    }

    #[test]
    fn live_replicas_must_converge() {
        let mut story = healed();
        story.state(2).commit = 1;
        story.event(2, Event::StatusChanged, |_| {});
        assert_eq!(shape(&story), "not_converged");
        story.crash(2);
        assert!(story.verdict(NAME).is_pass(), "a replica that is down need not");
        story.event(1, Event::StatusChanged, |row| row.status = Status::ViewChange);
        assert_eq!(shape(&story), "not_normal");
    }

    #[test]
    fn there_must_be_a_primary() {
        let mut story = healed();
        story.crash(0);
        assert_eq!(shape(&story), "no_primary");
        story.crash(1);
        story.crash(2);
        assert_eq!(shape(&story), "nobody_lives");
    }

    #[test]
    fn an_operation_of_a_live_client_must_return() {
        let mut story = healed();
        (story.run.clients, story.run.tenants) = (6, 2);
        story.operation(|row| (row.return_seq, row.tenant, row.client) = (None, 1, 2));
        assert_eq!(shape(&story), "never_answered");
        let seq = story.tick();
        let fault = FaultRow { seq, time_ns: seq * 1000, fault: FaultKind::ClientCrash, ..FaultRow::default() };
        story.faults.push(FaultRow { target: Some(1005), ..fault });
        assert!(story.verdict(NAME).is_pass());
        story.faults[0].target = Some(1004);
        assert_eq!(shape(&story), "never_answered");
    }
}
