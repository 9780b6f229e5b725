//! The whole pipeline measured as CPU time in one run: simulate, record, write, read back, check.
//!
//! Absolute times differ from machine to machine; the shares and ratios printed here are what to compare.

use crate::cpu::{memory_mib, peak_memory_mib, seconds};
use crate::request;
use anyhow::{Context, Result};
use std::path::Path;
use vopr_checker::budget::Budget;
use vopr_checker::check::check_run;
use vopr_checker::registry::{INVARIANTS, Selection};
use vopr_checker::verdict::Verdict;
use vopr_schema::read::{HistoryFile, Projection};
use vopr_schema::{History, Kind};
use vopr_sim::Simulator;
use vopr_sim::scenario::Scenario;

/// What to measure.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Seeds of each measurement.
    #[arg(long, default_value_t = 200)]
    pub seeds: u64,
    /// First seed.
    #[arg(long, default_value_t = 1)]
    pub first: u64,
    /// Scenario that is recorded, read back and checked.
    #[arg(long, default_value = "combined")]
    pub scenario: String,
    /// Print the CPU time of each invariant too.
    #[arg(long)]
    pub invariants: bool,
}

fn find(name: &str) -> Result<&'static Scenario> {
    vopr_sim::scenarios::find(name).with_context(|| format!("no scenario is called {name}"))
}

/// Measures and prints.
///
/// # Errors
/// A scenario is unknown, or a file cannot be written or read.
#[expect(clippy::cast_precision_loss, reason = "counts of rows and events stay far below 2^53")]
pub fn run(options: &Options) -> Result<()> {
    if cfg!(debug_assertions) {
        println!("note: this is not a release build; use `cargo run --release -p xtask -- bench`");
    }
    let seeds = options.first..options.first + options.seeds;
    simulate_alone(find("baseline")?, seeds.clone());
    let scenario = find(&options.scenario)?;

    let mut simulator = Simulator::new();
    let (bare, _) =
        seconds(|| seeds.clone().map(|seed| simulator.simulate(&request(scenario, seed, None, None), None).events).sum::<u64>());
    let folder = tempfile::tempdir()?;
    let mut file = History::default();
    let (recorded, events) =
        seconds(|| seeds.clone().map(|seed| simulator.simulate(&request(scenario, seed, None, None), Some(&mut file)).events).sum::<u64>());
    let rows = file.rows() as f64;
    let operations = file.runs.iter().map(|run| run.operations_ok + run.operations_error).sum::<u64>();
    let path = folder.path().join("bench.parquet");
    let (written, bytes) = seconds(|| crate::write_file(&path, &file));
    let bytes = bytes? as f64;
    println!("{}: {} seeds, {events} events, {operations} acknowledged operations, {rows} rows", scenario.name, options.seeds);
    println!(
        "  simulate, not recording   {:>9.0} events per CPU s   {:>8.0} acknowledged operations per CPU s",
        events as f64 / bare,
        operations as f64 / bare
    );
    println!("  record into memory        {:>9.1} ns per row (digest included)", (recorded - bare) * 1e9 / rows);
    println!("  encode and close          {:>9.1} ns per row   {:>6.2} bytes per row", written * 1e9 / rows, bytes / rows);
    println!("  recording in all          {:>9.1} ns per row", (recorded - bare + written) * 1e9 / rows);
    let read = read_back(&path)?;
    let checked = check(&file, options.invariants);
    println!("  check, all invariants     {:>9.2} M rows per CPU s", rows / checked / 1e6);
    linearizability(&file);
    let all = recorded + written + read + checked;
    let share = |seconds: f64| 100.0 * seconds / all;
    println!(
        "  shares: simulate {:.0} %, record {:.0} %, read {:.0} %, check {:.0} %",
        share(bare),
        share(recorded - bare + written),
        share(read),
        share(checked)
    );
    growth(scenario, options.first);
    if let Some(peak) = peak_memory_mib() {
        println!("peak memory of this whole process {peak:.0} MiB ({rows} rows held in memory at once)");
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of events stay far below 2^53")]
fn simulate_alone(scenario: &'static Scenario, seeds: core::ops::Range<u64>) {
    let before = memory_mib();
    let mut simulator = Simulator::new();
    let (spent, events) =
        seconds(|| seeds.clone().map(|seed| simulator.simulate(&request(scenario, seed, None, None), None).events).sum::<u64>());
    println!(
        "{}: {} seeds, {events} events, {:.2} M events per CPU s, neither recorded nor checked",
        scenario.name,
        seeds.end - seeds.start,
        events as f64 / spent / 1e6
    );
    if let (Some(before), Some(after)) = (before, memory_mib()) {
        println!("  memory of one simulated world, reused for all seeds: {:.1} MiB", after - before);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows stay far below 2^53")]
fn read_back(path: &Path) -> Result<f64> {
    let mut all = 0.0;
    for kind in [Kind::Operation, Kind::Message, Kind::Transition, Kind::Storage] {
        let (spent, history) = seconds(|| HistoryFile::open(path).and_then(|file| file.read_all(&Projection::runs().with_kind(kind))));
        let history = history?;
        let rows = history.rows() - history.runs.len();
        println!("  read {:<20} {:>9.1} M rows per CPU s ({rows} rows)", kind.to_string(), rows as f64 / spent / 1e6);
        all += spent;
    }
    Ok(all)
}

fn check(history: &History, each: bool) -> f64 {
    let budget = Budget::default();
    let (all, violated) = seconds(|| {
        let verdicts = (0..history.runs.len()).flat_map(|run| check_run(history, run, &Selection::all(), &budget));
        verdicts.filter(|(_, verdict)| !matches!(verdict, Verdict::Pass { .. } | Verdict::NotApplicable { .. })).count()
    });
    println!("  verdicts that are neither pass nor not applicable: {violated}");
    for invariant in INVARIANTS.iter().filter(|_| each) {
        let selection = Selection::only(&[invariant.name]).expect("the name comes from the registry");
        let (alone, _) = seconds(|| (0..history.runs.len()).map(|run| check_run(history, run, &selection, &budget).len()).sum::<usize>());
        println!("    {:<28} {:>8.1} CPU ms alone, index included", invariant.name, alone * 1e3);
    }
    all
}

#[expect(clippy::cast_precision_loss, reason = "counts of operations stay far below 2^53")]
fn linearizability(history: &History) {
    let budget = Budget::default();
    let selection = Selection::only(&["linearizability"]).expect("the registry has it");
    let none = Selection::only::<&str>(&[]).expect("nothing is unknown in nothing");
    let (index, _) = seconds(|| (0..history.runs.len()).map(|run| check_run(history, run, &none, &budget).len()).sum::<usize>());
    let (spent, _) = seconds(|| (0..history.runs.len()).map(|run| check_run(history, run, &selection, &budget).len()).sum::<usize>());
    let operations = history.operations.len() as f64;
    println!(
        "  linearizability by witness {:>8.2} M operations per CPU s (index apart: {:.1} CPU ms)",
        operations / (spent - index).max(1e-9) / 1e6,
        index * 1e3
    );
}

/// Ten times the seeds, and ten times the length of a run, against one.
fn growth(scenario: &'static Scenario, first: u64) {
    let mut simulator = Simulator::new();
    let mut cost = |seeds: u64, events_max: u64| {
        let (mut history, mut verdicts) = (History::default(), 0);
        let work = || {
            for seed in first..first + seeds {
                history.clear();
                simulator.simulate(&request(scenario, seed, Some(events_max), None), Some(&mut history));
                verdicts += check_run(&history, 0, &Selection::all(), &Budget::default()).len();
            }
            verdicts
        };
        seconds(work).0
    };
    cost(5, 5_000);
    let (one, seeds) = (cost(10, 5_000), cost(100, 5_000));
    let long = cost(10, 50_000);
    println!(
        "growth, simulate + record + check: 10x the seeds costs {:.1}x, 10x the events of each run costs {:.1}x",
        seeds / one,
        long / one
    );
}
