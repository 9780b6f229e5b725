//! Instants that must follow one another, each within bounds of its own.
//!
//! Streams, sets and counters come down to the same question: steps happen in a known order, answers say before or after
//! which time each must have happened. The earliest instants that respect the lower bounds exist or not; nothing else is
//! possible.

use super::{Answer, Refutation};

/// A time, and the call that it comes from.
pub(super) type Bound = (u64, usize);

/// Comes from no call.
pub(super) const NOBODY: usize = usize::MAX;

/// The instants between which one step must happen, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Not before.
    pub lower: Bound,
    /// Not after.
    pub upper: Bound,
}

impl Default for Window {
    fn default() -> Self {
        Self { lower: (0, NOBODY), upper: (u64::MAX, NOBODY) }
    }
}

impl Window {
    /// The step cannot have happened before `time`.
    pub fn not_before(&mut self, time: u64, call: usize) {
        if time >= self.lower.0 {
            self.lower = (time, call);
        }
    }

    /// The step cannot have happened after `time`.
    pub fn not_after(&mut self, time: u64, call: usize) {
        if time < self.upper.0 {
            self.upper = (time, call);
        }
    }
}

/// The time that the sequence has reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    now: Bound,
}

impl Clock {
    pub fn new() -> Self {
        Self { now: (0, NOBODY) }
    }

    /// The time reached, and the call that it comes from.
    pub fn now(&self) -> Bound {
        self.now
    }

    /// Nothing that follows can happen before `bound`.
    pub fn wait(&mut self, bound: Bound) {
        self.now = self.now.max(bound);
    }

    /// What happens now must have happened by `bound`.
    pub fn expect(&self, bound: Bound) -> Result<(), Answer> {
        if self.now.0 > bound.0 { Err(refuted([self.now.1, bound.1])) } else { Ok(()) }
    }

    /// Lets one step happen as early as it can.
    pub fn step(&mut self, window: &Window) -> Result<(), Answer> {
        self.wait(window.lower);
        self.expect(window.upper)
    }
}

/// A refutation by these calls.
pub(super) fn refuted(calls: impl IntoIterator<Item = usize>) -> Answer {
    let mut core: Vec<usize> = calls.into_iter().filter(|call| *call != NOBODY).collect();
    core.sort_unstable();
    core.dedup();
    Answer::Refuted(Refutation { core, ..Refutation::default() })
}

/// The question is outside of the method.
pub(super) fn outside(why: &str) -> Answer {
    Answer::Undecided(why.to_owned())
}

/// The answer of a method that stops early with `?`.
pub(super) fn answer(result: Result<(), Answer>) -> Answer {
    result.err().unwrap_or(Answer::Linearizable)
}
