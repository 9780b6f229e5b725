//! `vopr-check verify`: is a file what its writer wrote?
//!
//! Nothing is judged here. Every page is read with its checksum, and the digest of every run is taken again.

use crate::exit::{Exit, Problem};
use crate::inputs;
use crate::interrupt;
use crate::output::json::tagged;
use crate::terminal::{Paint, Sink, counted, note};
use serde_json::json;
use std::path::{Path, PathBuf};
use vopr_schema::read::ReadError;
use vopr_schema::verify::{RunReport, VerifyReport, verify};

/// Tests files.
///
/// # Errors
/// When no file is there, or standard output cannot be written.
pub fn run(files: &[PathBuf], as_json: bool, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let inputs = inputs::resolve(files).with_minimized();
    inputs.notes.iter().for_each(|text| note(&format!("note: {text}")));
    if inputs.files.is_empty() && inputs.refused.is_empty() {
        return Err(Problem::nothing(inputs.unmatched.join("\nvopr-check: ")));
    }
    let paint = Paint::for_stdout();
    let mut exit = Exit::Held;
    for text in inputs.refused.iter().chain(&inputs.unmatched) {
        exit = exit.and(Exit::Refused);
        if as_json {
            sink.object(&tagged("verify", json!({ "file": text, "whole": false, "damage": [text] })))?;
        } else {
            sink.line(&format!("{}  {text}", paint.bad("refused")))?;
        }
    }
    interrupt::listen("the file under way is finished");
    for path in &inputs.files {
        if interrupt::requested() {
            return Ok(exit.and(Exit::Interrupted));
        }
        let verified = verify(path);
        if !verified.as_ref().is_ok_and(VerifyReport::is_intact) {
            exit = exit.and(Exit::Refused);
        }
        print(path, &verified, as_json, paint, sink)?;
    }
    Ok(exit)
}

/// What is wrong with a file, each with its place; empty when nothing is.
fn damage(verified: &Result<VerifyReport, ReadError>) -> Vec<String> {
    let report = match verified {
        Ok(report) => report,
        Err(error) => return vec![error.to_string()],
    };
    let pages = report.batches.iter().flat_map(|batch| &batch.damage).map(ToString::to_string);
    let path = report.path.display();
    let run = |run: &RunReport| run.damage.as_ref().map(|damage| format!("{path}: {} seed {}: {damage}", run.scenario, run.seed));
    pages.chain(report.damaged_runs().filter_map(run)).collect()
}

fn print(path: &Path, verified: &Result<VerifyReport, ReadError>, as_json: bool, paint: Paint, sink: &mut Sink<'_>) -> std::io::Result<()> {
    let damage = damage(verified);
    let report = verified.as_ref().ok();
    if as_json {
        return sink.object(&tagged(
            "verify",
            json!({
                "file": path,
                "whole": damage.is_empty(),
                "schema": report.map(|report| report.schema_version.to_string()),
                "runs": report.map(|report| report.runs),
                "damaged_runs": report.map(|report| report.damaged_runs().count()),
                "rows": report.map(|report| report.rows),
                "pages": report.map(|report| report.pages),
                "damage": damage,
            }),
        ));
    }
    for damage in &damage {
        sink.line(&format!("{}  {damage}", paint.bad("damaged")))?;
    }
    let Some(report) = report else { return Ok(()) };
    let runs = report.runs as u64;
    let pages = counted(report.pages as u64, "page");
    if damage.is_empty() {
        let amount = format!("{} · {} · {pages} · schema {}", counted(runs, "run"), counted(report.rows, "row"), report.schema_version);
        return sink.line(&format!("{}  {}: {amount}", paint.good("whole"), path.display()));
    }
    let damaged = report.damaged_runs().count();
    sink.line(&format!("  {} of {} in {} intact", (report.runs).saturating_sub(damaged), counted(runs, "run"), path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_schema::write::{HistoryWriter, WriteOptions};
    use vopr_schema::{History, OperationRow, Provenance, Run};

    #[test]
    fn damage_and_false_digests_are_found() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a-1-1.parquet");
        let mut history = History::default();
        history.operations.push(OperationRow { seq: 1, key: 4, ..OperationRow::default() });
        history.close_run(Run { scenario: "a".to_owned(), seed: 1, replicas: 3, ..Run::default() });
        let write = |history: &History| {
            let mut writer = HistoryWriter::create(&path, Provenance::default(), WriteOptions::default()).unwrap();
            writer.write(history).unwrap();
            writer.finish().unwrap();
        };
        write(&history);
        assert_eq!(damage(&verify(&path)), Vec::<String>::new());
        history.operations.key[0] = 5;
        write(&history);
        let found = damage(&verify(&path));
        assert!(found.len() == 1 && found[0].contains("a seed 1: its digest is"), "{found:?}");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
        assert!(damage(&verify(&path))[0].contains("footer"));
    }
}
