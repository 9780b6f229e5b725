//! `read_your_writes`: a session sees at least its own acknowledged writes.
//!
//! It is the weakest promise that makes a store usable: a program that wrote something and then reads must not find the past.
//!
//! **Formally.** Let w be an operation of a session that wrote value v to key k, answered before an operation r of the same
//! session was invoked that observed k, and let no later write of the session to k lie between them. Then r does not observe
//! k absent, and if r observes a value u ≠ v whose only writer is w', then neither was w' answered before w was invoked, nor
//! was w' applied at a smaller op number than w. For streams: if the session's append was answered with offset i, a later
//! read of the session whose range holds i shows its element there.
//!
//! **Evidence.** operation: all that was asked and answered, `return_seq`; transition (where there is a log): event, op, tenant,
//! client, session, request number.
//!
//! **Deliberately not checked.** Keys that an addition of the run touches, values with several writers, balances: what was
//! observed there does not tell which writes it saw (`linearizability` decides those). Failed compare-and-sets.

#![expect(clippy::cast_possible_truncation, reason = "rows and objects are numbered in 32 bits, as everywhere in the index")]

use crate::budget::Meter;
use crate::index::APPLIED_REQUESTS;
use crate::index::RunIndex;
use crate::registry::{Category, Invariant};
use crate::replay::REPLAYED;
use crate::replay::operation_words;
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use crate::writers::{Writers, is_older, written};
use vopr_schema::{Function, Outcome};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "read_your_writes",
    version: 1,
    category: Category::Client,
    reads: &[REPLAYED, APPLIED_REQUESTS],
    statement: "a session's reads see its own acknowledged writes, or later ones",
    because_of: &["tenant_isolation", "data_correctness"],
    check,
};

const NONE: u32 = u32::MAX;

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no session read what it had written before", || Sessions::new(index).walk(meter))
}

struct Sessions<'a> {
    index: &'a RunIndex<'a>,
    writers: &'a Writers,
    /// Per object the present session's last answered write or append as (session's serial, row, value).
    own: Vec<(u32, u32, u64)>,
    /// Keys that the present session wrote.
    mine: Vec<usize>,
    facts: u64,
}

impl<'a> Sessions<'a> {
    fn new(index: &'a RunIndex<'a>) -> Self {
        let writers = index.writers();
        Self { index, writers, own: vec![(NONE, NONE, 0); writers.len()], mine: Vec::new(), facts: 0 }
    }

    /// Goes through all sessions, each in the order of its requests.
    fn walk(&mut self, meter: &Meter) -> Decision {
        let table = self.index.operations();
        let mut ticker = meter.ticker();
        let mut session = 0;
        for (serial, row) in self.index.requests().by_session(self.index) {
            ticker.step()?;
            if core::mem::replace(&mut session, serial) != serial {
                self.mine.clear();
            }
            if table.outcome.get(row) == Outcome::Ok {
                self.observe(row, serial)?;
                self.remember(row, serial);
            }
        }
        Ok(self.facts)
    }

    /// Notes what the session wrote.
    fn remember(&mut self, row: usize, serial: u32) {
        let (table, writers) = (self.index.operations(), self.writers);
        let tenant = table.tenant[row];
        if table.function.get(row) == Function::StreamAppend {
            if let Some(object) = writers.find((tenant, table.key[row], true)) {
                self.own[object] = (serial, row as u32, table.value.0[row]);
            }
            return;
        }
        written(table, row, |key, value| {
            let Some(object) = writers.find((tenant, key, false)) else { return };
            if self.own[object].0 != serial {
                self.mine.push(object);
            }
            self.own[object] = (serial, row as u32, value);
        });
    }

    /// Compares what an operation observed with what its session wrote.
    fn observe(&mut self, row: usize, serial: u32) -> Result<(), Box<Verdict>> {
        let table = self.index.operations();
        let (tenant, key) = (table.tenant[row], table.key[row]);
        match table.function.get(row) {
            Function::Read => self.saw(row, serial, key, table.result.get(row)),
            Function::CompareAndSet if table.result.0[row] == 1 => self.saw(row, serial, key, table.expected.get(row)),
            Function::Transaction => {
                table.results.get(row).into_iter().flatten().try_for_each(|pair| self.saw(row, serial, pair.key, pair.value))
            }
            Function::Scan => self.scanned(row, serial),
            Function::StreamRead => {
                let Some(object) = self.writers.find((tenant, key, true)) else { return Ok(()) };
                let (owner, append, value) = self.own[object];
                if owner != serial || !self.is_before(append, row) {
                    return Ok(());
                }
                let Some(offset) = table.result.get(append as usize) else { return Ok(()) };
                let (first, count) = (table.value.get(row).unwrap_or(0), table.expected.get(row).unwrap_or(0));
                if offset < first || offset - first >= count {
                    return Ok(());
                }
                self.facts += 1;
                let shown = table.results.get(row).into_iter().flatten().any(|pair| (pair.key, pair.value) == (offset, Some(value)));
                if shown { Ok(()) } else { Err(self.stale(append as usize, row, None, "own_append_missing").into()) }
            }
            _ => Ok(()),
        }
    }

    /// A scan shows present keys; the session's own keys in its range must be among them.
    fn scanned(&mut self, row: usize, serial: u32) -> Result<(), Box<Verdict>> {
        let table = self.index.operations();
        for pair in table.results.get(row).into_iter().flatten() {
            self.saw(row, serial, pair.key, pair.value)?;
        }
        let (tenant, range) = (table.tenant[row], table.key[row]..=table.key_last.get(row).unwrap_or(0));
        let shown = table.results.get(row);
        for &object in &self.mine {
            let (_, write, _) = self.own[object];
            let (of, key, _) = self.writers.object(object);
            if of != tenant || !range.contains(&key) || !self.is_before(write, row) {
                continue;
            }
            let present = shown.clone().is_some_and(|mut pairs| pairs.any(|pair| pair.key == key));
            if !present {
                return Err(self.stale(write as usize, row, None, "own_write_missing").into());
            }
        }
        Ok(())
    }

    fn is_before(&self, earlier: u32, later: usize) -> bool {
        let table = self.index.operations();
        table.return_seq.get(earlier as usize).is_some_and(|returned| returned < table.seq[later])
    }

    /// One observation of one key.
    fn saw(&mut self, row: usize, serial: u32, key: u64, seen: Option<u64>) -> Result<(), Box<Verdict>> {
        let table = self.index.operations();
        let Some(object) = self.writers.find((table.tenant[row], key, false)) else { return Ok(()) };
        let (owner, write, value) = self.own[object];
        if owner != serial || self.writers.is_added_to(object) || !self.is_before(write, row) {
            return Ok(());
        }
        let write = write as usize;
        let Some(seen) = seen else { return Err(self.stale(write, row, None, "own_write_missing").into()) };
        self.facts += 1;
        if seen == value {
            return Ok(());
        }
        let Some(writer) = self.writers.only_writer(object, seen).filter(|writer| *writer != write) else { return Ok(()) };
        if is_older(self.index, writer, write) {
            return Err(self.stale(write, row, Some(writer), "own_write_overlooked").into());
        }
        Ok(())
    }

    fn stale(&self, own: usize, row: usize, other: Option<usize>, shape: &str) -> Witness {
        let index = self.index;
        let summary = format!(
            "{}, although the same session's operation in row {} came first and was acknowledged: {}",
            operation_words(index, row),
            index.operations().seq[own],
            operation_words(index, own)
        );
        let older = other.map(|other| index.operation_step(other, format!("older: {}", operation_words(index, other))));
        Witness::new(shape, summary)
            .step_if(older)
            .step(index.operation_step(own, operation_words(index, own)))
            .step(index.operation_step(row, operation_words(index, row)))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::dialogue::{Dialogue, ask, read, scan, told, write};
    use vopr_schema::{Function, OperationRow};

    fn dialogue() -> Dialogue {
        let mut dialogue = Dialogue::new(1);
        dialogue.call(0, 1, write(5, 50));
        dialogue.call(0, 1, read(5, 50));
        dialogue.call(0, 1, write(5, 51));
        dialogue
    }

    fn shape(dialogue: &Dialogue) -> String {
        let verdict = dialogue.verdict("read_your_writes");
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    #[test]
    fn reading_the_own_write_or_a_later_one_is_a_fact() {
        let mut dialogue = dialogue();
        dialogue.call(0, 1, read(5, 51));
        dialogue.call(0, 2, write(5, 52));
        dialogue.call(0, 1, scan(0, 9, &[(5, 52)]));
        assert_eq!(dialogue.verdict("read_your_writes").facts(), 3);
    }

    #[test]
    fn reading_something_older_is_a_violation() {
        let mut older = dialogue();
        older.call(0, 1, read(5, 50));
        assert_eq!(shape(&older), "own_write_overlooked");
        let mut absent = dialogue();
        absent.call(0, 1, read(5, None));
        assert_eq!(shape(&absent), "own_write_missing");
        let mut scanned = dialogue();
        scanned.call(0, 1, scan(0, 9, &[]));
        assert_eq!(shape(&scanned), "own_write_missing");
    }

    #[test]
    fn a_concurrent_write_is_older_only_if_the_log_says_so() {
        let mut dialogue = Dialogue::new(1);
        dialogue.register(0, 1);
        dialogue.register(0, 2);
        let (own, other) = (dialogue.invoke(0, 1, write(5, 50)), dialogue.invoke(0, 2, write(5, 60)));
        let mut later = dialogue.clone();
        for (dialogue, order) in [(&mut dialogue, [other, own]), (&mut later, [own, other])] {
            let ops = order.map(|place| dialogue.commit(place));
            order.iter().zip(ops).for_each(|(place, op)| dialogue.answer(*place, op));
            dialogue.call(0, 1, read(5, 60));
        }
        assert_eq!(shape(&dialogue), "own_write_overlooked");
        assert_eq!(later.verdict("read_your_writes").facts(), 1);
    }

    #[test]
    fn other_sessions_and_overlapping_operations_promise_nothing() {
        let mut dialogue = dialogue();
        dialogue.call(0, 2, read(5, 50));
        let place = dialogue.invoke(0, 1, write(5, 52));
        dialogue.call(0, 1, read(5, 51));
        dialogue.story.operations[place].value = Some(53);
        assert_eq!(dialogue.verdict("read_your_writes").facts(), 2);
    }

    #[test]
    fn an_own_append_stands_at_its_offset() {
        let append = |value, offset| OperationRow { value: Some(value), result: Some(offset), ..ask(Function::StreamAppend, 2) };
        let read = |pairs: &[(u64, u64)]| OperationRow {
            value: Some(0),
            expected: Some(2),
            results: Some(told(pairs)),
            ..ask(Function::StreamRead, 2)
        };
        let mut dialogue = Dialogue::new(1);
        dialogue.call(0, 1, ask(Function::StreamCreate, 2));
        dialogue.call(0, 1, append(9, 1));
        dialogue.call(0, 1, read(&[(0, 8), (1, 9)]));
        assert_eq!(dialogue.verdict("read_your_writes").facts(), 1);
        dialogue.call(0, 1, read(&[(0, 8)]));
        assert_eq!(shape(&dialogue), "own_append_missing");
    }

    #[test]
    fn keys_with_additions_and_values_with_two_writers_are_left_alone() {
        let mut dialogue = dialogue();
        dialogue.call(0, 2, write(5, 50));
        dialogue.call(0, 1, read(5, 50));
        dialogue.call(0, 1, write(6, 1));
        dialogue.call(0, 1, OperationRow { value: Some(2), result: Some(3), ..ask(Function::ReadModifyWrite, 6) });
        dialogue.call(0, 1, read(6, 3));
        assert_eq!(dialogue.verdict("read_your_writes").facts(), 2);
    }

    #[test]
    fn histories_without_such_reads_are_not_applicable() {
        assert_eq!(Dialogue::new(1).verdict("read_your_writes").name(), "not_applicable");
        let mut one = Dialogue::new(1);
        one.call(0, 1, read(5, None));
        one.call(0, 1, write(5, 1));
        assert_eq!(one.verdict("read_your_writes").name(), "not_applicable");
        let mut external = dialogue();
        external.story.transitions.clear();
        external.story.run.replicas = 0;
        external.call(0, 1, read(5, 50));
        external.story.transitions.clear();
        assert_eq!(shape(&external), "own_write_overlooked");
    }
}
