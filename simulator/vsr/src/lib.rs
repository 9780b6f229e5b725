//! A complete Viewstamped Replication replica as a pure state machine.
//!
//! [`Replica::step`] takes one input and appends effects; the host carries them out. No clock, thread, file or randomness of its
//! own, so that a simulator can put any history in front of it. Sources: Liskov and Cowling, "Viewstamped Replication Revisited"
//! (2012); Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage" (FAST'18).
#![no_std]

extern crate alloc;

pub mod bug;
pub mod checkpoint;
mod clock;
pub mod codec;
pub mod constants;
pub mod entry;
mod execution;
pub mod ids;
pub mod io;
mod log;
pub mod marzullo;
pub mod message;
mod normal;
mod outbox;
mod peers;
mod promise;
pub mod quorum;
mod readmission;
mod reads;
pub mod reconfiguration;
mod recovery;
mod repair;
pub mod replica;
mod requests;
mod scrub;
mod selection;
pub mod sessions;
mod start_view;
pub mod state_machine;
mod state_transfer;
pub mod superblock;
mod view_change;
mod wire;

pub use bug::Bug;
pub use clock::ClockSource;
pub use reads::ReadPath;
pub use replica::{Config, Replica};
