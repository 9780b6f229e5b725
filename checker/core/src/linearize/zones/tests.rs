//! Small histories by hand: which conflict is found, and which calls it names.

use super::*;

fn call(invoke: u64, returned: u64, action: RegisterAction) -> Call<RegisterAction> {
    Call { invoke, returned, action }
}

fn write(value: u64) -> RegisterAction {
    RegisterAction::Write { value }
}

fn read(seen: u64) -> RegisterAction {
    RegisterAction::Read { seen: Some(seen) }
}

fn swap(expected: u64, value: u64) -> RegisterAction {
    RegisterAction::CompareAndSet { expected: Some(expected), value, set: Some(true) }
}

fn missed(expected: u64) -> RegisterAction {
    RegisterAction::CompareAndSet { expected: Some(expected), value: 99, set: Some(false) }
}

fn add(amount: u64, sum: u64) -> RegisterAction {
    RegisterAction::Add { amount, sum: Some(sum) }
}

fn judged(initial: Option<u64>, calls: &[Call<RegisterAction>]) -> Zones {
    decide(initial, calls, &mut Scratch::default())
}

fn conflict(initial: Option<u64>, calls: &[Call<RegisterAction>]) -> Conflict {
    match judged(initial, calls) {
        Zones::Refuted(conflict) => conflict,
        other => panic!("{other:?} of {calls:?}"),
    }
}

const HOLDS: Zones = Zones::Linearizable;

#[test]
fn a_value_that_nobody_wrote_is_the_fault_of_who_saw_it() {
    let seen = conflict(None, &[call(0, 1, write(1)), call(2, 9, read(7)), call(3, 5, read(7))]);
    assert_eq!((seen.clone(), seen.calls()), (Conflict::NeverWritten { reader: 2 }, vec![2]));
    let taken = conflict(None, &[call(0, 1, write(1)), call(2, 3, swap(7, 8))]);
    assert_eq!(taken, Conflict::NeverWritten { reader: 1 });
}

#[test]
fn a_value_is_taken_away_once() {
    let twice = conflict(Some(1), &[call(0, 9, swap(1, 3)), call(0, 9, swap(1, 2))]);
    assert_eq!((twice.clone(), twice.calls()), (Conflict::ConsumedTwice { first: 0, second: 1 }, vec![0, 1]));
}

#[test]
fn values_that_need_each_other_are_a_cycle() {
    let cycle = conflict(None, &[call(0, 9, write(5)), call(0, 9, swap(2, 3)), call(0, 9, swap(3, 2))]);
    assert_eq!((cycle.clone(), cycle.calls()), (Conflict::Cycle { calls: vec![2, 1] }, vec![1, 2]));
}

#[test]
fn who_comes_later_by_the_values_cannot_have_returned_before() {
    let calls = [call(4, 9, write(1)), call(1, 3, read(1))];
    let backwards = conflict(None, &calls);
    assert_eq!((backwards.clone(), backwards.calls()), (Conflict::Backwards { early: 0, late: 1 }, vec![0, 1]));
    // The closed intervals touch: the read may stand behind the write.
    assert_eq!(judged(None, &[call(3, 9, write(1)), call(1, 3, read(1))]), HOLDS);
    let through_reads = [call(0, 1, write(1)), call(6, 7, read(1)), call(2, 5, swap(1, 2))];
    assert_eq!(conflict(None, &through_reads), Conflict::Backwards { early: 1, late: 2 });
    let first_reader = [call(0, 9, write(1)), call(0, 4, read(1)), call(5, 9, swap(0, 1))];
    assert!(matches!(judged(Some(0), &first_reader), Zones::NotApplicable(_)), "a value is written twice");
}

#[test]
fn two_chains_do_not_hold_the_register_at_once() {
    let calls = [call(0, 1, write(1)), call(2, 3, write(2)), call(6, 7, read(1)), call(8, 9, read(2))];
    let overlap = conflict(None, &calls);
    let first = Span { root: Some(0), first_return: Some(0), last_invoke: Some(2) };
    let second = Span { root: Some(1), first_return: Some(1), last_invoke: Some(3) };
    assert_eq!((overlap.clone(), overlap.calls()), (Conflict::Overlap { first, second }, vec![0, 1, 2, 3]));
    // The second chain may begin when the first one ends.
    let touching = [call(0, 1, write(1)), call(2, 6, write(2)), call(6, 7, read(1)), call(8, 9, read(2))];
    assert_eq!(judged(None, &touching), HOLDS);
    // The chain of the initial value has no root.
    let initial = conflict(Some(0), &[call(1, 2, write(1)), call(3, 4, read(0))]);
    assert_eq!(initial.calls(), [0, 1]);
}

#[test]
fn a_chain_finds_no_instant_inside_of_another_one() {
    let calls = [call(0, 1, write(1)), call(8, 9, read(1)), call(3, 4, write(2))];
    let enclosed = conflict(None, &calls);
    let outer = Span { root: Some(0), first_return: Some(0), last_invoke: Some(1) };
    let inner = Span { root: Some(2), first_return: Some(2), last_invoke: Some(2) };
    assert_eq!((enclosed.clone(), enclosed.calls()), (Conflict::Enclosed { outer, inner }, vec![0, 1, 2]));
    // It touches an end of the outer one, on either side.
    assert_eq!(judged(None, &[call(0, 1, write(1)), call(8, 9, read(1)), call(3, 8, write(2))]), HOLDS);
    assert_eq!(judged(None, &[call(0, 2, write(1)), call(8, 9, read(1)), call(2, 4, write(2))]), HOLDS);
    let chain = [call(0, 1, write(1)), call(9, 9, read(1)), call(3, 6, write(2)), call(4, 6, swap(2, 3)), call(5, 7, read(3))];
    let Conflict::Enclosed { inner, .. } = conflict(None, &chain) else { panic!("enclosed") };
    assert_eq!(inner, Span { root: Some(2), first_return: Some(2), last_invoke: Some(4) });
}

#[test]
fn what_was_written_twice_or_adds_to_nothing_is_left_to_others() {
    let why = |initial, calls: &[Call<RegisterAction>]| match judged(initial, calls) {
        Zones::NotApplicable(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(None, &[call(0, 1, write(1)), call(0, 1, write(1))]), "a value is written twice");
    assert_eq!(why(Some(1), &[call(0, 1, write(1))]), "a value is written twice");
    assert_eq!(why(None, &[call(0, 1, RegisterAction::Add { amount: 1, sum: None })]), "an addition whose sum is not known");
    assert_eq!(why(None, &[call(0, 1, add(0, 5))]), "an addition whose sum is not known");
    assert_eq!(why(None, &[call(0, NEVER, add(1, 5))]), "an addition whose sum is not known");
    assert_eq!(why(None, &[call(0, 1, add(1, 0))]), "an addition that wrapped around");
    assert_eq!(why(None, &[call(0, 1, add(2, 2)), call(0, 1, write(0))]), "an addition to zero, or to an absent key");
    // Nobody writes zero: the addition found the key absent, or the zero that it began with.
    assert_eq!(judged(None, &[call(0, 1, add(2, 2)), call(2, 3, add(3, 5)), call(4, 5, read(5))]), HOLDS);
    assert_eq!(judged(Some(0), &[call(0, 1, add(2, 2)), call(2, 3, read(2))]), HOLDS);
    assert_eq!(conflict(Some(4), &[call(0, 1, add(2, 2))]), Conflict::NeverWritten { reader: 0 });
}

#[test]
fn a_call_of_unknown_outcome_happened_when_somebody_saw_it() {
    let unknown = |value| call(0, NEVER, write(value));
    assert_eq!(judged(None, &[unknown(1), call(2, 3, write(2)), call(4, 5, read(2))]), HOLDS);
    assert_eq!(judged(None, &[unknown(1), call(2, 3, write(2)), call(4, 5, read(1))]), HOLDS);
    // Once it was seen it cannot be seen again behind another value.
    let again = [unknown(1), call(1, 2, read(1)), call(3, 4, write(2)), call(5, 6, read(1))];
    assert!(matches!(conflict(None, &again), Conflict::Enclosed { .. }));
    // Whoever saw the end of a chain saw all of it; nobody saw the end of this one.
    let chain = |seen| [unknown(1), call(0, NEVER, swap(1, 2)), call(0, NEVER, swap(2, 3)), call(4, 5, read(seen))];
    assert_eq!([1, 2, 3].map(|seen| judged(None, &chain(seen))), [HOLDS, HOLDS, HOLDS]);
    let lost = [call(0, NEVER, swap(1, 2)), call(4, 5, read(2))];
    assert_eq!(conflict(None, &lost), Conflict::NeverWritten { reader: 0 });
    assert_eq!(judged(None, &[call(0, NEVER, swap(1, 2)), call(0, NEVER, read(8)), call(0, NEVER, missed(8))]), HOLDS);
    // A swap of unknown outcome that changes nothing says nothing; one that succeeded read its value.
    let same = |returned, set| [call(0, returned, RegisterAction::CompareAndSet { expected: Some(7), value: 7, set })];
    assert_eq!(judged(None, &same(NEVER, Some(true))), HOLDS);
    assert_eq!(judged(None, &same(5, None)), HOLDS);
    assert_eq!(conflict(None, &same(5, Some(true))), Conflict::NeverWritten { reader: 0 });
}

#[test]
fn a_failed_swap_needs_an_instant_at_which_its_value_is_not_there() {
    const UNEXPLAINED: Zones = Zones::Unexplained { call: 2 };
    let held = [call(0, 1, write(1)), call(8, 9, read(1))];
    let with = |invoke, returned| {
        let mut calls = held.to_vec();
        calls.push(call(invoke, returned, missed(1)));
        judged(None, &calls)
    };
    assert_eq!(with(2, 7), UNEXPLAINED);
    assert_eq!(with(0, 7), HOLDS, "before the write");
    assert_eq!(with(2, 20), UNEXPLAINED, "nothing ends the value");
    assert_eq!(judged(None, &[held[0], held[1], call(2, 7, missed(5))]), HOLDS, "nobody wrote it");
    // The value that follows begins before the miss returns.
    let ended = |returned| [held[0], held[1], call(9, 12, write(2)), call(2, returned, missed(1))];
    assert_eq!([judged(None, &ended(8)), judged(None, &ended(9))], [Zones::Unexplained { call: 3 }, HOLDS]);
    // The value itself can begin later than at once, but not after it was seen.
    let late = |invoke| [call(0, 6, write(1)), call(3, 8, read(1)), call(invoke, 4, missed(1))];
    assert_eq!([judged(None, &late(2)), judged(None, &late(4))], [HOLDS, HOLDS]);
    let seen = [call(0, 6, write(1)), call(1, 3, read(1)), call(4, 5, missed(1))];
    assert_eq!(judged(None, &seen), UNEXPLAINED);
}

#[test]
fn values_make_room_for_a_failed_swap() {
    // 2 could begin as late as at 20, and 3 at 30; the swap needs one of them by 8.
    let calls = [call(0, 1, write(1)), call(5, 20, write(2)), call(7, 30, write(3)), call(2, 8, missed(1))];
    assert_eq!(judged(None, &calls), HOLDS);
    // The next value comes too late, a later one comes before it.
    let calls = [call(0, 1, write(1)), call(9, 20, write(2)), call(7, 30, write(3)), call(2, 8, missed(1))];
    assert_eq!(judged(None, &calls), HOLDS);
    // So may one that replaced another at once, or one of unknown outcome.
    let calls = [call(0, 1, write(1)), call(9, 20, write(2)), call(7, 30, write(3)), call(8, 30, swap(3, 4)), call(2, 8, missed(1))];
    assert_eq!(judged(None, &calls), HOLDS);
    let calls = [call(0, 1, write(1)), call(9, 20, write(2)), call(7, NEVER, write(3)), call(2, 8, missed(1))];
    assert_eq!(judged(None, &calls), HOLDS);
    // 2 is hidden before 1, which then lasts instead.
    let calls = [call(0, 4, write(1)), call(1, 5, write(2)), call(6, 8, missed(2))];
    assert_eq!(judged(None, &calls), HOLDS);
    let both = [call(0, 4, write(1)), call(1, 5, write(2)), call(6, 8, missed(2)), call(6, 8, missed(1))];
    assert!(matches!(judged(None, &both), Zones::Unexplained { .. }));
}

#[test]
fn the_calls_around_a_failed_swap_are_few() {
    let mut calls: Vec<_> = (1..100).flat_map(|n| [call(9 * n, 9 * n + 1, write(n)), call(9 * n + 4, 9 * n + 7, read(n))]).collect();
    let failed = calls.len();
    calls.push(call(9 * 50 + 2, 9 * 50 + 3, missed(50)));
    let mut scratch = Scratch::default();
    assert_eq!(decide(None, &calls, &mut scratch), Zones::Unexplained { call: failed });
    assert_eq!(window(&calls, &mut scratch, failed, 0), Some(vec![98, 99, failed]));
    // Nothing but the window tells that no other value was there after the last read.
    calls[failed] = call(9 * 50 + 8, 9 * 50 + 8, missed(50));
    assert_eq!(decide(None, &calls, &mut scratch), Zones::Unexplained { call: failed });
    assert_eq!(window(&calls, &mut scratch, failed, 0), None);
    assert_eq!(window(&calls, &mut scratch, failed, 1), Some(vec![98, 99, failed]));
    assert!(window(&calls, &mut scratch, failed, 2).is_some_and(|calls| calls.len() > 3));
}

#[test]
fn many_values_find_their_places() {
    let mut calls: Vec<_> = (0..300).flat_map(|n| [call(4 * n, 4 * n + 1, write(n)), call(4 * n + 2, 4 * n + 3, read(n))]).collect();
    assert_eq!(judged(None, &calls), HOLDS);
    calls.push(call(2_000, 2_001, read(120)));
    assert!(matches!(conflict(None, &calls), Conflict::Overlap { .. } | Conflict::Enclosed { .. }));
}
