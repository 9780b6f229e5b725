//! Tests of the history format from outside: what is written is read, by this crate and by others, and nothing else is.

#![expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "samples are drawn from raw bits")]

mod arbitrary;
mod atomicity;
mod evolution;
mod fuzz;
mod generated;
mod hostile;
mod integrity;
mod realistic;
mod round_trip;
mod stock;
mod stock_reader;

use std::path::{Path, PathBuf};
use vopr_schema::{History, HistoryFile, HistoryWriter, Projection, Provenance, ReadError, WriteOptions, WrittenFile};

/// A directory that goes away, and a path in it.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Writes each history as a batch of its own.
fn write_batches(path: &Path, histories: &[History], options: WriteOptions) -> WrittenFile {
    let provenance = Provenance { program: "test".into(), ..Provenance::default() };
    let mut writer = HistoryWriter::create(path, provenance, WriteOptions { durable: false, ..options }).unwrap();
    for history in histories {
        writer.write(history).unwrap();
    }
    writer.finish().unwrap()
}

/// Opens a file and reads all of it.
fn read_everything(path: &Path) -> Result<History, ReadError> {
    HistoryFile::open(path)?.read_all(&Projection::all())
}
