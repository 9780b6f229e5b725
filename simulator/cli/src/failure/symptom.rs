//! How a failing run fails, without any number of that run: what must stay the same when the run is made smaller.
//!
//! Two runs of one symptom break the same invariant with a witness of the same shape. A smaller run that breaks another one is
//! another failure, however interesting.

use crate::rig::JudgedRun;
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use vopr_checker::report::{failure, without_numbers};
use vopr_checker::{Finding, RunVerdicts};
use vopr_schema::{Dictionary, Ended, History};
use vopr_sim::RunSummary;

/// How a run fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symptom {
    /// The broken invariant that no other one explains, or `panicked`, `stuck`.
    pub invariant: String,
    /// Shape of its witness; of a panic its message without numbers.
    pub shape: String,
    /// What is wrong, in one sentence of that very run.
    pub sentence: String,
    /// The likeliest of the causes that the rows prove, by name; none of a run without one, or whose causes were not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl Symptom {
    /// How a run fails, if it does: a panic first, then the first root among its violations, then being stuck.
    #[must_use]
    pub fn of(summary: &RunSummary, verdicts: Option<&RunVerdicts>) -> Option<Self> {
        let detail = || summary.ended_detail.clone().unwrap_or_else(|| "no detail".to_owned());
        if summary.ended == Ended::Panicked {
            return Some(Self {
                invariant: summary.ended.name().to_owned(),
                shape: without_numbers(&detail()),
                sentence: detail(),
                cause: None,
            });
        }
        if let Some(root) = verdicts.and_then(failure).and_then(|failure| failure.findings.into_iter().next()) {
            return Some(Self::of_root(root, None));
        }
        (summary.ended == Ended::Stuck).then(|| Self {
            invariant: summary.ended.name().to_owned(),
            shape: summary.ended.name().to_owned(),
            sentence: detail(),
            cause: None,
        })
    }

    /// How a run of a campaign fails, if it does; also by a difference between two simulations.
    #[must_use]
    pub fn of_judged(run: &JudgedRun) -> Option<Self> {
        let told = run.failure.as_ref()?;
        let cause = run.causes.first().map(|cause| (*cause).to_owned());
        let found = run.verdicts.as_ref().and_then(failure).and_then(|failure| failure.findings.into_iter().next());
        if let Some(root) = found.filter(|root| root.invariant == told.invariant) {
            return Some(Self::of_root(root, cause));
        }
        // A digest is a number too, whatever its letters.
        let by_name = [Ended::Stuck.name(), "determinism"].contains(&told.invariant.as_str());
        let shape = if by_name { told.invariant.clone() } else { without_numbers(&told.sentence) };
        // Neither a panic nor a difference between two simulations is explained by the rows of one.
        let cause = cause.filter(|_| told.invariant == Ended::Stuck.name());
        Some(Self { invariant: told.invariant.clone(), shape, sentence: told.sentence.clone(), cause })
    }

    fn of_root(root: Finding, cause: Option<String>) -> Self {
        Self { invariant: root.invariant.to_owned(), shape: root.witness.shape, sentence: root.witness.summary, cause }
    }

    /// The symptom with the cause that the rows of its run prove.
    #[must_use]
    pub fn explained(self, history: &History) -> Self {
        if self.invariant == Ended::Panicked.name() || history.runs.is_empty() {
            return self;
        }
        let proven = catch_unwind(AssertUnwindSafe(|| crate::diagnose::proven(history, 0))).unwrap_or_default();
        Self { cause: proven.first().map(|cause| (*cause).to_owned()), ..self }
    }

    /// Whether another run fails the same way.
    #[must_use]
    pub fn is_shown_by(&self, summary: &RunSummary, verdicts: Option<&RunVerdicts>) -> bool {
        if self.invariant == Ended::Panicked.name() {
            let detail = summary.ended_detail.as_deref().unwrap_or_default();
            return summary.ended == Ended::Panicked && without_numbers(detail) == self.shape;
        }
        if self.invariant == Ended::Stuck.name() {
            return summary.ended == Ended::Stuck;
        }
        let mut all = verdicts.iter().flat_map(|run| &run.verdicts);
        all.any(|(id, verdict)| id.name() == self.invariant && verdict.witness().is_some_and(|witness| witness.shape == self.shape))
    }

    /// Whether two runs fail alike: by one invariant, with witnesses of one shape.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.invariant, &self.shape) == (&other.invariant, &other.shape)
    }

    /// Names the group that failures of this symptom belong to: by the cause that is proven, and else by the rule of the invariant
    /// that is broken.
    ///
    /// One cause breaks one invariant in this run and another one in that, and two causes may break the same: what the rows prove
    /// tells bugs apart better than what follows from it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        match &self.cause {
            Some(cause) => cause.clone(),
            None => vopr_checker::report::fingerprint(&self.invariant, rule(&self.invariant, &self.shape)),
        }
    }
}

/// The rule that a witness of this shape shows broken: its shape without what a run's draws decide, such as which field of a damaged
/// entry differs first, or which kind of data was read too old.
fn rule<'a>(invariant: &str, shape: &'a str) -> &'a str {
    match invariant {
        "log_consistency" if shape.starts_with("contradiction_") => "contradiction",
        "linearizability" if shape.ends_with("_stale") || shape.ends_with("_no_order") => "no_order",
        "monotonic_reads" if shape.starts_with("went_back_") || shape.starts_with("stream_") => "went_back",
        "read_your_writes" if shape.starts_with("own_") => "own_write_not_seen",
        _ => shape,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symptom(invariant: &str, shape: &str, cause: Option<&str>) -> Symptom {
        let (invariant, shape) = (invariant.to_owned(), shape.to_owned());
        Symptom { invariant, shape, sentence: String::new(), cause: cause.map(str::to_owned) }
    }

    #[test]
    fn a_group_is_called_by_its_cause_and_else_by_the_broken_rule() {
        let print = |invariant: &str, shape: &str, cause: Option<&str>| symptom(invariant, shape, cause).fingerprint();
        let stale = Some("deposed_primary_answered");
        assert_eq!(print("linearizability", "key_stale", stale), print("monotonic_reads", "went_back_to_absent", stale));
        assert_ne!(print("quorum_commit", "below_quorum", Some("votes_counted_twice")), print("quorum_commit", "below_quorum", None));
        for (invariant, one, other) in [
            ("log_consistency", "contradiction_client", "contradiction_timestamp"),
            ("linearizability", "key_stale", "accounts_no_order"),
            ("monotonic_reads", "went_back_to_absent", "stream_gone"),
            ("read_your_writes", "own_write_missing", "own_append_missing"),
        ] {
            assert_eq!(print(invariant, one, None), print(invariant, other, None), "{invariant}");
        }
        for (invariant, one, other) in [
            ("log_consistency", "contradiction_client", "tail_not_as_claimed"),
            ("linearizability", "key_no_order", "key_value_never_written"),
            ("data_correctness", "wrong_answer_balance", "wrong_answer_read_modify_write"),
        ] {
            assert_ne!(print(invariant, one, None), print(invariant, other, None), "{invariant}");
        }
        assert_ne!(print("linearizability", "key_stale", None), print("serializability", "key_stale", None));
    }

    #[test]
    fn panics_of_one_cause_are_one_symptom() {
        assert_eq!(without_numbers("log.rs:41: op 17 is not 1234"), without_numbers("log.rs:7: op 2 is not 3"));
        assert_ne!(without_numbers("op 17"), without_numbers("view 17"));
    }

    #[test]
    fn what_a_run_says_in_numbers_does_not_make_another_failure() {
        let first = Symptom { sentence: "op 7".to_owned(), ..symptom("vsr_agreement", "two_hashes", None) };
        assert!(first.is_like(&symptom("vsr_agreement", "two_hashes", None)));
        assert!(!first.is_like(&symptom("vsr_agreement", "gap", None)) && !first.is_like(&symptom("hash_chain", "two_hashes", None)));
    }
}
