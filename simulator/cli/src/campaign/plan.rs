//! What a campaign is to do: scenarios, seeds, batches, and the words that say the same on a command line.

use crate::args::{JudgementArguments, RunArguments};
use crate::checkpoint::{Checkpoint, ScenarioState};
use crate::own;
use crate::rig::{Orders, Rig};
use crate::seeds::{SeedRange, batches, random_seed};
use std::path::{Path, PathBuf};
use vopr_check::exit::Problem;
use vopr_check::shell;
use vopr_check::terminal::note;
use vopr_check::version::VERSION_AND_COMMIT;
use vopr_checker::{Budget, Selection};
use vopr_schema::History;
use vopr_sim::scenario::{Overrides, Scenario};
use vopr_sim::scenarios;

/// Rows that a file holds, about.
const ROWS_PER_FILE: u64 = 1 << 19;

/// A campaign is cut into at least so many files, as long as it has the seeds, so that threads can share it.
const FILES_MIN: u64 = 8;

/// Memory that the searches of all threads may take together, bytes.
const SEARCH_MEMORY: u64 = 2 << 30;

/// Seeds per batch when nothing is recorded: finished batches are what a checkpoint remembers.
const SEEDS_UNRECORDED: u64 = 8;

/// A campaign.
#[derive(Debug)]
pub struct Plan {
    /// The scenarios, each once.
    pub scenarios: Vec<&'static Scenario>,
    /// First seed of each scenario.
    pub seed: u64,
    /// Seeds of each scenario.
    pub iterations: u64,
    /// Threads that simulate.
    pub jobs: usize,
    /// How to simulate and judge.
    pub orders: Orders,
    /// Where every history goes.
    pub out: Option<PathBuf>,
    /// Where the histories of failing runs go.
    pub save_failures: Option<PathBuf>,
    /// Where the campaign's state is kept.
    pub checkpoint_file: Option<PathBuf>,
    /// What decides about the runs: words of a command line.
    pub words: Vec<String>,
    /// What is demanded of the campaign as a whole: words of a command line.
    pub demands: Vec<String>,
    /// The user's own scenarios among them: name and file.
    pub configs: Vec<OwnScenario>,
}

/// Seeds of one scenario for one thread.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Place of the scenario in the plan.
    pub scenario: usize,
    /// The seeds.
    pub seeds: SeedRange,
}

impl Plan {
    /// The plan of a command line. `resumed` is the state that an earlier campaign left.
    ///
    /// # Errors
    /// When the arguments contradict each other.
    pub fn new(arguments: &RunArguments, resumed: Option<&Checkpoint>) -> Result<Self, Problem> {
        let (scenarios, configs) = chosen(arguments)?;
        let seed = arguments.seed.or_else(|| resumed.map(|checkpoint| checkpoint.seed)).unwrap_or_else(random_seed);
        if seed.checked_add(arguments.iterations).is_none() {
            return Err(Problem::usage(format!("seeds {seed}.. are fewer than {} before the numbers end", arguments.iterations)));
        }
        let simulation = &arguments.simulation;
        let overrides = Overrides {
            events_max: simulation.max_events,
            time_ns_max: simulation.max_time.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
            families: simulation.families(),
            plain_workload: simulation.no_enhanced_workloads,
            bug: simulation.bug.clone(),
            no_scrubbing: simulation.no_scrub,
            ..Overrides::default()
        };
        for scenario in &scenarios {
            vopr_sim::RunRequest::new(scenario, seed, &overrides).map_err(|error| Problem::usage(error.to_string()))?;
        }
        let selection = selection(&arguments.judgement)?;
        let jobs = threads(arguments.telling.jobs);
        let time_per_run = arguments.judgement.timeout_per_run;
        let budget = Budget { time_per_run, memory_bytes: Some(SEARCH_MEMORY / jobs as u64), ..Budget::default() };
        let mut words = simulation.words();
        words.extend(arguments.judgement.words());
        words.extend(arguments.check_determinism.then(|| "--check-determinism".to_owned()));
        Ok(Self {
            scenarios,
            seed,
            iterations: arguments.iterations,
            jobs,
            orders: Orders { overrides, selection, budget, twice: arguments.check_determinism },
            out: arguments.out.clone(),
            save_failures: arguments.save_failures.clone(),
            checkpoint_file: arguments.checkpoint_file.clone(),
            words,
            demands: arguments.judgement.demands(),
            configs,
        })
    }

    /// The seeds of every scenario.
    #[must_use]
    pub fn whole(&self) -> SeedRange {
        SeedRange { first: self.seed, count: self.iterations }
    }

    /// Whether the rows of a run are needed at all.
    #[must_use]
    pub fn needs_rows(&self) -> bool {
        self.out.is_some() || self.orders.selection.is_some()
    }

    /// The state of this campaign before its first run.
    ///
    /// Batches of recorded campaigns are sized by one run of each scenario, so that their files are what seeds and options say,
    /// whatever the number of threads.
    #[must_use]
    pub fn fresh_state(&self) -> Checkpoint {
        let mut rig = Rig::default();
        let recorded = self.out.is_some();
        self.state_of(self.scenario_states(|scenario| if recorded { self.seeds_per_file(scenario, &mut rig) } else { SEEDS_UNRECORDED }))
    }

    /// States of which nothing is done, with batches of `size`.
    pub fn scenario_states(&self, mut size: impl FnMut(&'static Scenario) -> u64) -> Vec<ScenarioState> {
        let state =
            |scenario: &&'static Scenario| ScenarioState { name: scenario.name.to_owned(), batch: size(scenario), done: Vec::new() };
        self.scenarios.iter().map(state).collect()
    }

    /// A checkpoint of this campaign.
    #[must_use]
    pub fn state_of(&self, scenarios: Vec<ScenarioState>) -> Checkpoint {
        // A file that was edited is another scenario, whatever its name: its content belongs to what decides about the runs.
        let contents = self.scenarios.iter().filter(|scenario| self.config_of(scenario.name).is_some());
        let contents = contents.map(|scenario| own::to_toml(scenario));
        Checkpoint::new(VERSION_AND_COMMIT, self.seed, self.words.iter().cloned().chain(contents).collect(), self.out.clone(), scenarios)
    }

    fn seeds_per_file(&self, scenario: &'static Scenario, rig: &mut Rig) -> u64 {
        let mut history = History::default();
        let orders = Orders { selection: None, twice: false, ..self.orders.clone() };
        rig.run(scenario, self.seed, &orders, Some(&mut history));
        let by_rows = ROWS_PER_FILE / (history.rows() as u64).max(1);
        by_rows.min(self.iterations.div_ceil(FILES_MIN)).max(1)
    }

    /// What is left to do, in the order in which it is handed out.
    #[must_use]
    pub fn batches(&self, state: &Checkpoint) -> Vec<Batch> {
        let of_scenario = |(place, scenario): (usize, &ScenarioState)| {
            let cut = batches(&scenario.left(self.whole()), self.seed, scenario.batch.max(1));
            cut.into_iter().map(move |seeds| Batch { scenario: place, seeds })
        };
        state.scenarios.iter().enumerate().flat_map(of_scenario).collect()
    }

    /// The command of the whole campaign, its seed spelled out.
    #[must_use]
    pub fn command(&self) -> String {
        let names: Vec<&str> = self.scenarios.iter().map(|scenario| scenario.name).collect();
        self.command_for(&names, self.whole())
    }

    /// The command that does as the campaign does, with these seeds of one scenario alone.
    #[must_use]
    pub fn command_of_rest(&self, scenario: &str, seeds: SeedRange) -> String {
        self.command_for(&[scenario], seeds)
    }

    fn command_for(&self, scenarios: &[&str], seeds: SeedRange) -> String {
        let mut words = self.prefix(scenarios, seeds);
        words.extend(self.demands.iter().cloned());
        for (flag, path) in [("--out", &self.out), ("--save-failures", &self.save_failures), ("--checkpoint-file", &self.checkpoint_file)] {
            words.extend(path.iter().flat_map(|path| [flag.to_owned(), path_word(path)]));
        }
        shell::command(words)
    }

    /// The command that simulates these seeds of one scenario as the campaign did.
    #[must_use]
    pub fn command_of(&self, scenario: &str, seeds: SeedRange, more: &[&str]) -> String {
        let mut words = self.prefix(&[scenario], seeds);
        words.extend(more.iter().map(|&word| word.to_owned()));
        shell::command(words)
    }

    /// The file of a scenario that is the user's own.
    fn config_of(&self, scenario: &str) -> Option<&Path> {
        self.configs.iter().find(|(name, _)| *name == scenario).map(|(_, path)| path.as_path())
    }

    fn prefix(&self, scenarios: &[&str], seeds: SeedRange) -> Vec<String> {
        let mut words = vec!["vopr".to_owned(), "run".to_owned()];
        let registered: Vec<&str> = scenarios.iter().filter(|name| self.config_of(name).is_none()).copied().collect();
        if !registered.is_empty() {
            words.extend(["--scenario".to_owned(), scenarios::told(&registered).join(",")]);
        }
        let files = scenarios.iter().filter_map(|name| self.config_of(name));
        words.extend(files.flat_map(|path| ["--config".to_owned(), path_word(path)]));
        words.extend(["--seed".to_owned(), seeds.first.to_string(), "--iterations".to_owned(), seeds.count.to_string()]);
        words.extend(self.words.iter().cloned());
        words
    }
}

/// A user's own scenario: its name, and its file.
type OwnScenario = (&'static str, PathBuf);

/// The scenarios that were asked for, each once, the user's own ones last; and the files of those.
fn chosen(arguments: &RunArguments) -> Result<(Vec<&'static Scenario>, Vec<OwnScenario>), Problem> {
    let listed = arguments.registered().map(|list| scenarios::select(&list)).transpose();
    let mut chosen = listed.map_err(|error| Problem::usage(error.to_string()))?.unwrap_or_default();
    let mut configs = Vec::new();
    for path in &arguments.config {
        let scenario = own::read(path)?;
        if chosen.iter().any(|other| other.name == scenario.name) {
            let message = format!("{}: two scenarios are called {}, and their histories would be mixed up", path.display(), scenario.name);
            return Err(Problem::usage(message));
        }
        if let Some(row) = scenarios::find(scenario.name).filter(|row| *row != scenario) {
            note(&format!("note: {} is not the registry's {}: a name of its own would say so", path.display(), row.name));
        }
        chosen.push(scenario);
        configs.push((scenario.name, path.clone()));
    }
    Ok((chosen, configs))
}

/// A path as a word that no program takes for a flag.
#[must_use]
pub fn path_word(path: &Path) -> String {
    let text = path.display().to_string();
    if text.starts_with('-') { format!("./{text}") } else { text }
}

/// Threads to use: what was asked for, or one per core.
#[must_use]
pub fn threads(asked: Option<u16>) -> usize {
    asked.map_or_else(|| std::thread::available_parallelism().map_or(1, core::num::NonZero::get), usize::from)
}

fn selection(arguments: &JudgementArguments) -> Result<Option<Selection>, Problem> {
    if arguments.no_check {
        return Ok(None);
    }
    let usage = |error: vopr_checker::registry::UnknownInvariant| Problem::usage(error.to_string());
    let chosen = if arguments.invariant.is_empty() { Selection::all() } else { Selection::only(&arguments.invariant).map_err(usage)? };
    let chosen = chosen.without(&arguments.skip).map_err(usage)?;
    if chosen.ids().is_empty() {
        return Err(Problem::usage("no invariant is left to check: --no-check says so openly"));
    }
    Ok(Some(chosen))
}
