//! Values to dictionary indices, in the order of their first appearance.
//!
//! Parquet's own dictionary encoder costs 15 to 20 ns a value; this one is a flat table that lives as long as its writer.

use crate::pages::Word;

/// Entries that one chunk's dictionary may hold; beyond it a dictionary does not pay.
pub(crate) const ENTRIES_MAX: usize = 1 << 17;

const SLOTS_AT_FIRST: usize = 1 << 10;

/// Values below this have a place of their own instead of a hash.
const SMALL: usize = 1 << 12;

#[derive(Clone, Copy, Default)]
struct Slot {
    value: u64,
    /// Index + 1; 0 when the slot is free.
    index: u32,
}

/// A growing dictionary of integers.
pub(crate) struct Interner {
    slots: Vec<Slot>,
    used_slots: usize,
    values: Vec<u64>,
    /// Index + 1 of small values; 0 when not seen.
    small: Box<[u32; SMALL]>,
}

impl Interner {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { slots: vec![Slot::default(); SLOTS_AT_FIRST], used_slots: SLOTS_AT_FIRST, values: Vec::new(), small: Box::new([0; SMALL]) }
    }

    /// Forgets everything, keeping the memory.
    pub(crate) fn clear(&mut self) {
        self.values.clear();
        self.small.fill(0);
        self.used_slots = SLOTS_AT_FIRST;
        self.slots[..SLOTS_AT_FIRST].fill(Slot::default());
    }

    /// The dictionary so far.
    pub(crate) fn values(&self) -> &[u64] {
        &self.values
    }

    /// Appends the index of every value; false when the dictionary has grown beyond [`ENTRIES_MAX`].
    pub(crate) fn intern<T: Word>(&mut self, values: &[T], indices: &mut Vec<u32>) -> bool {
        indices.extend(values.iter().map(|value| self.index_of(value.wide())));
        self.values.len() <= ENTRIES_MAX
    }

    #[inline]
    fn index_of(&mut self, value: u64) -> u32 {
        if value < SMALL as u64 {
            let index = self.small[value as usize];
            return if index > 0 { index - 1 } else { self.insert_small(value) };
        }
        let mask = self.used_slots - 1;
        let mut at = Self::home(value) & mask;
        loop {
            let slot = self.slots[at];
            if slot.index == 0 {
                return self.insert(value, at);
            }
            if slot.value == value {
                return slot.index - 1;
            }
            at = (at + 1) & mask;
        }
    }

    /// Where a value's search begins: the high half of a product, because low bits of op numbers hardly differ.
    #[inline]
    fn home(value: u64) -> usize {
        (value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
    }

    fn insert(&mut self, value: u64, at: usize) -> u32 {
        // Beyond the limit the caller gives up; until it notices, indices need not mean anything.
        if self.values.len() > ENTRIES_MAX {
            return 0;
        }
        let index = u32::try_from(self.values.len()).expect("a dictionary is bounded");
        self.values.push(value);
        self.slots[at] = Slot { value, index: index + 1 };
        if self.values.len() * 2 > self.used_slots {
            self.grow();
        }
        index
    }

    #[cold]
    fn insert_small(&mut self, value: u64) -> u32 {
        let index = u32::try_from(self.values.len()).expect("a dictionary is bounded");
        self.values.push(value);
        self.small[value as usize] = index + 1;
        index
    }

    fn grow(&mut self) {
        self.used_slots *= 4;
        if self.slots.len() < self.used_slots {
            self.slots.resize(self.used_slots, Slot::default());
        }
        self.slots[..self.used_slots].fill(Slot::default());
        let mask = self.used_slots - 1;
        for (index, value) in (1_u32..).zip(&self.values).filter(|(_, value)| **value >= SMALL as u64) {
            let mut at = Self::home(*value) & mask;
            while self.slots[at].index != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = Slot { value: *value, index };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_name_the_values() {
        let mut interner = Interner::new();
        for _ in 0..2 {
            interner.clear();
            let values: Vec<u64> = (0..50_000_u64).map(|index| (index % 20_011).wrapping_mul(0xdead_beef_1234_5677)).collect();
            let mut indices = Vec::new();
            assert!(interner.intern(&values, &mut indices));
            assert_eq!(interner.values().len(), 20_011);
            assert!(indices.iter().zip(&values).all(|(index, value)| interner.values()[*index as usize] == *value));
        }
    }

    #[test]
    fn too_many_values_are_said() {
        let values: Vec<u32> = (0..200_000).collect();
        assert!(!Interner::new().intern(&values, &mut Vec::new()));
    }
}
