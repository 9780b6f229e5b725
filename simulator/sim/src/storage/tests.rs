//! What a disk promises, and what it does not.

use super::{Completed, Disk, Next, Written};
use crate::fault_plan::GrayMode;
use crate::gray::Gray;
use crate::options::{Rate, RunOptions};
use crate::scenario::Overrides;
use crate::scenarios;
use std::sync::Arc;
use vopr_schema::{StorageIo, StorageOutcome, Zone};
use vsr::entry::{Checks, Entry, EntryFields};
use vsr::ids::{Op, View};
use vsr::io::{Damage, ReadId, Stored, Write, WriteId};
use vsr::superblock::Superblock;

fn options() -> RunOptions {
    scenarios::find("baseline").expect("it is registered").draw(1, &Overrides::default())
}

fn entry(op: u64, view: u64) -> Arc<Entry> {
    let fields = EntryFields { op: Op(op), view: View(view), body: vec![7; 40].into(), ..EntryFields::default() };
    Arc::new(Entry::new(fields))
}

fn begin(disk: &mut Disk, now_ns: u64, write: u64, entry: &Arc<Entry>) -> (u32, u64) {
    disk.write(now_ns, WriteId(write), Write::Entry(Arc::clone(entry)), &Gray::default(), 0)
}

/// Carries a write through both stages; answers when it is durable.
fn complete(disk: &mut Disk, now_ns: u64, write: u64, entry: &Arc<Entry>) -> u64 {
    let (access, cached_ns) = begin(disk, now_ns, write, entry);
    let (completed, next) = disk.advance(access, &Gray::default());
    let completed = completed.expect("a stage ends");
    assert_eq!((completed.io, completed.outcome), (StorageIo::Write, StorageOutcome::Ok));
    let Next::Continue(flush_ns) = next else { panic!("a write is flushed next") };
    let (completed, next) = disk.advance(access, &Gray::default());
    let completed = completed.expect("a stage ends");
    assert_eq!((completed.io, completed.zone, completed.number), (StorageIo::Flush, Zone::Log, Some(entry.op.0)));
    assert!(matches!(next, Next::Durable { what: Written::Entry(op), .. } if op == entry.op.0));
    cached_ns + flush_ns
}

#[test]
fn a_write_is_durable_only_after_its_flush() {
    let mut disk = Disk::new(&options(), 0);
    let (old, new) = (entry(1, 0), entry(1, 3));
    let now_ns = complete(&mut disk, 0, 1, &old);
    let (access, cached_ns) = begin(&mut disk, now_ns, 2, &new);
    assert_eq!(disk.image().log[1], Stored::Value(Arc::clone(&old)));
    disk.advance(access, &Gray::default());
    assert_eq!(disk.image().log[1], Stored::Value(new), "reads see the cache");
    disk.options.torn_write = Rate::NEVER;
    let losses = disk.crash(cached_ns, |_| true);
    assert_eq!(losses.len(), 1);
    let expected = if losses[0].outcome == StorageOutcome::Lost { old } else { entry(1, 3) };
    assert_eq!(disk.image().log[1], Stored::Value(expected));
}

#[test]
fn crashes_lose_keep_or_tear_as_the_rate_says() {
    let outcomes = |torn| {
        let mut disk = Disk::new(&options(), 0);
        disk.options.torn_write = torn;
        let mut counts = [0; 3];
        for round in 0..300 {
            let (_, ends_ns) = begin(&mut disk, round * 1_000_000_000, round, &entry(round % 200, round));
            for Completed { outcome, .. } in disk.crash(ends_ns, |_| true) {
                counts[[StorageOutcome::Ok, StorageOutcome::Lost, StorageOutcome::Torn].iter().position(|o| *o == outcome).unwrap()] += 1;
            }
        }
        counts
    };
    let [kept, lost, torn] = outcomes(Rate::percent(34));
    assert_eq!(kept + lost + torn, 300);
    assert!(kept > 60 && lost > 60 && torn > 60, "{kept} {lost} {torn}");
    assert_eq!(outcomes(Rate::ALWAYS), [0, 0, 300]);
}

#[test]
fn what_may_not_be_lost_survives_a_crash_even_a_failed_write() {
    for failing in [Rate::NEVER, Rate::ALWAYS] {
        let mut disk = Disk::new(&options(), 0);
        (disk.options.torn_write, disk.options.write_failure) = (Rate::ALWAYS, failing);
        let kept = entry(1, 3);
        for (write, op) in [(1, 1), (2, 2)] {
            let (access, _) = begin(&mut disk, 0, write, &if op == 1 { Arc::clone(&kept) } else { entry(op, 3) });
            assert_eq!(
                failing == Rate::ALWAYS,
                matches!(disk.advance(access, &Gray::default()).0, Some(row) if row.outcome == StorageOutcome::Failed)
            );
        }
        assert!(disk.writes_entries());
        disk.crash(1_000_000_000, |op| op != 1);
        assert_eq!(disk.image().log[1], Stored::Value(kept));
        assert!(!matches!(disk.image().log[2], Stored::Value(_)) && !disk.writes_entries());
    }
}

#[test]
fn a_torn_entry_is_never_taken_for_whole() {
    let mut disk = Disk::new(&options(), 0);
    disk.options.torn_write = Rate::ALWAYS;
    let mut torn = 0;
    for round in 0..100 {
        let (_, ends_ns) = begin(&mut disk, 0, round, &entry(round, 0));
        disk.crash(ends_ns, |_| true);
        let Stored::Bytes(bytes) = &disk.image().log[usize::try_from(round).unwrap()] else { panic!("torn bytes") };
        let damage = Entry::decode_stored(bytes, Checks::Enforced).expect_err("a part of an entry is none");
        torn += usize::from(damage == Damage::TornEntry);
    }
    assert_eq!(disk.damaged().count(), 100);
    assert!(torn >= 95, "the codec tells torn from corrupt, with few exceptions on the safe side: {torn}");
}

#[test]
fn a_corrupt_entry_is_recognised_and_ends_with_the_next_write() {
    let mut disk = Disk::new(&options(), 0);
    let mut now_ns = 0;
    for round in 0..100 {
        now_ns = complete(&mut disk, now_ns, round, &entry(7, round));
        let bits = disk.bits();
        assert!((1..=8).contains(&bits));
        assert!(!disk.corrupt_entry(8, bits), "nothing is stored for op 8");
        assert!(disk.corrupt_entry(7, bits));
        let Stored::Bytes(bytes) = &disk.image().log[7] else { panic!("corrupt bytes") };
        assert!(Entry::decode_stored(bytes, Checks::Enforced).is_err());
        let damaged: Vec<_> = disk.damaged().collect();
        assert_eq!((damaged.len(), damaged[0].1.number, damaged[0].1.outcome), (1, 7, StorageOutcome::Corrupt));
    }
    complete(&mut disk, now_ns, 100, &entry(7, 100));
    assert_eq!(disk.damaged().count(), 0);
}

#[test]
fn sizes_are_those_of_the_stored_bytes() {
    let mut disk = Disk::new(&options(), 0);
    let entry = entry(3, 1);
    let (access, _) = begin(&mut disk, 0, 1, &entry);
    let (completed, _) = disk.advance(access, &Gray::default());
    assert_eq!(completed.expect("a stage ends").size, entry.encode_stored().len());
}

#[test]
fn failures_are_told_and_change_nothing() {
    let mut options = options();
    options.storage.flush_failure = Rate::ALWAYS;
    let mut disk = Disk::new(&options, 0);
    let (access, _) = begin(&mut disk, 0, 1, &entry(1, 0));
    disk.advance(access, &Gray::default());
    let (completed, next) = disk.advance(access, &Gray::default());
    let completed = completed.expect("a stage ends");
    assert_eq!((completed.io, completed.outcome, completed.injected), (StorageIo::Flush, StorageOutcome::Failed, true));
    assert!(matches!(next, Next::Continue(super::FAILURE_NS)), "the disk takes its time to say so");
    let (completed, next) = disk.advance(access, &Gray::default());
    assert!(completed.is_none() && matches!(next, Next::Failed(WriteId(1))));
    assert_eq!(disk.image().log[1], Stored::Blank);

    let mut gray = Gray::default();
    gray.begin(0, GrayMode::ReadsOnly);
    let (access, _) = begin(&mut disk, 0, 2, &entry(1, 0));
    let (completed, next) = disk.advance(access, &gray);
    assert!(completed.is_some_and(|completed| completed.outcome == StorageOutcome::Failed && !completed.injected));
    assert!(matches!(next, Next::Continue(_)));
}

#[test]
fn reads_answer_what_is_stored_or_fail() {
    let mut disk = Disk::new(&options(), 0);
    complete(&mut disk, 0, 1, &entry(9, 0));
    let read = |disk: &mut Disk, slot, gray: &Gray| {
        let (access, _) = disk.read(0, ReadId(5), slot, gray, 0);
        match disk.advance(access, gray) {
            (Some(completed), Next::Content { content, .. }) => (completed.outcome, completed.number, content),
            (_, next) => panic!("a read answers, not {next:?}"),
        }
    };
    let well = Gray::default();
    assert_eq!(read(&mut disk, 9, &well), (StorageOutcome::Ok, Some(9), Stored::Value(entry(9, 0))));
    assert_eq!(read(&mut disk, 10, &well), (StorageOutcome::Ok, None, Stored::Blank));
    disk.corrupt_entry(9, 1);
    assert!(matches!(read(&mut disk, 9, &well), (StorageOutcome::Corrupt, Some(9), Stored::Bytes(_))));
    let mut gray = Gray::default();
    gray.begin(0, GrayMode::WritesOnly);
    assert!(matches!(read(&mut disk, 9, &gray), (StorageOutcome::Failed, _, Stored::Failed)));
}

#[test]
fn writes_of_one_place_wait_for_each_other_and_others_do_not() {
    let mut disk = Disk::new(&options(), 0);
    let (_, first_ns) = begin(&mut disk, 0, 1, &entry(1, 0));
    let (_, second_ns) = begin(&mut disk, 0, 2, &entry(1, 1));
    let (_, other_ns) = begin(&mut disk, 0, 3, &entry(2, 1));
    assert!(second_ns > first_ns && other_ns <= options().storage.latency_ns_max);
    let superblock = Superblock { sequence: 4, ..Superblock::default() };
    disk.write(0, WriteId(4), Write::Superblock { copy: 2, superblock }, &Gray::default(), 0);
    // A crash before the second write of the slot has begun leaves nothing of it.
    let losses = disk.crash(1, |_| true);
    let second = losses.iter().rfind(|loss| loss.number == Some(1)).expect("it was going on");
    assert_eq!(second.outcome, StorageOutcome::Lost);
    assert!(losses.iter().any(|loss| loss.zone == Zone::Superblock && loss.number == Some(4)));
}
