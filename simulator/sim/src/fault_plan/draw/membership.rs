//! Changes of membership, and what else happens at that moment.
//!
//! Every plan changes the membership several times, so that a run also shows how a configuration works that was reached from
//! another one than the first.

use super::Planner;
use crate::fault_plan::{Fault, Partition, Target, Voters};
use crate::options::{MILLISECOND, Rate};

/// So many voters are left when some are removed.
const FEW: u8 = 3;

impl Planner<'_> {
    fn all_members(&self) -> Voters {
        Voters::Members((1 << self.options.cluster.members()) - 1)
    }

    /// Three members, the primary among them or just not.
    fn few_members(&mut self) -> Voters {
        if self.stream.hit(Rate::percent(50)) { Voters::FromPrimary(FEW) } else { Voters::BehindPrimary(FEW) }
    }

    fn ask(&mut self, time_ns: u64, administrator: u8, voters: Voters) {
        self.push(time_ns, None, Fault::Reconfigure { administrator, voters });
    }

    /// Voters that differ from those before: many when they were few, few when they were many.
    fn alternate(&mut self, many: &mut bool) -> Voters {
        *many = !*many;
        if *many { self.all_members() } else { self.few_members() }
    }

    fn starts_with_many(&self) -> bool {
        self.options.cluster.replicas == self.options.cluster.members()
    }

    pub(super) fn add_voters(&mut self) {
        let time = self.moment(15, 50);
        self.ask(time, 0, self.all_members());
    }

    pub(super) fn remove_voters(&mut self) {
        let (time, voters) = (self.moment(15, 50), self.few_members());
        self.ask(time, 0, voters);
    }

    /// A member is cut off, or two are where more are left; the change is asked for in the middle of it.
    pub(super) fn changes_while_cut(&mut self) {
        let mut many = self.starts_with_many();
        let mut start = self.duration(500 * MILLISECOND, 1_500 * MILLISECOND);
        while start < self.horizon() {
            let end = start + self.duration(1_500 * MILLISECOND, 3_000 * MILLISECOND);
            let first = if self.stream.hit(Rate::percent(25)) { Target::Primary } else { Target::Replica(self.any_member()) };
            let second = Target::Replica(self.any_member());
            self.push_if_on(start, Some(end), Fault::Partition { shape: Partition::Full { isolated: first }, clients_too: false });
            // Of three voters two are no minority.
            if many && self.stream.hit(Rate::percent(50)) {
                self.push_if_on(start, Some(end), Fault::Partition { shape: Partition::Full { isolated: second }, clients_too: false });
            }
            let asked = start + self.duration(50 * MILLISECOND, 1_200 * MILLISECOND);
            let voters = self.alternate(&mut many);
            self.ask(asked.min(self.horizon()), 0, voters);
            start = end + self.duration(800 * MILLISECOND, 2_000 * MILLISECOND);
        }
    }

    /// The primary is lost within a few round trips of the request: before the change is prepared, before it commits, before anybody is
    /// told.
    pub(super) fn changes_while_lost(&mut self) {
        let mut many = self.starts_with_many();
        let mut asked = self.duration(500 * MILLISECOND, 1_500 * MILLISECOND);
        while asked < self.horizon() {
            let voters = self.alternate(&mut many);
            self.ask(asked, 0, voters);
            let lost = asked + self.duration(2 * MILLISECOND, 40 * MILLISECOND);
            let back = lost + self.duration(1_400 * MILLISECOND, 2_500 * MILLISECOND);
            self.push_if_on(lost, Some(back), Fault::Crash { target: Target::Primary });
            asked = back + self.duration(800 * MILLISECOND, 2_000 * MILLISECOND);
        }
    }

    pub(super) fn rival_changes(&mut self) {
        let mut many = self.starts_with_many();
        let mut time = self.duration(500 * MILLISECOND, 1_500 * MILLISECOND);
        while time < self.horizon() {
            let (one, other) = (self.alternate(&mut many), self.few_members());
            let first = u8::from(self.stream.hit(Rate::percent(50)));
            self.ask(time, first, one);
            self.ask(time, 1 - first, other);
            time += self.duration(800 * MILLISECOND, 1_600 * MILLISECOND);
        }
    }

    fn any_member(&mut self) -> u8 {
        self.stream.below_u8(self.options.cluster.members())
    }
}
