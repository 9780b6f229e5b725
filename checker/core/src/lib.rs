//! Invariants over recorded histories, each verdict with its evidence.
//!
//! The checker shares nothing with the simulator but the history format, so that a mistake made in both cannot hide itself.

pub mod budget;
pub mod check;
pub mod index;
pub mod invariants;
pub mod registry;
pub mod testing;
pub mod verdict;
pub mod witness;

pub use budget::{Budget, Exhausted, Meter};
pub use check::check_run;
pub use index::RunIndex;
pub use registry::{Category, INVARIANTS, Invariant, InvariantId, Selection};
pub use verdict::{Decision, Verdict};
pub use witness::{Step, Witness};
