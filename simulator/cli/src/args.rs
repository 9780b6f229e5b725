//! The command line of `vopr`.
//!
//! clap reads it, suggests the nearest name for a wrong one, and makes help, completions and manual pages from it.

pub mod campaign;
pub mod explain;

use campaign::{CampaignArguments, DashboardArguments, TuiArguments};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use explain::{BisectArguments, DiagnoseArguments, MinimizeArguments, ReproArguments, ShowArguments, TimelineArguments};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use vopr_check::args::{invariant_names, situation_names};
use vopr_check::exit::Exit;
use vopr_check::limits;
use vopr_check::version::VERSION_AND_COMMIT;
use vopr_sim::bugs;
use vopr_sim::options::Families;
use vopr_sim::scenarios;

const EXAMPLES: &str = "Examples:
  vopr --scenario swizzle -n 500 -v                       500 seeds of one scenario, checked; `run` is the default command
  vopr run --scenario combined -n 300 --out histories     the same, recorded as Parquet; then: vopr-check histories
  vopr run --scenario all -n 10000 --out runs --checkpoint-file runs/state.json
                                                          a long campaign; the same command resumes it
  vopr run --scenario baseline --bug lost_update -n 50    a seeded bug, which must be caught
  vopr replay histories/combined-1-25.parquet             is the recorded history what this program simulates?
  vopr stats runs --json                                  what the recorded runs came across, and what never came
  vopr scenarios --phase 0 --json                         the registry, for programs
  vopr bugs --score                                       how many seeds until each seeded bug is caught
  vopr diagnose failures/baseline-lost_update-7.kmb       what kind of failure it is, and what may have caused it";

const RUN_EXAMPLES: &str = "Examples:
  vopr run --scenario baseline --seed 42 -n 1 -v                 one seed, with its witness when it fails
  vopr run --scenario phase:0 -n 1000 --strict --require-evidence  fit for CI
  vopr run --scenario swizzle,gray -n 200 --save-failures        keeps the histories of failing runs in failures/
  vopr run --scenario combined -n 20 --check-determinism         each seed twice, digests compared
  vopr run --config mine.toml -n 200                             a scenario of your own: vopr scenarios --toml NAME

A campaign of several scenarios runs the seeds S..S+N of each. The first Ctrl-C finishes the runs and files under way and prints
how to resume; the second ends at once.";

const CAMPAIGN_EXAMPLES: &str = "Examples:
  vopr campaign all --for 8h --dir runs/nightly                  eight hours, all scenarios taking turns
  vopr campaign combined,swizzle --seeds 10000                   so many seeds of each, in a directory under runs/
  vopr campaign all --seeds 100000 --seed 1 --shard 3/16 --dir c the third of sixteen machines; then: cp -r a/* b/* ... all/
  vopr campaign resume runs/nightly                              goes on after kill -9, Ctrl-C or a reboot
  vopr campaign rerun runs/nightly --failed                      which failures are still there, with this program?
  vopr campaign report runs/nightly                              groups of failures, evidence, situations (--html OUT.html)

A failure whose fingerprint stands in a known*.toml of the directory does not make the exit code 1 until it expires:
  [[known]]
  fingerprint = \"linearizability-0d1c2b3a\"
  link = \"https://example.org/issues/12\"
  expires = 2027-03-31";

/// Simulates a replicated system under faults, records what happened, and judges it.
///
/// Same seed, same history, bit for bit: whatever fails is reproduced by the line printed with it.
#[derive(Debug, Parser)]
#[command(name = "vopr", version = VERSION_AND_COMMIT, max_term_width = 110, subcommand_required = true)]
#[command(after_help = "`run` is the default command: `vopr --scenario baseline` works. See --help for examples and exit codes.")]
#[command(after_long_help = format!("{EXAMPLES}\n\n{}", Exit::help()))]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulates seeds of scenarios and checks each history (the default command)
    #[command(after_long_help = format!("{RUN_EXAMPLES}\n\n{}", Exit::help()))]
    Run(Box<RunArguments>),
    /// Runs seeds for hours, in a directory that survives kill -9, can be merged with others, and groups failures
    #[command(after_long_help = format!("{CAMPAIGN_EXAMPLES}\n\n{}", Exit::help()))]
    Campaign(Box<CampaignArguments>),
    /// Lists the scenarios (also: vopr --list-scenarios)
    Scenarios(ScenariosArguments),
    /// Lists the seeded bugs, or measures how soon they are caught
    Bugs(BugsArguments),
    /// Simulates recorded runs again, from the file alone, and compares event by event
    Replay(ReplayArguments),
    /// Repeats a failing run from its bundle: bit for bit the same, and the same failure?
    Repro(ReproArguments),
    /// Shows what is inside a bundle or a history
    Show(ShowArguments),
    /// Draws a run: a column per client and replica, or a page for a browser; the rows of a violation are marked
    Timeline(TimelineArguments),
    /// Makes a failing run smaller: fewer events, faults and operations, the same failure
    Minimize(MinimizeArguments),
    /// Finds the first event after which an invariant is broken
    Bisect(BisectArguments),
    /// Says what kind of failure a run is, which causes its rows show, and what to do next
    Diagnose(DiagnoseArguments),
    /// Counts what recorded runs came across, what never came, and what was checked
    Stats(StatsArguments),
    /// Shows campaigns in a browser, on this machine alone; reads their files, and changes none
    Dashboard(DashboardArguments),
    /// Shows a campaign in the terminal, live while it runs: groups of failures, their runs, a diagnosis of each
    Tui(TuiArguments),
    /// Prints a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Prints the manual page (roff)
    Man,
}

/// What to simulate, check, record and print.
#[derive(Args, Clone, Debug)]
pub struct RunArguments {
    /// Scenarios by name or alias, `all`, or `phase:N` (repeat, or separate by commas); combined when there is no --config either
    #[arg(long, short, value_name = "NAME", value_delimiter = ',', value_parser = scenario_names(), hide_possible_values = true)]
    pub scenario: Vec<String>,

    /// A scenario of your own, from a TOML file (repeat for several); see: vopr scenarios --toml NAME
    #[arg(long, value_name = "FILE")]
    pub config: Vec<PathBuf>,

    /// Seeds per scenario
    #[arg(long, short = 'n', value_name = "N", env = "VOPR_ITERATIONS", default_value_t = 100, allow_negative_numbers = true)]
    #[arg(value_parser = limits::count)]
    pub iterations: u64,

    /// First seed; drawn and printed when absent
    #[arg(long, value_name = "SEED", env = "VOPR_SEED", allow_negative_numbers = true)]
    pub seed: Option<u64>,

    /// Record every history in this directory, as SCENARIO-FIRSTSEED-COUNT.parquet
    #[arg(long, short, value_name = "DIR", env = "VOPR_OUTPUT_DIR")]
    pub out: Option<PathBuf>,

    /// Record the histories of failing runs in this directory
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "failures")]
    pub save_failures: Option<PathBuf>,

    /// Keep the state of the campaign in this file; with it, the same command resumes
    #[arg(long, value_name = "FILE")]
    pub checkpoint_file: Option<PathBuf>,

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

/// How many threads work, and what is printed.
#[derive(Args, Clone, Copy, Debug)]
pub struct TellingArguments {
    /// Threads; as many as the machine has cores unless told otherwise
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// Output for people, for programs (one JSON object per line), or one line per result
    #[arg(long, value_enum, default_value_t = Form::Human, value_name = "FORM")]
    pub output: Form,

    /// Short for --output json
    #[arg(long, conflicts_with = "output")]
    pub json: bool,

    /// Also print every run, and every step of each witness
    #[arg(long, short)]
    pub verbose: bool,
}

/// What changes the simulated runs; part of every reproducing command.
#[derive(Args, Clone, Debug, Default)]
pub struct SimulationArguments {
    /// Switch one guard of the replica off (see: vopr bugs)
    #[arg(long, value_name = "NAME", value_parser = bug_names(), hide_possible_values = true)]
    pub bug: Option<String>,

    /// Simulated events before the heal phase, instead of the scenario's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_events: Option<u64>,

    /// Virtual time before the heal phase, instead of the scenario's, e.g. 20s
    #[arg(long, value_name = "TIME", value_parser = limits::duration)]
    pub max_time: Option<Duration>,

    /// Inject no faults at all
    #[arg(long, conflicts_with = "faults")]
    pub no_faults: bool,

    /// Inject only these families of faults, where the scenario has them
    #[arg(long, value_name = "FAMILY", value_delimiter = ',', value_enum)]
    pub faults: Vec<Family>,

    /// No read-modify-writes and no scans among the operations
    #[arg(long)]
    pub no_enhanced_workloads: bool,

    /// No scrubbing, where the scenario has it
    #[arg(long)]
    pub no_scrub: bool,
}

/// How runs are judged.
#[derive(Args, Clone, Debug, Default)]
pub struct JudgementArguments {
    /// Check only these invariants (repeat, or separate by commas)
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = invariant_names(), hide_possible_values = true)]
    pub invariant: Vec<String>,

    /// Leave these invariants out
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = invariant_names(), hide_possible_values = true)]
    pub skip: Vec<String>,

    /// Simulate without checking
    #[arg(long, conflicts_with_all = ["invariant", "skip", "strict", "require_evidence", "require"])]
    pub no_check: bool,

    /// Time for all invariants of one run; what is not decided by then is unknown
    #[arg(long, value_name = "TIME", value_parser = limits::duration, default_value = "60s")]
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
}

/// Which scenarios to list.
#[derive(Args, Debug, Default)]
pub struct ScenariosArguments {
    /// Only those with this text in name, alias or purpose
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,

    /// Only those of this phase
    #[arg(long, value_name = "N")]
    pub phase: Option<u8>,

    /// Print one scenario as TOML, to be edited and run: vopr run --config FILE
    #[arg(long, value_name = "NAME", value_parser = row_names(), hide_possible_values = true)]
    #[arg(conflicts_with_all = ["filter", "phase", "json", "schema"])]
    pub toml: Option<String>,

    /// Print the JSON Schema of these TOML files, for editors
    #[arg(long, conflicts_with_all = ["filter", "phase", "json"])]
    pub schema: bool,

    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// Which bugs to list or to measure.
#[derive(Args, Debug)]
pub struct BugsArguments {
    /// Only these bugs
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = bug_names(), hide_possible_values = true)]
    pub bug: Vec<String>,

    /// Measure seeds to detection: run each bug against its scenarios until a check fires
    #[arg(long, group = "measure")]
    pub score: bool,

    /// Measure diagnoses: is the true cause of a run with this bug among the first three that `vopr diagnose` names?
    #[arg(long, group = "measure")]
    pub diagnose: bool,

    /// Independent campaigns per bug and scenario
    #[arg(long, value_name = "N", default_value_t = 20, requires = "measure", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub campaigns: u64,

    /// Seeds after which a campaign counts as missed
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "measure", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_seeds: u64,

    /// First seed of the first campaign
    #[arg(long, value_name = "SEED", default_value_t = 1, requires = "measure")]
    pub seed: u64,

    /// Threads; as many as the machine has cores unless told otherwise
    #[arg(long, short, value_name = "N", requires = "measure", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// What to simulate again.
#[derive(Args, Debug)]
pub struct ReplayArguments {
    /// Histories, or directories of histories
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Only the runs with this seed
    #[arg(long, value_name = "SEED")]
    pub run: Option<u64>,

    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// What to count.
#[derive(Args, Debug)]
pub struct StatsArguments {
    /// Histories, or directories of histories or of campaigns
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Count rows and words alone, which reads a fraction of each file: no facts, no situations
    #[arg(long)]
    pub no_check: bool,

    /// Threads; as many as the machine has cores unless told otherwise
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// One JSON object per scenario, and one for all
    #[arg(long)]
    pub json: bool,

    /// Also print the words, situations and facts of every scenario
    #[arg(long, short)]
    pub verbose: bool,
}

/// Forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Tables and sentences
    Human,
    /// One JSON object per line
    Json,
    /// One line per failure and per scenario
    Compact,
}

/// Families of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Family {
    /// Loss, duplication, clogs, partitions
    Network,
    /// Failing and slow accesses, corruption
    Storage,
    /// Crashes and pauses of replicas
    Crash,
    /// Offsets, drift, steps
    Clock,
    /// Messages changed on their way
    Byzantine,
    /// Crashes and bad links of clients
    Client,
    /// Bursts of load
    Load,
}

impl Family {
    const fn switch(self) -> Families {
        match self {
            Self::Network => Families { network: true, ..Families::NONE },
            Self::Storage => Families { storage: true, ..Families::NONE },
            Self::Crash => Families { crash: true, ..Families::NONE },
            Self::Clock => Families { clock: true, ..Families::NONE },
            Self::Byzantine => Families { byzantine: true, ..Families::NONE },
            Self::Client => Families { client: true, ..Families::NONE },
            Self::Load => Families { load: true, ..Families::NONE },
        }
    }

    /// The word for it on the command line.
    fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

impl SimulationArguments {
    /// The families to be left on, if fewer than the scenario's were asked for.
    #[must_use]
    pub fn families(&self) -> Option<Families> {
        if self.no_faults {
            return Some(Families::NONE);
        }
        (!self.faults.is_empty()).then(|| self.faults.iter().fold(Families::NONE, |sum, family| sum.or(family.switch())))
    }

    /// The same arguments as words of a command line, in one canonical order.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut valued = |flag: &str, value: Option<String>| words.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        valued("--bug", self.bug.clone());
        valued("--max-events", self.max_events.map(|events| events.to_string()));
        valued("--max-time", self.max_time.map(limits::word));
        let faults = self.faults.iter().map(|family| family.word()).collect::<Vec<_>>().join(",");
        valued("--faults", Some(faults).filter(|faults| !faults.is_empty()));
        words.extend(self.no_faults.then(|| "--no-faults".to_owned()));
        words.extend(self.no_enhanced_workloads.then(|| "--no-enhanced-workloads".to_owned()));
        words.extend(self.no_scrub.then(|| "--no-scrub".to_owned()));
        words
    }
}

/// The default of `--timeout-per-run`.
const USUAL_TIME: Duration = Duration::from_mins(1);

impl JudgementArguments {
    /// What decides about the outcome of a campaign, and about none of its runs, as words of a command line.
    #[must_use]
    pub fn demands(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(time) = self.timeout_per_run.filter(|time| *time != USUAL_TIME) {
            words.extend(["--timeout-per-run".to_owned(), limits::word(time)]);
        }
        words.extend(self.strict.then(|| "--strict".to_owned()));
        words.extend(self.require_evidence.then(|| "--require-evidence".to_owned()));
        if !self.require.is_empty() {
            words.extend(["--require".to_owned(), self.require.join(",")]);
        }
        words
    }

    /// The choice of invariants as words of a command line, in one canonical order.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (flag, names) in [("--invariant", &self.invariant), ("--skip", &self.skip)] {
            if !names.is_empty() {
                words.extend([flag.to_owned(), names.join(",")]);
            }
        }
        words.extend(self.no_check.then(|| "--no-check".to_owned()));
        words
    }
}

impl TellingArguments {
    /// The form of output that was asked for.
    #[must_use]
    pub fn form(&self) -> Form {
        if self.json { Form::Json } else { self.output }
    }
}

impl RunArguments {
    /// The scenarios of the registry that were asked for, as one list.
    #[must_use]
    pub fn registered(&self) -> Option<String> {
        match (self.scenario.is_empty(), self.config.is_empty()) {
            (true, true) => Some("combined".to_owned()),
            (true, false) => None,
            (false, _) => Some(self.scenario.join(",")),
        }
    }
}

/// Words for all scenarios of a phase, by its number.
const PHASES: [&str; 12] =
    ["phase:0", "phase:1", "phase:2", "phase:3", "phase:4", "phase:5", "phase:6", "phase:7", "phase:8", "phase:9", "phase:10", "phase:11"];

/// Accepts names, aliases, `all` and `phase:N`.
fn scenario_names() -> PossibleValuesParser {
    let exists = |phase: usize| scenarios::all().iter().any(|scenario| usize::from(scenario.phase) == phase);
    let phases = PHASES.iter().enumerate().filter(|(phase, _)| exists(*phase)).map(|(_, word)| *word);
    PossibleValuesParser::new(rows().chain(core::iter::once("all").chain(phases).map(PossibleValue::new)))
}

/// Accepts names and aliases.
fn row_names() -> PossibleValuesParser {
    PossibleValuesParser::new(rows())
}

fn rows() -> impl Iterator<Item = PossibleValue> {
    scenarios::all().iter().map(|scenario| PossibleValue::new(scenario.name).aliases(scenario.aliases.iter().copied()))
}

fn bug_names() -> PossibleValuesParser {
    PossibleValuesParser::new(bugs::all().iter().map(|bug| bug.name))
}

/// Makes `run` the default command and `--list-scenarios` another name of `scenarios`.
///
/// The first word is the program's own name.
#[must_use]
pub fn with_default_command(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    if let Some(place) = words.iter().skip(1).position(|word| word == "--list-scenarios") {
        words.remove(place + 1);
        words.insert(1.min(words.len()), "scenarios".into());
        return words;
    }
    let first = words.get(1).map(|word| word.to_string_lossy().into_owned());
    let is_command = first.is_some_and(|word| !word.starts_with('-') || ["-h", "--help", "-V", "--version"].contains(&word.as_str()));
    if !is_command {
        words.insert(1.min(words.len()), "run".into());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        let words = core::iter::once("vopr").chain(line.split_whitespace()).map(OsString::from);
        Arguments::try_parse_from(with_default_command(words)).map(|arguments| arguments.command)
    }

    fn run(line: &str) -> RunArguments {
        match parse(line) {
            Ok(Command::Run(run)) => *run,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn run_is_the_default_command() {
        let short = run("--scenario swizzle -n 500 -v");
        let long = run("run --scenario swizzle --iterations 500 --verbose");
        assert_eq!((short.scenario, short.iterations, short.telling.verbose), (long.scenario, long.iterations, long.telling.verbose));
        assert_eq!(run("").registered().as_deref(), Some("combined"));
        assert!(matches!(parse("--list-scenarios --phase 0"), Ok(Command::Scenarios(ScenariosArguments { phase: Some(0), .. }))));
        assert_eq!(parse("--help").unwrap_err().kind(), ErrorKind::DisplayHelp);
        assert_eq!(parse("--version").unwrap_err().kind(), ErrorKind::DisplayVersion);
    }

    #[test]
    fn scenarios_may_be_lists_groups_and_aliases() {
        assert_eq!(run("--scenario baseline,swizzle --scenario phase:0").scenario.len(), 3);
        assert_eq!(run("--scenario all").scenario, ["all"]);
        assert_eq!(run("--scenario phase:0,baseline,all").registered().as_deref(), Some("phase:0,baseline,all"));
        assert_eq!(run("--config mine.toml").registered(), None);
        assert_eq!(run("--config mine.toml --scenario gray").registered().as_deref(), Some("gray"));
    }

    #[test]
    fn wrong_words_are_answered_with_the_nearest_ones() {
        for (line, nearest) in [
            ("--scenario baselin", "'baseline'"),
            ("--bug lost_updat", "'lost_update'"),
            ("--iteration 5", "'--iterations'"),
            ("scenarois", "'scenarios'"),
            ("--faults netwrk", "'network'"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.to_string().contains(nearest), "{line}: {error}");
        }
    }

    #[test]
    fn contradictions_are_usage_errors() {
        for line in
            ["--no-faults --faults crash", "--no-check --strict", "--json --output compact", "-n 0", "--jobs 0", "bugs --campaigns 3"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn words_give_back_the_arguments() {
        let line = "--bug lost_update --max-events 7 --max-time 1500ms --faults crash,network --no-enhanced-workloads";
        let simulation = run(line).simulation;
        assert_eq!(simulation.words().join(" "), line);
        assert_eq!(simulation.families(), Some(Families { crash: true, network: true, ..Families::NONE }));
        assert_eq!(run("--no-faults").simulation.families(), Some(Families::NONE));
        assert_eq!(run("").simulation.families(), None);
        assert_eq!(run("--no-check").judgement.words(), ["--no-check"]);
        let demands = "--timeout-per-run 1500us --strict --require-evidence --require request_retried,session_evicted";
        assert_eq!(run(demands).judgement.demands().join(" "), demands);
        assert_eq!(run("--timeout-per-run 30s").judgement.demands(), ["--timeout-per-run", "30000ms"]);
        assert!(run("").judgement.demands().is_empty(), "{:?}", run("").judgement.demands());
    }

    #[test]
    fn save_failures_has_a_default_directory() {
        assert_eq!(run("--save-failures").save_failures, Some("failures".into()));
        assert_eq!(run("--save-failures bad -n 1").save_failures, Some("bad".into()));
        assert_eq!(run("-n 1").save_failures, None);
    }
}
