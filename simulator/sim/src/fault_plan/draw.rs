//! Draws a run's fault plan from its options, before the run.
//!
//! Every kind of injection has its own random stream, so that a plan without one kind is otherwise the same plan.

mod assaults;
mod clocks;
mod directed;
mod latent;
mod membership;
mod peers;
mod replacements;

use super::{ClientName, Endpoint, Fault, FaultPlan, GrayMode, Partition, Place, PlannedFault, Target};
use crate::entropy::{Actor, Purpose, Stream};
use crate::options::{Clogger, MILLISECOND, Rate, RunOptions, SECOND};
use crate::scenario::{Base, Inject, Scenario};
use vsr::constants::{CHECKPOINT_PLACES, SUPERBLOCK_COPIES};

/// Directed links that the clogger flaps at most, so that a plan stays readable.
const CLOGGED_LINKS_MAX: usize = 8;
/// How often a fault may take the cluster below its quorum: most runs should get on most of the time.
const OVERLAP: Rate = Rate::percent(10);

/// The plan of a run: what `scenario` injects, as `options` and its seed say.
#[must_use]
pub fn draw_plan(scenario: &Scenario, options: &RunOptions) -> FaultPlan {
    let stream = Stream::new(options.seed, Actor::World, Purpose::Plan, 0);
    let mut planner = Planner { base: &scenario.base, options, stream, faults: Vec::new(), outages: Vec::new() };
    for inject in scenario.script {
        planner.stream = Stream::new(options.seed, Actor::World, Purpose::Plan, 1 + *inject as u32);
        planner.inject(*inject);
    }
    let mut faults = planner.faults;
    // Stable, so that faults of one time keep the order of the script.
    faults.sort_by_key(|planned| planned.time_ns);
    FaultPlan(faults)
}

struct Planner<'a> {
    base: &'a Base,
    options: &'a RunOptions,
    stream: Stream,
    faults: Vec<PlannedFault>,
    /// Times during which a fault takes one replica away.
    outages: Vec<(u64, u64)>,
}

impl Planner<'_> {
    fn inject(&mut self, inject: Inject) {
        let families = self.options.families;
        match inject {
            Inject::Clogs => self.clogs(),
            Inject::Grays if self.options.gray.fail != Rate::NEVER => self.grays(),
            Inject::Partitions if self.options.network.partition != Rate::NEVER => self.partitions(),
            Inject::Crashes if families.crash => self.crashes(),
            Inject::PrimaryLoss if families.crash => self.primary_losses(),
            Inject::Clocks if families.clock => self.clocks(),
            Inject::Damage if self.options.storage.corruption != Rate::NEVER => self.damage(),
            Inject::Misplaced if families.storage => self.misplaced(),
            Inject::ClientFaults if families.client => self.client_faults(),
            Inject::TenantFaults if families.client => self.tenant_faults(),
            Inject::LoadBursts if families.load => self.load_bursts(),
            Inject::Restarts => self.restarts(),
            Inject::SlowDisks => self.slow_disks(),
            Inject::PrimaryCuts => self.primary_cuts(),
            Inject::DeafPrimaries => self.deaf_primaries(),
            Inject::CommitStalls => self.commit_stalls(),
            Inject::SplitVotes => self.split_votes(),
            Inject::ChainedLosses => self.chained_losses(),
            Inject::LatePrepares => self.late_prepares(),
            Inject::ClientRestarts => self.client_restarts(),
            Inject::Registrations => self.registrations(),
            Inject::Laggards => self.laggards(false),
            Inject::LaggardsLead => self.laggards(true),
            Inject::LastCopies => self.last_copies(),
            Inject::LonelyPrimaries => self.lonely_primaries(),
            Inject::ColdDamage => self.cold_damage(),
            Inject::SlowPeer => self.slow_peer(),
            Inject::Replacements => self.replacements(),
            Inject::Skews => self.skews(),
            Inject::BackwardJumps => self.backward_jumps(),
            Inject::Assaults => self.assaults(),
            Inject::OffsetsExceeded => self.offsets_exceeded(),
            Inject::TimeService => self.time_service(),
            Inject::AddVoters => self.add_voters(),
            Inject::RemoveVoters => self.remove_voters(),
            Inject::ChangeWhileCut => self.changes_while_cut(),
            Inject::ChangeWhileLost => self.changes_while_lost(),
            Inject::RivalChanges => self.rival_changes(),
            _ => {}
        }
    }

    /// Virtual time up to which faults are planned.
    fn horizon(&self) -> u64 {
        self.options.limits.plan_ns_max
    }

    /// A duration between two nominal ones, compressed.
    fn duration(&mut self, low_ns: u64, high_ns: u64) -> u64 {
        let nominal = self.stream.range(low_ns..=high_ns);
        self.options.compress(nominal).max(1)
    }

    /// A virtual time between two percentages of the horizon.
    fn moment(&mut self, low_percent: u64, high_percent: u64) -> u64 {
        let horizon = self.horizon();
        self.stream.range(horizon / 100 * low_percent..=horizon / 100 * high_percent)
    }

    fn push(&mut self, time_ns: u64, end_time_ns: Option<u64>, fault: Fault) {
        self.faults.push(PlannedFault { time_ns, end_time_ns, fault });
    }

    /// Whether one more replica may be away from `start` to `end`. All the same, now and then, the cluster loses its quorum.
    fn outage(&mut self, start: u64, end: u64) -> bool {
        let replicas = usize::from(self.options.cluster.replicas);
        let down_max = replicas - (replicas / 2 + 1);
        let overlapping = self.outages.iter().filter(|(from, to)| *from < end && start < *to).count();
        let admitted = overlapping < down_max || self.stream.hit(OVERLAP);
        if admitted {
            self.outages.push((start, end));
        }
        admitted
    }

    fn any_replica(&mut self) -> u8 {
        self.stream.below_u8(self.options.cluster.replicas)
    }

    /// The primary half of the time: most of what can go wrong goes wrong there.
    fn target(&mut self) -> Target {
        if self.stream.hit(Rate::percent(50)) { Target::Primary } else { Target::Replica(self.any_replica()) }
    }

    fn client(&mut self) -> ClientName {
        let cluster = self.options.cluster;
        ClientName {
            tenant: self.stream.range_u32(0..=cluster.tenants - 1),
            client: self.stream.range_u32(0..=cluster.clients_per_tenant - 1),
        }
    }

    /// Per link and tick: clear links clog, clogged ones clear. An interval is one planned fault.
    fn clogs(&mut self) {
        let (clog, unclog, delay_factor, drop) = match self.options.network.clogger {
            Clogger::Off => return,
            Clogger::Mild => (Rate::percent(10), Rate::percent(50), 2, Rate::NEVER),
            Clogger::Aggressive => (Rate::percent(30), Rate::percent(20), 10, Rate::percent(50)),
        };
        let tick = self.options.compress(self.options.network.clog_tick_ns).max(1);
        for (from, to) in self.flapping_links() {
            let mut since = None;
            for time in (1..=self.horizon() / tick).map(|index| index * tick) {
                if let Some(start) = since {
                    if self.stream.hit(unclog) {
                        self.push(start, Some(time), Fault::Clog { from, to, delay_factor, drop });
                        since = None;
                    }
                } else if self.stream.hit(clog) {
                    since = Some(time);
                }
            }
            if let Some(start) = since {
                let end = self.horizon() + tick;
                self.push(start, Some(end), Fault::Clog { from, to, delay_factor, drop });
            }
        }
    }

    /// Up to [`CLOGGED_LINKS_MAX`] directed links: two of a client, the others between replicas.
    fn flapping_links(&mut self) -> Vec<(Endpoint, Endpoint)> {
        let replica = |number| Endpoint::Replica(Target::Replica(number));
        let replicas = self.options.cluster.replicas;
        let mut links: Vec<(Endpoint, Endpoint)> = (0..replicas)
            .flat_map(|from| (0..replicas).filter(move |to| *to != from).map(move |to| (replica(from), replica(to))))
            .collect();
        while links.len() > CLOGGED_LINKS_MAX - 2 {
            let index = self.stream.index(links.len());
            links.swap_remove(index);
        }
        let (client, server) = (Endpoint::Client(self.client()), replica(self.any_replica()));
        links.extend([(client, server), (server, client)]);
        links
    }

    /// Per replica and tick: healthy ones turn gray, gray ones recover.
    fn grays(&mut self) {
        let gray = self.options.gray;
        let tick = self.options.compress(gray.tick_ns).max(1);
        let mut well_from = vec![0; usize::from(self.options.cluster.replicas)];
        let mut modes = Vec::new();
        for time in (1..=self.horizon() / tick).map(|index| index * tick) {
            for replica in 0..self.options.cluster.replicas {
                if time < well_from[usize::from(replica)] || !self.stream.hit(gray.fail) {
                    continue;
                }
                let mut end = time + tick;
                while end <= self.horizon() && !self.stream.hit(gray.recover) {
                    end += tick;
                }
                well_from[usize::from(replica)] = end + tick;
                let mode = self.gray_mode(&mut modes, time, end);
                self.push(time, Some(end), Fault::Gray { target: Target::Replica(replica), mode });
            }
        }
    }

    /// The four modes in turn, each round in a drawn order, so that a run soon sees all of them. All but the slow one take the
    /// replica away in part: without room for that the replica is slow, and the mode's turn is still to come.
    fn gray_mode(&mut self, turns: &mut Vec<u8>, start: u64, end: u64) -> GrayMode {
        if turns.is_empty() {
            *turns = vec![0, 1, 2, 3];
        }
        let turn = self.stream.index(turns.len());
        let slow = GrayMode::Slow { factor: self.stream.range_u32(2..=11) };
        let mode = match turns[turn] {
            0 => slow,
            1 => GrayMode::Intermittent { failure: Rate::percent(self.stream.range_u32(10..=59)) },
            2 if self.stream.hit(Rate::percent(50)) => GrayMode::ReadsOnly,
            2 => GrayMode::WritesOnly,
            _ => GrayMode::Unresponsive,
        };
        if mode != slow && !self.outage(start, end) {
            return slow;
        }
        turns.swap_remove(turn);
        mode
    }

    /// One one-way partition, which the scenario promises; then one of any kind per tick, with the scenario's chance.
    fn partitions(&mut self) {
        let network = self.options.network;
        let start = self.moment(10, 60);
        // Between backups hardly a message would be stopped: this one is between the primary and a backup, either way.
        let backup = Target::Backup(self.stream.below_u8(self.options.cluster.replicas.max(2) - 1));
        let deaf = self.stream.hit(Rate::percent(50));
        let (from, to) = if deaf { (backup, Target::Primary) } else { (Target::Primary, backup) };
        self.partition(start, Partition::OneWay { from, to });
        let tick = self.options.compress(network.partition_tick_ns).max(1);
        for time in (1..=self.horizon() / tick).map(|index| index * tick) {
            if !self.stream.hit(network.partition) {
                continue;
            }
            let (one, other) = self.two_targets();
            let shape = match self.stream.below(4) {
                0 => Partition::Full { isolated: one },
                1 => Partition::Partial { first: one, second: other },
                2 => Partition::Asymmetric { deaf: one },
                _ => Partition::OneWay { from: one, to: other },
            };
            self.partition(time, shape);
        }
    }

    fn partition(&mut self, start: u64, shape: Partition) {
        let network = self.options.network;
        let end = start + self.duration(network.partition_ns_min, network.partition_ns_max);
        // Clients that still reach a replica cut from its peers are what makes stale answers possible: keep that frequent.
        let clients_too = self.stream.hit(Rate::percent(30));
        self.push(start, Some(end), Fault::Partition { shape, clients_too });
    }

    /// Two different replicas, the first of which is the primary half of the time.
    fn two_targets(&mut self) -> (Target, Target) {
        let replicas = self.options.cluster.replicas;
        if self.stream.hit(Rate::percent(50)) {
            return (Target::Primary, Target::Backup(self.stream.below_u8(replicas.max(2) - 1)));
        }
        let first = self.any_replica();
        let step = 1 + self.stream.below_u8(replicas.max(2) - 1);
        (Target::Replica(first), Target::Replica((first + step) % replicas))
    }

    /// Crashes and pauses at random times.
    fn crashes(&mut self) {
        let crash = self.options.crash;
        let count = self.stream.range(u64::from(crash.random_max.min(2))..=u64::from(crash.random_max));
        for index in 0..count {
            // The first one is what the scenario promises: early, and whatever else is going on.
            let start = self.moment(3, if index == 0 { 50 } else { 90 });
            let end = start + self.duration(crash.restart_ns_min, crash.restart_ns_max);
            let target = self.target();
            let pause = self.stream.hit(Rate::percent(25));
            if self.outage(start, end) || index == 0 {
                self.push(start, Some(end), if pause { Fault::Pause { target } } else { Fault::Crash { target } });
            }
        }
    }

    /// The primary crashes, stops or is cut off, again and again. Long enough that its backups give it up.
    fn primary_losses(&mut self) {
        let (low, high) = (self.options.crash.primary_loss_ns_min, self.options.crash.primary_loss_ns_max);
        let mut start = self.duration(low / 4, high / 2);
        while start < self.horizon() {
            let mut end = start + self.duration(200 * MILLISECOND, 1_500 * MILLISECOND);
            let target = Target::Primary;
            let (way, clients_too) = (self.stream.below(4), self.stream.hit(Rate::percent(50)));
            let fault = match way {
                0 | 1 if self.options.families.network => Fault::Partition { shape: Partition::Full { isolated: target }, clients_too },
                2 => Fault::Pause { target },
                _ => Fault::Crash { target },
            };
            if !matches!(fault, Fault::Crash { .. }) {
                // A crashed primary has lost its view's leadership at once; a silent one must be silent for longer than a timeout.
                end += self.options.compress(SECOND);
            }
            if self.outage(start, end) {
                self.push(start, Some(end), fault);
            }
            start += self.duration(low, high);
        }
    }

    /// A constant offset for one or two replicas, drifts, a step or two; all inside the protocol's tolerance.
    fn clocks(&mut self) {
        let clock = self.options.clock;
        for _ in 0..self.stream.range(1..=2) {
            let (time, target) = (self.moment(0, 20), Target::Replica(self.any_replica()));
            let offset_ns = self.signed_time(clock.offset_ns_max);
            self.push(time, None, Fault::ClockOffset { target, offset_ns });
        }
        for replica in 0..self.options.cluster.replicas {
            if self.stream.hit(Rate::percent(50)) {
                let ppm = self.stream.range_u32(1..=clock.drift_ppm_max).cast_signed();
                let ppm = if self.stream.hit(Rate::percent(50)) { ppm } else { -ppm };
                self.push(0, None, Fault::ClockDrift { target: Target::Replica(replica), ppm });
            }
        }
        for _ in 0..self.stream.below(3) {
            let (time, target) = (self.moment(10, 80), self.target());
            let step_ns = self.signed_time(clock.step_ns_max);
            self.push(time, None, Fault::ClockStep { target, step_ns });
        }
    }

    /// Either sign, a tenth to the whole of a nominal time; compressed like the tolerance that it is measured against.
    fn signed_time(&mut self, high_ns: u64) -> i64 {
        let magnitude = i64::try_from(self.duration(high_ns / 10, high_ns)).expect("at most the limits of the options");
        if self.stream.hit(Rate::percent(50)) { magnitude } else { -magnitude }
    }

    /// Stored copies go bad, most of them entries.
    fn damage(&mut self) {
        for _ in 0..self.stream.below(5) {
            let (time, target) = (self.moment(10, 90), Target::Replica(self.any_replica()));
            let place = match self.stream.below(8) {
                0 => Place::Superblock { copy: self.stream.below_u8(SUPERBLOCK_COPIES) },
                1 => Place::Checkpoint { place: self.stream.below_u8(CHECKPOINT_PLACES) },
                _ => Place::Entry { position: Rate(self.stream.range_u32(0..=Rate::ALWAYS.0)) },
            };
            let bits = 1 + self.stream.below_u8(8);
            self.push(time, None, Fault::Corruption { target, place, bits });
        }
    }

    /// Slots of the log that hold what they held before, or another slot's entry; disks that are slow for a while.
    fn misplaced(&mut self) {
        for _ in 0..self.stream.below(3) {
            let (time, target) = (self.moment(15, 90), Target::Replica(self.any_replica()));
            let position = Rate(self.stream.range_u32(0..=Rate::ALWAYS.0));
            let stale = self.stream.hit(Rate::percent(50));
            self.push(time, None, if stale { Fault::StaleRead { target, position } } else { Fault::MisdirectedWrite { target, position } });
        }
        for _ in 0..self.stream.below(3) {
            let (time, target) = (self.moment(5, 85), self.target());
            let (delay_ns, end) = (self.duration(20 * MILLISECOND, 200 * MILLISECOND), time + self.duration(SECOND, 4 * SECOND));
            let share = Rate::percent(self.stream.range_u32(5..=30));
            self.push(time, Some(end), Fault::SlowDisk { target, share, delay_ns, delay_ns_max: None });
        }
    }

    /// Clients crash, some of them twice within moments, so that low request numbers come again; others lose a replica.
    fn client_faults(&mut self) {
        for _ in 0..self.stream.range_u32(0..=self.options.workload.client_crashes_max) {
            let (client, mut start) = (self.client(), self.moment(1, 80));
            for _ in 0..self.stream.range(1..=2) {
                let end = start + self.duration(10 * MILLISECOND, 300 * MILLISECOND);
                // A client that is down cannot crash again: its restart would come in the middle of its next life.
                if !self.is_client_down(client, start, end) {
                    self.push(start, Some(end), Fault::ClientCrash { client });
                }
                start = end + self.duration(5 * MILLISECOND, 200 * MILLISECOND);
            }
        }
        for _ in 0..self.stream.below(3) {
            let (client, start, replica) = (self.client(), self.moment(1, 90), self.target());
            let end = start + self.duration(100 * MILLISECOND, 1_500 * MILLISECOND);
            self.push(start, Some(end), Fault::ClientPartition { client, replica });
        }
    }

    fn is_client_down(&self, client: ClientName, start: u64, end: u64) -> bool {
        self.faults.iter().any(|planned| {
            planned.fault == Fault::ClientCrash { client } && planned.time_ns <= end && planned.end_time_ns.is_some_and(|e| start <= e)
        })
    }

    /// Each tenant in turn has bad links, in a drawn order, all of them early enough to happen before an event limit.
    fn tenant_faults(&mut self) {
        let mut waiting: Vec<u32> = (0..self.options.cluster.tenants).collect();
        let share = 50 / u64::from(self.options.cluster.tenants.max(1));
        let mut low = 2;
        while !waiting.is_empty() {
            let tenant = waiting.swap_remove(self.stream.index(waiting.len()));
            let start = self.moment(low, low + share);
            let end = start + self.duration(300 * MILLISECOND, 1_200 * MILLISECOND);
            let loss = Rate::percent(self.stream.range_u32(30..=80));
            self.push(start, Some(end), Fault::TenantLoss { tenant, loss });
            low += share;
        }
    }

    /// Clients send without pause for a while.
    fn load_bursts(&mut self) {
        for _ in 0..self.stream.range(1..=3) {
            let start = self.moment(5, 85);
            let end = start + self.duration(100 * MILLISECOND, 400 * MILLISECOND);
            self.push(start, Some(end), Fault::LoadBurst);
        }
    }
}
