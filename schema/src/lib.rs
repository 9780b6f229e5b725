//! The history format: columns, rows, Parquet in and out, provenance, digests.
//!
//! Simulator and checker share this crate and nothing else, so that a shared mistake cannot hide itself.

pub mod column;
pub mod dictionary;
pub mod digest;
pub mod history;
pub mod rows;
pub mod tables;

pub use column::Pair;
pub use dictionary::Dictionary;
pub use history::{Ended, History, Run};
pub use rows::{
    Command, Detail, Fate, FaultFamily, FaultKind, Function, Kind, Mutation, OperationError, Outcome, RejectReason, Status, StorageIo,
    StorageOutcome, TransitionEvent, Zone,
};
pub use tables::{
    FaultRow, Faults, MessageRow, Messages, OperationRow, Operations, StorageAccesses, StorageRow, TransitionRow, Transitions,
};
