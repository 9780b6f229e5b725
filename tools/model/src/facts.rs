//! What the notes of a cluster establish, and which later note contradicts it.
//!
//! It is part of the explored state: two ways to the same replicas that have established different facts are different.

use std::collections::BTreeMap;
use vsr::ids::{Hash, Op, View};
use vsr::io::{EntryName, Note, StateSummary};

/// A property that does not hold any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// Two entries were committed at one op number.
    Agreement,
    /// A replica committed an op number without the one before it.
    Prefix,
    /// A primary entered a view without an entry that an earlier view had committed.
    Durability,
    /// A replica came back in an older view than it had voted for.
    Promise,
    /// A primary counted a vote for an entry that its voter had not cast in that view.
    Votes,
    /// A replica handed its log to a new primary before a quorum had left the old view.
    Agreed,
}

/// An entry that some replica has committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Commitment {
    /// Which entry.
    pub hash: Hash,
    /// View of the replica that committed it first.
    pub view: View,
}

/// Everything established so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// By op number, what was committed there first.
    pub committed: BTreeMap<Op, Commitment>,
    commit: Vec<Op>,
    voted: Vec<View>,
    /// By replica and view, up to where it has acknowledged the log in that view.
    acknowledged: Vec<BTreeMap<View, Op>>,
    /// By view, a bit for each replica that has left an older one for it.
    left: BTreeMap<View, u32>,
    /// The first contradiction.
    pub broken: Option<Broken>,
}

impl Facts {
    /// Of a cluster that has just been formatted.
    #[must_use]
    pub fn new(replicas: usize) -> Self {
        Self {
            committed: BTreeMap::new(),
            commit: vec![Op(0); replicas],
            voted: vec![View(0); replicas],
            acknowledged: vec![BTreeMap::new(); replicas],
            left: BTreeMap::new(),
            broken: None,
        }
    }

    fn expect(&mut self, holds: bool, broken: Broken) {
        if !holds {
            self.broken.get_or_insert(broken);
        }
    }

    /// Learns what `replica` says; `is_primary` is whether it leads the view that it is in.
    pub fn learn(&mut self, replica: usize, is_primary: bool, state: &StateSummary, note: &Note) {
        match note {
            Note::Restarted => {
                self.expect(state.view >= self.voted[replica], Broken::Promise);
                self.commit[replica] = state.commit;
            }
            Note::VoteCast { view, head } => {
                self.voted[replica] = self.voted[replica].max(*view);
                let left = self.left.entry(*view).or_default();
                *left |= 1 << replica;
                let quorum = (left.count_ones() as usize) > self.voted.len() / 2;
                self.expect(head.is_none() || quorum, Broken::Agreed);
            }
            Note::Acknowledged(entry) => {
                let up_to = self.acknowledged[replica].entry(state.view).or_default();
                *up_to = entry.op.max(*up_to);
            }
            Note::Committed { entry, quorum } => {
                let has_voted = |voter: usize| self.acknowledged[voter].get(&state.view).is_some_and(|up_to| *up_to >= entry.op);
                let counted = |voter: &usize| quorum.is_some_and(|quorum| quorum >> voter & 1 == 1);
                // The primary's own vote is its durable entry, which the disks show.
                let true_votes = (0..self.voted.len()).filter(counted).all(|voter| voter == replica || has_voted(voter));
                self.expect(true_votes, Broken::Votes);
                self.expect(entry.op.0 == self.commit[replica].0 + 1, Broken::Prefix);
                self.agree(entry, state.view);
                self.commit[replica] = entry.op;
            }
            Note::StateInstalled { entry, .. } => {
                self.agree(entry, state.view);
                self.commit[replica] = entry.op;
            }
            Note::ViewEntered { head, .. } if is_primary => {
                let mut before = self.committed.iter().filter(|(_, entry)| entry.view < state.view);
                let holds = before.all(|(op, entry)| *op < state.op || (*op == state.op && entry.hash == *head));
                self.expect(holds, Broken::Durability);
            }
            _ => {}
        }
    }

    fn agree(&mut self, entry: &EntryName, view: View) {
        let first = *self.committed.entry(entry.op).or_insert(Commitment { hash: entry.hash, view });
        self.expect(first.hash == entry.hash, Broken::Agreement);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(op: u64, hash: u8) -> EntryName {
        EntryName { op: Op(op), hash: Hash([hash; 32]) }
    }

    fn after(notes: &[(usize, u64, u64, Note)]) -> Option<Broken> {
        let mut facts = Facts::new(2);
        for (replica, view, op, note) in notes {
            let state = StateSummary { view: View(*view), op: Op(*op), ..StateSummary::default() };
            facts.learn(*replica, true, &state, note);
        }
        facts.broken
    }

    #[test]
    fn each_property_can_break() {
        let commits = |op, hash| Note::Committed { entry: name(op, hash), quorum: None };
        let enters = |hash| Note::ViewEntered { head: Hash([hash; 32]), quorum: None };
        assert_eq!(after(&[(0, 0, 1, commits(1, 1)), (1, 0, 1, commits(1, 1))]), None);
        assert_eq!(after(&[(0, 0, 1, commits(1, 1)), (1, 0, 1, commits(1, 2))]), Some(Broken::Agreement));
        assert_eq!(after(&[(0, 0, 2, commits(2, 1))]), Some(Broken::Prefix));
        assert_eq!(after(&[(0, 0, 1, commits(1, 1)), (1, 1, 1, enters(1))]), None);
        assert_eq!(after(&[(0, 0, 1, commits(1, 1)), (1, 1, 1, enters(2))]), Some(Broken::Durability));
        assert_eq!(after(&[(0, 0, 1, commits(1, 1)), (1, 1, 0, enters(0))]), Some(Broken::Durability));
        // What the same view commits later may well be above the log that it began with.
        assert_eq!(after(&[(0, 1, 1, commits(1, 1)), (1, 1, 0, enters(0))]), None);
        let votes = Note::VoteCast { view: View(3), head: None };
        assert_eq!(after(&[(0, 3, 0, votes.clone()), (0, 3, 0, Note::Restarted)]), None);
        assert_eq!(after(&[(0, 3, 0, votes), (0, 2, 0, Note::Restarted)]), Some(Broken::Promise));
    }

    #[test]
    fn votes_count_in_their_own_view_and_logs_leave_after_a_quorum_has() {
        let counts = |op, quorum| Note::Committed { entry: name(op, 1), quorum: Some(quorum) };
        let acknowledges = |op| Note::Acknowledged(name(op, 1));
        assert_eq!(after(&[(1, 0, 1, acknowledges(1)), (0, 0, 1, counts(1, 0b11))]), None);
        assert_eq!(after(&[(0, 0, 1, counts(1, 0b11))]), Some(Broken::Votes));
        assert_eq!(after(&[(1, 0, 1, acknowledges(1)), (0, 1, 1, counts(1, 0b11))]), Some(Broken::Votes));
        let (leaves, hands_over) =
            (Note::VoteCast { view: View(1), head: None }, Note::VoteCast { view: View(1), head: Some(Hash::default()) });
        assert_eq!(after(&[(0, 1, 0, leaves.clone()), (1, 1, 0, leaves.clone()), (0, 1, 0, hands_over.clone())]), None);
        assert_eq!(after(&[(0, 1, 0, leaves), (0, 1, 0, hands_over)]), Some(Broken::Agreed));
    }
}
