//! The timers of one replica, with at most one queued event each.
//!
//! Most timers are set again long before they run out (every heartbeat puts off the view change), so a later deadline moves
//! no event: the event that is queued finds the new deadline when its time comes and waits again.

use vsr::io::Timer;

const UNSET: u64 = u64::MAX;

/// What a timer event means when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The timer runs out now.
    Now,
    /// It was put off: queue the event again at this time.
    Later(u64),
    /// It was stopped, or another event stands for it.
    Not,
}

/// Deadlines of one incarnation's timers, by number.
#[derive(Clone, Copy, Debug)]
pub struct Timers {
    deadlines: [u64; Timer::ALL.len()],
    queued: [u64; Timer::ALL.len()],
}

impl Default for Timers {
    fn default() -> Self {
        Self { deadlines: [UNSET; Timer::ALL.len()], queued: [UNSET; Timer::ALL.len()] }
    }
}

impl Timers {
    /// Sets a timer; answers whether an event must be queued at `deadline_ns`.
    #[inline]
    pub fn set(&mut self, timer: Timer, deadline_ns: u64) -> bool {
        let index = timer as usize;
        self.deadlines[index] = deadline_ns;
        let sooner = deadline_ns < self.queued[index];
        if sooner {
            self.queued[index] = deadline_ns;
        }
        sooner
    }

    /// When the event of a timer, whose time came while nobody looked, has to be queued again; none if that is not needed.
    pub fn missed(&mut self, timer: Timer, now_ns: u64) -> Option<u64> {
        let index = timer as usize;
        if self.queued[index] > now_ns {
            return None;
        }
        let deadline_ns = self.deadlines[index];
        self.queued[index] = if deadline_ns == UNSET { UNSET } else { deadline_ns.max(now_ns) };
        (deadline_ns != UNSET).then_some(self.queued[index])
    }

    /// Stops a timer.
    #[inline]
    pub fn cancel(&mut self, timer: Timer) {
        self.deadlines[timer as usize] = UNSET;
    }

    /// The event of a timer has come up at `now_ns`.
    #[inline]
    pub fn due(&mut self, timer: Timer, now_ns: u64) -> Due {
        let index = timer as usize;
        if self.queued[index] != now_ns {
            return Due::Not;
        }
        self.queued[index] = UNSET;
        match self.deadlines[index] {
            UNSET => Due::Not,
            deadline_ns if deadline_ns > now_ns => {
                self.queued[index] = deadline_ns;
                Due::Later(deadline_ns)
            }
            _ => {
                self.deadlines[index] = UNSET;
                Due::Now
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Due, Timers};
    use vsr::io::Timer;

    #[test]
    fn a_timer_that_is_put_off_needs_one_event_only() {
        let mut timers = Timers::default();
        assert!(timers.set(Timer::ViewChange, 100));
        assert!(!timers.set(Timer::ViewChange, 150));
        assert_eq!(timers.due(Timer::ViewChange, 100), Due::Later(150));
        assert_eq!(timers.due(Timer::ViewChange, 150), Due::Now);
        assert_eq!(timers.due(Timer::ViewChange, 150), Due::Not);
    }

    #[test]
    fn a_sooner_deadline_replaces_the_event() {
        let mut timers = Timers::default();
        assert!(timers.set(Timer::Repair, 100));
        assert!(timers.set(Timer::Repair, 40));
        assert_eq!(timers.due(Timer::Repair, 40), Due::Now);
        assert_eq!(timers.due(Timer::Repair, 100), Due::Not);
    }

    #[test]
    fn a_stopped_timer_never_fires_and_can_be_set_again() {
        let mut timers = Timers::default();
        assert!(timers.set(Timer::Prepare, 100));
        timers.cancel(Timer::Prepare);
        assert!(!timers.set(Timer::Prepare, 120), "the queued event still stands");
        timers.cancel(Timer::Prepare);
        assert_eq!(timers.due(Timer::Prepare, 100), Due::Not);
        assert!(timers.set(Timer::Prepare, 120));
        assert_eq!(timers.due(Timer::Prepare, 120), Due::Now);
    }
}
