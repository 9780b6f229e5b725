//! `checkpoint_recovery`: a restarted replica's checkpoint and log give the state that it had before.
//!
//! What a checkpoint lacks, or has too much of, is found only by a restart, when the memory that would have shown it is gone.
//!
//! **Formally.** Per replica r: (1) the op that a `restarted` recovers (`commit`) is 0, or that of a checkpoint that r took
//! (`checkpoint_taken`), installed (`state_installed`) or was sent (`state_transfer_response`, not refused) before. (2) An `applied`
//! of r at an op that an earlier incarnation of r had applied shows the same entry and the same state hash as then. (3) So does a
//! `checkpoint_taken` that r had taken before.
//!
//! **Evidence.** transition: replica, incarnation, event, op, commit, `entry_hash`, `state_hash`. message: command, from, to,
//! `log_first`, fate, `fate_seq`, `reject_reason`.
//!
//! **Deliberately not checked.** Which of its checkpoints a replica recovers: `commit_monotonicity` wants the last durable one
//! unless damage was reported. Other replicas' states: `replica_consistency`. The session table: its content is not recorded.

use crate::budget::Meter;
use crate::index::{EventSet, Grid, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "checkpoint_recovery",
    version: 1,
    category: Category::Storage,
    reads: &[
        Reads { kind: Kind::Transition, columns: &["replica", "incarnation", "event", "op", "commit", "entry_hash", "state_hash"] },
        Reads { kind: Kind::Message, columns: &["command", "from", "to", "log_first", "fate", "fate_seq", "reject_reason"] },
    ],
    statement: "the state from checkpoint and log after a restart is the state before the crash",
    because_of: &["vsr_agreement", "replica_consistency"],
    check,
};

const EVENTS: EventSet = EventSet::of(&[Event::Started, Event::Restarted, Event::Applied, Event::CheckpointTaken]);

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no replica restarted", || follow(index, meter))
}

fn follow(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    // Per replica and op number the row that applied it, or took a checkpoint of it, last; as row + 1.
    let mut applied = Grid::new(index.replicas(), index.ops(), 0_u32);
    let mut checkpoints = applied.clone();
    let mut facts = 0;
    for (row, event) in index.events(EVENTS) {
        ticker.step()?;
        let replica = table.replica[row];
        let known = match event {
            Event::Started => {
                // A formatted disk has no past.
                applied.row_mut(replica).fill(0);
                checkpoints.row_mut(replica).fill(0);
                continue;
            }
            Event::Restarted => {
                facts += restarted(index, row)?;
                continue;
            }
            Event::Applied => &mut applied,
            _ => &mut checkpoints,
        };
        let Some(op) = table.op.get(row) else { continue };
        let before = known.get(replica, op).and_then(|row| (row as usize).checked_sub(1));
        if let Some(before) = before.filter(|before| table.incarnation[*before] < table.incarnation[row]) {
            facts += same(index, before, row)?;
        }
        known.set(replica, op, u32::try_from(row + 1).unwrap_or(0));
    }
    Ok(facts)
}

/// A checkpoint that is recovered is one that the replica had.
fn restarted(index: &RunIndex<'_>, row: usize) -> Decision {
    let table = index.transitions();
    let (replica, op, seq) = (table.replica[row], table.commit[row], table.seq[row]);
    let states = index.states();
    if op == 0 || states.had(index, replica, op, seq).is_some() || states.received(replica, op, seq).is_some() {
        return Ok(1);
    }
    let summary = format!("replica {replica} recovered a checkpoint of op {op}, but had never taken nor been given one");
    let step = index.transition_step(row, format!("replica {replica} restarts from a checkpoint of op {op}"));
    Err(Witness::new("recovered_a_checkpoint_it_never_had", summary).step(step).into())
}

/// Applied once more, or checkpointed once more: nothing is different.
fn same(index: &RunIndex<'_>, before: usize, row: usize) -> Decision {
    let table = index.transitions();
    let differs = |one: Option<u64>, other: Option<u64>| one.zip(other).is_some_and(|(one, other)| one != other);
    let (shape, what) = if differs(table.entry_hash.get(before), table.entry_hash.get(row)) {
        ("another_entry_after_restart", "another entry")
    } else if differs(table.state_hash.get(before), table.state_hash.get(row)) {
        ("another_state_after_restart", "another state")
    } else {
        return Ok(1);
    };
    let (replica, op) = (table.replica[row], table.op.get(row).unwrap_or_default());
    let summary = format!("replica {replica} came to {what} at op {op} after its restart than before its crash");
    let words = |row: usize| {
        let (entry, state) = (table.entry_hash.get(row).unwrap_or_default(), table.state_hash.get(row).unwrap_or_default());
        format!("incarnation {}: {} op {op}, entry {entry:016x}, state {state:016x}", table.incarnation[row], table.event.get(row))
    };
    let restart = (before..row).rev().find(|other| table.replica[*other] == replica && table.event.get(*other) == Event::Restarted);
    Err(Witness::new(shape, summary)
        .step(index.transition_step(before, words(before)))
        .step_if(restart.map(|other| index.transition_step(other, format!("it restarts from op {}", table.commit[other]))))
        .step(index.transition_step(row, words(row)))
        .into())
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Command, TransitionEvent as Event};

    const NAME: &str = "checkpoint_recovery";

    fn shape(story: &Story) -> String {
        let verdict = story.verdict(NAME);
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    /// Replica 1 has a checkpoint of op 2, crashes at op 4 and comes back with it.
    fn restarted() -> Story {
        let mut story = Story::clean(4);
        story.event(1, Event::CheckpointTaken, |row| (row.op, row.state_hash) = (Some(2), Some(7_000_002)));
        story.crash(1);
        story.restart(1, |state| state.commit = 2);
        story
    }

    #[test]
    fn applying_again_what_was_applied_before_is_a_fact() {
        let mut story = restarted();
        story.commit(1, 3, 0, None);
        story.commit(1, 4, 0, None);
        story.commit(1, 5, 0, None);
        assert_eq!(story.verdict(NAME).facts(), 3);
    }

    #[test]
    fn another_state_or_entry_than_before_the_crash_is_a_violation() {
        let mut state = restarted();
        state.commit(1, 3, 0, None);
        state.transitions.last_mut().unwrap().state_hash = Some(1);
        assert_eq!(shape(&state), "another_state_after_restart");
        let mut entry = restarted();
        entry.commit(1, 3, 1, None);
        assert_eq!(shape(&entry), "another_entry_after_restart");
        let mut taken = restarted();
        taken.event(1, Event::CheckpointTaken, |row| (row.op, row.state_hash) = (Some(2), Some(1)));
        assert_eq!(shape(&taken), "another_state_after_restart");
    }

    #[test]
    fn a_checkpoint_from_nowhere_is_a_violation() {
        let mut story = Story::clean(4);
        story.crash(2);
        let mut sent = story.clone();
        story.restart(2, |state| state.commit = 2);
        assert_eq!(shape(&story), "recovered_a_checkpoint_it_never_had");
        sent.message(Command::StateTransferResponse, 0, 2, |row| row.log_first = Some(3));
        sent.restart(2, |state| state.commit = 2);
        assert_eq!(sent.verdict(NAME).facts(), 1);
    }

    #[test]
    fn no_restart_is_not_applicable_and_a_cut_off_run_passes() {
        assert_eq!(Story::clean(3).verdict(NAME).name(), "not_applicable");
        let mut story = restarted();
        story.commit(1, 3, 1, None);
        let seq = story.transitions.last().unwrap().seq;
        assert_eq!(story.cut_off(seq).verdict(NAME).facts(), 1);
    }
}
