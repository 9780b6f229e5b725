//! Windows: the few calls that decide whether a failed compare-and-set has an instant.
//!
//! What happened around it depends on the values that can have been there. In any legal order of all calls leave out a value,
//! with all calls that tell it: the value before it then lasts longer, which contradicts nothing but a failed compare-and-set on
//! that value which was placed there. So values that were certainly not there between two times can be left out, if of the
//! failed compare-and-sets only those are kept that lie between these times. What is left is no history of its own, but when it
//! has no legal order, neither have all calls.
//!
//! A value was not there if it cannot have begun by the end of the window, if the compare-and-set that replaced it, or an
//! other write which surely came later, surely happened before the window. Where a chain surely lasts from before the window
//! until after it, no other value was there.

use super::super::{Call, NEVER};
use super::{INITIAL, NONE, Scratch, shifted};
use crate::models::register::RegisterAction;

/// More calls than this are not worth an attempt.
const CALLS_MAX: usize = 2_000;

/// When a value can begin at the earliest and at the latest, and how long it lasts at least, as far as its own chain tells.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    soonest: u64,
    latest: u64,
    lasts: u64,
}

/// Calls without a legal order of which all calls have none, as far as the `round` goes: the first one asks for the chain of
/// the value alone, each further one for a larger window. None if there are too many, or none that could show it.
///
/// `scratch` must hold what [`super::decide`] left of the same calls when it could not explain the call `failed`.
pub fn window(calls: &[Call<RegisterAction>], scratch: &mut Scratch, failed: usize, round: u32) -> Option<Vec<usize>> {
    let RegisterAction::CompareAndSet { expected, .. } = calls[failed].action else { return None };
    let value = number(scratch, expected)?;
    let bounds = bounds(scratch);
    let (invoke, returned) = (shifted(calls[failed].invoke), shifted(calls[failed].returned));
    let mut chosen = vec![false; scratch.values.len()];
    if round == 0 {
        let Bounds { latest, lasts, .. } = bounds[value as usize];
        if latest >= invoke || lasts <= returned {
            return None;
        }
        choose_chain(scratch, value, &mut chosen);
        return pick(calls, scratch, &chosen, |call| call == failed);
    }
    // A write that nobody observed may have taken effect at any time after its invocation.
    let spare = scratch.left_out.iter().map(|(call, _)| shifted(calls[*call as usize].invoke)).min().unwrap_or(u64::MAX);
    if spare <= returned {
        return None;
    }
    let margin = if round == 1 { 0 } else { (returned - invoke + 1) << (2 * (round - 1)) };
    let (from, to) = (invoke.saturating_sub(margin), returned.saturating_add(margin).min(spare - 1));
    choose_present(scratch, &bounds, from, to, &mut chosen);
    pick(calls, scratch, &chosen, |call| shifted(calls[call].invoke) >= from && shifted(calls[call].returned) <= to)
}

/// The number of a value, if it has one.
fn number(scratch: &Scratch, value: Option<u64>) -> Option<u32> {
    let content = value.unwrap_or(u64::MAX);
    scratch.table.find(content, |number| scratch.values[number as usize].content)
}

/// Bounds of all values, chain by chain.
fn bounds(scratch: &Scratch) -> Vec<Bounds> {
    let values = &scratch.values;
    let mut bounds = vec![Bounds::default(); values.len()];
    let mut chain: Vec<u32> = Vec::new();
    for root in 0..values.len() as u32 {
        let is_root = root == INITIAL || (values[root as usize].writer != NONE && values[root as usize].source == NONE);
        if !is_root {
            continue;
        }
        chain.clear();
        let (mut number, mut now) = (root, 0);
        while number != NONE {
            let value = &values[number as usize];
            now = value.invoke.max(now);
            if let Some(before) = chain.last() {
                bounds[*before as usize].lasts = now;
            }
            bounds[number as usize].soonest = now;
            now = now.max(value.last_invoke);
            bounds[number as usize].lasts = now;
            chain.push(number);
            number = value.follower;
        }
        let mut latest = u64::MAX;
        for number in chain.iter().rev() {
            let value = &values[*number as usize];
            latest = latest.min(value.first_return);
            bounds[*number as usize].latest = latest;
        }
    }
    bounds
}

/// The whole chain of a value.
fn choose_chain(scratch: &Scratch, value: u32, chosen: &mut [bool]) {
    choose_sources(scratch, value, chosen);
    let mut number = scratch.values[value as usize].follower;
    while number != NONE {
        chosen[number as usize] = true;
        number = scratch.values[number as usize].follower;
    }
}

/// A value and those that it was made of.
fn choose_sources(scratch: &Scratch, value: u32, chosen: &mut [bool]) {
    let mut number = value;
    while number != NONE && !chosen[number as usize] {
        chosen[number as usize] = true;
        number = scratch.values[number as usize].source;
    }
}

/// The values that can have been there at some time from `from` to `to`, with what they were made of.
fn choose_present(scratch: &Scratch, bounds: &[Bounds], from: u64, to: u64, chosen: &mut [bool]) {
    let written = |number: u32| number == INITIAL || scratch.values[number as usize].writer != NONE;
    let mut surely = 0;
    for (_, bounds) in bounds.iter().enumerate().filter(|(number, bounds)| written(*number as u32) && bounds.latest < from) {
        surely = surely.max(bounds.soonest);
    }
    for number in (0..bounds.len() as u32).filter(|number| written(*number)) {
        let Bounds { soonest, latest, .. } = bounds[number as usize];
        let follower = scratch.values[number as usize].follower;
        let is_replaced = follower != NONE && bounds[follower as usize].latest < from;
        if soonest <= to && latest >= surely && !is_replaced {
            choose_sources(scratch, number, chosen);
        }
    }
}

/// The calls that tell chosen values; of failed compare-and-sets those that are asked for.
fn pick(calls: &[Call<RegisterAction>], scratch: &Scratch, chosen: &[bool], mut fails: impl FnMut(usize) -> bool) -> Option<Vec<usize>> {
    let mut picked = Vec::new();
    for (place, call) in calls.iter().enumerate() {
        let unknown = call.returned == NEVER;
        let told = match call.action {
            RegisterAction::CompareAndSet { set: Some(false), .. } if unknown || !fails(place) => continue,
            RegisterAction::Read { .. } if unknown => continue,
            RegisterAction::CompareAndSet { expected, set: Some(false), .. } => expected,
            RegisterAction::Read { seen } => seen,
            RegisterAction::Write { value } | RegisterAction::CompareAndSet { value, .. } => Some(value),
            RegisterAction::Add { sum, .. } => sum,
        };
        if number(scratch, told).is_none_or(|number| chosen.get(number as usize) != Some(&true)) {
            continue;
        }
        if picked.len() == CALLS_MAX {
            return None;
        }
        picked.push(place);
    }
    Some(picked)
}
