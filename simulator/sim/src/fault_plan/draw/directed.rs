//! Injections that aim at one moment of the protocol: each makes happen, again and again, what its scenario's name promises.
//!
//! They consist of several faults that belong together. Faults of families that are off are left out one by one, so that what is
//! left of a plan stays the same plan.

use super::Planner;
use crate::fault_plan::{ClientName, Endpoint, Fault, Partition, Target};
use crate::options::{MILLISECOND, Rate, SECOND};
use vopr_schema::rows::FaultFamily;
use vsr::constants::ABDICATION_TIMEOUT_NS;

/// A primary that hears nobody steps down within this time, nominal nanoseconds: it looks once per timeout.
const ABDICATES_WITHIN_NS: u64 = 2 * ABDICATION_TIMEOUT_NS;

impl Planner<'_> {
    /// Plans a fault, if its family is on.
    pub(super) fn push_if_on(&mut self, time_ns: u64, end_time_ns: Option<u64>, fault: Fault) {
        let families = self.options.families;
        let is_on = match fault.family() {
            FaultFamily::Network => families.network,
            FaultFamily::Storage => families.storage,
            FaultFamily::Crash => families.crash,
            FaultFamily::Clock => families.clock,
            FaultFamily::Byzantine => families.byzantine,
            FaultFamily::Client => families.client,
            FaultFamily::Load => families.load,
        };
        if is_on && time_ns <= self.horizon() {
            self.push(time_ns, end_time_ns, fault);
        }
    }

    fn share_of(&mut self, rates: crate::scenario::Rates) -> Rate {
        Rate(self.stream.range_u32(rates.0.0..=rates.1.0))
    }

    /// The horizon in as many parts as there are crashes, one crash in each. What is damaged goes bad while the replica is down; in half
    /// of the crashes the newest entry is among it.
    pub(super) fn restarts(&mut self) {
        let (low, high) = (self.options.crash.restart_ns_min, self.options.crash.restart_ns_max);
        let count = u64::from(self.base.crashes.max(1));
        let part = self.horizon() / (count + 1);
        for index in 1..=count {
            let start = part * index + self.stream.range(0..=part / 2);
            let end = start + self.duration(low, high);
            let (target, head) = (self.target(), self.stream.hit(Rate::percent(50)));
            let share = self.share_of(self.base.log_damage);
            self.push_if_on(start, Some(end), Fault::Crash { target });
            if share != Rate::NEVER {
                self.push_if_on(start, None, Fault::CorruptLog { target, share, head });
            }
        }
    }

    /// Every second interval is the primary's, the first one among them.
    pub(super) fn slow_disks(&mut self) {
        let (share, delays) = self.base.slow_disk;
        let mut start = self.duration(200 * MILLISECOND, 800 * MILLISECOND);
        let mut on_primary = true;
        while start < self.horizon() {
            let end = start + self.duration(1_000 * MILLISECOND, 2_500 * MILLISECOND);
            let backup = Target::Backup(self.other_place());
            let target = if on_primary { Target::Primary } else { backup };
            let (delay_ns, delay_ns_max) = (self.options.compress(delays.0), Some(self.options.compress(delays.1)));
            self.push_if_on(start, Some(end), Fault::SlowDisk { target, share, delay_ns, delay_ns_max });
            on_primary = !on_primary;
            start = end + self.duration(100 * MILLISECOND, 600 * MILLISECOND);
        }
    }

    /// Places behind the primary.
    fn other_place(&mut self) -> u8 {
        self.stream.below_u8(self.options.cluster.replicas.max(2) - 1)
    }

    /// The backups have no reason to give the primary up: only the primary itself can make room for another one.
    pub(super) fn deaf_primaries(&mut self) {
        let start = self.duration(500 * MILLISECOND, 1_500 * MILLISECOND);
        let end = start + self.duration(9_500 * MILLISECOND, 10_500 * MILLISECOND);
        let shape = Partition::Asymmetric { deaf: Target::Primary };
        self.push_if_on(start, Some(end), Fault::Partition { shape, clients_too: false });
        let next = end + self.duration(800 * MILLISECOND, 1_600 * MILLISECOND);
        // The other way comes next: both are what the scenario promises.
        self.primary_cuts_from(next, false);
    }

    pub(super) fn primary_cuts(&mut self) {
        let start = self.duration(500 * MILLISECOND, 1_500 * MILLISECOND);
        let deaf = self.stream.hit(Rate::percent(50));
        self.primary_cuts_from(start, deaf);
    }

    fn primary_cuts_from(&mut self, mut start: u64, mut deaf: bool) {
        while start < self.horizon() {
            let end = start + self.duration(ABDICATES_WITHIN_NS + 200 * MILLISECOND, ABDICATES_WITHIN_NS + SECOND);
            let only = Target::Primary;
            let shape = if deaf { Partition::Asymmetric { deaf: only } } else { Partition::Full { isolated: only } };
            // Clients that still reach the old primary are those that it could tell something wrong.
            let clients_too = self.stream.hit(Rate::percent(30));
            self.push_if_on(start, Some(end), Fault::Partition { shape, clients_too });
            deaf = !deaf;
            start = end + self.duration(800 * MILLISECOND, 1_600 * MILLISECOND);
        }
    }

    pub(super) fn commit_stalls(&mut self) {
        let mut start = self.duration(500 * MILLISECOND, 1_500 * MILLISECOND);
        let mut by_disk = self.stream.hit(Rate::percent(50));
        while start < self.horizon() {
            let mut end = start + self.duration(1_300 * MILLISECOND, 2_000 * MILLISECOND);
            let delay_ns = self.duration(1_100 * MILLISECOND, 1_600 * MILLISECOND);
            for place in 0..self.options.cluster.replicas - 1 {
                let (target, share) = (Target::Backup(place), Rate::ALWAYS);
                if by_disk {
                    self.push_if_on(start, Some(end), Fault::SlowDisk { target, share, delay_ns, delay_ns_max: None });
                }
            }
            if !by_disk {
                end += self.options.compress(ABDICATES_WITHIN_NS) - self.options.compress(SECOND);
                let shape = Partition::Asymmetric { deaf: Target::Primary };
                self.push_if_on(start, Some(end), Fault::Partition { shape, clients_too: false });
            }
            by_disk = !by_disk;
            start = end + self.duration(1_500 * MILLISECOND, 2_500 * MILLISECOND);
        }
    }

    /// Whoever leads next hears little, the others hear it well: they go on to the view after next while it still collects votes.
    pub(super) fn split_votes(&mut self) {
        let mut start = self.duration(300 * MILLISECOND, 1_000 * MILLISECOND);
        while start < self.horizon() {
            let end = start + self.duration(2_500 * MILLISECOND, ABDICATES_WITHIN_NS + 500 * MILLISECOND);
            let isolated = Target::Primary;
            let clients_too = self.stream.hit(Rate::percent(30));
            let drop = Rate::percent(self.stream.range_u32(75..=88));
            for place in 1..self.options.cluster.replicas - 1 {
                let (from, to) = (Endpoint::Replica(Target::Backup(place)), Endpoint::Replica(Target::Backup(0)));
                self.push_if_on(start, Some(end), Fault::Clog { from, to, delay_factor: 2, drop });
            }
            self.push_if_on(start, Some(end), Fault::Partition { shape: Partition::Full { isolated }, clients_too });
            start = end + self.duration(800 * MILLISECOND, 1_600 * MILLISECOND);
        }
    }

    /// What makes stale answers possible is an old primary that its clients still reach while the others have a new one.
    pub(super) fn lonely_primaries(&mut self) {
        let longest = self.options.network.partition_ns_max;
        let mut start = self.duration(500 * MILLISECOND, 1_500 * MILLISECOND);
        while start < self.horizon() {
            let end = start + self.duration(longest / 10 * 9, longest);
            let primary = Target::Primary;
            let deaf = self.stream.hit(Rate::percent(50));
            let shape = if deaf { Partition::Asymmetric { deaf: primary } } else { Partition::Full { isolated: primary } };
            self.push_if_on(start, Some(end), Fault::Partition { shape, clients_too: false });
            start = end + self.duration(800 * MILLISECOND, 2_500 * MILLISECOND);
        }
    }

    /// The primary is cut off, and before it is back its successor too: when the first one returns, on its way to the view that the
    /// second one led, the third one goes on to the next. Afterwards the primary of that view is mute for a while, not cut off: it goes on
    /// to commit what the others have voted for, and hears of the new view from a primary that has not heard of these commits.
    pub(super) fn chained_losses(&mut self) {
        let mut start = self.duration(300 * MILLISECOND, 1_000 * MILLISECOND);
        while start < self.horizon() {
            let shape = Partition::Full { isolated: Target::Primary };
            let clients_too = self.stream.hit(Rate::percent(30));
            let second = start + self.duration(2_200 * MILLISECOND, 2_500 * MILLISECOND);
            let first_end = start + self.duration(ABDICATES_WITHIN_NS + 100 * MILLISECOND, ABDICATES_WITHIN_NS + 400 * MILLISECOND);
            let second_end = first_end + self.duration(700 * MILLISECOND, 1_200 * MILLISECOND);
            self.push_if_on(start, Some(first_end), Fault::Partition { shape, clients_too });
            self.push_if_on(second, Some(second_end), Fault::Partition { shape, clients_too });
            let mute = second_end + self.duration(500 * MILLISECOND, 1_000 * MILLISECOND);
            let heard_again = mute + self.duration(1_600 * MILLISECOND, 2_000 * MILLISECOND);
            for place in 0..self.options.cluster.replicas - 1 {
                let shape = Partition::OneWay { from: Target::Primary, to: Target::Backup(place) };
                self.push_if_on(mute, Some(heard_again), Fault::Partition { shape, clients_too: false });
            }
            start = heard_again + self.duration(500 * MILLISECOND, 1_000 * MILLISECOND);
        }
    }

    /// The primary hears nobody and steps down after one or two timeouts; until then it sends its prepares again and again, and those
    /// arrive up to forty latencies later. In every second round they never arrive: then the new view does without them.
    pub(super) fn late_prepares(&mut self) {
        let mut start = self.duration(200 * MILLISECOND, 500 * MILLISECOND);
        let mut in_vain = false;
        while start < self.horizon() {
            let enough = if in_vain { ABDICATES_WITHIN_NS / 2 } else { ABDICATES_WITHIN_NS };
            let end = start + self.duration(enough + 200 * MILLISECOND, enough + 600 * MILLISECOND);
            let (delay_factor, drop) = (self.stream.range_u32(25..=40), Rate::NEVER);
            let loss = if in_vain { Rate::ALWAYS } else { drop };
            let places = self.options.cluster.replicas - 1;
            for place in 0..places {
                let (from, to) = (Endpoint::Replica(Target::Primary), Endpoint::Replica(Target::Backup(place)));
                self.push_if_on(start, Some(end), Fault::Clog { from, to, delay_factor, drop: loss });
                // Votes take their time too, so that there is something to come in the middle of.
                let (from, to) = (Endpoint::Replica(Target::Backup(place)), Endpoint::Replica(Target::Backup((place + 1) % places)));
                if from != to {
                    self.push_if_on(start, Some(end), Fault::Clog { from, to, delay_factor, drop });
                }
            }
            let shape = Partition::Asymmetric { deaf: Target::Primary };
            self.push_if_on(start, Some(end), Fault::Partition { shape, clients_too: false });
            in_vain = !in_vain;
            start = end + self.duration(300 * MILLISECOND, 600 * MILLISECOND);
        }
    }

    /// Each client crashes a few times over the run.
    pub(super) fn client_restarts(&mut self) {
        let count = self.options.workload.client_crashes_max;
        for _ in 0..count {
            let (client, start) = (self.client(), self.moment(1, 95));
            let end = start + self.duration(5 * MILLISECOND, 150 * MILLISECOND);
            if !self.is_client_down(client, start, end) {
                self.push_if_on(start, Some(end), Fault::ClientCrash { client });
            }
        }
    }

    /// Half of the clients, or all, begin anew while the primary can put their registrations into its log, and nobody else learns of them.
    /// Between two such times a backup loses its primary's messages, and nobody else does.
    pub(super) fn registrations(&mut self) {
        let cluster = self.options.cluster;
        let mut start = self.duration(500 * MILLISECOND, 1_500 * MILLISECOND);
        while start < self.horizon() {
            let end = start + self.duration(1_800 * MILLISECOND, 3_000 * MILLISECOND);
            let shape = Partition::Full { isolated: Target::Primary };
            self.push_if_on(start, Some(end), Fault::Partition { shape, clients_too: false });
            let everybody = self.stream.hit(Rate::percent(50));
            let names = (0..cluster.tenants).flat_map(|tenant| (0..cluster.clients_per_tenant).map(move |client| (tenant, client)));
            for (tenant, client) in names {
                let (crashes, at) =
                    (everybody || self.stream.hit(Rate::percent(50)), start + self.duration(MILLISECOND, 100 * MILLISECOND));
                let back = at + self.duration(5 * MILLISECOND, 100 * MILLISECOND);
                let client = ClientName { tenant, client };
                if crashes {
                    self.push_if_on(at, Some(back), Fault::ClientCrash { client });
                }
            }
            // One backup that does not hear its primary is no reason for a view change, nor for telling clients of one.
            let alone = end + self.duration(150 * MILLISECOND, 400 * MILLISECOND);
            let heard_again = alone + self.duration(1_500 * MILLISECOND, 2_100 * MILLISECOND);
            let shape = Partition::OneWay { from: Target::Primary, to: Target::Backup(self.other_place()) };
            self.push_if_on(alone, Some(heard_again), Fault::Partition { shape, clients_too: false });
            start = heard_again + self.duration(200 * MILLISECOND, 900 * MILLISECOND);
        }
    }

    /// Different backups, all at once, and as long a time to catch up. `leads`: it is the next in line, and has hardly caught up when
    /// the primary is lost to everybody, clients included.
    pub(super) fn laggards(&mut self, leads: bool) {
        let (count, away) = self.base.laggards;
        let mut start = self.duration(500 * MILLISECOND, 1_500 * MILLISECOND);
        while count > 0 && start < self.horizon() {
            let length = self.duration(away.0, away.1);
            let places = self.options.cluster.replicas.max(2) - 1;
            let first = if leads { 0 } else { self.stream.below_u8(places) };
            for next in 0..count.min(places) {
                let isolated = Target::Backup((first + next) % places);
                let end = start + length + self.duration(MILLISECOND, 200 * MILLISECOND);
                self.push_if_on(start, Some(end), Fault::Partition { shape: Partition::Full { isolated }, clients_too: false });
            }
            if leads {
                let at = start + length + self.duration(900 * MILLISECOND, 2_400 * MILLISECOND);
                let back = at + self.duration(1_800 * MILLISECOND, 2_600 * MILLISECOND);
                let shape = Partition::Full { isolated: Target::Primary };
                self.push_if_on(at, Some(back), Fault::Partition { shape, clients_too: true });
            }
            start += 2 * length + self.duration(SECOND, 2 * SECOND);
        }
    }

    /// What the primary and the second backup have committed is on nobody else's disk in the end: the first one is down meanwhile, and
    /// the second one's newest entries go bad. The two of them may not decide without the primary what these entries were.
    pub(super) fn last_copies(&mut self) {
        let mut start = self.duration(600 * MILLISECOND, 1_200 * MILLISECOND);
        while start < self.horizon() {
            let places = self.options.cluster.replicas.max(2) - 1;
            let first = self.other_place();
            let (behind, damaged) = (Target::Backup(first), Target::Backup((first + 1) % places));
            let damaged_at = start + self.duration(150 * MILLISECOND, 500 * MILLISECOND);
            let lost_at = damaged_at + self.duration(5 * MILLISECOND, 60 * MILLISECOND);
            let back = lost_at + self.duration(50 * MILLISECOND, 150 * MILLISECOND);
            let primary_back = back + self.duration(2_000 * MILLISECOND, 2_600 * MILLISECOND);
            let share = self.share_of(self.base.log_damage);
            self.push_if_on(start, Some(back), Fault::Crash { target: behind });
            self.push_if_on(damaged_at, Some(back), Fault::Crash { target: damaged });
            self.push_if_on(damaged_at, None, Fault::CorruptLog { target: damaged, share, head: true });
            self.push_if_on(lost_at, Some(primary_back), Fault::Crash { target: Target::Primary });
            start = primary_back + self.duration(800 * MILLISECOND, 1_500 * MILLISECOND);
        }
    }

    /// The first primary is ahead and another replica behind, or the other way round: together by more than any other scenario has it.
    pub(super) fn skews(&mut self) {
        let clock = self.options.clock;
        if !self.options.families.clock {
            return;
        }
        let other = 1 + self.other_place();
        let ahead = self.stream.hit(Rate::percent(50));
        for (replica, is_ahead) in [(0, ahead), (other, !ahead)] {
            let time = self.moment(0, 5);
            let offset = i64::try_from(self.duration(clock.offset_ns_max / 3, clock.offset_ns_max)).unwrap_or(i64::MAX);
            let offset_ns = if is_ahead { offset } else { -offset };
            self.push_if_on(time, None, Fault::ClockOffset { target: Target::Replica(replica), offset_ns });
        }
        for replica in 0..self.options.cluster.replicas {
            let ppm = self.stream.range_u32(0..=2 * clock.drift_ppm_max).cast_signed() - clock.drift_ppm_max.cast_signed();
            self.push_if_on(0, None, Fault::ClockDrift { target: Target::Replica(replica), ppm });
        }
        for _ in 0..self.stream.range(1..=3) {
            let (time, target) = (self.moment(10, 90), self.target());
            let step_ns = self.signed_time(clock.step_ns_max);
            self.push_if_on(time, None, Fault::ClockStep { target, step_ns });
        }
    }

    /// The step comes before the others have given the primary up: it is still the primary that the plan means.
    pub(super) fn backward_jumps(&mut self) {
        let step_ns_max = self.options.clock.step_ns_max;
        let mut start = self.duration(500 * MILLISECOND, 1_500 * MILLISECOND);
        while start < self.horizon() {
            let end = start + self.duration(2_000 * MILLISECOND, 3_000 * MILLISECOND);
            let (target, clients_too) = (Target::Primary, self.stream.hit(Rate::percent(30)));
            let shape = Partition::Full { isolated: target };
            self.push_if_on(start, Some(end), Fault::Partition { shape, clients_too });
            let at = start + self.duration(50 * MILLISECOND, 500 * MILLISECOND);
            let step = i64::try_from(self.duration(step_ns_max / 10, step_ns_max)).unwrap_or(i64::MAX);
            self.push_if_on(at, None, Fault::ClockStep { target, step_ns: -step });
            start = end + self.duration(1_500 * MILLISECOND, 3_000 * MILLISECOND);
        }
    }
}
