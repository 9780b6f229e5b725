//! One line of a campaign's files: a JSON object that ends with a checksum of everything before it.
//!
//! A process that is killed leaves half a line at most. The checksum tells such a line, and any line that a disk or a person has
//! changed, from one that was written; readers of ordinary JSON lines see one field more and need not know.

use crate::tally::Tally;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name and version of the form; the version changes when a field is removed or changes its meaning.
pub const FORMAT: &str = "vopr-campaign/1";

/// What stands between the object and its checksum: 8 digits, then `"}`.
const CHECKSUM: &str = ",\"crc\":\"";

/// How the line of a run begins.
const RUN: &[u8] = b"{\"type\":\"run\",";

/// Length of everything behind the object's own fields.
const TAIL: usize = CHECKSUM.len() + 8 + 2;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// A process begins to work; always the first line of its file.
    Begin(Box<Begin>),
    /// A run was simulated and judged.
    Run(Box<RunLine>),
    /// A failing run was tried again.
    Rerun(Box<RerunLine>),
    /// A run is under way for long: should the process be killed for it, its seed is not lost.
    Slow(SlowLine),
    /// What was kept of a run is kept no more: runs that come before it in the plan, and ended after it, take its place.
    Dropped(DroppedLine),
    /// The process came to a clean end; always the last line.
    End(End),
}

/// The beginning of a process's work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// [`FORMAT`].
    pub format: String,
    /// What is worked on, so that a file explains itself; none of a process that only tries failures again.
    pub plan: Option<PlanRecord>,
    /// Version of the program.
    pub version: String,
    /// Its source commit.
    pub commit: String,
    /// Threads that simulate.
    pub threads: usize,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
}

/// What a campaign, or a shard of one, is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// [`FORMAT`].
    pub format: String,
    /// Unique: when it was made, its shard, and a drawn number.
    pub id: String,
    /// Names of the scenarios, in the order in which they take turns.
    pub scenarios: Vec<String>,
    /// The user's own scenarios among them: by name, the file in the directory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configs: BTreeMap<String, String>,
    /// First seed of every scenario, over all shards.
    pub seed: u64,
    /// Seeds of each scenario, over all shards; none when only time ends it.
    pub seeds: Option<u64>,
    /// Time for it, milliseconds, over all processes that work on it.
    pub for_ms: Option<u64>,
    /// This shard, from 1, and the number of shards: of the seeds it takes each `n`-th.
    pub shard: [u64; 2],
    /// What decides about the runs besides scenario and seed: words of a command line.
    pub options: Vec<String>,
    /// The same, and what stands in the user's own scenarios: runs of equal families, scenarios and seeds are equal.
    pub family: String,
    /// How it is judged: further words of a command line.
    pub judgement: Vec<String>,
    /// Of the runs that hold and are not rare, one in so many keeps its rows; 0 for none.
    pub sample: u64,
    /// A run is rare when it is among the first so many, in the order of the plan, that show some situation.
    pub rare: u64,
    /// Failing runs of one group that are kept as bundles: the first so many in the order of the plan.
    pub bundles: u64,
    /// When it was made, milliseconds since 1970.
    pub at_ms: u64,
    /// Version and commit of the program that made it.
    pub program: String,
}

/// What came of a run, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing was violated.
    Held,
    /// It was simulated, and not checked.
    Unchecked,
    /// Some invariant could not be decided, and none was violated.
    Undecided,
    /// An invariant was violated, or the run panicked, got stuck, or was not the same twice.
    Failed,
    /// A check of ours broke down, and nothing was violated.
    Broken,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLine {
    /// Scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// How it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureLine>,
    /// Invariants that could not be decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undecided: Vec<String>,
    /// What the run lacks of its scenario's promise; none when no evidence is asked.
    pub missing: Option<Vec<String>>,
    /// Simulated events.
    pub events: u64,
    /// Recorded rows.
    pub rows: u64,
    /// Acknowledged operations.
    pub operations: u64,
    /// Facts that invariants tested.
    pub facts: u64,
    /// Time spent simulating, nanoseconds.
    pub simulating_ns: u64,
    /// Time spent checking, nanoseconds.
    pub checking_ns: u64,
    /// CPU time of both, nanoseconds.
    pub cpu_ns: u64,
    /// How often each situation came about, by name.
    pub situations: BTreeMap<String, u64>,
    /// First half of the run's digest, in hexadecimal digits; none of a run that was not recorded.
    pub digest: Option<String>,
    /// Where its bundle or its rows lie, from the directory on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// When it ended, milliseconds since 1970.
    pub at_ms: u64,
}

/// How a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureLine {
    /// Equal for failures of one cause: the likeliest proven cause; of a run without one, the invariant and the rule of it that is broken.
    pub fingerprint: String,
    /// Causes that the run's rows prove, the likeliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// The violated invariant that nothing else explains, or `panicked`, `stuck`, `determinism`.
    pub invariant: String,
    /// What is wrong, in one sentence.
    pub sentence: String,
    /// Further invariants that the run violates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

/// A failing run that was tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RerunLine {
    /// Its family.
    pub family: String,
    /// Scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// How it failed before.
    pub was: String,
    /// How it fails now; none when it holds.
    pub now: Option<FailureLine>,
    /// Whether it was repeated from its bundle, faults and operations included, or drawn again from its seed.
    pub from_bundle: bool,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
}

/// A run that is under way for long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowLine {
    /// Scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// Since when, milliseconds since 1970.
    pub since_ms: u64,
    /// When that was seen, milliseconds since 1970.
    pub at_ms: u64,
}

/// What is kept no more of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedLine {
    /// Scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// Where its bundle or its rows lay, from the directory on.
    pub file: String,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
}

/// The end of a process's work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// `done`, `time`, `interrupted`, or what made it impossible to go on.
    pub why: String,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
}

impl PlanRecord {
    /// Whether this program can work with it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let [shard, shards] = self.shard;
        if self.format != FORMAT {
            return Err(format!("its form is {}, this program knows {FORMAT}", self.format));
        }
        if !(1..=shards).contains(&shard) {
            return Err(format!("there is no shard {shard} of {shards}"));
        }
        Ok(())
    }

    /// Seeds of each scenario that this shard takes; none when only time ends it.
    #[must_use]
    pub fn seeds_of_shard(&self) -> Option<u64> {
        let [shard, shards] = self.shard;
        self.seeds.map(|seeds| seeds / shards + u64::from(seeds % shards >= shard))
    }

    /// The seed that this shard takes at this place of its list, if there is one: each `n`-th of all.
    #[must_use]
    pub fn seed_at(&self, index: u64) -> Option<u64> {
        let [shard, shards] = self.shard;
        if self.seeds_of_shard().is_some_and(|seeds| index >= seeds) {
            return None;
        }
        index.checked_mul(shards)?.checked_add(shard - 1)?.checked_add(self.seed)
    }

    /// When a run's turn comes: by seed, and of equal seeds in the order of the scenarios. None of a run that is not the plan's.
    #[must_use]
    pub fn turn_of(&self, scenario: &str, seed: u64) -> Option<u64> {
        let index = self.index_of(seed).filter(|index| self.seeds_of_shard().is_none_or(|seeds| *index < seeds))?;
        let place = self.scenarios.iter().position(|name| name == scenario)? as u64;
        index.checked_mul(self.scenarios.len() as u64)?.checked_add(place)
    }

    /// The place of a seed in this shard's list, if it takes it.
    #[must_use]
    pub fn index_of(&self, seed: u64) -> Option<u64> {
        let [shard, shards] = self.shard;
        let place = seed.checked_sub(self.seed)?;
        (place % shards == shard - 1).then_some(place / shards)
    }
}

impl RunLine {
    /// The run as counts.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let is = |outcome: Outcome| u64::from(self.outcome == outcome);
        Tally {
            runs: 1,
            failed: is(Outcome::Failed),
            undecided: u64::from(!self.undecided.is_empty()),
            broken: is(Outcome::Broken),
            promised: u64::from(self.missing.is_some()),
            exercised: u64::from(self.missing.as_ref().is_some_and(Vec::is_empty)),
            events: self.events,
            rows: self.rows,
            operations: self.operations,
            facts: self.facts,
            simulating_ns: self.simulating_ns,
            checking_ns: self.checking_ns,
        }
    }
}

/// Why a line is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It has no checksum at its end.
    #[error("no checksum at the end of the line")]
    NoChecksum,
    /// Some byte has changed.
    #[error("the checksum is {found}, and the line has {expected}")]
    Checksum {
        /// What the line says.
        found: String,
        /// What its bytes have.
        expected: String,
    },
    /// The checksum is right, and the object is none that this program knows.
    #[error("not a line of this version: {0}")]
    Unknown(String),
}

impl Line {
    /// The line as text, its end included.
    #[must_use]
    pub fn text(&self) -> String {
        sealed(self)
    }

    /// Reads a line, without its end.
    ///
    /// # Errors
    /// When it is not what was written.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        let object = unsealed(line)?;
        let unknown = |error: serde_json::Error| LineError::Unknown(error.to_string());
        // Nearly all lines are runs: their kind is seen at once, without looking through the whole object for it.
        if object.starts_with(RUN) {
            return serde_json::from_slice(&object).map(|run| Self::Run(Box::new(run))).map_err(unknown);
        }
        serde_json::from_slice(&object).map_err(unknown)
    }
}

/// An object as a line with its checksum.
fn sealed(object: &impl Serialize) -> String {
    let mut text = serde_json::to_string(object).expect("objects with text keys can be written");
    // The closing brace comes behind the checksum.
    text.pop();
    let crc = crc32fast::hash(text.as_bytes());
    format!("{text}{CHECKSUM}{crc:08x}\"}}\n")
}

/// The object of a line whose checksum holds, without the checksum.
fn unsealed(line: &[u8]) -> Result<Vec<u8>, LineError> {
    let place = line.len().checked_sub(TAIL).ok_or(LineError::NoChecksum)?;
    let (object, tail) = line.split_at(place);
    let crc = tail.strip_prefix(CHECKSUM.as_bytes()).and_then(|tail| tail.strip_suffix(b"\"}")).ok_or(LineError::NoChecksum)?;
    let (found, expected) = (String::from_utf8_lossy(crc).into_owned(), format!("{:08x}", crc32fast::hash(object)));
    if found != expected {
        return Err(LineError::Checksum { found, expected });
    }
    Ok([object, b"}"].concat())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn run_line(scenario: &str, seed: u64) -> RunLine {
        RunLine {
            scenario: scenario.to_owned(),
            seed,
            outcome: Outcome::Held,
            failure: None,
            undecided: Vec::new(),
            missing: Some(Vec::new()),
            events: 100 + seed,
            rows: 5,
            operations: 4,
            facts: 3,
            simulating_ns: 2_000,
            checking_ns: 1_000,
            cpu_ns: 2_500,
            situations: BTreeMap::from([("log_trimmed".to_owned(), 2)]),
            digest: Some("00".repeat(16)),
            file: None,
            at_ms: 1_796_000_000_000 + seed * 1000,
        }
    }

    #[test]
    fn what_was_written_is_read_again() {
        let line = Line::Run(Box::new(RunLine { seed: u64::MAX, ..run_line("a \"quoted\" name", 7) }));
        let text = line.text();
        assert!(text.ends_with("\"}\n") && text.matches('\n').count() == 1);
        assert_eq!(Line::parse(text.trim_end().as_bytes()), Ok(line));
        let plain: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&plain["type"], plain["crc"].as_str().map(str::len)), (&serde_json::json!("run"), Some(8)));
    }

    pub(crate) fn plan(seed: u64, seeds: Option<u64>, shard: [u64; 2]) -> PlanRecord {
        PlanRecord {
            format: FORMAT.to_owned(),
            id: format!("p{}", shard[0]),
            scenarios: vec!["baseline".to_owned()],
            configs: BTreeMap::new(),
            seed,
            seeds,
            for_ms: None,
            shard,
            options: Vec::new(),
            family: "f".to_owned(),
            judgement: Vec::new(),
            sample: 0,
            rare: 0,
            bundles: 0,
            at_ms: 0,
            program: String::new(),
        }
    }

    #[test]
    fn shards_take_every_seed_once() {
        for (seeds, shards) in [(0, 1), (1, 3), (10, 1), (10, 3), (3, 16), (32, 16)] {
            let mut taken = Vec::new();
            for shard in 1..=shards {
                let plan = plan(5, Some(seeds), [shard, shards]);
                let own: Vec<u64> = (0..).map_while(|index| plan.seed_at(index)).collect();
                assert_eq!(own.len() as u64, plan.seeds_of_shard().unwrap());
                assert!(own.iter().enumerate().all(|(index, seed)| plan.index_of(*seed) == Some(index as u64)), "{own:?}");
                taken.extend(own);
            }
            taken.sort_unstable();
            assert_eq!(taken, (5..5 + seeds).collect::<Vec<_>>(), "{seeds} seeds, {shards} shards");
        }
        assert_eq!(plan(5, None, [2, 3]).seed_at(7), Some(5 + 7 * 3 + 1));
        assert_eq!((plan(5, None, [2, 3]).index_of(7), plan(5, None, [2, 3]).index_of(4)), (None, None));
        let two = PlanRecord { scenarios: vec!["b".to_owned(), "a".to_owned()], ..plan(5, Some(6), [2, 3]) };
        let turns = [("b", 6), ("a", 6), ("b", 9), ("b", 7), ("b", 12), ("c", 6)].map(|(scenario, seed)| two.turn_of(scenario, seed));
        assert_eq!(turns, [Some(0), Some(1), Some(2), None, None, None]);
        assert_eq!(plan(u64::MAX - 1, None, [1, 1]).seed_at(2), None);
        assert_eq!(plan(0, Some(u64::MAX), [1, u64::MAX]).seeds_of_shard(), Some(1));
        assert!(plan(1, None, [0, 1]).check().is_err() && plan(1, None, [3, 2]).check().is_err());
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let text = Line::Run(Box::new(run_line("baseline", 7))).text();
        let whole = text.trim_end().as_bytes();
        for end in 0..whole.len() {
            assert!(Line::parse(&whole[..end]).is_err(), "cut at {end}");
        }
        for place in 0..whole.len() {
            let mut flipped = whole.to_vec();
            flipped[place] ^= 1 << (place % 7);
            assert!(Line::parse(&flipped).is_err(), "flip at {place}");
        }
    }

    #[test]
    fn the_line_of_a_run_begins_as_the_reader_expects() {
        assert!(Line::Run(Box::new(run_line("baseline", 7))).text().as_bytes().starts_with(RUN));
    }

    #[test]
    fn a_line_of_a_later_version_is_told_apart_from_a_damaged_one() {
        let text = sealed(&serde_json::json!({ "type": "invented" }));
        assert!(matches!(Line::parse(text.trim_end().as_bytes()), Err(LineError::Unknown(_))));
    }
}
