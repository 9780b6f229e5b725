//! A report as SARIF 2.1.0, which code hosts show as findings and keep apart by fingerprint.
//!
//! An invariant is a rule, a broken root of a run is a result, the rows of its witness are its thread flow. What follows from a root is
//! named in its message and is no result of its own.

use crate::exit::Exit;
use crate::output::Context;
use crate::shell;
use crate::terminal::{Sink, counted};
use crate::version::VERSION;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use vopr_checker::report::InvariantCounts;
use vopr_checker::{Failure, Finding, InvariantId, Report, Step};
use vopr_schema::Dictionary;

/// Where the format is published.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Results that a file holds: what code hosts accept in one upload.
const RESULTS_MAX: usize = 5_000;

/// Rows of a witness that are written out.
const ROWS_MAX: usize = 200;

/// Prints the whole document.
///
/// # Errors
/// When standard output cannot be written.
pub fn report(report: &Report, context: &Context, sink: &mut Sink<'_>) -> io::Result<()> {
    let rules: Vec<Value> = report.invariants.iter().map(rule).collect();
    let roots = report.failures.iter().flat_map(|failure| failure.roots().map(move |root| (failure, root)));
    let results: Vec<Value> = roots.take(RESULTS_MAX).map(|(failure, root)| result(failure, root, report)).collect();
    let successful = !matches!(context.exit, Exit::Internal | Exit::Interrupted | Exit::Refused);
    sink.object(&json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "vopr-check", "semanticVersion": VERSION, "rules": rules } },
            "invocations": [{
                "executionSuccessful": successful,
                "exitCode": context.exit.code(),
                "toolExecutionNotifications": notifications(report),
            }],
            "results": results,
            "columnKind": "unicodeCodePoints",
        }],
    }))
}

fn rule(counts: &InvariantCounts) -> Value {
    let name = counts.invariant;
    let Some(id) = InvariantId::parse(name) else {
        return json!({ "id": name, "shortDescription": { "text": "a query of the user's own: each row is a violation" } });
    };
    let invariant = id.invariant();
    json!({
        "id": name,
        "shortDescription": { "text": invariant.statement },
        "help": { "text": format!("{}: see {}", invariant.statement, invariant.page()) },
        "defaultConfiguration": { "level": "error" },
        "properties": { "category": invariant.category.name(), "version": invariant.version },
    })
}

fn result(failure: &Failure, root: &Finding, report: &Report) -> Value {
    let rule = report.invariants.iter().position(|counts| counts.invariant == root.invariant);
    let follows = failure.consequences().filter(|finding| finding.because_of == Some(root.invariant));
    let follows: Vec<&str> = follows.map(|finding| finding.invariant).collect();
    let mut text = format!("{} seed {}: {}", failure.scenario, failure.seed, root.witness.summary);
    if !follows.is_empty() {
        text = format!("{text} (also violated because of this: {})", follows.join(", "));
    }
    let steps: Vec<Value> = root.witness.steps.iter().take(ROWS_MAX).map(|step| row(step, failure.file.as_deref())).collect();
    let mut result = json!({
        "ruleId": root.invariant,
        "level": "error",
        "message": { "text": text },
        "partialFingerprints": { "vopr/v1": failure.fingerprint() },
        "properties": { "scenario": failure.scenario, "seed": failure.seed, "bug": failure.bug },
    });
    if let Some(rule) = rule {
        result["ruleIndex"] = json!(rule);
    }
    result["locations"] = json!([place(failure.file.as_deref())]);
    if !steps.is_empty() {
        result["codeFlows"] = json!([{ "threadFlows": [{ "locations": steps }] }]);
    }
    if let Some(file) = &failure.file {
        let seed = failure.seed.to_string();
        let command = shell::command(["vopr-check", &file.display().to_string(), "--scenario", &failure.scenario, "--seed", &seed]);
        result["properties"]["check"] = json!(command);
    }
    result
}

/// A history as the place of a result. It has no lines: a code host shows the result at its first one.
fn place(file: Option<&Path>) -> Value {
    let uri = file.map_or_else(|| "histories".to_owned(), uri);
    json!({ "physicalLocation": { "artifactLocation": { "uri": uri }, "region": { "startLine": 1 } } })
}

fn row(step: &Step, file: Option<&Path>) -> Value {
    let mut location = place(file);
    location["message"] = json!({ "text": step.words });
    location["logicalLocations"] = json!([{ "fullyQualifiedName": format!("{} row {}", step.kind.name(), step.seq), "kind": "row" }]);
    json!({ "location": location, "importance": "essential" })
}

/// What could not be decided, and what could not be read.
fn notifications(report: &Report) -> Vec<Value> {
    let undecided = report.undecided.iter().map(|undecided| {
        let text = format!("{}: unknown in {}: {}", undecided.invariant, counted(undecided.runs, "run"), undecided.reason);
        json!({ "level": "warning", "message": { "text": text } })
    });
    let refused = report.refused.iter().map(|refused| {
        let text = format!("{}: {}", refused.file.display(), refused.error);
        json!({ "level": "error", "message": { "text": text }, "locations": [place(Some(&refused.file))] })
    });
    undecided.chain(refused).collect()
}

/// A path as a relative or absolute URI reference.
fn uri(path: &Path) -> String {
    let text = path.display().to_string();
    let mut uri = String::from(if text.starts_with('/') { "file://" } else { "" });
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            write!(uri, "%{byte:02X}").expect("a string takes all");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::{clean, context, mixed};

    fn document(report: &Report, exit: Exit) -> Value {
        let mut written = Vec::new();
        super::report(report, &context(exit), &mut Sink::new(&mut written)).unwrap();
        serde_json::from_slice(&written).unwrap()
    }

    #[test]
    fn a_violation_is_a_result_with_its_rows() {
        let run = &document(&mixed(), Exit::Violated)["runs"][0];
        let result = &run["results"][0];
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "b.parquet");
        let step = &result["codeFlows"][0]["threadFlows"][0]["locations"][0]["location"];
        assert_eq!(step["logicalLocations"][0]["fullyQualifiedName"], "transition row 8131");
        assert!(result["partialFingerprints"]["vopr/v1"].as_str().unwrap().contains('-'));
        let notes = run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
        assert_eq!(notes.len(), 2);
    }

    #[test]
    fn a_clean_report_has_rules_and_an_empty_list() {
        let run = &document(&clean(), Exit::Held)["runs"][0];
        assert_eq!((run["results"].as_array().map(Vec::len), &run["invocations"][0]["executionSuccessful"]), (Some(0), &json!(true)));
    }

    #[test]
    fn paths_become_references() {
        assert_eq!(uri(Path::new("my runs/ä.parquet")), "my%20runs/%C3%A4.parquet");
        assert_eq!(uri(Path::new("/a/b")), "file:///a/b");
    }
}
