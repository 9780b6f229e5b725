//! Invariants over recorded histories, each verdict with its evidence.
//!
//! The checker shares nothing with the simulator but the history format, so that a mistake made in both cannot hide itself.

pub mod budget;
pub mod check;
pub mod evidence;
pub mod import;
pub mod imported;
pub mod index;
pub mod invariants;
pub mod linearize;
pub mod logs;
pub mod models;
pub mod parallel;
pub mod registry;
pub mod replay;
pub mod report;
pub mod situations;
pub mod store;
pub mod testing;
pub mod transactions;
pub mod verdict;
pub mod witness;
pub mod words;
pub mod writers;

pub use budget::{Budget, Exhausted, Meter};
pub use check::{check_history, check_run, judge_run};
pub use index::RunIndex;
pub use parallel::{Event, Options, check_files, try_check_files};
pub use registry::{Category, ELSEWHERE, INVARIANTS, Invariant, InvariantId, Selection};
pub use report::{Failure, Finding, Report, RunVerdicts};
pub use verdict::{Decision, Verdict};
pub use witness::{Step, Witness};
