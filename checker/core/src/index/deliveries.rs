//! When messages arrived, by message number, and the acknowledgements among them, by entry.
//!
//! Transitions name the message that caused them; commits must be backed by acknowledgements that arrived before.

use super::RunIndex;
use super::entries::{EntryId, narrow};
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, Mutation};

const NONE: u32 = u32::MAX;

/// A delivered acknowledgement (`prepare_ok`) that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// View in its header.
    pub view: u64,
    /// When it arrived.
    pub fate_seq: u64,
    /// Who sent it.
    pub from: u16,
    /// Who got it.
    pub to: u16,
    /// Its row.
    pub row: u32,
}

/// Whether a message says what its sender has once sent: unchanged, or delivered once more by a fault.
#[must_use]
pub fn is_as_sent(mutation: Option<Mutation>) -> bool {
    matches!(mutation, None | Some(Mutation::Flood | Mutation::Replayed))
}

/// Messages by number, acknowledgements by entry.
#[derive(Debug)]
pub struct Deliveries {
    /// Per message number less one: its row with the earliest delivery, or any row when it never arrived.
    earliest: Vec<u32>,
    votes: Vec<Vote>,
    vote_ends: Vec<u32>,
}

impl Deliveries {
    pub(super) fn build(index: &RunIndex<'_>) -> Self {
        let table = index.messages();
        let rows = index.message_rows();
        let delivered = Fate::Delivered as u8;
        // Numbers are dense from 1; larger ones than twice the rows cannot be honest and are in no table.
        let ids_max = 2 * rows.len() as u64 + 1024;
        let ids = table.id[rows.clone()].iter().copied().filter(|id| *id <= ids_max).max().unwrap_or(0);
        let mut earliest = vec![NONE; usize::try_from(ids).unwrap_or(0) + 1];
        for row in rows {
            let Some(cell) = usize::try_from(table.id[row]).ok().and_then(|id| earliest.get_mut(id)) else { continue };
            let when = |row: u32| {
                let row = row as usize;
                if table.fate.codes[row] == delivered { table.fate_seq.0[row] } else { u64::NONE }
            };
            if *cell == NONE || when(narrow(row)) < when(*cell) {
                *cell = narrow(row);
            }
        }
        let (votes, vote_ends) = votes(index);
        Self { earliest, votes, vote_ends }
    }

    /// The row of a message number whose copy arrived first; a row that never arrived when none did.
    #[inline]
    #[must_use]
    pub fn message(&self, id: u64) -> Option<usize> {
        let row = *usize::try_from(id).ok().and_then(|id| self.earliest.get(id))?;
        (row != NONE).then_some(row as usize)
    }

    /// All copies of the message in `row`: the network makes them when it is sent, so their rows are neighbours.
    pub fn copies<'a>(&self, index: &'a RunIndex<'_>, row: usize) -> impl Iterator<Item = usize> + 'a {
        let ids = &index.messages().id;
        let rows = index.message_rows();
        let same = move |other: &usize| ids[*other] == ids[row];
        (rows.start..row).rev().take_while(same).chain((row..rows.end).take_while(same))
    }

    /// The acknowledgements of an entry that arrived, in the order in which they were sent.
    #[must_use]
    pub fn votes(&self, entry: EntryId) -> &[Vote] {
        let end = |entry: usize| self.vote_ends.get(entry).map_or(0, |end| *end as usize);
        let start = if entry.index() == 0 { 0 } else { end(entry.index() - 1) };
        self.votes.get(start..end(entry.index())).unwrap_or(&[])
    }
}

/// Counting sort of the delivered acknowledgements by entry.
fn votes(index: &RunIndex<'_>) -> (Vec<Vote>, Vec<u32>) {
    let table = index.messages();
    let entries = index.entries();
    let (prepare_ok, delivered) = (Command::PrepareOk as u8, Fate::Delivered as u8);
    let mut found = Vec::new();
    let mut ends = vec![0_u32; entries.len()];
    for row in index.message_rows() {
        if table.command.codes[row] != prepare_ok || table.fate.codes[row] != delivered || table.reject_reason.codes[row] != u8::NONE {
            continue;
        }
        let Some(entry) = entries.find(table.op.0[row], table.entry_hash.0[row]) else { continue };
        ends[entry.index()] += 1;
        found.push((entry, row));
    }
    let mut start = 0;
    for end in &mut ends {
        start += *end;
        *end = start - *end;
    }
    let none = Vote { view: 0, fate_seq: 0, from: 0, to: 0, row: 0 };
    let mut votes = vec![none; found.len()];
    for (entry, row) in found {
        let place = &mut ends[entry.index()];
        votes[*place as usize] =
            Vote { view: table.view.0[row], fate_seq: table.fate_seq.0[row], from: table.from[row], to: table.to[row], row: narrow(row) };
        *place += 1;
    }
    (votes, ends)
}
