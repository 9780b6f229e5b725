//! Counter-examples: fewer calls that still have no legal order.
//!
//! Not every sub-history of a linearizable history is linearizable (a read without its write is not), so only changes that
//! can never turn "linearizable" into "refuted" are made: what still is refuted afterwards refutes the whole.

use super::{Call, NEVER};

/// The calls invoked up to `time`, each with its number; those that return later count as not returned.
#[must_use]
pub fn prefix<A: Clone>(calls: &[Call<A>], time: u64) -> Vec<(usize, Call<A>)> {
    let invoked = calls.iter().enumerate().filter(|(_, call)| call.invoke <= time);
    invoked
        .map(|(number, call)| {
            let returned = if call.returned <= time { call.returned } else { NEVER };
            (number, Call { returned, ..call.clone() })
        })
        .collect()
}
