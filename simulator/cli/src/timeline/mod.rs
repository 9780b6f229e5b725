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
use events::{Axis, Event, Lane, Shown};
use std::collections::BTreeSet;
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

/// Virtual time shown before each row of a violation, nanoseconds: what led to it.
const BEFORE_NS: u64 = 20_000_000;

/// The same behind it: what it does at once.
const AFTER_NS: u64 = 5_000_000;

/// Rows shown before and behind each row of a violation where nobody wrote down times.
const ROWS: (u64, u64) = (20, 5);

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
    if history.runs[run].end_time_ns == 0 {
        shown.axis = Axis::Order;
    }
    if arguments.around_violation {
        let moments = steps.iter().flat_map(|step| events::moments(&history, run, step));
        shown.windows = match shown.axis {
            Axis::Order => windows(moments.map(|(seq, _)| seq), ROWS),
            Axis::Time => windows(moments.map(|(_, time_ns)| time_ns), (BEFORE_NS, AFTER_NS)),
        };
        if shown.windows.is_empty() {
            return Err(Problem::nothing("no invariant is violated in this run: leave out --around-violation"));
        }
    }
    known(arguments, &history, run)?;
    let lanes = events::lanes(&history, run, &shown);
    let width = arguments.width.max(text::WIDTH_MIN);
    let all: Vec<Event> = events::of_run(&history, run, &shown, steps);
    let finding = failure.as_ref().and_then(|failure| failure.findings.first());
    if let Some(finding) = finding {
        let headline = format!("VIOLATED  {}: {}", finding.invariant, finding.witness.summary);
        let mut parts = wrapped(&headline, width - 2);
        let first = parts.next().unwrap_or_default().replacen("VIOLATED", &format!("{} ", Paint::for_stdout().bad("VIOLATED")), 1);
        sink.line(&first)?;
        parts.try_for_each(|part| sink.line(&format!("  {part}")))?;
        sink.line("")?;
    }
    let names = text::Names::of_run(&history.runs[run]);
    let picture = text::Picture { lanes: &lanes, names, width, paint: Paint::for_stdout() };
    picture.lines(&all, &shown).iter().try_for_each(|line| sink.line(line))?;
    if all.is_empty() {
        note("note: nothing in this run passes the filters");
    }
    Ok(Exit::Held)
}

/// Whoever is asked for must be there: a picture of nobody would say that nothing happened.
fn known(arguments: &TimelineArguments, history: &History, run: usize) -> Result<(), Problem> {
    let lanes = events::lanes(history, run, &Shown::everyone());
    let replicas = lanes.iter().filter_map(|lane| if let Lane::Replica(replica) = lane { Some(u32::from(*replica)) } else { None });
    let clients = lanes.iter().filter_map(|lane| if let Lane::Client(tenant, client) = lane { Some((*tenant, *client)) } else { None });
    let clients: Vec<(u32, u32)> = clients.collect();
    let asked: Vec<u32> = arguments.replica.iter().map(|replica| u32::from(*replica)).collect();
    there("replica", &asked, &replicas.collect())?;
    there("client", &arguments.client, &clients.iter().map(|(_, client)| *client).collect())?;
    there("tenant", &arguments.tenant, &clients.iter().map(|(tenant, _)| *tenant).collect())
}

fn there(what: &str, asked: &[u32], known: &BTreeSet<u32>) -> Result<(), Problem> {
    let Some(stranger) = asked.iter().find(|asked| !known.contains(asked)) else { return Ok(()) };
    let known: Vec<String> = known.iter().map(u32::to_string).collect();
    Err(Problem::usage(format!("no {what} {stranger} is in this run; there: {}", known.join(", "))))
}

/// What is near these times, or rows, in their order; what overlaps is one window. `near` is how far before and behind.
fn windows(times: impl Iterator<Item = u64>, near: (u64, u64)) -> Vec<(u64, u64)> {
    let mut times: Vec<u64> = times.collect();
    times.sort_unstable();
    let mut windows: Vec<(u64, u64)> = Vec::new();
    for time in times {
        let (from, to) = (time.saturating_sub(near.0), time.saturating_add(near.1));
        match windows.last_mut() {
            Some((_, end)) if *end >= from => *end = to,
            _ => windows.push((from, to)),
        }
    }
    windows
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_lie_far_apart_have_windows_of_their_own() {
        let second = 1_000_000_000;
        let found = windows([5 * second, second, second + BEFORE_NS].into_iter(), (BEFORE_NS, AFTER_NS));
        assert_eq!(found, [(second - BEFORE_NS, second + BEFORE_NS + AFTER_NS), (5 * second - BEFORE_NS, 5 * second + AFTER_NS)]);
    }
}
