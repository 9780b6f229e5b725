//! One file per invariant.
//!
//! File order: statement, formal statement, evidence, what it deliberately does not check, code, tests that fire and tests
//! that must not. Adding one is a file here, a `mod` line, and a line in [`crate::registry::INVARIANTS`].

pub mod vsr_agreement;
