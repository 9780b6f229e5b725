//! `replica_head`: a replica votes for an entry only when that entry is on its disk.
//!
//! A vote for something that a crash can take back is no vote: the quorum that it completes may never have existed.
//!
//! **Formally.** An `acknowledged` of (op, e) on replica r stands behind an `entry_durable` of (op, e) on r, with no damage found in that
//! slot in between; or r restarted after it had appended e, and may have found e on its disk.
//!
//! **Evidence.** transition: replica, incarnation, event, op, `entry_hash`.
//!
//! **Deliberately not checked.** A truncation in between:
//! (1) a backup flushes e and then truncates it in memory for a view change; (2) the new view brings e back; (3) its slot on disk still
//! holds e, so voting at once is sound. If another entry was written into the slot meanwhile, `hash_chain` and `vsr_recovery_safety` see
//! the consequence.

use crate::budget::Meter;
use crate::index::{EventSet, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "replica_head",
    version: 1,
    category: Category::Replication,
    reads: &[Reads { kind: Kind::Transition, columns: &["replica", "incarnation", "event", "op", "entry_hash"] }],
    statement: "a replica acknowledges an entry only when it is durable there",
    because_of: &[],
    check,
};

const EVENTS: EventSet = EventSet::of(&[Event::EntryDurable, Event::Acknowledged, Event::CorruptionDetected]);

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nothing was acknowledged", || follow(index, meter))
}

fn follow(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (table, entries) = (index.transitions(), index.entries());
    let mut ticker = meter.ticker();
    // Per entry, the replicas that have it on disk.
    let mut durable = vec![0_u32; entries.len()];
    let mut facts = 0;
    for (row, event) in index.events(EVENTS) {
        ticker.step()?;
        let replica = table.replica[row];
        let bit = 1_u32.checked_shl(replica.into()).unwrap_or(0);
        if event == Event::CorruptionDetected {
            for entry in table.op.get(row).into_iter().flat_map(|op| entries.at_op(op)) {
                durable[entry.index()] &= !bit;
            }
            continue;
        }
        let Some(entry) = entries.of_row(row) else { continue };
        if event == Event::EntryDurable {
            durable[entry.index()] |= bit;
        } else {
            facts += 1;
            if durable[entry.index()] & bit == 0 && !index.testimony().may_have_survived(index, entry, row) {
                return Err(early(index, row).into());
            }
        }
    }
    Ok(facts)
}

fn early(index: &RunIndex<'_>, row: usize) -> Witness {
    let table = index.transitions();
    let (replica, op, hash) = (table.replica[row], table.op.0[row], table.entry_hash.0[row]);
    let mine = |other: &usize, event: Event| {
        table.replica[*other] == replica && table.entry_hash.0[*other] == hash && table.event.get(*other) == event
    };
    let rows = index.transition_rows();
    let appended = (rows.start..row).rev().find(|other| mine(other, Event::EntryAppended));
    let durable = (row..rows.end).find(|other| mine(other, Event::EntryDurable));
    Witness::new("acknowledged_before_durable", format!("replica {replica} acknowledged op {op} before it was on its disk"))
        .step_if(appended.map(|row| index.transition_step(row, format!("op {op} is in memory"))))
        .step(index.transition_step(row, format!("replica {replica} votes for op {op}")))
        .step_if(durable.map(|row| index.transition_step(row, format!("only now is op {op} durable"))))
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::TransitionEvent as Event;

    const NAME: &str = "replica_head";

    #[test]
    fn a_clean_run_passes() {
        assert_eq!(Story::clean(3).verdict(NAME).facts(), 9);
        assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
    }

    #[test]
    fn a_vote_before_durability_is_a_violation_with_both_rows() {
        let mut story = Story::clean(1);
        story.append(1, 2, 0);
        story.entry(1, Event::Acknowledged, 2, 0);
        story.entry(1, Event::EntryDurable, 2, 0);
        let verdict = story.verdict(NAME);
        let witness = verdict.witness().unwrap();
        assert_eq!(witness.summary, "replica 1 acknowledged op 2 before it was on its disk");
        assert_eq!(witness.steps.len(), 3);
    }

    #[test]
    fn another_entrys_durability_does_not_count() {
        let mut story = Story::clean(1);
        story.append(1, 2, 0);
        story.entry(1, Event::EntryDurable, 2, 0);
        story.append_after(1, 2, 1, 0);
        story.entry(1, Event::Acknowledged, 2, 1);
        assert!(story.verdict(NAME).is_violation());
    }

    #[test]
    fn a_damaged_slot_must_be_written_again() {
        let mut story = Story::clean(2);
        story.event(1, Event::CorruptionDetected, |row| row.op = Some(2));
        let mut early = story.clone();
        early.entry(1, Event::Acknowledged, 2, 0);
        assert!(early.verdict(NAME).is_violation());
        story.entry(1, Event::Repaired, 2, 0);
        story.entry(1, Event::EntryDurable, 2, 0);
        story.entry(1, Event::Acknowledged, 2, 0);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn a_restart_may_find_what_was_never_confirmed() {
        let mut story = Story::clean(1);
        story.append(1, 2, 0);
        story.crash(1);
        story.restart(1, |state| state.op = Some(2));
        story.entry(1, Event::Acknowledged, 2, 0);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn voting_again_in_a_new_view_passes() {
        let mut story = Story::clean(2);
        story.state(1).view = 1;
        story.entry(1, Event::Acknowledged, 2, 0);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn a_cut_off_run_passes() {
        let story = Story::clean(3);
        assert!(story.cut_off(story.transitions[20].seq).verdict(NAME).is_pass());
    }
}
