//! Help, completions and manual pages: what a program says about itself.

use crate::exit::Exit;
use crate::terminal::{Sink, note};
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::io;
use strsim::levenshtein;

/// Prints what the argument parser has to say: help and version on standard output, mistakes on standard error.
#[must_use]
pub fn answer(error: &clap::Error) -> Exit {
    let printed = match shorter(error) {
        Some(text) => {
            note(text.trim_end());
            Ok(())
        }
        None => error.print(),
    };
    if error.use_stderr() {
        return Exit::Usage;
    }
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            note(&format!("standard output: {error}"));
            Exit::Internal
        }
        _ => Exit::Held,
    }
}

/// Names that are listed after a wrong one; of longer lists the nearest and the command that lists all.
const LISTED_MAX: usize = 12;

/// What is told of a wrong name among many: the nearest one, if any is near, and where all of them stand.
fn shorter(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let Some(ContextValue::Strings(names)) = error.get(ContextKind::ValidValue) else { return None };
    let (argument, wrong) = (text(ContextKind::InvalidArg)?, text(ContextKind::InvalidValue)?);
    if error.kind() != ErrorKind::InvalidValue || names.len() <= LISTED_MAX {
        return None;
    }
    let nearest = text(ContextKind::SuggestedValue).filter(|name| is_near(name, wrong));
    let tip = nearest.map_or_else(String::new, |name| format!("  tip: a similar value exists: '{name}'\n"));
    let listed = match argument.split([' ', '.']).next().unwrap_or_default() {
        "--bug" => "vopr bugs",
        "--invariant" | "--skip" | "--explain" => "vopr-check --list-invariants",
        "--require" => "vopr run --verbose, below its table",
        _ => "vopr scenarios",
    };
    Some(format!("error: invalid value '{wrong}' for '{argument}'\n\n{tip}  all {} are listed by: {listed}\n", names.len()))
}

/// Whether a name may be what was meant.
#[must_use]
pub fn is_near(name: &str, wrong: &str) -> bool {
    let is_part = wrong.len() > 2 && (name.starts_with(wrong) || wrong.starts_with(name));
    is_part || 2 * levenshtein(name, wrong) <= name.chars().count().min(wrong.chars().count())
}

/// Prints a completion script.
///
/// # Errors
/// When standard output cannot be written.
pub fn completions(command: &mut Command, shell: clap_complete::Shell, sink: &mut Sink<'_>) -> io::Result<Exit> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, command, name, &mut script);
    sink.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Held)
}

/// Prints the manual page, one section per command.
///
/// # Errors
/// When standard output cannot be written.
pub fn page(mut command: Command, sink: &mut Sink<'_>) -> io::Result<Exit> {
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    let name = command.get_name().to_owned();
    subcommands(&command, &name, &mut page)?;
    sink.line(String::from_utf8_lossy(&page).trim_end())?;
    Ok(Exit::Held)
}

/// The sections of a command's own commands, and of theirs.
fn subcommands(command: &Command, name: &str, page: &mut Vec<u8>) -> io::Result<()> {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = format!("{name} {}", sub.get_name());
        let man = clap_mangen::Man::new(sub.clone().display_name(&name));
        man.render_name_section(page)?;
        man.render_synopsis_section(page)?;
        man.render_options_section(page)?;
        if sub.get_after_help().is_some() || sub.get_after_long_help().is_some() {
            man.render_extra_section(page)?;
        }
        subcommands(sub, &name, page)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_near_when_few_letters_differ() {
        assert_eq!([levenshtein("", "abc"), levenshtein("kitten", "sitting"), levenshtein("a", "a")], [3, 3, 0]);
        assert!(is_near("baseline", "basline") && is_near("lost_update", "lost") && is_near("linearizability", "linearizabilty"));
        assert!(!is_near("scrub_found_open_damage", "foo") && !is_near("a", "b"));
    }
}
