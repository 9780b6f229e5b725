//! Histories by hand: what a refutation says, where the search stops, and how few steps its reductions leave.

use super::*;
use crate::budget::Budget;
use crate::models::keys::{Keys, KeysAction};
use crate::models::register::{Register, RegisterAction};
use crate::models::stream::{AppendAnswer, Stream, StreamAction};

fn call<A>(invoke: u64, returned: u64, action: A) -> Call<A> {
    Call { invoke, returned, action }
}

fn write(value: u64) -> RegisterAction {
    RegisterAction::Write { value }
}

fn read(seen: u64) -> RegisterAction {
    RegisterAction::Read { seen: Some(seen) }
}

fn add(amount: u64) -> RegisterAction {
    RegisterAction::Add { amount, sum: None }
}

fn judged<M: Model>(model: &M, calls: &[Call<M::Action>]) -> Answer {
    let meter = Budget::default().meter();
    decide(model, calls, &mut Effort::new(&meter))
}

fn within<M: Model>(model: &M, calls: &[Call<M::Action>], steps: u64) -> Answer {
    let meter = Budget::default().meter();
    decide(model, calls, &mut Effort::steps(&meter, steps))
}

/// The fewest steps in which the search decides.
fn steps<M: Model>(model: &M, calls: &[Call<M::Action>]) -> u64 {
    (0..1_000_000).find(|steps| within(model, calls, *steps).decided().is_some()).expect("a small history")
}

#[test]
fn at_one_time_invocations_come_before_returns() {
    let calls = [call(3, 5, ()), call(0, 3, ()), call(3, NEVER, ()), call(6, 6, ()), call(9, NEVER, ())];
    let told: Vec<(u64, u64, bool)> = events(&calls).into_iter().map(|(time, event)| (time, event >> 1, event & 1 == 1)).collect();
    let expected = [(0, 1, false), (3, 0, false), (3, 2, false), (3, 1, true), (5, 0, true), (6, 3, false), (6, 3, true), (9, 4, false)];
    assert_eq!(told, expected);
}

#[test]
fn a_refutation_names_the_return_and_what_was_possible_before_it() {
    let calls = [call(0, 1, write(1)), call(2, 9, write(2)), call(2, 9, write(3)), call(4, 5, read(7)), call(4, 12, read(2))];
    let Answer::Refuted(refutation) = judged(&Register::default(), &calls) else { panic!("refuted") };
    assert_eq!((refutation.at, refutation.states), (Some(3), vec!["1".to_owned()]));
    let calls = [call(0, 9, write(1)), call(0, 9, write(2)), call(0, 9, write(3)), call(10, 11, read(7))];
    let Answer::Refuted(refutation) = judged(&Register::default(), &calls) else { panic!("refuted") };
    assert_eq!((refutation.at, refutation.states), (Some(3), ["1", "2", "3"].map(str::to_owned).to_vec()));
    let many: Vec<_> = (0..12).map(|value| call(0, 9, write(value))).chain([call(10, 11, read(99))]).collect();
    let Answer::Refuted(refutation) = judged(&Register::default(), &many) else { panic!("refuted") };
    assert_eq!((refutation.at, refutation.states.len()), (Some(12), 8));
}

#[test]
fn as_many_calls_as_there_are_slots_may_be_open() {
    let open = |count: u64| (0..count).map(|_| call(0, 10, read(0))).collect::<Vec<_>>();
    let register = Register { initial: Some(0) };
    assert_eq!(judged(&register, &open(128)), Answer::Linearizable);
    let told = "more than 128 calls are open at once, at event 128 of 258 with 128 calls open and 1 configurations";
    assert_eq!(judged(&register, &open(129)), Answer::Undecided(told.to_owned()));
    // A slot is free again when its call has returned.
    let one_by_one: Vec<_> = (0..400).map(|value| call(2 * value, 2 * value + 3, write(value))).collect();
    assert_eq!(judged(&register, &one_by_one), Answer::Linearizable);
}

#[test]
fn a_limit_says_how_far_the_search_came() {
    let calls: Vec<_> = (0..6).map(|value| call(0, 10 + value, add(1 << value))).chain([call(20, 21, read(63))]).collect();
    assert_eq!(judged(&Register { initial: Some(0) }, &calls), Answer::Linearizable);
    let Answer::Undecided(why) = within(&Register { initial: Some(0) }, &calls, 1) else { panic!("a limit") };
    assert_eq!(why, "the limit of 1 steps was reached, at event 6 of 14 with 6 calls open and 6 configurations");
}

#[test]
fn memory_is_counted_for_all_that_is_kept() {
    let model = Stream { exists: true, ..Stream::default() };
    let append = |value| StreamAction::Append { value, answer: AppendAnswer::Unknown };
    let calls: Vec<_> = (0..5).map(|value| call(0, NEVER, append(value))).collect();
    let mut search = Search::new(&model, &calls, Pass::Exact);
    let empty = search.bytes();
    let grown = |search: &Search<'_, Stream>, before: usize, least: usize| {
        assert!((before + least..before + least + 4_096).contains(&search.bytes()), "{} after {before}", search.bytes());
        search.bytes()
    };
    assert_eq!(search.classes.len(), 5);
    search.frontier.extend([search.frontier[0]; 100]);
    let bytes = grown(&search, empty, 100 * size_of::<Configuration>());
    let used = search.frontier[0].used;
    (0..50_u32).fold(used, |used, class| search.spend_class(used, class % 5));
    let bytes = grown(&search, bytes, 50 * 5 * size_of::<u16>());
    let state = (0..40).fold(0, |state, _| search.step(state, 0).expect("an append of unknown outcome"));
    assert_ne!(state, 0);
    let states: usize = search.states.items().iter().map(|state| model.state_bytes(state)).sum();
    assert_eq!(search.state_bytes, states);
    assert!(search.bytes() >= bytes + states - model.state_bytes(search.states.get(0)));
    let bytes = search.bytes();
    let at = search.frontier[0];
    (0..100).for_each(|mask| search.visit(Node { at: Configuration { mask, ..at }, last: NO_CALL, before: 0 }));
    let bytes = grown(&search, bytes, 100 * size_of::<Node>());
    (0..100).for_each(|mask| search.survive(Configuration { mask, ..at }));
    grown(&search, bytes, 100 * size_of::<Configuration>());
}

#[test]
fn what_comes_to_the_same_is_explored_once() {
    let register = Register { initial: Some(0) };
    // Equal calls are applied in the order of their returns.
    let twins: Vec<_> = (0..8).map(|n| call(0, 10 + n, add(1))).chain([call(30, 31, read(8))]).collect();
    assert!(steps(&register, &twins) <= 8);
    // What is overwritten leaves no trace: not every order of eight writes is one of its own.
    let overwritten: Vec<_> = (0..8).map(|n| call(0, 10 + n, write(n))).chain([call(30, 31, read(7))]).collect();
    assert!(steps(&register, &overwritten) <= 190);
    // Of keys that nothing ties only the sets of those written count, and not their order.
    let keys = Keys::absent((0..8).collect());
    let one = |slot: u32| KeysAction::One { slot, action: write(5) };
    let scan = KeysAction::Scan { first: 0, seen: vec![5; 8].into() };
    let apart: Vec<_> = (0..8).map(|slot| call(0, 10 + u64::from(slot), one(slot))).chain([call(30, 31, scan)]).collect();
    assert!(steps(&keys, &apart) <= 255);
    // Calls of unknown outcome are applied when somebody needs them, and alike ones count by their number.
    let reads = |seen: [u64; 3]| seen.into_iter().zip(0..).map(|(value, n)| call(5 + 2 * n, 6 + 2 * n, read(value)));
    let unknown: Vec<_> = (0..6).map(|n| call(0, NEVER, write(n))).chain(reads([3, 1, 3])).collect();
    assert!(matches!(judged(&register, &unknown), Answer::Refuted(_)), "three was written once");
    assert!(steps(&register, &unknown) <= 45);
    let alike: Vec<_> = (0..6).map(|_| call(0, NEVER, add(1))).chain(reads([3, 6, 7])).collect();
    assert!(matches!(judged(&register, &alike), Answer::Refuted(_)), "there are six additions");
    assert!(steps(&register, &alike) <= 21);
}
