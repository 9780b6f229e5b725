//! The arguments of long campaigns: begin one, go on with it, try its failures again, report on it.

use super::{JudgementArguments, SimulationArguments, TellingArguments, scenario_names};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;
use vopr_check::limits;

/// What to do with a campaign.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct CampaignArguments {
    /// Something else than to begin one.
    #[command(subcommand)]
    pub action: Option<CampaignAction>,

    /// What to begin.
    #[command(flatten)]
    pub start: StartArguments,
}

/// What can be done with a campaign's directory.
#[derive(Debug, Subcommand)]
pub enum CampaignAction {
    /// Goes on with every plan in the directory that is not finished
    Resume(ResumeArguments),
    /// Tries failing runs again with this program, and says which still fail
    Rerun(RerunArguments),
    /// Tells what a campaign came to, as text, as JSON, or as a page for a browser
    Report(ReportArguments),
}

/// What to simulate, for how long, and where it is written down.
#[derive(Args, Clone, Debug)]
pub struct StartArguments {
    /// Scenarios by name or alias, `all`, or `phase:N` (several, or separated by commas)
    #[arg(value_name = "SCENARIO", value_delimiter = ',', value_parser = scenario_names(), hide_possible_values = true)]
    #[arg(required_unless_present = "config")]
    pub scenario: Vec<String>,

    /// A scenario of your own, from a TOML file (repeat for several); see: vopr scenarios --toml NAME
    #[arg(long, value_name = "FILE")]
    pub config: Vec<PathBuf>,

    /// Seeds per scenario, over all shards
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), required_unless_present = "time")]
    pub seeds: Option<u64>,

    /// Time, e.g. 8h; with --seeds, whichever ends first
    #[arg(long = "for", id = "time", value_name = "TIME", value_parser = limits::duration)]
    pub time: Option<Duration>,

    /// First seed; drawn and printed when absent
    #[arg(long, value_name = "SEED", env = "VOPR_SEED")]
    pub seed: Option<u64>,

    /// This machine's share of the seeds, e.g. 3/16; all shards need the same --seed
    #[arg(long, value_name = "I/N", value_parser = shard, requires = "seed", default_value = "1/1")]
    pub shard: Shard,

    /// The campaign's directory; one under runs/ that is called by time and commit when absent
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// A file of failures that are known, copied into the directory: fingerprint, link, expires
    #[arg(long, value_name = "FILE.toml")]
    pub known: Option<PathBuf>,

    /// Of the runs that hold, keep the rows of one in N; 0 for none
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub keep_one_in: u64,

    /// Keep the rows of the first N runs that show a situation, by seed and then by scenario; 0 for none
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub keep_rare: u64,

    /// Keep bundles of the first N failing runs of a group, by seed; the others can be simulated again from their seeds
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub keep_failing: u64,

    /// Simulate each seed twice and compare the digests
    #[arg(long)]
    pub check_determinism: bool,

    /// What is simulated, besides the scenario.
    #[command(flatten)]
    pub simulation: SimulationArguments,

    /// How it is judged.
    #[command(flatten)]
    pub judgement: JudgementArguments,

    /// How many threads, and what is printed.
    #[command(flatten)]
    pub telling: TellingArguments,
}

/// What to go on with.
#[derive(Args, Debug)]
pub struct ResumeArguments {
    /// The campaign's directory
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// So much time from now, instead of what is left of the campaign's own
    #[arg(long = "for", value_name = "TIME", value_parser = limits::duration)]
    pub time: Option<Duration>,

    /// How many threads, and what is printed.
    #[command(flatten)]
    pub telling: TellingArguments,
}

/// What to try again.
#[derive(Args, Debug)]
pub struct RerunArguments {
    /// The campaign's directory
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// All failing runs
    #[arg(long, required_unless_present = "fingerprint")]
    pub failed: bool,

    /// Only the failing runs of this group
    #[arg(long, value_name = "FINGERPRINT")]
    pub fingerprint: Option<String>,

    /// Draw faults and operations again from the seed, although a bundle holds those of the failure
    #[arg(long)]
    pub from_seed: bool,

    /// Threads; as many as the machine has cores unless told otherwise
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// What to report.
#[derive(Args, Debug)]
pub struct ReportArguments {
    /// The campaign's directory
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Write it as a page for a browser, one file without any script
    #[arg(long, value_name = "OUT.html", conflicts_with = "json")]
    pub html: Option<PathBuf>,

    /// One JSON object per line
    #[arg(long)]
    pub json: bool,

    /// Also list every situation
    #[arg(long, short)]
    pub verbose: bool,
}

/// What to show in a browser.
#[derive(Args, Debug)]
pub struct DashboardArguments {
    /// The directory below which campaigns lie, or the directory of one
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub data_dir: PathBuf,

    /// Port on 127.0.0.1; 0 takes one that is free, and prints it
    #[arg(long, value_name = "N", default_value_t = 8080)]
    pub port: u16,
}

/// What to show in a terminal.
#[derive(Args, Debug)]
pub struct TuiArguments {
    /// Directory of a campaign
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,

    /// Print one screen as text and end: for scripts, and where there is no terminal
    #[arg(long)]
    pub once: bool,

    /// Columns of that screen
    #[arg(long, value_name = "N", default_value_t = 120, requires = "once", value_parser = clap::value_parser!(u16).range(20..=1000))]
    pub width: u16,

    /// Lines of that screen
    #[arg(long, value_name = "N", default_value_t = 30, requires = "once", value_parser = clap::value_parser!(u16).range(5..=1000))]
    pub height: u16,
}

/// A share of the seeds: which, from 1, and of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard(pub [u64; 2]);

fn shard(text: &str) -> Result<Shard, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| "two numbers are meant, such as 3/16".to_owned());
    let (shard, shards) = text.split_once('/').ok_or("two numbers are meant, such as 3/16")?;
    let (shard, shards) = (number(shard)?, number(shards)?);
    if (1..=shards).contains(&shard) { Ok(Shard([shard, shards])) } else { Err(format!("shards of {shards} are 1 to {shards}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_counted_from_one() {
        assert_eq!(shard("3/16"), Ok(Shard([3, 16])));
        for text in ["", "3", "0/4", "5/4", "a/b", "1/0", "-1/3"] {
            assert!(shard(text).is_err(), "{text}");
        }
    }
}
