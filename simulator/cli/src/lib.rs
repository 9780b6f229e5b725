//! The vopr program: simulate, record, check, replay.

pub mod checkpoint;
pub mod seeds;
pub mod tally;
