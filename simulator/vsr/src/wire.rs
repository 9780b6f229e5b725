//! Little-endian writing and reading of bytes, the ground of every encoded form.
//!
//! Reading never panics and never takes memory for a length that the bytes cannot hold: messages and disks may lie.

use crate::ids::{ClientId, ClientKey, Hash, Op, RequestNumber, SessionNumber, TenantId, View};
use alloc::vec::Vec;

/// Appends values to a buffer.
pub(crate) struct Writer {
    /// What was written.
    pub bytes: Vec<u8>,
}

impl Writer {
    /// An empty buffer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn hash(&mut self, hash: &Hash) {
        self.bytes.extend_from_slice(&hash.0);
    }

    pub fn client(&mut self, client: ClientKey) {
        self.u32(client.tenant.0);
        self.u32(client.client.0);
    }

    /// A length of four bytes, then the bytes.
    pub fn sized(&mut self, bytes: &[u8]) {
        self.u32(length(bytes.len()));
        self.bytes.extend_from_slice(bytes);
    }
}

/// A length as it is written; nothing that the protocol encodes comes near four gigabytes.
pub(crate) fn length(length: usize) -> u32 {
    u32::try_from(length).expect("lengths are limited far below four gigabytes")
}

/// Takes values from the front of a slice; `None` when it is too short.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not yet taken.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|bytes| bytes[0])
    }

    /// Zero or one; anything else is damage.
    pub fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn op(&mut self) -> Option<Op> {
        self.u64().map(Op)
    }

    pub fn view(&mut self) -> Option<View> {
        self.u64().map(View)
    }

    pub fn session(&mut self) -> Option<SessionNumber> {
        self.u64().map(SessionNumber)
    }

    pub fn request(&mut self) -> Option<RequestNumber> {
        self.u64().map(RequestNumber)
    }

    pub fn hash(&mut self) -> Option<Hash> {
        self.array().map(Hash)
    }

    pub fn client(&mut self) -> Option<ClientKey> {
        Some(ClientKey { tenant: TenantId(self.u32()?), client: ClientId(self.u32()?) })
    }

    pub fn sized(&mut self) -> Option<&'a [u8]> {
        let count = self.u32()?;
        self.bytes(usize::try_from(count).ok()?)
    }

    /// A count of things of which each takes at least `least` bytes; `None` when the rest cannot hold them.
    pub fn count(&mut self, least: usize) -> Option<usize> {
        let count = usize::try_from(self.u32()?).ok()?;
        (count.checked_mul(least)? <= self.rest.len()).then_some(count)
    }
}
