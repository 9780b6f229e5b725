//! `vopr bugs --score`: how many seeds it takes until each seeded bug is caught.
//!
//! A checker that never fires proves nothing. Each bug is switched on in independent campaigns, each of which ends at the first
//! run in which an invariant fires that the bug's row names: what else fires may have another reason. The number of seeds it needed,
//! and the CPU time they took, are the bug's time to detection.

use crate::args::BugsArguments;
use crate::hunt::{self, Ended, Hunt, first_seeds, pursue_all};
use crate::listing::chosen_bugs;
use crate::output::tagged;
use crate::rig::Rig;
use cpu_time::ThreadTime;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vopr_check::exit::{Exit, Problem};
use vopr_check::interrupt;
use vopr_check::terminal::{Paint, Sink, note, table};
use vopr_checker::Selection;
use vopr_schema::History;
use vopr_sim::bugs::SeededBug;
use vopr_sim::scenario::Scenario;
use vopr_sim::scenarios;

/// What came of the campaigns of one bug in one scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// Seeds until detection, one number per campaign that caught it.
    pub seeds: Vec<u64>,
    /// CPU seconds of the same campaigns, for simulation and checks.
    pub cpu_seconds: Vec<f64>,
    /// Campaigns that did not catch it.
    pub missed: u64,
    /// What fired in the detecting runs, and how often; the bug's own invariants and others.
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

    /// The middle of the CPU times; the greater of two middles. None when it was never caught.
    #[must_use]
    pub fn cpu_median(&self) -> Option<f64> {
        let mut sorted = self.cpu_seconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    /// The greatest CPU time. None when it was never caught.
    #[must_use]
    pub fn cpu_worst(&self) -> Option<f64> {
        self.cpu_seconds.iter().copied().max_by(f64::total_cmp)
    }

    /// Whether any campaign caught it.
    #[must_use]
    pub fn is_caught(&self) -> bool {
        !self.seeds.is_empty()
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
    let mut rows =
        vec![["bug", "scenario", "caught", "median seeds", "worst", "median CPU s", "worst", "fired"].map(str::to_owned).to_vec()];
    for (bug_index, bug) in bugs.iter().enumerate() {
        let of_bug: Vec<_> = scores.iter().filter(|((index, _), _)| *index == bug_index).collect();
        let caught = of_bug.iter().any(|(_, score)| score.is_caught());
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
    let first_seeds = first_seeds(arguments)?;
    let mut hunts = Vec::new();
    for (bug, seeded) in bugs.iter().enumerate() {
        let known: Vec<&'static Scenario> = seeded.scenarios.iter().filter_map(|name| scenarios::find(name)).collect();
        if known.is_empty() {
            note(&format!("note: {} needs a scenario that this version does not have: {}", seeded.name, seeded.scenarios.join(", ")));
        }
        for scenario in known {
            hunts.extend(first_seeds.clone().map(|first_seed| Hunt { bug, scenario, first_seed }));
        }
    }
    Ok(hunts)
}

type Scores = BTreeMap<(usize, &'static str), Score>;

fn measure(bugs: &[&'static SeededBug], hunts: &[Hunt], arguments: &BugsArguments) -> Scores {
    let mut scores = Scores::new();
    let work = |hunt: &Hunt, rig: &mut Rig, history: &mut History| caught(hunt, bugs[hunt.bug], arguments.max_seeds, rig, history);
    pursue_all(hunts, arguments.jobs, "campaigns", work, |hunt, caught| {
        note_result(scores.entry((hunt.bug, hunt.scenario.name)).or_default(), caught);
    });
    scores
}

/// What one campaign found.
struct Caught {
    /// Seeds that it took, and the detecting seed; none when it caught nothing.
    detection: Option<(u64, u64)>,
    cpu_seconds: f64,
    fired: Vec<String>,
}

/// Hunts and measures it. None when the user stopped it.
fn caught(hunt: &Hunt, bug: &SeededBug, max_seeds: u64, rig: &mut Rig, history: &mut History) -> Option<Caught> {
    let started = ThreadTime::now();
    let ended = hunt.pursue(bug, max_seeds, rig, history);
    let cpu_seconds = started.elapsed().as_secs_f64();
    match ended {
        Ended::Caught(seed) => Some(Caught { detection: Some((seed - hunt.first_seed + 1, seed)), cpu_seconds, fired: fired(history) }),
        Ended::Missed => Some(Caught { detection: None, cpu_seconds, fired: Vec::new() }),
        Ended::Interrupted => None,
    }
}

/// Everything that fires in the last run.
fn fired(history: &History) -> Vec<String> {
    let Some(last) = history.runs.len().checked_sub(1) else { return Vec::new() };
    let verdicts = vopr_checker::check_run(history, last, &Selection::all(), &hunt::budget());
    verdicts.iter().filter(|(_, verdict)| verdict.is_violation()).map(|(id, _)| id.name().to_owned()).collect()
}

fn note_result(score: &mut Score, caught: Caught) {
    match caught.detection {
        Some((seeds, seed)) => {
            score.seeds.push(seeds);
            score.cpu_seconds.push(caught.cpu_seconds);
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
    let seconds = |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.2}"));
    let (seeds, cpu) = ([score.median(), score.worst()].map(number), [score.cpu_median(), score.cpu_worst()].map(seconds));
    [bug.name.to_owned(), scenario.to_owned(), caught].into_iter().chain(seeds).chain(cpu).chain([fired]).collect()
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
            "cpu_seconds_median": score.cpu_median(),
            "cpu_seconds_worst": score.cpu_worst(),
            "bug_caught": caught,
            "example_seed": score.example,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caught(seeds: u64) -> Caught {
        let cpu_seconds = f64::from(u32::try_from(seeds).unwrap());
        Caught { detection: Some((seeds, 100 + seeds)), cpu_seconds, fired: vec!["linearizability".to_owned()] }
    }

    #[test]
    fn medians_and_worst_cases_count_what_was_caught() {
        let mut score = Score::default();
        for seeds in [9, 1, 4] {
            note_result(&mut score, caught(seeds));
        }
        note_result(&mut score, Caught { detection: None, cpu_seconds: 100.0, fired: Vec::new() });
        assert_eq!((score.median(), score.worst(), score.missed, score.example), (Some(4), Some(9), 1, Some(101)));
        assert_eq!((score.cpu_median(), score.cpu_worst()), (Some(4.0), Some(9.0)));
        assert_eq!(score.fired["linearizability"], 3);
        assert_eq!((Score::default().median(), Score::default().cpu_median(), Score::default().is_caught()), (None, None, false));
    }

    #[test]
    fn being_caught_by_another_invariant_is_not_enough() {
        // Every run of this scenario with this bug breaks its own invariant, and none the other one's.
        let hunt = Hunt { bug: 0, scenario: scenarios::find("multi_tenant_isolation").unwrap(), first_seed: 1 };
        let row = vopr_sim::bugs::find("scan_past_tenant_end").unwrap();
        let blind = SeededBug { invariants: &["conservation"], ..*row };
        let mut history = History::default();
        let detection =
            |bug: &SeededBug, history: &mut History| super::caught(&hunt, bug, 3, &mut Rig::default(), history).unwrap().detection;
        assert!(detection(row, &mut history).is_some());
        assert_eq!(detection(&blind, &mut history), None);
    }
}
