//! `vopr stats`: how far recorded runs have been around, and how much of it was checked.
//!
//! Verdicts say that nothing was found; this says where was looked: every word of every dictionary with its count, those that never
//! came, the situations that runs came into, and the facts that each invariant has tested. Words are counted from their own columns
//! alone; only facts and situations need whole rows.

mod counts;
mod print;

use crate::args::{Form, StatsArguments};
use crate::campaign::plan::threads;
use crate::campaign_command;
use crate::campaign_command::print::Ending;
use crate::campaign_dir::is_campaign;
use counts::{Counts, projection};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use vopr_check::exit::{Exit, Problem};
use vopr_check::inputs;
use vopr_check::interrupt;
use vopr_check::progress::Progress;
use vopr_check::terminal::{Sink, counted, note};
use vopr_checker::{Budget, Event, Options, Selection, check_files};
use vopr_schema::History;
use vopr_schema::read::HistoryFile;

/// Memory for rows and searches, bytes.
const MEMORY: u64 = 1 << 30;

/// What was counted, by scenario, and what could not be read, by file.
#[derive(Debug, Default)]
struct Stats {
    scenarios: BTreeMap<String, Counts>,
    refused: BTreeMap<PathBuf, String>,
    files: u64,
    bytes: u64,
}

impl Stats {
    fn merge(&mut self, other: Self) {
        for (scenario, counts) in other.scenarios {
            self.scenarios.entry(scenario).or_default().merge(&counts);
        }
        for (path, error) in other.refused {
            self.refuse(&path, error);
        }
        self.files += other.files;
        self.bytes += other.bytes;
    }

    /// The first thing that is wrong with a file is enough.
    fn refuse(&mut self, path: &Path, error: String) {
        self.refused.entry(path.to_owned()).or_insert(error);
    }

    fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.scenarios.values().for_each(|counts| total.merge(counts));
        total
    }
}

/// Counts what the files hold and prints it.
///
/// # Errors
/// When no file matches, or standard output cannot be written.
pub fn run(arguments: &StatsArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let (campaigns, others): (Vec<PathBuf>, Vec<PathBuf>) = arguments.files.iter().cloned().partition(|path| is_campaign(path));
    let (recorded, damaged) = tell_campaigns(&campaigns, arguments, sink)?;
    if others.is_empty() && recorded.is_empty() && !campaigns.is_empty() {
        return Ok(if damaged { Exit::Refused } else { Exit::Held });
    }
    let inputs = inputs::resolve(&others.into_iter().chain(recorded).collect::<Vec<_>>());
    inputs.remarks().for_each(|text| note(&text));
    if inputs.files.is_empty() && inputs.refused.is_empty() {
        return Err(Problem::nothing(inputs.unmatched.join("\n")));
    }
    interrupt::listen("the file under way is finished and the results printed");
    let jobs = threads(arguments.jobs);
    let mut stats = count_words(&inputs.files, jobs);
    if !arguments.no_check {
        count_facts(&inputs.files, jobs, &mut stats);
    }
    if arguments.json {
        print::json(&stats, sink)?;
    } else if stats.files > 0 || stats.refused.is_empty() {
        // Of files that could not be read at all there is nothing to count.
        print::human(&stats, arguments.verbose, !arguments.no_check, sink)?;
    }
    for text in inputs.refused.iter().chain(&inputs.unmatched) {
        note(&format!("refused: {text}"));
    }
    for error in stats.refused.values() {
        note(&format!("refused: {error}"));
    }
    let refused = damaged || !stats.refused.is_empty() || !inputs.refused.is_empty() || !inputs.unmatched.is_empty();
    let exit = if refused { Exit::Refused } else { Exit::Held };
    Ok(if interrupt::requested() { exit.and(Exit::Interrupted) } else { exit })
}

/// Tells what campaigns amount to by their lines; returns the files whose rows they have kept, and whether something is damaged.
fn tell_campaigns(campaigns: &[PathBuf], arguments: &StatsArguments, sink: &mut Sink<'_>) -> Result<(Vec<PathBuf>, bool), Problem> {
    let (mut recorded, mut damaged) = (Vec::new(), false);
    for path in campaigns {
        let directory = campaign_command::open(path)?;
        let form = if arguments.json { Form::Json } else { Form::Human };
        campaign_command::print::summary(&directory, &Ending::finished(), form, arguments.verbose, sink)?;
        let mut files = directory.recorded();
        files.retain(|file| !inputs::is_minimized(file));
        if form == Form::Human && !files.is_empty() {
            sink.line(&format!("\n{} in it", counted(files.len() as u64, "recorded run")))?;
        }
        damaged |= !directory.damage.is_empty();
        recorded.extend(files);
    }
    Ok((recorded, damaged))
}

/// Counts words and rows, file by file on all threads.
fn count_words(files: &[PathBuf], jobs: usize) -> Stats {
    let next = AtomicUsize::new(0);
    let total = Mutex::new((Stats::default(), Progress::new(files.len() as u64, 0, "files")));
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(files.len()) {
            scope.spawn(|| {
                let mut history = History::default();
                while !interrupt::requested()
                    && let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let stats = count_file(path, &mut history);
                    if let Ok(mut total) = total.lock() {
                        total.1.advance(1, u64::from(!stats.refused.is_empty()));
                        total.0.merge(stats);
                    }
                }
            });
        }
    });
    let (stats, progress) = total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    progress.finish();
    stats
}

/// Counts what can be read of a file; a damaged part takes nothing else with it.
fn count_file(path: &Path, history: &mut History) -> Stats {
    let mut stats = Stats::default();
    let file = match HistoryFile::open(path) {
        Ok(file) => file,
        Err(error) => {
            stats.refuse(path, error.to_string());
            return stats;
        }
    };
    (stats.files, stats.bytes) = (1, file.bytes());
    let projection = projection();
    for batch in 0..file.batches() {
        history.clear();
        if let Err(error) = file.append_batch(batch, &projection, history) {
            stats.refuse(path, error.to_string());
            continue;
        }
        for (index, run) in history.runs.iter().enumerate() {
            stats.scenarios.entry(run.scenario.clone()).or_default().add_rows(history, index);
        }
    }
    stats
}

/// Judges every run, for the facts that invariants test and the situations that runs come into.
fn count_facts(files: &[PathBuf], jobs: usize, stats: &mut Stats) {
    let half = MEMORY / 2;
    let budget = Budget {
        time_per_run: Some(std::time::Duration::from_mins(1)),
        memory_bytes: Some((half / jobs as u64).max(1)),
        cancel: Some(interrupt::flag()),
        ..Budget::default()
    };
    let options = Options { selection: Selection::all(), budget, memory_bytes: Some(half), jobs: Some(jobs), ..Options::default() };
    let mut progress = Progress::new(0, 0, "runs");
    let (mut done, mut total) = (0, 0);
    let report = check_files(files, &options, |event| {
        match event {
            Event::Total(runs) => total = runs,
            Event::Run(run) => {
                done += 1;
                stats.scenarios.entry(run.scenario.clone()).or_default().add_verdicts(run);
            }
            Event::Passed(_) | Event::Refused(_) => {}
        }
        progress.set(done, total, 0);
    });
    progress.finish();
    for refused in report.refused {
        stats.refuse(&refused.file, format!("{}: {}", refused.file.display(), refused.error));
    }
}
