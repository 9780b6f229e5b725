//! The conditions themselves, each over the rows of one run.
//!
//! They look for effects where effects are recorded (a late message, a crash between two steps), because a fault that
//! was announced and changed nothing proves nothing.

use crate::index::RunIndex;
use vopr_schema::column::Niche;
use vopr_schema::{Fate, FaultFamily, FaultKind, Outcome, Status, TransitionEvent};

pub(super) fn no_fault(index: &RunIndex<'_>) -> bool {
    index.fault_rows().is_empty()
}

pub(super) fn three_hundred_acknowledged(index: &RunIndex<'_>) -> bool {
    let table = index.operations();
    index.operation_rows().filter(|row| table.outcome.get(*row) != Outcome::Unknown).count() >= 300
}

/// This run's faults of one kind.
pub(super) fn faults<'a>(index: &'a RunIndex<'_>, kind: FaultKind) -> impl Iterator<Item = usize> + 'a {
    let table = index.faults();
    index.fault_rows().filter(move |row| table.fault.get(*row) == kind)
}

pub(super) fn ten_clogs(index: &RunIndex<'_>) -> bool {
    faults(index, FaultKind::Clog).count() >= 10
}

/// The longest delay of a healthy link, nanoseconds: the drawn option, or the format's default of 10 ms.
fn healthy_delay_ns(index: &RunIndex<'_>) -> u64 {
    let options: serde_json::Value = serde_json::from_str(&index.meta().options).unwrap_or_default();
    let number = |path: &str| options.pointer(path).and_then(serde_json::Value::as_u64);
    let nominal = number("/network/latency_ns_max").unwrap_or(10_000_000);
    nominal / number("/time_compression").unwrap_or(1).max(1)
}

pub(super) fn late_by_clog(index: &RunIndex<'_>) -> bool {
    let (messages, faults_table) = (index.messages(), index.faults());
    let healthy = healthy_delay_ns(index);
    let late: Vec<usize> = index
        .message_rows()
        .filter(|row| messages.fate.get(*row) == Fate::Delivered)
        .filter(|row| messages.fate_time_ns.0[*row].saturating_sub(messages.time_ns[*row]) > healthy)
        .collect();
    faults(index, FaultKind::Clog).any(|clog| {
        let span = faults_table.time_ns[clog]..=faults_table.end_time_ns.0[clog];
        let first = late.partition_point(|row| messages.time_ns[*row] < *span.start());
        late[first..].iter().take_while(|row| messages.time_ns[**row] <= *span.end()).any(|row| on_link(index, clog, *row))
    })
}

/// Whether a message goes from the fault's target to its peer.
fn on_link(index: &RunIndex<'_>, fault: usize, message: usize) -> bool {
    let (faults_table, messages) = (index.faults(), index.messages());
    u32::from(messages.from[message]) == faults_table.target.0[fault] && u32::from(messages.to[message]) == faults_table.peer.0[fault]
}

pub(super) fn two_gray_modes(index: &RunIndex<'_>) -> bool {
    let modes = [FaultKind::GraySlow, FaultKind::GrayIntermittent, FaultKind::GrayPartial, FaultKind::GrayUnresponsive];
    modes.into_iter().filter(|mode| faults(index, *mode).next().is_some()).count() >= 2
}

/// Tenants that a run may number; more cannot be shown to be concurrent one by one.
const TENANTS_MAX: usize = 1 << 16;

pub(super) fn tenants_concurrent(index: &RunIndex<'_>) -> bool {
    let table = index.operations();
    let tenants = index.meta().tenants as usize;
    if tenants > TENANTS_MAX {
        return false;
    }
    let mut met = vec![false; tenants];
    // Sweeping by invocation, an operation meets another tenant's exactly when that one is still open: it is enough to keep,
    // for the two tenants with the latest open ends, those ends.
    let mut latest: [(u64, u32); 2] = [(0, u32::MAX); 2];
    for row in index.operation_rows() {
        let (begin, end, tenant) = (table.seq[row], table.return_seq.0[row], table.tenant[row]);
        for (other_end, other) in latest {
            if other != tenant && other != u32::MAX && other_end > begin {
                for tenant in [tenant, other] {
                    mark(&mut met, tenant);
                }
            }
        }
        keep_latest(&mut latest, end, tenant);
    }
    tenants > 1 && met.iter().all(|met| *met)
}

fn mark(flags: &mut [bool], tenant: u32) {
    if let Some(flag) = flags.get_mut(tenant as usize) {
        *flag = true;
    }
}

/// Keeps the latest end of each of two different tenants, the latest first.
fn keep_latest(latest: &mut [(u64, u32); 2], end: u64, tenant: u32) {
    if let Some(own) = latest.iter_mut().find(|(_, known)| *known == tenant) {
        own.0 = own.0.max(end);
    } else if end > latest[1].0 {
        latest[1] = (end, tenant);
    }
    if latest[1].0 > latest[0].0 {
        latest.swap(0, 1);
    }
}

pub(super) fn every_tenant_hit(index: &RunIndex<'_>) -> bool {
    let tenants = index.meta().tenants as usize;
    if tenants > TENANTS_MAX {
        return false;
    }
    let mut hit = vec![false; tenants];
    faults(index, FaultKind::TenantFault).for_each(|row| mark(&mut hit, index.faults().target.0[row]));
    tenants > 0 && hit.iter().all(|hit| *hit)
}

pub(super) fn happened(index: &RunIndex<'_>, event: TransitionEvent) -> bool {
    index.transitions().event.codes[index.transition_rows()].contains(&(event as u8))
}

pub(super) fn checkpoint_taken(index: &RunIndex<'_>) -> bool {
    happened(index, TransitionEvent::CheckpointTaken)
}

pub(super) fn log_trimmed(index: &RunIndex<'_>) -> bool {
    happened(index, TransitionEvent::LogTrimmed)
}

pub(super) fn four_families(index: &RunIndex<'_>) -> bool {
    let families = [FaultFamily::Network, FaultFamily::Storage, FaultFamily::Crash, FaultFamily::Clock, FaultFamily::Byzantine];
    let table = index.faults();
    families.into_iter().filter(|family| index.fault_rows().any(|row| table.family.get(row) == *family)).count() >= 4
}

/// Whether a fault of one of these kinds was followed by a crash of its target.
fn crash_after(index: &RunIndex<'_>, kinds: &[FaultKind]) -> bool {
    let (faults_table, table) = (index.faults(), index.transitions());
    let announced = |row: &usize| kinds.contains(&faults_table.fault.get(*row));
    index.fault_rows().filter(announced).any(|fault| {
        let first =
            index.transition_rows().start + table.seq[index.transition_rows()].partition_point(|seq| *seq < faults_table.seq[fault]);
        let is_crash = |row: &usize| {
            u32::from(table.replica[*row]) == faults_table.target.0[fault] && table.event.get(*row) == TransitionEvent::Crashed
        };
        // The crash follows its announcement at once; far behind it would be another one.
        (first..index.transition_rows().end).take(64).any(|row| is_crash(&row))
    })
}

pub(super) fn crash_during_commit(index: &RunIndex<'_>) -> bool {
    crash_after(index, &[FaultKind::CrashBeforeApply, FaultKind::CrashBeforeReply])
}

pub(super) fn crash_during_view_change(index: &RunIndex<'_>) -> bool {
    let kinds = [FaultKind::CrashAfterStartViewChange, FaultKind::CrashAfterDoViewChange, FaultKind::CrashDuringStartView];
    crash_after(index, &kinds) || crashed_in_view_change(index)
}

/// Whether a replica crashed while its status was `view_change`, whatever made it crash.
fn crashed_in_view_change(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    let mut status = vec![Status::Normal; index.replicas()];
    for row in index.transition_rows() {
        let Some(status) = status.get_mut(usize::from(table.replica[row])) else { continue };
        if table.event.get(row) == TransitionEvent::Crashed && *status == Status::ViewChange {
            return true;
        }
        *status = table.status.get(row);
    }
    false
}

pub(super) fn one_way_partition(index: &RunIndex<'_>) -> bool {
    let (messages, table) = (index.messages(), index.faults());
    faults(index, FaultKind::PartitionOneWay).any(|fault| {
        let (begin, end) = (table.time_ns[fault], table.end_time_ns.0[fault]);
        index.message_rows().any(|row| {
            messages.fate.get(row) == Fate::Partitioned
                && (begin..=end).contains(&messages.fate_time_ns.get(row).unwrap_or(u64::NONE))
                && on_link(index, fault, row)
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::RunIndex;
    use crate::evidence::of_run;
    use crate::testing::Story;
    use vopr_schema::{Command, Fate, FaultFamily, FaultKind, FaultRow, Outcome, Status, TransitionEvent};

    fn named(scenario: &str) -> Story {
        let mut story = Story::clean(1);
        story.run.scenario = scenario.to_owned();
        story
    }

    fn fault(story: &mut Story, family: FaultFamily, fault: FaultKind, target: u32, peer: Option<u32>) {
        let seq = story.tick();
        let end_time_ns = Some((seq + 10) * 1000);
        let row = FaultRow { seq, time_ns: seq * 1000, family, fault, target: Some(target), peer, end_time_ns, ..FaultRow::default() };
        story.faults.push(row);
    }

    fn missing(story: &Story) -> Vec<&'static str> {
        of_run(&RunIndex::new(&story.history(), 0)).expect("a scenario of the table").missing
    }

    #[test]
    fn an_unknown_scenario_promises_nothing() {
        assert_eq!(of_run(&RunIndex::new(&Story::clean(1).history(), 0)), None);
    }

    #[test]
    fn baseline_needs_operations_and_no_fault() {
        let mut story = named("baseline");
        (0..299).for_each(|_| {
            story.operation(|_| {});
        });
        story.operation(|row| row.outcome = Outcome::Unknown);
        assert_eq!(missing(&story), ["at least 300 operations were acknowledged"]);
        story.operation(|_| {});
        assert!(missing(&story).is_empty());
        fault(&mut story, FaultFamily::Network, FaultKind::Loss, 0, None);
        assert_eq!(missing(&story), ["no fault was injected"]);
    }

    #[test]
    fn swizzle_needs_a_message_that_a_clog_delayed() {
        let mut story = named("swizzle_clogging");
        story.run.options = r#"{"network":{"latency_ns_max":5000},"time_compression":5}"#.to_owned();
        for _ in 0..10 {
            fault(&mut story, FaultFamily::Network, FaultKind::Clog, 0, Some(1));
        }
        let place = story.message(Command::Prepare, 0, 2, |_| {});
        story.messages[place].fate_time_ns = Some(story.messages[place].time_ns + 1001);
        assert_eq!(missing(&story), ["a message delivered late because its link was clogged"]);
        story.messages[place].to = 1;
        assert!(missing(&story).is_empty());
        story.messages[place].fate_time_ns = Some(story.messages[place].time_ns + 1000);
        assert_eq!(missing(&story).len(), 1);
    }

    #[test]
    fn tenants_must_overlap_and_each_be_hit() {
        let mut story = named("multi_tenant_isolation");
        story.run.tenants = 3;
        for tenant in 0..3 {
            fault(&mut story, FaultFamily::Client, FaultKind::TenantFault, tenant, None);
        }
        let first = story.operation(|row| row.tenant = 0);
        story.operation(|row| row.tenant = 1);
        story.operation(|row| row.tenant = 2);
        assert_eq!(missing(&story), ["every tenant had an operation concurrent with another tenant's"]);
        story.operations[first].return_seq = None;
        assert!(missing(&story).is_empty());
        story.faults.pop();
        assert_eq!(missing(&story), ["a fault aimed at every tenant"]);
        let most = u32::try_from(super::TENANTS_MAX).expect("a run numbers its tenants");
        for tenant in 2..most {
            fault(&mut story, FaultFamily::Client, FaultKind::TenantFault, tenant, None);
        }
        story.run.tenants = most;
        assert_eq!(missing(&story), ["every tenant had an operation concurrent with another tenant's"]);
    }

    #[test]
    fn combined_counts_families() {
        let mut story = named("combined");
        for family in [FaultFamily::Network, FaultFamily::Storage, FaultFamily::Client, FaultFamily::Clock] {
            fault(&mut story, family, FaultKind::Other, 0, None);
        }
        assert_eq!(missing(&story).len(), 1);
        fault(&mut story, FaultFamily::Byzantine, FaultKind::MessageMutation, 0, Some(1));
        assert!(missing(&story).is_empty());
    }

    #[test]
    fn gray_modes_checkpoints_and_trims_are_looked_for() {
        let mut story = named("gray_failures");
        fault(&mut story, FaultFamily::Network, FaultKind::GraySlow, 0, None);
        fault(&mut story, FaultFamily::Network, FaultKind::GraySlow, 1, None);
        assert_eq!(missing(&story).len(), 1);
        fault(&mut story, FaultFamily::Network, FaultKind::GrayPartial, 1, None);
        assert!(missing(&story).is_empty());
        let mut story = named("time_compression");
        assert_eq!(missing(&story).len(), 2);
        story.event(0, TransitionEvent::CheckpointTaken, |_| {});
        story.event(0, TransitionEvent::LogTrimmed, |_| {});
        assert!(missing(&story).is_empty());
    }

    #[test]
    fn an_announced_crash_must_happen() {
        let mut story = named("crash_during_commit");
        fault(&mut story, FaultFamily::Crash, FaultKind::CrashBeforeApply, 1, None);
        assert_eq!(missing(&story).len(), 1);
        story.crash(1);
        assert!(missing(&story).is_empty());
    }

    #[test]
    fn a_crash_inside_a_view_change_is_seen_from_the_status() {
        let mut story = named("crash_during_view_change");
        story.crash(1);
        assert_eq!(missing(&story).len(), 1);
        story.event(2, TransitionEvent::StatusChanged, |row| row.status = Status::ViewChange);
        story.crash(2);
        assert!(missing(&story).is_empty());
    }

    #[test]
    fn a_one_way_partition_must_stop_a_message_in_its_direction() {
        let mut story = named("gray_failure_intermittent_network");
        fault(&mut story, FaultFamily::Network, FaultKind::PartitionOneWay, 1, Some(0));
        let place = story.message(Command::Prepare, 0, 1, |row| row.fate = Fate::Partitioned);
        assert_eq!(missing(&story).len(), 1);
        (story.messages[place].from, story.messages[place].to) = (1, 0);
        assert!(missing(&story).is_empty());
    }
}
