//! What one invariant says about one run.
//!
//! A verdict is a value with evidence; rendering happens elsewhere. "I do not know" is a verdict of its own, and a pass that
//! checked nothing cannot be built: without facts an invariant is not applicable.

use crate::budget::Exhausted;
use crate::witness::Witness;
use core::num::NonZeroU64;
use serde::Serialize;

/// What one invariant says about one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It held in each of `facts` instances.
    Pass {
        /// How often the statement was tested.
        facts: NonZeroU64,
    },
    /// It was broken; the witness shows the rows that contradict each other.
    Violation(Witness),
    /// It could not be decided: a limit was reached, or the history lacks what it needs.
    Unknown {
        /// Which limit, or what is missing.
        reason: String,
    },
    /// The run has nothing of that kind.
    NotApplicable {
        /// What it would have needed to be applicable.
        reason: String,
    },
}

impl Verdict {
    /// A pass over `facts` facts, or "not applicable" for the reason `nothing` when there were none.
    #[must_use]
    pub fn from_facts(facts: u64, nothing: &str) -> Self {
        NonZeroU64::new(facts).map_or_else(|| Self::not_applicable(nothing), |facts| Self::Pass { facts })
    }

    /// The verdict of a check that stops early with `?`: its facts when it came to its end, else the verdict it stopped with.
    ///
    /// `nothing` says what the run lacks when there were no facts at all.
    pub fn decide(nothing: &str, check: impl FnOnce() -> Decision) -> Self {
        match check() {
            Ok(facts) => Self::from_facts(facts, nothing),
            Err(verdict) => *verdict,
        }
    }

    /// Shorthand for an unknown verdict.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into() }
    }

    /// Shorthand for a run without anything to check.
    pub fn not_applicable(reason: impl Into<String>) -> Self {
        Self::NotApplicable { reason: reason.into() }
    }

    /// The witness, if this is a violation.
    #[must_use]
    pub fn witness(&self) -> Option<&Witness> {
        match self {
            Self::Violation(witness) => Some(witness),
            _ => None,
        }
    }

    /// Whether this is a violation.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        matches!(self, Self::Violation(_))
    }

    /// Whether this is a pass.
    #[must_use]
    pub fn is_pass(&self) -> bool {
        matches!(self, Self::Pass { .. })
    }

    /// Whether the invariant itself broke down: a bug of the checker, not a property of the history.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Unknown { reason } if reason.starts_with(INTERNAL))
    }

    /// Number of facts of a pass, else 0.
    #[must_use]
    pub fn facts(&self) -> u64 {
        match self {
            Self::Pass { facts } => facts.get(),
            _ => 0,
        }
    }

    /// The word for it in tables and files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "pass",
            Self::Violation(_) => "violation",
            Self::Unknown { .. } => "unknown",
            Self::NotApplicable { .. } => "not_applicable",
        }
    }
}

/// What the reason of an unknown verdict begins with when the invariant itself broke down.
pub const INTERNAL: &str = "internal: ";

/// How a check ends: with the number of facts it tested, or early with a verdict.
pub type Decision = Result<u64, Box<Verdict>>;

impl From<Witness> for Box<Verdict> {
    fn from(witness: Witness) -> Self {
        Box::new(Verdict::Violation(witness))
    }
}

impl From<Exhausted> for Verdict {
    fn from(exhausted: Exhausted) -> Self {
        Self::unknown(exhausted.to_string())
    }
}

impl From<Exhausted> for Box<Verdict> {
    fn from(exhausted: Exhausted) -> Self {
        Self::new(exhausted.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_facts_is_not_a_pass() {
        assert_eq!(Verdict::from_facts(0, "no commits"), Verdict::not_applicable("no commits"));
        assert_eq!(Verdict::from_facts(3, "no commits").facts(), 3);
        assert_eq!(Verdict::decide("no commits", || Ok(0)).name(), "not_applicable");
    }

    #[test]
    fn an_exhausted_budget_is_unknown_with_its_reason() {
        let verdict = Verdict::decide("nothing", || {
            Err(Exhausted::Cancelled)?;
            Ok(1)
        });
        assert_eq!(verdict, Verdict::unknown("cancelled"));
    }
}
