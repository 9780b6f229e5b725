//! `vopr campaign rerun`: failing runs once more, with this program: which are still there?
//!
//! A run is repeated from its bundle, which holds its faults and operations as they were drawn; a later program may draw others from
//! the same seed. What comes of it is written to the directory, so that a group all of whose runs hold counts as fixed.

use super::plan::{self, Prepared};
use super::{listen, open, print};
use crate::args::campaign::RerunArguments;
use crate::campaign::plan::threads;
use crate::campaign_dir::date::now_ms;
use crate::campaign_dir::{Begin, Directory, FORMAT, FailingRun, FailureLine, Line, Part, RerunLine, new_id};
use crate::failure::bundle::Bundle;
use crate::failure::symptom::Symptom;
use crate::failure::trial::Trial;
use crate::output::tagged;
use crate::rig::Rig;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use vopr_check::exit::{Exit, Problem};
use vopr_check::interrupt;
use vopr_check::terminal::{Paint, Sink, counted, note};
use vopr_check::version::{COMMIT, VERSION};
use vopr_checker::{InvariantId, RunVerdicts, Selection, Verdict};
use vopr_schema::History;

/// The name of failures that are a difference between two simulations.
const DETERMINISM: &str = "determinism";

/// A failing run that is tried again.
struct Case<'a> {
    run: &'a FailingRun,
    was: &'a str,
    /// The plan it belongs to, if this program can work on it.
    plan: Option<&'a Prepared>,
}

/// Tries failing runs again.
///
/// # Errors
/// When no run is chosen, or the disk refuses.
pub fn run(arguments: &RerunArguments) -> Result<Exit, Problem> {
    listen();
    let directory = open(&arguments.dir)?;
    let plans = prepare(&directory);
    let groups = directory.groups();
    let chosen = |fingerprint: &str| arguments.fingerprint.as_deref().is_none_or(|wanted| wanted == fingerprint);
    let of_family =
        |run: &FailingRun| plans.iter().find(|plan| plan.record.family == run.family && plan.record.scenarios.contains(&run.scenario));
    let cases: Vec<Case<'_>> = groups
        .iter()
        .filter(|(group, _)| chosen(&group.fingerprint))
        .flat_map(|(group, _)| group.runs.iter().map(|run| Case { run, was: &group.fingerprint, plan: of_family(run) }))
        .collect();
    if cases.is_empty() {
        let what = arguments.fingerprint.as_ref().map_or_else(String::new, |wanted| format!(" of the group {wanted}"));
        return Err(Problem::nothing(format!("{}: no run{what} failed", arguments.dir.display())));
    }
    let begin = Begin {
        format: FORMAT.to_owned(),
        plan: None,
        version: VERSION.to_owned(),
        commit: COMMIT.to_owned(),
        threads: threads(arguments.jobs),
        at_ms: now_ms(),
    };
    let mut part = Part::create(&arguments.dir, "rerun", &new_id([1, 1]), begin).map_err(super::disk(&arguments.dir))?;
    let skipped = try_all(&cases, arguments, &mut part)?;
    part.end(if interrupt::requested() { "interrupted" } else { "done" }).map_err(super::disk(&arguments.dir))?;
    conclude(arguments, skipped)
}

/// The plans of a directory that this program can work on; the others are named.
fn prepare(directory: &Directory) -> Vec<Prepared> {
    let prepare = |record| match plan::of_record(record, &directory.path, None) {
        Ok(prepared) => Some(prepared),
        Err(problem) => {
            note(&format!("warning: {problem}"));
            None
        }
    };
    directory.plans.values().filter_map(prepare).collect()
}

/// Tries all cases on all threads, telling of each when its line is durable; returns how many could not be tried.
fn try_all(cases: &[Case<'_>], arguments: &RerunArguments, part: &mut Part) -> Result<u64, Problem> {
    let (next, mut sink, mut skipped) = (AtomicUsize::new(0), Sink::stdout(), 0);
    std::thread::scope(|scope| {
        let (results, inbox) = channel();
        for _ in 0..threads(arguments.jobs).min(cases.len()) {
            let (results, next) = (results.clone(), &next);
            scope.spawn(move || {
                while !interrupt::requested()
                    && let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    drop(results.send((case, attempt(case, arguments))));
                }
            });
        }
        drop(results);
        for (case, attempted) in inbox {
            match attempted {
                Ok(line) => {
                    part.append(&[Line::Rerun(Box::new(line.clone()))]).map_err(super::disk(&arguments.dir))?;
                    tell(&line, arguments.json, &mut sink)?;
                }
                Err(why) => {
                    skipped += 1;
                    note(&format!("not tried: {} seed {}: {why}", case.run.scenario, case.run.seed));
                }
            }
        }
        Ok(skipped)
    })
}

/// Simulates and judges a failing run once more.
fn attempt(case: &Case<'_>, arguments: &RerunArguments) -> Result<RerunLine, String> {
    // Whether a run is deterministic is seen by simulating its seed twice; a bundle is one of the two.
    let from_bundle = !arguments.from_seed && !is_of(case, DETERMINISM);
    let bundle = print::bundle(&arguments.dir, case.run).filter(|_| from_bundle);
    let bundle = bundle.and_then(|path| match Bundle::read(&path, None) {
        Ok(bundle) => Some(bundle),
        Err(error) => {
            note(&format!("warning: {error}; drawn again from its seed"));
            None
        }
    });
    let from_bundle = bundle.is_some();
    let now = match bundle {
        Some(bundle) => by_bundle(case, &bundle)?,
        None => by_seed(case)?,
    };
    let failure = |symptom: Symptom| FailureLine {
        fingerprint: symptom.fingerprint(),
        causes: symptom.cause.into_iter().collect(),
        invariant: symptom.invariant,
        sentence: symptom.sentence,
        also: Vec::new(),
    };
    let run = case.run;
    Ok(RerunLine {
        family: run.family.clone(),
        scenario: run.scenario.clone(),
        seed: run.seed,
        was: case.was.to_owned(),
        now: now.map(failure),
        from_bundle,
        at_ms: now_ms(),
    })
}

/// Whether a run failed by what is no invariant, by its name.
fn is_of(case: &Case<'_>, name: &str) -> bool {
    case.was.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
}

/// How the run of a bundle fails now, if it does.
fn by_bundle(case: &Case<'_>, bundle: &Bundle) -> Result<Option<Symptom>, String> {
    let selection = case.plan.and_then(|plan| plan.plan.orders.selection.clone()).unwrap_or_else(Selection::all);
    let Some(trial) = Trial::run(&bundle.request, &selection, History::default()) else {
        let sentence = "simulator or checker broke down".to_owned();
        return Ok(Some(Symptom { invariant: "panicked".to_owned(), shape: sentence.clone(), sentence, cause: None }));
    };
    decided(trial.symptom(), trial.verdicts.as_ref())
}

/// How the run of a seed fails now, if it does; it is simulated as the campaign simulates.
fn by_seed(case: &Case<'_>) -> Result<Option<Symptom>, String> {
    let plan = &case.plan.ok_or("its plan cannot be worked on by this program")?.plan;
    let scenario = plan.scenarios.iter().find(|scenario| scenario.name == case.run.scenario);
    let scenario = scenario.ok_or("there is no such scenario any more")?;
    let mut orders = plan.orders.clone();
    orders.twice |= is_of(case, DETERMINISM);
    let mut history = History::default();
    let mut run = Rig::default().run(scenario, case.run.seed, &orders, plan.needs_rows().then_some(&mut history));
    run.explain(&history);
    decided(Symptom::of_judged(&run), run.verdicts.as_ref())
}

/// A run holds only when every invariant was decided.
fn decided(symptom: Option<Symptom>, verdicts: Option<&RunVerdicts>) -> Result<Option<Symptom>, String> {
    let unknown = |(id, verdict): &(InvariantId, Verdict)| match verdict {
        Verdict::Unknown { reason } => Some(format!("{} could not be decided: {reason}", id.name())),
        _ => None,
    };
    let doubt = verdicts.and_then(|verdicts| verdicts.verdicts.iter().find_map(unknown));
    match (symptom, doubt) {
        (None, Some(doubt)) => Err(doubt),
        (symptom, _) => Ok(symptom),
    }
}

fn tell(line: &RerunLine, json: bool, sink: &mut Sink<'_>) -> std::io::Result<()> {
    if json {
        return sink.object(&tagged("rerun", json!(line)));
    }
    let paint = Paint::for_stdout();
    let from = if line.from_bundle { "its bundle" } else { "its seed" };
    let told = match &line.now {
        None => format!("{}  {} seed {}: {} is not there (from {from})", paint.good("holds"), line.scenario, line.seed, line.was),
        Some(now) if now.fingerprint == line.was => {
            format!("{}  {} seed {}: still {} (from {from})", paint.bad("FAILS"), line.scenario, line.seed, line.was)
        }
        Some(now) => {
            let words = format!("{}, and was {} (from {from})", now.fingerprint, line.was);
            format!("{}  {} seed {}: now {words}: {}", paint.bad("FAILS"), line.scenario, line.seed, now.sentence)
        }
    };
    sink.line(&told)
}

/// Which groups are still there, by what the directory says now.
fn conclude(arguments: &RerunArguments, skipped: u64) -> Result<Exit, Problem> {
    let directory = open(&arguments.dir)?;
    let (paint, mut sink) = (Paint::for_stdout(), Sink::stdout());
    let mut sums: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut exit = Exit::Held;
    if !arguments.json {
        sink.line("")?;
    }
    for (group, status) in directory.groups() {
        if arguments.fingerprint.as_deref().is_some_and(|wanted| wanted != group.fingerprint) {
            continue;
        }
        let tried: Vec<_> = group.runs.iter().filter_map(|run| directory.rerun(run)).collect();
        let failing = tried.iter().filter(|(again, _)| again.now.is_some()).count();
        *sums.entry(if failing > 0 { "failing" } else { "gone" }).or_default() += 1;
        let other_fails = tried.iter().any(|(again, _)| again.now.as_ref().is_some_and(|now| now.fingerprint != group.fingerprint));
        let known = directory.known.get(&group.fingerprint).is_some() && !status.is_alarming();
        if failing > 0 && (!known || other_fails) {
            exit = exit.and(Exit::Violated);
        }
        if arguments.json {
            let object = json!({ "name": group.fingerprint, "status": status.word(), "tried": tried.len(), "failing": failing });
            sink.object(&tagged("group", object))?;
        } else {
            let word = if failing > 0 { paint.bad("still there") } else { paint.good("gone       ") };
            let told = print::told_status(&directory, &group.fingerprint, &status);
            sink.line(&format!("{word}  {}  {failing} of {} fail ({told})", group.fingerprint, counted(tried.len() as u64, "run")))?;
        }
    }
    let exit = if skipped > 0 { exit.and(Exit::Refused) } else { exit };
    let exit = if interrupt::requested() { exit.and(Exit::Interrupted) } else { exit };
    if arguments.json {
        let count = |word| sums.get(word).copied().unwrap_or_default();
        let object = json!({ "failing": count("failing"), "gone": count("gone"), "not_tried": skipped, "exit": exit.code() });
        sink.object(&tagged("summary", object))?;
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_checker::{Budget, judge_run};
    use vopr_sim::scenario::Overrides;
    use vopr_sim::{RunRequest, Simulator, scenarios};

    #[test]
    fn a_run_that_could_not_be_decided_does_not_hold() {
        let request = RunRequest::new(scenarios::find("baseline").unwrap(), 1, &Overrides::default()).unwrap();
        let mut history = History::default();
        Simulator::new().simulate(&request, Some(&mut history));
        let hurried = Budget { time_per_run: Some(core::time::Duration::ZERO), ..Budget::default() };
        let judged = |budget: &Budget| judge_run(&history, 0, &Selection::all(), budget);
        assert!(decided(None, Some(&judged(&hurried))).unwrap_err().contains("could not be decided"));
        assert_eq!(decided(None, Some(&judged(&Budget::default()))), Ok(None));
        let symptom = Symptom { invariant: "stuck".to_owned(), shape: "stuck".to_owned(), sentence: String::new(), cause: None };
        assert_eq!(decided(Some(symptom.clone()), Some(&judged(&hurried))), Ok(Some(symptom)));
    }
}
