//! A campaign for programs: one JSON object per line, each with `format` and `type`.
//!
//! `format` changes when a field is removed or changes its meaning; new fields and new types may appear at any time.

use crate::campaign::plan::Plan;
use crate::checkpoint::Checkpoint;
use crate::output::{Commands, Summary};
use crate::rig::JudgedRun;
use crate::tally::{Failure, Tally};
use serde_json::{Value, json};
use std::io;
use vopr_check::output::json::hex;
use vopr_check::output::json::situations;
use vopr_check::terminal::Sink;
use vopr_check::version::{COMMIT, VERSION};
use vopr_schema::Dictionary;

/// Name and version of the shape.
pub const FORMAT: &str = "vopr/1";

/// Puts `format` and `type` into an object.
#[must_use]
pub fn tagged(kind: &str, mut object: Value) -> Value {
    object["format"] = json!(FORMAT);
    object["type"] = json!(kind);
    object
}

pub(super) fn started(plan: &Plan, resumed: Option<&Checkpoint>, sink: &mut Sink<'_>) -> io::Result<()> {
    let runs: u64 = resumed.map_or(0, |state| state.scenarios.iter().map(|scenario| scenario.tally().runs).sum());
    sink.object(&tagged(
        "start",
        json!({
            "version": VERSION,
            "commit": COMMIT,
            "scenarios": plan.scenarios.iter().map(|scenario| scenario.name).collect::<Vec<_>>(),
            "seed": plan.seed,
            "iterations": plan.iterations,
            "threads": plan.jobs,
            "command": plan.command(),
            "runs_done_before": runs,
        }),
    ))
}

pub(super) fn run(scenario: &str, run: &JudgedRun, sink: &mut Sink<'_>) -> io::Result<()> {
    let verdict = |(id, verdict): &(vopr_checker::InvariantId, vopr_checker::Verdict)| (id.name().to_owned(), json!(verdict.name()));
    let verdicts = run.verdicts.as_ref().map(|all| all.verdicts.iter().map(verdict).collect::<serde_json::Map<_, _>>());
    let evidence = run.verdicts.as_ref().and_then(|all| all.evidence.as_ref());
    sink.object(&tagged(
        "run",
        json!({
            "scenario": scenario,
            "seed": run.seed,
            "failed": run.failure.is_some(),
            "ended": run.ended.name(),
            "digest": run.digest.as_ref().map(|digest| hex(digest)),
            "events": run.tally.events,
            "operations": run.tally.operations,
            "rows": run.tally.rows,
            "facts": run.tally.facts,
            "exercised": evidence.map(vopr_checker::evidence::Evidence::exercised),
            "missing": evidence.map(|evidence| &evidence.missing),
            "verdicts": verdicts,
        }),
    ))
}

pub(super) fn failure(failure: &Failure, commands: &Commands, run: Option<&JudgedRun>, sink: &mut Sink<'_>) -> io::Result<()> {
    let mut object = tagged("failure", json!(failure));
    object["reproduce"] = json!(commands.reproduce);
    object["record"] = json!(commands.record);
    object["check"] = json!(commands.check);
    object["diagnose"] = json!(commands.diagnose);
    object["minimize"] = json!(commands.minimize);
    let found = run.and_then(|run| run.verdicts.as_ref()).and_then(vopr_checker::report::failure);
    object["fingerprint"] = json!(found.as_ref().map(vopr_checker::Failure::fingerprint));
    object["findings"] = json!(found.map(|found| found.findings));
    sink.object(&object)
}

pub(super) fn finished(summary: &Summary<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
    for undecided in &summary.report.undecided {
        sink.object(&tagged("unknown", json!(undecided)))?;
    }
    let mut total = Tally::default();
    for scenario in &summary.state.scenarios {
        let tally = scenario.tally();
        total.add(&tally);
        let mut object = tagged("scenario", json!(tally));
        object["name"] = json!(scenario.name);
        object["ok"] = json!(tally.held());
        object["vacuous"] = json!(summary.checked && !tally.is_exercised());
        object["events_per_second"] = json!(tally.events_per_second());
        object["missing"] = json!(summary.report.evidence.get(&scenario.name).map(|evidence| &evidence.missing));
        sink.object(&object)?;
    }
    if summary.checked {
        sink.object(&tagged("situations", situations(summary.situations, summary.required)))?;
    }
    let mut object = tagged("summary", json!(total));
    object["checked"] = json!(summary.checked);
    object["elapsed_ms"] = json!(u64::try_from(summary.elapsed.as_millis()).unwrap_or(u64::MAX));
    object["threads"] = json!(summary.threads);
    object["stopped"] = json!(summary.broke);
    object["resume"] = json!(summary.resume);
    object["exit"] = json!(summary.exit.code());
    sink.object(&object)
}
