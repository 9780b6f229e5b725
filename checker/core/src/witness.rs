//! The few rows that contradict each other, in words a person can follow.
//!
//! A violation without rows would have to be believed; a witness can be looked up in the history by anyone.

use serde::{Deserialize, Serialize};
use vopr_schema::{Dictionary, Kind};

/// Why an invariant is broken in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// What is wrong, in one sentence with its numbers.
    pub summary: String,
    /// What is wrong without any number: equal for two failures of one cause, so that failures can be grouped.
    pub shape: String,
    /// The rows that prove it, in the order in which they tell the story.
    pub steps: Vec<Step>,
}

/// One row of a witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Kind of the row.
    #[serde(serialize_with = "kind_name", deserialize_with = "kind_named")]
    pub kind: Kind,
    /// Its position in the run's order.
    pub seq: u64,
    /// What it says, as a part of the story.
    pub words: String,
    /// When, nanoseconds of virtual time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ns: Option<u64>,
    /// On which replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<u8>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference to serialize_with")]
fn kind_name<S: serde::Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

fn kind_named<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    let name = String::deserialize(deserializer)?;
    Kind::parse(&name).ok_or_else(|| serde::de::Error::custom(format!("no kind of rows is called `{name}`")))
}

impl Witness {
    /// A witness without rows yet. `shape` must hold nothing that differs between two failures of one cause.
    pub fn new(shape: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), shape: shape.into(), steps: Vec::new() }
    }

    /// Adds a row to the story.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Adds a row to the story, if there is one.
    #[must_use]
    pub fn step_if(mut self, step: Option<Step>) -> Self {
        self.steps.extend(step);
        self
    }

    /// Adds rows to the story.
    #[must_use]
    pub fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }
}

impl Step {
    /// A row known by kind and position only.
    pub fn new(kind: Kind, seq: u64, words: impl Into<String>) -> Self {
        Self { kind, seq, words: words.into(), time_ns: None, replica: None }
    }

    /// The same with its virtual time.
    #[must_use]
    pub fn at(mut self, time_ns: u64) -> Self {
        self.time_ns = Some(time_ns);
        self
    }

    /// The same with its replica.
    #[must_use]
    pub fn on(mut self, replica: u8) -> Self {
        self.replica = Some(replica);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_serializes_with_the_words_of_the_format() {
        let witness = Witness::new("two_hashes", "op 7 was committed twice").step(Step::new(Kind::Transition, 9, "first").at(5).on(2));
        let json = serde_json::to_value(&witness).unwrap();
        assert_eq!(json["steps"][0]["kind"], "transition");
        assert_eq!(json["steps"][0]["replica"], 2);
    }
}
