//! Linearizability engines: from calls of one object to a decision.
//!
//! An object's calls are linearizable when some total order of them respects real time (a call that returned before
//! another was invoked comes first) and is legal for the sequential model, where calls of unknown outcome may be left out
//! (Herlihy & Wing, TOPLAS 1990). Three engines decide it, each where it is best: [`zones`] for registers whose written
//! values are unique, [`frontier`] for everything, [`wgl`] as an independent second opinion.

#![expect(
    clippy::cast_possible_truncation,
    reason = "calls, states, events and slots are numbered in 32 bits: 2^32 of any of them exceed every memory limit"
)]

pub mod actions;
pub mod any;
mod bounds;
pub mod brute;
pub mod counters;
pub mod decide;
#[cfg(test)]
pub(crate) mod differential;
pub mod effort;
pub mod frontier;
pub mod interner;
pub mod objects;
pub mod partition;
pub mod parts;
pub mod queues;
pub mod sets;
pub mod shrink;
pub mod streams;
pub mod trials;
pub mod wgl;
pub mod zones;

pub use effort::{Effort, Stopped};

/// The return time of a call that never returned, or returned without saying whether it happened.
pub const NEVER: u64 = u64::MAX;

/// One call of one object. Intervals are closed: a call precedes another one exactly when it returned at an earlier
/// time than the other was invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<A> {
    /// Time of the invocation (any clock that all calls share, such as `seq`).
    pub invoke: u64,
    /// Time of the return, or [`NEVER`]: then it may have happened at any time from `invoke` on, or not at all.
    pub returned: u64,
    /// What was asked and answered.
    pub action: A,
}

/// What an engine found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A legal order exists.
    Linearizable,
    /// No legal order exists.
    Refuted(Refutation),
    /// A limit was reached; the text says which, and how far the engine came.
    Undecided(String),
}

/// How a refutation came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refutation {
    /// The call at whose return no order was left, where the engine works in time order: calls invoked later play no part.
    pub at: Option<usize>,
    /// The states that were possible just before, in words.
    pub states: Vec<String>,
    /// A few calls that contradict each other, where the engine knows them.
    pub core: Vec<usize>,
    /// Whether the calls of `core` have no legal order by themselves, and this refutes all calls.
    pub is_closed: bool,
}

impl Answer {
    /// Whether a legal order exists; none when undecided.
    #[must_use]
    pub fn decided(&self) -> Option<bool> {
        match self {
            Self::Linearizable => Some(true),
            Self::Refuted(_) => Some(false),
            Self::Undecided(_) => None,
        }
    }
}
