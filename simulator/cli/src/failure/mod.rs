//! From a failing run to its cause: bundles, and what can be done with one.
//!
//! Everything here works on one run that is known to fail. A bundle holds that run whole; the commands repeat it, look into it,
//! and make it smaller, and never let one failure turn into another.

pub mod bisect;
pub mod bundle;
pub mod minimize;
pub mod repro;
pub mod show;
pub mod symptom;
pub mod trial;
