//! A file appears under its name only when it is complete, and an incomplete one is never taken for a history.

use crate::{Place, arbitrary, read_everything, realistic, write_batches};
use std::slice::from_ref;
use vopr_schema::{HistoryFile, HistoryWriter, Provenance, ReadError, Run, WriteError, WriteOptions, partial_path};

#[test]
fn the_name_appears_when_the_file_is_complete() {
    let place = Place::new();
    let path = place.path("run.parquet");
    let mut writer = HistoryWriter::create(&path, Provenance::default(), WriteOptions::default()).unwrap();
    writer.write(&realistic::history(1, 1, 1000)).unwrap();
    assert!(!path.exists() && partial_path(&path).exists());
    writer.finish().unwrap();
    assert!(path.exists() && !partial_path(&path).exists());
}

#[test]
fn an_interrupted_writer_leaves_what_was_there() {
    let place = Place::new();
    let path = place.path("run.parquet");
    let before = realistic::history(1, 1, 1000);
    write_batches(&path, from_ref(&before), WriteOptions::default());
    let mut writer = HistoryWriter::create(&path, Provenance::default(), WriteOptions::default()).unwrap();
    writer.write(&realistic::history(2, 1, 1000)).unwrap();
    drop(writer);
    assert!(read_everything(&path).unwrap() == before);
    assert!(partial_path(&path).exists());
    // The next writer starts over.
    let after = realistic::history(3, 1, 1000);
    write_batches(&path, from_ref(&after), WriteOptions::default());
    assert!(read_everything(&path).unwrap() == after);
}

#[test]
fn a_partial_file_is_refused_by_name_and_by_content() {
    let place = Place::new();
    let path = place.path("run.parquet");
    let mut writer = HistoryWriter::create(&path, Provenance::default(), WriteOptions::default()).unwrap();
    writer.write(&realistic::history(1, 1, 1000)).unwrap();
    drop(writer);
    let partial = partial_path(&path);
    let refused = HistoryFile::open(&partial).unwrap_err();
    assert!(matches!(refused, ReadError::Partial { .. }), "{refused}");
    assert!(refused.to_string().contains("run.parquet.partial") && refused.to_string().contains("not completed"), "{refused}");
    std::fs::rename(&partial, &path).unwrap();
    let refused = HistoryFile::open(&path).unwrap_err();
    assert!(refused.to_string().contains("cut short"), "{refused}");
}

#[test]
fn a_complete_file_under_a_partial_name_is_refused_too() {
    let place = Place::new();
    let path = place.path("run.parquet");
    write_batches(&path, from_ref(&realistic::history(1, 1, 1000)), WriteOptions::default());
    std::fs::rename(&path, partial_path(&path)).unwrap();
    assert!(matches!(HistoryFile::open(&partial_path(&path)), Err(ReadError::Partial { .. })));
}

#[test]
fn what_no_reader_would_accept_is_not_written() {
    let place = Place::new();
    let mut writer = HistoryWriter::create(&place.path("run.parquet"), Provenance::default(), WriteOptions::default()).unwrap();
    let history = arbitrary::history(1, 2, 50);
    let mut twice = history.clone();
    twice.runs[1].seed = twice.runs[0].seed;
    twice.runs[1].scenario = twice.runs[0].scenario.clone();
    assert!(matches!(writer.write(&twice), Err(WriteError::DuplicateRun { .. })));
    let mut falling = realistic::history(5, 1, 1000);
    falling.messages.seq.swap(3, 4);
    let refused = writer.write(&falling).unwrap_err().to_string();
    assert!(refused.contains("seq does not rise in the message rows of seed 5"), "{refused}");
    let mut open = history.clone();
    open.messages.push(vopr_schema::MessageRow { seq: u64::MAX, ..Default::default() });
    assert!(matches!(writer.write(&open), Err(WriteError::Inconsistent { .. })));
    let mut ragged = realistic::history(6, 1, 1000);
    ragged.transitions.view.pop();
    assert!(matches!(writer.write(&ragged), Err(WriteError::Inconsistent { .. })));
    let mut unknown = realistic::history(7, 1, 1000);
    unknown.messages.command.codes[5] = 200;
    let refused = writer.write(&unknown).unwrap_err().to_string();
    assert!(refused.contains("message.command") && refused.contains("200"), "{refused}");
    let mut long = vopr_schema::History::default();
    long.close_run(Run { plan: " ".repeat(17 << 20), ..Run::default() });
    assert!(matches!(writer.write(&long), Err(WriteError::Inconsistent { .. })));
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let place = Place::new();
    let path = place.path("missing").join("run.parquet");
    let refused = HistoryWriter::create(&path, Provenance::default(), WriteOptions::default()).err().unwrap().to_string();
    assert!(refused.contains("missing/run.parquet.partial"), "{refused}");
    assert!(matches!(HistoryFile::open(&path), Err(ReadError::File { .. })));
}
