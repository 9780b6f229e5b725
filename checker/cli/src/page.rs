//! `--report OUT.html`: the failing runs of a report as a page for a browser.
//!
//! A report keeps witnesses, not rows; the rows around them are read again from the files, and only for the runs that are shown.

use crate::inputs;
use crate::output::{Context, human};
use crate::shell;
use crate::terminal::{Paint, note};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use vopr_checker::{Failure, InvariantId, Report};
use vopr_page::{Line, Mark, Page, Violation};
use vopr_schema::read::{HistoryFile, Projection};
use vopr_schema::{Dictionary, History, Kind, ReadError, Run};

/// Runs on a page: one of each group of failures, as many as a person looks at.
const RUNS_MAX: usize = 24;

/// Writes the page: one run of each group of failures, or the first run of the first file when nothing failed.
///
/// # Errors
/// When the page cannot be written.
pub fn write(out: &Path, report: &Report, context: &Context, first: Option<(&Path, &str, u64)>) -> std::io::Result<()> {
    let [verdict, counts] = human::conclusion(report, context, Paint::default());
    let mut page = Page::new("vopr-check", vec![verdict, counts.trim().to_owned()], lines(report));
    let mut groups: Vec<&Failure> =
        report.groups().into_values().map(|(_, failure)| failure).filter(|failure| failure.file.is_some()).collect();
    groups.sort_by_key(|failure| (&failure.file, failure.seed));
    for failure in groups.into_iter().take(RUNS_MAX) {
        let Some(file) = &failure.file else { continue };
        // A log of another system holds no rows: it has to be imported before it can be drawn.
        if let Err(error) = add(&mut page, file, &failure.scenario, failure.seed, &violations(failure)) {
            let why = if failure.replayable || file.extension().is_some_and(|ending| ending == inputs::ENDING) {
                error.to_string()
            } else {
                let keep = shell::command(["vopr-check", "import", &file.display().to_string(), "-o", "kept.parquet"]);
                format!("{}: only a history that is kept can be drawn: {keep}, and vopr-check kept.parquet --report", file.display())
            };
            note(&format!("warning: not on the page: {why}"));
        }
    }
    if page.runs() == 0
        && let Some((file, scenario, seed)) = first
    {
        add(&mut page, file, scenario, seed, &[]).unwrap_or_else(|error| note(&format!("warning: not on the page: {error}")));
    }
    save(out, &page.html())
}

/// Whether a file can be made here; told before work is done whose result would go there.
///
/// # Errors
/// Whatever the file system reports.
pub fn try_place(out: &Path) -> std::io::Result<()> {
    replaceable(out)?;
    let partial = partial(out);
    std::fs::File::create(&partial)?;
    std::fs::remove_file(partial)
}

/// Whether a file may take this name: a device or a pipe would be gone once something else bears it, and who says `-` means no file.
fn replaceable(out: &Path) -> std::io::Result<()> {
    match out.metadata() {
        _ if out.as_os_str() == "-" => Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "it is written to a file, which must be named (./- if it is called so)",
        )),
        Ok(known) if known.is_dir() => Err(std::io::ErrorKind::IsADirectory.into()),
        Ok(known) if !known.is_file() => {
            Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is a device or a pipe, and no file"))
        }
        _ => Ok(()),
    }
}

fn partial(out: &Path) -> PathBuf {
    let mut partial = out.as_os_str().to_owned();
    partial.push(".partial");
    partial.into()
}

/// Writes a file in one step: a reader never meets a half of it, and nothing is left of one that could not be written.
///
/// # Errors
/// Whatever the file system reports.
pub fn save(out: &Path, text: &str) -> std::io::Result<()> {
    replaceable(out)?;
    let partial = partial(out);
    let mut file = std::fs::File::create(&partial)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&partial, out));
    if written.is_err() {
        std::fs::remove_file(&partial).unwrap_or_default();
    }
    written
}

/// Puts one run of a file onto a page; a run that is not in the file is left out.
fn add(page: &mut Page, file: &Path, scenario: &str, seed: u64, violations: &[Violation]) -> Result<(), ReadError> {
    if let Some((history, run)) = find(file, Some(seed), |run| run.scenario == scenario && run.seed == seed)? {
        page.add(&history, run, Some(&file.display().to_string()), violations);
    }
    Ok(())
}

/// The first run of a file that is wanted, with all of its rows; batches that cannot hold `seed` are not read.
///
/// # Errors
/// When the file cannot be read.
pub fn find(file: &Path, seed: Option<u64>, wanted: impl Fn(&Run) -> bool) -> Result<Option<(History, usize)>, ReadError> {
    let file = HistoryFile::open(file)?;
    let mut history = History::default();
    for batch in 0..file.batches() {
        let of_runs = |group: &&vopr_schema::RowGroup| group.batch == batch && group.kind == Kind::Run;
        let group = file.row_groups().iter().find(of_runs);
        // Seeds of a batch need not rise; then its range says nothing.
        let range = group.map(|group| group.first_seed..=group.last_seed).filter(|range| !range.is_empty());
        if range.zip(seed).is_some_and(|(range, seed)| !range.contains(&seed)) {
            continue;
        }
        history.clear();
        file.append_batch(batch, &Projection::all(), &mut history)?;
        if let Some(run) = history.runs.iter().position(&wanted) {
            return Ok(Some((history, run)));
        }
    }
    Ok(None)
}

/// What a page shows of a failing run.
#[must_use]
pub fn violations(failure: &Failure) -> Vec<Violation> {
    let violation = |finding: &vopr_checker::Finding| Violation {
        invariant: finding.invariant.to_owned(),
        summary: finding.witness.summary.clone(),
        because_of: finding.because_of.map(str::to_owned),
        marks: finding.witness.steps.iter().map(mark).collect(),
    };
    failure.findings.iter().map(violation).collect()
}

fn mark(step: &vopr_checker::Step) -> Mark {
    Mark { kind: step.kind.name(), seq: step.seq, words: step.words.clone(), time_ns: step.time_ns, replica: step.replica }
}

fn lines(report: &Report) -> Vec<Line> {
    let statement = |name: &str| InvariantId::parse(name).map_or("a query of the user's own", |id| id.invariant().statement);
    let line = |counts: &vopr_checker::report::InvariantCounts| Line {
        invariant: counts.invariant.to_owned(),
        statement: statement(counts.invariant).to_owned(),
        pass: counts.pass,
        violation: counts.violation,
        unknown: counts.unknown,
        not_applicable: counts.not_applicable,
    };
    report.invariants.iter().map(line).collect()
}
