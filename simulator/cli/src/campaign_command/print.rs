//! What a campaign tells: its command before the first run, failures with their groups, and at the end what its directory amounts to.
//!
//! Every number at the end comes from the directory, so that it can be told again at any time.

use super::plan::{self, Prepared};
use crate::args::Form;
use crate::campaign::plan::path_word;
use crate::campaign_dir::date::instant;
use crate::campaign_dir::kin::{self, Kinship};
use crate::campaign_dir::{Directory, FailingRun, FailureLine, Group, RunLine, Status};
use crate::diagnose;
use crate::output::tagged;
use crate::tally::Tally;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use vopr_check::exit::Exit;
use vopr_check::inputs;
use vopr_check::output::violation::wrapped;
use vopr_check::shell;
use vopr_check::terminal::{Paint, Sink, counted, grouped, table};
use vopr_check::version::VERSION_AND_COMMIT;
use vopr_checker::situations::Situation;

/// Width of sentences.
const TEXT_COLUMNS: usize = 110;

/// Damages and situations that are listed one by one; `--verbose` lists all situations.
const LIST_MAX: usize = 12;

/// How a process ended.
#[derive(Debug, Default)]
pub struct Ending {
    /// Exit status; none for a mere report.
    pub exit: Option<Exit>,
    /// The command that goes on.
    pub resume: Option<String>,
    /// Why it could not go on.
    pub broke: Option<String>,
}

impl Ending {
    /// Nothing is under way.
    pub fn finished() -> Self {
        Self::default()
    }
}

/// Runs by the program that did them, as `VERSION (COMMIT)`.
pub fn programs(directory: &Directory) -> BTreeMap<String, u64> {
    let mut programs = BTreeMap::new();
    for process in directory.processes.values().filter(|process| process.runs > 0) {
        let [version, commit] = &process.program;
        *programs.entry(format!("{version} ({commit})")).or_default() += process.runs;
    }
    programs
}

/// The campaign is about to begin, or to go on.
pub fn started(directory: &Directory, prepared: &Prepared, form: Form) -> io::Result<()> {
    let (record, mut sink) = (&prepared.record, Sink::stdout());
    let command = plan::command(record, &directory.path);
    let done = directory.total().runs;
    if form == Form::Json {
        return sink.object(&tagged(
            "start",
            json!({
                "plan": record,
                "directory": directory.path,
                "program": VERSION_AND_COMMIT,
                "threads": prepared.plan.jobs,
                "command": command,
                "runs_done_before": done,
            }),
        ));
    }
    let seeds = record.seeds.map(|seeds| format!("{} each", counted(seeds, "seed")));
    let time = record.for_ms.map(|ms| vopr_check::progress::clock(std::time::Duration::from_millis(ms)));
    let [shard, shards] = record.shard;
    let part_of = (shards > 1).then(|| format!("shard {shard} of {shards}"));
    let parts = [Some(counted(record.scenarios.len() as u64, "scenario")), seeds, time, part_of];
    let parts: Vec<String> = parts.into_iter().flatten().chain([counted(prepared.plan.jobs as u64, "thread")]).collect();
    sink.line(&format!("vopr {VERSION_AND_COMMIT} · {}", parts.join(" · ")))?;
    sink.line(&command)?;
    sink.line(&format!("directory: {}", directory.path.display()))?;
    if done > 0 {
        let total = directory.total();
        sink.line(&format!("resumed: {} in the directory, {} of them failed", counted(done, "run"), grouped(total.failed)))?;
    }
    sink.line("")
}

/// The group of a failure that was just told, or the whole failure in a line when others of its group were told before.
pub fn failure(directory: &Directory, run: &RunLine, failure: &FailureLine, count: u64, form: Form, verbose: bool) -> io::Result<()> {
    if form != Form::Human {
        return Ok(());
    }
    let (paint, mut sink) = (Paint::for_stdout(), Sink::stdout());
    let status = directory.group(&failure.fingerprint).map(|group| directory.status(group));
    let told = status.as_ref().map_or_else(String::new, |status| told_status(directory, &failure.fingerprint, status));
    if count == 1 {
        sink.line(&format!("  group       {} ({told})", failure.fingerprint))?;
        return sink.line("");
    }
    let head = paint.bad("FAILED");
    let FailureLine { fingerprint, invariant, .. } = failure;
    sink.line(&format!("{head} seed {}: {invariant}: again {fingerprint}, number {count} ({})", run.seed, run.scenario))?;
    if verbose {
        sink.line(&format!("  {}", failure.sentence))?;
    }
    Ok(())
}

/// CPU time in seconds, with one digit behind the point while that says something.
pub fn cpu_seconds(nanoseconds: u64) -> String {
    let tenths = nanoseconds / 100_000_000;
    if tenths < 1000 { format!("{}.{}", tenths / 10, tenths % 10) } else { grouped(tenths / 10) }
}

/// A status in words.
pub fn told_status(directory: &Directory, fingerprint: &str, status: &Status) -> String {
    let link = || directory.known.get(fingerprint).map_or_else(String::new, |known| known.link.clone());
    match status {
        Status::New => "new: not in known*.toml".to_owned(),
        Status::Expired(day) => format!("known until {day}, which is over: {}", link()),
        Status::Known(day) => format!("known until {day}: {}", link()),
        Status::Fixed(commit) => format!("fixed: every run of it held with {commit}"),
    }
}

/// Everything that a directory amounts to.
pub fn summary(directory: &Directory, ending: &Ending, form: Form, verbose: bool, sink: &mut Sink<'_>) -> io::Result<()> {
    if form == Form::Json { json(directory, ending, sink) } else { human(directory, ending, verbose, sink) }
}

fn human(directory: &Directory, ending: &Ending, verbose: bool, sink: &mut Sink<'_>) -> io::Result<()> {
    let paint = Paint::for_stdout();
    for line in table(&rows(directory)) {
        sink.line(&line)?;
    }
    sink.line("")?;
    for (name, scenario) in directory.scenarios.iter().filter(|(_, scenario)| scenario.tally.runs > 0 && !scenario.tally.is_exercised()) {
        let (shown, asked) = (grouped(scenario.tally.exercised), grouped(scenario.tally.promised));
        let word = if scenario.evidence().is_cut_short() { "not shown" } else { "vacuous" };
        let failing = counted(scenario.cut_short, "failing run");
        let why = if scenario.cut_short == 0 { String::new() } else { format!("; {failing} may have been cut short by the failure") };
        sink.line(&format!("{}  {name}: {shown} of {asked} runs show what it promises{why}", paint.doubt(word)))?;
        for (words, runs) in &scenario.missing {
            sink.line(&format!("    missing in {}: {words}", counted(*runs, "run")))?;
        }
    }
    let groups = directory.groups();
    for place in 0..groups.len() {
        self::group(directory, &groups, place, paint, sink)?;
    }
    situations(directory, verbose, paint, sink)?;
    doubts(directory, paint, sink)?;
    if let Some(broke) = &ending.broke {
        sink.line(&format!("{}  {broke}", paint.bad("stopped")))?;
    }
    sink.line(&conclusion(directory, ending, paint))?;
    if let Some(command) = &ending.resume {
        sink.line(&format!("  resume      {command}"))?;
    }
    Ok(())
}

/// The table of scenarios, its header first.
fn rows(directory: &Directory) -> Vec<Vec<String>> {
    let header = ["scenario", "runs", "ok", "failed", "undecided", "evidence", "situations", "events/s", "CPU s"];
    let row = |(name, scenario): (&String, &crate::campaign_dir::Scenario)| {
        let tally: &Tally = &scenario.tally;
        let evidence = if tally.promised == 0 { "not asked".to_owned() } else { format!("{}/{}", tally.exercised, tally.promised) };
        let seen = Situation::ALL.iter().filter(|situation| scenario.situations.of(**situation).runs > 0).count();
        let counts = [tally.runs, tally.held(), tally.failed, tally.undecided].map(grouped);
        let rest = [evidence, seen.to_string(), grouped(tally.events_per_second()), cpu_seconds(scenario.cpu_ns)];
        core::iter::once(name.clone()).chain(counts).chain(rest).collect()
    };
    core::iter::once(header.map(str::to_owned).to_vec()).chain(directory.scenarios.iter().map(row)).collect()
}

/// A group of failures: what it is, how often it came, and what to do with it.
fn group(directory: &Directory, groups: &[(&Group, Status)], place: usize, paint: Paint, sink: &mut Sink<'_>) -> io::Result<()> {
    let (group, status) = &groups[place];
    let word = status.word().to_uppercase();
    let word = if status.is_alarming() { paint.bad(&word) } else { paint.doubt(&word) };
    sink.line(&format!("{word}  {}  {}, {}", group.fingerprint, counted(group.count(), "run"), told_scenarios(group)))?;
    let (first, fastest) = (group.first(), group.fastest());
    for line in wrapped(&first.sentence, TEXT_COLUMNS) {
        sink.line(&format!("  {line}"))?;
    }
    for line in remarks(groups, place).iter().flat_map(|remark| wrapped(remark, TEXT_COLUMNS)) {
        sink.line(&format!("  {line}"))?;
    }
    if *status != Status::New {
        sink.line(&format!("  {}", told_status(directory, &group.fingerprint, status)))?;
    }
    let run = |run: &FailingRun| format!("{} seed {} ({} events)", run.scenario, run.seed, grouped(run.events));
    sink.line(&format!("  first {} · fastest {}", run(first), run(fastest)))?;
    sink.line(&format!("  since {} with {}", instant(group.since_ms()), group.commits().join(", ")))?;
    for (word, command) in commands(directory, group) {
        sink.line(&format!("  {word:<11} {command}"))?;
    }
    sink.line("")
}

/// What else is to be said of the group at this place: its cause, what it violates, and which one it is likely of one cause with.
pub fn remarks(groups: &[(&Group, Status)], place: usize) -> Vec<String> {
    let (group, _) = groups[place];
    let mechanism = |cause: &str| diagnose::find(cause).map_or_else(|| cause.to_owned(), |cause| cause.mechanism.to_owned());
    let mut remarks = Vec::new();
    if group.is_by_cause() {
        remarks.push(format!("proven by its rows: {}", mechanism(&group.fingerprint)));
    }
    let others = group.causes.iter().filter(|(cause, _)| **cause != group.fingerprint);
    let others: Vec<String> = others.map(|(cause, runs)| format!("{cause} in {}", counted(*runs, "run"))).collect();
    if !others.is_empty() {
        remarks.push(format!("also proven: {}", others.join(", ")));
    }
    let own = group.is_by_cause().then(|| group.invariant());
    let violated: Vec<&str> = own.into_iter().chain(group.also()).collect();
    if !violated.is_empty() {
        remarks.push(format!("{}: {}", if own.is_some() { "violated" } else { "also violated" }, violated.join(", ")));
    }
    remarks.extend(kin::before(groups, place).map(|(other, kinship)| match kinship {
        Kinship::Cause(cause) => format!("likely the same cause as {}: most runs of both prove {cause}", other.fingerprint),
        Kinship::Invariant(invariant) => format!("perhaps the same cause as {}: both violate {invariant}", other.fingerprint),
    }));
    remarks
}

fn told_scenarios(group: &Group) -> String {
    group.scenarios().iter().map(|(name, runs)| format!("{name} {runs}")).collect::<Vec<_>>().join(", ")
}

/// What to type to go on with a group, each with its word.
pub fn commands(directory: &Directory, group: &Group) -> Vec<(&'static str, String)> {
    let run = group.easiest();
    // Whoever copies lines need not copy bundles.
    let Some(path) = bundle(&directory.path, run).filter(|path| path.exists()) else {
        return vec![("reproduce", again(directory, run))];
    };
    let (smaller, path) = (path_word(&inputs::minimized(&path, None)), path_word(&path));
    let mut commands = vec![("reproduce", shell::command(["vopr", "repro", &path]))];
    commands.push(("diagnose", shell::command(["vopr", "diagnose", &path])));
    commands.push(("look", shell::command(["vopr", "timeline", &path, "--around-violation"])));
    commands.push(("minimize", shell::command(["vopr", "minimize", &path, "-o", &smaller])));
    commands
}

/// The command that simulates a failing run again from its seed.
pub fn again(directory: &Directory, run: &FailingRun) -> String {
    let plan = directory.plans.values().find(|plan| plan.family == run.family && plan.scenarios.contains(&run.scenario));
    let mut words = vec!["vopr".to_owned(), "run".to_owned()];
    match plan.and_then(|plan| plan.configs.get(&run.scenario)) {
        Some(file) => words.extend(["--config".to_owned(), path_word(&directory.path.join(file))]),
        None => words.extend(["--scenario".to_owned(), run.scenario.clone()]),
    }
    words.extend(["--seed".to_owned(), run.seed.to_string(), "--iterations".to_owned(), "1".to_owned()]);
    words.extend(plan.iter().flat_map(|plan| plan.options.iter().cloned()));
    words.push("--verbose".to_owned());
    shell::command(words)
}

fn situations(directory: &Directory, verbose: bool, paint: Paint, sink: &mut Sink<'_>) -> io::Result<()> {
    let coverage = directory.situations();
    if coverage.is_empty() {
        return Ok(());
    }
    let (seen, never): (Vec<Situation>, Vec<Situation>) =
        Situation::ALL.iter().copied().partition(|situation| coverage.of(*situation).runs > 0);
    sink.line(&format!("situations  {} of {} came about", seen.len(), Situation::ALL.len()))?;
    let names = |list: &[Situation]| list.iter().map(|situation| situation.name()).collect::<Vec<_>>().join(", ");
    let shown = if verbose { &never[..] } else { &never[..never.len().min(LIST_MAX)] };
    if !shown.is_empty() {
        let more = if shown.len() < never.len() { format!(" and {} more (--verbose)", never.len() - shown.len()) } else { String::new() };
        for (index, line) in wrapped(&format!("{}{more}", names(shown)), TEXT_COLUMNS).enumerate() {
            let head = if index == 0 { paint.doubt("never") } else { "     ".to_owned() };
            sink.line(&format!("    {head}   {line}"))?;
        }
    }
    if !verbose {
        return Ok(());
    }
    let header = ["situation", "runs", "times", "first in", "when"].map(str::to_owned).to_vec();
    let row = |situation: &Situation| {
        let (count, first) = (coverage.of(*situation), directory.sightings.get(situation.name()));
        let place = first.map_or_else(String::new, |first| format!("{} seed {}", first.scenario, first.seed));
        let when = first.map_or_else(String::new, |first| instant(first.at_ms));
        vec![situation.name().to_owned(), grouped(count.runs), grouped(count.times), place, when]
    };
    for line in table(&core::iter::once(header).chain(seen.iter().map(row)).collect::<Vec<_>>()) {
        sink.line(&format!("    {line}"))?;
    }
    Ok(())
}

/// What is not as it should be with the directory itself, and what could not be decided.
fn doubts(directory: &Directory, paint: Paint, sink: &mut Sink<'_>) -> io::Result<()> {
    for (name, scenario) in &directory.scenarios {
        for (invariant, runs) in &scenario.undecided {
            sink.line(&format!("{}  {invariant}: {} of {name}", paint.doubt("unknown"), counted(*runs, "run")))?;
        }
    }
    for slow in directory.slow() {
        let seconds = slow.at_ms.saturating_sub(slow.since_ms) / 1000;
        let words = format!("{} seed {}: under way for {seconds} s when it was last seen", slow.scenario, slow.seed);
        sink.line(&format!("{}  {words}", paint.bad("slow")))?;
    }
    for conflict in &directory.conflicts {
        let words = "held in one file and failed in another one: another program, or not deterministic";
        sink.line(&format!("{}  {} seed {} {words}", paint.bad("conflict"), conflict.scenario, conflict.seed))?;
    }
    for damage in directory.damage.iter().take(LIST_MAX) {
        sink.line(&format!("{}  {}: {}", paint.bad("damaged"), damage.place, damage.what))?;
    }
    if directory.damage.len() > LIST_MAX {
        sink.line(&format!("{}  {} more", paint.bad("damaged"), directory.damage.len() - LIST_MAX))?;
    }
    for (name, process) in directory.processes.iter().filter(|(_, process)| process.torn > 0) {
        let held = process.plan.as_deref().is_some_and(|plan| directory.is_worked_on(plan));
        if !held {
            sink.line(&format!("{}  {name}: half a line at its end; its process was killed", paint.faint("torn")))?;
        }
    }
    let programs = programs(directory);
    if programs.len() > 1 {
        let told: Vec<String> = programs.iter().map(|(program, runs)| format!("vopr {program} {}", counted(*runs, "run"))).collect();
        sink.line(&format!("{}  {}", paint.doubt("several programs"), told.join(", ")))?;
    }
    Ok(())
}

fn conclusion(directory: &Directory, ending: &Ending, paint: Paint) -> String {
    let total = directory.total();
    let groups = directory.groups();
    let alarming = groups.iter().filter(|(_, status)| status.is_alarming()).count() as u64;
    let word = match ending.exit {
        Some(Exit::Interrupted) => paint.doubt("interrupted"),
        Some(Exit::Inconclusive) => paint.doubt("inconclusive"),
        Some(Exit::Internal) => paint.bad("stopped"),
        _ if total.runs == 0 => paint.doubt("nothing done"),
        _ if alarming > 0 => paint.bad("violated"),
        _ if total.undecided > 0 => paint.doubt("held where decided"),
        _ if total.failed > 0 => paint.doubt("nothing new"),
        _ => paint.good("held"),
    };
    let of_groups = format!("{} ({alarming} new or expired)", counted(groups.len() as u64, "group"));
    let left = directory.left_altogether();
    let mut parts = vec![counted(total.runs, "run"), format!("{} failed in {of_groups}", grouped(total.failed))];
    parts.extend([counted(total.events, "event"), counted(total.operations, "operation")]);
    parts.extend(left.filter(|left| *left > 0).map(|left| format!("{} left", counted(left, "run"))));
    format!("{word}  {} · {}", parts.join(" · "), directory.path.display())
}

fn json(directory: &Directory, ending: &Ending, sink: &mut Sink<'_>) -> io::Result<()> {
    for (name, scenario) in &directory.scenarios {
        let mut object = tagged("scenario", json!(scenario.tally));
        object["name"] = json!(name);
        object["ok"] = json!(scenario.tally.held());
        object["cpu_ns"] = json!(scenario.cpu_ns);
        object["vacuous"] = json!(!scenario.tally.is_exercised());
        object["cut_short"] = json!(scenario.cut_short);
        object["missing"] = json!(scenario.missing);
        object["unknown"] = json!(scenario.undecided);
        object["situations"] = json!(scenario.situations);
        object["kept"] = json!(scenario.kept.len());
        sink.object(&object)?;
    }
    let groups = directory.groups();
    for place in 0..groups.len() {
        sink.object(&tagged("group", group_object(directory, &groups, place)))?;
    }
    for slow in directory.slow() {
        sink.object(&tagged("slow", json!(slow)))?;
    }
    for conflict in &directory.conflicts {
        sink.object(&tagged("conflict", json!({ "scenario": conflict.scenario, "seed": conflict.seed })))?;
    }
    for damage in &directory.damage {
        sink.object(&tagged("damaged", json!({ "place": damage.place, "what": damage.what })))?;
    }
    let coverage = directory.situations();
    sink.object(&tagged("situations", vopr_check::output::json::situations(&coverage, &[])))?;
    let total = directory.total();
    let mut object = tagged("summary", json!(total));
    object["directory"] = json!(directory.path);
    object["groups"] = json!(directory.groups().len());
    object["left"] = json!(directory.plans.values().map(|plan| directory.left(plan)).sum::<Option<u64>>());
    object["programs"] = json!(programs(directory));
    object["stopped"] = json!(ending.broke);
    object["resume"] = json!(ending.resume);
    object["exit"] = json!(ending.exit.map(Exit::code));
    sink.object(&object)
}

fn group_object(directory: &Directory, groups: &[(&Group, Status)], place: usize) -> Value {
    let (group, status) = &groups[place];
    let run = |run: &FailingRun| json!({ "scenario": run.scenario, "seed": run.seed, "events": run.events, "file": run.file });
    let commands: BTreeMap<&str, String> = commands(directory, group).into_iter().collect();
    json!({
        "fingerprint": group.fingerprint,
        "invariant": group.invariant(),
        "causes": group.causes,
        "likely_as": kin::before(groups, place).map(|(other, _)| &other.fingerprint),
        "status": status.word(),
        "link": directory.known.get(&group.fingerprint).map(|known| &known.link),
        "expires": directory.known.get(&group.fingerprint).map(|known| known.expires.to_string()),
        "runs": group.count(),
        "scenarios": group.scenarios(),
        "sentence": group.first().sentence,
        "also": group.also().collect::<Vec<_>>(),
        "first": run(group.first()),
        "fastest": run(group.fastest()),
        "since_ms": group.since_ms(),
        "commits": group.commits(),
        "commands": commands,
    })
}

/// The path of a run's bundle, when one was kept.
pub fn bundle(directory: &Path, run: &FailingRun) -> Option<std::path::PathBuf> {
    run.file.as_ref().map(|file| directory.join(file))
}
