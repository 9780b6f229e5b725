//! `hash_chain`: each entry names the hash of the entry before it, on every replica, whenever it is put, voted for or executed.
//!
//! The chain is what lets a replica judge a log by its last entry; a log whose links do not fit is two logs glued together.
//!
//! **Formally.** (1) One (op, hash) has one `previous_hash`. (2) When a replica appends or repairs an entry, votes for it or commits
//! it, and it certainly holds an entry at op - 1 (op + 1), then the links between the two fit. (3) An entry that a replica calls durable,
//! repairs, votes for, commits or applies has been appended by some replica before: what no log ever held has no place in a chain.
//!
//! **Evidence.** transition: replica, event, op, commit, `entry_hash`, `previous_hash`.
//!
//! **Deliberately not checked.** Links to what a restart read from disk and nobody flushed: which entry a slot holds is not
//! recorded then. Such an entry is checked when the replica votes for it or commits it, against the entries that name it.

use crate::budget::Meter;
use crate::index::{EntryId, EventSet, RunIndex};
use crate::logs::{Held, LOG_EVENTS, ReplicaLogs};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "hash_chain",
    version: 1,
    category: Category::Replication,
    reads: &[Reads { kind: Kind::Transition, columns: &["replica", "event", "op", "commit", "entry_hash", "previous_hash"] }],
    statement: "entry.previous_hash = hash of entry op-1, for all replicas, at all times",
    because_of: &[],
    check,
};

/// What is said of an entry that some log must have held before.
const NAMED: EventSet = EventSet::of(&[Event::EntryDurable, Event::Repaired, Event::Acknowledged, Event::Committed, Event::Applied]);

const LINKS: EventSet = EventSet::of(&[Event::EntryAppended, Event::Repaired, Event::Acknowledged, Event::Committed, Event::Applied]);

const ALL: EventSet = LOG_EVENTS.and(LINKS);

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no entry stands behind another", || follow(index, meter))
}

fn follow(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    let mut logs = ReplicaLogs::new(index);
    let mut facts = 0;
    for (row, event) in index.events(ALL) {
        ticker.step()?;
        if NAMED.has(event as u8) {
            known(index, row)?;
        }
        if LINKS.has(event as u8)
            && let Some(entry) = index.entries().of_row(row)
        {
            if event == Event::EntryAppended {
                one_link(index, entry, row)?;
            }
            facts += below(index, &logs, entry, row)?;
            if event == Event::Repaired {
                facts += above(index, &logs, entry, row)?;
            }
        }
        logs.follow(index, row, event);
        debug_assert!(usize::from(table.replica[row]) < index.replicas(), "replicas of a well-formed run are numbered");
    }
    Ok(facts)
}

/// Some replica appended the entry before.
fn known(index: &RunIndex<'_>, row: usize) -> Result<(), Box<Verdict>> {
    let (table, entries) = (index.transitions(), index.entries());
    let Some(entry) = entries.of_row(row) else { return Ok(()) };
    if entries.appended_row(entry).is_some_and(|appended| appended < row) {
        return Ok(());
    }
    let (replica, op, hash) = (table.replica[row], entries.op(entry), entries.hash(entry));
    let summary = format!("replica {replica} holds an entry at op {op} that no log ever held there");
    let words = format!("{} of op {op}, hash {hash:016x}, which nobody had appended", table.event.get(row));
    Err(Witness::new("entry_of_no_log", summary).step(index.transition_step(row, words)).into())
}

/// One (op, hash) has one `previous_hash`.
fn one_link(index: &RunIndex<'_>, entry: EntryId, row: usize) -> Result<(), Box<Verdict>> {
    let table = index.transitions();
    let (first, link) = (index.entries().previous_hash(entry), table.previous_hash.get(row));
    let Some(first_row) = index.entries().appended_row(entry) else { return Ok(()) };
    if first == link {
        return Ok(());
    }
    let op = index.entries().op(entry);
    let words = |row: usize| {
        let link = table.previous_hash.get(row).map_or_else(|| "nothing".to_owned(), |hash| format!("{hash:016x}"));
        index.transition_step(row, format!("op {op} names {link} as the entry before it"))
    };
    let witness = Witness::new("one_entry_two_links", format!("one entry of op {op} names two different entries before it"));
    Err(witness.step(words(first_row)).step(words(row)).into())
}

/// The link from `entry` down to what the replica holds before it.
fn below(index: &RunIndex<'_>, logs: &ReplicaLogs, entry: EntryId, row: usize) -> Decision {
    let entries = index.entries();
    let replica = index.transitions().replica[row];
    let Some(Held::Entry(before)) = entries.op(entry).checked_sub(1).map(|op| logs.held(replica, op)) else { return Ok(0) };
    link(index, before, entry, row)
}

/// The link from what the replica holds behind `entry` down to it.
fn above(index: &RunIndex<'_>, logs: &ReplicaLogs, entry: EntryId, row: usize) -> Decision {
    let replica = index.transitions().replica[row];
    let Some(Held::Entry(behind)) = index.entries().op(entry).checked_add(1).map(|op| logs.held(replica, op)) else { return Ok(0) };
    link(index, entry, behind, row)
}

fn link(index: &RunIndex<'_>, before: EntryId, entry: EntryId, row: usize) -> Decision {
    let (table, entries) = (index.transitions(), index.entries());
    let Some(named) = entries.previous_hash(entry) else { return Ok(0) };
    if named == entries.hash(before) {
        return Ok(1);
    }
    let (replica, op) = (table.replica[row], entries.op(entry));
    let summary = format!("op {op} on replica {replica} does not stand behind the entry that it names");
    let holds = format!("replica {replica} holds hash {:016x} at op {}", entries.hash(before), op - 1);
    let held = latest_mention(index, replica, before, row).map(|row| index.transition_step(row, holds));
    let words = format!("{} of op {op}, which names {named:016x} as the entry before it", table.event.get(row));
    Err(Witness::new("broken_link", summary).step_if(held).step(index.transition_step(row, words)).into())
}

/// The last row before `row` in which `replica` speaks of `entry`.
fn latest_mention(index: &RunIndex<'_>, replica: u8, entry: EntryId, row: usize) -> Option<usize> {
    let (table, entries) = (index.transitions(), index.entries());
    (index.transition_rows().start..row).rev().find(|row| table.replica[*row] == replica && entries.of_row(*row) == Some(entry))
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::TransitionEvent as Event;

    const NAME: &str = "hash_chain";

    fn shape(story: &Story) -> String {
        story.verdict(NAME).witness().expect("a violation").shape.clone()
    }

    #[test]
    fn a_clean_run_passes() {
        assert!(Story::clean(4).verdict(NAME).is_pass());
        // The first entry stands behind nothing.
        assert_eq!(Story::clean(1).verdict(NAME).name(), "not_applicable");
    }

    #[test]
    fn an_entry_behind_another_one_is_a_violation() {
        let mut story = Story::clean(2);
        story.append_after(1, 3, 1, 5);
        assert_eq!(shape(&story), "broken_link");
    }

    #[test]
    fn one_entry_has_one_link() {
        let mut story = Story::clean(2);
        let last = story.transitions.iter().rposition(|row| row.event == Event::EntryAppended).unwrap();
        story.transitions[last].previous_hash = Some(4);
        assert_eq!(shape(&story), "one_entry_two_links");
    }

    #[test]
    fn a_replaced_entry_must_take_those_behind_it_along() {
        let mut story = Story::clean(2);
        story.append(1, 3, 0);
        story.append(1, 4, 0);
        story.entry(1, Event::EntryTruncated, 3, 0);
        story.append_after(1, 3, 1, 0);
        assert!(story.verdict(NAME).is_pass(), "op 4 has not been used since");
        story.entry(1, Event::Acknowledged, 4, 0);
        assert_eq!(shape(&story), "broken_link");
    }

    #[test]
    fn a_repair_must_fit_on_both_sides() {
        let mut story = Story::clean(2);
        story.append(0, 3, 0);
        story.append(1, 4, 0);
        story.append_after(2, 3, 1, 0);
        story.entry(1, Event::Repaired, 3, 0);
        assert!(story.verdict(NAME).is_pass());
        story.entry(1, Event::Repaired, 3, 1);
        assert_eq!(shape(&story), "broken_link");
    }

    #[test]
    fn what_a_restart_read_is_not_judged_before_it_is_used() {
        let mut story = Story::clean(2);
        story.append_after(1, 3, 7, 0);
        story.crash(1);
        story.restart(1, |state| state.op = Some(3));
        story.append_after(1, 4, 0, 0);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn an_entry_that_no_log_ever_held_is_a_violation() {
        for event in [Event::EntryDurable, Event::Acknowledged, Event::Committed] {
            let mut story = Story::clean(2);
            story.append_after(2, 3, 1, 0);
            story.entry(1, event, 3, 1);
            assert!(story.verdict(NAME).is_pass(), "another replica has appended it");
            story.entry(1, event, 3, 9);
            assert_eq!(shape(&story), "entry_of_no_log");
        }
        let mut early = Story::clean(2);
        early.entry(1, Event::EntryDurable, 3, 1);
        early.append_after(2, 3, 1, 0);
        assert_eq!(shape(&early), "entry_of_no_log");
    }

    #[test]
    fn a_cut_off_run_passes() {
        let story = Story::clean(3);
        assert!(story.cut_off(story.transitions[20].seq).verdict(NAME).is_pass());
    }
}
