//! Writes histories: whole runs to one Parquet file, which appears under its name only when it is complete.
//!
//! Recording is a third of what a simulation costs, so columns go from memory to pages without a row in between.

#![expect(clippy::cast_possible_truncation, reason = "widths and dictionary indices are small by construction")]

mod chunk;
mod columns;
mod encodings;
mod group;
mod interner;
mod irregular;
mod levels;
mod output;
mod runs;
mod split;

pub(crate) use chunk::{EXPANSION_FREE, EXPANSION_MAX};
pub(crate) use group::{ROWS_FREE, ROWS_PER_BYTE};

use crate::dictionary::Dictionary;
use crate::history::History;
use crate::layout::{self, Leaf};
use crate::provenance::{GroupEntry, Provenance, SchemaVersion};
use columns::ColumnEncoder;
use group::{GroupEncoder, GroupRows};
use output::Output;
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, RowGroupMetaData};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Rows that a row group holds at most; readers refuse more.
pub const ROWS_PER_GROUP_MAX: usize = 1 << 20;

/// Bytes in memory after which a row group is closed.
pub const BYTES_PER_GROUP_MAX: usize = 64 << 20;

/// Longest text of a run (options, plan, detail), bytes.
pub const TEXT_BYTES_MAX: usize = 16 << 20;

/// Why a history could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system refused.
    #[error("{}: {action} failed: {source}", path.display())]
    File {
        /// Which file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Its answer.
        source: std::io::Error,
    },
    /// The Parquet library refused a row group or the footer.
    #[error("the file's footer or a row group could not be written: {source}")]
    Footer {
        /// Its answer.
        source: ParquetError,
    },
    /// zstd refused.
    #[error("a page could not be compressed: {source}")]
    Compress {
        /// Its answer.
        source: std::io::Error,
    },
    /// The history in memory contradicts itself; the recorder is at fault.
    #[error("the history to write contradicts itself: {what}")]
    Inconsistent {
        /// What is wrong, and where.
        what: String,
    },
    /// A column holds a code that its dictionary does not have.
    #[error("column {column} holds code {code}, which its dictionary does not have")]
    Code {
        /// The column.
        column: String,
        /// The code.
        code: usize,
    },
    /// A run is there twice.
    #[error("scenario {scenario}, seed {seed} is in the file already: write each run once")]
    DuplicateRun {
        /// Scenario of both.
        scenario: String,
        /// Seed of both.
        seed: u64,
    },
}

/// Limits of row groups.
#[derive(Clone, Copy, Debug)]
pub struct WriteOptions {
    /// Rows per row group, at most [`ROWS_PER_GROUP_MAX`].
    pub rows_per_group_max: usize,
    /// Bytes in memory per row group.
    pub bytes_per_group_max: usize,
    /// Whether [`HistoryWriter::finish`] waits until the file is on the disk; false where losing it in a crash does not matter.
    pub durable: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { rows_per_group_max: ROWS_PER_GROUP_MAX, bytes_per_group_max: BYTES_PER_GROUP_MAX, durable: true }
    }
}

/// A file that is complete and durable under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its path.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Rows of all kinds.
    pub rows: u64,
    /// Runs.
    pub runs: u64,
    /// Row groups.
    pub row_groups: usize,
}

/// The name of a file with these runs: `SCENARIO-FIRSTSEED-COUNT.parquet`.
#[must_use]
pub fn file_name(scenario: &str, first_seed: u64, count: u64) -> String {
    format!("{scenario}-{first_seed}-{count}.parquet")
}

/// Where a file is written before it is complete: its name with `.partial` behind it.
#[must_use]
pub fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

/// Writes one file.
///
/// Every call of [`HistoryWriter::write`] adds at least one row group per kind of row, and each has a fixed cost of about ten
/// kilobytes, so hand over many runs at once (a hundred thousand rows or more). Dropping the writer without
/// [`HistoryWriter::finish`] leaves the incomplete `.partial` file behind and the final name untouched.
pub struct HistoryWriter {
    schema: SchemaDescPtr,
    path: PathBuf,
    provenance: Provenance,
    options: WriteOptions,
    leaves: Vec<Leaf>,
    encoder: ColumnEncoder,
    groups: Vec<GroupEntry>,
    footer: Vec<RowGroupMetaData>,
    seen: BTreeSet<(String, u64)>,
    batches: usize,
    rows: u64,
}

impl HistoryWriter {
    /// Starts a file at `path`, replacing what an interrupted writer left at its partial path.
    ///
    /// # Errors
    /// [`WriteError::File`] when the partial file can not be created, or when something else than a file has the name.
    pub fn create(path: &Path, provenance: Provenance, options: WriteOptions) -> Result<Self, WriteError> {
        // A device or a pipe would be gone once the file bears its name.
        if path.metadata().is_ok_and(|known| !known.is_file()) {
            let why = "it is a directory, a device or a pipe, and no file";
            let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, why);
            return Err(WriteError::File { path: path.to_owned(), action: "replacing it", source });
        }
        let schema = layout::parquet_schema().map_err(|source| WriteError::Footer { source })?;
        let encoder = ColumnEncoder::new(Output::create(path)?)?;
        Ok(Self {
            schema: Arc::new(SchemaDescriptor::new(schema)),
            path: path.to_owned(),
            provenance,
            options,
            leaves: layout::leaves(),
            encoder,
            groups: Vec::new(),
            footer: Vec::new(),
            seen: BTreeSet::new(),
            batches: 0,
            rows: 0,
        })
    }

    /// Adds all runs of `history`: for each kind present one row group, or several when there are too many rows for one.
    ///
    /// # Errors
    /// [`WriteError::DuplicateRun`] and [`WriteError::Inconsistent`] before anything is written, others when writing fails;
    /// after any error the file can not be finished sensibly and should be dropped.
    pub fn write(&mut self, history: &History) -> Result<(), WriteError> {
        split::check(history)?;
        for run in &history.runs {
            if !self.seen.insert((run.scenario.clone(), run.seed)) {
                return Err(WriteError::DuplicateRun { scenario: run.scenario.clone(), seed: run.seed });
            }
        }
        let runs_before = self.seen.len() - history.runs.len();
        for batch in split::batches(history, self.options) {
            for group in batch {
                self.write_group(history, &group, runs_before)?;
            }
            self.batches += 1;
        }
        self.encoder.chunk.output.flush()?;
        self.rows += history.rows() as u64;
        Ok(())
    }

    fn write_group(&mut self, history: &History, group: &GroupRows, runs_before: usize) -> Result<(), WriteError> {
        let chunks = GroupEncoder { encoder: &mut self.encoder, leaves: &self.leaves, schema: &self.schema }.encode(history, group)?;
        let entry = output::row_group(&self.schema, self.footer.len(), group.rows.len(), chunks);
        self.footer.push(entry.map_err(|source| WriteError::Footer { source })?);
        self.groups.push(GroupEntry {
            batch: self.batches,
            kind: group.kind.name().to_owned(),
            rows: group.rows.len() as u64,
            first_run: (runs_before + group.runs.start) as u64,
            runs: group.runs.len() as u64,
            first_seed: history.runs[group.runs.start].seed,
            last_seed: history.runs[group.runs.end - 1].seed,
        });
        Ok(())
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.encoder.chunk.output.position()
    }

    /// Writes the footer, makes the file durable and gives it its name.
    ///
    /// # Errors
    /// When writing, flushing or renaming fails; the final name is then untouched.
    pub fn finish(mut self) -> Result<WrittenFile, WriteError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        self.provenance.ended_unix_ms = u64::try_from(now).unwrap_or(u64::MAX);
        let pairs = self.provenance.to_pairs(SchemaVersion::CURRENT, &self.groups);
        let pairs = pairs.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
        let file = self.encoder.chunk.output.finish(self.schema, self.footer, pairs)?;
        let bytes = publish(&file, &self.path, self.options.durable)?;
        Ok(WrittenFile { path: self.path, bytes, rows: self.rows, runs: self.seen.len() as u64, row_groups: self.groups.len() })
    }
}

/// Flushes the partial file, renames it, and flushes the directory, without which the new name may not survive a crash.
fn publish(file: &File, path: &Path, durable: bool) -> Result<u64, WriteError> {
    let partial = partial_path(path);
    let failed = |path: &Path, action| {
        let path = path.to_owned();
        move |source| WriteError::File { path, action, source }
    };
    if durable {
        file.sync_all().map_err(failed(&partial, "flushing it"))?;
    }
    let bytes = file.metadata().map_err(failed(&partial, "measuring it"))?.len();
    std::fs::rename(&partial, path).map_err(failed(&partial, "renaming it"))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if durable {
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed(directory, "flushing the directory"))?;
    }
    Ok(bytes)
}
