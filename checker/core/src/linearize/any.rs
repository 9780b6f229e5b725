//! One entrance for histories from anywhere: calls of one model in, a verdict with its engine and a counter-example out.
//!
//! Importers know what a file says and nothing of engines; here each model gets the fastest engine whose condition holds.
//! Store and accounts fall into parts that nothing ties together; each part is decided by itself.

use super::decide::{self, Decision, Engine};
use super::shrink::{self, Core};
use super::{Answer, Call, Effort, Refutation, frontier, parts, sets, wgl, zones};
use crate::budget::Meter;
use crate::models::Model;
use crate::models::counter::{Counter, CounterAction};
use crate::models::keys::{Keys, KeysAction};
use crate::models::ledger::{Ledger, LedgerAction};
use crate::models::queue::{Queue, QueueAction};
use crate::models::register::{Register, RegisterAction};
use crate::models::set::{Set, SetAction};
use crate::models::stream::{Stream, StreamAction};
use crate::models::text::{Text, TextAction};

/// Steps of one attempt to shrink a counter-example by search, and of the few attempts that may take longer.
const SHRINK_STEPS: u64 = 20_000;
const LONG_STEPS: u64 = 200_000;
const LONG_ATTEMPTS: u32 = 20;

/// Steps of all attempts together: a violation that was found must be told soon.
const ALL_STEPS: u64 = 6_000_000;

/// Calls of one model. Their order does not matter; every number in an [`Outcome`] is a place in this list.
///
/// A call of unknown outcome has [`super::NEVER`] as its return; leave out reads of unknown outcome, and calls that certainly
/// did not happen.
#[derive(Clone, Debug)]
pub enum History {
    /// One register: read, write, compare-and-set, add. A failed compare-and-set is evidence that the value was another one;
    /// leave it out where it only says that nothing happened.
    Register(Register, Vec<Call<RegisterAction>>),
    /// Registers with scans and transactions over several of them (key-value stores, multi-registers).
    Store(Keys, Vec<Call<KeysAction>>),
    /// A list or stream: append, read from an offset.
    Stream(Stream, Vec<Call<StreamAction>>),
    /// A set.
    Set(Vec<Call<SetAction>>),
    /// A first-in-first-out queue.
    Queue(Vec<Call<QueueAction>>),
    /// A counter.
    Counter(Counter, Vec<Call<CounterAction>>),
    /// Accounts with transfers between them and snapshots of them.
    Bank(Ledger, Vec<Call<LedgerAction>>),
    /// A text: get, put, append.
    Text(Vec<Call<TextAction>>),
}

/// What is known of a history.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether it is linearizable; none: not decided.
    pub linearizable: Option<bool>,
    /// Which engine had the last word.
    pub engine: Engine,
    /// Parts that were decided, or of which one was refuted.
    pub parts: usize,
    /// Why it is not decided, and how far the engine came.
    pub undecided: Option<String>,
    /// A counter-example, when refuted.
    pub example: Option<Example>,
}

/// A few calls that have no legal order, whatever else happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// The calls, in the order of their invocation; whether it matters that, and when, they returned.
    pub calls: Vec<(usize, bool)>,
    /// The call at whose return no order is left.
    pub last: Option<usize>,
    /// The states that are possible just before, in words.
    pub states: Vec<String>,
    /// The elements of a set, rising, about which the calls contradict each other whatever they say of others; none: all that they say
    /// matters.
    pub elements: Vec<u64>,
}

impl History {
    /// The name of the model.
    #[must_use]
    pub fn model(&self) -> &'static str {
        match self {
            Self::Register(..) => "register",
            Self::Store(..) => "store",
            Self::Stream(..) => "stream",
            Self::Set(_) => "set",
            Self::Queue(_) => "queue",
            Self::Counter(..) => "counter",
            Self::Bank(..) => "bank",
            Self::Text(_) => "text",
        }
    }

    /// Number of calls.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Register(_, calls) => calls.len(),
            Self::Store(_, calls) => calls.len(),
            Self::Stream(_, calls) => calls.len(),
            Self::Set(calls) => calls.len(),
            Self::Queue(calls) => calls.len(),
            Self::Counter(_, calls) => calls.len(),
            Self::Bank(_, calls) => calls.len(),
            Self::Text(calls) => calls.len(),
        }
    }

    /// Whether there is no call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Decides the history within the limits of `meter`; a refutation comes with a counter-example.
    #[must_use]
    pub fn judge(&self, meter: &Meter) -> Outcome {
        let mut scratch = zones::Scratch::default();
        match self {
            Self::Register(model, calls) => one(model, calls, meter, |calls| decide::unique(model, calls, meter, &mut scratch)),
            Self::Store(model, calls) => store(model, calls, meter),
            Self::Stream(model, calls) => one(model, calls, meter, |calls| decide::stream(model, calls, meter)),
            Self::Set(calls) => set(calls, meter),
            Self::Queue(calls) => one(&Queue, calls, meter, |calls| decide::queue(calls, meter)),
            Self::Counter(model, calls) => one(model, calls, meter, |calls| decide::counter(model, calls, meter)),
            Self::Bank(model, calls) => bank(model, calls, meter),
            Self::Text(calls) => one(&Text, calls, meter, |_| decide::none()),
        }
    }
}

/// Decides calls that belong together: by the method of their model, else by search.
fn one<M: Model>(model: &M, calls: &[Call<M::Action>], meter: &Meter, mut method: impl FnMut(&[Call<M::Action>]) -> Decision) -> Outcome {
    let decision = decide::wholly(model, calls, meter, &mut method);
    told(model, calls, decision, meter, method)
}

/// An outcome from a decision, with a counter-example of what is refuted.
fn told<M: Model>(
    model: &M,
    calls: &[Call<M::Action>],
    Decision { answer, engine }: Decision,
    meter: &Meter,
    method: impl FnMut(&[Call<M::Action>]) -> Decision,
) -> Outcome {
    let outcome = Outcome { linearizable: answer.decided(), engine, parts: 1, undecided: None, example: None };
    match answer {
        Answer::Linearizable => outcome,
        Answer::Undecided(why) => Outcome { undecided: Some(why), ..outcome },
        Answer::Refuted(refutation) => match example(model, calls, &refutation, meter, method) {
            Some(example) => Outcome { example: Some(example), ..outcome },
            None => Outcome {
                linearizable: None,
                undecided: Some("internal: two engines disagree about a counter-example; please report this history".to_owned()),
                ..outcome
            },
        },
    }
}

/// Shrinks a refuted history, and asks the second search about what is left; none when the two disagree.
fn example<M: Model>(
    model: &M,
    calls: &[Call<M::Action>],
    refutation: &Refutation,
    meter: &Meter,
    mut method: impl FnMut(&[Call<M::Action>]) -> Decision,
) -> Option<Example> {
    let (mut steps_left, mut long_attempts) = (ALL_STEPS, LONG_ATTEMPTS);
    // The method of the model, else a short search, else one of a few longer ones.
    let core: Core<M::Action> = shrink::minimal(model, calls, refutation, |calls| {
        let mut search = |steps: u64| {
            let mut effort = Effort::steps(meter, steps.min(steps_left));
            let answer = frontier::decide(model, calls, &mut effort);
            steps_left -= effort.spent();
            answer
        };
        let mut answer = method(calls).answer;
        if answer.decided().is_none() {
            answer = search(SHRINK_STEPS);
        }
        if answer.decided().is_none() && long_attempts > 0 {
            long_attempts -= 1;
            answer = search(LONG_STEPS);
        }
        answer
    });
    let plain: Vec<Call<M::Action>> = core.calls.iter().map(|(_, call)| call.clone()).collect();
    if wgl::decide(model, &plain, &mut Effort::steps(meter, SHRINK_STEPS)) == Answer::Linearizable {
        return None;
    }
    let mut example = Example::default();
    if let Answer::Refuted(refutation) = frontier::decide(model, &plain, &mut Effort::steps(meter, SHRINK_STEPS)) {
        example.last = refutation.at.map(|at| core.calls[at].0);
        example.states = refutation.states;
    }
    example.calls = core.calls.iter().map(|(number, call)| (*number, call.returned != super::NEVER)).collect();
    example.calls.sort_by_key(|(number, _)| (calls[*number].invoke, *number));
    Some(example)
}

/// Decides a set; a refutation is confined to few elements where that is possible.
fn set(calls: &[Call<SetAction>], meter: &Meter) -> Outcome {
    let decision = decide::wholly(&Set, calls, meter, |calls| decide::set(calls, meter));
    if let Answer::Refuted(refutation) = &decision.answer
        && let Some(few) = sets::confined(calls, &refutation.core)
    {
        let mut outcome = one(&Set, &few.plain(), meter, |calls| decide::set(calls, meter));
        if let Some(example) = &mut outcome.example {
            example.renumber(|place| few.calls[place].0);
            example.elements = few.elements;
            return outcome;
        }
    }
    told(&Set, calls, decision, meter, |calls| decide::set(calls, meter))
}

/// Decides the parts of a store; the first refuted one ends it.
fn store(model: &Keys, calls: &[Call<KeysAction>], meter: &Meter) -> Outcome {
    let mut scratch = zones::Scratch::default();
    let register = Register { initial: model.initial };
    let mut whole = Outcome::default();
    if let Some(keys) = parts::single_keys(model, calls) {
        for (slot, own) in keys.each() {
            let outcome = one(&register, own, meter, |calls| decide::unique(&register, calls, meter, &mut scratch));
            if whole.add(outcome, || parts::places(calls, slot)) {
                break;
            }
        }
        return whole;
    }
    let split = parts::store(model, calls);
    for part in split.parts() {
        let outcome = if part.slots.len() == 1 {
            let own = split.register(calls, part);
            one(&register, &own, meter, |calls| decide::unique(&register, calls, meter, &mut scratch))
        } else {
            let (keys, own) = split.keys(model, calls, part);
            one(&keys, &own, meter, |calls| decide::keys(&keys, calls, meter, &mut scratch))
        };
        if whole.add(outcome, || part.calls.clone()) {
            break;
        }
    }
    whole
}

/// Decides groups of accounts that no transfer or snapshot ties together.
fn bank(model: &Ledger, calls: &[Call<LedgerAction>], meter: &Meter) -> Outcome {
    let split = parts::bank(model, calls);
    let mut whole = Outcome::default();
    for part in split.parts() {
        let (ledger, own) = split.ledger(model, calls, part);
        let outcome = one(&ledger, &own, meter, |_| decide::none());
        if whole.add(outcome, || part.calls.clone()) {
            break;
        }
    }
    whole
}

impl Default for Outcome {
    /// Of no part: nothing speaks against it.
    fn default() -> Self {
        Self { linearizable: Some(true), engine: Engine::Zones, parts: 0, undecided: None, example: None }
    }
}

impl Outcome {
    /// Adds what is known of a part, whose calls stand at the given places of the whole; true when the whole is refuted. An
    /// undecided part leaves the whole undecided, unless another one is refuted.
    fn add(&mut self, part: Self, places: impl FnOnce() -> Vec<u32>) -> bool {
        self.parts += 1;
        if part.linearizable == Some(false) {
            let mut example = part.example.unwrap_or_default();
            let places = places();
            example.renumber(|number| places[number] as usize);
            *self = Self { parts: self.parts, example: Some(example), ..part };
            return true;
        }
        if self.undecided.is_none() {
            let engine = self.engine.max(part.engine);
            *self = Self { engine, parts: self.parts, ..part };
        }
        false
    }
}

impl Example {
    /// Gives the calls the numbers that they have elsewhere.
    fn renumber(&mut self, number: impl Fn(usize) -> usize) {
        self.calls.iter_mut().for_each(|(call, _)| *call = number(*call));
        self.last = self.last.map(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::linearize::NEVER;
    use crate::models::queue::Dequeued;
    use crate::models::stream::AppendAnswer;

    fn call<A>(invoke: u64, returned: u64, action: A) -> Call<A> {
        Call { invoke, returned, action }
    }

    fn judge(history: &History) -> Outcome {
        history.judge(&Budget::default().meter())
    }

    fn numbers(outcome: &Outcome) -> Vec<usize> {
        outcome.example.as_ref().expect("a refutation has an example").calls.iter().map(|call| call.0).collect()
    }

    #[test]
    fn an_independent_key_is_refuted_by_its_own_calls_alone() {
        let one = |slot, action| KeysAction::One { slot, action };
        let write = |slot, value| one(slot, RegisterAction::Write { value });
        let read = |slot, seen| one(slot, RegisterAction::Read { seen });
        let mut calls = vec![call(0, 1, write(0, 1)), call(0, 1, write(1, 2)), call(2, 3, read(0, Some(1))), call(4, 5, read(1, None))];
        let outcome = judge(&History::Store(Keys::absent(vec![7, 8]), calls.clone()));
        assert_eq!((outcome.linearizable, outcome.engine, outcome.parts), (Some(false), Engine::Zones, 2));
        assert_eq!(numbers(&outcome), [1, 3]);
        calls[3].action = read(1, Some(2));
        calls.push(call(4, 5, KeysAction::Scan { first: 0, seen: Box::from([1, 2]) }));
        let outcome = judge(&History::Store(Keys::absent(vec![7, 8]), calls));
        assert_eq!((outcome.linearizable, outcome.parts), (Some(true), 1));
    }

    #[test]
    fn every_model_refutes_what_comes_too_late() {
        let append = call(0, 1, StreamAction::Append { value: 5, answer: AppendAnswer::Somewhere });
        let read = call(2, 3, StreamAction::Read { offset: 0, count: 9, seen: Some(Box::default()) });
        let list = Stream { exists: true, ..Stream::default() };
        let histories = [
            History::Stream(list, vec![append, read]),
            History::Set(vec![call(0, 1, SetAction::Add { element: 5 }), call(2, 3, SetAction::read(vec![]))]),
            History::Queue(vec![call(0, 1, QueueAction::Enqueue { value: 5 }), call(2, 3, QueueAction::Dequeue { told: Dequeued::Empty })]),
            History::Counter(
                Counter::default(),
                vec![call(0, 1, CounterAction::Add { amount: 2 }), call(2, 3, CounterAction::Read { seen: 0 })],
            ),
            History::Text(vec![call(0, 1, TextAction::Put { text: "a".into() }), call(2, 3, TextAction::Get { seen: "".into() })]),
            History::Bank(
                Ledger::new(vec![3, 4], vec![5, 5]),
                vec![
                    call(0, 1, LedgerAction::Transfer { from: 0, to: 1, amount: 2, refused: Some(false) }),
                    call(2, 3, LedgerAction::Balance { first: 0, seen: Box::from([5, 5]) }),
                ],
            ),
        ];
        for history in histories {
            let outcome = judge(&history);
            assert_eq!(outcome.linearizable, Some(false), "{history:?}");
            assert_eq!(numbers(&outcome), [0, 1], "{history:?}");
        }
    }

    #[test]
    fn what_never_returned_may_have_happened_later_or_not_at_all() {
        for seen in [0, 2] {
            let calls = vec![call(0, NEVER, CounterAction::Add { amount: 2 }), call(2, 3, CounterAction::Read { seen })];
            assert_eq!(judge(&History::Counter(Counter::default(), calls)).linearizable, Some(true), "{seen}");
        }
    }

    #[test]
    fn a_lost_element_of_a_large_set_is_told_by_two_calls() {
        let mut calls: Vec<_> = (0..3_000).map(|element| call(element * 2, element * 2 + 1, SetAction::Add { element })).collect();
        calls.push(call(6_000, 6_001, SetAction::read((0..3_000).filter(|element| *element != 1_234).collect())));
        let outcome = judge(&History::Set(calls.clone()));
        assert_eq!((outcome.linearizable, outcome.engine), (Some(false), Engine::Set));
        assert_eq!(numbers(&outcome), [1_234, 3_000]);
        assert_eq!(outcome.example.map(|example| example.elements), Some(vec![1_234]));
        // A read that lacks another one, too: one element is enough.
        calls.push(call(6_002, 6_003, SetAction::read((0..3_000).filter(|element| *element != 1_234 && *element != 7).collect())));
        assert_eq!(judge(&History::Set(calls.clone())).example.map(|example| example.elements.len()), Some(1));
        calls.pop();
        calls[1_234].returned = NEVER;
        assert_eq!(judge(&History::Set(calls)).linearizable, Some(true));
    }

    /// Values enter one after the other; every tenth one is lost, and somebody asked for it who never learnt what he got.
    #[test]
    fn dequeues_of_unknown_outcome_are_given_out_without_search() {
        let enqueue = |value| call(value * 4, value * 4 + 1, QueueAction::Enqueue { value });
        let told = |value: u64| if value % 10 == 3 { Dequeued::Unknown } else { Dequeued::Value(value) };
        let dequeue = |value| {
            let returned = if value % 10 == 3 { NEVER } else { value * 4 + 11 };
            call(value * 4 + 10, returned, QueueAction::Dequeue { told: told(value) })
        };
        let mut calls: Vec<_> = (0..2_000).flat_map(|value| [enqueue(value), dequeue(value)]).collect();
        let outcome = judge(&History::Queue(calls.clone()));
        assert_eq!((outcome.linearizable, outcome.engine), (Some(true), Engine::Queue));
        // Nobody asked in time for the first one that is lost.
        calls[7] = call(50_000, NEVER, QueueAction::Dequeue { told: Dequeued::Unknown });
        let outcome = judge(&History::Queue(calls.clone()));
        assert_eq!((outcome.linearizable, outcome.engine), (Some(false), Engine::Queue));
        assert_eq!(numbers(&outcome), [6, 8, 9]);
        // Of two that are lost, the second one's dequeue may have taken the first one if it was invoked by then.
        calls[27].invoke = calls[9].returned;
        let outcome = judge(&History::Queue(calls));
        assert_eq!((outcome.linearizable, outcome.engine), (Some(false), Engine::Queue));
        assert_eq!(numbers(&outcome), [6, 8, 9, 27, 26, 28, 29]);
    }
}
