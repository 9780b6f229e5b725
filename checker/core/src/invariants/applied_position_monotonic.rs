//! `applied_position_monotonic`: what is applied is what was committed, and never goes back.
//!
//! Everything that clients, checkpoints and other replicas get comes from the applied state: it may not run ahead of the log's
//! agreement, and nobody may speak of a state that is not there yet.
//!
//! **Formally.** Per replica and incarnation let a be its applied position: `restarted.commit` at first (0 when `started`), then the
//! op of its last `applied` or `state_installed`. (1) Each `applied` has an op above a, and a `committed` row of that replica and
//! incarnation before it names the same entry. (2) A `replied` reports an op at most a. (3) A `checkpoint_taken` is of op a, and
//! shows the state hash that the row which set a has shown. (4) A `log_trimmed` frees no op above a.
//!
//! **Evidence.** transition: replica, incarnation, event, op, commit, `entry_hash`, `state_hash`.
//!
//! **Deliberately not checked.** Gaps and the `commit` column that a replica shows of itself: `commit_monotonicity`. That a commit
//! is one: `quorum_commit`. An incarnation may begin below what the one before had applied: it applies again from its checkpoint.

use crate::budget::Meter;
use crate::index::{EventSet, Grid, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "applied_position_monotonic",
    version: 1,
    category: Category::Replication,
    reads: &[Reads { kind: Kind::Transition, columns: &["replica", "incarnation", "event", "op", "commit", "entry_hash", "state_hash"] }],
    statement: "the applied position never goes back nor passes what the replica committed, and replies and checkpoints stay within it",
    because_of: &["commit_monotonicity"],
    check,
};

const EVENTS: EventSet = EventSet::of(&[
    Event::Started,
    Event::Restarted,
    Event::Committed,
    Event::Applied,
    Event::StateInstalled,
    Event::Replied,
    Event::CheckpointTaken,
    Event::LogTrimmed,
]);

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nothing was applied", || follow(index, meter))
}

/// How far a replica has applied, and the row that says so.
#[derive(Clone, Copy, Default)]
struct Position {
    op: u64,
    row: Option<usize>,
}

struct Cluster<'a, 'h> {
    index: &'a RunIndex<'h>,
    positions: Vec<Position>,
    /// Per replica and op number, the row that committed it, as row + 1.
    committed: Grid<u32>,
    facts: u64,
}

fn follow(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let mut ticker = meter.ticker();
    let mut cluster = Cluster {
        index,
        positions: vec![Position::default(); index.replicas()],
        committed: Grid::new(index.replicas(), index.ops(), 0),
        facts: 0,
    };
    for (row, event) in index.events(EVENTS) {
        ticker.step()?;
        cluster.row(row, event)?;
    }
    Ok(cluster.facts)
}

impl Cluster<'_, '_> {
    fn row(&mut self, row: usize, event: Event) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let number = table.replica[row];
        let Some(position) = self.positions.get_mut(usize::from(number)) else { return Ok(()) };
        let Some(op) = table.op.get(row) else { return Ok(()) };
        match event {
            Event::Started => *position = Position { op: 0, row: Some(row) },
            Event::Restarted => *position = Position { op: table.commit[row], row: Some(row) },
            Event::Committed => self.committed.set(number, op, u32::try_from(row + 1).unwrap_or(0)),
            Event::Applied => {
                self.facts += 1;
                self.applied(row, op)?;
            }
            Event::StateInstalled => {
                if op < position.op {
                    return Err(self.contradiction("state_installed_below_applied", "installs", row, op).into());
                }
                *position = Position { op, row: Some(row) };
            }
            Event::Replied => {
                self.facts += 1;
                if op > position.op {
                    return Err(self.contradiction("replied_beyond_applied", "tells a client of", row, op).into());
                }
            }
            Event::CheckpointTaken => {
                self.facts += 1;
                self.checkpoint(row, op)?;
            }
            Event::LogTrimmed if op > position.op => {
                return Err(self.contradiction("trimmed_beyond_applied", "frees its log up to", row, op).into());
            }
            _ => {}
        }
        Ok(())
    }

    fn applied(&mut self, row: usize, op: u64) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let number = table.replica[row];
        if op <= self.positions[usize::from(number)].op {
            return Err(self.contradiction("applied_went_back", "applies", row, op).into());
        }
        let commit = self.committed.get(number, op).and_then(|row| (row as usize).checked_sub(1));
        let commit = commit.filter(|commit| table.incarnation[*commit] == table.incarnation[row]);
        let Some(commit) = commit else {
            return Err(self.contradiction("applied_uncommitted", "applies, without having committed it,", row, op).into());
        };
        if table.entry_hash.0[commit] != table.entry_hash.0[row] {
            let summary = format!("replica {number} committed one entry at op {op} and applied another");
            let hash = |row: usize| table.entry_hash.get(row).unwrap_or_default();
            let witness = Witness::new("applied_another_entry", summary)
                .step(self.index.transition_step(commit, format!("op {op}, hash {:016x}, is committed", hash(commit))))
                .step(self.index.transition_step(row, format!("op {op}, hash {:016x}, is applied", hash(row))));
            return Err(witness.into());
        }
        self.positions[usize::from(number)] = Position { op, row: Some(row) };
        Ok(())
    }

    fn checkpoint(&self, row: usize, op: u64) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let position = self.positions[usize::from(table.replica[row])];
        if op != position.op {
            return Err(self.contradiction("checkpoint_elsewhere", "takes a checkpoint of", row, op).into());
        }
        // A restart does not say what the state is.
        let shown = position.row.and_then(|set| table.state_hash.get(set));
        if shown.zip(table.state_hash.get(row)).is_some_and(|(shown, taken)| shown != taken) {
            return Err(self.contradiction("checkpoint_of_another_state", "takes a checkpoint that is not the state at", row, op).into());
        }
        Ok(())
    }

    fn contradiction(&self, shape: &str, verb: &str, row: usize, op: u64) -> Witness {
        let table = self.index.transitions();
        let number = table.replica[row];
        let position = self.positions[usize::from(number)];
        let set = position.row.map(|set| self.index.transition_step(set, format!("its applied position is op {}", position.op)));
        Witness::new(shape, format!("replica {number} {verb} op {op} while its applied position is op {}", position.op))
            .step_if(set)
            .step(self.index.transition_step(row, format!("replica {number}: {} op {op}", table.event.get(row))))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::TransitionEvent as Event;

    const NAME: &str = "applied_position_monotonic";

    fn shape(story: &Story) -> String {
        let verdict = story.verdict(NAME);
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    fn checkpoint(story: &mut Story, replica: u8, op: u64, state: u64) {
        story.event(replica, Event::CheckpointTaken, |row| (row.op, row.state_hash) = (Some(op), Some(state)));
    }

    #[test]
    fn applying_what_was_committed_and_speaking_of_it_are_facts() {
        let mut story = Story::clean(4);
        story.event(0, Event::Replied, |row| row.op = Some(4));
        checkpoint(&mut story, 0, 4, 7_000_004);
        assert_eq!(story.verdict(NAME).facts(), 14);
    }

    #[test]
    fn applying_what_was_not_committed_or_something_else_is_a_violation() {
        let mut story = Story::clean(3);
        story.apply(1, 4, 0);
        assert_eq!(shape(&story), "applied_uncommitted");
        let mut story = Story::clean(3);
        story.apply(1, 2, 0);
        assert_eq!(shape(&story), "applied_went_back");
        let mut story = Story::clean(3);
        story.commit(1, 4, 0, None);
        story.transitions.last_mut().unwrap().entry_hash = Some(9);
        assert_eq!(shape(&story), "applied_another_entry");
    }

    #[test]
    fn a_commit_of_an_earlier_incarnation_does_not_count() {
        let mut story = Story::clean(3);
        story.crash(1);
        story.restart(1, |_| {});
        let mut again = story.clone();
        (1..=3).for_each(|op| again.commit(1, op, 0, None));
        assert_eq!(again.verdict(NAME).facts(), 12);
        story.apply(1, 1, 0);
        assert_eq!(shape(&story), "applied_uncommitted");
    }

    #[test]
    fn nobody_may_speak_of_a_state_that_is_not_there() {
        let mut story = Story::clean(3);
        story.event(0, Event::Replied, |row| row.op = Some(4));
        assert_eq!(shape(&story), "replied_beyond_applied");
        let mut story = Story::clean(3);
        checkpoint(&mut story, 0, 2, 7_000_002);
        assert_eq!(shape(&story), "checkpoint_elsewhere");
        let mut story = Story::clean(3);
        checkpoint(&mut story, 0, 3, 7_000_002);
        assert_eq!(shape(&story), "checkpoint_of_another_state");
        let mut story = Story::clean(3);
        story.event(0, Event::LogTrimmed, |row| row.op = Some(4));
        assert_eq!(shape(&story), "trimmed_beyond_applied");
        let mut story = Story::clean(3);
        story.event(0, Event::StateInstalled, |row| row.op = Some(2));
        assert_eq!(shape(&story), "state_installed_below_applied");
    }

    #[test]
    fn nothing_applied_is_not_applicable_and_a_cut_off_run_passes() {
        assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
        let story = Story::clean(3);
        let seq = story.transitions.last().unwrap().seq;
        assert_eq!(story.cut_off(seq - 1).verdict(NAME).facts(), 8);
    }
}
