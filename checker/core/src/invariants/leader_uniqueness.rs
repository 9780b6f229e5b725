//! `leader_uniqueness`: at most one replica prepares in a view, and it is the primary of that view.
//!
//! Two primaries in one view give one op number to two requests and both can gather acknowledgements for it.
//!
//! **Formally.** With n members, voters or not, the primary of view v is member v mod n, whatever the epoch. (1) Each prepare of view
//! v that no fault changed leaves the
//! primary of v; (2) so does each `timestamp_assigned`, and each `view_entered` that names a quorum; (3) the replica that appends an
//! entry first is the primary of the entry's view; (4) no two entries share (view, op). (5) A view makes room for the next one by a quorum: before
//! a replica casts its `do_view_change` for view v (a `vote_cast` that names a log), more than half of
//! the voters of its epoch, or of an earlier one, have cast a vote for v.
//!
//! **Evidence.** message: command, from, view, epoch, mutation. transition: replica, event, view, op, `entry_hash`, `entry_view`,
//! quorum, epoch.
//!
//! **Deliberately not checked.** Whether the primary votes in the configuration in force (`reconfiguration_safety`). Two replicas that
//! both believe to be primary of different views: the older one cannot gather a quorum any more (`quorum_commit`).

use crate::budget::Meter;
use crate::index::{EntryId, EventSet, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use crate::words::{counted, replicas};
use std::collections::BTreeMap;
use vopr_schema::column::Niche;
use vopr_schema::{Command, Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "leader_uniqueness",
    version: 2,
    category: Category::Replication,
    reads: &[
        Reads { kind: Kind::Message, columns: &["command", "from", "view", "epoch", "mutation"] },
        Reads { kind: Kind::Transition, columns: &["replica", "event", "view", "op", "entry_hash", "entry_view", "quorum", "epoch"] },
    ],
    statement: "at most one primary per view prepares; a prepare of view v comes from the primary of v",
    because_of: &[],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nobody prepared", || {
        if index.members() == 0 {
            return Ok(0);
        }
        Ok(prepares(index, meter)? + acts(index, meter)? + departures(index, meter)?)
    })
}

/// No replica sends its log to a new primary before a quorum has left the old one.
fn departures(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let mut ticker = meter.ticker();
    // Per view, the members that have voted for it.
    let mut left: BTreeMap<u64, u32> = BTreeMap::new();
    let mut facts = 0;
    for (row, _) in index.events(EventSet::of(&[Event::VoteCast])) {
        ticker.step()?;
        let (replica, view) = (table.replica[row], table.view[row]);
        let members = left.entry(view).or_default();
        *members |= 1_u32.checked_shl(replica.into()).unwrap_or(0);
        if table.entry_hash.get(row).is_none() {
            continue;
        }
        facts += 1;
        let known = index.configurations().all();
        let until = &known[..known.partition_point(|known| known.epoch <= table.epoch[row])];
        let Some(last) = until.last() else { continue };
        // Who learns of a new epoch while the view changes need not collect votes again.
        if !until.iter().any(|known| known.decides(*members)) {
            let (who, needed) = (replicas(*members & last.voters), counted(last.quorum(), "member"));
            let summary = format!("replica {replica} sent its log for view {view} when only {who} had left for it: that takes {needed}");
            let words = format!("replica {replica} casts its do_view_change for view {view}");
            return Err(Witness::new("left_without_quorum", summary).step(index.transition_step(row, words)).into());
        }
    }
    Ok(facts)
}

fn prepares(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.messages();
    let mut ticker = meter.ticker();
    let mut facts = 0;
    let prepare = Command::Prepare as u8;
    for row in index.message_rows() {
        if table.command.codes[row] != prepare || table.mutation.codes[row] != u8::NONE {
            continue;
        }
        ticker.step()?;
        let Some(view) = table.view.get(row) else { continue };
        facts += 1;
        let (from, primary) = (table.from[row], index.primary(view));
        if primary.map(u16::from) != Some(from) {
            let summary = format!("replica {from} sent a prepare of view {view}, whose primary is {}", primary.unwrap_or_default());
            let words = format!("prepare of op {} in view {view} leaves replica {from}", table.op.0[row]);
            return Err(Witness::new("prepare_by_another", summary).step(index.message_step(row, words)).into());
        }
    }
    Ok(facts)
}

const ACTS: EventSet = EventSet::of(&[Event::TimestampAssigned, Event::ViewEntered, Event::EntryAppended]);

fn acts(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let entries = index.entries();
    let mut ticker = meter.ticker();
    let mut facts = 0;
    for (row, event) in index.events(ACTS) {
        ticker.step()?;
        let (replica, view) = (table.replica[row], table.view[row]);
        match event {
            Event::EntryAppended => {
                let Some(entry) = entries.of_row(row) else { continue };
                if entries.appended_row(entry) == Some(row) {
                    facts += 1;
                    first_appended(index, row, entry)?;
                }
            }
            // A view that was not built from votes here says nothing about who leads it.
            Event::ViewEntered if table.quorum.get(row).is_none() => {}
            _ => {
                facts += 1;
                if index.primary(view) != Some(replica) {
                    let primary = index.primary(view).unwrap_or_default();
                    let summary = format!("replica {replica} acted as the primary of view {view}, which is replica {primary}");
                    let words = format!("replica {replica}: {event} in view {view}");
                    return Err(Witness::new("acted_as_primary", summary).step(index.transition_step(row, words)).into());
                }
            }
        }
    }
    Ok(facts)
}

/// The first replica to hold an entry made it: it must be the primary of the entry's view, and the entry that view's only one.
fn first_appended(index: &RunIndex<'_>, row: usize, entry: EntryId) -> Result<(), Box<Verdict>> {
    let table = index.transitions();
    let entries = index.entries();
    let (replica, op) = (table.replica[row], entries.op(entry));
    let Some(view) = table.entry_view.get(row) else { return Ok(()) };
    if index.primary(view) != Some(replica) {
        let primary = index.primary(view).unwrap_or_default();
        let summary = format!("an entry of view {view} appeared first on replica {replica}, not on its primary {primary}");
        let words = format!("replica {replica} appends op {op}, prepared in view {view}, which nobody held before");
        return Err(Witness::new("entry_without_primary", summary).step(index.transition_step(row, words)).into());
    }
    let twin = entries.at_op(op).filter(|other| *other != entry).find_map(|other| {
        let first = entries.appended_row(other)?;
        (first < row && table.entry_view.get(first) == Some(view)).then_some(first)
    });
    let Some(twin) = twin else { return Ok(()) };
    let words = |row: usize| format!("replica {} appends hash {:016x}", table.replica[row], table.entry_hash.0[row]);
    let witness = Witness::new("two_entries_in_one_view", format!("view {view} made two different entries for op {op}"))
        .step(index.transition_step(twin, words(twin)))
        .step(index.transition_step(row, words(row)));
    Err(witness.into())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Story, entry_hash};
    use vopr_schema::{Command, Mutation, TransitionEvent as Event};

    const NAME: &str = "leader_uniqueness";

    fn shape(story: &Story) -> String {
        story.verdict(NAME).witness().expect("a violation").shape.clone()
    }

    #[test]
    fn a_clean_run_passes() {
        // Two prepares and one first append per op.
        assert_eq!(Story::clean(3).verdict(NAME).facts(), 9);
        assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
        assert_eq!(Story::new(0).verdict(NAME).name(), "not_applicable");
    }

    #[test]
    fn a_prepare_by_another_is_a_violation_unless_a_fault_wrote_its_view() {
        let mut story = Story::clean(2);
        let place = story.about(Command::Prepare, 2, 1, (3, 0, 4));
        assert_eq!(shape(&story), "prepare_by_another");
        story.messages[place].mutation = Some(Mutation::ViewNumber);
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn acting_as_primary_of_anothers_view_is_a_violation() {
        let mut story = Story::clean(2);
        story.event(1, Event::TimestampAssigned, |row| (row.view, row.op) = (4, Some(3)));
        assert!(story.verdict(NAME).is_pass());
        story.event(1, Event::ViewEntered, |row| row.view = 5);
        assert!(story.verdict(NAME).is_pass());
        story.event(1, Event::ViewEntered, |row| (row.view, row.quorum) = (5, Some(3)));
        assert_eq!(shape(&story), "acted_as_primary");
    }

    #[test]
    fn a_log_is_sent_only_after_a_quorum_has_left_the_old_view() {
        let mut story = Story::clean(2);
        let vote = |story: &mut Story, replica, view, head: Option<u64>| {
            story.event(replica, Event::VoteCast, |row| {
                (row.view, row.op, row.entry_hash) = (view, Some(2), head);
            });
        };
        vote(&mut story, 1, 1, None);
        vote(&mut story, 2, 1, None);
        vote(&mut story, 1, 1, Some(entry_hash(2, 0)));
        assert_eq!(story.verdict(NAME).facts(), 6 + 1);
        vote(&mut story, 1, 2, None);
        vote(&mut story, 1, 2, None);
        vote(&mut story, 1, 2, Some(entry_hash(2, 0)));
        assert_eq!(shape(&story), "left_without_quorum");
    }

    #[test]
    fn an_entry_comes_from_its_primary() {
        let mut story = Story::clean(2);
        story.append_after(1, 3, 2, 0);
        assert_eq!(shape(&story), "entry_without_primary");
    }

    #[test]
    fn one_view_makes_one_entry_per_op() {
        let mut story = Story::clean(2);
        story.append(0, 3, 0);
        let place = story.append(0, 3, 0);
        story.transitions[place].entry_hash = Some(entry_hash(3, 77));
        assert_eq!(shape(&story), "two_entries_in_one_view");
    }

    #[test]
    fn a_cut_off_run_passes() {
        let story = Story::clean(2);
        assert!(story.cut_off(story.transitions[8].seq).verdict(NAME).is_pass());
    }
}
