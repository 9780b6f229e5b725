//! A diagnosis on one screen, and as an object for programs.

use super::waits::Waiting;
use super::{Diagnosis, Found};
use crate::args::explain::DiagnoseArguments;
use crate::campaign::plan::path_word;
use crate::failure::bundle;
use crate::output::tagged;
use serde_json::{Value, json};
use vopr_check::inputs;
use vopr_check::output::violation::{seconds, wrapped};
use vopr_check::shell;
use vopr_check::terminal::{Paint, counted};
use vopr_checker::Step;
use vopr_schema::{Dictionary, Kind, Run};

/// Causes on the first screen.
const CAUSES_SHOWN: usize = 3;

/// Characters of a sentence per line.
const WIDTH: usize = 100;

pub(super) fn lines(diagnosis: &Diagnosis, arguments: &DiagnoseArguments, run: &Run, paint: Paint) -> Vec<String> {
    let mut lines = vec![format!("{}  {} seed {}", paint.bad(&diagnosis.class.words().to_uppercase()), run.scenario, run.seed)];
    let also: Vec<&str> = diagnosis.classes.iter().skip(1).map(|class| class.words()).collect();
    if !also.is_empty() {
        lines.push(format!("  also: {}", also.join(", ")));
    }
    lines.push(String::new());
    let symptom = symptom(diagnosis, run);
    lines.extend(wrapped(&symptom, WIDTH).map(|line| format!("  {line}")));
    lines.extend([String::new(), "likely causes, by the evidence in this run:".to_owned()]);
    if diagnosis.causes.is_empty() {
        let why = match (bundle::is_imported(run), diagnosis.waits.is_empty()) {
            (true, _) => "only the operations of this system's clients were recorded, and every cause here lies inside of a replica.",
            (_, true) => "no cause that is known here has left its signature. `first event` below is where to look next.",
            (_, false) => "no cause that is known here has left its signature. What the replicas waited for:",
        };
        lines.extend(wrapped(&format!("none: {why}"), WIDTH).map(|line| format!("  {line}")));
    } else if !diagnosis.is_sure() {
        lines.push("  (nothing here is more than a possibility)".to_owned());
    }
    let shown = if arguments.verbose { diagnosis.causes.len() } else { CAUSES_SHOWN };
    for (place, found) in diagnosis.causes.iter().take(shown).enumerate() {
        lines.extend(cause(place + 1, found, paint));
    }
    let hidden = diagnosis.causes.len().saturating_sub(shown);
    if hidden > 0 {
        lines.push(format!("  ({hidden} more with --verbose)"));
    }
    lines.extend(waits(diagnosis, arguments.verbose));
    if !diagnosis.chain.is_empty() {
        let has_fault = diagnosis.chain.iter().any(|step| step.kind == Kind::Fault);
        lines.extend([String::new(), if has_fault { "from the fault to the symptom:" } else { "how it came about:" }.to_owned()]);
        lines.extend(diagnosis.chain.iter().map(step));
    }
    lines.extend([String::new()]);
    lines.extend(commands(arguments, run).into_iter().map(|(what, command)| format!("  {what:<11} {command}")));
    lines
}

/// What the replicas were waiting for: with its rows where no cause says more, or everything is wanted.
fn waits(diagnosis: &Diagnosis, verbose: bool) -> Vec<String> {
    if diagnosis.waits.is_empty() {
        return Vec::new();
    }
    let whole = verbose || !diagnosis.is_sure();
    let when =
        diagnosis.stalled_ns.map_or_else(|| "at the end of the run:".to_owned(), |time| format!("when it stalled, at {}:", seconds(time)));
    let mut lines = vec![String::new(), when];
    let replicas = diagnosis.waits.iter().map(|waiting| (waiting.line(), &waiting.rows));
    for (line, rows) in replicas.chain(diagnosis.clients.iter().map(|client| (client.sentence.clone(), &client.rows))) {
        lines.extend(wrapped(&line, WIDTH).enumerate().map(|(place, line)| format!("  {}{line}", if place == 0 { "" } else { "  " })));
        lines.extend(rows.iter().filter(|_| whole).map(step));
    }
    if !whole {
        lines.push("  (the rows that say so with --verbose)".to_owned());
    }
    lines
}

fn symptom(diagnosis: &Diagnosis, run: &Run) -> String {
    let Some(root) = diagnosis.failure.as_ref().and_then(|failure| failure.findings.first()) else {
        let detail = run.ended_detail.as_deref().unwrap_or("no detail");
        return format!("{}: {detail}", run.ended.name());
    };
    let others = diagnosis.failure.as_ref().map_or(0, |failure| failure.findings.len() - 1) as u64;
    let also = if others == 0 { String::new() } else { format!(" (and {} more)", counted(others, "broken invariant")) };
    format!("{}: {}{also}", root.invariant, root.witness.summary)
}

fn cause(place: usize, found: &Found, paint: Paint) -> Vec<String> {
    let (sign, cause) = (&found.sign, found.cause);
    let times = if sign.times == 1 { String::new() } else { format!(", {} times", sign.times) };
    let mut lines = vec![format!("  {place}. {}  {} ({}{times})", cause.name, paint.bad(cause.mechanism), sign.strength.word())];
    lines.extend(wrapped(&sign.sentence, WIDTH - 5).map(|line| format!("     {line}")));
    let rows: Vec<String> = sign.rows.iter().map(|step| format!("{} row {}", step.kind.name(), step.seq)).collect();
    lines.push(format!("     rows: {}", rows.join(", ")));
    lines.push(format!("     look at: {}", cause.look));
    lines
}

fn step(step: &Step) -> String {
    let time = step.time_ns.map_or_else(String::new, seconds);
    format!("  {:>13}  {:<10} row {:<8} {}", time, step.kind.name(), step.seq, step.words)
}

/// What to do next.
fn commands(arguments: &DiagnoseArguments, run: &Run) -> Vec<(&'static str, String)> {
    let file = path_word(&arguments.file);
    let seed = arguments.run.map(|seed| seed.to_string());
    let command = |verb: &str, more: &[&str]| {
        let run = seed.iter().flat_map(|seed| ["--run", seed]);
        shell::command(["vopr", verb, &file].into_iter().chain(run).chain(more.iter().copied()))
    };
    let picture = ("picture", command("timeline", &["--around-violation", "--show-messages", "--show-faults"]));
    if bundle::is_imported(run) {
        let check = ["vopr-check", &file, "--scenario", &run.scenario, "--seed", &run.seed.to_string(), "--verbose"];
        return vec![("check", shell::command(check)), ("picture", command("timeline", &["--around-violation"]))];
    }
    let several = arguments.file.extension().is_some_and(|ending| ending == inputs::ENDING);
    let small = path_word(&inputs::minimized(&arguments.file, several.then_some((run.scenario.as_str(), run.seed))));
    let minimize = (!inputs::is_minimized(&arguments.file)).then(|| ("minimize", command("minimize", &["-o", &small])));
    let mut commands = vec![("reproduce", command("repro", &[]))];
    commands.extend(minimize);
    commands.extend([("first event", command("bisect", &[])), picture]);
    commands
}

pub(super) fn object(diagnosis: &Diagnosis, arguments: &DiagnoseArguments, run: &Run) -> Value {
    let cause = |found: &Found| {
        json!({
            "name": found.cause.name,
            "mechanism": found.cause.mechanism,
            "look_at": found.cause.look,
            "strength": found.sign.strength.word(),
            "times": found.sign.times,
            "sentence": found.sign.sentence,
            "rows": found.sign.rows,
        })
    };
    let waiting = |waiting: &Waiting| {
        json!({
            "replica": waiting.replica,
            "status": waiting.status.name(),
            "view": waiting.view,
            "commit": waiting.commit,
            "sentence": waiting.sentence,
            "rows": waiting.rows,
        })
    };
    let root = diagnosis.failure.as_ref().and_then(|failure| failure.findings.first());
    let commands = commands(arguments, run).into_iter().map(|(what, command)| json!({ "what": what, "command": command }));
    tagged(
        "diagnosis",
        json!({
            "file": arguments.file,
            "scenario": run.scenario,
            "seed": run.seed,
            "class": diagnosis.class.words(),
            "classes": diagnosis.classes.iter().map(|class| class.words()).collect::<Vec<_>>(),
            "ended": run.ended.name(),
            "invariant": root.map(|root| root.invariant),
            "symptom": symptom(diagnosis, run),
            "causes": diagnosis.causes.iter().map(cause).collect::<Vec<_>>(),
            "chain": diagnosis.chain,
            "stalled_ns": diagnosis.stalled_ns,
            "waits": diagnosis.waits.iter().map(waiting).collect::<Vec<_>>(),
            "clients": diagnosis.clients.iter().map(|client| json!({ "sentence": client.sentence, "rows": client.rows })).collect::<Vec<_>>(),
            "commands": commands.collect::<Vec<_>>(),
        }),
    )
}
