//! Tests of the rules and of what they forge: every lie breaks the rule that it is about, and only that one.

use super::forge::{Scene, lie};
use super::{Attack, Attacks, CommandName, Form, Memory, RangeShape};
use crate::options::Rate;
use std::sync::Arc;
use vopr_schema::Mutation;
use vsr::entry::{Entry, EntryFields};
use vsr::ids::{Epoch, Hash, Op, Peer, ReplicaId, View};
use vsr::io::{StateSummary, Status};
use vsr::message::{Body, Command, DoViewChange, Message, StartView, TailSlot};

fn chain(count: u64) -> Vec<Arc<Entry>> {
    let mut entries: Vec<Arc<Entry>> = Vec::new();
    for op in 1..=count {
        let previous_hash = entries.last().map_or(Hash::default(), |entry| entry.hash);
        let fields = EntryFields { op: Op(op), view: View(1), timestamp: 10 * op, previous_hash, ..EntryFields::default() };
        entries.push(Arc::new(Entry::new(fields)));
    }
    entries
}

fn message(body: Body) -> Message {
    Message { epoch: Epoch(0), view: View(2), from: Peer::Replica(ReplicaId(0)), to: Peer::Replica(ReplicaId(1)), body }
}

/// A log of six entries, three of which are known to be committed.
fn vote() -> Message {
    let entries = chain(6);
    message(Body::DoViewChange(Box::new(DoViewChange {
        last_normal_view: View(1),
        commit: Op(3),
        commit_hash: entries[2].hash,
        op: Op(6),
        hash: entries[5].hash,
        uncertain: 0,
        retained: Op(0),
        checkpoint: Op(0),
        tail: entries[3..].iter().cloned().map(TailSlot::Present).collect(),
    })))
}

fn start() -> Message {
    let entries = chain(6);
    let (commit_hash, hash) = (entries[2].hash, entries[5].hash);
    let start = StartView { commit: Op(3), commit_hash, op: Op(6), hash, trim: Op(0), entries: entries[3..].to_vec() };
    message(Body::StartView(Box::new(start)))
}

fn memory() -> Memory {
    let mut memory = Memory::default();
    for entry in chain(6) {
        memory.observe(0, 1, &message(Body::Prepare { entry, commit: Op(0) }));
    }
    memory
}

#[expect(clippy::unnecessary_wraps, reason = "a scene may have no receiver")]
fn receiver(status: Status, commit: u64, op: u64) -> Option<StateSummary> {
    let (view, last_normal_view) = (View(2), View(1));
    Some(StateSummary { status, view, last_normal_view, op: Op(op), commit: Op(commit), ..StateSummary::default() })
}

fn forged(attack: Attack, message: &Message, receiver: Option<StateSummary>) -> Option<Body> {
    let mut memory = memory();
    let lie = lie(attack, message, &mut Scene { receiver, memory: &mut memory })?;
    match lie.form {
        Form::Message(message) | Form::Bytes(message) => Some(message.body),
        Form::FalseChecksum | Form::Nothing => None,
    }
}

fn tail(vote: &DoViewChange) -> Vec<&Entry> {
    vote.tail.iter().filter_map(|slot| if let TailSlot::Present(entry) = slot { Some(&**entry) } else { None }).collect()
}

/// The ops at which a chain breaks.
fn breaks(entries: &[&Entry], mut below: Hash) -> Vec<u64> {
    let mut broken = Vec::new();
    for entry in entries {
        if entry.previous_hash != below {
            broken.push(entry.op.0);
        }
        below = entry.hash;
    }
    broken
}

#[test]
fn a_short_tail_connects_to_its_head_and_claims_more() {
    let Some(Body::DoViewChange(vote)) = forged(Attack::TailLength { missing: 2 }, &vote(), None) else { panic!("a vote") };
    assert_eq!((vote.commit, vote.op, vote.tail.len()), (Op(3), Op(6), 1));
    assert_eq!(Some(vote.hash), vote.tail[0].hash());
}

#[test]
fn a_log_from_nowhere_breaks_once_and_above_what_its_receiver_has_committed() {
    let receiver = receiver(Status::ViewChange, 4, 6);
    let Some(Body::DoViewChange(vote)) = forged(Attack::LogFromNowhere { beyond: 2 }, &vote(), receiver) else { panic!("a vote") };
    assert_eq!((vote.op, vote.tail.len()), (Op(8), 5));
    assert_eq!(breaks(&tail(&vote), vote.commit_hash), [5]);
    assert_eq!(vote.tail.last().and_then(TailSlot::hash), Some(vote.hash));
}

#[test]
fn identical_claims_lose_the_tie_and_need_a_receiver_with_the_same_claims() {
    let (vote, attack) = (vote(), Attack::IdenticalClaim);
    let Body::DoViewChange(truth) = &vote.body else { panic!("a vote") };
    let Some(Body::DoViewChange(other)) = forged(attack, &vote, receiver(Status::ViewChange, 4, 6)) else { panic!("a vote") };
    assert_eq!((other.op, other.last_normal_view, other.tail.len()), (truth.op, truth.last_normal_view, truth.tail.len()));
    assert!(other.hash < truth.hash);
    assert_eq!(breaks(&tail(&other), other.commit_hash), [0; 0]);
    assert_eq!(other.tail[0], truth.tail[0], "op 4 is committed at the receiver");
    assert_eq!(forged(attack, &vote, receiver(Status::ViewChange, 4, 5)), None);
    assert_eq!(forged(attack, &vote, receiver(Status::Normal, 4, 6)), None);
    assert_eq!(forged(attack, &vote, None), None);
}

#[test]
fn a_conflicting_start_view_differs_where_its_receiver_has_committed() {
    let attack = Attack::CommittedEntry;
    let Some(Body::StartView(other)) = forged(attack, &start(), receiver(Status::ViewChange, 4, 6)) else { panic!("a start_view") };
    let truth = chain(6);
    assert_eq!((other.commit, other.commit_hash, other.op), (Op(3), truth[2].hash, Op(6)));
    assert_ne!(other.entries[0].hash, truth[3].hash);
    assert_eq!(breaks(&other.entries.iter().map(|entry| &**entry).collect::<Vec<_>>(), other.commit_hash), [0; 0]);
    assert_eq!(other.entries.last().map(|entry| entry.hash), Some(other.hash));
    assert_eq!(forged(attack, &start(), receiver(Status::ViewChange, 7, 7)), None, "the message does not reach that op");
    assert_eq!(forged(attack, &start(), receiver(Status::ViewChange, 0, 6)), None, "nothing is committed");
}

#[test]
fn commit_numbers_lie_beyond_what_carries_them() {
    for message in [vote(), start(), message(Body::Prepare { entry: chain(1)[0].clone(), commit: Op(0) })] {
        let summary = Message { body: forged(Attack::CommitNumber { ahead: 7 }, &message, None).expect("it has one"), ..message }.summary();
        assert_eq!(summary.commit, summary.op.map(|op| Op(op.0 + 7)));
    }
    assert_eq!(forged(Attack::CommitNumber { ahead: 7 }, &message(Body::GetView), None), None);
}

#[test]
fn numbers_that_cannot_be() {
    let Some(Body::StartView(start)) = forged(Attack::OpNumber { ahead: 4 }, &start(), None) else { panic!("a start_view") };
    assert_eq!((start.op, start.commit, start.entries.len()), (Op(10), Op(3), 3));
    let ok = message(Body::PrepareOk { op: Op(2), hash: Hash::default(), checkpoint: Op(0) });
    let Some(Body::PrepareOk { op, .. }) = forged(Attack::OpNumber { ahead: 1_000 }, &ok, None) else { panic!("a vote") };
    assert_eq!(op, Op(1_002));
    let Some(Body::DoViewChange(vote)) = forged(Attack::LastNormalView, &vote(), None) else { panic!("a vote") };
    assert_eq!(vote.last_normal_view, View(2));
    let prepare = message(Body::Prepare { entry: chain(1)[0].clone(), commit: Op(0) });
    let mut memory = memory();
    let lie = lie(Attack::ViewNumber { ahead: 3 }, &prepare, &mut Scene { receiver: None, memory: &mut memory }).expect("a prepare");
    let Form::Message(newer) = lie.form else { panic!("a message") };
    assert_eq!((newer.view, newer.body), (View(5), prepare.body));
}

#[test]
fn an_entry_is_put_where_its_receiver_holds_another_one() {
    let prepare = message(Body::Prepare { entry: chain(6)[5].clone(), commit: Op(2) });
    let Some(Body::Prepare { entry, .. }) = forged(Attack::EntryPlace, &prepare, receiver(Status::Normal, 2, 4)) else {
        panic!("a prepare")
    };
    assert_eq!(entry.op, Op(4));
    assert_eq!(forged(Attack::EntryPlace, &prepare, receiver(Status::Normal, 2, 6)), None);
    let Some(Body::Prepare { entry, .. }) = forged(Attack::EntryMetadata { ahead: 2 }, &prepare, None) else { panic!("a prepare") };
    assert_eq!(entry.view, View(4));
}

#[test]
fn senseless_ranges_and_oversized_tails() {
    let ask = message(Body::RepairRequest { first: Op(3), last: Op(5), hash: Hash::default() });
    let range = |shape| match forged(Attack::Range { shape }, &ask, None) {
        Some(Body::RepairRequest { first, last, .. }) => (first.0, last.0),
        other => panic!("no request: {other:?}"),
    };
    assert_eq!([range(RangeShape::Reversed), range(RangeShape::FromZero), range(RangeShape::TooLong)], [(6, 3), (0, 5), (1, 17)]);
    let Some(Body::StartView(long)) = forged(Attack::OversizedTail { entries: 10_001 }, &start(), None) else { panic!("a start_view") };
    assert_eq!((long.entries.len(), long.op), (10_001, Op(10_004)));
    assert_eq!(breaks(&long.entries.iter().map(|entry| &**entry).collect::<Vec<_>>(), long.commit_hash), [0; 0]);
}

#[test]
fn a_long_tail_is_made_once_and_shared() {
    let mut memory = memory();
    let mut tail = |entries| {
        let lie =
            lie(Attack::OversizedTail { entries }, &start(), &mut Scene { receiver: None, memory: &mut memory }).expect("a start_view");
        let Form::Message(Message { body: Body::StartView(start), .. }) = lie.form else { panic!("a message") };
        start
    };
    let (long, short) = (tail(50_000), tail(12_000));
    assert_eq!((long.entries.len(), short.entries.len()), (50_000, 12_000));
    assert_eq!(breaks(&long.entries.iter().map(|entry| &**entry).collect::<Vec<_>>(), long.commit_hash), [0; 0]);
    assert!(Arc::ptr_eq(&long.entries[11_999], &short.entries[11_999]));
    assert_eq!((short.op, short.hash), (short.entries[11_999].op, short.entries[11_999].hash));
}

#[test]
fn rules_hold_for_their_link_and_command_until_they_end() {
    let mut attacks = Attacks::new(7, true);
    attacks.begin(3, (0, Some(1)), Some(CommandName(Command::DoViewChange)), Attack::Withhold, Rate::ALWAYS);
    let mutation = |attacks: &mut Attacks, ends, message: &Message| attacks.lie(ends, message, None).map(|lie| lie.mutation);
    assert_eq!(mutation(&mut attacks, (0, 1), &vote()), Some(Mutation::Withheld));
    assert_eq!(mutation(&mut attacks, (0, 2), &vote()), None);
    assert_eq!(mutation(&mut attacks, (1, 0), &vote()), None);
    assert_eq!(mutation(&mut attacks, (0, 1), &start()), None);
    assert!(attacks.withholds(0, 1) && !attacks.withholds(1, 0));
    attacks.end(3);
    assert_eq!(mutation(&mut attacks, (0, 1), &vote()), None);
}

#[test]
fn floods_copy_and_replays_bring_older_views_back() {
    let mut attacks = Attacks::new(7, true);
    attacks.begin(0, (0, None), None, Attack::Flood { copies: 3 }, Rate::ALWAYS);
    attacks.begin(1, (0, None), None, Attack::Replay, Rate::ALWAYS);
    attacks.observe(0, 1, &vote());
    assert_eq!(attacks.extras(0, 1, &vote()).len(), 3, "nothing is older");
    let newer = Message { view: View(5), ..start() };
    attacks.observe(0, 1, &newer);
    let extras = attacks.extras(0, 1, &newer);
    assert_eq!(extras.iter().map(|extra| (extra.mutation, extra.same)).collect::<Vec<_>>()[3..], [(Mutation::Replayed, false)]);
    assert_eq!(extras[3].message, vote());
}

#[test]
fn attacks_out_of_proportion_are_not_possible() {
    for attack in [
        Attack::CommitNumber { ahead: u64::MAX },
        Attack::OpNumber { ahead: 0 },
        Attack::OversizedTail { entries: u32::MAX },
        Attack::Flood { copies: u16::MAX },
    ] {
        assert!(!attack.is_possible(), "{attack}");
    }
    assert!(Attack::Flood { copies: 24 }.is_possible() && Attack::Replay.is_possible());
}

#[test]
fn commands_are_written_by_name() {
    let name = CommandName(Command::DoViewChange);
    let text = serde_json::to_string(&name).expect("it can be written");
    assert_eq!(text, "\"do_view_change\"");
    assert_eq!(serde_json::from_str::<CommandName>(&text).expect("it can be read"), name);
    assert!(serde_json::from_str::<CommandName>("\"do_view_changes\"").is_err());
}

#[test]
fn a_pong_loses_its_time_or_says_another_one() {
    let pong = |sent_ns, clock_ns| {
        message(Body::Pong { sent_ns, clock_ns, synchronised: true, round: 0, suspects: false, votes: true, checkpoint: Op(0) })
    };
    let sample = pong(5, 9_000_000_000);
    let off = |off_ms| forged(Attack::ClockSample { off_ms }, &sample, None);
    assert_eq!(off(-2_000), Some(pong(5, 7_000_000_000).body));
    assert_eq!(off(1), Some(pong(5, 9_001_000_000).body));
    assert_eq!(forged(Attack::NoClockSample, &sample, None), Some(pong(0, 9_000_000_000).body));
    assert_eq!(forged(Attack::NoClockSample, &pong(0, 9), None), None, "the answer to a heartbeat");
    assert!(!Attack::ClockSample { off_ms: 0 }.is_possible());
}
