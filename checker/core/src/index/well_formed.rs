//! Whether the rows of a run can be ordered and numbered at all.
//!
//! Invariants may rely on rising positions and on small replica numbers; a history that breaks this is not judged by them
//! but answered with "ill formed", and `message_causality` reports the row.

use super::REPLICAS_MAX;
use vopr_schema::{History, Kind};

/// The first row that cannot be ordered or numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IllFormed {
    /// Kind of the row.
    pub kind: Kind,
    /// Its position.
    pub seq: u64,
    /// What is wrong with it.
    pub defect: Defect,
}

/// What may be wrong with a row before any invariant looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// A position that does not rise within the run's rows of one kind.
    #[error("its position does not rise")]
    Order,
    /// Time goes back although the position rises.
    #[error("its time is before that of the row before it")]
    Time,
    /// A replica number beyond the format's limit.
    #[error("its replica number is above 31")]
    Replica,
    /// A row that ends before it begins.
    #[error("it ends before it begins")]
    EndsBeforeBegin,
}

impl Defect {
    /// A name without blanks.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Time => "time",
            Self::Replica => "replica",
            Self::EndsBeforeBegin => "ends_before_begin",
        }
    }
}

pub(super) struct Survey {
    pub replicas: usize,
    pub ops: usize,
    pub ill_formed: Option<IllFormed>,
}

/// One pass over the columns that place rows: position, time, replica, op number.
pub(super) fn survey(history: &History, run: usize) -> Survey {
    let transitions = &history.transitions;
    let rows = transitions.rows_of_run(run);
    // A log position costs at least one row, so a larger number cannot be honest and must not size a table.
    let ops_max = 2 * rows.len() as u64 + 1024;
    let largest = transitions.op.0[rows.clone()].iter().copied().filter(|op| *op <= ops_max).max().unwrap_or(0);
    let replicas = transitions.replica[rows.clone()].iter().copied().max().map_or(0, |replica| usize::from(replica) + 1);
    let storage_rows = history.storage.rows_of_run(run);
    let disks = history.storage.replica[storage_rows.clone()].iter().copied().max().map_or(0, |replica| usize::from(replica) + 1);

    let mut found = Finder::default();
    macro_rules! place {
        ($table:ident, $kind:expr) => {
            let rows = history.$table.rows_of_run(run);
            found.order($kind, &history.$table.seq[rows.clone()], &history.$table.time_ns[rows]);
        };
    }
    place!(operations, Kind::Operation);
    place!(messages, Kind::Message);
    place!(transitions, Kind::Transition);
    place!(storage, Kind::Storage);
    place!(faults, Kind::Fault);
    if replicas > REPLICAS_MAX {
        found.first(Kind::Transition, &transitions.seq[rows.clone()], Defect::Replica, |row| transitions.replica[rows.start + row] > 31);
    }
    if disks > REPLICAS_MAX {
        let storage = &history.storage;
        found.first(Kind::Storage, &storage.seq[storage_rows.clone()], Defect::Replica, |row| {
            storage.replica[storage_rows.start + row] > 31
        });
    }
    found.ends(Kind::Operation, history, run);
    found.ends(Kind::Message, history, run);
    let replicas = replicas.max(disks).min(REPLICAS_MAX);
    let ops = usize::try_from(largest).unwrap_or(0) + 1;
    Survey { replicas, ops, ill_formed: found.ill_formed }
}

#[derive(Default)]
struct Finder {
    ill_formed: Option<IllFormed>,
}

impl Finder {
    fn report(&mut self, kind: Kind, seq: u64, defect: Defect) {
        self.ill_formed.get_or_insert(IllFormed { kind, seq, defect });
    }

    fn first(&mut self, kind: Kind, seqs: &[u64], defect: Defect, broken: impl Fn(usize) -> bool) {
        if let Some(row) = (0..seqs.len()).find(|row| broken(*row)) {
            self.report(kind, seqs[row], defect);
        }
    }

    fn order(&mut self, kind: Kind, seqs: &[u64], times: &[u64]) {
        // The sums are branch-free so that the compiler vectorises the healthy case; the place is searched only afterwards.
        let unordered: usize = seqs.windows(2).map(|pair| usize::from(pair[1] <= pair[0])).sum();
        if unordered > 0 {
            self.first(kind, seqs, Defect::Order, |row| row > 0 && seqs[row] <= seqs[row - 1]);
        }
        let backwards: usize = times.windows(2).map(|pair| usize::from(pair[1] < pair[0])).sum();
        if backwards > 0 {
            self.first(kind, seqs, Defect::Time, |row| row > 0 && times[row] < times[row - 1]);
        }
    }

    fn ends(&mut self, kind: Kind, history: &History, run: usize) {
        let (seqs, ends) = if kind == Kind::Operation {
            let rows = history.operations.rows_of_run(run);
            (&history.operations.seq[rows.clone()], &history.operations.return_seq.0[rows])
        } else {
            let rows = history.messages.rows_of_run(run);
            (&history.messages.seq[rows.clone()], &history.messages.fate_seq.0[rows])
        };
        // Null is the largest value and passes.
        if let Some(row) = seqs.iter().zip(ends).position(|(begin, end)| end < begin) {
            self.report(kind, seqs[row], Defect::EndsBeforeBegin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_schema::{MessageRow, Run, TransitionRow};

    fn surveyed(rows: &[TransitionRow], messages: &[MessageRow]) -> Survey {
        let mut history = History::default();
        for row in rows {
            history.transitions.push(row.clone());
        }
        for row in messages {
            history.messages.push(row.clone());
        }
        history.close_run(Run::default());
        survey(&history, 0)
    }

    #[test]
    fn sizes_come_from_the_rows_but_not_from_absurd_ones() {
        let row = TransitionRow { replica: 2, op: Some(5), ..TransitionRow::default() };
        let absurd = TransitionRow { seq: 1, op: Some(u64::MAX - 1), ..row.clone() };
        let survey = surveyed(&[row, absurd], &[]);
        assert_eq!((survey.replicas, survey.ops, survey.ill_formed), (3, 6, None));
    }

    #[test]
    fn defects_name_their_row() {
        let at = |seq, time_ns, replica| TransitionRow { seq, time_ns, replica, ..TransitionRow::default() };
        let defect = |rows: &[TransitionRow]| surveyed(rows, &[]).ill_formed.map(|found| (found.seq, found.defect));
        assert_eq!(defect(&[at(4, 0, 0), at(4, 0, 0)]), Some((4, Defect::Order)));
        assert_eq!(defect(&[at(4, 9, 0), at(5, 8, 0)]), Some((5, Defect::Time)));
        assert_eq!(defect(&[at(4, 9, 0), at(5, 9, 200)]), Some((5, Defect::Replica)));
        let message = MessageRow { seq: 7, fate_seq: Some(6), ..MessageRow::default() };
        assert_eq!(surveyed(&[], &[message]).ill_formed.map(|found| found.defect), Some(Defect::EndsBeforeBegin));
    }
}
