//! The vopr-check program: judge recorded histories.
//!
//! The program is a library function, so that the end-to-end tests can own a binary of it. Its exit codes, streams, progress
//! and renderers also serve `vopr run`, which checks in process.

pub mod args;
pub mod check;
pub mod exit;
pub mod explain;
pub mod export;
pub mod import;
pub mod inputs;
pub mod interrupt;
pub mod limits;
pub mod manual;
pub mod output;
pub mod page;
pub mod progress;
pub mod query;
pub mod shell;
pub mod situations;
pub mod terminal;
pub mod verify;
pub mod version;

use args::{Arguments, Command};
use clap::{CommandFactory, Parser};
use exit::{Exit, Problem};
use std::ffi::OsString;
use std::process::ExitCode;
use terminal::{Sink, note};

/// The program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    exit::guarded("vopr-check", || run(std::env::args_os())).into()
}

/// The program with the given arguments, the first of which is its name.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => return manual::answer(&error),
    };
    dispatch(&arguments).unwrap_or_else(|problem| {
        note(&format!("vopr-check: {problem}"));
        problem.exit
    })
}

fn dispatch(arguments: &Arguments) -> Result<Exit, Problem> {
    let mut sink = Sink::stdout();
    match &arguments.command {
        None => check::run(&arguments.check, &mut sink),
        Some(Command::Verify { files, json }) => verify::run(files, *json, &mut sink),
        Some(Command::Import(arguments)) => import::run(arguments, &mut sink),
        Some(Command::Export(arguments)) => export::run(arguments, &mut sink),
        Some(Command::Completions { shell }) => Ok(manual::completions(&mut Arguments::command(), *shell, &mut sink)?),
        Some(Command::Man) => Ok(manual::page(Arguments::command(), &mut sink)?),
    }
}
