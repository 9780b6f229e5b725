//! One replica's machine: its process, disk, clock and timers, and what waits on each.
//!
//! The replica itself knows none of this. It lives from a start to a crash; the machine stays.

use crate::clocks::WallClock;
use crate::entropy::{Actor, Purpose, Stream};
use crate::gray::Gray;
use crate::machine::Machine;
use crate::options::RunOptions;
use crate::storage::Disk;
use crate::timers::Timers;
use crate::world::Event;
use vsr::Replica;
use vsr::io::StateSummary;

/// Whether the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It runs.
    Up,
    /// It exists, but is not scheduled.
    Paused,
    /// It crashed.
    Down,
}

/// One replica's machine.
pub struct Node {
    /// Number of the replica.
    pub id: u8,
    /// Whether its process runs.
    pub process: Process,
    /// How often it was restarted.
    pub incarnation: u32,
    /// How often its disk was replaced by an empty one.
    pub format: u32,
    /// The protocol's state; none while it is down.
    pub replica: Option<Replica<Machine>>,
    /// The replica after its last step: what the world writes when it crashes or pauses.
    pub summary: StateSummary,
    /// Timers of this incarnation.
    pub timers: Timers,
    /// Wall clock.
    pub clock: WallClock,
    /// Disk.
    pub disk: Disk,
    /// Gray failures at present.
    pub gray: Gray,
    /// What happened while it was paused.
    pub deferred: Vec<Event>,
    /// The planned fault that took it down or paused it; its end ends that.
    pub stopped_by: Option<u32>,
    /// Extra delays of timers.
    pub jitter: Stream,
    /// Crashes at steps of the protocol.
    pub crash: Stream,
    /// Crashes in the middle of a write.
    pub tear: Stream,
}

impl Node {
    /// A machine that has never been started.
    #[must_use]
    pub fn new(options: &RunOptions, id: u8) -> Self {
        let stream = |purpose| Stream::new(options.seed, Actor::Replica(id), purpose, 0);
        Self {
            id,
            process: Process::Down,
            incarnation: 0,
            format: 0,
            replica: None,
            summary: StateSummary::default(),
            timers: Timers::default(),
            clock: WallClock::default(),
            disk: Disk::new(options, id),
            gray: Gray::default(),
            deferred: Vec::new(),
            stopped_by: None,
            jitter: stream(Purpose::Timer),
            crash: stream(Purpose::Crash),
            tear: stream(Purpose::Tear),
        }
    }

    /// Whether it takes part: it runs and is not gray.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.process == Process::Up && self.gray.is_well()
    }
}
