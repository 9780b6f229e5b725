//! A report for GitHub's workflows: one annotation per violation, and a page for the job's summary.
//!
//! Annotations are lines on standard output. The page is appended to the file that `GITHUB_STEP_SUMMARY` names; outside a workflow there is
//! none, and the lines are all.

use crate::output::{Context, human};
use crate::shell;
use crate::terminal::{Paint, Sink, counted, note};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use vopr_checker::Report;
use vopr_schema::Dictionary;

/// Names the file of the job's summary.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Annotations of one kind that GitHub shows for a step.
const ANNOTATIONS_MAX: usize = 10;

/// Failures that the page spells out.
const FAILURES_SHOWN: usize = 20;

/// Rows of a witness on the page.
const STEPS_SHOWN: usize = 12;

/// Prints annotations and the outcome, and writes the page.
///
/// # Errors
/// When standard output cannot be written.
pub fn report(report: &Report, context: &Context, sink: &mut Sink<'_>) -> io::Result<()> {
    for line in annotations(report) {
        sink.line(&line)?;
    }
    for line in human::conclusion(report, context, Paint::default()) {
        sink.line(&line)?;
    }
    if let Some(path) = std::env::var_os(SUMMARY).filter(|path| !path.is_empty())
        && let Err(error) = append(Path::new(&path), &page(report, context))
    {
        note(&format!("warning: {SUMMARY}: {error}"));
    }
    Ok(())
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    std::fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

/// The commands of a workflow that show what is wrong.
fn annotations(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let groups = report.groups();
    for (fingerprint, (seen, failure)) in &groups {
        for root in failure.roots().take(ANNOTATIONS_MAX) {
            let file = failure.file.as_deref().map(|file| format!("file={},", property(&file.display().to_string()))).unwrap_or_default();
            let title = property(&format!("{} violated: {} seed {}", root.invariant, failure.scenario, failure.seed));
            let text = format!("{}\nseen in {} ({fingerprint})", root.witness.summary, counted(*seen, "run"));
            lines.push(format!("::error {file}title={title}::{}", message(&text)));
        }
    }
    lines.truncate(ANNOTATIONS_MAX);
    let unknown = human::unknowns(&report.undecided, Paint::default());
    lines.extend(unknown.iter().take(ANNOTATIONS_MAX).map(|line| format!("::warning title=not decided::{}", message(line))));
    for refused in report.refused.iter().take(ANNOTATIONS_MAX) {
        let file = property(&refused.file.display().to_string());
        lines.push(format!("::error file={file},title=refused::{}", message(&refused.error)));
    }
    lines
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

/// The page in Markdown.
fn page(report: &Report, context: &Context) -> String {
    let mut page = String::from("## vopr-check\n\n");
    let mut put = |text: &str| {
        page.push_str(text);
        page.push('\n');
    };
    let [first, second] = human::conclusion(report, context, Paint::default());
    put(&format!("**{}**  \n{}\n", cell(first.trim()), cell(second.trim())));
    put("| invariant | pass | violation | unknown | not applicable | facts |\n|---|--:|--:|--:|--:|--:|");
    for counts in &report.invariants {
        let mark = if counts.violation > 0 { "**" } else { "" };
        let numbers = [counts.pass, counts.violation, counts.unknown, counts.not_applicable, counts.facts];
        let numbers = numbers.iter().fold(String::new(), |mut row, number| {
            write!(row, " {number} |").expect("a string takes all");
            row
        });
        put(&format!("| {mark}{}{mark} |{numbers}", counts.invariant));
    }
    for (fingerprint, (seen, failure)) in report.groups().iter().take(FAILURES_SHOWN) {
        for root in failure.roots() {
            put(&format!("\n### {} · {} seed {}\n", root.invariant, cell(&failure.scenario), failure.seed));
            put(&format!("{}\n\nSeen in {} (`{fingerprint}`).\n", cell(&root.witness.summary), counted(*seen, "run")));
            if !root.witness.steps.is_empty() {
                put("| row | what |\n|---|---|");
            }
            for step in root.witness.steps.iter().take(STEPS_SHOWN) {
                put(&format!("| {} {} | {} |", step.kind.name(), step.seq, cell(&step.words)));
            }
            if let Some(file) = &failure.file {
                let (file, seed) = (file.display().to_string(), failure.seed.to_string());
                let check = ["vopr-check", &file, "--scenario", &failure.scenario, "--seed", &seed, "--verbose"];
                put(&format!("\n```\n{}\n```", shell::command(check)));
            }
        }
    }
    page
}

/// A text inside a table of Markdown; markup of its own must not come alive.
fn cell(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|").replace('`', "'").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::output::tests::{context, mixed};

    #[test]
    fn annotations_are_one_line_each() {
        let lines = annotations(&mixed());
        assert!(lines[0].starts_with("::error file=b.parquet,title=") && lines[0].contains("%0Aseen in 1 run"), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("::warning title=not decided::")), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("::error file=c.parquet,title=refused::")), "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains('\n')));
        assert_eq!(property("a:b,c%"), "a%3Ab%2Cc%25");
    }

    #[test]
    fn the_page_has_a_table_and_the_rows() {
        let page = page(&mixed(), &context(Exit::Violated));
        for part in ["| invariant | pass |", "### ", "| transition 8131 | a &lt;row> &amp; \"more\" |", "vopr-check b.parquet"] {
            assert!(page.contains(part), "{part} is missing in\n{page}");
        }
    }
}
