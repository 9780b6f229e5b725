//! Each condition on a story that shows it and on one that just misses it.

mod attacks;

use super::of_run;
use crate::RunIndex;
use crate::testing::{Story, entry_hash};
use vopr_schema::{
    Command, Detail, Fate, FaultFamily, FaultKind, FaultRow, Mutation, Outcome, RejectReason, Status, StorageOutcome, StorageRow,
    TransitionEvent,
};

fn named(scenario: &str) -> Story {
    let mut story = Story::clean(1);
    story.run.scenario = scenario.to_owned();
    story
}

/// A fault that begins now and lasts for 100 positions.
fn fault(story: &mut Story, fault: FaultKind, target: u32, magnitude: f64) {
    let seq = story.tick();
    let (end_time_ns, family) = (Some((seq + 100) * 1000), FaultFamily::Network);
    let row = FaultRow { seq, time_ns: seq * 1000, family, fault, target: Some(target), magnitude, end_time_ns, ..FaultRow::default() };
    story.faults.push(row);
}

fn missing(story: &Story) -> usize {
    of_run(&RunIndex::new(&story.history(), 0)).expect("a scenario of the table").missing.len()
}

fn found(story: &mut Story, replica: u8, what: Detail) {
    story.event(replica, TransitionEvent::CorruptionDetected, |row| row.detail = Some(what));
}

/// A restart whose next row belongs to the same step.
fn found_at_restart(story: &mut Story, replica: u8, what: Detail) {
    story.restart(replica, |_| {});
    let time_ns = story.transitions.last().expect("just restarted").time_ns;
    found(story, replica, what);
    story.transitions.last_mut().expect("just found").time_ns = time_ns;
}

fn mutated(story: &mut Story, mutation: Option<Mutation>, reason: Option<RejectReason>) {
    story.message(Command::Prepare, 0, 1, |row| (row.mutation, row.reject_reason) = (mutation, reason));
}

fn enters_view_change(story: &mut Story, replica: u8, view: u64) {
    let state = story.state(replica);
    (state.status, state.view) = (Status::ViewChange, view);
    story.event(replica, TransitionEvent::StatusChanged, |_| {});
}

fn enters(story: &mut Story, replica: u8, view: u64) {
    let state = story.state(replica);
    (state.status, state.view, state.last_normal_view) = (Status::Normal, view, view);
    story.event(replica, TransitionEvent::ViewEntered, |_| {});
}

#[test]
fn flipped_messages_must_all_be_refused_and_a_flipped_entry_be_found() {
    let mut story = named("corruption_bit_flip");
    assert_eq!(missing(&story), 2);
    mutated(&mut story, Some(Mutation::BitFlip), Some(RejectReason::Checksum));
    found(&mut story, 2, Detail::CorruptEntry);
    assert_eq!(missing(&story), 1, "found without a fault");
    fault(&mut story, FaultKind::Corruption, 2, 3.0);
    found(&mut story, 2, Detail::CorruptEntry);
    assert_eq!(missing(&story), 0);
    mutated(&mut story, Some(Mutation::BitFlip), None);
    assert_eq!(missing(&story), 1);
}

#[test]
fn every_kind_of_damage_must_arrive_and_no_clean_message_be_refused() {
    let mut story = named("corruption_checksum_validation");
    for mutation in [Mutation::BitFlip, Mutation::Truncated, Mutation::Checksum] {
        mutated(&mut story, Some(mutation), Some(RejectReason::Malformed));
    }
    assert_eq!(missing(&story), 1);
    mutated(&mut story, Some(Mutation::Inserted), Some(RejectReason::Malformed));
    assert_eq!(missing(&story), 0);
    mutated(&mut story, None, Some(RejectReason::Checksum));
    assert_eq!(missing(&story), 1);
}

#[test]
fn silent_failures_need_a_stale_read() {
    let mut story = named("corruption_silent_disk_failure");
    found(&mut story, 1, Detail::MisplacedEntry);
    assert_eq!(missing(&story), 1);
    let seq = story.tick();
    story.storage.push(StorageRow { seq, io: vopr_schema::StorageIo::Read, outcome: StorageOutcome::Stale, ..StorageRow::default() });
    assert_eq!(missing(&story), 0);
}

#[test]
fn damage_must_be_done_between_crash_and_restart_and_be_found_in_its_step() {
    for (scenario, what, kind) in [
        ("corruption_torn_write", Detail::TornEntry, FaultKind::TornWrite),
        ("recovery_corrupt_log", Detail::CorruptEntry, FaultKind::Corruption),
    ] {
        let mut story = named(scenario);
        fault(&mut story, kind, 1, 1.0);
        story.crash(1);
        found_at_restart(&mut story, 1, what);
        assert_eq!(missing(&story), 1, "{scenario}: the fault came before the crash");
        story.crash(1);
        fault(&mut story, kind, 1, 1.0);
        story.restart(1, |_| {});
        found(&mut story, 1, what);
        assert_eq!(missing(&story), 1, "{scenario}: found later");
        story.crash(1);
        fault(&mut story, kind, 1, 1.0);
        found_at_restart(&mut story, 1, what);
        assert_eq!(missing(&story), 0, "{scenario}");
    }
}

#[test]
fn a_slow_access_must_be_the_primarys() {
    let mut story = named("gray_failure_slow_disk");
    let mut access = |replica, latency_ns| {
        let seq = story.tick();
        story.storage.push(StorageRow { seq, replica, outcome: StorageOutcome::Slow, latency_ns, ..StorageRow::default() });
        missing(&story)
    };
    assert_eq!(access(1, 200_000_000), 1);
    assert_eq!(access(0, 99_000_000), 1);
    assert_eq!(access(0, 100_000_000), 0);
}

#[test]
fn concurrent_view_changes_are_of_different_views_and_end() {
    let mut story = named("race_concurrent_view_changes");
    enters_view_change(&mut story, 1, 1);
    enters_view_change(&mut story, 2, 1);
    enters(&mut story, 1, 1);
    assert_eq!(missing(&story), 1);
    enters_view_change(&mut story, 1, 2);
    assert_eq!(missing(&story), 1);
    enters(&mut story, 2, 2);
    assert_eq!(missing(&story), 0);
}

#[test]
fn an_old_prepare_must_arrive_between_the_first_vote_and_the_start() {
    let mut story = named("race_commit_during_dvc");
    enters_view_change(&mut story, 1, 1);
    story.about(Command::Prepare, 0, 1, (2, 0, 0));
    assert_eq!(missing(&story), 1, "nobody has voted");
    story.event(1, TransitionEvent::VoteCast, |row| (row.view, row.entry_hash) = (1, Some(7)));
    assert_eq!(missing(&story), 1);
    let mut late = story.clone();
    late.about(Command::StartViewChange, 0, 1, (2, 0, 0));
    assert_eq!(missing(&late), 1, "no business of the old view");
    let lost = late.about(Command::Prepare, 0, 1, (2, 0, 0));
    late.messages[lost].fate = Fate::Lost;
    assert_eq!(missing(&late), 1, "lost");
    late.messages[lost].fate = Fate::Delivered;
    assert_eq!(missing(&late), 0);
    enters(&mut story, 1, 1);
    story.about(Command::Prepare, 0, 1, (2, 0, 0));
    assert_eq!(missing(&story), 1, "the view has started");
}

#[test]
fn a_cut_primary_must_step_down_and_another_one_commit() {
    let mut story = named("primary_abdicate_partition");
    story.event(0, TransitionEvent::Abdicated, |row| row.detail = Some(Detail::NoQuorum));
    fault(&mut story, FaultKind::PartitionFull, 1 << 1, 0.0);
    assert_eq!(missing(&story), 2, "a backup was cut");
    fault(&mut story, FaultKind::PartitionAsymmetric, 0, 0.0);
    story.event(0, TransitionEvent::Abdicated, |row| row.detail = Some(Detail::NoQuorum));
    assert_eq!(missing(&story), 1);
    story.state(1).view = 1;
    story.commit(1, 2, 1, Some(6));
    assert_eq!(missing(&story), 0);
}

#[test]
fn a_gap_is_more_than_a_hundred_entries() {
    let mut story = named("repair_sync_timeout");
    story.event(1, TransitionEvent::StateInstalled, |_| {});
    let mut commit = |commit| {
        story.event(0, TransitionEvent::Committed, |row| row.commit = commit);
        story.event(1, TransitionEvent::TimerFired, |_| {});
        missing(&story)
    };
    assert_eq!(commit(101), 1);
    assert_eq!(commit(102), 0);
}

#[test]
fn two_replicas_must_wait_for_repairs_at_the_same_time() {
    let mut story = named("repair_budget_prevents_storm");
    story.entry(1, TransitionEvent::RepairRequested, 5, 0);
    story.append(1, 5, 0);
    story.entry(2, TransitionEvent::RepairRequested, 5, 0);
    assert_eq!(missing(&story), 1);
    story.entry(1, TransitionEvent::RepairRequested, 6, 0);
    assert_eq!(missing(&story), 0);
}

#[test]
fn a_stall_is_a_second_between_a_prepare_and_the_next_commit() {
    for (wait_ns, expected) in [(1_000_000_000, 1), (1_000_000_001, 0)] {
        let mut story = named("commit_stall_detection");
        let begin = story.event(0, TransitionEvent::TimestampAssigned, |_| {});
        let begin_ns = story.transitions[begin].time_ns;
        story.event(0, TransitionEvent::Committed, |row| (row.commit, row.time_ns) = (2, begin_ns + wait_ns));
        assert_eq!(missing(&story), expected);
    }
}

#[test]
fn clocks_are_as_far_apart_as_their_faults_have_put_them() {
    let mut story = named("clock_drift");
    fault(&mut story, FaultKind::ClockOffset, 0, 6e7);
    fault(&mut story, FaultKind::ClockOffset, 1, -3e7);
    assert_eq!(missing(&story), 2);
    fault(&mut story, FaultKind::ClockStep, 1, -1e7);
    assert_eq!(missing(&story), 1);
    story.event(0, TransitionEvent::TimestampAssigned, |row| row.timestamp = Some(row.time_ns + 50_000_000));
    assert_eq!(missing(&story), 0);
    let mut drifting = named("clock_drift");
    fault(&mut drifting, FaultKind::ClockDrift, 2, 200.0);
    drifting.run.heal_time_ns = Some(499_000_000_000);
    assert_eq!(missing(&drifting), 2);
    drifting.run.heal_time_ns = Some(501_000_000_000);
    assert_eq!(missing(&drifting), 1);
}

#[test]
fn a_read_needs_the_word_of_a_quorum_and_the_run_a_view_change() {
    let mut story = named("quorum_reads");
    story.event(0, TransitionEvent::Replied, |row| row.op = Some(1));
    assert_eq!(missing(&story), 2);
    story.event(0, TransitionEvent::Replied, |row| (row.op, row.quorum) = (Some(1), Some(0b011)));
    assert_eq!(missing(&story), 1);
    story.event(1, TransitionEvent::ViewEntered, |row| row.quorum = Some(0b110));
    assert_eq!(missing(&story), 0);
}

#[test]
fn a_primary_with_a_wrong_clock_must_notice_and_another_one_stamp() {
    let mut story = named("clock_offset_exceeded");
    enters(&mut story, 1, 1);
    fault(&mut story, FaultKind::ClockOffset, 1, 4e8);
    fault(&mut story, FaultKind::ClockOffset, 0, 6e8);
    story.event(1, TransitionEvent::ClockLost, |_| {});
    story.event(0, TransitionEvent::TimestampAssigned, |_| {});
    assert_eq!(missing(&story), 1, "within the tolerance, and not the primary's");
    fault(&mut story, FaultKind::ClockOffset, 1, -6e8);
    story.event(0, TransitionEvent::TimestampAssigned, |_| {});
    story.event(1, TransitionEvent::ClockLost, |_| {});
    story.event(1, TransitionEvent::TimestampAssigned, |_| {});
    assert_eq!(missing(&story), 1, "nobody else stamped after the loss");
    story.event(2, TransitionEvent::TimestampAssigned, |_| {});
    assert_eq!(missing(&story), 0);
    let last = story.faults.len() - 1;
    story.faults[last].end_time_ns = Some(story.faults[last].time_ns + 1_000);
    assert_eq!(missing(&story), 1, "it was set right before");
}

#[test]
fn an_agreement_must_expire_before_a_fallback_counts() {
    let mut story = named("clock_ntp_failure");
    let fall_back = |story: &mut Story| {
        story.event(0, TransitionEvent::TimestampAssigned, |row| row.detail = Some(Detail::ClockUnsynchronised));
    };
    fall_back(&mut story);
    assert_eq!(missing(&story), 2);
    story.event(0, TransitionEvent::ClockLost, |row| row.detail = Some(Detail::ClockExpired));
    assert_eq!(missing(&story), 1);
    fall_back(&mut story);
    assert_eq!(missing(&story), 0);
}

#[test]
fn a_clock_must_step_back_on_a_primary_that_comes_back() {
    let mut story = named("clock_backward_jump");
    fault(&mut story, FaultKind::ClockStep, 0, 1e8);
    fault(&mut story, FaultKind::ClockStep, 1, -1e8);
    enters(&mut story, 0, 1);
    assert_eq!(missing(&story), 1);
    enters(&mut story, 1, 1);
    fault(&mut story, FaultKind::ClockStep, 1, -1e8);
    assert_eq!(missing(&story), 1);
    enters(&mut story, 1, 2);
    assert_eq!(missing(&story), 0);
}

#[test]
fn a_request_number_must_come_again_after_a_crash_in_another_session() {
    let mut story = named("client_session_crash");
    (story.run.clients, story.run.tenants) = (4, 1);
    let ask = |story: &mut Story, session| {
        story.operation(|row| (row.client, row.session, row.request_number) = (2, Some(session), 1));
    };
    ask(&mut story, 5);
    ask(&mut story, 9);
    assert_eq!(missing(&story), 1, "no crash");
    fault(&mut story, FaultKind::ClientCrash, 1_002, 0.0);
    ask(&mut story, 12);
    assert_eq!(missing(&story), 0);
}

#[test]
fn an_evicted_client_must_be_told_and_served_again() {
    let mut story = named("client_session_eviction");
    (story.run.clients, story.run.tenants) = (6, 2);
    assert_eq!(missing(&story), 2);
    story.event(0, TransitionEvent::SessionEvicted, |row| (row.tenant, row.client, row.session) = (Some(1), Some(2), Some(7)));
    story.operation(|row| (row.tenant, row.client, row.session) = (1, 2, Some(20)));
    assert_eq!(missing(&story), 1, "never told");
    story.message(Command::Eviction, 0, 1_005, |row| row.fate = Fate::Lost);
    story.operation(|row| (row.tenant, row.client, row.session) = (1, 2, Some(20)));
    assert_eq!(missing(&story), 1, "the message was lost");
    story.message(Command::Eviction, 0, 1_005, |_| {});
    assert_eq!(missing(&story), 1, "not served since");
    story.operation(|row| (row.tenant, row.client, row.session) = (1, 2, Some(21)));
    assert_eq!(missing(&story), 0);
}

#[test]
fn a_registration_must_be_overtaken_by_a_view_and_its_client_be_served() {
    let register = |story: &mut Story| {
        let place = story.append(0, 2, 0);
        let row = &mut story.transitions[place];
        (row.tenant, row.client, row.session, row.request_number) = (Some(0), Some(3), Some(2), Some(0));
    };
    let ask = |story: &mut Story, outcome| {
        story.operation(|row| (row.client, row.session, row.outcome) = (3, Some(9), outcome));
    };
    let mut story = named("client_session_view_change_lockout");
    register(&mut story);
    let mut committed = story.clone();
    enters(&mut story, 1, 1);
    ask(&mut story, Outcome::Unknown);
    assert_eq!(missing(&story), 1, "not served");
    ask(&mut story, Outcome::Ok);
    assert_eq!(missing(&story), 0);
    committed.event(0, TransitionEvent::Committed, |row| (row.commit, row.entry_hash) = (2, Some(entry_hash(2, 0))));
    enters(&mut committed, 1, 1);
    ask(&mut committed, Outcome::Ok);
    assert_eq!(missing(&committed), 1, "committed in time");
}

#[test]
fn timers_are_known_by_what_they_do() {
    let fired = |story: &mut Story, detail| {
        story.event(2, TransitionEvent::TimerFired, |row| row.detail = Some(detail));
    };
    let mut story = named("ping_heartbeat");
    story.message(Command::Ping, 2, 0, |_| {});
    fired(&mut story, Detail::ViewChangeTimer);
    assert_eq!(missing(&story), 2);
    story.message(Command::Pong, 0, 2, |_| {});
    story.message(Command::Commit, 0, 2, |_| {});
    assert_eq!(missing(&story), 0);

    let mut story = named("commit_message_fallback");
    story.message(Command::Commit, 0, 1, |_| {});
    assert_eq!(missing(&story), 1);
    let cause = Some(story.messages.len() as u64);
    story.event(1, TransitionEvent::Committed, |row| (row.commit, row.cause) = (2, cause));
    assert_eq!(missing(&story), 0);

    let mut story = named("start_view_change_window");
    enters_view_change(&mut story, 2, 1);
    enters(&mut story, 1, 1);
    fired(&mut story, Detail::ViewChangeWindowTimer);
    assert_eq!(missing(&story), 1);
    enters(&mut story, 2, 1);
    assert_eq!(missing(&story), 1, "the view that was waited for");
    enters(&mut story, 2, 2);
    assert_eq!(missing(&story), 0);

    let mut story = named("timeout_comprehensive");
    for timer in [Detail::PrepareTimer, Detail::ViewChangeTimer, Detail::RecoveryTimer, Detail::RepairTimer, Detail::AbdicationTimer] {
        fired(&mut story, timer);
    }
    story.message(Command::StartViewChange, 1, 2, |row| row.view = Some(1));
    story.message(Command::Ping, 1, 2, |_| {});
    assert_eq!(missing(&story), 1, "six of ten");
    story.message(Command::StartViewChange, 1, 2, |row| row.view = Some(1));
    assert_eq!(missing(&story), 0);
}

#[test]
fn a_scenario_that_nobody_knows_is_asked_for_nothing_unless_it_is_like_one() {
    let mut story = named("mine");
    let found = |story: &Story| of_run(&RunIndex::new(&story.history(), 0));
    assert_eq!(found(&story), None);
    story.run.options = r#"{"evidence_of":"gray_failures"}"#.to_owned();
    assert_eq!(found(&story).map(|evidence| evidence.missing.len()), Some(1));
    story.run.options = r#"{"evidence_of":"no such scenario"}"#.to_owned();
    assert_eq!(found(&story), None);
}
