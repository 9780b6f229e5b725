//! Numbers of values: small ones by place, others by hashing.
//!
//! Values that clients count up lie side by side in memory as they do in time, which spares most of the waiting for it.

/// Slots per call of values that are numbered by place.
const DENSE: usize = 4;

/// Numbers plus one by value; 0 where there is none.
#[derive(Debug, Default)]
pub(super) struct Table {
    dense: Vec<u32>,
    hashed: Vec<u32>,
    calls: usize,
}

impl Table {
    /// Forgets everything, for that many calls.
    pub fn reset(&mut self, calls: usize) {
        self.calls = calls;
        clear(&mut self.dense, calls * DENSE + 1);
        self.hashed.clear();
    }

    /// The number of a value: `next` when it is new, which is said. `content` tells the value of a number.
    #[inline]
    pub fn number(&mut self, value: u64, next: u32, content: impl Fn(u32) -> u64) -> (u32, bool) {
        if value < self.dense.len() as u64 {
            let slot = &mut self.dense[value as usize];
            if *slot == 0 {
                *slot = next + 1;
                return (next, true);
            }
            return (*slot - 1, false);
        }
        if self.hashed.is_empty() {
            // Each call tells two values at most, and most tell one that another one told.
            clear(&mut self.hashed, (self.calls * 3 + 2).next_power_of_two());
        }
        let mask = self.hashed.len() - 1;
        let mut at = start(value) & mask;
        loop {
            let found = self.hashed[at];
            if found == 0 {
                self.hashed[at] = next + 1;
                return (next, true);
            }
            if content(found - 1) == value {
                return (found - 1, false);
            }
            at = (at + 1) & mask;
        }
    }

    /// The number of a value that has one.
    pub fn find(&self, value: u64, content: impl Fn(u32) -> u64) -> Option<u32> {
        if value < self.dense.len() as u64 {
            return self.dense[value as usize].checked_sub(1);
        }
        let mask = self.hashed.len().checked_sub(1)?;
        let mut at = start(value) & mask;
        loop {
            let found = self.hashed[at].checked_sub(1)?;
            if content(found) == value {
                return Some(found);
            }
            at = (at + 1) & mask;
        }
    }
}

#[inline]
fn start(value: u64) -> usize {
    (value.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize
}

/// Makes it that many zeros, from fresh pages where it must grow: those take no memory until they are written.
fn clear(slots: &mut Vec<u32>, length: usize) {
    if slots.capacity() < length {
        *slots = vec![0; length];
    } else {
        slots.clear();
        slots.resize(length, 0);
    }
}
