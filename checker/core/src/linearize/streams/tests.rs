//! Small histories by hand: what is refuted by which calls, and what is left to a search.

use super::*;

fn call(invoke: u64, returned: u64, action: StreamAction) -> Call<StreamAction> {
    Call { invoke, returned, action }
}

fn create(invoke: u64, returned: u64, refused: Option<bool>) -> Call<StreamAction> {
    call(invoke, returned, StreamAction::Create { refused })
}

fn at(invoke: u64, returned: u64, value: u64, offset: u64) -> Call<StreamAction> {
    call(invoke, returned, StreamAction::Append { value, answer: AppendAnswer::At(offset) })
}

fn append(invoke: u64, returned: u64, value: u64) -> Call<StreamAction> {
    let answer = if returned == NEVER { AppendAnswer::Unknown } else { AppendAnswer::Somewhere };
    call(invoke, returned, StreamAction::Append { value, answer })
}

fn refused(invoke: u64, returned: u64) -> Call<StreamAction> {
    call(invoke, returned, StreamAction::Append { value: 0, answer: AppendAnswer::Refused })
}

fn read(invoke: u64, returned: u64, offset: u64, count: u64, seen: &[u64]) -> Call<StreamAction> {
    call(invoke, returned, StreamAction::Read { offset, count, seen: Some(Box::from(seen)) })
}

/// A read of everything.
fn all(invoke: u64, returned: u64, seen: &[u64]) -> Call<StreamAction> {
    read(invoke, returned, 0, 100, seen)
}

fn list(calls: &[Call<StreamAction>]) -> Answer {
    decide(&Stream { exists: true, ..Stream::default() }, calls)
}

fn stream(calls: &[Call<StreamAction>]) -> Answer {
    decide(&Stream::default(), calls)
}

const HOLDS: Answer = Answer::Linearizable;

fn core(answer: Answer) -> Vec<usize> {
    match answer {
        Answer::Refuted(refutation) => refutation.core,
        other => panic!("{other:?}"),
    }
}

fn why(answer: Answer) -> String {
    match answer {
        Answer::Undecided(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn answers_that_name_one_place_agree_about_it() {
    assert_eq!(core(list(&[at(0, 1, 5, 0), append(0, 1, 6), all(2, 3, &[6])])), [0, 2]);
    assert_eq!(core(list(&[at(0, 9, 5, 0), at(0, 9, 5, 0)])), [0, 1], "one place has one append");
    assert_eq!(core(list(&[at(0, 1, 5, 1)])), [0], "there are no more places than appends");
    assert_eq!(core(list(&[all(0, 1, &[5])])), [0]);
    assert_eq!(core(list(&[append(0, 9, 5), read(0, 9, 0, 1, &[5, 6])])), [1], "more than was asked for");
    assert_eq!(list(&[append(0, 9, 5), append(0, 9, 6), read(0, 9, 0, 2, &[5, 6])]), HOLDS);
    assert_eq!(core(list(&[append(0, 1, 5), append(0, 1, 7), all(2, 9, &[6])])), [2], "nobody appended a six");
    assert_eq!(core(list(&[append(0, 1, 5), append(0, 1, 7), all(2, 9, &[8])])), [2]);
    assert_eq!(core(list(&[append(0, 1, 5), append(0, 1, 7), all(2, 9, &[5, 5])])), [2], "one five was appended");
}

#[test]
fn a_read_stands_behind_what_it_saw_and_before_what_it_did_not_see() {
    let two = |seen: &[u64]| [append(0, 1, 5), append(2, 3, 6), all(4, 9, seen)];
    assert_eq!(list(&two(&[5, 6])), HOLDS);
    assert_eq!(core(list(&two(&[6, 5]))), [0, 1], "the first append came first");
    assert_eq!(core(list(&two(&[5]))), [1, 2]);
    assert_eq!(core(list(&[append(3, 9, 5), all(0, 2, &[5])])), [0, 1]);
    assert_eq!(list(&[append(2, 9, 5), all(0, 2, &[5])]), HOLDS, "the intervals touch");
    assert_eq!(list(&[append(0, 4, 5), all(4, 5, &[])]), HOLDS);
    assert_eq!(core(list(&[append(0, 3, 5), all(4, 5, &[])])), [0, 1]);
    // A read that got all it asked for says nothing of what stands behind.
    assert_eq!(list(&[append(0, 1, 5), append(2, 3, 6), read(4, 5, 0, 1, &[5])]), HOLDS);
    assert_eq!(core(list(&[append(0, 1, 5), append(2, 3, 6), read(4, 5, 0, 2, &[5])])), [1, 2]);
    // A read from the middle, and one beyond the end.
    assert_eq!(list(&[at(0, 1, 5, 0), at(2, 3, 6, 1), read(4, 5, 1, 9, &[6])]), HOLDS);
    assert_eq!(core(list(&[at(0, 1, 5, 0), at(2, 3, 6, 1), read(4, 5, 1, 9, &[])])), [1, 2]);
    assert_eq!(list(&[at(0, 1, 5, 0), read(4, 5, 7, 9, &[])]), HOLDS);
    assert_eq!(list(&[at(0, 1, 5, 0), read(4, 5, u64::MAX, 9, &[])]), HOLDS);
    // What two reads saw grows with time.
    assert_eq!(core(list(&[append(0, 9, 5), all(1, 2, &[5]), all(3, 4, &[])])), [1, 2]);
    assert_eq!(core(list(&[at(5, 6, 5, 0), at(1, 2, 6, 1)])), [0, 1]);
}

#[test]
fn what_nobody_saw_comes_last_or_never() {
    let unseen = |returned| [append(0, 1, 5), append(2, returned, 6), append(2, 3, 7), all(4, 5, &[5, 7])];
    assert_eq!(core(list(&unseen(3))), [1, 3]);
    assert_eq!(list(&unseen(4)), HOLDS);
    assert_eq!(list(&unseen(NEVER)), HOLDS);
    // Of two that nobody saw, the one that returned first comes first.
    assert_eq!(list(&[append(0, 9, 5), append(3, 9, 6), append(0, 4, 7), append(6, 8, 8)]), HOLDS);
    assert_eq!(core(list(&[all(5, 6, &[]), append(0, 4, 7), append(0, 8, 8)])), [0, 1]);
    // The second place that nobody saw does not begin before a read that missed it.
    assert_eq!(core(list(&[append(0, 4, 5), append(0, 5, 6), read(6, 7, 1, 9, &[])])), [1, 2]);
    // What was forgotten and seen all the same did happen.
    assert_eq!(list(&[append(0, NEVER, 5), all(4, 5, &[5]), all(6, 7, &[5])]), HOLDS);
    assert_eq!(core(list(&[append(0, NEVER, 5), all(4, 5, &[5]), all(6, 7, &[])])), [1, 2]);
    assert_eq!(core(list(&[append(6, NEVER, 5), all(4, 5, &[5])])), [0, 1]);
    // Equal values that were all forgotten serve in the order of their invocations.
    assert_eq!(list(&[append(6, NEVER, 5), append(0, NEVER, 5), all(4, 5, &[5]), all(6, 9, &[5, 5])]), HOLDS);
    assert_eq!(core(list(&[append(6, NEVER, 5), append(0, NEVER, 5), all(4, 5, &[5, 5])])), [0, 2]);
    // A forgotten read says nothing.
    assert_eq!(list(&[append(0, 1, 5), all(2, NEVER, &[7])]), HOLDS);
}

#[test]
fn a_stream_is_there_from_its_creation_on() {
    let created = |refusal| [create(2, 4, Some(false)), refusal, at(5, 6, 7, 0)];
    assert_eq!(stream(&created(refused(0, 1))), HOLDS);
    assert_eq!(stream(&created(refused(4, 9))), HOLDS);
    assert_eq!(core(stream(&created(refused(5, 9)))), [0, 1]);
    let missed = |invoke| call(invoke, 9, StreamAction::Read { offset: 0, count: 1, seen: None });
    assert_eq!(stream(&created(missed(4))), HOLDS);
    assert_eq!(core(stream(&created(missed(5)))), [0, 1]);
    let unused = |refusal| [create(2, 4, Some(false)), refusal];
    assert_eq!(stream(&unused(refused(4, 9))), HOLDS);
    assert_eq!(core(stream(&unused(refused(5, 9)))), [0, 1], "created, though nobody else used it");
    assert_eq!(core(list(&[refused(0, 1)])), [0], "it was there from the beginning");
    assert_eq!(core(list(&[missed(0)])), [0]);
    assert_eq!(list(&[refused(0, NEVER)]), HOLDS);
    // Creations: one succeeds, the others come later.
    assert_eq!(core(stream(&[create(0, 9, Some(false)), create(0, 9, Some(false))])), [0, 1]);
    assert_eq!(core(list(&[create(0, 9, Some(false))])), [0]);
    assert_eq!(list(&[create(0, 9, Some(true))]), HOLDS);
    assert_eq!(core(stream(&[create(0, 9, Some(true))])), [0], "nobody created it");
    assert_eq!(core(stream(&[create(4, 9, Some(false)), create(0, 3, Some(true))])), [0, 1]);
    assert_eq!(stream(&[create(3, 9, Some(false)), create(0, 3, Some(true))]), HOLDS);
    // Appends and reads need it.
    assert_eq!(core(stream(&[append(0, 1, 5)])), [0]);
    assert_eq!(core(stream(&[append(0, 1, 5), create(2, 3, Some(false))])), [0, 1]);
    assert_eq!(core(stream(&[at(0, 1, 5, 0), create(2, 3, Some(false))])), [0, 1]);
    assert_eq!(core(stream(&[all(0, 1, &[]), create(2, 3, Some(false))])), [0, 1]);
    assert_eq!(stream(&[append(0, NEVER, 5), create(2, 3, Some(false))]), HOLDS);
    // A creation of unknown outcome serves when somebody needs it, the earliest of several.
    assert_eq!(stream(&[create(0, NEVER, None), append(1, 2, 5)]), HOLDS);
    assert_eq!(stream(&[create(3, NEVER, None), create(0, NEVER, None), append(1, 2, 5)]), HOLDS);
    assert_eq!(stream(&[create(0, NEVER, None), create(3, NEVER, None), append(1, 2, 5)]), HOLDS);
    assert_eq!(core(stream(&[create(3, NEVER, None), append(1, 2, 5)])), [0, 1]);
    assert_eq!(core(stream(&[create(0, NEVER, Some(true)), append(1, 2, 5)])), [1], "that one was refused");
    assert_eq!(stream(&[create(0, NEVER, None), refused(5, 6)]), HOLDS);
    assert_eq!(stream(&[create(0, NEVER, Some(true))]), HOLDS, "nobody heard that it was there already");
    let forgotten = call(0, NEVER, StreamAction::Append { value: 5, answer: AppendAnswer::At(0) });
    assert_eq!(stream(core::slice::from_ref(&forgotten)), HOLDS, "nobody heard of it");
    assert_eq!(core(stream(&[forgotten, all(3, 4, &[])])), [1]);
    assert_eq!(stream(&[create(0, NEVER, Some(false)), append(1, 2, 5)]), HOLDS);
}

#[test]
fn what_cannot_be_traced_is_left_to_a_search() {
    let twice = [append(0, 1, 5), append(0, 1, 5), all(2, 3, &[5, 5])];
    assert_eq!(why(list(&twice)), "a value that was appended twice without an offset");
    let forgotten = [call(0, NEVER, StreamAction::Append { value: 5, answer: AppendAnswer::At(1) }), append(0, 1, 6), all(2, 3, &[5, 6])];
    assert_eq!(why(list(&forgotten)), "a forgotten append with an offset");
    let placed = call(0, NEVER, StreamAction::Append { value: 5, answer: AppendAnswer::At(0) });
    assert_eq!(list(&[placed.clone(), all(2, 3, &[5])]), HOLDS, "it stands where it says");
    assert_eq!(why(list(&[placed, append(0, NEVER, 5), all(2, 3, &[5])])), "a forgotten append with an offset");
    let gap = [append(0, 1, 6), append(0, 1, 7), at(2, 3, 5, 1)];
    assert_eq!(why(list(&gap)), "a place that nothing reveals");
    let several = [append(0, NEVER, 6), append(0, NEVER, 7), append(0, NEVER, 7), at(2, 3, 5, 1), read(4, 5, 2, 1, &[7])];
    assert_eq!(why(list(&several)), "a place that nothing reveals, and several appends for it");
    // Two for one place are no difficulty where all places are known, nor is a gap where each has one.
    assert_eq!(list(&[append(0, NEVER, 5), append(6, NEVER, 5), all(4, 5, &[5])]), HOLDS);
    assert_eq!(list(&[append(0, NEVER, 6), append(0, NEVER, 7), at(2, 3, 5, 1), read(4, 5, 2, 1, &[7])]), HOLDS);
    // Places that only forgotten appends can fill are filled in the order of the invocations.
    let filled = |first, second| [append(first, NEVER, 6), append(second, NEVER, 7), at(4, 5, 5, 2)];
    assert_eq!(list(&filled(0, 1)), HOLDS);
    assert_eq!(core(list(&filled(6, 1))), [0, 2]);
    assert_eq!(core(list(&filled(1, 6))), [1, 2]);
}
