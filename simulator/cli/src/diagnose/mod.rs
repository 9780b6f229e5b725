//! `vopr diagnose`: what kind of failure a run is, which causes have left their signature in it, and what to do next.
//!
//! Invariants say that something is wrong; a cause says which rule of the protocol was not kept before. Causes are looked for in the
//! rows alone: whoever diagnoses does not know which invariant fired, nor which guard was off. When nothing has a signature, that is said.

mod causes;
mod chain;
mod class;
pub mod clients;
mod print;
pub mod scene;
pub mod score;
pub mod waits;

pub use causes::{CAUSES, Cause, find};
pub use class::Class;

use crate::args::explain::DiagnoseArguments;
use clients::Asking;
use core::cmp::Reverse;
use scene::{Scene, Sign, Strength};
use std::time::Duration;
use vopr_check::exit::{Exit, Problem};
use vopr_check::terminal::{Paint, Sink};
use vopr_checker::report::failure;
use vopr_checker::{Budget, Failure, Selection, Step, judge_run};
use vopr_schema::{Dictionary, Ended, History};
use waits::Waiting;

/// Time for the verdicts; what is not decided by then is not told.
const JUDGING: Duration = Duration::from_mins(1);

/// A cause that has left its signature in a run.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which.
    pub cause: &'static Cause,
    /// What it left.
    pub sign: Sign,
}

/// What is to be said about a run.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// What kind of failure it is: that of its first root.
    pub class: Class,
    /// The kinds of all that is broken, the first one included, each once.
    pub classes: Vec<Class>,
    /// The broken invariants, roots first; none of a run that only ended badly.
    pub failure: Option<Failure>,
    /// Causes, the likeliest first.
    pub causes: Vec<Found>,
    /// From a fault over the first cause to the symptom.
    pub chain: Vec<Step>,
    /// Of a run in which nothing goes on: what each replica was waiting for when it stalled, or at the end.
    pub waits: Vec<Waiting>,
    /// Of such a run: the clients that still waited for an answer.
    pub clients: Vec<Asking>,
    /// When it stalled, nanoseconds; none of a run that did not, or that nobody asks this of.
    pub stalled_ns: Option<u64>,
}

/// The causes that have left a signature in a run, the likeliest first.
///
/// Proof stands before likelihood, causes before what follows from them, the log before what is made of it, and what happened earlier before
/// what happened later.
///
/// # Panics
/// When the history has no such run.
#[must_use]
pub fn causes_of(history: &History, run: usize) -> Vec<Found> {
    let blind = scene::blind(history, run);
    let scene = Scene::new(&blind);
    // Rows that cannot be ordered tell no story.
    if scene.index.ill_formed().is_some() {
        return Vec::new();
    }
    let mut found: Vec<Found> = CAUSES.iter().filter_map(|cause| (cause.find)(&scene).map(|sign| Found { cause, sign })).collect();
    found.sort_by_key(|found| (Reverse(found.sign.strength), found.cause.is_consequence, found.cause.is_above_log, found.sign.seq()));
    found
}

/// The causes that a run's rows prove, the likeliest first; none of those that others end in too.
///
/// # Panics
/// When the history has no such run.
#[must_use]
pub fn proven(history: &History, run: usize) -> Vec<&'static str> {
    let proven = |found: &Found| found.sign.strength == Strength::Proven && !found.cause.is_consequence;
    causes_of(history, run).iter().filter(|found| proven(found)).map(|found| found.cause.name).collect()
}

/// The same, each cited where it led to the symptom: a bug strikes many times in a run, and most have nothing to do with the witness.
fn causes_near(history: &History, run: usize, failure: Option<&Failure>) -> Vec<Found> {
    let witness = failure.and_then(|failure| failure.findings.first()).map_or(&[][..], |finding| &finding.witness.steps);
    let near = |found: Found| Found { sign: found.sign.nearest(history, run, witness), ..found };
    causes_of(history, run).into_iter().map(near).collect()
}

/// What replicas and clients were waiting for when a run stalled, and else at its end.
fn standstill(history: &History, run: usize, stalled: Option<(u64, u64)>) -> (Vec<Waiting>, Vec<Asking>) {
    let one = vopr_schema::cut::run(history, run, stalled.map_or(u64::MAX, |(seq, _)| seq));
    let scene = Scene::new(&one);
    if scene.index.ill_formed().is_some() {
        return Default::default();
    }
    (waits::waiting(&scene), clients::asking(&scene))
}

/// Diagnoses a run; none when nothing is wrong with it.
///
/// # Panics
/// When the history has no such run.
#[must_use]
pub fn diagnose(history: &History, run: usize) -> Option<Diagnosis> {
    let budget = Budget { time_per_run: Some(JUDGING), ..Budget::default() };
    let failure = failure(&judge_run(history, run, &Selection::all(), &budget));
    let ended = history.runs[run].ended;
    if failure.is_none() && !matches!(ended, Ended::Stuck | Ended::Panicked) {
        return None;
    }
    let mut classes: Vec<Class> = Vec::new();
    let broken = failure.iter().flat_map(|failure| &failure.findings).map(|finding| Class::of(finding.invariant));
    for class in broken.chain((ended == Ended::Stuck).then_some(Class::Liveness)) {
        if !classes.contains(&class) {
            classes.push(class);
        }
    }
    let class = classes.first().copied().unwrap_or(Class::Crash);
    let causes = causes_near(history, run, failure.as_ref());
    let chain = chain::told(history, run, causes.first().map(|found| &found.sign), failure.as_ref());
    let stands_still = classes.contains(&Class::Liveness);
    let stalled = waits::stalled(history, run).filter(|_| stands_still);
    let (waits, clients) = if stands_still { standstill(history, run, stalled) } else { Default::default() };
    let stalled_ns = stalled.map(|(_, time_ns)| time_ns);
    Some(Diagnosis { class, classes, failure, causes, chain, waits, clients, stalled_ns })
}

/// The rows that tell how a failing run came to fail: the faults that touch its first cause, that cause, and the symptom.
pub(crate) fn story(history: &History, run: usize, failure: &Failure) -> Vec<Step> {
    let causes = causes_near(history, run, Some(failure));
    chain::told(history, run, causes.first().map(|found| &found.sign), Some(failure))
}

impl Diagnosis {
    /// Place of a cause in the ranking, from 1.
    #[must_use]
    pub fn rank(&self, cause: &str) -> Option<usize> {
        self.causes.iter().position(|found| found.cause.name == cause).map(|place| place + 1)
    }

    /// Whether any cause is more than a possibility.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        self.causes.iter().any(|found| found.sign.strength > Strength::Possible)
    }
}

/// Diagnoses the run of a file.
///
/// # Errors
/// The file cannot be read, holds several runs of which none is named, nothing is wrong with its run, or standard output cannot be written.
pub fn run(arguments: &DiagnoseArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let (history, run) = crate::timeline::read(&arguments.file, arguments.run)?;
    let Some(diagnosis) = diagnose(&history, run) else {
        let meta = &history.runs[run];
        return Err(Problem::nothing(format!(
            "no invariant is broken in {} seed {}, which ended {}: there is nothing to diagnose",
            meta.scenario,
            meta.seed,
            meta.ended.name()
        )));
    };
    if arguments.json {
        sink.object(&print::object(&diagnosis, arguments, &history.runs[run]))?;
    } else {
        print::lines(&diagnosis, arguments, &history.runs[run], Paint::for_stdout()).iter().try_for_each(|line| sink.line(line))?;
    }
    Ok(Exit::Held)
}

/// The diagnosis of a bundle as lines of plain text.
///
/// # Errors
/// The file cannot be read, or nothing is wrong with its run.
pub fn report(file: &std::path::Path) -> Result<Vec<String>, Problem> {
    let (history, run) = crate::timeline::read(file, None)?;
    let arguments = DiagnoseArguments { file: file.to_owned(), run: None, verbose: false, json: false };
    let diagnosis = diagnose(&history, run).ok_or_else(|| Problem::nothing("no invariant is broken in this run"))?;
    Ok(print::lines(&diagnosis, &arguments, &history.runs[run], Paint::default()))
}

#[cfg(test)]
mod tests;
