//! THE table of encodings: how each column is laid out in pages.
//!
//! Chosen by the sizes of recorded runs. A column that is constant within a row group is one dictionary entry whatever
//! stands here, and a dictionary that grows too large gives way to differences.

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
}

/// The strategy for a column of a kind.
pub(crate) fn strategy(_kind: Kind, column: &str) -> Strategy {
    let values = match column {
        "seq" | "time_ns" | "id" | "op" | "commit" | "fate_seq" | "fate_time_ns" | "return_seq" | "return_time_ns" | "started_seq"
        | "timestamp" | "cause" | "latency_ns" | "request_number" | "log_first" => Values::Delta,
        _ => Values::Dictionary,
    };
    Strategy { values, compress: false }
}
