//! Failed compare-and-sets: whether the order of values that the zones found leaves them an instant.
//!
//! With the values in order, each begins at some instant: not before its write and the reads of the value before it were
//! invoked, not after one of its own calls returned. A compare-and-set that failed to find a value says that the value had not
//! begun when it was invoked, or had ended before it returned. If the value after it, begun as early as possible, still comes
//! too late, then the value itself must have begun later; repeating this ends with the earliest instants that explain
//! everything, or with none. Another order of the values might still explain what this one does not.

use super::super::Call;
use super::{Builder, INITIAL, NONE, Zones, enclosing, shifted};
use crate::models::register::RegisterAction;

/// Rounds of moving beginnings before the question is left to another engine.
const ROUNDS_MAX: usize = 32;

/// One value in its place.
#[derive(Clone, Copy, Debug)]
struct Reign {
    value: u32,
    /// When it begins, as early as possible.
    begins: u64,
    /// When it must have begun.
    latest: u64,
    /// When the next one cannot have begun yet.
    lasts: u64,
}

/// A failed compare-and-set: the place of the value that it did not find, and its interval.
#[derive(Clone, Copy, Debug)]
struct Miss {
    place: usize,
    invoke: u64,
    returned: u64,
}

impl Builder<'_> {
    /// Looks for instants at which the failed compare-and-sets did not find their values.
    pub(super) fn explain_failed(&mut self) -> Result<(), Zones> {
        const UNEXPLAINED: Zones = Zones::NotApplicable("a failed compare-and-set that the order found does not explain");
        if self.scratch.failed.is_empty() {
            return Ok(());
        }
        let mut reigns = self.reigns();
        let misses = self.misses(&reigns);
        for _ in 0..ROUNDS_MAX {
            let mut now = 0;
            for reign in &mut reigns {
                now = reign.begins.max(now);
                reign.begins = now;
                if now > reign.latest {
                    return Err(UNEXPLAINED);
                }
                now = now.max(reign.lasts);
            }
            let mut moved = false;
            for miss in &misses {
                let end = reigns.get(miss.place + 1).map_or(u64::MAX, |next| next.begins);
                if miss.returned < end && reigns[miss.place].begins < miss.invoke {
                    reigns[miss.place].begins = miss.invoke;
                    moved = true;
                }
            }
            if !moved {
                return Ok(());
            }
        }
        Err(UNEXPLAINED)
    }

    /// All values in the order found: forward chains from their first return on, backward ones at an instant of their own, which
    /// may be the one at which a forward chain begins, but never one inside of it.
    fn reigns(&mut self) -> Vec<Reign> {
        let (forward, backward) = (&self.scratch.forward, &self.scratch.backward);
        let mut starts: Vec<(u64, bool, u32)> = forward.iter().map(|zone| (zone.first_return, true, zone.root)).collect();
        for zone in backward {
            let instant = enclosing(forward, zone.last_invoke).map_or(0, |outer| outer.last_invoke).max(zone.last_invoke);
            starts.push((instant, false, zone.root));
        }
        starts.sort_unstable();
        let mut reigns = Vec::with_capacity(self.scratch.values.len());
        for (_, _, root) in starts {
            let mut number = if root == NONE { INITIAL } else { self.written_by(root) };
            loop {
                let value = self.scratch.values[number as usize];
                let (invoke, returned) = self.interval(value.writer);
                reigns.push(Reign { value: number, begins: invoke, latest: returned.min(value.first_return), lasts: value.last_invoke });
                if value.consumer == NONE {
                    break;
                }
                number = self.written_by(value.consumer);
            }
        }
        reigns
    }

    /// The failed compare-and-sets on values that the register held.
    fn misses(&mut self, reigns: &[Reign]) -> Vec<Miss> {
        let mut places = vec![usize::MAX; self.scratch.values.len()];
        for (place, reign) in reigns.iter().enumerate() {
            places[reign.value as usize] = place;
        }
        let mut misses = Vec::with_capacity(self.scratch.failed.len());
        for position in 0..self.scratch.failed.len() {
            let Call { invoke, returned, action } = self.calls[self.scratch.failed[position] as usize];
            let RegisterAction::CompareAndSet { expected, .. } = action else { continue };
            // A value that nobody wrote gets a number only here, and has no place.
            let number = self.value(expected) as usize;
            if let Some(&place) = places.get(number).filter(|place| **place != usize::MAX) {
                misses.push(Miss { place, invoke: shifted(invoke), returned: shifted(returned) });
            }
        }
        misses
    }
}
