//! Sets of events, and the rows of a run that belong to one.
//!
//! Most invariants care for a few events out of dozens; a bit test per row is the cheapest way to skip the rest.

use super::RunIndex;
use vopr_schema::TransitionEvent;

/// A set of transition events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventSet(u64);

impl EventSet {
    /// The set of these events.
    #[must_use]
    pub const fn of(events: &[TransitionEvent]) -> Self {
        let mut bits = 0;
        let mut place = 0;
        while place < events.len() {
            bits |= 1 << events[place] as u8;
            place += 1;
        }
        Self(bits)
    }

    /// The events of both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the event with this code belongs to the set.
    #[inline]
    #[must_use]
    pub const fn has(self, code: u8) -> bool {
        code < 64 && self.0 >> code & 1 == 1
    }

    /// Which of these codes belong to the set, a bit for each.
    ///
    /// Comparing all codes with one event after the other is what compilers turn into vector instructions.
    fn found_in(self, codes: &[u8; 64]) -> u64 {
        /// Brings the lowest bits of eight bytes together in the highest byte.
        const GATHER: u64 = 0x0102_0408_1020_4080;
        let mut flags = [0_u8; 64];
        let mut events = self.0;
        let mut event = 0_u8;
        while events != 0 {
            // Shifting twice keeps each shift below the width of the set.
            let skipped = events.trailing_zeros();
            events = events >> skipped >> 1;
            event += u8::try_from(skipped).expect("less than 64");
            for (flag, code) in flags.iter_mut().zip(codes) {
                *flag |= u8::from(*code == event);
            }
            event += 1;
        }
        let (bytes, _) = flags.as_chunks::<8>();
        let bits = |byte: &[u8; 8]| u64::from_le_bytes(*byte).wrapping_mul(GATHER) >> 56;
        bytes.iter().rev().fold(0, |found, byte| found << 8 | bits(byte))
    }
}

/// Rows of one set of events. Sixty-four rows are tested at a time and without a branch: which event comes next cannot be predicted.
#[derive(Clone, Debug)]
pub struct EventRows<'a> {
    set: EventSet,
    /// The codes that are not yet tested, and the row of the first.
    codes: &'a [u8],
    next: usize,
    /// Rows that were found and are still to be told of: bit n stands for row `first + n`.
    found: u64,
    first: usize,
}

impl EventRows<'_> {
    const WIDTH: usize = u64::BITS as usize;

    fn test(&mut self) {
        let (tested, rest) = self.codes.split_at(self.codes.len().min(Self::WIDTH));
        self.found = if let Some(codes) = tested.as_array() {
            self.set.found_in(codes)
        } else {
            let mut codes = [u8::MAX; Self::WIDTH];
            codes[..tested.len()].copy_from_slice(tested);
            self.set.found_in(&codes)
        };
        self.first = self.next;
        self.next += tested.len();
        self.codes = rest;
    }
}

impl Iterator for EventRows<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            if self.codes.is_empty() {
                return None;
            }
            self.test();
        }
        let row = self.first + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(row)
    }
}

impl RunIndex<'_> {
    /// This run's transitions whose event belongs to `set`, in order.
    pub fn events(&self, set: EventSet) -> impl Iterator<Item = (usize, TransitionEvent)> + '_ {
        let events = &self.transitions().event;
        self.rows_of(set).map(move |row| (row, events.get(row)))
    }

    /// The rows of this run's transitions whose event belongs to `set`, in order.
    #[must_use]
    pub fn rows_of(&self, set: EventSet) -> EventRows<'_> {
        let rows = self.transition_rows();
        EventRows { set, codes: &self.transitions().event.codes[rows.clone()], next: rows.start, found: 0, first: rows.start }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_schema::Dictionary;

    #[test]
    fn every_event_fits_and_is_found_again() {
        assert!(TransitionEvent::ALL.len() <= 64);
        let set = EventSet::of(&[TransitionEvent::Crashed, TransitionEvent::Stalled]);
        let found: Vec<_> = TransitionEvent::ALL.iter().filter(|event| set.has(event.code())).collect();
        assert_eq!(found, [&TransitionEvent::Crashed, &TransitionEvent::Stalled]);
        assert!(!set.has(200));
    }

    #[test]
    fn rows_are_found_across_words_and_to_the_last() {
        let story = crate::testing::Story::clean(60);
        let history = story.history();
        let index = RunIndex::new(&history, 0);
        let codes = &index.transitions().event.codes;
        assert!(codes.len() > 200 && !codes.len().is_multiple_of(64));
        for set in [EventSet(0), EventSet(u64::MAX), EventSet::of(&[TransitionEvent::Committed, TransitionEvent::Applied])] {
            let expected: Vec<_> = index.transition_rows().filter(|row| set.has(codes[*row])).collect();
            assert_eq!(index.rows_of(set).collect::<Vec<_>>(), expected);
        }
    }
}
