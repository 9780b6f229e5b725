//! Hunts for planted bugs: seeds of a scenario with a bug on, one after the other, until an invariant fires that must catch it.
//!
//! How soon a bug is caught, and what is said of it when it is, are measured over the same hunts.

use crate::args::BugsArguments;
use crate::campaign::plan::threads;
use crate::rig::{Orders, Rig};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use vopr_check::exit::Problem;
use vopr_check::interrupt;
use vopr_check::progress::Progress;
use vopr_checker::{Budget, Selection};
use vopr_schema::History;
use vopr_sim::bugs::SeededBug;
use vopr_sim::scenario::{Overrides, Scenario};

/// Time after which an invariant gives up on a run.
const TIME_PER_RUN: Duration = Duration::from_mins(1);

/// One hunt.
#[derive(Clone, Copy, Debug)]
pub struct Hunt {
    /// Place of the bug among those that were chosen.
    pub bug: usize,
    /// Where it is looked for.
    pub scenario: &'static Scenario,
    /// First seed.
    pub first_seed: u64,
}

/// How a hunt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// An invariant that the bug names fired with this seed.
    Caught(u64),
    /// None did.
    Missed,
    /// Somebody interrupted it.
    Interrupted,
}

/// The first seeds of all hunts for a bug in a scenario.
///
/// # Errors
/// When the last one would end beyond the greatest seed.
pub fn first_seeds(arguments: &BugsArguments) -> Result<impl Iterator<Item = u64> + Clone + use<>, Problem> {
    let (first, hunts, length) = (arguments.seed, arguments.campaigns, arguments.max_seeds);
    hunts
        .checked_mul(length)
        .and_then(|span| span.checked_add(first))
        .ok_or_else(|| Problem::usage("so many campaigns of so many seeds do not fit the numbers"))?;
    Ok((0..hunts).map(move |hunt| first + hunt * length))
}

/// How each run of a hunt is simulated and judged. Only invariants that the bug names can end it, so no others are checked. None: it
/// names one that does not exist.
fn orders(bug: &SeededBug) -> Option<Orders> {
    let overrides = Overrides { bug: Some(bug.name.to_owned()), ..Overrides::default() };
    Some(Orders { overrides, selection: Some(Selection::only(bug.invariants).ok()?), budget: budget(), twice: false })
}

/// The limits of checks while hunting.
#[must_use]
pub fn budget() -> Budget {
    Budget { time_per_run: Some(TIME_PER_RUN), ..Budget::default() }
}

impl Hunt {
    /// Hunts; the run that is caught stays in `history`.
    pub fn pursue(&self, bug: &SeededBug, seeds_max: u64, rig: &mut Rig, history: &mut History) -> Ended {
        let Some(orders) = orders(bug) else { return Ended::Missed };
        for seed in self.first_seed..self.first_seed + seeds_max {
            if interrupt::requested() {
                return Ended::Interrupted;
            }
            history.clear();
            let run = rig.run(self.scenario, seed, &orders, Some(history));
            if run.verdicts.is_some_and(|verdicts| verdicts.verdicts.iter().any(|(_, verdict)| verdict.is_violation())) {
                return Ended::Caught(seed);
            }
        }
        Ended::Missed
    }
}

/// Works on all hunts with as many threads as are wanted; `take` gets what comes of each, one at a time and in no order. What an interrupted
/// hunt would have come to is not known: `work` says nothing of it.
pub fn pursue_all<R: Send>(
    hunts: &[Hunt],
    jobs: Option<u16>,
    unit: &'static str,
    work: impl Fn(&Hunt, &mut Rig, &mut History) -> Option<R> + Sync,
    take: impl FnMut(&Hunt, R) + Send,
) {
    let next = AtomicUsize::new(0);
    let results = Mutex::new((take, Progress::new(hunts.len() as u64, 0, unit)));
    std::thread::scope(|scope| {
        for _ in 0..threads(jobs) {
            scope.spawn(|| {
                let (mut rig, mut history) = (Rig::default(), History::default());
                while !interrupt::requested()
                    && let Some(hunt) = hunts.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    if let (Some(result), Ok(mut results)) = (work(hunt, &mut rig, &mut history), results.lock()) {
                        (results.0)(hunt, result);
                        results.1.advance(1, 0);
                    }
                }
            });
        }
    });
    let (_, progress) = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    progress.finish();
}
