//! From files to verdicts: batches are read and judged in parallel, and reported in the order of the files.
//!
//! A window of batches is read, then all of its runs are judged, then they are reported; the memory limit bounds the window,
//! and a batch that is larger than the limit is a window of its own. A damaged batch takes nothing else with it: what can be read is
//! judged, what cannot is refused by name.

use core::ops::RangeInclusive;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use vopr_checker::report::Refused;
use vopr_checker::{Budget, InvariantId, Report, RunVerdicts, Selection, Verdict, judge_run};
use vopr_schema::read::{HistoryFile, Projection};
use vopr_schema::{Dictionary, History, Kind, Run};

/// Memory of a row, its share of the index included, bytes: a little above what was measured.
const BYTES_PER_ROW: u64 = 200;

/// What to judge, and within which limits.
#[derive(Debug)]
pub struct Orders<'a> {
    /// Invariants.
    pub selection: Selection,
    /// Limits of each check.
    pub budget: Budget,
    /// Memory for rows, bytes, as estimated by the number of rows.
    pub memory_bytes: u64,
    /// Scenarios to look at; empty for all.
    pub scenarios: Vec<String>,
    /// Seeds to look at; empty for all.
    pub seeds: Vec<RangeInclusive<u64>>,
    /// Set by anyone who wants an end.
    pub cancel: &'a AtomicBool,
}

impl Orders<'_> {
    fn wants(&self, run: &Run) -> bool {
        let scenario = self.scenarios.is_empty() || self.scenarios.contains(&run.scenario);
        scenario && (self.seeds.is_empty() || self.seeds.iter().any(|range| range.contains(&run.seed)))
    }

    /// Whether a batch whose runs have seeds from `first` to `last` may hold a wanted run.
    fn may_want(&self, first: u64, last: u64) -> bool {
        // Within a batch seeds need not rise; then the range is empty and nothing is known.
        first > last || self.seeds.is_empty() || self.seeds.iter().any(|range| *range.start() <= last && first <= *range.end())
    }

    fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

/// What is told while files are being judged.
#[derive(Debug)]
pub enum Told<'a> {
    /// Runs that the files hold altogether, as their footers say.
    Total(u64),
    /// A run was judged.
    Run(&'a RunVerdicts),
    /// Runs that are not wanted were passed over.
    Passed(u64),
}

/// One batch of one file.
struct Unit<'a> {
    file: &'a HistoryFile,
    batch: usize,
    /// Runs by the footer.
    runs: u64,
    /// Rows by the footer.
    rows: u64,
}

/// What came of a batch.
struct Judged {
    runs: Vec<RunVerdicts>,
    passed: u64,
    refused: Option<Refused>,
}

/// Judges the wanted runs of these files; `tell` hears of each in the order of files and runs. Its errors end the check.
///
/// # Errors
/// The first one of `tell`.
pub fn check<E>(
    paths: &[PathBuf],
    orders: &Orders<'_>,
    pool: &rayon::ThreadPool,
    mut tell: impl FnMut(Told<'_>) -> Result<(), E>,
) -> Result<Report, E> {
    let mut report = Report::new(&orders.selection);
    let mut files = Vec::new();
    let open = |path: &PathBuf| HistoryFile::open(path).map_err(|error| refused(path, &error));
    for opened in pool.install(|| paths.par_iter().map(open).collect::<Vec<_>>()) {
        match opened {
            Ok(file) => files.push(file),
            Err(refused) => report.refused.push(refused),
        }
    }
    tell(Told::Total(files.iter().map(|file| file.run_count() as u64).sum()))?;
    let units: Vec<Unit<'_>> = files.iter().flat_map(units).collect();
    let mut rest = units.as_slice();
    while !rest.is_empty() {
        let (window, behind) = rest.split_at(window(rest, pool.current_num_threads(), orders.memory_bytes));
        rest = behind;
        for judged in pool.install(|| judge(window, orders)) {
            for run in &judged.runs {
                report.add(run);
                tell(Told::Run(run))?;
            }
            tell(Told::Passed(judged.passed))?;
            report.refused.extend(judged.refused);
        }
    }
    let damaged = |file: &HistoryFile| report.refused.iter().any(|refused| refused.file == file.path());
    report.files = files.iter().filter(|file| !damaged(file)).count() as u64;
    report.interrupted = orders.cancelled();
    Ok(report)
}

fn units(file: &HistoryFile) -> Vec<Unit<'_>> {
    let unit = |batch| {
        let groups = || file.row_groups().iter().filter(move |group| group.batch == batch);
        let runs = groups().filter(|group| group.kind == Kind::Run).map(|group| group.runs as u64).sum();
        Unit { file, batch, runs, rows: groups().map(|group| group.rows as u64).sum() }
    };
    (0..file.batches()).map(unit).collect()
}

/// How many of these batches are read at once: one per thread, fewer when memory is short, at least one.
fn window(units: &[Unit<'_>], threads: usize, memory_bytes: u64) -> usize {
    let mut bytes = 0;
    let fits = |unit: &&Unit<'_>| {
        bytes += unit.rows * BYTES_PER_ROW;
        bytes <= memory_bytes
    };
    units.iter().take(threads).take_while(fits).count().max(1)
}

/// Reads a window of batches, then judges all of their wanted runs, both in parallel.
fn judge(window: &[Unit<'_>], orders: &Orders<'_>) -> Vec<Judged> {
    let histories: Vec<_> = window.par_iter().map(|unit| read(unit, orders)).collect();
    let wanted = |place: usize| {
        let history = histories[place].as_ref().ok().and_then(Option::as_ref);
        history.into_iter().flat_map(move |history| {
            let runs = history.runs.iter().enumerate().filter(|(_, run)| orders.wants(run));
            runs.map(move |(run, _)| (place, history, run))
        })
    };
    let runs: Vec<(usize, &History, usize)> = (0..window.len()).flat_map(wanted).collect();
    let judge = |&(place, history, run): &(usize, &History, usize)| {
        (!orders.cancelled()).then(|| (place, finish(judge_run(history, run, &orders.selection, &orders.budget), window[place].file)))
    };
    let mut judged: Vec<Judged> = window.iter().map(|unit| Judged { runs: Vec::new(), passed: unit.runs, refused: None }).collect();
    for (place, run) in runs.par_iter().filter_map(judge).collect::<Vec<_>>() {
        judged[place].passed = judged[place].passed.saturating_sub(1);
        judged[place].runs.push(run);
    }
    for (judged, history) in judged.iter_mut().zip(histories) {
        judged.refused = history.err();
    }
    judged
}

/// Reads a batch, unless no run in it can be wanted.
fn read(unit: &Unit<'_>, orders: &Orders<'_>) -> Result<Option<History>, Refused> {
    let index = unit.file.row_groups().iter().find(|group| group.batch == unit.batch && group.kind == Kind::Run);
    if orders.cancelled() || index.is_some_and(|group| !orders.may_want(group.first_seed, group.last_seed)) {
        return Ok(None);
    }
    unit.file.read_batch(unit.batch, &Projection::all()).map(Some).map_err(|error| refused(unit.file.path(), &error))
}

/// Adds what only the file knows.
fn finish(mut run: RunVerdicts, file: &HistoryFile) -> RunVerdicts {
    run.file = Some(file.path().to_owned());
    for (invariant, verdict) in &mut run.verdicts {
        if let Some(lack) = lack(*invariant, file) {
            *verdict = lack;
        }
    }
    run
}

/// A file of an older version may lack what an invariant reads: then its verdict says nothing.
fn lack(invariant: InvariantId, file: &HistoryFile) -> Option<Verdict> {
    let reads = invariant.invariant().reads.iter();
    let mut columns = reads.flat_map(|reads| reads.columns.iter().map(|column| (reads.kind, *column)));
    let (kind, column) = columns.find(|(kind, column)| file.is_missing(*kind, column))?;
    let version = file.schema_version();
    Some(Verdict::unknown(format!("needs column {}.{column}, which a file of schema {version} does not have", kind.name())))
}

/// An input that was refused; the reader's text without the path, which stands beside it.
fn refused(path: &Path, error: &impl ToString) -> Refused {
    let text = error.to_string();
    let error = text.strip_prefix(&format!("{}: ", path.display())).map_or_else(|| text.clone(), str::to_owned);
    Refused { file: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;
    use vopr_schema::write::{HistoryWriter, WriteOptions};
    use vopr_schema::{OperationRow, Provenance};

    fn file(folder: &Path, scenario: &str, seeds: core::ops::Range<u64>) -> PathBuf {
        let mut history = History::default();
        for seed in seeds.clone() {
            history.operations.push(OperationRow { seq: 1, key: seed, ..OperationRow::default() });
            history.close_run(Run { scenario: scenario.to_owned(), seed, replicas: 3, ..Run::default() });
        }
        let path = folder.join(vopr_schema::write::file_name(scenario, seeds.start, seeds.end - seeds.start));
        let mut writer = HistoryWriter::create(&path, Provenance::default(), WriteOptions::default()).unwrap();
        writer.write(&history).unwrap();
        writer.finish().unwrap();
        path
    }

    fn seen(paths: &[PathBuf], orders: &Orders<'_>) -> (Vec<(String, u64)>, Report) {
        let mut seen = Vec::new();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let report = check(paths, orders, &pool, |told| {
            if let Told::Run(run) = told {
                seen.push((run.scenario.clone(), run.seed));
            }
            Ok::<(), Infallible>(())
        });
        let Ok(report) = report;
        (seen, report)
    }

    fn orders(cancel: &AtomicBool) -> Orders<'_> {
        Orders {
            selection: Selection::all(),
            budget: Budget::default(),
            memory_bytes: 1 << 20,
            scenarios: Vec::new(),
            seeds: Vec::new(),
            cancel,
        }
    }

    #[test]
    fn runs_are_told_in_the_order_of_files_and_seeds() {
        let home = tempfile::tempdir().unwrap();
        let paths = [file(home.path(), "b", 5..9), file(home.path(), "a", 0..3)];
        let cancel = AtomicBool::new(false);
        let (seen, report) = seen(&paths, &orders(&cancel));
        let expected: Vec<(String, u64)> =
            (5..9).map(|seed| ("b".to_owned(), seed)).chain((0..3).map(|seed| ("a".to_owned(), seed))).collect();
        assert_eq!(seen, expected);
        assert_eq!((report.files, report.runs), (2, 7));
    }

    #[test]
    fn filters_choose_runs() {
        let home = tempfile::tempdir().unwrap();
        let paths = [file(home.path(), "a", 0..9), file(home.path(), "b", 0..9)];
        let cancel = AtomicBool::new(false);
        let chosen = Orders { scenarios: vec!["b".to_owned()], seeds: vec![3..=4, 8..=20], ..orders(&cancel) };
        assert_eq!(seen(&paths, &chosen).0, [3, 4, 8].map(|seed| ("b".to_owned(), seed)));
    }

    #[test]
    fn a_window_is_bounded_by_threads_and_memory() {
        let home = tempfile::tempdir().unwrap();
        let file = HistoryFile::open(&file(home.path(), "a", 0..3)).unwrap();
        let unit = |rows| Unit { file: &file, batch: 0, runs: 1, rows };
        let units = [unit(10), unit(10), unit(10)];
        assert_eq!(window(&units, 8, u64::MAX), 3);
        assert_eq!(window(&units, 2, u64::MAX), 2);
        assert_eq!(window(&units, 8, 25 * BYTES_PER_ROW), 2);
        assert_eq!(window(&units, 8, 1), 1);
    }

    #[test]
    fn a_damaged_file_takes_no_other_with_it() {
        let home = tempfile::tempdir().unwrap();
        let paths = [file(home.path(), "a", 0..3), file(home.path(), "b", 0..3)];
        let bytes = std::fs::read(&paths[0]).unwrap();
        std::fs::write(&paths[0], &bytes[..bytes.len() / 2]).unwrap();
        let cancel = AtomicBool::new(false);
        let (_, report) = seen(&paths, &orders(&cancel));
        assert_eq!((report.files, report.runs, report.refused.len()), (1, 3, 1));
        assert_eq!(report.refused[0].file, paths[0]);
        assert!(!report.refused[0].error.contains("a-0-3"), "{}", report.refused[0].error);
    }

    #[test]
    fn cancelling_ends_it_and_is_told() {
        let home = tempfile::tempdir().unwrap();
        let paths = [file(home.path(), "a", 0..3)];
        let cancel = AtomicBool::new(true);
        let (seen, report) = seen(&paths, &orders(&cancel));
        assert!(seen.is_empty() && report.interrupted);
    }
}
