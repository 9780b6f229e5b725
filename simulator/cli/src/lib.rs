//! The vopr program: simulate, record, check, replay.
//!
//! The program is a library function, so that the end-to-end tests can own a binary of it.

pub mod args;
pub mod campaign;
pub mod campaign_command;
pub mod campaign_dir;
pub mod checkpoint;
pub mod dashboard;
pub mod diagnose;
pub mod difference;
pub mod failure;
pub mod hunt;
pub mod listing;
pub mod output;
pub mod own;
pub mod replay;
pub mod rig;
pub mod rows;
pub mod score;
pub mod seeds;
pub mod stats;
pub mod tally;
pub mod timeline;
pub mod tui;

use args::{Arguments, Command};
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::process::ExitCode;
use vopr_check::exit::{Exit, Problem};
use vopr_check::manual;
use vopr_check::terminal::{Sink, note};

/// The program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    vopr_check::exit::guarded("vopr", || run(std::env::args_os())).into()
}

/// The program with the given arguments, the first of which is its name.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(args::with_default_command(words)) {
        Ok(arguments) => arguments,
        Err(error) => return manual::answer(&error),
    };
    dispatch(&arguments.command).unwrap_or_else(|problem| {
        note(&format!("vopr: {problem}"));
        problem.exit
    })
}

fn dispatch(command: &Command) -> Result<Exit, Problem> {
    let mut sink = Sink::stdout();
    match command {
        Command::Run(arguments) => campaign::run(arguments),
        Command::Campaign(arguments) => campaign_command::run(arguments),
        Command::Scenarios(arguments) => listing::print_scenarios(arguments, &mut sink),
        Command::Bugs(arguments) if arguments.score => score::run(arguments, &mut sink),
        Command::Bugs(arguments) if arguments.diagnose => diagnose::score::run(arguments, &mut sink),
        Command::Bugs(arguments) => {
            listing::print_bugs(&listing::chosen_bugs(&arguments.bug), arguments.json, &mut sink)?;
            Ok(Exit::Held)
        }
        Command::Replay(arguments) => replay::run(arguments, &mut sink),
        Command::Repro(arguments) => failure::repro::run(arguments, &mut sink),
        Command::Show(arguments) => failure::show::run(arguments, &mut sink),
        Command::Timeline(arguments) => timeline::run(arguments, &mut sink),
        Command::Minimize(arguments) => failure::minimize::run(arguments, &mut sink),
        Command::Bisect(arguments) => failure::bisect::run(arguments, &mut sink),
        Command::Diagnose(arguments) => diagnose::run(arguments, &mut sink),
        Command::Stats(arguments) => stats::run(arguments, &mut sink),
        Command::Dashboard(arguments) => dashboard::run(arguments, &mut sink),
        Command::Tui(arguments) => tui::run(arguments, &mut sink),
        Command::Completions { shell } => Ok(manual::completions(&mut Arguments::command(), *shell, &mut sink)?),
        Command::Man => Ok(manual::page(Arguments::command(), &mut sink)?),
    }
}
