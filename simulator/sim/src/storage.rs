//! A replica's disk: superblock copies, the ring of log entries, two checkpoints, and the accesses that are going on.
//!
//! A write goes through two stages, each with its own latency and its own way to fail: into the cache, then flushed. What
//! a crash finds between the two may be lost, torn, or there all the same.

mod slot;
#[cfg(test)]
mod tests;

pub use slot::{Damaged, flip_bits};

use crate::clocks::compress;
use crate::entropy::{Actor, Purpose, Stream};
use crate::gray::Gray;
use crate::options::{MILLISECOND, Rate, RunOptions, StorageOptions};
use slot::{OnDisk, Slot};
use std::sync::{Arc, LazyLock};
use vopr_schema::{StorageIo, StorageOutcome, Zone};
use vsr::checkpoint::Checkpoint;
use vsr::constants::{CHECKPOINT_PLACES, SUPERBLOCK_COPIES};
use vsr::entry::{Entry, EntryFields};
use vsr::io::{DiskImage, Place, PlaceContent, ReadId, Stored, Write, WriteId};
use vsr::superblock::Superblock;

/// A disk that fails an access takes so long to say so, nominal nanoseconds: it has tried again by itself.
const FAILURE_NS: u64 = 50 * MILLISECOND;

/// A completed stage of an access, as the history tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completed {
    /// What was done.
    pub io: StorageIo,
    /// Where.
    pub zone: Zone,
    /// Op number of an entry or checkpoint, sequence number of a superblock; none for a read of a blank slot.
    pub number: Option<u64>,
    /// Bytes.
    pub size: usize,
    /// How it ended.
    pub outcome: StorageOutcome,
    /// Position in the run's order when the access was asked for.
    pub started_seq: u64,
    /// Duration of the stage.
    pub latency_ns: u64,
    /// Whether it failed by a fault of its own, and not because the machine is gray.
    pub injected: bool,
}

/// What the end of a stage leads to.
#[derive(Debug)]
pub enum Next {
    /// The same access ends its next stage after so many nanoseconds.
    Continue(u64),
    /// The write is durable.
    Durable {
        /// Its name.
        write: WriteId,
        /// What is whole now.
        what: Written,
    },
    /// The write or its flush failed.
    Failed(WriteId),
    /// The answer to a read.
    Content {
        /// Its name.
        read: ReadId,
        /// What was read.
        content: Stored<Arc<Entry>>,
    },
    /// The answer to a scan.
    Contents {
        /// Its name.
        read: ReadId,
        /// The access to each place.
        completed: Vec<Completed>,
        /// What was read there.
        contents: Vec<PlaceContent>,
    },
}

/// A place that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The slot of this op.
    Entry(u64),
    /// This copy of the superblock.
    Superblock(u8),
    /// This checkpoint place.
    Checkpoint(u8),
}

#[derive(Debug)]
enum Access {
    Write(Writing),
    /// A write that failed, which nobody has been told yet.
    Failed(Writing),
    Read {
        read: ReadId,
        slot: u32,
        latency_ns: u64,
        started_seq: u64,
    },
    Scan {
        read: ReadId,
        /// The places, and how long each of them takes.
        places: Vec<(Place, u64)>,
        started_seq: u64,
    },
}

#[derive(Debug)]
struct Writing {
    write: WriteId,
    what: Write,
    /// Accesses of one place wait for each other: a crash before this time finds nothing begun.
    begins_ns: u64,
    write_ns: u64,
    flush_ns: u64,
    flushing: bool,
    started_seq: u64,
}

/// Runs the same code on whichever kind of slot a write goes to.
macro_rules! at_its_place {
    ($disk:expr, $what:expr, |$slot:ident, $value:ident| $code:expr) => {
        match $what {
            Write::Superblock { copy, superblock: $value } => {
                let $slot = &mut $disk.superblocks[usize::from(*copy)];
                $code
            }
            Write::Entry($value) => {
                let place = ring_place($value.op.0, $disk.log.len());
                let $slot = &mut $disk.log[place];
                $code
            }
            Write::Checkpoint { place, checkpoint: $value } => {
                let $slot = &mut $disk.checkpoints[usize::from(*place)];
                $code
            }
        }
    };
}

/// The disk of one replica; it outlives the replica's incarnations.
#[derive(Debug)]
pub struct Disk {
    options: StorageOptions,
    time_compression: u32,
    superblocks: Vec<Slot<Superblock>>,
    log: Vec<Slot<Arc<Entry>>>,
    checkpoints: Vec<Slot<Arc<Checkpoint>>>,
    accesses: Vec<Option<Access>>,
    free: Vec<u32>,
    latency: Stream,
    fault: Stream,
    gray: Stream,
    corruption: Stream,
    crash_loss: Stream,
    /// Planned slowness.
    slowdowns: Vec<Slowdown>,
    /// Reads that answer wrong content.
    silent: Stream,
    /// Everything that is drawn for scans, so that a run without them is otherwise the same.
    scrub: Stream,
    /// Places that scans are reading at present.
    scanning: u32,
    /// The write in whose middle the machine is about to stop.
    tearing: Option<WriteId>,
}

/// A planned slowness: a share of all accesses takes longer by a time between two.
#[derive(Clone, Copy, Debug)]
pub struct Slowdown {
    /// Which planned fault.
    pub plan_index: u32,
    /// Which share of accesses.
    pub share: Rate,
    /// How much longer at least, nanoseconds of virtual time.
    pub delay_ns: u64,
    /// How much longer at most; none: always as much as at least.
    pub delay_ns_max: Option<u64>,
}

impl Disk {
    /// An empty, freshly formatted disk.
    #[must_use]
    pub fn new(options: &RunOptions, replica: u8) -> Self {
        let stream = |purpose| Stream::new(options.seed, Actor::Replica(replica), purpose, 0);
        Self {
            options: options.storage,
            time_compression: options.time_compression,
            superblocks: vec![Slot::default(); usize::from(SUPERBLOCK_COPIES)],
            log: vec![Slot::default(); options.cluster.log_slots as usize],
            checkpoints: vec![Slot::default(); usize::from(CHECKPOINT_PLACES)],
            accesses: Vec::new(),
            free: Vec::new(),
            latency: stream(Purpose::StorageLatency),
            fault: stream(Purpose::StorageFault),
            gray: stream(Purpose::Gray),
            corruption: stream(Purpose::Corruption),
            crash_loss: stream(Purpose::CrashLoss),
            slowdowns: Vec::new(),
            silent: stream(Purpose::SilentRead),
            scrub: stream(Purpose::Scrub),
            scanning: 0,
            tearing: None,
        }
    }

    /// Begins a write; answers the access and when its first stage ends.
    pub fn write(&mut self, now_ns: u64, write: WriteId, what: Write, gray: &Gray, started_seq: u64) -> (u32, u64) {
        let (write_ns, flush_ns) = (self.duration_ns(gray), self.duration_ns(gray));
        let begins_ns = at_its_place!(self, &what, |slot, _value| slot.occupy(now_ns, write_ns + flush_ns));
        let writing = Writing { write, what, begins_ns, write_ns, flush_ns, flushing: false, started_seq };
        (self.insert(Access::Write(writing)), begins_ns + write_ns)
    }

    /// Begins a read of a slot of the ring; answers the access and when it ends.
    pub fn read(&mut self, now_ns: u64, read: ReadId, slot: u32, gray: &Gray, started_seq: u64) -> (u32, u64) {
        let latency_ns = self.duration_ns(gray);
        (self.insert(Access::Read { read, slot, latency_ns, started_seq }), now_ns + latency_ns)
    }

    /// Begins to read several places for the scrubber, one beside the other; answers the access and when the last of them ends.
    pub fn scan(&mut self, now_ns: u64, read: ReadId, places: Vec<Place>, gray: &Gray, started_seq: u64) -> (u32, u64) {
        let (low, high) = (self.options.latency_ns_min, self.options.latency_ns_max);
        let mut latency = || compress(self.scrub.range(low..=high), self.time_compression) * u64::from(gray.slowness());
        let places: Vec<(Place, u64)> = places.into_iter().map(|place| (place, latency())).collect();
        self.scanning += u32::try_from(places.len()).unwrap_or(u32::MAX);
        let longest_ns = places.iter().map(|(_, latency_ns)| *latency_ns).max().unwrap_or(0);
        (self.insert(Access::Scan { read, places, started_seq }), now_ns + longest_ns)
    }

    /// A stage of an access ends.
    ///
    /// # Panics
    /// When there is no such access: events of an earlier incarnation must not come here.
    pub fn advance(&mut self, access: u32, gray: &Gray) -> (Option<Completed>, Next) {
        match self.accesses[access as usize].take().expect("an access has one event at a time") {
            Access::Read { read, slot, latency_ns, started_seq } => {
                self.free.push(access);
                let (completed, next) = self.finish_read(read, slot, gray, Completed { started_seq, latency_ns, ..Completed::READ });
                (Some(completed), next)
            }
            Access::Scan { read, places, started_seq } => {
                self.free.push(access);
                (None, self.finish_scan(read, places, gray, started_seq))
            }
            Access::Write(writing) => {
                let (completed, next) = self.advance_write(access, writing, gray);
                (Some(completed), next)
            }
            Access::Failed(writing) => {
                self.free.push(access);
                (None, Next::Failed(writing.write))
            }
        }
    }

    fn advance_write(&mut self, access: u32, mut writing: Writing, gray: &Gray) -> (Completed, Next) {
        let (io, rate, latency_ns) = if writing.flushing {
            (StorageIo::Flush, self.options.flush_failure, writing.flush_ns)
        } else {
            (StorageIo::Write, self.options.write_failure, writing.write_ns)
        };
        let injected = self.fault.hit(rate);
        let failed = injected || gray.writes_fail() || self.gray.hit(gray.failure());
        let outcome = self.outcome(failed, latency_ns);
        let completed = Completed { io, outcome, latency_ns, injected, ..describe(&writing) };
        if failed {
            if writing.flushing {
                // After a failed flush a kernel may call the page clean: what was cached is gone.
                at_its_place!(self, &writing.what, |slot, _value| slot.forget_cached());
            }
            self.accesses[access as usize] = Some(Access::Failed(writing));
            return (completed, Next::Continue(compress(FAILURE_NS, self.time_compression)));
        }
        if writing.flushing {
            at_its_place!(self, &writing.what, |slot, _value| slot.flush());
            self.free.push(access);
            return (completed, Next::Durable { write: writing.write, what: written(&writing.what) });
        }
        at_its_place!(self, &writing.what, |slot, value| slot.cache(value.clone()));
        let next = Next::Continue(writing.flush_ns);
        writing.flushing = true;
        self.accesses[access as usize] = Some(Access::Write(writing));
        (completed, next)
    }

    fn finish_read(&mut self, read: ReadId, slot: u32, gray: &Gray, mut completed: Completed) -> (Completed, Next) {
        let injected = self.fault.hit(self.options.read_failure);
        let failed = injected || gray.reads_fail() || self.gray.hit(gray.failure());
        (completed.outcome, completed.injected) = (self.outcome(failed, completed.latency_ns), injected);
        let (completed, content) = look(&self.log[slot as usize % self.log.len()], failed, completed);
        (completed, Next::Content { read, content })
    }

    fn finish_scan(&mut self, read: ReadId, places: Vec<(Place, u64)>, gray: &Gray, started_seq: u64) -> Next {
        self.scanning -= u32::try_from(places.len()).unwrap_or(self.scanning);
        let (mut completed, mut contents) = (Vec::new(), Vec::new());
        for (place, latency_ns) in places {
            let injected = self.scrub.hit(self.options.read_failure);
            let failed = injected || gray.reads_fail() || self.scrub.hit(gray.failure());
            let outcome = self.outcome(failed, latency_ns);
            let row = Completed { outcome, started_seq, latency_ns, injected, ..Completed::READ };
            let (row, content) = match place {
                Place::Slot(slot) => {
                    let (row, stored) = look(&self.log[slot as usize % self.log.len()], failed, Completed { zone: Zone::Log, ..row });
                    (row, PlaceContent::Slot(stored))
                }
                Place::Checkpoint(place) => {
                    let place = &self.checkpoints[usize::from(place % CHECKPOINT_PLACES)];
                    let (row, stored) = look(place, failed, Completed { zone: Zone::Checkpoint, ..row });
                    (row, PlaceContent::Checkpoint(stored))
                }
                Place::Superblock(copy) => {
                    let copy = &self.superblocks[usize::from(copy % SUPERBLOCK_COPIES)];
                    let (row, stored) = look(copy, failed, Completed { zone: Zone::Superblock, ..row });
                    (row, PlaceContent::Superblock(stored))
                }
            };
            completed.push(row);
            contents.push(content);
        }
        Next::Contents { read, completed, contents }
    }

    /// An empty disk stands in the place of this one.
    pub fn replace(&mut self) {
        self.superblocks.fill_with(Slot::default);
        self.log.fill_with(Slot::default);
        self.checkpoints.fill_with(Slot::default);
    }

    /// The machine stops at `now_ns`. Answers what became of each write that was not durable: ok where it survived, as entries of those
    /// ops do that may not be lost.
    pub fn crash(&mut self, now_ns: u64, mut may_lose: impl FnMut(u64) -> bool) -> Vec<Completed> {
        let mut losses = Vec::new();
        self.scanning = 0;
        let tearing = self.tearing.take();
        let mut unfinished: Vec<Writing> = Vec::new();
        for access in self.accesses.drain(..).flatten() {
            match access {
                Access::Write(writing) => unfinished.push(writing),
                Access::Failed(Writing { what: Write::Entry(entry), .. }) if !may_lose(entry.op.0) => {
                    let place = ring_place(entry.op.0, self.log.len());
                    self.log[place].survive(entry);
                }
                Access::Failed(_) | Access::Read { .. } | Access::Scan { .. } => {}
            }
        }
        self.free.clear();
        unfinished.sort_by_key(|writing| (writing.begins_ns, writing.write));
        for writing in unfinished {
            let torn = tearing == Some(writing.write);
            let drawn = if torn { StorageOutcome::Torn } else { self.crash_outcome(writing.begins_ns < now_ns) };
            let is_kept = drawn != StorageOutcome::Ok && matches!(&writing.what, Write::Entry(entry) if !may_lose(entry.op.0));
            let outcome = if is_kept { StorageOutcome::Ok } else { drawn };
            let stream = &mut self.crash_loss;
            match outcome {
                StorageOutcome::Torn => at_its_place!(self, &writing.what, |slot, value| slot.tear(value, stream)),
                StorageOutcome::Ok => at_its_place!(self, &writing.what, |slot, value| slot.survive(value.clone())),
                _ => {}
            }
            let io = if writing.flushing { StorageIo::Flush } else { StorageIo::Write };
            let latency_ns = now_ns.saturating_sub(writing.begins_ns);
            losses.push(Completed { io, outcome, latency_ns, ..describe(&writing) });
        }
        self.superblocks.iter_mut().for_each(Slot::stop);
        self.log.iter_mut().for_each(Slot::stop);
        self.checkpoints.iter_mut().for_each(Slot::stop);
        losses
    }

    fn crash_outcome(&mut self, begun: bool) -> StorageOutcome {
        if !begun {
            StorageOutcome::Lost
        } else if self.crash_loss.hit(self.options.torn_write) {
            StorageOutcome::Torn
        } else if self.crash_loss.hit(Rate::percent(50)) {
            StorageOutcome::Lost
        } else {
            StorageOutcome::Ok
        }
    }

    /// Whether this access is about to put a log entry into the cache: the middle of a write.
    #[must_use]
    pub fn is_mid_write(&self, access: u32) -> bool {
        matches!(&self.accesses[access as usize], Some(Access::Write(Writing { flushing: false, what: Write::Entry(_), .. })))
    }

    /// The next crash tears the write of this access.
    pub fn tear(&mut self, access: u32) {
        if let Some(Access::Write(writing)) = &self.accesses[access as usize] {
            self.tearing = Some(writing.write);
        }
    }

    /// Whether the next read of a slot is to answer wrong content, and then whether it is another slot's (or else its own, older one).
    pub fn misreads(&mut self) -> Option<bool> {
        self.silent.hit(self.options.silent_read).then(|| self.silent.hit(Rate::percent(50)))
    }

    /// Which entries of the ring go bad when a share of all does, and how many bits of each: at least one.
    pub fn decaying_share(&mut self, share: Rate) -> Vec<(u64, u32)> {
        let Some((oldest, newest)) = self.span() else {
            return Vec::new();
        };
        let sure = self.corruption.range(oldest..=newest);
        let mut chosen = Vec::new();
        for op in oldest..=newest {
            if self.corruption.hit(share) || op == sure {
                chosen.push((op, self.bits()));
            }
        }
        chosen
    }

    /// Whether the entry that has just become durable is to be damaged.
    pub fn decays(&mut self) -> bool {
        self.corruption.hit(self.options.corruption)
    }

    /// Whether the slot of `op` holds its entry, damaged or not.
    #[must_use]
    pub fn holds_entry(&self, op: u64) -> bool {
        self.log[ring_place(op, self.log.len())].number() == Some(op)
    }

    /// Whether a checkpoint place is written.
    #[must_use]
    pub fn holds_checkpoint(&self, place: u8) -> bool {
        self.checkpoints[usize::from(place)].number().is_some()
    }

    /// Sequence numbers of the copies of the superblock.
    #[must_use]
    pub fn superblock_sequences(&self) -> Vec<Option<u64>> {
        self.superblocks.iter().map(Slot::number).collect()
    }

    /// Flips bits of the entry stored for `op`; false when the slot holds another op's entry, or none.
    pub fn corrupt_entry(&mut self, op: u64, bits: u32) -> bool {
        let place = ring_place(op, self.log.len());
        self.holds_entry(op) && self.log[place].corrupt(bits, &mut self.corruption)
    }

    /// Whether the entry of `op` is whole, and newer whole ones stand behind it: only then can a replica know that a wrong slot is
    /// wrong. A torn one tells it nothing.
    #[must_use]
    pub fn is_inside(&self, op: u64) -> bool {
        let newest = self.log.iter().filter_map(Slot::whole).map(|entry| entry.op.0).max().unwrap_or(0);
        op < newest && self.log[ring_place(op, self.log.len())].whole().is_some_and(|entry| entry.op.0 == op)
    }

    /// The slot of `op` holds what it held before.
    pub fn make_stale(&mut self, op: u64) -> bool {
        let place = ring_place(op, self.log.len());
        self.is_inside(op) && self.log[place].make_stale()
    }

    /// The write of `op` went to the slot of `victim`; its own slot holds what it held before.
    pub fn misdirect(&mut self, op: u64, victim: u64) -> bool {
        let (place, other) = (ring_place(op, self.log.len()), ring_place(victim, self.log.len()));
        let stray = self.log[place].whole().cloned();
        let possible = place != other && self.is_inside(op) && self.is_inside(victim);
        stray.filter(|_| possible).is_some_and(|stray| self.log[place].make_stale() && self.log[other].overwrite(stray))
    }

    /// A share of all accesses takes so much longer while the planned fault lasts.
    pub fn slow_down(&mut self, slowdown: Slowdown) {
        self.slowdowns.push(slowdown);
    }

    /// That planned fault ends.
    pub fn speed_up(&mut self, plan_index: u32) {
        self.slowdowns.retain(|slowdown| slowdown.plan_index != plan_index);
    }

    /// Flips bits of a copy of the superblock; false when it is blank.
    pub fn corrupt_superblock(&mut self, copy: u8, bits: u32) -> bool {
        self.superblocks[usize::from(copy)].corrupt(bits, &mut self.corruption)
    }

    /// Flips bits of a checkpoint; false when the place is blank.
    pub fn corrupt_checkpoint(&mut self, place: u8, bits: u32) -> bool {
        self.checkpoints[usize::from(place)].corrupt(bits, &mut self.corruption)
    }

    /// How many bits a decay flips: 1 to 8.
    pub fn bits(&mut self) -> u32 {
        u32::try_from(self.corruption.range(1..=8)).unwrap_or(1)
    }

    /// Op numbers of the ring's oldest and newest durable entry.
    #[must_use]
    pub fn span(&self) -> Option<(u64, u64)> {
        let numbers = || self.log.iter().filter_map(Slot::number);
        Some((numbers().min()?, numbers().max()?))
    }

    /// Whether an entry is on its way to the disk.
    #[must_use]
    pub fn writes_entries(&self) -> bool {
        let is_entry = |writing: &Writing| matches!(writing.what, Write::Entry(_));
        self.accesses.iter().flatten().any(|access| matches!(access, Access::Write(writing) | Access::Failed(writing) if is_entry(writing)))
    }

    /// Whether no access is under way, but for the scrubber's, which never rests.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.accesses.iter().all(|access| matches!(access, None | Some(Access::Scan { .. })))
    }

    /// Everything that the disk holds.
    #[must_use]
    pub fn image(&self) -> DiskImage {
        DiskImage {
            superblocks: self.superblocks.iter().map(Slot::stored).collect(),
            log: self.log.iter().map(Slot::stored).collect(),
            checkpoints: self.checkpoints.iter().map(Slot::stored).collect(),
        }
    }

    /// Every place that a read would find damaged.
    pub fn damaged(&self) -> impl Iterator<Item = (Zone, Damaged)> + '_ {
        let superblocks = self.superblocks.iter().filter_map(Slot::damaged).map(|damaged| (Zone::Superblock, damaged));
        let log = self.log.iter().filter_map(Slot::damaged).map(|damaged| (Zone::Log, damaged));
        let checkpoints = self.checkpoints.iter().filter_map(Slot::damaged).map(|damaged| (Zone::Checkpoint, damaged));
        superblocks.chain(log).chain(checkpoints)
    }

    /// Ends every fault to come; what is damaged stays damaged.
    pub fn heal(&mut self) {
        self.options.write_failure = Rate::NEVER;
        self.options.flush_failure = Rate::NEVER;
        self.options.read_failure = Rate::NEVER;
        self.options.corruption = Rate::NEVER;
        self.options.silent_read = Rate::NEVER;
        self.options.torn_write = Rate::NEVER;
        self.slowdowns.clear();
    }

    fn insert(&mut self, access: Access) -> u32 {
        if let Some(index) = self.free.pop() {
            self.accesses[index as usize] = Some(access);
            return index;
        }
        self.accesses.push(Some(access));
        u32::try_from(self.accesses.len() - 1).expect("a disk has fewer than 2^32 accesses at a time")
    }

    fn duration_ns(&mut self, gray: &Gray) -> u64 {
        let nominal = self.latency.range(self.options.latency_ns_min..=self.options.latency_ns_max);
        let mut duration_ns = compress(nominal, self.time_compression) * u64::from(gray.slowness());
        // A disk that also serves a scan takes a little longer: a hundredth for each place that is being read.
        duration_ns += duration_ns / 100 * u64::from(self.scanning);
        for slowdown in &self.slowdowns {
            if self.fault.hit(slowdown.share) {
                let delay_ns = slowdown.delay_ns;
                duration_ns += slowdown.delay_ns_max.map_or(delay_ns, |high_ns| self.fault.range(delay_ns..=high_ns));
            }
        }
        duration_ns
    }

    fn outcome(&self, failed: bool, latency_ns: u64) -> StorageOutcome {
        if failed {
            StorageOutcome::Failed
        } else if latency_ns > compress(self.options.latency_ns_max, self.time_compression) {
            StorageOutcome::Slow
        } else {
            StorageOutcome::Ok
        }
    }
}

impl Completed {
    /// A read of the log that found nothing.
    pub const READ: Self = Self {
        io: StorageIo::Read,
        zone: Zone::Log,
        number: None,
        size: 0,
        outcome: StorageOutcome::Ok,
        started_seq: 0,
        latency_ns: 0,
        injected: false,
    };
}

impl OnDisk for Arc<Entry> {
    fn stored_bytes(&self) -> Vec<u8> {
        self.encode_stored()
    }
    fn stored_size(&self) -> usize {
        *ENTRY_OVERHEAD + self.body.len()
    }
    fn number(&self) -> u64 {
        self.op.0
    }
}

/// Everything of a stored entry but its body has one length; encoding each entry only to measure it would cost too much.
static ENTRY_OVERHEAD: LazyLock<usize> = LazyLock::new(|| Entry::new(EntryFields::default()).encode_stored().len());

impl OnDisk for Superblock {
    fn stored_bytes(&self) -> Vec<u8> {
        self.encode_stored()
    }
    fn stored_size(&self) -> usize {
        self.encode_stored().len()
    }
    fn number(&self) -> u64 {
        self.sequence
    }
}

impl OnDisk for Arc<Checkpoint> {
    fn stored_bytes(&self) -> Vec<u8> {
        self.encode_stored()
    }
    fn stored_size(&self) -> usize {
        self.encode_stored().len()
    }
    fn number(&self) -> u64 {
        self.op.0
    }
}

/// What a read of a place finds, and its row.
fn look<T: OnDisk>(place: &Slot<T>, failed: bool, mut completed: Completed) -> (Completed, Stored<T>) {
    if let Some(value) = place.whole() {
        completed.number = Some(value.number());
        completed.size = value.stored_size();
    }
    if failed {
        return (completed, Stored::Failed);
    }
    if let Some(damaged) = place.damaged() {
        completed = Completed { number: Some(damaged.number), size: damaged.size, outcome: damaged.outcome, ..completed };
    }
    (completed, place.stored())
}

fn written(what: &Write) -> Written {
    match what {
        Write::Superblock { copy, .. } => Written::Superblock(*copy),
        Write::Entry(entry) => Written::Entry(entry.op.0),
        Write::Checkpoint { place, .. } => Written::Checkpoint(*place),
    }
}

fn ring_place(op: u64, slots: usize) -> usize {
    usize::try_from(op % slots as u64).expect("below the number of slots")
}

fn describe(writing: &Writing) -> Completed {
    let (zone, number, size) = match &writing.what {
        Write::Superblock { superblock, .. } => (Zone::Superblock, superblock.number(), superblock.stored_size()),
        Write::Entry(entry) => (Zone::Log, entry.number(), entry.stored_size()),
        Write::Checkpoint { checkpoint, .. } => (Zone::Checkpoint, checkpoint.number(), checkpoint.stored_size()),
    };
    Completed { zone, number: Some(number), size, started_seq: writing.started_seq, ..Completed::READ }
}
