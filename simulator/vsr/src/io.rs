//! Inputs and effects: everything that passes between a replica and its host. Their order is the contract.
//!
//! Effects are carried out in the order in which they stand. A host may stop after any of them (a crash) and drop the rest.

use crate::checkpoint::Checkpoint;
use crate::entry::Entry;
use crate::ids::{ClientKey, Epoch, Hash, Op, RequestNumber, SessionNumber, View};
use crate::message::{Message, RejectReason};
use crate::reconfiguration::Membership;
use crate::superblock::Superblock;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What the host's clocks read at a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The clock that tells the time, and that can be wrong and be set, nanoseconds.
    pub wall_ns: u64,
    /// The clock that only ever goes on while the incarnation lasts, at about the rate of true time, nanoseconds from any beginning.
    pub monotonic_ns: u64,
}

impl From<u64> for Now {
    /// A host with one clock, which nobody sets.
    fn from(ns: u64) -> Self {
        Self { wall_ns: ns, monotonic_ns: ns }
    }
}

/// What a host hands to a replica.
#[derive(Clone, Debug)]
pub enum Input {
    /// The first input of every incarnation, after [`crate::Replica::new`] or [`crate::Replica::restart`].
    Start,
    /// A message as sent. May be lost, doubled, delayed and reordered by the network.
    Message(Message),
    /// The bytes of a message that a fault has touched; the replica decodes and checks them.
    Bytes(Vec<u8>),
    /// A timer set earlier has run out. Never early; late by any amount.
    Timer(Timer),
    /// The write is durable: written and flushed. Completions may come in any order.
    Written(WriteId),
    /// The write or its flush failed; nothing is known of what the disk holds there. The replica asks again with the same id.
    WriteFailed(WriteId),
    /// The answer to [`Effect::Read`]. A failed read answers [`Stored::Failed`].
    Read {
        /// Which read.
        read: ReadId,
        /// What the slot held.
        content: Stored<Arc<Entry>>,
    },
    /// The answer to [`Effect::Scan`]: what each place held, in the order asked for.
    Scanned {
        /// Which read.
        read: ReadId,
        /// What the places held.
        contents: Vec<PlaceContent>,
    },
}

/// What a replica asks of its host.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Sends a message to the peer that it names.
    Send(Message),
    /// Writes and flushes; answered by [`Input::Written`] or [`Input::WriteFailed`].
    Persist {
        /// Name of the write, unique within an incarnation.
        write: WriteId,
        /// What to write; its place follows from it.
        what: Write,
    },
    /// Reads one slot of the log ring; answered by [`Input::Read`].
    Read {
        /// Name of the read, unique within an incarnation.
        read: ReadId,
        /// Index of the slot.
        slot: u32,
    },
    /// Reads several places for the scrubber, in no hurry; answered by [`Input::Scanned`] when the last of them has been read.
    Scan {
        /// Name of the read, unique among the scrubber's within an incarnation.
        read: ReadId,
        /// Which places.
        places: Vec<Place>,
    },
    /// Starts a timer, replacing a running one of the same name. The host may add up to a tenth, drawn at random, so that
    /// replicas do not time out in step.
    SetTimer {
        /// Which.
        timer: Timer,
        /// Nanoseconds of the replica's own clock.
        after_ns: u64,
    },
    /// Stops a timer, if it runs.
    CancelTimer(Timer),
    /// Tells what happened, for the record; a host that records nothing ignores it.
    Note {
        /// The replica after the event.
        state: StateSummary,
        /// The event.
        note: Note,
    },
    /// The message that this step was given was refused and changed nothing.
    Reject(RejectReason),
}

/// Name of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u64);

/// Name of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// What a write puts on disk. The host keeps, per replica: [`crate::constants::SUPERBLOCK_COPIES`] copies of the superblock,
/// the ring of [`crate::Config::log_slots`] entries (slot = op mod slots), two checkpoints.
#[derive(Clone, Debug, Hash)]
pub enum Write {
    /// One copy of the superblock.
    Superblock {
        /// Which copy.
        copy: u8,
        /// Its content.
        superblock: Superblock,
    },
    /// An entry into its slot of the ring.
    Entry(Arc<Entry>),
    /// A checkpoint into one of two places.
    Checkpoint {
        /// Which place, 0 or 1.
        place: u8,
        /// Its content.
        checkpoint: Arc<Checkpoint>,
    },
}

/// What a place on disk answers.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub enum Stored<T> {
    /// Never written since the disk was formatted.
    #[default]
    Blank,
    /// Exactly what was written there last.
    Value(T),
    /// Bytes that a fault has touched; the replica decodes and checks them.
    Bytes(Vec<u8>),
    /// The read failed.
    Failed,
}

/// A place on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A slot of the log ring.
    Slot(u32),
    /// A checkpoint.
    Checkpoint(u8),
    /// A copy of the superblock.
    Superblock(u8),
}

/// What a [`Place`] answers.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum PlaceContent {
    /// Of a slot.
    Slot(Stored<Arc<Entry>>),
    /// Of a checkpoint's place.
    Checkpoint(Stored<Arc<Checkpoint>>),
    /// Of a copy of the superblock.
    Superblock(Stored<Superblock>),
}

/// Everything that a disk holds, read at a restart.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct DiskImage {
    /// All copies of the superblock.
    pub superblocks: Vec<Stored<Superblock>>,
    /// All slots of the ring.
    pub log: Vec<Stored<Arc<Entry>>>,
    /// Both checkpoint places.
    pub checkpoints: Vec<Stored<Arc<Checkpoint>>>,
}

/// Timers of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Timer {
    /// Primary: prepares without a quorum are sent again.
    Prepare,
    /// Primary: commit message.
    Heartbeat,
    /// Backup: no word from the primary.
    ViewChange,
    /// The view change in progress takes too long.
    ViewChangeWindow,
    /// View-change messages are sent again.
    ViewChangeResend,
    /// A recovering replica asks again.
    Recovery,
    /// Missing entries are asked for.
    Repair,
    /// A checkpoint is asked for again.
    StateTransfer,
    /// Primary: no acknowledgement for too long.
    Abdication,
    /// Clock samples.
    Ping,
    /// Scrubber.
    Scrub,
}

impl Timer {
    /// All timers, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Prepare,
        Self::Heartbeat,
        Self::ViewChange,
        Self::ViewChangeWindow,
        Self::ViewChangeResend,
        Self::Recovery,
        Self::Repair,
        Self::StateTransfer,
        Self::Abdication,
        Self::Ping,
        Self::Scrub,
    ];
}

/// Protocol status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Status {
    /// Takes part in its view.
    #[default]
    Normal,
    /// Works on a newer view.
    ViewChange,
    /// Restarted, view or head not yet certain: does not vote.
    Recovering,
    /// Waits for a checkpoint: does not vote.
    StateTransfer,
}

/// A replica in one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateSummary {
    /// Status.
    pub status: Status,
    /// View.
    pub view: View,
    /// Last view in which it was normal.
    pub last_normal_view: View,
    /// Head of its log.
    pub op: Op,
    /// Commit number.
    pub commit: Op,
    /// Epoch.
    pub epoch: Epoch,
}

/// What an entry is known by in notes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EntryName {
    /// Op number.
    pub op: Op,
    /// Hash.
    pub hash: Hash,
}

/// An event worth recording. The meaning of each is that of the history format's transition of the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// First start, empty disk.
    Started,
    /// A new incarnation has read its disk.
    Restarted,
    /// The status changed.
    StatusChanged,
    /// Normal in a new view; on its primary, the members whose `do_view_change` it was built from.
    ViewEntered {
        /// Hash of the head.
        head: Hash,
        /// Bit set of members.
        quorum: Option<u32>,
    },
    /// A view-change vote for `view` leaves; with the head's hash if it is a `do_view_change`.
    VoteCast {
        /// The view voted for.
        view: View,
        /// Hash of the head.
        head: Option<Hash>,
    },
    /// An entry was put into the log in memory.
    EntryAppended(Arc<Entry>),
    /// An entry is durable here.
    EntryDurable(EntryName),
    /// An entry left the log.
    EntryTruncated(EntryName),
    /// This replica votes for an entry.
    Acknowledged(EntryName),
    /// An entry is committed here; on the primary that counted, the members that voted.
    Committed {
        /// Which.
        entry: EntryName,
        /// Bit set of members.
        quorum: Option<u32>,
    },
    /// An entry was applied.
    Applied {
        /// The entry.
        entry: Arc<Entry>,
        /// State after it.
        state_hash: u64,
    },
    /// A reply leaves.
    Replied {
        /// To whom.
        client: ClientKey,
        /// Session.
        session: SessionNumber,
        /// Request.
        request: RequestNumber,
        /// Log position that it reports.
        op: Op,
        /// Of a read without an entry: bit set of the members that have confirmed who leads.
        quorum: Option<u32>,
    },
    /// A checkpoint was taken.
    CheckpointTaken {
        /// Last entry in it.
        entry: EntryName,
        /// State.
        state_hash: u64,
    },
    /// A checkpoint is durable and named by the superblock.
    CheckpointDurable(Op),
    /// Ring slots up to this op may be reused.
    LogTrimmed(Op),
    /// A peer's checkpoint replaced the state.
    StateInstalled {
        /// Last entry in it.
        entry: EntryName,
        /// State.
        state_hash: u64,
    },
    /// A session was registered (session = op).
    SessionRegistered {
        /// Whose.
        client: ClientKey,
        /// Op number.
        op: Op,
    },
    /// A session was evicted.
    SessionEvicted {
        /// Whose.
        client: ClientKey,
        /// Which.
        session: SessionNumber,
        /// Registration that needed the room.
        op: Op,
    },
    /// An entry was asked for.
    RepairRequested {
        /// Op number.
        op: Op,
        /// Hash, where known.
        hash: Option<Hash>,
    },
    /// A missing or damaged entry was filled in.
    Repaired(EntryName),
    /// Damage was found.
    CorruptionDetected {
        /// Slot's op number, for entries.
        op: Option<Op>,
        /// What was damaged.
        what: Damage,
    },
    /// The scrubber has read the slot of an op; none: another place.
    ScrubRead(Option<Op>),
    /// The scrubber has seen every place once more.
    TourCompleted,
    /// The primary stamped an entry.
    TimestampAssigned {
        /// Which.
        op: Op,
        /// Nanoseconds.
        timestamp: u64,
        /// Whether the primary did not know the time, and its fallback rule said what to stamp.
        is_fallback: bool,
    },
    /// The time is known: a quorum's clocks agree on it, the own one among them.
    ClockSynchronised {
        /// It is at least this, nanoseconds.
        low_ns: u64,
        /// It is at most this, nanoseconds.
        high_ns: u64,
        /// Bit set of the members whose clocks were compared.
        sources: u32,
    },
    /// The time is not known any more.
    ClockLost(ClockLoss),
    /// A primary stepped down.
    Abdicated(AbdicationCause),
    /// A configuration is in force here.
    EpochEntered(Membership),
    /// A timer ran out (heartbeats are not noted).
    TimerFired(Timer),
}

/// What was found damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Damage {
    /// An entry without its end marker.
    TornEntry,
    /// An entry whose checksum or hash does not match.
    CorruptEntry,
    /// A slot with another slot's, or an older, entry.
    MisplacedEntry,
    /// A copy of the superblock.
    Superblock,
    /// A checkpoint.
    Checkpoint,
    /// A message.
    Message,
}

/// Why the time is not known any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClockLoss {
    /// What was agreed on is too old.
    Expired,
    /// A quorum agrees that the own clock is wrong.
    Contradicted,
    /// The own clock has been set.
    Stepped,
}

/// Why a primary stepped down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbdicationCause {
    /// Acknowledgements of a quorum stopped.
    NoQuorum,
    /// The clock is not synchronised.
    ClockUnsynchronised,
    /// It does not vote in the configuration in force.
    Removed,
    /// A voter may take part again only in a later view.
    HigherView,
}
