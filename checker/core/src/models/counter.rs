//! One counter: add an amount, read.
//!
//! Additions that do not answer with the sum commute, which makes a counter an object of its own kind; those that do are
//! additions to a register.

use super::Model;

/// A request to a counter, with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CounterAction {
    /// Added an amount.
    Add {
        /// The amount.
        amount: i64,
    },
    /// Saw the count.
    Read {
        /// What was seen.
        seen: i64,
    },
}

/// A counter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter {
    /// The count at first.
    pub initial: i64,
}

impl Model for Counter {
    type State = i64;
    type Action = CounterAction;

    fn initial(&self) -> i64 {
        self.initial
    }

    fn step(&self, state: &i64, action: &CounterAction) -> Option<i64> {
        match *action {
            CounterAction::Add { amount } => Some(state.wrapping_add(amount)),
            CounterAction::Read { seen } => (seen == *state).then_some(seen),
        }
    }

    fn is_read_only(&self, action: &CounterAction) -> bool {
        matches!(action, CounterAction::Read { .. } | CounterAction::Add { amount: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_counts_both_ways() {
        let model = Counter { initial: 3 };
        let after = model.step(&model.initial(), &CounterAction::Add { amount: -5 }).expect("fits every state");
        assert_eq!(model.step(&after, &CounterAction::Read { seen: -2 }), Some(-2));
        assert_eq!(model.step(&after, &CounterAction::Read { seen: 8 }), None);
    }
}
