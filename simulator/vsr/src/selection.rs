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

/// A log for each voter that has sent one.
pub(crate) type Logs = [Option<Box<DoViewChange>>];

impl DoViewChange {
    /// The slot at an op of the tail.
    fn slot(&self, op: Op) -> Option<&TailSlot> {
        self.tail.get(usize::try_from(op.0.checked_sub(self.commit.0 + 1)?).ok()?)
    }

    /// Last op that the sender may have voted for.
    fn reach(&self) -> Op {
        Op(self.op.0 + u64::from(self.uncertain))
    }

    /// Whether the sender certainly never voted for the entry `wanted` at `op`, in a view in which it may have been committed.
    /// Where the hash is not known, the entry is at least one of view `newest`.
    fn denies(&self, op: Op, wanted: Option<Hash>, newest: View) -> bool {
        if op <= self.commit {
            return false;
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
pub(crate) fn select(view: View, logs: &Logs, quorums: Quorums) -> Option<EnterView> {
    let sent = || (0..).map(ReplicaId).zip(logs).filter_map(|(replica, log)| Some((replica, log.as_deref()?)));
    let mut members = Members::default();
    for (replica, _) in sent() {
        members.insert(replica);
    }
    if members.len() < quorums.view_change {
        return None;
    }
    let rank = |(replica, log): &(ReplicaId, &DoViewChange)| (log.last_normal_view, log.op, log.hash, Reverse(*replica));
    let (_, best) = sent().max_by_key(rank)?;
    let newest = best.last_normal_view;
    let all: Vec<&DoViewChange> = sent().map(|(_, log)| log).collect();
    let (base, base_hash) = proven_commit(&all, best);
    let reach = all.iter().filter(|log| log.last_normal_view == newest).map(|log| log.reach()).max()?;
    let everybody = logs.len() > 1 && all.len() == logs.len();
    let mut entries: Vec<Arc<Entry>> = Vec::new();
    let mut below = base_hash;
    for op in (base.0 + 1..=reach.0).map(Op) {
        let wanted = wanted_at(&all, best, op);
        if let Some(entry) = held(&all, op, wanted) {
            if entry.previous_hash != below {
                return None;
            }
            below = entry.hash;
            entries.push(Arc::clone(entry));
            continue;
        }
        let denials = all.iter().filter(|log| log.denies(op, wanted, newest)).count();
        if denials < quorums.nack as usize && !everybody {
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
