//! Failures of one cause: what a person wants to see first of a campaign.
//!
//! A group is known by its fingerprint: the cause that the rows prove, and where none is proven the violated invariant and the rule of it
//! that is broken, without any number of the run.

use super::Day;
use super::known::{Known, KnownFailure};
use super::line::FailureLine;
use std::collections::{BTreeMap, BTreeSet};

/// A failing run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingRun {
    /// What decides about the run besides scenario and seed; see [`super::PlanRecord::family`].
    pub family: String,
    /// Scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// The violated invariant that nothing else explains, or `panicked`, `stuck`, `determinism`.
    pub invariant: String,
    /// Simulated events: how long the run is.
    pub events: u64,
    /// Its bundle, from the directory on, when one was kept.
    pub file: Option<String>,
    /// What is wrong, in one sentence.
    pub sentence: String,
    /// When it was found, milliseconds since 1970.
    pub at_ms: u64,
    /// Source commit of the program that found it.
    pub commit: String,
}

impl FailingRun {
    /// What names the run among all of a directory.
    #[must_use]
    pub fn key(&self) -> RunKey {
        (self.family.clone(), self.scenario.clone(), self.seed)
    }
}

/// Family, scenario and seed.
pub type RunKey = (String, String, u64);

/// Failures of one fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Fingerprint.
    pub fingerprint: String,
    /// Invariants that some of the runs violate.
    pub violated: BTreeSet<String>,
    /// Causes that runs prove, and how many do.
    pub causes: BTreeMap<String, u64>,
    /// The runs, never none.
    pub runs: Vec<FailingRun>,
}

impl Group {
    pub(super) fn new(failure: &FailureLine) -> Self {
        let fingerprint = failure.fingerprint.clone();
        Self { fingerprint, violated: BTreeSet::new(), causes: BTreeMap::new(), runs: Vec::new() }
    }

    pub(super) fn add(&mut self, failure: &FailureLine, run: FailingRun) {
        self.violated.extend(failure.also.iter().chain([&failure.invariant]).cloned());
        for cause in &failure.causes {
            *self.causes.entry(cause.clone()).or_default() += 1;
        }
        self.runs.push(run);
    }

    /// The violated invariant of the first run, or `panicked`, `stuck`, `determinism`.
    #[must_use]
    pub fn invariant(&self) -> &str {
        &self.first().invariant
    }

    /// Whether it is called by a cause that its rows prove.
    #[must_use]
    pub fn is_by_cause(&self) -> bool {
        self.causes.contains_key(&self.fingerprint)
    }

    /// Invariants that some of the runs violate, besides the one of the first run.
    pub fn also(&self) -> impl Iterator<Item = &str> {
        self.violated.iter().map(String::as_str).filter(|name| *name != self.invariant())
    }

    /// Number of runs.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.runs.len() as u64
    }

    /// The run with the lowest seed; of several scenarios the one whose name comes first.
    ///
    /// # Panics
    /// Never: a group begins with a run.
    #[must_use]
    pub fn first(&self) -> &FailingRun {
        self.runs.iter().min_by_key(|run| (run.seed, &run.scenario)).expect("a group begins with a run")
    }

    /// The run with the fewest simulated events, which does not depend on the machine; of several the one with the lowest seed.
    ///
    /// # Panics
    /// Never: a group begins with a run.
    #[must_use]
    pub fn fastest(&self) -> &FailingRun {
        self.runs.iter().min_by_key(|run| (run.events, run.seed, &run.scenario)).expect("a group begins with a run")
    }

    /// The run to begin with: the fastest of those with a bundle, or the fastest.
    #[must_use]
    pub fn easiest(&self) -> &FailingRun {
        let kept = self.runs.iter().filter(|run| run.file.is_some());
        kept.min_by_key(|run| (run.events, run.seed, &run.scenario)).unwrap_or_else(|| self.fastest())
    }

    /// When one of them was found first, milliseconds since 1970.
    #[must_use]
    pub fn since_ms(&self) -> u64 {
        self.runs.iter().map(|run| run.at_ms).min().unwrap_or_default()
    }

    /// Source commits of the programs that found them, in the order of time.
    #[must_use]
    pub fn commits(&self) -> Vec<&str> {
        let mut runs: Vec<&FailingRun> = self.runs.iter().collect();
        runs.sort_by_key(|run| run.at_ms);
        let mut seen = BTreeSet::new();
        runs.into_iter().map(|run| run.commit.as_str()).filter(|commit| seen.insert(*commit)).collect()
    }

    /// Runs by scenario.
    #[must_use]
    pub fn scenarios(&self) -> BTreeMap<&str, u64> {
        let mut scenarios = BTreeMap::new();
        for run in &self.runs {
            *scenarios.entry(run.scenario.as_str()).or_default() += 1;
        }
        scenarios
    }
}

/// What is to be thought of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Nobody has written it down.
    New,
    /// It was known until this day, and the day is over.
    Expired(Day),
    /// It is known until this day.
    Known(Day),
    /// Every run of it held when it was tried again with the program of this commit.
    Fixed(String),
}

impl Status {
    /// The word for it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Expired(_) => "expired",
            Self::Known(_) => "known",
            Self::Fixed(_) => "fixed",
        }
    }

    /// Whether it makes a campaign fail.
    #[must_use]
    pub const fn is_alarming(&self) -> bool {
        matches!(self, Self::New | Self::Expired(_))
    }

    /// The status of a fingerprint on a day. `fixed`: the commit with which all of its runs hold.
    #[must_use]
    pub fn of(fingerprint: &str, known: &Known, fixed: Option<String>, today: Day) -> Self {
        match (fixed, known.get(fingerprint)) {
            (Some(commit), _) => Self::Fixed(commit),
            (None, None) => Self::New,
            (None, Some(KnownFailure { expires, .. })) if *expires < today => Self::Expired(*expires),
            (None, Some(KnownFailure { expires, .. })) => Self::Known(*expires),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn failure(fingerprint: &str, invariant: &str, causes: &[&str]) -> FailureLine {
        let causes = causes.iter().map(|cause| (*cause).to_owned()).collect();
        let (fingerprint, invariant) = (fingerprint.to_owned(), invariant.to_owned());
        FailureLine { fingerprint, causes, invariant, sentence: String::new(), also: Vec::new() }
    }

    pub(in super::super) fn run(scenario: &str, seed: u64, events: u64, file: bool) -> FailingRun {
        FailingRun {
            family: String::new(),
            scenario: scenario.to_owned(),
            seed,
            invariant: "i".to_owned(),
            events,
            file: file.then(|| "failures/x".to_owned()),
            sentence: String::new(),
            at_ms: 100 - seed,
            commit: format!("c{}", seed / 10),
        }
    }

    #[test]
    fn the_first_and_the_fastest_run_do_not_depend_on_the_order_of_finding() {
        let failure = failure("f", "i", &[]);
        let mut group = Group::new(&failure);
        group.runs = vec![run("b", 9, 70, false), run("a", 9, 80, true), run("a", 31, 50, false), run("a", 12, 60, true)];
        for _ in 0..4 {
            group.runs.rotate_left(1);
            assert_eq!((group.first().seed, group.first().scenario.as_str()), (9, "a"));
            assert_eq!((group.fastest().seed, group.easiest().seed), (31, 12));
            assert_eq!(group.commits(), ["c3", "c1", "c0"]);
        }
        assert_eq!(group.scenarios(), BTreeMap::from([("a", 3), ("b", 1)]));
    }
}
