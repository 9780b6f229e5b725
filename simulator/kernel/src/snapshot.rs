//! The whole state as bytes: canonical, so that equal states have equal snapshots.
//!
//! A snapshot may come from a damaged disk or a peer: it is believed only as a whole.

use crate::codec::{Reader, put};
use crate::ledger::Credit;
use crate::state_hash::{Space, StateHash};
use crate::{Kernel, KeyValue, Layout, Ledger, Streams};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// First byte of every snapshot.
const VERSION: u8 = 1;
/// Items of one list, which bounds what a restore may be asked to hold.
const ITEMS_MAX: usize = 1 << 28;

impl Kernel {
    /// The state as bytes; equal states give equal bytes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 * (self.key_value.0.len() + self.ledger.moved.len() + 8));
        bytes.push(VERSION);
        for value in layout_words(self.layout) {
            put(&mut bytes, value);
        }
        put_map(&mut bytes, &self.key_value.0);
        put(&mut bytes, self.streams.0.len() as u64);
        for (&stream, elements) in &self.streams.0 {
            put(&mut bytes, stream);
            put(&mut bytes, elements.len() as u64);
            for &element in elements {
                put(&mut bytes, element);
            }
        }
        put_map(&mut bytes, &self.ledger.moved);
        put(&mut bytes, self.ledger.credits.len() as u64);
        for credit in &self.ledger.credits {
            put(&mut bytes, credit.account);
            put(&mut bytes, credit.amount);
            bytes.push(credit.delay);
        }
        bytes
    }

    /// Replaces the state by a snapshot's. Returns false, leaving the state as it was, when the bytes make no sense or belong
    /// to another layout.
    pub fn restore(&mut self, snapshot: &[u8]) -> bool {
        let Some(restored) = self.read_snapshot(snapshot) else { return false };
        *self = restored;
        true
    }

    fn read_snapshot(&self, snapshot: &[u8]) -> Option<Self> {
        let mut reader = Reader(snapshot);
        if reader.byte()? != VERSION {
            return None;
        }
        for expected in layout_words(self.layout) {
            if reader.integer()? != expected {
                return None;
            }
        }
        let mut restored = Self::new(self.layout, self.bug);
        restored.key_value = KeyValue(read_map(&mut reader)?);
        let streams = reader.list(ITEMS_MAX, |reader| Some((reader.integer()?, reader.list(ITEMS_MAX, Reader::integer)?)))?;
        restored.streams = Streams(ascending(streams)?);
        restored.ledger.moved = read_map(&mut reader)?;
        restored.ledger.credits = reader.list(ITEMS_MAX, |reader| {
            Some(Credit { account: reader.integer()?, amount: reader.integer()?, delay: reader.byte().filter(|&delay| delay > 0)? })
        })?;
        let sensible = restored.ledger.is_canonical();
        restored.hash = restored.hash_of_all();
        reader.finish(restored).filter(|_| sensible)
    }

    /// The hash, computed from every cell.
    pub(crate) fn hash_of_all(&self) -> StateHash {
        let mut hash = StateHash::default();
        for (&key, &value) in &self.key_value.0 {
            hash.add(Space::Key, key, 0, value);
        }
        for (&stream, elements) in &self.streams.0 {
            hash.add(Space::Stream, stream, 0, 0);
            for (offset, &element) in (0..).zip(elements) {
                hash.add(Space::Element, stream, offset, element);
            }
        }
        for (&account, &balance) in &self.ledger.moved {
            hash.add(Space::Account, account, 0, balance);
        }
        for credit in &self.ledger.credits {
            hash.add(Space::Credit, credit.account, u64::from(credit.delay), credit.amount);
        }
        hash
    }
}

impl Ledger {
    /// Whether only existing accounts with another balance than the initial one are stored.
    fn is_canonical(&self) -> bool {
        self.moved.iter().all(|(&account, &balance)| self.exists(account) && balance != self.layout().initial_balance)
            && self.credits.iter().all(|credit| self.exists(credit.account))
    }
}

fn layout_words(layout: Layout) -> [u64; 4] {
    [u64::from(layout.tenants), layout.keys_per_tenant, layout.accounts_per_tenant, layout.initial_balance]
}

fn put_map(bytes: &mut Vec<u8>, map: &BTreeMap<u64, u64>) {
    put(bytes, map.len() as u64);
    for (&key, &value) in map {
        put(bytes, key);
        put(bytes, value);
    }
}

fn read_map(reader: &mut Reader<'_>) -> Option<BTreeMap<u64, u64>> {
    ascending(reader.list(ITEMS_MAX, |reader| Some((reader.integer()?, reader.integer()?)))?)
}

/// A map from pairs whose keys rise, as every snapshot writes them.
fn ascending<T>(pairs: Vec<(u64, T)>) -> Option<BTreeMap<u64, T>> {
    pairs.windows(2).all(|pair| pair[0].0 < pair[1].0).then(|| pairs.into_iter().collect())
}
