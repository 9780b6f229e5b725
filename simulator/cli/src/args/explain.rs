//! The arguments of the commands that explain one failing run.

use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use vopr_check::limits;

/// Which failure to repeat.
#[derive(Args, Debug)]
pub struct ReproArguments {
    /// A bundle, or a history
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The run with this seed, where the file holds several
    #[arg(long, value_name = "SEED")]
    pub run: Option<u64>,

    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// What to show of a file.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a command line, by name in its help")]
pub struct ShowArguments {
    /// A bundle, or a history
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Of a history of several runs: this one, instead of a list of all
    #[arg(long, value_name = "SEED")]
    pub run: Option<u64>,

    /// Every event, one line each, in the order in which they happened
    #[arg(long)]
    pub events: bool,

    /// What the run touches: kinds of faults, messages, transitions, and the situations that it came into
    #[arg(long)]
    pub coverage: bool,

    /// The verdict of every invariant
    #[arg(long)]
    pub invariants: bool,

    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// What to make smaller.
#[derive(Args, Debug)]
pub struct MinimizeArguments {
    /// A bundle, or a history
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The run with this seed, where the file holds several
    #[arg(long, value_name = "SEED")]
    pub run: Option<u64>,

    /// Where the smaller run goes; if it is there already and comes from the same run, the work goes on from it
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,

    /// Time to try; the smallest run found by then is kept
    #[arg(long = "for", value_name = "TIME", value_parser = limits::duration, default_value = "5m")]
    pub time: Duration,

    /// Voters that remain, at least: 3 unless told otherwise, or as many as the run has
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=7))]
    pub min_replicas: Option<u8>,

    /// Threads; as many as the machine has cores unless told otherwise
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// Where to look for the first event that breaks an invariant.
#[derive(Args, Debug)]
pub struct BisectArguments {
    /// A bundle, or a history
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The run with this seed, where the file holds several
    #[arg(long, value_name = "SEED")]
    pub run: Option<u64>,

    /// This invariant, instead of the one that the run is kept for
    #[arg(long, value_name = "NAME", value_parser = vopr_check::args::invariant_names(), hide_possible_values = true)]
    pub invariant: Option<String>,

    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// Which run to diagnose.
#[derive(Args, Debug)]
pub struct DiagnoseArguments {
    /// A bundle, or a history
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The run with this seed, where the file holds several
    #[arg(long, alias = "seed", value_name = "SEED")]
    pub run: Option<u64>,

    /// All causes that have left a signature, not only the first three
    #[arg(long, short)]
    pub verbose: bool,

    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// What of a run to show, and how.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a command line, by name in its help")]
pub struct TimelineArguments {
    /// A history, or a bundle
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The run with this seed, where the file holds several
    #[arg(long, value_name = "SEED")]
    pub run: Option<u64>,

    /// Write a page for a browser instead
    #[arg(long, value_name = "OUT.html", group = "instead")]
    pub html: Option<PathBuf>,

    /// Write a trace in Chrome's format instead, for ui.perfetto.dev
    #[arg(long, value_name = "OUT.json", group = "instead")]
    pub perfetto: Option<PathBuf>,

    /// Print what led to the violation as a Mermaid sequence diagram instead, for a pull request
    #[arg(long, group = "instead")]
    pub mermaid: bool,

    /// Rows of that diagram, at most; the rows of the violation are always in it
    #[arg(long, value_name = "N", default_value_t = 40, requires = "mermaid")]
    pub limit: usize,

    /// Messages too: where they are sent and where they arrive
    #[arg(long)]
    pub show_messages: bool,

    /// Injected faults too
    #[arg(long)]
    pub show_faults: bool,

    /// Only these replicas
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub replica: Vec<u8>,

    /// Only these clients (of every tenant)
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub client: Vec<u32>,

    /// Only clients of these tenants
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub tenant: Vec<u32>,

    /// Only operations on these keys; ranges and transactions that have one of them too
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub key: Vec<u64>,

    /// Not before this virtual time, e.g. 3500ms, or 1.450702 as it is printed
    #[arg(long, value_name = "TIME", value_parser = limits::time)]
    pub from: Option<Duration>,

    /// Not after this virtual time
    #[arg(long, value_name = "TIME", value_parser = limits::time)]
    pub to: Option<Duration>,

    /// Not before this row, by the number in the first column
    #[arg(long, value_name = "ROW")]
    pub from_row: Option<u64>,

    /// Not after this row
    #[arg(long, value_name = "ROW")]
    pub to_row: Option<u64>,

    /// Only what happened around the first violation's rows
    #[arg(long)]
    pub around_violation: bool,

    /// Also what replicas note for their bookkeeping
    #[arg(long, short)]
    pub verbose: bool,

    /// Characters per line, 40 at least; where columns do not fit, each line names its client or replica
    #[arg(long, value_name = "N", env = "COLUMNS", default_value_t = 160)]
    pub width: usize,
}
