//! Each situation from a story that comes into it, and stories that do not.

use super::*;
use crate::testing::Story;
use vopr_schema::{Command, Detail, Fate, FaultKind, FaultRow, Mutation, Outcome, RejectReason, Status, TransitionEvent as Event};

/// The names of the situations that a story comes into, each with how often.
fn seen(story: &Story) -> Vec<(&'static str, u64)> {
    let counts = of_run(&RunIndex::new(&story.history(), 0));
    counts.iter().filter(|(_, times)| *times > 0).map(|(situation, times)| (situation.name(), times)).collect()
}

fn turn(story: &mut Story, replica: u8, status: Status, view: u64) {
    (story.state(replica).status, story.state(replica).view) = (status, view);
    story.event(replica, Event::StatusChanged, |_| {});
}

/// The primary of `view` enters it with the votes of a quorum; its head is `op`.
fn take_over(story: &mut Story, replica: u8, view: u64, op: u64) {
    (story.state(replica).status, story.state(replica).view) = (Status::Normal, view);
    story.event(replica, Event::ViewEntered, |row| (row.op, row.quorum) = (Some(op), Some(0b110)));
}

#[test]
fn names_are_unique_and_found_again() {
    for situation in Situation::ALL {
        assert_eq!(Situation::parse(situation.name()), Some(*situation));
    }
    assert!(Situation::ALL.len() > 46);
}

#[test]
fn a_clean_story_comes_into_nothing() {
    assert_eq!(seen(&Story::clean(5)), []);
}

#[test]
fn a_view_change_with_and_without_open_entries() {
    let mut story = Story::clean(2);
    story.accept(1, 3, 0);
    turn(&mut story, 1, Status::ViewChange, 1);
    take_over(&mut story, 1, 1, 3);
    // Replica 0 still believes in view 0.
    let names = [("view_change_completed", 1), ("view_change_with_open_entries", 1), ("two_primaries_at_once", 1)];
    assert_eq!(seen(&story), names);
    story.commit(1, 3, 0, Some(0b110));
    assert!(seen(&story).contains(&("entry_of_older_view_committed", 1)));
    turn(&mut story, 2, Status::ViewChange, 2);
    take_over(&mut story, 2, 2, 2);
    assert!(seen(&story).contains(&("view_change_with_nothing_open", 1)));
    turn(&mut story, 1, Status::ViewChange, 3);
    story.event(1, Event::ViewEntered, |row| (row.view, row.op, row.status) = (3, Some(3), Status::Normal));
    let found = seen(&story);
    assert!(found.contains(&("view_skipped", 1)) && found.contains(&("old_primary_follows", 1)), "{found:?}");
}

#[test]
fn views_proposed_and_given_up() {
    let mut story = Story::clean(1);
    turn(&mut story, 1, Status::ViewChange, 1);
    turn(&mut story, 2, Status::ViewChange, 1);
    assert_eq!(seen(&story), []);
    turn(&mut story, 2, Status::ViewChange, 2);
    assert_eq!(seen(&story), [("views_proposed_at_once", 1), ("view_change_abandoned", 1)]);
}

#[test]
fn crashes_by_what_the_replica_was_doing() {
    let mut story = Story::clean(1);
    story.crash(0);
    assert_eq!(seen(&story), [("primary_crashed", 1)]);
    story.append(1, 2, 0);
    turn(&mut story, 1, Status::ViewChange, 1);
    story.crash(1);
    let names =
        [("primary_crashed", 1), ("crash_in_view_change", 1), ("crash_with_open_entries", 1), ("two_down_at_once", 1), ("quorum_down", 1)];
    assert_eq!(seen(&story), names);
    let mut story = Story::clean(1);
    story.entry(2, Event::Committed, 2, 0);
    story.crash(2);
    assert_eq!(seen(&story), [("crash_before_apply", 1)]);
}

#[test]
fn what_a_restart_finds_counts_only_there() {
    let mut story = Story::clean(3);
    let torn =
        |story: &mut Story| _ = story.event(2, Event::CorruptionDetected, |row| (row.op, row.detail) = (Some(3), Some(Detail::TornEntry)));
    torn(&mut story);
    assert_eq!(seen(&story), []);
    story.crash(2);
    story.restart(2, |row| row.status = Status::Recovering);
    torn(&mut story);
    turn(&mut story, 2, Status::Recovering, 0);
    torn(&mut story);
    turn(&mut story, 2, Status::Normal, 0);
    assert_eq!(seen(&story), [("recovery_needed", 1), ("recovery_completed", 1), ("torn_tail_at_restart", 1)]);
}

#[test]
fn entries_that_go_and_come() {
    let mut story = Story::clean(1);
    story.append(2, 2, 0);
    story.entry(2, Event::EntryTruncated, 2, 0);
    story.append_after(2, 2, 1, 0);
    story.entry(2, Event::Acknowledged, 2, 1);
    story.entry(2, Event::Acknowledged, 2, 1);
    assert_eq!(seen(&story), [("entry_truncated", 1), ("entry_replaced", 1), ("vote_resent", 1)]);
}

#[test]
fn clocks_are_lost_in_three_ways_and_missed() {
    let mut story = Story::clean(1);
    for detail in [Detail::ClockContradicted, Detail::ClockStepped, Detail::ClockExpired] {
        story.event(0, Event::ClockLost, |row| row.detail = Some(detail));
    }
    story.event(0, Event::TimestampAssigned, |row| row.op = Some(2));
    assert_eq!(seen(&story), [("clock_contradicted", 1), ("clock_set", 1), ("time_expired", 1)]);
    story.event(0, Event::TimestampAssigned, |row| (row.op, row.detail) = (Some(3), Some(Detail::ClockUnsynchronised)));
    assert!(seen(&story).contains(&("stamped_without_time", 1)));
}

#[test]
fn repairs_and_transfers_in_a_view_change() {
    let mut story = Story::clean(1);
    story.entry(2, Event::Repaired, 1, 0);
    story.entry(2, Event::StateInstalled, 1, 0);
    turn(&mut story, 1, Status::ViewChange, 1);
    story.entry(2, Event::Repaired, 1, 0);
    story.entry(2, Event::StateInstalled, 1, 0);
    story.event(2, Event::CheckpointDurable, |row| row.op = Some(1));
    let names = [
        ("entry_repaired", 2),
        ("repair_in_view_change", 1),
        ("state_transferred", 2),
        ("state_transfer_in_view_change", 1),
        ("checkpoint_in_view_change", 1),
    ];
    assert_eq!(seen(&story), names);
}

#[test]
fn links_show_loss_order_and_lies() {
    let mut story = Story::clean(1);
    let first = story.message(Command::Commit, 0, 1, |_| {});
    story.message(Command::Commit, 0, 1, |row| row.copy = 1);
    story.messages[first].fate_seq = Some(1_000);
    story.message(Command::StartView, 0, 1, |row| row.fate = Fate::Lost);
    story.message(Command::Prepare, 0, 2, |row| row.reject_reason = Some(RejectReason::OldView));
    story.message(Command::Prepare, 0, 2, |row| {
        (row.reject_reason, row.mutation) = (Some(RejectReason::Checksum), Some(Mutation::BitFlip));
    });
    let names = [
        ("damaged_message_refused", 1),
        ("message_overtaken", 1),
        ("message_duplicated", 1),
        ("start_view_lost", 1),
        ("old_prepare_refused", 1),
        ("forged_message_refused", 1),
    ];
    assert_eq!(seen(&story), names);
}

#[test]
fn refusals_for_the_sake_of_membership() {
    let mut story = Story::clean(1);
    let refused = |story: &mut Story, command, reason| {
        story.message(command, 0, 1, |row| row.reject_reason = Some(reason));
        seen(story)
    };
    assert_eq!(refused(&mut story, Command::Prepare, RejectReason::WrongEpoch), []);
    let old_vote = ("old_epoch_vote_refused", 1);
    assert_eq!(refused(&mut story, Command::PrepareOk, RejectReason::WrongEpoch), [old_vote]);
    let behind = ("newcomer_not_caught_up", 1);
    let found = refused(&mut story, Command::Request, RejectReason::NotCaughtUp);
    assert!(found.len() == 2 && found.contains(&behind) && found.contains(&old_vote), "{found:?}");
    let found = refused(&mut story, Command::Request, RejectReason::ReconfigurationPending);
    assert!(found.len() == 3 && found.contains(&("change_refused", 1)) && found.contains(&behind), "{found:?}");
}

#[test]
fn nacks_count_by_different_voices() {
    let mut story = Story::new(5);
    let nack = |story: &mut Story, from| _ = story.message(Command::Nack, from, 0, |row| (row.view, row.op) = (Some(1), Some(7)));
    nack(&mut story, 1);
    nack(&mut story, 1);
    assert_eq!(seen(&story), []);
    nack(&mut story, 2);
    nack(&mut story, 3);
    assert_eq!(seen(&story), [("nack_quorum_reached", 1)]);
}

#[test]
fn clients_retry_give_up_and_are_evicted_in_flight() {
    let mut story = Story::clean(1);
    let row = story.operation(|row| (row.attempts, row.outcome, row.return_seq) = (3, Outcome::Unknown, None));
    let (tenant, client) = (story.operations[row].tenant, story.operations[row].client);
    story.event(0, Event::SessionEvicted, |row| (row.tenant, row.client) = (Some(tenant), Some(client)));
    take_over(&mut story, 1, 1, 1);
    let found = seen(&story);
    for name in ["session_evicted", "session_evicted_in_flight", "request_retried", "request_never_answered", "request_across_views"] {
        assert!(found.contains(&(name, 1)), "{name}: {found:?}");
    }
}

#[test]
fn coverage_adds_runs_and_times() {
    let mut story = Story::clean(1);
    story.crash(0);
    let counts = of_run(&RunIndex::new(&story.history(), 0));
    let mut coverage = Coverage::default();
    coverage.add(&counts);
    coverage.merge(&coverage.clone());
    assert_eq!(coverage.of(Situation::PrimaryCrashed), Seen { runs: 2, times: 2 });
    assert_eq!(coverage.missing(&[Situation::PrimaryCrashed, Situation::QuorumDown]).collect::<Vec<_>>(), [Situation::QuorumDown]);
    let text = serde_json::to_string(&coverage).unwrap();
    assert_eq!(serde_json::from_str::<Coverage>(&text).unwrap(), coverage);
}

#[test]
fn a_replaced_disk_votes_again_once() {
    let mut story = Story::clean(1);
    let seq = story.tick();
    story.faults.push(FaultRow { seq, fault: FaultKind::Reformat, target: Some(1), ..FaultRow::default() });
    assert_eq!(seen(&story), [("disk_replaced", 1)]);
    story.entry(2, Event::Acknowledged, 2, 0);
    assert_eq!(seen(&story), [("disk_replaced", 1)], "another replica voted");
    story.event(0, Event::EpochEntered, |_| {});
    for op in 2..4 {
        story.entry(1, Event::Acknowledged, op, 0);
    }
    story.event(0, Event::EpochEntered, |_| {});
    let found = seen(&story);
    for expected in [("disk_replaced", 1), ("replaced_disk_votes_again", 1), ("membership_changed_beside_replaced_disk", 1)] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
}
