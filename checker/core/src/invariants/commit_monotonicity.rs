//! `commit_monotonicity`: commit and applied numbers of a replica rise by one and never fall.
//!
//! A commit number that falls un-decides what was decided; a gap or a repetition in applying makes state machines differ.
//!
//! **Formally.** Per replica and incarnation, which begins at its checkpoint (`restarted.commit`, 0 when `started`):
//! (1) the `commit` column never falls; (2) each `committed` is about the op behind the one before (or behind
//! `state_installed`); (3) the same for each `applied`; (4) an `applied` op is at most `commit`; (5) `state_installed` never goes
//! below what is applied; (6) an incarnation begins at or above the last `checkpoint_durable`, unless a damaged checkpoint or
//! superblock copy was found, or a fault (`reformat`) had replaced the disk of a replica that has `started`.
//!
//! **Evidence.** transition: replica, incarnation, event, op, commit, detail. fault: fault, target.
//!
//! **Deliberately not checked.** That numbers do not fall over a restart: an incarnation applies again from its checkpoint on.

use crate::budget::Meter;
use crate::index::{EventSet, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::{Step, Witness};
use vopr_schema::{Detail, Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "commit_monotonicity",
    version: 2,
    category: Category::Replication,
    reads: &[
        Reads { kind: Kind::Transition, columns: &["replica", "incarnation", "event", "op", "commit", "detail"] },
        Reads { kind: Kind::Fault, columns: &["fault", "target"] },
    ],
    statement: "commit and applied numbers never fall, no gap, no double apply",
    because_of: &[],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nothing was committed", || follow(index, meter))
}

/// A number of a replica and the row that set it.
#[derive(Clone, Copy, Default)]
struct Mark {
    op: u64,
    row: Option<usize>,
}

#[derive(Clone, Copy, Default)]
struct Replica {
    commit: Mark,
    committed: Mark,
    applied: Mark,
    checkpoint: Mark,
    damaged_checkpoint: bool,
    down: bool,
}

fn follow(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    let mut replicas = vec![Replica::default(); index.replicas()];
    let mut facts = 0;
    for row in index.transition_rows() {
        ticker.step()?;
        let Some(replica) = replicas.get_mut(usize::from(table.replica[row])) else { continue };
        let event = table.event.get(row);
        if BYSTANDERS.has(event as u8) {
            continue;
        }
        if BEGINNINGS.has(event as u8) {
            begin(index, replica, row, event)?;
            continue;
        }
        let commit = table.commit[row];
        // While a replica is down its rows are the world's.
        if commit < replica.commit.op && !replica.down {
            return Err(fell(index, "commit_fell", "commit number", replica.commit, commit, row).into());
        }
        replica.commit = Mark { op: commit, row: Some(row) };
        facts += one(index, replica, row, event)?;
    }
    Ok(facts)
}

/// Rows that the world writes about the cluster, or that this version does not know.
const BYSTANDERS: EventSet = EventSet::of(&[Event::Stalled, Event::Other]);
const BEGINNINGS: EventSet = EventSet::of(&[Event::Started, Event::Restarted]);

fn begin(index: &RunIndex<'_>, replica: &mut Replica, row: usize, event: Event) -> Result<(), Box<Verdict>> {
    let commit = if event == Event::Started { 0 } else { index.transitions().commit[row] };
    if event == Event::Started && index.was_replaced(row) {
        replica.checkpoint = Mark::default();
    }
    if commit < replica.checkpoint.op && !damaged_around(index, row) && !replica.damaged_checkpoint {
        return Err(fell(index, "checkpoint_forgotten", "durable checkpoint", replica.checkpoint, commit, row).into());
    }
    let mark = Mark { op: commit, row: Some(row) };
    *replica = Replica { commit: mark, committed: mark, applied: mark, checkpoint: replica.checkpoint, ..Replica::default() };
    Ok(())
}

/// Whether the replica reports a damaged checkpoint or superblock copy at this restart, right behind the row.
fn damaged_around(index: &RunIndex<'_>, restart: usize) -> bool {
    let table = index.transitions();
    (restart + 1..index.transition_rows().end)
        .take_while(|row| table.time_ns[*row] == table.time_ns[restart])
        .any(|row| table.replica[row] == table.replica[restart] && is_damaged_copy(index, row))
}

fn is_damaged_copy(index: &RunIndex<'_>, row: usize) -> bool {
    let table = index.transitions();
    table.event.get(row) == Event::CorruptionDetected
        && matches!(table.detail.get(row), Some(Detail::CheckpointCopy | Detail::SuperblockCopy))
}

/// Follows one row; answers how many facts it was.
fn one(index: &RunIndex<'_>, replica: &mut Replica, row: usize, event: Event) -> Decision {
    let table = index.transitions();
    let Some(op) = table.op.get(row) else { return Ok(0) };
    let now = Mark { op, row: Some(row) };
    match event {
        Event::Crashed => replica.down = true,
        Event::Committed => {
            next(index, "commit", replica.committed, now)?;
            replica.committed = now;
            return Ok(1);
        }
        Event::Applied => {
            next(index, "apply", replica.applied, now)?;
            if op > table.commit[row] {
                let summary = format!("replica {} applied op {op}, which is not committed", table.replica[row]);
                let words = format!("op {op} is applied while the commit number is {}", table.commit[row]);
                return Err(Witness::new("applied_before_commit", summary).step(index.transition_step(row, words)).into());
            }
            replica.applied = now;
            return Ok(1);
        }
        Event::StateInstalled => {
            if op < replica.applied.op {
                return Err(fell(index, "installed_below_applied", "applied number", replica.applied, op, row).into());
            }
            (replica.committed, replica.applied) = (now, now);
            return Ok(1);
        }
        Event::CheckpointDurable => replica.checkpoint = now,
        Event::CorruptionDetected if is_damaged_copy(index, row) => replica.damaged_checkpoint = true,
        _ => {}
    }
    Ok(0)
}

fn next(index: &RunIndex<'_>, what: &str, before: Mark, now: Mark) -> Result<(), Box<Verdict>> {
    if Some(now.op) == before.op.checked_add(1) {
        return Ok(());
    }
    let row = now.row.unwrap_or_default();
    let replica = index.transitions().replica[row];
    let (shape, verb) = if now.op > before.op { ("gap", "skips") } else { ("repeated", "goes back") };
    let summary = format!("replica {replica} {verb} from op {} to op {} in its order of {what}", before.op, now.op);
    Err(Witness::new(format!("{what}_{shape}"), summary)
        .step_if(step(index, before, format!("{what} stands at op {}", before.op)))
        .step(index.transition_step(row, format!("next is op {}", now.op)))
        .into())
}

fn fell(index: &RunIndex<'_>, shape: &str, what: &str, before: Mark, now: u64, row: usize) -> Witness {
    let replica = index.transitions().replica[row];
    Witness::new(shape, format!("the {what} of replica {replica} fell from {} to {now}", before.op))
        .step_if(step(index, before, format!("the {what} is {}", before.op)))
        .step(index.transition_step(row, format!("now it is {now}")))
}

fn step(index: &RunIndex<'_>, mark: Mark, words: String) -> Option<Step> {
    mark.row.map(|row| index.transition_step(row, words))
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Detail, FaultKind, FaultRow, TransitionEvent as Event};

    const NAME: &str = "commit_monotonicity";

    fn shape(story: &Story) -> String {
        story.verdict(NAME).witness().expect("a violation").shape.clone()
    }

    #[test]
    fn a_clean_run_passes() {
        assert_eq!(Story::clean(4).verdict(NAME).facts(), 24);
    }

    #[test]
    fn a_commit_number_that_falls_is_a_violation() {
        let mut story = Story::clean(4);
        story.state(1).commit = 3;
        story.event(1, Event::ViewEntered, |row| row.view = 1);
        assert_eq!(shape(&story), "commit_fell");
    }

    #[test]
    fn gaps_and_repetitions_are_violations() {
        let mut story = Story::clean(3);
        story.apply(1, 3, 0);
        assert_eq!(shape(&story), "apply_repeated");
        let mut story = Story::clean(3);
        story.commit(1, 5, 0, None);
        assert_eq!(shape(&story), "commit_gap");
        let mut story = Story::clean(3);
        story.apply(1, 4, 0);
        assert_eq!(shape(&story), "applied_before_commit");
    }

    #[test]
    fn a_disk_that_a_fault_has_replaced_holds_no_checkpoint() {
        let mut story = Story::clean(3);
        story.event(1, Event::CheckpointDurable, |row| row.op = Some(2));
        story.crash(1);
        let seq = story.tick();
        story.state(1).commit = 0;
        story.event(1, Event::Started, |row| row.op = Some(0));
        assert_eq!(shape(&story), "checkpoint_forgotten");
        story.faults.push(FaultRow { seq, fault: FaultKind::Reformat, target: Some(1), ..FaultRow::default() });
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn an_incarnation_begins_again_at_its_checkpoint() {
        let mut story = Story::clean(4);
        story.event(1, Event::CheckpointDurable, |row| row.op = Some(2));
        story.crash(1);
        let forgetful = {
            let mut story = story.clone();
            story.restart(1, |state| state.commit = 1);
            story
        };
        assert_eq!(shape(&forgetful), "checkpoint_forgotten");
        let mut excused = forgetful;
        let restarted = excused.transitions.last().unwrap().time_ns;
        excused.event(1, Event::CorruptionDetected, |row| {
            (row.op, row.detail, row.time_ns) = (None, Some(Detail::CheckpointCopy), restarted);
        });
        assert!(excused.verdict(NAME).is_pass());
        story.restart(1, |state| state.commit = 2);
        story.commit(1, 3, 0, None);
        story.commit(1, 4, 0, None);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn state_transfer_skips_forwards_only() {
        let mut story = Story::clean(3);
        let install = |story: &mut Story, op| {
            story.state(2).commit = op;
            story.event(2, Event::StateInstalled, |row| row.op = Some(op));
        };
        install(&mut story, 9);
        story.commit(2, 10, 0, None);
        assert!(story.verdict(NAME).is_pass());
        install(&mut story, 10);
        assert!(story.verdict(NAME).is_pass(), "what it holds already is not below it");
        story.event(2, Event::StateInstalled, |row| row.op = Some(7));
        assert_eq!(shape(&story), "installed_below_applied");
    }

    #[test]
    fn nothing_committed_is_not_applicable_and_a_cut_off_run_passes() {
        assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
        let story = Story::clean(3);
        let seq = story.transitions.last().unwrap().seq;
        assert!(story.cut_off(seq - 3).verdict(NAME).is_pass());
    }
}
