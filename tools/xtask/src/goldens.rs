//! The goldens: small histories with their expected verdicts, each from a recipe.
//!
//! A clean run per kind of world, and one per kind of violation: planted in the replica, or made by tampering with a clean history.

use crate::root;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use vopr_checker::budget::Budget;
use vopr_checker::check::check_run;
use vopr_checker::registry::Selection;
use vopr_checker::verdict::Verdict;
use vopr_schema::{Function, History, Outcome, TransitionEvent};
use vopr_sim::Simulator;

/// How one golden is made.
pub struct Golden {
    /// File name without its ending.
    pub name: &'static str,
    /// Scenario.
    pub scenario: &'static str,
    /// Seed.
    pub seed: u64,
    /// Events of the safety phase at most: goldens are small.
    pub events_max: Option<u64>,
    /// Guard that is switched off.
    pub bug: Option<&'static str>,
    /// What is changed by hand afterwards.
    pub tamper: Option<Tamper>,
    /// Invariants of which at least these must fire.
    pub must_fire: &'static [&'static str],
}

/// A change made to a clean history, by somebody who has learnt to compute the digest.
#[derive(Clone, Copy, Debug)]
pub enum Tamper {
    /// The result of one acknowledged read is another value.
    ChangedResult,
    /// Two neighbouring commits of one replica change places.
    SwappedCommit,
    /// A read returns a value that carries another tenant.
    ForeignValue,
    /// A committed transition is taken out.
    DroppedRow,
}

/// Seeds of the bugs come from the detection matrix, so that one search serves both.
const fn clean(name: &'static str, scenario: &'static str, seed: u64) -> Golden {
    Golden { name, scenario, seed, events_max: Some(1_500), bug: None, tamper: None, must_fire: &[] }
}

const fn tampered(name: &'static str, tamper: Tamper, must_fire: &'static [&'static str]) -> Golden {
    Golden { name, scenario: "multi_tenant_isolation", seed: 7, events_max: Some(1_500), bug: None, tamper: Some(tamper), must_fire }
}

/// All goldens that do not come from the detection matrix.
pub const GOLDENS: &[Golden] = &[
    clean("clean-baseline", "baseline", 1),
    clean("clean-swizzle_clogging", "swizzle_clogging", 2),
    clean("clean-multi_tenant_isolation", "multi_tenant_isolation", 3),
    clean("clean-combined", "combined", 4),
    clean("clean-crash_during_commit", "crash_during_commit", 5),
    clean("clean-crash_during_view_change", "crash_during_view_change", 6),
    tampered("tampered-changed_result", Tamper::ChangedResult, &["linearizability", "data_correctness"]),
    tampered("tampered-swapped_commit", Tamper::SwappedCommit, &["commit_monotonicity"]),
    tampered("tampered-foreign_value", Tamper::ForeignValue, &["tenant_isolation"]),
    tampered("tampered-dropped_row", Tamper::DroppedRow, &["commit_monotonicity"]),
];

/// Bugs that have a golden, in the scenario and on the seed of the detection matrix.
pub const BUG_GOLDENS: &[&str] =
    &["acks_before_durable", "counts_duplicate_votes", "stale_primary_serves_reads", "nondeterministic_apply", "transfer_not_atomic"];

impl Golden {
    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        root().join(format!("histories/{}.parquet", self.name))
    }

    /// Makes it anew.
    ///
    /// # Errors
    /// The scenario is unknown, or the history has nothing to tamper with.
    pub fn make(&self) -> Result<History> {
        let scenario = vopr_sim::scenarios::find(self.scenario).context("the scenario is known")?;
        let request = crate::request(scenario, self.seed, self.events_max, self.bug);
        let mut history = History::default();
        Simulator::new().simulate(&request, Some(&mut history));
        if let Some(tamper) = self.tamper {
            apply(tamper, &mut history)?;
            history.runs[0].digest = vopr_schema::digest::run_digest(&history, 0);
        }
        Ok(history)
    }
}

/// The goldens of the table and those of the detection matrix.
///
/// # Errors
/// The committed matrix lacks a bug.
pub fn all() -> Result<Vec<Golden>> {
    let matrix = std::fs::read_to_string(crate::matrix::path())?;
    let mut goldens: Vec<Golden> = Vec::new();
    for golden in GOLDENS {
        goldens.push(Golden { ..*golden });
    }
    for bug in BUG_GOLDENS {
        let row = matrix.lines().filter_map(crate::matrix::Detection::from_line).find(|row| row.bug == *bug);
        let row = row.with_context(|| format!("the detection matrix has no row for {bug}"))?;
        let scenario = vopr_sim::scenarios::find(&row.scenario).context("the scenario of the matrix is known")?;
        let spec = vopr_sim::bugs::all().iter().find(|spec| spec.name == *bug).context("the bug is known")?;
        let name: &'static str = Box::leak(format!("bug-{bug}").into_boxed_str());
        goldens.push(Golden {
            name,
            scenario: scenario.name,
            seed: row.seed,
            events_max: None,
            bug: Some(spec.name),
            tamper: None,
            must_fire: &[],
        });
    }
    Ok(goldens)
}

fn apply(tamper: Tamper, history: &mut History) -> Result<()> {
    match tamper {
        Tamper::ChangedResult => {
            let row = acknowledged_read(history).context("an acknowledged read of a value")?;
            history.operations.result.0[row] ^= 1;
        }
        Tamper::ForeignValue => {
            let row = acknowledged_read(history).context("an acknowledged read of a value")?;
            let value = history.operations.result.0[row];
            let other = if value >> 48 == 1 { 2 } else { 1 };
            history.operations.result.0[row] = other << 48 | value & 0xffff_ffff_ffff;
        }
        Tamper::SwappedCommit => {
            let (first, second) = neighbouring_commits(history).context("two neighbouring commits")?;
            history.transitions.op.0.swap(first, second);
            history.transitions.entry_hash.0.swap(first, second);
            history.transitions.commit.swap(first, second);
        }
        Tamper::DroppedRow => {
            let (first, _) = neighbouring_commits(history).context("two neighbouring commits")?;
            drop_transition(history, first);
        }
    }
    Ok(())
}

fn acknowledged_read(history: &History) -> Option<usize> {
    let operations = &history.operations;
    let wanted = |row: &usize| {
        let read = operations.function.get(*row) == Function::Read && operations.outcome.get(*row) == Outcome::Ok;
        read && operations.result.get(*row).is_some_and(|value| value >> 48 != 0)
    };
    (0..operations.len()).find(wanted)
}

/// Two successive commits of one replica, rows in `transition`.
fn neighbouring_commits(history: &History) -> Option<(usize, usize)> {
    let transitions = &history.transitions;
    let mut last: BTreeMap<u8, usize> = BTreeMap::new();
    for row in (0..transitions.len()).filter(|row| transitions.event.get(*row) == TransitionEvent::Committed) {
        if let Some(before) = last.insert(transitions.replica[row], row)
            && transitions.op.get(before).is_some_and(|op| op > 5)
        {
            return Some((before, row));
        }
    }
    None
}

fn drop_transition(history: &mut History, dropped: usize) {
    let old = std::mem::take(&mut history.transitions);
    for row in (0..old.len()).filter(|row| *row != dropped) {
        history.transitions.push(old.row(row));
    }
    history.transitions.run_ends = vec![old.len() - 1];
}

/// The names of the invariants that fire on a history's first run, in the order of the registry.
#[must_use]
pub fn fired(history: &History) -> Vec<&'static str> {
    let verdicts = check_run(history, 0, &Selection::all(), &Budget::default());
    verdicts.into_iter().filter(|(_, verdict)| matches!(verdict, Verdict::Violation(_))).map(|(id, _)| id.name()).collect()
}

/// Writes all goldens, their expected verdicts and the table of `histories/README.md`.
///
/// # Errors
/// A golden does not fire what its recipe promises, or nothing although a guard is off, a clean one fires anything, or a file cannot be written.
pub fn write_all() -> Result<()> {
    let mut table = String::from(
        "# Goldens\n\nSmall histories with their expected verdicts: clean runs, runs with a guard of the replica switched off, and clean runs\n\
         that somebody has tampered with (digest included). `cargo xtask goldens` makes them anew; `tests/tests/golden.rs`\n\
         compares decoded rows and verdicts.\n\n\
         | history | made from | invariants that fire |\n|---|---|---|\n",
    );
    for golden in all()? {
        let history = golden.make()?;
        let fired = fired(&history);
        for named in golden.must_fire {
            ensure!(fired.contains(named), "{}: {named} does not fire, only {fired:?}", golden.name);
        }
        ensure!(golden.bug.is_none() || !fired.is_empty(), "{}: nothing fires; `cargo xtask matrix` finds a seed", golden.name);
        ensure!(golden.bug.is_some() || golden.tamper.is_some() || fired.is_empty(), "{}: {fired:?} on a clean run", golden.name);
        crate::write_file(&golden.path(), &history)?;
        std::fs::write(golden.path().with_extension("expected"), fired.join("\n"))?;
        let from = match (golden.bug, golden.tamper) {
            (Some(bug), _) => format!("`{}`, seed {}, bug `{bug}`", golden.scenario, golden.seed),
            (_, Some(tamper)) => format!("`{}`, seed {}, {tamper:?}", golden.scenario, golden.seed),
            _ => format!("`{}`, seed {}", golden.scenario, golden.seed),
        };
        let fired = if fired.is_empty() { "none".to_owned() } else { fired.join(", ") };
        writeln!(table, "| `{}.parquet` | {from} | {fired} |", golden.name)?;
    }
    std::fs::write(root().join("histories/README.md"), table)?;
    Ok(())
}
