//! Conditions on attacks, each on a story that shows it and on one that just misses it.

use super::{enters, enters_view_change, missing, named};
use crate::testing::Story;
use vopr_schema::{Command, Fate, Function, MessageRow, Mutation, OperationError, Outcome, RejectReason as Reason, TransitionEvent};

/// A message from 0 to 1 that a fault changed.
fn lie(story: &mut Story, command: Command, mutation: Mutation, reason: Option<Reason>) -> usize {
    story.message(command, 0, 1, |row| (row.mutation, row.reject_reason) = (Some(mutation), reason))
}

#[test]
fn a_lie_must_arrive_and_be_refused_for_what_it_is() {
    let cases = [
        ("byzantine_commit_desync", Command::StartView, Mutation::CommitNumber, Reason::CommitBeyondLog),
        ("byzantine_inflated_commit", Command::DoViewChange, Mutation::CommitNumber, Reason::CommitBeyondLog),
        ("byzantine_dvc_tail_length_mismatch", Command::DoViewChange, Mutation::TailLength, Reason::TailLengthMismatch),
        ("byzantine_oversized_start_view", Command::StartView, Mutation::Oversized, Reason::TooLarge),
    ];
    for (scenario, command, mutation, reason) in cases {
        let mut story = named(scenario);
        let place = lie(&mut story, command, mutation, Some(Reason::OldView));
        assert_eq!(missing(&story), 1, "{scenario}: refused for its view");
        story.messages[place].reject_reason = Some(reason);
        assert_eq!(missing(&story), 0, "{scenario}");
        story.messages[place].fate = Fate::Lost;
        assert_eq!(missing(&story), 1, "{scenario}: lost");
        (story.messages[place].fate, story.messages[place].command) = (Fate::Delivered, Command::Ping);
        assert_eq!(missing(&story), 1, "{scenario}: on another message");
        (story.messages[place].command, story.messages[place].mutation) = (command, Some(Mutation::Flood));
        assert_eq!(missing(&story), 1, "{scenario}: another lie");
    }
}

#[test]
fn a_conflicting_start_view_and_a_view_change() {
    let mut story = named("byzantine_view_change_merge");
    lie(&mut story, Command::StartView, Mutation::TailContent, Some(Reason::ConflictsWithCommitted));
    assert_eq!(missing(&story), 1);
    enters(&mut story, 1, 1);
    assert_eq!(missing(&story), 0);
}

#[test]
fn a_log_from_nowhere_must_meet_who_collects_votes() {
    let mut story = named("byzantine_malicious_view_change");
    lie(&mut story, Command::DoViewChange, Mutation::TailContent, Some(Reason::BrokenChain));
    assert_eq!(missing(&story), 1);
    enters_view_change(&mut story, 1, 1);
    lie(&mut story, Command::DoViewChange, Mutation::TailContent, Some(Reason::BrokenChain));
    assert_eq!(missing(&story), 0);
}

#[test]
fn identical_claims_must_be_in_the_quorum_of_their_view() {
    let mut story = named("byzantine_dvc_identical_claims");
    enters_view_change(&mut story, 1, 1);
    let vote = lie(&mut story, Command::DoViewChange, Mutation::IdenticalClaim, None);
    story.messages[vote].view = Some(1);
    enters(&mut story, 1, 1);
    assert_eq!(missing(&story), 1, "no quorum is named");
    story.transitions.last_mut().expect("entered").quorum = Some(0b011);
    assert_eq!(missing(&story), 0);
    story.transitions.last_mut().expect("entered").quorum = Some(0b110);
    assert_eq!(missing(&story), 1);
}

#[test]
fn three_kinds_of_false_metadata() {
    let mut story = named("byzantine_invalid_metadata");
    lie(&mut story, Command::Prepare, Mutation::EntryMetadata, Some(Reason::InvalidMetadata));
    lie(&mut story, Command::Prepare, Mutation::CommitNumber, Some(Reason::InvalidMetadata));
    assert_eq!(missing(&story), 1);
    lie(&mut story, Command::Prepare, Mutation::EntryMetadata, Some(Reason::HashMismatch));
    assert_eq!(missing(&story), 0);
}

#[test]
fn a_race_needs_a_partition_in_a_view_change_and_a_conflict() {
    let mut story = named("byzantine_leader_race");
    lie(&mut story, Command::Prepare, Mutation::EntryMetadata, Some(Reason::HashMismatch));
    story.message(Command::Prepare, 0, 1, |row| row.fate = Fate::Partitioned);
    assert_eq!(missing(&story), 1);
    enters_view_change(&mut story, 1, 1);
    story.message(Command::Prepare, 0, 1, |row| row.fate = Fate::Partitioned);
    assert_eq!(missing(&story), 0);
}

#[test]
fn a_senseless_range_must_be_answered() {
    let mut story = named("byzantine_invalid_repair_range");
    let range = |row: &mut MessageRow| (row.log_first, row.log_count) = (Some(9), Some(0));
    let request = lie(&mut story, Command::RepairRequest, Mutation::Range, Some(Reason::InvalidRange));
    range(&mut story.messages[request]);
    assert_eq!(missing(&story), 1);
    story.message(Command::Nack, 1, 0, |row| row.log_first = Some(8));
    assert_eq!(missing(&story), 1, "another question's answer");
    story.message(Command::Nack, 1, 0, range);
    assert_eq!(missing(&story), 0);
}

#[test]
fn a_refused_append_is_applied_by_everybody() {
    let mut story = named("byzantine_invalid_kernel_command");
    story.operation(|row| (row.function, row.op) = (Function::StreamAppend, Some(1)));
    story.operation(|row| (row.function, row.error, row.op) = (Function::StreamRead, Some(OperationError::NoSuchStream), Some(1)));
    assert_eq!(missing(&story), 1, "an append that was done, and a read that was refused");
    story.operation(|row| {
        (row.function, row.outcome) = (Function::StreamAppend, Outcome::Error);
        (row.error, row.op) = (Some(OperationError::NoSuchStream), Some(1));
    });
    assert_eq!(missing(&story), 0);
    let last = story.transitions.iter().rposition(|row| row.event == TransitionEvent::Applied).expect("applied");
    story.transitions.remove(last);
    assert_eq!(missing(&story), 1);
}

#[test]
fn replays_and_false_checksums_are_refused_for_what_they_are() {
    let mut story = named("byzantine_replay_old_view");
    let place = lie(&mut story, Command::Prepare, Mutation::Replayed, None);
    assert_eq!(missing(&story), 1);
    story.messages[place].reject_reason = Some(Reason::OldView);
    assert_eq!(missing(&story), 0);
    let mut story = named("byzantine_corrupt_checksums");
    assert_eq!(missing(&story), 1);
    lie(&mut story, Command::Prepare, Mutation::Checksum, Some(Reason::Checksum));
    assert_eq!(missing(&story), 0);
    lie(&mut story, Command::Prepare, Mutation::Checksum, Some(Reason::OldView));
    assert_eq!(missing(&story), 1);
}

#[test]
fn silence_counts_when_it_hurts() {
    let mut story = named("byzantine_view_change_blocking");
    enters_view_change(&mut story, 0, 1);
    lie(&mut story, Command::DoViewChange, Mutation::Withheld, None);
    assert_eq!(missing(&story), 1, "no view started afterwards");
    enters(&mut story, 1, 1);
    assert_eq!(missing(&story), 0);
    let mut story = named("byzantine_selective_silence");
    let place = lie(&mut story, Command::Prepare, Mutation::Withheld, None);
    assert_eq!(missing(&story), 0);
    story.messages[place].from = 1;
    assert_eq!(missing(&story), 1, "a backup's silence");
}

#[test]
fn a_flood_is_tenfold() {
    let mut story = named("byzantine_prepare_flood");
    let before = story.messages.iter().filter(|row| (row.command, row.from, row.to) == (Command::Prepare, 0, 1)).count();
    for _ in 0..9 * before - 1 {
        lie(&mut story, Command::Prepare, Mutation::Flood, None);
    }
    assert_eq!(missing(&story), 1);
    lie(&mut story, Command::Prepare, Mutation::Flood, None);
    assert_eq!(missing(&story), 0);
}
