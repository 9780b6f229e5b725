//! Sequential models: what one operation at a time would have answered.
//!
//! They are the checker's own and share no line with the simulator's state machine, so that a mistake made there is not
//! repeated here and thereby hidden. [`Model`] is the wall between the models and the search engines of
//! [`crate::linearize`].

pub mod counter;
pub mod keys;
pub mod layout;
pub mod ledger;
pub mod queue;
pub mod register;
pub mod set;
pub mod store;
pub mod stream;
pub mod text;

use crate::linearize::Call;
use core::fmt::Debug;
use core::hash::Hash;

/// A deterministic sequential object, as the search engines see it.
///
/// An action carries what was asked for and what the client was told; where the outcome is unknown it carries no answer,
/// and [`Model::step`] must then succeed from every state.
pub trait Model {
    /// The state of the object.
    type State: Clone + Eq + Hash + Debug;
    /// A request with its answer.
    type Action: Clone + Eq + Hash + Debug;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// The state after `action`, or none when the answer it carries is impossible in `state`.
    fn step(&self, state: &Self::State, action: &Self::Action) -> Option<Self::State>;

    /// Whether the answer that `action` carries is possible in `state`.
    fn allows(&self, state: &Self::State, action: &Self::Action) -> bool {
        self.step(state, action).is_some()
    }

    /// Whether `action` leaves every state as it is. Only such actions may be applied eagerly, or dropped for an
    /// explanation, without changing the verdict on the others.
    fn is_read_only(&self, action: &Self::Action) -> bool;

    /// Whether `earlier`, done directly before `later`, is possible in every state and leaves no trace: the state after both
    /// is that after `later` alone. "No" is always a right answer.
    fn erases(&self, later: &Self::Action, earlier: &Self::Action) -> bool {
        let (_, _) = (later, earlier);
        false
    }

    /// Whether a call with `action` may be left out of any history in which `rest` are the actions of all other calls: what
    /// was linearizable with it still is without it. Always so for actions that are read-only; for others only if nobody
    /// depends on what they did. "No" is always a right answer.
    fn drops_safely<'a>(&self, action: &'a Self::Action, rest: impl Iterator<Item = &'a Self::Action>) -> bool
    where
        Self::Action: 'a,
    {
        let _ = rest;
        self.is_read_only(action)
    }

    /// The given calls, and all others without which they might have no legal order though they have one: of what is left
    /// out, nothing matters to what is kept. None where the model does not know.
    fn needed_by(&self, calls: &[Call<Self::Action>], kept: &[usize]) -> Option<Vec<usize>> {
        let (_, _) = (calls, kept);
        None
    }

    /// Memory that one state takes, bytes.
    fn state_bytes(&self, _state: &Self::State) -> usize {
        size_of::<Self::State>()
    }

    /// The state in words.
    fn describe_state(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }
}
