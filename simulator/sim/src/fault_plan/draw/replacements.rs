//! Replaced disks: a voter comes back that has forgotten everything, in the very moment when its vote would decide.
//!
//! Whoever remembers too little would then make a quorum with whoever never knew.

use super::Planner;
use crate::fault_plan::{Fault, Partition, Target};
use crate::options::{MILLISECOND, Rate};

impl Planner<'_> {
    /// In three rounds of four a backup loses its disk while another one is cut off; when it is back the two of them find no primary for a
    /// while. In the others it is the primary's own disk. Then there is time to become a voter again.
    pub(super) fn replacements(&mut self) {
        let places = self.options.cluster.replicas.max(3) - 1;
        let mut start = self.duration(500 * MILLISECOND, 1_200 * MILLISECOND);
        while start < self.horizon() {
            let first = self.stream.below_u8(places);
            let of_primary = self.stream.hit(Rate::percent(25));
            let replaced = if of_primary { Target::Primary } else { Target::Backup(first) };
            let at = start + self.duration(150 * MILLISECOND, 500 * MILLISECOND);
            let back = at + self.duration(50 * MILLISECOND, 200 * MILLISECOND);
            let lost_at = back + self.duration(5 * MILLISECOND, 60 * MILLISECOND);
            let primary_back = lost_at + self.duration(1_500 * MILLISECOND, 2_200 * MILLISECOND);
            // The others of five come to know no more than the one that is cut off from three.
            for behind in 1..places {
                let isolated = Target::Backup((first + behind) % places);
                if behind > places / 2 || behind == 1 {
                    self.push_if_on(start, Some(lost_at), Fault::Partition { shape: Partition::Full { isolated }, clients_too: false });
                }
            }
            self.push_if_on(at, Some(back), Fault::Reformat { target: replaced });
            if !of_primary {
                self.push_if_on(lost_at, Some(primary_back), Fault::Crash { target: Target::Primary });
            }
            start = primary_back + self.duration(3_000 * MILLISECOND, 4_500 * MILLISECOND);
        }
    }
}
