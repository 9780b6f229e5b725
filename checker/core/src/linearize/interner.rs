//! Sets that number their members: the searches hold states and configurations by number.
//!
//! Standard hash sets are not used here because their hash function, safe against attackers, costs several times what one
//! step of a search costs otherwise. A bad spread of keys can only make a search slow, and the meter ends slow searches.

use core::hash::{Hash, Hasher};

const EMPTY: u32 = u32::MAX;
/// Odd multiplier of the golden ratio (Knuth, The Art of Computer Programming 3, 6.4).
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// Multiplicative hash of whole words.
#[derive(Clone, Copy, Debug, Default)]
pub struct WordHasher {
    hash: u64,
}

impl WordHasher {
    #[inline]
    fn add(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(23) ^ word).wrapping_mul(MULTIPLIER);
    }
}

impl Hasher for WordHasher {
    #[inline]
    fn finish(&self) -> u64 {
        // The high bits of a product depend on all bits of its factors: bring them down, where tables look.
        self.hash ^ (self.hash >> 32)
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.add(u64::from(*byte));
        }
    }

    #[inline]
    fn write_u8(&mut self, word: u8) {
        self.add(u64::from(word));
    }

    #[inline]
    fn write_u16(&mut self, word: u16) {
        self.add(u64::from(word));
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.add(u64::from(word));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    #[inline]
    fn write_u128(&mut self, word: u128) {
        self.add(word as u64);
        self.add((word >> 64) as u64);
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.add(word as u64);
    }
}

/// A set whose members are numbered in the order of their arrival.
#[derive(Clone, Debug)]
pub struct Interner<T> {
    items: Vec<T>,
    table: Vec<u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { items: Vec::new(), table: Vec::new() }
    }
}

impl<T: Hash + Eq> Interner<T> {
    /// The number of `item`, and whether it is new.
    ///
    /// # Panics
    /// Beyond 2^32 - 1 members, which no memory limit allows.
    #[inline]
    pub fn intern(&mut self, item: T) -> (u32, bool) {
        if self.items.len() * 2 >= self.table.len() {
            self.grow();
        }
        let mask = self.table.len() - 1;
        let mut at = Self::hash(&item) as usize & mask;
        loop {
            let found = self.table[at];
            if found == EMPTY {
                let number = u32::try_from(self.items.len()).expect("a memory limit ends every search before 2^32 members");
                self.table[at] = number;
                self.items.push(item);
                return (number, true);
            }
            if self.items[found as usize] == item {
                return (found, false);
            }
            at = (at + 1) & mask;
        }
    }

    /// The number of `item`, if it is a member.
    #[inline]
    #[must_use]
    pub fn find(&self, item: &T) -> Option<u32> {
        if self.table.is_empty() {
            return None;
        }
        let mask = self.table.len() - 1;
        let mut at = Self::hash(item) as usize & mask;
        loop {
            let found = self.table[at];
            if found == EMPTY {
                return None;
            }
            if self.items[found as usize] == *item {
                return Some(found);
            }
            at = (at + 1) & mask;
        }
    }

    /// Removes all members, keeping the memory.
    pub fn clear(&mut self) {
        if self.items.len() * 16 < self.table.len() {
            // A few members in a large table: empty their neighbourhoods only.
            let mask = self.table.len() - 1;
            for item in &self.items {
                let mut at = Self::hash(item) as usize & mask;
                while self.table[at] != EMPTY {
                    self.table[at] = EMPTY;
                    at = (at + 1) & mask;
                }
            }
        } else {
            self.table.fill(EMPTY);
        }
        self.items.clear();
    }

    fn hash(item: &T) -> u64 {
        let mut hasher = WordHasher::default();
        item.hash(&mut hasher);
        hasher.finish()
    }

    fn grow(&mut self) {
        let size = (self.table.len() * 2).max(16);
        self.table.clear();
        self.table.resize(size, EMPTY);
        for (number, item) in self.items.iter().enumerate() {
            let mut at = Self::hash(item) as usize & (size - 1);
            while self.table[at] != EMPTY {
                at = (at + 1) & (size - 1);
            }
            self.table[at] = number as u32;
        }
    }
}

impl<T> Interner<T> {
    /// Member number `number`.
    #[inline]
    #[must_use]
    pub fn get(&self, number: u32) -> &T {
        &self.items[number as usize]
    }

    /// All members, in the order of their arrival.
    #[must_use]
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Memory in use, bytes, what members own elsewhere not counted.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.items.len() * size_of::<T>() + self.table.len() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_numbers_through_growth_and_clearing() {
        let mut set = Interner::default();
        for round in 0..3_u64 {
            let count = [1000, 3, 500][round as usize];
            for value in 0..count {
                assert_eq!(set.intern(value * 1_000_003), (value as u32, true));
                assert_eq!(set.intern(value * 1_000_003), (value as u32, false));
            }
            assert_eq!((set.find(&1_000_003), set.find(&5)), (Some(1), None));
            assert_eq!(set.len() as u64, count);
            set.clear();
            assert!(set.is_empty() && set.find(&0).is_none());
        }
    }
}
