//! A scenario's configuration in words, made from the data that its runs are drawn from.
//!
//! A description that is written by hand ends up describing an older scenario.

use super::{Ambush, Base, CloggerDraw, Rates, Times};
use crate::options::{MILLISECOND, Rate, SECOND};
use vsr::constants::LOG_SLOTS;

impl Base {
    /// The configuration in one line; what is off is left out.
    #[must_use]
    pub fn describe(&self) -> String {
        let replicas: Vec<String> = self.replicas.iter().map(ToString::to_string).collect();
        let plural = |count: u32, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let mut parts = vec![
            format!("{} replica{}", replicas.join(" or "), if self.replicas == [1] { "" } else { "s" }),
            plural(self.tenants, "tenant"),
            format!("{} clients each", self.clients_per_tenant),
            format!("{} s", self.time_ns / SECOND),
            format!("{} events", self.events),
            format!("latency {}", span(self.latency)),
        ];
        let rates = [
            (self.drop, "drops"),
            (self.duplicate, "duplicates"),
            (self.write_failure, "write failures"),
            (self.flush_failure, "flush failures"),
            (self.corruption, "corruption"),
            (self.mutation, "mutated messages"),
            (self.silent_read, "silently wrong reads"),
            (self.log_damage, "of a log damaged while down"),
            (Rates::fixed(self.crash_per_write), "crashes per write"),
            (Rates::fixed(self.crash_per_commit), "crashes per commit"),
            (Rates::fixed(self.crash_per_view_change_step), "crashes per view-change step"),
            (Rates::fixed(self.partition), "partitions per second"),
            (Rates::fixed(self.invalid), "commands to be refused"),
        ];
        parts.extend(rates.iter().filter(|(rates, _)| rates.1 != Rate::NEVER).map(|(rates, what)| format!("{} {what}", share(*rates))));
        match self.clogger {
            CloggerDraw::Off => {}
            CloggerDraw::Mild => parts.push("mild clogger".to_owned()),
            CloggerDraw::Aggressive => parts.push("aggressive clogger".to_owned()),
            CloggerDraw::Either => parts.push("mild or aggressive clogger".to_owned()),
        }
        if self.gray_fail != Rate::NEVER {
            let (fail, recover) = (Rates::fixed(self.gray_fail), Rates::fixed(self.gray_recover));
            parts.push(format!("gray: {} fail, {} recover per tick", share(fail), share(recover)));
        }
        if self.slow_disk.0 != Rate::NEVER {
            parts.push(format!("{} of a disk's accesses {} late", share(Rates::fixed(self.slow_disk.0)), span(self.slow_disk.1)));
        }
        if self.laggards.0 > 0 {
            let backups = plural(u32::from(self.laggards.0), "backup");
            parts.push(format!("{backups} away for {}-{} s", seconds(self.laggards.1.0), seconds(self.laggards.1.1)));
        }
        if !self.assault.ambushes.is_empty() {
            let ambushes: Vec<String> = self.assault.ambushes.iter().map(Ambush::describe).collect();
            parts.push(format!(
                "links lie for {}-{} s: {}",
                seconds(self.assault.round.0),
                seconds(self.assault.round.1),
                ambushes.join("; ")
            ));
        }
        if self.link_messages < 1_024 {
            parts.push(format!("{} messages in flight", self.link_messages));
        }
        if self.quorum_reads {
            parts.push("reads by a quorum's word".to_owned());
        }
        if self.log_slots != LOG_SLOTS {
            parts.push(format!("a log of {} slots", self.log_slots));
        }
        if self.scrub_tick_ns > 0 {
            parts.push(format!("scrubbed every {} ms", self.scrub_tick_ns / MILLISECOND));
        }
        if self.compression > 1 {
            parts.push(format!("delays divided by {}", self.compression));
        }
        parts.join(", ")
    }
}

impl Ambush {
    fn describe(&self) -> String {
        let what = self.command.map_or("all messages", |command| command.name());
        format!("{} of {what} {}", share(Rates::fixed(self.chance)), self.attack)
    }
}

fn span(times: Times) -> String {
    format!("{}-{} ms", times.0 / MILLISECOND, times.1 / MILLISECOND)
}

#[expect(clippy::cast_precision_loss, reason = "a few seconds")]
fn seconds(nominal_ns: u64) -> f64 {
    nominal_ns as f64 / SECOND as f64
}

/// Parts per million as percent, without superfluous digits.
fn share(rates: Rates) -> String {
    let percent = |rate: Rate| f64::from(rate.0) / 10_000.0;
    if rates.0 == rates.1 { format!("{}%", percent(rates.1)) } else { format!("{}-{}%", percent(rates.0), percent(rates.1)) }
}

#[cfg(test)]
mod tests {
    use crate::scenarios;

    /// A line for each scenario of the phases that are asked for.
    fn figures(wanted: impl Fn(u8) -> bool) -> String {
        let asked = scenarios::all().iter().filter(|scenario| wanted(scenario.phase));
        let text: Vec<String> = asked.map(|scenario| format!("{}: {}", scenario.name, scenario.base.describe())).collect();
        text.join("\n")
    }

    #[test]
    fn links_lie_as_was_agreed() {
        let expected = "\
byzantine_view_change_merge: 3 replicas, 1 tenant, 8 clients each, 20 s, 20000 events, latency 1-10 ms, 10% drops, links lie for \
1.4-1.8 s: 60% of start_view with another entry where the receiver has committed
byzantine_commit_desync: 3 replicas, 1 tenant, 8 clients each, 20 s, 20000 events, latency 1-10 ms, 10% drops, links lie for \
1.4-1.8 s: 60% of start_view with a commit number 50 beyond the log
byzantine_inflated_commit: 5 replicas, 1 tenant, 8 clients each, 20 s, 20000 events, latency 1-10 ms, 10% drops, links lie for \
1.4-1.8 s: 80% of do_view_change with a commit number 1000 beyond the log
byzantine_malicious_view_change: 3 replicas, 1 tenant, 8 clients each, 20 s, 20000 events, latency 1-10 ms, 10% drops, links lie \
for 1.4-1.8 s: 60% of do_view_change with a log from nowhere, 2 entries longer; 40% of do_view_change with the new view as its \
last normal one
byzantine_dvc_tail_length_mismatch: 3 replicas, 1 tenant, 8 clients each, 20 s, 20000 events, latency 1-5 ms, links lie for \
1.4-1.8 s: 25% of do_view_change with an op number 5 too high; 75% of do_view_change with 5 entries less than claimed
byzantine_dvc_identical_claims: 3 replicas, 1 tenant, 8 clients each, 20 s, 20000 events, latency 1-5 ms, links lie for 1.4-1.8 \
s: 100% of do_view_change with the receiver's claims and another tail
byzantine_invalid_metadata: 3 replicas, 1 tenant, 8 clients each, 20 s, 15000 events, latency 1-5 ms, 5% drops, links lie for \
1-2 s: 5% of prepare with an entry of a view 2 ahead; 5% of prepare with a commit number 10 beyond the log; 5% of prepare with \
an entry at another op; 2% of prepare of a view 3 ahead; 2% of prepare_ok with an op number 1000 too high
byzantine_leader_race: 5 replicas, 1 tenant, 8 clients each, 20 s, 25000 events, latency 1-15 ms, 15% drops, links lie for \
1.4-1.8 s: 30% of prepare_ok with 1 more copies; 50% of start_view with another entry where the receiver has committed; 10% of \
prepare with an entry at another op
byzantine_oversized_start_view: 3 replicas, 1 tenant, 8 clients each, 20 s, 20000 events, latency 1-5 ms, links lie for 1.4-1.8 \
s: 10% of start_view with more than 16 MiB; 40% of start_view with 50000 entries
byzantine_invalid_repair_range: 3 replicas, 1 tenant, 8 clients each, 20 s, 20000 events, latency 1-5 ms, 10% drops, links lie \
for 1-2 s: 30% of repair_request with a reversed range; 30% of repair_request with a range from op 0; 50% of repair_request with \
a range that is too long
byzantine_invalid_kernel_command: 3 replicas, 1 tenant, 8 clients each, 20 s, 20000 events, latency 1-5 ms, 5% commands to be \
refused
byzantine_replay_old_view: 3 replicas, 1 tenant, 8 clients each, 20 s, 15000 events, latency 1-10 ms, 5% drops, links lie for \
1.4-1.8 s: 30% of all messages followed by an older one; 30% of all messages followed by an older one
byzantine_corrupt_checksums: 3 replicas, 1 tenant, 8 clients each, 20 s, 15000 events, latency 1-5 ms, links lie for 1-2 s: 5% \
of all messages with a false checksum; 5% of all messages with a false checksum
byzantine_view_change_blocking: 3 replicas, 1 tenant, 8 clients each, 20 s, 20000 events, latency 1-10 ms, 10% drops, links lie \
for 1.4-1.8 s: 100% of do_view_change withheld
byzantine_prepare_flood: 3 replicas, 1 tenant, 8 clients each, 20 s, 30000 events, latency 1-5 ms, links lie for 1-1.3 s: 100% \
of prepare with 24 more copies, 256 messages in flight
byzantine_selective_silence: 3 replicas, 1 tenant, 8 clients each, 20 s, 20000 events, latency 1-10 ms, links lie for 1.5-3 s: \
100% of all messages withheld; 100% of all messages withheld";
        assert_eq!(figures(|phase| phase == 1), expected);
    }

    #[test]
    fn the_registry_has_the_figures_that_were_agreed() {
        let expected = "\
baseline: 3 replicas, 1 tenant, 4 clients each, 10 s, 10000 events, latency 1-5 ms
swizzle_clogging: 3 replicas, 1 tenant, 4 clients each, 10 s, 15000 events, latency 1-10 ms, 5% drops, 2% duplicates, \
mild or aggressive clogger
gray_failures: 3 replicas, 1 tenant, 4 clients each, 10 s, 15000 events, latency 1-20 ms, 2% drops, \
gray: 10% fail, 30% recover per tick
multi_tenant_isolation: 3 replicas, 5 tenants, 3 clients each, 15 s, 25000 events, latency 1-10 ms, 0-5% drops, 0-2% duplicates, \
0-1% write failures, 0-1% flush failures, 0-0.1% corruption, mild clogger, gray: 5% fail, 40% recover per tick
time_compression: 3 replicas, 1 tenant, 4 clients each, 100 s, 50000 events, latency 1-5 ms, 1% drops, delays divided by 10
combined: 3 or 5 replicas, 3 tenants, 3 clients each, 50 s, 30000 events, latency 1-50 ms, 0-10% drops, 0-5% duplicates, \
0-2% write failures, 0-2% flush failures, 0-0.2% corruption, 0.1-1% mutated messages, 5% partitions per second, \
mild or aggressive clogger, gray: 15% fail, 25% recover per tick, scrubbed every 200 ms, delays divided by 5
corruption_bit_flip: 3 replicas, 1 tenant, 4 clients each, 10 s, 15000 events, latency 1-5 ms, 1% corruption, 1% mutated messages
corruption_checksum_validation: 3 replicas, 1 tenant, 4 clients each, 10 s, 15000 events, latency 1-5 ms, 1% corruption, \
5% mutated messages
corruption_silent_disk_failure: 3 replicas, 1 tenant, 4 clients each, 10 s, 15000 events, latency 1-5 ms, 1% write failures, \
1-2% silently wrong reads
corruption_torn_write: 3 replicas, 1 tenant, 4 clients each, 10 s, 15000 events, latency 1-5 ms, 2% write failures, 5% crashes per write
crash_during_commit: 3 replicas, 1 tenant, 4 clients each, 10 s, 20000 events, latency 1-5 ms, 0-1% write failures, \
0-1% flush failures, 5% crashes per commit
crash_during_view_change: 3 replicas, 1 tenant, 4 clients each, 10 s, 25000 events, latency 1-5 ms, 10% drops, \
10% crashes per view-change step
recovery_corrupt_log: 3 replicas, 1 tenant, 4 clients each, 10 s, 15000 events, latency 1-5 ms, 3-5% of a log damaged while down
recovery_reformatted_replica: 3 or 5 replicas, 1 tenant, 4 clients each, 20 s, 25000 events, latency 1-5 ms
gray_failure_intermittent_network: 3 replicas, 1 tenant, 4 clients each, 10 s, 25000 events, latency 1-20 ms, 10% drops, \
5% duplicates, 15% partitions per second
gray_failure_slow_disk: 3 replicas, 1 tenant, 4 clients each, 10 s, 20000 events, latency 1-5 ms, \
10% of a disk's accesses 100-1000 ms late
quorum_reads: 3 replicas, 1 tenant, 4 clients each, 10 s, 25000 events, latency 1-10 ms, 5% drops, 15% partitions per second, \
reads by a quorum's word
race_concurrent_view_changes: 3 replicas, 1 tenant, 4 clients each, 15 s, 25000 events, latency 1-15 ms, 10-15% drops
race_commit_during_dvc: 3 replicas, 1 tenant, 6 clients each, 20 s, 20000 events, latency 1-10 ms, 10% drops
clock_drift: 3 replicas, 1 tenant, 4 clients each, 30 s, 50000 events, latency 1-5 ms, 2% drops
clock_backward_jump: 3 replicas, 1 tenant, 4 clients each, 25 s, 40000 events, latency 1-5 ms, 15% drops, mild clogger
clock_offset_exceeded: 3 replicas, 1 tenant, 4 clients each, 20 s, 30000 events, latency 5-100 ms, 10% drops, aggressive clogger
clock_ntp_failure: 3 replicas, 1 tenant, 4 clients each, 20 s, 25000 events, latency 1-10 ms, 30% drops, delays divided by 10
client_session_crash: 3 replicas, 1 tenant, 4 clients each, 15 s, 40000 events, latency 1-5 ms, 5% drops, 2% duplicates
client_session_view_change_lockout: 3 replicas, 1 tenant, 4 clients each, 20 s, 35000 events, latency 1-10 ms, 15% drops
client_session_eviction: 3 replicas, 3 tenants, 12 clients each, 15 s, 100000 events, latency 1-5 ms
repair_budget_prevents_storm: 5 replicas, 1 tenant, 4 clients each, 30 s, 50000 events, latency 1-5 ms, 15% drops, \
aggressive clogger, 2 backups away for 1-2.5 s, 100 messages in flight
repair_ewma_selection: 5 replicas, 1 tenant, 16 clients each, 20 s, 40000 events, latency 1-50 ms, 1 backup away for 0.4-0.8 s
repair_sync_timeout: 3 replicas, 1 tenant, 24 clients each, 25 s, 50000 events, latency 1-5 ms, 30% drops, 1 backup away for 6-9 s
primary_abdicate_partition: 3 replicas, 1 tenant, 4 clients each, 20 s, 30000 events, latency 1-5 ms
commit_stall_detection: 3 replicas, 1 tenant, 20 clients each, 15 s, 60000 events, latency 1-5 ms, 10% drops
reconfig_add_replicas: 3 replicas, 1 tenant, 4 clients each, 20 s, 10000 events, latency 1-5 ms
reconfig_remove_replicas: 5 replicas, 1 tenant, 4 clients each, 20 s, 10000 events, latency 1-5 ms
reconfig_during_partition: 3 or 5 replicas, 1 tenant, 4 clients each, 30 s, 15000 events, latency 1-5 ms
reconfig_during_view_change: 3 or 5 replicas, 1 tenant, 4 clients each, 25 s, 12000 events, latency 1-5 ms
reconfig_concurrent_requests: 3 or 5 replicas, 1 tenant, 4 clients each, 20 s, 10000 events, latency 1-5 ms
reconfig_replaced_disk: 3 or 5 replicas, 1 tenant, 4 clients each, 30 s, 20000 events, latency 1-5 ms, 0-5% drops, 0-2% duplicates
ping_heartbeat: 3 replicas, 1 tenant, 4 clients each, 10 s, 15000 events, latency 1-5 ms, 5% drops
commit_message_fallback: 3 replicas, 1 tenant, 4 clients each, 10 s, 10000 events, latency 1-5 ms, 10% drops
start_view_change_window: 3 replicas, 1 tenant, 4 clients each, 20 s, 30000 events, latency 1-5 ms, 10% drops
timeout_comprehensive: 3 replicas, 1 tenant, 4 clients each, 30 s, 50000 events, latency 1-5 ms, 10% drops, \
3-5% of a log damaged while down, 1 backup away for 4-6 s
scrub_detects_corruption: 3 replicas, 1 tenant, 4 clients each, 10 s, 10000 events, latency 1-5 ms, scrubbed every 10 ms
scrub_completes_tour: 1 replica, 1 tenant, 4 clients each, 30 s, 50000 events, latency 1-5 ms, a log of 8192 slots, \
scrubbed every 10 ms
scrub_rate_limited: 3 replicas, 1 tenant, 4 clients each, 20 s, 100000 events, latency 1-5 ms, scrubbed every 10 ms
scrub_triggers_repair: 3 replicas, 1 tenant, 4 clients each, 15 s, 20000 events, latency 1-5 ms, 2% drops, scrubbed every 10 ms";
        assert_eq!(figures(|phase| phase != 1), expected);
    }
}
