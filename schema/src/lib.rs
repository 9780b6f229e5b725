//! The history format: columns, rows, Parquet in and out, provenance, digests.
//!
//! Simulator and checker share this crate and nothing else, so that a shared mistake cannot hide itself.

pub mod column;
pub mod cut;
pub mod dictionary;
pub mod digest;
pub mod duckdb;
mod footer_seal;
pub mod format_doc;
pub mod history;
pub mod layout;
mod pages;
pub mod provenance;
pub mod read;
pub mod rows;
pub mod tables;
pub mod verify;
pub mod write;

pub use column::Pair;
pub use dictionary::Dictionary;
pub use history::{Ended, History, Run};
pub use provenance::{Provenance, RowGroup, SCHEMA_MAJOR, SCHEMA_MINOR, SchemaVersion};
pub use read::{HistoryFile, Place, Projection, ReadError};
pub use rows::{
    Command, Detail, Fate, FaultFamily, FaultKind, Function, Kind, Mutation, OperationError, Outcome, RejectReason, Status, StorageIo,
    StorageOutcome, TransitionEvent, Zone,
};
pub use tables::{
    FaultRow, Faults, MessageRow, Messages, OperationRow, Operations, StorageAccesses, StorageRow, TransitionRow, Transitions,
};
pub use verify::{RunDamage, VerifyReport, verify};
pub use write::{HistoryWriter, WriteError, WriteOptions, WrittenFile, file_name, partial_path};
