//! The wire form of messages: a fixed little-endian header, then the body.
//!
//! Healthy messages never pass through here inside the simulator; those that a fault touches do, and are refused here.

use crate::bug::Bug;
use crate::checkpoint::Checkpoint;
use crate::constants::{COMMAND_BYTES_MAX, MESSAGE_BYTES_MAX, TAIL_ENTRIES_MAX};
use crate::entry::{Checks, Entry};
use crate::ids::{ClientId, ClientKey, Epoch, Hash, Peer, ReplicaId, TenantId, View};
use crate::message::{Body, Command, DoViewChange, Message, NackReason, RejectReason, StartView, StateTransfer, TailSlot};
use crate::reconfiguration::Membership;
use crate::wire::{Reader, Writer, length};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Cluster of messages that [`Message::encode`] writes.
pub const CLUSTER_DEFAULT: u32 = 0x5652;

/// Size, checksum, cluster, epoch, view, command, two ends.
pub const HEADER_LEN: usize = 4 + 4 + 4 + 4 + 8 + 1 + 2 * PEER_LEN;
const PEER_LEN: usize = 9;
/// The checksum covers what stands after it.
const CHECKED_FROM: usize = 8;
/// Shortest stored slot of a tail: a flag and a hash.
const TAIL_SLOT_LEN_MIN: usize = 1;
/// Shortest entry: its fixed fields.
const ENTRY_LEN_MIN: usize = 149;

impl Message {
    /// The wire form, for cluster [`CLUSTER_DEFAULT`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_for(CLUSTER_DEFAULT)
    }

    /// The wire form, for a cluster.
    #[must_use]
    pub fn encode_for(&self, cluster: u32) -> Vec<u8> {
        let size = self.encoded_len();
        let mut writer = Writer::with_capacity(size);
        writer.u32(length(size));
        writer.u32(0);
        writer.u32(cluster);
        writer.u32(self.epoch.0);
        writer.u64(self.view.0);
        writer.u8(self.command() as u8);
        encode_peer(&mut writer, self.from);
        encode_peer(&mut writer, self.to);
        encode_body(&mut writer, &self.body);
        debug_assert_eq!(writer.bytes.len(), size, "{}", self.command());
        let crc = crc32fast::hash(&writer.bytes[CHECKED_FROM..]);
        writer.bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        writer.bytes
    }

    /// Length of the wire form in bytes, without encoding.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        HEADER_LEN + body_len(&self.body)
    }

    /// The checksum in the header of a wire form, if it is long enough to have one.
    #[must_use]
    pub fn checksum_of(bytes: &[u8]) -> Option<u32> {
        bytes.get(4..8).map(|field| u32::from_le_bytes([field[0], field[1], field[2], field[3]]))
    }

    /// Reads a wire form of cluster [`CLUSTER_DEFAULT`].
    ///
    /// # Errors
    /// As [`Message::decode_for`].
    pub fn decode(bytes: &[u8], bug: Option<Bug>) -> Result<Self, RejectReason> {
        Self::decode_for(CLUSTER_DEFAULT, bytes, bug)
    }

    /// Reads a wire form.
    ///
    /// # Errors
    /// [`RejectReason::TooLarge`] beyond the limit, [`RejectReason::Checksum`] when size or checksum do not match,
    /// [`RejectReason::WrongCluster`], and [`RejectReason::Malformed`] when well-summed bytes make no message.
    pub fn decode_for(cluster: u32, bytes: &[u8], bug: Option<Bug>) -> Result<Self, RejectReason> {
        // The guard: messages have a limit.
        if bytes.len() > MESSAGE_BYTES_MAX && bug != Some(Bug::UnboundedLogTail) {
            return Err(RejectReason::TooLarge);
        }
        let mut reader = Reader::new(bytes);
        let size = reader.u32().ok_or(RejectReason::Malformed)?;
        let crc = reader.u32().ok_or(RejectReason::Malformed)?;
        // The guard: whatever the checksum does not confirm is not read any further.
        let is_confirmed = || bug == Some(Bug::SkipsMessageChecksum) || crc32fast::hash(&bytes[CHECKED_FROM..]) == crc;
        if usize::try_from(size) != Ok(bytes.len()) || !is_confirmed() {
            return Err(RejectReason::Checksum);
        }
        if reader.u32().ok_or(RejectReason::Malformed)? != cluster {
            return Err(RejectReason::WrongCluster);
        }
        let checks = if bug == Some(Bug::SkipsEntryChecksum) { Checks::Skipped } else { Checks::Enforced };
        let message = decode_rest(&mut reader, checks).ok_or(RejectReason::Malformed)?;
        if reader.remaining() == 0 { Ok(message) } else { Err(RejectReason::Malformed) }
    }
}

fn decode_rest(reader: &mut Reader<'_>, checks: Checks) -> Option<Message> {
    let epoch = Epoch(reader.u32()?);
    let view = View(reader.u64()?);
    let command = *Command::ALL.get(usize::from(reader.u8()?))?;
    let from = decode_peer(reader)?;
    let to = decode_peer(reader)?;
    let body = decode_body(reader, command, checks)?;
    Some(Message { epoch, view, from, to, body })
}

fn encode_peer(writer: &mut Writer, peer: Peer) {
    match peer {
        Peer::Replica(replica) => {
            writer.u8(0);
            writer.u32(u32::from(replica.0));
            writer.u32(0);
        }
        Peer::Client(client) => {
            writer.u8(1);
            writer.client(client);
        }
    }
}

fn decode_peer(reader: &mut Reader<'_>) -> Option<Peer> {
    let kind = reader.u8()?;
    let (first, second) = (reader.u32()?, reader.u32()?);
    match kind {
        0 if second == 0 => Some(Peer::Replica(ReplicaId(u8::try_from(first).ok()?))),
        1 => Some(Peer::Client(ClientKey { tenant: TenantId(first), client: ClientId(second) })),
        _ => None,
    }
}

fn encode_body(writer: &mut Writer, body: &Body) {
    match body {
        Body::Request { session, request, command } => {
            writer.u64(session.0);
            writer.u64(request.0);
            writer.sized(command);
        }
        Body::Reply { session, request, op, request_hash, result } => {
            writer.u64(session.0);
            writer.u64(request.0);
            writer.u64(op.0);
            writer.hash(request_hash);
            writer.sized(result);
        }
        Body::Register { nonce: number }
        | Body::RecoveryRequest { nonce: number }
        | Body::Eviction { session: crate::ids::SessionNumber(number) }
        | Body::StateTransferRequest { commit: crate::ids::Op(number) } => writer.u64(*number),
        Body::Redirect | Body::StartViewChange | Body::GetView => {}
        Body::Prepare { entry, commit } => {
            writer.u64(commit.0);
            entry.encode_into(writer);
        }
        Body::PrepareOk { op, hash, checkpoint } => {
            writer.u64(op.0);
            writer.u64(checkpoint.0);
            writer.hash(hash);
        }
        Body::Commit { commit, commit_hash, trim, ask, round } => {
            writer.u64(commit.0);
            writer.u64(trim.0);
            writer.hash(commit_hash);
            writer.bool(*ask);
            writer.u64(*round);
        }
        Body::Reconfigure { session, request, members } => {
            writer.u64(session.0);
            writer.u64(request.0);
            writer.u32(*members);
        }
        Body::Ping { sent_ns, suspects } => {
            writer.u64(*sent_ns);
            writer.bool(*suspects);
        }
        Body::Pong { sent_ns, clock_ns, synchronised, round, suspects, votes, checkpoint } => {
            writer.u64(*sent_ns);
            writer.u64(*clock_ns);
            writer.bool(*synchronised);
            writer.u64(*round);
            writer.u8(u8::from(*suspects) | u8::from(*votes) << 1);
            writer.u64(checkpoint.0);
        }
        _ => encode_log_body(writer, body),
    }
}

/// The bodies that carry or ask for parts of the log.
fn encode_log_body(writer: &mut Writer, body: &Body) {
    match body {
        Body::DoViewChange(vote) => encode_do_view_change(writer, vote),
        Body::StartView(start) => encode_start_view(writer, start),
        Body::RepairRequest { first, last, hash } => {
            writer.u64(first.0);
            writer.u64(last.0);
            writer.hash(hash);
        }
        Body::RepairResponse { entries } => encode_entries(writer, entries),
        Body::Nack { first, last, reason } => {
            writer.u64(first.0);
            writer.u64(last.0);
            writer.u8(*reason as u8);
        }
        Body::StateTransferResponse(transfer) => {
            transfer.checkpoint.encode_into(writer);
            writer.u64(transfer.commit.0);
            writer.u64(transfer.op.0);
            writer.hash(&transfer.hash);
            writer.u64(transfer.trim.0);
            encode_entries(writer, &transfer.entries);
        }
        Body::RecoveryResponse { nonce, membership, start } => {
            writer.u64(*nonce);
            membership.encode_into(writer);
            writer.bool(start.is_some());
            if let Some(start) = start {
                encode_start_view(writer, start);
            }
        }
        _ => unreachable!("written by encode_body"),
    }
}

fn encode_do_view_change(writer: &mut Writer, vote: &DoViewChange) {
    writer.u64(vote.last_normal_view.0);
    writer.u64(vote.commit.0);
    writer.hash(&vote.commit_hash);
    writer.u64(vote.op.0);
    writer.hash(&vote.hash);
    writer.u32(vote.uncertain);
    writer.u64(vote.retained.0);
    writer.u64(vote.checkpoint.0);
    writer.u32(length(vote.tail.len()));
    for slot in &vote.tail {
        match slot {
            TailSlot::Missing(None) => writer.u8(0),
            TailSlot::Missing(Some(hash)) => {
                writer.u8(1);
                writer.hash(hash);
            }
            TailSlot::Present(entry) => {
                writer.u8(2);
                entry.encode_into(writer);
            }
        }
    }
}

fn encode_start_view(writer: &mut Writer, start: &StartView) {
    writer.u64(start.commit.0);
    writer.hash(&start.commit_hash);
    writer.u64(start.op.0);
    writer.hash(&start.hash);
    writer.u64(start.trim.0);
    encode_entries(writer, &start.entries);
}

fn encode_entries(writer: &mut Writer, entries: &[Arc<Entry>]) {
    writer.u32(length(entries.len()));
    for entry in entries {
        entry.encode_into(writer);
    }
}

fn body_len(body: &Body) -> usize {
    match body {
        Body::Request { command, .. } => 8 + 8 + 4 + command.len(),
        Body::Reply { result, .. } => 8 * 3 + 32 + 4 + result.len(),
        Body::Register { .. } | Body::RecoveryRequest { .. } | Body::Eviction { .. } | Body::StateTransferRequest { .. } => 8,
        Body::Redirect | Body::StartViewChange | Body::GetView => 0,
        Body::Prepare { entry, .. } => 8 + entry.encoded_len(),
        Body::PrepareOk { .. } | Body::RepairRequest { .. } => 8 * 2 + 32,
        Body::Commit { .. } => 8 * 3 + 32 + 1,
        Body::Reconfigure { .. } => 8 * 2 + 4,
        Body::Ping { .. } => 8 + 1,
        Body::Pong { .. } => 8 * 4 + 2,
        Body::DoViewChange(vote) => 8 * 5 + 32 * 2 + 4 + 4 + vote.tail.iter().map(tail_slot_len).sum::<usize>(),
        Body::StartView(start) => start_view_len(start),
        Body::RepairResponse { entries } => entries_len(entries),
        Body::Nack { .. } => 8 * 2 + 1,
        Body::StateTransferResponse(transfer) => transfer.checkpoint.encoded_len() + 8 * 3 + 32 + entries_len(&transfer.entries),
        Body::RecoveryResponse { start, .. } => 8 + Membership::ENCODED_LEN + 1 + start.as_ref().map_or(0, |start| start_view_len(start)),
    }
}

fn tail_slot_len(slot: &TailSlot) -> usize {
    match slot {
        TailSlot::Missing(None) => 1,
        TailSlot::Missing(Some(_)) => 1 + 32,
        TailSlot::Present(entry) => 1 + entry.encoded_len(),
    }
}

fn start_view_len(start: &StartView) -> usize {
    8 * 3 + 32 * 2 + entries_len(&start.entries)
}

fn entries_len(entries: &[Arc<Entry>]) -> usize {
    4 + entries.iter().map(|entry| entry.encoded_len()).sum::<usize>()
}

fn decode_body(reader: &mut Reader<'_>, command: Command, checks: Checks) -> Option<Body> {
    Some(match command {
        Command::Request => Body::Request { session: reader.session()?, request: reader.request()?, command: decode_bytes(reader)? },
        Command::Register => Body::Register { nonce: reader.u64()? },
        Command::Reply => Body::Reply {
            session: reader.session()?,
            request: reader.request()?,
            op: reader.op()?,
            request_hash: reader.hash()?,
            result: decode_bytes(reader)?,
        },
        Command::Eviction => Body::Eviction { session: reader.session()? },
        Command::Redirect => Body::Redirect,
        Command::StartViewChange => Body::StartViewChange,
        Command::GetView => Body::GetView,
        Command::Prepare => {
            let commit = reader.op()?;
            Body::Prepare { entry: Arc::new(Entry::decode_from(reader, checks)?), commit }
        }
        Command::PrepareOk => {
            let (op, checkpoint) = (reader.op()?, reader.op()?);
            Body::PrepareOk { op, hash: reader.hash()?, checkpoint }
        }
        Command::Commit => {
            let (commit, trim) = (reader.op()?, reader.op()?);
            Body::Commit { commit, commit_hash: reader.hash()?, trim, ask: reader.bool()?, round: reader.u64()? }
        }
        Command::Ping => Body::Ping { sent_ns: reader.u64()?, suspects: reader.bool()? },
        Command::Pong => {
            let (sent_ns, clock_ns, synchronised, round) = (reader.u64()?, reader.u64()?, reader.bool()?, reader.u64()?);
            let flags = reader.u8().filter(|flags| *flags < 4)?;
            let (suspects, votes) = (flags & 1 != 0, flags & 2 != 0);
            Body::Pong { sent_ns, clock_ns, synchronised, round, suspects, votes, checkpoint: reader.op()? }
        }
        Command::Reconfigure => Body::Reconfigure { session: reader.session()?, request: reader.request()?, members: reader.u32()? },
        _ => return decode_log_body(reader, command, checks),
    })
}

/// The bodies that carry or ask for parts of the log.
fn decode_log_body(reader: &mut Reader<'_>, command: Command, checks: Checks) -> Option<Body> {
    Some(match command {
        Command::DoViewChange => Body::DoViewChange(Box::new(decode_do_view_change(reader, checks)?)),
        Command::StartView => Body::StartView(Box::new(decode_start_view(reader, checks)?)),
        Command::RepairRequest => Body::RepairRequest { first: reader.op()?, last: reader.op()?, hash: reader.hash()? },
        Command::RepairResponse => Body::RepairResponse { entries: decode_entries(reader, checks)? },
        Command::Nack => {
            let (first, last) = (reader.op()?, reader.op()?);
            Body::Nack { first, last, reason: *NackReason::ALL.get(usize::from(reader.u8()?))? }
        }
        Command::StateTransferRequest => Body::StateTransferRequest { commit: reader.op()? },
        Command::StateTransferResponse => Body::StateTransferResponse(Box::new(StateTransfer {
            checkpoint: Arc::new(Checkpoint::decode_from(reader)?),
            commit: reader.op()?,
            op: reader.op()?,
            hash: reader.hash()?,
            trim: reader.op()?,
            entries: decode_entries(reader, checks)?,
        })),
        Command::RecoveryRequest => Body::RecoveryRequest { nonce: reader.u64()? },
        Command::RecoveryResponse => {
            let nonce = reader.u64()?;
            let membership = Membership::decode_from(reader)?;
            let start = if reader.bool()? { Some(Box::new(decode_start_view(reader, checks)?)) } else { None };
            Body::RecoveryResponse { nonce, membership, start }
        }
        _ => return None,
    })
}

fn decode_bytes(reader: &mut Reader<'_>) -> Option<Arc<[u8]>> {
    let bytes = reader.sized()?;
    (bytes.len() <= COMMAND_BYTES_MAX).then(|| bytes.into())
}

fn decode_do_view_change(reader: &mut Reader<'_>, checks: Checks) -> Option<DoViewChange> {
    let mut vote = DoViewChange {
        last_normal_view: reader.view()?,
        commit: reader.op()?,
        commit_hash: reader.hash()?,
        op: reader.op()?,
        hash: reader.hash()?,
        uncertain: reader.u32()?,
        retained: reader.op()?,
        checkpoint: reader.op()?,
        tail: Vec::new(),
    };
    let count = reader.count(TAIL_SLOT_LEN_MIN)?;
    if count > TAIL_ENTRIES_MAX {
        return None;
    }
    vote.tail.reserve(count);
    for _ in 0..count {
        vote.tail.push(match reader.u8()? {
            0 => TailSlot::Missing(None),
            1 => TailSlot::Missing(Some(reader.hash()?)),
            2 => TailSlot::Present(Arc::new(Entry::decode_from(reader, checks)?)),
            _ => return None,
        });
    }
    Some(vote)
}

fn decode_start_view(reader: &mut Reader<'_>, checks: Checks) -> Option<StartView> {
    let commit = reader.op()?;
    let commit_hash: Hash = reader.hash()?;
    let op = reader.op()?;
    let hash = reader.hash()?;
    let trim = reader.op()?;
    Some(StartView { commit, commit_hash, op, hash, trim, entries: decode_entries(reader, checks)? })
}

fn decode_entries(reader: &mut Reader<'_>, checks: Checks) -> Option<Vec<Arc<Entry>>> {
    let count = reader.count(ENTRY_LEN_MIN)?;
    if count > TAIL_ENTRIES_MAX {
        return None;
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        entries.push(Arc::new(Entry::decode_from(reader, checks)?));
    }
    Some(entries)
}
