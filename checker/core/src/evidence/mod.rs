//! Proof that a run exercised what its scenario's name promises.
//!
//! A scenario that is only a name for a drop rate proves nothing. Each condition is tested on the recorded rows of one run,
//! never on what was planned.

mod attacks;
mod clients;
mod clocks;
mod conditions;
mod course;
mod damage;
mod membership;
mod progress;
mod promises;
mod scrubbing;
#[cfg(test)]
mod tests;
mod timers;
mod views;

use crate::index::RunIndex;
pub use promises::PROMISES;
use vopr_schema::Kind;

/// What one run shows of its scenario's promise.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Evidence {
    /// What is missing, in words; empty when all is there.
    pub missing: Vec<&'static str>,
}

impl Evidence {
    /// Whether nothing is missing.
    #[must_use]
    pub fn exercised(&self) -> bool {
        self.missing.is_empty()
    }
}

/// One condition over the rows of one run.
#[derive(Debug)]
pub struct Condition {
    /// What must have happened, in words.
    pub words: &'static str,
    /// Whether it did.
    pub holds: fn(&RunIndex<'_>) -> bool,
}

/// What a scenario's runs must show.
#[derive(Debug)]
pub struct Promise {
    /// Canonical name of the scenario.
    pub scenario: &'static str,
    /// All of these.
    pub conditions: &'static [Condition],
}

/// The kinds of rows that the conditions read.
pub const KINDS: [Kind; 5] = [Kind::Operation, Kind::Message, Kind::Transition, Kind::Storage, Kind::Fault];

/// Which of the protocol's ten timers fired in the run, by name: what `timeout_comprehensive` must show of all ten over its runs.
#[must_use]
pub fn timers_of_run(index: &RunIndex<'_>) -> Vec<&'static str> {
    timers::timers_fired(index)
}

/// What the run shows of its scenario's promise; none when the scenario is not in the table: then no evidence is asked.
///
/// A run of a user's own scenario names in its options the one whose evidence it is to show.
#[must_use]
pub fn of_run(index: &RunIndex<'_>) -> Option<Evidence> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Options {
        evidence_of: Option<String>,
    }
    let run = index.meta();
    let Options { evidence_of } = serde_json::from_str(&run.options).unwrap_or_default();
    let asked = evidence_of.as_deref().unwrap_or(&run.scenario);
    let promise = PROMISES.iter().find(|promise| promise.scenario == asked)?;
    let missing = promise.conditions.iter().filter(|condition| !(condition.holds)(index)).map(|condition| condition.words).collect();
    Some(Evidence { missing })
}
