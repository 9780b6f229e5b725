//! `vsr_agreement`: no op number is committed with two different entries.
//!
//! It is the whole point of replication: replicas that commit different entries at one op number have diverged for ever.
//!
//! **Formally.** For all `committed` or `applied` transitions a, b of a run: a.op = b.op implies `a.entry_hash` =
//! `b.entry_hash`. Per op number, never per (view, op number): two replicas that commit different entries at one op number in
//! different views have diverged.
//!
//! **Evidence.** transition: replica, event, op, `entry_hash`.
//!
//! **Deliberately not checked.** Whether the commit was allowed (`quorum_commit`), whether equal entries lead to equal states
//! (`replica_consistency`), checkpoints that skip entries (`state_installed`: `replica_consistency`, `hash_chain`).

use crate::budget::Meter;
use crate::index::RunIndex;
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{Kind, TransitionEvent};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "vsr_agreement",
    version: 1,
    category: Category::Replication,
    reads: &[Reads { kind: Kind::Transition, columns: &["replica", "event", "op", "entry_hash"] }],
    statement: "no op number is committed with two different entry hashes, by any two replicas, in any views, before or after restarts",
    because_of: &["log_consistency", "hash_chain", "view_monotonicity", "vsr_recovery_safety", "quorum_commit", "vsr_view_change_safety"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nothing was committed", || commits(index, meter))
}

fn commits(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.transitions();
    let entries = index.entries();
    let mut ticker = meter.ticker();
    // Per op number, the row that committed it first, as row + 1.
    let mut first = vec![0_usize; index.ops()];
    let mut facts = 0;
    let (committed, applied) = (TransitionEvent::Committed as u8, TransitionEvent::Applied as u8);
    for row in index.transition_rows() {
        let event = table.event.codes[row];
        if event != committed && event != applied {
            continue;
        }
        ticker.step()?;
        let Some(entry) = entries.of_row(row) else { continue };
        let Some(op) = index.op_index(entries.op(entry)) else { continue };
        facts += 1;
        if first[op] == 0 {
            first[op] = row + 1;
        } else if entries.of_row(first[op] - 1) != Some(entry) {
            return Err(disagreement(index, first[op] - 1, row).into());
        }
    }
    Ok(facts)
}

fn disagreement(index: &RunIndex<'_>, first: usize, second: usize) -> Witness {
    let table = index.transitions();
    let op = table.op.0[first];
    let words = |row: usize| {
        let (replica, view, hash) = (table.replica[row], table.view[row], table.entry_hash.0[row]);
        format!("replica {replica} {} op {op} with hash {hash:016x} in view {view}", table.event.get(row))
    };
    let summary =
        format!("op {op} was committed with two different entries, by replicas {} and {}", table.replica[first], table.replica[second]);
    Witness::new("two_entries_at_one_op", summary)
        .step(index.transition_step(first, words(first)))
        .step(index.transition_step(second, words(second)))
}

#[cfg(test)]
mod tests {
    use crate::Verdict;
    use crate::testing::Story;
    use vopr_schema::TransitionEvent;

    #[test]
    fn a_clean_run_passes_once_per_commit_and_application() {
        assert_eq!(Story::clean(4).verdict("vsr_agreement").facts(), 4 * 3 * 2);
    }

    #[test]
    fn two_entries_at_one_op_in_different_views_are_a_violation() {
        let mut story = Story::clean(2);
        story.append_after(2, 3, 0, 0);
        story.commit(0, 3, 0, None);
        story.commit(2, 3, 5, None);
        let verdict = story.verdict("vsr_agreement");
        let witness = verdict.witness().expect("replicas 0 and 2 disagree");
        assert_eq!(witness.summary, "op 3 was committed with two different entries, by replicas 0 and 2");
        assert_eq!(witness.steps.len(), 2);
    }

    #[test]
    fn applying_again_after_a_restart_is_no_disagreement() {
        let mut story = Story::clean(3);
        story.crash(1);
        story.restart(1, |_| {});
        for op in 1..=3 {
            story.commit(1, op, 0, None);
        }
        assert!(story.verdict("vsr_agreement").is_pass());
    }

    #[test]
    fn the_first_rows_of_a_run_hold_nothing_to_check() {
        let story = Story::clean(2);
        let first = story.transitions.iter().find(|row| row.event == TransitionEvent::Committed).expect("it commits");
        assert_eq!(story.cut_off(first.seq).verdict("vsr_agreement"), Verdict::not_applicable("nothing was committed"));
        assert!(story.cut_off(first.seq + 3).verdict("vsr_agreement").is_pass());
    }

    #[test]
    fn an_external_history_is_not_applicable() {
        let mut story = Story::new(0);
        story.operation(|_| {});
        assert_eq!(story.verdict("vsr_agreement").name(), "not_applicable");
    }
}
