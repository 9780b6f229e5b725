//! The key-value store: one map for all tenants, whose ranges do not meet.

use crate::state_hash::{Space, StateHash};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// All present keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyValue(pub(crate) BTreeMap<u64, u64>);

impl KeyValue {
    /// The value of `key`.
    pub(crate) fn get(&self, key: u64) -> Option<u64> {
        self.0.get(&key).copied()
    }

    /// The values of `keys`, in their order.
    pub(crate) fn get_all(&self, keys: &[u64]) -> Vec<(u64, Option<u64>)> {
        keys.iter().map(|&key| (key, self.get(key))).collect()
    }

    /// All present pairs with `first <= key <= last`.
    pub(crate) fn scan(&self, first: u64, last: u64) -> Vec<(u64, Option<u64>)> {
        self.0.range(first..=last).map(|(&key, &value)| (key, Some(value))).collect()
    }

    /// `key := value`.
    pub(crate) fn set(&mut self, hash: &mut StateHash, key: u64, value: u64) {
        if let Some(old) = self.0.insert(key, value) {
            hash.remove(Space::Key, key, 0, old);
        }
        hash.add(Space::Key, key, 0, value);
    }
}
