//! `vopr-check export`: a run's operations for other checkers.
//!
//! A verdict that two programs of different authors share is worth more than one.

use crate::exit::{Exit, Problem};
use crate::terminal::Sink;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use vopr_checker::import::export::jepsen_edn;
use vopr_schema::{HistoryFile, Projection};

/// Formats to export to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// Jepsen's EDN, one event per line, for Knossos and Elle
    JepsenEdn,
}

/// What to export.
#[derive(Args, Clone, Debug)]
pub struct ExportArguments {
    /// A history
    #[arg(value_name = "RUN.parquet")]
    pub file: PathBuf,

    /// Format
    #[arg(long, value_enum)]
    pub to: To,

    /// Seed of the run; needed when the file has several
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,

    /// Where to write; standard output unless told
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Exports one run.
///
/// # Errors
/// When the file cannot be read, has no such run, or has operations that the format cannot tell.
pub fn run(arguments: &ExportArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let refused = |error: vopr_schema::ReadError| Problem::refused(error.to_string());
    let file = HistoryFile::open(&arguments.file).map_err(refused)?;
    let history = file.read_all(&Projection::all()).map_err(refused)?;
    let chosen = (0..history.runs.len()).filter(|run| arguments.seed.is_none_or(|seed| history.runs[*run].seed == seed));
    let runs: Vec<usize> = chosen.collect();
    let path = arguments.file.display();
    let run = match *runs {
        [run] => run,
        [] => return Err(Problem::nothing(format!("{path}: no run has this seed"))),
        _ => return Err(Problem::usage(format!("{path}: {} runs are in it: say --seed", runs.len()))),
    };
    let To::JepsenEdn = arguments.to;
    let text = jepsen_edn(&history, run).map_err(|error| Problem::refused(format!("{path}: {error}")))?;
    match &arguments.output {
        Some(output) => std::fs::write(output, text).map_err(|error| Problem::unwritable(output, "the history", &error))?,
        None => {
            for line in text.lines() {
                sink.line(line)?;
            }
        }
    }
    Ok(Exit::Held)
}
