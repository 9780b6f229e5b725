//! A hash of the whole state that a change of one cell updates in constant time.
//!
//! The hash is the wrapping sum of one mixed word per cell: independent of order, so that equal states have equal hashes
//! however they came about, and a cell leaves by subtraction. A sum of well-mixed 64-bit words is no cryptographic hash (an
//! adversary could find collisions); replicas that diverge by mistake are told apart with 1 - 2^-64.

/// What a cell belongs to.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(crate) enum Space {
    /// A key and its value.
    Key = 1,
    /// A stream that exists, and its length.
    Stream = 2,
    /// An element of a stream.
    Element = 3,
    /// An account whose balance differs from the initial one.
    Account = 4,
    /// A credit that is still to come (only with a planted bug).
    Credit = 5,
}

/// The running sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StateHash(u64);

impl StateHash {
    /// A cell takes this value.
    pub(crate) fn add(&mut self, space: Space, name: u64, index: u64, value: u64) {
        self.0 = self.0.wrapping_add(mix(space, name, index, value));
    }

    /// A cell loses this value.
    pub(crate) fn remove(&mut self, space: Space, name: u64, index: u64, value: u64) {
        self.0 = self.0.wrapping_sub(mix(space, name, index, value));
    }

    /// The hash. Never `u64::MAX`, which a history reserves for null.
    pub(crate) fn value(self) -> u64 {
        self.0.min(u64::MAX - 1)
    }
}

fn mix(space: Space, name: u64, index: u64, value: u64) -> u64 {
    let mut word = finalise(space as u64 ^ 0x9e37_79b9_7f4a_7c15);
    for part in [name, index, value] {
        word = finalise(word.wrapping_mul(0xff51_afd7_ed55_8ccd) ^ part.wrapping_add(0x9e37_79b9_7f4a_7c15));
    }
    word
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): every
/// input bit changes every output bit with probability about one half.
fn finalise(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
