//! Results and their bytes.

use crate::codec::{Reader, put, put_optional};
use alloc::vec::Vec;

/// What a client is told. Which form a command answers is said at the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It happened; there is nothing to tell.
    Done,
    /// One value, or its absence.
    Value(Option<u64>),
    /// Pairs; a transaction's reads may be absent.
    Pairs(Vec<(u64, Option<u64>)>),
    /// Refused; nothing was changed.
    Refused(Refusal),
}

/// Why a command is refused. The same command is refused everywhere, for the same reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// The stream does not exist.
    NoSuchStream = 1,
    /// The stream to create exists already.
    StreamExists = 2,
    /// The account to debit holds less than the amount.
    InsufficientFunds = 3,
    /// Debit and credit account are one.
    SameAccount = 4,
    /// One of the accounts does not exist.
    NoSuchAccount = 5,
    /// A number outside the tenant's range, or a range whose end is before its start. Tested before everything else.
    OutOfRange = 6,
    /// The command could not be decoded.
    Malformed = 7,
}

impl Refusal {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::NoSuchStream,
        Self::StreamExists,
        Self::InsufficientFunds,
        Self::SameAccount,
        Self::NoSuchAccount,
        Self::OutOfRange,
        Self::Malformed,
    ];
}

/// Pairs in one reply, which bounds what a decoder may be asked to hold.
const PAIRS_MAX: usize = 1 << 20;

impl Reply {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(12);
        match self {
            Self::Done => bytes.push(0),
            Self::Value(value) => {
                bytes.push(1);
                put_optional(&mut bytes, *value);
            }
            Self::Pairs(pairs) => {
                bytes.push(2);
                put(&mut bytes, pairs.len() as u64);
                for &(key, value) in pairs {
                    put(&mut bytes, key);
                    put_optional(&mut bytes, value);
                }
            }
            Self::Refused(refusal) => bytes.extend([3, *refusal as u8]),
        }
        bytes
    }

    /// The reply that these bytes are; none when they are not exactly one reply.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let reply = match reader.byte()? {
            0 => Self::Done,
            1 => Self::Value(reader.optional()?),
            2 => Self::Pairs(reader.list(PAIRS_MAX, |reader| Some((reader.integer()?, reader.optional()?)))?),
            3 => {
                let code = reader.byte()?;
                Self::Refused(*Refusal::ALL.iter().find(|refusal| **refusal as u8 == code)?)
            }
            _ => return None,
        };
        reader.finish(reply)
    }
}
