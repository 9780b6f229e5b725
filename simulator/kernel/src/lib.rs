//! The replicated state machine: key-value, streams, ledger and transactions, per tenant.
//!
//! It knows neither the protocol's messages nor the history's columns: commands and results are bytes, and everything that an
//! execution may depend on is handed in, so that every replica computes the same.
#![no_std]

extern crate alloc;

mod bug;
mod codec;
mod command;
mod key_value;
mod ledger;
mod reply;
mod snapshot;
mod state_hash;
mod stream;
#[cfg(test)]
mod tests;

pub use bug::KernelBug;
pub use command::{Command, TRANSACTION_KEYS_MAX};
pub use reply::{Refusal, Reply};

use alloc::vec::Vec;
use key_value::KeyValue;
use ledger::Ledger;
use state_hash::StateHash;
use stream::Streams;

/// How the numbers of keys, streams and accounts are shared out among tenants. The same on every replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Tenants, numbered from 0.
    pub tenants: u32,
    /// Tenant t owns the numbers from `keys_per_tenant * t` on, so many.
    pub keys_per_tenant: u64,
    /// The first so many of them are accounts, which exist from the start.
    pub accounts_per_tenant: u64,
    /// What each account holds at the start.
    pub initial_balance: u64,
}

impl Layout {
    /// The first number of a tenant's range, and the last; none for a tenant that does not exist.
    #[must_use]
    pub fn range(&self, tenant: u32) -> Option<(u64, u64)> {
        let first = u64::from(tenant).checked_mul(self.keys_per_tenant)?;
        (tenant < self.tenants && self.keys_per_tenant > 0).then(|| (first, first + (self.keys_per_tenant - 1)))
    }
}

/// What a command may know of its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Whose command it is.
    pub tenant: u32,
    /// The local clock, nanoseconds. Only a planted bug looks at it.
    pub local_clock_ns: u64,
}

/// The state of all tenants.
#[derive(Clone, Debug)]
pub struct Kernel {
    layout: Layout,
    bug: Option<KernelBug>,
    hash: StateHash,
    key_value: KeyValue,
    streams: Streams,
    ledger: Ledger,
}

impl Kernel {
    /// The state before the first command.
    #[must_use]
    pub fn new(layout: Layout, bug: Option<KernelBug>) -> Self {
        Self {
            layout,
            bug,
            hash: StateHash::default(),
            key_value: KeyValue::default(),
            streams: Streams::default(),
            ledger: Ledger::new(layout),
        }
    }

    /// Executes a command. One that is refused changes nothing.
    pub fn apply(&mut self, context: Context, command: &[u8]) -> Reply {
        self.ledger.settle(&mut self.hash);
        match self.admit(context.tenant, command) {
            Ok(command) => self.execute(context, &command).unwrap_or_else(Reply::Refused),
            Err(refusal) => Reply::Refused(refusal),
        }
    }

    /// Answers a read from the current state; a command that would change it is refused as malformed.
    #[must_use]
    pub fn query(&self, tenant: u32, command: &[u8]) -> Reply {
        self.admit(tenant, command)
            .and_then(|command| self.answer(tenant, &command).unwrap_or(Err(Refusal::Malformed)))
            .unwrap_or_else(Reply::Refused)
    }

    /// What the primary puts into the log in place of a request; none leaves it as it is.
    ///
    /// With all guards on that is always so: a command is computed where it is applied.
    #[must_use]
    pub fn prepare(&self, command: &[u8]) -> Option<Vec<u8>> {
        if self.bug != Some(KernelBug::LostUpdate) {
            return None;
        }
        match Command::decode(command)? {
            Command::Add { key, delta } => {
                let value = self.key_value.get(key).unwrap_or(0).wrapping_add(delta);
                Some(Command::Put { key, value }.encode())
            }
            _ => None,
        }
    }

    /// Hash of the state: equal states have equal hashes, however they came about.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        self.hash.value()
    }

    /// Decodes a command and tests that it names only what its tenant owns.
    fn admit(&self, tenant: u32, command: &[u8]) -> Result<Command, Refusal> {
        let command = Command::decode(command).ok_or(Refusal::Malformed)?;
        let (first, last) = self.layout.range(tenant).ok_or(Refusal::OutOfRange)?;
        let owned = |number: u64| (first..=last).contains(&number);
        let inside = match command {
            Command::Noop => true,
            Command::Write { key, .. }
            | Command::Read { key }
            | Command::Add { key, .. }
            | Command::Put { key, .. }
            | Command::CompareAndSet { key, .. } => owned(key),
            Command::StreamCreate { stream } | Command::StreamAppend { stream, .. } | Command::StreamRead { stream, .. } => owned(stream),
            Command::Scan { first, last } | Command::Balance { first, last } => owned(first) && owned(last) && first <= last,
            Command::Transfer { from, to, .. } => owned(from) && owned(to),
            Command::Transaction { ref reads, ref writes } => {
                reads.iter().all(|&key| owned(key)) && writes.iter().all(|&(key, _)| owned(key))
            }
        };
        if inside { Ok(command) } else { Err(Refusal::OutOfRange) }
    }

    /// Answers a command that changes nothing; none for one that does.
    fn answer(&self, tenant: u32, command: &Command) -> Option<Result<Reply, Refusal>> {
        Some(match *command {
            Command::Noop => Ok(Reply::Done),
            Command::Read { key } => Ok(Reply::Value(self.key_value.get(key))),
            Command::Scan { first, last } => Ok(Reply::Pairs(self.key_value.scan(first, self.scan_end(tenant, last)))),
            Command::StreamRead { stream, offset, count } => self.streams.read(stream, offset, count).map(Reply::Pairs),
            Command::Balance { first, last } => Ok(Reply::Pairs(self.ledger.balances(first, last))),
            Command::Transaction { ref reads, ref writes } if writes.is_empty() => Ok(Reply::Pairs(self.key_value.get_all(reads))),
            _ => return None,
        })
    }

    fn execute(&mut self, context: Context, command: &Command) -> Result<Reply, Refusal> {
        if let Some(answer) = self.answer(context.tenant, command) {
            return answer;
        }
        let hash = &mut self.hash;
        match *command {
            Command::Write { key, value } => {
                self.key_value.set(hash, key, value);
                Ok(Reply::Done)
            }
            Command::Put { key, value } => {
                self.key_value.set(hash, key, value);
                Ok(Reply::Value(Some(value)))
            }
            Command::Add { key, delta } => {
                let drift = bug::clock_drift(self.bug, context.local_clock_ns);
                let value = self.key_value.get(key).unwrap_or(0).wrapping_add(delta).wrapping_add(drift);
                self.key_value.set(hash, key, value);
                Ok(Reply::Value(Some(value)))
            }
            Command::CompareAndSet { key, expected, value } => {
                let matches = self.key_value.get(key) == expected;
                if matches {
                    self.key_value.set(hash, key, value);
                }
                Ok(Reply::Value(Some(u64::from(matches))))
            }
            Command::StreamCreate { stream } => self.streams.create(hash, stream).map(|()| Reply::Done),
            Command::StreamAppend { stream, value } => self.streams.append(hash, stream, value).map(|offset| Reply::Value(Some(offset))),
            Command::Transfer { from, to, amount } => {
                let split = self.bug == Some(KernelBug::TransferNotAtomic);
                self.ledger.transfer(hash, from, to, amount, split).map(|()| Reply::Done)
            }
            Command::Transaction { ref reads, ref writes } => {
                let pairs = self.key_value.get_all(reads);
                for &(key, value) in writes {
                    self.key_value.set(hash, key, value);
                }
                Ok(Reply::Pairs(pairs))
            }
            Command::Noop | Command::Read { .. } | Command::Scan { .. } | Command::StreamRead { .. } | Command::Balance { .. } => {
                Err(Refusal::Malformed)
            }
        }
    }

    /// Where a scan ends.
    fn scan_end(&self, tenant: u32, last: u64) -> u64 {
        let end = self.layout.range(tenant).map_or(last, |(_, end)| end);
        if self.bug == Some(KernelBug::ScanPastTenantEnd) && last == end {
            // Unguarded, the iterator is stopped by a count of keys and not by the tenant's end.
            return last.saturating_add(self.layout.keys_per_tenant / 2);
        }
        last
    }
}
