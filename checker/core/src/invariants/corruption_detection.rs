//! `corruption_detection`: every damaged message or stored entry that was read was detected, and no clean one was refused for damage.
//!
//! Damage that is taken for data spreads; data that is taken for damage is thrown away.
//!
//! **Formally.** (1) A delivered message that a fault damaged (`bit_flip`, truncated, checksum) is refused, and no transition but `rejected`
//! and `corruption_detected` names it as its cause. (2) A message that no fault touched is not refused for its checksum, and no
//! `corruption_detected` names it. (3) A read of the log that returned damaged bytes is followed, on that replica and op, by a
//! `corruption_detected` within the same incarnation, unless the replica crashes, the entry is truncated, overwritten or covered first, or
//! the run ends. (4) A `corruption_detected` of a slot stands behind an access of that replica to that slot, or a fault of its disk, that
//! damaged it.
//!
//! **Evidence.** message: id, command, to, mutation, fate, `reject_reason`. transition: replica, event, op, cause, detail. storage: replica, io,
//! zone, op, outcome. fault: fault, target.
//!
//! **Deliberately not checked.** Stale reads (their bytes are undamaged): `hash_chain`. A slot that a read found damaged may also be answered
//! by the replica without a row when it knows already:
//! (1) the scrubber finds op 7 damaged; (2) a repair answer reads it again before the repair is complete; (3) one report is enough, so a read of a
//! slot that is already reported and not yet repaired needs none.

use crate::budget::Meter;
use crate::index::{EventSet, Grid, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::column::Niche;
use vopr_schema::{Fate, FaultKind, Kind, Mutation, RejectReason, StorageIo, StorageOutcome, TransitionEvent as Event, Zone};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "corruption_detection",
    version: 1,
    category: Category::Storage,
    reads: &[
        Reads { kind: Kind::Message, columns: &["id", "command", "to", "mutation", "fate", "reject_reason"] },
        Reads { kind: Kind::Transition, columns: &["replica", "event", "op", "cause", "detail"] },
        Reads { kind: Kind::Storage, columns: &["replica", "io", "zone", "op", "outcome"] },
        Reads { kind: Kind::Fault, columns: &["fault", "target"] },
    ],
    statement: "every corrupted message or entry that was read was detected; no clean one was refused for corruption",
    because_of: &[],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nothing was damaged and nothing refused as damaged", || {
        Ok(messages(index, meter)? + effects(index, meter)? + slots(index, meter)?)
    })
}

fn damages(mutation: Option<Mutation>) -> bool {
    matches!(mutation, Some(Mutation::BitFlip | Mutation::Truncated | Mutation::Checksum))
}

fn messages(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.messages();
    let mut ticker = meter.ticker();
    let mut facts = 0;
    for row in index.message_rows() {
        let (mutation, reason) = (table.mutation.codes[row], table.reject_reason.codes[row]);
        if mutation == u8::NONE && reason == u8::NONE {
            continue;
        }
        ticker.step()?;
        let name = || format!("{} from {} to {}", table.command.get(row), table.from[row], table.to[row]);
        if mutation == u8::NONE {
            if table.reject_reason.get(row) == Some(RejectReason::Checksum) {
                let witness = Witness::new("clean_message_refused", "a message that no fault touched was refused for its checksum");
                return Err(witness.step(index.message_step(row, name())).into());
            }
        } else if damages(table.mutation.get(row)) && table.fate.get(row) == Fate::Delivered && to_replica(index, row) {
            facts += 1;
            if reason == u8::NONE {
                let witness = Witness::new("damaged_message_accepted", "a damaged message was delivered and not refused");
                let what = table.mutation.get(row).unwrap_or_default();
                return Err(witness.step(index.message_step(row, format!("{}, damaged by {what}", name()))).into());
            }
        }
    }
    Ok(facts)
}

/// Clients check their messages too, but their rows do not say so.
fn to_replica(index: &RunIndex<'_>, row: usize) -> bool {
    usize::from(index.messages().to[row]) < index.replicas()
}

/// What damaged messages caused, and clean messages that were called damaged.
fn effects(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (table, messages) = (index.transitions(), index.messages());
    let mut ticker = meter.ticker();
    let reports = EventSet::of(&[Event::Rejected, Event::CorruptionDetected]);
    let mut facts = 0;
    for row in index.transition_rows() {
        ticker.step()?;
        let cause = table.cause.0[row];
        if cause == u64::NONE {
            continue;
        }
        let Some(message) = index.deliveries().message(cause) else { continue };
        let damaged = damages(messages.mutation.get(message));
        let event = table.event.codes[row];
        if damaged == reports.has(event) || (!damaged && event == Event::Rejected as u8) {
            facts += u64::from(damaged);
            continue;
        }
        // A slot that is found damaged while a clean message is handled is no statement about the message.
        if !damaged && table.op.0[row] != u64::NONE {
            continue;
        }
        // Copies of one message may differ: only one of them may be damaged.
        if damaged && has_clean_copy(index, message) {
            continue;
        }
        let (shape, summary) = if damaged {
            ("damaged_message_had_effect", format!("replica {} acted on a damaged message", table.replica[row]))
        } else {
            ("clean_message_called_damaged", format!("replica {} called a clean message damaged", table.replica[row]))
        };
        let words = format!("{} from {}", messages.command.get(message), messages.from[message]);
        let witness = Witness::new(shape, summary)
            .step(index.message_step(message, words))
            .step(index.transition_step(row, table.event.get(row).to_string()));
        return Err(witness.into());
    }
    Ok(facts)
}

fn has_clean_copy(index: &RunIndex<'_>, message: usize) -> bool {
    let table = index.messages();
    index.message_rows().any(|row| table.id[row] == table.id[message] && !damages(table.mutation.get(row)))
}

const SLOT_EVENTS: EventSet = EventSet::of(&[
    Event::CorruptionDetected,
    Event::EntryTruncated,
    Event::EntryAppended,
    Event::Repaired,
    Event::EntryDurable,
    Event::StateInstalled,
    Event::Crashed,
    Event::Restarted,
    Event::Started,
]);

/// Damage of log slots: what was read, and what was reported.
struct Slots<'a, 'h> {
    index: &'a RunIndex<'h>,
    /// Slots whose damage a read has returned and nobody reported yet: the access's row + 1.
    unreported: Grid<u32>,
    /// Slots with a reported damage that is not yet repaired.
    reported: Grid<bool>,
    /// Slots that some access damaged.
    damaged: Grid<bool>,
    /// Replicas whose disk some fault damaged.
    faulty: u32,
    facts: u64,
}

fn slots(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (accesses, table) = (index.storage(), index.transitions());
    let mut ticker = meter.ticker();
    let mut slots = Slots {
        index,
        unreported: Grid::new(index.replicas(), index.ops(), 0),
        reported: Grid::new(index.replicas(), index.ops(), false),
        damaged: Grid::new(index.replicas(), index.ops(), false),
        faulty: faulty_disks(index),
        facts: 0,
    };
    let mut transitions = index.events(SLOT_EVENTS).peekable();
    for access in index.storage_rows() {
        ticker.step()?;
        while let Some((row, event)) = transitions.next_if(|(row, _)| table.seq[*row] < accesses.seq[access]) {
            slots.transition(row, event)?;
        }
        if accesses.zone.get(access) == Zone::Log && accesses.outcome.get(access) != StorageOutcome::Ok {
            slots.access(access);
        }
    }
    for (row, event) in transitions {
        ticker.step()?;
        slots.transition(row, event)?;
    }
    Ok(slots.facts)
}

/// Replicas whose disk a fault damaged in a way that need not show in an access.
fn faulty_disks(index: &RunIndex<'_>) -> u32 {
    let table = index.faults();
    let damaging = |row: &usize| {
        matches!(
            table.fault.get(*row),
            FaultKind::Corruption
                | FaultKind::StaleRead
                | FaultKind::MisdirectedWrite
                | FaultKind::TornWrite
                | FaultKind::LostWrite
                | FaultKind::WriteFailure
                | FaultKind::FlushFailure
                | FaultKind::ReadFailure
        )
    };
    index
        .fault_rows()
        .filter(damaging)
        .filter_map(|row| table.target.get(row))
        .fold(0, |set, target| set | 1_u32.checked_shl(target).unwrap_or(0))
}

impl Slots<'_, '_> {
    fn access(&mut self, access: usize) {
        let table = self.index.storage();
        let replica = table.replica[access];
        let Some(op) = table.op.get(access) else { return };
        self.damaged.set(replica, op, true);
        let read = table.io.get(access) == StorageIo::Read && table.outcome.get(access) == StorageOutcome::Corrupt;
        if read && self.reported.get(replica, op) == Some(false) {
            self.unreported.set(replica, op, u32::try_from(access + 1).unwrap_or(u32::MAX));
        }
    }

    fn transition(&mut self, row: usize, event: Event) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let replica = table.replica[row];
        let Some(op) = table.op.get(row) else { return Ok(()) };
        match event {
            Event::CorruptionDetected => {
                self.facts += 1;
                self.detected(row, replica, op)?;
                self.unreported.set(replica, op, 0);
                self.reported.set(replica, op, true);
            }
            Event::Crashed | Event::Restarted | Event::Started => {
                self.unreported.row_mut(replica).fill(0);
                self.reported.row_mut(replica).fill(false);
            }
            Event::StateInstalled => {
                let covered = usize::try_from(op).map_or(usize::MAX, |op| op.saturating_add(1));
                self.unreported.row_mut(replica).iter_mut().take(covered).for_each(|slot| *slot = 0);
            }
            Event::EntryDurable => {
                self.reported.set(replica, op, false);
                self.used(row, replica, op)?;
            }
            // A slot that gets another entry is not read any more.
            _ => self.unreported.set(replica, op, 0),
        }
        Ok(())
    }

    /// A report needs something that damaged the slot.
    fn detected(&self, row: usize, replica: u8, op: u64) -> Result<(), Box<Verdict>> {
        let faulty = self.faulty & 1_u32.checked_shl(replica.into()).unwrap_or(0) != 0;
        if faulty || self.damaged.get(replica, op).unwrap_or(false) {
            return Ok(());
        }
        let summary = format!("replica {replica} called op {op} damaged, though nothing ever damaged its disk");
        let witness = Witness::new("clean_entry_called_damaged", summary);
        Err(witness.step(self.index.transition_step(row, format!("op {op} is called damaged"))).into())
    }

    /// Nothing may become durable from a slot that was read damaged and never reported.
    fn used(&mut self, row: usize, replica: u8, op: u64) -> Result<(), Box<Verdict>> {
        let Some(access) = self.unreported.get(replica, op).and_then(|row| (row as usize).checked_sub(1)) else { return Ok(()) };
        let summary = format!("replica {replica} read op {op} damaged and never said so");
        let witness = Witness::new("damaged_entry_not_reported", summary)
            .step(self.index.storage_step(access, format!("the read of op {op} returns damaged bytes")))
            .step(self.index.transition_step(row, format!("op {op} goes on as if it were whole")));
        Err(witness.into())
    }
}
