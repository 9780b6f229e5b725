//! Files of other versions: an older one lacks columns, a newer minor one has more of everything, a newer major one is refused.

use crate::stock::Stock;
use crate::{Place, realistic, write_batches};
use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use parquet::basic::Compression;
use std::path::PathBuf;
use std::sync::Arc;
use vopr_schema::{Dictionary, HistoryFile, Kind, Projection, ReadError, SchemaVersion, TransitionEvent, WriteOptions};

/// A realistic file, taken apart.
fn sample() -> (Place, PathBuf, vopr_schema::History, Stock) {
    let place = Place::new();
    let path = place.path("sample.parquet");
    let history = realistic::history(4, 2, 3000);
    write_batches(&path, std::slice::from_ref(&history), WriteOptions::default());
    let stock = Stock::read(&path);
    (place, path, history, stock)
}

#[test]
fn columns_that_an_older_file_lacks_are_null_and_known_to_be_missing() {
    let (_place, path, mut expected, mut stock) = sample();
    for column in ["message.checksum", "operation.results", "transition.state_hash", "transition.detail", "run.heal_time_ns"] {
        stock.remove(column);
    }
    stock.write(&path, Compression::UNCOMPRESSED);
    let file = HistoryFile::open(&path).unwrap();
    let missing = [
        (Kind::Run, "heal_time_ns"),
        (Kind::Operation, "results"),
        (Kind::Message, "checksum"),
        (Kind::Transition, "state_hash"),
        (Kind::Transition, "detail"),
    ];
    assert_eq!(file.missing_columns(), missing);
    assert!(file.is_missing(Kind::Transition, "state_hash") && !file.is_missing(Kind::Transition, "entry_hash"));
    expected.transitions.state_hash.0.fill(u64::MAX);
    assert!(file.read_all(&Projection::all()).unwrap() == expected);
}

#[test]
fn a_required_column_may_not_be_missing() {
    let (_place, path, _, mut stock) = sample();
    stock.remove("message.command");
    stock.write(&path, Compression::UNCOMPRESSED);
    let refused = HistoryFile::open(&path).unwrap_err().to_string();
    assert!(refused.contains("column message.command is missing"), "{refused}");
}

#[test]
fn columns_and_words_of_a_newer_minor_version_are_passed_over() {
    let (_place, path, mut expected, mut stock) = sample();
    stock.add("message", "priority");
    let group = stock.group_of("transition");
    let events = stock.column(group, "transition.event");
    let changed: StringArray =
        events.as_string::<i32>().iter().enumerate().map(|(row, event)| if row == 7 { Some("levitated") } else { event }).collect();
    stock.replace(group, "transition.event", &(Arc::new(changed) as ArrayRef));
    // To this version the file is of its own version, and wrong in both respects.
    stock.write(&path, Compression::UNCOMPRESSED);
    let refused = HistoryFile::open(&path).unwrap_err().to_string();
    assert!(refused.contains("column message.priority is not part of schema 1.0"), "{refused}");
    stock.set_pair("vopr.schema_version", "1.1");
    stock.write(&path, Compression::UNCOMPRESSED);
    let file = HistoryFile::open(&path).unwrap();
    assert_eq!(file.schema_version(), SchemaVersion { major: 1, minor: 1 });
    expected.transitions.event.codes[7] = TransitionEvent::Other.code();
    assert!(file.read_all(&Projection::all()).unwrap() == expected);
}

#[test]
fn a_word_that_has_no_other_is_refused_even_from_a_newer_version() {
    let (_place, path, _, mut stock) = sample();
    let group = stock.group_of("transition");
    let rows = stock.column(group, "transition.status").len();
    let changed = StringArray::from(vec!["levitating"; rows]);
    stock.replace(group, "transition.status", &(Arc::new(changed) as ArrayRef));
    stock.set_pair("vopr.schema_version", "1.1");
    stock.write(&path, Compression::UNCOMPRESSED);
    let refused = crate::read_everything(&path).unwrap_err().to_string();
    assert!(refused.contains("transition.status") && refused.contains("levitating"), "{refused}");
}

#[test]
fn a_newer_major_version_is_refused_by_number() {
    let (_place, path, _, mut stock) = sample();
    stock.set_pair("vopr.schema_version", "2.3");
    stock.write(&path, Compression::UNCOMPRESSED);
    let refused = HistoryFile::open(&path).unwrap_err();
    assert!(matches!(refused, ReadError::NewerSchema { found: SchemaVersion { major: 2, minor: 3 }, .. }));
    assert!(refused.to_string().contains("2.3"), "{refused}");
}
