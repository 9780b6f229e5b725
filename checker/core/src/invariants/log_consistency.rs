//! `log_consistency`: what is said about an entry agrees with itself and with the entry's place.
//!
//! An entry whose metadata contradict its place was built by nobody honest; executing it makes replicas differ later.
//!
//! **Formally.** (1) All `entry_appended` and `applied` of one (op, hash) agree on timestamp, tenant, client, session and
//! request number, all `entry_appended` on `entry_view`. (2) `entry_view` is at most the view of the replica that appends it,
//! and at least that of the entry before it. (3) An entry appended because of a prepare is the one that the prepare's header
//! names, and its view is at most the header's. (4) A `do_view_change` or `start_view` that arrived and was not refused carries as
//! many entries as it claims: op - commit. (5) An appended op is at least 1 and not larger than the run's rows can account
//! for.
//!
//! **Evidence.** transition: replica, event, view, op, `entry_hash`, `previous_hash`, `entry_view`, timestamp, tenant, client,
//! session, `request_number`, cause. message: id, command, to, view, op, `entry_hash`, `log_first`, `log_count`, fate,
//! `fate_seq`, commit, `reject_reason`.
//!
//! **Deliberately not checked.** Hashes against contents: a history holds no contents. Timestamps along the log (`clock`).

mod brought;

use crate::budget::Meter;
use crate::index::{EntryId, EventSet, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use crate::words::counted;
use brought::Brought;
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "log_consistency",
    version: 1,
    category: Category::Replication,
    reads: &[
        Reads {
            kind: Kind::Transition,
            columns: &[
                "replica",
                "event",
                "view",
                "op",
                "entry_hash",
                "previous_hash",
                "entry_view",
                "timestamp",
                "tenant",
                "client",
                "session",
                "request_number",
                "cause",
            ],
        },
        Reads {
            kind: Kind::Message,
            columns: &[
                "id",
                "command",
                "to",
                "view",
                "op",
                "entry_hash",
                "log_first",
                "log_count",
                "fate",
                "fate_seq",
                "commit",
                "reject_reason",
            ],
        },
    ],
    statement: "entry metadata agrees with its place: op number, view not above the log's view, contents as announced",
    because_of: &[],
    check,
};

const EVENTS: EventSet = EventSet::of(&[Event::EntryAppended, Event::Applied]);

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no entry was appended", || Ok(entries(index, meter)? + tails(index, meter)?))
}

fn entries(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let brought = Brought::new(index);
    let mut ticker = meter.ticker();
    let mut facts = 0;
    for (row, event) in index.events(EVENTS) {
        ticker.step()?;
        let appended = event == Event::EntryAppended;
        if appended && table.op.get(row).is_none_or(|op| op == 0 || index.op_index(op).is_none()) {
            return Err(misplaced(index, row).into());
        }
        let Some(entry) = index.entries().of_row(row) else { continue };
        facts += 1;
        let Some(first) = index.entries().appended_row(entry) else { continue };
        if let Some(what) = difference(index, first, row, appended) {
            return Err(contradiction(index, first, row, what).into());
        }
        if appended {
            views(index, entry, row)?;
            announced(index, &brought, entry, row)?;
        }
    }
    Ok(facts)
}

/// Logs on their way to a new view carry what they claim.
fn tails(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.messages();
    let mut ticker = meter.ticker();
    let (vote, start) = (Command::DoViewChange as u8, Command::StartView as u8);
    let mut facts = 0;
    for row in index.message_rows().filter(|row| [vote, start].contains(&table.command.codes[*row])) {
        ticker.step()?;
        let taken = table.fate.get(row) == Fate::Delivered && table.reject_reason.codes[row] == u8::NONE;
        let (Some(op), Some(commit), true) = (table.op.get(row), table.commit.get(row), taken) else { continue };
        let Some(carried) = table.log_count.get(row) else { continue };
        facts += 1;
        if op.checked_sub(commit) != Some(carried.into()) {
            let (command, from, to) = (table.command.get(row), table.from[row], table.to[row]);
            let carried = counted(carried, "entry");
            let summary = format!("replica {to} took a {command} with commit number {commit} and op {op} that carries {carried}");
            let words = format!("{command} from {from} to {to}: {carried} between {commit} and {op}");
            return Err(Witness::new("tail_not_as_claimed", summary).step(index.message_step(row, words)).into());
        }
    }
    Ok(facts)
}

fn misplaced(index: &RunIndex<'_>, row: usize) -> Witness {
    let table = index.transitions();
    let (replica, op) = (table.replica[row], table.op.get(row).map_or_else(|| "no op number".to_owned(), |op| format!("op {op}")));
    Witness::new("impossible_op", format!("replica {replica} appended an entry at {op}, which no honest log of this run can reach"))
        .step(index.transition_step(row, format!("{op} is appended")))
}

/// The first column in which two rows about one entry differ.
fn difference(index: &RunIndex<'_>, first: usize, row: usize, appended: bool) -> Option<&'static str> {
    let table = index.transitions();
    // A null says nothing: only what both rows claim can contradict.
    let differ = |column: &[u64]| column[first] != column[row] && column[first] != u64::NONE && column[row] != u64::NONE;
    let differ_small = |column: &[u32]| column[first] != column[row] && column[first] != u32::NONE && column[row] != u32::NONE;
    [
        ("session", differ(&table.session.0)),
        ("request_number", differ(&table.request_number.0)),
        ("timestamp", differ(&table.timestamp.0)),
        ("client", differ_small(&table.client.0)),
        ("tenant", differ_small(&table.tenant.0)),
        ("entry_view", appended && differ(&table.entry_view.0)),
    ]
    .into_iter()
    .find_map(|(name, differs)| differs.then_some(name))
}

fn contradiction(index: &RunIndex<'_>, first: usize, row: usize, what: &str) -> Witness {
    let table = index.transitions();
    let op = table.op.0[row];
    let words = |row: usize| {
        let value = match what {
            "session" => table.session.0[row],
            "request_number" => table.request_number.0[row],
            "timestamp" => table.timestamp.0[row],
            "client" => table.client.0[row].into(),
            "tenant" => table.tenant.0[row].into(),
            _ => table.entry_view.0[row],
        };
        index.transition_step(row, format!("replica {} {}: {what} {value}", table.replica[row], table.event.get(row)))
    };
    Witness::new(format!("contradiction_{what}"), format!("two rows about one entry of op {op} disagree on its {what}"))
        .step(words(first))
        .step(words(row))
}

/// The entry's view lies between that of the entry before it and that of the replica.
fn views(index: &RunIndex<'_>, entry: EntryId, row: usize) -> Result<(), Box<Verdict>> {
    let (table, entries) = (index.transitions(), index.entries());
    let (replica, op, view) = (table.replica[row], entries.op(entry), table.view[row]);
    let Some(entry_view) = table.entry_view.get(row) else { return Ok(()) };
    if entry_view > view {
        let summary = format!("replica {replica} appended an entry of view {entry_view} to its log of view {view}");
        let words = format!("op {op}, prepared in view {entry_view}, is appended in view {view}");
        return Err(Witness::new("entry_from_the_future", summary).step(index.transition_step(row, words)).into());
    }
    let Some(parent) = entries.parent(entry).and_then(|parent| entries.appended_row(parent)) else { return Ok(()) };
    let Some(parent_view) = table.entry_view.get(parent) else { return Ok(()) };
    if parent_view <= entry_view {
        return Ok(());
    }
    let summary = format!("op {op} was prepared in view {entry_view}, behind an entry of the newer view {parent_view}");
    let witness = Witness::new("views_fall_along_the_log", summary)
        .step(index.transition_step(parent, format!("op {} was prepared in view {parent_view}", op - 1)))
        .step(index.transition_step(row, format!("op {op} behind it in view {entry_view}")));
    Err(witness.into())
}

/// An entry that a prepare brought is the one that its header names, or one that had been brought before and waits above it.
fn announced(index: &RunIndex<'_>, brought: &Brought, entry: EntryId, row: usize) -> Result<(), Box<Verdict>> {
    let (table, messages) = (index.transitions(), index.messages());
    if table.cause.0[row] == u64::NONE {
        return Ok(());
    }
    let Some(message) = index.deliveries().message(table.cause.0[row]) else { return Ok(()) };
    if messages.command.get(message) != Command::Prepare {
        return Ok(());
    }
    let (op, hash, view) = (messages.op.0[message], messages.entry_hash.0[message], messages.view.0[message]);
    let named = if op == table.op.0[row] { hash == table.entry_hash.0[row] } else { op < table.op.0[row] && brought.to(index, entry, row) };
    if named && table.entry_view.get(row).is_none_or(|entry_view| entry_view <= view) {
        return Ok(());
    }
    let replica = table.replica[row];
    let summary = format!("replica {replica} took an entry from a prepare whose header names another one");
    let witness = Witness::new("header_contradicts_entry", summary)
        .step(index.message_step(message, format!("prepare of op {op}, hash {hash:016x}, view {view}")))
        .step(index.transition_step(row, format!("op {}, hash {:016x} is appended", table.op.0[row], table.entry_hash.0[row])));
    Err(witness.into())
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Command, RejectReason, TransitionEvent as Event, TransitionRow};

    const NAME: &str = "log_consistency";

    fn shape(story: &Story) -> String {
        story.verdict(NAME).witness().expect("a violation").shape.clone()
    }

    fn tampered(event: Event, tamper: impl FnOnce(&mut TransitionRow)) -> Story {
        let mut story = Story::clean(3);
        let last = story.transitions.iter().rposition(|row| row.event == event).unwrap();
        tamper(&mut story.transitions[last]);
        story
    }

    #[test]
    fn a_clean_run_passes() {
        assert_eq!(Story::clean(3).verdict(NAME).facts(), 18);
        assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
    }

    #[test]
    fn two_rows_about_one_entry_must_agree() {
        assert_eq!(shape(&tampered(Event::Applied, |row| row.request_number = Some(9))), "contradiction_request_number");
        assert_eq!(shape(&tampered(Event::Applied, |row| row.tenant = Some(9))), "contradiction_tenant");
        assert_eq!(shape(&tampered(Event::EntryAppended, |row| row.timestamp = Some(9))), "contradiction_timestamp");
        assert!(tampered(Event::Applied, |row| row.tenant = None).verdict(NAME).is_pass());
    }

    #[test]
    fn an_entrys_view_fits_its_place() {
        let mut story = Story::clean(2);
        story.append_after(0, 3, 6, 0);
        assert_eq!(shape(&story), "entry_from_the_future");
        story.transitions.last_mut().unwrap().view = 6;
        assert!(story.verdict(NAME).is_pass());
        let place = story.append_after(0, 4, 3, 6);
        story.transitions[place].view = 6;
        assert_eq!(shape(&story), "views_fall_along_the_log");
    }

    #[test]
    fn an_entry_is_the_one_its_prepare_names() {
        let mut story = Story::clean(3);
        let place = story.messages.iter().position(|row| row.op == Some(3)).unwrap();
        story.messages[place].entry_hash = Some(7);
        assert_eq!(shape(&story), "header_contradicts_entry");
        story.messages[place].op = Some(4);
        assert_eq!(shape(&story), "header_contradicts_entry");
    }

    #[test]
    fn an_entry_that_was_held_back_was_brought_before() {
        let mut story = Story::clean(2);
        let held_back = story.about(Command::Prepare, 0, 1, (4, 0, 0));
        story.about(Command::Prepare, 0, 1, (3, 0, 0));
        let cause = Some(story.messages.len() as u64);
        for op in [3, 4] {
            let place = story.append(1, op, 0);
            story.transitions[place].cause = cause;
        }
        assert!(story.verdict(NAME).is_pass());
        story.messages[held_back].to = 2;
        assert_eq!(shape(&story), "header_contradicts_entry");
        story.messages[held_back].command = Command::RepairResponse;
        (story.messages[held_back].to, story.messages[held_back].log_first, story.messages[held_back].log_count) = (1, Some(3), Some(2));
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn a_log_on_its_way_carries_what_it_claims() {
        let carried = |count: u32, reason: Option<RejectReason>| {
            let mut story = Story::clean(3);
            story.message(Command::DoViewChange, 1, 2, |row| {
                (row.op, row.commit, row.log_count, row.reject_reason) = (Some(3), Some(1), Some(count), reason);
            });
            story
        };
        assert_eq!(carried(2, None).verdict(NAME).facts(), 19);
        assert_eq!(shape(&carried(1, None)), "tail_not_as_claimed");
        assert!(carried(1, Some(RejectReason::TailLengthMismatch)).verdict(NAME).is_pass());
    }

    #[test]
    fn an_absurd_op_number_is_a_violation() {
        assert_eq!(shape(&tampered(Event::EntryAppended, |row| row.op = Some(u64::MAX - 1))), "impossible_op");
        assert_eq!(shape(&tampered(Event::EntryAppended, |row| row.op = Some(0))), "impossible_op");
    }

    #[test]
    fn a_cut_off_run_passes() {
        let story = Story::clean(3);
        assert!(story.cut_off(story.transitions[20].seq).verdict(NAME).is_pass());
    }
}
