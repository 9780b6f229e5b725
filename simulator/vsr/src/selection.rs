//! The choice of a new view's log among the logs of a quorum: a pure function, because every member must be able to argue it.
//!
//! The log of the highest last normal view wins, the longest among those. What it lacks because a disk was damaged comes from
//! any other log that holds it; what nobody holds is dropped only when so many members certainly never voted for it that it
//! cannot have been committed, and is waited for otherwise.
//!
//! Waiting ends when every voter has sent its log: if none of them holds an entry, nobody ever will. Such an entry was not
//! committed, because of the copies of a committed entry one at least is good; without that no protocol could keep it. Where
//! this matters, in steps: (1) two of three replicas crash while they write ops 8 and 9; (2) on both disks 9 is there and 8 is
//! not; (3) each must call 8 unknown, since a disk that lost it and one that lies about it look alike; (4) the third never got
//! 8 and denies it, one denial where two are needed. A single replica has no other copies, and drops nothing that was damaged.

use crate::entry::Entry;
use crate::ids::{Hash, Op, ReplicaId, View};
use crate::message::{DoViewChange, TailSlot};
use crate::quorum::{Members, Quorums};
use crate::start_view::EnterView;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// A log for each member that has sent one.
pub(crate) type Logs = [Option<Box<DoViewChange>>];

/// How the choice is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The members whose logs count.
    pub voters: Members,
    /// How many members must agree.
    pub quorums: Quorums,
    /// Whether entries of different logs must connect where they meet.
    pub is_chain_checked: bool,
    /// Who wins a tie: only where the guard is switched off by which the hash decides it.
    pub favourite: Option<ReplicaId>,
    /// Whether a damaged slot counts as one that never held anything: only where that guard is switched off.
    pub is_unknown_denied: bool,
}

impl DoViewChange {
    /// The slot at an op of the tail.
    fn slot(&self, op: Op) -> Option<&TailSlot> {
        self.tail.get(usize::try_from(op.0.checked_sub(self.commit.0 + 1)?).ok()?)
    }

    /// Last op that the sender may have voted for.
    fn reach(&self) -> Op {
        Op(self.op.0 + u64::from(self.uncertain))
    }

    /// The tail as what stands before the head, whatever the commit number says: only where the guard against a commit number
    /// beyond the head is switched off.
    pub(crate) fn read_from_head(&mut self) {
        self.commit = Op(self.op.0.saturating_sub(self.tail.len() as u64));
        self.commit_hash = match self.tail.first() {
            Some(TailSlot::Present(entry)) => entry.previous_hash,
            Some(TailSlot::Missing(_)) => self.commit_hash,
            None => self.hash,
        };
    }

    /// Whether the sender certainly never voted for the entry `wanted` at `op`, in a view in which it may have been committed.
    /// Where the hash is not known, the entry is at least one of view `newest`.
    fn denies(&self, op: Op, wanted: Option<Hash>, newest: View, rules: Rules) -> bool {
        if op <= self.commit {
            return false;
        }
        // The guard: a damaged slot is unknown, not empty.
        if rules.is_unknown_denied && !matches!(self.slot(op), Some(TailSlot::Present(_))) {
            return true;
        }
        if op > self.op {
            return op > self.reach();
        }
        let is_older = self.last_normal_view < newest;
        match (self.slot(op), wanted) {
            (Some(TailSlot::Present(own)), Some(wanted)) => own.hash != wanted,
            (Some(TailSlot::Missing(Some(own))), Some(wanted)) => is_older && *own != wanted,
            (Some(TailSlot::Present(_) | TailSlot::Missing(Some(_))), None) => is_older,
            (Some(TailSlot::Missing(None)) | None, _) => false,
        }
    }
}

/// The log to enter the view with, unless more logs must be waited for.
pub(crate) fn select(view: View, logs: &Logs, rules: Rules) -> Option<EnterView> {
    let voters = || (0..).map(ReplicaId).zip(logs).filter(|(replica, _)| rules.voters.contains(*replica));
    let sent = || voters().filter_map(|(replica, log)| Some((replica, log.as_deref()?)));
    let mut members = Members::default();
    for (replica, _) in sent() {
        members.insert(replica);
    }
    if members.len() < rules.quorums.view_change {
        return None;
    }
    // The guard: ties are decided by the hash, then by the number, which are the same for whoever looks.
    let is_favourite = |replica| rules.favourite == Some(replica);
    let rank =
        |(replica, log): &(ReplicaId, &DoViewChange)| (log.last_normal_view, log.op, is_favourite(*replica), log.hash, Reverse(*replica));
    let (_, best) = sent().max_by_key(rank)?;
    let newest = best.last_normal_view;
    let all: Vec<&DoViewChange> = sent().map(|(_, log)| log).collect();
    let (base, base_hash) = proven_commit(&all, best);
    let reach = all.iter().filter(|log| log.last_normal_view == newest).map(|log| log.reach()).max()?;
    let everybody = rules.voters.len() > 1 && all.len() == rules.voters.len() as usize;
    let mut entries: Vec<Arc<Entry>> = Vec::new();
    let mut below = base_hash;
    for op in (base.0 + 1..=reach.0).map(Op) {
        let wanted = wanted_at(&all, best, op);
        if let Some(entry) = held(&all, op, wanted) {
            if entry.previous_hash != below && rules.is_chain_checked {
                return None;
            }
            below = entry.hash;
            entries.push(Arc::clone(entry));
            continue;
        }
        let denials = all.iter().filter(|log| log.denies(op, wanted, newest, rules)).count();
        if denials < rules.quorums.nack as usize && !everybody {
            return None;
        }
        break;
    }
    Some(EnterView { view, commit: base, base, base_hash, entries, trim: Op(0), checkpoint: None, quorum: Some(members.0) })
}

/// The highest commit number that the chosen log bears out: a number that it contradicts is nobody's commit number.
fn proven_commit(all: &[&DoViewChange], best: &DoViewChange) -> (Op, Hash) {
    let is_proven = |log: &&&DoViewChange| {
        let known = if log.commit == best.commit { Some(best.commit_hash) } else { best.slot(log.commit).and_then(TailSlot::hash) };
        log.commit <= best.op && known.is_none_or(|known| known == log.commit_hash)
    };
    let highest = all.iter().filter(is_proven).max_by_key(|log| log.commit);
    highest.map_or((best.commit, best.commit_hash), |log| (log.commit, log.commit_hash))
}

/// Hash of the entry that the newest view's log has at an op, where any of its logs knows it.
fn wanted_at(all: &[&DoViewChange], best: &DoViewChange, op: Op) -> Option<Hash> {
    let of_newest = all.iter().filter(|log| log.last_normal_view == best.last_normal_view);
    let known = |log: &DoViewChange| log.slot(op).and_then(TailSlot::hash);
    known(best).or_else(|| of_newest.copied().find_map(known))
}

/// The entry itself, whoever holds it.
fn held<'a>(all: &[&'a DoViewChange], op: Op, wanted: Option<Hash>) -> Option<&'a Arc<Entry>> {
    let wanted = wanted?;
    all.iter().find_map(|log| match log.slot(op) {
        Some(TailSlot::Present(entry)) if entry.hash == wanted => Some(entry),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Logs, Rules, select};
    use crate::entry::{Entry, EntryFields};
    use crate::ids::{Hash, Op, View};
    use crate::message::{DoViewChange, TailSlot};
    use crate::quorum::{Members, Quorums};
    use alloc::boxed::Box;
    use alloc::sync::Arc;
    use alloc::vec::Vec;

    fn chain(count: u64, view: u64, mut below: Hash) -> Vec<Arc<Entry>> {
        let mut entries = Vec::new();
        for op in 1..=count {
            let fields = EntryFields { op: Op(op), view: View(view), previous_hash: below, ..EntryFields::default() };
            entries.push(Arc::new(Entry::new(fields)));
            below = entries.last().expect("just pushed").hash;
        }
        entries
    }

    /// A log with nothing committed; `damaged` are the ops that cannot be read.
    #[expect(clippy::unnecessary_wraps, reason = "a voter that has not sent its log is none")]
    fn log(last_normal_view: u64, entries: &[Arc<Entry>], damaged: &[u64], uncertain: u32) -> Option<Box<DoViewChange>> {
        let slot = |entry: &Arc<Entry>| {
            if damaged.contains(&entry.op.0) { TailSlot::Missing(Some(entry.hash)) } else { TailSlot::Present(Arc::clone(entry)) }
        };
        Some(Box::new(DoViewChange {
            last_normal_view: View(last_normal_view),
            commit: Op(0),
            commit_hash: Hash::default(),
            op: Op(entries.len() as u64),
            hash: entries.last().map_or(Hash::default(), |entry| entry.hash),
            uncertain,
            retained: Op(0),
            checkpoint: Op(0),
            tail: entries.iter().map(slot).collect(),
        }))
    }

    fn rules(members: u8) -> Rules {
        Rules {
            voters: Members::first(members),
            quorums: Quorums::of(members),
            is_chain_checked: true,
            favourite: None,
            is_unknown_denied: false,
        }
    }

    /// Head of the log that is chosen; `None` if more logs must be waited for.
    fn head(logs: &Logs) -> Option<(u64, Option<u32>)> {
        select(View(9), logs, rules(u8::try_from(logs.len()).expect("few"))).map(|enter| (enter.head().0, enter.quorum))
    }

    #[test]
    fn a_quorum_of_logs_is_needed() {
        let entries = chain(3, 0, Hash::default());
        assert_eq!(head(&[log(0, &entries, &[], 0), None, None]), None);
        assert_eq!(head(&[log(0, &entries, &[], 0), None, log(0, &entries[..1], &[], 0)]), Some((3, Some(0b101))));
    }

    #[test]
    fn a_newer_view_beats_a_longer_log() {
        let (old, new) = (chain(5, 0, Hash::default()), chain(2, 1, Hash::default()));
        assert_eq!(head(&[log(0, &old, &[], 0), log(1, &new, &[], 0), None]), Some((2, Some(0b011))));
    }

    #[test]
    fn a_damaged_entry_comes_from_whoever_holds_it() {
        let entries = chain(3, 0, Hash::default());
        let logs = [log(1, &entries, &[2], 0), log(0, &entries[..2], &[], 0), None];
        assert_eq!(head(&logs), Some((3, Some(0b011))));
    }

    #[test]
    fn what_nobody_holds_is_waited_for_until_enough_deny_it() {
        let entries = chain(3, 0, Hash::default());
        let damaged = || log(0, &entries, &[2], 0);
        let shorter = || log(0, &entries[..1], &[], 0);
        assert_eq!(head(&[damaged(), shorter(), None]), None, "one denial of two");
        assert_eq!(head(&[damaged(), shorter(), shorter()]), Some((1, Some(0b111))));
        // Of five, three must deny it.
        assert_eq!(head(&[damaged(), shorter(), shorter(), None, None]), None);
        assert_eq!(head(&[damaged(), shorter(), shorter(), shorter(), None]), Some((1, Some(0b1111))));
    }

    #[test]
    fn an_uncertain_head_is_waited_for_too() {
        let entries = chain(3, 0, Hash::default());
        let uncertain = log(0, &entries[..2], &[], 1);
        assert_eq!(head(&[uncertain.clone(), log(0, &entries[..2], &[], 0), None]), None);
        assert_eq!(head(&[uncertain.clone(), log(0, &entries, &[], 0), None]), Some((3, Some(0b011))));
        // In a newer view than the uncertain one everything committed is known.
        let newer = log(1, &entries[..2], &[], 0);
        assert_eq!(head(&[uncertain, newer, None]), Some((2, Some(0b011))));
    }

    #[test]
    fn when_everybody_has_answered_nobody_is_waited_for() {
        let entries = chain(3, 0, Hash::default());
        let damaged = || log(0, &entries, &[2], 0);
        assert_eq!(head(&[damaged(), damaged(), None]), None);
        assert_eq!(head(&[damaged(), damaged(), log(0, &entries[..1], &[], 0)]), Some((1, Some(0b111))));
        // Alone, a replica has nobody who could hold it, and drops nothing.
        assert_eq!(head(&[damaged()]), None);
    }

    #[test]
    fn a_commit_number_that_the_log_contradicts_is_nobodys() {
        let entries = chain(3, 0, Hash::default());
        let mut liar = log(0, &entries[..1], &[], 0);
        if let Some(liar) = &mut liar {
            (liar.commit, liar.op, liar.commit_hash) = (Op(9), Op(9), Hash([7; 32]));
            liar.tail.clear();
            liar.last_normal_view = View(0);
        }
        let chosen = select(View(9), &[log(1, &entries, &[], 0), liar, None], rules(3)).expect("a quorum");
        assert_eq!((chosen.commit, chosen.head()), (Op(0), Op(3)));
    }
}
