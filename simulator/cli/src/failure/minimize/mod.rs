//! `vopr minimize`: the smallest run that still fails the same way.
//!
//! First a smaller world (less time, fewer clients and replicas, quieter rates, a smaller log), then delta debugging (Zeller and Hildebrandt,
//! "Simplifying and Isolating Failure-Inducing Input", TSE 2002) over planned faults and operations. Every candidate is simulated
//! and judged; one that fails in another way is a candidate that holds. Nothing moves but what is taken away: operations keep
//! their planned times, and every random stream keeps its draws. Only when nothing more can be taken away so, parts are
//! taken away with the draws of other seeds.

pub mod candidates;
pub mod reduce;

use crate::args::explain::MinimizeArguments;
use crate::failure::bundle::{Bundle, Size};
use crate::failure::show::{fresh, size_in_words};
use crate::failure::symptom::Symptom;
use crate::failure::trial::Trial;
use crate::output::tagged;
use reduce::Reducer;
use serde_json::{Value, json};
use std::time::Instant;
use vopr_check::exit::{Exit, Problem};
use vopr_check::output::json::hex;
use vopr_check::terminal::{Paint, Sink, counted, note};
use vopr_check::{interrupt, shell};
use vopr_checker::Selection;
use vopr_schema::History;
use vopr_sim::RunRequest;

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

/// Makes a failing run smaller.
///
/// # Errors
/// The file cannot be read or does not fail here, the output exists and is of another run, or cannot be written.
pub fn run(arguments: &MinimizeArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    interrupt::listen("the smallest run so far is kept");
    let original = Bundle::read(&arguments.file, arguments.run)?;
    let (symptom, request) = reproduced(&original)?;
    let resumed = resumed(arguments, &original)?;
    let paint = Paint::for_stdout();
    if !arguments.json {
        sink.line(&format!("{}  {}: {}", paint.bad("fails"), symptom.invariant, symptom.sentence))?;
        sink.line(&format!("before  {}", size_in_words(original.size())))?;
    }
    let deadline = Instant::now() + arguments.time;
    let jobs = arguments.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let start = resumed.map_or(request, |bundle| bundle.request);
    let mut work = Work { original: &original, arguments, symptom: &symptom };
    let mut reducer = Reducer::new(start, &symptom, jobs, deadline);
    let finished = work.passes(&mut reducer, sink)?;
    let bundle = work.save(reducer.best())?;
    let exit = if interrupt::requested() { Exit::Interrupted } else { Exit::Held };
    let (before, after) = (original.size(), bundle.size());
    if arguments.json {
        let object = json!({ "before": object(before), "after": object(after), "tried": reducer.tried(), "finished": finished,
            "output": arguments.output, "symptom": symptom, "exit": exit.code() });
        sink.object(&tagged("minimize", object))?;
        return Ok(exit);
    }
    let why = match (exit, finished) {
        (Exit::Interrupted, _) => " (interrupted; the same command goes on)",
        (_, false) => " (out of time; the same command with a longer --for goes on)",
        (_, true) => " (nothing more can be taken away)",
    };
    sink.line(&format!("after   {}, {} tried{why}", size_in_words(after), counted(reducer.tried(), "run")))?;
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

/// How the run fails here and now, and the run with its workload written down.
fn reproduced(original: &Bundle) -> Result<(Symptom, RunRequest), Problem> {
    let trial = Trial::run(&original.request, &Selection::all(), History::default());
    let trial = trial.ok_or_else(|| Problem::internal("the simulator broke down, which is a bug of this program"))?;
    let symptom = match &original.symptom {
        Some(wanted) if trial.shows(wanted) => wanted.clone(),
        Some(wanted) => {
            let now = trial.symptom().map_or_else(|| "nothing".to_owned(), |symptom| symptom.invariant);
            let text = format!("it was kept for {} and breaks {now} here: another program recorded it (see vopr repro)", wanted.invariant);
            return Err(Problem::refused(text));
        }
        None => trial.symptom().ok_or_else(|| Problem::nothing("the run breaks nothing: there is no failure to keep"))?,
    };
    let request = RunRequest { workload: Some(trial.workload), ..original.request.clone() };
    Ok((symptom, request))
}

/// What an earlier call has made of the same run.
fn resumed(arguments: &MinimizeArguments, original: &Bundle) -> Result<Option<Bundle>, Problem> {
    if !arguments.output.exists() || arguments.output == arguments.file {
        return Ok(None);
    }
    let earlier = Bundle::read(&arguments.output, None)?;
    let from = earlier.origin.as_ref().and_then(|origin| origin["digest"].as_str()).unwrap_or_default();
    if from != hex(&original.run().digest) {
        let text = format!("{} exists and was not made from this run: name another output", arguments.output.display());
        return Err(Problem::usage(text));
    }
    note(&format!("going on from {}: {}", arguments.output.display(), size_in_words(earlier.size())));
    Ok(Some(earlier))
}

/// What stays the same while a run is made smaller.
struct Work<'a> {
    original: &'a Bundle,
    arguments: &'a MinimizeArguments,
    symptom: &'a Symptom,
}

impl Work<'_> {
    /// All passes until a round of them changes nothing; false: the time was up before.
    fn passes(&mut self, reducer: &mut Reducer<'_>, sink: &mut Sink<'_>) -> Result<bool, Problem> {
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
    fn pass(&mut self, pass: &Pass, reducer: &mut Reducer<'_>, sink: &mut Sink<'_>) -> Result<bool, Problem> {
        let before = reducer.accepted();
        (pass.run)(reducer);
        if reducer.accepted() > before {
            let size = self.save(reducer.best())?.size();
            if self.arguments.json {
                sink.object(&tagged("pass", json!({ "name": pass.name, "tried": reducer.tried(), "size": object(size) })))?;
            } else {
                sink.line(&format!("  {:<11} {}", pass.name, size_in_words(size)))?;
            }
        }
        Ok(!reducer.is_over())
    }

    /// Writes the smallest run so far, judged by all invariants.
    fn save(&self, request: &RunRequest) -> Result<Bundle, Problem> {
        let broke = || Problem::internal("the smallest run cannot be simulated again, which is a bug of this program");
        let trial = Trial::run(request, &Selection::all(), History::default()).ok_or_else(broke)?;
        if !trial.shows(self.symptom) {
            return Err(Problem::internal("the smallest run does not fail the same way again, which is a bug of this program"));
        }
        let (path, output) = (&self.arguments.file, &self.arguments.output);
        let words = ["vopr", "minimize", &path.display().to_string(), "-o", &output.display().to_string()].map(str::to_owned);
        let mut bundle = fresh(request, trial, shell::command(words));
        // Which operations there are says the request, and not what its clients still got done.
        bundle.request.workload.clone_from(&request.workload);
        bundle.symptom = Some(self.symptom_of(&bundle));
        let size = self.original.size();
        let mut origin = object(size);
        origin["digest"] = json!(hex(&self.original.run().digest));
        bundle.origin = Some(origin);
        bundle.write(output).map_err(|error| Problem::internal(error.to_string()))?;
        Ok(bundle)
    }

    /// The symptom that is kept, in the numbers of the smaller run where that shows it first.
    fn symptom_of(&self, bundle: &Bundle) -> Symptom {
        let own = bundle.symptom.clone();
        own.filter(|own| (&own.invariant, &own.shape) == (&self.symptom.invariant, &self.symptom.shape))
            .map_or_else(|| self.symptom.clone(), |own| Symptom { cause: self.symptom.cause.clone(), ..own })
    }
}
