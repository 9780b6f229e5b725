//! Conditions on clocks: how far they were apart, and what became of it.

use super::conditions::faults;
use super::course::{Course, compressed};
use crate::index::RunIndex;
use vopr_schema::{Detail, FaultKind, Status, TransitionEvent};

/// Clocks that are so far apart are badly set, though still inside the protocol's tolerance, nanoseconds.
const APART_NS: f64 = 1e8;
/// A clock that is off by more is wrong, nominal nanoseconds.
const TOLERANCE_NS: u64 = 500_000_000;
/// A timestamp that is off by so much shows it, nanoseconds.
const TIMESTAMP_OFF_NS: u64 = 50_000_000;

/// One replica's clock, as the faults have left it.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    skew_ns: f64,
    drift_ppm: f64,
    since_ns: u64,
}

impl Clock {
    #[expect(clippy::cast_precision_loss, reason = "times below 2^53 ns, which is 104 days")]
    fn skew_at(&self, time_ns: u64) -> f64 {
        self.skew_ns + self.drift_ppm * 1e-6 * time_ns.saturating_sub(self.since_ns) as f64
    }
}

fn end_of_faults(index: &RunIndex<'_>) -> u64 {
    index.meta().heal_time_ns.unwrap_or(index.meta().end_time_ns)
}

pub(super) fn hundred_milliseconds_apart(index: &RunIndex<'_>) -> bool {
    let table = index.faults();
    let mut clocks = vec![Clock::default(); index.members()];
    let apart = |clocks: &[Clock], time_ns: u64| {
        let skews = || clocks.iter().map(|clock| clock.skew_at(time_ns));
        skews().fold(f64::MIN, f64::max) - skews().fold(f64::MAX, f64::min) >= APART_NS
    };
    for row in index.fault_rows() {
        let (kind, time_ns) = (table.fault.get(row), table.time_ns[row]);
        let Some(clock) = usize::try_from(table.target.0[row]).ok().and_then(|target| clocks.get_mut(target)) else { continue };
        let now = Clock { skew_ns: clock.skew_at(time_ns), since_ns: time_ns, ..*clock };
        match kind {
            FaultKind::ClockOffset | FaultKind::ClockStep => *clock = Clock { skew_ns: now.skew_ns + table.magnitude[row], ..now },
            FaultKind::ClockDrift => *clock = Clock { drift_ppm: table.magnitude[row], ..now },
            _ => continue,
        }
        if apart(&clocks, time_ns) {
            return true;
        }
    }
    !clocks.is_empty() && apart(&clocks, end_of_faults(index))
}

pub(super) fn timestamp_off(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    index.transition_rows().filter(|row| table.event.get(*row) == TransitionEvent::TimestampAssigned).any(|row| {
        let timestamp = table.timestamp.get(row);
        timestamp.is_some_and(|timestamp| timestamp.abs_diff(table.time_ns[row]) >= TIMESTAMP_OFF_NS)
    })
}

pub(super) fn past_primary_stepped_back(index: &RunIndex<'_>) -> bool {
    let (table, course) = (index.faults(), Course::of(index));
    faults(index, FaultKind::ClockStep).filter(|row| table.magnitude[*row] < 0.0).any(|row| {
        let Ok(target) = usize::try_from(table.target.0[row]) else { return false };
        let led = course.led(index, target, table.seq[row]);
        led.is_some_and(|view| course.after(target, table.seq[row]).any(|state| state.status == Status::Normal && state.view > view))
    })
}

/// Whether a primary whose clock was off by more than the tolerance noticed, and another replica stamped entries meanwhile.
#[expect(clippy::cast_precision_loss, reason = "a tolerance of half a second")]
pub(super) fn primary_beyond_tolerance(index: &RunIndex<'_>) -> bool {
    let (table, transitions, course) = (index.faults(), index.transitions(), Course::of(index));
    let tolerance_ns = compressed(index, TOLERANCE_NS) as f64;
    faults(index, FaultKind::ClockOffset).filter(|row| table.magnitude[*row].abs() > tolerance_ns).any(|fault| {
        let Ok(target) = usize::try_from(table.target.0[fault]) else { return false };
        let end_ns = table.end_time_ns.get(fault).unwrap_or(u64::MAX);
        let mut meanwhile = index
            .transition_rows()
            .filter(|row| transitions.seq[*row] > table.seq[fault])
            .take_while(|row| transitions.time_ns[*row] < end_ns);
        let is_own = |row: usize| usize::from(transitions.replica[row]) == target;
        course.led(index, target, table.seq[fault]).is_some()
            && meanwhile.any(|row| is_own(row) && transitions.event.get(row) == TransitionEvent::ClockLost)
            && meanwhile.any(|row| !is_own(row) && transitions.event.get(row) == TransitionEvent::TimestampAssigned)
    })
}

/// Whether what was agreed on became too old somewhere.
pub(super) fn agreement_expired(index: &RunIndex<'_>) -> bool {
    with_detail(index, TransitionEvent::ClockLost, Detail::ClockExpired)
}

pub(super) fn stamped_by_fallback(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    let mut rows = index.transition_rows();
    // The first entries of a cluster are stamped before anybody knows the time.
    rows.any(|row| (table.event.get(row), table.detail.get(row)) == (TransitionEvent::ClockLost, Some(Detail::ClockExpired)))
        && rows.any(|row| {
            (table.event.get(row), table.detail.get(row)) == (TransitionEvent::TimestampAssigned, Some(Detail::ClockUnsynchronised))
        })
}

fn with_detail(index: &RunIndex<'_>, event: TransitionEvent, detail: Detail) -> bool {
    let table = index.transitions();
    index.transition_rows().any(|row| table.event.get(row) == event && table.detail.get(row) == Some(detail))
}
