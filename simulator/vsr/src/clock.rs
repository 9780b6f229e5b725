//! Synchronised clocks: what time the members agree on, and what a primary does that does not know it.
//!
//! Voters ping each other. A pong brings a sample: what a peer's clock read at some time between ping and pong. Of each peer the best
//! sample of a window counts; each clock, the own one included, is believed to be within the tolerance of the true time, and a quorum of
//! them must agree (see [`crate::marzullo`]). The own clock must lie inside of what they agree on: who is alone with its time does not
//! correct itself, but lets another one lead. What a window has found holds until the next one, and at most for the epoch limit.
//!
//! A primary whose clock is not synchronised refuses requests. It steps down after [`CLOCK_ABDICATION_NS`] if a voter has claimed to know
//! the time. The rule has these ends, without which a cluster would stand still for ever or never begin:
//! * a single voter agrees with itself;
//! * a cluster that has just been formatted has no time yet: in view 0, until the first window is over, its primary's clock is taken;
//! * if no voter claims to know the time for [`CLOCK_FALLBACK_NS`], the primary falls back: its last interval goes on by its monotonic
//!   clock, however old, or, if it never had one, the log's newest timestamp is counted on from.

use crate::bug::Bug;
use crate::constants::{
    CLOCK_ABDICATION_NS, CLOCK_DRIFT_DIVISOR, CLOCK_EPOCH_NS, CLOCK_FALLBACK_NS, CLOCK_PING_NS, CLOCK_SLACK_NS, CLOCK_TOLERANCE_NS,
    CLOCK_WINDOW_MAX_NS, CLOCK_WINDOW_MIN_NS, PING_NS, REPLICAS_MAX,
};
use crate::ids::{ReplicaId, View};
use crate::io::{AbdicationCause, ClockLoss, Effect, Note, Now, Timer};
use crate::marzullo::{Interval, agreed};
use crate::message::{Body, RejectReason};
use crate::quorum::Members;
use crate::replica::{Config, Handled, Replica};
use crate::state_machine::StateMachine;
use alloc::vec::Vec;

/// Whose word counts for the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClockSource {
    /// The host's clock is kept right by other means, and trusted.
    #[default]
    Host,
    /// The members compare their clocks.
    Cluster,
}

/// What a peer's clock read. All offsets are from the own monotonic clock, which nobody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sample {
    /// What it read, nanoseconds from the own monotonic clock.
    offset: i64,
    /// Half the round trip, nanoseconds.
    error: i64,
    taken_ns: u64,
}

impl Sample {
    /// The longer ago, the more may have changed.
    fn error_at(&self, now_ns: u64) -> i64 {
        self.error.saturating_add(drift(now_ns.saturating_sub(self.taken_ns)))
    }
}

/// What a quorum has agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Agreement {
    offsets: Interval,
    taken_ns: u64,
}

impl Agreement {
    fn offsets_at(&self, now_ns: u64) -> Interval {
        self.offsets.widened(drift(now_ns.saturating_sub(self.taken_ns)))
    }
}

/// What two clocks that run at slightly different rates may be apart after a while.
fn drift(elapsed_ns: u64) -> i64 {
    signed(elapsed_ns / CLOCK_DRIFT_DIVISOR)
}

fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

/// A time from an offset and the monotonic clock.
fn time_of(offset_ns: i64, now_ns: u64) -> u64 {
    now_ns.saturating_add_signed(offset_ns)
}

/// The state of the clock.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Clock {
    /// The monotonic clock at this step.
    now_ns: u64,
    /// Of this incarnation.
    started_ns: u64,
    /// Beginning of the current window.
    window_ns: u64,
    /// The best sample of each member in it.
    samples: Vec<Option<Sample>>,
    /// When each member last claimed to know the time.
    claims: Vec<Option<u64>>,
    /// In force.
    epoch: Option<Agreement>,
    /// The last one that was.
    last: Option<Agreement>,
    /// Since when there is none in force, if so.
    lost_ns: u64,
    /// Since when this replica leads, if it does.
    leads_ns: u64,
}

/// What a window has found.
enum Finding {
    /// A quorum agrees, the own clock among it.
    Agreed(Interval, Members),
    /// A quorum agrees that the own clock is wrong.
    Contradicted,
    /// Nothing yet.
    Open,
}

/// What a primary may stamp entries with.
enum Time {
    Known(u64),
    Fallback(u64),
    Unknown,
}

impl Clock {
    pub fn new(config: &Config) -> Self {
        let members = usize::from(config.members());
        Self {
            now_ns: 0,
            started_ns: 0,
            window_ns: 0,
            samples: (0..members).map(|_| None).collect(),
            claims: (0..members).map(|_| None).collect(),
            epoch: None,
            last: None,
            lost_ns: 0,
            leads_ns: 0,
        }
    }

    pub fn tick(&mut self, now: Now) {
        self.now_ns = now.monotonic_ns;
    }

    pub const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    fn begin_window(&mut self) {
        self.window_ns = self.now_ns;
        self.samples.iter_mut().for_each(|sample| *sample = None);
    }

    fn since(&self, ns: u64) -> u64 {
        self.now_ns.saturating_sub(ns)
    }
}

impl<S: StateMachine> Replica<S> {
    fn compares_clocks(&self) -> bool {
        self.config.clock == ClockSource::Cluster && self.votes(self.config.replica)
    }

    fn limit(&self, nominal_ns: u64) -> i64 {
        signed(self.config.timeout(nominal_ns))
    }

    /// Offset of the own clock.
    fn own_offset(&self) -> i64 {
        signed(self.clock_ns).saturating_sub(signed(self.clock.now_ns))
    }

    /// The first step of an incarnation.
    pub(crate) fn start_clock(&mut self, fx: &mut Vec<Effect>) {
        let now_ns = self.clock.now_ns;
        (self.clock.started_ns, self.clock.lost_ns, self.clock.leads_ns) = (now_ns, now_ns, now_ns);
        self.clock.begin_window();
        if self.config.clock == ClockSource::Cluster {
            self.on_ping_timer(fx);
        }
    }

    /// A view begins that this replica leads.
    pub(crate) fn clock_leads(&mut self) {
        self.clock.leads_ns = self.clock.now_ns;
    }

    fn ask_for_samples(&mut self, fx: &mut Vec<Effect>) {
        let (sent_ns, suspects) = (self.clock.now_ns, self.suspects());
        for voter in self.other_voters() {
            self.send(voter, Body::Ping { sent_ns, suspects }, fx);
        }
        // Who does not know the time asks more often.
        let after_ns = if self.clock.epoch.is_some() { CLOCK_PING_NS } else { PING_NS };
        self.set_timer_for(Timer::Ping, after_ns, fx);
    }

    pub(crate) fn on_ping_timer(&mut self, fx: &mut Vec<Effect>) {
        if self.compares_clocks() {
            self.look_at_clock(fx);
            self.conclude(fx);
            self.ask_for_samples(fx);
        } else if self.config.clock == ClockSource::Cluster {
            // It may become a voter.
            self.set_timer_for(Timer::Ping, CLOCK_PING_NS, fx);
        }
    }

    /// Whether the time is known, as far as peers are told.
    pub(crate) fn claims_time(&self) -> bool {
        self.config.clock == ClockSource::Host || self.clock.epoch.is_some()
    }

    /// A pong has come for a ping that was sent at `sent_ns` of the monotonic clock.
    pub(crate) fn on_clock_sample(&mut self, from: ReplicaId, sent_ns: u64, clock_ns: u64, claims: bool, fx: &mut Vec<Effect>) {
        let (now_ns, place) = (self.clock.now_ns, usize::from(from.0));
        // Heartbeats are answered by pongs without a sample.
        if !self.compares_clocks() || !self.votes(from) || sent_ns == 0 || sent_ns > now_ns || sent_ns < self.clock.started_ns {
            return;
        }
        if let Some(claimed) = self.clock.claims.get_mut(place) {
            *claimed = claims.then_some(now_ns);
        }
        let error_ns = signed((now_ns - sent_ns).div_ceil(2));
        // A sample that says less than the tolerance is of no use, and one from before the window is of another time.
        if error_ns > self.limit(CLOCK_TOLERANCE_NS) || sent_ns < self.clock.window_ns {
            return;
        }
        let middle_ns = sent_ns + (now_ns - sent_ns) / 2;
        let sample = Sample { offset: signed(clock_ns).saturating_sub(signed(middle_ns)), error: error_ns, taken_ns: now_ns };
        let Some(best) = self.clock.samples.get_mut(place) else { return };
        if best.is_none_or(|best| sample.error <= best.error_at(now_ns)) {
            *best = Some(sample);
        }
        if self.clock.epoch.is_none() {
            self.conclude(fx);
        }
    }

    /// What the window's samples and the own clock agree on.
    fn finding(&self) -> Finding {
        let (now_ns, own, tolerance) = (self.clock.now_ns, self.own_offset(), self.limit(CLOCK_TOLERANCE_NS));
        // A member that does not vote compares its clock with up to as many that do.
        let mut intervals = [Interval::around(own, tolerance); REPLICAS_MAX as usize + 1];
        let mut sources = Members::default();
        sources.insert(self.config.replica);
        let mut count = 1;
        for voter in self.other_voters() {
            let Some(Some(sample)) = self.clock.samples.get(usize::from(voter.0)) else { continue };
            intervals[count] = Interval::around(sample.offset, sample.error_at(now_ns).saturating_add(tolerance));
            sources.insert(voter);
            count += 1;
        }
        let needed = self.quorums.view_change as usize;
        match agreed(&intervals[..count], needed) {
            Some(interval) if interval.contains(own) => Finding::Agreed(interval, sources),
            _ if agreed(&intervals[1..count], needed).is_some() => Finding::Contradicted,
            _ => Finding::Open,
        }
    }

    /// Ends the window if it has found something, or has lasted too long. Who does not know the time does not wait for the window's
    /// end.
    fn conclude(&mut self, fx: &mut Vec<Effect>) {
        let (age_ns, is_lost) = (self.clock.since(self.clock.window_ns), self.clock.epoch.is_none());
        let is_due = age_ns >= self.config.timeout(CLOCK_WINDOW_MIN_NS);
        if !is_due && !is_lost {
            return;
        }
        match self.finding() {
            Finding::Agreed(offsets, sources) => {
                let agreement = Agreement { offsets, taken_ns: self.clock.now_ns };
                (self.clock.epoch, self.clock.last) = (Some(agreement), Some(agreement));
                let now_ns = self.clock.now_ns;
                let (low_ns, high_ns) = (time_of(offsets.low, now_ns), time_of(offsets.high, now_ns));
                self.note(fx, Note::ClockSynchronised { low_ns, high_ns, sources: sources.0 });
                self.clock.begin_window();
            }
            Finding::Contradicted => {
                self.lose_clock(ClockLoss::Contradicted, fx);
                if is_due {
                    self.clock.begin_window();
                }
            }
            Finding::Open if is_lost && is_due || age_ns >= self.config.timeout(CLOCK_WINDOW_MAX_NS) => self.clock.begin_window(),
            Finding::Open => {}
        }
    }

    fn lose_clock(&mut self, cause: ClockLoss, fx: &mut Vec<Effect>) {
        if self.clock.epoch.take().is_some() {
            self.clock.lost_ns = self.clock.now_ns;
            self.note(fx, Note::ClockLost(cause));
        }
    }

    /// Ends an epoch that is too old, or one in which the own clock has left what was agreed on: it has been set.
    fn look_at_clock(&mut self, fx: &mut Vec<Effect>) {
        let Some(epoch) = self.clock.epoch else { return };
        if self.clock.since(epoch.taken_ns) > self.config.timeout(CLOCK_EPOCH_NS) {
            self.lose_clock(ClockLoss::Expired, fx);
        } else if !epoch.offsets_at(self.clock.now_ns).widened(self.limit(CLOCK_SLACK_NS)).contains(self.own_offset()) {
            self.lose_clock(ClockLoss::Stepped, fx);
            self.clock.begin_window();
            self.ask_for_samples(fx);
        }
    }

    /// The own clock, within what was agreed on.
    fn time_within(&self, agreement: Agreement) -> u64 {
        let offsets = agreement.offsets_at(self.clock.now_ns);
        time_of(self.own_offset().clamp(offsets.low, offsets.high), self.clock.now_ns)
    }

    /// Whether another voter has claimed to know the time not long ago.
    fn is_time_known_elsewhere(&self) -> bool {
        let recent_ns = self.config.timeout(CLOCK_FALLBACK_NS);
        let claimed = |voter: ReplicaId| self.clock.claims.get(usize::from(voter.0)).copied().flatten();
        self.other_voters().filter_map(claimed).any(|claimed_ns| self.clock.since(claimed_ns) < recent_ns)
    }

    fn time(&self) -> Time {
        if !self.compares_clocks() {
            return Time::Known(self.clock_ns);
        }
        if let Some(epoch) = self.clock.epoch {
            return Time::Known(self.time_within(epoch));
        }
        let first_window_ns = self.config.timeout(CLOCK_WINDOW_MIN_NS);
        let is_new = !self.restarted && self.view == View(0) && self.clock.last.is_none();
        if is_new && self.clock.since(self.clock.started_ns) < first_window_ns {
            return Time::Fallback(self.clock_ns);
        }
        if self.clock.since(self.clock.lost_ns) >= self.config.timeout(CLOCK_FALLBACK_NS) && !self.is_time_known_elsewhere() {
            return Time::Fallback(self.clock.last.map_or(0, |last| self.time_within(last)));
        }
        Time::Unknown
    }

    /// The guard: a primary that does not know the time puts nothing into the log.
    pub(crate) fn has_time(&mut self, fx: &mut Vec<Effect>) -> Handled {
        if self.has_bug(Bug::FollowsLocalClock) {
            return Ok(());
        }
        self.look_at_clock(fx);
        if matches!(self.time(), Time::Unknown) { Err(RejectReason::ClockUnsynchronised) } else { Ok(()) }
    }

    /// A timestamp for the next entry, later than everything in the log, whatever the clock says; and whether it is a fallback.
    pub(crate) fn next_timestamp(&self) -> (u64, bool) {
        let last = match self.log.get(self.log.head()) {
            Some(entry) => entry.timestamp,
            None => self.checkpoints.content.as_ref().map_or(0, |checkpoint| checkpoint.timestamp),
        };
        // The guard: the log's time never goes back.
        if self.has_bug(Bug::FollowsLocalClock) {
            return (self.clock_ns, false);
        }
        match self.time() {
            Time::Known(ns) => (ns.max(last + 1), false),
            Time::Fallback(ns) => (ns.max(last + 1), true),
            Time::Unknown => (last + 1, true),
        }
    }

    /// Primary: looks whether it should make room for one who knows the time. Whether it did.
    pub(crate) fn abdicate_without_time(&mut self, fx: &mut Vec<Effect>) -> bool {
        if !self.compares_clocks() || self.has_bug(Bug::FollowsLocalClock) {
            return false;
        }
        self.look_at_clock(fx);
        let waits_ns = self.clock.since(self.clock.lost_ns.max(self.clock.leads_ns));
        let leaves =
            matches!(self.time(), Time::Unknown) && waits_ns >= self.config.timeout(CLOCK_ABDICATION_NS) && self.is_time_known_elsewhere();
        if leaves {
            self.abdicate(AbdicationCause::ClockUnsynchronised, fx);
        }
        leaves
    }
}
