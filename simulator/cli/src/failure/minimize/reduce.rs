//! Tries smaller runs, several at a time, and keeps the first that fails the same way.
//!
//! Which candidate wins depends on their order alone, never on which thread was faster: the same failure is made smaller the
//! same way on every machine that has the time.

use crate::failure::symptom::Symptom;
use crate::failure::trial::Trial;
use std::time::Instant;
use vopr_check::interrupt;
use vopr_checker::Selection;
use vopr_schema::History;
use vopr_sim::RunRequest;

/// The smallest failing run so far.
#[derive(Debug)]
pub struct Reducer<'a> {
    best: RunRequest,
    symptom: &'a Symptom,
    selection: Selection,
    jobs: usize,
    deadline: Instant,
    tried: u64,
    accepted: u64,
}

impl<'a> Reducer<'a> {
    /// Begins with a run that is known to fail.
    #[must_use]
    pub fn new(start: RunRequest, symptom: &'a Symptom, jobs: usize, deadline: Instant) -> Self {
        Self { best: start, symptom, selection: symptom.selection(), jobs: jobs.max(1), deadline, tried: 0, accepted: 0 }
    }

    /// The smallest run so far.
    #[must_use]
    pub fn best(&self) -> &RunRequest {
        &self.best
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

    /// Tries candidates in their order; the first that fails the same way becomes the smallest run. Says which one it was.
    pub fn first_of(&mut self, mut candidates: impl Iterator<Item = RunRequest>) -> Option<usize> {
        let mut before = 0;
        loop {
            if self.is_over() {
                return None;
            }
            let round: Vec<RunRequest> = candidates.by_ref().take(self.jobs).collect();
            if round.is_empty() {
                return None;
            }
            let found = self.fails(&round);
            self.tried += round.len() as u64;
            if let Some(place) = found {
                self.accepted += 1;
                self.best = round.into_iter().nth(place)?;
                return Some(before + place);
            }
            before += self.jobs;
        }
    }

    /// The first candidate of a round that fails the same way.
    fn fails(&self, round: &[RunRequest]) -> Option<usize> {
        let try_one =
            |request: &RunRequest| Trial::run(request, &self.selection, History::default()).is_some_and(|trial| trial.shows(self.symptom));
        let outcomes: Vec<bool> = std::thread::scope(|scope| {
            let threads: Vec<_> = round.iter().map(|request| scope.spawn(move || try_one(request))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(false)).collect()
        });
        outcomes.iter().position(|fails| *fails)
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
                let Some(found) = self.first_of(possible.into_iter().map(|(_, candidate)| candidate)) else { break };
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
