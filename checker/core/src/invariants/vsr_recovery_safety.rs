//! `vsr_recovery_safety`: after a restart nothing that the replica had promised is forgotten.
//!
//! Quorums intersect in a replica, not in a process: a promise that ends with the process makes the intersection empty.
//!
//! **Formally.** Per replica r: (1) `restarted.view` is at least the view of every `vote_cast` and `acknowledged` of r before, and
//! `restarted.last_normal_view` at least that of every `acknowledged`. (2) Let A be the entries that r acknowledged and has not given
//! up since: by an `entry_truncated`, or by entering a newer view whose log does not hold them (`vsr_view_change_safety` judges that
//! log), or by being found in one at a restart (below). An op of A above both the recovered head and the recovered checkpoint is
//! reported damaged (`corruption_detected`) before r acts (votes for an entry, casts a `do_view_change`, enters a view): then r says
//! that it does not know, and is no longer held to it. (3) A `do_view_change` of r has a log that holds the largest entry of A:
//! following the links down from its head ends there. (4) r does not truncate an entry of A in the view in which it acknowledged it,
//! unless a checkpoint covers it. (5) When the disk of r was replaced (a `started` after a promise) r acknowledges nothing and votes
//! for no view before it has entered a view above every view that it had voted for or acknowledged in.
//!
//! **Evidence.** transition: replica, event, view, `last_normal_view`, op, commit, `entry_hash`, `previous_hash`.
//!
//! **Deliberately not checked.** What a replica acknowledged in older views when it restarts in a view (`last_normal_view`) that it
//! had not entered: it was entering it when it crashed, and no row says which log its superblock had got. Counter-example, in steps:
//! (1) replica 0 acknowledges op 7 in view 0; (2) it is to lead view 5 with the log of a newer view, which ends at op 6, and writes
//! that to its superblock; (3) it crashes after the write and before the view; (4) it restarts in view 5 without op 7. Whether what
//! the restart read is the acknowledged entry, slot by slot: no row says what a slot held. Rule 3, `hash_chain` and
//! `vsr_prefix_property` see it when the replica uses the slot.

use crate::budget::Meter;
use crate::index::{EntryId, EventSet, Grid, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{Kind, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "vsr_recovery_safety",
    version: 3,
    category: Category::Replication,
    reads: &[Reads {
        kind: Kind::Transition,
        columns: &["replica", "event", "view", "last_normal_view", "op", "commit", "entry_hash", "previous_hash"],
    }],
    statement: "after a restart nothing the replica had acknowledged is forgotten, and its view is not older than any vote it gave",
    because_of: &["replica_head"],
    check,
};

const EVENTS: EventSet = EventSet::of(&[
    Event::Started,
    Event::Restarted,
    Event::EntryAppended,
    Event::EntryTruncated,
    Event::Repaired,
    Event::CorruptionDetected,
    Event::StateInstalled,
    Event::CheckpointDurable,
    Event::VoteCast,
    Event::Acknowledged,
    Event::ViewEntered,
]);

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no replica restarted after a promise, or voted for a view", || follow(index, meter))
}

#[derive(Clone, Copy, Default)]
struct Replica {
    /// Largest view that it voted for or acknowledged in, and the row.
    promised: u64,
    promised_row: Option<usize>,
    /// Largest view that it entered.
    entered: u64,
    /// Largest view that it acknowledged in.
    normal: u64,
    normal_row: Option<usize>,
    /// Largest op that it acknowledged and did not truncate since: no acknowledged op is above it.
    acknowledged: u64,
    head: u64,
    covered: u64,
    /// The largest view that its former self, whose disk was replaced, had promised anything in, and the row; until it has entered a later
    /// one.
    former: Option<(u64, usize)>,
    /// The restart whose log is shorter than what was acknowledged, until the replica acts.
    short: Option<usize>,
}

struct Memory<'a, 'h> {
    index: &'a RunIndex<'h>,
    replicas: Vec<Replica>,
    /// Per replica and op number, the row that acknowledged the entry, as row + 1; 0 when nothing is promised there.
    promises: Grid<u32>,
    /// Per replica and op number, whether damage was reported since the last restart.
    damaged: Grid<bool>,
    facts: u64,
}

fn follow(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let mut ticker = meter.ticker();
    let mut memory = Memory {
        index,
        replicas: vec![Replica::default(); index.replicas()],
        promises: Grid::new(index.replicas(), index.ops(), 0),
        damaged: Grid::new(index.replicas(), index.ops(), false),
        facts: 0,
    };
    for (row, event) in index.events(EVENTS) {
        ticker.step()?;
        memory.row(row, event)?;
    }
    Ok(memory.facts)
}

impl Memory<'_, '_> {
    fn row(&mut self, row: usize, event: Event) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let number = table.replica[row];
        let op = table.op.get(row).unwrap_or(0);
        let Some(replica) = self.replicas.get_mut(usize::from(number)) else { return Ok(()) };
        match event {
            // A formatted disk promises nothing: the replica joins anew.
            Event::Started => {
                let former = replica.former.max(replica.promised_row.map(|row| (replica.promised, row)));
                *replica = Replica { former, ..Replica::default() };
                self.promises.row_mut(number).fill(0);
            }
            Event::Restarted => self.restarted(row)?,
            Event::EntryAppended | Event::Repaired => replica.head = replica.head.max(op),
            Event::StateInstalled | Event::CheckpointDurable => {
                replica.covered = replica.covered.max(op);
                replica.head = replica.head.max(op);
            }
            Event::CorruptionDetected if table.op.get(row).is_some() => self.damaged.set(number, op, true),
            Event::EntryTruncated => self.truncated(row, op)?,
            Event::Acknowledged => {
                let head = replica.head.max(op);
                self.without_former(row)?;
                self.acts(row, head)?;
                self.acknowledged(row, op);
            }
            Event::VoteCast => {
                self.without_former(row)?;
                if let Some(head) = self.index.entries().of_row(row) {
                    self.acts(row, op)?;
                    self.voted_log(row, head)?;
                }
                self.promise(row);
            }
            Event::ViewEntered => {
                replica.entered = replica.entered.max(table.view[row]);
                replica.former = replica.former.filter(|(view, _)| table.view[row] <= *view);
                self.acts(row, op)?;
                self.superseded(row, op);
            }
            _ => {}
        }
        Ok(())
    }

    /// What a former self has promised, and nobody here remembers, must not be contradicted.
    fn without_former(&mut self, row: usize) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let number = table.replica[row];
        let Some(replica) = self.replicas.get(usize::from(number)) else { return Ok(()) };
        let Some((view, promise)) = replica.former else { return Ok(()) };
        let summary = format!("replica {number} votes again, its disk replaced, before it has entered a view above {view}");
        let witness = Witness::new("voted_after_reformat", summary)
            .step(self.index.transition_step(promise, format!("its former self: {} in view {view}", table.event.get(promise))))
            .step(self.index.transition_step(row, format!("{} in view {}", table.event.get(row), table.view[row])));
        Err(witness.into())
    }

    fn promise(&mut self, row: usize) {
        let table = self.index.transitions();
        let Some(replica) = self.replicas.get_mut(usize::from(table.replica[row])) else { return };
        if table.view[row] >= replica.promised {
            (replica.promised, replica.promised_row) = (table.view[row], Some(row));
        }
    }

    fn acknowledged(&mut self, row: usize, op: u64) {
        self.promise(row);
        let table = self.index.transitions();
        let Some(replica) = self.replicas.get_mut(usize::from(table.replica[row])) else { return };
        if table.view[row] >= replica.normal {
            (replica.normal, replica.normal_row) = (table.view[row], Some(row));
        }
        if self.index.op_index(op).is_some() {
            replica.acknowledged = replica.acknowledged.max(op);
            self.promises.set(table.replica[row], op, u32::try_from(row + 1).unwrap_or(u32::MAX));
        }
    }

    fn restarted(&mut self, row: usize) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let number = table.replica[row];
        let Some(replica) = self.replicas.get_mut(usize::from(number)) else { return Ok(()) };
        (replica.head, replica.covered, replica.short) = (table.op.get(row).unwrap_or(0), table.commit[row], None);
        self.damaged.row_mut(number).fill(false);
        if replica.promised_row.is_none() {
            return Ok(());
        }
        self.facts += 1;
        let replica = *replica;
        let forgot = |shape: &str, what: &str, promised: u64, recovered: u64, promise: Option<usize>| {
            let summary = format!("replica {number} had voted in view {promised} and recovered with {what} {recovered}");
            Witness::new(shape, summary)
                .step_if(promise.map(|row| self.index.transition_step(row, format!("{} in view {promised}", table.event.get(row)))))
                .step(self.index.transition_step(row, format!("replica {number} recovers with {what} {recovered}")))
        };
        if table.view[row] < replica.promised {
            return Err(forgot("view_forgotten", "view", replica.promised, table.view[row], replica.promised_row).into());
        }
        if table.last_normal_view[row] < replica.normal {
            let recovered = table.last_normal_view[row];
            return Err(forgot("last_normal_view_forgotten", "last normal view", replica.normal, recovered, replica.normal_row).into());
        }
        if table.last_normal_view[row] > replica.entered {
            self.entered_in_the_crash(row, replica.acknowledged);
        }
        if replica.acknowledged > replica.head.max(replica.covered)
            && let Some(known) = self.replicas.get_mut(usize::from(number))
        {
            known.short = Some(row);
        }
        Ok(())
    }

    /// It had the log of a view that it had not entered yet: what it acknowledged in older ones may have made way.
    fn entered_in_the_crash(&mut self, restart: usize, top: u64) {
        let table = self.index.transitions();
        let (number, view) = (table.replica[restart], table.last_normal_view[restart]);
        for op in 1..=top {
            if self.promise_at(number, op).is_some_and(|promise| table.view[promise] < view) {
                self.promises.set(number, op, 0);
            }
        }
        if let Some(replica) = self.replicas.get_mut(usize::from(number)) {
            replica.entered = view;
        }
    }

    /// A replica acts with this head: what it acknowledged is below it, or known to be damaged.
    fn acts(&mut self, row: usize, head: u64) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let number = table.replica[row];
        let Some(replica) = self.replicas.get_mut(usize::from(number)) else { return Ok(()) };
        replica.head = head;
        let Some(restart) = replica.short.take() else { return Ok(()) };
        let top = replica.acknowledged;
        // Above the recovered head everything must be damaged, below it the log is what the disk held.
        let recovered = table.op.get(restart).unwrap_or(0).max(table.commit[restart]);
        for op in recovered.saturating_add(1)..=top {
            let Some(promise) = self.promise_at(number, op) else { continue };
            if !self.damaged.get(number, op).unwrap_or(false) {
                return Err(self.forgotten(op, promise, restart, row).into());
            }
            // It says that it does not know what it held: whoever counts its vote can wait for others.
            self.promises.set(number, op, 0);
        }
        Ok(())
    }

    /// A newer view's log takes the place of the replica's own: what it acknowledged in older views and that log does not hold is no
    /// promise any more. A hole, or an entry that is only kept as a candidate, leaves without an `entry_truncated`.
    fn superseded(&mut self, row: usize, head: u64) {
        let (table, entries) = (self.index.transitions(), self.index.entries());
        let number = table.replica[row];
        let Some(replica) = self.replicas.get(usize::from(number)) else { return };
        let (bottom, top) = (replica.covered, replica.acknowledged);
        let mut at = entries.of_row(row);
        for op in (bottom.saturating_add(1)..=top).rev() {
            while let Some(above) = at.filter(|entry| entries.op(*entry) > op) {
                at = entries.parent(above);
            }
            let Some(promise) = self.promise_at(number, op) else { continue };
            // Where the new log's links are not known, neither is what it holds.
            let kept = op <= head && at.is_some() && entries.of_row(promise) == at;
            if table.view[promise] < table.view[row] && !kept {
                self.promises.set(number, op, 0);
            }
        }
    }

    fn promise_at(&self, number: u8, op: u64) -> Option<usize> {
        self.promises.get(number, op).and_then(|row| (row as usize).checked_sub(1))
    }

    fn forgotten(&self, op: u64, promise: usize, restart: usize, act: usize) -> Witness {
        let table = self.index.transitions();
        let number = table.replica[restart];
        let head = table.op.get(restart).unwrap_or(0);
        let summary = format!("op {op}, which replica {number} had acknowledged, is gone without any damage after its restart");
        Witness::new("acknowledged_entry_lost", summary)
            .step(self.index.transition_step(promise, format!("replica {number} acknowledges op {op}")))
            .step(self.index.transition_step(restart, format!("it restarts and its log ends at op {head}")))
            .step(self.index.transition_step(act, format!("it acts without op {op}: {}", table.event.get(act))))
    }

    fn truncated(&mut self, row: usize, op: u64) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let number = table.replica[row];
        let Some(replica) = self.replicas.get_mut(usize::from(number)) else { return Ok(()) };
        if replica.head == op {
            replica.head = op.saturating_sub(1);
        }
        let covered = replica.covered;
        let Some(promise) = self.promise_at(number, op) else { return Ok(()) };
        if table.entry_hash.0[promise] != table.entry_hash.0[row] {
            return Ok(());
        }
        if table.view[promise] >= table.view[row] && op > covered && !self.index.installed_in_this_step(row, op) {
            let summary = format!("replica {number} acknowledged op {op} and gave it up in the same view {}", table.view[row]);
            let witness = Witness::new("given_up_in_its_view", summary)
                .step(self.index.transition_step(promise, format!("op {op} is acknowledged in view {}", table.view[promise])))
                .step(self.index.transition_step(row, format!("op {op} is truncated in view {}", table.view[row])));
            return Err(witness.into());
        }
        self.promises.set(number, op, 0);
        Ok(())
    }

    /// The log of a `do_view_change` holds the largest entry that the replica still stands by.
    fn voted_log(&mut self, row: usize, head: EntryId) -> Result<(), Box<Verdict>> {
        let (table, entries) = (self.index.transitions(), self.index.entries());
        let number = table.replica[row];
        let Some(replica) = self.replicas.get_mut(usize::from(number)) else { return Ok(()) };
        while replica.acknowledged > 0 && self.promises.get(number, replica.acknowledged) == Some(0) {
            replica.acknowledged -= 1;
        }
        let (op, covered) = (replica.acknowledged, replica.covered);
        let Some(promise) = self.promise_at(number, op) else { return Ok(()) };
        if op <= covered {
            return Ok(());
        }
        let hash = table.entry_hash.0[promise];
        let what = match entries.ancestor_hash(head, op) {
            Some(found) if found == hash => {
                self.facts += 1;
                return Ok(());
            }
            Some(found) => format!("holds hash {found:016x} there"),
            None if entries.op(head) < op => format!("ends at op {}", entries.op(head)),
            None => return Ok(()),
        };
        let summary = format!("replica {number} acknowledged op {op}, but the log with which it votes for view {} {what}", table.view[row]);
        let witness = Witness::new("voted_with_another_log", summary)
            .step(self.index.transition_step(promise, format!("op {op}, hash {hash:016x}, is acknowledged")))
            .step(self.index.transition_step(row, format!("replica {number} votes with head {}", entries.op(head))));
        Err(witness.into())
    }
}

#[cfg(test)]
mod tests;
