//! One place on a disk: what is durable, what is only in the cache, and what a fault has made of it.
//!
//! An untouched value is kept as it is; bytes are made only where a fault touches it, through the same codec that a real
//! disk's content would pass.

use crate::entropy::Stream;
use vopr_schema::StorageOutcome;
use vsr::io::Stored;

/// What can stand in a place.
pub trait OnDisk: Clone {
    /// Its stored bytes.
    fn stored_bytes(&self) -> Vec<u8>;
    /// Length of them.
    fn stored_size(&self) -> usize;
    /// What the history calls it: op number of an entry or checkpoint, sequence number of a superblock.
    fn number(&self) -> u64;
}

/// What is durable in a place.
#[derive(Clone, Debug)]
enum Content<T> {
    Blank,
    Whole(T),
    /// Bytes that a fault has touched.
    Damaged {
        bytes: Vec<u8>,
        number: u64,
        outcome: StorageOutcome,
    },
    /// Another value than the last one that was written here, whole in itself; none: the place looks blank.
    Wrong {
        value: Option<T>,
        number: u64,
        outcome: StorageOutcome,
    },
}

/// One place.
#[derive(Clone, Debug)]
pub struct Slot<T> {
    durable: Content<T>,
    /// What was durable here before.
    previous: Option<T>,
    cached: Option<T>,
    /// Accesses of one place are carried out one after another.
    busy_until_ns: u64,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { durable: Content::Blank, previous: None, cached: None, busy_until_ns: 0 }
    }
}

/// A damaged place, as a read finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// What the place held before it was damaged.
    pub number: u64,
    /// Torn, corrupt, stale or misdirected.
    pub outcome: StorageOutcome,
    /// Bytes.
    pub size: usize,
}

impl<T: OnDisk> Slot<T> {
    /// An access that takes `duration_ns` is asked for now; answers when it begins.
    pub fn occupy(&mut self, now_ns: u64, duration_ns: u64) -> u64 {
        let begins_ns = self.busy_until_ns.max(now_ns);
        self.busy_until_ns = begins_ns + duration_ns;
        begins_ns
    }

    /// A write has reached the cache.
    pub fn cache(&mut self, value: T) {
        self.cached = Some(value);
    }

    /// A flush succeeded.
    pub fn flush(&mut self) {
        if let Some(value) = self.cached.take() {
            self.survive(value);
        }
    }

    /// The cached content is gone: a flush failed, or power did.
    pub fn forget_cached(&mut self) {
        self.cached = None;
    }

    /// The machine stopped: nothing is going on here any more.
    pub fn stop(&mut self) {
        self.cached = None;
        self.busy_until_ns = 0;
    }

    /// A write that was not flushed survived all the same.
    pub fn survive(&mut self, value: T) {
        if let Content::Whole(previous) = core::mem::replace(&mut self.durable, Content::Whole(value)) {
            self.previous = Some(previous);
        }
    }

    /// The last write went astray: the place holds what it held before. False when nothing whole is here.
    pub fn make_stale(&mut self) -> bool {
        let Content::Whole(value) = &self.durable else {
            return false;
        };
        self.durable = Content::Wrong { value: self.previous.take(), number: value.number(), outcome: StorageOutcome::Stale };
        true
    }

    /// Another place's write landed here. False when nothing whole is here.
    pub fn overwrite(&mut self, stray: T) -> bool {
        let Content::Whole(value) = &self.durable else {
            return false;
        };
        self.durable = Content::Wrong { number: value.number(), value: Some(stray), outcome: StorageOutcome::Misdirected };
        true
    }

    /// A crash in the middle of writing `value` left its first part only.
    pub fn tear(&mut self, value: &T, stream: &mut Stream) {
        let mut bytes = value.stored_bytes();
        bytes.truncate(index(stream.range(1..=bytes.len().saturating_sub(1) as u64)));
        self.durable = Content::Damaged { bytes, number: value.number(), outcome: StorageOutcome::Torn };
    }

    /// Flips `bits` bits of what is durable; false when nothing whole is here: a second flip might undo the first.
    pub fn corrupt(&mut self, bits: u32, stream: &mut Stream) -> bool {
        let Content::Whole(value) = &self.durable else {
            return false;
        };
        let (mut bytes, number) = (value.stored_bytes(), value.number());
        flip_bits(&mut bytes, bits, stream);
        self.durable = Content::Damaged { bytes, number, outcome: StorageOutcome::Corrupt };
        true
    }

    /// What a read answers.
    pub fn stored(&self) -> Stored<T> {
        match (&self.cached, &self.durable) {
            (Some(value), _) | (None, Content::Whole(value) | Content::Wrong { value: Some(value), .. }) => Stored::Value(value.clone()),
            (None, Content::Blank | Content::Wrong { value: None, .. }) => Stored::Blank,
            (None, Content::Damaged { bytes, .. }) => Stored::Bytes(bytes.clone()),
        }
    }

    /// Whether a read finds damage, and which.
    pub fn damaged(&self) -> Option<Damaged> {
        match (&self.cached, &self.durable) {
            (None, Content::Damaged { bytes, number, outcome }) => Some(Damaged { number: *number, outcome: *outcome, size: bytes.len() }),
            (None, Content::Wrong { value, number, outcome }) => {
                Some(Damaged { number: *number, outcome: *outcome, size: value.as_ref().map_or(0, OnDisk::stored_size) })
            }
            _ => None,
        }
    }

    /// What the history calls the durable content.
    pub fn number(&self) -> Option<u64> {
        match &self.durable {
            Content::Blank => None,
            Content::Whole(value) => Some(value.number()),
            Content::Damaged { number, .. } | Content::Wrong { number, .. } => Some(*number),
        }
    }

    /// What is durable and whole.
    pub fn whole(&self) -> Option<&T> {
        if let Content::Whole(value) = &self.durable { Some(value) } else { None }
    }
}

/// Flips `bits` distinct bits, or as many as there are.
pub fn flip_bits(bytes: &mut [u8], bits: u32, stream: &mut Stream) {
    let total = bytes.len() as u64 * 8;
    let mut flipped: Vec<u64> = Vec::new();
    while (flipped.len() as u64) < u64::from(bits).min(total) {
        let bit = stream.below(total);
        if !flipped.contains(&bit) {
            flipped.push(bit);
            bytes[index(bit / 8)] ^= 1 << (bit % 8);
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("a position in bytes that are in memory")
}

#[cfg(test)]
mod tests {
    use super::{OnDisk, Slot, StorageOutcome, Stored, flip_bits};
    use crate::entropy::{Actor, Purpose, Stream};

    impl OnDisk for u64 {
        fn stored_bytes(&self) -> Vec<u8> {
            self.to_le_bytes().to_vec()
        }
        fn stored_size(&self) -> usize {
            8
        }
        fn number(&self) -> u64 {
            *self
        }
    }

    fn stream() -> Stream {
        Stream::new(1, Actor::Replica(0), Purpose::Corruption, 0)
    }

    #[test]
    fn what_was_not_flushed_is_lost_when_the_machine_stops() {
        let mut slot = Slot::default();
        slot.cache(1_u64);
        slot.flush();
        slot.cache(2);
        assert_eq!(slot.stored(), Stored::Value(2), "reads see the cache");
        slot.stop();
        assert_eq!(slot.stored(), Stored::Value(1));
    }

    #[test]
    fn a_torn_write_leaves_a_true_prefix() {
        let mut slot = Slot::default();
        slot.tear(&0x0807_0605_0403_0201_u64, &mut stream());
        let Stored::Bytes(bytes) = slot.stored() else { panic!("a torn write leaves bytes") };
        assert!((1..8).contains(&bytes.len()));
        assert!(bytes.iter().zip(1..).all(|(byte, expected)| *byte == expected));
        assert_eq!(slot.damaged().map(|damaged| damaged.outcome), Some(StorageOutcome::Torn));
    }

    #[test]
    fn corruption_flips_exactly_the_bits_asked_for_and_a_rewrite_ends_it() {
        let mut slot = Slot::default();
        assert!(!slot.corrupt(1, &mut stream()), "a blank place cannot be damaged");
        slot.survive(5_u64);
        assert!(slot.corrupt(3, &mut stream()));
        let Stored::Bytes(bytes) = slot.stored() else { panic!("corruption leaves bytes") };
        let flipped: u32 = bytes.iter().zip(5_u64.to_le_bytes()).map(|(now, before)| (now ^ before).count_ones()).sum();
        assert_eq!(flipped, 3);
        slot.cache(6);
        slot.flush();
        assert_eq!(slot.damaged(), None);
    }

    #[test]
    fn a_stale_place_holds_what_it_held_before_until_it_is_written_again() {
        let mut slot = Slot::default();
        assert!(!slot.make_stale());
        slot.survive(1_u64);
        slot.survive(2);
        assert!(slot.make_stale() && !slot.make_stale());
        assert_eq!(slot.stored(), Stored::Value(1));
        let found = slot.damaged().expect("a read finds the wrong value");
        assert_eq!((found.number, found.outcome), (2, StorageOutcome::Stale));
        slot.survive(3);
        assert_eq!((slot.stored(), slot.damaged()), (Stored::Value(3), None));
        assert!(slot.overwrite(9));
        let found = slot.damaged().expect("a read finds a stray value");
        assert_eq!((slot.stored(), found.number, found.outcome), (Stored::Value(9), 3, StorageOutcome::Misdirected));
    }

    #[test]
    fn accesses_of_one_place_wait_for_each_other() {
        let mut slot: Slot<u64> = Slot::default();
        assert_eq!(slot.occupy(10, 5), 10);
        assert_eq!(slot.occupy(11, 5), 15);
        assert_eq!(slot.occupy(30, 5), 30);
    }

    #[test]
    fn no_more_bits_flip_than_there_are() {
        let mut bytes = [0_u8; 1];
        flip_bits(&mut bytes, 20, &mut stream());
        assert_eq!(bytes, [0xff]);
    }
}
