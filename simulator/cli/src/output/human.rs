//! A campaign for people: the command first, failures as they come, a table at the end.

use crate::campaign::plan::Plan;
use crate::checkpoint::Checkpoint;
use crate::output::{Commands, Group, Summary};
use crate::rig::{JudgedRun, short};
use crate::tally::{Failure, Tally};
use std::collections::BTreeMap;
use std::io;
use vopr_check::exit::Exit;
use vopr_check::output::human::{exercised, situations, unknowns};
use vopr_check::output::violation::{story, wrapped};
use vopr_check::terminal::{Paint, Sink, counted, grouped, table};
use vopr_check::version::VERSION_AND_COMMIT;
use vopr_schema::Dictionary;

/// Width of sentences.
const TEXT_COLUMNS: usize = 120;

pub(super) fn started(plan: &Plan, resumed: Option<&Checkpoint>, paint: Paint, sink: &mut Sink<'_>) -> io::Result<()> {
    let names = plan.scenarios.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
    let seeds = format!("seeds {}..{}", plan.seed, plan.whole().end() - 1);
    let threads = counted(plan.jobs as u64, "thread");
    sink.line(&format!("vopr {VERSION_AND_COMMIT} · {names} · {seeds} ({} each) · {threads}", grouped(plan.iterations)))?;
    sink.line(&plan.command())?;
    if let Some(resumed) = resumed {
        let mut done = Tally::default();
        resumed.scenarios.iter().for_each(|scenario| done.add(&scenario.tally()));
        let program = if resumed.program == VERSION_AND_COMMIT { String::new() } else { format!(" by vopr {}", resumed.program) };
        sink.line(&format!("resumed: {} were done before{program}, {} of them failed", counted(done.runs, "run"), done.failed))?;
        if !program.is_empty() {
            sink.line(&paint.doubt("warning: another program did the earlier part; its runs are not repeated"))?;
        }
    }
    sink.line("")
}

pub(super) fn run(scenario: &str, run: &JudgedRun, paint: Paint, sink: &mut Sink<'_>) -> io::Result<()> {
    let word = if run.failure.is_some() { paint.bad("failed") } else { paint.good("ok") };
    let mut parts = vec![format!("{} events", grouped(run.tally.events)), format!("{} operations", grouped(run.tally.operations))];
    if run.tally.rows > 0 {
        parts.push(format!("{} rows", grouped(run.tally.rows)));
    }
    if run.tally.facts > 0 {
        parts.push(format!("{} facts", grouped(run.tally.facts)));
    }
    parts.push(run.ended.name().to_owned());
    parts.extend(run.digest.as_ref().map(|digest| format!("digest {}", short(digest))));
    if let Some(evidence) = run.verdicts.as_ref().and_then(|verdicts| verdicts.evidence.as_ref()) {
        parts.extend((!evidence.exercised()).then(|| format!("missing: {}", evidence.missing.join(", "))));
    }
    sink.line(&format!("{word}  {scenario} seed {}: {}", run.seed, parts.join(" · ")))
}

/// A failure of a group that was told before: which one, and where its run is kept.
pub(super) fn again(failure: &Failure, (group, count): (&str, u64), paint: Paint) -> String {
    let Failure { seed, invariant, scenario, .. } = failure;
    let file = failure.file.as_ref().map_or_else(String::new, |file| format!("  {file}"));
    format!("{} seed {seed}: {invariant}: again {group}, number {count} ({scenario}){file}", paint.bad("FAILED"))
}

pub(super) fn failure(
    failure: &Failure,
    (commands, group): (&Commands, Option<String>),
    verbose: Option<&JudgedRun>,
    paint: Paint,
    sink: &mut Sink<'_>,
) -> io::Result<()> {
    let Failure { seed, invariant, sentence, scenario, .. } = failure;
    let mut lines = wrapped(&format!("FAILED seed {seed}: {invariant}: {sentence} ({scenario})"), TEXT_COLUMNS);
    let first = lines.next().unwrap_or_default();
    sink.line(&first.replacen("FAILED", &paint.bad("FAILED"), 1))?;
    lines.try_for_each(|line| sink.line(&format!("  {line}")))?;
    if !failure.also.is_empty() {
        let also = format!("also violated: {}", failure.also.join(", "));
        wrapped(&also, TEXT_COLUMNS).try_for_each(|line| sink.line(&format!("  {line}")))?;
    }
    if let Some(found) = verbose.and_then(|run| run.verdicts.as_ref()).and_then(vopr_checker::report::failure) {
        for root in found.roots() {
            sink.line("")?;
            sink.line(&format!("  {}", paint.bad(root.invariant)))?;
            for line in story(&root.witness, true, paint) {
                sink.line(&line)?;
            }
        }
        sink.line("")?;
    }
    if let Some(group) = group {
        sink.line(&format!("  group       {group}"))?;
    }
    sink.line(&format!("  reproduce   {}", commands.reproduce))?;
    if let Some(record) = &commands.record {
        sink.line(&format!("  record      {record}"))?;
    }
    sink.line(&format!("  check       {}", commands.check))?;
    if let Some(diagnose) = &commands.diagnose {
        sink.line(&format!("  diagnose    {diagnose}"))?;
    }
    if let Some(minimize) = &commands.minimize {
        sink.line(&format!("  minimize    {minimize}"))?;
    }
    sink.line("")
}

pub(super) fn finished(
    summary: &Summary<'_>,
    groups: &BTreeMap<String, Group>,
    verbose: bool,
    paint: Paint,
    sink: &mut Sink<'_>,
) -> io::Result<()> {
    for line in table(&rows(summary)) {
        sink.line(&line)?;
    }
    sink.line("")?;
    // One failure alone has just been told.
    for (name, Group { count, first: (seed, scenario) }) in groups.iter().filter(|(_, group)| group.count > 1 || groups.len() > 1) {
        let which = if *count > 1 { "the first is " } else { "" };
        sink.line(&format!("group  {name}: {}, {which}{scenario} seed {seed}", counted(*count, "run")))?;
    }
    for (scenario, evidence) in &summary.report.evidence {
        if verbose || evidence.vacuous() {
            sink.line(&exercised(scenario, evidence, paint))?;
            for (words, runs) in &evidence.missing {
                sink.line(&format!("    missing in {}: {words}", counted(*runs, "run")))?;
            }
        }
    }
    if summary.checked {
        for line in situations(summary.situations, summary.required, verbose, paint) {
            sink.line(&line)?;
        }
    }
    if summary.exit == Exit::NothingToDo {
        let names: Vec<&str> = summary.report.invariants.iter().map(|counts| counts.invariant).collect();
        sink.line(&format!("{}  no run has anything that {} could test", paint.doubt("nothing tested"), names.join(", ")))?;
    }
    for line in unknowns(&summary.report.undecided, paint) {
        sink.line(&line)?;
    }
    if let Some(broke) = summary.broke {
        sink.line(&format!("{}  {broke}", paint.bad("stopped")))?;
    }
    sink.line(&conclusion(summary, paint))?;
    for command in &summary.resume {
        sink.line(&format!("  resume      {command}"))?;
    }
    Ok(())
}

fn rows(summary: &Summary<'_>) -> Vec<Vec<String>> {
    let header = ["scenario", "runs", "ok", "failed", "undecided", "evidence", "events/s", "rows"].map(str::to_owned).to_vec();
    let row = |name: &str, tally: &Tally| {
        let evidence = match (summary.checked, tally.promised) {
            (false, _) => "-".to_owned(),
            (true, 0) => "not asked".to_owned(),
            (true, promised) => format!("{}/{promised}", tally.exercised),
        };
        let counts = [tally.runs, tally.held(), tally.failed, tally.undecided].map(grouped);
        let rates = [evidence, grouped(tally.events_per_second()), grouped(tally.rows)];
        core::iter::once(name.to_owned()).chain(counts).chain(rates).collect()
    };
    let scenarios = summary.state.scenarios.iter().map(|scenario| row(&scenario.name, &scenario.tally()));
    core::iter::once(header).chain(scenarios).collect()
}

fn conclusion(summary: &Summary<'_>, paint: Paint) -> String {
    let mut total = Tally::default();
    summary.state.scenarios.iter().for_each(|scenario| total.add(&scenario.tally()));
    let word = match summary.exit {
        Exit::Held if !summary.checked => paint.doubt("simulated, not checked"),
        Exit::Held if total.undecided > 0 => paint.doubt("held where decided"),
        Exit::Held => paint.good("held"),
        Exit::Violated => paint.bad("violated"),
        Exit::Inconclusive => paint.doubt("inconclusive"),
        Exit::NothingToDo => paint.doubt("nothing checked"),
        Exit::Interrupted => paint.doubt("interrupted"),
        _ => paint.bad("stopped"),
    };
    // "violated  5 runs" would be read as 5 that are.
    let mut parts = if total.failed == 0 {
        vec![counted(total.runs, "run"), "0 failed".to_owned()]
    } else {
        vec![format!("{} of {} failed", grouped(total.failed), counted(total.runs, "run"))]
    };
    parts.extend([counted(total.events, "event"), counted(total.operations, "operation")]);
    if summary.checked {
        parts.push(counted(total.facts, "fact"));
    }
    if let Some(out) = &summary.state.out {
        let files = summary.state.scenarios.iter().flat_map(|scenario| &scenario.done).filter(|record| record.file.is_some()).count();
        parts.push(format!("{} in {}", counted(files as u64, "file"), out.display()));
    }
    let threads = counted(summary.threads as u64, "thread");
    format!("{word}  {} · {:.1} s ({threads})", parts.join(" · "), summary.elapsed.as_secs_f64())
}
