//! Clocks that no replica may believe: one that is far off, and a time service that fails.
//!
//! Both must last long enough for the protocol to notice, and end early enough for it to recover and be put to the test again.

use super::Planner;
use crate::attack::{Attack, CommandName};
use crate::fault_plan::{Fault, Target};
use crate::options::{MILLISECOND, Rate, SECOND};
use vsr::constants::{CLOCK_EPOCH_NS, CLOCK_TOLERANCE_NS};
use vsr::message::Command;

impl Planner<'_> {
    /// One clock at a time, so that a majority is right. An offset below twice the tolerance might not be noticed over slow links.
    pub(super) fn offsets_exceeded(&mut self) {
        let offset_ns_max = self.options.clock.offset_ns_max.max(3 * CLOCK_TOLERANCE_NS);
        let mut start = self.duration(800 * MILLISECOND, 2_000 * MILLISECOND);
        while start < self.horizon() {
            let end = start + self.duration(4_000 * MILLISECOND, 6_000 * MILLISECOND);
            let offset = i64::try_from(self.duration(2 * CLOCK_TOLERANCE_NS + CLOCK_TOLERANCE_NS / 2, offset_ns_max)).unwrap_or(i64::MAX);
            let offset_ns = if self.stream.hit(Rate::percent(50)) { offset } else { -offset };
            self.push_if_on(start, Some(end), Fault::ClockOffset { target: Target::Primary, offset_ns });
            start = end + self.duration(1_000 * MILLISECOND, 2_500 * MILLISECOND);
        }
    }

    /// All pongs come without the time, until every agreement has expired and is missed for a while. Then one replica says a wrong time,
    /// now and then a second one another wrong time.
    pub(super) fn time_service(&mut self) {
        let command = Some(CommandName(Command::Pong));
        let mut start = self.duration(1_000 * MILLISECOND, 3_000 * MILLISECOND);
        while start < self.horizon() {
            let silent = start + self.duration(CLOCK_EPOCH_NS + 4 * SECOND, CLOCK_EPOCH_NS + 9 * SECOND);
            for replica in 0..self.options.cluster.replicas {
                let (from, attack) = (Target::Replica(replica), Attack::NoClockSample);
                self.push_if_on(start, Some(silent), Fault::Attack { from, to: None, command, attack, chance: Rate::ALWAYS });
            }
            let end = silent + self.duration(4 * SECOND, 8 * SECOND);
            let first = self.any_replica();
            let liars = if self.stream.hit(Rate::percent(25)) { 2 } else { 1 };
            for next in 0..liars {
                let from = Target::Replica((first + next) % self.options.cluster.replicas);
                let off = self.stream.range_u32(600..=5_000).cast_signed();
                let attack = Attack::ClockSample { off_ms: if self.stream.hit(Rate::percent(50)) { off } else { -off } };
                self.push_if_on(silent, Some(end), Fault::Attack { from, to: None, command, attack, chance: Rate::ALWAYS });
            }
            start = end + self.duration(2 * SECOND, 5 * SECOND);
        }
    }
}
