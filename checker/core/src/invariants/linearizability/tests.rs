//! Small histories, each with the verdict that a person would give.

use crate::testing::dialogue::{Dialogue, ask, balance, read, scan, told, transfer, write};
use crate::{Budget, Selection, Verdict, Witness};
use vopr_schema::{Function, OperationRow, Pair};

fn verdict(dialogue: &Dialogue) -> Verdict {
    dialogue.verdict("linearizability")
}

fn witness(dialogue: &Dialogue) -> Witness {
    let verdict = verdict(dialogue);
    verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).clone()
}

/// Two overlapping writes, then reads.
fn dialogue() -> Dialogue {
    let mut dialogue = Dialogue::new(1);
    dialogue.register(0, 1);
    dialogue.register(0, 2);
    let (first, second) = (dialogue.invoke(0, 1, write(5, 50)), dialogue.invoke(0, 2, write(5, 60)));
    for place in [second, first] {
        let op = dialogue.commit(place);
        dialogue.answer(place, op);
    }
    dialogue
}

#[test]
fn the_logs_order_proves_it() {
    let mut dialogue = dialogue();
    dialogue.call(0, 1, read(5, 50));
    dialogue.call(0, 2, scan(0, 9, &[(5, 50)]));
    assert_eq!(verdict(&dialogue).facts(), 4);
}

#[test]
fn a_wrong_log_proves_nothing_either_way() {
    // The log holds 60 before 50; the read says 60. Some order explains that, and that is enough for clients.
    let mut explained = dialogue();
    explained.call(0, 1, read(5, 60));
    assert_eq!(explained.verdict("data_correctness").name(), "violation");
    assert_eq!(verdict(&explained).facts(), 3);
    explained.call(0, 1, read(5, 50));
    assert_eq!(witness(&explained).shape, "key_no_order");
}

#[test]
fn a_stale_read_is_told_in_three_operations() {
    let mut dialogue = Dialogue::new(1);
    (0..20).for_each(|value| _ = dialogue.call(0, 1, write(7, value)));
    dialogue.call(0, 1, write(5, 50));
    dialogue.call(0, 2, read(5, 50));
    dialogue.call(0, 1, write(5, 51));
    let op = dialogue.op();
    dialogue.call(0, 1, read(7, 19));
    // A primary that has not heard of its successor answers from its own, older, state.
    dialogue.served(0, 3, op - 1, read(5, 50));
    let witness = witness(&dialogue);
    assert_eq!(witness.steps.len(), 3, "{witness:#?}");
    assert!(witness.summary.starts_with("key 5 of tenant 0"), "{}", witness.summary);
    assert!(witness.steps[2].words.contains("the only state possible before it returned was 51"), "{witness:#?}");
}

#[test]
fn a_lost_update_is_two_operations_that_replaced_one_value() {
    let add = |amount, sum| OperationRow { value: Some(amount), result: Some(sum), ..ask(Function::ReadModifyWrite, 40) };
    let mut dialogue = Dialogue::new(1);
    dialogue.call(0, 1, add(3, 3));
    dialogue.register(0, 2);
    dialogue.call(0, 1, add(4, 7));
    dialogue.call(0, 2, add(5, 8));
    let witness = witness(&dialogue);
    assert_eq!(witness.shape, "key_update_lost");
    assert_eq!(witness.steps.len(), 3, "{witness:#?}");
}

#[test]
fn unknown_operations_may_or_may_not_have_happened() {
    let mut dialogue = Dialogue::new(1);
    dialogue.call(0, 1, write(5, 50));
    dialogue.invoke(0, 1, write(5, 51));
    dialogue.call(0, 2, read(5, 50));
    let mut seen = dialogue.clone();
    seen.call(0, 2, read(5, 51));
    assert_eq!(verdict(&dialogue).facts(), 2);
    assert_eq!(verdict(&seen).facts(), 3);
    seen.call(0, 2, read(5, 50));
    let witness = witness(&seen);
    assert!(witness.steps.iter().any(|step| step.words.contains("it may or may not have")), "{witness:#?}");
}

#[test]
fn a_scan_ties_its_keys_together() {
    let mut dialogue = Dialogue::new(1);
    dialogue.call(0, 1, write(1, 10));
    dialogue.register(0, 2);
    dialogue.register(0, 3);
    let (first, second) = (dialogue.invoke(0, 1, write(1, 11)), dialogue.invoke(0, 2, write(2, 20)));
    for place in [first, second] {
        let op = dialogue.commit(place);
        dialogue.answer(place, op);
    }
    let mut good = dialogue.clone();
    good.call(0, 3, scan(0, 9, &[(1, 11), (2, 20)]));
    assert_eq!(verdict(&good).facts(), 4);

    // Two snapshots that see the overlapping writes in opposite orders: each key alone looks fine.
    let mut opposed = Dialogue::new(1);
    (1..=4).for_each(|client| _ = opposed.register(0, client));
    let places = [
        opposed.invoke(0, 1, write(1, 11)),
        opposed.invoke(0, 2, write(2, 20)),
        opposed.invoke(0, 3, scan(0, 9, &[(1, 11)])),
        opposed.invoke(0, 4, scan(0, 9, &[(2, 20)])),
    ];
    for place in places {
        let op = opposed.commit(place);
        opposed.answer(place, op);
    }
    let witness = witness(&opposed);
    assert_eq!(witness.shape, "keys_no_order");
    assert_eq!(witness.steps.len(), 4, "{witness:#?}");
}

#[test]
fn transactions_are_atomic() {
    let transaction = |reads: &[(u64, Option<u64>)], writes: &[(u64, u64)]| OperationRow {
        reads: Some(reads.iter().map(|(key, _)| Pair { key: *key, value: None }).collect()),
        writes: Some(told(writes)),
        results: Some(reads.iter().map(|(key, value)| Pair { key: *key, value: *value }).collect()),
        ..ask(Function::Transaction, 0)
    };
    let mut dialogue = Dialogue::new(1);
    dialogue.call(0, 1, transaction(&[(1, None)], &[(1, 11), (2, 21)]));
    dialogue.call(0, 2, transaction(&[(1, Some(11)), (2, Some(21))], &[]));
    assert_eq!(verdict(&dialogue).facts(), 2);
    dialogue.call(0, 2, transaction(&[(1, Some(11)), (2, None)], &[]));
    assert_eq!(witness(&dialogue).shape, "key_no_order");
}

#[test]
fn streams_and_ledgers_have_their_own_stories() {
    let append = |value, offset| OperationRow { value: Some(value), result: Some(offset), ..ask(Function::StreamAppend, 2) };
    let mut lost = Dialogue::new(1);
    lost.call(0, 1, ask(Function::StreamCreate, 2));
    lost.call(0, 1, append(9, 0));
    lost.call(0, 1, append(8, 0));
    assert_eq!(witness(&lost).shape, "stream_two_elements_at_one_offset");
    let mut skipped = Dialogue::new(1);
    skipped.call(0, 1, ask(Function::StreamCreate, 2));
    skipped.call(0, 1, append(9, 1));
    assert_eq!(witness(&skipped).shape, "stream_no_order");

    let mut half = Dialogue::new(1);
    half.call(0, 1, transfer(0, 1, 30));
    half.call(0, 2, balance(0, 3, &[(0, 70), (1, 100), (2, 100), (3, 100)]));
    assert_eq!(witness(&half).shape, "accounts_wrong_total");
    let mut stale = Dialogue::new(1);
    stale.call(0, 1, transfer(0, 1, 30));
    stale.call(0, 2, balance(0, 3, &[(0, 100), (1, 100), (2, 100), (3, 100)]));
    let witness = witness(&stale);
    assert_eq!((&*witness.shape, witness.steps.len()), ("accounts_no_order", 2), "{witness:#?}");
}

#[test]
fn an_answer_that_nothing_can_explain_is_a_violation_by_itself() {
    let mut beyond = dialogue();
    beyond.call(0, 1, scan(0, 9, &[(12, 1)]));
    assert_eq!(witness(&beyond).shape, "impossible_answer");
    let transaction = |told: &[(u64, Option<u64>)]| OperationRow {
        reads: Some([1, 1].map(|key| Pair { key, value: None }).to_vec()),
        writes: Some(Vec::new()),
        results: Some(told.iter().map(|(key, value)| Pair { key: *key, value: *value }).collect()),
        ..ask(Function::Transaction, 0)
    };
    for told in [&[(1, None)][..], &[(2, None), (1, None)], &[(1, None), (1, Some(60))]] {
        let mut other = dialogue();
        other.call(0, 1, transaction(told));
        assert_eq!(witness(&other).shape, "impossible_answer", "{told:?}");
    }
    let mut twice = dialogue();
    twice.call(0, 1, transaction(&[(1, None), (1, None)]));
    assert_eq!(verdict(&twice).facts(), 3);
    let mut invented = dialogue();
    invented.call(0, 1, read(5, 4711));
    assert_eq!(witness(&invented).shape, "key_value_never_written");
}

fn dialogue_without_log() -> Dialogue {
    let mut dialogue = dialogue();
    dialogue.call(0, 1, read(5, 60));
    dialogue.story.transitions.clear();
    dialogue.story.run.replicas = 0;
    dialogue.story.run.options.clear();
    for row in &mut dialogue.story.operations {
        (row.op, row.session) = (None, None);
    }
    dialogue
}

#[test]
fn histories_of_other_systems_need_no_log() {
    assert_eq!(verdict(&dialogue_without_log()).facts(), 3);
    let mut broken = dialogue_without_log();
    broken.call(0, 1, read(5, 50));
    broken.story.transitions.clear();
    assert!(verdict(&broken).is_violation());
}

#[test]
fn vacuous_truncated_and_exhausted_checks_do_not_pass() {
    assert_eq!(verdict(&Dialogue::new(1)).name(), "not_applicable");
    let mut unanswered = Dialogue::new(1);
    unanswered.invoke(0, 1, write(1, 1));
    assert_eq!(verdict(&unanswered).name(), "not_applicable");
    let mut incomplete = dialogue_without_log();
    incomplete.story.operations[0].value = None;
    assert_eq!(verdict(&incomplete).name(), "unknown");
    let mut ledger = dialogue_without_log();
    ledger.call(0, 1, balance(0, 3, &[(0, 100), (1, 100), (2, 100), (3, 100)]));
    ledger.story.run.options.clear();
    assert_eq!(verdict(&ledger).name(), "unknown");

    // The log does not explain it, and equal values make a search necessary, for which there is no memory.
    let mut twice = dialogue();
    twice.call(0, 1, read(5, 60));
    twice.call(0, 2, write(5, 60));
    let budget = Budget { memory_bytes: Some(1), ..Budget::default() };
    let only = Selection::only(&["linearizability"]).expect("registered");
    let verdict = crate::check_run(&twice.story.history(), 0, &only, &budget).pop().expect("one verdict").1;
    assert_eq!(verdict.name(), "unknown", "{verdict:?}");
}
