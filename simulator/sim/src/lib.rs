//! The simulated world: faults, workload, scenarios, recorder.

pub mod entropy;
pub mod fault_plan;
pub mod machine;
pub mod options;
pub mod scenario;
pub mod workload;
