//! From files to verdicts: batches are read and judged in parallel, and reported in the order of files and runs.
//!
//! A window of batches is read, then all of its runs are judged, then they are reported. The window is what bounds memory: it
//! holds at most one batch per thread, fewer when memory is short. A damaged batch takes nothing else with it: what can be read
//! is judged, what cannot is refused by name.

use crate::budget::Budget;
use crate::check::judge_run;
use crate::evidence;
use crate::registry::{InvariantId, Selection};
use crate::report::{Refused, Report, RunVerdicts};
use crate::store::Stores;
use crate::verdict::Verdict;
use core::ops::RangeInclusive;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use vopr_schema::read::{HistoryFile, Projection};
use vopr_schema::{Dictionary, History, Kind, Run};

/// Memory of a row, its share of the index included, bytes: a little above what was measured.
const BYTES_PER_ROW: u64 = 200;

/// Files that are open at a time: far below the usual limit of 1,024 descriptors of a process.
const FILES_OPEN_MAX: usize = 256;

/// What to judge, and within which limits. Set `budget.cancel` to stop early.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Invariants.
    pub selection: Selection,
    /// Limits of each check, and the flag that ends all of them.
    pub budget: Budget,
    /// Memory for rows, bytes, as estimated by the number of rows; none for one batch per thread.
    pub memory_bytes: Option<u64>,
    /// Threads; none for those of the current rayon pool.
    pub jobs: Option<usize>,
    /// Scenarios to look at; empty for all.
    pub scenarios: Vec<String>,
    /// Seeds to look at; empty for all.
    pub seeds: Vec<RangeInclusive<u64>>,
    /// Verdicts reached before; none to judge everything.
    pub stores: Option<Arc<Stores>>,
}

impl Options {
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
        self.budget.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }

    /// The kinds of rows that the chosen invariants and the evidence need. Whole kinds: together the invariants read nearly all
    /// columns, and a witness shows more than a check reads.
    fn projection(&self) -> Projection {
        if self.stores.is_some() {
            // Only all of a run's columns say which run it is.
            return Projection::all();
        }
        let kinds = [Kind::Operation, Kind::Message, Kind::Transition, Kind::Storage, Kind::Fault];
        let needed = kinds.into_iter().filter(|kind| self.selection.reads(*kind) || evidence::KINDS.contains(kind));
        needed.fold(Projection::runs(), Projection::with_kind)
    }
}

/// What is told while files are being judged.
#[derive(Debug)]
pub enum Event<'a> {
    /// Runs that the files hold altogether, as their footers say.
    Total(u64),
    /// A run was judged.
    Run(&'a RunVerdicts),
    /// Runs that are not wanted were passed over.
    Passed(u64),
    /// An input, or a part of it, was refused.
    Refused(&'a Refused),
}

/// Judges the wanted runs of these files. `tell` hears of each, on the calling thread, in the order of files and runs.
///
/// What cannot be read is in the report's `refused`; a run that was stopped half-way is not reported at all.
pub fn check_files(paths: &[PathBuf], options: &Options, mut tell: impl FnMut(Event<'_>)) -> Report {
    let checked = try_check_files(paths, options, |event| {
        tell(event);
        Ok::<(), core::convert::Infallible>(())
    });
    let Ok(report) = checked;
    report
}

/// The same for a `tell` that may fail, which ends the check.
///
/// # Errors
/// The first one of `tell`.
pub fn try_check_files<E>(paths: &[PathBuf], options: &Options, mut tell: impl FnMut(Event<'_>) -> Result<(), E>) -> Result<Report, E> {
    let pool = options.jobs.and_then(|jobs| rayon::ThreadPoolBuilder::new().num_threads(jobs).build().ok());
    let workers = Workers { pool, options, spare: Mutex::default() };
    let mut report = Report::new(&options.selection);
    let mut total = 0;
    let mut readable = Vec::new();
    for some in paths.chunks(FILES_OPEN_MAX) {
        for (path, opened) in some.iter().zip(workers.open(some)) {
            match opened {
                Ok(file) => {
                    total += file.run_count() as u64;
                    readable.push(path.clone());
                }
                Err(refused) => {
                    tell(Event::Refused(&refused))?;
                    report.refused.push(refused);
                }
            }
        }
    }
    tell(Event::Total(total))?;
    for some in readable.chunks(FILES_OPEN_MAX) {
        workers.some_files(some, &mut report, &mut tell)?;
    }
    report.interrupted = options.cancelled();
    Ok(report)
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

struct Workers<'o> {
    pool: Option<rayon::ThreadPool>,
    options: &'o Options,
    /// Memory of batches that have been judged, for those to come: fresh pages cost more than what is read into them.
    spare: Mutex<Vec<History>>,
}

impl Workers<'_> {
    fn spare(&self) -> std::sync::MutexGuard<'_, Vec<History>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a batch, unless no run in it can be wanted.
    fn read(&self, unit: &Unit<'_>, projection: &Projection) -> Result<Option<History>, Refused> {
        let index = unit.file.row_groups().iter().find(|group| group.batch == unit.batch && group.kind == Kind::Run);
        let options = self.options;
        if options.cancelled() || index.is_some_and(|group| !options.may_want(group.first_seed, group.last_seed)) {
            return Ok(None);
        }
        let mut history = self.spare().pop().unwrap_or_default();
        let mut append = |projection: &Projection| {
            history.clear();
            unit.file.append_batch(unit.batch, projection, &mut history).map_err(|error| refused(unit.file.path(), &error))?;
            Ok(history.runs.iter().filter(|run| options.wants(run)).all(|run| self.knows(unit.file, run)))
        };
        let sealed = options.stores.as_ref().is_some_and(|stores| stores.is_sealed(unit.file.path()));
        if !sealed || !append(&Projection::runs())? {
            append(projection)?;
        }
        Ok(Some(history))
    }

    /// Whether every verdict on a run of this file was reached before.
    fn knows(&self, file: &HistoryFile, run: &Run) -> bool {
        let name = crate::imported::named(run.digest, run);
        self.options.stores.as_ref().is_some_and(|stores| stores.knows(file.path(), &name, &self.options.selection))
    }

    fn judge_one(&self, history: &History, run: usize, file: &HistoryFile) -> RunVerdicts {
        let options = self.options;
        match &options.stores {
            Some(stores) => stores.judge(file.path(), history, run, &options.selection, &options.budget),
            None => judge_run(history, run, &options.selection, &options.budget),
        }
    }

    fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    fn threads(&self) -> usize {
        self.pool.as_ref().map_or_else(rayon::current_num_threads, rayon::ThreadPool::current_num_threads)
    }

    fn open(&self, paths: &[PathBuf]) -> Vec<Result<HistoryFile, Refused>> {
        let open = |path: &PathBuf| HistoryFile::open(path).map_err(|error| refused(path, &error));
        self.install(|| paths.par_iter().map(open).collect())
    }

    fn some_files<E>(&self, paths: &[PathBuf], report: &mut Report, tell: &mut impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut files = Vec::new();
        for opened in self.open(paths) {
            match opened {
                Ok(file) => files.push(file),
                Err(refused) => report.refused.push(refused),
            }
        }
        if let Some(stores) = &self.options.stores {
            self.install(|| stores.survey(paths));
        }
        let units: Vec<Unit<'_>> = files.iter().flat_map(units).collect();
        let mut rest = units.as_slice();
        let refused_before = report.refused.len();
        while !rest.is_empty() {
            let (window, behind) = rest.split_at(self.window(rest));
            rest = behind;
            for judged in self.install(|| self.judge(window)) {
                for run in &judged.runs {
                    report.add(run);
                    tell(Event::Run(run))?;
                }
                tell(Event::Passed(judged.passed))?;
                if let Some(refused) = &judged.refused {
                    tell(Event::Refused(refused))?;
                }
                report.refused.extend(judged.refused);
            }
        }
        if let Some(stores) = &self.options.stores {
            for file in &files {
                stores.finished(file.path(), file.run_count());
            }
        }
        let damaged = |file: &HistoryFile| report.refused[refused_before..].iter().any(|refused| refused.file == file.path());
        report.files += files.iter().filter(|file| !damaged(file)).count() as u64;
        Ok(())
    }

    /// How many of these batches are read at once: one per thread, fewer when memory is short, at least one.
    fn window(&self, units: &[Unit<'_>]) -> usize {
        let limit = self.options.memory_bytes.unwrap_or(u64::MAX);
        let mut bytes = 0_u64;
        let fits = |unit: &&Unit<'_>| {
            bytes = bytes.saturating_add(unit.rows.saturating_mul(BYTES_PER_ROW));
            bytes <= limit
        };
        units.iter().take(self.threads()).take_while(fits).count().max(1)
    }

    /// Reads a window of batches, then judges all of their wanted runs, both in parallel.
    fn judge(&self, window: &[Unit<'_>]) -> Vec<Judged> {
        let options = self.options;
        let projection = options.projection();
        let histories: Vec<_> = window.par_iter().map(|unit| self.read(unit, &projection)).collect();
        let wanted = |place: usize| {
            let history = histories[place].as_ref().ok().and_then(Option::as_ref);
            history.into_iter().flat_map(move |history| {
                let runs = history.runs.iter().enumerate().filter(|(_, run)| options.wants(run));
                runs.map(move |(run, _)| (place, history, run))
            })
        };
        let runs: Vec<(usize, &History, usize)> = (0..window.len()).flat_map(wanted).collect();
        let judge = |&(place, history, run): &(usize, &History, usize)| {
            if options.cancelled() {
                return None;
            }
            let file = window[place].file;
            let judged = finish(self.judge_one(history, run, file), file);
            // What was stopped in its middle would look undecided.
            (!options.cancelled()).then_some((place, judged))
        };
        let mut judged: Vec<Judged> = window.iter().map(|unit| Judged { runs: Vec::new(), passed: unit.runs, refused: None }).collect();
        for (place, run) in runs.par_iter().filter_map(judge).collect::<Vec<_>>() {
            judged[place].passed = judged[place].passed.saturating_sub(1);
            judged[place].runs.push(run);
        }
        for (judged, history) in judged.iter_mut().zip(histories) {
            match history {
                Ok(history) => self.spare().extend(history),
                Err(refused) => judged.refused = Some(refused),
            }
        }
        judged
    }
}

fn units(file: &HistoryFile) -> Vec<Unit<'_>> {
    let unit = |batch| {
        let groups = || file.row_groups().iter().filter(move |group| group.batch == batch);
        let runs = groups().filter(|group| group.kind == Kind::Run).map(|group| group.runs as u64).sum();
        Unit { file, batch, runs, rows: groups().map(|group| group.rows as u64).sum() }
    };
    (0..file.batches()).map(unit).collect()
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
    use crate::testing::Story;
    use std::sync::atomic::AtomicBool;
    use vopr_schema::Provenance;
    use vopr_schema::write::{HistoryWriter, WriteOptions};

    /// A file with one batch per list of seeds; every run is a clean story of two ops.
    fn file(folder: &Path, scenario: &str, batches: &[&[u64]]) -> PathBuf {
        let path = folder.join(format!("{scenario}.parquet"));
        let mut writer = HistoryWriter::create(&path, Provenance::default(), WriteOptions::default()).unwrap();
        for seeds in batches {
            let mut history = History::default();
            for seed in *seeds {
                let mut story = Story::clean(2);
                (story.run.scenario, story.run.seed) = (scenario.to_owned(), *seed);
                story.append_to(&mut history);
            }
            writer.write(&history).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    fn seen(paths: &[PathBuf], options: &Options) -> (Vec<(String, u64)>, Report) {
        let mut seen = Vec::new();
        let report = check_files(paths, options, |event| {
            if let Event::Run(run) = event {
                seen.push((run.scenario.clone(), run.seed));
            }
        });
        (seen, report)
    }

    #[test]
    fn runs_are_told_in_the_order_of_files_and_batches_with_any_number_of_threads() {
        let home = tempfile::tempdir().unwrap();
        let paths = [file(home.path(), "b", &[&[5, 6], &[7]]), file(home.path(), "a", &[&[0], &[1, 2]])];
        let expected: Vec<_> =
            [("b", 5), ("b", 6), ("b", 7), ("a", 0), ("a", 1), ("a", 2)].map(|(name, seed)| (name.to_owned(), seed)).into();
        for jobs in [1, 2, 5] {
            for memory_bytes in [None, Some(1)] {
                let options = Options { jobs: Some(jobs), memory_bytes, ..Options::default() };
                let (seen, report) = seen(&paths, &options);
                assert_eq!(seen, expected);
                assert_eq!((report.files, report.runs, report.failing_runs), (2, 6, 0));
                assert!(report.refused.is_empty() && !report.interrupted);
            }
        }
    }

    #[test]
    fn a_files_verdicts_are_those_of_its_history() {
        let home = tempfile::tempdir().unwrap();
        let path = file(home.path(), "a", &[&[0, 1]]);
        let history = HistoryFile::open(&path).unwrap().read_all(&Projection::all()).unwrap();
        let memory = crate::check_history(&history, &Selection::all(), &Budget::default());
        let (_, report) = seen(&[path], &Options::default());
        assert_eq!(report.invariants, memory.invariants);
        assert_eq!(report.rows, memory.rows);
    }

    #[test]
    fn filters_choose_runs() {
        let home = tempfile::tempdir().unwrap();
        let paths = [file(home.path(), "a", &[&[0, 3, 8]]), file(home.path(), "b", &[&[0, 3], &[4, 5], &[8]])];
        let options = Options { scenarios: vec!["b".to_owned()], seeds: vec![3..=4, 8..=20], ..Options::default() };
        assert_eq!(seen(&paths, &options).0, [3, 4, 8].map(|seed| ("b".to_owned(), seed)));
    }

    #[test]
    fn a_damaged_file_takes_no_other_with_it() {
        let home = tempfile::tempdir().unwrap();
        let paths = [file(home.path(), "a", &[&[0]]), file(home.path(), "b", &[&[0]])];
        let bytes = std::fs::read(&paths[0]).unwrap();
        std::fs::write(&paths[0], &bytes[..bytes.len() / 2]).unwrap();
        let (_, report) = seen(&paths, &Options::default());
        assert_eq!((report.files, report.runs, report.refused.len()), (1, 1, 1));
        assert_eq!(report.refused[0].file, paths[0]);
        assert!(!report.refused[0].error.contains("a.parquet"), "{}", report.refused[0].error);
    }

    #[test]
    fn cancelling_ends_it_and_is_told() {
        let home = tempfile::tempdir().unwrap();
        let budget = Budget { cancel: Some(Arc::new(AtomicBool::new(true))), ..Budget::default() };
        let (seen, report) = seen(&[file(home.path(), "a", &[&[0]])], &Options { budget, ..Options::default() });
        assert!(seen.is_empty() && report.interrupted);
    }

    #[test]
    fn an_error_of_the_listener_ends_it() {
        let home = tempfile::tempdir().unwrap();
        let paths = [file(home.path(), "a", &[&[0]])];
        let failed = try_check_files(&paths, &Options::default(), |_| Err("the pipe is closed"));
        assert_eq!(failed.err(), Some("the pipe is closed"));
    }

    #[test]
    fn an_invariant_alone_needs_no_more_kinds_than_it_says() {
        let full = Story::clean(4).history();
        for id in InvariantId::all() {
            let selection = Selection::only(&[id.name()]).unwrap();
            let mut part = full.clone();
            macro_rules! forget {
                ($table:ident, $kind:expr) => {
                    if !selection.reads($kind) {
                        part.$table.clear();
                        part.$table.run_ends.push(0);
                    }
                };
            }
            forget!(operations, Kind::Operation);
            forget!(messages, Kind::Message);
            forget!(transitions, Kind::Transition);
            forget!(storage, Kind::Storage);
            forget!(faults, Kind::Fault);
            let check = |history: &History| crate::check_run(history, 0, &selection, &Budget::default());
            assert_eq!(check(&part), check(&full), "{}", id.name());
        }
    }
}
