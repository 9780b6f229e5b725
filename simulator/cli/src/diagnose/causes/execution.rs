//! Causes in the state machine: what commands do when they are applied.

use crate::diagnose::scene::{Scene, Sign, is_damaged_read};
use std::collections::BTreeMap;
use vopr_checker::index::{EventSet, applied_request, is_read, operation_request};
use vopr_checker::words::counted;
use vopr_schema::{Function, Outcome, TransitionEvent as Event, Zone};

/// Commands that a pipeline holds, at most: so far back an update that is worked out too early can look.
const PIPELINE_MAX: u64 = 64;

/// A value that a key was given.
#[derive(Clone, Copy)]
struct Version {
    op: u64,
    value: u64,
    row: usize,
    /// What it was worked out from, of an addition.
    base: Option<u64>,
}

/// A read-modify-write that was worked out on a value that another one had replaced.
pub(super) fn update_on_stale_value(scene: &Scene<'_>) -> Option<Sign> {
    let (index, table) = (&scene.index, scene.index.operations());
    let mut versions: BTreeMap<u64, Vec<Version>> = BTreeMap::new();
    let mut found = Vec::new();
    let walk = index.journal().replay(|op, row| {
        // A request that was applied twice was answered for one of the two places.
        let known = table.outcome.get(row) == Outcome::Ok && index.journal().place_of(row) == Some(op) && table.op.get(row) == Some(op);
        let key = table.key[row];
        let of_key = versions.entry(key).or_default();
        let set = |value: u64, base: Option<u64>| Version { op, value, row, base };
        match (table.function.get(row), table.value.get(row), table.result.get(row)) {
            (Function::Write, Some(value), _) => of_key.push(set(value, None)),
            (Function::CompareAndSet, Some(value), Some(1)) if known => of_key.push(set(value, None)),
            (Function::CompareAndSet, ..) if known => {}
            (Function::ReadModifyWrite, Some(added), Some(result)) if known => {
                let base = result.wrapping_sub(added);
                if let Some(stale) = stale(of_key, base, op) {
                    found.push((set(result, Some(base)), stale));
                }
                of_key.push(set(result, Some(base)));
            }
            // Whoever was not told of a result leaves the value unknown: nothing is compared with it.
            (Function::ReadModifyWrite | Function::CompareAndSet | Function::Delete, ..) => of_key.clear(),
            (Function::Transaction, ..) => {
                for pair in table.writes.get(row).into_iter().flatten() {
                    versions.remove(&pair.key);
                }
            }
            _ => {}
        }
        Ok::<(), ()>(())
    });
    walk.ok()?;
    let sign = |(late, (older, latest)): (Version, (Option<Version>, Version))| {
        let (key, base) = (table.key[late.row], late.base.unwrap_or_default());
        let sentence =
            format!("the addition at op {} to key {key} started from {base}, although op {} had replaced that", late.op, latest.op);
        let words = |version: Version| format!("op {}: key {key} becomes {}", version.op, version.value);
        let told = format!("op {}: adds {} and is told {}", late.op, table.value.0[late.row], late.value);
        Sign::proven(sentence)
            .row_if(older.map(|older| index.operation_step(older.row, words(older))))
            .row(index.operation_step(latest.row, words(latest)))
            .row(index.operation_step(late.row, told))
    };
    Sign::first(found.into_iter().map(sign))
}

/// The value that an addition at `op` should have started from, if it started from one before that, and that one.
fn stale(versions: &[Version], base: u64, op: u64) -> Option<(Option<Version>, Version)> {
    let latest = versions.last().copied().filter(|latest| latest.value != base && op - latest.op <= PIPELINE_MAX)?;
    let older = versions.iter().rev().skip(1).find(|older| older.value == base).copied();
    (older.is_some() || latest.base == Some(base)).then_some((older, latest))
}

/// A scan that returned keys outside the range that it was asked for, or outside its tenant.
pub(super) fn scan_past_its_end(scene: &Scene<'_>) -> Option<Sign> {
    let (index, table) = (&scene.index, scene.index.operations());
    let layout = index.layout();
    let scans = index.operation_rows().filter(|row| table.function.get(*row) == Function::Scan);
    let signs = scans.filter_map(|row| {
        let (first, last, tenant) = (table.key[row], table.key_last.get(row)?, table.tenant[row]);
        let outside = |key: u64| !(first..=last).contains(&key) || layout.is_some_and(|layout| !layout.owns(tenant, key));
        let key = table.results.get(row)?.map(|pair| pair.key).find(|key| outside(*key))?;
        let sentence = format!("a scan of tenant {tenant} over keys {first} to {last} returned key {key}");
        Some(Sign::proven(sentence).row(index.operation_step(row, format!("the scan is told of key {key}"))))
    });
    Sign::first(signs)
}

/// A state that changed at a command which changes nothing, shortly behind a transfer.
pub(super) fn transfer_in_two_steps(scene: &Scene<'_>) -> Option<Sign> {
    let (index, operations, table) = (&scene.index, scene.index.operations(), scene.index.transitions());
    let place = |op: u64| usize::try_from(op).ok().and_then(|op| index.journal().operation_at(op));
    let idle = |row: usize| is_read(index, row) || operations.outcome.get(row) == Outcome::Error;
    let is_transfer = |op: &u64| {
        let row = place(*op).filter(|row| operations.function.get(*row) == Function::Transfer);
        row.is_some_and(|row| operations.outcome.get(row) != Outcome::Error)
    };
    // Per replica the state before each application.
    let mut last: Vec<Option<(u64, u64)>> = vec![None; index.replicas()];
    let applied = index.events(EventSet::of(&[Event::Applied])).filter_map(|(row, _)| {
        let (op, after) = (table.op.get(row)?, table.state_hash.get(row)?);
        let before = last.get_mut(usize::from(table.replica[row]))?.replace((op, after))?;
        let operation = place(op).filter(|operation| idle(*operation))?;
        if before.0 + 1 != op || before.1 == after || applied_request(index, row) != Some(operation_request(index, operation)) {
            return None;
        }
        let transfer = (op.saturating_sub(2)..op).rev().find(is_transfer)?;
        let amount = place(transfer).and_then(|row| operations.value.get(row)).unwrap_or_default();
        let sentence = format!(
            "op {op} changes nothing, but the state changed with it: the transfer of {amount} at op {transfer} took effect in two steps"
        );
        Some(
            Sign::proven(sentence)
                .row_if(place(transfer).map(|row| index.operation_step(row, format!("op {transfer}: a transfer of {amount}"))))
                .row(index.operation_step(operation, format!("op {op}: a {} that changes nothing", operations.function.get(operation))))
                .row(scene.transition(row, format!("replica {} has another state behind it", table.replica[row]))),
        )
    });
    Sign::first(applied)
}

/// One entry applied to one state with two outcomes.
pub(super) fn apply_not_deterministic(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.transitions();
    let mut last: Vec<Option<(u64, u64)>> = vec![None; scene.index.replicas()];
    // By op and entry: the state before, the state after, and the row.
    let mut known: BTreeMap<(u64, u64, u64), (u64, usize)> = BTreeMap::new();
    let mut found = Vec::new();
    let events = EventSet::of(&[Event::Applied, Event::Restarted, Event::Started, Event::StateInstalled]);
    for (row, event) in scene.index.events(events) {
        let Some(last) = last.get_mut(usize::from(table.replica[row])) else { continue };
        if event != Event::Applied {
            *last = table.op.get(row).zip(table.state_hash.get(row)).filter(|_| event == Event::StateInstalled);
            continue;
        }
        let (Some(op), Some(entry), Some(after)) = (table.op.get(row), table.entry_hash.get(row), table.state_hash.get(row)) else {
            continue;
        };
        if let Some((_, before)) = last.filter(|(place, _)| place + 1 == op) {
            let (other, first) = *known.entry((op, entry, before)).or_insert((after, row));
            if other != after {
                found.push((op, first, row));
            }
        }
        *last = Some((op, after));
    }
    // A hash is that of the entry that was promised: what a damaged copy holds may be another one.
    let damaged = |op: u64, row: usize| read_damaged(scene, op, row);
    let (doubtful, sure): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(op, first, row)| damaged(*op, *first).or_else(|| damaged(*op, *row)).is_some());
    let sign = |(op, first, row): (u64, usize, usize)| {
        let (one, two) = (table.replica[first], table.replica[row]);
        let words = |row: usize| format!("replica {} reaches state {:016x}", table.replica[row], table.state_hash.0[row]);
        let applied =
            format!("replicas {one} and {two} applied the entry of one hash at op {op} to the same state and reached different ones");
        let sign = match damaged(op, first).or_else(|| damaged(op, row)) {
            None => Sign::proven(applied),
            Some(access) => {
                let reader = scene.index.storage().replica[access];
                let sentence = format!("{applied}; but replica {reader} had read its copy damaged, and may have applied that");
                let read = scene.index.storage_step(access, format!("replica {reader} reads op {op} damaged"));
                Sign::possible(sentence).row(read)
            }
        };
        sign.row(scene.transition(first, words(first))).row(scene.transition(row, words(row)))
    };
    Sign::first(sure.into_iter().map(sign)).or_else(|| Sign::first(doubtful.into_iter().map(sign)))
}

/// The last read before some row by its replica that returned this op of its log damaged.
fn read_damaged(scene: &Scene<'_>, op: u64, row: usize) -> Option<usize> {
    let (accesses, table) = (scene.index.storage(), scene.index.transitions());
    let is_damaged = |access: &usize| {
        accesses.zone.get(*access) == Zone::Log
            && accesses.op.get(*access) == Some(op)
            && accesses.replica[*access] == table.replica[row]
            && is_damaged_read(accesses, *access)
    };
    scene.index.storage_rows().filter(|access| accesses.seq[*access] < table.seq[row]).rfind(is_damaged)
}

/// Replicas that commit on and apply nothing behind one command.
pub(super) fn stalled_behind_a_command(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.transitions();
    let mut applied: Vec<Option<usize>> = vec![None; scene.index.replicas()];
    let mut ahead: Vec<Option<usize>> = vec![None; scene.index.replicas()];
    let events = EventSet::of(&[Event::Applied, Event::Committed, Event::Restarted, Event::Started, Event::StateInstalled]);
    for (row, event) in scene.index.events(events) {
        let replica = usize::from(table.replica[row]);
        let (Some(applied), Some(ahead)) = (applied.get_mut(replica), ahead.get_mut(replica)) else { continue };
        match event {
            Event::Applied => (*applied, *ahead) = (Some(row), None),
            Event::Committed => {
                let behind = applied.and_then(|row| table.op.get(row)).unwrap_or(u64::MAX - 1);
                *ahead = ahead.or((table.op.get(row) > Some(behind + 1)).then_some(row));
            }
            _ => (*applied, *ahead) = (None, None),
        }
    }
    let stuck: Vec<(usize, usize)> = applied.iter().zip(&ahead).filter_map(|(applied, ahead)| Some(((*applied)?, (*ahead)?))).collect();
    let (last, next) = *stuck.first()?;
    let op = table.op.get(last)?;
    let together = stuck.iter().filter(|(row, _)| table.op.get(*row) == Some(op)).count();
    if together < scene.index.quorum() {
        return None;
    }
    let refused = usize::try_from(op).ok().and_then(|op| scene.index.journal().operation_at(op));
    let sentence = format!("{} applied op {op} and nothing behind it, though commits went on", counted(together, "replica"));
    Some(
        Sign::proven(sentence)
            .row_if(
                refused.map(|row| scene.index.operation_step(row, format!("op {op}: a {}", scene.index.operations().function.get(row)))),
            )
            .row(scene.transition(last, format!("replica {} applies op {op}, the last one", table.replica[last])))
            .row(
                scene.transition(next, format!("it commits op {} without applying the one before", table.op.get(next).unwrap_or_default())),
            ),
    )
}

#[cfg(test)]
mod tests {
    use super::apply_not_deterministic;
    use crate::diagnose::scene::{Scene, Strength};
    use vopr_schema::{History, Run, StorageIo, StorageOutcome, StorageRow, TransitionEvent, TransitionRow, Zone};

    /// Two replicas that apply ops 1 and 2 and differ at the second; replica 1 has read that one with this outcome.
    fn strength(read: Option<StorageOutcome>) -> Option<Strength> {
        let mut history = History::default();
        if let Some(outcome) = read {
            let access =
                StorageRow { seq: 1, replica: 1, op: Some(2), io: StorageIo::Read, zone: Zone::Log, outcome, ..StorageRow::default() };
            history.storage.push(access);
        }
        for (seq, replica, op, state) in [(2, 0, 1, 10), (3, 1, 1, 10), (4, 0, 2, 20), (5, 1, 2, 21)] {
            history.transitions.push(TransitionRow {
                seq,
                time_ns: seq,
                replica,
                op: Some(op),
                commit: op,
                event: TransitionEvent::Applied,
                entry_hash: Some(100 + op),
                state_hash: Some(state),
                ..TransitionRow::default()
            });
        }
        history.close_run(Run { replicas: 2, ..Run::default() });
        apply_not_deterministic(&Scene::new(&history)).map(|sign| sign.strength)
    }

    #[test]
    fn what_was_read_damaged_proves_nothing_about_the_state_machine() {
        assert_eq!(strength(None), Some(Strength::Proven));
        assert_eq!(strength(Some(StorageOutcome::Ok)), Some(Strength::Proven));
        assert_eq!(strength(Some(StorageOutcome::Torn)), Some(Strength::Possible));
    }
}
