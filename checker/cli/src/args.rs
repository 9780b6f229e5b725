//! The command line of `vopr-check`.
//!
//! clap reads it, suggests the nearest name for a wrong one, and makes help, completions and manual pages from it.

use crate::exit::Exit;
use crate::explain;
use crate::export::ExportArguments;
use crate::import::{ImportArguments, ReadingArguments};
use crate::limits;
use crate::version::VERSION_AND_COMMIT;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use core::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use vopr_checker::registry::{Category, INVARIANTS};
use vopr_checker::situations::Situation;

const EXAMPLES: &str = "Examples:
  vopr-check histories/*.parquet                     every invariant over every run
  vopr-check out/ --strict --require-evidence        the same for a directory, fit for CI
  vopr-check out/ --invariant linearizability -v     one invariant, with the whole witness
  vopr-check out/ --seed 42 --skip liveness          one seed, without one invariant
  vopr-check out/ --format junit > report.xml        for a CI server
  vopr-check out/ --new-only                         only what no earlier check has decided
  vopr-check out/ --report out.html                  a page with the failing runs, for a browser
  vopr-check out/ --sql slow.sql                     an invariant of your own: each row of its answer is a violation
  vopr-check --from jepsen-edn history.edn           a history of another system
  vopr-check import history.edn -o theirs.parquet    the same, to be kept and queried
  vopr-check --list-invariants                       what is checked
  vopr-check --explain liveness                      what one invariant says, and why
  vopr-check verify out/                             integrity only: page checksums and digests";

/// Judges recorded histories: every invariant over every run.
///
/// A verdict is pass (with the number of facts tested), violation (with the rows that contradict each other), unknown (with the reason) or
/// not applicable. What could not be decided within the limits is unknown, never a pass.
#[derive(Debug, Parser)]
#[command(name = "vopr-check", version = VERSION_AND_COMMIT, args_conflicts_with_subcommands = true, max_term_width = 110)]
#[command(after_help = "See --help for examples and exit codes.")]
#[command(after_long_help = format!("{EXAMPLES}\n\n{}", Exit::help()))]
pub struct Arguments {
    /// A command other than checking.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Checking.
    #[command(flatten)]
    pub check: CheckArguments,
}

/// Commands other than checking.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tests files only: footer, schema version, page checksums, digest of every run
    Verify {
        /// Histories, or directories of histories
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Brings histories that other systems recorded (Jepsen, Knossos, Elle, Porcupine, Maelstrom, tables) into this format
    Import(ImportArguments),
    /// Writes a run's operations for other checkers
    Export(ExportArguments),
    /// Prints a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Prints the manual page (roff)
    Man,
}

/// What to check, how, and how to say it.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct CheckArguments {
    /// Histories, or directories of histories
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Check only these invariants (repeat, or separate by commas)
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = invariant_names(), hide_possible_values = true)]
    pub invariant: Vec<String>,

    /// Check only invariants of these categories
    #[arg(long, value_name = "CATEGORY", value_delimiter = ',', value_parser = category_names())]
    pub category: Vec<String>,

    /// Leave these invariants out
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = invariant_names(), hide_possible_values = true)]
    pub skip: Vec<String>,

    /// Print the table of invariants and end
    #[arg(long)]
    pub list_invariants: bool,

    /// Print what an invariant says, why, and what it does not check, and end
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = explained_names(), hide_possible_values = true)]
    pub explain: Vec<String>,

    /// Check only what has no verdict yet: verdicts are kept in .vopr/verdicts.parquet beside the histories. What was found before
    /// is reported too; an unknown is tried again when the limits are larger than they were
    #[arg(long)]
    pub new_only: bool,

    /// Ask this query too: each row that it returns is a violation (needs the program or the Python wheel of `DuckDB`; repeat for several)
    #[arg(long, value_name = "FILE.sql")]
    pub sql: Vec<PathBuf>,

    /// Check only runs of these scenarios
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub scenario: Vec<String>,

    /// Check only runs with these seeds (a seed, or FIRST..LAST with both ends included)
    #[arg(long, value_name = "SEED", value_delimiter = ',', value_parser = limits::seeds)]
    pub seed: Vec<RangeInclusive<u64>>,

    /// Output for people, for programs (one JSON object per line), or for CI servers
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,

    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Also write a page for a browser: what is wrong, on the timelines of the failing runs
    #[arg(long, value_name = "OUT.html")]
    pub report: Option<PathBuf>,

    /// Threads; as many as the machine has cores unless told otherwise
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// Memory for rows and searches together, e.g. 4GiB (2GiB unless told otherwise); a search that needs more is unknown
    #[arg(long, value_name = "BYTES", value_parser = limits::bytes)]
    pub max_memory: Option<u64>,

    /// Time for all invariants of one run, e.g. 30s; what is not decided by then is unknown
    #[arg(long, value_name = "TIME", value_parser = limits::duration, default_value = "5m")]
    pub timeout_per_run: Option<Duration>,

    /// Exit with 3 when any verdict is unknown
    #[arg(long)]
    pub strict: bool,

    /// Exit with 3 when fewer than 90% of a scenario's runs show what the scenario promises
    #[arg(long)]
    pub require_evidence: bool,

    /// Exit with 3 unless these situations came about in some run: names from --verbose, separated by commas, or `all`
    #[arg(long, value_name = "SITUATION", value_delimiter = ',', value_parser = situation_names(), hide_possible_values = true)]
    pub require: Vec<String>,

    /// How to read files of other systems, which are judged at once when --from is given.
    #[command(flatten, next_help_heading = "Files of other systems (see import --help)")]
    pub reading: ReadingArguments,

    /// Also print every step of each witness, every unknown verdict, and runs without evidence
    #[arg(long, short)]
    pub verbose: bool,
}

/// Forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables and sentences
    Human,
    /// One JSON object per line
    Json,
    /// `JUnit` XML
    Junit,
    /// SARIF 2.1.0, for code hosts
    Sarif,
    /// Annotations of a GitHub workflow, and its job summary
    Github,
}

impl CheckArguments {
    /// The form of output that was asked for.
    #[must_use]
    pub fn output(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// Accepts the names of the registry.
#[must_use]
pub fn invariant_names() -> PossibleValuesParser {
    PossibleValuesParser::new(INVARIANTS.iter().map(|invariant| invariant.name))
}

/// Names of situations, and the word for all of them.
#[must_use]
pub fn situation_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Situation::ALL.iter().map(|situation| situation.name()).chain(["all"]))
}

fn explained_names() -> PossibleValuesParser {
    PossibleValuesParser::new(explain::names())
}

fn category_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Category::ALL.map(Category::name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(core::iter::once("vopr-check").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn lists_may_be_repeated_or_separated_by_commas() {
        let (first, second) = (INVARIANTS[0].name, INVARIANTS[INVARIANTS.len() - 1].name);
        let check = parse(&format!("--invariant {first},{second} --invariant {first} --seed 1,5..9 a.parquet")).unwrap().check;
        assert_eq!(check.invariant, [first, second, first]);
        assert_eq!(check.seed, [1..=1, 5..=9]);
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_nearest_one() {
        let name = INVARIANTS[0].name;
        let wrong = &name[..name.len() - 1];
        let error = parse(&format!("--invariant {wrong} a.parquet")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
        assert!(error.to_string().contains(&format!("'{name}'")), "{error}");
        let error = parse("--stricct a.parquet").unwrap_err();
        assert!(error.to_string().contains("'--strict'"), "{error}");
    }

    #[test]
    fn json_is_one_of_the_formats() {
        assert_eq!(parse("--json a").unwrap().check.output(), Format::Json);
        assert_eq!(parse("--format junit a").unwrap().check.output(), Format::Junit);
        assert!(parse("--json --format junit a").is_err());
    }

    #[test]
    fn commands_are_not_files() {
        assert!(matches!(parse("verify a b").unwrap().command, Some(Command::Verify { .. })));
        assert!(parse("verify").is_err());
        assert_eq!(parse("a b").unwrap().check.files.len(), 2);
    }
}
