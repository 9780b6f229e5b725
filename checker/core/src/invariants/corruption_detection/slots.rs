//! Damage of log slots: what reads returned against what the replica reported.
//!
//! Disk rows and transitions are two tables; they are walked side by side in the run's order.

use crate::budget::Meter;
use crate::index::{EventSet, RunIndex};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::{FaultKind, StorageIo, StorageOutcome, TransitionEvent as Event, Zone};

/// A read that returned damaged bytes and that the replica has not reported yet.
#[derive(Clone, Copy)]
struct Unreported {
    access: usize,
    op: u64,
}

/// One replica's disk.
#[derive(Clone, Default)]
struct Disk {
    unreported: Vec<Unreported>,
    /// Slots that some access to them did not leave whole, sorted.
    touched: Vec<u64>,
    /// Position of the first fault that may have damaged anything here.
    faulty_from: Option<u64>,
    /// Op numbers up to this one are covered by a checkpoint.
    covered: u64,
}

struct Slots<'a, 'h> {
    index: &'a RunIndex<'h>,
    /// Slots of the ring; none when the options do not say, then slots are told apart by op number.
    ring: Option<u64>,
    disks: Vec<Disk>,
    facts: u64,
}

pub(super) fn check(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let (accesses, table) = (index.storage(), index.transitions());
    let mut ticker = meter.ticker();
    let mut slots = Slots { index, ring: ring(index), disks: disks(index), facts: 0 };
    let mut transitions = index.transition_rows().peekable();
    for access in index.storage_rows() {
        ticker.step()?;
        if accesses.outcome.codes[access] == StorageOutcome::Ok as u8 || accesses.zone.get(access) != Zone::Log {
            continue;
        }
        while let Some(row) = transitions.next_if(|row| table.seq[*row] < accesses.seq[access]) {
            slots.transition(row)?;
        }
        slots.access(access);
    }
    for row in transitions {
        ticker.step()?;
        slots.transition(row)?;
    }
    Ok(slots.facts)
}

/// Number of slots of the log ring, as the run's options say.
fn ring(index: &RunIndex<'_>) -> Option<u64> {
    let options: serde_json::Value = serde_json::from_str(&index.meta().options).ok()?;
    options.pointer("/cluster/log_slots")?.as_u64().filter(|slots| *slots > 0)
}

/// The disks with the first fault of each.
fn disks(index: &RunIndex<'_>) -> Vec<Disk> {
    let table = index.faults();
    let mut disks = vec![Disk::default(); index.replicas()];
    for row in index.fault_rows() {
        let damaging = matches!(
            table.fault.get(row),
            FaultKind::Corruption
                | FaultKind::StaleRead
                | FaultKind::MisdirectedWrite
                | FaultKind::TornWrite
                | FaultKind::LostWrite
                | FaultKind::WriteFailure
                | FaultKind::FlushFailure
                | FaultKind::ReadFailure
        );
        let target = table.target.get(row).and_then(|target| usize::try_from(target).ok());
        if let Some(disk) = target.and_then(|target| disks.get_mut(target)).filter(|_| damaging) {
            disk.faulty_from.get_or_insert(table.seq[row]);
        }
    }
    disks
}

const FOLLOWED: EventSet = EventSet::of(&[
    Event::CorruptionDetected,
    Event::StateInstalled,
    Event::CheckpointDurable,
    Event::Crashed,
    Event::Restarted,
    Event::Started,
]);

impl Slots<'_, '_> {
    fn slot(&self, op: u64) -> u64 {
        self.ring.map_or(op, |ring| op % ring)
    }

    fn access(&mut self, access: usize) {
        let table = self.index.storage();
        let Some(op) = table.op.get(access) else { return };
        let slot = self.slot(op);
        let Some(disk) = self.disks.get_mut(usize::from(table.replica[access])) else { return };
        if let Err(place) = disk.touched.binary_search(&slot) {
            disk.touched.insert(place, slot);
        }
        let damaged = matches!(table.outcome.get(access), StorageOutcome::Corrupt | StorageOutcome::Torn);
        if damaged && table.io.get(access) == StorageIo::Read {
            disk.unreported.push(Unreported { access, op });
        }
    }

    fn transition(&mut self, row: usize) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let number = usize::from(table.replica[row]);
        let Some(disk) = self.disks.get_mut(number) else { return Ok(()) };
        let event = table.event.get(row);
        if event == Event::Crashed {
            disk.unreported.clear();
            return Ok(());
        }
        if !disk.unreported.is_empty() {
            let read_ns = self.index.storage().time_ns[disk.unreported[0].access];
            if table.time_ns[row] > read_ns {
                let silent = disk.unreported[0];
                return Err(self.unreported(silent, row).into());
            }
        }
        if FOLLOWED.has(event as u8) {
            self.followed(row, event)?;
        }
        Ok(())
    }

    fn followed(&mut self, row: usize, event: Event) -> Result<(), Box<Verdict>> {
        let table = self.index.transitions();
        let replica = table.replica[row];
        let reported = table.op.get(row).map(|op| (op, self.slot(op)));
        let ring = self.ring;
        let disk = &mut self.disks[usize::from(replica)];
        match (event, reported) {
            (Event::CorruptionDetected, Some((op, slot))) => {
                self.facts += 1;
                let faulty = disk.faulty_from.is_some_and(|seq| seq < table.seq[row]);
                if !faulty && disk.touched.binary_search(&slot).is_err() {
                    let summary = format!("replica {replica} called op {op} damaged, though nothing ever damaged its disk");
                    let step = self.index.transition_step(row, format!("op {op} is called damaged"));
                    return Err(Witness::new("clean_entry_called_damaged", summary).step(step).into());
                }
                disk.unreported.retain(|read| ring.map_or(read.op, |ring| read.op % ring) != slot);
            }
            (Event::StateInstalled | Event::CheckpointDurable, Some((op, _))) => disk.covered = disk.covered.max(op),
            (Event::Restarted, _) => disk.covered = table.commit[row],
            (Event::Started, _) => disk.covered = 0,
            _ => {}
        }
        let covered = disk.covered;
        disk.unreported.retain(|read| read.op > covered);
        Ok(())
    }

    fn unreported(&self, read: Unreported, row: usize) -> Witness {
        let replica = self.index.transitions().replica[row];
        let op = read.op;
        Witness::new("damaged_entry_not_reported", format!("replica {replica} read op {op} damaged and did not say so"))
            .step(self.index.storage_step(read.access, format!("the read of op {op} returns damaged bytes")))
            .step(self.index.transition_step(row, format!("what replica {replica} does next: {}", self.index.transitions().event.get(row))))
    }
}
