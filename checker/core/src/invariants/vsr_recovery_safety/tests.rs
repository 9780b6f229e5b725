//! Histories on which `vsr_recovery_safety` must fire, and on which it must not.

use crate::testing::Story;
use vopr_schema::{Status, TransitionEvent as Event};

const NAME: &str = "vsr_recovery_safety";

fn shape(story: &Story) -> String {
    story.verdict(NAME).witness().expect("a violation").shape.clone()
}

/// Three ops everywhere, then replica 1 is down.
fn crashed() -> Story {
    let mut story = Story::clean(3);
    story.crash(1);
    story
}

fn vote(story: &mut Story, replica: u8, op: u64, view: u64) {
    story.state(replica).view = view;
    story.entry(replica, Event::VoteCast, op, 0);
}

#[test]
fn a_restart_that_remembers_passes() {
    let mut story = crashed();
    story.restart(1, |_| {});
    assert_eq!(story.verdict(NAME).facts(), 1);
    vote(&mut story, 1, 3, 2);
    assert_eq!(story.verdict(NAME).facts(), 2);
    assert_eq!(Story::clean(3).verdict(NAME).name(), "not_applicable");
}

#[test]
fn a_forgotten_vote_is_a_violation() {
    let mut story = Story::clean(3);
    vote(&mut story, 1, 3, 4);
    story.crash(1);
    let mut forgetful = story.clone();
    forgetful.restart(1, |state| state.view = 3);
    assert_eq!(shape(&forgetful), "view_forgotten");
    story.restart(1, |state| state.view = 4);
    assert!(story.verdict(NAME).is_pass());
}

#[test]
fn a_forgotten_last_normal_view_is_a_violation() {
    let mut story = Story::clean(3);
    (story.state(1).view, story.state(1).last_normal_view) = (2, 2);
    story.accept(1, 4, 0);
    story.crash(1);
    story.restart(1, |state| state.last_normal_view = 1);
    assert_eq!(shape(&story), "last_normal_view_forgotten");
}

#[test]
fn an_acknowledged_entry_that_is_gone_is_a_violation_once_the_replica_acts() {
    let mut story = crashed();
    story.restart(1, |state| (state.op, state.status) = (Some(2), Status::Recovering));
    assert!(story.verdict(NAME).is_pass(), "it has not acted yet");
    let mut again = story.clone();
    again.accept(1, 3, 0);
    assert_eq!(shape(&again), "acknowledged_entry_lost", "writing it anew does not undo that it was gone");
    story.event(1, Event::ViewEntered, |_| {});
    assert_eq!(shape(&story), "acknowledged_entry_lost");
}

#[test]
fn a_damaged_entry_that_is_reported_is_no_promise_any_more() {
    let mut story = crashed();
    story.restart(1, |state| (state.op, state.status) = (Some(1), Status::Recovering));
    story.event(1, Event::CorruptionDetected, |row| row.op = Some(2));
    let mut silent = story.clone();
    vote(&mut silent, 1, 1, 2);
    assert_eq!(shape(&silent), "acknowledged_entry_lost", "op 3 was not damaged");
    story.event(1, Event::CorruptionDetected, |row| row.op = Some(3));
    vote(&mut story, 1, 1, 2);
    assert!(story.verdict(NAME).is_pass());
}

#[test]
fn a_checkpoint_covers_what_was_acknowledged_below_it() {
    let mut story = crashed();
    story.restart(1, |state| (state.op, state.commit) = (Some(0), 3));
    story.event(1, Event::ViewEntered, |_| {});
    assert!(story.verdict(NAME).is_pass());
}

#[test]
fn an_entry_that_a_newer_view_replaced_is_no_promise_any_more() {
    let mut story = Story::clean(2);
    story.accept(1, 3, 0);
    story.state(1).view = 1;
    story.entry(1, Event::EntryTruncated, 3, 0);
    story.state(1).op = Some(2);
    story.crash(1);
    story.restart(1, |_| {});
    story.event(1, Event::ViewEntered, |_| {});
    assert!(story.verdict(NAME).is_pass());
}

#[test]
fn a_view_that_was_entered_in_the_crash_has_its_own_log() {
    let crashed = || {
        let mut story = Story::clean(2);
        story.accept(1, 3, 0);
        story.crash(1);
        story
    };
    let mut entering = crashed();
    entering.restart(1, |state| (state.op, state.view, state.last_normal_view) = (Some(2), 5, 5));
    entering.event(1, Event::ViewEntered, |_| {});
    assert!(entering.verdict(NAME).is_pass(), "{:?}", entering.verdict(NAME));
    // It has voted for view 5, and is still in view 0.
    let mut voting = crashed();
    voting.restart(1, |state| (state.op, state.view, state.last_normal_view) = (Some(2), 5, 0));
    voting.event(1, Event::ViewEntered, |_| {});
    assert_eq!(shape(&voting), "acknowledged_entry_lost");
    // It was in view 5 with its log, and acknowledged an entry there.
    let mut entered = crashed();
    entered.restart(1, |state| (state.op, state.view, state.last_normal_view) = (Some(3), 5, 5));
    entered.event(1, Event::ViewEntered, |_| {});
    entered.accept(1, 4, 5);
    entered.crash(1);
    entered.restart(1, |state| (state.op, state.view, state.last_normal_view) = (Some(3), 5, 5));
    entered.event(1, Event::ViewEntered, |_| {});
    assert_eq!(shape(&entered), "acknowledged_entry_lost");
}

#[test]
fn giving_an_entry_up_in_its_own_view_is_a_violation() {
    let mut story = Story::clean(2);
    story.accept(1, 3, 0);
    story.entry(1, Event::EntryTruncated, 3, 0);
    assert_eq!(shape(&story), "given_up_in_its_view");
}

#[test]
fn a_vote_with_another_log_is_a_violation() {
    let mut story = Story::clean(2);
    story.accept(1, 3, 0);
    story.append_after(2, 3, 2, 0);
    let mut short = story.clone();
    vote(&mut short, 1, 2, 1);
    assert_eq!(shape(&short), "voted_with_another_log");
    story.state(1).view = 1;
    story.entry(1, Event::VoteCast, 3, 2);
    assert_eq!(shape(&story), "voted_with_another_log");
}

#[test]
fn a_newer_views_log_replaces_older_promises_without_a_word() {
    let mut story = Story::clean(2);
    story.accept(1, 3, 0);
    story.append_after(2, 3, 1, 0);
    story.state(1).view = 1;
    let entered = story.entry(1, Event::ViewEntered, 3, 1);
    story.entry(1, Event::VoteCast, 3, 1);
    assert!(!story.verdict(NAME).is_violation(), "view 1 has another entry at op 3");
    story.transitions[entered].view = 0;
    assert_eq!(shape(&story), "voted_with_another_log", "in its own view a promise stands");
}

#[test]
fn a_shorter_log_of_a_newer_view_replaces_older_promises_too() {
    let mut story = Story::clean(2);
    story.accept(1, 3, 0);
    story.state(1).view = 1;
    story.entry(1, Event::ViewEntered, 2, 0);
    story.entry(1, Event::VoteCast, 2, 0);
    assert!(!story.verdict(NAME).is_violation());
}

#[test]
fn a_formatted_replica_promises_nothing() {
    let mut story = crashed();
    story.event(1, Event::Started, |row| row.op = Some(0));
    story.crash(1);
    story.restart(1, |state| state.op = Some(0));
    story.event(1, Event::ViewEntered, |_| {});
    assert_eq!(story.verdict(NAME).name(), "not_applicable");
}

#[test]
fn a_cut_off_run_passes() {
    let mut story = crashed();
    story.restart(1, |_| {});
    vote(&mut story, 1, 3, 2);
    assert!(story.cut_off(story.transitions.last().unwrap().seq).verdict(NAME).is_pass());
}

/// Replica 1 has acknowledged three entries in view 0 when its disk is replaced.
fn replaced() -> Story {
    let mut story = Story::clean(3);
    story.crash(1);
    story.state(1).incarnation += 1;
    (story.state(1).op, story.state(1).commit) = (Some(0), 0);
    story.event(1, Event::Started, |_| {});
    story
}

#[test]
fn a_replica_whose_disk_was_replaced_votes_only_in_a_later_view() {
    let mut again = replaced();
    again.event(1, Event::ViewEntered, |row| row.op = Some(3));
    again.accept(1, 4, 0);
    assert_eq!(again.verdict(NAME).witness().expect("view 0 is not over").shape, "voted_after_reformat");
    let mut vote = replaced();
    vote.event(1, Event::VoteCast, |row| row.view = 1);
    assert_eq!(vote.verdict(NAME).witness().expect("it has forgotten everything").shape, "voted_after_reformat");
    let mut later = replaced();
    later.state(1).view = 2;
    later.event(1, Event::ViewEntered, |row| row.op = Some(3));
    later.accept(1, 4, 2);
    assert!(!later.verdict(NAME).is_violation());
}
