//! The world: machines, clients, links and the queue of what happens next, in virtual nanoseconds.
//!
//! One event is taken at a time, and everything that it causes is queued; nothing else moves time. A world is built anew for
//! each run from options and plan alone, so that nothing of an earlier run can reach a later one; only buffers are kept.

use crate::atlas::Atlas;
use crate::client::Client;
use crate::delivery::Flights;
use crate::event_queue::EventQueue;
use crate::fault_plan::FaultPlan;
use crate::injection::Active;
use crate::network::Network;
use crate::node::{Node, Process};
use crate::options::RunOptions;
use crate::recorder::Recorder;
use crate::timers::Due;
use vsr::io::{Effect, Input, Timer};

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message reaches its receiver.
    Arrival {
        /// Which one is on its way.
        flight: u32,
    },
    /// A replica's timer may have run out.
    Timer {
        /// Whose.
        node: u8,
        /// Which.
        timer: Timer,
        /// Of which incarnation.
        incarnation: u32,
    },
    /// A stage of a disk access ends.
    Disk {
        /// Whose disk.
        node: u8,
        /// Which access.
        access: u32,
        /// Of which incarnation.
        incarnation: u32,
    },
    /// A crashed replica comes back.
    Restart {
        /// Which.
        node: u8,
        /// The incarnation that crashed.
        incarnation: u32,
    },
    /// A client wakes up: its pause is over, or its patience.
    Client {
        /// Which.
        client: u16,
        /// Which of its alarms; only the last one counts.
        alarm: u32,
    },
    /// A planned fault begins.
    FaultBegins {
        /// Which.
        index: u32,
    },
    /// A planned fault ends.
    FaultEnds {
        /// Which.
        index: u32,
    },
    /// The phase looks whether everything has settled.
    Settled,
}

/// One simulated world.
#[derive(Debug)]
pub struct World {
    pub(crate) now_ns: u64,
    pub(crate) queue: EventQueue<Event>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) clients: Vec<Client>,
    pub(crate) network: Network,
    pub(crate) flights: Flights,
    pub(crate) recorder: Recorder,
    pub(crate) options: RunOptions,
    pub(crate) plan: FaultPlan,
    pub(crate) active: Vec<Active>,
    pub(crate) atlas: Atlas,
    pub(crate) load_bursts: u32,
    /// Whether the heal phase has begun: no fault begins any more, and clients invoke nothing new.
    pub(crate) healed: bool,
    /// Simulated events so far.
    pub(crate) events: u64,
    /// A cheap hash of all events, kept even when nothing is recorded.
    pub(crate) trace: u64,
    pub(crate) faults_by_family: [u64; 7],
    pub(crate) operations_ok: u64,
    pub(crate) operations_error: u64,
    pub(crate) operations_invoked: u64,
    effects: Vec<Effect>,
}
