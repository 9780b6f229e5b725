//! The only exchange type of recorder, Parquet and checker: whole runs as structs of arrays.
//!
//! A history holds any number of runs. Rows of a run are contiguous in each table, so a run is six ranges.

use crate::dictionary::dictionary;
use crate::tables::{Faults, Messages, Operations, StorageAccesses, Transitions};

dictionary! {
    /// Why a run ended.
    Ended {
        Completed => "completed" /** Both phases ran to their ends. */,
        EventLimit => "event_limit" /** The event limit ended the safety phase; the heal phase was completed. */,
        TimeLimit => "time_limit" /** The heal phase ran out of virtual time before everything had settled, without being stuck. */,
        Stuck => "stuck" /** The heal phase could not settle: `ended_detail` says what is missing. */,
        Panicked => "panicked" /** The system under test failed an assertion: `ended_detail` has its message. */,
    }
}

/// One run: the row of kind run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// Canonical scenario name; the source system of an external history.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// Voting members of epoch 0.
    pub replicas: u8,
    /// Non-voting members of epoch 0.
    pub standbys: u8,
    /// Clients over all tenants.
    pub clients: u32,
    /// Tenants.
    pub tenants: u32,
    /// Guard that was switched off.
    pub bug: Option<String>,
    /// Every drawn option, JSON object.
    pub options: String,
    /// The fault plan, JSON.
    pub plan: String,
    /// Version of the random streams' derivation.
    pub streams_version: u32,
    /// Virtual time of the end, nanoseconds.
    pub end_time_ns: u64,
    /// Virtual time at which the heal phase began; none when there was none.
    pub heal_time_ns: Option<u64>,
    /// Simulated events.
    pub events: u64,
    /// Operations with outcome ok.
    pub operations_ok: u64,
    /// Operations with outcome error.
    pub operations_error: u64,
    /// Operations with outcome unknown.
    pub operations_unknown: u64,
    /// BLAKE3 of the run's rows.
    pub digest: [u8; 32],
    /// Why the run ended.
    pub ended: Ended,
    /// Reason of a stuck run, message of a panic.
    pub ended_detail: Option<String>,
}

/// Any number of runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// One row per run.
    pub runs: Vec<Run>,
    /// Client operations.
    pub operations: Operations,
    /// Messages.
    pub messages: Messages,
    /// What replicas did.
    pub transitions: Transitions,
    /// Disk accesses.
    pub storage: StorageAccesses,
    /// Injected faults.
    pub faults: Faults,
}

impl History {
    /// Ends the run whose rows were pushed last: the rows since the end of the run before belong to `run`.
    /// Fills in the counts of operations by outcome and the digest.
    pub fn close_run(&mut self, mut run: Run) {
        self.operations.run_ends.push(self.operations.len());
        self.messages.run_ends.push(self.messages.len());
        self.transitions.run_ends.push(self.transitions.len());
        self.storage.run_ends.push(self.storage.len());
        self.faults.run_ends.push(self.faults.len());
        let index = self.runs.len();
        let mut by_outcome = [0_u64; 3];
        for row in self.operations.rows_of_run(index) {
            by_outcome[usize::from(self.operations.outcome.codes[row])] += 1;
        }
        [run.operations_unknown, run.operations_ok, run.operations_error] = by_outcome;
        self.runs.push(run);
        self.runs[index].digest = crate::digest::run_digest(self, index);
    }

    /// Rows of all kinds, the run rows included.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.runs.len() + self.operations.len() + self.messages.len() + self.transitions.len() + self.storage.len() + self.faults.len()
    }

    /// Removes all runs, keeping the memory.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.operations.clear();
        self.messages.clear();
        self.transitions.clear();
        self.storage.clear();
        self.faults.clear();
    }
}
