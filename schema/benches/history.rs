//! What recording and reading cost per row: pushing rows, the digest, encoding to a closed file, reading one kind.
//!
//! Run with `cargo bench -p vopr-schema`; criterion's "thrpt" is rows per second, and sizes are printed first.

#![expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "samples are drawn from raw bits")]

#[path = "../tests/history/realistic.rs"]
mod realistic;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use vopr_schema::digest::run_digest;
use vopr_schema::{History, HistoryFile, HistoryWriter, Kind, Projection, Provenance, WriteOptions};

const RUNS: u64 = 25;
const ROWS_PER_RUN: usize = 40_000;

fn write(path: &Path, history: &History) -> u64 {
    let mut writer = HistoryWriter::create(path, Provenance::default(), WriteOptions::default()).expect("a temporary file");
    writer.write(history).expect("a consistent history");
    writer.finish().expect("room on the disk").bytes
}

fn push_again(from: &History, into: &mut History) {
    into.clear();
    for run in 0..from.runs.len() {
        from.operations.rows_of_run(run).for_each(|row| into.operations.push(from.operations.row(row)));
        from.messages.rows_of_run(run).for_each(|row| into.messages.push(from.messages.row(row)));
        from.transitions.rows_of_run(run).for_each(|row| into.transitions.push(from.transitions.row(row)));
        from.storage.rows_of_run(run).for_each(|row| into.storage.push(from.storage.row(row)));
        from.faults.rows_of_run(run).for_each(|row| into.faults.push(from.faults.row(row)));
        into.close_run(from.runs[run].clone());
    }
}

fn recording(criterion: &mut Criterion) {
    let history = realistic::history(1, RUNS, ROWS_PER_RUN);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("bench.parquet");
    let bytes = write(&path, &history);
    println!("{} rows, {bytes} bytes, {:.2} bytes/row", history.rows(), bytes as f64 / history.rows() as f64);

    let mut group = criterion.benchmark_group("recording");
    group.throughput(Throughput::Elements(history.rows() as u64)).sample_size(20);
    let mut again = History::default();
    group.bench_function("push and digest", |bencher| bencher.iter(|| push_again(black_box(&history), &mut again)));
    group.bench_function("digest", |bencher| {
        bencher.iter(|| (0..history.runs.len()).map(|run| run_digest(black_box(&history), run)[0]).fold(0, |all, byte| all ^ byte));
    });
    group.bench_function("encode", |bencher| bencher.iter(|| write(&path, black_box(&history))));
    group.finish();

    let file = HistoryFile::open(&path).expect("the file just written");
    let mut group = criterion.benchmark_group("reading");
    group.sample_size(20);
    let mut read = History::default();
    for kind in [Kind::Operation, Kind::Message, Kind::Transition, Kind::Storage] {
        let rows: usize = file.row_groups().iter().filter(|group| group.kind == kind).map(|group| group.rows).sum();
        group.throughput(Throughput::Elements(rows as u64));
        let projection = Projection::runs().with_kind(kind);
        group.bench_function(kind.to_string(), |bencher| {
            bencher.iter(|| {
                read.clear();
                for batch in 0..file.batches() {
                    file.append_batch(batch, &projection, &mut read).expect("an undamaged batch");
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, recording);
criterion_main!(benches);
