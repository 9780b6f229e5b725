//! Counter-examples: fewer calls that still have no legal order.
//!
//! Not every part of a linearizable history is linearizable (a read without its write is not), so only changes are made that
//! can never turn "linearizable" into "refuted": cutting the end off, leaving out a call on which nothing that is left
//! depends, and forgetting that a call returned; or an engine has shown that some calls have no legal order whatever the others
//! are. What is refuted afterwards refutes the whole.

use super::{Answer, Call, NEVER, Refutation};
use crate::models::Model;

/// Calls that may be decided again in all attempts together: about a second's work.
const WORK_MAX: usize = 400_000;
/// More calls than this are not looked at one by one.
const SINGLE_CALLS_MAX: usize = 4_000;

/// Calls that have no legal order, none of which can be spared.
#[derive(Clone, Debug)]
pub struct Core<A> {
    /// Each with its number among the calls of the object. Those whose return plays no part are marked as never returned.
    pub calls: Vec<(usize, Call<A>)>,
    /// The refutation of exactly these; its numbers are places in `calls`.
    pub refutation: Refutation,
}

/// The calls invoked up to `time`, each with its number; those that return later count as not returned.
#[must_use]
pub fn prefix<A: Clone>(calls: &[Call<A>], time: u64) -> Vec<(usize, Call<A>)> {
    let invoked = calls.iter().enumerate().filter(|(_, call)| call.invoke <= time);
    invoked
        .map(|(number, call)| {
            let returned = if call.returned <= time { call.returned } else { NEVER };
            (number, Call { returned, ..call.clone() })
        })
        .collect()
}

/// Makes a refuted history as small as possible. `decide` decides calls; an undecided attempt is not made.
pub fn minimal<M: Model>(
    model: &M,
    calls: &[Call<M::Action>],
    refutation: &Refutation,
    decide: impl FnMut(&[Call<M::Action>]) -> Answer,
) -> Core<M::Action> {
    let chosen = |numbers: &[usize]| numbers.iter().map(|number| (*number, calls[*number].clone())).collect();
    if refutation.is_closed {
        // Shown already; the other calls need not even be looked at.
        let core = Core { calls: chosen(&refutation.core), refutation: Refutation::default() };
        return Shrinker { model, decide, core, work: 0 }.finish();
    }
    let everything: Vec<(usize, Call<M::Action>)> = calls.iter().cloned().enumerate().collect();
    let core = Core { calls: everything, refutation: refutation.clone() };
    let mut shrinker = Shrinker { model, decide, core, work: 0 };
    // What the engine says comes first: the end of the story, or the calls that contradict each other.
    if let Some(at) = refutation.at {
        shrinker.attempt(prefix(calls, calls[at].returned));
    }
    if let Some(needed) = model.needed_by(calls, &refutation.core).filter(|_| !refutation.core.is_empty()) {
        shrinker.attempt(chosen(&needed));
    }
    shrinker.finish()
}

struct Shrinker<'a, M: Model, D> {
    model: &'a M,
    decide: D,
    core: Core<M::Action>,
    work: usize,
}

impl<M: Model, D: FnMut(&[Call<M::Action>]) -> Answer> Shrinker<'_, M, D> {
    /// Makes it smaller until nothing can be spared.
    fn finish(mut self) -> Core<M::Action> {
        loop {
            let before = self.core.calls.len();
            self.cut_end();
            self.drop_calls();
            if self.core.calls.len() == before || self.work >= WORK_MAX {
                break;
            }
        }
        self.forget_returns();
        self.core
    }

    /// Keeps `calls` instead if they are refuted too.
    fn attempt(&mut self, calls: Vec<(usize, Call<M::Action>)>) -> bool {
        if self.work >= WORK_MAX {
            return false;
        }
        self.work += calls.len() + 1;
        let plain: Vec<Call<M::Action>> = calls.iter().map(|(_, call)| call.clone()).collect();
        match (self.decide)(&plain) {
            Answer::Refuted(refutation) => {
                self.core = Core { calls, refutation };
                true
            }
            _ => false,
        }
    }

    /// Finds the earliest return up to which there is no order: being refuted is kept by longer prefixes.
    fn cut_end(&mut self) {
        let mut times: Vec<u64> = self.core.calls.iter().map(|(_, call)| call.returned).filter(|time| *time != NEVER).collect();
        times.sort_unstable();
        let (mut low, mut high) = (0, times.len().saturating_sub(1));
        while low < high {
            let middle = low.midpoint(high);
            let calls: Vec<Call<M::Action>> = self.core.calls.iter().map(|(_, call)| call.clone()).collect();
            let cut = prefix(&calls, times[middle]);
            let cut = cut.into_iter().map(|(place, call)| (self.core.calls[place].0, call)).collect();
            if self.attempt(cut) { high = middle } else { low = middle + 1 }
        }
    }

    /// Leaves out calls on which nothing that is left depends: large groups first, then single ones.
    fn drop_calls(&mut self) {
        if self.core.calls.len() > SINGLE_CALLS_MAX {
            return;
        }
        let mut chunk = self.core.calls.len().div_ceil(2);
        while chunk > 0 {
            let mut end = self.core.calls.len();
            while end > 0 {
                let start = end.saturating_sub(chunk);
                let rest = self.without(start..end);
                if rest.len() < self.core.calls.len() {
                    self.attempt(rest);
                }
                end = start;
            }
            chunk /= 2;
        }
    }

    /// The calls without those of a range of places that can be spared, one after the other.
    fn without(&self, places: core::ops::Range<usize>) -> Vec<(usize, Call<M::Action>)> {
        let mut rest = self.core.calls.clone();
        // Reads go first: then nothing may depend on what they saw.
        for read_only in [true, false] {
            for place in places.clone().rev() {
                let (number, call) = &self.core.calls[place];
                if self.model.is_read_only(&call.action) != read_only {
                    continue;
                }
                let others = rest.iter().filter(|other| other.0 != *number).map(|(_, other)| &other.action);
                if self.model.drops_safely(&call.action, others) {
                    rest.retain(|other| other.0 != *number);
                }
            }
        }
        rest
    }

    /// Forgets returns that play no part.
    fn forget_returns(&mut self) {
        for place in 0..self.core.calls.len() {
            if self.core.calls[place].1.returned != NEVER {
                let mut calls = self.core.calls.clone();
                calls[place].1.returned = NEVER;
                self.attempt(calls);
            }
        }
    }
}
