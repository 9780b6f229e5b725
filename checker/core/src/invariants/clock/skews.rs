//! How far each replica's clock was from true time, and when, as the recorded faults have it.
//!
//! Only what was injected can make a clock wrong, so that whether a clock was right is a matter of arithmetic.

use crate::index::RunIndex;
use vopr_schema::FaultKind;

/// From a time on, a clock's skew and its rate.
#[derive(Clone, Copy, Debug)]
struct Segment {
    time_ns: u64,
    skew_ns: f64,
    drift_ppm: f64,
}

impl Segment {
    #[expect(clippy::cast_precision_loss, reason = "virtual times stay below 2^53 nanoseconds, which is a hundred days")]
    fn skew_at(&self, time_ns: u64) -> f64 {
        self.skew_ns + self.drift_ppm * 1e-6 * time_ns.saturating_sub(self.time_ns) as f64
    }
}

/// The clocks of a run.
#[derive(Debug)]
pub struct Skews {
    replicas: Vec<Vec<Segment>>,
}

/// A change of one clock.
enum Change {
    /// By so many nanoseconds.
    Step(f64),
    /// From now on it runs fast by so many parts per million.
    Drift(f64),
    /// From now on it is right.
    Heal,
}

impl Skews {
    /// Those of a run. A fault that lasts ends at its end or with the safety phase, whichever comes first.
    #[must_use]
    pub fn of(index: &RunIndex<'_>) -> Self {
        let table = index.faults();
        let heal_ns = index.meta().heal_time_ns.unwrap_or(u64::MAX);
        let mut changes: Vec<(u64, usize, Change)> = Vec::new();
        for row in index.fault_rows() {
            let Some(target) = table.target.get(row).map(|target| target as usize).filter(|target| *target < index.replicas()) else {
                continue;
            };
            let (begin_ns, magnitude) = (table.time_ns[row], table.magnitude[row]);
            let end_ns = table.end_time_ns.get(row).filter(|end_ns| *end_ns < heal_ns);
            match table.fault.get(row) {
                FaultKind::ClockOffset => {
                    changes.push((begin_ns, target, Change::Step(magnitude)));
                    changes.extend(end_ns.map(|end_ns| (end_ns, target, Change::Step(-magnitude))));
                }
                FaultKind::ClockStep => changes.push((begin_ns, target, Change::Step(magnitude))),
                FaultKind::ClockDrift => changes.push((begin_ns, target, Change::Drift(magnitude))),
                _ => {}
            }
        }
        if heal_ns < u64::MAX {
            changes.extend((0..index.replicas()).map(|replica| (heal_ns, replica, Change::Heal)));
        }
        changes.sort_by_key(|(time_ns, ..)| *time_ns);
        let mut skews = Self { replicas: vec![vec![Segment { time_ns: 0, skew_ns: 0.0, drift_ppm: 0.0 }]; index.replicas()] };
        for (time_ns, replica, change) in changes {
            skews.change(replica, time_ns, &change);
        }
        skews
    }

    fn change(&mut self, replica: usize, time_ns: u64, change: &Change) {
        let segments = &mut self.replicas[replica];
        let last = segments[segments.len() - 1];
        let now = Segment { time_ns, skew_ns: last.skew_at(time_ns), drift_ppm: last.drift_ppm };
        segments.push(match *change {
            Change::Step(step_ns) => Segment { skew_ns: now.skew_ns + step_ns, ..now },
            Change::Drift(drift_ppm) => Segment { drift_ppm, ..now },
            Change::Heal => Segment { skew_ns: 0.0, drift_ppm: 0.0, ..now },
        });
    }

    /// The farthest that a replica's clock was from true time between two times, both included, nanoseconds.
    #[must_use]
    pub fn farthest(&self, replica: usize, from_ns: u64, to_ns: u64) -> f64 {
        let Some(segments) = self.replicas.get(replica) else { return 0.0 };
        let first = segments.partition_point(|segment| segment.time_ns <= from_ns).saturating_sub(1);
        let mut farthest: f64 = 0.0;
        for (place, segment) in segments.iter().enumerate().skip(first).take_while(|(_, segment)| segment.time_ns <= to_ns) {
            let end_ns = segments.get(place + 1).map_or(to_ns, |next| next.time_ns.min(to_ns));
            // Between its ends a segment is a straight line.
            let ends = [segment.skew_at(segment.time_ns.max(from_ns)), segment.skew_at(end_ns)];
            farthest = ends.into_iter().map(f64::abs).fold(farthest, f64::max);
        }
        farthest
    }
}

#[cfg(test)]
mod tests {
    use super::Skews;
    use crate::RunIndex;
    use crate::testing::Story;
    use vopr_schema::{FaultKind, FaultRow};

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-3
    }

    #[test]
    fn offsets_end_drifts_add_up_and_healing_ends_all() {
        let mut story = Story::new(3);
        let mut fault = |fault, time_ns, end_time_ns, magnitude| {
            let seq = time_ns / 1000;
            story.faults.push(FaultRow { seq, time_ns, fault, end_time_ns, target: Some(1), magnitude, ..FaultRow::default() });
        };
        fault(FaultKind::ClockOffset, 10_000, Some(30_000), -700.0);
        fault(FaultKind::ClockDrift, 40_000, None, 1_000.0);
        fault(FaultKind::ClockStep, 50_000, None, 5.0);
        story.run.heal_time_ns = Some(90_000);
        let history = story.history();
        let skews = Skews::of(&RunIndex::new(&history, 0));
        assert!(close(skews.farthest(1, 0, 9_999), 0.0));
        assert!(close(skews.farthest(1, 0, 10_000), 700.0));
        assert!(close(skews.farthest(1, 25_000, 35_000), 700.0));
        assert!(close(skews.farthest(1, 31_000, 35_000), 0.0));
        assert!(close(skews.farthest(1, 41_000, 60_000), 25.0), "20 us of drift are 20 ns");
        assert!(close(skews.farthest(1, 95_000, 99_000), 0.0));
        assert!(close(skews.farthest(0, 0, 99_000), 0.0), "another clock");
    }
}
