//! Streams: append-only sequences that must be created first.

use crate::reply::Refusal;
use crate::state_hash::{Space, StateHash};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// All streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streams(pub(crate) BTreeMap<u64, Vec<u64>>);

impl Streams {
    /// Creates an empty stream.
    pub(crate) fn create(&mut self, hash: &mut StateHash, stream: u64) -> Result<(), Refusal> {
        if self.0.contains_key(&stream) {
            return Err(Refusal::StreamExists);
        }
        self.0.insert(stream, Vec::new());
        hash.add(Space::Stream, stream, 0, 0);
        Ok(())
    }

    /// Appends, and answers the offset.
    pub(crate) fn append(&mut self, hash: &mut StateHash, stream: u64, value: u64) -> Result<u64, Refusal> {
        let elements = self.0.get_mut(&stream).ok_or(Refusal::NoSuchStream)?;
        let offset = elements.len() as u64;
        elements.push(value);
        hash.add(Space::Element, stream, offset, value);
        Ok(offset)
    }

    /// Up to `count` elements from `offset` on, with their offsets.
    pub(crate) fn read(&self, stream: u64, offset: u64, count: u64) -> Result<Vec<(u64, Option<u64>)>, Refusal> {
        let elements = self.0.get(&stream).ok_or(Refusal::NoSuchStream)?;
        let length = elements.len();
        let start = usize::try_from(offset).map_or(length, |offset| offset.min(length));
        let end = usize::try_from(count).map_or(length, |count| start.saturating_add(count).min(length));
        Ok((start as u64..).zip(&elements[start..end]).map(|(offset, &value)| (offset, Some(value))).collect())
    }
}
