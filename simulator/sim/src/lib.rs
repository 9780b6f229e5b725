//! The simulated world: faults, workload, scenarios, recorder.
