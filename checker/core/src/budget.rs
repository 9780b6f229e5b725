//! Limits of time and memory, tested inside the loops of every search.
//!
//! A checker that eats all memory or never ends takes the evidence with it; what cannot be decided within its limits is
//! unknown, with the limit named. Tests are frequent enough that a limit is exceeded by at most a tenth.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Limits. None means no limit.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    /// Wall time of all invariants of one run together.
    pub time_per_run: Option<Duration>,
    /// Wall time of one invariant on one run.
    pub time_per_invariant: Option<Duration>,
    /// Memory of one invariant on one run, bytes, as counted by the invariant itself.
    pub memory_bytes: Option<u64>,
    /// Set by anyone to stop everything soon.
    pub cancel: Option<Arc<AtomicBool>>,
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    /// Out of time.
    #[error("the time limit of {} ms was reached", .0.as_millis())]
    Time(Duration),
    /// Out of memory.
    #[error("the memory limit of {0} bytes was reached")]
    Memory(u64),
    /// Someone asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Budget {
    /// Starts the clock of one run.
    #[must_use]
    pub fn start_run(&self) -> RunBudget<'_> {
        RunBudget { budget: self, started: Instant::now() }
    }

    /// Starts the clock of one invariant that is not part of a run's check (tests, tools).
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.start_run().meter()
    }
}

/// The limits of one run, its clock running.
#[derive(Debug)]
pub struct RunBudget<'a> {
    budget: &'a Budget,
    started: Instant,
}

impl RunBudget<'_> {
    /// Starts the clock of one invariant: it ends with the invariant's own limit or the run's, whichever is first.
    #[must_use]
    pub fn meter(&self) -> Meter {
        let run = self.budget.time_per_run.map(|limit| (self.started + limit, limit));
        let own = self.budget.time_per_invariant.map(|limit| (Instant::now() + limit, limit));
        Meter {
            deadline: run.into_iter().chain(own).min(),
            memory_limit: self.budget.memory_bytes.unwrap_or(u64::MAX),
            memory_bytes: AtomicU64::new(0),
            cancel: self.budget.cancel.clone(),
        }
    }
}

/// What one invariant on one run has left; may be shared by threads.
#[derive(Debug, Default)]
pub struct Meter {
    deadline: Option<(Instant, Duration)>,
    memory_limit: u64,
    memory_bytes: AtomicU64,
    cancel: Option<Arc<AtomicBool>>,
}

impl Meter {
    /// Reads the clock (tens of nanoseconds): call it every thousand steps, or use a [`Ticker`].
    ///
    /// # Errors
    /// When time is up or someone asked to stop.
    pub fn check(&self) -> Result<(), Exhausted> {
        if self.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            return Err(Exhausted::Cancelled);
        }
        match self.deadline {
            Some((deadline, limit)) if Instant::now() >= deadline => Err(Exhausted::Time(limit)),
            _ => Ok(()),
        }
    }

    /// Counts memory that is about to be taken; call it before taking it.
    ///
    /// # Errors
    /// When more than the limit would be in use.
    pub fn reserve(&self, bytes: u64) -> Result<(), Exhausted> {
        let before = self.memory_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= self.memory_limit {
            return Ok(());
        }
        self.memory_bytes.fetch_sub(bytes, Ordering::Relaxed);
        Err(Exhausted::Memory(self.memory_limit))
    }

    /// Gives back what was reserved.
    pub fn release(&self, bytes: u64) {
        self.memory_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Memory in use, bytes, as reserved.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    /// A counter for one loop of one thread.
    #[must_use]
    pub fn ticker(&self) -> Ticker<'_> {
        Ticker { meter: self, left: Ticker::STEPS }
    }
}

/// Tests the limits once in [`Ticker::STEPS`] steps, so that a step costs next to nothing.
#[derive(Debug)]
pub struct Ticker<'a> {
    meter: &'a Meter,
    left: u32,
}

impl Ticker<'_> {
    /// Steps between two readings of the clock.
    pub const STEPS: u32 = 1024;

    /// One step of a loop.
    ///
    /// # Errors
    /// When time is up or someone asked to stop.
    #[inline]
    pub fn step(&mut self) -> Result<(), Exhausted> {
        self.left -= 1;
        if self.left > 0 {
            return Ok(());
        }
        self.left = Self::STEPS;
        self.meter.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_ends_within_one_reading_of_the_clock_after_time_is_up() {
        let limit = Duration::from_millis(20);
        let budget = Budget { time_per_invariant: Some(limit), ..Budget::default() };
        let meter = budget.meter();
        let mut ticker = meter.ticker();
        let started = Instant::now();
        let mut late = 0;
        let stopped = loop {
            late += u32::from(started.elapsed() >= limit);
            if let Err(stopped) = ticker.step() {
                break stopped;
            }
        };
        assert_eq!(stopped, Exhausted::Time(limit));
        assert!(late <= Ticker::STEPS, "{late}");
    }

    #[test]
    fn the_runs_limit_bounds_each_invariant() {
        let budget = Budget { time_per_run: Some(Duration::ZERO), time_per_invariant: Some(Duration::from_hours(1)), ..Budget::default() };
        assert_eq!(budget.meter().check(), Err(Exhausted::Time(Duration::ZERO)));
    }

    #[test]
    fn memory_is_counted_before_it_is_taken() {
        let meter = Budget { memory_bytes: Some(100), ..Budget::default() }.meter();
        assert_eq!(meter.reserve(60), Ok(()));
        assert_eq!(meter.reserve(41), Err(Exhausted::Memory(100)));
        meter.release(20);
        assert_eq!(meter.reserve(60), Ok(()));
        assert_eq!(meter.memory_bytes(), 100);
    }

    #[test]
    fn cancelling_stops_a_loop() {
        let cancel = Arc::new(AtomicBool::new(false));
        let meter = Budget { cancel: Some(cancel.clone()), ..Budget::default() }.meter();
        assert_eq!(meter.check(), Ok(()));
        cancel.store(true, Ordering::Relaxed);
        assert_eq!(meter.check(), Err(Exhausted::Cancelled));
    }
}
