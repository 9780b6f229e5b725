//! Anomalies by their standard names, and which level each refutes.
//!
//! Names are those that Elle prints, so that two reports can be compared word by word; `-item` says that the anti-dependencies are
//! on single items, the only ones there are without predicates.

use super::level::{Level, Order};
use core::fmt;
use serde::Serialize;

/// The kinds of cycles, by what closes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum CycleKind {
    /// Only ww.
    G0,
    /// ww and wr, at least one wr.
    G1c,
    /// Exactly one rw.
    GSingle,
    /// Several rw, no two of them adjacent.
    GNonadjacent,
    /// Two adjacent rw.
    G2,
}

/// What can be wrong with a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnomalyKind {
    /// A cycle of dependencies, closed with the help of nothing, of process order, or of real time.
    Cycle(CycleKind, Order),
    /// Two inferred orders of the versions of a register contradict each other.
    CyclicVersions,
    /// One element stands twice in a list.
    DuplicateElements,
    /// A value was read that nobody ever wrote.
    GarbageVersions,
    /// Aborted read.
    G1a,
    /// Intermediate read.
    G1b,
    /// A committed write stands behind an aborted one.
    DirtyUpdate,
    /// Two lists were read at one key of which neither is a prefix of the other.
    IncompatibleOrder,
    /// A transaction read what it wrote only later.
    FutureRead,
    /// Two transactions read one version of a key and both wrote the key.
    LostUpdate,
    /// A transaction contradicts itself: it does not see its own writes, or what it read before.
    Internal,
}

impl AnomalyKind {
    /// Its name, as Elle prints it (`garbage-versions` is this checker's own).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cycle(kind, order) => cycle_name(kind, order),
            Self::CyclicVersions => "cyclic-versions",
            Self::DuplicateElements => "duplicate-elements",
            Self::GarbageVersions => "garbage-versions",
            Self::G1a => "G1a",
            Self::G1b => "G1b",
            Self::DirtyUpdate => "dirty-update",
            Self::IncompatibleOrder => "incompatible-order",
            Self::FutureRead => "future-read",
            Self::LostUpdate => "lost-update",
            Self::Internal => "internal",
        }
    }

    /// The weakest levels that do not allow it.
    #[must_use]
    pub fn refutes(self) -> &'static [Level] {
        match self {
            Self::Cycle(kind, order) => refuted_by_cycle(kind, order),
            Self::CyclicVersions | Self::DuplicateElements | Self::GarbageVersions => &[Level::ReadUncommitted],
            Self::G1a | Self::G1b | Self::DirtyUpdate | Self::IncompatibleOrder | Self::FutureRead => &[Level::ReadCommitted],
            Self::LostUpdate => &[Level::ConsistentView, Level::RepeatableRead],
            Self::Internal => &[Level::SnapshotIsolation, Level::Serializable],
        }
    }
}

fn cycle_name(kind: CycleKind, order: Order) -> &'static str {
    use CycleKind::{G0, G1c, G2, GNonadjacent, GSingle};
    match (kind, order) {
        (G0, Order::Data) => "G0",
        (G0, Order::Session) => "G0-process",
        (G0, Order::RealTime) => "G0-realtime",
        (G1c, Order::Data) => "G1c",
        (G1c, Order::Session) => "G1c-process",
        (G1c, Order::RealTime) => "G1c-realtime",
        (GSingle, Order::Data) => "G-single-item",
        (GSingle, Order::Session) => "G-single-item-process",
        (GSingle, Order::RealTime) => "G-single-item-realtime",
        (GNonadjacent, Order::Data) => "G-nonadjacent-item",
        (GNonadjacent, Order::Session) => "G-nonadjacent-item-process",
        (GNonadjacent, Order::RealTime) => "G-nonadjacent-item-realtime",
        (G2, Order::Data) => "G2-item",
        (G2, Order::Session) => "G2-item-process",
        (G2, Order::RealTime) => "G2-item-realtime",
    }
}

fn refuted_by_cycle(kind: CycleKind, order: Order) -> &'static [Level] {
    use CycleKind::{G0, G1c, G2, GNonadjacent, GSingle};
    match (kind, order) {
        (G0, Order::Data) => &[Level::ReadUncommitted],
        (G0, Order::Session) => &[Level::StrongSessionReadUncommitted],
        (G0, Order::RealTime) => &[Level::StrongReadUncommitted],
        (G1c, Order::Data) => &[Level::ReadCommitted],
        (G1c, Order::Session) => &[Level::StrongSessionReadCommitted],
        (G1c, Order::RealTime) => &[Level::StrongReadCommitted],
        (GSingle, Order::Data) => &[Level::ConsistentView, Level::RepeatableRead],
        (GNonadjacent, Order::Data) => &[Level::RepeatableRead, Level::SnapshotIsolation],
        (GSingle | GNonadjacent, Order::Session) => &[Level::StrongSessionSnapshotIsolation],
        (GSingle | GNonadjacent, Order::RealTime) => &[Level::StrongSnapshotIsolation],
        (G2, Order::Data) => &[Level::RepeatableRead],
        (G2, Order::Session) => &[Level::StrongSessionSerializable],
        (G2, Order::RealTime) => &[Level::StrictSerializable],
    }
}

impl fmt::Display for AnomalyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One anomaly that was found, the first or the shortest of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// Its kind.
    pub kind: AnomalyKind,
    /// What is wrong, in one sentence.
    pub summary: String,
    /// The transactions that prove it, by number; of a cycle in its order, the first one not repeated at the end.
    pub transactions: Vec<usize>,
    /// Why each of them must come before the next one (of a cycle: and the last before the first), in words.
    pub reasons: Vec<String>,
    /// How many of this kind were seen; of cycles one is looked for.
    pub count: u64,
}
