//! The replica: its state, and which sub-protocol handles which input.

use crate::bug::Bug;
use crate::codec::CLUSTER_DEFAULT;
use crate::constants::{CHECKPOINT_INTERVAL, LOG_SLOTS, PIPELINE_MAX, SESSIONS_MAX};
use crate::ids::{Op, ReplicaId};
use crate::io::{DiskImage, Effect, Input, StateSummary};
use crate::state_machine::StateMachine;
use alloc::vec::Vec;

/// What a replica must be told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Cluster: messages and superblocks of another one are refused.
    pub cluster: u32,
    /// Which member this is: voters first, then standbys.
    pub replica: ReplicaId,
    /// Voting members, 1 to 7.
    pub replicas: u8,
    /// Members that replicate and apply but never vote.
    pub standbys: u8,
    /// Slots of the log ring.
    pub log_slots: u32,
    /// Ops from one checkpoint to the next.
    pub checkpoint_interval: u64,
    /// Uncommitted entries of a primary, at most.
    pub pipeline_max: u32,
    /// Sessions in the table, at most.
    pub sessions_max: u32,
    /// All timeouts are divided by this.
    pub time_divisor: u64,
    /// The guard that is switched off.
    pub bug: Option<Bug>,
}

impl Config {
    /// Member `replica` of `replicas` voters, everything else as in [`crate::constants`].
    #[must_use]
    pub const fn new(replica: ReplicaId, replicas: u8) -> Self {
        Self {
            cluster: CLUSTER_DEFAULT,
            replica,
            replicas,
            standbys: 0,
            log_slots: LOG_SLOTS,
            checkpoint_interval: CHECKPOINT_INTERVAL,
            pipeline_max: PIPELINE_MAX,
            sessions_max: SESSIONS_MAX,
            time_divisor: 1,
            bug: None,
        }
    }
}

/// A replica.
pub struct Replica<S> {
    machine: S,
    state: StateSummary,
}

impl<S: StateMachine> Replica<S> {
    /// A replica whose disk was just formatted.
    #[must_use]
    pub fn new(config: Config, machine: S) -> Self {
        let _ = config;
        Self { machine, state: StateSummary::default() }
    }

    /// A replica that comes back: `machine` is blank, `disk` is all that it remembers.
    #[must_use]
    pub fn restart(config: Config, machine: S, disk: DiskImage) -> Self {
        let _ = (config, disk);
        Self { machine, state: StateSummary::default() }
    }

    /// Handles one input; effects are appended in the order in which they must be carried out.
    pub fn step(&mut self, clock_ns: u64, input: Input, effects: &mut Vec<Effect>) {
        let _ = (clock_ns, input, effects);
    }

    /// The replica in one line.
    #[must_use]
    pub fn summary(&self) -> StateSummary {
        self.state
    }

    /// Last op that was applied.
    #[must_use]
    pub fn applied(&self) -> Op {
        self.state.commit
    }

    /// The state machine.
    #[must_use]
    pub fn machine(&self) -> &S {
        &self.machine
    }

    /// Whether this is the primary of a view that has started.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        false
    }
}
