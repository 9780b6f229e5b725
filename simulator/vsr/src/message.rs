//! The messages of the protocol.
//!
//! They travel by value inside one process; large bodies are boxed so that the common ones stay small. The wire form is in
//! [`crate::codec`].

use crate::checkpoint::Checkpoint;
use crate::entry::Entry;
use crate::ids::{ClientKey, Epoch, Hash, Op, Peer, ReplicaId, RequestNumber, SessionNumber, View};
use crate::reconfiguration::Membership;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

macro_rules! names {
    ($(#[$meta:meta])* $enum:ident { $($(#[$doc:meta])* $name:ident => $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $enum {
            $($(#[$doc])* $name,)*
        }

        impl $enum {
            /// All values, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in histories.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        impl core::fmt::Display for $enum {
            fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                formatter.pad(self.name())
            }
        }
    };
}

names! {
    /// The kind of a message.
    Command {
        /// Client to replica.
        Request => "request",
        /// Primary to backups: one log entry.
        Prepare => "prepare",
        /// Backup to primary: the entry is durable here.
        PrepareOk => "prepare_ok",
        /// Replica to client: the result.
        Reply => "reply",
        /// Primary to backups: heartbeat with the commit number.
        Commit => "commit",
        /// Sample of a clock, or a suspicious backup's question.
        Ping => "ping",
        /// Its answer.
        Pong => "pong",
        /// A vote to leave the current view.
        StartViewChange => "start_view_change",
        /// A replica's log, to the primary of the new view.
        DoViewChange => "do_view_change",
        /// The new view's log, from its primary.
        StartView => "start_view",
        /// Asks the primary of a newer view for its `start_view`.
        GetView => "get_view",
        /// Asks for entries by op number and hash.
        RepairRequest => "repair_request",
        /// Entries asked for.
        RepairResponse => "repair_response",
        /// What was asked for is not here, or the request was refused.
        Nack => "nack",
        /// Asks for a checkpoint.
        StateTransferRequest => "state_transfer_request",
        /// A checkpoint and the log after it.
        StateTransferResponse => "state_transfer_response",
        /// A restarted replica asks for the current view and what its head was.
        RecoveryRequest => "recovery_request",
        /// The answer.
        RecoveryResponse => "recovery_response",
        /// Client to replica: a new session, please.
        Register => "register",
        /// Replica to client: your session is gone.
        Eviction => "eviction",
        /// Replica to client: another replica is the primary of the current view.
        Redirect => "redirect",
        /// A change of membership.
        Reconfigure => "reconfigure",
    }
}

names! {
    /// Why a message was refused. A refused message changed nothing.
    RejectReason {
        /// Header or body checksum does not match.
        Checksum => "checksum",
        /// It cannot be decoded.
        Malformed => "malformed",
        /// Another cluster's message.
        WrongCluster => "wrong_cluster",
        /// Another epoch's message.
        WrongEpoch => "wrong_epoch",
        /// The sender is no member.
        NotMember => "not_member",
        /// Its view is older than the receiver's.
        OldView => "old_view",
        /// Its view is newer: the receiver asks for `start_view` instead.
        NewerView => "newer_view",
        /// The receiver's status does not allow it.
        WrongStatus => "wrong_status",
        /// Only the primary may handle it, or its sender is not the primary of its view.
        NotPrimary => "not_primary",
        /// Addressed to another replica.
        WrongDestination => "wrong_destination",
        /// Its entry contradicts its header.
        InvalidMetadata => "invalid_metadata",
        /// Entry hashes do not connect.
        BrokenChain => "broken_chain",
        /// Tail length differs from op - commit.
        TailLengthMismatch => "tail_length_mismatch",
        /// Longer than the limits allow.
        TooLarge => "too_large",
        /// First after last, or beyond the log.
        InvalidRange => "invalid_range",
        /// Its commit number exceeds what its log proves.
        CommitBeyondLog => "commit_beyond_log",
        /// It would change an entry at or below the receiver's commit number.
        ConflictsWithCommitted => "conflicts_with_committed",
        /// Not the entry that was asked for, or voted for.
        HashMismatch => "hash_mismatch",
        /// Already counted.
        Duplicate => "duplicate",
        /// Of no use any more: answered, superseded, or too old.
        Stale => "stale",
        /// The session is not, or no longer, in the table.
        UnknownSession => "unknown_session",
        /// A request number below the session's last one.
        OldRequest => "old_request",
        /// The primary's pipeline or log ring has no room: the client tries again.
        PipelineFull => "pipeline_full",
        /// The slot holds another entry by now.
        SlotChanged => "slot_changed",
        /// The primary does not know the time.
        ClockUnsynchronised => "clock_unsynchronised",
        /// Another change of membership is not committed yet: the client tries again.
        ReconfigurationPending => "reconfiguration_pending",
        /// A change names a member that lacks too much, or has not said what it has: the client tries again.
        NotCaughtUp => "not_caught_up",
    }
}

names! {
    /// Why something was not handed over.
    NackReason {
        /// Certainly never prepared here.
        NeverPrepared => "never_prepared",
        /// A checkpoint has replaced it.
        Trimmed => "trimmed",
        /// It was here once, but the slot is damaged, or holds another entry.
        Missing => "missing",
        /// The request made no sense.
        InvalidRange => "invalid_range",
    }
}

/// One slot of the log in a [`DoViewChange`].
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum TailSlot {
    /// The entry is here.
    Present(Arc<Entry>),
    /// An entry belongs here but cannot be read; its hash, where known.
    Missing(Option<Hash>),
}

impl TailSlot {
    /// The hash of the entry that belongs here, where known.
    #[must_use]
    pub fn hash(&self) -> Option<Hash> {
        match self {
            Self::Present(entry) => Some(entry.hash),
            Self::Missing(hash) => *hash,
        }
    }
}

/// A replica's log on its way to the primary of a new view.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct DoViewChange {
    /// Last view in which the sender was normal: the log is that view's.
    pub last_normal_view: View,
    /// An op that the sender knows to be committed.
    pub commit: Op,
    /// Hash of the entry there.
    pub commit_hash: Hash,
    /// Head of the log.
    pub op: Op,
    /// Hash of the head.
    pub hash: Hash,
    /// Slots after the head of which the sender does not know what they held.
    pub uncertain: u32,
    /// Entries after this op can be asked for at the sender.
    pub retained: Op,
    /// Op of the sender's durable checkpoint.
    pub checkpoint: Op,
    /// The slots after `commit`, up to the head.
    pub tail: Vec<TailSlot>,
}

/// A view's log, as its primary vouches for it.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct StartView {
    /// Commit number.
    pub commit: Op,
    /// Hash of the entry there.
    pub commit_hash: Hash,
    /// Head of the log.
    pub op: Op,
    /// Hash of the head.
    pub hash: Hash,
    /// Slots up to this op may be reused.
    pub trim: Op,
    /// The entries after `commit`, up to the head.
    pub entries: Vec<Arc<Entry>>,
}

/// A checkpoint and the whole log after it.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct StateTransfer {
    /// The checkpoint.
    pub checkpoint: Arc<Checkpoint>,
    /// Commit number.
    pub commit: Op,
    /// Head of the log.
    pub op: Op,
    /// Hash of the head.
    pub hash: Hash,
    /// Slots up to this op may be reused.
    pub trim: Op,
    /// The entries after the checkpoint, up to the head.
    pub entries: Vec<Arc<Entry>>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Body {
    /// A client's request.
    Request {
        /// Session.
        session: SessionNumber,
        /// Request number, from 1.
        request: RequestNumber,
        /// Command of the state machine.
        command: Arc<[u8]>,
    },
    /// A client wants a session.
    Register {
        /// Drawn anew by each incarnation of a client; the same nonce gets the same session.
        nonce: u64,
    },
    /// The result of a request (of a registration: `session` is the new one, `request` is 0).
    Reply {
        /// Session.
        session: SessionNumber,
        /// Request number.
        request: RequestNumber,
        /// Log position.
        op: Op,
        /// [`crate::entry::request_hash`] of the request that is answered.
        request_hash: Hash,
        /// Result.
        result: Arc<[u8]>,
    },
    /// The session is gone.
    Eviction {
        /// Which.
        session: SessionNumber,
    },
    /// The header's view, which has started, has another primary.
    Redirect,
    /// One log entry.
    Prepare {
        /// The entry.
        entry: Arc<Entry>,
        /// Commit number of the primary.
        commit: Op,
    },
    /// The entry is durable at the sender.
    PrepareOk {
        /// Which entry.
        op: Op,
        /// Its hash.
        hash: Hash,
        /// Op of the sender's durable checkpoint.
        checkpoint: Op,
    },
    /// Heartbeat.
    Commit {
        /// Commit number of the primary.
        commit: Op,
        /// Hash of the entry there.
        commit_hash: Hash,
        /// Slots up to this op may be reused.
        trim: Op,
        /// Whether the primary wants a sign of life.
        ask: bool,
        /// Which round of heartbeats this is: the answer names it.
        round: u64,
    },
    /// Sample of a clock, and a backup's question whether others still hear the primary.
    Ping {
        /// The sender's monotonic clock, nanoseconds: the answer repeats it.
        sent_ns: u64,
        /// Whether the sender has lost its primary.
        suspects: bool,
    },
    /// Answer to a ping, or to a heartbeat that asks.
    Pong {
        /// `sent_ns` of the ping; 0 for a heartbeat.
        sent_ns: u64,
        /// The sender's clock, nanoseconds.
        clock_ns: u64,
        /// Whether the sender's clock is synchronised.
        synchronised: bool,
        /// Round of the heartbeat; 0 for a ping.
        round: u64,
        /// Whether the sender has lost its primary.
        suspects: bool,
        /// Whether the sender's vote counts: not a new member's yet, nor that of a replica whose disk was replaced.
        votes: bool,
        /// Op of the sender's durable checkpoint.
        checkpoint: Op,
    },
    /// The sender has left its view for the header's.
    StartViewChange,
    /// The sender's log.
    DoViewChange(Box<DoViewChange>),
    /// The view has started.
    StartView(Box<StartView>),
    /// Asks for the header's view.
    GetView,
    /// Asks for a range of entries.
    RepairRequest {
        /// First op wanted.
        first: Op,
        /// Last op wanted.
        last: Op,
        /// Hash of the last.
        hash: Hash,
    },
    /// The entries of a range, in order.
    RepairResponse {
        /// The entries, hash-connected, the last being the one whose hash was named.
        entries: Vec<Arc<Entry>>,
    },
    /// A range cannot be handed over.
    Nack {
        /// First op wanted.
        first: Op,
        /// Last op wanted.
        last: Op,
        /// Why not.
        reason: NackReason,
    },
    /// Asks for a checkpoint.
    StateTransferRequest {
        /// Commit number of the sender: the checkpoint must be beyond.
        commit: Op,
    },
    /// A checkpoint and the log after it.
    StateTransferResponse(Box<StateTransfer>),
    /// A restarted replica asks for the current view.
    RecoveryRequest {
        /// Never used by an earlier incarnation, so that no answer to it can be mistaken for this one's.
        nonce: u64,
    },
    /// The answer: the log, if the sender is the primary.
    RecoveryResponse {
        /// Nonce of the request; 0 of what was not asked for.
        nonce: u64,
        /// The configuration in force at the sender, whose epoch is the header's.
        membership: Membership,
        /// The log of the header's view.
        start: Option<Box<StartView>>,
    },
    /// A change of membership, on top of the header's epoch.
    Reconfigure {
        /// Session.
        session: SessionNumber,
        /// Request number.
        request: RequestNumber,
        /// The voting members wanted, as a bit set.
        members: u32,
    },
}

/// A message of the protocol.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Message {
    /// Epoch of the sender; of a client only where it asks for a change of membership.
    pub epoch: Epoch,
    /// View that the message belongs to: the sender's, the voted, or the wanted one. To clients only views that have started.
    pub view: View,
    /// Sender.
    pub from: Peer,
    /// Receiver.
    pub to: Peer,
    /// What it says.
    pub body: Body,
}

/// What a history records of a message, whatever its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// View; none in messages of clients.
    pub view: Option<View>,
    /// Last normal view.
    pub last_normal_view: Option<View>,
    /// Op number: of the entry, of the head, of the reply.
    pub op: Option<Op>,
    /// Commit number.
    pub commit: Option<Op>,
    /// Hash of that entry, or of the head.
    pub hash: Option<Hash>,
    /// First carried or wanted op.
    pub log_first: Option<Op>,
    /// How many are carried or wanted.
    pub log_count: Option<u32>,
    /// The client at one end.
    pub client: Option<ClientKey>,
    /// Session.
    pub session: Option<SessionNumber>,
    /// Request number.
    pub request: Option<RequestNumber>,
}

impl Message {
    /// The kind.
    #[must_use]
    pub const fn command(&self) -> Command {
        match &self.body {
            Body::Request { .. } => Command::Request,
            Body::Register { .. } => Command::Register,
            Body::Reply { .. } => Command::Reply,
            Body::Eviction { .. } => Command::Eviction,
            Body::Redirect => Command::Redirect,
            Body::Prepare { .. } => Command::Prepare,
            Body::PrepareOk { .. } => Command::PrepareOk,
            Body::Commit { .. } => Command::Commit,
            Body::Ping { .. } => Command::Ping,
            Body::Pong { .. } => Command::Pong,
            Body::StartViewChange => Command::StartViewChange,
            Body::DoViewChange(_) => Command::DoViewChange,
            Body::StartView(_) => Command::StartView,
            Body::GetView => Command::GetView,
            Body::RepairRequest { .. } => Command::RepairRequest,
            Body::RepairResponse { .. } => Command::RepairResponse,
            Body::Nack { .. } => Command::Nack,
            Body::StateTransferRequest { .. } => Command::StateTransferRequest,
            Body::StateTransferResponse(_) => Command::StateTransferResponse,
            Body::RecoveryRequest { .. } => Command::RecoveryRequest,
            Body::RecoveryResponse { .. } => Command::RecoveryResponse,
            Body::Reconfigure { .. } => Command::Reconfigure,
        }
    }

    /// The sender, if it is a replica.
    #[must_use]
    pub const fn from_replica(&self) -> Option<ReplicaId> {
        match self.from {
            Peer::Replica(replica) => Some(replica),
            Peer::Client(_) => None,
        }
    }

    /// What a history records of it.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let client = match (self.from, self.to) {
            (Peer::Client(client), _) | (_, Peer::Client(client)) => Some(client),
            _ => None,
        };
        let view = matches!(self.from, Peer::Replica(_)).then_some(self.view);
        let mut summary = Summary { view, client, ..Summary::default() };
        summary.fill_from(&self.body);
        summary
    }
}

impl Summary {
    fn fill_from(&mut self, body: &Body) {
        match body {
            Body::Request { session, request, .. } | Body::Reconfigure { session, request, .. } => {
                (self.session, self.request) = (Some(*session), Some(*request));
            }
            Body::Reply { session, request, op, .. } => {
                (self.session, self.request, self.op) = (Some(*session), Some(*request), Some(*op));
            }
            Body::Eviction { session } => self.session = Some(*session),
            Body::Prepare { entry, commit } => {
                (self.op, self.hash, self.commit) = (Some(entry.op), Some(entry.hash), Some(*commit));
            }
            Body::PrepareOk { op, hash, .. } => (self.op, self.hash) = (Some(*op), Some(*hash)),
            Body::Commit { commit, commit_hash, .. } => (self.commit, self.hash) = (Some(*commit), Some(*commit_hash)),
            Body::DoViewChange(vote) => {
                self.last_normal_view = Some(vote.last_normal_view);
                self.log(vote.op, vote.hash, vote.commit, Op(vote.commit.0 + 1), vote.tail.len());
            }
            Body::StartView(start) | Body::RecoveryResponse { start: Some(start), .. } => {
                self.log(start.op, start.hash, start.commit, Op(start.commit.0 + 1), start.entries.len());
            }
            Body::StateTransferResponse(transfer) => {
                let first = Op(transfer.checkpoint.op.0 + 1);
                self.log(transfer.op, transfer.hash, transfer.commit, first, transfer.entries.len());
            }
            Body::RepairRequest { first, last, hash } => {
                (self.op, self.hash, self.log_first) = (Some(*last), Some(*hash), Some(*first));
                self.log_count = Some(range_len(*first, *last));
            }
            Body::RepairResponse { entries } => {
                (self.op, self.hash) = (entries.last().map(|entry| entry.op), entries.last().map(|entry| entry.hash));
                self.log_first = entries.first().map(|entry| entry.op);
                self.log_count = Some(count(entries.len()));
            }
            Body::Nack { first, last, .. } => {
                (self.op, self.log_first, self.log_count) = (Some(*last), Some(*first), Some(range_len(*first, *last)));
            }
            Body::StateTransferRequest { commit } => self.commit = Some(*commit),
            Body::Register { .. } => self.request = Some(RequestNumber(0)),
            Body::Redirect
            | Body::Ping { .. }
            | Body::Pong { .. }
            | Body::StartViewChange
            | Body::GetView
            | Body::RecoveryRequest { .. }
            | Body::RecoveryResponse { start: None, .. } => {}
        }
    }

    fn log(&mut self, op: Op, hash: Hash, commit: Op, first: Op, carried: usize) {
        (self.op, self.hash, self.commit) = (Some(op), Some(hash), Some(commit));
        (self.log_first, self.log_count) = (Some(first), Some(count(carried)));
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn range_len(first: Op, last: Op) -> u32 {
    u32::try_from((last.0.saturating_add(1)).saturating_sub(first.0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Body, Message};

    #[test]
    fn messages_that_travel_by_value_stay_small() {
        assert!(size_of::<Body>() <= 80, "{}", size_of::<Body>());
        assert!(size_of::<Message>() <= 128, "{}", size_of::<Message>());
    }
}
