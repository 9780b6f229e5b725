//! Which entries were brought to which replica, by which messages.
//!
//! A replica may hold back an entry that came before its predecessors, and append it because of a later message; then that message
//! does not name it, but an earlier one does.

use crate::index::{EntryId, RunIndex};
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate};

/// A message that carried a range of entries.
struct Carried {
    arrived_seq: u64,
    first: u64,
    last: u64,
}

/// What was brought to whom.
pub(super) struct Brought {
    /// Per entry, the replicas that got a prepare of it, at any time.
    prepared: Vec<u32>,
    /// Per replica, the ranges of entries that it got, by arrival of their messages.
    carried: Vec<Vec<Carried>>,
}

impl Brought {
    pub fn new(index: &RunIndex<'_>) -> Self {
        let (messages, entries) = (index.messages(), index.entries());
        let mut brought = Self { prepared: vec![0; entries.len()], carried: Vec::new() };
        brought.carried.resize_with(index.replicas(), Vec::new);
        let delivered = Fate::Delivered as u8;
        for row in index.message_rows() {
            let to = usize::from(messages.to[row]);
            if messages.fate.codes[row] != delivered || to >= brought.carried.len() {
                continue;
            }
            match messages.command.get(row) {
                Command::Prepare => {
                    if let Some(entry) = entries.find(messages.op.0[row], messages.entry_hash.0[row]) {
                        brought.prepared[entry.index()] |= 1 << to;
                    }
                }
                Command::RepairResponse | Command::StartView | Command::RecoveryResponse | Command::StateTransferResponse => {
                    let (Some(first), count) = (messages.log_first.get(row), messages.log_count.get(row).unwrap_or(0)) else { continue };
                    let last = first.saturating_add(u64::from(count)).saturating_sub(1);
                    brought.carried[to].push(Carried { arrived_seq: messages.fate_seq.0[row], first, last });
                }
                _ => {}
            }
        }
        for carried in &mut brought.carried {
            carried.sort_by_key(|carried| carried.arrived_seq);
        }
        brought
    }

    /// Whether a prepare of the entry reached the replica, or another message that carried its op before transition `row`.
    pub fn to(&self, index: &RunIndex<'_>, entry: EntryId, row: usize) -> bool {
        let (table, op) = (index.transitions(), index.entries().op(entry));
        let replica = table.replica[row];
        if self.prepared[entry.index()] & 1_u32.checked_shl(replica.into()).unwrap_or(0) != 0 {
            return true;
        }
        let Some(carried) = self.carried.get(usize::from(replica)) else { return false };
        let before = carried.partition_point(|carried| carried.arrived_seq < table.seq[row] && carried.arrived_seq != u64::NONE);
        carried[..before].iter().rev().any(|carried| (carried.first..=carried.last).contains(&op))
    }
}
