//! Histories on which `corruption_detection` must fire, and on which it must not.

use crate::testing::Story;
use vopr_schema::{
    Command, Detail, Fate, FaultKind, FaultRow, Mutation, RejectReason, StorageIo, StorageOutcome, StorageRow, TransitionEvent as Event,
    Zone,
};

const NAME: &str = "corruption_detection";

fn shape(story: &Story) -> String {
    story.verdict(NAME).witness().expect("a violation").shape.clone()
}

fn damaged_message() -> (Story, usize) {
    let mut story = Story::clean(2);
    let place = story.about(Command::Prepare, 0, 1, (3, 0, 0));
    story.messages[place].mutation = Some(Mutation::BitFlip);
    story.messages[place].reject_reason = Some(RejectReason::Checksum);
    (story, place)
}

fn access(story: &mut Story, replica: u8, op: u64, io: StorageIo, outcome: StorageOutcome) {
    let seq = story.tick();
    let row = StorageRow { seq, time_ns: seq * 1000, replica, op: Some(op), io, outcome, zone: Zone::Log, ..StorageRow::default() };
    story.storage.push(row);
}

fn report(story: &mut Story, replica: u8, op: u64) {
    let place = story.event(replica, Event::CorruptionDetected, |row| (row.op, row.detail) = (Some(op), Some(Detail::CorruptEntry)));
    // The replica reports what a read returned in the same step.
    if let Some(read) = story.storage.last() {
        story.transitions[place].time_ns = read.time_ns;
    }
}

#[test]
fn a_clean_run_has_nothing_to_check() {
    assert_eq!(Story::clean(3).verdict(NAME).name(), "not_applicable");
}

#[test]
fn a_damaged_message_must_be_refused() {
    let (mut story, place) = damaged_message();
    assert_eq!(story.verdict(NAME).facts(), 1);
    story.messages[place].reject_reason = None;
    assert_eq!(shape(&story), "damaged_message_accepted");
    story.messages[place].fate = Fate::Lost;
    assert_eq!(story.verdict(NAME).name(), "not_applicable");
}

#[test]
fn a_damaged_message_may_cause_nothing_but_its_refusal() {
    let (mut story, _) = damaged_message();
    let cause = story.messages.len() as u64;
    let place = story.event(1, Event::Rejected, |row| row.cause = Some(cause));
    assert!(story.verdict(NAME).is_pass());
    story.transitions[place].event = Event::EntryAppended;
    assert_eq!(shape(&story), "damaged_message_had_effect");
}

#[test]
fn one_damaged_copy_does_not_spoil_the_other() {
    let (mut story, place) = damaged_message();
    let mut copy = story.messages[place].clone();
    (copy.seq, copy.copy, copy.mutation, copy.reject_reason) = (story.tick(), 1, None, None);
    copy.fate_seq = Some(story.tick());
    story.messages.push(copy);
    let cause = story.messages[place].id;
    story.event(1, Event::StatusChanged, |row| row.cause = Some(cause));
    story.event(1, Event::CorruptionDetected, |row| row.cause = Some(cause));
    for (place, row) in story.transitions.iter_mut().rev().take(2).enumerate() {
        row.op = None;
        row.seq += 10 - place as u64;
        row.time_ns += 10_000;
    }
    assert!(story.verdict(NAME).is_pass(), "{:?}", story.verdict(NAME));
}

#[test]
fn a_clean_message_must_not_be_refused_for_damage() {
    let (mut story, place) = damaged_message();
    story.messages[place].mutation = None;
    assert_eq!(shape(&story), "clean_message_refused");
    story.messages[place].reject_reason = Some(RejectReason::OldView);
    assert_eq!(story.verdict(NAME).name(), "not_applicable");
    let cause = story.messages[place].id;
    story.event(1, Event::CorruptionDetected, |row| (row.op, row.cause) = (None, Some(cause)));
    assert_eq!(shape(&story), "clean_message_called_damaged");
}

#[test]
fn a_damaged_read_must_be_reported_at_once() {
    let mut story = Story::clean(2);
    access(&mut story, 1, 2, StorageIo::Read, StorageOutcome::Corrupt);
    let mut silent = story.clone();
    silent.event(1, Event::TimerFired, |_| {});
    assert_eq!(shape(&silent), "damaged_entry_not_reported");
    let mut crashed = story.clone();
    crashed.crash(1);
    crashed.restart(1, |_| {});
    assert_eq!(crashed.verdict(NAME).name(), "not_applicable");
    report(&mut story, 1, 2);
    story.event(1, Event::TimerFired, |_| {});
    assert_eq!(story.verdict(NAME).facts(), 1);
}

#[test]
fn a_read_below_the_checkpoint_needs_no_report() {
    let mut story = Story::clean(3);
    story.crash(1);
    access(&mut story, 1, 2, StorageIo::Read, StorageOutcome::Corrupt);
    story.restart(1, |state| state.commit = 2);
    let restart = story.transitions.len() - 1;
    story.transitions[restart].time_ns = story.storage[0].time_ns;
    let mut above = story.clone();
    above.transitions[restart].commit = 1;
    above.event(1, Event::TimerFired, |_| {});
    assert_eq!(shape(&above), "damaged_entry_not_reported");
    story.event(1, Event::TimerFired, |_| {});
    assert_eq!(story.verdict(NAME).name(), "not_applicable");
}

#[test]
fn a_checkpoint_or_a_state_from_others_covers_what_was_read_in_its_step() {
    for event in [Event::StateInstalled, Event::CheckpointDurable] {
        for (op, expected) in [(1, "violation"), (2, "not_applicable")] {
            let mut story = Story::clean(3);
            access(&mut story, 1, 2, StorageIo::Read, StorageOutcome::Corrupt);
            let place = story.event(1, event, |row| row.op = Some(op));
            story.transitions[place].time_ns = story.storage[0].time_ns;
            story.event(1, Event::TimerFired, |_| {});
            assert_eq!(story.verdict(NAME).name(), expected, "{event} of op {op}");
        }
    }
}

#[test]
fn a_report_names_the_slot_not_the_entry() {
    let mut story = Story::clean(3);
    story.run.options = r#"{"cluster":{"log_slots":64}}"#.to_owned();
    access(&mut story, 1, 3, StorageIo::Read, StorageOutcome::Torn);
    report(&mut story, 1, 67);
    story.event(1, Event::TimerFired, |_| {});
    assert!(story.verdict(NAME).is_pass());
}

#[test]
fn a_report_without_damage_is_a_violation() {
    let mut story = Story::clean(2);
    report(&mut story, 1, 2);
    assert_eq!(shape(&story), "clean_entry_called_damaged");
    let seq = story.transitions[0].seq;
    let fault = FaultKind::Corruption;
    story.faults.push(FaultRow { seq, time_ns: seq * 1000, fault, target: Some(1), ..FaultRow::default() });
    assert!(story.verdict(NAME).is_pass());
    story.faults[0].target = Some(2);
    assert_eq!(shape(&story), "clean_entry_called_damaged");
}

#[test]
fn a_cut_off_run_passes() {
    let mut story = Story::clean(2);
    access(&mut story, 1, 2, StorageIo::Read, StorageOutcome::Corrupt);
    let end = story.tick() + 1;
    assert_eq!(story.cut_off(end).verdict(NAME).name(), "not_applicable");
}
