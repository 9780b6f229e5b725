//! Checkpoints: the state machine and the session table at one op.
//!
//! A checkpoint frees the log before it, and brings a replica that lags too far to what the others have.

use crate::ids::{Hash, Op, View};
use crate::io::Damage;
use crate::reconfiguration::Membership;
use crate::sessions::Session;
use crate::superblock::{seal, unseal};
use crate::wire::{Reader, Writer, length};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The state after one op.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Checkpoint {
    /// Last op in it.
    pub op: Op,
    /// Hash of the entry at that op.
    pub hash: Hash,
    /// View of that entry.
    pub view: View,
    /// Timestamp of that entry, nanoseconds.
    pub timestamp: u64,
    /// The configuration in force after that entry.
    pub membership: Membership,
    /// Session table, in the order of clients.
    pub sessions: Vec<Session>,
    /// Snapshot of the state machine.
    pub state: Arc<[u8]>,
    /// Hash of that state.
    pub state_hash: u64,
}

const BEGIN: [u8; 8] = *b"vsrCheck";

impl Checkpoint {
    /// The form on disk.
    #[must_use]
    pub fn encode_stored(&self) -> Vec<u8> {
        let mut body = Writer::with_capacity(self.encoded_len());
        self.encode_into(&mut body);
        seal(BEGIN, &body.bytes)
    }

    /// Reads a stored form.
    ///
    /// # Errors
    /// [`Damage::Checkpoint`] when anything at all is wrong with it.
    pub fn decode_stored(bytes: &[u8]) -> Result<Self, Damage> {
        let decode = |body| {
            let mut reader = Reader::new(body);
            let checkpoint = Self::decode_from(&mut reader)?;
            (reader.remaining() == 0).then_some(checkpoint)
        };
        unseal(BEGIN, bytes).and_then(decode).ok_or(Damage::Checkpoint)
    }

    /// Length of [`Checkpoint::encode_into`], without encoding.
    pub(crate) fn encoded_len(&self) -> usize {
        8 * 4 + 32 + Membership::ENCODED_LEN + 4 + self.state.len() + 4 + self.sessions.iter().map(Session::encoded_len).sum::<usize>()
    }

    /// Appends all fields.
    pub(crate) fn encode_into(&self, writer: &mut Writer) {
        writer.u64(self.op.0);
        writer.hash(&self.hash);
        writer.u64(self.view.0);
        writer.u64(self.timestamp);
        writer.u64(self.state_hash);
        self.membership.encode_into(writer);
        writer.sized(&self.state);
        writer.u32(length(self.sessions.len()));
        for session in &self.sessions {
            session.encode_into(writer);
        }
    }

    /// Reads what [`Checkpoint::encode_into`] wrote.
    pub(crate) fn decode_from(reader: &mut Reader<'_>) -> Option<Self> {
        let op = reader.op()?;
        let hash = reader.hash()?;
        let view = reader.view()?;
        let timestamp = reader.u64()?;
        let state_hash = reader.u64()?;
        let membership = Membership::decode_from(reader)?;
        let state = reader.sized()?.into();
        let count = reader.count(Session::ENCODED_LEN_MIN)?;
        let mut sessions = Vec::with_capacity(count);
        for _ in 0..count {
            sessions.push(Session::decode_from(reader)?);
        }
        Some(Self { op, hash, view, timestamp, membership, sessions, state, state_hash })
    }
}
