//! Peers that are not alike: one is slow for good, and whoever falls behind has to find that out.

use super::Planner;
use crate::fault_plan::{Fault, GrayMode, Partition, Target};
use crate::options::{MILLISECOND, SECOND};

impl Planner<'_> {
    /// The slow one and the laggard are two backups of the first view; it is the same laggard each time, so that it can learn.
    pub(super) fn slow_peer(&mut self) {
        let backups = self.options.cluster.replicas.max(3) - 1;
        let slow = self.stream.below_u8(backups);
        let laggard = (slow + 1 + self.stream.below_u8(backups - 1)) % backups;
        let (slow, isolated) = (Target::Replica(1 + slow), Target::Replica(1 + laggard));
        let factor = self.stream.range_u32(8..=11);
        let horizon = self.horizon();
        self.push_if_on(100 * MILLISECOND, Some(horizon), Fault::Gray { target: slow, mode: GrayMode::Slow { factor } });
        let mut start = self.duration(500 * MILLISECOND, SECOND);
        while start < horizon {
            let end = start + self.duration(self.base.laggards.1.0, self.base.laggards.1.1);
            self.push_if_on(start, Some(end), Fault::Partition { shape: Partition::Full { isolated }, clients_too: false });
            start = end + self.duration(600 * MILLISECOND, SECOND);
        }
    }
}
