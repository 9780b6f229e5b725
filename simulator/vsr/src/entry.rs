//! Log entries: what they hold, their hash, and their stored form.
//!
//! The stored form tells a write that a crash cut short from bytes that went bad later, because the first was never
//! acknowledged and the second may have been.

use crate::ids::{ClientKey, Hash, Op, RequestNumber, SessionNumber, View};
use crate::io::Damage;
use crate::wire::{Reader, Writer, length};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What an entry is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EntryKind {
    /// Nothing.
    #[default]
    Noop,
    /// Opens a session; the body is the client's nonce.
    Register,
    /// A command of the state machine.
    Command,
    /// Changes the membership.
    Reconfigure,
}

impl EntryKind {
    /// All kinds, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::Noop, Self::Register, Self::Command, Self::Reconfigure];
}

/// The fields of an entry before it is hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EntryFields {
    /// Op number.
    pub op: Op,
    /// View in which it was prepared.
    pub view: View,
    /// Nanoseconds, given by the primary; rises strictly along the log.
    pub timestamp: u64,
    /// Who asked.
    pub client: ClientKey,
    /// Session of the request; of a registration its own op number.
    pub session: SessionNumber,
    /// Request number; 0 of a registration.
    pub request: RequestNumber,
    /// What it is for.
    pub operation: EntryKind,
    /// Hash of the request as the client sent it, which its reply must name.
    pub request_hash: Hash,
    /// The command, or the nonce of a registration.
    pub body: Box<[u8]>,
    /// Hash of the entry before it; zero for the first.
    pub previous_hash: Hash,
}

/// A log entry. Immutable, shared, hashed once when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    fields: EntryFields,
    /// BLAKE3 over all fields.
    pub hash: Hash,
}

impl core::ops::Deref for Entry {
    type Target = EntryFields;

    fn deref(&self) -> &EntryFields {
        &self.fields
    }
}

/// Whether stored forms are checked when they are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// Checksums and hashes must match.
    Enforced,
    /// Whatever decodes is taken.
    Skipped,
    /// An entry that was cut short is taken for whole; what is missing reads as zeros.
    TornAccepted,
}

const BEGIN: [u8; 8] = *b"vsrEntry";
/// Far, in bits, from zeros and from the begin marker, so that a write that was cut short after either does not seem to end.
const END: [u8; 8] = [0xA5, 0xC3, 0x5A, 0x96, 0xE1, 0x3C, 0xD2, 0x69];
/// Op, view, timestamp, client, session, request, kind, three hashes, body length.
const FIXED_LEN: usize = 8 * 6 + 1 + 3 * 32 + 4;
/// Begin marker, header checksum, fixed fields, body checksum.
const HEAD_LEN: usize = 8 + 4 + FIXED_LEN + 4;
/// First bytes of the hash, end marker.
const END_LEN: usize = 16;
/// An end marker that differs in more bits was never written; in fewer, it went bad. A random one differs in about half of 64.
const TORN_BITS_MIN: u32 = 17;

impl Entry {
    /// Makes an entry and hashes it.
    #[must_use]
    pub fn new(fields: EntryFields) -> Self {
        let hash = hash_fields(&fields);
        Self { fields, hash }
    }

    /// Length of [`Entry::encode_into`], without encoding.
    pub(crate) fn encoded_len(&self) -> usize {
        FIXED_LEN + self.body.len()
    }

    /// Appends fixed fields and body: the form inside messages.
    pub(crate) fn encode_into(&self, writer: &mut Writer) {
        self.encode_fixed(writer);
        writer.bytes.extend_from_slice(&self.body);
    }

    fn encode_fixed(&self, writer: &mut Writer) {
        writer.u64(self.op.0);
        writer.u64(self.view.0);
        writer.u64(self.timestamp);
        writer.client(self.client);
        writer.u64(self.session.0);
        writer.u64(self.request.0);
        writer.u8(self.operation as u8);
        writer.hash(&self.request_hash);
        writer.hash(&self.previous_hash);
        writer.hash(&self.hash);
        writer.u32(length(self.body.len()));
    }

    /// Reads what [`Entry::encode_into`] wrote; `None` when the bytes make no entry or, with checks, its hash does not match.
    pub(crate) fn decode_from(reader: &mut Reader<'_>, checks: Checks) -> Option<Self> {
        let (mut entry, body_len) = Self::decode_fixed(reader)?;
        entry.fields.body = reader.bytes(body_len)?.into();
        (checks == Checks::Skipped || hash_fields(&entry.fields) == entry.hash).then_some(entry)
    }

    /// The fixed fields with an empty body, and the body's length.
    fn decode_fixed(reader: &mut Reader<'_>) -> Option<(Self, usize)> {
        let mut fields = EntryFields {
            op: reader.op()?,
            view: reader.view()?,
            timestamp: reader.u64()?,
            client: reader.client()?,
            session: reader.session()?,
            request: reader.request()?,
            operation: *EntryKind::ALL.get(usize::from(reader.u8()?))?,
            request_hash: reader.hash()?,
            ..EntryFields::default()
        };
        fields.previous_hash = reader.hash()?;
        let hash = reader.hash()?;
        let body_len = usize::try_from(reader.u32()?).ok()?;
        Some((Self { fields, hash }, body_len))
    }

    /// The form on disk: begin marker, checksums, fields, body, end marker bound to this very entry.
    #[must_use]
    pub fn encode_stored(&self) -> Vec<u8> {
        let mut fixed = Writer::with_capacity(FIXED_LEN + 4);
        self.encode_fixed(&mut fixed);
        fixed.u32(crc32fast::hash(&self.body));
        let mut writer = Writer::with_capacity(HEAD_LEN + self.body.len() + END_LEN);
        writer.bytes.extend_from_slice(&BEGIN);
        writer.u32(crc32fast::hash(&fixed.bytes));
        writer.bytes.extend_from_slice(&fixed.bytes);
        writer.bytes.extend_from_slice(&self.body);
        writer.bytes.extend_from_slice(&self.hash.0[..8]);
        writer.bytes.extend_from_slice(&END);
        writer.bytes
    }

    /// Reads a stored form. Bytes after it are ignored: they are what a longer entry left in the slot.
    ///
    /// # Errors
    /// [`Damage::TornEntry`] when the write never reached its end: the end marker is missing altogether.
    /// [`Damage::CorruptEntry`] when the bytes were whole once. In doubt it is the latter, which promises less.
    pub fn decode_stored(bytes: &[u8], checks: Checks) -> Result<Self, Damage> {
        if checks == Checks::TornAccepted {
            let judged = Self::decode_stored(bytes, Checks::Enforced);
            return if judged == Err(Damage::TornEntry) { padded(bytes).ok_or(Damage::TornEntry) } else { judged };
        }
        let mut reader = Reader::new(bytes);
        let decoded = decode_head(&mut reader, checks);
        let Some((mut entry, body_len, body_crc)) = decoded else {
            return Err(damage_of_unreadable(bytes));
        };
        let body = reader.bytes(body_len);
        let end = reader.bytes(END_LEN);
        let (Some(body), Some(end)) = (body, end) else {
            return Err(Damage::TornEntry);
        };
        entry.fields.body = body.into();
        if checks == Checks::Skipped {
            return Ok(entry);
        }
        let end_matches = end[..8] == entry.hash.0[..8] && end[8..] == END;
        if end_matches && crc32fast::hash(body) == body_crc && hash_fields(&entry.fields) == entry.hash {
            return Ok(entry);
        }
        if bits_that_differ(&end[..8], &entry.hash.0[..8]) >= TORN_BITS_MIN { Err(Damage::TornEntry) } else { Err(Damage::CorruptEntry) }
    }
}

/// The entry without its body, the body's length and checksum; `None` unless the head is whole.
fn decode_head(reader: &mut Reader<'_>, checks: Checks) -> Option<(Entry, usize, u32)> {
    let begin = reader.bytes(BEGIN.len())?;
    let crc = reader.u32()?;
    let fixed = reader.bytes(FIXED_LEN + 4)?;
    if checks == Checks::Enforced && (begin != BEGIN || crc32fast::hash(fixed) != crc) {
        return None;
    }
    let mut inner = Reader::new(fixed);
    let (entry, body_len) = Entry::decode_fixed(&mut inner)?;
    Some((entry, body_len, inner.u32()?))
}

/// What a replica reads that does not look for the end of a write: zeros where nothing was written.
fn padded(bytes: &[u8]) -> Option<Entry> {
    let mut whole = bytes.to_vec();
    whole.resize(bytes.len().max(HEAD_LEN) + crate::constants::COMMAND_BYTES_MAX, 0);
    let mut reader = Reader::new(&whole);
    let (mut entry, body_len, _) = decode_head(&mut reader, Checks::Skipped)?;
    entry.fields.body = reader.bytes(body_len)?.into();
    Some(entry)
}

/// A head that cannot be read was cut short if it begins as it should and no end marker closes the slot.
fn damage_of_unreadable(bytes: &[u8]) -> Damage {
    let shown = bytes.len().min(BEGIN.len());
    let begins = bytes[..shown] == BEGIN[..shown];
    let ends = bytes.len() >= END.len() && bits_that_differ(&bytes[bytes.len() - END.len()..], &END) < TORN_BITS_MIN;
    if begins && !ends { Damage::TornEntry } else { Damage::CorruptEntry }
}

fn bits_that_differ(one: &[u8], other: &[u8]) -> u32 {
    one.iter().zip(other).map(|(a, b)| (a ^ b).count_ones()).sum()
}

/// BLAKE3 over all fields, the body last so that no length needs to be hashed.
fn hash_fields(fields: &EntryFields) -> Hash {
    let mut fixed = [0_u8; 8 * 6 + 1 + 2 * 32];
    let numbers = [fields.op.0, fields.view.0, fields.timestamp, fields.session.0, fields.request.0];
    for (place, number) in fixed.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    fixed[40..44].copy_from_slice(&fields.client.tenant.0.to_le_bytes());
    fixed[44..48].copy_from_slice(&fields.client.client.0.to_le_bytes());
    fixed[48] = fields.operation as u8;
    fixed[49..81].copy_from_slice(&fields.request_hash.0);
    fixed[81..113].copy_from_slice(&fields.previous_hash.0);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&fixed);
    hasher.update(&fields.body);
    Hash(*hasher.finalize().as_bytes())
}

/// The hash that binds a reply to its request: BLAKE3 over client, session, request number, and the command as sent
/// (of a registration: the nonce, with session and request 0).
#[must_use]
pub fn request_hash(client: ClientKey, session: SessionNumber, request: RequestNumber, command: &[u8]) -> Hash {
    let mut fixed = [0_u8; 24];
    fixed[0..4].copy_from_slice(&client.tenant.0.to_le_bytes());
    fixed[4..8].copy_from_slice(&client.client.0.to_le_bytes());
    fixed[8..16].copy_from_slice(&session.0.to_le_bytes());
    fixed[16..24].copy_from_slice(&request.0.to_le_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher.update(&fixed);
    hasher.update(command);
    Hash(*hasher.finalize().as_bytes())
}
