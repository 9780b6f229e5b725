//! Splits calls on many keys or accounts into parts that no call ties together.
//!
//! Linearizability is local, so each part may be decided by itself, and small parts are decided far faster.

use super::Call;
use crate::models::keys::{Keys, KeysAction, alone};
use crate::models::ledger::{Ledger, LedgerAction};
use crate::models::register::RegisterAction;

/// Slots that are tied together, and the calls on them.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// The slots, rising.
    pub slots: Vec<u32>,
    /// Places of the calls, rising.
    pub calls: Vec<u32>,
}

/// All parts of a history.
#[derive(Clone, Debug)]
pub struct Split {
    parts: Vec<Part>,
    /// Place of each slot within its part.
    slot_of: Vec<u32>,
}

/// The parts of a store.
#[must_use]
pub fn store(model: &Keys, calls: &[Call<KeysAction>]) -> Split {
    split(model.keys.len(), calls, |action, visit| match action {
        KeysAction::One { slot, .. } => visit(*slot),
        KeysAction::Scan { first, seen } => (*first..*first + seen.len() as u32).for_each(visit),
        KeysAction::Transaction { reads, writes } => reads.iter().chain(writes).for_each(|pair| visit(pair.0)),
    })
}

/// Calls on single keys only, brought together key by key.
#[derive(Clone, Debug)]
pub struct SingleKeys {
    calls: Vec<Call<RegisterAction>>,
    /// Where the calls of each slot end.
    ends: Vec<u32>,
}

/// The keys of a store none of whose calls touches two of them: one pass, and no list of calls per key.
#[must_use]
pub fn single_keys(model: &Keys, calls: &[Call<KeysAction>]) -> Option<SingleKeys> {
    let mut next = vec![0_u32; model.keys.len()];
    for call in calls {
        let KeysAction::One { slot, .. } = call.action else { return None };
        next[slot as usize] += 1;
    }
    let mut sum = 0;
    for count in &mut next {
        sum += core::mem::replace(count, sum);
    }
    let filler = Call { invoke: 0, returned: 0, action: RegisterAction::Read { seen: None } };
    let mut sorted = vec![filler; calls.len()];
    for call in calls {
        let Call { invoke, returned, action: KeysAction::One { slot, action } } = call else { continue };
        let place = &mut next[*slot as usize];
        sorted[*place as usize] = Call { invoke: *invoke, returned: *returned, action: *action };
        *place += 1;
    }
    Some(SingleKeys { calls: sorted, ends: next })
}

impl SingleKeys {
    /// Slots that were touched, each with its calls.
    pub fn each(&self) -> impl Iterator<Item = (u32, &[Call<RegisterAction>])> {
        let starts = core::iter::once(0).chain(self.ends.iter().copied());
        let each = starts.zip(&self.ends).map(|(start, end)| &self.calls[start as usize..*end as usize]);
        (0..).zip(each).filter(|(_, calls)| !calls.is_empty())
    }
}

/// The places of the calls on one slot.
#[must_use]
pub fn places(calls: &[Call<KeysAction>], wanted: u32) -> Vec<u32> {
    let own = |(_, call): &(u32, &Call<KeysAction>)| matches!(call.action, KeysAction::One { slot, .. } if slot == wanted);
    (0..).zip(calls).filter(own).map(|(number, _)| number).collect()
}

/// The parts of a ledger.
#[must_use]
pub fn bank(model: &Ledger, calls: &[Call<LedgerAction>]) -> Split {
    split(model.accounts.len(), calls, |action, visit| match action {
        LedgerAction::Transfer { from, to, .. } => [*from, *to].into_iter().for_each(visit),
        LedgerAction::Balance { first, seen } => (*first..*first + seen.len() as u32).for_each(visit),
    })
}

/// Union-find over slots, then one pass that hands out the calls. Calls that touch no slot say nothing.
fn split<A>(slots: usize, calls: &[Call<A>], touched: impl Fn(&A, &mut dyn FnMut(u32))) -> Split {
    let mut parents: Vec<u32> = (0..slots as u32).collect();
    for call in calls {
        let mut first = None;
        touched(&call.action, &mut |slot| {
            let (one, other) = (find(&mut parents, *first.get_or_insert(slot)), find(&mut parents, slot));
            parents[one.max(other) as usize] = one.min(other);
        });
    }
    let mut parts: Vec<Part> = Vec::new();
    let (mut part_of, mut slot_of) = (vec![u32::MAX; slots], vec![0; slots]);
    for slot in 0..slots as u32 {
        let root = find(&mut parents, slot) as usize;
        if part_of[root] == u32::MAX {
            part_of[root] = parts.len() as u32;
            parts.push(Part::default());
        }
        let number = part_of[root];
        part_of[slot as usize] = number;
        let own = &mut parts[number as usize].slots;
        slot_of[slot as usize] = own.len() as u32;
        own.push(slot);
    }
    for (number, call) in calls.iter().enumerate() {
        let mut first = None;
        touched(&call.action, &mut |slot| {
            first.get_or_insert(slot);
        });
        if let Some(slot) = first {
            parts[part_of[slot as usize] as usize].calls.push(number as u32);
        }
    }
    parts.retain(|part| !part.calls.is_empty());
    Split { parts, slot_of }
}

fn find(parents: &mut [u32], mut at: u32) -> u32 {
    while parents[at as usize] != at {
        parents[at as usize] = parents[parents[at as usize] as usize];
        at = parents[at as usize];
    }
    at
}

impl Split {
    /// The parts, by their first slots.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The calls of a part with one key.
    #[must_use]
    pub fn register(&self, calls: &[Call<KeysAction>], part: &Part) -> Vec<Call<RegisterAction>> {
        // Every call of the part touches its only key.
        chosen(calls, part, |action| alone(action, part.slots[0]).unwrap_or(RegisterAction::Read { seen: None }))
    }

    /// The keys and calls of a part with several keys.
    #[must_use]
    pub fn keys(&self, model: &Keys, calls: &[Call<KeysAction>], part: &Part) -> (Keys, Vec<Call<KeysAction>>) {
        let keys = part.slots.iter().map(|slot| model.keys[*slot as usize]).collect();
        let slot = |slot: u32| self.slot_of[slot as usize];
        let pairs = |list: &[(u32, u64)]| list.iter().map(|pair| (slot(pair.0), pair.1)).collect();
        let action = |action: &KeysAction| match action {
            KeysAction::One { slot: own, action } => KeysAction::One { slot: slot(*own), action: *action },
            // A scan ties all of its slots, so that they stay neighbours.
            KeysAction::Scan { first, seen } => KeysAction::Scan { first: slot(*first), seen: seen.clone() },
            KeysAction::Transaction { reads, writes } => KeysAction::Transaction { reads: pairs(reads), writes: pairs(writes) },
        };
        (Keys { keys, initial: model.initial }, chosen(calls, part, action))
    }

    /// The accounts and calls of a part of a ledger.
    #[must_use]
    pub fn ledger(&self, model: &Ledger, calls: &[Call<LedgerAction>], part: &Part) -> (Ledger, Vec<Call<LedgerAction>>) {
        let of = |list: &[u64]| part.slots.iter().map(|slot| list[*slot as usize]).collect();
        let slot = |slot: u32| self.slot_of[slot as usize];
        let action = |action: &LedgerAction| match action {
            LedgerAction::Transfer { from, to, amount, refused } => {
                LedgerAction::Transfer { from: slot(*from), to: slot(*to), amount: *amount, refused: *refused }
            }
            LedgerAction::Balance { first, seen } => LedgerAction::Balance { first: slot(*first), seen: seen.clone() },
        };
        (Ledger { accounts: of(&model.accounts), balances: of(&model.balances), credit: model.credit }, chosen(calls, part, action))
    }
}

fn chosen<A, B>(calls: &[Call<A>], part: &Part, action: impl Fn(&A) -> B) -> Vec<Call<B>> {
    let one = |number: &u32| {
        let Call { invoke, returned, action: ref own } = calls[*number as usize];
        Call { invoke, returned, action: action(own) }
    };
    part.calls.iter().map(one).collect()
}
