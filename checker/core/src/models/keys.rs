//! Several keys tied together by scans and transactions.
//!
//! Only the keys that some operation of a history touches together become one object; they are numbered by slots in key
//! order, so that a scan is a range of slots.

#![expect(clippy::cast_possible_truncation, reason = "slots of one object are far fewer than 2^32")]

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

impl KeysAction {
    /// Whether what the action says, or does, may depend on a slot having held `value`.
    fn depends_on(&self, slot: u32, value: u64) -> bool {
        match self {
            Self::One { slot: own, action } => *own == slot && action.depends_on(value),
            Self::Scan { first, seen } => slot.checked_sub(*first).and_then(|at| seen.get(at as usize)) == Some(&value),
            Self::Transaction { reads, .. } => reads.contains(&(slot, value)),
        }
    }
}

/// Tied keys.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// The key of each slot.
    pub keys: Vec<u64>,
    /// What each holds at first; none: absent.
    pub initial: Option<u64>,
}

impl Keys {
    /// Keys that are absent at first.
    #[must_use]
    pub fn absent(keys: Vec<u64>) -> Self {
        Self { keys, initial: None }
    }
}

/// The same calls as seen by those who look at some of the slots only: what is linearizable stays so.
#[must_use]
pub fn project(action: &KeysAction, keep: &[bool]) -> Option<KeysAction> {
    let renumbered = |slot: u32| keep[slot as usize].then(|| keep[..slot as usize].iter().filter(|kept| **kept).count() as u32);
    let pairs = |list: &[(u32, u64)]| list.iter().filter_map(|&(slot, value)| Some((renumbered(slot)?, value))).collect::<Box<[_]>>();
    match action {
        KeysAction::One { slot, action } => Some(KeysAction::One { slot: renumbered(*slot)?, action: *action }),
        KeysAction::Scan { first, seen } => {
            let kept = (*first..).zip(seen).filter(|(slot, _)| keep[*slot as usize]);
            let first = renumbered(kept.clone().next()?.0)?;
            Some(KeysAction::Scan { first, seen: kept.map(|(_, value)| *value).collect() })
        }
        KeysAction::Transaction { reads, writes } => {
            let (reads, writes) = (pairs(reads), pairs(writes));
            (!reads.is_empty() || !writes.is_empty()).then_some(KeysAction::Transaction { reads, writes })
        }
    }
}

/// What an action did to one slot, as seen by those who look at no other one; none when it does not touch the slot.
#[must_use]
pub fn alone(action: &KeysAction, slot: u32) -> Option<RegisterAction> {
    let held = |value: u64| (value != ABSENT).then_some(value);
    match action {
        KeysAction::One { slot: own, action } => (*own == slot).then_some(*action),
        KeysAction::Scan { first, seen } => {
            let value = *seen.get(slot.checked_sub(*first)? as usize)?;
            Some(RegisterAction::Read { seen: held(value) })
        }
        KeysAction::Transaction { reads, writes } => {
            let read = reads.iter().find(|pair| pair.0 == slot).map(|pair| held(pair.1));
            let written = writes.iter().rev().find(|pair| pair.0 == slot).map(|pair| pair.1);
            match (read, written) {
                (Some(expected), Some(value)) => Some(RegisterAction::CompareAndSet { expected, value, set: Some(true) }),
                (None, Some(value)) => Some(RegisterAction::Write { value }),
                (read, None) => read.map(|seen| RegisterAction::Read { seen }),
            }
        }
    }
}

impl Model for Keys {
    type State = Box<[u64]>;
    type Action = KeysAction;

    fn initial(&self) -> Box<[u64]> {
        vec![self.initial.unwrap_or(ABSENT); self.keys.len()].into_boxed_slice()
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

    fn erases(&self, later: &KeysAction, earlier: &KeysAction) -> bool {
        let write = |action: &KeysAction| match action {
            KeysAction::One { slot, action: RegisterAction::Write { .. } } => Some(*slot),
            _ => None,
        };
        write(earlier).is_some_and(|slot| match later {
            KeysAction::Transaction { reads, writes } => reads.is_empty() && writes.iter().any(|write| write.0 == slot),
            _ => write(later) == Some(slot),
        })
    }

    fn drops_safely<'a>(&self, action: &'a KeysAction, mut rest: impl Iterator<Item = &'a KeysAction>) -> bool {
        match action {
            _ if self.is_read_only(action) => true,
            KeysAction::One { slot, action } => action.written().is_some_and(|value| !rest.any(|other| other.depends_on(*slot, value))),
            KeysAction::Scan { .. } => true,
            KeysAction::Transaction { writes, .. } => !rest.any(|other| writes.iter().any(|&(slot, value)| other.depends_on(slot, value))),
        }
    }

    fn state_bytes(&self, state: &Box<[u64]>) -> usize {
        size_of::<Box<[u64]>>() + size_of_val::<[u64]>(state)
    }

    fn describe_state(&self, state: &Box<[u64]>) -> String {
        let held = self.keys.iter().zip(state).map(|(key, value)| (*key, (*value != ABSENT).then_some(*value)));
        super::store::words_of_pairs(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_reads_before_it_writes() {
        let model = Keys::absent(vec![7, 8]);
        let swap = KeysAction::Transaction { reads: Box::from([(0, ABSENT)]), writes: Box::from([(0, 5), (1, 6), (1, 7)]) };
        let after = model.step(&model.initial(), &swap).expect("slot 0 is absent");
        assert_eq!(*after, [5, 7]);
        assert_eq!(model.step(&after, &swap), None);
    }

    #[test]
    fn a_scan_sees_every_slot_of_its_range() {
        let model = Keys::absent(vec![7, 8, 9]);
        let state: Box<[u64]> = Box::from([1, ABSENT, 3]);
        let scan = |first, seen: &[u64]| KeysAction::Scan { first, seen: Box::from(seen) };
        assert!(model.step(&state, &scan(1, &[ABSENT, 3])).is_some());
        assert!(model.step(&state, &scan(0, &[1, 2])).is_none());
    }

    #[test]
    fn a_projection_keeps_what_concerns_the_kept_slots() {
        let keep = [false, true, true];
        let scan = KeysAction::Scan { first: 0, seen: Box::from([1, 2, 3]) };
        assert_eq!(project(&scan, &keep), Some(KeysAction::Scan { first: 0, seen: Box::from([2, 3]) }));
        let write = KeysAction::One { slot: 0, action: RegisterAction::Write { value: 4 } };
        assert_eq!(project(&write, &keep), None);
        let swap = KeysAction::Transaction { reads: Box::from([(0, 5)]), writes: Box::from([(2, 6)]) };
        assert_eq!(project(&swap, &keep), Some(KeysAction::Transaction { reads: Box::default(), writes: Box::from([(1, 6)]) }));
    }
}
