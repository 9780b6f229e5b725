//! Invariants over recorded histories, each verdict with its evidence.
