//! Which program this is: version and source commit.
//!
//! Histories carry both, so that a replay can say when another program recorded them.

/// Version of the package, shared by both programs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Source commit, `unknown` when the program was built outside a repository.
pub const COMMIT: &str = env!("VOPR_COMMIT");

/// Version and commit, as `--version` prints them.
pub const VERSION_AND_COMMIT: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("VOPR_COMMIT"), ")");
