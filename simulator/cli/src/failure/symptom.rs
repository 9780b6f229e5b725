//! How a failing run fails, without any number of that run: what must stay the same when the run is made smaller.
//!
//! Two runs of one symptom break the same invariant with a witness of the same shape. A smaller run that breaks another one is
//! another failure, however interesting.

use crate::rig::JudgedRun;
use serde::{Deserialize, Serialize};
use vopr_checker::report::failure;
use vopr_checker::{RunVerdicts, Selection};
use vopr_schema::{Dictionary, Ended};
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
}

impl Symptom {
    /// How a run fails, if it does: a panic first, then the first root among its violations, then being stuck.
    #[must_use]
    pub fn of(summary: &RunSummary, verdicts: Option<&RunVerdicts>) -> Option<Self> {
        let detail = || summary.ended_detail.clone().unwrap_or_else(|| "no detail".to_owned());
        if summary.ended == Ended::Panicked {
            return Some(Self { invariant: summary.ended.name().to_owned(), shape: without_numbers(&detail()), sentence: detail() });
        }
        if let Some(root) = verdicts.and_then(failure).and_then(|failure| failure.findings.into_iter().next()) {
            return Some(Self { invariant: root.invariant.to_owned(), shape: root.witness.shape, sentence: root.witness.summary });
        }
        (summary.ended == Ended::Stuck).then(|| Self {
            invariant: summary.ended.name().to_owned(),
            shape: summary.ended.name().to_owned(),
            sentence: detail(),
        })
    }

    /// How a run of a campaign fails, if it does; also by a difference between two simulations.
    #[must_use]
    pub fn of_judged(run: &JudgedRun) -> Option<Self> {
        let told = run.failure.as_ref()?;
        let found = run.verdicts.as_ref().and_then(failure).and_then(|failure| failure.findings.into_iter().next());
        if let Some(root) = found.filter(|root| root.invariant == told.invariant) {
            return Some(Self { invariant: root.invariant.to_owned(), shape: root.witness.shape, sentence: root.witness.summary });
        }
        // A digest is a number too, whatever its letters.
        let by_name = [Ended::Stuck.name(), "determinism"].contains(&told.invariant.as_str());
        let shape = if by_name { told.invariant.clone() } else { without_numbers(&told.sentence) };
        Some(Self { invariant: told.invariant.clone(), shape, sentence: told.sentence.clone() })
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

    /// The invariants that have to be checked to see it: one, or none of a run that ends badly by itself.
    #[must_use]
    pub fn selection(&self) -> Selection {
        Selection::only(&[&self.invariant]).unwrap_or_else(|_| Selection::none())
    }

    /// Names the group that failures of this symptom belong to.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        vopr_checker::report::fingerprint(&self.invariant, &self.shape)
    }
}

/// A message with every run of digits replaced, so that two panics of one cause are equal.
fn without_numbers(text: &str) -> String {
    let mut shape = String::new();
    for letter in text.chars() {
        if !letter.is_ascii_digit() {
            shape.push(letter);
        } else if !shape.ends_with('#') {
            shape.push('#');
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_of_one_cause_are_one_symptom() {
        assert_eq!(without_numbers("log.rs:41: op 17 is not 1234"), without_numbers("log.rs:7: op 2 is not 3"));
        assert_ne!(without_numbers("op 17"), without_numbers("view 17"));
    }

    #[test]
    fn only_the_invariant_of_the_symptom_is_checked() {
        let symptom = |invariant: &str| Symptom { invariant: invariant.to_owned(), shape: String::new(), sentence: String::new() };
        assert_eq!(symptom("vsr_agreement").selection().ids().len(), 1);
        assert_eq!(symptom("panicked").selection().ids().len(), 0);
    }
}
