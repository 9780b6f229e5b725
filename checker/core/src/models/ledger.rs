//! Accounts tied together by transfers and snapshots of balances.
//!
//! Slots number the accounts in account order; every account exists from the start.

use super::Model;

/// A request to the ledger, with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LedgerAction {
    /// Moves an amount.
    Transfer {
        /// Slot of the debited account.
        from: u32,
        /// Slot of the credited account.
        to: u32,
        /// Amount.
        amount: u64,
        /// Whether it was refused for lack of funds; none: outcome unknown.
        refused: Option<bool>,
    },
    /// Saw the balances of a range of slots.
    Balance {
        /// First slot.
        first: u32,
        /// Balances.
        seen: Box<[u64]>,
    },
}

/// Accounts.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// The account of each slot.
    pub accounts: Vec<u64>,
    /// What each holds at first, `credit` more than it really does.
    pub balances: Vec<u64>,
    /// How far below zero an account may be drawn; all balances, those in answers too, are kept that much higher than they are.
    pub credit: u64,
}

impl Ledger {
    /// Accounts that cannot be overdrawn.
    #[must_use]
    pub fn new(accounts: Vec<u64>, balances: Vec<u64>) -> Self {
        Self { accounts, balances, credit: 0 }
    }
}

impl Model for Ledger {
    type State = Box<[u64]>;
    type Action = LedgerAction;

    fn initial(&self) -> Box<[u64]> {
        self.balances.clone().into_boxed_slice()
    }

    fn step(&self, state: &Box<[u64]>, action: &LedgerAction) -> Option<Box<[u64]>> {
        match action {
            LedgerAction::Transfer { from, to, amount, refused } => {
                if !self.allows(state, action) {
                    return None;
                }
                let (from, to) = (*from as usize, *to as usize);
                let mut next = state.clone();
                if *refused != Some(true) && next[from] >= *amount && from != to {
                    next[from] -= amount;
                    next[to] = next[to].wrapping_add(*amount);
                }
                Some(next)
            }
            LedgerAction::Balance { .. } => self.allows(state, action).then(|| state.clone()),
        }
    }

    fn allows(&self, state: &Box<[u64]>, action: &LedgerAction) -> bool {
        match action {
            LedgerAction::Transfer { from, amount, refused, .. } => {
                let short = state[*from as usize] < *amount;
                refused.is_none_or(|refused| refused == short)
            }
            LedgerAction::Balance { first, seen } => {
                let first = *first as usize;
                state[first..first + seen.len()] == **seen
            }
        }
    }

    fn is_read_only(&self, action: &LedgerAction) -> bool {
        matches!(action, LedgerAction::Balance { .. } | LedgerAction::Transfer { refused: Some(true), .. })
    }

    fn describe_state(&self, state: &Box<[u64]>) -> String {
        let held = |balance: &u64| Some(i128::from(*balance) - i128::from(self.credit));
        super::store::words_of_pairs(self.accounts.iter().zip(state).map(|(account, balance)| (*account, held(balance))))
    }

    fn state_bytes(&self, state: &Box<[u64]>) -> usize {
        size_of::<Box<[u64]>>() + size_of_val::<[u64]>(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_refused_exactly_when_funds_are_short() {
        let model = Ledger::new(vec![0, 1], vec![10, 10]);
        let transfer = |amount, refused| LedgerAction::Transfer { from: 0, to: 1, amount, refused };
        let after = model.step(&model.initial(), &transfer(7, Some(false))).expect("10 are enough");
        assert_eq!(*after, [3, 17]);
        assert_eq!(model.step(&after, &transfer(4, Some(false))), None);
        assert_eq!(model.step(&after, &transfer(4, None)), Some(after.clone()));
        assert_eq!(model.step(&after, &transfer(3, Some(true))), None);
    }

    #[test]
    fn an_account_with_credit_may_fall_below_zero_and_is_shown_so() {
        let model = Ledger { credit: 5, ..Ledger::new(vec![7, 8], vec![6, 5]) };
        let transfer = |amount| LedgerAction::Transfer { from: 0, to: 1, amount, refused: Some(false) };
        let after = model.step(&model.initial(), &transfer(4)).expect("1 and credit for 5 are enough");
        assert_eq!(model.describe_state(&after), "{7: -3, 8: 4}");
        assert_eq!(model.step(&model.initial(), &transfer(7)), None);
    }
}
