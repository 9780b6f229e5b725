//! Every engine against brute force on random tiny histories: ties in time, unknown outcomes, all models.
//!
//! Half of the histories come from a simulated run and are then damaged now and then, so that both verdicts are frequent.

use super::{Answer, Call, Effort, NEVER, brute, decide, frontier, shrink, wgl, zones};
use crate::budget::Budget;
use crate::models::Model;
use crate::models::keys::{ABSENT, Keys, KeysAction};
use crate::models::ledger::{Ledger, LedgerAction};
use crate::models::register::{Register, RegisterAction};
use crate::models::stream::{AppendAnswer, Stream, StreamAction, window};

/// `SplitMix64` (Steele, Lea & Flood, OOPSLA 2014): small, seedable, good enough to draw test cases.
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Slots of the objects with several.
const SLOTS: usize = 3;

/// Draws requests and answers of one model.
trait Generator: Model {
    /// A request without an answer; reads hold a placeholder.
    fn request(&self, random: &mut Random, serial: u64) -> Self::Action;
    /// The same request as answered in `state`.
    fn answer(&self, state: &Self::State, request: &Self::Action) -> Self::Action;
    /// The same request with a made-up answer.
    fn damage(&self, random: &mut Random, action: &Self::Action) -> Self::Action;
}

/// A history of up to `length` calls: intervals drawn at random, answers from an execution at random instants within them.
fn history<M: Generator>(model: &M, random: &mut Random, length: u64, unique: bool) -> Vec<Call<M::Action>> {
    history_of(model, random, length, unique, M::request)
}

/// The same, with requests of a special kind.
fn history_of<M: Generator>(
    model: &M,
    random: &mut Random,
    length: u64,
    unique: bool,
    request: impl Fn(&M, &mut Random, u64) -> M::Action,
) -> Vec<Call<M::Action>> {
    let length = 1 + random.below(length);
    let span = 2 + random.below(14);
    let mut plan: Vec<(u64, u64, u64, M::Action)> = (0..length)
        .map(|serial| {
            let invoke = random.below(span);
            let returned = invoke + random.below(1 + span / 2);
            let instant = invoke * 8 + random.below((returned - invoke) * 8 + 1);
            let serial = if unique { serial } else { random.below(3) };
            (instant, invoke, returned, request(model, random, serial))
        })
        .collect();
    plan.sort_by_key(|call| call.0);
    let mut state = model.initial();
    let damage_percent = [0, 10, 40][random.below(3) as usize];
    let mut calls = Vec::new();
    for (_, invoke, returned, request) in plan {
        if random.chance(20) {
            // Its outcome is unknown, and half of the time it did happen.
            if random.chance(50) && !model.is_read_only(&request) {
                state = model.step(&state, &request).expect("a request without an answer fits every state");
            }
            calls.push(Call { invoke, returned: NEVER, action: request });
            continue;
        }
        let mut action = model.answer(&state, &request);
        state = model.step(&state, &action).expect("this is how it was answered");
        if random.chance(damage_percent) {
            action = model.damage(random, &action);
        }
        calls.push(Call { invoke, returned, action });
    }
    // Engines must not depend on the order of calls.
    for place in (1..calls.len()).rev() {
        calls.swap(place, random.below(place as u64 + 1) as usize);
    }
    calls
}

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

impl Generator for Register {
    fn request(&self, random: &mut Random, serial: u64) -> RegisterAction {
        match random.below(8) {
            0..3 => RegisterAction::Write { value: serial + 1 },
            3..6 => RegisterAction::Read { seen: None },
            6 => RegisterAction::CompareAndSet { expected: random.below(5).checked_sub(1), value: serial + 1, set: None },
            _ => RegisterAction::Add { amount: random.below(3), sum: None },
        }
    }

    fn answer(&self, state: &Option<u64>, request: &RegisterAction) -> RegisterAction {
        match *request {
            RegisterAction::Read { .. } => RegisterAction::Read { seen: *state },
            RegisterAction::CompareAndSet { expected, value, .. } => {
                RegisterAction::CompareAndSet { expected, value, set: Some(expected == *state) }
            }
            RegisterAction::Add { amount, .. } => RegisterAction::Add { amount, sum: Some(state.unwrap_or(0) + amount) },
            RegisterAction::Write { value } => RegisterAction::Write { value },
        }
    }

    fn damage(&self, random: &mut Random, action: &RegisterAction) -> RegisterAction {
        match *action {
            RegisterAction::CompareAndSet { expected, value, set: Some(set) } => {
                RegisterAction::CompareAndSet { expected, value, set: Some(!set) }
            }
            RegisterAction::Add { amount, .. } => RegisterAction::Add { amount, sum: Some(amount + random.below(3)) },
            RegisterAction::Read { .. } => RegisterAction::Read { seen: random.below(5).checked_sub(1) },
            other => other,
        }
    }
}

impl Generator for Stream {
    fn request(&self, random: &mut Random, serial: u64) -> StreamAction {
        match random.below(8) {
            0..2 => StreamAction::Create { refused: None },
            2..6 => StreamAction::Append { value: serial, answer: AppendAnswer::Unknown },
            _ => StreamAction::Read { offset: random.below(2), count: 1 + random.below(5), seen: None },
        }
    }

    fn answer(&self, state: &Option<Vec<u64>>, request: &StreamAction) -> StreamAction {
        match request {
            StreamAction::Create { .. } => StreamAction::Create { refused: Some(state.is_some()) },
            StreamAction::Append { value, .. } => StreamAction::Append {
                value: *value,
                answer: state.as_ref().map_or(AppendAnswer::Refused, |elements| AppendAnswer::At(elements.len() as u64)),
            },
            StreamAction::Read { offset, count, .. } => {
                let seen = state.as_ref().map(|elements| Box::from(window(elements, *offset, *count)));
                StreamAction::Read { offset: *offset, count: *count, seen }
            }
        }
    }

    fn damage(&self, random: &mut Random, action: &StreamAction) -> StreamAction {
        match action {
            StreamAction::Create { refused } => StreamAction::Create { refused: refused.map(|refused| !refused) },
            StreamAction::Append { value, .. } => StreamAction::Append { value: *value, answer: AppendAnswer::At(random.below(3)) },
            StreamAction::Read { offset, count, seen } => {
                let mut seen = seen.clone().map(Vec::from).unwrap_or_default();
                if random.chance(50) {
                    seen.pop();
                } else {
                    seen.push(random.below(3));
                }
                StreamAction::Read { offset: *offset, count: *count, seen: Some(seen.into_boxed_slice()) }
            }
        }
    }
}

impl Generator for Keys {
    fn request(&self, random: &mut Random, serial: u64) -> KeysAction {
        let slot = random.below(SLOTS as u64) as u32;
        match random.below(8) {
            0..5 => KeysAction::One { slot, action: Register::default().request(random, serial) },
            5..7 => KeysAction::Scan { first: 0, seen: vec![0; SLOTS].into_boxed_slice() },
            _ => KeysAction::Transaction { reads: Box::default(), writes: Box::from([(slot, serial + 10), (0, serial + 20)]) },
        }
    }

    fn answer(&self, state: &Box<[u64]>, request: &KeysAction) -> KeysAction {
        match request {
            KeysAction::One { slot, action } => {
                let held = state[*slot as usize];
                let action = Register::default().answer(&(held != ABSENT).then_some(held), action);
                KeysAction::One { slot: *slot, action }
            }
            KeysAction::Scan { first, .. } => KeysAction::Scan { first: *first, seen: state.clone() },
            KeysAction::Transaction { writes, .. } => KeysAction::Transaction { reads: Box::from([(1, state[1])]), writes: writes.clone() },
        }
    }

    fn damage(&self, random: &mut Random, action: &KeysAction) -> KeysAction {
        match action {
            KeysAction::One { slot, action } => KeysAction::One { slot: *slot, action: Register::default().damage(random, action) },
            KeysAction::Scan { first, seen } => {
                let mut seen = seen.clone();
                seen[random.below(SLOTS as u64) as usize] = 1 + random.below(3);
                KeysAction::Scan { first: *first, seen }
            }
            KeysAction::Transaction { writes, .. } => {
                KeysAction::Transaction { reads: Box::from([(1, 1 + random.below(3))]), writes: writes.clone() }
            }
        }
    }
}

impl Generator for Ledger {
    fn request(&self, random: &mut Random, _serial: u64) -> LedgerAction {
        let from = random.below(SLOTS as u64) as u32;
        if random.chance(60) {
            let to = (from + 1) % SLOTS as u32;
            return LedgerAction::Transfer { from, to, amount: 1 + random.below(3), refused: None };
        }
        LedgerAction::Balance { first: 0, seen: vec![0; SLOTS].into_boxed_slice() }
    }

    fn answer(&self, state: &Box<[u64]>, request: &LedgerAction) -> LedgerAction {
        match *request {
            LedgerAction::Transfer { from, to, amount, .. } => {
                LedgerAction::Transfer { from, to, amount, refused: Some(state[from as usize] < amount) }
            }
            LedgerAction::Balance { first, .. } => LedgerAction::Balance { first, seen: state.clone() },
        }
    }

    fn damage(&self, random: &mut Random, action: &LedgerAction) -> LedgerAction {
        match action {
            LedgerAction::Transfer { from, to, amount, refused } => {
                LedgerAction::Transfer { from: *from, to: *to, amount: *amount, refused: refused.map(|refused| !refused) }
            }
            LedgerAction::Balance { first, seen } => {
                let mut seen = seen.clone();
                let last = seen.len() - 1;
                let moved = random.below(2).min(seen[0]);
                seen[0] -= moved;
                seen[last] += moved;
                LedgerAction::Balance { first: *first, seen }
            }
        }
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
    agree(&Ledger { accounts: vec![0, 1, 2], balances: vec![2; 3] }, 5, 20_000, 7);
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
            zones::Zones::NotApplicable(_) => {
                refused += 1;
                continue;
            }
        }
        decided[usize::from(expected)] += 1;
    }
    assert!(decided[0] > cases / 10 && decided[1] > cases / 10 && refused < cases / 2, "{decided:?}, {refused} refused");
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
    assert!(leaves_out(&Ledger { accounts: vec![0, 1, 2], balances: vec![2; 3] }, 11) > 10_000);
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
