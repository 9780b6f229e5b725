//! The vopr-check program: judge recorded histories.

pub mod args;
pub mod exit;
pub mod inputs;
pub mod interrupt;
pub mod limits;
pub mod output;
pub mod progress;
pub mod shell;
pub mod terminal;
pub mod version;
