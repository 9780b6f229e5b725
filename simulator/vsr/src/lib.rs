//! A complete Viewstamped Replication replica as a pure state machine.
#![no_std]

extern crate alloc;

pub mod ids;
pub mod state_machine;
