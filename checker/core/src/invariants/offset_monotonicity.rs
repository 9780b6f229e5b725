//! `offset_monotonicity`: the offsets of a stream rise one by one, and each stands for one element for ever.
//!
//! A consumer remembers how far it has come as one number; that is safe only if nothing is ever put, or changed, below it.
//!
//! **Formally.** Per tenant and stream: (1) no two appends are answered with one offset; (2) no offset is told (by an append or in a
//! read) that is not below the number of appends asked for and not refused: n offsets 0..n need n appends; (3) an append that was
//! answered before another was invoked has the smaller offset, and so has one that stands before it in the log; (4) a read from
//! offset f shows f, f+1, f+2, … and at most as many as were asked for; (5) the element of an offset is what its append brought,
//! and the same in all reads; (6) no read shows an element whose append was invoked only after the read was answered.
//!
//! **Evidence.** operation: tenant, function, key, value, expected, result, results, outcome, `return_seq`; transition (where there
//! is a log): event, op, tenant, client, session, request number.
//!
//! **Deliberately not checked.** Whether a read shows all that is there: `read_your_writes`, `monotonic_reads`, `mvcc_visibility` and
//! `linearizability`. Which append of unknown outcome an element came from: `data_correctness`.

use crate::budget::Meter;
use crate::index::APPLIED_REQUESTS;
use crate::index::RunIndex;
use crate::linearize::interner::Interner;
use crate::registry::{Category, Invariant, Reads};
use crate::replay::{operation_words, returned};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use crate::words::{counted, value as told};
use vopr_schema::column::Niche;
use vopr_schema::{Function, Kind, Outcome};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "offset_monotonicity",
    version: 1,
    category: Category::Client,
    reads: &[
        Reads {
            kind: Kind::Operation,
            columns: &["tenant", "function", "key", "value", "expected", "result", "results", "outcome", "return_seq"],
        },
        APPLIED_REQUESTS,
    ],
    statement: "stream offsets rise without a gap, and each stands for one element for ever",
    because_of: &["idempotency", "client_session", "tenant_isolation", "data_correctness"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no offset was told", || Streams::new(index).judge(meter))
}

/// What was told of one offset.
#[derive(Clone, Copy)]
struct Element {
    /// The append that was answered with it, as row + 1.
    append: usize,
    /// The first read that showed it, as row + 1, and what it showed.
    read: usize,
    value: u64,
}

const NOTHING: Element = Element { append: 0, read: 0, value: 0 };

struct Streams<'a> {
    index: &'a RunIndex<'a>,
    names: Interner<(u32, u64)>,
    /// Per stream the end of its part of `elements`: it has as many places as there are appends that were not refused.
    ends: Vec<usize>,
    elements: Vec<Element>,
    facts: u64,
}

impl<'a> Streams<'a> {
    fn new(index: &'a RunIndex<'a>) -> Self {
        let table = index.operations();
        let mut names = Interner::default();
        let mut ends: Vec<usize> = Vec::new();
        for row in index.operation_rows() {
            let function = table.function.get(row);
            if function != Function::StreamAppend && function != Function::StreamRead {
                continue;
            }
            let (stream, new) = names.intern((table.tenant[row], table.key[row]));
            if new {
                ends.push(0);
            }
            let counts = function == Function::StreamAppend && table.outcome.get(row) != Outcome::Error;
            ends[stream as usize] += usize::from(counts);
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total;
        }
        Self { index, names, ends, elements: vec![NOTHING; total], facts: 0 }
    }

    fn judge(&mut self, meter: &Meter) -> Decision {
        let table = self.index.operations();
        let mut ticker = meter.ticker();
        let answered = |row: &usize| table.outcome.get(*row) == Outcome::Ok;
        for row in self.index.operation_rows().filter(answered) {
            ticker.step()?;
            if table.function.get(row) == Function::StreamAppend {
                self.append(row)?;
            }
        }
        for row in self.index.operation_rows().filter(answered) {
            ticker.step()?;
            if table.function.get(row) == Function::StreamRead {
                self.read(row)?;
            }
        }
        self.order()?;
        Ok(self.facts)
    }

    /// The place of an offset of the stream of `row`, if there are so many appends.
    fn place(&self, row: usize, offset: u64) -> Option<usize> {
        let table = self.index.operations();
        let stream = self.names.find(&(table.tenant[row], table.key[row]))? as usize;
        let start = if stream == 0 { 0 } else { self.ends[stream - 1] };
        let place = start.checked_add(usize::try_from(offset).ok()?)?;
        (place < self.ends[stream]).then_some(place)
    }

    fn append(&mut self, row: usize) -> Result<(), Box<Verdict>> {
        let Some(offset) = self.index.operations().result.get(row) else { return Ok(()) };
        self.facts += 1;
        let Some(place) = self.place(row, offset) else { return Err(self.beyond(row, offset).into()) };
        let other = self.elements[place].append;
        if other != 0 {
            let summary = format!("two appends to stream {} were told offset {offset}", self.index.operations().key[row]);
            return Err(self.pair("offset_told_twice", summary, other - 1, row).into());
        }
        self.elements[place].append = row + 1;
        Ok(())
    }

    fn read(&mut self, row: usize) -> Result<(), Box<Verdict>> {
        let table = self.index.operations();
        let (first, count) = (table.value.get(row).unwrap_or(0), table.expected.get(row).unwrap_or(u64::NONE));
        let mut expected = first;
        for pair in table.results.get(row).into_iter().flatten() {
            if pair.key != expected || expected - first >= count {
                let summary = format!(
                    "a read of {} from offset {first} shows offset {} in the place of {expected}",
                    counted(count, "element"),
                    pair.key
                );
                let step = self.index.operation_step(row, operation_words(self.index, row));
                return Err(Witness::new("offsets_not_in_a_row", summary).step(step).into());
            }
            expected = expected.saturating_add(1);
            self.facts += 1;
            let Some(place) = self.place(row, pair.key) else { return Err(self.beyond(row, pair.key).into()) };
            self.element(place, row, pair.key, pair.value.unwrap_or(u64::NONE))?;
        }
        Ok(())
    }

    fn element(&mut self, place: usize, row: usize, offset: u64, value: u64) -> Result<(), Box<Verdict>> {
        let table = self.index.operations();
        let known = self.elements[place];
        let stream = table.key[row];
        if let Some(append) = known.append.checked_sub(1) {
            if table.value.0[append] != value {
                let summary = format!("offset {offset} of stream {stream} shows {}, but another value was appended there", told(value));
                return Err(self.pair("element_is_not_what_was_appended", summary, append, row).into());
            }
            if table.seq[append] > returned(self.index, row) {
                let summary = format!("a read showed offset {offset} of stream {stream} before its append was asked for");
                return Err(self.pair("element_from_the_future", summary, row, append).into());
            }
        } else if let Some(read) = known.read.checked_sub(1) {
            if known.value != value {
                let summary = format!("two reads showed different elements at offset {offset} of stream {stream}");
                return Err(self.pair("element_changed", summary, read, row).into());
            }
        } else {
            self.elements[place] = Element { append: 0, read: row + 1, value };
        }
        Ok(())
    }

    /// Offsets rise with time and in the log.
    fn order(&self) -> Result<(), Box<Verdict>> {
        let (index, table) = (self.index, self.index.operations());
        let mut start = 0;
        for end in &self.ends {
            // The append invoked last and the one farthest in the log, of all smaller offsets.
            let (mut latest, mut farthest) = (None::<usize>, None::<(u64, usize)>);
            let appends = self.elements[start..*end].iter().filter_map(|element| element.append.checked_sub(1));
            start = *end;
            for row in appends {
                let after = latest.filter(|latest| returned(index, row) < table.seq[*latest]);
                let place = index.journal().place_of(row);
                let behind = farthest.filter(|(far, _)| place.is_some_and(|place| place < *far)).map(|(_, row)| row);
                if let Some(smaller) = after.or(behind) {
                    let (early, late) = (table.result.0[row], table.result.0[smaller]);
                    let summary = format!("stream {}: offset {early} was given before offset {late}", table.key[row]);
                    return Err(self.pair("offsets_against_their_order", summary, row, smaller).into());
                }
                if latest.is_none_or(|latest| table.seq[row] > table.seq[latest]) {
                    latest = Some(row);
                }
                farthest = place.map(|place| (place, row)).or(farthest);
            }
        }
        Ok(())
    }

    fn pair(&self, shape: &str, summary: String, first: usize, second: usize) -> Witness {
        let step = |row| self.index.operation_step(row, operation_words(self.index, row));
        Witness::new(shape, summary).step(step(first)).step(step(second))
    }

    fn beyond(&self, row: usize, offset: u64) -> Witness {
        let table = self.index.operations();
        let (tenant, stream) = (table.tenant[row], table.key[row]);
        let summary = format!("offset {offset} of stream {stream} of tenant {tenant} was told, but there are not so many appends");
        Witness::new("more_offsets_than_appends", summary).step(self.index.operation_step(row, operation_words(self.index, row)))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::dialogue::{Dialogue, ask, told};
    use vopr_schema::{Function, OperationError, OperationRow};

    const NAME: &str = "offset_monotonicity";

    fn append(value: u64, offset: u64) -> OperationRow {
        OperationRow { value: Some(value), result: Some(offset), ..ask(Function::StreamAppend, 7) }
    }

    fn stream_read(first: u64, pairs: &[(u64, u64)]) -> OperationRow {
        OperationRow { value: Some(first), expected: Some(2), results: Some(told(pairs)), ..ask(Function::StreamRead, 7) }
    }

    fn dialogue() -> Dialogue {
        let mut dialogue = Dialogue::new(1);
        dialogue.refused(0, 1, OperationError::NoSuchStream, OperationRow { value: Some(69), ..ask(Function::StreamAppend, 7) });
        dialogue.call(0, 1, ask(Function::StreamCreate, 7));
        dialogue.call(0, 1, append(70, 0));
        dialogue.call(0, 2, append(71, 1));
        dialogue.call(0, 1, stream_read(0, &[(0, 70), (1, 71)]));
        dialogue
    }

    fn shape(dialogue: &Dialogue) -> String {
        let verdict = dialogue.verdict(NAME);
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    #[test]
    fn each_offset_that_was_told_is_a_fact() {
        let mut dialogue = dialogue();
        assert_eq!(dialogue.verdict(NAME).facts(), 4);
        let unknown = dialogue.invoke(0, 1, append(72, 2));
        dialogue.commit(unknown);
        dialogue.call(0, 2, stream_read(1, &[(1, 71), (2, 72)]));
        assert_eq!(dialogue.verdict(NAME).facts(), 6);
    }

    #[test]
    fn offsets_told_twice_or_beyond_all_appends_are_violations() {
        let mut twice = dialogue();
        twice.call(0, 1, append(72, 1));
        assert_eq!(shape(&twice), "offset_told_twice");
        let mut gap = dialogue();
        gap.call(0, 1, append(72, 3));
        assert_eq!(shape(&gap), "more_offsets_than_appends");
        let mut read = dialogue();
        read.call(0, 1, stream_read(1, &[(1, 71), (2, 72)]));
        assert_eq!(shape(&read), "more_offsets_than_appends");
    }

    #[test]
    fn reads_show_offsets_in_a_row_and_what_was_appended() {
        let mut skipping = dialogue();
        skipping.call(0, 1, stream_read(0, &[(1, 71)]));
        assert_eq!(shape(&skipping), "offsets_not_in_a_row");
        let mut changed = dialogue();
        changed.call(0, 1, stream_read(1, &[(1, 70)]));
        assert_eq!(shape(&changed), "element_is_not_what_was_appended");
        let mut unknown = dialogue();
        unknown.invoke(0, 1, append(72, 2));
        unknown.call(0, 2, stream_read(2, &[(2, 72)]));
        unknown.call(0, 2, stream_read(2, &[(2, 73)]));
        assert_eq!(shape(&unknown), "element_changed");
        let mut future = dialogue();
        future.call(0, 2, stream_read(2, &[(2, 72)]));
        future.call(0, 1, append(72, 2));
        assert_eq!(shape(&future), "element_from_the_future");
    }

    #[test]
    fn offsets_follow_time_and_the_log() {
        let mut dialogue = Dialogue::new(1);
        dialogue.call(0, 1, ask(Function::StreamCreate, 7));
        let mut in_time = dialogue.clone();
        in_time.call(0, 1, append(70, 1));
        in_time.call(0, 2, append(71, 0));
        assert_eq!(shape(&in_time), "offsets_against_their_order");
        dialogue.register(0, 2);
        let (first, second) = (dialogue.invoke(0, 1, append(70, 1)), dialogue.invoke(0, 2, append(71, 0)));
        let ops = [dialogue.commit(first), dialogue.commit(second)];
        dialogue.answer(first, ops[0]);
        dialogue.answer(second, ops[1]);
        assert_eq!(shape(&dialogue), "offsets_against_their_order");
    }

    #[test]
    fn vacuous_and_truncated_histories_do_not_pass() {
        assert_eq!(Dialogue::new(1).verdict(NAME).name(), "not_applicable");
        let dialogue = dialogue();
        let last = dialogue.story.operations.last().expect("a read").seq;
        assert_eq!(dialogue.story.cut_off(last).verdict(NAME).facts(), 2);
        let second = dialogue.story.operations[1].seq;
        assert_eq!(dialogue.story.cut_off(second).verdict(NAME).name(), "not_applicable");
    }
}
