//! Reads histories: opens a file, says where it came from, and turns its batches into [`History`] values.
//!
//! A history may come from anywhere. Every size is checked before memory is taken, every page against its checksum, and
//! whatever is wrong ends in a [`ReadError`] that names the place, never in a panic.

#![expect(clippy::cast_possible_truncation, reason = "counts were found to be within the file's limits before they are narrowed")]

mod batch;
mod columns;
mod error;
mod footer;
mod lists;
mod pages;
mod projection;
mod runs;

pub use error::{Place, ReadError};
pub use projection::Projection;

use crate::history::{History, Run};
use crate::provenance::{Provenance, RowGroup, SchemaVersion};
use crate::rows::Kind;
use crate::verify::PageReport;
use batch::{BatchReader, Source};
use core::ops::Range;
use error::Fault;
use footer::{ChunkPlace, Footer};
use pages::PageBuffers;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A history file that was found to be one.
///
/// Cheap to keep: rows are read batch by batch. May be shared between threads.
#[derive(Debug)]
pub struct HistoryFile {
    path: PathBuf,
    bytes: u64,
    source: FileSource,
    footer: Footer,
}

#[derive(Debug)]
struct FileSource(Mutex<File>);

impl Source for FileSource {
    fn read(&self, place: ChunkPlace, out: &mut [u8]) -> std::io::Result<()> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(place.start))?;
        file.read_exact(out)
    }
}

fn malformed(path: &Path, fault: Fault) -> ReadError {
    ReadError::Malformed { path: path.to_owned(), place: Box::new(fault.place), what: fault.what }
}

/// The one boundary behind which a panic (of the Parquet library, say) becomes an error.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        let what = "reading it ended in a panic: the file is damaged in a way that no check foresaw";
        Err(malformed(path, Fault::footer(what)))
    })
}

impl HistoryFile {
    /// Opens a file: reads the footer, checks version, schema and sizes, and that no run is there twice.
    ///
    /// # Errors
    /// [`ReadError`], when it can not be read or is no history. Damage inside a batch is told by [`HistoryFile::read_batch`].
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        if path.extension().is_some_and(|extension| extension == "partial") {
            return Err(ReadError::Partial { path: path.to_owned() });
        }
        guarded(path, || {
            let failed = |source| ReadError::File { path: path.to_owned(), action: "opening it", source };
            let mut file = File::open(path).map_err(failed)?;
            let bytes = file.metadata().map_err(failed)?.len();
            let (before, footer) = footer::read_bytes(path, &mut file, bytes)?;
            let footer = footer::parse(path, before, &footer, bytes)?;
            let opened = Self { path: path.to_owned(), bytes, source: FileSource(Mutex::new(file)), footer };
            opened.check_runs_differ()?;
            Ok(opened)
        })
    }

    /// Batches whose run rows can not be read are passed over here: reading them tells the damage.
    fn check_runs_differ(&self) -> Result<(), ReadError> {
        let mut seen = BTreeSet::new();
        let mut batches = self.reader()?;
        for groups in &self.footer.batches {
            let Ok(rows) = batches.run_rows(groups.start) else { continue };
            for run in rows.runs {
                let (scenario, number) = (run.scenario, run.seed);
                if !seen.insert((scenario.clone(), number)) {
                    let what = format!("scenario {scenario}, seed {number} is in the file twice");
                    return Err(malformed(&self.path, Fault::group(groups.start, Kind::Run, what)));
                }
            }
        }
        Ok(())
    }

    fn reader(&self) -> Result<BatchReader<'_, FileSource>, ReadError> {
        let failed = |source| ReadError::File { path: self.path.clone(), action: "starting the decompressor", source };
        let buffers = PageBuffers::new().map_err(failed)?;
        Ok(BatchReader { source: &self.source, footer: &self.footer, buffers, bytes: [Vec::new(), Vec::new()] })
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the runs came from.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.footer.provenance
    }

    /// The schema version that the file was written with.
    #[must_use]
    pub fn schema_version(&self) -> SchemaVersion {
        self.footer.version
    }

    /// The index of row groups.
    #[must_use]
    pub fn row_groups(&self) -> &[RowGroup] {
        &self.footer.groups
    }

    /// Nullable columns that the file lacks because it is older; they read as null.
    #[must_use]
    pub fn missing_columns(&self) -> &[(Kind, &'static str)] {
        &self.footer.missing
    }

    /// Whether the file lacks a column, so that evidence in it is unknown rather than absent.
    #[must_use]
    pub fn is_missing(&self, kind: Kind, column: &str) -> bool {
        self.footer.missing.contains(&(kind, column))
    }

    /// Number of batches. A batch holds whole runs, all kinds of them.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.footer.batches.len()
    }

    /// Number of runs by the index.
    #[must_use]
    pub fn run_count(&self) -> usize {
        self.footer.batches.iter().map(|groups| self.footer.groups[groups.start].runs).sum()
    }

    /// Number of rows of all kinds by the index.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.footer.groups.iter().map(|group| group.rows as u64).sum()
    }

    /// All rows of kind run.
    ///
    /// # Errors
    /// [`ReadError`] for the first damaged batch.
    pub fn runs(&self) -> Result<Vec<Run>, ReadError> {
        Ok(self.read_all(&Projection::runs())?.runs)
    }

    /// Reads one batch.
    ///
    /// # Errors
    /// [`ReadError`] when this batch is damaged; others may be whole.
    ///
    /// # Panics
    /// When there is no such batch.
    pub fn read_batch(&self, batch: usize, projection: &Projection) -> Result<History, ReadError> {
        let mut history = History::default();
        self.append_batch(batch, projection, &mut history)?;
        Ok(history)
    }

    /// Appends one batch to `history`, whose memory is reused when it was cleared before. After an error its content is
    /// undefined: clear it.
    ///
    /// # Errors
    /// [`ReadError`] when this batch is damaged; others may be whole.
    ///
    /// # Panics
    /// When there is no such batch.
    pub fn append_batch(&self, batch: usize, projection: &Projection, history: &mut History) -> Result<(), ReadError> {
        assert!(batch < self.batches(), "there is no batch {batch}");
        guarded(&self.path, || {
            let mut reader = self.reader()?;
            reader.read(batch, projection, history).map_err(|fault| malformed(&self.path, fault))
        })
    }

    /// The row groups of a batch.
    ///
    /// # Panics
    /// When there is no such batch.
    #[must_use]
    pub fn batch_row_groups(&self, batch: usize) -> Range<usize> {
        self.footer.batches[batch].clone()
    }

    /// Reads every page of a row group, those of other kinds' columns included, without looking at the values.
    pub(crate) fn check_pages(&self, group: usize) -> PageReport {
        let mut report = PageReport::default();
        let checked = guarded(&self.path, || {
            let mut reader = self.reader()?;
            for leaf in 0..self.footer.leaves.len() {
                match reader.check_pages(group, leaf) {
                    Ok((pages, unchecked)) => {
                        report.pages += pages;
                        report.unchecked += unchecked;
                    }
                    Err(fault) => report.damage.push(malformed(&self.path, fault)),
                }
            }
            Ok(())
        });
        report.damage.extend(checked.err());
        report
    }

    /// Reads all batches into one history.
    ///
    /// # Errors
    /// [`ReadError`] for the first damaged batch.
    pub fn read_all(&self, projection: &Projection) -> Result<History, ReadError> {
        let mut history = History::default();
        for batch in 0..self.batches() {
            self.append_batch(batch, projection, &mut history)?;
        }
        Ok(history)
    }
}
