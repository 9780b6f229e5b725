//! Independent random streams, one per (seed, actor, purpose, incarnation).
//!
//! Every decision draws from the stream of whoever decides and why, so that one draw more in one place changes nothing
//! elsewhere: replay after a small change, and minimisation, depend on it.

use crate::options::Rate;
use core::ops::RangeInclusive;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Version of the derivation and of the meaning of draws. Recorded with every run: streams of another version are other streams.
pub const STREAMS_VERSION: u32 = 1;

/// Who draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The world as a whole.
    World,
    /// A replica, or its disk, or its clock.
    Replica(u8),
    /// A client, by its endpoint number less 1000.
    Client(u32),
    /// A directed link between two endpoints (replicas 0.., clients 1000..).
    Link(u16, u16),
}

/// What for. The numbers are part of the derivation: add new ones at the end, never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// The run's options.
    Options = 1,
    /// The fault plan.
    Plan = 2,
    /// Which operations a client invokes.
    Workload = 3,
    /// How long a client waits before the next one.
    ThinkTime = 4,
    /// Delay of a message.
    Latency = 5,
    /// Loss of a message.
    Loss = 6,
    /// Duplication of a message.
    Duplication = 7,
    /// Loss on a clogged link.
    Clog = 8,
    /// Whether and how a message is mutated.
    Mutation = 9,
    /// Duration of a disk access.
    StorageLatency = 10,
    /// Failure of a disk access.
    StorageFault = 11,
    /// Damage of stored bytes.
    Corruption = 12,
    /// What a crash leaves of unflushed writes.
    CrashLoss = 13,
    /// Crashes at a step of the protocol.
    Crash = 14,
    /// Extra delay of timers.
    Timer = 15,
    /// Clocks.
    Clock = 16,
    /// Gray failures of single accesses.
    Gray = 17,
    /// A client's choice of replica and its retries.
    Retry = 18,
    /// Order of events that happen at the same time.
    Schedule = 19,
    /// Which families of faults are on.
    Swarm = 20,
    /// Crashes in the middle of a write.
    Tear = 21,
    /// Reads that answer wrong content without an error.
    SilentRead = 22,
    /// Which messages of a link an attack changes, and into what.
    Attack = 23,
    /// The scrubber's reads.
    Scrub = 24,
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of (seed, actor, purpose, incarnation).
    #[must_use]
    pub fn new(seed: u64, actor: Actor, purpose: Purpose, incarnation: u32) -> Self {
        let (kind, first, second) = match actor {
            Actor::World => (0_u8, 0_u32, 0_u32),
            Actor::Replica(replica) => (1, u32::from(replica), 0),
            Actor::Client(client) => (2, client, 0),
            Actor::Link(from, to) => (3, u32::from(from), u32::from(to)),
        };
        let mut name = [0; 26];
        name[..4].copy_from_slice(&STREAMS_VERSION.to_le_bytes());
        name[4..12].copy_from_slice(&seed.to_le_bytes());
        name[12] = kind;
        name[13..17].copy_from_slice(&first.to_le_bytes());
        name[17..21].copy_from_slice(&second.to_le_bytes());
        name[21] = purpose as u8;
        name[22..26].copy_from_slice(&incarnation.to_le_bytes());
        Self(ChaCha8Rng::from_seed(*blake3::hash(&name).as_bytes()))
    }

    /// The next 64 bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`; 0 without a draw when `bound` is 0 or 1. Exactly one draw otherwise: its bias, below
    /// `bound / 2^64`, is not worth a loop whose length depends on the values drawn.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound <= 1 {
            return 0;
        }
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `0..bound`, as a small one.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "below the bound, which is as small")]
    pub fn below_u8(&mut self, bound: u8) -> u8 {
        self.below(u64::from(bound)) as u8
    }

    /// A number in `0..bound`, as an index.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "below the bound, which is an index too")]
    pub fn index(&mut self, bound: usize) -> usize {
        self.below(bound as u64) as usize
    }

    /// A number in `range`, in 32 bits.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "at most the end of the range, or its start")]
    pub fn range_u32(&mut self, range: RangeInclusive<u32>) -> u32 {
        let (low, high) = range.into_inner();
        self.range(u64::from(low)..=u64::from(high)) as u32
    }

    /// A number in `range`; its start when the range is empty.
    #[inline]
    pub fn range(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = range.into_inner();
        match high.saturating_sub(low).checked_add(1) {
            Some(width) => low + self.below(width),
            None => self.bits(),
        }
    }

    /// A number in `0.0..1.0`, a multiple of 2^-53.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// True with the given probability. Never and always cost no draw.
    #[inline]
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && (probability >= 1.0 || self.unit() < probability)
    }

    /// True at the given rate. Never and always cost no draw.
    #[inline]
    pub fn hit(&mut self, rate: Rate) -> bool {
        rate != Rate::NEVER && (rate >= Rate::ALWAYS || self.below(u64::from(Rate::ALWAYS.0)) < u64::from(rate.0))
    }

    /// One of `items`; none if there are none.
    #[inline]
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.index(items.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_in_each_part_of_their_name_and_are_what_they_were() {
        let first = |seed, actor, purpose, incarnation| Stream::new(seed, actor, purpose, incarnation).bits();
        let base = first(1, Actor::Replica(0), Purpose::Loss, 0);
        assert_eq!(base, first(1, Actor::Replica(0), Purpose::Loss, 0));
        let others = [
            first(2, Actor::Replica(0), Purpose::Loss, 0),
            first(1, Actor::Replica(1), Purpose::Loss, 0),
            first(1, Actor::Client(0), Purpose::Loss, 0),
            first(1, Actor::Link(0, 1), Purpose::Loss, 0),
            first(1, Actor::Link(1, 0), Purpose::Loss, 0),
            first(1, Actor::World, Purpose::Loss, 0),
            first(1, Actor::Replica(0), Purpose::Clog, 0),
            first(1, Actor::Replica(0), Purpose::Loss, 1),
        ];
        let mut all = others.to_vec();
        all.push(base);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 9);
        // Recorded histories depend on this number: when it changes, STREAMS_VERSION must.
        assert_eq!((STREAMS_VERSION, first(42, Actor::World, Purpose::Options, 0)), (1, 11_598_020_538_490_181_130));
    }

    #[test]
    fn never_and_always_draw_nothing() {
        let mut stream = Stream::new(1, Actor::World, Purpose::Plan, 0);
        let mut untouched = stream.clone();
        assert!(!stream.chance(0.0) && stream.chance(1.0) && !stream.hit(Rate::NEVER) && stream.hit(Rate::ALWAYS));
        assert_eq!((stream.below(1), stream.range(7..=7)), (0, 7));
        assert_eq!(stream.bits(), untouched.bits());
    }

    #[test]
    fn rates_are_kept() {
        let mut stream = Stream::new(3, Actor::World, Purpose::Plan, 0);
        let hits = (0..100_000).filter(|_| stream.hit(Rate::percent(5))).count();
        assert!((4_700..5_300).contains(&hits), "{hits}");
        let hits = (0..100_000).filter(|_| stream.chance(0.05)).count();
        assert!((4_700..5_300).contains(&hits), "{hits}");
    }

    #[test]
    fn numbers_stay_in_their_range_and_reach_its_ends() {
        let mut stream = Stream::new(5, Actor::World, Purpose::Plan, 0);
        let drawn: Vec<u64> = (0..1_000).map(|_| stream.range(3..=7)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&3), Some(&7)));
        assert!(stream.range(0..=u64::MAX) != stream.range(0..=u64::MAX));
        assert_eq!(stream.pick::<u8>(&[]), None);
        assert!((0..100).all(|_| (0.0..1.0).contains(&stream.unit())));
    }
}
