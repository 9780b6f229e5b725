//! Which engine decides what: the cheapest one first, each only as far as its limits go.

use super::zones::{Scratch, Zones};
use super::{Answer, Call, Effort, NEVER, Refutation, counters, frontier, queues, sets, streams, wgl, zones};
use crate::budget::Meter;
use crate::models::Model;
use crate::models::counter::{Counter, CounterAction};
use crate::models::keys::{Keys, KeysAction, alone};

use crate::models::queue::QueueAction;
use crate::models::register::{Register, RegisterAction};
use crate::models::set::SetAction;
use crate::models::stream::{Stream, StreamAction};

/// Steps of each search, in turns: neither is better at everything, and a short attempt of the other one often ends it.
const TURNS: [u64; 2] = [100_000, 10_000_000];

/// The engines, from the cheapest to the most general one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// Zones of registers with unique values: [`super::zones`].
    Zones,
    /// The one order of a stream's elements: [`super::streams`].
    Stream,
    /// The levels of a grow-only set: [`super::sets`].
    Set,
    /// The patterns of a queue: [`super::queues`].
    Queue,
    /// The places of a counter's additions: [`super::counters`].
    Counter,
    /// Search in time order over all configurations: [`super::frontier`].
    Frontier,
    /// Depth-first search: [`super::wgl`].
    DepthFirst,
}

impl Engine {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zones => "zones",
            Self::Stream => "stream order",
            Self::Set => "set levels",
            Self::Queue => "queue patterns",
            Self::Counter => "counter places",
            Self::Frontier => "frontier search",
            Self::DepthFirst => "depth-first search",
        }
    }
}

/// An answer, and who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub answer: Answer,
    /// The engine that had the last word.
    pub engine: Engine,
}

/// Memory that a method without search takes for one call at most, bytes.
const METHOD_BYTES: u64 = 160;

/// Decides by the method of a model and, where that does not apply, by search.
pub fn wholly<M: Model>(
    model: &M,
    calls: &[Call<M::Action>],
    meter: &Meter,
    method: impl FnOnce(&[Call<M::Action>]) -> Decision,
) -> Decision {
    let decision = method(calls);
    if decision.answer.decided().is_some() { decision } else { general(model, calls, meter) }
}

/// Decides the calls of one register, by search where zones do not apply.
#[must_use]
pub fn register(model: &Register, calls: &[Call<RegisterAction>], meter: &Meter, scratch: &mut Scratch) -> Decision {
    wholly(model, calls, meter, |calls| unique(model, calls, meter, scratch))
}

/// The method of a register with unique values.
pub fn unique(model: &Register, calls: &[Call<RegisterAction>], meter: &Meter, scratch: &mut Scratch) -> Decision {
    within(calls.len(), meter, Engine::Zones, || by_zones(model, calls, meter, scratch))
}

/// Steps of one search in a window, and windows that are tried.
const WINDOW_STEPS: u64 = 20_000;
const WINDOWS: u32 = 6;

/// What the zones say of one register; where they do not explain a failed compare-and-set, what the calls around it say.
pub fn by_zones(model: &Register, calls: &[Call<RegisterAction>], meter: &Meter, scratch: &mut Scratch) -> Answer {
    let failed = match zones::decide(model.initial, calls, scratch) {
        Zones::Linearizable => return Answer::Linearizable,
        Zones::Refuted(conflict) => return Answer::Refuted(Refutation { core: conflict.calls(), ..Refutation::default() }),
        Zones::NotApplicable(why) => return Answer::Undecided(why.to_owned()),
        Zones::Unexplained { call } => call,
    };
    for round in 0..WINDOWS {
        let Some(core) = zones::window(calls, scratch, failed, round) else { continue };
        let around: Vec<Call<RegisterAction>> = core.iter().map(|number| calls[*number]).collect();
        match frontier::decide(model, &around, &mut Effort::steps(meter, WINDOW_STEPS)) {
            Answer::Refuted(_) => return Answer::Refuted(Refutation { core, is_closed: true, ..Refutation::default() }),
            Answer::Linearizable => {}
            Answer::Undecided(_) => break,
        }
    }
    Answer::Undecided("a failed compare-and-set that the orders tried do not explain".to_owned())
}

/// Looks at calls, once for each key, that are worth the chance of a refutation without search.
const LOOKS_MAX: usize = 100_000_000;

/// The method of tied keys: what one key alone refutes needs no search over all of them.
pub fn keys(model: &Keys, calls: &[Call<KeysAction>], meter: &Meter, scratch: &mut Scratch) -> Decision {
    let keys = if model.keys.len().saturating_mul(calls.len()) < LOOKS_MAX { model.keys.len() as u32 } else { 0 };
    let mut answer = Answer::Undecided("no key alone refutes it".to_owned());
    for slot in 0..keys {
        let mut numbers = Vec::new();
        let mut own = Vec::new();
        for (number, call) in calls.iter().enumerate() {
            if let Some(action) = alone(&call.action, slot) {
                numbers.push(number);
                own.push(Call { invoke: call.invoke, returned: call.returned, action });
            }
        }
        if let Zones::Refuted(conflict) = zones::decide(model.initial, &own, scratch) {
            let core = conflict.calls().into_iter().map(|place| numbers[place]).collect();
            answer = Answer::Refuted(Refutation { core, ..Refutation::default() });
            break;
        }
        if meter.check().is_err() {
            break;
        }
    }
    Decision { answer, engine: Engine::Zones }
}

/// The method of a stream.
pub fn stream(model: &Stream, calls: &[Call<StreamAction>], meter: &Meter) -> Decision {
    within(calls.len(), meter, Engine::Stream, || streams::decide(model, calls))
}

/// The method of a set.
pub fn set(calls: &[Call<SetAction>], meter: &Meter) -> Decision {
    within(calls.len(), meter, Engine::Set, || sets::decide(calls))
}

/// The method of a queue.
pub fn queue(calls: &[Call<QueueAction>], meter: &Meter) -> Decision {
    within(calls.len(), meter, Engine::Queue, || queues::decide(calls))
}

/// The method of a counter.
pub fn counter(model: &Counter, calls: &[Call<CounterAction>], meter: &Meter) -> Decision {
    within(calls.len(), meter, Engine::Counter, || counters::decide(model, calls))
}

/// No method: models that only a search decides.
#[must_use]
pub fn none() -> Decision {
    Decision { answer: Answer::Undecided("no method for this model".to_owned()), engine: Engine::Frontier }
}

/// The answer of a method, within the limit of memory.
fn within(calls: usize, meter: &Meter, engine: Engine, method: impl FnOnce() -> Answer) -> Decision {
    let bytes = calls as u64 * METHOD_BYTES;
    if let Err(limit) = meter.check().and_then(|()| meter.reserve(bytes)) {
        return Decision { answer: Answer::Undecided(format!("{limit}, before the first of {calls} calls")), engine };
    }
    let answer = method();
    meter.release(bytes);
    Decision { answer, engine }
}

/// Decides the calls of any object by search.
#[must_use]
pub fn general<M: Model>(model: &M, calls: &[Call<M::Action>], meter: &Meter) -> Decision {
    let (numbers, calls) = without_unobserved(model, calls);
    let mut decision = search(model, &calls, meter);
    if let Answer::Refuted(refutation) = &mut decision.answer {
        refutation.at = refutation.at.map(|at| numbers[at]);
    }
    decision
}

fn search<M: Model>(model: &M, calls: &[Call<M::Action>], meter: &Meter) -> Decision {
    let mut undecided = String::new();
    for steps in TURNS {
        let first = frontier::decide(model, calls, &mut Effort::steps(meter, steps));
        let Answer::Undecided(why) = first else { return Decision { answer: first, engine: Engine::Frontier } };
        let second = wgl::decide(model, calls, &mut Effort::steps(meter, steps));
        let Answer::Undecided(_) = second else { return Decision { answer: second, engine: Engine::DepthFirst } };
        undecided = why;
        if meter.check().is_err() {
            break;
        }
    }
    Decision { answer: Answer::Undecided(undecided), engine: Engine::Frontier }
}

/// The calls without those of unknown outcome on which nothing depends, and the numbers of those that are left.
///
/// With or without such a call, an order exists or does not: it may be left out of any, and need not be in any.
fn without_unobserved<M: Model>(model: &M, calls: &[Call<M::Action>]) -> (Vec<usize>, Vec<Call<M::Action>>) {
    let mut kept: Vec<usize> = (0..calls.len()).collect();
    let unknown: Vec<usize> = kept.iter().copied().filter(|number| calls[*number].returned == NEVER).collect();
    for number in unknown {
        let rest = kept.iter().filter(|other| **other != number).map(|other| &calls[*other].action);
        if model.drops_safely(&calls[number].action, rest) {
            kept.retain(|other| *other != number);
        }
    }
    let calls = kept.iter().map(|number| calls[*number].clone()).collect();
    (kept, calls)
}
