//! Random small histories of every model, judged by every engine and by the oracle.
//!
//! An engine is only as good as its agreement with something too simple to be wrong; a sample of this runs with the tests,
//! and as many more as anyone wants with `cargo xtask differential`. Half of the histories come from a simulated run and are then
//! damaged now and then, so that both verdicts are frequent; times collide, outcomes are unknown, calls never return.

mod draw;
pub mod workload;

use super::any::History;
use super::{Call, Effort, NEVER, brute, counters, decide, frontier, queues, sets, streams, wgl, zones};
use crate::budget::Budget;
use crate::models::Model;
use crate::models::counter::Counter;
use crate::models::keys::Keys;
use crate::models::ledger::Ledger;
use crate::models::queue::Queue;
use crate::models::register::{Register, RegisterAction};
use crate::models::set::Set;
use crate::models::stream::Stream;
use crate::models::text::Text;

/// The models that [`run`] knows.
pub const MODELS: &[&str] =
    &["register", "unique-register", "failed-register", "store", "stream", "list", "set", "queue", "counter", "bank", "text"];

/// Every so many histories the whole way is taken: parts, engines, counter-example.
const WHOLE_EVERY: u64 = 8;

/// What came of a number of histories on which all engines and the oracle agreed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Histories.
    pub histories: u64,
    /// Those that are linearizable.
    pub linearizable: u64,
    /// Those that the model's own method decided.
    pub special: u64,
    /// Those of them that it refuted.
    pub special_refuted: u64,
    /// Counter-examples that were tested.
    pub examples: u64,
}

/// An engine was wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{engine} disagrees with brute force, which says {expected}; history {number} of seed {seed}: {calls}")]
pub struct Disagreement {
    /// Who was wrong.
    pub engine: &'static str,
    /// Whether the history is linearizable.
    pub expected: bool,
    /// Number of the history.
    pub number: u64,
    /// The seed.
    pub seed: u64,
    /// The history in words.
    pub calls: String,
}

/// Judges random histories of up to `length` calls of one of [`MODELS`]; none when there is no such model.
///
/// # Errors
/// The first disagreement.
pub fn run(model: &str, histories: u64, seed: u64, length: u64) -> Option<Result<Tally, Disagreement>> {
    let plan = Plan { histories, seed, length };
    let meter = Budget::default().meter();
    let mut scratch = zones::Scratch::default();
    Some(match model {
        "register" | "unique-register" => {
            let models: [Register; 2] = [None, Some(2)].map(|initial| Register { initial });
            let unique = model == "unique-register";
            let zones = |model: &Register, calls: &[_]| decide::by_zones(model, calls, &meter, &mut scratch).decided();
            plan.run(&models, |number| unique || number.is_multiple_of(4), zones, History::Register)
        }
        "failed-register" => {
            let models: [Register; 2] = [None, Some(INITIAL)].map(|initial| Register { initial });
            let zones = |model: &Register, calls: &[_]| decide::by_zones(model, calls, &meter, &mut scratch).decided();
            plan.run_of(&models, |_| true, mostly_compare_and_sets, zones, History::Register)
        }
        "store" => plan.run(&[Keys::absent(vec![0, 1, 2])], half, |_, _| None, History::Store),
        "stream" | "list" => {
            let models = [Stream { exists: model == "list", ..Stream::default() }];
            plan.run(&models, half, |model, calls| streams::decide(model, calls).decided(), History::Stream)
        }
        "set" => plan.run(&[Set], half, |_, calls| sets::decide(calls).decided(), |_, calls| History::Set(calls)),
        "queue" => plan.run(&[Queue], |_| true, |_, calls| queues::decide(calls).decided(), |_, calls| History::Queue(calls)),
        "counter" => {
            let models = [Counter { initial: 0 }, Counter { initial: 1 }];
            plan.run(&models, half, |model, calls| counters::decide(model, calls).decided(), History::Counter)
        }
        "bank" => plan.run(&[Ledger::new(vec![0, 1, 2], vec![2, 0, 1])], half, |_, _| None, History::Bank),
        "text" => plan.run(&[Text], half, |_, _| None, |_, calls| History::Text(calls)),
        _ => return None,
    })
}

/// An initial value that nobody writes.
const INITIAL: u64 = 50;

/// Writes, and compare-and-sets of which most fail, on values that all clients may write.
fn mostly_compare_and_sets(model: &Register, random: &mut Random, serial: u64) -> RegisterAction {
    match random.below(8) {
        0..3 => RegisterAction::Write { value: serial + 1 },
        3 => RegisterAction::Read { seen: None },
        _ => {
            let expected = if random.chance(20) { model.initial } else { Some(1 + random.below(6)) };
            RegisterAction::CompareAndSet { expected, value: serial + 1, set: None }
        }
    }
}

fn half(number: u64) -> bool {
    number.is_multiple_of(2)
}

/// How many histories, from which seed, of how many calls.
struct Plan {
    histories: u64,
    seed: u64,
    length: u64,
}

impl Plan {
    fn run<M: Generator + Clone>(
        &self,
        models: &[M],
        unique: impl Fn(u64) -> bool,
        special: impl FnMut(&M, &[Call<M::Action>]) -> Option<bool>,
        whole: impl Fn(M, Vec<Call<M::Action>>) -> History,
    ) -> Result<Tally, Disagreement> {
        self.run_of(models, unique, M::request, special, whole)
    }

    /// The same, with requests of a special kind.
    fn run_of<M: Generator + Clone>(
        &self,
        models: &[M],
        unique: impl Fn(u64) -> bool,
        request: impl Fn(&M, &mut Random, u64) -> M::Action,
        mut special: impl FnMut(&M, &[Call<M::Action>]) -> Option<bool>,
        whole: impl Fn(M, Vec<Call<M::Action>>) -> History,
    ) -> Result<Tally, Disagreement> {
        let meter = Budget::default().meter();
        let (mut random, mut tally) = (Random(self.seed), Tally::default());
        for number in 0..self.histories {
            let model = &models[random.below(models.len() as u64) as usize];
            let calls = history_of(model, &mut random, self.length, unique(number), &request);
            let expected = brute::linearizable(model, &calls);
            let wrong = |engine| Disagreement { engine, expected, number, seed: self.seed, calls: format!("{calls:#?}") };
            if let Some(found) = special(model, &calls) {
                (tally.special, tally.special_refuted) = (tally.special + 1, tally.special_refuted + u64::from(!found));
                if found != expected {
                    return Err(wrong("the model's own method"));
                }
            }
            if frontier::decide(model, &calls, &mut Effort::new(&meter)).decided() != Some(expected) {
                return Err(wrong("frontier search"));
            }
            if wgl::decide(model, &calls, &mut Effort::new(&meter)).decided() != Some(expected) {
                return Err(wrong("depth-first search"));
            }
            if number.is_multiple_of(WHOLE_EVERY) {
                let outcome = whole(model.clone(), calls.clone()).judge(&meter);
                let example = outcome.example.map(|example| chosen(&calls, &example.calls));
                let confirmed = example.as_ref().is_none_or(|example| !brute::linearizable(model, example));
                if outcome.linearizable != Some(expected) || !confirmed || example.is_some() == expected {
                    return Err(wrong("the entrance for all models"));
                }
                tally.examples += u64::from(!expected);
            }
            tally.histories += 1;
            tally.linearizable += u64::from(expected);
        }
        Ok(tally)
    }
}

/// The calls of a counter-example, with the returns that matter.
fn chosen<A: Clone>(calls: &[Call<A>], example: &[(usize, bool)]) -> Vec<Call<A>> {
    let one = |&(number, returned): &(usize, bool)| {
        let call: &Call<A> = &calls[number];
        Call { returned: if returned { call.returned } else { NEVER }, ..call.clone() }
    };
    example.iter().map(one).collect()
}

/// `SplitMix64` (Steele, Lea & Flood, OOPSLA 2014): small, seedable, good enough to draw test cases.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A few overlapping calls in the order in which they take effect: the instant of that, eighths of a time unit; invocation; return.
#[must_use]
pub fn instants(random: &mut Random) -> Vec<(u64, u64, u64)> {
    let count = 2 + random.below(5);
    let span = 3 + random.below(12);
    let one = |random: &mut Random| {
        let invoke = random.below(span);
        let returned = invoke + random.below(1 + span / 2);
        (invoke * 8 + random.below((returned - invoke) * 8 + 1), invoke, returned)
    };
    let mut instants: Vec<_> = (0..count).map(|_| one(random)).collect();
    instants.sort_unstable();
    instants
}

/// Draws requests and answers of one model.
pub trait Generator: Model {
    /// A request without an answer; reads hold a placeholder.
    fn request(&self, random: &mut Random, serial: u64) -> Self::Action;
    /// The same request as answered in `state`.
    fn answer(&self, state: &Self::State, request: &Self::Action) -> Self::Action;
    /// The same request with a made-up answer.
    fn damage(&self, random: &mut Random, action: &Self::Action) -> Self::Action;
}

/// A history of up to `length` calls: intervals drawn at random, answers from an execution at random instants within them.
#[must_use]
pub fn history<M: Generator>(model: &M, random: &mut Random, length: u64, unique: bool) -> Vec<Call<M::Action>> {
    history_of(model, random, length, unique, M::request)
}

/// The same, with requests of a special kind.
///
/// # Panics
/// When the model refuses what it answered itself.
pub fn history_of<M: Generator>(
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
