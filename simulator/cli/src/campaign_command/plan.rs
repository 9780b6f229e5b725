//! Plans of campaigns as words, as records in a directory, and as what the engine works on.
//!
//! A record holds the words that decide about its runs; they are read by the same parser as a command line, so that a plan means the
//! same to every program that knows the words.

use crate::args::campaign::StartArguments;
use crate::args::{Arguments, Command, JudgementArguments, RunArguments};
use crate::campaign::plan::{Plan, path_word};
use crate::campaign_dir::date::{now_ms, stamp};
use crate::campaign_dir::{Directory, FORMAT, PlanRecord, new_id, write_whole};
use crate::own;
use crate::seeds::random_seed;
use clap::Parser;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vopr_check::exit::Problem;
use vopr_check::limits;
use vopr_check::shell;
use vopr_check::version::{COMMIT, VERSION_AND_COMMIT};

/// The word that need not be said.
const DEFAULT_TIMEOUT: &str = "--timeout-per-run=60000ms";

/// A plan that can be worked on.
#[derive(Debug)]
pub struct Prepared {
    /// As it stands in the directory.
    pub record: PlanRecord,
    /// As the engine takes it.
    pub plan: Plan,
}

/// Where a campaign goes that was not told where.
pub fn default_directory(at_ms: u64) -> PathBuf {
    Path::new("runs").join(format!("{}-{COMMIT}", stamp(at_ms)))
}

/// The plan of a command line, and its record.
///
/// # Errors
/// When the arguments contradict each other.
pub fn of_arguments(arguments: &StartArguments) -> Result<(Plan, PlanRecord), Problem> {
    let judgement = &arguments.judgement;
    let seed = arguments.seed.unwrap_or_else(random_seed);
    let run = RunArguments {
        scenario: arguments.scenario.clone(),
        config: arguments.config.clone(),
        iterations: arguments.seeds.unwrap_or(1),
        seed: Some(seed),
        out: None,
        save_failures: None,
        checkpoint_file: None,
        check_determinism: arguments.check_determinism,
        simulation: arguments.simulation.clone(),
        judgement: judgement.clone(),
        telling: arguments.telling,
    };
    let plan = Plan::new(&run, None)?;
    let mut words = Vec::new();
    words.extend(judgement.timeout_per_run.map(|time| format!("--timeout-per-run={}", limits::word(time))));
    words.extend(judgement.strict.then(|| "--strict".to_owned()));
    words.extend(judgement.require_evidence.then(|| "--require-evidence".to_owned()));
    words.extend((!judgement.require.is_empty()).then(|| format!("--require={}", judgement.require.join(","))));
    let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let record = PlanRecord {
        format: FORMAT.to_owned(),
        id: new_id(arguments.shard.0),
        scenarios: plan.scenarios.iter().map(|scenario| scenario.name.to_owned()).collect(),
        configs: BTreeMap::new(),
        seed,
        seeds: arguments.seeds,
        for_ms: arguments.time.map(milliseconds),
        shard: arguments.shard.0,
        family: family(&plan),
        options: plan.words.clone(),
        judgement: words,
        sample: arguments.keep_one_in,
        rare: arguments.keep_rare,
        bundles: arguments.keep_failing,
        at_ms: now_ms(),
        program: VERSION_AND_COMMIT.to_owned(),
    };
    Ok((plan, record))
}

/// What decides about runs besides scenario and seed. An edited scenario is another one, whatever its name.
fn family(plan: &Plan) -> String {
    let content = |(name, _): &(&'static str, PathBuf)| {
        let scenario = plan.scenarios.iter().find(|scenario| scenario.name == *name)?;
        Some(format!("{name}:{:08x}", crc32fast::hash(own::to_toml(scenario).as_bytes())))
    };
    let contents = plan.configs.iter().filter_map(content);
    plan.words.iter().cloned().chain(contents).collect::<Vec<_>>().join(" ")
}

/// Copies the user's own scenarios into the directory, so that it can be resumed wherever it lies.
///
/// # Errors
/// When a file cannot be read or written.
pub fn copy_configs(arguments: &StartArguments, record: &mut PlanRecord, dir: &Path) -> Result<(), Problem> {
    for path in &arguments.config {
        let scenario = own::read(path)?;
        let name = format!("scenario-{}-{}.toml", record.id, scenario.name);
        let text = std::fs::read(path).map_err(super::unreadable(path))?;
        write_whole(&dir.join(&name), &text).map_err(super::disk(dir))?;
        record.configs.insert(scenario.name.to_owned(), name);
    }
    Ok(())
}

/// What the engine is to do for a record of this directory.
///
/// # Errors
/// When this program knows a scenario or a word of it no more.
pub fn of_record(record: &PlanRecord, dir: &Path, jobs: Option<u16>) -> Result<Prepared, Problem> {
    let mut words = vec!["vopr".to_owned(), "run".to_owned()];
    let registered: Vec<&str> = record.scenarios.iter().filter(|name| !record.configs.contains_key(*name)).map(String::as_str).collect();
    if !registered.is_empty() {
        words.push(format!("--scenario={}", registered.join(",")));
    }
    words.extend(record.configs.values().map(|file| format!("--config={}", dir.join(file).display())));
    words.extend([format!("--seed={}", record.seed), format!("--iterations={}", record.seeds.unwrap_or(1).max(1))]);
    words.extend(jobs.map(|jobs| format!("--jobs={jobs}")));
    words.extend(record.options.iter().chain(&record.judgement).cloned());
    let parsed = Arguments::try_parse_from(&words).map_err(|error| {
        let told = error.to_string();
        Problem::refused(format!("plan {} cannot be worked on by this program: {}", record.id, told.trim_end()))
    })?;
    let Command::Run(mut run) = parsed.command else {
        return Err(Problem::internal("the words of a plan are those of `vopr run`"));
    };
    // The environment speaks to those who begin campaigns.
    (run.out, run.save_failures, run.checkpoint_file) = (None, None, None);
    let plan = Plan::new(&run, None)?;
    Ok(Prepared { record: record.clone(), plan })
}

/// What is asked of a directory as a whole: whatever any of its plans asks.
pub fn strictness(directory: &Directory) -> JudgementArguments {
    let mut sum = JudgementArguments::default();
    for word in directory.plans.values().flat_map(|plan| &plan.judgement) {
        sum.strict |= word == "--strict";
        sum.require_evidence |= word == "--require-evidence";
        sum.require.extend(word.strip_prefix("--require=").into_iter().flat_map(|names| names.split(',').map(str::to_owned)));
    }
    sum
}

/// The command that begins the same campaign, its seed spelled out.
pub fn command(record: &PlanRecord, dir: &Path) -> String {
    let mut words = vec!["vopr".to_owned(), "campaign".to_owned()];
    let registered = record.scenarios.iter().filter(|name| !record.configs.contains_key(*name)).map(String::as_str);
    words.extend(vopr_sim::scenarios::told(&registered.collect::<Vec<_>>()));
    words.extend(record.configs.values().flat_map(|file| ["--config".to_owned(), path_word(&dir.join(file))]));
    words.extend(record.seeds.iter().flat_map(|seeds| ["--seeds".to_owned(), seeds.to_string()]));
    words.extend(record.for_ms.iter().flat_map(|for_ms| ["--for".to_owned(), format!("{for_ms}ms")]));
    words.extend(["--seed".to_owned(), record.seed.to_string()]);
    if record.shard != [1, 1] {
        words.extend(["--shard".to_owned(), format!("{}/{}", record.shard[0], record.shard[1])]);
    }
    words.extend(["--dir".to_owned(), path_word(dir)]);
    words.extend(record.options.iter().chain(&record.judgement).filter(|word| *word != DEFAULT_TIMEOUT).cloned());
    shell::command(words)
}
