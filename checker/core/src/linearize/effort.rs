//! What a search may still spend: the limits of its invariant, and a number of steps of its own.
//!
//! Linearizability is NP-complete (Gibbons & Korach, SIAM J. Comput. 26(4), 1997): some history makes every engine run out
//! of time or memory, and then there must be time and memory left to say so.

use crate::budget::{Exhausted, Meter, Ticker};

/// Memory is reserved in pieces of this many bytes, because reserving is an atomic operation.
const PIECE_BYTES: u64 = 1 << 20;

/// A search's account with the meter of its invariant. What it reserved is given back when it is dropped.
#[derive(Debug)]
pub struct Effort<'a> {
    meter: &'a Meter,
    ticker: Ticker<'a>,
    reserved: u64,
    steps: u64,
    steps_max: u64,
}

/// Why a search stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// A limit of the invariant.
    #[error("{0}")]
    Limit(#[from] Exhausted),
    /// Its own number of steps.
    #[error("the limit of {0} steps was reached")]
    Steps(u64),
}

impl<'a> Effort<'a> {
    /// No limit of steps.
    #[must_use]
    pub fn new(meter: &'a Meter) -> Self {
        Self::steps(meter, u64::MAX)
    }

    /// At most `steps_max` steps: for attempts that must stay cheap whatever the speed of the machine.
    #[must_use]
    pub fn steps(meter: &'a Meter, steps_max: u64) -> Self {
        Self { meter, ticker: meter.ticker(), reserved: 0, steps: 0, steps_max }
    }

    /// Steps so far, never more than there may be.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.steps.min(self.steps_max)
    }

    /// Counts one step of a search that holds `bytes`.
    ///
    /// # Errors
    /// The limit that was reached.
    #[inline]
    pub fn spend(&mut self, bytes: usize) -> Result<(), Stopped> {
        self.steps += 1;
        if self.steps > self.steps_max {
            return Err(Stopped::Steps(self.steps_max));
        }
        let bytes = bytes as u64;
        if bytes > self.reserved {
            let more = (bytes - self.reserved).next_multiple_of(PIECE_BYTES);
            self.meter.reserve(more)?;
            self.reserved += more;
        }
        Ok(self.ticker.step()?)
    }
}

impl Drop for Effort<'_> {
    fn drop(&mut self) {
        self.meter.release(self.reserved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use std::time::Duration;

    #[test]
    fn each_limit_stops_a_search_by_name_and_memory_is_given_back() {
        let meter = Budget { memory_bytes: Some(3 * PIECE_BYTES), ..Budget::default() }.meter();
        let mut effort = Effort::new(&meter);
        assert_eq!(effort.spend(2_000_000), Ok(()));
        assert_eq!(meter.memory_bytes(), 2 * PIECE_BYTES);
        assert_eq!(effort.spend(4_000_000), Err(Stopped::Limit(Exhausted::Memory(3 * PIECE_BYTES))));
        drop(effort);
        assert_eq!(meter.memory_bytes(), 0);
        let mut short = Effort::steps(&meter, 1);
        assert_eq!((short.spend(0), short.spend(0)), (Ok(()), Err(Stopped::Steps(1))));
        let late = Budget { time_per_run: Some(Duration::ZERO), ..Budget::default() }.meter();
        let mut effort = Effort::new(&late);
        let stopped = (0..=Ticker::STEPS).find_map(|_| effort.spend(0).err());
        assert_eq!(stopped, Some(Stopped::Limit(Exhausted::Time(Duration::ZERO))));
    }
}
