//! Tests a file's integrity: every page's checksum, every run's digest, every promise of the index.
//!
//! A reader stops at the first damage in what it was asked for; this looks at everything and says which runs are still whole.

use crate::digest::run_digest;
use crate::history::{History, Run};
use crate::provenance::SchemaVersion;
use crate::read::{HistoryFile, Projection, ReadError};
use core::ops::Range;
use std::path::{Path, PathBuf};

/// What is wrong with one run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunDamage {
    /// A row group that holds its rows is damaged; whether its own rows are cannot be told.
    #[error("a row group that holds its rows is damaged")]
    Unreadable,
    /// Its rows are not those that were recorded.
    #[error("its digest is {computed}, {recorded} was recorded: rows were changed, lost or added")]
    Digest {
        /// Hexadecimal, from the row of kind run.
        recorded: String,
        /// Hexadecimal, from the rows.
        computed: String,
    },
    /// Two of its rows have one position.
    #[error("two of its rows have position {seq}")]
    DuplicateSeq {
        /// The position.
        seq: u64,
    },
}

/// One run's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReport {
    /// Scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// What is wrong; none when it is intact.
    pub damage: Option<RunDamage>,
}

/// One batch's state.
#[derive(Debug)]
pub struct BatchReport {
    /// Its row groups.
    pub row_groups: Range<usize>,
    /// Its runs; none when even their rows of kind run can not be read.
    pub runs: Vec<RunReport>,
    /// Damage of pages, at most one per column chunk.
    pub damage: Vec<ReadError>,
}

/// A file's state.
#[derive(Debug)]
pub struct VerifyReport {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its schema version.
    pub schema_version: SchemaVersion,
    /// Rows by the index.
    pub rows: u64,
    /// Runs by the index.
    pub runs: usize,
    /// Pages read.
    pub pages: usize,
    /// Pages that carry no checksum; the program here always writes one, others may not.
    pub pages_without_checksum: usize,
    /// All batches.
    pub batches: Vec<BatchReport>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.batches.iter().all(|batch| batch.damage.is_empty() && batch.runs.iter().all(|run| run.damage.is_none()))
    }

    /// The damaged runs.
    pub fn damaged_runs(&self) -> impl Iterator<Item = &RunReport> {
        self.batches.iter().flat_map(|batch| &batch.runs).filter(|run| run.damage.is_some())
    }
}

/// Reads everything in the file at `path`.
///
/// # Errors
/// [`ReadError`], when the footer can not be used: then nothing in the file can be read.
pub fn verify(path: &Path) -> Result<VerifyReport, ReadError> {
    let file = HistoryFile::open(path)?;
    let mut report = VerifyReport {
        path: path.to_owned(),
        bytes: file.bytes(),
        schema_version: file.schema_version(),
        rows: file.row_count(),
        runs: file.run_count(),
        pages: 0,
        pages_without_checksum: 0,
        batches: Vec::new(),
    };
    for batch in 0..file.batches() {
        let verified = verify_batch(&file, batch, &mut report);
        report.batches.push(verified);
    }
    Ok(report)
}

fn verify_batch(file: &HistoryFile, batch: usize, report: &mut VerifyReport) -> BatchReport {
    let row_groups = file.batch_row_groups(batch);
    let mut damage = Vec::new();
    for group in row_groups.clone() {
        let pages = file.check_pages(group);
        report.pages += pages.pages;
        report.pages_without_checksum += pages.unchecked;
        damage.extend(pages.damage);
    }
    let runs = match file.read_batch(batch, &Projection::all()) {
        Ok(history) => (0..history.runs.len()).map(|run| verify_run(&history, run)).collect(),
        Err(error) => {
            // The pages tell where it is damaged, unless they are whole and what they hold is wrong.
            if damage.is_empty() {
                damage.push(error);
            }
            let runs = file.read_batch(batch, &Projection::runs()).map(|history| history.runs).unwrap_or_default();
            runs.into_iter().map(unreadable).collect()
        }
    };
    BatchReport { row_groups, runs, damage }
}

fn unreadable(run: Run) -> RunReport {
    RunReport { scenario: run.scenario, seed: run.seed, damage: Some(RunDamage::Unreadable) }
}

fn verify_run(history: &History, index: usize) -> RunReport {
    let run = &history.runs[index];
    let computed = run_digest(history, index);
    let damage = if computed == run.digest {
        duplicate_seq(history, index).map(|seq| RunDamage::DuplicateSeq { seq })
    } else {
        Some(RunDamage::Digest { recorded: hexadecimal(&run.digest), computed: hexadecimal(&computed) })
    };
    RunReport { scenario: run.scenario.clone(), seed: run.seed, damage }
}

/// A position that two rows of a run share; its row of kind run has position 0.
fn duplicate_seq(history: &History, run: usize) -> Option<u64> {
    let mut all = vec![0];
    all.extend_from_slice(&history.operations.seq[history.operations.rows_of_run(run)]);
    all.extend_from_slice(&history.messages.seq[history.messages.rows_of_run(run)]);
    all.extend_from_slice(&history.transitions.seq[history.transitions.rows_of_run(run)]);
    all.extend_from_slice(&history.storage.seq[history.storage.rows_of_run(run)]);
    all.extend_from_slice(&history.faults.seq[history.faults.rows_of_run(run)]);
    all.sort_unstable();
    all.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

/// A digest as people and databases print it.
#[must_use]
pub fn hexadecimal(digest: &[u8; 32]) -> String {
    use core::fmt::Write;
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
        text
    })
}

/// What the pages of a row group were found to be.
#[derive(Debug, Default)]
pub(crate) struct PageReport {
    /// Pages read.
    pub(crate) pages: usize,
    /// Pages without a checksum.
    pub(crate) unchecked: usize,
    /// At most one error per column chunk.
    pub(crate) damage: Vec<ReadError>,
}
