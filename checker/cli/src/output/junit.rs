//! A report as `JUnit` XML, which CI servers show as a list of tests.
//!
//! A suite is all that was checked, a test case is one invariant: failed with every violation's sentence, skipped when nothing
//! of its kind was there. A verdict that could not be reached is an error where certainty was asked, else a skip with a reason.

use crate::exit::Exit;
use crate::output::Context;
use crate::terminal::{Sink, counted};
use std::io;
use vopr_checker::Report;
use vopr_checker::report::InvariantCounts;

/// Violations that one test case spells out.
const SENTENCES_MAX: usize = 50;

/// Prints the whole document.
///
/// # Errors
/// When standard output cannot be written.
pub fn report(report: &Report, context: &Context, sink: &mut Sink<'_>) -> io::Result<()> {
    let cases: Vec<Case> = report.invariants.iter().map(|counts| case(counts, report, context)).chain(files(report)).collect();
    let count = |outcome: &str| cases.iter().filter(|case| case.outcome == outcome).count();
    let totals = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\"",
        cases.len(),
        count("failure"),
        count("error"),
        count("skipped"),
        context.elapsed.as_secs_f64()
    );
    sink.line("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    sink.line(&format!("<testsuites name=\"vopr-check\" {totals}>"))?;
    sink.line(&format!("  <testsuite name=\"{}\" {totals}>", counted(report.runs, "run")))?;
    for case in &cases {
        let open = format!("    <testcase classname=\"{}\" name=\"{}\"", escaped(case.class), escaped(&case.name));
        if case.outcome.is_empty() {
            sink.line(&format!("{open}/>"))?;
        } else {
            let message = escaped(case.text.lines().next().unwrap_or_default());
            sink.line(&format!("{open}><{} message=\"{message}\">{}</{}></testcase>", case.outcome, escaped(&case.text), case.outcome))?;
        }
    }
    sink.line("  </testsuite>\n</testsuites>")
}

struct Case {
    class: &'static str,
    name: String,
    /// Element inside the test case, empty for a pass.
    outcome: &'static str,
    text: String,
}

fn case(counts: &InvariantCounts, report: &Report, context: &Context) -> Case {
    let (outcome, text) = if counts.violation > 0 {
        ("failure", sentences(counts.invariant, report))
    } else if counts.unknown > 0 {
        let reasons = report.undecided.iter().filter(|undecided| undecided.invariant == counts.invariant);
        let text = reasons.map(|undecided| format!("unknown in {}: {}", counted(undecided.runs, "run"), undecided.reason));
        let certain = matches!(context.exit, Exit::Held | Exit::Violated | Exit::Refused);
        (if certain { "skipped" } else { "error" }, text.collect::<Vec<_>>().join("\n"))
    } else if counts.pass == 0 {
        ("skipped", "not applicable to any run".to_owned())
    } else {
        ("", String::new())
    };
    Case { class: "invariant", name: counts.invariant.to_owned(), outcome, text }
}

fn sentences(invariant: &str, report: &Report) -> String {
    let mut lines = Vec::new();
    for failure in &report.failures {
        for finding in failure.findings.iter().filter(|finding| finding.invariant == invariant) {
            let file = failure.file.as_deref().map(|file| file.display().to_string()).unwrap_or_default();
            lines.push(format!("{} seed {} {file}: {}", failure.scenario, failure.seed, finding.witness.summary));
        }
    }
    let more = lines.len().saturating_sub(SENTENCES_MAX);
    lines.truncate(SENTENCES_MAX);
    if more > 0 {
        lines.push(format!("({more} more)"));
    }
    lines.join("\n")
}

fn files(report: &Report) -> impl Iterator<Item = Case> {
    report.refused.iter().map(|refused| Case {
        class: "file",
        name: refused.file.display().to_string(),
        outcome: "error",
        text: refused.error.clone(),
    })
}

/// A text inside XML 1.0; characters that XML cannot hold become question marks.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' => safe.push(character),
            '\u{fffe}' | '\u{ffff}' => safe.push('?'),
            control if control < ' ' => safe.push('?'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::{clean, context, mixed};

    fn text(report: &Report, exit: Exit) -> String {
        let mut written = Vec::new();
        super::report(report, &context(exit), &mut Sink::new(&mut written)).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn violations_and_refusals_are_test_cases() {
        let text = text(&mixed(), Exit::Violated);
        assert!(text.contains("tests=\"2\" failures=\"1\" errors=\"1\" skipped=\"0\""), "{text}");
        assert!(text.contains("<failure message=\"baseline seed 3 b.parquet: it is wrong\">"), "{text}");
    }

    #[test]
    fn a_clean_report_has_no_children() {
        let text = text(&clean(), Exit::Held);
        assert!(text.contains("failures=\"0\" errors=\"0\" skipped=\"0\"") && !text.contains("</testcase>"), "{text}");
    }

    #[test]
    fn no_text_can_break_the_document() {
        assert_eq!(escaped("<a b=\"&\">\u{0}\n"), "&lt;a b=&quot;&amp;&quot;&gt;?\n");
    }
}
