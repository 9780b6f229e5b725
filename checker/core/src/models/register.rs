//! One key: read, write, add, compare-and-set.
//!
//! Most keys are tied to no other one, and their histories can be decided far faster than those of larger objects.

use super::Model;
use crate::linearize::Call;

/// A request to one key, with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegisterAction {
    /// Saw this value; none: absent.
    Read {
        /// The value.
        seen: Option<u64>,
    },
    /// Set the value.
    Write {
        /// The value.
        value: u64,
    },
    /// Added to the value (absent counts as 0), wrapping.
    Add {
        /// What was added.
        amount: u64,
        /// The value afterwards, as the client was told; none: outcome unknown.
        sum: Option<u64>,
    },
    /// Set `value` if the key held `expected`.
    CompareAndSet {
        /// Expected value; none: absent.
        expected: Option<u64>,
        /// New value.
        value: u64,
        /// Whether it was set, as the client was told; none: outcome unknown.
        set: Option<bool>,
    },
}

impl RegisterAction {
    /// The state after the action, or none when its answer is impossible.
    #[inline]
    #[must_use]
    pub fn apply(&self, state: Option<u64>) -> Option<Option<u64>> {
        match *self {
            Self::Read { seen } => (seen == state).then_some(state),
            Self::Write { value } => Some(Some(value)),
            Self::Add { amount, sum } => {
                let after = state.unwrap_or(0).wrapping_add(amount);
                sum.is_none_or(|sum| sum == after).then_some(Some(after))
            }
            Self::CompareAndSet { expected, value, set } => {
                let matches = state == expected;
                set.is_none_or(|set| set == matches).then_some(if matches { Some(value) } else { state })
            }
        }
    }

    /// Whether the action never changes a state.
    #[inline]
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::CompareAndSet { set: Some(false), .. })
    }
}

impl RegisterAction {
    /// The value that the action leaves behind, if it is one that changes the key and the value is known.
    #[must_use]
    pub fn written(&self) -> Option<u64> {
        match *self {
            Self::Write { value } | Self::CompareAndSet { value, set: None | Some(true), .. } => Some(value),
            Self::Add { sum, .. } => sum,
            _ => None,
        }
    }

    /// Whether what the action says, or does, may depend on the key having held `value`.
    #[must_use]
    pub fn depends_on(&self, value: u64) -> bool {
        match *self {
            Self::Read { seen } => seen == Some(value),
            Self::Write { .. } => false,
            // A sum tells what was there before; absence counts as 0.
            Self::Add { amount, sum } => sum.is_none_or(|sum| sum.wrapping_sub(amount) == value),
            // A failed one saw something else, which may have been this value.
            Self::CompareAndSet { set: Some(false), .. } => true,
            Self::CompareAndSet { expected, .. } => expected == Some(value),
        }
    }
}

/// A key with its initial value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register {
    /// Value before the first operation; none: absent.
    pub initial: Option<u64>,
}

impl Model for Register {
    type State = Option<u64>;
    type Action = RegisterAction;

    fn initial(&self) -> Option<u64> {
        self.initial
    }

    #[inline]
    fn step(&self, state: &Option<u64>, action: &RegisterAction) -> Option<Option<u64>> {
        action.apply(*state)
    }

    #[inline]
    fn is_read_only(&self, action: &RegisterAction) -> bool {
        action.is_read_only()
    }

    #[inline]
    fn erases(&self, later: &RegisterAction, earlier: &RegisterAction) -> bool {
        matches!((later, earlier), (RegisterAction::Write { .. }, RegisterAction::Write { .. }))
    }

    fn drops_safely<'a>(&self, action: &'a RegisterAction, mut rest: impl Iterator<Item = &'a RegisterAction>) -> bool {
        // What follows in any order sees the value before instead, and nobody looked.
        action.is_read_only() || action.written().is_some_and(|value| !rest.any(|other| other.depends_on(value)))
    }

    fn needed_by(&self, calls: &[Call<RegisterAction>], kept: &[usize]) -> Option<Vec<usize>> {
        if calls.iter().any(|call| matches!(call.action, RegisterAction::Add { sum: None, .. })) {
            return None;
        }
        let mut writers: Vec<(u64, usize)> = Vec::new();
        for (number, call) in calls.iter().enumerate() {
            writers.extend(call.action.written().map(|value| (value, number)));
        }
        writers.sort_unstable();
        let mut needed = vec![false; calls.len()];
        let mut work = kept.to_vec();
        while let Some(number) = work.pop() {
            if core::mem::replace(&mut needed[number], true) {
                continue;
            }
            let source = match calls[number].action {
                RegisterAction::Read { seen } => seen,
                RegisterAction::Write { .. } => None,
                RegisterAction::Add { amount, sum } => Some(sum?.wrapping_sub(amount)),
                // A failed one depends on everything.
                RegisterAction::CompareAndSet { set: Some(false), .. } => return None,
                RegisterAction::CompareAndSet { expected, .. } => expected,
            };
            let Some(source) = source else { continue };
            let first = writers.partition_point(|writer| writer.0 < source);
            work.extend(writers[first..].iter().take_while(|writer| writer.0 == source).map(|writer| writer.1));
        }
        Some((0..calls.len()).filter(|number| needed[*number]).collect())
    }

    fn describe_state(&self, state: &Option<u64>) -> String {
        state.map_or_else(|| "absent".to_owned(), |value| value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_addition_counts_an_absent_key_as_zero_and_wraps() {
        let add = RegisterAction::Add { amount: 5, sum: Some(5) };
        assert_eq!(add.apply(None), Some(Some(5)));
        assert_eq!(add.apply(Some(1)), None);
        let wrap = RegisterAction::Add { amount: 3, sum: None };
        assert_eq!(wrap.apply(Some(u64::MAX - 1)), Some(Some(1)));
    }

    #[test]
    fn a_compare_and_set_of_unknown_outcome_fits_every_state() {
        let cas = RegisterAction::CompareAndSet { expected: None, value: 4, set: None };
        assert_eq!(cas.apply(None), Some(Some(4)));
        assert_eq!(cas.apply(Some(9)), Some(Some(9)));
        let failed = RegisterAction::CompareAndSet { expected: None, value: 4, set: Some(false) };
        assert_eq!(failed.apply(None), None);
        assert!(failed.is_read_only());
    }
}
