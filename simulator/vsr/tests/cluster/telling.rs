//! Words for messages and notes, as transcripts tell them: no hashes and no times, so that a changed encoding changes no transcript.

use vsr::ids::{ClientKey, Peer};
use vsr::io::{Note, StateSummary, Status};
use vsr::message::{Body, Message, TailSlot};
use vsr::reconfiguration::Outcome;

pub fn peer(peer: Peer) -> String {
    match peer {
        Peer::Replica(replica) => replica.to_string(),
        Peer::Client(client) => format!("c{}", client.client),
    }
}

pub fn message(message: &Message) -> String {
    let view = if matches!(message.from, Peer::Replica(_)) { format!(" v{}", message.view) } else { String::new() };
    let view = if message.epoch.0 > 0 { format!(" e{}{view}", message.epoch) } else { view };
    let (from, to, command, says) = (peer(message.from), peer(message.to), message.command(), body(message));
    format!("{from}->{to} {command}{view}{says}")
}

fn body(message: &Message) -> String {
    match &message.body {
        Body::Request { session, request, .. } => format!(" session {session} request {request}"),
        Body::Reconfigure { request, members, .. } => format!(" request {request}: {}", names(*members)),
        Body::Reply { session, request, op, result, .. } if result.len() == 1 && Outcome::decode(result).is_some() => {
            let outcome = Outcome::decode(result).expect("looked at above");
            format!(" session {session} request {request} op {op} result {outcome:?}")
        }
        Body::Reply { session, request, op, result, .. } => {
            format!(" session {session} request {request} op {op} result {:?}", String::from_utf8_lossy(result))
        }
        Body::Eviction { session } => format!(" session {session}"),
        Body::Prepare { entry, commit } if entry.view == message.view => format!(" op {} commit {commit}", entry.op),
        Body::Prepare { entry, commit } => format!(" op {} of v{} commit {commit}", entry.op, entry.view),
        Body::PrepareOk { op, .. } => format!(" op {op}"),
        Body::Commit { commit, trim, ask, .. } => {
            format!(" {commit} trim {trim}{}", if *ask { " asks" } else { "" })
        }
        Body::Ping { suspects, .. } | Body::Pong { suspects, .. } => String::from(if *suspects { " suspects" } else { "" }),
        Body::DoViewChange(vote) => {
            let slot = |slot: &TailSlot| if matches!(slot, TailSlot::Present(_)) { '+' } else { '?' };
            let tail: String = vote.tail.iter().map(slot).collect();
            let uncertain = if vote.uncertain > 0 { format!(" uncertain {}", vote.uncertain) } else { String::new() };
            format!(" log of v{} commit {} op {} [{tail}]{uncertain}", vote.last_normal_view, vote.commit, vote.op)
        }
        Body::StartView(start) => format!(" commit {} op {} entries {}", start.commit, start.op, start.entries.len()),
        Body::RecoveryResponse { nonce: 0, membership, .. } => format!(" voters {}", names(membership.voters.0)),
        Body::RecoveryResponse { start: Some(start), .. } => format!(" commit {} op {}", start.commit, start.op),
        Body::RepairRequest { first, last, .. } => format!(" ops {first}..{last}"),
        Body::RepairResponse { entries } => {
            let ends = entries.first().zip(entries.last());
            ends.map_or(String::new(), |(first, last)| format!(" ops {}..{}", first.op, last.op))
        }
        Body::Nack { first, last, reason } => format!(" ops {first}..{last} {reason}"),
        Body::StateTransferRequest { commit } => format!(" beyond {commit}"),
        Body::StateTransferResponse(transfer) => {
            format!(" checkpoint {} commit {} op {}", transfer.checkpoint.op, transfer.commit, transfer.op)
        }
        _ => String::new(),
    }
}

fn members(quorum: Option<u32>) -> String {
    quorum.map_or(String::new(), |quorum| format!(" by {}", names(quorum)))
}

fn names(members: u32) -> String {
    let names: Vec<String> = (0..32).filter(|bit| members & (1 << bit) != 0).map(|bit| bit.to_string()).collect();
    names.join(",")
}

const fn status(status: Status) -> &'static str {
    match status {
        Status::Normal => "normal",
        Status::ViewChange => "view change",
        Status::Recovering => "recovering",
        Status::StateTransfer => "state transfer",
    }
}

const fn client(client: ClientKey) -> u32 {
    client.client.0
}

/// A note in words; none for what every other line implies.
pub fn note(state: &StateSummary, note: &Note) -> Option<String> {
    Some(match note {
        Note::Started | Note::TimestampAssigned { .. } | Note::Applied { .. } | Note::Replied { .. } => return None,
        Note::Restarted => {
            format!("restarted in v{} log of v{} op {} commit {}", state.view, state.last_normal_view, state.op, state.commit)
        }
        Note::StatusChanged => format!("is {} in v{}", status(state.status), state.view),
        Note::ViewEntered { quorum, .. } => format!("entered v{} op {}{}", state.view, state.op, members(*quorum)),
        Note::VoteCast { view, head } => {
            format!("votes for v{view}{}", if head.is_some() { " with its log" } else { "" })
        }
        Note::EntryAppended(entry) => format!("appended op {}", entry.op),
        Note::EntryDurable(name) => format!("durable op {}", name.op),
        Note::EntryTruncated(name) => format!("truncated op {}", name.op),
        Note::Acknowledged(name) => format!("votes for op {}", name.op),
        Note::Committed { entry, quorum } => format!("committed op {}{}", entry.op, members(*quorum)),
        Note::CheckpointTaken { entry, .. } => format!("took checkpoint {}", entry.op),
        Note::CheckpointDurable(op) => format!("durable checkpoint {op}"),
        Note::LogTrimmed(op) => format!("may reuse slots up to op {op}"),
        Note::StateInstalled { entry, .. } => format!("installed state at op {}", entry.op),
        Note::SessionRegistered { client: key, op } => format!("session {op} of c{}", client(*key)),
        Note::SessionEvicted { client: key, session, .. } => format!("evicted session {session} of c{}", client(*key)),
        Note::RepairRequested { op, .. } => format!("wants op {op}"),
        Note::Repaired(name) => format!("repaired op {}", name.op),
        Note::CorruptionDetected { op: Some(op), what } => format!("found {what:?} at op {op}"),
        Note::CorruptionDetected { op: None, what } => format!("found damage: {what:?}"),
        Note::ClockSynchronised { sources, .. } => format!("knows the time{}", members(Some(*sources))),
        Note::ClockLost(cause) => format!("does not know the time any more: {cause:?}"),
        Note::EpochEntered(next) => format!("entered epoch {}: {} from op {} on", next.epoch, names(next.voters.0), next.since.0 + 1),
        Note::ScrubRead(Some(op)) => format!("scrubbed op {op}"),
        Note::ScrubRead(None) => String::from("scrubbed another place"),
        Note::TourCompleted => String::from("has seen everything once more"),
        Note::Abdicated(cause) => format!("abdicated: {cause:?}"),
        Note::TimerFired(timer) => format!("timer {timer:?} ran out"),
    })
}
