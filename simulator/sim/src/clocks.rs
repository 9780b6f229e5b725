//! Wall clocks of replicas: what each believes the time to be.
//!
//! Offset, drift and steps are kept apart and in integers, so that a clock reads the same on every machine and a replica's
//! timers follow its own rate. Virtual time itself is the true time, which no replica can see.

use vsr::io::Now;

/// What every clock reads at virtual time 0 when nothing is wrong with it, nanoseconds: far enough from zero that an offset
/// or a step back cannot make a clock negative. The recorder takes it off, so that timestamps in a history are comparable
/// with `time_ns`.
pub const CLOCK_BASE_NS: u64 = 3_600_000_000_000;

/// What every monotonic clock reads at virtual time 0: above zero, as after the boot of a machine.
const MONOTONIC_BASE_NS: u64 = 60_000_000_000;

const PARTS: i128 = 1_000_000_000;

/// As [`crate::options::RunOptions::compress`], for those who keep only the divisor.
#[inline]
#[must_use]
pub fn compress(nominal_ns: u64, time_compression: u32) -> u64 {
    nominal_ns / 1_000 * (1_000 / u64::from(time_compression.max(1)))
}

/// One replica's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallClock {
    /// Offset at `since_ns`, nanoseconds.
    offset_ns: i64,
    /// Rate error in parts per billion; positive runs fast.
    drift_ppb: i64,
    /// Virtual time at which the drift began.
    since_ns: u64,
    /// What drifts have added to the monotonic clock up to then.
    gained_ns: i64,
}

impl WallClock {
    /// A clock that is off by `offset_ns` at the run's start and runs fast by `drift_ppb` parts per billion.
    #[must_use]
    pub fn new(offset_ns: i64, drift_ppb: i64) -> Self {
        Self { offset_ns, drift_ppb, since_ns: 0, gained_ns: 0 }
    }

    /// How far the clock is from true time, nanoseconds; positive is ahead.
    #[must_use]
    pub fn skew_ns(&self, now_ns: u64) -> i64 {
        self.offset_ns.saturating_add(self.drifted_ns(now_ns))
    }

    /// What the present drift has added.
    fn drifted_ns(&self, now_ns: u64) -> i64 {
        let drifted = i128::from(now_ns - self.since_ns) * i128::from(self.drift_ppb) / PARTS;
        i64::try_from(drifted).unwrap_or(i64::MAX)
    }

    /// What the machine's clocks read at virtual time `now_ns`: nobody sets the monotonic one, but it runs at the same rate.
    #[inline]
    #[must_use]
    pub fn now(&self, now_ns: u64) -> Now {
        let is_even = self.drift_ppb == 0 && self.gained_ns == 0;
        let gained_ns = if is_even { 0 } else { self.gained_ns.saturating_add(self.drifted_ns(now_ns)) };
        Now { wall_ns: self.read_ns(now_ns), monotonic_ns: (MONOTONIC_BASE_NS + now_ns).saturating_add_signed(gained_ns) }
    }

    /// What the clock reads at virtual time `now_ns`.
    #[inline]
    #[must_use]
    pub fn read_ns(&self, now_ns: u64) -> u64 {
        if self.drift_ppb == 0 && self.offset_ns == 0 {
            return CLOCK_BASE_NS + now_ns;
        }
        (CLOCK_BASE_NS + now_ns).saturating_add_signed(self.skew_ns(now_ns))
    }

    /// True duration of `after_ns` nanoseconds of this clock.
    #[inline]
    #[must_use]
    pub fn true_duration_ns(&self, after_ns: u64) -> u64 {
        if self.drift_ppb == 0 {
            return after_ns;
        }
        let true_ns = i128::from(after_ns) * PARTS / (PARTS + i128::from(self.drift_ppb)).max(1);
        u64::try_from(true_ns).unwrap_or(u64::MAX)
    }

    /// How fast it runs, parts per billion.
    #[must_use]
    pub fn drift_ppb(&self) -> i64 {
        self.drift_ppb
    }

    /// Moves the clock by `delta_ns` at once.
    pub fn step(&mut self, delta_ns: i64) {
        self.offset_ns = self.offset_ns.saturating_add(delta_ns);
    }

    /// Changes the rate from now on.
    pub fn set_drift(&mut self, now_ns: u64, drift_ppb: i64) {
        self.offset_ns = self.skew_ns(now_ns);
        self.gained_ns = self.gained_ns.saturating_add(self.drifted_ns(now_ns));
        self.since_ns = now_ns;
        self.drift_ppb = drift_ppb;
    }

    /// Ends all that is wrong with the clock. Its monotonic reading goes on from where it is.
    pub fn heal(&mut self, now_ns: u64) {
        self.set_drift(now_ns, 0);
        self.offset_ns = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{CLOCK_BASE_NS, MONOTONIC_BASE_NS, WallClock};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn drift_accumulates_and_survives_a_change_of_rate() {
        let mut clock = WallClock::new(0, 200_000);
        assert_eq!(clock.skew_ns(10 * SECOND), 2_000_000);
        clock.set_drift(10 * SECOND, -100_000);
        assert_eq!(clock.skew_ns(10 * SECOND), 2_000_000);
        assert_eq!(clock.skew_ns(30 * SECOND), 0);
    }

    #[test]
    fn a_step_moves_the_reading_and_healing_ends_it() {
        let mut clock = WallClock::new(-500, 0);
        clock.step(-1_000);
        assert_eq!(clock.read_ns(SECOND), CLOCK_BASE_NS + SECOND - 1_500);
        clock.heal(SECOND);
        assert_eq!(clock.read_ns(SECOND), CLOCK_BASE_NS + SECOND);
    }

    #[test]
    fn the_monotonic_clock_knows_drifts_but_no_steps() {
        let mut clock = WallClock::new(700, 200_000);
        let read = |clock: &WallClock, seconds: u64| clock.now(seconds * SECOND).monotonic_ns - MONOTONIC_BASE_NS;
        clock.step(-5_000);
        assert_eq!(read(&clock, 10), 10 * SECOND + 2_000_000);
        clock.heal(10 * SECOND);
        assert_eq!(clock.now(10 * SECOND).wall_ns, CLOCK_BASE_NS + 10 * SECOND);
        assert_eq!(read(&clock, 10), 10 * SECOND + 2_000_000, "it never falls");
        assert_eq!(read(&clock, 20), 20 * SECOND + 2_000_000);
    }

    #[test]
    fn a_fast_clock_waits_less() {
        assert_eq!(WallClock::new(7, 0).true_duration_ns(SECOND), SECOND);
        assert!(WallClock::new(0, 200_000).true_duration_ns(SECOND) < SECOND);
        assert!(WallClock::new(0, -200_000).true_duration_ns(SECOND) > SECOND);
    }
}
