//! `vopr replay`: is a recorded history what this program simulates?
//!
//! The run row alone says everything that is needed: scenario, seed, every drawn option, the fault plan. The recorded rows are
//! the other side of the comparison and never an input.

use crate::args::ReplayArguments;
use crate::difference::{self, Difference};
use crate::failure::bundle::{is_imported, planned_workload, request_of};
use crate::output::tagged;
use crate::rig::short;
use serde_json::json;
use std::path::Path;
use vopr_check::exit::{Exit, Problem};
use vopr_check::inputs;
use vopr_check::interrupt;
use vopr_check::output::json::hex;
use vopr_check::output::violation::seconds;
use vopr_check::progress::Progress;
use vopr_check::terminal::{Paint, Sink, counted, note, table};
use vopr_check::version::{COMMIT, VERSION};
use vopr_schema::read::{HistoryFile, Projection};
use vopr_schema::{Dictionary, History, Provenance, Run};
use vopr_sim::Simulator;
use vopr_sim::workload_plan::WorkloadPlan;

/// How a recorded run compares with a fresh simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Bit for bit the same.
    Identical,
    /// The rows in the file are not those that its digest was taken of.
    Altered,
    /// Another run.
    Different {
        /// Fields of the run row.
        fields: Vec<(&'static str, String, String)>,
        /// The first row.
        first: Option<Difference>,
    },
    /// It cannot be simulated.
    Impossible(String),
}

/// Simulates recorded runs again and compares.
///
/// # Errors
/// When no file matches, or standard output cannot be written.
pub fn run(arguments: &ReplayArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let inputs = inputs::resolve(&arguments.files);
    inputs.remarks().for_each(|text| note(&text));
    let mut exit = Exit::Held;
    for refused in &inputs.refused {
        note(&format!("refused: {refused}"));
        exit = exit.and(Exit::Refused);
    }
    if inputs.files.is_empty() && inputs.refused.is_empty() {
        return Err(Problem::nothing(inputs.unmatched.join("\n")));
    }
    interrupt::listen("the run under way is finished");
    let mut replay = Replay::new(arguments, sink);
    for file in &inputs.files {
        exit = exit.and(replay.file(file)?);
    }
    replay.progress.finish();
    let same = replay.identical;
    let total = replay.compared;
    if interrupt::requested() {
        exit = exit.and(Exit::Interrupted);
    } else if total == 0 && exit == Exit::Held {
        return Err(Problem::nothing("no run in these files has this seed"));
    }
    if arguments.json {
        sink.object(&tagged("summary", json!({ "runs": total, "identical": same, "exit": exit.code() })))?;
    } else {
        sink.line(&format!("{} of {} identical, bit for bit", same, counted(total, "run")))?;
    }
    Ok(exit)
}

struct Replay<'a, 'b> {
    arguments: &'a ReplayArguments,
    sink: &'a mut Sink<'b>,
    paint: Paint,
    simulator: Simulator,
    again: History,
    progress: Progress,
    /// Runs in the files opened so far.
    total: u64,
    compared: u64,
    identical: u64,
}

impl<'a, 'b> Replay<'a, 'b> {
    fn new(arguments: &'a ReplayArguments, sink: &'a mut Sink<'b>) -> Self {
        Self {
            arguments,
            sink,
            paint: Paint::for_stdout(),
            simulator: Simulator::new(),
            again: History::default(),
            progress: Progress::new(0, 0, "runs"),
            total: 0,
            compared: 0,
            identical: 0,
        }
    }

    fn file(&mut self, path: &Path) -> Result<Exit, Problem> {
        let file = match HistoryFile::open(path) {
            Ok(file) => file,
            Err(error) => {
                note(&format!("refused: {error}"));
                return Ok(Exit::Refused);
            }
        };
        warn(path, file.provenance());
        let workload = match planned_workload(file.provenance(), path) {
            Ok(workload) => workload,
            Err(error) => {
                note(&format!("refused: {error}"));
                return Ok(Exit::Refused);
            }
        };
        self.total += file.run_count() as u64;
        let mut exit = Exit::Held;
        for batch in 0..file.batches() {
            match file.read_batch(batch, &Projection::all()) {
                Ok(recorded) => exit = exit.and(self.batch(path, &recorded, workload.as_ref())?),
                Err(error) => {
                    note(&format!("refused: {error}"));
                    exit = exit.and(Exit::Refused);
                }
            }
        }
        Ok(exit)
    }

    fn batch(&mut self, path: &Path, recorded: &History, workload: Option<&WorkloadPlan>) -> Result<Exit, Problem> {
        let mut exit = Exit::Held;
        for (index, run) in recorded.runs.iter().enumerate() {
            if interrupt::requested() {
                break;
            }
            if self.arguments.run.is_some_and(|seed| seed != run.seed) {
                continue;
            }
            let comparison = self.compare(recorded, index, workload);
            self.compared += 1;
            self.identical += u64::from(comparison == Comparison::Identical);
            exit = exit.and(match comparison {
                Comparison::Identical => Exit::Held,
                Comparison::Altered | Comparison::Impossible(_) => Exit::Refused,
                Comparison::Different { .. } => Exit::Violated,
            });
            self.progress.set(self.compared, self.total, self.compared - self.identical);
            let progress = self.progress.clone();
            progress.suspend(|| self.print(path, run, &comparison))?;
        }
        Ok(exit)
    }

    fn compare(&mut self, recorded: &History, index: usize, workload: Option<&WorkloadPlan>) -> Comparison {
        if is_imported(&recorded.runs[index]) {
            return Comparison::Impossible("another system recorded it: only what is simulated here can be simulated again".to_owned());
        }
        let request = match request_of(&recorded.runs[index], workload.cloned()) {
            Ok(request) => request,
            Err(error) => return Comparison::Impossible(error.to_string()),
        };
        self.again.clear();
        self.simulator.simulate(&request, Some(&mut self.again));
        comparison(recorded, index, &self.again)
    }

    fn print(&mut self, path: &Path, run: &Run, comparison: &Comparison) -> std::io::Result<()> {
        if self.arguments.json {
            return self.sink.object(&object(path, run, comparison));
        }
        lines(path, run, comparison, self.paint).iter().try_for_each(|line| self.sink.line(line))
    }
}

/// Compares a recorded run with the only run of `again`.
pub(crate) fn comparison(recorded: &History, index: usize, again: &History) -> Comparison {
    let run = &recorded.runs[index];
    if vopr_schema::digest::run_digest(recorded, index) != run.digest {
        return Comparison::Altered;
    }
    let Some(simulated) = again.runs.first() else {
        return Comparison::Impossible("the simulation recorded nothing".to_owned());
    };
    let fields = difference::of_runs(run, simulated);
    if simulated.digest == run.digest && fields.is_empty() {
        return Comparison::Identical;
    }
    Comparison::Different { fields, first: difference::first((recorded, index), (again, 0)) }
}

/// A comparison for people.
pub(crate) fn lines(path: &Path, run: &Run, comparison: &Comparison, paint: Paint) -> Vec<String> {
    let place = format!("{} seed {} ({})", run.scenario, run.seed, path.display());
    match comparison {
        Comparison::Identical => vec![format!("{}  {place}: digest {}", paint.good("identical"), short(&run.digest))],
        Comparison::Altered => {
            let text = "the rows are not those that the recorded digest was taken of: the file was altered";
            vec![format!("{}  {place}: {text}", paint.bad("altered"))]
        }
        Comparison::Impossible(reason) => vec![format!("{}  {place}: {reason}", paint.bad("cannot replay"))],
        Comparison::Different { fields, first } => {
            let mut lines = vec![format!("{}  {place}", paint.bad("DIFFERENT"))];
            let field = |(name, left, right): &(&str, String, String)| {
                format!("  run {name}: recorded `{}`, simulated `{}`", excerpt(left), excerpt(right))
            };
            lines.extend(fields.iter().map(field));
            lines.extend(first.iter().flat_map(first_difference));
            lines
        }
    }
}

/// Says when another program recorded the file: then a difference is no surprise.
pub(crate) fn warn(path: &Path, provenance: &Provenance) {
    let theirs = (provenance.program_version.as_str(), provenance.source_commit.as_str());
    if theirs != (VERSION, COMMIT) {
        let (version, commit) = theirs;
        note(&format!(
            "warning: {} was recorded by {} {version} ({commit}), this is {VERSION} ({COMMIT})",
            path.display(),
            provenance.program
        ));
    }
}

/// The beginning of a long text.
fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(200).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn first_difference(first: &Difference) -> Vec<String> {
    let mut lines = vec![format!("  the first different row is {} row {} at {}", first.kind.name(), first.seq, seconds(first.time_ns))];
    let mut rows = vec![["    column", "recorded", "simulated", ""].map(str::to_owned).to_vec()];
    let text = |name: &str, value: &Option<String>| value.clone().map_or_else(|| "-".to_owned(), |value| crate::rows::told(name, value));
    for (name, left, right) in &first.cells {
        let mark = if left == right { "" } else { "<" };
        rows.push(vec![format!("    {name}"), text(name, left), text(name, right), mark.to_owned()]);
    }
    lines.extend(table(&rows));
    lines
}

/// A comparison for programs.
pub(crate) fn object(path: &Path, run: &Run, comparison: &Comparison) -> serde_json::Value {
    let mut object = tagged(
        "replay",
        json!({
            "file": path,
            "scenario": run.scenario,
            "seed": run.seed,
            "digest": hex(&run.digest),
            "identical": *comparison == Comparison::Identical,
        }),
    );
    match comparison {
        Comparison::Identical => {}
        Comparison::Altered => object["reason"] = json!("altered"),
        Comparison::Impossible(reason) => object["reason"] = json!(reason),
        Comparison::Different { fields, first } => {
            object["reason"] = json!("different");
            object["fields"] = json!(fields.iter().map(|(name, _, _)| name).collect::<Vec<_>>());
            object["first"] = json!(first.as_ref().map(|first| {
                let cell = |(name, left, right): &(&str, Option<String>, Option<String>)| ((*name).to_owned(), json!([left, right]));
                json!({
                    "kind": first.kind.name(),
                    "seq": first.seq,
                    "time_ns": first.time_ns,
                    "columns": first.columns().collect::<Vec<_>>(),
                    "cells": first.cells.iter().map(cell).collect::<serde_json::Map<_, _>>(),
                })
            }));
        }
    }
    object
}
