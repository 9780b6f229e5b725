//! The ledger: accounts that exist from the start, and transfers that conserve their total.
//!
//! Only balances that differ from the initial one are stored, so that an untouched tenant costs nothing.

use crate::Layout;
use crate::reply::Refusal;
use crate::state_hash::{Space, StateHash};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Commands between a debit and its credit when transfers are not atomic.
const CREDIT_DELAY: u8 = 2;

/// All accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ledger {
    layout: Layout,
    /// Balances that differ from the initial one.
    pub(crate) moved: BTreeMap<u64, u64>,
    /// Credits still to come, oldest first; empty unless the bug is planted.
    pub(crate) credits: Vec<Credit>,
}

/// A credit that is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Credit {
    /// To which account.
    pub(crate) account: u64,
    /// How much.
    pub(crate) amount: u64,
    /// After how many commands.
    pub(crate) delay: u8,
}

impl Ledger {
    /// All accounts hold the initial balance.
    pub(crate) fn new(layout: Layout) -> Self {
        Self { layout, moved: BTreeMap::new(), credits: Vec::new() }
    }

    /// Moves `amount`; with `split`, the credit comes later.
    pub(crate) fn transfer(&mut self, hash: &mut StateHash, from: u64, to: u64, amount: u64, split: bool) -> Result<(), Refusal> {
        if from == to {
            return Err(Refusal::SameAccount);
        }
        if !self.exists(from) || !self.exists(to) {
            return Err(Refusal::NoSuchAccount);
        }
        let left = self.balance(from).checked_sub(amount).ok_or(Refusal::InsufficientFunds)?;
        self.set(hash, from, left);
        if split {
            self.credits.push(Credit { account: to, amount, delay: CREDIT_DELAY });
            hash.add(Space::Credit, to, u64::from(CREDIT_DELAY), amount);
        } else {
            // Both accounts together never hold more than all of a tenant's money.
            let balance = self.balance(to).wrapping_add(amount);
            self.set(hash, to, balance);
        }
        Ok(())
    }

    /// (account, balance) of all accounts with `first <= account <= last`.
    pub(crate) fn balances(&self, first: u64, last: u64) -> Vec<(u64, Option<u64>)> {
        // A tenant's range is as long as the caller's, which was tested against it.
        (first..=last).filter(|&account| self.exists(account)).map(|account| (account, Some(self.balance(account)))).collect()
    }

    /// One command has passed: credits that are due arrive.
    pub(crate) fn settle(&mut self, hash: &mut StateHash) {
        if self.credits.is_empty() {
            return;
        }
        for mut credit in core::mem::take(&mut self.credits) {
            hash.remove(Space::Credit, credit.account, u64::from(credit.delay), credit.amount);
            credit.delay -= 1;
            if credit.delay == 0 {
                let balance = self.balance(credit.account).wrapping_add(credit.amount);
                self.set(hash, credit.account, balance);
            } else {
                hash.add(Space::Credit, credit.account, u64::from(credit.delay), credit.amount);
                self.credits.push(credit);
            }
        }
    }

    /// Whether this number, which some tenant owns, is an account.
    pub(crate) fn exists(&self, account: u64) -> bool {
        account.checked_rem(self.layout.keys_per_tenant).is_some_and(|place| place < self.layout.accounts_per_tenant)
    }

    /// How numbers are shared out.
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    fn balance(&self, account: u64) -> u64 {
        self.moved.get(&account).copied().unwrap_or(self.layout.initial_balance)
    }

    fn set(&mut self, hash: &mut StateHash, account: u64, balance: u64) {
        if let Some(old) = self.moved.remove(&account) {
            hash.remove(Space::Account, account, 0, old);
        }
        if balance != self.layout.initial_balance {
            self.moved.insert(account, balance);
            hash.add(Space::Account, account, 0, balance);
        }
    }
}
