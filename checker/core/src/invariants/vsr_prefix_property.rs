//! `vsr_prefix_property`: committed logs are prefixes of one another, and no replica commits what it does not hold.
//!
//! Agreement compares single positions; this one compares whole logs: what each replica commits is one chain without holes.
//!
//! **Formally.** Per replica and incarnation: (1) a `committed` (op, e) is about an entry that the replica's log holds then (appended,
//! repaired, or possibly read by its restart), or that a checkpoint given to it covers; (2) the entry that it committed before, if
//! that was op - 1, is the one that e names as its predecessor; (3) the `commit` column never exceeds the op of its last
//! `committed` (or of its checkpoint). With `vsr_agreement` at one op number, 2 makes the shorter log a prefix of the longer.
//!
//! **Evidence.** transition: replica, event, op, commit, `entry_hash`, `previous_hash`.
//!
//! **Deliberately not checked.** That every replica reaches the longest log: `liveness`.

use crate::budget::Meter;
use crate::index::{EntryId, RunIndex};
use crate::logs::{Held, LOG_EVENTS, ReplicaLogs};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "vsr_prefix_property",
    version: 1,
    category: Category::Replication,
    reads: &[Reads { kind: Kind::Transition, columns: &["replica", "event", "op", "commit", "entry_hash", "previous_hash"] }],
    statement: "committed logs are prefixes of one another; a commit number never exceeds what the replica holds",
    because_of: &["log_consistency", "hash_chain", "vsr_agreement"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nothing was committed", || follow(index, meter))
}

#[derive(Clone, Copy, Default)]
struct Replica {
    /// Largest op number that this incarnation committed or was given.
    committed: u64,
    /// Its entry, where a row names it.
    entry: Option<EntryId>,
    /// The row that says so.
    row: Option<usize>,
    down: bool,
}

fn follow(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    let mut logs = ReplicaLogs::new(index);
    let mut replicas = vec![Replica::default(); index.replicas()];
    let mut facts = 0;
    for row in index.transition_rows() {
        ticker.step()?;
        let event = table.event.get(row);
        let Some(replica) = replicas.get_mut(usize::from(table.replica[row])) else { continue };
        match event {
            Event::Stalled | Event::Other => continue,
            Event::Started => *replica = Replica { row: Some(row), ..Replica::default() },
            Event::Restarted => *replica = Replica { committed: table.commit[row], row: Some(row), ..Replica::default() },
            Event::StateInstalled => {
                let op = table.op.get(row).unwrap_or(0);
                *replica = Replica { committed: op, entry: index.entries().of_row(row), row: Some(row), down: false };
            }
            Event::Committed => {
                committed(index, &logs, replica, row)?;
                facts += 1;
            }
            Event::Crashed => replica.down = true,
            _ => {}
        }
        if table.commit[row] > replica.committed && !replica.down {
            return Err(beyond(index, replica, row).into());
        }
        if LOG_EVENTS.has(event as u8) {
            logs.follow(index, row, event);
        }
    }
    Ok(facts)
}

fn committed(index: &RunIndex<'_>, logs: &ReplicaLogs, replica: &mut Replica, row: usize) -> Result<(), Box<Verdict>> {
    let (table, entries) = (index.transitions(), index.entries());
    let number = table.replica[row];
    let Some(op) = table.op.get(row) else { return Ok(()) };
    let entry = entries.of_row(row);
    let held = logs.held(number, op);
    let holds = match held {
        Held::Unknown => true,
        Held::Entry(held) => Some(held) == entry,
        Held::Absent => op <= logs.base(number),
    };
    if !holds {
        let summary = format!("replica {number} committed an entry at op {op} that it does not hold");
        let instead = match held {
            Held::Entry(held) => format!("hash {:016x}", entries.hash(held)),
            _ => "nothing".to_owned(),
        };
        let words = format!("replica {number} commits hash {:016x} while its log holds {instead}", table.entry_hash.0[row]);
        return Err(Witness::new("committed_without_entry", summary).step(index.transition_step(row, words)).into());
    }
    if let (Some(before), Some(entry)) = (replica.entry, entry)
        && entries.op(before).checked_add(1) == Some(op)
        && entries.previous_hash(entry).is_some_and(|named| named != entries.hash(before))
    {
        let summary = format!("what replica {number} committed at ops {} and {op} is no chain", op - 1);
        let witness = Witness::new("committed_log_is_no_chain", summary)
            .step_if(replica.row.map(|row| index.transition_step(row, format!("op {} with hash {:016x}", op - 1, entries.hash(before)))))
            .step(index.transition_step(row, format!("op {op}, which names another entry before it")));
        return Err(witness.into());
    }
    *replica = Replica { committed: op.max(replica.committed), entry, row: Some(row), down: false };
    Ok(())
}

fn beyond(index: &RunIndex<'_>, replica: &Replica, row: usize) -> Witness {
    let table = index.transitions();
    let (number, commit) = (table.replica[row], table.commit[row]);
    let summary = format!("replica {number} claims commit number {commit}, but the last op that it committed is {}", replica.committed);
    Witness::new("commit_beyond_committed", summary)
        .step_if(replica.row.map(|row| index.transition_step(row, format!("committed up to op {}", replica.committed))))
        .step(index.transition_step(row, format!("the commit number is {commit}")))
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::TransitionEvent as Event;

    const NAME: &str = "vsr_prefix_property";

    fn shape(story: &Story) -> String {
        story.verdict(NAME).witness().expect("a violation").shape.clone()
    }

    #[test]
    fn a_clean_run_passes() {
        assert_eq!(Story::clean(3).verdict(NAME).facts(), 9);
        assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
    }

    #[test]
    fn committing_what_is_not_held_is_a_violation() {
        let mut story = Story::clean(2);
        story.commit(1, 3, 0, None);
        assert_eq!(shape(&story), "committed_without_entry");
        let mut story = Story::clean(2);
        story.append_after(1, 3, 1, 0);
        story.commit(1, 3, 0, None);
        assert_eq!(shape(&story), "committed_without_entry");
    }

    #[test]
    fn a_commit_number_past_a_gap_is_a_violation() {
        let mut story = Story::clean(2);
        story.append(1, 3, 0);
        story.state(1).commit = 4;
        story.append(1, 4, 0);
        assert_eq!(shape(&story), "commit_beyond_committed");
    }

    #[test]
    fn what_is_committed_is_a_chain() {
        let mut story = Story::clean(2);
        story.append_after(1, 3, 1, 9);
        story.commit(1, 3, 1, None);
        assert_eq!(shape(&story), "committed_log_is_no_chain");
    }

    #[test]
    fn restarts_and_state_transfer_are_followed() {
        let mut story = Story::clean(3);
        story.crash(1);
        story.restart(1, |state| (state.op, state.commit) = (Some(3), 1));
        story.commit(1, 2, 0, None);
        story.commit(1, 3, 0, None);
        story.state(2).commit = 5;
        story.event(2, Event::StateInstalled, |row| row.op = Some(5));
        story.append(2, 6, 0);
        story.commit(2, 6, 0, None);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn a_cut_off_run_passes() {
        let story = Story::clean(3);
        assert!(story.cut_off(story.transitions.last().unwrap().seq).verdict(NAME).is_pass());
    }
}
