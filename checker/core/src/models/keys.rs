//! Several keys tied together by scans and transactions.
//!
//! Only the keys that some operation of a history touches together become one object; they are numbered by slots in key
//! order, so that a scan is a range of slots.

use super::Model;
use super::register::RegisterAction;

/// Stands for "absent" in a slot; a history reserves this value for null.
pub const ABSENT: u64 = u64::MAX;

/// A request to several keys, with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeysAction {
    /// A request to one of the keys.
    One {
        /// Slot of the key.
        slot: u32,
        /// The request.
        action: RegisterAction,
    },
    /// Saw the keys of a range of slots.
    Scan {
        /// First slot.
        first: u32,
        /// What each slot held, [`ABSENT`] included.
        seen: Box<[u64]>,
    },
    /// Read some keys, then wrote some, at one instant.
    Transaction {
        /// Slot and value seen; empty where the outcome is unknown.
        reads: Box<[(u32, u64)]>,
        /// Slot and value written, in order.
        writes: Box<[(u32, u64)]>,
    },
}

/// Tied keys, all absent at first.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Number of slots.
    pub slots: usize,
}

impl Model for Keys {
    type State = Box<[u64]>;
    type Action = KeysAction;

    fn initial(&self) -> Box<[u64]> {
        vec![ABSENT; self.slots].into_boxed_slice()
    }

    fn step(&self, state: &Box<[u64]>, action: &KeysAction) -> Option<Box<[u64]>> {
        match action {
            KeysAction::One { slot, action } => {
                let slot = *slot as usize;
                let held = (state[slot] != ABSENT).then_some(state[slot]);
                let after = action.apply(held)?;
                let mut next = state.clone();
                next[slot] = after.unwrap_or(ABSENT);
                Some(next)
            }
            KeysAction::Scan { .. } => self.allows(state, action).then(|| state.clone()),
            KeysAction::Transaction { writes, .. } => {
                if !self.allows(state, action) {
                    return None;
                }
                let mut next = state.clone();
                for &(slot, value) in writes {
                    next[slot as usize] = value;
                }
                Some(next)
            }
        }
    }

    fn allows(&self, state: &Box<[u64]>, action: &KeysAction) -> bool {
        match action {
            KeysAction::One { slot, action } => {
                let held = state[*slot as usize];
                action.apply((held != ABSENT).then_some(held)).is_some()
            }
            KeysAction::Scan { first, seen } => {
                let first = *first as usize;
                state[first..first + seen.len()] == **seen
            }
            KeysAction::Transaction { reads, .. } => reads.iter().all(|&(slot, value)| state[slot as usize] == value),
        }
    }

    fn is_read_only(&self, action: &KeysAction) -> bool {
        match action {
            KeysAction::One { action, .. } => action.is_read_only(),
            KeysAction::Scan { .. } => true,
            KeysAction::Transaction { writes, .. } => writes.is_empty(),
        }
    }

    fn state_bytes(&self, state: &Box<[u64]>) -> usize {
        size_of::<Box<[u64]>>() + size_of_val::<[u64]>(state)
    }

    fn describe_state(&self, state: &Box<[u64]>) -> String {
        let held: Vec<String> = state.iter().enumerate().filter(|(_, value)| **value != ABSENT).map(|(s, v)| format!("#{s}={v}")).collect();
        if held.is_empty() { "all absent".to_owned() } else { held.join(" ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_reads_before_it_writes() {
        let model = Keys { slots: 2 };
        let swap = KeysAction::Transaction { reads: Box::from([(0, ABSENT)]), writes: Box::from([(0, 5), (1, 6), (1, 7)]) };
        let after = model.step(&model.initial(), &swap).expect("slot 0 is absent");
        assert_eq!(*after, [5, 7]);
        assert_eq!(model.step(&after, &swap), None);
    }

    #[test]
    fn a_scan_sees_every_slot_of_its_range() {
        let model = Keys { slots: 3 };
        let state: Box<[u64]> = Box::from([1, ABSENT, 3]);
        let scan = |first, seen: &[u64]| KeysAction::Scan { first, seen: Box::from(seen) };
        assert!(model.step(&state, &scan(1, &[ABSENT, 3])).is_some());
        assert!(model.step(&state, &scan(0, &[1, 2])).is_none());
    }
}
