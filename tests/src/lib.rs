//! End-to-end tests over the two programs.

pub mod sandbox;
