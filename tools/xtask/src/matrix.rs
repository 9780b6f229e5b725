//! The detection matrix: which invariants fire on the first seed that exposes each seeded bug.
//!
//! Committed as a text file, so that a checker that goes blind, or a guard that no longer matters, shows as a difference.

use crate::root;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use vopr_checker::budget::Budget;
use vopr_checker::check::check_run;
use vopr_checker::registry::Selection;
use vopr_checker::verdict::Verdict;
use vopr_schema::History;
use vopr_sim::Simulator;
use vopr_sim::bugs::SeededBug;
use vopr_sim::scenario::Scenario;

/// A bug that is not caught within so many seeds is a defect of its scenario or of the checker.
pub const SEEDS_MAX: u64 = 1_000;

/// One row: the first seed of a bug's scenario on which one of its invariants fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// Name of the bug.
    pub bug: String,
    /// Scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// All invariants that fire, in the order of the registry.
    pub fired: Vec<String>,
}

impl Detection {
    /// The line of the committed file.
    #[must_use]
    pub fn to_line(&self) -> String {
        format!("{}\t{}\t{}\t{}", self.bug, self.scenario, self.seed, self.fired.join(","))
    }

    /// Reads a line of the committed file.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let mut next = || fields.next().map(str::to_owned);
        let (bug, scenario, seed, fired) = (next()?, next()?, next()?, next()?);
        Some(Self { bug, scenario, seed: seed.parse().ok()?, fired: fired.split(',').map(str::to_owned).collect() })
    }
}

/// The invariants that fire when `seed` is run with the bug planted.
#[must_use]
pub fn fired(simulator: &mut Simulator, scenario: &'static Scenario, seed: u64, bug: Option<&str>) -> Vec<String> {
    let mut history = History::default();
    simulator.simulate(&crate::request(scenario, seed, None, bug), Some(&mut history));
    let violated = |verdict: &Verdict| matches!(verdict, Verdict::Violation(_));
    let verdicts = check_run(&history, 0, &Selection::all(), &Budget::default());
    verdicts.iter().filter(|(_, verdict)| violated(verdict)).map(|(id, _)| id.name().to_owned()).collect()
}

/// Searches the first seed from 1 on which one of the bug's own invariants fires.
#[must_use]
pub fn detect(bug: &SeededBug) -> Option<Detection> {
    let mut simulator = Simulator::new();
    let scenario = vopr_sim::scenarios::find(bug.scenarios.first()?)?;
    (1..=SEEDS_MAX).find_map(|seed| {
        let fired = fired(&mut simulator, scenario, seed, Some(bug.name));
        let named = bug.invariants.iter().any(|named| fired.iter().any(|name| name == named));
        named.then(|| Detection { bug: bug.name.to_owned(), scenario: scenario.name.to_owned(), seed, fired })
    })
}

/// Path of the committed matrix.
#[must_use]
pub fn path() -> std::path::PathBuf {
    root().join("tests/detection_matrix.tsv")
}

/// Runs every bug and writes the matrix.
///
/// # Errors
/// A bug is not caught, or the file cannot be written.
pub fn write() -> Result<()> {
    let mut text = String::new();
    for bug in vopr_sim::bugs::all() {
        let detection =
            detect(bug).with_context(|| format!("{} is not caught by {:?} within {SEEDS_MAX} seeds", bug.name, bug.invariants))?;
        println!("{}", detection.to_line());
        writeln!(text, "{}", detection.to_line())?;
    }
    std::fs::write(path(), text)?;
    Ok(())
}
