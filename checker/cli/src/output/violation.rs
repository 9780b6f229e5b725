//! A violation on one screen: what is wrong, the rows that prove it, and what to type next.
//!
//! Invariants explain each other; a violation that another one explains is folded into a line below it, so that a reader meets
//! the cause first and once.

use crate::inputs;
use crate::output::Context;
use crate::shell;
use crate::terminal::{Paint, counted};
use std::path::Path;
use vopr_checker::import::Format;
use vopr_checker::{Failure, Finding, InvariantId, Step, Witness};
use vopr_schema::Dictionary;

/// Steps of a witness that are shown without `--verbose`.
const STEPS_SHOWN: usize = 10;

/// Width of the sentences.
const TEXT_COLUMNS: usize = 84;

/// The screen of one violation that no other one of its run explains.
///
/// `seen` is the number of failures with the same fingerprint, this one included.
#[must_use]
pub fn screen(failure: &Failure, root: &Finding, seen: u64, context: &Context, paint: Paint) -> Vec<String> {
    let name = root.invariant;
    let file = failure.file.as_deref().map_or_else(String::new, |file| format!("{}   ", file.display()));
    let bug = failure.bug.as_deref().map_or_else(String::new, |bug| format!(", bug {bug} on"));
    let headline = format!("{}  {name}   {file}{} seed {}{bug}", paint.bad("VIOLATED"), failure.scenario, failure.seed);
    let mut lines = vec![headline, String::new()];
    lines.extend(story(&root.witness, context.verbose, paint));
    let explained = failure.consequences().filter(|finding| finding.because_of == Some(name));
    let names = explained.map(|finding| finding.invariant).collect::<Vec<_>>().join(", ");
    let mut remarks = Vec::new();
    if !names.is_empty() {
        remarks.push(format!("also violated because of this: {names}"));
    }
    if seen > 1 {
        remarks.push(format!("seen in {}, this is the first ({})", counted(seen, "run"), failure.fingerprint()));
    }
    if !remarks.is_empty() {
        lines.push(String::new());
    }
    lines.extend(remarks.iter().flat_map(|remark| wrapped(remark, TEXT_COLUMNS + 16)).map(|line| format!("  {line}")));
    lines.push(String::new());
    if let Some(file) = &failure.file {
        let commands = next_commands(file, failure, name, context);
        lines.extend(commands.into_iter().map(|(verb, command)| format!("  {verb:<11} {command}")));
    }
    let query = context.queries.iter().find(|(query, _)| *query == name).map(|(_, path)| path.display().to_string());
    let meaning = query.or_else(|| InvariantId::parse(name).map(meaning)).unwrap_or_default();
    lines.push(format!("  {:<11} {meaning}", "meaning"));
    lines
}

/// The summary of a witness and its rows.
#[must_use]
pub fn story(witness: &Witness, verbose: bool, paint: Paint) -> Vec<String> {
    let mut lines: Vec<String> = wrapped(&witness.summary, TEXT_COLUMNS + 16).map(|line| format!("  {line}")).collect();
    if !witness.steps.is_empty() {
        lines.push(String::new());
    }
    let hidden = if verbose { 0 } else { witness.steps.len().saturating_sub(STEPS_SHOWN) };
    let head = if hidden == 0 { witness.steps.len() } else { STEPS_SHOWN / 2 };
    for (index, step) in witness.steps.iter().enumerate() {
        if index == head && hidden > 0 {
            lines.push(paint.faint(&format!("    ({} with --verbose)", counted(hidden as u64, "more row"))));
        }
        if index < head || index >= head + hidden {
            lines.extend(step_lines(step, paint));
        }
    }
    lines
}

fn step_lines(step: &Step, paint: Paint) -> Vec<String> {
    let mut row = format!("{} row {}", step.kind.name(), step.seq);
    if let Some(time_ns) = step.time_ns {
        row = format!("{row} at {}", seconds(time_ns));
    }
    let mut lines: Vec<String> = wrapped(&step.words, TEXT_COLUMNS).map(|line| format!("    {line}")).collect();
    if let Some(last) = lines.last_mut() {
        let padding = (TEXT_COLUMNS + 6).saturating_sub(last.chars().count());
        *last = format!("{last}{}{}", " ".repeat(padding), paint.faint(&row));
    }
    lines
}

/// The command that prints what an invariant says, and the statement itself where it fits the line.
fn meaning(id: InvariantId) -> String {
    let invariant = id.invariant();
    let command = shell::command(["vopr-check", "--explain", invariant.name]);
    let short = invariant.statement.chars().count() + command.len() < TEXT_COLUMNS + 36;
    if short { format!("{command}  # {}", invariant.statement) } else { command }
}

/// The commands that follow from a violation. What no simulator made cannot be run again.
fn next_commands(file: &Path, failure: &Failure, invariant: &str, context: &Context) -> Vec<(&'static str, String)> {
    // A path that begins with a dash would be taken for a flag.
    let safe = |path: &Path| {
        let path = path.display().to_string();
        if path.starts_with('-') { format!("./{path}") } else { path }
    };
    let (path, seed) = (safe(file), failure.seed.to_string());
    let run = [path.as_str(), "--scenario", &failure.scenario, "--seed", &seed];
    let query = context.queries.iter().find(|(name, _)| *name == invariant).map(|(_, path)| safe(path));
    let chosen = query.as_ref().map_or(["--invariant", invariant], |query| ["--sql", query.as_str()]);
    let check = core::iter::once("vopr-check").chain(run).chain(chosen).chain(["--verbose"]);
    let mut commands = Vec::new();
    let ends_with = |known: &str| file.extension().is_some_and(|ending| ending == known);
    let (recorded, bundled) = (ends_with(inputs::ENDING), ends_with(inputs::BUNDLE_ENDING));
    match failure.replayable {
        true if bundled => {
            commands.push(("reproduce", shell::command(["vopr", "repro", &path])));
            commands.push(("diagnose", shell::command(["vopr", "diagnose", &path])));
        }
        true => {
            commands.push(("reproduce", shell::command(["vopr", "replay", &path, "--run", &seed])));
            commands.push(("diagnose", shell::command(["vopr", "diagnose", &path, "--run", &seed])));
        }
        false => {}
    }
    let format = Format::ALL.into_iter().find(|format| format.name() == failure.scenario);
    match format.filter(|_| !failure.replayable) {
        // Nobody here can run another system again, but other checkers can judge what it did.
        Some(_) if recorded => {
            commands.push(("check", shell::command(check)));
            commands.push(("cross-check", shell::command(["vopr-check", "export", "--to", "jepsen-edn", &path, "--seed", &seed])));
        }
        Some(format) => {
            let output = safe(&file.with_extension(inputs::ENDING));
            let check = ["vopr-check", "--from", format.name(), &path, "--invariant", invariant, "--verbose"];
            commands.push(("check", shell::command(check)));
            commands.push(("keep", shell::command(["vopr-check", "import", "--from", format.name(), &path, "-o", &output])));
        }
        None => commands.push(("check", shell::command(check))),
    }
    if recorded || bundled {
        let picture = ["vopr-check"].into_iter().chain(run).chain(["--report", "report.html"]);
        commands.push(("picture", shell::command(picture)));
    }
    commands
}

/// Virtual time with microseconds.
#[must_use]
pub fn seconds(time_ns: u64) -> String {
    format!("{}.{:06} s", time_ns / 1_000_000_000, time_ns % 1_000_000_000 / 1_000)
}

/// Breaks a text into lines of at most `width` characters at spaces; a longer word keeps its own line.
pub fn wrapped(text: &str, width: usize) -> impl Iterator<Item = String> + use<> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(core::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::output::tests::{context, failure};
    use vopr_checker::INVARIANTS;
    use vopr_schema::Kind;

    #[test]
    fn a_screen_names_rows_and_commands() {
        let failure = failure("my runs/a.parquet", 7);
        let root = failure.roots().next().unwrap();
        let text = screen(&failure, root, 14, &context(Exit::Violated), Paint::default()).join("\n");
        for part in [
            "VIOLATED",
            "transition row 8131 at 9.204310 s",
            "seen in 14 runs",
            "vopr replay 'my runs/a.parquet' --run 7",
            "vopr diagnose 'my runs/a.parquet' --run 7",
            "vopr-check 'my runs/a.parquet' --scenario baseline --seed 7",
            &format!("meaning     vopr-check --explain {}", INVARIANTS[0].name),
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn a_bundle_is_repeated_and_drawn() {
        let failure = failure("runs/a.kmb", 7);
        let root = failure.roots().next().unwrap();
        let text = screen(&failure, root, 1, &context(Exit::Violated), Paint::default()).join("\n");
        assert!(
            text.contains("vopr repro runs/a.kmb") && text.contains("vopr diagnose runs/a.kmb") && text.contains("--report report.html"),
            "{text}"
        );
    }

    #[test]
    fn what_no_simulator_made_is_not_replayed_and_a_query_is_asked_again() {
        let mut failure = failure("-a.parquet", 7);
        failure.replayable = false;
        failure.findings[0].invariant = "mine";
        let context = Context { queries: vec![("mine", "my query.sql".into())], ..context(Exit::Violated) };
        let text = screen(&failure, &failure.findings[0], 1, &context, Paint::default()).join("\n");
        assert!(!text.contains("reproduce") && !text.contains("vopr replay"), "{text}");
        let check = "check       vopr-check ./-a.parquet --scenario baseline --seed 7 --sql 'my query.sql' --verbose";
        assert!(text.contains(check) && text.contains("meaning     my query.sql"), "{text}");
    }

    #[test]
    fn a_long_witness_fits_a_screen_unless_all_is_asked() {
        let steps = (0..100).map(|seq| Step::new(Kind::Message, seq, format!("step {seq}")));
        let witness = Witness::new("shape", "long").steps(steps);
        let short = story(&witness, false, Paint::default());
        assert!(short.len() < 20, "{}", short.len());
        let text = short.join("\n");
        assert!(text.contains("step 0 ") && text.contains("step 99 ") && text.contains("(90 more rows"), "{text}");
        assert_eq!(story(&witness, true, Paint::default()).iter().filter(|line| line.contains("step")).count(), 100);
    }

    #[test]
    fn texts_wrap_at_words() {
        assert_eq!(wrapped("one two three", 8).collect::<Vec<_>>(), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensible a", 4).collect::<Vec<_>>(), ["incomprehensible", "a"]);
    }
}
