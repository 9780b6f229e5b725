//! Situations that scrubbers come into.

use super::{Counts, Situation};
use crate::index::{EventSet, RunIndex};
use std::collections::BTreeSet;
use vopr_schema::{Status, TransitionEvent as Event};

const EVENTS: EventSet =
    EventSet::of(&[Event::ScrubRead, Event::TourCompleted, Event::CorruptionDetected, Event::Repaired, Event::Restarted, Event::Started]);

/// One replica's scrubber.
#[derive(Clone, Default)]
struct Scrubber {
    /// The op that it read last.
    read: Option<u64>,
    /// What it has found and nobody has written since.
    found: BTreeSet<u64>,
}

pub(super) fn sweep(index: &RunIndex<'_>, counts: &mut Counts) {
    let table = index.transitions();
    let mut scrubbers = vec![Scrubber::default(); index.replicas()];
    for (row, event) in index.events(EVENTS) {
        let Some(scrubber) = scrubbers.get_mut(usize::from(table.replica[row])) else { continue };
        let op = table.op.get(row);
        match event {
            Event::ScrubRead => {
                scrubber.read = op;
                if table.status.get(row) == Status::ViewChange {
                    counts.hit(Situation::ScrubInViewChange);
                }
            }
            Event::TourCompleted => counts.hit(Situation::ScrubTourCompleted),
            // Damage that is met while a peer is served follows no read of the scrubber.
            Event::CorruptionDetected if op.is_some() && scrubber.read.take() == op => {
                counts.hit(Situation::ScrubFoundDamage);
                if op > Some(table.commit[row]) {
                    counts.hit(Situation::ScrubFoundOpenDamage);
                }
                scrubber.found.extend(op);
            }
            Event::Repaired if op.is_some_and(|op| scrubber.found.remove(&op)) => counts.hit(Situation::ScrubFindingRepaired),
            Event::Started | Event::Restarted => *scrubber = Scrubber::default(),
            _ => {}
        }
    }
}
