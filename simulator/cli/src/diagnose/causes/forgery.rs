//! Causes in the checking of messages: what was taken although it contradicts itself, or was damaged on its way.

use crate::diagnose::scene::{Scene, Sign};
use vopr_checker::index::EventSet;
use vopr_checker::words::counted;
use vopr_schema::{Command, Mutation, TransitionEvent as Event};

/// A message is never larger, bytes.
const MESSAGE_BYTES_MAX: u32 = 16 << 20;

/// A message never carries more entries.
const TAIL_ENTRIES_MAX: u32 = 10_000;

/// The first taken message that fits, told as a sentence.
fn taken(scene: &Scene<'_>, fits: impl Fn(usize) -> bool, sentence: impl Fn(usize) -> String) -> Option<Sign> {
    let rows = scene.taken_rows().filter(|row| fits(*row));
    Sign::first(rows.map(|row| {
        let effect = effect(scene, row);
        let to = scene.index.messages().to[row];
        Sign::proven(sentence(row))
            .row(scene.message(row, ": taken"))
            .row_if(effect.map(|effect| scene.transition(effect, format!("replica {to} acts on it: {}", scene.event(effect)))))
    }))
}

/// What a message made its receiver do.
fn effect(scene: &Scene<'_>, message: usize) -> Option<usize> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    let id = messages.id[message];
    let is_effect = |row: &usize| {
        table.cause.get(*row) == Some(id)
            && u16::from(table.replica[*row]) == messages.to[message]
            && !matches!(scene.event(*row), Event::Rejected | Event::CorruptionDetected)
    };
    scene.transitions().find(is_effect)
}

fn is(scene: &Scene<'_>, row: usize, command: Command) -> bool {
    scene.index.messages().command.get(row) == command
}

fn mutated(scene: &Scene<'_>, row: usize, by: &[Mutation]) -> bool {
    scene.index.messages().mutation.get(row).is_some_and(|mutation| by.contains(&mutation))
}

/// How much more a message says to be committed than its log reaches.
fn beyond(scene: &Scene<'_>, row: usize) -> Option<(u64, u64)> {
    let table = scene.index.messages();
    table.commit.get(row).zip(table.op.get(row)).filter(|(commit, op)| commit > op)
}

/// A `start_view` whose commit number is beyond its log.
pub(super) fn commit_beyond_log(scene: &Scene<'_>) -> Option<Sign> {
    let fits = |row| is(scene, row, Command::StartView) && beyond(scene, row).is_some();
    taken(scene, fits, |row| {
        let ((commit, op), to) = (beyond(scene, row).unwrap_or_default(), scene.index.messages().to[row]);
        format!("replica {to} took a start_view that says op {commit} is committed, with a log that ends at op {op}")
    })
}

/// A `do_view_change` whose commit number is beyond its log.
pub(super) fn inflated_commit_believed(scene: &Scene<'_>) -> Option<Sign> {
    let fits = |row| is(scene, row, Command::DoViewChange) && beyond(scene, row).is_some();
    taken(scene, fits, |row| {
        let ((commit, op), to) = (beyond(scene, row).unwrap_or_default(), scene.index.messages().to[row]);
        format!("replica {to} took a do_view_change that says op {commit} is committed, with a log that ends at op {op}")
    })
}

/// A log whose entries do not connect, or whose claims are false, sent to a new primary.
pub(super) fn forged_log_chosen(scene: &Scene<'_>) -> Option<Sign> {
    let fits = |row| is(scene, row, Command::DoViewChange) && mutated(scene, row, &[Mutation::TailContent]);
    taken(scene, fits, |row| {
        let table = scene.index.messages();
        format!(
            "replica {} took a do_view_change of replica {} whose entries had been exchanged on their way",
            table.to[row], table.from[row]
        )
    })
}

/// A log that carries less, or more, than it claims.
pub(super) fn tail_not_as_claimed(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.messages();
    let claimed = |row: usize| table.op.get(row)?.checked_sub(table.commit.get(row)?);
    let fits = |row: usize| {
        let is_log = is(scene, row, Command::DoViewChange) || is(scene, row, Command::StartView);
        let carried = table.log_count.get(row).filter(|carried| *carried <= TAIL_ENTRIES_MAX).map(u64::from);
        is_log && carried.zip(claimed(row)).is_some_and(|(carried, claimed)| carried != claimed)
    };
    taken(scene, fits, |row| {
        let (carried, claimed) = (table.log_count.get(row).unwrap_or_default(), claimed(row).unwrap_or_default());
        format!("replica {} took a log that claims {} and carries {carried}", table.to[row], counted(claimed, "entry"))
    })
}

/// An entry that is not what the header of its prepare says.
pub(super) fn entry_contradicts_header(scene: &Scene<'_>) -> Option<Sign> {
    let (table, messages) = (scene.index.transitions(), scene.index.messages());
    let appended = scene.index.events(EventSet::of(&[Event::EntryAppended])).filter_map(|(row, _)| {
        let message = scene.cause(row).filter(|message| is(scene, *message, Command::Prepare))?;
        let (op, view, hash) = (table.op.get(row)?, table.entry_view.get(row)?, table.entry_hash.get(row)?);
        // Entries that waited for the one before them are appended with it.
        let same_op = messages.op.get(message) == Some(op);
        let is_other = messages.entry_hash.get(message).is_some_and(|named| named != hash);
        let is_newer = messages.view.get(message).is_some_and(|sent| view > sent);
        let contradicts = same_op && (is_other || is_newer);
        let sentence = format!("replica {} appended op {op} of view {view}, which is not what its prepare announced", table.replica[row]);
        contradicts.then(|| {
            Sign::proven(sentence)
                .row(scene.message(message, &format!(" in view {}", messages.view.get(message).unwrap_or_default())))
                .row(scene.transition(row, format!("the entry is of view {view}")))
        })
    });
    let fits = |row| is(scene, row, Command::Prepare) && mutated(scene, row, &[Mutation::EntryMetadata]);
    Sign::first(appended).or_else(|| {
        taken(scene, fits, |row| format!("replica {} took a prepare whose entry contradicts its header", scene.index.messages().to[row]))
    })
}

/// A message of more entries or bytes than any may have.
pub(super) fn oversized_message_taken(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.messages();
    let fits = |row: usize| {
        let many = table.log_count.get(row).is_some_and(|count| count > TAIL_ENTRIES_MAX) && !is(scene, row, Command::RepairRequest);
        many || table.size_bytes[row] > MESSAGE_BYTES_MAX || mutated(scene, row, &[Mutation::Oversized])
    };
    taken(scene, fits, |row| {
        let (entries, bytes) = (table.log_count.get(row).unwrap_or_default(), table.size_bytes[row]);
        format!("replica {} took a message of {} and {}", table.to[row], counted(entries, "entry"), counted(bytes, "byte"))
    })
}

/// A request for entries that make no range.
pub(super) fn senseless_range_served(scene: &Scene<'_>) -> Option<Sign> {
    let table = scene.index.messages();
    let fits =
        |row| is(scene, row, Command::RepairRequest) && (mutated(scene, row, &[Mutation::Range]) || table.log_count.get(row) == Some(0));
    taken(scene, fits, |row| {
        let (first, count) = (table.log_first.get(row).unwrap_or_default(), table.log_count.get(row).unwrap_or_default());
        format!("replica {} served a repair request for {} from op {first} on", table.to[row], counted(count, "entry"))
    })
}

/// A message whose bytes were damaged on their way.
pub(super) fn damaged_message_taken(scene: &Scene<'_>) -> Option<Sign> {
    let damaged = [Mutation::BitFlip, Mutation::Truncated, Mutation::Inserted, Mutation::Checksum];
    taken(
        scene,
        |row| mutated(scene, row, &damaged),
        |row| {
            let table = scene.index.messages();
            let what = table.mutation.get(row).unwrap_or_default();
            format!("replica {} took a message whose bytes were damaged on their way ({what})", table.to[row])
        },
    )
}
