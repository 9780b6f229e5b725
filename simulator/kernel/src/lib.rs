//! The replicated state machine: key-value, streams, ledger and transactions, per tenant.
//!
//! It knows neither the protocol's messages nor the history's columns: commands and results are bytes, and everything that an
//! execution may depend on is handed in, so that every replica computes the same.
#![no_std]

extern crate alloc;

mod codec;
mod command;
mod reply;

pub use command::{Command, TRANSACTION_KEYS_MAX};
pub use reply::{Refusal, Reply};
