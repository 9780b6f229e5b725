//! Tries smaller runs, several at a time, and keeps the first that fails the same way.
//!
//! Which candidate wins depends on their order alone, never on which thread was faster: the same failure is made smaller the
//! same way on every machine that has the time.

use super::kept::Kept;
use crate::failure::trial::Trial;
use std::time::Instant;
use vopr_check::interrupt;
use vopr_schema::History;
use vopr_sim::RunRequest;
use vopr_sim::workload_plan::WorkloadPlan;

/// How large a run is. Two runs are compared by their operations, then by planned faults, by what was injected in all, and by events:
/// a step may add events only where it takes away something of the rest, or makes a limit of the cluster smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight {
    /// Planned operations.
    pub operations: usize,
    /// Planned faults.
    pub planned: usize,
    /// Faults that happened, those at random included.
    pub injected: u64,
    /// Simulated events, the heal phase included.
    pub events: u64,
}

/// What is known of a run that fails the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its size.
    pub weight: Weight,
    /// Virtual time by which everything that its witness cites has happened, nanoseconds.
    pub visible_ns: u64,
}

impl Seen {
    /// What is known of a run that was simulated and judged.
    #[must_use]
    pub fn of(request: &RunRequest, trial: &Trial, visible_ns: u64) -> Self {
        let operations = request.workload.as_ref().map_or(0, WorkloadPlan::operations);
        let injected = trial.summary.faults_by_family.iter().sum();
        Self { weight: Weight { operations, planned: request.plan.0.len(), injected, events: trial.summary.events }, visible_ns }
    }
}

/// The smallest failing run so far.
#[derive(Debug)]
pub struct Reducer<'a> {
    best: RunRequest,
    seen: Seen,
    kept: &'a Kept,
    jobs: usize,
    deadline: Instant,
    tried: u64,
    accepted: u64,
}

impl<'a> Reducer<'a> {
    /// Begins with a run that is known to fail.
    #[must_use]
    pub fn new(start: RunRequest, seen: Seen, kept: &'a Kept, jobs: usize, deadline: Instant) -> Self {
        Self { best: start, seen, kept, jobs: jobs.max(1), deadline, tried: 0, accepted: 0 }
    }

    /// The smallest run so far.
    #[must_use]
    pub fn best(&self) -> &RunRequest {
        &self.best
    }

    /// What is known of it.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// What stays the same.
    #[must_use]
    pub fn kept(&self) -> &Kept {
        self.kept
    }

    /// Candidates that were simulated.
    #[must_use]
    pub fn tried(&self) -> u64 {
        self.tried
    }

    /// Candidates that became the smallest run.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Whether the time is up, or somebody wants it to end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.deadline || interrupt::requested()
    }

    /// Tries candidates in their order; the first that fails the same way and is smaller becomes the smallest run. Says which one it was.
    pub fn first_of(&mut self, candidates: impl Iterator<Item = RunRequest>) -> Option<usize> {
        self.first_where(candidates, |weight, best| weight < best)
    }

    /// The same with candidates that are simpler in another way than by size: one of the same size is taken too.
    pub fn first_no_larger(&mut self, candidates: impl Iterator<Item = RunRequest>) -> Option<usize> {
        self.first_where(candidates, |weight, best| weight <= best)
    }

    /// The same with candidates that are needed to take something else away: one of any size is taken.
    pub fn first_of_any_size(&mut self, candidates: impl Iterator<Item = RunRequest>) -> Option<usize> {
        self.first_where(candidates, |_, _| true)
    }

    fn first_where(&mut self, mut candidates: impl Iterator<Item = RunRequest>, fits: fn(Weight, Weight) -> bool) -> Option<usize> {
        let mut before = 0;
        loop {
            if self.is_over() {
                return None;
            }
            let round: Vec<RunRequest> = candidates.by_ref().take(self.jobs).collect();
            if round.is_empty() {
                return None;
            }
            let outcomes = self.outcomes(&round);
            self.tried += round.len() as u64;
            let found = outcomes.iter().position(|seen| seen.is_some_and(|seen| fits(seen.weight, self.seen.weight)));
            if let Some(place) = found {
                self.accepted += 1;
                self.seen = outcomes[place]?;
                self.best = round.into_iter().nth(place)?;
                return Some(before + place);
            }
            before += self.jobs;
        }
    }

    /// What is known of each candidate of a round; none of one that does not fail the same way.
    fn outcomes(&self, round: &[RunRequest]) -> Vec<Option<Seen>> {
        let try_one = |request: &RunRequest| {
            let trial = Trial::run(request, self.kept.first_look(), History::default())?;
            let visible_ns = self.kept.is_kept_by(&trial)?;
            Some(Seen::of(request, &trial, visible_ns))
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = round.iter().map(|request| scope.spawn(move || try_one(request))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(None)).collect()
        })
    }

    /// Takes parts out of a list that the run is made of: halves first, then ever smaller pieces, single ones until none can go.
    ///
    /// `list` takes the list from a run, `with` gives a run another one; `with` may refuse a list.
    pub fn shrink<T: Clone>(&mut self, list: impl Fn(&RunRequest) -> Vec<T>, with: impl Fn(&RunRequest, &[T]) -> Option<RunRequest>) {
        let mut piece = list(&self.best).len();
        while piece > 0 {
            let mut from = 0;
            let mut shrunk = false;
            loop {
                let items = list(&self.best);
                let best = self.best.clone();
                let starts: Vec<usize> = (from..items.len()).step_by(piece).collect();
                let without = |start: usize| {
                    let end = (start + piece).min(items.len());
                    with(&best, &[&items[..start], &items[end..]].concat())
                };
                let possible: Vec<(usize, RunRequest)> = starts.into_iter().filter_map(|start| Some((start, without(start)?))).collect();
                let places: Vec<usize> = possible.iter().map(|(start, _)| *start).collect();
                let Some(found) = self.first_no_larger(possible.into_iter().map(|(_, candidate)| candidate)) else { break };
                shrunk = true;
                from = places[found];
            }
            if self.is_over() {
                return;
            }
            if piece > 1 || !shrunk {
                piece /= 2;
            }
        }
    }
}
