//! What recorded histories cost: nanoseconds per row to write, rows per CPU second to read, bytes per column.
//!
//! Benchmarks draw their rows; this measures files that simulations wrote: `cargo run --release -p vopr-schema --example
//! measure -- FILE...`. Times are CPU time of one thread, the least of several rounds; memory is reused from round to round
//! as a campaign does, and `cold` is the first reading into fresh memory.

#![expect(clippy::cast_precision_loss, reason = "counts of rows and bytes stay far below 2^53")]

use cpu_time::ThreadTime;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use vopr_schema::digest::run_digest;
use vopr_schema::{Dictionary, History, HistoryFile, HistoryWriter, Kind, Projection, Provenance, WriteOptions};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const ROUNDS: usize = 9;

/// Columns that single invariants read, as examples of projections: quorum commit, hash chain, client session.
const PROJECTIONS: [(Kind, &[&str]); 5] = [
    (Kind::Message, &["command", "from", "to", "view", "op", "entry_hash", "fate", "fate_seq", "reject_reason", "mutation"]),
    (Kind::Message, &["id", "from", "to", "fate", "fate_seq"]),
    (Kind::Transition, &["replica", "event", "op", "commit", "entry_hash", "previous_hash"]),
    (Kind::Transition, &["replica", "event", "op", "commit", "tenant", "client", "session", "request_number"]),
    (Kind::Operation, &["tenant", "client", "session", "request_number", "function", "writes", "outcome", "op"]),
];

const KINDS: [Kind; 5] = [Kind::Operation, Kind::Message, Kind::Transition, Kind::Storage, Kind::Fault];

/// Least CPU time of some rounds, nanoseconds.
fn least(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut least = f64::MAX;
    for _ in 0..ROUNDS {
        let start = ThreadTime::now();
        work()?;
        least = least.min(start.elapsed().as_secs_f64() * 1e9);
    }
    Ok(least)
}

fn read(file: &HistoryFile, projection: &Projection, into: &mut History) -> Result<()> {
    into.clear();
    for batch in 0..file.batches() {
        file.append_batch(batch, projection, into)?;
    }
    Ok(())
}

fn write(path: &Path, history: &History) -> Result<u64> {
    let options = WriteOptions { durable: false, ..WriteOptions::default() };
    let mut writer = HistoryWriter::create(path, Provenance::default(), options)?;
    writer.write(history)?;
    Ok(writer.finish()?.bytes)
}

/// Records the same rows again: pushes them, run by run, and closes the runs, which computes their digests.
fn record(from: &History, into: &mut History) {
    into.clear();
    for (run, row) in from.runs.iter().enumerate() {
        from.operations.rows_of_run(run).for_each(|row| into.operations.push(from.operations.row(row)));
        from.messages.rows_of_run(run).for_each(|row| into.messages.push(from.messages.row(row)));
        from.transitions.rows_of_run(run).for_each(|row| into.transitions.push(from.transitions.row(row)));
        from.storage.rows_of_run(run).for_each(|row| into.storage.push(from.storage.row(row)));
        from.faults.rows_of_run(run).for_each(|row| into.faults.push(from.faults.row(row)));
        into.close_run(row.clone());
    }
}

fn rows_of(file: &HistoryFile, kind: Kind) -> f64 {
    file.row_groups().iter().filter(|group| group.kind == kind).map(|group| group.rows).sum::<usize>() as f64
}

/// Adds the bytes of every column, by kind of row group, so that what columns of other kinds cost is seen too.
fn add_column_bytes(path: &Path, kinds: &[Kind], into: &mut BTreeMap<(Kind, String), u64>) -> Result<u64> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let mut chunks = 0;
    for (group, kind) in reader.metadata().row_groups().iter().zip(kinds) {
        for column in group.columns() {
            let path = column.column_path().string();
            let own = !path.contains('.') || path.split('.').next() == Some(kind.name());
            let bytes = u64::try_from(column.compressed_size())?;
            *into.entry((*kind, if own { path } else { "(other kinds)".to_owned() })).or_default() += bytes;
            chunks += bytes;
        }
    }
    Ok(chunks)
}

#[derive(Default)]
struct Totals {
    rows: f64,
    bytes: f64,
    footers: f64,
    write_ns: f64,
    digest_ns: f64,
    record_ns: f64,
    /// By what is read: rows, warm and cold nanoseconds.
    reads: BTreeMap<String, (f64, f64, f64)>,
    columns: BTreeMap<(Kind, String), u64>,
    by_kind: BTreeMap<Kind, f64>,
}

fn measure(path: &Path, scratch: &Path, history: &mut History, totals: &mut Totals) -> Result<()> {
    let file = HistoryFile::open(path)?;
    read(&file, &Projection::all(), history)?;
    totals.rows += history.rows() as f64;
    let mut bytes = 0;
    let mut least_ns = f64::MAX;
    for _ in 0..ROUNDS {
        // File systems write at once what replaces a file; a campaign replaces none.
        std::fs::remove_file(scratch).or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
        let start = ThreadTime::now();
        bytes = write(scratch, history)?;
        least_ns = least_ns.min(start.elapsed().as_secs_f64() * 1e9);
    }
    totals.write_ns += least_ns;
    totals.bytes += bytes as f64;
    totals.digest_ns += least(|| {
        let digests = (0..history.runs.len()).map(|run| run_digest(history, run));
        if digests.zip(&history.runs).any(|(digest, run)| digest != run.digest) {
            return Err("a digest has changed".into());
        }
        Ok(())
    })?;
    let mut recorded = History::default();
    totals.record_ns += least(|| {
        record(history, &mut recorded);
        Ok(())
    })?;
    let again = HistoryFile::open(scratch)?;
    if again.read_all(&Projection::all())? != *history {
        return Err("the rows written are not those read".into());
    }
    let kinds: Vec<Kind> = again.row_groups().iter().map(|group| group.kind).collect();
    totals.footers += (bytes - add_column_bytes(scratch, &kinds, &mut totals.columns)?) as f64;
    let mut projections: Vec<(Kind, String, Projection)> =
        KINDS.map(|kind| (kind, kind.to_string(), Projection::runs().with_kind(kind))).into();
    projections.extend(PROJECTIONS.iter().map(|(kind, columns)| {
        let projection = columns.iter().fold(Projection::runs(), |projection, column| projection.with_column(*kind, column));
        (*kind, format!("{kind}: {}", columns.join(" ")), projection)
    }));
    for (kind, name, projection) in projections {
        let rows = rows_of(&again, kind);
        let start = ThreadTime::now();
        let mut fresh = again.read_all(&projection)?;
        let cold = start.elapsed().as_secs_f64() * 1e9;
        let warm = least(|| read(&again, &projection, &mut fresh))?;
        let entry = totals.reads.entry(name).or_default();
        *entry = (entry.0 + rows, entry.1 + warm, entry.2 + cold);
    }
    for kind in again.row_groups() {
        *totals.by_kind.entry(kind.kind).or_default() += kind.rows as f64;
    }
    Ok(())
}

fn print(totals: &Totals) {
    println!("{:.0} rows, {:.0} bytes, {:.3} bytes per row", totals.rows, totals.bytes, totals.bytes / totals.rows);
    let per_row = |ns: f64| ns / totals.rows;
    println!("push and digest {:6.1} ns per row, of which digest {:6.1}", per_row(totals.record_ns), per_row(totals.digest_ns));
    println!("write to a closed file {:6.1} ns per row", per_row(totals.write_ns));
    println!("recording in all {:6.1} ns per row", per_row(totals.record_ns + totals.write_ns));
    for (name, (rows, warm, cold)) in &totals.reads {
        println!("read {:7.1} M rows/s ({:5.1} cold)  {name}", rows / warm * 1e3, rows / cold * 1e3);
    }
    println!("{:>12} {:>9} {:>9}  column", "bytes", "per row", "of total");
    for (kind, rows) in &totals.by_kind {
        let mut columns: Vec<(&String, f64)> =
            totals.columns.iter().filter(|((of, _), _)| of == kind).map(|((_, name), bytes)| (name, *bytes as f64)).collect();
        columns.sort_by(|one, other| other.1.total_cmp(&one.1));
        let sum: f64 = columns.iter().map(|(_, bytes)| bytes).sum();
        println!("{sum:12.0} {:9.3} {:8.2} %  {kind}: {rows} rows", sum / rows, 100.0 * sum / totals.bytes);
        for (name, bytes) in columns.iter().filter(|(_, bytes)| *bytes > totals.bytes / 2000.0) {
            println!("{bytes:12.0} {:9.3} {:8.2} %      {name}", bytes / rows, 100.0 * bytes / totals.bytes);
        }
    }
    println!("{:12.0} {:9.3} {:8.2} %  footers", totals.footers, totals.footers / totals.rows, 100.0 * totals.footers / totals.bytes);
}

fn main() -> Result<()> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let scratch = std::env::temp_dir().join(format!("measure-{}.parquet", std::process::id()));
    let (mut history, mut totals) = (History::default(), Totals::default());
    for path in &paths {
        measure(path, &scratch, &mut history, &mut totals)?;
    }
    std::fs::remove_file(&scratch)?;
    print(&totals);
    Ok(())
}
