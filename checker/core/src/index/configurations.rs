//! Which members vote when: the configurations that replicas entered, in the order of their epochs.
//!
//! The first is the run's own; each later one is known from the first `epoch_entered` of its epoch. Whether all replicas mean the same
//! by an epoch is for `reconfiguration_safety` to say.

use super::{EventSet, RunIndex};
use vopr_schema::TransitionEvent;

/// A configuration: from op `since + 1` on, more than half of `voters` decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Its epoch.
    pub epoch: u32,
    /// Op of the entry that brought it; 0 of the first.
    pub since: u64,
    /// Its voters, as a bit set.
    pub voters: u32,
    /// The transition that told of it; none of the first.
    pub row: Option<usize>,
}

impl Configuration {
    /// How many of its voters must agree.
    #[must_use]
    pub fn quorum(&self) -> usize {
        self.voters.count_ones() as usize / 2 + 1
    }

    /// Whether a replica votes.
    #[must_use]
    pub fn has(&self, replica: u8) -> bool {
        self.voters.checked_shr(replica.into()).unwrap_or(0) & 1 == 1
    }

    /// Whether enough of its voters are in a set.
    #[must_use]
    pub fn decides(&self, set: u32) -> bool {
        (set & self.voters).count_ones() as usize >= self.quorum()
    }
}

/// The replicas in a bit set, ascending.
pub fn members(set: u32) -> impl Iterator<Item = u8> {
    (0..32_u8).filter(move |member| set >> member & 1 == 1)
}

/// All configurations of a run.
#[derive(Debug)]
pub struct Configurations(Vec<Configuration>);

impl Configurations {
    pub(super) fn build(index: &RunIndex<'_>) -> Self {
        let voters = 1_u32.checked_shl(u32::from(index.meta().replicas)).map_or(u32::MAX, |bit| bit - 1);
        let mut all = vec![Configuration { epoch: 0, since: 0, voters, row: None }];
        let table = index.transitions();
        for (row, _) in index.events(EventSet::of(&[TransitionEvent::EpochEntered])) {
            let (Some(since), Some(voters)) = (table.op.get(row), table.quorum.get(row)) else { continue };
            let epoch = table.epoch[row];
            if let Err(place) = all.binary_search_by_key(&epoch, |known| known.epoch) {
                all.insert(place, Configuration { epoch, since, voters, row: Some(row) });
            }
        }
        Self(all)
    }

    /// All of them, by rising epoch.
    #[must_use]
    pub fn all(&self) -> &[Configuration] {
        &self.0
    }

    /// That of an epoch, if a replica entered it.
    #[inline]
    #[must_use]
    pub fn of_epoch(&self, epoch: u32) -> Option<Configuration> {
        if epoch == 0 {
            return self.0.first().copied();
        }
        self.0.binary_search_by_key(&epoch, |known| known.epoch).ok().map(|place| self.0[place])
    }

    /// The one behind an epoch's, if a replica entered it.
    #[must_use]
    pub fn after(&self, epoch: u32) -> Option<Configuration> {
        epoch.checked_add(1).and_then(|epoch| self.of_epoch(epoch))
    }
}
