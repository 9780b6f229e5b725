//! The simulated world: faults, workload, scenarios, recorder.

pub mod administrator;
pub mod atlas;
pub mod attack;
pub mod bugs;
pub mod client;
pub mod clocks;
pub mod delivery;
mod disks;
pub mod entropy;
pub mod event_queue;
pub mod fault_plan;
pub mod gray;
mod injection;
pub mod machine;
pub mod mutator;
pub mod nearest;
pub mod network;
pub mod node;
pub mod options;
pub mod panics;
mod phases;
mod process;
pub mod recorder;
pub mod scenario;
pub mod scenarios;
pub mod simulator;
mod stall;
pub mod storage;
pub mod timers;
pub mod workload;
pub mod workload_plan;
pub mod world;

pub use simulator::{RequestError, RunRequest, RunSummary, Simulator};
