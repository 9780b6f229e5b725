//! One run of a campaign as a timeline: from its bundle or its kept rows, or simulated again from its seed.

use super::html::decoded;
use crate::campaign_command::plan::of_record;
use crate::campaign_dir::Directory;
use crate::timeline;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path, PathBuf};
use vopr_check::page;
use vopr_schema::History;
use vopr_sim::{RunRequest, Simulator};

/// The page of the run that a query names: `scenario=NAME&seed=N`.
///
/// # Errors
/// What is wrong with the query, or why the run cannot be shown, for people.
pub fn timeline(directory: &Directory, query: &str) -> Result<String, String> {
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).and_then(decoded);
    let scenario = value("scenario").ok_or("the address names no scenario")?;
    let seed: u64 = value("seed").and_then(|seed| seed.trim().parse().ok()).ok_or("the address names no seed")?;
    let recorded = file_of(directory, &scenario, seed).and_then(|path| {
        let found = page::find(&path, Some(seed), |run| run.scenario == scenario && run.seed == seed).ok().flatten();
        found.map(|(history, run)| (history, run, path.display().to_string()))
    });
    if let Some((history, run, file)) = recorded {
        return Ok(timeline::document(&history, run, Some(&file)));
    }
    let history = simulated(directory, &scenario, seed)?;
    Ok(timeline::document(&history, 0, None))
}

/// Where the rows of a run lie, if they were kept; a line may not lead out of the directory.
fn file_of(directory: &Directory, scenario: &str, seed: u64) -> Option<PathBuf> {
    let groups = directory.groups();
    let failing = groups.iter().flat_map(|(group, _)| &group.runs).filter(|run| run.scenario == scenario && run.seed == seed);
    let kept = directory.scenarios.get(scenario).into_iter().flat_map(|scenario| &scenario.kept).filter(|(kept, _)| *kept == seed);
    let mut files = failing.filter_map(|run| run.file.as_ref()).chain(kept.map(|(_, file)| file));
    files.find(|file| Path::new(file).components().all(|part| matches!(part, Component::Normal(_)))).map(|file| directory.path.join(file))
}

/// The run simulated again as its plan says.
fn simulated(directory: &Directory, scenario: &str, seed: u64) -> Result<History, String> {
    let plans = directory.plans.values().filter(|plan| plan.scenarios.iter().any(|name| name == scenario));
    // Of several plans the one whose seed it is.
    let plan = plans.max_by_key(|plan| plan.index_of(seed).is_some()).ok_or_else(|| format!("no plan of this campaign has {scenario}"))?;
    let prepared = of_record(plan, &directory.path, None).map_err(|problem| problem.to_string())?;
    let found = prepared.plan.scenarios.iter().find(|known| known.name == scenario);
    let found = found.ok_or_else(|| format!("this program has no scenario {scenario}"))?;
    let request = RunRequest::new(found, seed, &prepared.plan.orders.overrides).map_err(|error| error.to_string())?;
    let mut history = History::default();
    let simulated = catch_unwind(AssertUnwindSafe(|| Simulator::new().simulate(&request, Some(&mut history))));
    match simulated {
        Ok(_) if !history.runs.is_empty() => Ok(history),
        _ => Err(format!("{scenario} seed {seed}: the simulator panicked")),
    }
}
