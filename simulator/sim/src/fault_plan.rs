//! The fault plan: what will be injected when, drawn before the run.
//!
//! A plan is data, so that it can be recorded, replayed without its seed, and shrunk entry by entry. Faults of single
//! accesses (a lost message, a failed write) are no part of it: they are rates in the options.

mod draw;
#[cfg(test)]
mod tests;

pub use draw::draw_plan;

use crate::attack::{Attack, CommandName};
use crate::options::Rate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vopr_schema::rows::{FaultFamily, FaultKind};

/// All planned faults of a run, by time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultPlan(pub Vec<PlannedFault>);

impl FaultPlan {
    /// As JSON text: what a history records.
    ///
    /// # Panics
    /// Never: plain integers, strings and booleans always serialise.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain integers, strings and booleans always serialise")
    }

    /// Whether links lie at some time.
    #[must_use]
    pub fn has_attacks(&self) -> bool {
        self.0.iter().any(|planned| matches!(planned.fault, Fault::Attack { .. }))
    }

    /// Whether a disk is to be replaced.
    #[must_use]
    pub fn replaces_disks(&self) -> bool {
        self.0.iter().any(|planned| matches!(planned.fault, Fault::Reformat { .. }))
    }

    /// How many members vote at least, of `first` that do at the beginning: no more damage may be done than these outlive.
    #[must_use]
    pub fn voters_min(&self, first: u8) -> u8 {
        let asked = self.0.iter().filter_map(|planned| match planned.fault {
            Fault::Reconfigure { voters: Voters::Members(members), .. } => u8::try_from(members.count_ones()).ok(),
            Fault::Reconfigure { voters: Voters::FromPrimary(count) | Voters::BehindPrimary(count), .. } => Some(count),
            _ => None,
        });
        // Nobody is asked for none: such a change is refused.
        asked.filter(|count| *count > 0).fold(first, u8::min)
    }

    /// From JSON text.
    ///
    /// # Errors
    /// The text is not JSON, or not that of a plan.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// One planned fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Virtual time of its beginning, nanoseconds.
    pub time_ns: u64,
    /// Virtual time of its end (of a crash: of the restart); none: it lasts to the end of the safety phase, or has no duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time_ns: Option<u64>,
    /// What happens.
    pub fault: Fault,
}

/// A replica, named by number or by its part at the time when the fault begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// This one.
    Replica(u8),
    /// The primary of the newest view in which some live replica is normal.
    Primary,
    /// The member so many places behind that primary (0: the next one, which leads the next view).
    Backup(u8),
}

/// One end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A replica.
    Replica(Target),
    /// A client.
    Client(ClientName),
}

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClientName {
    /// Tenant.
    pub tenant: u32,
    /// Number within the tenant.
    pub client: u32,
}

/// Which links a partition cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partition {
    /// `isolated` and all other replicas do not hear each other.
    Full {
        /// Who.
        isolated: Target,
    },
    /// Two replicas do not hear each other; both hear the rest.
    Partial {
        /// One.
        first: Target,
        /// The other.
        second: Target,
    },
    /// `deaf` hears no replica, every replica hears it.
    Asymmetric {
        /// Who.
        deaf: Target,
    },
    /// `to` does not hear `from`.
    OneWay {
        /// Who is not heard.
        from: Target,
        /// By whom.
        to: Target,
    },
}

/// How a replica is gray: alive, but not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrayMode {
    /// Its messages and disk accesses take so many times as long.
    Slow {
        /// 2 to 11.
        factor: u32,
    },
    /// So many of its messages (in and out) and disk accesses fail.
    Intermittent {
        /// 10 to 59%.
        failure: Rate,
    },
    /// Its disk reads work, its writes fail.
    ReadsOnly,
    /// Its disk writes work, its reads fail.
    WritesOnly,
    /// It neither sends nor receives.
    Unresponsive,
}

/// Which stored copy is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// An entry of the log: 0 is the oldest in the ring, 1,000,000 the head.
    Entry {
        /// Where between them.
        position: Rate,
    },
    /// A copy of the superblock.
    Superblock {
        /// Which.
        copy: u8,
    },
    /// A checkpoint.
    Checkpoint {
        /// Which place.
        place: u8,
    },
}

/// Which members an administrator wants to vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voters {
    /// These, as a bit set.
    Members(u32),
    /// So many in a row, the primary first.
    FromPrimary(u8),
    /// So many in a row behind the primary, which is removed.
    BehindPrimary(u8),
}

/// What is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Replicas are cut from each other.
    Partition {
        /// Which links.
        shape: Partition,
        /// Whether the cut replica's links to clients are cut the same way.
        clients_too: bool,
    },
    /// A directed link is slow and lossy.
    Clog {
        /// Sender.
        from: Endpoint,
        /// Receiver.
        to: Endpoint,
        /// Delays are multiplied by this.
        delay_factor: u32,
        /// Loss, on top of the link's own.
        drop: Rate,
    },
    /// A replica is gray.
    Gray {
        /// Who.
        target: Target,
        /// How.
        mode: GrayMode,
    },
    /// A process dies, and comes back at the end of the fault.
    Crash {
        /// Who.
        target: Target,
    },
    /// A process dies and its disk is replaced by an empty one, if so few are at present that the others lack nothing; it comes back at
    /// the end of the fault.
    Reformat {
        /// Who.
        target: Target,
    },
    /// A process is not scheduled until the end of the fault.
    Pause {
        /// Who.
        target: Target,
    },
    /// A clock is off by a constant while the fault lasts.
    ClockOffset {
        /// Whose.
        target: Target,
        /// Nanoseconds.
        offset_ns: i64,
    },
    /// A clock runs fast (or slow) while the fault lasts; what it has gained stays.
    ClockDrift {
        /// Whose.
        target: Target,
        /// Parts per million.
        ppm: i32,
    },
    /// A clock jumps.
    ClockStep {
        /// Whose.
        target: Target,
        /// Nanoseconds.
        step_ns: i64,
    },
    /// A client loses its session and its pending operation; it comes back at the end of the fault, its request numbers reset.
    ClientCrash {
        /// Who.
        client: ClientName,
    },
    /// A client cannot reach a replica, nor hear it.
    ClientPartition {
        /// Who.
        client: ClientName,
        /// Whom.
        replica: Target,
    },
    /// All links of a tenant's clients lose messages.
    TenantLoss {
        /// Whose.
        tenant: u32,
        /// How much, on top of the links' own.
        loss: Rate,
    },
    /// Stored bytes are damaged, unless the atlas says that too few good copies are left.
    Corruption {
        /// Whose disk.
        target: Target,
        /// Which copy.
        place: Place,
        /// How many bits flip.
        bits: u8,
    },
    /// A slot of the log inside the ring holds what it held before its last write, whole in itself; the atlas permitting.
    StaleRead {
        /// Whose disk.
        target: Target,
        /// Which entry, as in [`Place::Entry`].
        position: Rate,
    },
    /// The write of an entry inside the ring went to the next slot, and its own holds what it held before; the atlas permitting.
    MisdirectedWrite {
        /// Whose disk.
        target: Target,
        /// Which entry, as in [`Place::Entry`].
        position: Rate,
    },
    /// A share of a disk's accesses takes longer while the fault lasts.
    SlowDisk {
        /// Whose disk.
        target: Target,
        /// Which share.
        share: Rate,
        /// How much longer, nanoseconds of virtual time.
        delay_ns: u64,
        /// How much longer at most, each access drawing its own time; none: always `delay_ns`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delay_ns_max: Option<u64>,
    },
    /// A share of the entries of a log goes bad at once, the newest one too if asked for; the atlas permitting.
    CorruptLog {
        /// Whose disk.
        target: Target,
        /// Which share.
        share: Rate,
        /// Whether the newest entry is among them.
        head: bool,
    },
    /// Clients do not pause between operations while the fault lasts.
    LoadBurst,
    /// An administrator asks for other voters.
    Reconfigure {
        /// Which of them, 0 or 1.
        administrator: u8,
        /// Who is to vote.
        voters: Voters,
    },
    /// The links of a replica lie while the fault lasts.
    Attack {
        /// Whose.
        from: Target,
        /// To whom; none: to everybody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Target>,
        /// About which messages; none: about all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<CommandName>,
        /// How.
        attack: Attack,
        /// How often.
        chance: Rate,
    },
}

impl Fault {
    /// Its family.
    #[must_use]
    pub const fn family(&self) -> FaultFamily {
        match self {
            Self::Partition { .. } | Self::Clog { .. } | Self::Gray { .. } => FaultFamily::Network,
            Self::Crash { .. } | Self::Reformat { .. } | Self::Pause { .. } => FaultFamily::Crash,
            Self::ClockOffset { .. } | Self::ClockDrift { .. } | Self::ClockStep { .. } => FaultFamily::Clock,
            Self::ClientCrash { .. } | Self::ClientPartition { .. } | Self::TenantLoss { .. } => FaultFamily::Client,
            Self::Corruption { .. }
            | Self::CorruptLog { .. }
            | Self::StaleRead { .. }
            | Self::MisdirectedWrite { .. }
            | Self::SlowDisk { .. } => FaultFamily::Storage,
            Self::LoadBurst | Self::Reconfigure { .. } => FaultFamily::Load,
            Self::Attack { .. } => FaultFamily::Byzantine,
        }
    }

    /// The word for it in a history.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Partition { shape: Partition::Full { .. }, .. } => FaultKind::PartitionFull,
            Self::Partition { shape: Partition::Partial { .. }, .. } => FaultKind::PartitionPartial,
            Self::Partition { shape: Partition::Asymmetric { .. }, .. } => FaultKind::PartitionAsymmetric,
            Self::Partition { shape: Partition::OneWay { .. }, .. } => FaultKind::PartitionOneWay,
            Self::Clog { .. } => FaultKind::Clog,
            Self::Gray { mode: GrayMode::Slow { .. }, .. } => FaultKind::GraySlow,
            Self::Gray { mode: GrayMode::Intermittent { .. }, .. } => FaultKind::GrayIntermittent,
            Self::Gray { mode: GrayMode::ReadsOnly | GrayMode::WritesOnly, .. } => FaultKind::GrayPartial,
            Self::Gray { mode: GrayMode::Unresponsive, .. } => FaultKind::GrayUnresponsive,
            Self::Crash { .. } => FaultKind::Crash,
            Self::Reformat { .. } => FaultKind::Reformat,
            Self::Pause { .. } => FaultKind::Pause,
            Self::ClockOffset { .. } => FaultKind::ClockOffset,
            Self::ClockDrift { .. } => FaultKind::ClockDrift,
            Self::ClockStep { .. } => FaultKind::ClockStep,
            Self::ClientCrash { .. } => FaultKind::ClientCrash,
            Self::ClientPartition { .. } => FaultKind::ClientPartition,
            Self::TenantLoss { .. } => FaultKind::TenantFault,
            Self::Corruption { .. } | Self::CorruptLog { .. } => FaultKind::Corruption,
            Self::StaleRead { .. } => FaultKind::StaleRead,
            Self::MisdirectedWrite { .. } => FaultKind::MisdirectedWrite,
            Self::SlowDisk { .. } => FaultKind::SlowDisk,
            Self::LoadBurst => FaultKind::LoadBurst,
            Self::Reconfigure { .. } => FaultKind::Reconfigure,
            Self::Attack { .. } => FaultKind::Attack,
        }
    }

    /// Its strength, as the history's column means it for this kind of fault; 0 where it has none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "offsets of less than 2^53 ns, which is 104 days")]
    pub fn magnitude(&self) -> f64 {
        match *self {
            Self::Clog { delay_factor: factor, .. } | Self::Gray { mode: GrayMode::Slow { factor }, .. } => f64::from(factor),
            Self::Gray { mode: GrayMode::Intermittent { failure: rate }, .. } | Self::TenantLoss { loss: rate, .. } => rate.share(),
            // The history's word for both is gray_partial: 1 says that writes fail, 0 that reads fail.
            Self::Gray { mode: GrayMode::ReadsOnly, .. } => 1.0,
            Self::Attack { chance, .. } => chance.share(),
            Self::ClockOffset { offset_ns, .. } => offset_ns as f64,
            Self::ClockStep { step_ns, .. } => step_ns as f64,
            Self::ClockDrift { ppm, .. } => f64::from(ppm),
            Self::Corruption { bits, .. } => f64::from(bits),
            Self::SlowDisk { delay_ns, .. } => delay_ns as f64,
            _ => 0.0,
        }
    }
}
