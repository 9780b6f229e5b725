//! Every engine against brute force on random tiny histories: ties in time, unknown outcomes, all models.

use super::any::History;
use super::decide::Engine;
use super::trials::workload::Workload;
use super::trials::{self, Generator, Random, history, history_of};
use super::{Answer, Call, Effort, NEVER, brute, decide, frontier, shrink, wgl, zones};
use crate::budget::Budget;
use crate::models::Model;
use crate::models::keys::Keys;
use crate::models::ledger::Ledger;
use crate::models::queue::{Dequeued, Queue, QueueAction};
use crate::models::register::{Register, RegisterAction};
use crate::models::stream::Stream;

fn agree<M: Generator>(model: &M, seed: u64, cases: u64, length: u64) {
    let meter = Budget::default().meter();
    let mut random = Random(seed);
    let mut verdicts = [0_u64; 2];
    for case in 0..cases {
        let calls = history(model, &mut random, length, case % 2 == 0);
        let expected = brute::linearizable(model, &calls);
        verdicts[usize::from(expected)] += 1;
        let searched = frontier::decide(model, &calls, &mut Effort::new(&meter));
        assert_eq!(searched.decided(), Some(expected), "frontier, case {case} of seed {seed}: {calls:#?}");
        let second = wgl::decide(model, &calls, &mut Effort::new(&meter));
        assert_eq!(second.decided(), Some(expected), "wgl, case {case} of seed {seed}: {calls:#?}");
        for answer in [searched, second] {
            if let Answer::Refuted(refutation) = answer {
                let at = refutation.at.expect("both searches work in time order");
                let prefix = shrink::prefix(&calls, calls[at].returned);
                let prefix: Vec<_> = prefix.into_iter().map(|(_, call)| call).collect();
                assert!(!brute::linearizable(model, &prefix), "prefix, case {case} of seed {seed}: {calls:#?}");
            }
        }
    }
    assert!(verdicts.iter().all(|&count| count > cases / 20), "one-sided cases: {verdicts:?}");
}

#[test]
fn every_method_and_the_entrance_agree_with_brute_force_on_every_model() {
    for model in trials::MODELS {
        let tally = trials::run(model, 6_000, 20, 7).expect("the list names models").unwrap_or_else(|wrong| panic!("{model}: {wrong}"));
        let refuted = tally.histories - tally.linearizable;
        assert!(refuted > tally.histories / 20 && tally.linearizable > tally.histories / 20, "{model}: {tally:?}");
        // An own method that hands over to the search what it could decide is sound, and of no use.
        let least = match *model {
            "stream" | "list" => 98,
            "queue" => 99,
            "counter" => 75,
            "set" => 65,
            "unique-register" => 50,
            "failed-register" => 95,
            "register" => 35,
            _ => 0,
        };
        assert!(tally.special * 100 >= tally.histories * least, "{model}: {tally:?}");
        assert!(least == 0 || tally.special_refuted > tally.histories / 50, "{model}: {tally:?}");
    }
}

#[test]
fn searches_agree_with_brute_force_on_registers() {
    agree(&Register::default(), 1, 30_000, 7);
    agree(&Register { initial: Some(2) }, 2, 10_000, 6);
}

#[test]
fn searches_agree_with_brute_force_where_many_writes_overlap() {
    let meter = Budget::default().meter();
    let mut random = Random(13);
    let model = Register::default();
    let mostly_writes = |_: &Register, random: &mut Random, serial: u64| match random.below(10) {
        0..6 => RegisterAction::Write { value: serial },
        6 => RegisterAction::CompareAndSet { expected: Some(random.below(3)), value: serial, set: None },
        _ => RegisterAction::Read { seen: None },
    };
    let mut verdicts = [0; 2];
    for case in 0..10_000 {
        let mut calls = history_of(&model, &mut random, 8, false, mostly_writes);
        for call in &mut calls {
            call.invoke /= 3;
        }
        let expected = brute::linearizable(&model, &calls);
        verdicts[usize::from(expected)] += 1;
        let decided = frontier::decide(&model, &calls, &mut Effort::new(&meter)).decided();
        assert_eq!(decided, Some(expected), "case {case}: {calls:#?}");
    }
    assert!(verdicts[0] > 200, "one-sided cases: {verdicts:?}");
}

#[test]
fn searches_agree_with_brute_force_on_streams() {
    agree(&Stream::default(), 3, 20_000, 7);
}

#[test]
fn what_answers_reveal_of_a_stream_changes_no_verdict() {
    let meter = Budget::default().meter();
    let plain = Stream::default();
    let mut random = Random(7);
    for case in 0..20_000 {
        let calls = history(&plain, &mut random, 7, case % 2 == 0);
        let expected = brute::linearizable(&plain, &calls);
        let answered = calls.iter().filter(|call| call.returned != NEVER).map(|call| &call.action);
        let decided = match Stream::revealed_by(answered) {
            Ok(model) => frontier::decide(&model, &calls, &mut Effort::new(&meter)).decided(),
            Err(_) => Some(false),
        };
        assert_eq!(decided, Some(expected), "case {case}: {calls:#?}");
    }
}

#[test]
fn searches_agree_with_brute_force_on_tied_keys() {
    agree(&Keys::absent(vec![0, 1, 2]), 4, 20_000, 7);
}

#[test]
fn searches_agree_with_brute_force_on_ledgers() {
    agree(&Ledger::new(vec![0, 1, 2], vec![2; 3]), 5, 20_000, 7);
}

#[test]
fn zones_agree_with_brute_force_where_they_apply() {
    let mut scratch = zones::Scratch::default();
    let mut random = Random(6);
    let (mut decided, mut refused) = ([0_u64; 2], 0_u64);
    let cases = 60_000;
    for case in 0..cases {
        let model = Register { initial: [None, Some(50)][random.below(2) as usize] };
        let calls = history(&model, &mut random, 7, true);
        let expected = brute::linearizable(&model, &calls);
        match zones::decide(model.initial, &calls, &mut scratch) {
            zones::Zones::Linearizable => assert!(expected, "case {case}: {model:?} {calls:#?}"),
            zones::Zones::Refuted(conflict) => assert!(!expected, "case {case}: {conflict:?} {model:?} {calls:#?}"),
            zones::Zones::NotApplicable(_) | zones::Zones::Unexplained { .. } => {
                refused += 1;
                continue;
            }
        }
        decided[usize::from(expected)] += 1;
    }
    assert!(decided[0] > cases / 10 && decided[1] > cases / 10 && refused < cases / 2, "{decided:?}, {refused} refused");
}

const CLIENTS: Workload = Workload { operations: 20_000, clients: 5, keys: 1, values: None, compare_and_sets: 10, seed: 1 };

fn calls_of(histories: Vec<(u32, Call<RegisterAction>)>) -> Vec<Call<RegisterAction>> {
    histories.into_iter().map(|(_, call)| call).collect()
}

#[test]
fn failed_compare_and_sets_of_many_clients_need_no_search() {
    let meter = Budget::default().meter();
    for clients in [2, 3, 5, 10, 50, 100] {
        for compare_and_sets in [10, 40] {
            let workload = Workload { clients, compare_and_sets, ..CLIENTS };
            let outcome = History::Register(Register::default(), calls_of(workload.history())).judge(&meter);
            assert_eq!((outcome.linearizable, outcome.engine), (Some(true), Engine::Zones), "{workload:?}");
            let outcome = History::Register(Register::default(), calls_of(workload.violated())).judge(&meter);
            assert_eq!((outcome.linearizable, outcome.engine), (Some(false), Engine::Zones), "{workload:?}");
            let example = outcome.example.expect("a refutation has an example");
            assert!(example.calls.len() <= 80, "{workload:?}: {} calls", example.calls.len());
        }
    }
}

/// Too long for brute force: here the search is the judge. Some reads become compare-and-sets that failed to find what was read.
#[test]
fn zones_agree_with_the_search_on_longer_histories() {
    let meter = Budget::default().meter();
    let mut scratch = zones::Scratch::default();
    let mut verdicts = [0; 2];
    for seed in 0..600 {
        let clients = 2 + seed as usize % 5;
        let mut calls = calls_of(Workload { operations: 300, clients, compare_and_sets: 10 + seed % 4 * 15, seed, ..CLIENTS }.history());
        let mut random = Random(seed);
        for _ in 0..=seed % 3 {
            let call = &mut calls[random.below(300) as usize];
            if let RegisterAction::Read { seen: Some(seen) } = call.action {
                call.action = RegisterAction::CompareAndSet { expected: Some(seen), value: 1_000, set: Some(false) };
                call.invoke += random.below(3).min(call.returned - call.invoke);
            }
            if random.chance(10) {
                calls[random.below(300) as usize].returned = NEVER;
            }
        }
        let found = decide::by_zones(&Register::default(), &calls, &meter, &mut scratch).decided();
        let searched = frontier::decide(&Register::default(), &calls, &mut Effort::new(&meter)).decided();
        assert!(found.is_none() || found == searched, "seed {seed}: {found:?}, {searched:?}");
        if let Some(found) = found {
            verdicts[usize::from(found)] += 1;
        }
    }
    assert!(verdicts[0] > 60 && verdicts[1] > 300, "{verdicts:?}");
}

fn leaves_out<M: Generator>(model: &M, seed: u64) -> u64 {
    let mut random = Random(seed);
    let mut left_out = 0_u64;
    for case in 0..20_000 {
        let calls = history(model, &mut random, 7, case % 2 == 0);
        let before = brute::linearizable(model, &calls);
        for number in 0..calls.len() {
            let mut rest = calls.clone();
            let call = rest.remove(number);
            if !model.drops_safely(&call.action, rest.iter().map(|other| &other.action)) {
                continue;
            }
            left_out += 1;
            let after = brute::linearizable(model, &rest);
            assert!(after || !before, "case {case}: {call:?} was not to be left out of {calls:#?}");
            assert!(call.returned != NEVER || before || !after, "case {case}: {call:?} may have been left out anyway: {calls:#?}");
        }
    }
    left_out
}

#[test]
fn leaving_out_what_nobody_depends_on_refutes_nothing() {
    assert!(leaves_out(&Register::default(), 8) > 10_000);
    assert!(leaves_out(&Keys::absent(vec![0, 1, 2]), 9) > 10_000);
    assert!(leaves_out(&Stream::default(), 10) > 10_000);
    assert!(leaves_out(&Ledger::new(vec![0, 1, 2], vec![2; 3]), 11) > 10_000);
}

#[test]
fn counter_examples_are_refuted_by_brute_force_and_nothing_can_be_spared() {
    let meter = Budget::default().meter();
    let mut random = Random(12);
    let model = Register::default();
    let mut scratch = zones::Scratch::default();
    for case in 0..3_000 {
        let calls = history(&model, &mut random, 9, case % 2 == 0);
        let Answer::Refuted(refutation) = decide::register(&model, &calls, &meter, &mut scratch).answer else { continue };
        let search = |calls: &[Call<RegisterAction>]| frontier::decide(&model, calls, &mut Effort::new(&meter));
        let core = shrink::minimal(&model, &calls, &refutation, search);
        let plain: Vec<_> = core.calls.iter().map(|(_, call)| *call).collect();
        assert!(!brute::linearizable(&model, &plain), "case {case}: {plain:#?} of {calls:#?}");
        for number in 0..plain.len() {
            let mut rest = plain.clone();
            let call = rest.remove(number);
            let spare = model.drops_safely(&call.action, rest.iter().map(|other| &other.action));
            assert!(!spare || brute::linearizable(&model, &rest), "case {case}: {call:?} can be spared of {plain:#?}");
        }
    }
}

/// A write of unknown outcome that restores the value at hand may have covered the traces of another one: here that of 5,
/// before 2 was replaced.
#[test]
fn a_write_that_changes_nothing_can_absorb_another_one() {
    let model = Register { initial: Some(2) };
    let call = |invoke, returned, action| Call { invoke, returned, action };
    let calls = [
        call(0, NEVER, RegisterAction::Write { value: 2 }),
        call(1, 5, RegisterAction::CompareAndSet { expected: Some(2), value: 1, set: Some(true) }),
        call(3, 7, RegisterAction::Write { value: 5 }),
        call(9, 13, RegisterAction::Read { seen: Some(1) }),
    ];
    assert!(brute::linearizable(&model, &calls));
    let meter = Budget::default().meter();
    assert_eq!(frontier::decide(&model, &calls, &mut Effort::new(&meter)), Answer::Linearizable);
}

/// Enqueues of unknown outcome that never run out make as many queues as there are sequences of them: gigabytes for a dozen calls.
#[test]
fn unknown_enqueues_are_not_repeated_for_ever() {
    let call = |invoke, returned, action| Call { invoke, returned, action };
    let mut calls: Vec<Call<QueueAction>> = (0..3).map(|value| call(value, NEVER, QueueAction::Enqueue { value })).collect();
    calls.extend((10..17).map(|value| call(value * 2, value * 2 + 1, QueueAction::Enqueue { value })));
    calls.push(call(50, 51, QueueAction::Dequeue { told: Dequeued::Value(11) }));
    let meter = Budget::default().meter();
    let answer = frontier::decide(&Queue, &calls, &mut Effort::steps(&meter, 500_000));
    assert_eq!(answer.decided(), Some(false), "{answer:?}");
    assert!(!brute::linearizable(&Queue, &calls));
}
