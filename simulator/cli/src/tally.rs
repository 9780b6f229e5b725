//! What came of runs: counts, and one record for each failure.
//!
//! Sums of tallies are tallies: a batch, a scenario, a campaign and its checkpoint all count the same way.

use serde::{Deserialize, Serialize};

/// Counts over runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Runs simulated.
    pub runs: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs with at least one undecided invariant.
    pub undecided: u64,
    /// Runs in which a check of ours broke down.
    pub broken: u64,
    /// Runs of which it is known what their scenario promises.
    pub promised: u64,
    /// Runs that showed what the scenario promises.
    pub exercised: u64,
    /// Simulated events.
    pub events: u64,
    /// Recorded rows.
    pub rows: u64,
    /// Acknowledged operations.
    pub operations: u64,
    /// Facts that invariants tested.
    pub facts: u64,
    /// Time that threads spent simulating, nanoseconds.
    pub simulating_ns: u64,
    /// Time that threads spent checking, nanoseconds.
    pub checking_ns: u64,
}

impl Tally {
    /// Adds the counts of another tally. A sum that no number holds stays at the largest one: what a file claims may be anything.
    pub fn add(&mut self, other: &Self) {
        let Self { runs, failed, undecided, broken, promised, exercised, events, rows, operations, facts, simulating_ns, checking_ns } =
            other;
        for (sum, more) in [
            (&mut self.runs, runs),
            (&mut self.failed, failed),
            (&mut self.undecided, undecided),
            (&mut self.broken, broken),
            (&mut self.promised, promised),
            (&mut self.exercised, exercised),
            (&mut self.events, events),
            (&mut self.rows, rows),
            (&mut self.operations, operations),
            (&mut self.facts, facts),
            (&mut self.simulating_ns, simulating_ns),
            (&mut self.checking_ns, checking_ns),
        ] {
            *sum = sum.saturating_add(*more);
        }
    }

    /// Runs that did not fail.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.runs.saturating_sub(self.failed)
    }

    /// Whether at least nine of ten runs showed what the scenario promises.
    #[must_use]
    pub fn is_exercised(&self) -> bool {
        u128::from(self.exercised) * 10 >= u128::from(self.promised) * 9
    }

    /// Simulated events per second of one thread.
    #[must_use]
    pub fn events_per_second(&self) -> u64 {
        let per_second = u128::from(self.events) * 1_000_000_000 / u128::from(self.simulating_ns.max(1));
        u64::try_from(per_second).unwrap_or(u64::MAX)
    }
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// The violated invariant that comes first in the registry, or `panicked`, `stuck`, `determinism`.
    pub invariant: String,
    /// What is wrong, in one sentence.
    pub sentence: String,
    /// Further invariants that the run violates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Fingerprint of its group; none where nobody asked for it, and in what earlier versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Where the run's history was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_ten_runs_are_evidence_enough() {
        let tally = |exercised, promised| Tally { promised, exercised, ..Tally::default() };
        assert!(tally(9, 10).is_exercised());
        assert!(!tally(89, 100).is_exercised());
        assert!(!tally(0, 1).is_exercised());
    }

    #[test]
    fn sums_of_what_files_claim_stay_within_the_numbers() {
        let mut sum = Tally { runs: 3, promised: u64::MAX, exercised: u64::MAX, events: u64::MAX, ..Tally::default() };
        assert!(sum.is_exercised());
        sum.add(&Tally { runs: 1, events: 5, ..Tally::default() });
        assert_eq!((sum.runs, sum.events, sum.held()), (4, u64::MAX, 4));
        assert_eq!(Tally { runs: 1, failed: 2, ..Tally::default() }.held(), 0);
    }

    #[test]
    fn sums_count_everything() {
        let one = Tally {
            runs: 1,
            failed: 2,
            undecided: 3,
            broken: 4,
            promised: 12,
            exercised: 5,
            events: 6,
            rows: 7,
            operations: 8,
            facts: 9,
            simulating_ns: 10,
            checking_ns: 11,
        };
        let mut sum = one;
        sum.add(&one);
        let json = serde_json::to_value(sum).unwrap();
        for (name, value) in serde_json::to_value(one).unwrap().as_object().unwrap() {
            assert_eq!(json[name].as_u64(), value.as_u64().map(|value| 2 * value), "{name}");
        }
    }
}
