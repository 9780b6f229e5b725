//! Causes on the disk: damage that was taken for data, forgotten, denied, or left lying.

use crate::diagnose::scene::{Scene, Sign};
use std::collections::BTreeMap;
use vopr_checker::index::EventSet;
use vopr_schema::{Detail, Ended, StorageIo, StorageOutcome, TransitionEvent as Event, Zone};

/// A replica that goes on for so long has had the time to repair what it knows to be damaged, nanoseconds.
const REPAIRED_BY_NS: u64 = 500_000_000;

/// Reads of log slots that ended this way, and whether the replica reported the damage at once.
fn damaged_reads<'a>(scene: &'a Scene<'_>, outcome: StorageOutcome) -> impl Iterator<Item = (usize, Option<usize>)> + 'a {
    let (accesses, table) = (scene.index.storage(), scene.index.transitions());
    let ring = scene.ring();
    let mut covered = vec![0; scene.index.replicas()];
    let mut next = scene.transitions().start;
    scene.index.storage_rows().filter_map(move |access| {
        let (seq, time) = (accesses.seq[access], accesses.time_ns[access]);
        let replica = usize::from(accesses.replica[access]);
        while next < scene.transitions().end && table.seq[next] < seq {
            if matches!(scene.event(next), Event::CheckpointDurable | Event::StateInstalled)
                && let Some(known) = covered.get_mut(usize::from(table.replica[next]))
            {
                *known = table.op.get(next).unwrap_or(0).max(*known);
            }
            next += 1;
        }
        let is_read = accesses.io.get(access) == StorageIo::Read && accesses.zone.get(access) == Zone::Log;
        if !is_read || accesses.outcome.get(access) != outcome {
            return None;
        }
        let op = accesses.op.get(access).filter(|op| covered.get(replica).is_some_and(|covered| op > covered))?;
        for row in (next..scene.transitions().end).filter(|row| usize::from(table.replica[*row]) == replica) {
            if table.time_ns[row] > time {
                return Some((access, Some(row)));
            }
            let reported = table.op.get(row).is_some_and(|reported| reported % ring == op % ring);
            let settled = match scene.event(row) {
                Event::CorruptionDetected => reported,
                Event::Restarted => table.commit[row] >= op,
                Event::StateInstalled | Event::CheckpointDurable => table.op.get(row).is_some_and(|known| known >= op),
                Event::Crashed => true,
                _ => false,
            };
            if settled {
                return Some((access, None));
            }
        }
        None
    })
}

fn silent(scene: &Scene<'_>, outcome: StorageOutcome, what: &str) -> Option<Sign> {
    let accesses = scene.index.storage();
    Sign::first(damaged_reads(scene, outcome).filter_map(|(access, row)| {
        let (row, replica, op) = (row?, accesses.replica[access], accesses.op.get(access)?);
        let sentence = format!("replica {replica} read op {op} {what} and took it for good");
        Some(
            Sign::proven(sentence)
                .row(scene.index.storage_step(access, format!("the read of op {op} returns it {what}")))
                .row(scene.transition(row, format!("replica {replica} goes on ({}) and has reported no damage", scene.event(row)))),
        )
    }))
}

/// Damaged bytes that were not noticed when they were read.
pub(super) fn damaged_entry_taken(scene: &Scene<'_>) -> Option<Sign> {
    silent(scene, StorageOutcome::Corrupt, "damaged")
}

/// A half-written entry that was not noticed, where other damage is.
pub(super) fn torn_entry_taken(scene: &Scene<'_>) -> Option<Sign> {
    let blind = damaged_reads(scene, StorageOutcome::Corrupt).any(|(_, row)| row.is_some());
    if blind { None } else { silent(scene, StorageOutcome::Torn, "cut short") }
}

/// A slot known to hold another entry whose entry was kept in the log all the same.
pub(super) fn misplaced_entry_kept(scene: &Scene<'_>) -> Option<Sign> {
    let (table, ring) = (scene.index.transitions(), scene.ring());
    let found = scene.index.events(EventSet::of(&[Event::CorruptionDetected])).filter_map(|(row, _)| {
        let slot = table.op.get(row).filter(|_| table.detail.get(row) == Some(Detail::MisplacedEntry))? % ring;
        let is_kept =
            |other: &usize| scene.event(*other) == Event::EntryDurable && table.op.get(*other).is_some_and(|op| op % ring == slot);
        let kept = scene.same_step(row).find(is_kept)?;
        let op = table.op.get(kept)?;
        let replica = table.replica[row];
        let sentence = format!("replica {replica} found another entry in the slot of op {op}, and kept it in its log");
        Some(
            Sign::proven(sentence)
                .row(scene.transition(row, format!("the slot of op {op} holds something else")))
                .row(scene.transition(kept, format!("replica {replica} has it in its log as op {op}"))),
        )
    });
    Sign::first(found).or_else(|| stranger_in_log(scene))
}

/// A restart whose log holds an entry that nobody had ever put there, out of a slot whose bytes were whole.
fn stranger_in_log(scene: &Scene<'_>) -> Option<Sign> {
    let (index, table, accesses, ring) = (&scene.index, scene.index.transitions(), scene.index.storage(), scene.ring());
    let restarts = index.events(EventSet::of(&[Event::Restarted]));
    let found = restarts.filter_map(|(restart, _)| {
        let is_stranger = |row: &usize| {
            let entry = index.entries().of_row(*row).filter(|_| scene.event(*row) == Event::EntryDurable);
            entry.is_some_and(|entry| index.entries().appended_row(entry).is_none_or(|appended| appended > *row))
        };
        let row = scene.same_step(restart).find(is_stranger)?;
        let (replica, op) = (table.replica[row], table.op.get(row)?);
        let mut reads = index.storage_rows().filter(|read| {
            accesses.replica[*read] == replica
                && accesses.time_ns[*read] == table.time_ns[row]
                && accesses.op.get(*read).is_some_and(|slot| slot % ring == op % ring)
        });
        let read = reads.next_back();
        if read.is_some_and(|read| matches!(accesses.outcome.get(read), StorageOutcome::Corrupt | StorageOutcome::Torn)) {
            return None;
        }
        let sentence = format!("the restart of replica {replica} kept an entry at op {op} that nobody had ever put there");
        let read = read.map(|read| index.storage_step(read, format!("the slot of op {op}: {}", accesses.outcome.get(read))));
        Some(
            Sign::proven(sentence)
                .row_if(read)
                .row(scene.transition(restart, format!("replica {replica} restarts")))
                .row(scene.transition(row, format!("op {op} is in its log"))),
        )
    });
    Sign::first(found)
}

/// A restart after which something acknowledged lies above the head that it found.
struct Restart {
    row: usize,
    replica: u8,
    head: u64,
    /// What was acknowledged above the head: op and row.
    lost: BTreeMap<u64, usize>,
    /// What it reported damaged: op and row.
    reported: BTreeMap<u64, usize>,
}

fn restarts(scene: &Scene<'_>) -> Vec<Restart> {
    let table = scene.index.transitions();
    let mut promised: Vec<BTreeMap<u64, usize>> = vec![BTreeMap::new(); scene.index.replicas()];
    let mut found = Vec::new();
    let events = [Event::Acknowledged, Event::EntryTruncated, Event::ViewEntered, Event::StateInstalled, Event::Started, Event::Restarted];
    for (row, event) in scene.index.events(EventSet::of(&events)) {
        let replica = table.replica[row];
        let (Some(promised), Some(op)) = (promised.get_mut(usize::from(replica)), table.op.get(row)) else { continue };
        match event {
            Event::Acknowledged => drop(promised.insert(op, row)),
            Event::EntryTruncated => drop(promised.remove(&op)),
            Event::Started => promised.clear(),
            Event::ViewEntered => promised.retain(|known, _| *known <= op),
            Event::StateInstalled => promised.retain(|known, _| *known > op),
            _ => {
                let lost = promised.split_off(&(op + 1));
                // A replica that was changing views goes by what it had pinned, not by what its slots hold.
                if !lost.is_empty() && table.view[row] == table.last_normal_view[row] {
                    let damage = scene.same_step(row).filter(|other| scene.event(*other) == Event::CorruptionDetected);
                    let reported = damage.filter_map(|other| Some((table.op.get(other)?, other))).collect();
                    found.push(Restart { row, replica, head: op, lost, reported });
                }
            }
        }
    }
    found
}

/// A restart that ends its log before a damaged slot although whole entries lie behind it.
pub(super) fn log_cut_at_damage(scene: &Scene<'_>) -> Option<Sign> {
    let all = restarts(scene);
    let cut = all.iter().filter_map(|restart| {
        let (damaged, replica) = (restart.head + 1, restart.replica);
        let report = *restart.reported.get(&damaged)?;
        let (op, promise) = restart.lost.iter().find(|(op, _)| **op > damaged && !restart.reported.contains_key(*op))?;
        let sentence = format!(
            "replica {replica} found op {damaged} damaged at its restart and dropped its log from there on, op {op} included, \
             which was whole and acknowledged"
        );
        Some(
            Sign::proven(sentence)
                .row(scene.transition(*promise, format!("replica {replica} acknowledges op {op}")))
                .row(scene.transition(restart.row, format!("its restart ends the log at op {}", restart.head)))
                .row(scene.transition(report, format!("op {damaged} is damaged"))),
        )
    });
    Sign::first(cut).or_else(|| {
        let last = all.iter().filter_map(|restart| dropped_for_good(scene, restart));
        Sign::first(last)
    })
}

/// A damaged head that was acknowledged, known to be damaged, and given up.
fn dropped_for_good(scene: &Scene<'_>, restart: &Restart) -> Option<Sign> {
    let table = scene.index.transitions();
    let (damaged, replica) = (restart.head + 1, restart.replica);
    let report = *restart.reported.get(&damaged)?;
    let promise = *restart.lost.get(&damaged)?;
    let entry = scene.index.entries().of_row(promise)?;
    // What was never committed may be given up.
    let is_counted = |row: &usize| scene.index.entries().of_row(*row) == Some(entry) && table.quorum.get(*row).is_some();
    let commits = scene.index.events(EventSet::of(&[Event::Committed])).map(|(row, _)| row);
    let _ = commits.into_iter().find(is_counted)?;
    let is_other = |row: &usize| {
        let appended = scene.event(*row) == Event::EntryAppended && table.op.get(*row) == Some(damaged);
        appended && scene.index.entries().of_row(*row).is_some_and(|other| other != entry)
    };
    let other = scene.afterwards(restart.row).find(is_other)?;
    let sentence = format!("op {damaged}, acknowledged by replica {replica}, was damaged at its restart, and another entry took its place");
    Some(
        Sign::possible(sentence)
            .row(scene.transition(promise, format!("replica {replica} acknowledges op {damaged}")))
            .row(scene.transition(report, format!("op {damaged} is damaged")))
            .row(scene.transition(other, format!("another op {damaged}"))),
    )
}

/// A restart that takes damage behind its head for damage of something older.
pub(super) fn damaged_head_trusted(scene: &Scene<'_>) -> Option<Sign> {
    let (table, ring) = (scene.index.transitions(), scene.ring());
    let all = restarts(scene);
    let trusted = all.iter().filter_map(|restart| {
        let (op, replica) = (restart.head + 1, restart.replica);
        let promise = *restart.lost.get(&op)?;
        let alias = op.checked_sub(ring)?;
        let report = *restart.reported.get(&alias).filter(|_| !restart.reported.contains_key(&op))?;
        let torn = table.detail.get(report) == Some(Detail::TornEntry);
        let sentence = format!(
            "replica {replica} had acknowledged op {op}, found its slot damaged, and trusted the head before it: op {}",
            restart.head
        );
        (!torn).then(|| {
            Sign::proven(sentence)
                .row(scene.transition(promise, format!("replica {replica} acknowledges op {op}")))
                .row(scene.transition(restart.row, format!("its restart takes op {} for the last one", restart.head)))
                .row(scene.transition(report, format!("the slot of op {op} is damaged, and taken for that of op {alias}")))
        })
    });
    Sign::first(trusted)
}

/// A committed entry that a new view dropped, while a member of its quorum knew its own copy to be damaged.
pub(super) fn damaged_slot_denied(scene: &Scene<'_>) -> Option<Sign> {
    // Whoever cuts its log at the damage, or takes a damaged head for certain, has nothing left to deny.
    let is_proven = |sign: Option<Sign>| sign.is_some_and(|sign| sign.strength == crate::diagnose::scene::Strength::Proven);
    if is_proven(log_cut_at_damage(scene)) || is_proven(damaged_head_trusted(scene)) {
        return None;
    }
    let (index, table, ring) = (&scene.index, scene.index.transitions(), scene.ring());
    let entered = index.events(EventSet::of(&[Event::ViewEntered])).filter_map(|(row, _)| {
        let (quorum, head) = (table.quorum.get(row)?, index.entries().of_row(row)?);
        let counted = index.events(EventSet::of(&[Event::Committed])).map(|(row, _)| row).filter(|commit| {
            table.quorum.get(*commit).is_some() && table.view[*commit] < table.view[row] && table.seq[*commit] < table.seq[row]
        });
        let lost = counted.filter(|commit| {
            let (op, hash) = (table.op.get(*commit).unwrap_or(0), table.entry_hash.get(*commit));
            index.entries().op(head) < op || index.entries().ancestor_hash(head, op).is_some_and(|held| Some(held) != hash)
        });
        let commit = lost.min_by_key(|commit| table.op.get(*commit))?;
        let op = table.op.get(commit)?;
        let is_damage = |other: &usize| {
            let member = table.replica[*other];
            quorum >> member & 1 == 1 && table.op.get(*other).is_some_and(|named| named % ring == op % ring)
        };
        let damage = index.events(EventSet::of(&[Event::CorruptionDetected])).map(|(row, _)| row).filter(is_damage);
        let damage = damage.filter(|other| table.seq[*other] < table.seq[row]).last()?;
        let (member, view) = (table.replica[damage], table.view[row]);
        let sentence = format!(
            "view {view} began without op {op}, which had been committed: the copy of replica {member} was damaged, and counted as none"
        );
        Some(
            Sign::proven(sentence)
                .row(scene.transition(commit, format!("op {op} is committed")))
                .row(scene.transition(damage, format!("replica {member} finds its copy damaged")))
                .row(scene.transition(row, format!("view {view} begins with a log that ends at op {}", index.entries().op(head)))),
        )
    });
    Sign::first(entered)
}

/// Whether there was time to write something before the end: a run that has settled leaves no disk anything to do.
fn had_time(scene: &Scene<'_>, since_ns: u64) -> bool {
    let meta = scene.index.meta();
    let has_settled = meta.heal_time_ns.is_some() && matches!(meta.ended, Ended::Completed | Ended::EventLimit);
    has_settled || meta.end_time_ns.saturating_sub(since_ns) >= REPAIRED_BY_NS
}

/// Damage that was found and never repaired on the disk: its report and the replica's last row.
fn lying(scene: &Scene<'_>, report: usize) -> Option<usize> {
    let (table, ring) = (scene.index.transitions(), scene.ring());
    let op = table.op.get(report)?;
    let mut last = None;
    for row in scene.afterwards(report) {
        let named = table.op.get(row);
        let settled = match scene.event(row) {
            Event::EntryTruncated => named == Some(op),
            // Also a later entry in its place, whose write may have begun before the damage was seen.
            Event::EntryDurable => named.is_some_and(|named| named % ring == op % ring && named >= op),
            Event::EntryAppended => named.is_some_and(|named| named % ring == op % ring && named > op),
            Event::CheckpointDurable | Event::StateInstalled => named.is_some_and(|named| named >= op),
            Event::ViewEntered => named.is_some_and(|named| named < op),
            Event::Crashed => true,
            _ => false,
        };
        if settled {
            return None;
        }
        last = Some(row);
    }
    last.filter(|_| had_time(scene, table.time_ns[report]))
}

/// Damage that was repaired in memory, and not on the disk.
pub(super) fn damage_left_on_disk(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.transitions();
    let found = scene.index.events(EventSet::of(&[Event::CorruptionDetected])).filter_map(|(row, _)| {
        let (op, replica) = (table.op.get(row).filter(|op| *op > table.commit[row])?, table.replica[row]);
        if scrubbed(scene, row).is_some() {
            return None;
        }
        let last = lying(scene, row)?;
        let got = scene.afterwards(row).find(|other| {
            matches!(scene.event(*other), Event::Repaired | Event::EntryAppended | Event::Committed | Event::Applied)
                && table.op.get(*other) == Some(op)
        })?;
        let sentence = format!("replica {replica} found op {op} damaged, got the entry anew, and never wrote it");
        Some(
            Sign::proven(sentence)
                .row(scene.transition(row, format!("replica {replica} finds op {op} damaged")))
                .row(scene.transition(got, format!("it has op {op} again, in memory: {}", scene.event(got))))
                .row(scene.transition(last, "it has not written it by the end".to_owned())),
        )
    });
    Sign::first(found).or_else(|| slot_never_written_again(scene))
}

/// A damaged slot that another entry took in memory, and that was not written with it either.
fn slot_never_written_again(scene: &Scene<'_>) -> Option<Sign> {
    let (table, ring) = (scene.index.transitions(), scene.ring());
    let found = scene.index.events(EventSet::of(&[Event::CorruptionDetected])).filter_map(|(report, _)| {
        let (damaged, replica) = (table.op.get(report)?, table.replica[report]);
        let is_there =
            |row: &usize| scene.event(*row) == Event::EntryAppended && table.op.get(*row).is_some_and(|op| op % ring == damaged % ring);
        let taken = scene.afterwards(report).filter(is_there).last()?;
        let op = table.op.get(taken)?;
        let settled = scene.afterwards(taken).any(|row| match scene.event(row) {
            Event::EntryDurable | Event::EntryTruncated | Event::Repaired => table.op.get(row) == Some(op),
            Event::StateInstalled => table.op.get(row).is_some_and(|installed| installed >= op),
            Event::Crashed | Event::Paused => true,
            _ => false,
        });
        let late = had_time(scene, table.time_ns[taken]);
        let last = scene.afterwards(taken).last().filter(|_| late && !settled)?;
        let sentence = format!("replica {replica} found the slot of op {damaged} damaged, took op {op} into it, and never wrote it");
        Some(
            Sign::likely(sentence)
                .row(scene.transition(report, format!("replica {replica} finds op {damaged} damaged")))
                .row(scene.transition(taken, format!("it takes op {op} into that slot, in memory")))
                .row(scene.transition(last, "it has not written it by the end".to_owned())),
        )
    });
    Sign::first(found)
}

/// The scrubber's read that found some damage.
fn scrubbed(scene: &Scene<'_>, report: usize) -> Option<usize> {
    let table = scene.index.transitions();
    let op = table.op.get(report)?;
    let here = |row: &usize| table.replica[*row] == table.replica[report];
    let earlier =
        (scene.transitions().start..report).rev().filter(here).take_while(|row| table.incarnation[*row] == table.incarnation[report]);
    let mut earlier = earlier.take_while(|row| table.time_ns[report] - table.time_ns[*row] <= REPAIRED_BY_NS);
    earlier.find(|row| scene.event(*row) == Event::ScrubRead && table.op.get(*row) == Some(op))
}

/// Damage that the scrubber found and nobody repaired.
pub(super) fn scrub_finding_ignored(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.transitions();
    let found = scene.index.events(EventSet::of(&[Event::CorruptionDetected])).filter_map(|(row, _)| {
        let (op, replica) = (table.op.get(row)?, table.replica[row]);
        let read = scrubbed(scene, row)?;
        let asked = scene.afterwards(row).any(|other| {
            matches!(scene.event(other), Event::RepairRequested | Event::Repaired | Event::EntryDurable) && table.op.get(other) == Some(op)
        });
        // A checkpoint makes nothing whole that lies in the log.
        let settled = scene.afterwards(row).any(|other| match scene.event(other) {
            Event::Crashed | Event::StateInstalled => true,
            Event::EntryTruncated => table.op.get(other) == Some(op),
            // Its place is taken by another entry, whose write may have begun before the scrubber had its answer.
            Event::EntryAppended | Event::EntryDurable => {
                table.op.get(other).is_some_and(|named| named % scene.ring() == op % scene.ring())
            }
            _ => false,
        });
        let late = had_time(scene, table.time_ns[row]);
        let sentence = format!("the scrubber of replica {replica} found op {op} damaged, and nobody asked a peer for it");
        (!asked && !settled && late).then(|| {
            Sign::proven(sentence)
                .row(scene.transition(read, format!("the scrubber reads op {op}")))
                .row(scene.transition(row, format!("op {op} is damaged")))
        })
    });
    Sign::first(found)
}

/// A vote of a replica whose disk had been replaced, before it could know what it had promised.
pub(super) fn reformatted_replica_voted(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.transitions();
    let mut bound: Vec<(u64, Option<usize>)> = vec![(0, None); scene.index.replicas()];
    let mut found = Vec::new();
    let events = EventSet::of(&[Event::Started, Event::VoteCast, Event::Acknowledged, Event::ViewEntered]);
    for (row, event) in scene.index.events(events) {
        let (replica, view) = (table.replica[row], table.view[row]);
        let Some((promised, start)) = bound.get_mut(usize::from(replica)) else { continue };
        match (event, *start) {
            (Event::Started, _) if table.incarnation[row] > 0 => *start = Some(row),
            (Event::ViewEntered, _) if view > *promised => *start = None,
            (Event::VoteCast | Event::Acknowledged, Some(from)) => {
                let sentence =
                    format!("the disk of replica {replica} was replaced, and it voted although it could not know its old promises");
                let sign = Sign::proven(sentence)
                    .row(scene.transition(
                        from,
                        format!("replica {replica} starts with an empty disk; its old self was bound to view {promised}"),
                    ))
                    .row(scene.transition(row, format!("replica {replica} votes in view {view}: {event}")));
                found.push(sign);
            }
            (Event::VoteCast | Event::Acknowledged, None) => *promised = view.max(*promised),
            _ => {}
        }
    }
    Sign::first(found.into_iter())
}

/// A log cut back to its commit number when a state was asked for.
pub(super) fn log_cut_before_state_came(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.transitions();
    let cut = scene.index.events(EventSet::of(&[Event::EntryTruncated])).filter_map(|(row, _)| {
        let op = table.op.get(row)?;
        let asks =
            |other: &usize| scene.event(*other) == Event::StatusChanged && table.status.get(*other) == vopr_schema::Status::StateTransfer;
        let asked = scene.same_step(row).find(asks).filter(|_| !scene.index.installed_in_this_step(row, op))?;
        let replica = table.replica[row];
        let sentence = format!("replica {replica} asked for a peer's state and gave up op {op} of its own log before that state had come");
        Some(
            Sign::proven(sentence)
                .row(scene.transition(row, format!("op {op} leaves the log of replica {replica}")))
                .row(scene.transition(asked, "it begins to wait for a peer's state".to_owned())),
        )
    });
    Sign::first(cut)
}
