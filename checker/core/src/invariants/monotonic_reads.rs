//! `monotonic_reads`: what a session has seen, it does not see undone.
//!
//! A program that reads twice must not travel back in time, whichever replicas answer.
//!
//! **Formally.** Let r1 and r2 be answered operations of one session, r1 answered before r2 was invoked, that both observed key k.
//! (1) If r1 observed a value, r2 does not observe k absent: nothing removes a key. (2) If r1 observed u and r2 observes v ≠ u, and
//! each has an only writer, then the writer of v was not answered before that of u was invoked, and stands not before it in the
//! log. For streams: if r1 showed offset i (or was an append answered with it), a later append gets a larger one, and (r1 being a
//! read) a later read whose range holds i shows it.
//!
//! **Evidence.** operation: all that was asked and answered, `return_seq`; transition (where there is a log): event, op, tenant,
//! client, session, request number.
//!
//! **Deliberately not checked.** Keys that an addition of the run touches (but for rule 1), values with several writers, balances:
//! what was observed there does not tell which version it is (`linearizability` decides those). Failed compare-and-sets. What
//! the elements of a stream are: `offset_monotonicity`.

use crate::budget::Meter;
use crate::index::APPLIED_REQUESTS;
use crate::index::RunIndex;
use crate::registry::{Category, Invariant};
use crate::replay::REPLAYED;
use crate::replay::operation_words;
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use crate::writers::{Writers, is_older};
use vopr_schema::{Function, OperationError, Outcome};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "monotonic_reads",
    version: 1,
    category: Category::Client,
    reads: &[REPLAYED, APPLIED_REQUESTS],
    statement: "a session's later reads do not see less than its earlier ones",
    because_of: &["idempotency", "client_session", "tenant_isolation", "data_correctness"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no session saw the same key or stream twice", || Sessions::new(index).walk(meter))
}

/// What the present session saw last of an object; of another session when the serial differs.
#[derive(Clone, Copy, Default)]
struct Seen {
    serial: u32,
    row: usize,
    /// The value; of a stream the number of elements that the session knows of.
    value: u64,
    /// The number of elements that a read of the session has shown.
    shown: u64,
}

struct Sessions<'a> {
    index: &'a RunIndex<'a>,
    writers: &'a Writers,
    seen: Vec<Seen>,
    /// Keys that the present session has seen.
    mine: Vec<usize>,
    facts: u64,
}

impl<'a> Sessions<'a> {
    fn new(index: &'a RunIndex<'a>) -> Self {
        let writers = index.writers();
        Self { index, writers, seen: vec![Seen::default(); writers.len()], mine: Vec::new(), facts: 0 }
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
            match table.outcome.get(row) {
                Outcome::Ok => self.observe(row, serial)?,
                Outcome::Error if table.error.get(row) == Some(OperationError::NoSuchStream) => self.no_stream(row, serial)?,
                _ => {}
            }
        }
        Ok(self.facts)
    }

    fn observe(&mut self, row: usize, serial: u32) -> Result<(), Box<Verdict>> {
        let table = self.index.operations();
        let key = table.key[row];
        match table.function.get(row) {
            Function::Read => self.saw(row, serial, key, table.result.get(row)),
            Function::CompareAndSet if table.result.0[row] == 1 => self.saw(row, serial, key, table.expected.get(row)),
            Function::Transaction => {
                table.results.get(row).into_iter().flatten().try_for_each(|pair| self.saw(row, serial, pair.key, pair.value))
            }
            Function::Scan => self.scanned(row, serial),
            Function::StreamAppend => self.appended(row, serial),
            Function::StreamRead => self.stream_read(row, serial),
            _ => Ok(()),
        }
    }

    /// What the session knew of an object before an operation.
    fn known(&self, object: usize, row: usize, serial: u32) -> Option<Seen> {
        let table = self.index.operations();
        let seen = self.seen[object];
        let is_before = || table.return_seq.get(seen.row).is_some_and(|returned| returned < table.seq[row]);
        (seen.serial == serial && is_before()).then_some(seen)
    }

    /// One observation of one key.
    fn saw(&mut self, row: usize, serial: u32, key: u64, value: Option<u64>) -> Result<(), Box<Verdict>> {
        let tenant = self.index.operations().tenant[row];
        let Some(object) = self.writers.find((tenant, key, false)) else { return Ok(()) };
        let known = self.known(object, row, serial);
        let Some(value) = value else {
            return known.map_or(Ok(()), |seen| Err(self.undone("went_back_to_absent", seen.row, row, None).into()));
        };
        if let Some(seen) = known.filter(|_| !self.writers.is_added_to(object)) {
            self.compare(object, seen, row, value)?;
        }
        if self.seen[object].serial != serial {
            self.mine.push(object);
        }
        self.seen[object] = Seen { serial, row, value, shown: 0 };
        Ok(())
    }

    /// Whether the version seen now may follow the one seen before.
    fn compare(&mut self, object: usize, seen: Seen, row: usize, value: u64) -> Result<(), Box<Verdict>> {
        if seen.value == value {
            self.facts += 1;
            return Ok(());
        }
        let writer = |value| self.writers.only_writer(object, value);
        let (Some(before), Some(now)) = (writer(seen.value), writer(value)) else { return Ok(()) };
        if before == now {
            return Ok(());
        }
        if is_older(self.index, now, before) {
            return Err(self.undone("went_back_to_older_value", seen.row, row, Some((now, before))).into());
        }
        self.facts += 1;
        Ok(())
    }

    /// A scan shows present keys; what the session has seen in its range must be among them.
    fn scanned(&mut self, row: usize, serial: u32) -> Result<(), Box<Verdict>> {
        let table = self.index.operations();
        let (tenant, range) = (table.tenant[row], table.key[row]..=table.key_last.get(row).unwrap_or(0));
        for &object in &self.mine {
            let (of, key, _) = self.writers.object(object);
            if of != tenant || !range.contains(&key) {
                continue;
            }
            let Some(seen) = self.known(object, row, serial) else { continue };
            let shown = table.results.get(row).into_iter().flatten().any(|pair| pair.key == key);
            if !shown {
                return Err(self.undone("went_back_to_absent", seen.row, row, None).into());
            }
        }
        table.results.get(row).into_iter().flatten().try_for_each(|pair| self.saw(row, serial, pair.key, pair.value))
    }

    /// The stream of an operation, and what the session knew of it before.
    fn stream(&self, row: usize, serial: u32) -> Option<(usize, Option<Seen>)> {
        let table = self.index.operations();
        let object = self.writers.find((table.tenant[row], table.key[row], true))?;
        Some((object, self.known(object, row, serial)))
    }

    fn appended(&mut self, row: usize, serial: u32) -> Result<(), Box<Verdict>> {
        let Some(offset) = self.index.operations().result.get(row) else { return Ok(()) };
        let Some((object, known)) = self.stream(row, serial) else { return Ok(()) };
        if let Some(seen) = known {
            self.facts += 1;
            if offset < seen.value {
                return Err(self.undone("appended_below_what_was_seen", seen.row, row, None).into());
            }
        }
        let shown = known.map_or(0, |seen| seen.shown);
        self.seen[object] = Seen { serial, row, value: offset.saturating_add(1), shown };
        Ok(())
    }

    fn stream_read(&mut self, row: usize, serial: u32) -> Result<(), Box<Verdict>> {
        let table = self.index.operations();
        let Some((object, known)) = self.stream(row, serial) else { return Ok(()) };
        let (first, count) = (table.value.get(row).unwrap_or(0), table.expected.get(row).unwrap_or(0));
        let last = table.results.get(row).and_then(Iterator::last).map(|pair| pair.key);
        let length = last.map_or(0, |last| last.saturating_add(1));
        if let Some(seen) = known.filter(|seen| first < seen.shown && count > 0) {
            self.facts += 1;
            if length < seen.shown.min(first.saturating_add(count)) {
                return Err(self.undone("stream_shrank", seen.row, row, None).into());
            }
        }
        let seen = known.unwrap_or_default();
        // Of two reads the one that showed more is what later ones are held to.
        if known.is_none() || length >= seen.shown {
            self.seen[object] = Seen { serial, row, value: seen.value.max(length), shown: length };
        }
        Ok(())
    }

    /// A stream that was seen is not there.
    fn no_stream(&self, row: usize, serial: u32) -> Result<(), Box<Verdict>> {
        match self.stream(row, serial) {
            Some((_, Some(seen))) => Err(self.undone("stream_gone", seen.row, row, None).into()),
            _ => Ok(()),
        }
    }

    fn undone(&self, shape: &str, before: usize, row: usize, writers: Option<(usize, usize)>) -> Witness {
        let index = self.index;
        let summary = format!(
            "{}, although the same session's operation in row {} had come further: {}",
            operation_words(index, row),
            index.operations().seq[before],
            operation_words(index, before)
        );
        let words = |who: &str, writer: usize| index.operation_step(writer, format!("{who}: {}", operation_words(index, writer)));
        Witness::new(shape, summary)
            .steps(writers.into_iter().flat_map(|(older, newer)| [words("older", older), words("newer", newer)]))
            .step(index.operation_step(before, operation_words(index, before)))
            .step(index.operation_step(row, operation_words(index, row)))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::dialogue::{Dialogue, ask, read, scan, told, write};
    use vopr_schema::{Function, OperationError, OperationRow};

    const NAME: &str = "monotonic_reads";

    fn dialogue() -> Dialogue {
        let mut dialogue = Dialogue::new(1);
        dialogue.call(0, 1, write(5, 50));
        dialogue.call(0, 2, read(5, 50));
        dialogue.call(0, 1, write(5, 51));
        dialogue.call(0, 2, read(5, 51));
        dialogue
    }

    fn shape(dialogue: &Dialogue) -> String {
        let verdict = dialogue.verdict(NAME);
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    fn append(value: u64, offset: u64) -> OperationRow {
        OperationRow { value: Some(value), result: Some(offset), ..ask(Function::StreamAppend, 7) }
    }

    fn stream_read(first: u64, pairs: &[(u64, u64)]) -> OperationRow {
        OperationRow { value: Some(first), expected: Some(10), results: Some(told(pairs)), ..ask(Function::StreamRead, 7) }
    }

    #[test]
    fn seeing_the_same_or_a_newer_value_is_a_fact() {
        let mut dialogue = dialogue();
        dialogue.call(0, 2, scan(0, 9, &[(5, 51)]));
        assert_eq!(dialogue.verdict(NAME).facts(), 2);
    }

    #[test]
    fn going_back_is_a_violation_for_the_same_session_only() {
        let mut older = dialogue();
        older.call(0, 3, read(5, 50));
        assert_eq!(older.verdict(NAME).facts(), 1);
        older.call(0, 2, read(5, 50));
        assert_eq!(shape(&older), "went_back_to_older_value");
        let mut absent = dialogue();
        absent.call(0, 2, read(5, None));
        assert_eq!(shape(&absent), "went_back_to_absent");
        let mut scanned = dialogue();
        scanned.call(0, 2, scan(0, 9, &[]));
        assert_eq!(shape(&scanned), "went_back_to_absent");
    }

    #[test]
    fn values_that_do_not_tell_versions_apart_decide_nothing() {
        let mut twice = dialogue();
        twice.call(0, 1, write(5, 50));
        twice.call(0, 2, read(5, 50));
        assert_eq!(twice.verdict(NAME).name(), "not_applicable");
        let mut added = dialogue();
        added.call(0, 1, OperationRow { value: Some(1), result: Some(52), ..ask(Function::ReadModifyWrite, 5) });
        added.call(0, 2, read(5, 50));
        assert_eq!(added.verdict(NAME).name(), "not_applicable");
        added.call(0, 2, read(5, None));
        assert_eq!(shape(&added), "went_back_to_absent");
    }

    #[test]
    fn a_stream_does_not_shrink() {
        let mut dialogue = Dialogue::new(1);
        dialogue.call(0, 1, ask(Function::StreamCreate, 7));
        dialogue.call(0, 1, append(70, 0));
        dialogue.call(0, 1, append(71, 1));
        dialogue.call(0, 2, stream_read(0, &[(0, 70), (1, 71)]));
        dialogue.call(0, 2, stream_read(1, &[(1, 71)]));
        dialogue.call(0, 2, append(72, 2));
        assert_eq!(dialogue.verdict(NAME).facts(), 3);
        let mut shrunk = dialogue.clone();
        shrunk.call(0, 2, stream_read(0, &[(0, 70)]));
        assert_eq!(shape(&shrunk), "stream_shrank");
        let mut below = dialogue.clone();
        below.call(0, 2, append(73, 1));
        assert_eq!(shape(&below), "appended_below_what_was_seen");
        dialogue.refused(0, 2, OperationError::NoSuchStream, stream_read(0, &[]));
        assert_eq!(shape(&dialogue), "stream_gone");
    }

    #[test]
    fn vacuous_and_truncated_histories_do_not_pass() {
        assert_eq!(Dialogue::new(1).verdict(NAME).name(), "not_applicable");
        let mut stale = dialogue();
        let last = stale.call(0, 2, read(5, 50));
        let before = stale.story.operations[last].seq;
        assert_eq!(stale.story.cut_off(before).verdict(NAME).facts(), 1);
        let mut no_operations = dialogue();
        no_operations.story.operations.clear();
        assert_eq!(no_operations.verdict(NAME).name(), "not_applicable");
    }
}
