//! The world: machines, clients, links and the queue of what happens next, in virtual nanoseconds.
//!
//! One event is taken at a time, and everything that it causes is queued; nothing else moves time. A world is built anew for
//! each run from options and plan alone, so that nothing of an earlier run can reach a later one; only buffers are kept.

use crate::administrator::{ADMINISTRATORS, Administrator};
use crate::atlas::Atlas;
use crate::attack::Attacks;
use crate::bugs;
use crate::client::Client;
use crate::delivery::{Current, Flights};
use crate::event_queue::EventQueue;
use crate::fault_plan::FaultPlan;
use crate::gray::Gray;
use crate::injection::Active;
use crate::mutator::Mutator;
use crate::network::Network;
use crate::node::{Node, Process};
use crate::options::RunOptions;
use crate::recorder::Recorder;
use crate::simulator::RunRequest;
use crate::stall::Watch;
use crate::workload_plan::{Script, WorkloadPlan};
use vsr::ids::ReplicaId;
use vsr::io::{Effect, Timer};
use vsr::quorum::Members;
use vsr::reconfiguration::Membership;
use vsr::{ClockSource, Config, ReadPath};

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
    /// An administrator's patience is over.
    Administrator {
        /// Which.
        number: u8,
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
    /// The watch looks whether the cluster has stalled.
    Watch,
    /// The phase looks whether everything has settled.
    Settled,
}

/// One simulated world.
pub struct World {
    pub(crate) now_ns: u64,
    pub(crate) queue: EventQueue<Event>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) clients: Vec<Client>,
    pub(crate) administrators: Vec<Administrator>,
    /// The newest configuration that any replica has entered.
    pub(crate) membership: Membership,
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
    pub(crate) effects: Vec<Effect>,
    /// The message that a replica is working on.
    pub(crate) current: Option<Current>,
    pub(crate) mutator: Mutator,
    pub(crate) attacks: Attacks,
    /// The gray state of those who are never gray.
    pub(crate) well: Gray,
    pub(crate) replica_bug: Option<vsr::Bug>,
    pub(crate) kernel_bug: Option<kernel::KernelBug>,
    pub(crate) messages_sent: u64,
    /// Clients that may still invoke something.
    pub(crate) clients_working: usize,
    pub(crate) last_commit_ns: u64,
    pub(crate) watch: Watch,
    /// Stalls seen in the safety phase.
    pub(crate) stalls: u64,
    pub(crate) heal_time_ns: Option<u64>,
    /// What clients do of their own accord, if it is written down.
    pub(crate) workload_log: Option<WorkloadPlan>,
}

impl World {
    /// The world of a run, before its first event. Of `past` only memory is reused.
    #[must_use]
    pub fn new(request: &RunRequest, past: Option<Self>) -> Self {
        let options = request.options.clone();
        let (mut queue, mut flights, mut effects) = past.map_or_else(Default::default, |past| (past.queue, past.flights, past.effects));
        queue.clear();
        flights.clear();
        effects.clear();
        let members = options.cluster.replicas + options.cluster.standbys;
        let bug = options.bug.as_deref().and_then(|name| bugs::find(name).ok());
        Self {
            now_ns: 0,
            queue,
            nodes: (0..members).map(|id| Node::new(&options, id)).collect(),
            clients: (0..options.clients()).map(|index| Client::new(&options, index, script(request, index))).collect(),
            administrators: (0..ADMINISTRATORS).map(|number| Administrator::new(&options, number)).collect(),
            membership: Membership { voters: Members::first(options.cluster.replicas), ..Membership::default() },
            network: Network::new(&options),
            flights,
            recorder: Recorder::default(),
            plan: request.plan.clone(),
            active: vec![Active::default(); request.plan.0.len()],
            atlas: Atlas::new(request.plan.voters_min(options.cluster.replicas)),
            load_bursts: 0,
            healed: false,
            events: 0,
            trace: 0,
            faults_by_family: [0; 7],
            operations_ok: 0,
            operations_error: 0,
            operations_invoked: 0,
            effects,
            current: None,
            mutator: Mutator::new(&options),
            attacks: Attacks::new(options.seed, request.plan.has_attacks()),
            well: Gray::default(),
            replica_bug: bug.and_then(bugs::SeededBug::replica),
            kernel_bug: bug.and_then(bugs::SeededBug::kernel),
            messages_sent: 0,
            clients_working: options.clients() as usize,
            last_commit_ns: 0,
            watch: Watch::default(),
            stalls: 0,
            heal_time_ns: None,
            workload_log: None,
            options,
        }
    }

    /// What a replica must be told once.
    pub(crate) fn config(&self, node: usize) -> Config {
        let cluster = &self.options.cluster;
        Config {
            standbys: cluster.standbys,
            log_slots: cluster.log_slots,
            checkpoint_interval: u64::from(cluster.checkpoint_interval),
            pipeline_max: cluster.pipeline_max,
            sessions_max: cluster.sessions_max,
            format: self.nodes[node].format,
            scrub_tick_ns: cluster.scrub_tick_ns,
            time_divisor: u64::from(self.options.time_compression.max(1)),
            clock: ClockSource::Cluster,
            reads: if cluster.quorum_reads { ReadPath::Quorum } else { ReadPath::Log },
            bug: self.replica_bug,
            ..Config::new(ReplicaId(self.nodes[node].id), cluster.replicas)
        }
    }

    /// Takes the next event; those that have become void are not counted.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        let (time_ns, event) = self.queue.pop()?;
        self.now_ns = time_ns;
        self.recorder.set_time(time_ns);
        if self.handle(event) {
            self.events += 1;
            self.trace = (self.trace.rotate_left(5) ^ time_ns ^ event.code()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        Some(event)
    }

    fn handle(&mut self, event: Event) -> bool {
        match event {
            Event::Arrival { flight } => self.arrival(flight),
            Event::Timer { node, timer, incarnation } => return self.timer_event(event, usize::from(node), timer, incarnation),
            Event::Disk { node, access, incarnation } => return self.disk_event(event, usize::from(node), access, incarnation),
            Event::Restart { node, incarnation } => {
                let machine = &self.nodes[usize::from(node)];
                if machine.process != Process::Down || machine.incarnation != incarnation {
                    return false;
                }
                self.restart(usize::from(node));
                self.reassess();
            }
            Event::Client { client, alarm } => return self.client_alarm(usize::from(client), alarm),
            Event::Administrator { number, alarm } => return self.administrator_alarm(usize::from(number), alarm),
            Event::FaultBegins { index } => {
                self.begin_fault(index);
                self.reassess();
            }
            Event::FaultEnds { index } => {
                self.end_fault(index);
                self.reassess();
            }
            Event::Watch => self.watch(),
            Event::Settled => {}
        }
        true
    }
}

/// What the request plans for a client; a client that its plan does not know does nothing.
fn script(request: &RunRequest, index: u32) -> Option<Script> {
    let plan = request.workload.as_ref()?;
    Some(Script::new(plan.0.get(index as usize).cloned().unwrap_or_default()))
}

impl Event {
    /// A number that tells events of one time apart, for the trace.
    fn code(self) -> u64 {
        match self {
            Self::Arrival { flight } => u64::from(flight) << 8 | 1,
            Self::Timer { node, timer, incarnation } => u64::from(incarnation) << 32 | u64::from(node) << 16 | (timer as u64) << 8 | 2,
            Self::Disk { node, access, incarnation } => u64::from(incarnation) << 48 | u64::from(access) << 16 | u64::from(node) << 8 | 3,
            Self::Restart { node, incarnation } => u64::from(incarnation) << 16 | u64::from(node) << 8 | 4,
            Self::Client { client, alarm } => u64::from(alarm) << 32 | u64::from(client) << 8 | 5,
            Self::FaultBegins { index } => u64::from(index) << 8 | 6,
            Self::FaultEnds { index } => u64::from(index) << 8 | 7,
            Self::Watch => 8,
            Self::Settled => 9,
            Self::Administrator { number, alarm } => u64::from(alarm) << 16 | u64::from(number) << 8 | 0xa,
        }
    }
}
