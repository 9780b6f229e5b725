//! Isolation levels and which of them implies which other.
//!
//! The names and the order are those of Adya (MIT 1999) with the session and real-time variants that Elle uses; only levels that
//! single items can tell apart are here: without predicates repeatable read differs from serializability by name only.

use core::fmt;
use serde::Serialize;

/// An isolation level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// PL-1: no G0.
    ReadUncommitted,
    /// PL-2: no G1.
    ReadCommitted,
    /// PL-2+: no G-single besides.
    ConsistentView,
    /// PL-2.99: no G2-item besides.
    RepeatableRead,
    /// PL-SI, generalized: no cycle whose anti-dependencies are never adjacent.
    SnapshotIsolation,
    /// PL-3: no G2 besides.
    Serializable,
    /// Read uncommitted that keeps the order of each process.
    StrongSessionReadUncommitted,
    /// Read committed that keeps the order of each process.
    StrongSessionReadCommitted,
    /// Snapshot isolation that keeps the order of each process.
    StrongSessionSnapshotIsolation,
    /// Serializability that keeps the order of each process.
    StrongSessionSerializable,
    /// Read uncommitted that keeps real time.
    StrongReadUncommitted,
    /// Read committed that keeps real time.
    StrongReadCommitted,
    /// Snapshot isolation that keeps real time.
    StrongSnapshotIsolation,
    /// PL-SS: serializability that keeps real time.
    StrictSerializable,
}

/// What a history says about a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It holds: an order of the transactions that proves it exists.
    Holds,
    /// Nothing speaks against it, and nothing proves it: the order of some versions is not known, or a limit was reached.
    Undecided,
    /// An anomaly refutes it.
    Refuted,
}

/// Which edges beside the dependencies on data an order must respect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// None.
    Data,
    /// The order of each process.
    Session,
    /// Real time, which includes the order of each process.
    RealTime,
}

impl Order {
    /// All, weakest first.
    pub const ALL: [Self; 3] = [Self::Data, Self::Session, Self::RealTime];
}

impl Level {
    /// All levels; none implies one that stands behind it and has the same kind of order.
    pub const ALL: [Self; 14] = [
        Self::ReadUncommitted,
        Self::ReadCommitted,
        Self::ConsistentView,
        Self::RepeatableRead,
        Self::SnapshotIsolation,
        Self::Serializable,
        Self::StrongSessionReadUncommitted,
        Self::StrongSessionReadCommitted,
        Self::StrongSessionSnapshotIsolation,
        Self::StrongSessionSerializable,
        Self::StrongReadUncommitted,
        Self::StrongReadCommitted,
        Self::StrongSnapshotIsolation,
        Self::StrictSerializable,
    ];

    /// Its name, as Elle spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "read-uncommitted",
            Self::ReadCommitted => "read-committed",
            Self::ConsistentView => "consistent-view",
            Self::RepeatableRead => "repeatable-read",
            Self::SnapshotIsolation => "snapshot-isolation",
            Self::Serializable => "serializable",
            Self::StrongSessionReadUncommitted => "strong-session-read-uncommitted",
            Self::StrongSessionReadCommitted => "strong-session-read-committed",
            Self::StrongSessionSnapshotIsolation => "strong-session-snapshot-isolation",
            Self::StrongSessionSerializable => "strong-session-serializable",
            Self::StrongReadUncommitted => "strong-read-uncommitted",
            Self::StrongReadCommitted => "strong-read-committed",
            Self::StrongSnapshotIsolation => "strong-snapshot-isolation",
            Self::StrictSerializable => "strict-serializable",
        }
    }

    /// The level of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let name = if name == "strong-serializable" { Self::StrictSerializable.name() } else { name };
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The level without its order, and the order.
    #[must_use]
    pub fn parts(self) -> (Self, Order) {
        match self {
            Self::StrongSessionReadUncommitted => (Self::ReadUncommitted, Order::Session),
            Self::StrongSessionReadCommitted => (Self::ReadCommitted, Order::Session),
            Self::StrongSessionSnapshotIsolation => (Self::SnapshotIsolation, Order::Session),
            Self::StrongSessionSerializable => (Self::Serializable, Order::Session),
            Self::StrongReadUncommitted => (Self::ReadUncommitted, Order::RealTime),
            Self::StrongReadCommitted => (Self::ReadCommitted, Order::RealTime),
            Self::StrongSnapshotIsolation => (Self::SnapshotIsolation, Order::RealTime),
            Self::StrictSerializable => (Self::Serializable, Order::RealTime),
            plain => (plain, Order::Data),
        }
    }

    /// Whether every history of this level is one of `other` too.
    #[must_use]
    pub fn implies(self, other: Self) -> bool {
        let ((base, order), (other, other_order)) = (self.parts(), other.parts());
        order >= other_order && base_implies(base, other)
    }
}

fn base_implies(base: Level, other: Level) -> bool {
    use Level::{ConsistentView, ReadCommitted, ReadUncommitted, RepeatableRead, Serializable, SnapshotIsolation};
    base == other
        || match base {
            Serializable => true,
            SnapshotIsolation => matches!(other, ReadUncommitted | ReadCommitted | ConsistentView),
            RepeatableRead | ConsistentView => matches!(other, ReadUncommitted | ReadCommitted),
            ReadCommitted => other == ReadUncommitted,
            _ => false,
        }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_the_order_is_one() {
        for level in Level::ALL {
            assert_eq!(Level::parse(level.name()), Some(level));
            assert!(level.implies(level) && Level::StrictSerializable.implies(level), "{level}");
            assert!(level.implies(Level::ReadUncommitted), "{level}");
            for other in Level::ALL {
                assert!(level == other || !(level.implies(other) && other.implies(level)), "{level} {other}");
                for third in Level::ALL {
                    assert!(!(level.implies(other) && other.implies(third)) || level.implies(third), "{level} {other} {third}");
                }
            }
        }
        assert!(!Level::RepeatableRead.implies(Level::SnapshotIsolation) && !Level::SnapshotIsolation.implies(Level::RepeatableRead));
        assert!(!Level::StrongSnapshotIsolation.implies(Level::Serializable));
    }
}
