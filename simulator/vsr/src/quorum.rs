//! Quorum sizes and sets of members.
//!
//! Sizes are computed from the membership, and that they intersect is asserted when the crate is compiled, for every size that
//! is allowed, even ones included.

use crate::constants::REPLICAS_MAX;
use crate::ids::ReplicaId;

/// How many members must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quorums {
    /// Votes that commit an entry.
    pub replication: u32,
    /// Members that leave a view, and logs that a new one is built from.
    pub view_change: u32,
    /// Members that certainly never voted for an entry, which prove that it was never committed.
    pub nack: u32,
}

impl Quorums {
    /// The quorums of `members` voting members, majorities all.
    ///
    /// # Panics
    /// Without members, or with more than [`REPLICAS_MAX`].
    #[must_use]
    pub const fn of(members: u8) -> Self {
        assert!(members >= 1 && members <= REPLICAS_MAX, "a membership has 1 to 7 voting members");
        let count = members as u32;
        let replication = count / 2 + 1;
        let view_change = count / 2 + 1;
        Self { replication, view_change, nack: count - replication + 1 }
    }

    /// Whether any two quorums that must meet do so, and a quorum can be reached at all.
    #[must_use]
    pub const fn intersect(self, members: u8) -> bool {
        let count = members as u32;
        self.replication + self.view_change > count
            && 2 * self.view_change > count
            && self.replication + self.nack > count
            && self.replication <= count
            && self.view_change <= count
    }
}

const _: () = {
    let mut members = 1;
    while members <= REPLICAS_MAX {
        assert!(Quorums::of(members).intersect(members), "quorums must intersect");
        members += 1;
    }
};

/// A set of members, as a bit set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Members(pub u32);

impl Members {
    /// The first `count` members.
    #[must_use]
    pub fn first(count: u8) -> Self {
        Self(u32::MAX.checked_shr(u32::BITS - u32::from(count)).unwrap_or(0))
    }

    /// The members that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The members that are in one of the two.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The members that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Adds a member; false if it was in already.
    pub fn insert(&mut self, replica: ReplicaId) -> bool {
        let bit = 1_u32 << replica.0;
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new
    }

    /// Whether a member is in.
    #[must_use]
    pub const fn contains(self, replica: ReplicaId) -> bool {
        self.0.unbounded_shr(replica.0 as u32) & 1 != 0
    }

    /// How many.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Members, Quorums};
    use crate::ids::ReplicaId;

    #[test]
    fn sizes_are_majorities() {
        let sizes: [(u8, u32, u32); 7] = [(1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 3, 2), (5, 3, 3), (6, 4, 3), (7, 4, 4)];
        for (members, quorum, nack) in sizes {
            assert_eq!(Quorums::of(members), Quorums { replication: quorum, view_change: quorum, nack });
        }
    }

    #[test]
    fn any_replication_quorum_meets_any_view_change_quorum_and_any_nack_quorum() {
        for members in 1..=7_u8 {
            let quorums = Quorums::of(members);
            for one in 0..1_u32 << members {
                if one.count_ones() < quorums.replication {
                    continue;
                }
                for other in 0..1_u32 << members {
                    let meets = one & other != 0;
                    assert!(meets || (other.count_ones() < quorums.view_change && other.count_ones() < quorums.nack));
                }
            }
        }
    }

    #[test]
    fn a_member_counts_once() {
        let mut members = Members::default();
        assert!(members.is_empty());
        assert!(members.insert(ReplicaId(2)));
        assert!(!members.insert(ReplicaId(2)));
        assert!(members.contains(ReplicaId(2)) && !members.contains(ReplicaId(1)));
        assert_eq!(members.len(), 1);
    }
}
