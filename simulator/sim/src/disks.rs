//! What passes between a replica and its disk, and what the history says of it.
//!
//! Faults that damage stored bytes ask the atlas first: a cluster that has lost every good copy of an entry could only
//! stop, and a run of it would prove nothing.

use crate::fault_plan::Place;
use crate::node::Process;
use crate::options::Rate;
use crate::storage::{Completed, Next, Written};
use crate::world::{Event, World};
use vopr_schema::{FaultFamily, FaultKind, StorageIo, StorageOutcome, StorageRow};
use vsr::constants::{CHECKPOINT_PLACES, SUPERBLOCK_COPIES};
use vsr::io::{self, DiskImage, Input, ReadId, Write, WriteId};

fn slot_of(op: u64, slots: u32) -> u32 {
    u32::try_from(op % u64::from(slots)).expect("below the number of slots")
}

impl World {
    pub(crate) fn begin_write(&mut self, node: usize, write: WriteId, what: Write) {
        let started_seq = self.recorder.last_seq();
        let machine = &mut self.nodes[node];
        let (access, ends_ns) = machine.disk.write(self.now_ns, write, what, &machine.gray, started_seq);
        self.queue.push(ends_ns, Event::Disk { node: machine.id, access, incarnation: machine.incarnation });
    }

    pub(crate) fn begin_read(&mut self, node: usize, read: ReadId, slot: u32) {
        self.misread(node, Some(slot));
        let started_seq = self.recorder.last_seq();
        let machine = &mut self.nodes[node];
        let (access, ends_ns) = machine.disk.read(self.now_ns, read, slot, &machine.gray, started_seq);
        self.queue.push(ends_ns, Event::Disk { node: machine.id, access, incarnation: machine.incarnation });
    }

    pub(crate) fn begin_scan(&mut self, node: usize, read: ReadId, places: Vec<io::Place>) {
        for place in &places {
            if let io::Place::Slot(slot) = place {
                self.misread(node, Some(*slot));
            }
        }
        let started_seq = self.recorder.last_seq();
        let machine = &mut self.nodes[node];
        let (access, ends_ns) = machine.disk.scan(self.now_ns, read, places, &machine.gray, started_seq);
        self.queue.push(ends_ns, Event::Disk { node: machine.id, access, incarnation: machine.incarnation });
    }

    /// A stage of an access ends; false when its incarnation is gone, or has to wait until its process resumes.
    pub(crate) fn disk_event(&mut self, event: Event, node: usize, access: u32, incarnation: u32) -> bool {
        let machine = &mut self.nodes[node];
        if machine.incarnation != incarnation || machine.process == Process::Down {
            return false;
        }
        if machine.process == Process::Paused {
            machine.deferred.push(event);
            return false;
        }
        if self.tears(node, access) {
            self.crash_at_step(node, FaultKind::Crash);
            return true;
        }
        let machine = &mut self.nodes[node];
        let (completed, next) = machine.disk.advance(access, &machine.gray);
        if let Some(completed) = &completed {
            self.record_storage(node, completed);
            self.record_failure(node, completed);
        }
        match next {
            Next::Continue(after_ns) => self.queue.push(self.now_ns + after_ns, event),
            Next::Durable { write, what } => {
                self.release_from_atlas(node, what);
                self.decay(node, what);
                self.step(node, Input::Written(write));
            }
            Next::Failed(write) => self.step(node, Input::WriteFailed(write)),
            Next::Content { read, content } => self.step(node, Input::Read { read, content }),
            Next::Contents { read, completed, contents } => {
                for completed in &completed {
                    self.record_storage(node, completed);
                    self.record_failure(node, completed);
                }
                self.step(node, Input::Scanned { read, contents });
            }
        }
        true
    }

    /// Whether the machine stops in the middle of this write, and tears it.
    fn tears(&mut self, node: usize, access: u32) -> bool {
        let crash = self.options.crash;
        if self.healed || crash.per_write == Rate::NEVER || !self.nodes[node].disk.is_mid_write(access) {
            return false;
        }
        let down = self.nodes.iter().filter(|other| other.process != Process::Up).count();
        let strikes = self.nodes[node].tear.hit(crash.per_write) && down < usize::from(crash.down_max);
        if strikes {
            self.nodes[node].disk.tear(access);
        }
        strikes
    }

    /// Reads of the log that are about to answer wrong content: of one slot, or of the whole ring at a restart.
    fn misread(&mut self, node: usize, slot: Option<u32>) {
        if self.healed || self.options.storage.silent_read == Rate::NEVER {
            return;
        }
        let (oldest, newest) = self.nodes[node].disk.span().unwrap_or_default();
        for op in oldest..newest {
            if slot.is_some_and(|slot| slot != self.slot_of(op)) {
                continue;
            }
            let done = match self.nodes[node].disk.misreads() {
                None => continue,
                Some(true) => self.misdirect_op(node, op).then_some(FaultKind::MisdirectedWrite),
                Some(false) => self.make_op_stale(node, op).then_some(FaultKind::StaleRead),
            };
            if let Some(kind) = done {
                self.record_fault(FaultFamily::Storage, kind, node, 0.0);
            }
        }
    }

    /// A share of the entries of a log goes bad, the newest among them if `head`, the atlas permitting; answers the bits flipped in each.
    pub(crate) fn corrupt_log(&mut self, node: usize, share: Rate, head: bool) -> Vec<u32> {
        let id = self.nodes[node].id;
        let mut chosen = self.nodes[node].disk.decaying_share(share);
        let newest = self.nodes[node].disk.span().map_or(0, |(_, newest)| newest);
        if head && chosen.iter().all(|(op, _)| *op != newest) {
            let bits = self.nodes[node].disk.bits();
            chosen.push((newest, bits));
        }
        let mut flipped = Vec::new();
        for (op, bits) in chosen {
            let slot = self.slot_of(op);
            let disk = &mut self.nodes[node].disk;
            if disk.holds_entry(op) && self.atlas.may_damage_entry(id, slot) && disk.corrupt_entry(op, bits) {
                flipped.push(bits);
            }
        }
        flipped
    }

    fn record_failure(&mut self, node: usize, completed: &Completed) {
        if completed.injected {
            let kind = match completed.io {
                StorageIo::Write => FaultKind::WriteFailure,
                StorageIo::Read => FaultKind::ReadFailure,
                StorageIo::Flush => FaultKind::FlushFailure,
            };
            self.record_fault(FaultFamily::Storage, kind, node, 0.0);
        }
    }

    /// An entry that has just become durable may be damaged on the spot.
    fn decay(&mut self, node: usize, what: Written) {
        let Written::Entry(op) = what else {
            return;
        };
        let (id, slot) = (self.nodes[node].id, self.slot_of(op));
        if self.nodes[node].disk.decays() && self.atlas.may_damage_entry(id, slot) {
            let disk = &mut self.nodes[node].disk;
            let bits = disk.bits();
            disk.corrupt_entry(op, bits);
            self.record_fault(FaultFamily::Storage, FaultKind::Corruption, node, f64::from(bits));
        }
    }

    /// Damages a stored copy, if there is one and the atlas admits it.
    pub(crate) fn corrupt(&mut self, node: usize, place: Place, bits: u32) -> bool {
        let id = self.nodes[node].id;
        match place {
            Place::Entry { position } => {
                let Some(op) = self.op_at(node, position) else {
                    return false;
                };
                let slot = self.slot_of(op);
                let disk = &mut self.nodes[node].disk;
                disk.holds_entry(op) && self.atlas.may_damage_entry(id, slot) && disk.corrupt_entry(op, bits)
            }
            Place::Superblock { copy } => {
                let disk = &mut self.nodes[node].disk;
                let copy = copy % SUPERBLOCK_COPIES;
                let sequences = disk.superblock_sequences();
                sequences[usize::from(copy)].is_some()
                    && self.atlas.may_damage_superblock(id, copy, &sequences)
                    && disk.corrupt_superblock(copy, bits)
            }
            Place::Checkpoint { place } => {
                let disk = &mut self.nodes[node].disk;
                let place = place % CHECKPOINT_PLACES;
                disk.holds_checkpoint(place) && self.atlas.may_damage_checkpoint(id, place) && disk.corrupt_checkpoint(place, bits)
            }
        }
    }

    /// The op at a place between the oldest entry of the ring and the newest.
    fn op_at(&self, node: usize, position: Rate) -> Option<u64> {
        let (oldest, newest) = self.nodes[node].disk.span()?;
        Some(oldest + (newest - oldest) * u64::from(position.0.min(1_000_000)) / 1_000_000)
    }

    /// Makes a slot hold what it held before, if the atlas admits it.
    pub(crate) fn make_stale(&mut self, node: usize, position: Rate) -> bool {
        self.op_at(node, position).is_some_and(|op| self.make_op_stale(node, op))
    }

    fn make_op_stale(&mut self, node: usize, op: u64) -> bool {
        let (id, slot) = (self.nodes[node].id, self.slot_of(op));
        let disk = &mut self.nodes[node].disk;
        disk.is_inside(op) && self.atlas.may_damage_entry(id, slot) && disk.make_stale(op)
    }

    /// Lets a slot's content stand in the next slot, if the atlas admits both.
    pub(crate) fn misdirect(&mut self, node: usize, position: Rate) -> bool {
        self.op_at(node, position).is_some_and(|op| self.misdirect_op(node, op))
    }

    fn misdirect_op(&mut self, node: usize, op: u64) -> bool {
        let (id, slot, victim) = (self.nodes[node].id, self.slot_of(op), self.slot_of(op + 1));
        let disk = &mut self.nodes[node].disk;
        disk.is_inside(op)
            && disk.is_inside(op + 1)
            && self.atlas.may_damage_entry(id, slot)
            && self.atlas.may_damage_entry(id, victim)
            && disk.misdirect(op, op + 1)
    }

    /// What was damaged is whole again.
    fn release_from_atlas(&mut self, node: usize, what: Written) {
        let id = self.nodes[node].id;
        match what {
            Written::Entry(op) => self.atlas.release_entry(id, self.slot_of(op)),
            Written::Superblock(copy) => self.atlas.release_superblock(id, copy),
            Written::Checkpoint(place) => self.atlas.release_checkpoint(id, place),
        }
    }

    fn slot_of(&self, op: u64) -> u32 {
        slot_of(op, self.options.cluster.log_slots)
    }

    /// A crash: what was not durable is lost, torn, or there all the same.
    ///
    /// Where disks are replaced, what a crash takes counts as damage: an entry that the others have not got, or not any more, stays.
    /// Otherwise nobody could ever tell whether it had been acknowledged, in steps: (1) replicas 0 and 1 of three hold op 9, only 1 has it on
    /// its disk; (2) 0 crashes, and loses it, but not op 10, which names it; (3) the disk of 1 is replaced: 2 denies op 9, 0 cannot, 1 may not.
    pub(crate) fn lose_unflushed(&mut self, node: usize) {
        let (atlas, id, slots) = (&mut self.atlas, self.nodes[node].id, self.options.cluster.log_slots);
        let replaces = self.plan.replaces_disks();
        let may_lose = |op| !replaces || atlas.is_blank(id) || atlas.may_damage_entry(id, slot_of(op, slots));
        let losses = self.nodes[node].disk.crash(self.now_ns, may_lose);
        let lost = losses.iter().filter(|loss| loss.outcome == StorageOutcome::Lost).count();
        if lost > 0 {
            let magnitude = f64::from(u32::try_from(lost).unwrap_or(u32::MAX));
            self.record_fault(FaultFamily::Crash, FaultKind::LostWrite, node, magnitude);
        }
        for loss in losses {
            if loss.outcome == StorageOutcome::Torn {
                self.record_fault(FaultFamily::Storage, FaultKind::TornWrite, node, 1.0);
            }
            self.record_storage(node, &loss);
        }
    }

    /// A restart reads the whole disk: one row per damaged place, and one for all the rest.
    pub(crate) fn read_disk(&mut self, node: usize) -> DiskImage {
        self.misread(node, None);
        let disk = &self.nodes[node].disk;
        let image = disk.image();
        if self.recorder.is_on() {
            let started_seq = self.recorder.last_seq();
            let damaged: Vec<_> = disk.damaged().collect();
            let whole = Completed { started_seq, ..Completed::READ };
            self.record_storage(node, &whole);
            for (zone, found) in damaged {
                let (number, size, outcome) = (Some(found.number), found.size, found.outcome);
                self.record_storage(node, &Completed { zone, number, size, outcome, ..whole });
            }
        }
        image
    }

    fn record_storage(&mut self, node: usize, completed: &Completed) {
        self.recorder.storage(StorageRow {
            replica: self.nodes[node].id,
            io: completed.io,
            zone: completed.zone,
            op: completed.number,
            started_seq: completed.started_seq,
            size_bytes: u32::try_from(completed.size).unwrap_or(u32::MAX),
            outcome: completed.outcome,
            latency_ns: completed.latency_ns,
            ..StorageRow::default()
        });
    }
}
