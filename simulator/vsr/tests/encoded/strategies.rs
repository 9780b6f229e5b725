//! Arbitrary messages, entries, superblocks and checkpoints.

use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;
use vsr::checkpoint::Checkpoint;
use vsr::entry::{Entry, EntryFields, EntryKind};
use vsr::ids::{ClientId, ClientKey, Epoch, Hash, Op, Peer, ReplicaId, RequestNumber, SessionNumber, TenantId, View};
use vsr::message::{Body, DoViewChange, Message, NackReason, StartView, StateTransfer, TailSlot};
use vsr::quorum::Members;
use vsr::reconfiguration::Membership;
use vsr::sessions::Session;
use vsr::superblock::{CheckpointRef, Superblock};

pub fn op() -> impl Strategy<Value = Op> {
    any::<u64>().prop_map(Op)
}

fn view() -> impl Strategy<Value = View> {
    any::<u64>().prop_map(View)
}

pub fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn session_number() -> impl Strategy<Value = SessionNumber> {
    any::<u64>().prop_map(SessionNumber)
}

fn request_number() -> impl Strategy<Value = RequestNumber> {
    any::<u64>().prop_map(RequestNumber)
}

pub fn client() -> impl Strategy<Value = ClientKey> {
    (any::<u32>(), any::<u32>()).prop_map(|(tenant, client)| ClientKey { tenant: TenantId(tenant), client: ClientId(client) })
}

fn bytes() -> impl Strategy<Value = Arc<[u8]>> {
    vec(any::<u8>(), 0..40).prop_map(Arc::from)
}

pub fn entry() -> impl Strategy<Value = Entry> {
    let place = (op(), view(), any::<u64>());
    let asked = (client(), session_number(), request_number(), proptest::sample::select(EntryKind::ALL.to_vec()));
    (place, asked, hash(), hash(), vec(any::<u8>(), 0..60)).prop_map(|(place, asked, request_hash, previous_hash, body)| {
        Entry::new(EntryFields {
            op: place.0,
            view: place.1,
            timestamp: place.2,
            client: asked.0,
            session: asked.1,
            request: asked.2,
            operation: asked.3,
            request_hash,
            body: body.into(),
            previous_hash,
        })
    })
}

fn entries() -> impl Strategy<Value = Vec<Arc<Entry>>> {
    vec(entry().prop_map(Arc::new), 0..4)
}

fn session() -> impl Strategy<Value = Session> {
    let numbers = (session_number(), any::<u64>(), request_number(), op());
    (client(), numbers, hash(), bytes()).prop_map(|(client, numbers, request_hash, result)| Session {
        client,
        session: numbers.0,
        nonce: numbers.1,
        request: numbers.2,
        op: numbers.3,
        request_hash,
        result,
    })
}

pub fn checkpoint() -> impl Strategy<Value = Checkpoint> {
    let place = (op(), hash(), view(), any::<u64>());
    (place, membership(), vec(session(), 0..4), bytes(), any::<u64>()).prop_map(|(place, membership, sessions, state, state_hash)| {
        Checkpoint { op: place.0, hash: place.1, view: place.2, timestamp: place.3, membership, sessions, state, state_hash }
    })
}

fn membership() -> impl Strategy<Value = Membership> {
    let voters = vec(0_u8..32, 1..=7).prop_map(|voters| Members(voters.into_iter().fold(0, |set, voter| set | 1 << voter)));
    (any::<u32>(), voters, op()).prop_map(|(epoch, voters, since)| Membership { epoch: Epoch(epoch), voters, since })
}

pub fn superblock() -> impl Strategy<Value = Superblock> {
    let names = (any::<u64>(), any::<u32>(), any::<u8>(), membership());
    let log = (op(), hash(), vec(proptest::option::of(hash()), 0..20), any::<u32>());
    let checkpoint = (op(), hash(), any::<u8>()).prop_map(|(op, hash, place)| CheckpointRef { op, hash, place });
    let views = (view(), view(), view());
    (names, views, log, checkpoint).prop_map(|(names, (view, last_normal_view, voter_from), log, checkpoint)| Superblock {
        sequence: names.0,
        cluster: names.1,
        replica: names.2,
        membership: names.3,
        view,
        last_normal_view,
        voter_from,
        commit: log.0,
        commit_hash: log.1,
        pins: log.2,
        uncertain: log.3,
        checkpoint,
    })
}

fn tail_slot() -> impl Strategy<Value = TailSlot> {
    prop_oneof![entry().prop_map(|entry| TailSlot::Present(Arc::new(entry))), proptest::option::of(hash()).prop_map(TailSlot::Missing),]
}

fn do_view_change() -> impl Strategy<Value = Body> {
    let ends = (op(), hash(), op(), hash());
    (view(), ends, any::<u32>(), op(), op(), vec(tail_slot(), 0..4)).prop_map(
        |(last_normal_view, ends, uncertain, retained, checkpoint, tail)| {
            Body::DoViewChange(Box::new(DoViewChange {
                last_normal_view,
                commit: ends.0,
                commit_hash: ends.1,
                op: ends.2,
                hash: ends.3,
                uncertain,
                retained,
                checkpoint,
                tail,
            }))
        },
    )
}

fn start_view() -> impl Strategy<Value = StartView> {
    (op(), hash(), op(), hash(), op(), entries()).prop_map(|(commit, commit_hash, op, hash, trim, entries)| StartView {
        commit,
        commit_hash,
        op,
        hash,
        trim,
        entries,
    })
}

fn state_transfer() -> impl Strategy<Value = Body> {
    (checkpoint(), op(), op(), hash(), op(), entries()).prop_map(|(checkpoint, commit, op, hash, trim, entries)| {
        let checkpoint = Arc::new(checkpoint);
        Body::StateTransferResponse(Box::new(StateTransfer { checkpoint, commit, op, hash, trim, entries }))
    })
}

fn client_body() -> impl Strategy<Value = Body> {
    prop_oneof![
        (session_number(), request_number(), bytes()).prop_map(|(session, request, command)| Body::Request { session, request, command }),
        any::<u64>().prop_map(|nonce| Body::Register { nonce }),
        (session_number(), request_number(), op(), hash(), bytes())
            .prop_map(|(session, request, op, request_hash, result)| { Body::Reply { session, request, op, request_hash, result } }),
        session_number().prop_map(|session| Body::Eviction { session }),
        Just(Body::Redirect),
        (session_number(), request_number(), any::<u32>()).prop_map(|(session, request, members)| Body::Reconfigure {
            session,
            request,
            members
        }),
    ]
}

fn normal_body() -> impl Strategy<Value = Body> {
    prop_oneof![
        (entry(), op()).prop_map(|(entry, commit)| Body::Prepare { entry: Arc::new(entry), commit }),
        (op(), hash(), op()).prop_map(|(op, hash, checkpoint)| Body::PrepareOk { op, hash, checkpoint }),
        (op(), hash(), op(), any::<bool>(), any::<u64>()).prop_map(|(commit, commit_hash, trim, ask, round)| Body::Commit {
            commit,
            commit_hash,
            trim,
            ask,
            round
        }),
        (any::<u64>(), any::<bool>()).prop_map(|(sent_ns, suspects)| Body::Ping { sent_ns, suspects }),
        (any::<u64>(), any::<u64>(), any::<bool>(), any::<u64>(), any::<[bool; 2]>(), op()).prop_map(
            |(sent_ns, clock_ns, synchronised, round, [suspects, votes], checkpoint)| {
                Body::Pong { sent_ns, clock_ns, synchronised, round, suspects, votes, checkpoint }
            }
        ),
    ]
}

fn recovery_body() -> impl Strategy<Value = Body> {
    prop_oneof![
        Just(Body::StartViewChange),
        do_view_change(),
        start_view().prop_map(|start| Body::StartView(Box::new(start))),
        Just(Body::GetView),
        (op(), op(), hash()).prop_map(|(first, last, hash)| Body::RepairRequest { first, last, hash }),
        entries().prop_map(|entries| Body::RepairResponse { entries }),
        (op(), op(), proptest::sample::select(NackReason::ALL.to_vec())).prop_map(|(first, last, reason)| Body::Nack {
            first,
            last,
            reason
        }),
        op().prop_map(|commit| Body::StateTransferRequest { commit }),
        state_transfer(),
        any::<u64>().prop_map(|nonce| Body::RecoveryRequest { nonce }),
        (any::<u64>(), membership(), proptest::option::of(start_view())).prop_map(|(nonce, membership, start)| Body::RecoveryResponse {
            nonce,
            membership,
            start: start.map(Box::new)
        }),
    ]
}

fn peer() -> impl Strategy<Value = Peer> {
    prop_oneof![any::<u8>().prop_map(|replica| Peer::Replica(ReplicaId(replica))), client().prop_map(Peer::Client)]
}

/// Any message of any kind.
pub fn message() -> impl Strategy<Value = Message> {
    let body = prop_oneof![client_body(), normal_body(), recovery_body()];
    (any::<u32>(), view(), peer(), peer(), body).prop_map(|(epoch, view, from, to, body)| Message {
        epoch: Epoch(epoch),
        view,
        from,
        to,
        body,
    })
}
