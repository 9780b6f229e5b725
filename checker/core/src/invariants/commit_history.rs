//! `commit_history`: the cluster's committed log is 1, 2, 3, … without a gap and without an entry at two places.
//!
//! A hole means that something was executed around it; an entry at two places means that it was executed twice.
//!
//! **Formally.** Let n be the largest op of a `committed` transition of the run. Each op of 1..n has a `committed`
//! transition; the first of op stands behind the first of op - 1; no `entry_hash` is committed at two op numbers.
//!
//! **Evidence.** transition: replica, event, op, `entry_hash`.
//!
//! **Deliberately not checked.** Gaps within one replica (`commit_monotonicity`): state transfer skips op numbers there, which
//! some other replica must have committed.

use crate::budget::Meter;
use crate::index::RunIndex;
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::Kind;

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "commit_history",
    version: 1,
    category: Category::Replication,
    reads: &[Reads { kind: Kind::Transition, columns: &["replica", "event", "op", "entry_hash"] }],
    statement: "the op numbers that were committed are 1..n without gaps, and no entry is committed at two of them",
    because_of: &["log_consistency", "commit_monotonicity"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nothing was committed", || gaps(index).and_then(|facts| duplicates(index, meter).map(|()| facts)))
}

fn gaps(index: &RunIndex<'_>) -> Decision {
    let committed = index.committed();
    let last = committed.last();
    let mut before: Option<usize> = None;
    for op in 1..=last {
        match (committed.committed_row(op), before) {
            (Some(row), Some(before)) if row < before => {
                let witness = Witness::new("out_of_order", format!("op {op} was first committed after op {} was", op - 1))
                    .step(index.transition_step(row, format!("op {op} is committed for the first time")))
                    .step(index.transition_step(before, format!("only later is op {}", op - 1)));
                return Err(witness.into());
            }
            (Some(row), _) => before = Some(row),
            (None, _) => return Err(gap(index, op).into()),
        }
    }
    Ok(last)
}

fn gap(index: &RunIndex<'_>, op: u64) -> Witness {
    let committed = index.committed();
    let next = (op + 1..=committed.last()).find_map(|op| committed.committed_row(op));
    let step = |row: usize| {
        let (replica, op) = (index.transitions().replica[row], index.transitions().op.0[row]);
        index.transition_step(row, format!("replica {replica} committed op {op}"))
    };
    Witness::new("gap", format!("no replica ever committed op {op}, though later ones were committed"))
        .step_if(committed.committed_row(op - 1).map(step))
        .step_if(next.map(step))
}

fn duplicates(index: &RunIndex<'_>, meter: &Meter) -> Result<(), Box<Verdict>> {
    let (committed, table) = (index.committed(), index.transitions());
    let first_rows: Vec<usize> = (0..=committed.last()).filter_map(|op| committed.committed_row(op)).collect();
    meter.reserve(16 * first_rows.len() as u64)?;
    let mut hashes: Vec<(u64, usize)> = first_rows.iter().filter_map(|row| table.entry_hash.get(*row).map(|hash| (hash, *row))).collect();
    hashes.sort_unstable();
    let Some(pair) = hashes.windows(2).find(|pair| pair[0].0 == pair[1].0) else { return Ok(()) };
    let (first, second) = (pair[0].1, pair[1].1);
    let (one, other) = (table.op.0[first], table.op.0[second]);
    let witness = Witness::new("entry_at_two_ops", format!("one entry was committed at op {one} and again at op {other}"))
        .step(index.transition_step(first, format!("hash {:016x} at op {one}", pair[0].0)))
        .step(index.transition_step(second, format!("the same hash at op {other}")));
    Err(witness.into())
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::TransitionEvent as Event;

    const NAME: &str = "commit_history";

    #[test]
    fn a_clean_run_passes_once_per_op() {
        assert_eq!(Story::clean(5).verdict(NAME).facts(), 5);
    }

    #[test]
    fn a_gap_is_a_violation() {
        let mut story = Story::clean(5);
        story.transitions.retain(|row| row.event != Event::Committed || row.op != Some(3));
        assert_eq!(story.verdict(NAME).witness().unwrap().shape, "gap");
    }

    #[test]
    fn one_entry_at_two_places_is_a_violation() {
        let mut story = Story::clean(5);
        for row in story.transitions.iter_mut().filter(|row| row.op == Some(5)) {
            row.entry_hash = row.entry_hash.map(|hash| hash - 1);
        }
        assert_eq!(story.verdict(NAME).witness().unwrap().shape, "entry_at_two_ops");
    }

    #[test]
    fn a_replica_that_skips_by_state_transfer_leaves_no_gap() {
        let mut story = Story::clean(5);
        story.transitions.retain(|row| row.replica != 2 || !matches!(row.op, Some(2..=4)));
        assert!(story.verdict(NAME).is_pass());
    }

    #[test]
    fn nothing_committed_is_not_applicable_and_a_cut_off_run_passes() {
        assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
        let story = Story::clean(3);
        let seq = story.transitions.last().unwrap().seq;
        assert!(story.cut_off(seq - 5).verdict(NAME).is_pass());
    }
}
