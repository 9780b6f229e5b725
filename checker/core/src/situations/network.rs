//! Situations that messages show.

use super::{Counts, Situation};
use crate::index::RunIndex;
use std::collections::BTreeMap;
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, RejectReason};

/// Ends of links that are told apart: replicas; clients talk to them over links of their own and in their own order.
const ENDS: u16 = 32;

pub(super) fn sweep(index: &RunIndex<'_>, counts: &mut Counts) {
    let table = index.messages();
    let mut latest = vec![0_u64; usize::from(ENDS) * usize::from(ENDS)];
    // Who has told whom, in which view, that it never prepared an entry.
    let mut nacks: BTreeMap<(u16, u64, u64), u32> = BTreeMap::new();
    // The view for which somebody sent such a vote to somebody last.
    let mut votes: BTreeMap<(u16, u16, u8), u64> = BTreeMap::new();
    for row in index.message_rows() {
        let (from, to) = (table.from[row], table.to[row]);
        let delivered = table.fate.get(row) == Fate::Delivered;
        if table.copy[row] > 0 && delivered {
            counts.hit(Situation::MessageDuplicated);
        }
        if from < ENDS && to < ENDS && delivered {
            let latest = &mut latest[usize::from(from) * usize::from(ENDS) + usize::from(to)];
            if table.fate_seq.0[row] < *latest {
                counts.hit(Situation::MessageOvertaken);
            }
            *latest = table.fate_seq.0[row].max(*latest);
        }
        let reason = table.reject_reason.get(row);
        match table.command.get(row) {
            Command::StartViewChange | Command::DoViewChange if table.copy[row] == 0 => {
                let vote = (from, to, table.command.codes[row]);
                if votes.insert(vote, table.view.0[row]) == Some(table.view.0[row]) {
                    counts.hit(Situation::ViewVoteResent);
                }
            }
            Command::StartView if matches!(table.fate.get(row), Fate::Lost | Fate::Partitioned | Fate::ReceiverDown) => {
                counts.hit(Situation::StartViewLost);
            }
            Command::Prepare | Command::Commit if reason == Some(RejectReason::OldView) => counts.hit(Situation::OldPrepareRefused),
            Command::Nack if delivered && reason.is_none() && from < ENDS && table.op.0[row] != u64::NONE => {
                let voices = nacks.entry((to, table.view.0[row], table.op.0[row])).or_default();
                let before = voices.count_ones() as usize;
                *voices |= 1 << from;
                // The receiver lacks it too: with so many that never prepared it, fewer than a quorum can have.
                let enough = index.members().saturating_sub(index.quorum());
                if before < enough && voices.count_ones() as usize >= enough {
                    counts.hit(Situation::NackQuorumReached);
                }
            }
            _ => {}
        }
        if reason.is_some() && table.mutation.get(row).is_some() {
            counts.hit(Situation::ForgedMessageRefused);
        }
        if matches!(reason, Some(RejectReason::Checksum | RejectReason::Malformed)) {
            counts.hit(Situation::DamagedMessageRefused);
        }
    }
}
