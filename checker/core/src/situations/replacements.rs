//! Situations that replaced disks come into.

use super::{Counts, Situation};
use crate::index::{EventSet, RunIndex};
use vopr_schema::{FaultKind, TransitionEvent as Event};

/// A disk is replaced, or a replica votes, or a configuration begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Replaced,
    Voted,
    Changed,
}

pub(super) fn sweep(index: &RunIndex<'_>, counts: &mut Counts) {
    let (transitions, faults) = (index.transitions(), index.faults());
    let replaced = index.fault_rows().filter(|row| faults.fault.get(*row) == FaultKind::Reformat);
    let mut steps: Vec<(u64, usize, Step)> = replaced.map(|row| (faults.seq[row], faults.target.0[row] as usize, Step::Replaced)).collect();
    if steps.is_empty() {
        return;
    }
    steps.extend(index.events(EventSet::of(&[Event::Acknowledged, Event::EpochEntered])).map(|(row, event)| {
        let step = if event == Event::Acknowledged { Step::Voted } else { Step::Changed };
        (transitions.seq[row], usize::from(transitions.replica[row]), step)
    }));
    steps.sort_by_key(|(seq, ..)| *seq);
    let mut waiting = vec![false; index.members()];
    for (_, replica, step) in steps {
        match step {
            Step::Replaced => {
                counts.hit(Situation::DiskReplaced);
                if let Some(waits) = waiting.get_mut(replica) {
                    *waits = true;
                }
            }
            Step::Voted if waiting.get_mut(replica).is_some_and(core::mem::take) => counts.hit(Situation::ReplacedDiskVotesAgain),
            Step::Changed if waiting.contains(&true) => counts.hit(Situation::MembershipChangedBesideReplacedDisk),
            Step::Voted | Step::Changed => {}
        }
    }
}
