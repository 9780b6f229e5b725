//! `corruption_detection`: every damaged message or stored entry that was read was detected, and no clean one was refused for damage.
//!
//! Damage that is taken for data spreads; data that is taken for damage is thrown away.
//!
//! **Formally.** (1) A delivered message that a fault damaged (`bit_flip`, truncated, inserted, checksum) is refused, and no transition but
//! `rejected`, `corruption_detected` and `crashed` names it as its cause. (2) A message that no fault touched is not refused for its
//! checksum, and no `corruption_detected` of a message names it. (3) When a read of a log slot returned damaged bytes, the replica
//! says so (`corruption_detected` of an op in that slot) before it does anything at a later time, unless it crashes at once or its
//! checkpoint covers the op. (4) A `corruption_detected` of a slot stands behind an access of that replica to that slot that did
//! not end well, or behind a fault of its disk.
//!
//! **Evidence.** run: options (the number of slots). message: id, command, from, to, mutation, fate, `reject_reason`. transition:
//! replica, event, op, commit, cause, detail. storage: replica, io, zone, op, outcome. fault: fault, target.
//!
//! **Deliberately not checked.** Stale reads (their bytes are undamaged): `hash_chain`. Damaged messages to clients: a client's
//! refusal changes nothing that is recorded.

mod slots;
#[cfg(test)]
mod tests;

use crate::budget::Meter;
use crate::index::{EventSet, RunIndex};
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::column::Niche;
use vopr_schema::{Detail, Fate, Kind, Mutation, RejectReason, TransitionEvent as Event};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "corruption_detection",
    version: 1,
    category: Category::Storage,
    reads: &[
        Reads { kind: Kind::Run, columns: &["options"] },
        Reads { kind: Kind::Message, columns: &["id", "command", "from", "to", "mutation", "fate", "reject_reason"] },
        Reads { kind: Kind::Transition, columns: &["replica", "event", "op", "commit", "cause", "detail"] },
        Reads { kind: Kind::Storage, columns: &["replica", "io", "zone", "op", "outcome"] },
        Reads { kind: Kind::Fault, columns: &["fault", "target"] },
    ],
    statement: "every corrupted message or entry that was read was detected; no clean one was refused for corruption",
    because_of: &[],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("nothing was damaged and nothing refused as damaged", || {
        Ok(messages(index, meter)? + effects(index, meter)? + slots::check(index, meter)?)
    })
}

fn damages(mutation: Option<Mutation>) -> bool {
    matches!(mutation, Some(Mutation::BitFlip | Mutation::Truncated | Mutation::Inserted | Mutation::Checksum))
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
    let deliveries = index.deliveries();
    let mut ticker = meter.ticker();
    let harmless = EventSet::of(&[Event::Rejected, Event::CorruptionDetected, Event::Crashed]);
    let mut facts = 0;
    for row in index.transition_rows() {
        let cause = table.cause.0[row];
        if cause == u64::NONE {
            continue;
        }
        ticker.step()?;
        let Some(message) = deliveries.message(cause) else { continue };
        let event = table.event.get(row);
        // Copies of one message share its number, and a fault may have damaged one of them only.
        let is_damaged = |copy: usize| damages(messages.mutation.get(copy));
        if event == Event::CorruptionDetected && table.op.0[row] == u64::NONE && is_about_message(index, row) {
            facts += 1;
            if !deliveries.copies(index, message).any(is_damaged) {
                let summary = format!("replica {} called a clean message damaged", table.replica[row]);
                return Err(contradiction(index, "clean_message_called_damaged", summary, message, row).into());
            }
        } else if !harmless.has(event as u8) && is_damaged(message) && deliveries.copies(index, message).all(is_damaged) {
            let summary = format!("replica {} acted on a damaged message", table.replica[row]);
            return Err(contradiction(index, "damaged_message_had_effect", summary, message, row).into());
        }
    }
    Ok(facts)
}

/// A damaged superblock or checkpoint copy that is found while a message is handled is no statement about the message.
fn is_about_message(index: &RunIndex<'_>, row: usize) -> bool {
    matches!(index.transitions().detail.get(row), None | Some(Detail::MessageChecksum))
}

fn contradiction(index: &RunIndex<'_>, shape: &str, summary: String, message: usize, row: usize) -> Witness {
    let messages = index.messages();
    let words = format!("{} from {} to {}", messages.command.get(message), messages.from[message], messages.to[message]);
    Witness::new(shape, summary)
        .step(index.message_step(message, words))
        .step(index.transition_step(row, index.transitions().event.get(row).to_string()))
}
