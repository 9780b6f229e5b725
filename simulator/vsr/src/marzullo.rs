//! Marzullo's fault-tolerant interval: what enough clocks agree on, however wrong the others are.
//!
//! Keith Marzullo, "Maintaining the Time in a Distributed System" (1984). Each clock says between which two points the true time lies. If
//! at least `needed` of them are right, the true time is a point that at least `needed` of the intervals hold; so it lies between the
//! first and the last such point, whatever the other clocks say.

/// A closed interval, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Its first point.
    pub low: i64,
    /// Its last point, not before the first.
    pub high: i64,
}

impl Interval {
    /// All points that are at most `error` away from one.
    #[must_use]
    pub const fn around(point: i64, error: i64) -> Self {
        Self { low: point.saturating_sub(error), high: point.saturating_add(error) }
    }

    /// Whether a point is in.
    #[must_use]
    pub const fn contains(&self, point: i64) -> bool {
        self.low <= point && point <= self.high
    }

    /// The same interval, longer at both ends.
    #[must_use]
    pub const fn widened(&self, by: i64) -> Self {
        Self { low: self.low.saturating_sub(by), high: self.high.saturating_add(by) }
    }
}

/// The interval from the first to the last point that at least `needed` of the intervals hold; none if there is no such point.
///
/// Where points begin to be held by enough an interval begins, and where they cease to be one ends, so that only the ends have to be
/// looked at.
#[must_use]
pub fn agreed(intervals: &[Interval], needed: usize) -> Option<Interval> {
    let is_agreed = |point: &i64| intervals.iter().filter(|interval| interval.contains(*point)).count() >= needed;
    let low = intervals.iter().map(|interval| interval.low).filter(is_agreed).min()?;
    let high = intervals.iter().map(|interval| interval.high).filter(is_agreed).max()?;
    Some(Interval { low, high })
}

#[cfg(test)]
mod tests {
    use super::{Interval, agreed};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn interval(low: i64, high: i64) -> Interval {
        Interval { low, high }
    }

    #[test]
    fn one_wrong_clock_of_three_moves_nobody() {
        let intervals = [interval(-5, 5), interval(-4, 7), interval(90, 100)];
        assert_eq!(agreed(&intervals, 2), Some(interval(-4, 5)));
        assert_eq!(agreed(&intervals, 3), None);
    }

    #[test]
    fn a_clock_alone_agrees_with_itself_and_touching_intervals_agree() {
        assert_eq!(agreed(&[interval(3, 4)], 1), Some(interval(3, 4)));
        assert_eq!(agreed(&[interval(0, 2), interval(2, 9)], 2), Some(interval(2, 2)));
        assert_eq!(agreed(&[interval(0, 2), interval(3, 9)], 2), None);
        assert_eq!(agreed(&[], 1), None);
    }

    fn intervals() -> impl Strategy<Value = Vec<Interval>> {
        prop::collection::vec((-20_i64..20, 0_i64..15).prop_map(|(low, length)| interval(low, low + length)), 0..8)
    }

    proptest! {
        /// The oracle looks at every point there is.
        #[test]
        fn the_sweep_finds_what_looking_at_every_point_finds(intervals in intervals(), needed in 1_usize..6) {
            let held = |point: &i64| intervals.iter().filter(|interval| interval.low <= *point && *point <= interval.high).count();
            let points: Vec<i64> = (-40..40).filter(|point| held(point) >= needed).collect();
            let expected = points.first().zip(points.last()).map(|(low, high)| interval(*low, *high));
            prop_assert_eq!(agreed(&intervals, needed), expected);
        }

        /// What the invariant `clock` of a history relies on.
        #[test]
        fn the_truth_is_inside_while_enough_are_right(
            truth in -20_i64..20,
            right in prop::collection::vec((0_i64..10, 0_i64..10), 1..5),
            wrong in intervals(),
        ) {
            let needed = right.len();
            let mut all: Vec<Interval> = right.iter().map(|(before, after)| interval(truth - before, truth + after)).collect();
            all.extend(wrong);
            prop_assert!(agreed(&all, needed).is_some_and(|agreed| agreed.contains(truth)));
        }
    }
}
