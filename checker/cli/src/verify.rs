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
use vopr_schema::read::{HistoryFile, Projection};

/// What is known about a file.
#[derive(Debug, Default)]
struct Found {
    runs: u64,
    rows: u64,
    version: String,
    /// What is wrong, each with its place.
    damage: Vec<String>,
}

/// Tests files.
///
/// # Errors
/// When no file is there, or standard output cannot be written.
pub fn run(files: &[PathBuf], as_json: bool, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let inputs = inputs::resolve(files);
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
        let found = verify(path);
        if !found.damage.is_empty() {
            exit = exit.and(Exit::Refused);
        }
        print(path, &found, as_json, paint, sink)?;
    }
    Ok(exit)
}

fn verify(path: &Path) -> Found {
    let file = match HistoryFile::open(path) {
        Ok(file) => file,
        Err(error) => return Found { damage: vec![error.to_string()], ..Found::default() },
    };
    let mut found = Found { version: file.schema_version().to_string(), ..Found::default() };
    for batch in 0..file.batches() {
        match file.read_batch(batch, &Projection::all()) {
            Err(error) => found.damage.push(error.to_string()),
            Ok(history) => {
                found.rows += history.rows() as u64;
                for (index, run) in history.runs.iter().enumerate() {
                    found.runs += 1;
                    if vopr_schema::digest::run_digest(&history, index) != run.digest {
                        found.damage.push(format!(
                            "{}: {} seed {}: the digest does not match the rows",
                            path.display(),
                            run.scenario,
                            run.seed
                        ));
                    }
                }
            }
        }
    }
    found
}

fn print(path: &Path, found: &Found, as_json: bool, paint: Paint, sink: &mut Sink<'_>) -> std::io::Result<()> {
    if as_json {
        return sink.object(&tagged(
            "verify",
            json!({
                "file": path,
                "whole": found.damage.is_empty(),
                "schema": found.version,
                "runs": found.runs,
                "rows": found.rows,
                "damage": found.damage,
            }),
        ));
    }
    for damage in &found.damage {
        sink.line(&format!("{}  {damage}", paint.bad("damaged")))?;
    }
    let amount = format!("{} · {} · schema {}", counted(found.runs, "run"), counted(found.rows, "row"), found.version);
    if found.damage.is_empty() {
        sink.line(&format!("{}  {}: {amount}", paint.good("whole"), path.display()))
    } else if found.runs > 0 {
        sink.line(&format!("  the rest of {} could be read: {amount}", path.display()))
    } else {
        Ok(())
    }
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
        assert!(verify(&path).damage.is_empty());
        history.operations.key[0] = 5;
        write(&history);
        assert!(verify(&path).damage[0].contains("seed 1: the digest"), "{:?}", verify(&path));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
        assert!(!verify(&path).damage.is_empty());
    }
}
