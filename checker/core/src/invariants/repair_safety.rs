//! `repair_safety`: what a repair brings is what was agreed on, from one who held it, to one who asked.
//!
//! A repair writes into the past of a log; a wrong one undoes an agreement that everybody believes to be settled.
//!
//! **Formally.** (1) A `repaired` of (n, hash) at or below the replica's commit number names the entry that was committed at n; above
//! it, an entry that somebody appended before. (2) A `repair_request` asks for a range first..=last with 1 <= first <= last, as many
//! entries as it says, and names at `last` an entry that somebody appended before; one whose range a fault has made senseless is
//! refused where it arrives, as `invalid_range`. (3) A `repair_response` is sent by a replica that
//! had put its last entry into its log (or installed a state there), to one whose request for that entry had reached it, and is as
//! long as its range. (4) A response that was not refused reached a replica that had asked for that entry before.
//!
//! **Evidence.** message: command, copy, from, to, op, `entry_hash`, `log_first`, `log_count`, fate, `fate_seq`, `reject_reason`,
//! mutation.
//! transition: replica, event, op, commit, `entry_hash`.
//!
//! **Deliberately not checked.** The other entries of a response: only its last one is recorded, and `hash_chain` ties them to it.
//! That the range was really missing: `repair_budget` bounds what asking can cost.

use crate::budget::Meter;
use crate::index::{EntryId, EventSet, RunIndex};
use crate::linearize::interner::Interner;
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::{Step, Witness};
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, Kind, Mutation, RejectReason, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "repair_safety",
    version: 1,
    category: Category::Storage,
    reads: &[
        Reads {
            kind: Kind::Message,
            columns: &[
                "command",
                "copy",
                "from",
                "to",
                "op",
                "entry_hash",
                "log_first",
                "log_count",
                "fate",
                "fate_seq",
                "reject_reason",
                "mutation",
            ],
        },
        Reads { kind: Kind::Transition, columns: &["replica", "event", "op", "commit", "entry_hash"] },
    ],
    statement: "repaired entries are the committed ones, sent by a replica that held them to one that asked; ranges are valid",
    because_of: &["vsr_agreement"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nothing was repaired", || Ok(repaired(index, meter)? + Dialogue::new(index).judge(meter)?))
}

/// Entries that were filled in, or written anew.
fn repaired(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (table, entries) = (index.transitions(), index.entries());
    let mut ticker = meter.ticker();
    let mut facts = 0;
    for (row, _) in index.events(EventSet::of(&[Event::Repaired])) {
        ticker.step()?;
        let Some(op) = table.op.get(row) else { continue };
        let replica = table.replica[row];
        let own = || index.transition_step(row, format!("replica {replica} repairs op {op}, hash {:016x}", table.entry_hash.0[row]));
        if op <= table.commit[row] {
            let Some(commit) = index.committed().committed_row(op) else { continue };
            facts += 1;
            if table.entry_hash.0[commit] != table.entry_hash.0[row] {
                let summary = format!("replica {replica} repaired op {op} with an entry that is not the committed one");
                let words = format!("op {op}, hash {:016x}, is committed", table.entry_hash.0[commit]);
                let witness = Witness::new("repaired_with_another_entry", summary);
                return Err(witness.step(index.transition_step(commit, words)).step(own()).into());
            }
        } else if let Some(entry) = entries.of_row(row) {
            facts += 1;
            if !is_appended_before(index, entry, table.seq[row]) {
                let summary = format!("replica {replica} repaired op {op} with an entry that nobody had prepared");
                return Err(Witness::new("repaired_with_an_entry_from_nowhere", summary).step(own()).into());
            }
        }
    }
    Ok(facts)
}

fn is_appended_before(index: &RunIndex<'_>, entry: EntryId, seq: u64) -> bool {
    index.entries().appended_row(entry).is_some_and(|row| index.transitions().seq[row] < seq)
}

/// Two replicas and an entry: who asked whom for what.
type Question = (u16, u16, u64, u64);

/// Requests and responses.
struct Dialogue<'a> {
    index: &'a RunIndex<'a>,
    /// Per (asker, asked, op, hash) when the first such request arrived; [`u64::NONE`] when none did.
    arrived: Interner<Question>,
    arrived_seq: Vec<u64>,
    /// Per (asker, op, hash) when it was asked for first, of anybody.
    asked: Interner<(u16, u64, u64)>,
    asked_seq: Vec<u64>,
}

impl<'a> Dialogue<'a> {
    fn new(index: &'a RunIndex<'a>) -> Self {
        Self { index, arrived: Interner::default(), arrived_seq: Vec::new(), asked: Interner::default(), asked_seq: Vec::new() }
    }

    fn judge(&mut self, meter: &Meter) -> Decision {
        let table = self.index.messages();
        let of = |command: Command| {
            let code = command as u8;
            self.index.message_rows().filter(move |row| table.command.codes[*row] == code)
        };
        let (requests, responses) = (of(Command::RepairRequest), of(Command::RepairResponse));
        let mut ticker = meter.ticker();
        let mut facts = 0;
        for row in requests {
            ticker.step()?;
            facts += if table.mutation.codes[row] == u8::NONE { self.request(row)? } else { self.forged_request(row)? };
        }
        for row in responses {
            ticker.step()?;
            facts += self.response(row)?;
        }
        Ok(facts)
    }

    fn request(&mut self, row: usize) -> Decision {
        let table = self.index.messages();
        let (from, to, last, hash) = (table.from[row], table.to[row], table.op.0[row], table.entry_hash.0[row]);
        let (number, new) = self.asked.intern((from, last, hash));
        if new {
            self.asked_seq.push(table.seq[row]);
        }
        // Rows stand in the order of sending: the first request is the earliest.
        debug_assert!(self.asked_seq[number as usize] <= table.seq[row]);
        if table.fate.get(row) == Fate::Delivered {
            let (number, new) = self.arrived.intern((from, to, last, hash));
            if new {
                self.arrived_seq.push(u64::NONE);
            }
            let first = &mut self.arrived_seq[number as usize];
            *first = table.fate_seq.0[row].min(*first);
        }
        self.range(row)?;
        let entry = self.index.entries().find(last, hash);
        if entry.is_some_and(|entry| is_appended_before(self.index, entry, table.seq[row])) {
            return Ok(1);
        }
        Err(self.violation("asked_for_an_entry_from_nowhere", row, "asks for an entry that nobody had prepared").into())
    }

    /// A range that a fault has made senseless is refused for that.
    fn forged_request(&self, row: usize) -> Decision {
        let table = self.index.messages();
        if table.mutation.get(row) != Some(Mutation::Range) || table.fate.get(row) != Fate::Delivered {
            return Ok(0);
        }
        if table.reject_reason.get(row) == Some(RejectReason::InvalidRange) {
            return Ok(1);
        }
        let end = |op: Option<u64>| op.map_or_else(|| "nothing".to_owned(), |op| op.to_string());
        let (first, last) = (end(table.log_first.get(row)), end(table.op.get(row)));
        let what = format!("names a senseless range, {first} to {last}, and was not refused for it");
        Err(self.violation("served_an_invalid_range", row, &what).into())
    }

    /// A range is one, and as long as it says.
    fn range(&self, row: usize) -> Result<(), Box<Verdict>> {
        let table = self.index.messages();
        let (Some(first), Some(last)) = (table.log_first.get(row), table.op.get(row)) else {
            return Err(self.violation("range_missing", row, "names no range").into());
        };
        let count = table.log_count.get(row).map(u64::from);
        if first == 0 || first > last || count != Some(last - first + 1) {
            return Err(self.violation("invalid_range", row, &format!("names a senseless range, {first} to {last}")).into());
        }
        Ok(())
    }

    fn response(&self, row: usize) -> Decision {
        let table = self.index.messages();
        let (from, to, last, hash) = (table.from[row], table.to[row], table.op.0[row], table.entry_hash.0[row]);
        self.range(row)?;
        if !self.held(row, from, last, hash) {
            return Err(self.violation("answered_with_what_it_never_held", row, "sends an entry that it never had in its log").into());
        }
        let arrived = self.arrived.find(&(to, from, last, hash)).map(|number| self.arrived_seq[number as usize]);
        if arrived.is_none_or(|arrived| arrived > table.seq[row]) {
            return Err(self.violation("answered_what_nobody_asked", row, "answers what it was not asked for").into());
        }
        let accepted = table.fate.get(row) == Fate::Delivered && table.reject_reason.codes[row] == u8::NONE;
        if accepted {
            let asked = self.asked.find(&(to, last, hash)).map(|number| self.asked_seq[number as usize]);
            if asked.is_none_or(|asked| asked > table.fate_seq.0[row]) {
                return Err(self.violation("accepted_what_it_never_asked_for", row, "is taken for an answer to nothing").into());
            }
        }
        Ok(1 + u64::from(accepted))
    }

    /// Whether the sender had put the entry into its log before, or been given a state that ends with it.
    fn held(&self, row: usize, from: u16, op: u64, hash: u64) -> bool {
        let Some(entry) = self.index.entries().find(op, hash) else { return false };
        let seq = self.index.messages().seq[row];
        let said = self.index.testimony().about(entry).iter();
        let from = u8::try_from(from).unwrap_or(u8::MAX);
        said.take_while(|said| said.seq < seq).any(|said| said.replica == from)
            || self.index.states().had(self.index, from, op, seq).is_some()
    }

    fn violation(&self, shape: &str, row: usize, what: &str) -> Witness {
        let table = self.index.messages();
        let (command, from, to, op) = (table.command.get(row), table.from[row], table.to[row], table.op.get(row).unwrap_or_default());
        let step: Step = self.index.message_step(row, format!("{command} from {from} to {to}, op {op}"));
        Witness::new(shape, format!("a {command} from replica {from} to replica {to} {what}: op {op}")).step(step)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Story, entry_hash};
    use vopr_schema::{Command, MessageRow, Mutation, RejectReason, TransitionEvent as Event};

    const NAME: &str = "repair_safety";

    fn shape(story: &Story) -> String {
        let verdict = story.verdict(NAME);
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    fn repair(story: &mut Story, command: Command, from: u16, to: u16, edit: impl FnOnce(&mut MessageRow)) {
        story.message(command, from, to, |row| {
            (row.op, row.entry_hash, row.log_first, row.log_count) = (Some(4), Some(entry_hash(4, 0)), Some(3), Some(2));
            edit(row);
        });
    }

    /// Replica 2 asks replica 0 for ops 3 and 4, and is answered.
    fn story() -> Story {
        let mut story = Story::clean(4);
        repair(&mut story, Command::RepairRequest, 2, 0, |_| {});
        repair(&mut story, Command::RepairResponse, 0, 2, |_| {});
        story
    }

    #[test]
    fn a_question_an_answer_and_the_committed_entry_are_facts() {
        let mut story = story();
        assert_eq!(story.verdict(NAME).facts(), 3);
        story.entry(2, Event::Repaired, 4, 0);
        story.append(1, 5, 0);
        story.entry(2, Event::Repaired, 5, 0);
        assert_eq!(story.verdict(NAME).facts(), 5);
    }

    #[test]
    fn a_repair_with_another_entry_is_a_violation() {
        let mut another = Story::clean(4);
        another.entry(2, Event::Repaired, 4, 1);
        assert_eq!(shape(&another), "repaired_with_another_entry");
        let mut nowhere = Story::clean(4);
        nowhere.entry(2, Event::Repaired, 5, 0);
        assert_eq!(shape(&nowhere), "repaired_with_an_entry_from_nowhere");
    }

    #[test]
    fn senseless_questions_are_violations() {
        let ask = |edit: fn(&mut MessageRow)| {
            let mut story = Story::clean(4);
            repair(&mut story, Command::RepairRequest, 2, 0, edit);
            shape(&story)
        };
        assert_eq!(ask(|row| row.log_first = Some(0)), "invalid_range");
        assert_eq!(ask(|row| row.log_first = Some(5)), "invalid_range");
        assert_eq!(ask(|row| row.log_count = Some(9)), "invalid_range");
        assert_eq!(ask(|row| row.log_first = None), "range_missing");
        assert_eq!(ask(|row| row.entry_hash = Some(9)), "asked_for_an_entry_from_nowhere");
    }

    #[test]
    fn a_range_that_a_fault_made_senseless_must_be_refused_for_it() {
        let forged = |reason: Option<RejectReason>| {
            let mut story = story();
            repair(&mut story, Command::RepairRequest, 2, 0, |row| {
                (row.log_first, row.mutation, row.reject_reason) = (Some(9), Some(Mutation::Range), reason);
            });
            story
        };
        assert_eq!(forged(Some(RejectReason::InvalidRange)).verdict(NAME).facts(), 4);
        assert_eq!(shape(&forged(None)), "served_an_invalid_range");
        assert_eq!(shape(&forged(Some(RejectReason::Stale))), "served_an_invalid_range");
    }

    #[test]
    fn answers_to_nothing_and_from_nothing_are_violations() {
        let mut unasked = Story::clean(4);
        repair(&mut unasked, Command::RepairResponse, 0, 2, |_| {});
        assert_eq!(shape(&unasked), "answered_what_nobody_asked");
        let mut empty_handed = Story::new(3);
        empty_handed.append(1, 4, 0);
        repair(&mut empty_handed, Command::RepairRequest, 2, 0, |_| {});
        repair(&mut empty_handed, Command::RepairResponse, 0, 2, |_| {});
        assert_eq!(shape(&empty_handed), "answered_with_what_it_never_held");
        let mut refused = story();
        refused.messages.last_mut().unwrap().reject_reason = Some(RejectReason::Stale);
        assert_eq!(refused.verdict(NAME).facts(), 2);
    }

    #[test]
    fn no_repair_is_not_applicable_and_a_cut_off_run_passes() {
        assert_eq!(Story::clean(3).verdict(NAME).name(), "not_applicable");
        let story = story();
        let sent = story.messages.last().unwrap().seq;
        assert_eq!(story.cut_off(sent).verdict(NAME).facts(), 1);
    }
}
