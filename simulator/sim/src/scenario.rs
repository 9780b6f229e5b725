//! What a scenario is: data, never code spread over the world.
//!
//! A scenario names ranges; [`Scenario::draw`] turns them into one run's options, from the seed's own stream.

mod describe;
mod possible;
mod words;

use crate::attack::Attack;
use crate::entropy::{Actor, Purpose, Stream};
use crate::fault_plan::Target;
pub use crate::options::MutationKinds;
use crate::options::{
    ByzantineOptions, ClockOptions, Clogger, ClusterOptions, CrashOptions, Families, GrayOptions, Limits, MILLISECOND, Mix, NetworkOptions,
    Rate, RunOptions, SECOND, StorageOptions, WorkloadOptions,
};
pub use possible::Impossible;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vsr::constants::{CHECKPOINT_INTERVAL, PIPELINE_MAX, SESSIONS_MAX};
use vsr::message::Command;

/// A text that lives as long as the program: in the registry's table, or read from a file once.
pub type Text = &'static str;
/// A list that lives as long as the program.
pub type List<T> = &'static [T];

/// A scenario: a row of the registry, or a user's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Canonical name.
    #[serde(deserialize_with = "words::text")]
    #[schemars(regex(pattern = "^[a-z][a-z0-9_]*$"))]
    pub name: Text,
    /// Other names.
    #[serde(default, deserialize_with = "words::texts")]
    pub aliases: List<Text>,
    /// Number of its phase.
    #[serde(default)]
    pub phase: u8,
    /// What it is for, one line.
    #[serde(default, deserialize_with = "words::text")]
    pub purpose: Text,
    /// What its plan injects, in the order of drawing.
    #[serde(default, deserialize_with = "words::list")]
    pub script: List<Inject>,
    /// The condition over one run's history that proves that it was exercised.
    #[serde(skip)]
    pub evidence: Text,
    /// What it puts to the test, besides everything else.
    #[serde(default, deserialize_with = "words::texts")]
    pub holds: List<Text>,
    /// Ranges that each seed draws from.
    #[serde(default)]
    pub base: Base,
}

/// A range of rates: one rate, or the lowest and the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates(pub Rate, pub Rate);

impl Rates {
    /// Never.
    pub const NEVER: Self = Self(Rate::NEVER, Rate::NEVER);

    /// Always the same.
    #[must_use]
    pub const fn fixed(rate: Rate) -> Self {
        Self(rate, rate)
    }

    fn draw(self, stream: &mut Stream) -> Rate {
        Rate(u32::try_from(stream.range(u64::from(self.0.0)..=u64::from(self.1.0))).expect("between two rates"))
    }
}

/// A range of nominal times, nanoseconds: one time, or the shortest and the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times(pub u64, pub u64);

/// What the clogger may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloggerDraw {
    /// Off.
    Off,
    /// Mild.
    Mild,
    /// Mild or aggressive, evenly.
    Either,
    /// Aggressive.
    Aggressive,
}

/// Rounds of attacks on messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assault {
    /// What happens to the primary in each round.
    #[serde(default)]
    pub primary: PrimaryFate,
    /// Length of a round, nominal.
    pub round: Times,
    /// Pause after it, nominal.
    pub pause: Times,
    /// Who lies about what in each round.
    #[serde(deserialize_with = "words::list")]
    pub ambushes: List<Ambush>,
}

impl Assault {
    /// No attacks.
    pub const NONE: Self = Self { primary: PrimaryFate::Stays, round: Times(0, 0), pause: Times(0, 0), ambushes: &[] };
}

/// What happens to the primary in a round of attacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrimaryFate {
    /// Nothing.
    #[default]
    Stays,
    /// Its backups do not hear it; it hears them, and goes on to commit what they have voted for.
    Mute,
}

/// The links of one replica, named by its part at the beginning of the round, lie in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ambush {
    /// Whose links.
    pub from: Target,
    /// To whom; none: to everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Target>,
    /// About which messages; none: about all.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "words::MaybeCommand")]
    pub command: Option<Command>,
    /// How.
    pub attack: Attack,
    /// How often.
    #[serde(with = "words::Share")]
    pub chance: Rate,
}

/// How families of faults are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Swarm {
    /// Every run has them: what the scenario promises.
    #[serde(default, with = "words::FamilyNames")]
    pub always: Families,
    /// Half of the runs have all of these, half miss exactly one.
    #[serde(default, with = "words::FamilyNames")]
    pub all_but_one: Families,
    /// Each of these is there in half of the runs.
    #[serde(default, with = "words::FamilyNames")]
    pub sometimes: Families,
}

/// The configuration that a scenario's runs are drawn from.
///
/// As text a time is `"20s"`, a rate `"5%"` or `0.05`, a range of either one value or `[lowest, highest]`; a field of nanoseconds or a
/// rate says so with one attribute, and what a file does not say is what [`Base::default`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Base {
    /// Numbers of replicas, drawn evenly.
    #[serde(deserialize_with = "words::list")]
    pub replicas: List<u8>,
    /// Members altogether, at least: the others do not vote at the start.
    pub members: u8,
    /// Tenants.
    pub tenants: u32,
    /// Clients of each tenant.
    pub clients_per_tenant: u32,
    /// Virtual time of the safety phase at most, nanoseconds.
    #[serde(rename = "time", with = "words::Duration")]
    pub time_ns: u64,
    /// Events of the safety phase at most.
    pub events: u64,
    /// Faults are planned up to this virtual time, nanoseconds.
    #[serde(rename = "plan", with = "words::Duration")]
    pub plan_ns: u64,
    /// Divisor of all delays.
    pub compression: u32,
    /// Families of faults.
    pub swarm: Swarm,
    /// Link delays.
    pub latency: Times,
    /// Loss.
    pub drop: Rates,
    /// Duplication.
    pub duplicate: Rates,
    /// Clogging.
    pub clogger: CloggerDraw,
    /// Length of the clogger's tick, nominal nanoseconds.
    #[serde(rename = "clog_tick", with = "words::Duration")]
    pub clog_tick_ns: u64,
    /// Partitions: chance per second of nominal time.
    #[serde(with = "words::Share")]
    pub partition: Rate,
    /// Failing writes.
    pub write_failure: Rates,
    /// Failing flushes.
    pub flush_failure: Rates,
    /// Damaged entries.
    pub corruption: Rates,
    /// Gray failures: per tick, healthy to gray.
    #[serde(with = "words::Share")]
    pub gray_fail: Rate,
    /// Per tick, gray to healthy.
    #[serde(with = "words::Share")]
    pub gray_recover: Rate,
    /// Length of the gray tick, nominal nanoseconds.
    #[serde(rename = "gray_tick", with = "words::Duration")]
    pub gray_tick_ns: u64,
    /// Random crashes of replicas in the plan, at most.
    pub crashes: u32,
    /// Time until a restart, nominal.
    pub restart: Times,
    /// Crashes at commits.
    #[serde(with = "words::Share")]
    pub crash_per_commit: Rate,
    /// Crashes at steps of a view change.
    #[serde(with = "words::Share")]
    pub crash_per_view_change_step: Rate,
    /// Whether crashes at protocol steps may take the quorum away (until the restart).
    pub below_quorum: bool,
    /// Nominal time between two losses of the primary that the plan holds.
    pub primary_loss: Times,
    /// Mutation of messages.
    pub mutation: Rates,
    /// Which mutations.
    pub mutation_kinds: MutationKinds,
    /// Reads of the log that answer wrong content without an error.
    pub silent_read: Rates,
    /// Crashes in the middle of a write of a log entry, which they tear.
    #[serde(with = "words::Share")]
    pub crash_per_write: Rate,
    /// Which share of a log's entries goes bad while its replica is down, for [`Inject::Restarts`].
    pub log_damage: Rates,
    /// Which share of a slow disk's accesses takes how much longer, for [`Inject::SlowDisks`].
    #[serde(with = "words::SlowDisk")]
    pub slow_disk: (Rate, Times),
    /// What links do to messages, for [`Inject::Assaults`].
    pub assault: Assault,
    /// Clocks.
    #[serde(with = "words::Clocks")]
    pub clock: ClockOptions,
    /// Messages on their way in one direction of one link, at most.
    pub link_messages: u32,
    /// How many backups are left behind at a time, and for how long (nominal), for [`Inject::Laggards`].
    #[serde(with = "words::Laggards")]
    pub laggards: (u8, Times),
    /// Crashes of clients in the plan, at most.
    pub client_crashes: u32,
    /// Pauses between operations.
    pub think: Times,
    /// How often a client rests instead, and for how long (nominal nanoseconds).
    #[serde(with = "words::Rest")]
    pub rest: (Rate, u64),
    /// Operations that must be refused.
    #[serde(with = "words::Share")]
    pub invalid: Rate,
    /// Time between two ticks of the scrubbers, nominal nanoseconds; 0: nothing is scrubbed.
    #[serde(rename = "scrub_tick", with = "words::Duration")]
    pub scrub_tick_ns: u64,
    /// Slots of the log ring.
    pub log_slots: u32,
    /// Weights of the functions.
    pub mix: Mix,
    /// Clients of each tenant that only read.
    pub readers: u32,
    /// Whether reads are answered without the log, after a quorum has confirmed who leads.
    pub quorum_reads: bool,
    /// The scenario of the registry whose evidence is asked of the runs; none: the scenario's own.
    #[serde(skip)]
    pub evidence_of: Option<Text>,
}

/// One kind of injection that a scenario's plan is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Inject {
    /// Links between replicas flap between clogged and clear, by the clogger's tick.
    Clogs,
    /// Replicas turn gray and recover, by the gray tick.
    Grays,
    /// One one-way partition, then partitions of the four kinds by the partition tick.
    Partitions,
    /// Crashes and pauses of replicas at random times.
    Crashes,
    /// Offsets, drifts and steps of clocks.
    Clocks,
    /// Latent damage of stored copies.
    Damage,
    /// Stale slots, misdirected writes, slow disks.
    Misplaced,
    /// Crashes of clients, and clients cut from a replica.
    ClientFaults,
    /// Every tenant's clients in turn have bad links.
    TenantFaults,
    /// Clients send without pause.
    LoadBursts,
    /// The primary crashes, stops or is cut off, again and again: view changes.
    PrimaryLoss,
    /// Replicas crash and come back, one after another; a share of a log's entries goes bad meanwhile.
    Restarts,
    /// The primary's disk is slow for a while, then a backup's, in turn.
    SlowDisks,
    /// The primary is cut from all others, both ways and inbound only in turn, for longer than it may lead unheard.
    PrimaryCuts,
    /// The primary accepts and cannot commit: its backups' disks do not answer in time, or it does not hear their votes.
    CommitStalls,
    /// The primary is lost, and whoever leads next hears little of the others' votes.
    SplitVotes,
    /// The primary is cut off, and then its successor too.
    ChainedLosses,
    /// The primary does not hear, and what it sends arrives late: in the middle of the view change.
    LatePrepares,
    /// Clients crash again and again, and begin anew with low request numbers.
    ClientRestarts,
    /// Clients register with a primary that has just lost its backups; then a backup alone misses its primary.
    Registrations,
    /// Backups are cut off for so long that they fall far behind.
    Laggards,
    /// Two clocks are far apart, on either side of true time; others drift and step.
    Skews,
    /// A primary is cut off, and its clock steps back before it rejoins.
    BackwardJumps,
    /// Rounds in which the primary falls silent, or does not, and links lie about messages.
    Assaults,
    /// The primary hears nobody for longer than a stall may last, while its backups hear it well; then cuts as in
    /// [`Inject::PrimaryCuts`].
    DeafPrimaries,
    /// A backup that was far behind has hardly caught up when the primary is lost, and it must lead.
    LaggardsLead,
    /// Two backups come back without their primary: one is behind, and the newest entries of the other have gone bad.
    LastCopies,
    /// The primary does not hear its backups, or neither side hears the other, for as long as partitions last at most; clients reach it.
    LonelyPrimaries,
    /// The primary's clock is off by more than the tolerance for a while, again and again.
    OffsetsExceeded,
    /// No clock samples arrive for longer than the epoch limit; then some say a wrong time.
    TimeService,
    /// All members are to vote.
    AddVoters,
    /// Three of the voters are to be left, the primary among the others half of the time.
    RemoveVoters,
    /// The membership is to change, there or back, while a minority is cut off.
    ChangeWhileCut,
    /// The membership is to change, and the primary is lost before or after it has.
    ChangeWhileLost,
    /// Two administrators want different voters at the same time.
    RivalChanges,
    /// One backup is slow from the beginning to the end, and another one is cut off again and again.
    SlowPeer,
    /// The disk of a replica is replaced by an empty one, and when it comes back the primary is lost to everybody but it and a replica that
    /// is behind.
    Replacements,
    /// Stored entries that were committed long ago go bad, and a few copies of checkpoints and superblocks.
    ColdDamage,
}

/// What a command line may change in a scenario. Changes come after the draws, so that they change nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Another event limit.
    pub events_max: Option<u64>,
    /// Another limit of virtual time, nanoseconds.
    pub time_ns_max: Option<u64>,
    /// Only these families of faults.
    pub families: Option<Families>,
    /// No read-modify-writes and no scans.
    pub plain_workload: bool,
    /// Guard to switch off.
    pub bug: Option<String>,
    /// No scrubbing.
    pub no_scrubbing: bool,
    /// Another time compression.
    pub time_compression: Option<u32>,
}

impl Scenario {
    /// The options of the run of `seed`.
    #[must_use]
    pub fn draw(&self, seed: u64, overrides: &Overrides) -> RunOptions {
        let mut stream = Stream::new(seed, Actor::World, Purpose::Options, 0);
        let mut options = self.base.draw(self.name, seed, &mut stream);
        options.families = self.base.swarm.draw(&mut Stream::new(seed, Actor::World, Purpose::Swarm, 0));
        options.switch_off_absent_families();
        overrides.apply(&mut options);
        options
    }
}

impl Overrides {
    fn apply(&self, options: &mut RunOptions) {
        if let Some(events_max) = self.events_max {
            options.limits.events_max = events_max;
        }
        if let Some(time_ns_max) = self.time_ns_max {
            options.limits.time_ns_max = time_ns_max;
            options.limits.plan_ns_max = options.limits.plan_ns_max.min(time_ns_max);
        }
        if let Some(compression) = self.time_compression {
            options.time_compression = compression;
        }
        if self.no_scrubbing {
            options.cluster.scrub_tick_ns = 0;
        }
        if let Some(families) = self.families {
            options.families = options.families.and(families);
            options.switch_off_absent_families();
        }
        if self.plain_workload {
            options.workload.mix.read_modify_write = 0;
            options.workload.mix.scan = 0;
        }
        options.bug.clone_from(&self.bug);
    }
}

impl Swarm {
    /// No faults.
    pub const NONE: Self = Self { always: Families::NONE, all_but_one: Families::NONE, sometimes: Families::NONE };

    fn draw(self, stream: &mut Stream) -> Families {
        let mut families = self.always.or(self.all_but_one);
        let candidates: Vec<Families> = Families::EACH.into_iter().filter(|one| self.all_but_one.and(*one) == *one).collect();
        if stream.hit(Rate::percent(50))
            && let Some(missing) = stream.pick(&candidates)
        {
            families = families.and_not(*missing);
        }
        for one in Families::EACH {
            // Every family costs its draw, so that a change of one leaves the others as they were.
            if stream.hit(Rate::percent(50)) && self.sometimes.and(one) == one {
                families = families.or(one);
            }
        }
        families
    }
}

impl Default for Base {
    fn default() -> Self {
        crate::scenarios::DEFAULT
    }
}

impl Base {
    fn draw(&self, name: &str, seed: u64, stream: &mut Stream) -> RunOptions {
        let replicas = *stream.pick(self.replicas).expect("every scenario names a number of replicas");
        RunOptions {
            scenario: name.to_owned(),
            evidence_of: self.evidence_of.map(str::to_owned),
            seed,
            bug: None,
            cluster: ClusterOptions {
                replicas,
                standbys: self.members.saturating_sub(replicas),
                tenants: self.tenants,
                clients_per_tenant: self.clients_per_tenant,
                keys_per_tenant: 100,
                accounts_per_tenant: 10,
                initial_balance: 1_000,
                checkpoint_interval: u32::try_from(CHECKPOINT_INTERVAL).expect("a few entries"),
                log_slots: self.log_slots,
                pipeline_max: PIPELINE_MAX,
                sessions_max: SESSIONS_MAX,
                quorum_reads: self.quorum_reads,
                scrub_tick_ns: self.scrub_tick_ns,
            },
            limits: Limits { time_ns_max: self.time_ns, events_max: self.events, plan_ns_max: self.plan_ns },
            time_compression: self.compression,
            families: Families::NONE,
            network: self.draw_network(stream),
            storage: self.draw_storage(stream),
            crash: CrashOptions {
                random_max: self.crashes,
                per_commit: self.crash_per_commit,
                per_view_change_step: self.crash_per_view_change_step,
                restart_ns_min: self.restart.0,
                restart_ns_max: self.restart.1,
                primary_loss_ns_min: self.primary_loss.0,
                primary_loss_ns_max: self.primary_loss.1,
                per_write: self.crash_per_write,
                down_max: if self.below_quorum { replicas - 1 } else { replicas - (replicas / 2 + 1) },
            },
            gray: GrayOptions { fail: self.gray_fail, recover: self.gray_recover, tick_ns: self.gray_tick_ns },
            clock: self.clock,
            byzantine: ByzantineOptions { mutation: self.mutation.draw(stream), kinds: self.mutation_kinds },
            workload: WorkloadOptions {
                think_ns_min: self.think.0,
                think_ns_max: self.think.1,
                rest: self.rest.0,
                rest_ns: self.rest.1,
                operations_max: u32::MAX,
                retry_ns: 5 * self.latency.1 + 100 * MILLISECOND,
                client_crashes_max: self.client_crashes,
                registers: 12,
                hot_registers: 3,
                counters: 3,
                streams: 2,
                mix: self.mix,
                readers: self.readers,
                invalid: self.invalid,
            },
        }
    }

    fn draw_network(&self, stream: &mut Stream) -> NetworkOptions {
        let aggressive = stream.hit(Rate::percent(50));
        let clogger = match self.clogger {
            CloggerDraw::Off => Clogger::Off,
            CloggerDraw::Either if aggressive => Clogger::Aggressive,
            CloggerDraw::Aggressive => Clogger::Aggressive,
            CloggerDraw::Mild | CloggerDraw::Either => Clogger::Mild,
        };
        NetworkOptions {
            latency_ns_min: self.latency.0,
            latency_ns_max: self.latency.1,
            drop: self.drop.draw(stream),
            duplicate: self.duplicate.draw(stream),
            clogger,
            clog_tick_ns: self.clog_tick_ns,
            partition: self.partition,
            partition_tick_ns: SECOND,
            partition_ns_min: 500 * MILLISECOND,
            partition_ns_max: 2 * SECOND,
            link_messages_max: self.link_messages,
        }
    }

    fn draw_storage(&self, stream: &mut Stream) -> StorageOptions {
        StorageOptions {
            latency_ns_min: MILLISECOND / 10,
            latency_ns_max: MILLISECOND,
            write_failure: self.write_failure.draw(stream),
            flush_failure: self.flush_failure.draw(stream),
            read_failure: Rate::NEVER,
            corruption: self.corruption.draw(stream),
            torn_write: Rate::percent(34),
            silent_read: if self.silent_read == Rates::NEVER { Rate::NEVER } else { self.silent_read.draw(stream) },
        }
    }
}
