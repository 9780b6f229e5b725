//! `vopr-check FILES`: every chosen invariant over every wanted run, and what came of it.

use crate::args::{CheckArguments, Format};
use crate::exit::{Exit, Problem};
use crate::explain;
use crate::import::{self, ReadingArguments};
use crate::inputs;
use crate::interrupt;
use crate::manual;
use crate::output::{self, Context, github, human, json, junit, sarif};
use crate::page;
use crate::progress::Progress;
use crate::query::engine::Engine;
use crate::query::{self, Checked};
use crate::situations;
use crate::terminal::{Paint, Sink, note, table};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use vopr_checker::registry::{Category, ELSEWHERE, INVARIANTS};
use vopr_checker::report::Refused;
use vopr_checker::store::Stores;
use vopr_checker::{Budget, Event, Options, Report, Selection, judge_run, try_check_files};
use vopr_schema::read::HistoryFile;

/// Memory for rows and searches together unless told otherwise, bytes.
const MEMORY: u64 = 2 << 30;

/// Scenarios that are listed when the one that was asked for is not there.
const SCENARIOS_TOLD: usize = 12;

/// Checks files.
///
/// # Errors
/// When the command line asks for nothing that can be done, or standard output cannot be written.
pub fn run(arguments: &CheckArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    if arguments.list_invariants {
        return list(arguments.output(), sink);
    }
    if !arguments.explain.is_empty() {
        return Ok(explain::run(&arguments.explain, arguments.output(), sink)?);
    }
    let selection = selection(arguments)?;
    if arguments.reading.from.is_none() && arguments.reading != ReadingArguments::default() {
        return Err(Problem::usage("how to read files of other systems was said without --from FORMAT"));
    }
    if arguments.reading.from.is_some() && (arguments.new_only || !arguments.sql.is_empty()) {
        return Err(Problem::usage("--new-only and --sql need a history: vopr-check import FILE -o OUT.parquet first"));
    }
    let inputs = inputs::resolve(&arguments.files);
    if arguments.files.is_empty() {
        return Err(Problem::usage("no file is named: vopr-check histories/*.parquet, or --help"));
    }
    inputs.remarks().for_each(|text| note(&text));
    if inputs.files.is_empty() && inputs.refused.is_empty() {
        return Err(Problem::nothing(inputs.unmatched.join("\nvopr-check: ")));
    }
    let queries = query::read(&arguments.sql)?;
    let engine = (!queries.is_empty()).then(Engine::find).transpose()?;
    if let Some(out) = &arguments.report {
        page::try_place(out).map_err(|error| Problem::unwritable(out, "the page", &error))?;
    }
    let started = Instant::now();
    interrupt::listen("the runs under way are finished and the results printed");
    let options = options(arguments, selection, &inputs.files);
    let (mut report, checked) = match arguments.reading.from {
        None => judge(&inputs.files, &options, arguments.output(), sink)?,
        Some(_) => (judge_imported(&inputs.files, &options, arguments, sink)?, Vec::new()),
    };
    if let Some(engine) = &engine {
        query::ask(&queries, engine, &checked, &query_limits(arguments, &options, checked.len()), &mut report);
    }
    let recalled = options.stores.as_deref().map_or(0, keep);
    report.refused.extend(inputs.refused.iter().chain(&inputs.unmatched).map(|text| refused(text)));
    let required = situations::required(&arguments.require);
    let exit = output::outcome(&report, arguments.strict, arguments.require_evidence, &required);
    let context = Context {
        elapsed: started.elapsed(),
        threads: options.jobs.unwrap_or(1),
        recalled,
        queries: queries.iter().map(|query| (query.name, query.path.clone())).collect(),
        verbose: arguments.verbose,
        required,
        exit,
    };
    if let Some(out) = &arguments.report {
        let first = checked.first().map(Checked::place);
        page::write(out, &report, &context, first).map_err(|error| Problem::unwritable(out, "the page", &error))?;
        note(&format!("written: {}", out.display()));
    }
    match arguments.output() {
        Format::Human => human::report(&report, &context, Paint::for_stdout(), sink)?,
        Format::Json => json::report(&report, &context, sink)?,
        Format::Junit => junit::report(&report, &context, sink)?,
        Format::Sarif => sarif::report(&report, &context, sink)?,
        Format::Github => github::report(&report, &context, sink)?,
    }
    if report.runs == 0 && !report.interrupted {
        tell_what_is_there(&inputs.files, arguments);
    }
    if exit == Exit::Internal {
        note("vopr-check: an invariant broke down: please report it with the file and the output of --version");
    }
    Ok(exit)
}

/// What to type for a file whose name says that another system wrote it.
fn of_another_system(path: &Path) -> Option<String> {
    let format = match path.extension()?.to_str()? {
        "edn" => "jepsen-edn",
        "json" => "jepsen-json",
        "jsonl" => "jsonl",
        "csv" => "csv",
        "log" => "porcupine-log",
        _ => return None,
    };
    let command = crate::shell::command(["vopr-check", "--from", format, &path.display().to_string()]);
    Some(format!("note: {} is no recorded history; one of another system is judged with --from: {command}", path.display()))
}

/// Tells what could have been asked of the files instead, when no run of them was wanted.
fn tell_what_is_there(files: &[PathBuf], arguments: &CheckArguments) {
    if arguments.reading.from.is_none() {
        files.iter().filter_map(|path| of_another_system(path)).for_each(|text| note(&text));
    }
    if arguments.scenario.is_empty() && arguments.seed.is_empty() {
        return;
    }
    let runs = files.iter().filter_map(|path| HistoryFile::open(path).and_then(|file| file.runs()).ok()).flatten();
    let mut scenarios: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for run in runs {
        let (first, last) = scenarios.entry(run.scenario).or_insert((run.seed, run.seed));
        (*first, *last) = (run.seed.min(*first), run.seed.max(*last));
    }
    for wanted in arguments.scenario.iter().filter(|wanted| !scenarios.contains_key(*wanted)) {
        let nearest = scenarios.keys().min_by_key(|name| strsim::levenshtein(name, wanted));
        let tip = nearest.filter(|name| manual::is_near(name, wanted)).map_or_else(String::new, |name| format!(": did you mean {name}?"));
        note(&format!("note: no run is of scenario {wanted}{tip}"));
    }
    let told: Vec<String> =
        scenarios.iter().take(SCENARIOS_TOLD).map(|(name, (first, last))| format!("{name} seeds {first}..{last}")).collect();
    let more = scenarios.len().saturating_sub(SCENARIOS_TOLD);
    let more = if more > 0 { format!(", and {more} more scenarios") } else { String::new() };
    if !told.is_empty() {
        note(&format!("note: in these files: {}{more}", told.join(", ")));
    }
}

/// What the command line asks of the checker.
fn options(arguments: &CheckArguments, selection: Selection, files: &[PathBuf]) -> Options {
    let threads = arguments.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, core::num::NonZero::get), usize::from);
    // Half for rows, half for searches, of which there is one per thread.
    let half = arguments.max_memory.unwrap_or(MEMORY) / 2;
    let budget = Budget {
        time_per_run: arguments.timeout_per_run,
        memory_bytes: Some((half / threads as u64).max(1)),
        cancel: Some(interrupt::flag()),
        ..Budget::default()
    };
    Options {
        selection,
        memory_bytes: Some(half),
        jobs: Some(threads),
        scenarios: arguments.scenario.clone(),
        seeds: arguments.seed.clone(),
        stores: arguments.new_only.then(|| stores(files, &budget)),
        budget,
    }
}

/// What a query over so many runs may take.
fn query_limits(arguments: &CheckArguments, options: &Options, runs: usize) -> query::engine::Limits {
    let runs = u32::try_from(runs.max(1)).unwrap_or(u32::MAX);
    query::engine::Limits {
        time: arguments.timeout_per_run.map(|limit| limit.saturating_mul(runs)),
        memory_bytes: options.memory_bytes.unwrap_or(MEMORY),
        threads: options.jobs.unwrap_or(1),
    }
}

/// The verdicts that are kept beside the files.
fn stores(files: &[PathBuf], budget: &Budget) -> Arc<Stores> {
    let (stores, notes) = Stores::open(files, budget);
    for text in &notes {
        note(&format!("note: {text}"));
    }
    Arc::new(stores)
}

/// Keeps what was learnt; the number of runs about which all was known before.
fn keep(stores: &Stores) -> u64 {
    for text in stores.save() {
        note(&format!("warning: {text}"));
    }
    stores.counts().0
}

/// Judges files, with progress; also what was checked.
fn judge(files: &[PathBuf], options: &Options, format: Format, sink: &mut Sink<'_>) -> Result<(Report, Vec<Checked>), std::io::Error> {
    let mut checked = Vec::new();
    let mut progress = Progress::new(0, 0, "runs");
    let (mut done, mut total, mut failed) = (0, 0, 0);
    let report: Result<Report, std::io::Error> = try_check_files(files, options, |event| {
        match event {
            Event::Total(runs) => total = runs,
            Event::Passed(runs) => done += runs,
            Event::Refused(_) => {}
            Event::Run(run) => {
                done += 1;
                checked.push(Checked::of(run));
                failed += u64::from(run.verdicts.iter().any(|(_, verdict)| verdict.is_violation()));
                if format == Format::Json {
                    progress.suspend(|| sink.object(&json::run(run)))?;
                }
            }
        }
        progress.set(done, total, failed);
        Ok(())
    });
    progress.finish();
    Ok((report?, checked))
}

/// Imports files of another system and judges them at once.
fn judge_imported(files: &[PathBuf], options: &Options, arguments: &CheckArguments, sink: &mut Sink<'_>) -> Result<Report, Problem> {
    let history = vopr_checker::import::history(&import::bring(files, &arguments.reading)?);
    let mut report = Report::new(&options.selection);
    for (number, file) in files.iter().enumerate() {
        let mut run = judge_run(&history, number, &options.selection, &options.budget);
        run.file = Some(file.clone());
        if arguments.output() == Format::Json {
            sink.object(&json::run(&run))?;
        }
        report.add(&run);
    }
    Ok(report)
}

/// A refused argument as the report shows it: the path and the reason.
fn refused(text: &str) -> Refused {
    let (file, error) = text.rsplit_once(": ").unwrap_or((text, "cannot be read"));
    Refused { file: file.into(), error: error.to_owned() }
}

fn selection(arguments: &CheckArguments) -> Result<Selection, Problem> {
    let usage = |error: vopr_checker::registry::UnknownInvariant| Problem::usage(error.to_string());
    let of_categories = |id: &vopr_checker::InvariantId| arguments.category.iter().any(|name| name == id.invariant().category.name());
    let named = if arguments.category.is_empty() {
        arguments.invariant.clone()
    } else {
        let chosen =
            if arguments.invariant.is_empty() { Selection::all() } else { Selection::only(&arguments.invariant).map_err(usage)? };
        let names: Vec<String> = chosen.ids().iter().filter(|id| of_categories(id)).map(|id| id.name().to_owned()).collect();
        if names.is_empty() {
            return Err(Problem::usage(format!("no invariant chosen is of category {}", arguments.category.join(", "))));
        }
        names
    };
    let chosen = if named.is_empty() { Selection::all() } else { Selection::only(&named).map_err(usage)? };
    let chosen = chosen.without(&arguments.skip).map_err(usage)?;
    if chosen.ids().is_empty() {
        return Err(Problem::usage("no invariant is left to check"));
    }
    Ok(chosen)
}

fn list(format: Format, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    if format == Format::Json {
        for object in json::invariants().chain(json::elsewhere()) {
            sink.object(&object)?;
        }
        return Ok(Exit::Held);
    }
    for category in Category::ALL {
        let of_category = INVARIANTS.iter().filter(|invariant| invariant.category == category);
        let row = |invariant: &&vopr_checker::Invariant| {
            vec![format!("  {}", invariant.name), format!("v{}", invariant.version), invariant.statement.to_owned()]
        };
        let rows: Vec<Vec<String>> = of_category.map(row).collect();
        if rows.is_empty() {
            continue;
        }
        sink.line(category.name())?;
        // Only the first two columns line up; statements follow them.
        let heads: Vec<Vec<String>> = rows.iter().map(|row| row[..2].to_vec()).collect();
        for (head, row) in table(&heads).iter().zip(&rows) {
            sink.line(&format!("{head}  {}", row[2]))?;
        }
    }
    sink.line("decided by another simulation")?;
    for property in ELSEWHERE {
        sink.line(&format!("  {}  {} ({})", property.name, property.statement, property.decided_by.join("; ")))?;
    }
    Ok(Exit::Held)
}
