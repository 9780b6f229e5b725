//! The superblock: what a replica must never forget.
//!
//! View, last normal view, and the log that it brought into its view, by hash: so that entering a view is one atomic write
//! although the entries themselves reach the disk later.

use crate::ids::{Hash, Op, View};
use crate::io::Damage;
use crate::reconfiguration::Membership;
use crate::wire::{Reader, Writer};
use alloc::vec::Vec;

/// A checkpoint as the superblock names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CheckpointRef {
    /// Last op in it; 0: none yet.
    pub op: Op,
    /// Hash of the entry at that op.
    pub hash: Hash,
    /// Where it lies, 0 or 1.
    pub place: u8,
}

/// What a replica promises across restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Superblock {
    /// Rises with each write; the highest valid one counts.
    pub sequence: u64,
    /// Cluster.
    pub cluster: u32,
    /// Whose.
    pub replica: u8,
    /// The configuration in force: no message of an older epoch is sent.
    pub membership: Membership,
    /// View: no message of an older one is sent, no vote for an older one given.
    pub view: View,
    /// Last view in which the replica was normal.
    pub last_normal_view: View,
    /// The first view in which this replica may vote: 0, unless its disk has replaced another one.
    pub voter_from: View,
    /// An op that is known to be committed.
    pub commit: Op,
    /// Hash of the entry at `commit`.
    pub commit_hash: Hash,
    /// Hashes of the entries after `commit` that belong to the log of `last_normal_view`, where known; the last is its head.
    pub pins: Vec<Option<Hash>>,
    /// Slots after the head of which nobody knows what they held.
    pub uncertain: u32,
    /// The checkpoint to start from.
    pub checkpoint: CheckpointRef,
}

const BEGIN: [u8; 8] = *b"vsrSuper";

impl Superblock {
    /// Head of the pinned log.
    #[must_use]
    pub fn pinned_head(&self) -> Op {
        Op(self.commit.0 + self.pins.len() as u64)
    }

    /// The form on disk.
    #[must_use]
    pub fn encode_stored(&self) -> Vec<u8> {
        let mut body = Writer::with_capacity(168 + self.pins.len() * 33);
        body.u64(self.sequence);
        body.u32(self.cluster);
        body.u8(self.replica);
        self.membership.encode_into(&mut body);
        body.u64(self.view.0);
        body.u64(self.last_normal_view.0);
        body.u64(self.voter_from.0);
        body.u64(self.commit.0);
        body.hash(&self.commit_hash);
        body.u32(self.uncertain);
        body.u64(self.checkpoint.op.0);
        body.hash(&self.checkpoint.hash);
        body.u8(self.checkpoint.place);
        body.u32(crate::wire::length(self.pins.len()));
        for pin in &self.pins {
            body.bool(pin.is_some());
            body.hash(&pin.unwrap_or_default());
        }
        seal(BEGIN, &body.bytes)
    }

    /// Reads a stored form.
    ///
    /// # Errors
    /// [`Damage::Superblock`] when anything at all is wrong with it.
    pub fn decode_stored(bytes: &[u8]) -> Result<Self, Damage> {
        unseal(BEGIN, bytes).and_then(decode_body).ok_or(Damage::Superblock)
    }
}

fn decode_body(body: &[u8]) -> Option<Superblock> {
    let mut reader = Reader::new(body);
    let mut superblock = Superblock {
        sequence: reader.u64()?,
        cluster: reader.u32()?,
        replica: reader.u8()?,
        membership: Membership::decode_from(&mut reader)?,
        view: reader.view()?,
        last_normal_view: reader.view()?,
        voter_from: reader.view()?,
        commit: reader.op()?,
        commit_hash: reader.hash()?,
        uncertain: reader.u32()?,
        checkpoint: CheckpointRef { op: reader.op()?, hash: reader.hash()?, place: reader.u8()? },
        pins: Vec::new(),
    };
    for _ in 0..reader.count(33)? {
        let known = reader.bool()?;
        let hash = reader.hash()?;
        superblock.pins.push(known.then_some(hash));
    }
    (reader.remaining() == 0).then_some(superblock)
}

/// Begin marker, length, checksum, body.
pub(crate) fn seal(begin: [u8; 8], body: &[u8]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(body.len() + 16);
    writer.bytes.extend_from_slice(&begin);
    writer.u32(crc32fast::hash(body));
    writer.sized(body);
    writer.bytes
}

/// The body, if begin marker, length and checksum are right.
pub(crate) fn unseal(begin: [u8; 8], bytes: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    let found = reader.bytes(begin.len())?;
    let crc = reader.u32()?;
    let body = reader.sized()?;
    (found == begin && crc32fast::hash(body) == crc).then_some(body)
}
