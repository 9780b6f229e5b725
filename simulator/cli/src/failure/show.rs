//! `vopr show`: what is inside a bundle or a history.

use crate::args::explain::ShowArguments;
use crate::campaign::plan::path_word;
use crate::failure::bundle::{self, Bundle};
use crate::failure::trial::Trial;
use crate::listing;
use crate::output::tagged;
use crate::rig::short;
use crate::rows::{in_order, rows};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use vopr_check::exit::{Exit, Problem};
use vopr_check::output;
use vopr_check::output::violation::{seconds, wrapped};
use vopr_check::shell;
use vopr_check::terminal::{Sink, counted, grouped, table};
use vopr_checker::situations::Situation;
use vopr_checker::{Budget, RunVerdicts, Selection, judge_run};
use vopr_schema::read::HistoryFile;
use vopr_schema::{Dictionary, FaultKind, History, Run};
use vopr_sim::workload_plan::WorkloadPlan;

/// Shows a file.
///
/// # Errors
/// The file cannot be read, or standard output cannot be written.
pub fn run(arguments: &ShowArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let file = bundle::open(&arguments.file)?;
    if arguments.run.is_none() && file.run_count() != 1 {
        return list(&arguments.file, &file, arguments.json, sink);
    }
    let history = bundle::one_run(&file, &arguments.file, arguments.run)?;
    if bundle::is_imported(&history.runs[0]) {
        imported(arguments, &file, &history.runs[0], sink)?;
        return parts(arguments, &history, sink);
    }
    let bundle = Bundle::read(&arguments.file, arguments.run)?;
    if arguments.json {
        sink.object(&summary_object(&arguments.file, &bundle))?;
    } else {
        summary(&bundle).iter().try_for_each(|line| sink.line(line))?;
    }
    parts(arguments, &bundle.history, sink)
}

/// What is asked for besides the summary.
fn parts(arguments: &ShowArguments, history: &History, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    if arguments.invariants {
        invariants(history, arguments.json, sink)?;
    }
    if arguments.coverage {
        coverage(history, arguments.json, sink)?;
    }
    if arguments.events {
        events(history, arguments.json, sink)?;
    }
    Ok(Exit::Held)
}

/// A run that another system recorded, on one screen: it has neither replicas nor faults.
fn imported(arguments: &ShowArguments, file: &HistoryFile, run: &Run, sink: &mut Sink<'_>) -> Result<(), Problem> {
    if arguments.json {
        let mut object = run_object(run);
        object["file"] = json!(arguments.file);
        return Ok(sink.object(&object)?);
    }
    let provenance = file.provenance();
    let rows = [
        ("run", format!("{} seed {}, recorded by another system", run.scenario, run.seed)),
        ("program", format!("{} {} ({})", provenance.program, provenance.program_version, provenance.source_commit)),
        ("imported by", provenance.command_line.clone()),
        ("clients", counted(u64::from(run.clients), "client")),
        ("operations", operations_in_words(run)),
        ("digest", short(&run.digest)),
    ];
    rows.iter().try_for_each(|(name, words)| sink.line(format!("{name:<12} {words}").trim_end()))?;
    Ok(())
}

/// How many clients do anything, where a run was made so small that not all of them do.
fn at_work(bundle: &Bundle) -> String {
    let active = bundle.request.workload.as_ref().map(WorkloadPlan::active_clients);
    active.filter(|active| *active < bundle.run().clients as usize).map_or_else(String::new, |active| format!(", {active} of them at work"))
}

fn operations_in_words(run: &Run) -> String {
    format!("{} ok, {} refused, {} without an answer", run.operations_ok, run.operations_error, run.operations_unknown)
}

/// The runs of a file, a line each.
fn list(path: &Path, file: &HistoryFile, as_json: bool, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let runs = file.runs().map_err(|error| Problem::refused(error.to_string()))?;
    if as_json {
        runs.iter().try_for_each(|run| sink.object(&run_object(run)))?;
        return Ok(Exit::Held);
    }
    let header =
        ["scenario", "seed", "bug", "replicas", "clients", "events", "ok", "error", "unknown", "ended"].map(str::to_owned).to_vec();
    let row = |run: &Run| {
        let counts = [run.events, run.operations_ok, run.operations_error, run.operations_unknown].map(grouped);
        let head = [run.scenario.clone(), run.seed.to_string(), run.bug.clone().unwrap_or_else(|| "-".to_owned())];
        let people = [run.replicas.to_string(), run.clients.to_string()];
        head.into_iter().chain(people).chain(counts).chain([run.ended.name().to_owned()]).collect()
    };
    let lines: Vec<Vec<String>> = core::iter::once(header).chain(runs.iter().map(row)).collect();
    table(&lines).iter().try_for_each(|line| sink.line(line))?;
    let seed = runs.first().map(|run| run.seed.to_string()).unwrap_or_default();
    let one = shell::command(["vopr", "show", &path_word(path), "--run", &seed]);
    sink.line(&format!("{}; one of them: {one}", counted(runs.len() as u64, "run")))?;
    Ok(Exit::Held)
}

fn run_object(run: &Run) -> Value {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!(text));
    tagged(
        "run",
        json!({
            "scenario": run.scenario,
            "seed": run.seed,
            "bug": run.bug,
            "replicas": run.replicas,
            "standbys": run.standbys,
            "clients": run.clients,
            "tenants": run.tenants,
            "events": run.events,
            "operations_ok": run.operations_ok,
            "operations_error": run.operations_error,
            "operations_unknown": run.operations_unknown,
            "end_time_ns": run.end_time_ns,
            "heal_time_ns": run.heal_time_ns,
            "ended": run.ended.name(),
            "ended_detail": run.ended_detail,
            "digest": output::json::hex(&run.digest),
            "options": parsed(&run.options),
            "plan": parsed(&run.plan),
        }),
    )
}

fn summary_object(path: &Path, bundle: &Bundle) -> Value {
    let mut object = run_object(bundle.run());
    object["file"] = json!(path);
    object["program"] = json!([bundle.provenance.program_version, bundle.provenance.source_commit]);
    object["symptom"] = json!(bundle.symptom);
    object["origin"] = json!(bundle.origin);
    object["workload"] = json!(bundle.request.workload);
    object
}

/// The run on one screen.
fn summary(bundle: &Bundle) -> Vec<String> {
    let (run, provenance, size) = (bundle.run(), &bundle.provenance, bundle.size());
    let bug = run.bug.as_deref().map_or_else(String::new, |bug| format!(", bug {bug} on"));
    let mut rows = vec![
        ("run", format!("{} seed {}{bug}", run.scenario, run.seed)),
        ("program", format!("{} {} ({})", provenance.program, provenance.program_version, provenance.source_commit)),
        ("recorded by", provenance.command_line.clone()),
        (
            "cluster",
            format!(
                "{}, {}, {} of {}{}",
                counted(u64::from(run.replicas), "replica"),
                counted(u64::from(run.standbys), "standby"),
                counted(u64::from(run.clients), "client"),
                counted(u64::from(run.tenants), "tenant"),
                at_work(bundle)
            ),
        ),
        ("size", size_in_words(size)),
        ("operations", operations_in_words(run)),
        ("ended", format!("{} at {}", run.ended.name(), seconds(run.end_time_ns))),
        ("digest", short(&run.digest)),
    ];
    rows.extend(run.ended_detail.iter().map(|detail| ("detail", detail.clone())));
    if let Some(symptom) = &bundle.symptom {
        rows.push(("fails", format!("{}: {}", symptom.invariant, symptom.sentence)));
        rows.push(("group", symptom.fingerprint()));
    }
    if let Some(origin) = &bundle.origin {
        let number = |name: &str| origin[name].as_u64().unwrap_or_default();
        let text = format!(
            "{}, {}, {}",
            counted(number("events"), "event"),
            counted(number("faults"), "fault"),
            counted(number("operations"), "operation")
        );
        // Bundles of earlier versions do not say it.
        let seed = origin["seed"].as_u64().filter(|seed| *seed != run.seed);
        let draws = seed.map_or_else(String::new, |seed| format!("; of seed {seed}, the random draws are those of seed {}", run.seed));
        rows.push(("made from", format!("{text}{draws}")));
    }
    rows.extend(injected(bundle).map(|injected| ("injected", injected)));
    rows.extend(bundle.request.plan.0.iter().take(FAULTS_SHOWN).enumerate().map(|(index, planned)| {
        let words = serde_json::to_string(&planned.fault).unwrap_or_default();
        (if index == 0 { "faults" } else { "" }, format!("{}  {words}", seconds(planned.time_ns)))
    }));
    let hidden = bundle.request.plan.0.len().saturating_sub(FAULTS_SHOWN);
    rows.extend((hidden > 0).then(|| ("", format!("({hidden} more with --json)"))));
    rows.into_iter().map(|(name, words)| format!("{name:<12} {words}").trim_end().to_owned()).collect()
}

/// What happened to a run besides its operations: planned faults and those drawn at random, by kind, the most frequent first. None:
/// nothing. Links that lose or duplicate a share of the messages are told by that share.
#[must_use]
pub fn injected(bundle: &Bundle) -> Option<String> {
    let table = &bundle.history.faults;
    let mut times: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut shares = Vec::new();
    for row in table.rows_of_run(0) {
        match table.fault.get(row) {
            // A return to normal.
            FaultKind::Restart => {}
            kind @ (FaultKind::Loss | FaultKind::Duplication) => {
                shares.push(format!("{} of {:.1} % of the messages", kind.name(), table.magnitude[row] * 100.0));
            }
            kind => *times.entry(kind.name()).or_default() += 1,
        }
    }
    let mut counts: Vec<(&str, u64)> = times.into_iter().collect();
    counts.sort_by_key(|(_, times)| core::cmp::Reverse(*times));
    let words = counts.into_iter().map(|(name, times)| format!("{} × {}", grouped(times), name.replace('_', " ")));
    let all: Vec<String> = words.chain(shares).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Faults on the first screen.
const FAULTS_SHOWN: usize = 12;

/// A run's size in words.
#[must_use]
pub fn size_in_words(size: crate::failure::bundle::Size) -> String {
    let parts = [counted(size.events, "event"), counted(size.faults as u64, "planned fault"), counted(size.operations as u64, "operation")];
    parts.join(", ")
}

fn judged(history: &History) -> RunVerdicts {
    judge_run(history, 0, &Selection::all(), &Budget::default())
}

fn invariants(history: &History, as_json: bool, sink: &mut Sink<'_>) -> Result<(), Problem> {
    let verdicts = judged(history);
    if as_json {
        return Ok(sink.object(&output::json::run(&verdicts))?);
    }
    sink.line("")?;
    let header = ["invariant", "verdict", "facts", "why"].map(str::to_owned).to_vec();
    let row = |(id, verdict): &(vopr_checker::InvariantId, vopr_checker::Verdict)| {
        let why = match verdict {
            vopr_checker::Verdict::Violation(witness) => witness.summary.clone(),
            vopr_checker::Verdict::Unknown { reason } | vopr_checker::Verdict::NotApplicable { reason } => reason.clone(),
            vopr_checker::Verdict::Pass { .. } => String::new(),
        };
        vec![id.name().to_owned(), verdict.name().to_owned(), grouped(verdict.facts()), why]
    };
    let rows: Vec<Vec<String>> = core::iter::once(header).chain(verdicts.verdicts.iter().map(row)).collect();
    Ok(with_reasons(&rows).iter().try_for_each(|line| sink.line(line))?)
}

/// A table whose last column is sentences: they begin in one place and are wrapped there, however long one of them is.
fn with_reasons(rows: &[Vec<String>]) -> Vec<String> {
    let heads: Vec<Vec<String>> = rows.iter().map(|row| row[..row.len() - 1].to_vec()).collect();
    let heads = table(&heads);
    let width = heads.iter().map(|head| head.chars().count()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for (head, row) in heads.iter().zip(rows) {
        for (place, part) in wrapped(&row[row.len() - 1], REASON_COLUMNS).enumerate() {
            let head = if place == 0 { head.as_str() } else { "" };
            lines.push(format!("{head:width$}  {part}").trim_end().to_owned());
        }
    }
    lines
}

/// Width of the sentences behind a table.
const REASON_COLUMNS: usize = 90;

fn coverage(history: &History, as_json: bool, sink: &mut Sink<'_>) -> Result<(), Problem> {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut count = |what, words: &[&'static str], codes: &[u8]| {
        for code in codes {
            if let Some(word) = words.get(usize::from(*code)) {
                *counts.entry((what, word)).or_default() += 1;
            }
        }
    };
    count("fault", vopr_schema::FaultKind::NAMES, &history.faults.fault.codes);
    count("message", vopr_schema::Command::NAMES, &history.messages.command.codes);
    count("mutation", vopr_schema::Mutation::NAMES, &history.messages.mutation.codes);
    count("refused message", vopr_schema::RejectReason::NAMES, &history.messages.reject_reason.codes);
    count("transition", vopr_schema::TransitionEvent::NAMES, &history.transitions.event.codes);
    count("disk access", vopr_schema::StorageOutcome::NAMES, &history.storage.outcome.codes);
    let situations = judged(history).situations;
    let seen = Situation::ALL.iter().map(|situation| ("situation", situation.name(), situations.of(*situation)));
    let all = counts.iter().map(|((what, word), times)| (*what, *word, *times)).chain(seen.filter(|(_, _, times)| *times > 0));
    if as_json {
        let mut all = all;
        return Ok(all.try_for_each(|(what, word, times)| {
            sink.object(&tagged("coverage", json!({ "what": what, "word": word, "times": times })))
        })?);
    }
    sink.line("")?;
    let lines: Vec<Vec<String>> = all.map(|(what, word, times)| vec![what.to_owned(), word.to_owned(), grouped(times)]).collect();
    Ok(table(&lines).iter().try_for_each(|line| sink.line(line))?)
}

fn events(history: &History, as_json: bool, sink: &mut Sink<'_>) -> Result<(), Problem> {
    let kinds = rows((history, 0));
    if !as_json {
        sink.line("")?;
    }
    for (place, row) in in_order(&kinds) {
        let rows = &kinds[place];
        if as_json {
            let cells: serde_json::Map<String, Value> = rows.cells(row).map(|(name, value)| (name.to_owned(), json!(value))).collect();
            let object = json!({ "kind": rows.kind.name(), "seq": rows.seq[row], "time_ns": rows.time_ns[row], "cells": cells });
            sink.object(&tagged("event", object))?;
        } else {
            sink.line(&rows.line(row))?;
        }
    }
    Ok(())
}

/// A bundle made from a run that was simulated a moment ago.
#[must_use]
pub fn fresh(request: &vopr_sim::RunRequest, trial: Trial, command_line: String) -> Bundle {
    let scenario = vopr_sim::scenarios::find(&request.options.scenario).map(|scenario| listing::scenario(scenario).to_string());
    Bundle::of_trial(request, trial, scenario.unwrap_or_default(), command_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_moves_no_other() {
        let row = |name: &str, why: String| vec![name.to_owned(), "1 000".to_owned(), why];
        let lines = with_reasons(&[row("invariant", "why".to_owned()), row("one", "word ".repeat(60)), row("another", "short".to_owned())]);
        let place = |text: &str| lines.iter().find_map(|line| line.find(text)).expect("it is told");
        assert_eq!((place("why"), place("word"), place("short")), (18, 18, 18), "{lines:#?}");
        assert!(lines.len() > 5 && lines.iter().all(|line| line.len() <= 18 + REASON_COLUMNS), "{lines:#?}");
    }
}
