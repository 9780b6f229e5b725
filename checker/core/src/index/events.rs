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
}

impl RunIndex<'_> {
    /// This run's transitions whose event belongs to `set`, in order.
    pub fn events(&self, set: EventSet) -> impl Iterator<Item = (usize, TransitionEvent)> + '_ {
        let events = &self.transitions().event;
        self.rows_and_events().filter(move |(_, code)| set.has(*code)).map(move |(row, _)| (row, events.get(row)))
    }

    /// This run's transitions with the codes of their events, in order: a slice, because this is the loop that runs most often.
    pub fn rows_and_events(&self) -> impl Iterator<Item = (usize, u8)> + '_ {
        let rows = self.transition_rows();
        let codes = &self.transitions().event.codes[rows.clone()];
        rows.zip(codes.iter().copied())
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
}
