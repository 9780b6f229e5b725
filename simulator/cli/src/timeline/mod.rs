//! `vopr timeline`: one run as a picture, in the terminal or as a page for a browser.
//!
//! A table of rows says what happened; columns side by side say what happened meanwhile.

mod cone;
mod events;
mod mermaid;
mod perfetto;
mod text;

use crate::args::explain::TimelineArguments;
use crate::failure::bundle;
use events::{Event, Shown};
use std::path::Path;
use std::time::Duration;
use vopr_check::exit::{Exit, Problem};
use vopr_check::output::violation::wrapped;
use vopr_check::page;
use vopr_check::terminal::{Paint, Sink, note};
use vopr_checker::report::failure;
use vopr_checker::{Budget, Failure, Selection, judge_run};
use vopr_page::Page;
use vopr_schema::History;

/// Time for the verdicts that mark rows; what is not decided by then is not marked.
const JUDGING: Duration = Duration::from_mins(1);

/// Virtual time shown on both sides of a violation, nanoseconds.
const AROUND_NS: u64 = 20_000_000;

/// The headline is wrapped at the width that was asked for, unless that is narrower than this.
const HEADLINE_MIN: usize = 60;

/// Shows one run.
///
/// # Errors
/// The file cannot be read, holds several runs of which none is named, or the output cannot be written.
pub fn run(arguments: &TimelineArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let no_time = arguments.from.zip(arguments.to).is_some_and(|(from, to)| from > to);
    if no_time || arguments.from_row.zip(arguments.to_row).is_some_and(|(from, to)| from > to) {
        return Err(Problem::usage("nothing lies between the two ends: --from is after --to"));
    }
    let (history, run) = read(&arguments.file, arguments.run)?;
    let budget = Budget { time_per_run: Some(JUDGING), ..Budget::default() };
    let failure = failure(&judge_run(&history, run, &Selection::all(), &budget));
    if let Some(out) = &arguments.html {
        html(out, &arguments.file, &history, run, failure.as_ref())?;
        sink.line(&format!("written: {}", out.display()))?;
        return Ok(Exit::Held);
    }
    if let Some(out) = &arguments.perfetto {
        let text = perfetto::trace(&history, run, failure.as_ref()).to_string();
        page::save(out, &text).map_err(|error| Problem::unwritable(out, "the trace", &error))?;
        sink.line(&format!("written: {} (open it in ui.perfetto.dev)", out.display()))?;
        return Ok(Exit::Held);
    }
    if arguments.mermaid {
        let nothing = || Problem::nothing("no invariant is violated in this run: there is nothing that a diagram could lead to");
        let text = mermaid::diagram(&history, run, failure.as_ref().ok_or_else(nothing)?, arguments.limit);
        text.lines().try_for_each(|line| sink.line(line))?;
        return Ok(Exit::Held);
    }
    let steps = failure.as_ref().and_then(|failure| failure.findings.first()).map(|finding| finding.witness.steps.as_slice());
    let steps = steps.unwrap_or_default();
    let mut shown = Shown::of(arguments);
    if arguments.around_violation {
        let times = || steps.iter().filter_map(|step| events::time_of(&history, run, step.seq).or(step.time_ns));
        let (Some(first), Some(last)) = (times().min(), times().max()) else {
            return Err(Problem::nothing("no invariant is violated in this run: leave out --around-violation"));
        };
        shown.from = shown.from.max(first.saturating_sub(AROUND_NS));
        shown.to = shown.to.min(last.saturating_add(AROUND_NS));
    }
    let lanes = events::lanes(&history, run, &shown);
    let all: Vec<Event> = events::of_run(&history, run, &shown, steps);
    let finding = failure.as_ref().and_then(|failure| failure.findings.first());
    if let Some(finding) = finding {
        let headline = format!("VIOLATED  {}: {}", finding.invariant, finding.witness.summary);
        let mut parts = wrapped(&headline, arguments.width.max(HEADLINE_MIN));
        let first = parts.next().unwrap_or_default().replacen("VIOLATED", &format!("{} ", Paint::for_stdout().bad("VIOLATED")), 1);
        sink.line(&first)?;
        parts.try_for_each(|part| sink.line(&format!("  {part}")))?;
        sink.line("")?;
    }
    for line in text::lines(&lanes, &all, arguments.width, Paint::for_stdout()) {
        sink.line(&line)?;
    }
    if all.is_empty() {
        note("note: nothing in this run passes the filters");
    }
    Ok(Exit::Held)
}

/// The run of a file with this seed, or its only one, and its place in the history.
pub(crate) fn read(file: &Path, seed: Option<u64>) -> Result<(History, usize), Problem> {
    Ok((bundle::one_run(&bundle::open(file)?, file, seed)?, 0))
}

fn html(out: &Path, file: &Path, history: &History, run: usize, failure: Option<&Failure>) -> Result<(), Problem> {
    let html = page_of(history, run, Some(&file.display().to_string()), failure);
    page::save(out, &html).map_err(|error| Problem::unwritable(out, "the page", &error))
}

/// One run of a history as a page, judged anew; `file` is where it lies, if it lies anywhere.
#[must_use]
pub fn document(history: &History, run: usize, file: Option<&str>) -> String {
    let budget = Budget { time_per_run: Some(JUDGING), ..Budget::default() };
    page_of(history, run, file, failure(&judge_run(history, run, &Selection::all(), &budget)).as_ref())
}

fn page_of(history: &History, run: usize, file: Option<&str>, failure: Option<&Failure>) -> String {
    let meta = &history.runs[run];
    let title = format!("{} seed {}", meta.scenario, meta.seed);
    let verdict = if failure.is_some() { "violated" } else { "no violation found" };
    let mut page = Page::new(title, vec![verdict.to_owned()], Vec::new());
    let violations = failure.map(page::violations).unwrap_or_default();
    page.add(history, run, file, &violations);
    page.html()
}
