//! A report for programs: one JSON object per line, each with `format` and `type`.
//!
//! `format` changes when a field is removed or changes its meaning; new fields and new types may appear at any time.

use crate::output::Context;
use crate::terminal::Sink;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io;
use vopr_checker::registry::{ELSEWHERE, INVARIANTS};
use vopr_checker::situations::{Coverage, Situation};
use vopr_checker::{Report, RunVerdicts, Verdict};

/// Name and version of the shape.
pub const FORMAT: &str = "vopr-check/1";

/// One run with all of its verdicts.
#[must_use]
pub fn run(run: &RunVerdicts) -> Value {
    let verdict = |(id, verdict): &(vopr_checker::InvariantId, Verdict)| {
        let mut object = json!({ "invariant": id.name(), "version": id.invariant().version, "verdict": verdict.name() });
        match verdict {
            Verdict::Pass { facts } => object["facts"] = json!(facts),
            Verdict::Violation(witness) => object["witness"] = json!(witness),
            Verdict::Unknown { reason } | Verdict::NotApplicable { reason } => object["reason"] = json!(reason),
        }
        object
    };
    json!({
        "format": FORMAT,
        "type": "run",
        "file": run.file,
        "scenario": run.scenario,
        "seed": run.seed,
        "bug": run.bug,
        "digest": hex(&run.digest),
        "rows": run.rows,
        "operations": run.operations,
        "exercised": run.evidence.as_ref().map(vopr_checker::evidence::Evidence::exercised),
        "missing": run.evidence.as_ref().map(|evidence| &evidence.missing),
        "verdicts": run.verdicts.iter().map(verdict).collect::<Vec<_>>(),
    })
}

/// Everything that is known at the end, the summary last.
///
/// # Errors
/// When standard output cannot be written.
pub fn report(report: &Report, context: &Context, sink: &mut Sink<'_>) -> io::Result<()> {
    for failure in &report.failures {
        let mut object = tagged("violation", json!(failure));
        object["fingerprint"] = json!(failure.fingerprint());
        sink.object(&object)?;
    }
    for undecided in &report.undecided {
        sink.object(&tagged("unknown", json!(undecided)))?;
    }
    for refused in &report.refused {
        sink.object(&tagged("refused", json!(refused)))?;
    }
    for (scenario, evidence) in &report.evidence {
        let mut object = tagged("evidence", json!(evidence));
        object["scenario"] = json!(scenario);
        object["vacuous"] = json!(evidence.vacuous());
        sink.object(&object)?;
    }
    sink.object(&tagged("situations", situations(&report.situations, &context.required)))?;
    for counts in &report.invariants {
        sink.object(&tagged("invariant", json!(counts)))?;
    }
    sink.object(&tagged(
        "summary",
        json!({
            "files": report.files,
            "runs": report.runs,
            "rows": report.rows,
            "operations": report.operations,
            "recalled_runs": context.recalled,
            "failing_runs": report.failing_runs,
            "unknown": report.undecided.iter().map(|undecided| undecided.runs).sum::<u64>(),
            "refused": report.refused.len(),
            "interrupted": report.interrupted,
            "elapsed_ms": u64::try_from(context.elapsed.as_millis()).unwrap_or(u64::MAX),
            "threads": context.threads,
            "exit": context.exit.code(),
        }),
    ))
}

/// The registry, one object per invariant.
pub fn invariants() -> impl Iterator<Item = Value> {
    INVARIANTS.iter().map(|invariant| {
        json!({
            "format": FORMAT,
            "type": "invariant",
            "name": invariant.name,
            "version": invariant.version,
            "category": invariant.category.name(),
            "statement": invariant.statement,
            "because_of": invariant.because_of,
            "page": invariant.page(),
        })
    })
}

/// What takes another simulation to decide, one object each.
pub fn elsewhere() -> impl Iterator<Item = Value> {
    ELSEWHERE.iter().map(|property| {
        let mut object = tagged("elsewhere", json!(property));
        object["page"] = json!(format!("docs/invariants/{}.md", property.name));
        object
    })
}

/// Puts `format` and `type` into an object.
#[must_use]
pub fn tagged(kind: &str, mut object: Value) -> Value {
    object["format"] = json!(FORMAT);
    object["type"] = json!(kind);
    object
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

/// Which situations came about, and which of the required ones did not.
#[must_use]
pub fn situations(coverage: &Coverage, required: &[Situation]) -> serde_json::Value {
    let missing: Vec<&str> = coverage.missing(required).map(Situation::name).collect();
    json!({ "seen": coverage, "required_and_missing": missing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::output::tests::{context, mixed, violation};

    #[test]
    fn every_line_is_an_object_of_a_known_shape() {
        let mut written = Vec::new();
        report(&mixed(), &context(Exit::Violated), &mut Sink::new(&mut written)).unwrap();
        let text = String::from_utf8(written).unwrap();
        let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(objects.iter().all(|object| object["format"] == FORMAT));
        let types: Vec<&str> = objects.iter().map(|object| object["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["violation", "unknown", "refused", "evidence", "situations", "invariant", "summary"]);
        assert_eq!(objects[0]["findings"][0]["witness"]["steps"][0]["seq"], 8_131);
        assert_eq!((&objects[6]["exit"], &objects[6]["runs"]), (&json!(1), &json!(5)));
    }

    #[test]
    fn a_run_carries_its_verdicts() {
        let object = run(&crate::output::tests::run("a.parquet", 9, violation()));
        assert_eq!(object["verdicts"][0]["verdict"], "violation");
        assert_eq!((&object["seed"], &object["exercised"]), (&json!(9), &json!(true)));
        assert_eq!(object["digest"].as_str().unwrap().len(), 64);
    }

    #[test]
    fn listings_have_names() {
        assert!(invariants().all(|object| object["name"].is_string() && object["version"].is_u64()));
    }
}
