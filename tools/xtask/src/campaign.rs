//! A heavy campaign: many seeds of every scenario, all guards on, each run checked in memory.
//!
//! What a test suite cannot afford: run before a release, or over night. Any violation is printed with the command that reproduces it.

use anyhow::{Result, ensure};
use std::sync::Mutex;
use vopr_checker::budget::Budget;
use vopr_checker::check::judge_run;
use vopr_checker::registry::Selection;
use vopr_checker::report::Report;
use vopr_schema::{Ended, History};
use vopr_sim::Simulator;
use vopr_sim::scenario::Scenario;

/// What to run.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Seeds of each scenario.
    #[arg(long, default_value_t = 1_000)]
    pub seeds: u64,
    /// First seed.
    #[arg(long, default_value_t = 1)]
    pub first: u64,
    /// Scenario (default: all).
    #[arg(long)]
    pub scenario: Vec<String>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    pub jobs: u64,
}

/// Runs it and prints a line per scenario.
///
/// # Errors
/// When any run broke an invariant, could not be decided, or did not settle, or a scenario was vacuous.
///
/// # Panics
/// When a thread of the campaign panicked.
pub fn run(options: &Options) -> Result<()> {
    let mut bad = 0;
    println!("{:<36} {:>7} {:>9} {:>9} {:>11} {:>9}", "scenario", "runs", "violated", "unknown", "exercised", "CPU s");
    for scenario in vopr_sim::scenarios::all().iter().filter(|scenario| wanted(scenario, &options.scenario)) {
        let report = Mutex::new(Report::new(&Selection::all()));
        let cpu = Mutex::new(0.0);
        std::thread::scope(|scope| {
            for job in 0..options.jobs {
                let (report, cpu) = (&report, &cpu);
                scope.spawn(move || {
                    let (seconds, ()) = crate::cpu::seconds(|| share(scenario, options, job, report));
                    *cpu.lock().expect("no thread panics while it holds the lock") += seconds;
                });
            }
        });
        bad += print_line(scenario, options.seeds, &report.into_inner()?, cpu.into_inner()?);
    }
    ensure!(bad == 0, "{bad} scenario(s) with findings");
    Ok(())
}

fn wanted(scenario: &Scenario, names: &[String]) -> bool {
    names.is_empty() || names.iter().any(|name| name == scenario.name || scenario.aliases.contains(&name.as_str()))
}

/// The seeds of one thread: every `jobs`-th.
fn share(scenario: &'static Scenario, options: &Options, job: u64, report: &Mutex<Report>) {
    let mut simulator = Simulator::new();
    let mut history = History::default();
    for seed in (options.first..options.first + options.seeds).filter(|seed| seed % options.jobs == job) {
        history.clear();
        let summary = simulator.simulate(&crate::request(scenario, seed, None, None), Some(&mut history));
        let verdicts = judge_run(&history, 0, &Selection::all(), &Budget::default());
        if !matches!(summary.ended, Ended::Completed | Ended::EventLimit) {
            println!("  {} seed {seed}: {:?} {}", scenario.name, summary.ended, summary.ended_detail.unwrap_or_default());
        }
        report.lock().expect("no thread panics while it holds the lock").add(&verdicts);
    }
}

fn print_line(scenario: &Scenario, runs: u64, report: &Report, cpu: f64) -> u64 {
    let undecided: u64 = report.undecided.iter().map(|undecided| undecided.runs).sum();
    let exercised = report.evidence.get(scenario.name).map_or(0, |evidence| evidence.exercised);
    println!("{:<36} {runs:>7} {:>9} {undecided:>9} {exercised:>11} {cpu:>9.1}", scenario.name, report.failures.len());
    for failure in &report.failures {
        for finding in failure.roots() {
            println!("  seed {}: {}: {}", failure.seed, finding.invariant, finding.witness.summary);
        }
    }
    for undecided in &report.undecided {
        println!("  unknown: {} in {} run(s), first seed {}: {}", undecided.invariant, undecided.runs, undecided.first.1, undecided.reason);
    }
    let vacuous = exercised * 10 < runs * 9;
    u64::from(vacuous || undecided > 0 || !report.failures.is_empty())
}
