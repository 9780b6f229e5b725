//! Dialogues in which transactions are not one after the other, and such in which they are.

use crate::import::{Brought, Request, bring_text, history};
use crate::testing::dialogue::{Dialogue, ask, read, scan, told, write};
use vopr_schema::{Function, OperationRow, Pair};

fn transaction(reads: &[(u64, Option<u64>)], writes: &[(u64, u64)]) -> OperationRow {
    let key = reads.first().map_or_else(|| writes[0].0, |read| read.0);
    OperationRow {
        reads: Some(reads.iter().map(|&(key, _)| Pair { key, value: None }).collect()),
        writes: Some(told(writes)),
        results: Some(reads.iter().map(|&(key, value)| Pair { key, value }).collect()),
        ..ask(Function::Transaction, key)
    }
}

fn shape(dialogue: &Dialogue) -> String {
    let verdict = dialogue.verdict("serializability");
    verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
}

fn facts(dialogue: &Dialogue) -> u64 {
    let verdict = dialogue.verdict("serializability");
    assert_eq!(verdict.name(), "pass", "{verdict:?}");
    verdict.facts()
}

fn clean() -> Dialogue {
    let mut dialogue = Dialogue::new(1);
    dialogue.call(0, 1, transaction(&[(1, None)], &[(1, 11), (2, 12)]));
    dialogue.call(0, 2, transaction(&[(1, Some(11)), (2, Some(12))], &[(2, 22)]));
    dialogue
}

#[test]
fn transactions_one_after_the_other_are_facts() {
    let mut dialogue = clean();
    assert_eq!(facts(&dialogue), 3);
    dialogue.call(0, 1, scan(0, 9, &[(1, 11), (2, 22)]));
    dialogue.call(0, 1, read(1, 11));
    dialogue.call(0, 1, OperationRow { value: Some(5), result: Some(5), ..ask(Function::ReadModifyWrite, 7) });
    dialogue.call(0, 1, OperationRow { expected: Some(11), value: Some(13), result: Some(1), ..ask(Function::CompareAndSet, 1) });
    dialogue.call(0, 1, OperationRow { expected: Some(11), value: Some(14), result: Some(0), ..ask(Function::CompareAndSet, 1) });
    dialogue.call(0, 1, read(1, 13));
    assert_eq!(facts(&dialogue), 10);
}

#[test]
fn half_of_a_transaction_is_a_single_anti_dependency() {
    let mut dialogue = clean();
    let last = dialogue.call(0, 1, transaction(&[(1, Some(11)), (2, None)], &[]));
    assert_eq!(shape(&dialogue), "G-single-item");
    let witness = dialogue.verdict("serializability").witness().expect("shown").clone();
    assert!(witness.summary.contains("strong-read-committed holds"), "{}", witness.summary);
    assert_eq!(witness.steps.len(), 2);
    assert!(witness.steps.iter().any(|step| step.seq == dialogue.story.operations[last].seq), "{witness:?}");
}

#[test]
fn a_scan_that_sees_half_of_a_transaction_fires_too() {
    let mut dialogue = clean();
    dialogue.call(0, 3, scan(0, 9, &[(2, 22)]));
    assert_eq!(shape(&dialogue), "G-single-item");
}

#[test]
fn write_skew_is_two_anti_dependencies() {
    let mut dialogue = Dialogue::new(1);
    let one = dialogue.invoke(0, 1, transaction(&[(1, None)], &[(2, 12)]));
    let other = dialogue.invoke(0, 2, transaction(&[(2, None)], &[(1, 21)]));
    for place in [one, other] {
        let op = dialogue.commit(place);
        dialogue.answer(place, op);
    }
    assert_eq!(shape(&dialogue), "G2-item");
}

#[test]
fn two_updates_of_one_version_are_a_lost_update() {
    let mut dialogue = clean();
    let one = dialogue.invoke(0, 1, transaction(&[(2, Some(22))], &[(2, 31)]));
    let other = dialogue.invoke(0, 2, transaction(&[(2, Some(22))], &[(2, 32)]));
    for place in [one, other] {
        let op = dialogue.commit(place);
        dialogue.answer(place, op);
    }
    assert!(dialogue.verdict("serializability").witness().expect("lost").summary.contains("lost-update"));
}

#[test]
fn a_stale_read_breaks_real_time_only() {
    let mut dialogue = clean();
    dialogue.call(0, 3, read(2, 12));
    assert_eq!(shape(&dialogue), "G-single-item-realtime");
    let mut dialogue = clean();
    // Asked for before the second transaction was answered, it may be from before it.
    let early = dialogue.invoke(0, 3, transaction(&[(1, Some(11)), (2, Some(22))], &[]));
    let late = dialogue.call(0, 2, transaction(&[], &[(2, 33)]));
    let op = dialogue.story.operations[late].op.expect("answered") - 1;
    dialogue.answer(early, op);
    assert!(facts(&dialogue) > 0);
}

#[test]
fn what_was_never_committed_may_not_be_read() {
    let mut dialogue = clean();
    let lost = dialogue.invoke(0, 3, write(1, 99));
    dialogue.call(0, 1, transaction(&[(1, Some(99))], &[]));
    assert_eq!(shape(&dialogue), "G1a");
    // Committed after all, though nobody was told.
    let mut dialogue = clean();
    let unknown = dialogue.invoke(0, 3, write(1, 99));
    dialogue.commit(unknown);
    dialogue.call(0, 1, transaction(&[(1, Some(99))], &[]));
    assert!(facts(&dialogue) > 0 && lost > 0);
    dialogue.call(0, 1, transaction(&[(1, Some(12345))], &[]));
    assert_eq!(shape(&dialogue), "garbage-versions");
}

#[test]
fn unheard_answers_are_what_the_log_makes_of_them() {
    let mut dialogue = clean();
    let add = dialogue.invoke(0, 3, OperationRow { value: Some(4), ..ask(Function::ReadModifyWrite, 7) });
    dialogue.commit(add);
    let set = dialogue.invoke(0, 4, OperationRow { expected: Some(11), value: Some(44), ..ask(Function::CompareAndSet, 1) });
    dialogue.commit(set);
    dialogue.call(0, 1, transaction(&[(7, Some(4)), (1, Some(44))], &[(7, 70)]));
    assert!(facts(&dialogue) > 0);
}

#[test]
fn an_acknowledged_write_without_its_place_leaves_doubt() {
    let mut dialogue = clean();
    let lost = dialogue.invoke(0, 1, write(3, 33));
    dialogue.answer(lost, 3);
    assert_eq!(dialogue.verdict("serializability").name(), "unknown");
}

#[test]
fn without_transactions_there_is_nothing_to_check() {
    let mut dialogue = Dialogue::new(1);
    dialogue.call(0, 1, write(1, 2));
    assert_eq!(dialogue.verdict("serializability").name(), "not_applicable");
    let cut = clean();
    assert_eq!(cut.story.cut_off(1).verdict("serializability").name(), "not_applicable");
}

/// The verdict on a history of another system, in the words of the report.
fn imported(text: &str) -> crate::Verdict {
    let brought: Brought = bring_text(std::path::Path::new("elle.edn"), text, &Request::default()).expect("a history");
    let selection = crate::Selection::only(&["serializability"]).expect("registered");
    let mut verdicts = crate::check_run(&history(&[brought]), 0, &selection, &crate::Budget::default());
    verdicts.pop().expect("one verdict").1
}

#[test]
fn histories_of_other_systems_are_judged_by_what_was_read() {
    let half = "{:process 0, :type :invoke, :f :txn, :value [[:append :x 1] [:append :y 1]]}
        {:process 1, :type :invoke, :f :txn, :value [[:r :x nil] [:r :y nil]]}
        {:process 0, :type :ok, :f :txn, :value [[:append :x 1] [:append :y 1]]}
        {:process 1, :type :ok, :f :txn, :value [[:r :x [1]] [:r :y nil]]}";
    let verdict = imported(half);
    let witness = verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}"));
    assert_eq!((witness.shape.as_str(), witness.steps.len()), ("G-single-item", 2));
    assert_eq!(imported(&half.replace("[:r :y nil]]}", "[:r :y [1]]]}")).name(), "pass");
}
