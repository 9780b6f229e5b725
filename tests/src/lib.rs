//! End-to-end tests over the two programs.
