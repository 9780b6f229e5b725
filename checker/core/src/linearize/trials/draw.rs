//! What the random histories of each model ask for, are told, and are told wrongly.
//!
//! Values are few and amounts small, so that accidents happen often.

use super::{Generator, Random};
use crate::models::counter::{Counter, CounterAction};
use crate::models::keys::{ABSENT, Keys, KeysAction};
use crate::models::ledger::{Ledger, LedgerAction};
use crate::models::queue::{Dequeued, Queue, QueueAction};
use crate::models::register::{Register, RegisterAction};
use crate::models::set::{Set, SetAction};
use crate::models::stream::{AppendAnswer, Stream, StreamAction, window};
use crate::models::text::{Text, TextAction};

/// Slots of the objects with several.
pub(super) const SLOTS: usize = 3;

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

impl Generator for Set {
    fn request(&self, random: &mut Random, serial: u64) -> SetAction {
        match random.below(16) {
            0..8 => SetAction::Add { element: serial },
            8 => SetAction::Remove { element: serial },
            9..11 => SetAction::Contains { element: random.below(3), found: false },
            _ => SetAction::Read { seen: Box::default() },
        }
    }

    fn answer(&self, state: &Box<[u64]>, request: &SetAction) -> SetAction {
        match request {
            SetAction::Contains { element, .. } => SetAction::Contains { element: *element, found: state.contains(element) },
            SetAction::Read { .. } => SetAction::Read { seen: state.clone() },
            other => other.clone(),
        }
    }

    fn damage(&self, random: &mut Random, action: &SetAction) -> SetAction {
        match action {
            SetAction::Contains { element, found } => SetAction::Contains { element: *element, found: !found },
            SetAction::Read { seen } => {
                let other = random.below(4);
                let mut seen = seen.to_vec();
                if seen.contains(&other) {
                    seen.retain(|element| *element != other);
                } else {
                    seen.push(other);
                }
                SetAction::read(seen)
            }
            other => other.clone(),
        }
    }
}

impl Generator for Queue {
    fn request(&self, random: &mut Random, serial: u64) -> QueueAction {
        if random.chance(50) { QueueAction::Enqueue { value: serial } } else { QueueAction::Dequeue { told: Dequeued::Unknown } }
    }

    fn answer(&self, state: &Box<[u64]>, request: &QueueAction) -> QueueAction {
        match *request {
            QueueAction::Dequeue { .. } => {
                QueueAction::Dequeue { told: state.first().map_or(Dequeued::Empty, |value| Dequeued::Value(*value)) }
            }
            enqueue @ QueueAction::Enqueue { .. } => enqueue,
        }
    }

    fn damage(&self, random: &mut Random, action: &QueueAction) -> QueueAction {
        match *action {
            QueueAction::Dequeue { .. } => {
                let told = random.below(5).checked_sub(1).map_or(Dequeued::Empty, Dequeued::Value);
                QueueAction::Dequeue { told }
            }
            enqueue @ QueueAction::Enqueue { .. } => enqueue,
        }
    }
}

/// Counters that begin at an even number are only given one amount.
impl Generator for Counter {
    fn request(&self, random: &mut Random, _serial: u64) -> CounterAction {
        match random.below(8) {
            0..4 if self.initial % 2 == 0 => CounterAction::Add { amount: -2 },
            0..4 => CounterAction::Add { amount: [-1, 0, 1, 2][random.below(4) as usize] },
            _ => CounterAction::Read { seen: 0 },
        }
    }

    fn answer(&self, state: &i64, request: &CounterAction) -> CounterAction {
        match *request {
            CounterAction::Read { .. } => CounterAction::Read { seen: *state },
            add @ CounterAction::Add { .. } => add,
        }
    }

    fn damage(&self, random: &mut Random, action: &CounterAction) -> CounterAction {
        match *action {
            CounterAction::Read { seen } => CounterAction::Read { seen: seen + [-2, -1, 1, 2][random.below(4) as usize] },
            add @ CounterAction::Add { .. } => add,
        }
    }
}

impl Generator for Text {
    fn request(&self, random: &mut Random, serial: u64) -> TextAction {
        let text = format!("{serial}").into_boxed_str();
        match random.below(8) {
            0..2 => TextAction::Put { text },
            2..5 => TextAction::Append { text },
            _ => TextAction::Get { seen: text },
        }
    }

    fn answer(&self, state: &Box<str>, request: &TextAction) -> TextAction {
        match request {
            TextAction::Get { .. } => TextAction::Get { seen: state.clone() },
            other => other.clone(),
        }
    }

    fn damage(&self, random: &mut Random, action: &TextAction) -> TextAction {
        match action {
            TextAction::Get { seen } if random.chance(50) => TextAction::Get { seen: seen.chars().skip(1).collect::<String>().into() },
            TextAction::Get { .. } => TextAction::Get { seen: format!("{}", random.below(3)).into() },
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::discriminant;
    use std::collections::{BTreeSet, HashSet};

    fn kinds<M: Generator>(model: &M) -> usize {
        let mut random = Random(1);
        (0..200).map(|serial| discriminant(&model.request(&mut random, serial))).collect::<HashSet<_>>().len()
    }

    /// What is never asked is never compared with brute force.
    #[test]
    fn everything_that_a_client_can_ask_is_drawn() {
        assert_eq!(kinds(&Register::default()), 4);
        assert_eq!(kinds(&Keys::absent(vec![0, 1, 2])), 3);
        assert_eq!(kinds(&Stream::default()), 3);
        assert_eq!(kinds(&Set), 4);
        assert_eq!(kinds(&Queue), 2);
        assert_eq!(kinds(&Counter { initial: 1 }), 2);
        assert_eq!(kinds(&Ledger::new(vec![0, 1, 2], vec![2; 3])), 2);
        assert_eq!(kinds(&Text), 3);
    }

    #[test]
    fn texts_are_read_too_short_and_as_something_else() {
        let mut random = Random(1);
        let read = TextAction::Get { seen: "1234".into() };
        let damaged = (0..100).map(|_| match Text.damage(&mut random, &read) {
            TextAction::Get { seen } => seen.into_string(),
            other => panic!("{other:?}"),
        });
        let damaged: BTreeSet<String> = damaged.collect();
        assert_eq!(damaged.into_iter().collect::<Vec<_>>(), ["0", "1", "2", "234"]);
    }
}
