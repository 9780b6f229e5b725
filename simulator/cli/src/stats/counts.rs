//! What is counted of the runs of one scenario.
//!
//! The columns come from the schema's own tables, so that a new word or column is counted without a line here.

use std::collections::BTreeMap;
use vopr_checker::report::RunVerdicts;
use vopr_checker::situations::Coverage;
use vopr_checker::{InvariantId, Verdict};
use vopr_schema::column::{ColumnRef, ColumnType};
use vopr_schema::layout::columns_of;
use vopr_schema::read::Projection;
use vopr_schema::tables::ColumnSpec;
use vopr_schema::{Dictionary, Ended, Faults, History, Kind, Messages, Operations, StorageAccesses, Transitions};

/// The kinds of rows of a run.
const KINDS: [Kind; 5] = [Kind::Operation, Kind::Message, Kind::Transition, Kind::Storage, Kind::Fault];

/// How often each word of one column came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The dictionary.
    pub names: &'static [&'static str],
    /// By code.
    pub counts: Vec<u64>,
}

impl Words {
    fn of(names: &'static [&'static str]) -> Self {
        Self { names, counts: vec![0; names.len()] }
    }

    fn add(&mut self, codes: &[u8]) {
        for code in codes {
            // 255 stands for a cell without a word.
            if let Some(count) = self.counts.get_mut(usize::from(*code)) {
                *count += 1;
            }
        }
    }

    /// The words that came, the most frequent first.
    pub fn seen(&self) -> Vec<(&'static str, u64)> {
        let mut seen: Vec<_> = self.names.iter().copied().zip(self.counts.iter().copied()).filter(|(_, count)| *count > 0).collect();
        seen.sort_by_key(|(_, count)| core::cmp::Reverse(*count));
        seen
    }

    /// The words that never came.
    pub fn never(&self) -> Vec<&'static str> {
        self.names.iter().zip(&self.counts).filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect()
    }
}

/// What an invariant did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Facts tested.
    pub facts: u64,
    /// Runs in which there was something to test.
    pub runs: u64,
    /// Runs in which it was violated.
    pub violations: u64,
    /// Runs in which it could not be decided.
    pub unknown: u64,
}

/// Counts over runs.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Runs.
    pub runs: u64,
    /// Simulated events.
    pub events: u64,
    /// Operations: ok, error, unknown.
    pub operations: [u64; 3],
    /// Virtual time, nanoseconds.
    pub virtual_ns: u64,
    /// Rows by kind.
    pub rows: BTreeMap<Kind, u64>,
    /// By kind and column.
    pub words: BTreeMap<(Kind, &'static str), Words>,
    /// By invariant, in the order of the registry.
    pub invariants: BTreeMap<InvariantId, Judged>,
    /// Situations.
    pub situations: Coverage,
    /// Runs that were asked for evidence.
    pub asked: u64,
    /// Runs that showed it.
    pub exercised: u64,
}

/// The columns of words, and the run rows.
pub fn projection() -> Projection {
    let of_words = |kind: Kind| columns_of(kind).iter().filter(|spec| is_of_words(spec)).map(move |spec| (kind, spec.name));
    let columns = KINDS.into_iter().flat_map(of_words);
    columns.fold(Projection::runs(), |projection, (kind, name)| projection.with_column(kind, name))
}

fn is_of_words(spec: &ColumnSpec) -> bool {
    matches!(spec.column_type, ColumnType::Dictionary(_))
}

impl Counts {
    /// Adds the rows of one run of a history that was read with [`projection`].
    pub fn add_rows(&mut self, history: &History, index: usize) {
        let run = &history.runs[index];
        self.runs += 1;
        self.events += run.events;
        self.virtual_ns += run.end_time_ns;
        for (sum, count) in self.operations.iter_mut().zip([run.operations_ok, run.operations_error, run.operations_unknown]) {
            *sum += count;
        }
        self.words.entry((Kind::Run, "ended")).or_insert_with(|| Words::of(Ended::NAMES)).add(&[run.ended.code()]);
        let History { operations, messages, transitions, storage, faults, .. } = history;
        self.add_table(Kind::Operation, Operations::COLUMNS, &operations.columns(), operations.rows_of_run(index));
        self.add_table(Kind::Message, Messages::COLUMNS, &messages.columns(), messages.rows_of_run(index));
        self.add_table(Kind::Transition, Transitions::COLUMNS, &transitions.columns(), transitions.rows_of_run(index));
        self.add_table(Kind::Storage, StorageAccesses::COLUMNS, &storage.columns(), storage.rows_of_run(index));
        self.add_table(Kind::Fault, Faults::COLUMNS, &faults.columns(), faults.rows_of_run(index));
    }

    fn add_table(&mut self, kind: Kind, specs: &'static [ColumnSpec], columns: &[ColumnRef<'_>], rows: core::ops::Range<usize>) {
        *self.rows.entry(kind).or_default() += rows.len() as u64;
        for (spec, column) in specs.iter().zip(columns) {
            if let ColumnRef::Dictionary(codes, names) = column {
                let words = self.words.entry((kind, spec.name)).or_insert_with(|| Words::of(names));
                words.add(codes.get(rows.clone()).unwrap_or_default());
            }
        }
    }

    /// Adds what the checker says of one run.
    pub fn add_verdicts(&mut self, run: &RunVerdicts) {
        for (id, verdict) in &run.verdicts {
            let judged = self.invariants.entry(*id).or_default();
            judged.facts += verdict.facts();
            judged.runs += u64::from(!matches!(verdict, Verdict::NotApplicable { .. }));
            judged.violations += u64::from(verdict.is_violation());
            judged.unknown += u64::from(matches!(verdict, Verdict::Unknown { .. }));
        }
        self.situations.add(&run.situations);
        self.asked += u64::from(run.evidence.is_some());
        self.exercised += u64::from(run.evidence.as_ref().is_some_and(vopr_checker::evidence::Evidence::exercised));
    }

    /// Adds other counts.
    pub fn merge(&mut self, other: &Self) {
        self.runs += other.runs;
        self.events += other.events;
        self.virtual_ns += other.virtual_ns;
        self.asked += other.asked;
        self.exercised += other.exercised;
        self.operations.iter_mut().zip(other.operations).for_each(|(sum, count)| *sum += count);
        for (kind, rows) in &other.rows {
            *self.rows.entry(*kind).or_default() += rows;
        }
        for (column, words) in &other.words {
            let ours = self.words.entry(*column).or_insert_with(|| Words::of(words.names));
            ours.counts.iter_mut().zip(&words.counts).for_each(|(sum, count)| *sum += count);
        }
        for (id, theirs) in &other.invariants {
            let ours = self.invariants.entry(*id).or_default();
            ours.facts += theirs.facts;
            ours.runs += theirs.runs;
            ours.violations += theirs.violations;
            ours.unknown += theirs.unknown;
        }
        self.situations.merge(&other.situations);
    }

    /// Rows of all kinds, without those of kind run.
    pub fn all_rows(&self) -> u64 {
        self.rows.values().sum()
    }

    /// So many per second of virtual time.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn per_virtual_second(&self, count: u64) -> f64 {
        if self.virtual_ns == 0 { 0.0 } else { count as f64 * 1e9 / self.virtual_ns as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_sim::scenario::Overrides;
    use vopr_sim::{RunRequest, Simulator, scenarios};

    #[test]
    fn every_word_of_every_row_is_counted_once() {
        let request = RunRequest::new(scenarios::find("swizzle").unwrap(), 7, &Overrides::default()).unwrap();
        let mut history = History::default();
        Simulator::new().simulate(&request, Some(&mut history));
        let mut one = Counts::default();
        one.add_rows(&history, 0);
        let sum = |column: (Kind, &'static str)| one.words[&column].counts.iter().sum::<u64>();
        assert_eq!(sum((Kind::Message, "command")), history.messages.len() as u64);
        assert_eq!(sum((Kind::Transition, "event")), history.transitions.len() as u64);
        assert_eq!(sum((Kind::Fault, "fault")), history.faults.len() as u64);
        assert!(sum((Kind::Message, "reject_reason")) < history.messages.len() as u64, "most messages were refused by nobody");
        assert_eq!(one.all_rows() + 1, history.rows() as u64);
        let command = &one.words[&(Kind::Message, "command")];
        assert_eq!(command.seen().len() + command.never().len(), vopr_schema::Command::ALL.len());
        let mut two = one.clone();
        two.merge(&one);
        assert_eq!((two.runs, two.all_rows(), two.events), (2, 2 * one.all_rows(), 2 * one.events));
        assert_eq!(
            two.words[&(Kind::Fault, "fault")].counts[..],
            one.words[&(Kind::Fault, "fault")].counts.iter().map(|c| 2 * c).collect::<Vec<_>>()[..]
        );
    }
}
