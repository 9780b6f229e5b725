//! The recorder: every row of a run, numbered in one total order, straight into the history's columns.
//!
//! When recording is off nothing is built: each method returns at its first line. The world never reads a row back, so
//! recording cannot change what happens.

pub(crate) mod convert;
pub(crate) mod messages;
pub(crate) mod transitions;

use vopr_schema::column::Niche;
use vopr_schema::{
    Fate, FaultRow, History, MessageRow, Mutation, OperationError, OperationRow, Outcome, Pair, RejectReason, Run, StorageRow,
    TransitionRow,
};

/// Row of a table; meaningless while recording is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowIndex(u32);

impl RowIndex {
    /// What every push answers while recording is off.
    pub const NONE: Self = Self(u32::MAX);

    fn get(self) -> usize {
        self.0 as usize
    }
}

/// How an operation returned to its client.
#[derive(Clone, Debug, Default)]
pub struct OperationReturn {
    /// Outcome.
    pub outcome: Outcome,
    /// Single value that the client was told.
    pub result: Option<u64>,
    /// Pairs that the client was told.
    pub results: Option<Vec<Pair>>,
    /// Why it was refused.
    pub error: Option<OperationError>,
    /// Log position that the reply claimed.
    pub op: Option<u64>,
    /// View that the reply claimed.
    pub view: Option<u64>,
    /// Replica that replied.
    pub replica: Option<u8>,
}

/// Records one run at a time into a history that it holds meanwhile.
#[derive(Debug, Default)]
pub struct Recorder {
    on: bool,
    last_seq: u64,
    now_ns: u64,
    history: History,
    /// Result lists by operation row: a flattened list column cannot be completed in place.
    lists: Vec<(u32, Vec<Pair>)>,
    first_operation: usize,
}

impl Recorder {
    /// Begins a run; with a history its rows are appended there.
    pub fn begin(&mut self, history: Option<&mut History>) {
        self.on = history.is_some();
        self.history = history.map(core::mem::take).unwrap_or_default();
        self.last_seq = 0;
        self.now_ns = 0;
        self.lists.clear();
        self.first_operation = self.history.operations.len();
    }

    /// Ends the run, completes its row, and hands the history back. Answers the run's digest when it was recorded.
    pub fn finish(&mut self, run: Run, history: Option<&mut History>) -> Option<[u8; 32]> {
        let history = history?;
        self.complete_lists();
        *history = core::mem::take(&mut self.history);
        history.close_run(run);
        history.runs.last().map(|run| run.digest)
    }

    /// Whether rows are kept.
    #[inline]
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// The time of the rows to come.
    #[inline]
    pub fn set_time(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
    }

    /// Rows of the history so far, those of earlier runs included.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.history.rows()
    }

    /// The last position that was given away.
    #[inline]
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The next position in the run's order.
    #[inline]
    fn next_seq(&mut self) -> u64 {
        self.last_seq += 1;
        self.last_seq
    }

    /// A copy of a message leaves.
    pub fn message(&mut self, mut row: MessageRow) -> RowIndex {
        if !self.on {
            return RowIndex::NONE;
        }
        row.seq = self.next_seq();
        row.time_ns = self.now_ns;
        let index = index_of(self.history.messages.len());
        self.history.messages.push(row);
        index
    }

    /// What became of a copy.
    pub fn fate(&mut self, row: RowIndex, fate: Fate) {
        if !self.on {
            return;
        }
        let seq = self.next_seq();
        let messages = &mut self.history.messages;
        messages.fate.codes[row.get()] = vopr_schema::Dictionary::code(fate);
        messages.fate_seq.0[row.get()] = seq;
        messages.fate_time_ns.0[row.get()] = self.now_ns;
    }

    /// The receiver refused a copy.
    pub fn rejected(&mut self, row: RowIndex, reason: RejectReason) {
        if self.on {
            self.history.messages.reject_reason.codes[row.get()] = vopr_schema::Dictionary::code(reason);
        }
    }

    /// A replica did something.
    pub fn transition(&mut self, mut row: TransitionRow) {
        if self.on {
            row.seq = self.next_seq();
            row.time_ns = self.now_ns;
            self.history.transitions.push(row);
        }
    }

    /// A disk access is complete.
    pub fn storage(&mut self, mut row: StorageRow) {
        if self.on {
            row.seq = self.next_seq();
            row.time_ns = self.now_ns;
            self.history.storage.push(row);
        }
    }

    /// A fault begins.
    pub fn fault(&mut self, mut row: FaultRow) {
        if self.on {
            row.seq = self.next_seq();
            row.time_ns = self.now_ns;
            self.history.faults.push(row);
        }
    }

    /// A client invokes an operation.
    pub fn invoked(&mut self, mut row: OperationRow) -> RowIndex {
        if !self.on {
            return RowIndex::NONE;
        }
        row.seq = self.next_seq();
        row.time_ns = self.now_ns;
        let index = index_of(self.history.operations.len());
        self.history.operations.push(row);
        index
    }

    /// The request of an operation was sent (again).
    pub fn attempted(&mut self, row: RowIndex) {
        if self.on {
            self.history.operations.attempts[row.get()] += 1;
        }
    }

    /// A fault changed the bytes of a copy; the row keeps the columns of what was sent.
    pub fn mutated(&mut self, row: RowIndex, mutation: Mutation, checksum: Option<u32>, size: usize) {
        if self.on {
            let messages = &mut self.history.messages;
            messages.mutation.codes[row.get()] = vopr_schema::Dictionary::code(mutation);
            messages.checksum.0[row.get()] = checksum.map_or(u32::NONE, |checksum| checksum.min(u32::MAX - 1));
            messages.size_bytes[row.get()] = u32::try_from(size).unwrap_or(u32::MAX);
        }
    }

    /// An operation returns to its client.
    pub fn returned(&mut self, row: RowIndex, what: OperationReturn) {
        if !self.on {
            return;
        }
        let seq = self.next_seq();
        let index = row.get();
        let operations = &mut self.history.operations;
        operations.outcome.codes[index] = vopr_schema::Dictionary::code(what.outcome);
        operations.error.codes[index] = what.error.map_or(u8::NONE, vopr_schema::Dictionary::code);
        operations.result.0[index] = what.result.unwrap_or(u64::NONE);
        operations.return_seq.0[index] = seq;
        operations.return_time_ns.0[index] = self.now_ns;
        operations.op.0[index] = what.op.unwrap_or(u64::NONE);
        operations.view.0[index] = what.view.unwrap_or(u64::NONE);
        operations.replica.0[index] = what.replica.unwrap_or(u8::NONE);
        if let Some(list) = what.results {
            self.lists.push((row.0, list));
        }
    }

    /// Rebuilds the run's part of the list column, now that every list is known.
    fn complete_lists(&mut self) {
        let rows = self.history.operations.len();
        let first = self.first_operation;
        let results = &mut self.history.operations.results;
        let pairs = if first == 0 { 0 } else { results.ends[first - 1] as usize };
        results.ends.truncate(first);
        results.present.truncate(first);
        results.keys.truncate(pairs);
        results.values.0.truncate(pairs);
        self.lists.sort_by_key(|(row, _)| *row);
        let mut lists = self.lists.drain(..).peekable();
        for row in first..rows {
            let list = lists.next_if(|(at, _)| *at as usize == row).map(|(_, list)| list);
            results.push_iter(list);
        }
    }
}

fn index_of(rows: usize) -> RowIndex {
    RowIndex(u32::try_from(rows).expect("a batch holds fewer than 2^32 rows"))
}

#[cfg(test)]
mod tests {
    use super::{OperationReturn, Recorder};
    use vopr_schema::{Fate, History, MessageRow, OperationRow, Outcome, Pair, Run};

    fn list(keys: &[u64]) -> Vec<Pair> {
        keys.iter().map(|key| Pair { key: *key, value: None }).collect()
    }

    #[test]
    fn lists_that_return_out_of_order_end_up_in_their_own_rows() {
        let mut history = History::default();
        let mut recorder = Recorder::default();
        for _ in 0..2 {
            recorder.begin(Some(&mut history));
            let rows: Vec<_> = (0..4).map(|_| recorder.invoked(OperationRow::default())).collect();
            let returned = |keys| OperationReturn { outcome: Outcome::Ok, results: Some(list(keys)), ..OperationReturn::default() };
            recorder.returned(rows[2], returned(&[7, 8]));
            recorder.returned(rows[0], returned(&[]));
            recorder.returned(rows[3], OperationReturn { outcome: Outcome::Ok, result: Some(4), ..OperationReturn::default() });
            assert!(recorder.finish(Run::default(), Some(&mut history)).is_some());
        }
        for run in 0..2 {
            let results: Vec<_> = history.operations.rows_of_run(run).map(|row| history.operations.row(row).results).collect();
            assert_eq!(results, [Some(vec![]), None, Some(list(&[7, 8])), None]);
            assert_eq!(history.runs[run].operations_ok, 3);
            assert_eq!(history.runs[run].operations_unknown, 1);
        }
        assert_eq!(history.runs[0].digest, history.runs[1].digest);
    }

    #[test]
    fn every_row_and_every_fate_has_its_own_position() {
        let mut history = History::default();
        let mut recorder = Recorder::default();
        recorder.begin(Some(&mut history));
        let first = recorder.message(MessageRow::default());
        let second = recorder.message(MessageRow::default());
        recorder.set_time(5);
        recorder.fate(second, Fate::Lost);
        recorder.fate(first, Fate::Delivered);
        recorder.finish(Run::default(), Some(&mut history));
        assert_eq!(history.messages.seq, [1, 2]);
        assert_eq!(history.messages.fate_seq.0, [4, 3]);
        assert_eq!(history.messages.fate_time_ns.0, [5, 5]);
        assert_eq!(history.messages.fate.get(0), Fate::Delivered);
    }

    #[test]
    fn nothing_is_kept_while_recording_is_off() {
        let mut recorder = Recorder::default();
        recorder.begin(None);
        recorder.message(MessageRow::default());
        assert_eq!(recorder.rows(), 0);
        assert_eq!(recorder.finish(Run::default(), None), None);
    }
}
