//! Commands and their bytes.
//!
//! The meaning of each is exact, because an independent checker replays the committed commands on models of its own.

use crate::codec::{Reader, put, put_optional};
use alloc::vec::Vec;

/// Keys that a transaction may read, and pairs that it may write.
pub const TRANSACTION_KEYS_MAX: usize = 64;

/// What a client asks for. Keys, streams and accounts are three spaces of numbers; a tenant may name only those of its own range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Changes nothing. Answers [`crate::Reply::Done`].
    Noop,
    /// `key := value`. Answers [`crate::Reply::Done`].
    Write {
        /// Key.
        key: u64,
        /// New value.
        value: u64,
    },
    /// Answers the value of `key`, none when absent.
    Read {
        /// Key.
        key: u64,
    },
    /// `key := (key or 0) + delta`, wrapping. Answers the new value.
    Add {
        /// Key.
        key: u64,
        /// What is added.
        delta: u64,
    },
    /// `key := value`, answering the value: an addition worked out before it entered the log. Only a planted bug makes it.
    Put {
        /// Key.
        key: u64,
        /// New value.
        value: u64,
    },
    /// `key := value` if it holds `expected` (none: absent). Answers 1 when it was set, 0 when not.
    CompareAndSet {
        /// Key.
        key: u64,
        /// Expected value.
        expected: Option<u64>,
        /// New value.
        value: u64,
    },
    /// Answers all present pairs with `first <= key <= last`, in key order.
    Scan {
        /// First key.
        first: u64,
        /// Last key.
        last: u64,
    },
    /// Creates an empty stream. Refused with [`crate::Refusal::StreamExists`]. Answers [`crate::Reply::Done`].
    StreamCreate {
        /// Stream.
        stream: u64,
    },
    /// Appends. Answers the element's offset, from 0. Refused with [`crate::Refusal::NoSuchStream`].
    StreamAppend {
        /// Stream.
        stream: u64,
        /// Element.
        value: u64,
    },
    /// Answers up to `count` (offset, element) pairs from `offset` on. Refused with [`crate::Refusal::NoSuchStream`].
    StreamRead {
        /// Stream.
        stream: u64,
        /// First offset.
        offset: u64,
        /// How many at most.
        count: u64,
    },
    /// Moves `amount`. Refused with [`crate::Refusal::SameAccount`], [`crate::Refusal::NoSuchAccount`],
    /// [`crate::Refusal::InsufficientFunds`], tested in this order. Answers [`crate::Reply::Done`].
    Transfer {
        /// Account to debit.
        from: u64,
        /// Account to credit.
        to: u64,
        /// Amount.
        amount: u64,
    },
    /// Answers (account, balance) of all accounts with `first <= account <= last`.
    Balance {
        /// First account.
        first: u64,
        /// Last account.
        last: u64,
    },
    /// Reads all of `reads`, then writes all of `writes`, in order, at once. Answers (key, value) for each read.
    Transaction {
        /// Keys to read.
        reads: Vec<u64>,
        /// Pairs to write.
        writes: Vec<(u64, u64)>,
    },
}

impl Command {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24);
        let mut tagged = |tag: u8, values: &[u64]| {
            bytes.push(tag);
            for &value in values {
                put(&mut bytes, value);
            }
        };
        match *self {
            Self::Noop => tagged(0, &[]),
            Self::Write { key, value } => tagged(1, &[key, value]),
            Self::Read { key } => tagged(2, &[key]),
            Self::Add { key, delta } => tagged(3, &[key, delta]),
            Self::CompareAndSet { key, expected, value } => {
                tagged(4, &[key, value]);
                put_optional(&mut bytes, expected);
            }
            Self::Scan { first, last } => tagged(5, &[first, last]),
            Self::StreamCreate { stream } => tagged(6, &[stream]),
            Self::StreamAppend { stream, value } => tagged(7, &[stream, value]),
            Self::StreamRead { stream, offset, count } => tagged(8, &[stream, offset, count]),
            Self::Transfer { from, to, amount } => tagged(9, &[from, to, amount]),
            Self::Balance { first, last } => tagged(10, &[first, last]),
            Self::Transaction { ref reads, ref writes } => {
                tagged(11, &[reads.len() as u64]);
                for &key in reads {
                    put(&mut bytes, key);
                }
                put(&mut bytes, writes.len() as u64);
                for &(key, value) in writes {
                    put(&mut bytes, key);
                    put(&mut bytes, value);
                }
            }
            Self::Put { key, value } => tagged(12, &[key, value]),
        }
        bytes
    }

    /// The command that these bytes are; none when they are not exactly one command.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let tag = reader.byte()?;
        let mut next = || reader.integer();
        let command = match tag {
            0 => Self::Noop,
            1 => Self::Write { key: next()?, value: next()? },
            2 => Self::Read { key: next()? },
            3 => Self::Add { key: next()?, delta: next()? },
            4 => {
                let (key, value) = (next()?, next()?);
                Self::CompareAndSet { key, value, expected: reader.optional()? }
            }
            5 => Self::Scan { first: next()?, last: next()? },
            6 => Self::StreamCreate { stream: next()? },
            7 => Self::StreamAppend { stream: next()?, value: next()? },
            8 => Self::StreamRead { stream: next()?, offset: next()?, count: next()? },
            9 => Self::Transfer { from: next()?, to: next()?, amount: next()? },
            10 => Self::Balance { first: next()?, last: next()? },
            11 => Self::Transaction {
                reads: reader.list(TRANSACTION_KEYS_MAX, Reader::integer)?,
                writes: reader.list(TRANSACTION_KEYS_MAX, |reader| Some((reader.integer()?, reader.integer()?)))?,
            },
            12 => Self::Put { key: next()?, value: next()? },
            _ => return None,
        };
        reader.finish(command)
    }

    /// Whether it changes nothing, whatever the state.
    #[must_use]
    pub fn is_read(&self) -> bool {
        match self {
            Self::Noop | Self::Read { .. } | Self::Scan { .. } | Self::StreamRead { .. } | Self::Balance { .. } => true,
            Self::Transaction { writes, .. } => writes.is_empty(),
            _ => false,
        }
    }
}
