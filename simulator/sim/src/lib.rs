//! The simulated world: faults, workload, scenarios, recorder.

pub mod atlas;
pub mod bugs;
pub mod clocks;
pub mod entropy;
pub mod event_queue;
pub mod fault_plan;
pub mod gray;
pub mod machine;
mod nearest;
pub mod network;
pub mod options;
pub mod recorder;
pub mod scenario;
pub mod scenarios;
pub mod workload;
