//! Conditions on sessions: clients that begin anew, are thrown out, or come in the middle of a view change.

use super::conditions::{faults, happened};
use crate::index::RunIndex;
use std::collections::{BTreeMap, BTreeSet};
use vopr_schema::{Command, Fate, FaultKind, Outcome, TransitionEvent};

/// Endpoint numbers of clients start here.
const FIRST_CLIENT: u32 = 1_000;

fn endpoint(index: &RunIndex<'_>, tenant: u32, client: u32) -> u32 {
    let meta = index.meta();
    let of_tenant = meta.clients / meta.tenants.max(1);
    FIRST_CLIENT.saturating_add(tenant.saturating_mul(of_tenant)).saturating_add(client)
}

/// Whether a replica answered from its state after a quorum had confirmed that it leads.
pub(super) fn read_by_quorum(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    let mut rows = index.transition_rows();
    rows.any(|row| table.event.get(row) == TransitionEvent::Replied && table.quorum.get(row).is_some())
}

pub(super) fn request_number_again(index: &RunIndex<'_>) -> bool {
    let (table, faults_table) = (index.operations(), index.faults());
    let mut down: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for row in faults(index, FaultKind::ClientCrash) {
        down.entry(faults_table.target.0[row]).or_default().push(faults_table.seq[row]);
    }
    let mut first: BTreeMap<(u32, u64), (u64, Option<u64>)> = BTreeMap::new();
    index.operation_rows().any(|row| {
        let client = endpoint(index, table.tenant[row], table.client[row]);
        let (seq, session) = (table.seq[row], table.session.get(row));
        let (before, other) = *first.entry((client, table.request_number[row])).or_insert((seq, session));
        let crashes = || down.get(&client).into_iter().flatten().any(|crash| (before..seq).contains(crash));
        other != session && crashes()
    })
}

pub(super) fn session_evicted(index: &RunIndex<'_>) -> bool {
    happened(index, TransitionEvent::SessionEvicted)
}

/// Whether an operation of a client returned with an answer behind a position, in a session other than this one.
fn served(index: &RunIndex<'_>, (tenant, client): (u32, u32), seq: u64, session: Option<u64>) -> bool {
    let table = index.operations();
    index.operation_rows().any(|row| {
        (table.tenant[row], table.client[row]) == (tenant, client)
            && table.outcome.get(row) != Outcome::Unknown
            && table.return_seq.get(row).is_some_and(|returned| returned > seq)
            && (session.is_none() || table.session.get(row) != session)
    })
}

pub(super) fn evicted_and_served(index: &RunIndex<'_>) -> bool {
    let (table, messages) = (index.transitions(), index.messages());
    let told: Vec<(u32, u64)> = index
        .message_rows()
        .filter(|row| messages.command.get(*row) == Command::Eviction && messages.fate.get(*row) == Fate::Delivered)
        .map(|row| (u32::from(messages.to[row]), messages.fate_seq.get(row).unwrap_or(u64::MAX)))
        .collect();
    index.transition_rows().filter(|row| table.event.get(*row) == TransitionEvent::SessionEvicted).any(|row| {
        let (Some(tenant), Some(client)) = (table.tenant.get(row), table.client.get(row)) else { return false };
        let own = endpoint(index, tenant, client);
        let told = told.iter().filter(|(to, seq)| *to == own && *seq > table.seq[row]).map(|(_, seq)| *seq).min();
        told.is_some_and(|seq| served(index, (tenant, client), seq, table.session.get(row)))
    })
}

/// A registration that some replica has put into its log.
struct Registration {
    hash: u64,
    client: (u32, u32),
    view: u64,
    seq: u64,
}

fn registrations(index: &RunIndex<'_>) -> Vec<Registration> {
    let table = index.transitions();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for row in index.transition_rows() {
        if table.event.get(row) != TransitionEvent::EntryAppended || table.request_number.get(row) != Some(0) {
            continue;
        }
        let (Some(hash), Some(tenant), Some(client)) = (table.entry_hash.get(row), table.tenant.get(row), table.client.get(row)) else {
            continue;
        };
        // An entry without a session is none of a client's.
        if table.session.get(row) == table.op.get(row) && seen.insert(hash) {
            found.push(Registration { hash, client: (tenant, client), view: table.view[row], seq: table.seq[row] });
        }
    }
    found
}

pub(super) fn locked_out_and_served(index: &RunIndex<'_>) -> bool {
    let table = index.transitions();
    let mut committed: BTreeMap<u64, u64> = BTreeMap::new();
    let mut entered: Vec<(u64, u64)> = Vec::new();
    for row in index.transition_rows() {
        match (table.event.get(row), table.entry_hash.get(row)) {
            (TransitionEvent::Committed, Some(hash)) => _ = committed.entry(hash).or_insert(table.seq[row]),
            (TransitionEvent::ViewEntered, _) => entered.push((table.seq[row], table.view[row])),
            _ => {}
        }
    }
    registrations(index).into_iter().any(|registration| {
        let later = entered.iter().find(|(seq, view)| *seq > registration.seq && *view > registration.view);
        let commit = committed.get(&registration.hash).copied().unwrap_or(u64::MAX);
        later.is_some_and(|(seq, _)| *seq < commit && served(index, registration.client, *seq, None))
    })
}
