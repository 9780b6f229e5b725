//! `vopr minimize`: the smallest run that still fails the same way.
//!
//! First a smaller world (less time, fewer clients and replicas, quieter rates, a smaller log), then delta debugging (Zeller and
//! Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE 2002) over planned faults and operations. Every candidate is
//! simulated and judged; one whose failure has another root, or a witness of another shape, is a candidate that holds. Nothing moves but
//! what is taken away: operations keep their planned times, and every random stream keeps its draws. Only when nothing more can be taken
//! away so, parts are taken away with the draws of other seeds.

pub mod candidates;
pub mod kept;
pub mod reduce;

use crate::args::explain::MinimizeArguments;
use crate::failure::bundle::{Bundle, Size};
use crate::failure::show::{fresh, injected, size_in_words};
use crate::failure::trial::Trial;
use crate::output::tagged;
use kept::Kept;
use reduce::{Reducer, Seen};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;
use vopr_check::exit::{Exit, Problem};
use vopr_check::output::json::hex;
use vopr_check::terminal::{Paint, Sink, counted, note};
use vopr_check::{interrupt, shell};
use vopr_checker::Selection;
use vopr_schema::History;
use vopr_sim::RunRequest;

/// What is written, in the words of a refusal.
const WHAT: &str = "the smaller run";

/// One way to make a run smaller.
struct Pass {
    name: &'static str,
    run: fn(&mut Reducer<'_>),
}

/// What is tried, in this order, over and over until nothing helps any more.
const PASSES: &[Pass] = &[
    Pass { name: "time", run: candidates::less_time },
    Pass { name: "clients", run: candidates::fewer_clients },
    Pass { name: "faults", run: candidates::fewer_faults },
    Pass { name: "rates", run: candidates::quieter },
    Pass { name: "replicas", run: candidates::fewer_replicas },
    Pass { name: "operations", run: candidates::fewer_operations },
    Pass { name: "limits", run: candidates::smaller_limits },
];

/// What is tried when none of them helps.
const LAST_PASS: Pass = Pass { name: "draws", run: candidates::other_draws };

/// Voters that remain, unless the run had fewer or the user wants fewer: one alone has no quorums, no views and nobody to repair from.
const REPLICAS_MIN: u8 = 3;

/// Makes a failing run smaller.
///
/// # Errors
/// The file cannot be read or does not fail here, the output is the same file, or exists and is of another run, or cannot be written.
pub fn run(arguments: &MinimizeArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    if is_same_file(&arguments.file, &arguments.output) {
        let text = format!("{} would be overwritten with the smaller run: name another output", arguments.file.display());
        return Err(Problem::usage(text));
    }
    vopr_check::page::try_place(&arguments.output).map_err(|error| Problem::unwritable(&arguments.output, WHAT, &error))?;
    interrupt::listen("the smallest run so far is kept");
    let original = Bundle::read(&arguments.file, arguments.run)?;
    let (request, trial) = reproduced(&original)?;
    let replicas_min = arguments.min_replicas.unwrap_or(REPLICAS_MIN).min(request.options.cluster.replicas);
    let nothing = || Problem::nothing("the run breaks nothing: there is no failure to keep");
    let kept = Kept::of(&trial, original.symptom.as_ref(), replicas_min).ok_or_else(nothing)?;
    let paint = Paint::for_stdout();
    if !arguments.json {
        sink.line(&format!("{}  {}: {}", paint.bad("fails"), kept.root.invariant, kept.root.sentence))?;
        if let Some(wanted) = original.symptom.as_ref().filter(|wanted| wanted.invariant != kept.root.invariant) {
            sink.line(&format!("       it was kept for {}, which stays broken too", wanted.invariant))?;
        }
        sink.line(&format!("before  {}", size_in_words(original.size())))?;
    }
    let broke = || Problem::internal("the run does not fail the same way again, which is a bug of this program");
    let (start, seen) = if let Some(resumed) = resumed(arguments, &original, &kept)? {
        resumed
    } else {
        let seen = Seen::of(&request, &trial, kept.is_kept_by(&trial).ok_or_else(broke)?);
        (request, seen)
    };
    drop(trial);
    let deadline = Instant::now() + arguments.time;
    let jobs = arguments.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let work = Work { original: &original, arguments, kept: &kept };
    let mut reducer = Reducer::new(start, seen, &kept, jobs, deadline);
    let finished = work.passes(&mut reducer, sink)?;
    let bundle = work.save(reducer.best())?;
    let exit = if interrupt::requested() { Exit::Interrupted } else { Exit::Held };
    let (before, after) = (original.size(), bundle.size());
    if arguments.json {
        let object = json!({ "before": object(before), "after": object(after), "tried": reducer.tried(), "finished": finished,
            "output": arguments.output, "symptom": bundle.symptom, "seed": bundle.run().seed, "exit": exit.code() });
        sink.object(&tagged("minimize", object))?;
        return Ok(exit);
    }
    let why = match (exit, finished) {
        (Exit::Interrupted, _) => " (interrupted; the same command goes on)",
        (_, false) => " (out of time; the same command with a longer --for goes on)",
        (_, true) => " (nothing more can be taken away)",
    };
    sink.line(&format!("after   {}, {} tried{why}", size_in_words(after), counted(reducer.tried(), "run")))?;
    if let Some(injected) = injected(&bundle) {
        sink.line(&format!("        injected: {injected}"))?;
    }
    if bundle.run().seed != original.run().seed {
        sink.line(&format!("        random draws of seed {}, and not {}", bundle.run().seed, original.run().seed))?;
    }
    sink.line("")?;
    let output = crate::campaign::plan::path_word(&arguments.output);
    for (word, command) in [
        ("reproduce", shell::command(["vopr", "repro", &output])),
        ("events", shell::command(["vopr", "show", &output, "--events"])),
        ("first", shell::command(["vopr", "bisect", &output])),
    ] {
        sink.line(&format!("  {word:<11} {command}"))?;
    }
    Ok(exit)
}

fn object(size: Size) -> Value {
    json!({ "events": size.events, "faults": size.faults, "operations": size.operations })
}

/// Whether two paths lead to one file, through links of either kind.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let same_path = one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other);
    same_path || same_inode(one, other)
}

#[cfg(unix)]
fn same_inode(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |path: &Path| path.metadata().ok().map(|known| (known.dev(), known.ino()));
    id(one).is_some_and(|known| Some(known) == id(other))
}

#[cfg(not(unix))]
fn same_inode(_: &Path, _: &Path) -> bool {
    false
}

/// The run with its workload written down, simulated here and now: it must fail as it did.
fn reproduced(original: &Bundle) -> Result<(RunRequest, Trial), Problem> {
    let trial = Trial::run(&original.request, &Selection::all(), History::default());
    let trial = trial.ok_or_else(|| Problem::internal("the simulator broke down, which is a bug of this program"))?;
    if let Some(wanted) = original.symptom.as_ref().filter(|wanted| !trial.shows(wanted)) {
        let now = trial.symptom().map_or_else(|| "nothing".to_owned(), |symptom| symptom.invariant);
        let text = format!("it was kept for {} and breaks {now} here: another program recorded it (see vopr repro)", wanted.invariant);
        return Err(Problem::refused(text));
    }
    let request = RunRequest { workload: Some(trial.workload.clone()), ..original.request.clone() };
    Ok((request, trial))
}

/// What an earlier call has made of the same run, if that still fails the same way.
fn resumed(arguments: &MinimizeArguments, original: &Bundle, kept: &Kept) -> Result<Option<(RunRequest, Seen)>, Problem> {
    if !arguments.output.exists() {
        return Ok(None);
    }
    let earlier = Bundle::read(&arguments.output, None)?;
    let from = earlier.origin.as_ref().and_then(|origin| origin["digest"].as_str()).unwrap_or_default();
    if from != hex(&original.run().digest) {
        let text = format!("{} exists and was not made from this run: name another output", arguments.output.display());
        return Err(Problem::usage(text));
    }
    let large_enough = earlier.request.options.cluster.replicas >= kept.replicas_min;
    let again = earlier.again().filter(|_| large_enough).and_then(|trial| {
        let visible_ns = kept.is_kept_by(&trial)?;
        Some(Seen::of(&earlier.request, &trial, visible_ns))
    });
    let Some(seen) = again else {
        note(&format!("{} fails in another way, or has too few replicas: it is made anew", arguments.output.display()));
        return Ok(None);
    };
    note(&format!("going on from {}: {}", arguments.output.display(), size_in_words(earlier.size())));
    Ok(Some((earlier.request, seen)))
}

/// What does not change while a run is made smaller.
struct Work<'a> {
    original: &'a Bundle,
    arguments: &'a MinimizeArguments,
    kept: &'a Kept,
}

impl Work<'_> {
    /// All passes until a round of them changes nothing; false: the time was up before.
    fn passes(&self, reducer: &mut Reducer<'_>, sink: &mut Sink<'_>) -> Result<bool, Problem> {
        loop {
            let accepted = reducer.accepted();
            for pass in PASSES {
                if !self.pass(pass, reducer, sink)? {
                    return Ok(false);
                }
            }
            if reducer.accepted() == accepted && !self.pass(&LAST_PASS, reducer, sink)? {
                return Ok(false);
            }
            if reducer.accepted() == accepted {
                return Ok(true);
            }
        }
    }

    /// One pass; false: the time was up before its end.
    fn pass(&self, pass: &Pass, reducer: &mut Reducer<'_>, sink: &mut Sink<'_>) -> Result<bool, Problem> {
        let before = reducer.accepted();
        (pass.run)(reducer);
        if reducer.accepted() > before {
            let size = self.save(reducer.best())?.size();
            if self.arguments.json {
                let injected = reducer.seen().weight.injected;
                let object = json!({ "name": pass.name, "tried": reducer.tried(), "size": object(size), "injected": injected });
                sink.object(&tagged("pass", object))?;
            } else {
                sink.line(&format!("  {:<11} {}", pass.name, size_in_words(size)))?;
            }
        }
        Ok(!reducer.is_over())
    }

    /// Writes the smallest run so far with the verdicts of all invariants on that very run.
    fn save(&self, request: &RunRequest) -> Result<Bundle, Problem> {
        let broke = || Problem::internal("the smallest run cannot be simulated again, which is a bug of this program");
        let trial = Trial::run(request, &Selection::all(), History::default()).ok_or_else(broke)?;
        if !trial.symptom().is_some_and(|symptom| symptom.is_like(&self.kept.root)) {
            return Err(Problem::internal("the smallest run does not fail the same way again, which is a bug of this program"));
        }
        let (path, output) = (&self.arguments.file, &self.arguments.output);
        let words = ["vopr", "minimize", &path.display().to_string(), "-o", &output.display().to_string()].map(str::to_owned);
        let mut bundle = fresh(request, trial, shell::command(words));
        // Which operations there are says the request, and not what its clients still got done.
        bundle.request.workload.clone_from(&request.workload);
        // It is proven here too, perhaps behind another one: the failure stays in its group.
        if let Some(symptom) = &mut bundle.symptom {
            symptom.cause.clone_from(&self.kept.root.cause);
        }
        let run = self.original.run();
        let mut origin = object(self.original.size());
        (origin["digest"], origin["seed"]) = (json!(hex(&run.digest)), json!(run.seed));
        bundle.origin = Some(origin);
        bundle.write(output).map_err(|error| Problem::unwritten(output, WHAT, &error))?;
        Ok(bundle)
    }
}
