//! Help, completions and manual pages: what a program says about itself.

use crate::exit::Exit;
use crate::terminal::{Sink, note};
use clap::Command;
use std::io;

/// Prints what the argument parser has to say: help and version on standard output, mistakes on standard error.
#[must_use]
pub fn answer(error: &clap::Error) -> Exit {
    let printed = error.print();
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
