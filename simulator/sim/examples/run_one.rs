//! Simulates one seed and prints its rows in order, or many seeds and how they ended: a magnifying glass for developers.
//!
//! `cargo run -p vopr-sim --example run_one -- SCENARIO SEED [--bug NAME]` prints all rows of one run;
//! `... -- SCENARIO FIRST COUNT [--bug NAME]` prints a line for each run that did not complete, and totals.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::io::Write;
use vopr_schema::History;
use vopr_sim::scenario::Overrides;
use vopr_sim::{RunRequest, RunSummary, Simulator, scenarios};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut overrides = Overrides::default();
    if let Some(at) = arguments.iter().position(|argument| argument == "--bug") {
        overrides.bug = arguments.get(at + 1).cloned();
        arguments.truncate(at);
    }
    let names = arguments.first().map_or("baseline", String::as_str);
    let first = arguments.get(1).map_or(Ok(1), |text| text.parse())?;
    match arguments.get(2) {
        None => print_rows(names, first, &overrides),
        Some(count) => print_totals(names, first, count.parse()?, &overrides),
    }
}

fn print_totals(names: &str, first: u64, count: u64, overrides: &Overrides) -> Result<(), Box<dyn std::error::Error>> {
    let record = std::env::var_os("RECORD").is_some();
    let mut simulator = Simulator::new();
    let mut history = History::default();
    for scenario in scenarios::select(names)? {
        let (mut events, mut operations, mut rows, mut bad, mut stalls, mut traces) = (0, 0, 0, 0, 0, 0_u64);
        let begin = cpu_seconds();
        for seed in first..first + count {
            history.clear();
            let summary = simulator.simulate(&RunRequest::new(scenario, seed, overrides)?, record.then_some(&mut history));
            events += summary.events;
            operations += summary.operations_ok + summary.operations_error;
            rows += summary.rows;
            stalls += summary.stalls;
            traces = traces.rotate_left(1) ^ summary.trace;
            if !matches!(summary.ended, vopr_schema::Ended::Completed | vopr_schema::Ended::EventLimit) {
                bad += 1;
                println!("{} {seed}: {}: {}", scenario.name, summary.ended, summary.ended_detail.unwrap_or_default());
            }
        }
        let seconds = cpu_seconds() - begin;
        println!(
            "{:<28} {count} runs ({traces:016x}), {bad} bad, {stalls} stalls, \
             {} events and {} operations a run, {rows} rows, {:.0} events per CPU second",
            scenario.name,
            events / count,
            operations / count,
            events as f64 / seconds
        );
    }
    Ok(())
}

/// User time of this process, from the kernel's own account.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: f64 =
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(11)).and_then(|field| field.parse().ok()).unwrap_or(1.0);
    ticks / 100.0
}

fn print_rows(name: &str, seed: u64, overrides: &Overrides) -> Result<(), Box<dyn std::error::Error>> {
    let scenario = scenarios::find(name).ok_or("no such scenario")?;
    let mut history = History::default();
    let summary: RunSummary = Simulator::new().simulate(&RunRequest::new(scenario, seed, overrides)?, Some(&mut history));
    let mut lines: Vec<(u64, String)> = Vec::new();
    macro_rules! lines {
        ($table:ident, $what:literal) => {
            lines.extend((0..history.$table.len()).map(|row| {
                let row = history.$table.row(row);
                (row.seq, format!("{:>9.3} ms {} {}", row.time_ns as f64 / 1e6, $what, brief(&format!("{row:?}"))))
            }));
        };
    }
    lines!(operations, "OP ");
    lines!(messages, "MSG");
    lines!(transitions, "   ");
    lines!(storage, "DSK");
    lines!(faults, "FLT");
    lines.sort();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (seq, line) in lines {
        writeln!(out, "{seq:>7} {line}")?;
    }
    let run = &history.runs[0];
    writeln!(out, "{}\n{}\n{summary:#?}", run.options, run.plan)?;
    Ok(())
}

/// A row without its nulls.
fn brief(row: &str) -> String {
    let fields = row.split_once("{ ").map_or(row, |(_, fields)| fields).trim_end_matches(" }");
    let kept =
        fields.split(", ").filter(|field| !field.ends_with(": None") && !field.starts_with("seq:") && !field.starts_with("time_ns:"));
    kept.map(|field| field.replace("Some(", "").replace(')', "").replace(": ", "=")).collect::<Vec<_>>().join(" ")
}
