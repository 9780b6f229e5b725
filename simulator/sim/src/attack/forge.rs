//! Forging: from a true message and an attack to a lie with valid checksums and hashes.
//!
//! Each lie breaks exactly the rule that its guard watches over, and is in order otherwise, so that a receiver without that guard
//! believes it. What no guard could tell from the truth is not forged: the comments say where that limit lies.

use super::{Attack, Form, Lie, Memory, RangeShape};
use std::sync::Arc;
use vopr_schema::Mutation;
use vsr::constants::{MESSAGE_BYTES_MAX, REPAIR_ENTRIES_MAX};
use vsr::entry::{Entry, EntryFields};
use vsr::ids::{Hash, Op, View};
use vsr::io::{StateSummary, Status};
use vsr::message::{Body, DoViewChange, Message, StartView, TailSlot};

/// Timestamps that are tried until a forged hash loses a tie.
const TRIES_MAX: u64 = 64;

/// What the attacker knows besides the message.
pub(super) struct Scene<'a> {
    /// The receiver at present, if it is a replica that runs.
    pub receiver: Option<StateSummary>,
    /// What the links have seen.
    pub memory: &'a mut Memory,
}

/// The lie that an attack makes of a message; none when this message gives no occasion for it.
pub(super) fn lie(attack: Attack, message: &Message, scene: &mut Scene<'_>) -> Option<Lie> {
    if let Attack::ViewNumber { ahead } = attack {
        return view_number(message, ahead);
    }
    let (body, mutation, magnitude) = match attack {
        Attack::Checksum => return Some(Lie { mutation: Mutation::Checksum, magnitude: 4, form: Form::FalseChecksum }),
        Attack::Withhold => return Some(Lie { mutation: Mutation::Withheld, magnitude: 1, form: Form::Nothing }),
        Attack::OversizedBytes => return oversized_bytes(message),
        Attack::Replay | Attack::Flood { .. } | Attack::ViewNumber { .. } => return None,
        Attack::CommitNumber { ahead } => (commit_number(&message.body, ahead)?, Mutation::CommitNumber, 1),
        Attack::OpNumber { ahead } => (op_number(&message.body, ahead)?, Mutation::OpNumber, 1),
        Attack::LastNormalView => (last_normal_view(message)?, Mutation::LastNormalView, 1),
        Attack::EntryMetadata { ahead } => (entry_metadata(message, ahead)?, Mutation::EntryMetadata, 1),
        Attack::EntryPlace => (entry_place(message, scene)?, Mutation::EntryMetadata, 1),
        Attack::TailLength { missing } => (tail_length(&message.body, missing)?, Mutation::TailLength, missing),
        Attack::CommittedEntry => (committed_entry(&message.body, scene)?, Mutation::TailContent, 1),
        Attack::LogFromNowhere { beyond } => (log_from_nowhere(message, scene, beyond)?, Mutation::TailContent, beyond + 1),
        Attack::IdenticalClaim => (identical_claim(message, scene)?, Mutation::IdenticalClaim, 1),
        Attack::OversizedTail { entries } => (oversized_tail(&message.body, entries, scene.memory)?, Mutation::Oversized, entries),
        Attack::Range { shape } => (range(&message.body, shape)?, Mutation::Range, 1),
        Attack::ClockSample { off_ms } => (clock_sample(&message.body, Some(off_ms))?, Mutation::ClockSample, 1),
        Attack::NoClockSample => (clock_sample(&message.body, None)?, Mutation::ClockSampleWithheld, 1),
    };
    let form = Form::Message(Message { body, ..message.clone() });
    Some(Lie { mutation, magnitude, form })
}

fn commit_number(body: &Body, ahead: u64) -> Option<Body> {
    match body.clone() {
        Body::Prepare { entry, .. } => Some(Body::Prepare { commit: Op(entry.op.0 + ahead), entry }),
        Body::DoViewChange(mut vote) => {
            vote.commit = Op(vote.op.0 + ahead);
            Some(Body::DoViewChange(vote))
        }
        Body::StartView(mut start) => {
            start.commit = Op(start.op.0 + ahead);
            Some(Body::StartView(start))
        }
        _ => None,
    }
}

fn op_number(body: &Body, ahead: u64) -> Option<Body> {
    let mut body = body.clone();
    let op = match &mut body {
        Body::DoViewChange(vote) => &mut vote.op,
        Body::StartView(start) => &mut start.op,
        Body::PrepareOk { op, .. } => op,
        _ => return None,
    };
    op.0 += ahead;
    Some(body)
}

fn view_number(message: &Message, ahead: u64) -> Option<Lie> {
    if !matches!(message.body, Body::Prepare { .. } | Body::Commit { .. }) {
        return None;
    }
    let form = Form::Message(Message { view: View(message.view.0 + ahead), ..message.clone() });
    Some(Lie { mutation: Mutation::ViewNumber, magnitude: 1, form })
}

/// An older view would be a claim like any other: only a view that has not begun cannot have been anybody's.
fn last_normal_view(message: &Message) -> Option<Body> {
    let Body::DoViewChange(vote) = &message.body else { return None };
    let mut vote = vote.clone();
    vote.last_normal_view = message.view;
    Some(Body::DoViewChange(vote))
}

fn with(entry: &Entry, change: impl FnOnce(&mut EntryFields)) -> Arc<Entry> {
    let mut fields = EntryFields::clone(entry);
    change(&mut fields);
    Arc::new(Entry::new(fields))
}

fn entry_metadata(message: &Message, ahead: u64) -> Option<Body> {
    let Body::Prepare { entry, commit } = &message.body else { return None };
    let entry = with(entry, |fields| fields.view = View(message.view.0 + ahead));
    Some(Body::Prepare { entry, commit: *commit })
}

/// At an op that its receiver does not hold yet, an entry with another op would be one of many that come too early: only a place
/// that is taken shows the lie.
fn entry_place(message: &Message, scene: &Scene<'_>) -> Option<Body> {
    let Body::Prepare { entry, commit } = &message.body else { return None };
    let receiver = scene.receiver.filter(|state| state.status == Status::Normal && state.view == message.view)?;
    let is_taken = receiver.op > Op(0) && receiver.op < entry.op;
    is_taken.then(|| Body::Prepare { entry: with(entry, |fields| fields.op = receiver.op), commit: *commit })
}

/// The last slots are left out and the head's hash is that of the last one carried; without a tail, entries are claimed that were
/// never there.
fn tail_length(body: &Body, missing: u32) -> Option<Body> {
    let missing = missing as usize;
    match body.clone() {
        Body::DoViewChange(mut vote) => {
            if vote.tail.len() < missing {
                vote.op.0 += missing as u64;
                return Some(Body::DoViewChange(vote));
            }
            vote.tail.truncate(vote.tail.len() - missing);
            vote.hash = vote.tail.last().map_or(Some(vote.commit_hash), TailSlot::hash)?;
            Some(Body::DoViewChange(vote))
        }
        Body::StartView(mut start) => {
            start.op.0 += missing as u64;
            Some(Body::StartView(start))
        }
        _ => None,
    }
}

/// The receiver has committed this op, and never changes its mind: whatever else has happened when the message arrives, the entry
/// contradicts what is settled. Above that op a forged entry with a valid hash is as good as a true one.
fn committed_entry(body: &Body, scene: &Scene<'_>) -> Option<Body> {
    let Body::StartView(start) = body else { return None };
    let place = scene.receiver?.commit;
    if place < Op(2) || place > start.op || place.0 + vsr::constants::CHECKPOINT_INTERVAL < start.op.0 {
        return None;
    }
    let below = scene.memory.entry(Op(place.0 - 1))?;
    let mut forged = StartView { commit: below.op, commit_hash: below.hash, trim: start.trim.min(below.op), ..(**start).clone() };
    forged.entries.clear();
    let mut previous_hash = below.hash;
    for op in (place.0..=start.op.0).map(Op) {
        let entry = with(scene.memory.entry(op)?, |fields| {
            fields.timestamp += u64::from(op == place);
            fields.previous_hash = previous_hash;
        });
        previous_hash = entry.hash;
        forged.entries.push(entry);
    }
    forged.hash = previous_hash;
    Some(Body::StartView(Box::new(forged)))
}

/// The first op of a vote's tail that neither end knows to be committed.
fn first_open(vote: &DoViewChange, scene: &Scene<'_>) -> Op {
    let known = scene.receiver.map_or(vote.commit, |state| state.commit.max(vote.commit));
    Op(known.0 + 1)
}

fn slot_hash(vote: &DoViewChange, op: Op) -> Option<Hash> {
    if op == vote.commit {
        return Some(vote.commit_hash);
    }
    let place = usize::try_from(op.0.checked_sub(vote.commit.0 + 1)?).ok()?;
    vote.tail.get(place)?.hash()
}

/// A stale log that were in order could not be told from the newest one: the lie shows in the entry that connects to nothing.
fn log_from_nowhere(message: &Message, scene: &Scene<'_>, beyond: u32) -> Option<Body> {
    let Body::DoViewChange(vote) = &message.body else { return None };
    let mut vote = vote.clone();
    let first = first_open(&vote, scene);
    let head = Op(vote.op.0.max(first.0) + u64::from(beyond));
    slot_hash(&vote, Op(first.0 - 1))?;
    vote.last_normal_view = View(message.view.0.checked_sub(1)?);
    let kept = usize::try_from(first.0 - 1 - vote.commit.0).ok()?;
    let mut previous_hash = Hash([0xB1; 32]);
    let mut forged = Vec::new();
    for op in (first.0..=head.0).map(Op) {
        let base = EntryFields { op, view: vote.last_normal_view, ..EntryFields::default() };
        let place = usize::try_from(op.0 - vote.commit.0 - 1).ok()?;
        let fields = match vote.tail.get(place) {
            Some(TailSlot::Present(entry)) => EntryFields::clone(entry),
            _ => base,
        };
        let entry = Arc::new(Entry::new(EntryFields { previous_hash, ..fields }));
        previous_hash = entry.hash;
        forged.push(TailSlot::Present(entry));
    }
    vote.tail.truncate(kept);
    vote.tail.extend(forged);
    (vote.op, vote.hash) = (head, previous_hash);
    Some(Body::DoViewChange(vote))
}

/// Two logs of one view that differ cannot both be true, but which one is the lie cannot be seen. So the receiver must hold a log
/// with the same claims, and the forged head's hash must be the smaller one: the rule for ties then chooses the true log.
fn identical_claim(message: &Message, scene: &Scene<'_>) -> Option<Body> {
    let Body::DoViewChange(vote) = &message.body else { return None };
    let receiver = scene.receiver.filter(|state| state.status == Status::ViewChange && state.view == message.view)?;
    if (receiver.last_normal_view, receiver.op) != (vote.last_normal_view, vote.op) {
        return None;
    }
    let first = first_open(vote, scene);
    let kept = usize::try_from(first.0 - 1 - vote.commit.0).ok()?;
    let open = vote.tail.get(kept..).filter(|open| !open.is_empty())?;
    let entries: Vec<&Arc<Entry>> =
        open.iter().map_while(|slot| if let TailSlot::Present(entry) = slot { Some(entry) } else { None }).collect();
    if entries.len() < open.len() {
        return None;
    }
    let tails = (1..=TRIES_MAX).map(|later| rechained(&entries, later));
    let tail = tails.into_iter().find(|tail| tail.last().is_some_and(|head| head.hash < vote.hash))?;
    let mut forged = vote.clone();
    forged.hash = tail.last()?.hash;
    forged.tail.truncate(kept);
    forged.tail.extend(tail.into_iter().map(TailSlot::Present));
    Some(Body::DoViewChange(forged))
}

/// The same entries, the first one with a later timestamp, in a chain of their own.
fn rechained(entries: &[&Arc<Entry>], later: u64) -> Vec<Arc<Entry>> {
    let mut tail: Vec<Arc<Entry>> = Vec::with_capacity(entries.len());
    for entry in entries {
        let previous_hash = tail.last().map_or(entry.previous_hash, |below| below.hash);
        let added = if tail.is_empty() { later } else { 0 };
        tail.push(with(entry, |fields| {
            fields.previous_hash = previous_hash;
            fields.timestamp += added;
        }));
    }
    tail
}

/// Entries in a proper chain behind the true head: nothing is wrong with them but their number. The `start_view`s of one head share them.
fn oversized_tail(body: &Body, entries: u32, memory: &mut Memory) -> Option<Body> {
    let Body::StartView(start) = body else { return None };
    let mut forged = start.clone();
    let view = start.entries.last().map_or(View(0), |entry| entry.view);
    let more = (entries as usize).saturating_sub(forged.entries.len());
    forged.entries.extend_from_slice(memory.continuation((forged.op, forged.hash, view), more));
    if let Some(last) = forged.entries.last() {
        (forged.op, forged.hash) = (last.op, last.hash);
    }
    Some(Body::StartView(forged))
}

/// One entry behind the head, with a body that is longer than a message may be.
fn oversized_bytes(message: &Message) -> Option<Lie> {
    let Body::StartView(start) = &message.body else { return None };
    let mut forged = start.clone();
    forged.op.0 += 1;
    let body = vec![0; MESSAGE_BYTES_MAX].into_boxed_slice();
    let view = start.entries.last().map_or(View(0), |entry| entry.view);
    let entry = Entry::new(EntryFields { op: forged.op, view, previous_hash: forged.hash, body, ..EntryFields::default() });
    forged.hash = entry.hash;
    forged.entries.push(Arc::new(entry));
    let message = Message { body: Body::StartView(forged), ..message.clone() };
    Some(Lie { mutation: Mutation::Oversized, magnitude: 1, form: Form::Bytes(message) })
}

fn range(body: &Body, shape: RangeShape) -> Option<Body> {
    let Body::RepairRequest { first, last, hash } = *body else { return None };
    let (first, last) = match shape {
        RangeShape::Reversed => (Op(last.0 + 1), first),
        RangeShape::FromZero => (Op(0), last),
        RangeShape::TooLong => (Op(1), Op(last.0.max(REPAIR_ENTRIES_MAX + 1))),
    };
    Some(Body::RepairRequest { first, last, hash })
}

/// A pong to a ping, with another time or with none; the answer to a heartbeat brings no sample in the first place.
fn clock_sample(body: &Body, off_ms: Option<i32>) -> Option<Body> {
    let mut body = body.clone();
    let Body::Pong { sent_ns, clock_ns, .. } = &mut body else { return None };
    if *sent_ns == 0 {
        return None;
    }
    match off_ms {
        Some(off_ms) => *clock_ns = clock_ns.saturating_add_signed(i64::from(off_ms) * 1_000_000),
        None => *sent_ns = 0,
    }
    Some(body)
}
