//! Every drawn value of one run, as plain data.
//!
//! The options go into the history as JSON; together with the fault plan they are all that `vopr replay` needs. Everything is
//! an integer (rates in parts per million), so that the text gives back exactly the values that were used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nanoseconds in a millisecond.
pub const MILLISECOND: u64 = 1_000_000;
/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000 * MILLISECOND;

/// Longest time that a scenario may name, nanoseconds: 100 hours, so that sums and multiples of a few are still numbers.
pub const LONGEST_NS: u64 = 100 * 3_600 * SECOND;

/// A probability in parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(pub u32);

impl Rate {
    /// Never.
    pub const NEVER: Self = Self(0);
    /// Always.
    pub const ALWAYS: Self = Self(1_000_000);

    /// So many percent.
    #[must_use]
    pub const fn percent(percent: u32) -> Self {
        Self(percent * 10_000)
    }

    /// Whether it is never.
    #[must_use]
    pub const fn is_never(&self) -> bool {
        self.0 == 0
    }

    /// As a number between 0 and 1.
    #[must_use]
    pub fn share(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

/// All of a run's options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOptions {
    /// Canonical name of the scenario.
    pub scenario: String,
    /// The scenario of the registry whose evidence is asked of the run, where that is another one: a user's own scenario is like it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_of: Option<String>,
    /// Seed of every stream.
    pub seed: u64,
    /// Guard that is switched off.
    pub bug: Option<String>,
    /// Who takes part.
    pub cluster: ClusterOptions,
    /// When the safety phase ends.
    pub limits: Limits,
    /// All delays (latencies, timers, think times, durations of planned faults) are divided by this; 1, 5 or 10.
    pub time_compression: u32,
    /// Which families of faults are on.
    pub families: Families,
    /// Links.
    pub network: NetworkOptions,
    /// Disks.
    pub storage: StorageOptions,
    /// Processes.
    pub crash: CrashOptions,
    /// Gray failures.
    pub gray: GrayOptions,
    /// Clocks.
    pub clock: ClockOptions,
    /// Message mutation.
    pub byzantine: ByzantineOptions,
    /// Clients and what they ask for.
    pub workload: WorkloadOptions,
}

impl RunOptions {
    /// A nominal delay as it is in this run: in whole microseconds, divided by the time compression.
    ///
    /// Whole microseconds make the division exact for every divisor of 1,000, so that events keep their order under compression.
    #[must_use]
    pub fn compress(&self, nominal_ns: u64) -> u64 {
        nominal_ns / 1_000 * (1_000 / u64::from(self.time_compression.max(1)))
    }

    /// Sets the rates of all families that are off to never.
    pub fn switch_off_absent_families(&mut self) {
        let families = self.families;
        if !families.network {
            let network = &mut self.network;
            (network.drop, network.duplicate, network.partition) = (Rate::NEVER, Rate::NEVER, Rate::NEVER);
            network.clogger = Clogger::Off;
            self.gray.fail = Rate::NEVER;
        }
        if !families.storage {
            let storage = &mut self.storage;
            (storage.write_failure, storage.flush_failure) = (Rate::NEVER, Rate::NEVER);
            (storage.read_failure, storage.corruption, storage.silent_read) = (Rate::NEVER, Rate::NEVER, Rate::NEVER);
        }
        if !families.crash {
            let crash = &mut self.crash;
            (crash.random_max, crash.per_commit, crash.per_view_change_step) = (0, Rate::NEVER, Rate::NEVER);
            crash.per_write = Rate::NEVER;
        }
        if !families.clock {
            self.clock = ClockOptions { offset_ns_max: 0, drift_ppm_max: 0, step_ns_max: 0 };
        }
        if !families.byzantine {
            self.byzantine.mutation = Rate::NEVER;
            self.workload.invalid = Rate::NEVER;
        }
        if !families.client {
            self.workload.client_crashes_max = 0;
        }
    }

    /// Clients over all tenants.
    #[must_use]
    pub fn clients(&self) -> u32 {
        self.cluster.tenants.saturating_mul(self.cluster.clients_per_tenant)
    }

    /// As JSON text: what a history records.
    ///
    /// # Panics
    /// Never: plain integers, strings and booleans always serialise.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain integers, strings and booleans always serialise")
    }

    /// From JSON text.
    ///
    /// # Errors
    /// The text is not JSON, or not that of options.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterOptions {
    /// Members that vote at the start.
    pub replicas: u8,
    /// Members that do not vote at the start.
    pub standbys: u8,
    /// Tenants, numbered from 0.
    pub tenants: u32,
    /// Clients of each tenant, numbered from 0.
    pub clients_per_tenant: u32,
    /// Tenant t owns the keys, streams and accounts `keys_per_tenant * t ..` of this number.
    pub keys_per_tenant: u64,
    /// The first so many numbers of a tenant's range are accounts that exist from the start.
    pub accounts_per_tenant: u64,
    /// What each account holds at the start.
    pub initial_balance: u64,
    /// Entries between two checkpoints.
    pub checkpoint_interval: u32,
    /// Slots of the log ring.
    pub log_slots: u32,
    /// Entries that a primary may have in flight.
    pub pipeline_max: u32,
    /// Sessions in the table.
    pub sessions_max: u32,
    /// Whether reads are answered from the state, after a quorum has confirmed who leads, instead of through the log.
    #[serde(default, skip_serializing_if = "is_off")]
    pub quorum_reads: bool,
    /// Nominal time between two ticks of the scrubbers; 0: nothing is scrubbed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub scrub_tick_ns: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
const fn is_off(switch: &bool) -> bool {
    !*switch
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl ClusterOptions {
    /// Members that vote or not.
    #[must_use]
    pub const fn members(&self) -> u8 {
        let members = self.replicas.saturating_add(self.standbys);
        if members == 0 { 1 } else { members }
    }
}

/// When the safety phase ends: whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Virtual time, nanoseconds.
    pub time_ns_max: u64,
    /// Simulated events.
    pub events_max: u64,
    /// Faults are planned up to this virtual time, nanoseconds: about when the event limit is expected to end the phase.
    pub plan_ns_max: u64,
}

/// Which families of faults are on. Swarm testing: each seed also draws what is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "a set of seven independent switches, by name in the recorded JSON")]
pub struct Families {
    /// Loss, duplication, clogs, partitions.
    pub network: bool,
    /// Failing accesses, corruption.
    pub storage: bool,
    /// Crashes and pauses.
    pub crash: bool,
    /// Offsets, drift, steps.
    pub clock: bool,
    /// Message mutation.
    pub byzantine: bool,
    /// Client crashes, bad client links.
    pub client: bool,
    /// Load bursts.
    pub load: bool,
}

impl Families {
    /// No faults at all.
    pub const NONE: Self =
        Self { network: false, storage: false, crash: false, clock: false, byzantine: false, client: false, load: false };
    /// All of them.
    pub const ALL: Self = Self { network: true, storage: true, crash: true, clock: true, byzantine: true, client: true, load: true };
    /// One by one.
    pub const EACH: [Self; 7] = [
        Self { network: true, ..Self::NONE },
        Self { storage: true, ..Self::NONE },
        Self { crash: true, ..Self::NONE },
        Self { clock: true, ..Self::NONE },
        Self { byzantine: true, ..Self::NONE },
        Self { client: true, ..Self::NONE },
        Self { load: true, ..Self::NONE },
    ];

    /// Those of either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.combine(other, |one, two| one || two)
    }

    /// Those of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.combine(other, |one, two| one && two)
    }

    /// Those of `self` that are not of `other`.
    #[must_use]
    pub fn and_not(self, other: Self) -> Self {
        self.combine(other, |one, two| one && !two)
    }

    fn combine(self, other: Self, rule: impl Fn(bool, bool) -> bool) -> Self {
        Self {
            network: rule(self.network, other.network),
            storage: rule(self.storage, other.storage),
            crash: rule(self.crash, other.crash),
            clock: rule(self.clock, other.clock),
            byzantine: rule(self.byzantine, other.byzantine),
            client: rule(self.client, other.client),
            load: rule(self.load, other.load),
        }
    }
}

/// How links clog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clogger {
    /// They do not.
    #[default]
    Off,
    /// Per link and tick: 10% clog, 50% unclog; delays doubled.
    Mild,
    /// Per link and tick: 30% clog, 20% unclog; delays tenfold, half of the messages lost.
    Aggressive,
}

/// Links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkOptions {
    /// Shortest delay, nominal nanoseconds.
    pub latency_ns_min: u64,
    /// Longest delay of a healthy link, nominal nanoseconds.
    pub latency_ns_max: u64,
    /// Loss per message.
    pub drop: Rate,
    /// Duplication per message.
    pub duplicate: Rate,
    /// Clogging.
    pub clogger: Clogger,
    /// Length of the clogger's tick, nominal nanoseconds.
    pub clog_tick_ns: u64,
    /// Chance of a partition, drawn once per `partition_tick_ns`.
    pub partition: Rate,
    /// Nominal nanoseconds between two draws.
    pub partition_tick_ns: u64,
    /// Shortest partition, nominal nanoseconds.
    pub partition_ns_min: u64,
    /// Longest partition, nominal nanoseconds.
    pub partition_ns_max: u64,
    /// Messages on their way in one direction of one link; more overflow.
    pub link_messages_max: u32,
}

/// Disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageOptions {
    /// Fastest access, nominal nanoseconds.
    pub latency_ns_min: u64,
    /// Slowest access of a healthy disk, nominal nanoseconds.
    pub latency_ns_max: u64,
    /// A write fails, and says so.
    pub write_failure: Rate,
    /// A flush fails, and says so.
    pub flush_failure: Rate,
    /// A read fails, and says so.
    pub read_failure: Rate,
    /// A stored entry is damaged, per write.
    pub corruption: Rate,
    /// At a crash, a write that was not flushed is torn (else it is lost or kept, evenly).
    pub torn_write: Rate,
    /// A read of a log slot answers, without an error, what the slot held before or another slot's entry.
    #[serde(default, skip_serializing_if = "Rate::is_never")]
    pub silent_read: Rate,
}

/// Processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashOptions {
    /// Random crashes that the plan holds, at most.
    pub random_max: u32,
    /// A crash at a commit: between commit and apply, or between apply and reply; per committed entry and replica.
    pub per_commit: Rate,
    /// A crash at a step of a view change: after `start_view_change`, after `do_view_change`, while `start_view` leaves.
    pub per_view_change_step: Rate,
    /// Shortest time until the restart, nominal nanoseconds.
    pub restart_ns_min: u64,
    /// Longest time until the restart, nominal nanoseconds.
    pub restart_ns_max: u64,
    /// Shortest time between two planned losses of the primary, nominal nanoseconds.
    pub primary_loss_ns_min: u64,
    /// Longest time between two planned losses of the primary, nominal nanoseconds.
    pub primary_loss_ns_max: u64,
    /// A crash in the middle of a write of a log entry, which it tears; per write.
    #[serde(default, skip_serializing_if = "Rate::is_never")]
    pub per_write: Rate,
    /// Crashes at protocol steps happen only while no more than so many replicas are down (the crashing one included).
    pub down_max: u8,
}

/// Gray failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrayOptions {
    /// A healthy replica turns gray, per tick.
    pub fail: Rate,
    /// A gray one recovers, per tick.
    pub recover: Rate,
    /// Length of the tick, nominal nanoseconds.
    pub tick_ns: u64,
}

/// Clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockOptions {
    /// Largest constant offset, nanoseconds either way.
    pub offset_ns_max: u64,
    /// Largest drift, parts per million either way.
    pub drift_ppm_max: u32,
    /// Largest step, nanoseconds either way.
    pub step_ns_max: u64,
}

/// Message mutation: flipped bits, cut tails, overwritten checksums of really encoded messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByzantineOptions {
    /// Mutation per message.
    pub mutation: Rate,
    /// What is done to them.
    #[serde(default, skip_serializing_if = "MutationKinds::is_mixed")]
    pub kinds: MutationKinds,
}

/// What mutation does to messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MutationKinds {
    /// Half flipped bits, the rest cut tails and false checksums.
    #[default]
    Mixed,
    /// Flipped bits only.
    BitFlips,
    /// Flipped bits, cut tails, inserted bytes, false checksums, evenly.
    AllDamage,
}

impl MutationKinds {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
    fn is_mixed(&self) -> bool {
        *self == Self::Mixed
    }
}

/// Clients and what they ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadOptions {
    /// Shortest pause between two operations of a client, nominal nanoseconds.
    pub think_ns_min: u64,
    /// Longest pause, nominal nanoseconds.
    pub think_ns_max: u64,
    /// A pause is this much longer at the rate of `rest`.
    pub rest_ns: u64,
    /// How often a client rests.
    pub rest: Rate,
    /// Operations that a client invokes at most.
    pub operations_max: u32,
    /// A client asks again after this long without a reply, nominal nanoseconds.
    pub retry_ns: u64,
    /// Client crashes that the plan holds, at most.
    pub client_crashes_max: u32,
    /// Keys of a tenant that plain writes and reads use.
    pub registers: u64,
    /// The hottest of them, which get half of the accesses.
    pub hot_registers: u64,
    /// Keys that read-modify-writes use.
    pub counters: u64,
    /// Streams of a tenant.
    pub streams: u64,
    /// How often which function is asked for.
    pub mix: Mix,
    /// So many clients of each tenant, the last ones, only read: nothing but a reply that fails to come tells them that the
    /// replica which they ask has been replaced.
    #[serde(default)]
    pub readers: u32,
    /// Operations that the state machine must refuse: appends to a stream that nobody creates.
    #[serde(default, skip_serializing_if = "Rate::is_never")]
    pub invalid: Rate,
}

/// Weights of the functions; what is not named is not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mix {
    /// Plain writes.
    pub write: u32,
    /// Plain reads.
    pub read: u32,
    /// Additions.
    pub read_modify_write: u32,
    /// Compare-and-sets.
    pub compare_and_set: u32,
    /// Scans.
    pub scan: u32,
    /// Stream appends (and creations).
    pub stream_append: u32,
    /// Stream reads.
    pub stream_read: u32,
    /// Transfers.
    pub transfer: u32,
    /// Balances of all accounts of the tenant.
    pub balance: u32,
    /// Transactions.
    pub transaction: u32,
}

impl Mix {
    /// The same without what changes anything.
    #[must_use]
    pub const fn only_reads(self) -> Self {
        Self { write: 0, read_modify_write: 0, compare_and_set: 0, stream_append: 0, transfer: 0, transaction: 0, ..self }
    }
}
