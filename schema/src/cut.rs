//! Cuts one run out of a history, whole or up to some row.
//!
//! What a reader of the beginning could have known is what the beginning holds: a return, or the fate of a message, that comes
//! after the cut has not happened yet.

use crate::history::{Ended, History, Run};
use crate::rows::{Fate, Outcome};
use crate::tables::{MessageRow, OperationRow};
use core::convert::identity;

/// Run `run` of `history` alone, with its rows up to position `last_seq`; [`u64::MAX`] takes all of it.
///
/// A run that is cut short has no heal phase unless that had begun, ends by the event limit, and has a digest of its own; a whole
/// one keeps what its row says, right or wrong.
///
/// # Panics
/// When the history has no such run, or was read without some columns.
#[must_use]
pub fn run(history: &History, run: usize, last_seq: u64) -> History {
    let mut cut = History::default();
    let mut end_time_ns = 0;
    macro_rules! rows {
        ($table:ident, $change:expr) => {
            for index in history.$table.rows_of_run(run) {
                if history.$table.seq[index] > last_seq {
                    break;
                }
                end_time_ns = end_time_ns.max(history.$table.time_ns[index]);
                cut.$table.push($change(history.$table.row(index)));
            }
        };
    }
    let later = |seq: Option<u64>| seq.is_some_and(|seq| seq > last_seq);
    rows!(operations, |mut row: OperationRow| {
        if later(row.return_seq) {
            (row.return_seq, row.return_time_ns, row.outcome) = (None, None, Outcome::Unknown);
            (row.result, row.results, row.error) = (None, None, None);
            (row.op, row.view, row.replica) = (None, None, None);
        }
        row
    });
    rows!(messages, |mut row: MessageRow| {
        if later(row.fate_seq) {
            (row.fate, row.fate_seq, row.fate_time_ns, row.reject_reason) = (Fate::InFlightAtEnd, None, None, None);
        }
        row
    });
    rows!(transitions, identity);
    rows!(storage, identity);
    rows!(faults, identity);
    let whole = &history.runs[run];
    if last_seq == u64::MAX {
        cut.close_run(whole.clone());
        cut.runs[0].digest = whole.digest;
    } else {
        let heal_time_ns = whole.heal_time_ns.filter(|heal| *heal <= end_time_ns);
        let (ended, ended_detail) = (Ended::EventLimit, None);
        cut.close_run(Run { end_time_ns, heal_time_ns, ended, ended_detail, ..whole.clone() });
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::TransitionRow;

    fn history() -> History {
        let mut history = History::default();
        history.operations.push(OperationRow { seq: 1, ..OperationRow::default() });
        history.close_run(Run { seed: 1, ..Run::default() });
        let answered =
            OperationRow { seq: 1, return_seq: Some(6), outcome: Outcome::Ok, result: Some(9), op: Some(2), ..OperationRow::default() };
        history.operations.push(answered);
        history.messages.push(MessageRow { seq: 2, time_ns: 20, fate_seq: Some(5), fate: Fate::Delivered, ..MessageRow::default() });
        history.transitions.push(TransitionRow { seq: 4, time_ns: 40, ..TransitionRow::default() });
        history.close_run(Run { seed: 2, heal_time_ns: Some(50), end_time_ns: 60, ended: Ended::Completed, ..Run::default() });
        history
    }

    #[test]
    fn a_whole_run_is_cut_out_as_it_is() {
        let whole = history();
        let cut = run(&whole, 1, u64::MAX);
        assert_eq!(cut.runs, whole.runs[1..]);
        assert_eq!(cut.operations.row(0), whole.operations.row(1));
        assert_eq!((cut.operations.len(), cut.messages.len(), cut.transitions.len()), (1, 1, 1));
    }

    #[test]
    fn what_comes_after_the_cut_has_not_happened() {
        let cut = run(&history(), 1, 4);
        let operation = cut.operations.row(0);
        assert_eq!((operation.outcome, operation.return_seq, operation.result, operation.op), (Outcome::Unknown, None, None, None));
        let message = cut.messages.row(0);
        assert_eq!((message.fate, message.fate_seq), (Fate::InFlightAtEnd, None));
        assert_eq!((cut.runs[0].end_time_ns, cut.runs[0].heal_time_ns, cut.runs[0].operations_unknown), (40, None, 1));
        let earlier = run(&history(), 1, 3);
        assert!(earlier.transitions.is_empty() && earlier.messages.len() == 1);
        assert_eq!(run(&history(), 1, 5).messages.row(0).fate, Fate::Delivered);
    }
}
