//! The whole pipeline measured as CPU time in one run: simulate, record, write, read back, check.
//!
//! Absolute times differ from machine to machine; the shares and ratios printed here are what to compare.

use crate::cpu::{memory_mib, peak_memory_mib, seconds};
use crate::request;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use vopr_checker::budget::Budget;
use vopr_checker::check::check_run;
use vopr_checker::registry::{INVARIANTS, Selection};
use vopr_checker::verdict::Verdict;
use vopr_schema::read::{HistoryFile, Projection};
use vopr_schema::{History, Kind};
use vopr_sim::Simulator;
use vopr_sim::scenario::Scenario;

/// What is short is measured so often, and the least counts.
const ROUNDS: usize = 3;

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
    /// Measure only how fast linearizability is decided without the recorded order.
    #[arg(long)]
    pub linearizability: bool,
}

fn find(name: &str) -> Result<&'static Scenario> {
    vopr_sim::scenarios::find(name).with_context(|| format!("no scenario is called {name}"))
}

/// Rows of a file, about: what `vopr run --out` puts into one.
const BATCH_ROWS: usize = 500_000;

/// CPU seconds and sizes, summed over the batches of a campaign.
#[derive(Debug, Default)]
struct Totals {
    events: u64,
    operations: u64,
    rows: usize,
    bytes: u64,
    bare: f64,
    recorded: f64,
    written: f64,
    read: f64,
    checked: f64,
    index: f64,
    linearizability: f64,
    claims: usize,
}

/// Measures and prints.
///
/// # Errors
/// A scenario is unknown, or a file cannot be written or read.
pub fn run(options: &Options) -> Result<()> {
    if cfg!(debug_assertions) {
        println!("note: this is not a release build; use `cargo run --release -p xtask -- bench`");
    }
    if options.linearizability {
        crate::linearizability::run();
        return Ok(());
    }
    let seeds = options.first..options.first + options.seeds;
    simulate_alone(find("baseline")?, seeds.clone());
    let scenario = find(&options.scenario)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("bench.parquet");
    let totals = campaign(scenario, seeds, &path)?;
    print_totals(scenario, options.seeds, &totals);
    // The first batch is still there.
    print_reading(&path)?;
    if options.invariants {
        each_invariant(&HistoryFile::open(&path)?.read_all(&Projection::all())?);
    }
    growth(scenario, options.first);
    crate::linearizability::run();
    crate::transactions::print_speed(100_000, 10)?;
    if let Some(peak) = peak_memory_mib() {
        println!("peak memory of this whole process {peak:.0} MiB");
    }
    Ok(())
}

/// Simulates, records, writes, reads back and checks, batch by batch and with the memory of the batch before, as a campaign does.
fn campaign(scenario: &'static Scenario, mut seeds: core::ops::Range<u64>, path: &Path) -> Result<Totals> {
    let mut totals = Totals::default();
    let (mut simulator, mut history, mut again) = (Simulator::new(), History::default(), History::default());
    let all = Selection::all();
    let linearizability = Selection::only(&["linearizability"]).expect("the registry has it");
    let none = Selection::only::<&str>(&[]).expect("nothing is unknown in nothing");
    let rest = path.with_extension("rest");
    while !seeds.is_empty() {
        history.clear();
        let first = seeds.start;
        let (spent, events) = seconds(|| {
            let mut events = 0;
            while history.rows() < BATCH_ROWS {
                let Some(seed) = seeds.next() else { break };
                events += simulator.simulate(&request(scenario, seed, None, None), Some(&mut history)).events;
            }
            events
        });
        totals.recorded += spent;
        totals.events += events;
        totals.bare += seconds(|| {
            for seed in first..seeds.start {
                simulator.simulate(&request(scenario, seed, None, None), None);
            }
        })
        .0;
        let path = if totals.rows == 0 { path } else { &rest };
        let (spent, bytes) = seconds(|| crate::write_file(path, &history));
        totals.written += spent;
        totals.bytes += bytes?;
        totals.rows += history.rows();
        totals.operations += history.runs.iter().map(|run| run.operations_ok + run.operations_error).sum::<u64>();
        totals.read += reading(&HistoryFile::open(path)?, &Projection::all(), &mut again)?;
        totals.checked += check(&again, &all)?;
        totals.index += least(|| check(&again, &none))?;
        totals.linearizability += least(|| check(&again, &linearizability))?;
        totals.claims += again.operations.len();
    }
    Ok(totals)
}

/// CPU seconds of reading a whole file into used memory.
fn reading(file: &HistoryFile, projection: &Projection, history: &mut History) -> Result<f64> {
    let (spent, outcome) = seconds(|| {
        history.clear();
        (0..file.batches()).try_for_each(|batch| file.append_batch(batch, projection, history))
    });
    outcome?;
    Ok(spent)
}

/// The least of some rounds.
fn least(mut measure: impl FnMut() -> Result<f64>) -> Result<f64> {
    (0..ROUNDS).try_fold(f64::MAX, |least, _| Ok(least.min(measure()?)))
}

/// CPU seconds of judging all runs.
fn check(history: &History, selection: &Selection) -> Result<f64> {
    let budget = Budget::default();
    let (spent, doubtful) = seconds(|| {
        let verdicts = (0..history.runs.len()).flat_map(|run| check_run(history, run, selection, &budget));
        verdicts.filter(|(_, verdict)| !matches!(verdict, Verdict::Pass { .. } | Verdict::NotApplicable { .. })).count()
    });
    ensure!(doubtful == 0, "{doubtful} verdicts on clean runs are neither pass nor not applicable");
    Ok(spent)
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows and events stay far below 2^53")]
fn print_totals(scenario: &Scenario, seeds: u64, totals: &Totals) {
    let Totals { events, operations, rows, bytes, bare, recorded, written, read, checked, .. } = *totals;
    let (events_f, rows_f) = (events as f64, rows as f64);
    println!("{}: {seeds} seeds, {events} events, {operations} acknowledged operations, {rows} rows", scenario.name);
    println!(
        "  simulate, not recording   {:>9.2} M events per CPU s   {:>8.0} acknowledged operations per CPU s",
        events_f / bare / 1e6,
        operations as f64 / bare
    );
    println!("  into struct of arrays     {:>9.1} ns per row (while simulating; digest included)", (recorded - bare) * 1e9 / rows_f);
    println!(
        "  struct of arrays to file  {:>9.1} ns per row, {:.2} bytes per row; {:.2} M rows recorded per CPU s, simulation included",
        written * 1e9 / rows_f,
        bytes as f64 / rows_f,
        rows_f / (recorded + written) / 1e6
    );
    println!("  read, all columns         {:>9.2} M rows per CPU s", rows_f / read / 1e6);
    println!("  check, all invariants     {:>9.2} M rows per CPU s", rows_f / checked / 1e6);
    println!(
        "  linearizability, witness  {:>9.2} M operations per CPU s (the index apart, which costs {:.1} ns per row)",
        totals.claims as f64 / (totals.linearizability - totals.index).max(1e-9) / 1e6,
        totals.index * 1e9 / rows_f
    );
    let share = |seconds: f64| 100.0 * seconds / (recorded + written + read + checked);
    println!(
        "  shares: simulate {:.0} %, record {:.0} %, read {:.0} %, check {:.0} %",
        share(bare),
        share(recorded - bare + written),
        share(read),
        share(checked)
    );
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

/// Reads every kind of a file: whole, as `vopr-check` does, and through the projection of each invariant that reads it.
#[expect(clippy::cast_precision_loss, reason = "counts of rows stay far below 2^53")]
fn print_reading(path: &Path) -> Result<()> {
    let file = HistoryFile::open(path)?;
    let mut history = History::default();
    for kind in [Kind::Operation, Kind::Message, Kind::Transition, Kind::Storage] {
        let mut read = |projection: &Projection| least(|| reading(&file, projection, &mut history));
        let whole = read(&Projection::runs().with_kind(kind))?;
        let (mut projected, mut projections) = (0.0, 0.0);
        for reads in INVARIANTS.iter().flat_map(|invariant| invariant.reads).filter(|reads| reads.kind == kind) {
            let columns = reads.columns.iter();
            projected += read(&columns.fold(Projection::runs(), |projection, column| projection.with_column(kind, column)))?;
            projections += 1.0;
        }
        let rows = (history.rows() - history.runs.len()) as f64;
        println!(
            "  read {:<20} {:>9.1} M rows per CPU s, mean over {projections} invariants' projections; all columns {:.1} M ({rows} rows)",
            kind.to_string(),
            rows * projections / projected.max(1e-9) / 1e6,
            rows / whole / 1e6
        );
    }
    Ok(())
}

fn each_invariant(history: &History) {
    let budget = Budget::default();
    for invariant in INVARIANTS {
        let selection = Selection::only(&[invariant.name]).expect("the name comes from the registry");
        let (alone, _) = seconds(|| (0..history.runs.len()).map(|run| check_run(history, run, &selection, &budget).len()).sum::<usize>());
        println!("    {:<28} {:>8.1} CPU ms alone, index included", invariant.name, alone * 1e3);
    }
}

/// Ten times the seeds, and ten times the length of a run, against one. Runs are appended to a batch and judged there, as in a
/// campaign: a short run alone would stay in the processor's caches, and a long one seem to grow faster than its length.
fn growth(scenario: &'static Scenario, first: u64) {
    let mut simulator = Simulator::new();
    let mut history = History::default();
    let mut verdicts = 0;
    let mut cost = |seeds: u64, events_max: u64| {
        let mut work = || {
            for seed in first..first + seeds {
                if history.rows() >= BATCH_ROWS {
                    history.clear();
                }
                simulator.simulate(&request(scenario, seed, Some(events_max), None), Some(&mut history));
                verdicts += check_run(&history, history.runs.len() - 1, &Selection::all(), &Budget::default()).len();
            }
        };
        seconds(&mut work).0
    };
    // Once to touch the memory that it needs.
    cost(200, 5_000);
    let (one, seeds, long) = (cost(20, 5_000), cost(200, 5_000), cost(20, 50_000));
    println!(
        "growth, simulate + record + check: 10x the seeds costs {:.1}x, 10x the events of each run costs {:.1}x",
        seeds / one,
        long / one
    );
}
