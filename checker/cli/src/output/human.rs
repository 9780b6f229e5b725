//! A report for people: a table of counts, then what is wrong, then one sentence about how much was checked.

use crate::exit::Exit;
use crate::output::{Context, violation};
use crate::terminal::{Paint, Sink, counted, grouped, table};
use std::io;
use vopr_checker::Report;
use vopr_checker::report::{ScenarioEvidence, Undecided, without_numbers};
use vopr_checker::situations::{Coverage, Situation};

/// Screens that are shown without `--verbose`.
const SCREENS_SHOWN: usize = 10;

/// Prints the whole report.
///
/// # Errors
/// When standard output cannot be written.
pub fn report(report: &Report, context: &Context, paint: Paint, sink: &mut Sink<'_>) -> io::Result<()> {
    if report.runs > 0 {
        invariants(report, context.verbose, sink)?;
        evidence(report, context.verbose, paint, sink)?;
        for line in situations(&report.situations, &context.required, context.verbose, paint) {
            sink.line(&line)?;
        }
        sink.line("")?;
    }
    violations(report, context, paint, sink)?;
    for line in unknowns(&report.undecided, paint) {
        sink.line(&line)?;
    }
    for refused in &report.refused {
        sink.line(&format!("{}  {}: {}", paint.bad("refused"), refused.file.display(), refused.error))?;
    }
    if !report.undecided.is_empty() || !report.refused.is_empty() {
        sink.line("")?;
    }
    for line in conclusion(report, context, paint) {
        sink.line(&line)?;
    }
    Ok(())
}

/// So many invariants that apply to no run have lines of their own; more, as for histories of other systems, are counted.
const IDLE_MAX: usize = 20;

fn invariants(report: &Report, verbose: bool, sink: &mut Sink<'_>) -> io::Result<()> {
    let header = ["invariant", "pass", "violation", "unknown", "not applicable", "facts"].map(str::to_owned).to_vec();
    let row = |counts: &vopr_checker::report::InvariantCounts| {
        let numbers = [counts.pass, counts.violation, counts.unknown, counts.not_applicable, counts.facts];
        core::iter::once(counts.invariant.to_owned()).chain(numbers.map(grouped)).collect()
    };
    let is_idle = |counts: &&vopr_checker::report::InvariantCounts| counts.pass + counts.violation + counts.unknown == 0;
    let idle = report.invariants.iter().filter(is_idle).count();
    let hides = !verbose && idle > IDLE_MAX;
    let shown = report.invariants.iter().filter(|counts| !hides || !is_idle(counts));
    let rows: Vec<Vec<String>> = core::iter::once(header).chain(shown.map(row)).collect();
    for line in table(&rows) {
        sink.line(&line)?;
    }
    if hides {
        sink.line(&format!("{} more: not applicable to any of these runs (--verbose lists them)", counted(idle as u64, "invariant")))?;
    }
    sink.line("")
}

fn evidence(report: &Report, verbose: bool, paint: Paint, sink: &mut Sink<'_>) -> io::Result<()> {
    for (scenario, evidence) in &report.evidence {
        sink.line(&exercised(scenario, evidence, paint))?;
        if verbose || evidence.vacuous() {
            for (words, runs) in &evidence.missing {
                sink.line(&format!("    missing in {}: {words}", counted(*runs, "run")))?;
            }
        }
    }
    for (scenario, runs) in &report.unasked {
        sink.line(&format!("evidence  {scenario}: not asked ({})", counted(*runs, "run")))?;
    }
    if report.evidence.is_empty() && report.unasked.is_empty() { Ok(()) } else { sink.line("") }
}

/// Which situations came about: how many, those that were asked for and did not, and with `verbose` all of them.
#[must_use]
pub fn situations(coverage: &Coverage, required: &[Situation], verbose: bool, paint: Paint) -> Vec<String> {
    let all = Situation::ALL;
    let mut lines = vec![format!("situations  {} of {} came about", all.len() - coverage.missing(all).count(), all.len())];
    if verbose {
        let row = |situation: &Situation| {
            let seen = coverage.of(*situation);
            vec![format!("    {}", situation.name()), grouped(seen.runs), grouped(seen.times)]
        };
        let header = ["    situation", "runs", "times"].map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> = core::iter::once(header).chain(all.iter().map(row)).collect();
        let words = core::iter::once("").chain(all.iter().map(|situation| situation.words()));
        lines.extend(table(&rows).into_iter().zip(words).map(|(line, words)| format!("{line}  {words}").trim_end().to_owned()));
    }
    for missing in coverage.missing(required) {
        lines.push(format!("{}  {}: {}", paint.doubt("    required and not seen:"), missing.name(), missing.words()));
    }
    lines
}

/// How many runs of a scenario showed what it promises.
#[must_use]
pub fn exercised(scenario: &str, evidence: &ScenarioEvidence, paint: Paint) -> String {
    let vacuous = if evidence.is_cut_short() {
        format!("  not shown in {}: a failure may cut short what it promises", counted(evidence.cut_short, "failing run"))
    } else if evidence.vacuous() {
        paint.doubt("  vacuous: fewer than 90% of the runs show what it promises")
    } else {
        String::new()
    };
    format!("evidence  {scenario}: exercised {}/{}{vacuous}", evidence.exercised, evidence.runs)
}

/// One line about each reason for which verdicts could not be reached. Reasons that differ in their numbers alone are one.
#[must_use]
pub fn unknowns(undecided: &[Undecided], paint: Paint) -> Vec<String> {
    let mut reasons: Vec<(Undecided, bool)> = Vec::new();
    for one in undecided {
        let same = |(known, _): &&mut (Undecided, bool)| {
            known.invariant == one.invariant && without_numbers(&known.reason) == without_numbers(&one.reason)
        };
        match reasons.iter_mut().find(same) {
            Some((known, several)) => {
                known.runs += one.runs;
                *several = true;
            }
            None => reasons.push((one.clone(), false)),
        }
    }
    let mut groups: Vec<(&Undecided, bool, Vec<&str>)> = Vec::new();
    for (undecided, several) in &reasons {
        let same = |(known, _, _): &&mut (&Undecided, bool, Vec<&str>)| {
            known.reason == undecided.reason && known.runs == undecided.runs && known.first == undecided.first
        };
        match groups.iter_mut().find(same) {
            Some((_, _, invariants)) => invariants.push(undecided.invariant),
            None => groups.push((undecided, *several, vec![undecided.invariant])),
        }
    }
    let line = |(one, several, invariants): &(&Undecided, bool, Vec<&str>)| {
        let (scenario, seed) = &one.first;
        let runs = counted(one.runs, "run");
        let names = invariants.join(", ");
        let like = if *several { ", or the like" } else { "" };
        format!("{}  {}{like}: {names} ({runs}, the first is {scenario} seed {seed})", paint.doubt("unknown"), one.reason)
    };
    groups.iter().map(line).collect()
}

fn violations(report: &Report, context: &Context, paint: Paint, sink: &mut Sink<'_>) -> io::Result<()> {
    let mut shown = 0;
    let mut screens = Vec::new();
    if context.verbose {
        screens.extend(report.failures.iter().map(|failure| (1, failure)));
    } else {
        let mut groups: Vec<_> = report.groups().into_values().collect();
        groups.sort_by_key(|(_, failure)| (&failure.file, failure.seed));
        screens.extend(groups);
    }
    for (seen, failure) in &screens {
        for root in failure.roots() {
            if context.verbose || shown < SCREENS_SHOWN {
                for line in violation::screen(failure, root, *seen, context, paint) {
                    sink.line(&line)?;
                }
                sink.line("")?;
            }
            shown += 1;
        }
    }
    if !context.verbose && shown > SCREENS_SHOWN {
        sink.line(&format!("({} more violations with --verbose)\n", shown - SCREENS_SHOWN))?;
    }
    Ok(())
}

/// The last two lines: the outcome, and how much it rests on.
#[must_use]
pub fn conclusion(report: &Report, context: &Context, paint: Paint) -> [String; 2] {
    let chosen = report.invariants.len() as u64;
    let violated = report.invariants.iter().filter(|counts| counts.violation > 0).count() as u64;
    let word = match context.exit {
        Exit::Held if report.undecided.is_empty() => paint.good("held"),
        Exit::Held => paint.doubt("held where decided"),
        Exit::Violated => paint.bad("violated"),
        Exit::Inconclusive => paint.doubt("inconclusive"),
        Exit::Refused => paint.bad("refused"),
        Exit::NothingToDo => paint.doubt("nothing checked"),
        Exit::Interrupted => paint.doubt("interrupted"),
        Exit::Internal | Exit::Usage => paint.bad("internal error"),
    };
    let facts: u64 = report.invariants.iter().map(|counts| counts.facts).sum();
    let undecided: u64 = report.undecided.iter().map(|undecided| undecided.runs).sum();
    // "violated  43 invariants" would be read as 43 that are.
    let invariants = if violated == 0 { String::new() } else { format!("{} of ", grouped(violated)) };
    let mut parts = vec![invariants + &counted(chosen, "invariant"), counted(report.files, "file"), counted(report.runs, "run")];
    parts.extend([counted(report.operations, "operation"), counted(report.rows, "row"), counted(facts, "fact")]);
    let first =
        format!("{word}  {} · {:.1} s ({})", parts.join(" · "), context.elapsed.as_secs_f64(), counted(context.threads as u64, "thread"));
    let failing = format!("{} of {} violated", report.failing_runs, counted(report.runs, "run"));
    let mut rest = vec![counted(undecided, "verdict") + " unknown", counted(report.refused.len() as u64, "file") + " refused"];
    rest.extend((context.recalled > 0).then(|| format!("{} known from earlier checks", counted(context.recalled, "run"))));
    [first, format!("      {failing} · {}", rest.join(" · "))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::{clean, context, mixed};

    fn text(report: &Report, context: &Context) -> String {
        let mut written = Vec::new();
        super::report(report, context, Paint::default(), &mut Sink::new(&mut written)).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn success_says_how_much_was_checked() {
        let text = text(&clean(), &context(Exit::Held));
        let last: Vec<&str> = text.lines().rev().take(2).collect();
        assert_eq!(last[1], "held  1 invariant · 1 file · 2 runs · 200 operations · 2 000 rows · 20 facts · 1.5 s (2 threads)");
        assert_eq!(last[0], "      0 of 2 runs violated · 0 verdicts unknown · 0 files refused");
        assert!(text.contains("evidence  baseline: exercised 2/2"), "{text}");
    }

    #[test]
    fn one_reason_is_told_once() {
        let undecided = |invariant, reason: &str| Undecided { invariant, reason: reason.to_owned(), runs: 1, first: ("a".to_owned(), 7) };
        let lines =
            unknowns(&[undecided("one", "no time"), undecided("two", "no memory"), undecided("three", "no time")], Paint::default());
        assert_eq!(
            lines,
            ["unknown  no time: one, three (1 run, the first is a seed 7)", "unknown  no memory: two (1 run, the first is a seed 7)"]
        );
    }

    #[test]
    fn reasons_that_differ_in_numbers_are_told_once() {
        let undecided =
            |reason: &str, seed| Undecided { invariant: "one", reason: reason.to_owned(), runs: 2, first: ("a".to_owned(), seed) };
        let lines = unknowns(&[undecided("op 62 is lost", 7), undecided("op 7 is lost", 8), undecided("no op", 9)], Paint::default());
        assert_eq!(
            lines,
            [
                "unknown  op 62 is lost, or the like: one (4 runs, the first is a seed 7)",
                "unknown  no op: one (2 runs, the first is a seed 9)"
            ]
        );
    }

    #[test]
    fn a_violation_says_how_many_invariants_are_broken() {
        let [first, _] = conclusion(&mixed(), &context(Exit::Violated), Paint::default());
        assert!(first.starts_with("violated  1 of 1 invariant · "), "{first}");
    }

    #[test]
    fn what_failures_cut_short_is_not_called_vacuous() {
        let evidence = |exercised, cut_short| ScenarioEvidence { exercised, runs: 10, cut_short, ..ScenarioEvidence::default() };
        let told = |exercised, cut_short| exercised_words(&evidence(exercised, cut_short));
        assert!(told(0, 10).ends_with("0/10  not shown in 10 failing runs: a failure may cut short what it promises"), "{}", told(0, 10));
        assert!(told(2, 3).contains("vacuous") && !told(9, 1).contains("not shown"));
    }

    fn exercised_words(evidence: &ScenarioEvidence) -> String {
        exercised("baseline", evidence, Paint::default())
    }

    #[test]
    fn everything_that_is_not_a_pass_is_named() {
        let text = text(&mixed(), &context(Exit::Violated));
        for part in
            ["VIOLATED", "b.parquet", "unknown  ", "the time limit of 5 ms", "refused  c.parquet: row group 3", "1 of 5 runs violated"]
        {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 140), "{text}");
    }
}
