//! Message mutation: real changes of really encoded bytes.
//!
//! Whether and how a message is changed is drawn from its link's own stream; what is changed is what a receiver gets.

use crate::entropy::{Actor, Purpose, Stream};
use crate::options::{MutationKinds, Rate, RunOptions};
use crate::storage::flip_bits;
use std::collections::BTreeMap;
use vopr_schema::Mutation;

/// Where the checksum stands in the header of an encoded message.
const CHECKSUM_FIELD: core::ops::Range<usize> = 4..8;

/// Bytes that an insertion adds, at most.
const INSERTED_MAX: u64 = 16;

/// Changes messages at the run's rate.
#[derive(Debug)]
pub struct Mutator {
    seed: u64,
    rate: Rate,
    kinds: MutationKinds,
    streams: BTreeMap<(u16, u16), Stream>,
}

impl Mutator {
    /// The mutator of a run.
    #[must_use]
    pub fn new(options: &RunOptions) -> Self {
        Self { seed: options.seed, rate: options.byzantine.mutation, kinds: options.byzantine.kinds, streams: BTreeMap::new() }
    }

    fn stream(&mut self, from: u16, to: u16) -> &mut Stream {
        let seed = self.seed;
        self.streams.entry((from, to)).or_insert_with(|| Stream::new(seed, Actor::Link(from, to), Purpose::Mutation, 0))
    }

    /// Whether the next message of a link is changed, and how.
    pub fn draw(&mut self, from: u16, to: u16) -> Option<Mutation> {
        let rate = self.rate;
        if rate == Rate::NEVER || !self.stream(from, to).hit(rate) {
            return None;
        }
        let kinds = self.kinds;
        Some(match (kinds, self.stream(from, to).below(4)) {
            (MutationKinds::BitFlips, _) | (_, 0) | (MutationKinds::Mixed, 1) => Mutation::BitFlip,
            (MutationKinds::AllDamage, 1) => Mutation::Inserted,
            (_, 2) => Mutation::Truncated,
            _ => Mutation::Checksum,
        })
    }

    /// Changes the bytes of a message; answers how many bits or bytes it changed.
    pub fn apply(&mut self, from: u16, to: u16, mutation: Mutation, bytes: &mut Vec<u8>) -> u32 {
        let stream = self.stream(from, to);
        match mutation {
            Mutation::Truncated => {
                let length = bytes.len() as u64;
                let kept = usize::try_from(stream.below(length)).unwrap_or(0);
                let cut = bytes.len() - kept;
                bytes.truncate(kept);
                u32::try_from(cut).unwrap_or(u32::MAX)
            }
            Mutation::Inserted => {
                let (place, count) = (stream.below(bytes.len() as u64 + 1), stream.range(1..=INSERTED_MAX));
                let place = usize::try_from(place).unwrap_or(0);
                let inserted: Vec<u8> = (0..count).map(|_| stream.below_u8(u8::MAX)).collect();
                bytes.splice(place..place, inserted);
                u32::try_from(count).unwrap_or(1)
            }
            Mutation::Checksum => {
                let mask = u32::try_from(stream.range(1..=u64::from(u32::MAX))).unwrap_or(1).to_le_bytes();
                bytes[CHECKSUM_FIELD].iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
                4
            }
            _ => {
                let bits = u32::try_from(stream.range(1..=8)).unwrap_or(1);
                flip_bits(bytes, bits, stream);
                bits
            }
        }
    }

    /// Ends all mutation.
    pub fn heal(&mut self) {
        self.rate = Rate::NEVER;
    }
}
