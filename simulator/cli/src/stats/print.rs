//! Counts as text and as JSON.
//!
//! What never came stands as plainly as what did: it is the reason to look at these numbers.

use super::Stats;
use super::counts::Counts;
use crate::output::tagged;
use serde_json::{Map, Value, json};
use std::io;
use vopr_check::output::violation::wrapped;
use vopr_check::terminal::{Paint, Sink, counted, grouped, table};
use vopr_checker::situations::Situation;

/// Width of lists of words.
const TEXT_COLUMNS: usize = 120;

/// One object per scenario, and one for all of them.
pub(super) fn json(stats: &Stats, sink: &mut Sink<'_>) -> io::Result<()> {
    for (scenario, counts) in &stats.scenarios {
        let mut object = tagged("stats", object(counts));
        object["name"] = json!(scenario);
        sink.object(&object)?;
    }
    let mut summary = tagged("summary", object(&stats.total()));
    summary["files"] = json!(stats.files);
    summary["bytes"] = json!(stats.bytes);
    summary["refused"] = json!(stats.refused.values().collect::<Vec<_>>());
    sink.object(&summary)
}

fn object(counts: &Counts) -> Value {
    let rows: Map<String, Value> = counts.rows.iter().map(|(kind, rows)| (kind.to_string(), json!(rows))).collect();
    let mut words: Map<String, Value> = Map::new();
    for ((kind, column), of_column) in &counts.words {
        let seen: Map<String, Value> = of_column.seen().into_iter().map(|(word, count)| (word.to_owned(), json!(count))).collect();
        words.insert(format!("{kind}.{column}"), json!({ "seen": seen, "never": of_column.never() }));
    }
    let invariant = |(id, judged): (&vopr_checker::InvariantId, &super::counts::Judged)| {
        let value = json!({ "facts": judged.facts, "runs": judged.runs, "violations": judged.violations, "unknown": judged.unknown });
        (id.name().to_owned(), value)
    };
    let situation = |situation: &Situation| {
        let seen = counts.situations.of(*situation);
        (situation.name().to_owned(), json!({ "runs": seen.runs, "times": seen.times }))
    };
    json!({
        "runs": counts.runs,
        "events": counts.events,
        "virtual_ns": counts.virtual_ns,
        "operations": { "ok": counts.operations[0], "error": counts.operations[1], "unknown": counts.operations[2] },
        "operations_per_virtual_second": counts.per_virtual_second(counts.operations[0]),
        "rows": rows,
        "words": words,
        "evidence": { "asked": counts.asked, "exercised": counts.exercised },
        "invariants": counts.invariants.iter().map(invariant).collect::<Map<_, _>>(),
        "situations": Situation::ALL.iter().map(situation).collect::<Map<_, _>>(),
    })
}

/// Tables; with `verbose` those of every scenario too. `checked`: whether facts and situations were counted.
pub(super) fn human(stats: &Stats, verbose: bool, checked: bool, sink: &mut Sink<'_>) -> io::Result<()> {
    let paint = Paint::for_stdout();
    for line in throughput(stats, checked) {
        sink.line(&line)?;
    }
    if verbose {
        for (scenario, counts) in &stats.scenarios {
            sink.line(&format!("\n{scenario}"))?;
            coverage(counts, checked, paint, sink)?;
        }
    }
    let all =
        if stats.scenarios.len() == 1 { "in the one scenario".to_owned() } else { format!("all {} scenarios", stats.scenarios.len()) };
    sink.line(&format!("\n{all}"))?;
    coverage(&stats.total(), checked, paint, sink)?;
    let bytes = format!("{} bytes", grouped(stats.bytes));
    let rows = stats.total().all_rows();
    sink.line(&format!("\n{} · {bytes} · {} · {} refused", counted(stats.files, "file"), counted(rows, "row"), stats.refused.len()))
}

fn throughput(stats: &Stats, checked: bool) -> Vec<String> {
    let header = ["scenario", "runs", "events", "ok", "error", "unknown", "virtual s", "ok/virtual s", "rows", "facts", "evidence"];
    let row = |name: &str, counts: &Counts| {
        let evidence = match (checked, counts.asked) {
            (false, _) => "-".to_owned(),
            (true, 0) => "not asked".to_owned(),
            (true, asked) => format!("{}/{asked}", counts.exercised),
        };
        let facts: u64 = counts.invariants.values().map(|judged| judged.facts).sum();
        let [ok, error, unknown] = counts.operations.map(grouped);
        let seconds = grouped(counts.virtual_ns / 1_000_000_000);
        let rate = format!("{:.1}", counts.per_virtual_second(counts.operations[0]));
        let facts = if checked { grouped(facts) } else { "-".to_owned() };
        let (runs, events, rows) = (grouped(counts.runs), grouped(counts.events), grouped(counts.all_rows()));
        vec![name.to_owned(), runs, events, ok, error, unknown, seconds, rate, rows, facts, evidence]
    };
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(stats.scenarios.iter().map(|(name, counts)| row(name, counts)));
    if stats.scenarios.len() > 1 {
        rows.push(row("all", &stats.total()));
    }
    table(&rows)
}

fn coverage(counts: &Counts, checked: bool, paint: Paint, sink: &mut Sink<'_>) -> io::Result<()> {
    for ((kind, column), words) in &counts.words {
        let (seen, never) = (words.seen(), words.never());
        sink.line(&format!("  {kind}.{column}: {} of {} words", seen.len(), words.names.len()))?;
        let seen: Vec<String> = seen.into_iter().map(|(word, count)| format!("{word} {}", grouped(count))).collect();
        list("", &seen, paint, sink)?;
        list("never", &never.into_iter().map(str::to_owned).collect::<Vec<_>>(), paint, sink)?;
    }
    if !checked {
        return Ok(());
    }
    let seen = |situation: &&Situation| counts.situations.of(**situation).runs > 0;
    let (come, never): (Vec<&Situation>, Vec<&Situation>) = Situation::ALL.iter().partition(seen);
    sink.line(&format!("  situations: {} of {}", come.len(), Situation::ALL.len()))?;
    let in_runs = |situation: &&Situation| format!("{} {}", situation.name(), grouped(counts.situations.of(**situation).runs));
    list("in runs", &come.iter().map(in_runs).collect::<Vec<_>>(), paint, sink)?;
    list("never", &never.iter().map(|situation| situation.name().to_owned()).collect::<Vec<_>>(), paint, sink)?;
    let tested: Vec<_> = counts.invariants.iter().filter(|(_, judged)| judged.facts > 0).collect();
    sink.line(&format!("  facts: {} of {} invariants had something to test", tested.len(), counts.invariants.len()))?;
    let facts: Vec<String> = tested.iter().map(|(id, judged)| format!("{} {}", id.name(), grouped(judged.facts))).collect();
    list("", &facts, paint, sink)?;
    let idle = counts.invariants.iter().filter(|(_, judged)| judged.facts == 0).map(|(id, _)| id.name().to_owned());
    list("never", &idle.collect::<Vec<_>>(), paint, sink)
}

/// A list of words over as many lines as it takes, named on the first.
fn list(name: &str, words: &[String], paint: Paint, sink: &mut Sink<'_>) -> io::Result<()> {
    // A word and its number, and the groups of the number, stay together.
    let text = words.iter().map(|word| word.replace(' ', "\u{2060}")).collect::<Vec<_>>().join(", ");
    let lines = wrapped(&text, TEXT_COLUMNS).map(|line| line.replace('\u{2060}', " "));
    for (index, line) in lines.enumerate().filter(|_| !words.is_empty()) {
        let head = format!("{:<8}", if index == 0 { name } else { "" });
        let head = if name == "never" { paint.doubt(&head) } else { head };
        sink.line(&format!("    {head} {line}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_broken_at_the_end_of_a_line() {
        let words: Vec<String> = (0..60).map(|place| format!("{} 1 234 567", "w".repeat(place % 17 + 1))).collect();
        let mut written = Vec::new();
        list("seen", &words, Paint::default(), &mut Sink::new(&mut written)).unwrap();
        let text = String::from_utf8(written).unwrap();
        assert!(text.lines().count() > 5 && text.lines().all(|line| line.trim_end_matches(',').ends_with(" 1 234 567")), "{text}");
        assert!(!text.contains('\u{2060}'));
    }
}
