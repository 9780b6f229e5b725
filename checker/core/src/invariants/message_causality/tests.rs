//! Histories on which `message_causality` must fire, and on which it must not.

use crate::testing::Story;
use vopr_schema::{Command, Fate, TransitionEvent as Event};

const NAME: &str = "message_causality";

fn shape(story: &Story) -> String {
    story.verdict(NAME).witness().expect("a violation").shape.clone()
}

/// A story whose last message goes from 0 to 1 and causes the transition at the returned place.
fn caused() -> (Story, usize) {
    let mut story = Story::clean(2);
    story.about(Command::Prepare, 0, 1, (3, 0, 0));
    let cause = story.messages.len() as u64;
    let place = story.append(1, 3, 0);
    story.transitions[place].cause = Some(cause);
    (story, place)
}

#[test]
fn a_clean_run_passes() {
    let (story, _) = caused();
    assert!(story.verdict(NAME).is_pass());
    assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
}

#[test]
fn a_cause_must_have_been_sent_and_delivered_there() {
    let (mut story, place) = caused();
    story.transitions[place].cause = Some(99);
    assert_eq!(shape(&story), "never_sent");
    story.transitions[place].cause = Some(u64::MAX - 1);
    assert_eq!(shape(&story), "never_sent");
    let (mut story, _) = caused();
    story.messages.last_mut().unwrap().fate = Fate::Lost;
    assert_eq!(shape(&story), "never_delivered");
    let (mut story, _) = caused();
    story.messages.last_mut().unwrap().to = 2;
    assert_eq!(shape(&story), "delivered_to_another");
}

#[test]
fn an_effect_before_the_delivery_is_a_violation() {
    let (mut story, place) = caused();
    story.messages.last_mut().unwrap().fate_seq = Some(story.transitions[place].seq + 1);
    assert_eq!(shape(&story), "effect_before_cause");
}

#[test]
fn a_message_that_causes_itself_is_shown_as_a_cycle() {
    let mut story = Story::clean(1);
    let effect = story.append(1, 2, 0);
    story.about(Command::GetView, 1, 0, (2, 0, 0));
    story.about(Command::Prepare, 0, 1, (2, 0, 0));
    story.transitions[effect].cause = Some(story.messages.len() as u64);
    let verdict = story.verdict(NAME);
    let witness = verdict.witness().unwrap();
    assert_eq!(witness.shape, "cycle");
    // The effect, the question that it led to, its arrival, the answer, and the effect again.
    assert_eq!(witness.steps.len(), 5);
}

#[test]
fn the_dead_do_nothing() {
    let mut story = Story::clean(2);
    story.crash(1);
    let mut acting = story.clone();
    acting.append(1, 3, 0);
    assert_eq!(shape(&acting), "acted_while_down");
    let mut sending = story.clone();
    sending.about(Command::PrepareOk, 1, 0, (2, 0, 0));
    assert_eq!(shape(&sending), "sent_while_down");
    let mut receiving = story.clone();
    let place = receiving.about(Command::Prepare, 0, 1, (3, 0, 0));
    assert_eq!(shape(&receiving), "received_while_down");
    receiving.messages[place].fate = Fate::ReceiverDown;
    assert!(receiving.verdict(NAME).is_pass());
    story.restart(1, |_| {});
    story.append(1, 3, 0);
    story.about(Command::PrepareOk, 1, 0, (3, 0, 0));
    assert!(story.verdict(NAME).is_pass());
}

#[test]
fn incarnations_are_numbered_without_gaps() {
    let mut story = Story::clean(2);
    story.crash(1);
    story.restart(1, |state| state.incarnation += 1);
    assert_eq!(shape(&story), "incarnation");
}

#[test]
fn an_answer_stands_behind_its_commit() {
    let mut story = Story::clean(2);
    story.operation(|row| row.op = Some(2));
    assert!(story.verdict(NAME).is_pass());
    story.operation(|row| row.op = Some(3));
    assert_eq!(shape(&story), "answered_before_commit");
    story.append(0, 3, 0);
    story.commit(0, 3, 0, None);
    assert_eq!(shape(&story), "answered_before_commit");
}

#[test]
fn rows_that_cannot_be_ordered_are_reported_here_and_unknown_elsewhere() {
    let mut story = Story::clean(2);
    story.transitions[5].replica = 77;
    assert_eq!(shape(&story), "ill_formed_transition_replica");
    assert_eq!(story.verdict("vsr_agreement").name(), "unknown");
    let mut story = Story::clean(2);
    story.transitions.swap(3, 4);
    assert_eq!(shape(&story), "ill_formed_transition_order");
}

#[test]
fn a_cut_off_run_passes() {
    let (story, place) = caused();
    let before_delivery = story.transitions[place].seq - 1;
    assert!(story.cut_off(before_delivery).verdict(NAME).is_pass());
    assert_eq!(story.transitions[place].event, Event::EntryAppended);
}
