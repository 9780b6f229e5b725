//! Which engine decides what: the cheapest one first, each only as far as its limits go.

use super::zones::{Scratch, Zones};
use super::{Answer, Call, Effort, NEVER, Refutation, frontier, wgl, zones};
use crate::budget::Meter;
use crate::models::Model;
use crate::models::register::{Register, RegisterAction};

/// Steps of each search, in turns: neither is better at everything, and a short attempt of the other one often ends it.
const TURNS: [u64; 2] = [100_000, 10_000_000];

/// Decides the calls of one register.
#[must_use]
pub fn register(model: &Register, calls: &[Call<RegisterAction>], meter: &Meter, scratch: &mut Scratch) -> Answer {
    match zones::decide(model.initial, calls, scratch) {
        Zones::Linearizable => Answer::Linearizable,
        Zones::Refuted(conflict) => Answer::Refuted(Refutation { core: conflict.calls(), ..Refutation::default() }),
        Zones::NotApplicable(_) => general(model, calls, meter),
    }
}

/// Decides the calls of any object by search.
#[must_use]
pub fn general<M: Model>(model: &M, calls: &[Call<M::Action>], meter: &Meter) -> Answer {
    let (numbers, calls) = without_unobserved(model, calls);
    let answer = search(model, &calls, meter);
    let Answer::Refuted(mut refutation) = answer else { return answer };
    refutation.at = refutation.at.map(|at| numbers[at]);
    Answer::Refuted(refutation)
}

fn search<M: Model>(model: &M, calls: &[Call<M::Action>], meter: &Meter) -> Answer {
    let mut undecided = String::new();
    for steps in TURNS {
        let first = frontier::decide(model, calls, &mut Effort::steps(meter, steps));
        let Answer::Undecided(why) = first else { return first };
        let second = wgl::decide(model, calls, &mut Effort::steps(meter, steps));
        let Answer::Undecided(_) = second else { return second };
        undecided = why;
        if meter.check().is_err() {
            break;
        }
    }
    Answer::Undecided(undecided)
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
