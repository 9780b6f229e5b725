//! Situations of clients and their sessions.

use super::{Counts, Situation};
use crate::index::{EventSet, RunIndex};
use std::collections::{BTreeMap, BTreeSet};
use vopr_schema::{Outcome, TransitionEvent};

/// `takeovers` are the positions at which a new primary entered its view.
pub(super) fn sweep(index: &RunIndex<'_>, takeovers: &[u64], counts: &mut Counts) {
    let table = index.operations();
    let mut open: BTreeMap<(u32, u32), Vec<(u64, u64)>> = BTreeMap::new();
    for row in index.operation_rows() {
        let span = (table.seq[row], table.return_seq.0[row]);
        open.entry((table.tenant[row], table.client[row])).or_default().push(span);
        if table.attempts[row] > 1 {
            counts.hit(Situation::RequestRetried);
        }
        if table.outcome.get(row) == Outcome::Unknown {
            counts.hit(Situation::RequestNeverAnswered);
        }
        let next = takeovers.partition_point(|seq| *seq <= span.0);
        if takeovers.get(next).is_some_and(|seq| *seq < span.1) {
            counts.hit(Situation::RequestAcrossViews);
        }
    }
    evictions(index, &open, counts);
    replies(index, counts);
}

fn evictions(index: &RunIndex<'_>, open: &BTreeMap<(u32, u32), Vec<(u64, u64)>>, counts: &mut Counts) {
    let table = index.transitions();
    for row in index.rows_of(EventSet::of(&[TransitionEvent::SessionEvicted])) {
        counts.hit(Situation::SessionEvicted);
        let (seq, client) = (table.seq[row], (table.tenant.0[row], table.client.0[row]));
        let spans = open.get(&client).map_or(&[][..], Vec::as_slice);
        // A client has one request open at a time: the last one invoked before tells.
        let before = spans.partition_point(|(begin, _)| *begin < seq);
        if before > 0 && spans[before - 1].1 > seq {
            counts.hit(Situation::SessionEvictedInFlight);
        }
    }
}

fn replies(index: &RunIndex<'_>, counts: &mut Counts) {
    let table = index.transitions();
    let mut seen = BTreeSet::new();
    for row in index.rows_of(EventSet::of(&[TransitionEvent::Replied])) {
        let name = (table.tenant.0[row], table.client.0[row], table.session.0[row], table.request_number.0[row]);
        if !seen.insert(name) {
            counts.hit(Situation::ReplyRepeated);
        }
    }
}
