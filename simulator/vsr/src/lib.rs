//! A complete Viewstamped Replication replica as a pure state machine.
#![no_std]

extern crate alloc;

pub mod bug;
pub mod checkpoint;
pub mod codec;
pub mod constants;
pub mod entry;
pub mod ids;
pub mod io;
pub mod message;
pub mod quorum;
pub mod replica;
pub mod sessions;
pub mod state_machine;
pub mod superblock;
mod wire;

pub use bug::Bug;
pub use replica::{Config, Replica};
