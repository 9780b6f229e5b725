//! `vopr bugs --score`: how many seeds it takes until each seeded bug is caught.
//!
//! A checker that never fires proves nothing. Each bug is switched on in independent campaigns, each of which ends at the first
//! run that fails; the number of seeds it needed is the bug's time to detection.

use crate::args::BugsArguments;
use crate::campaign::plan::threads;
use crate::listing::chosen_bugs;
use crate::output::tagged;
use crate::rig::{Orders, Rig};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use vopr_check::exit::{Exit, Problem};
use vopr_check::interrupt;
use vopr_check::progress::Progress;
use vopr_check::terminal::{Paint, Sink, note, table};
use vopr_checker::{Budget, Selection};
use vopr_schema::History;
use vopr_sim::bugs::SeededBug;
use vopr_sim::scenario::{Overrides, Scenario};
use vopr_sim::scenarios;

/// Time after which an invariant gives up on a run.
const TIME_PER_RUN: Duration = Duration::from_mins(1);

/// One campaign to be done: seeds of one scenario with one bug.
#[derive(Clone, Copy, Debug)]
struct Hunt {
    bug: usize,
    scenario: &'static Scenario,
    first_seed: u64,
}

/// What came of the campaigns of one bug in one scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Seeds until detection, one number per campaign that caught it.
    pub seeds: Vec<u64>,
    /// Campaigns that did not catch it.
    pub missed: u64,
    /// What fired in the detecting runs, and how often.
    pub fired: BTreeMap<String, u64>,
    /// First seed of the first detecting run, for a command.
    pub example: Option<u64>,
}

impl Score {
    /// The middle of the numbers of seeds; the greater of two middles. None when it was never caught.
    #[must_use]
    pub fn median(&self) -> Option<u64> {
        let mut sorted = self.seeds.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }

    /// The greatest number of seeds. None when it was never caught.
    #[must_use]
    pub fn worst(&self) -> Option<u64> {
        self.seeds.iter().max().copied()
    }

    /// Whether one of the invariants that must fire did.
    #[must_use]
    pub fn by_the_right_one(&self, bug: &SeededBug) -> bool {
        bug.invariants.iter().any(|name| self.fired.contains_key(*name))
    }
}

/// Measures the chosen bugs and prints a table.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(arguments: &BugsArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let bugs = chosen_bugs(&arguments.bug);
    let hunts = hunts(&bugs, arguments)?;
    interrupt::listen("the runs under way are finished and the table printed");
    let scores = measure(&bugs, &hunts, arguments);
    let paint = Paint::for_stdout();
    let mut exit = Exit::Held;
    let mut rows = vec![["bug", "scenario", "caught", "median seeds", "worst", "fired"].map(str::to_owned).to_vec()];
    for (bug_index, bug) in bugs.iter().enumerate() {
        let of_bug: Vec<_> = scores.iter().filter(|((index, _), _)| *index == bug_index).collect();
        let caught = of_bug.iter().any(|(_, score)| score.by_the_right_one(bug));
        for ((_, scenario), score) in of_bug {
            if arguments.json {
                sink.object(&object(bug, scenario, score, caught))?;
            } else {
                rows.push(row(bug, scenario, score));
            }
        }
        if !caught {
            exit = exit.and(Exit::Inconclusive);
        }
    }
    if !arguments.json {
        for line in table(&rows) {
            sink.line(&line)?;
        }
        let missed = exit == Exit::Inconclusive;
        sink.line(&if missed {
            paint.bad("\nmissed: at least one bug was not caught by an invariant that must fire")
        } else {
            paint.good("\nall caught")
        })?;
    }
    Ok(if interrupt::requested() { exit.and(Exit::Interrupted) } else { exit })
}

fn hunts(bugs: &[&'static SeededBug], arguments: &BugsArguments) -> Result<Vec<Hunt>, Problem> {
    let span = arguments.campaigns.checked_mul(arguments.max_seeds).and_then(|span| span.checked_add(arguments.seed));
    span.ok_or_else(|| Problem::usage("so many campaigns of so many seeds do not fit the numbers"))?;
    let mut hunts = Vec::new();
    for (bug, seeded) in bugs.iter().enumerate() {
        let known: Vec<&'static Scenario> = seeded.scenarios.iter().filter_map(|name| scenarios::find(name)).collect();
        if known.is_empty() {
            note(&format!("note: {} needs a scenario that this version does not have: {}", seeded.name, seeded.scenarios.join(", ")));
        }
        for scenario in known {
            let seed_of = |campaign: u64| arguments.seed + campaign * arguments.max_seeds;
            hunts.extend((0..arguments.campaigns).map(|campaign| Hunt { bug, scenario, first_seed: seed_of(campaign) }));
        }
    }
    Ok(hunts)
}

type Scores = BTreeMap<(usize, &'static str), Score>;

fn measure(bugs: &[&'static SeededBug], hunts: &[Hunt], arguments: &BugsArguments) -> Scores {
    let next = AtomicUsize::new(0);
    let results = Mutex::new((Scores::new(), Progress::new(hunts.len() as u64, 0, "campaigns")));
    std::thread::scope(|scope| {
        for _ in 0..threads(arguments.jobs) {
            scope.spawn(|| {
                let mut rig = Rig::default();
                let mut history = History::default();
                while !interrupt::requested()
                    && let Some(hunt) = hunts.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let caught = pursue(hunt, bugs[hunt.bug], arguments.max_seeds, &mut rig, &mut history);
                    if let (Some(caught), Ok(mut results)) = (caught, results.lock()) {
                        note_result(results.0.entry((hunt.bug, hunt.scenario.name)).or_default(), caught);
                        results.1.advance(1, 0);
                    }
                }
            });
        }
    });
    let (scores, progress) = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    progress.finish();
    scores
}

/// What one campaign found.
struct Caught {
    /// Seeds that it took, and the detecting seed; none when it caught nothing.
    detection: Option<(u64, u64)>,
    fired: Vec<String>,
}

/// Runs seeds until one fails. None when the user stopped it.
fn pursue(hunt: &Hunt, bug: &SeededBug, max_seeds: u64, rig: &mut Rig, history: &mut History) -> Option<Caught> {
    let overrides = Overrides { bug: Some(bug.name.to_owned()), ..Overrides::default() };
    let budget = Budget { time_per_run: Some(TIME_PER_RUN), ..Budget::default() };
    let orders = Orders { overrides, selection: Some(Selection::all()), budget, twice: false };
    for index in 0..max_seeds {
        if interrupt::requested() {
            return None;
        }
        history.clear();
        let seed = hunt.first_seed + index;
        if let Some(failure) = rig.run(hunt.scenario, seed, &orders, Some(history)).failure {
            let fired = core::iter::once(failure.invariant).chain(failure.also).collect();
            return Some(Caught { detection: Some((index + 1, seed)), fired });
        }
    }
    Some(Caught { detection: None, fired: Vec::new() })
}

fn note_result(score: &mut Score, caught: Caught) {
    match caught.detection {
        Some((seeds, seed)) => {
            score.seeds.push(seeds);
            score.example = Some(score.example.map_or(seed, |known| known.min(seed)));
        }
        None => score.missed += 1,
    }
    for name in caught.fired {
        *score.fired.entry(name).or_default() += 1;
    }
}

fn row(bug: &SeededBug, scenario: &str, score: &Score) -> Vec<String> {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let campaigns = score.seeds.len() as u64 + score.missed;
    let fired = score.fired.iter().map(|(name, runs)| format!("{name} {runs}")).collect::<Vec<_>>().join(", ");
    let caught = format!("{}/{campaigns}", score.seeds.len());
    vec![bug.name.to_owned(), scenario.to_owned(), caught, number(score.median()), number(score.worst()), fired]
}

fn object(bug: &SeededBug, scenario: &str, score: &Score, caught: bool) -> Value {
    tagged(
        "score",
        json!({
            "name": bug.name,
            "scenario": scenario,
            "campaigns": score.seeds.len() as u64 + score.missed,
            "caught": score.seeds.len(),
            "missed": score.missed,
            "seeds_median": score.median(),
            "seeds_worst": score.worst(),
            "fired": score.fired,
            "must_fire": bug.invariants,
            "caught_by_the_right_one": score.by_the_right_one(bug),
            "bug_caught": caught,
            "example_seed": score.example,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_worst_cases_count_what_was_caught() {
        let mut score = Score::default();
        for seeds in [9, 1, 4] {
            note_result(&mut score, Caught { detection: Some((seeds, 100 + seeds)), fired: vec!["linearizability".to_owned()] });
        }
        note_result(&mut score, Caught { detection: None, fired: Vec::new() });
        assert_eq!((score.median(), score.worst(), score.missed, score.example), (Some(4), Some(9), 1, Some(101)));
        assert_eq!(score.fired["linearizability"], 3);
        assert_eq!(Score::default().median(), None);
    }

    #[test]
    fn being_caught_by_another_invariant_is_not_enough() {
        let bug = vopr_sim::bugs::all().iter().find(|bug| bug.name == "lost_update").unwrap();
        let mut score = Score::default();
        note_result(&mut score, Caught { detection: Some((1, 1)), fired: vec!["stuck".to_owned()] });
        assert!(!score.by_the_right_one(bug));
        note_result(&mut score, Caught { detection: Some((1, 1)), fired: vec![bug.invariants[0].to_owned()] });
        assert!(score.by_the_right_one(bug));
    }
}
