//! THE table of encodings: how each column is laid out in pages.
//!
//! Chosen by sizes and times of recorded runs (`examples/measure.rs`): zstd stands only where a nanosecond of it takes away
//! more than about an eighth of a byte. A column that is constant within a row group is one dictionary entry whatever stands
//! here, and a dictionary that grows too large gives way to differences.

use crate::rows::Kind;

/// How the values of a column are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Strategy {
    /// Encoding of the values.
    pub(crate) values: Values,
    /// Whether pages are compressed (zstd, level 1).
    pub(crate) compress: bool,
}

/// An encoding of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// Differences: positions, times, numbers that rise or jitter.
    Delta,
    /// Dictionary indices: few values, or values that come again.
    Dictionary,
    /// As they are: wide values that come again soon, which zstd finds faster than a dictionary's indices are made and packed.
    Plain,
}

/// The strategy for a column of a kind.
pub(crate) fn strategy(kind: Kind, column: &str) -> Strategy {
    let values = match (kind, column) {
        (Kind::Transition, "previous_hash" | "state_hash" | "timestamp") => Values::Plain,
        (
            _,
            "seq" | "time_ns" | "id" | "op" | "commit" | "fate_seq" | "fate_time_ns" | "return_seq" | "return_time_ns" | "started_seq"
            | "cause" | "request_number" | "log_first",
        ) => Values::Delta,
        _ => Values::Dictionary,
    };
    let compress = match kind {
        Kind::Operation => matches!(column, "value" | "expected" | "result" | "attempts"),
        Kind::Message => {
            matches!(column, "seq" | "time_ns" | "id" | "command" | "from" | "to" | "commit" | "size_bytes" | "tenant" | "client")
        }
        Kind::Transition => {
            matches!(column, "seq" | "time_ns" | "replica" | "previous_hash" | "state_hash" | "timestamp" | "tenant" | "client")
        }
        Kind::Storage => matches!(column, "seq" | "replica" | "io" | "size_bytes" | "latency_ns"),
        Kind::Run | Kind::Fault => false,
    };
    Strategy { values, compress }
}
