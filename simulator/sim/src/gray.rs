//! Gray failures: replicas that are alive, but not well.
//!
//! Network and disk ask the same state, because a gray machine is slow or unreliable in everything it does.

use crate::fault_plan::GrayMode;
use crate::options::Rate;

/// The gray failures that a replica suffers at present; clients are never gray.
#[derive(Clone, Debug, Default)]
pub struct Gray {
    modes: Vec<(u32, GrayMode)>,
}

impl Gray {
    /// A planned fault begins.
    pub fn begin(&mut self, plan_index: u32, mode: GrayMode) {
        self.modes.push((plan_index, mode));
    }

    /// That planned fault ends.
    pub fn end(&mut self, plan_index: u32) {
        self.modes.retain(|(index, _)| *index != plan_index);
    }

    /// All of them end.
    pub fn heal(&mut self) {
        self.modes.clear();
    }

    /// Whether the replica is well.
    #[inline]
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.modes.is_empty()
    }

    /// How many times as long everything takes; of several at once the worst.
    #[inline]
    #[must_use]
    pub fn slowness(&self) -> u32 {
        let factor = |(_, mode): &(u32, GrayMode)| if let GrayMode::Slow { factor } = mode { *factor } else { 1 };
        self.modes.iter().map(factor).max().unwrap_or(1)
    }

    /// Which share of messages and disk accesses fails.
    #[inline]
    #[must_use]
    pub fn failure(&self) -> Rate {
        let failure = |(_, mode): &(u32, GrayMode)| if let GrayMode::Intermittent { failure } = mode { *failure } else { Rate::NEVER };
        self.modes.iter().map(failure).max().unwrap_or(Rate::NEVER)
    }

    /// Whether it neither sends nor receives.
    #[inline]
    #[must_use]
    pub fn is_unresponsive(&self) -> bool {
        self.modes.iter().any(|(_, mode)| *mode == GrayMode::Unresponsive)
    }

    /// Whether its disk writes fail.
    #[must_use]
    pub fn writes_fail(&self) -> bool {
        self.modes.iter().any(|(_, mode)| *mode == GrayMode::ReadsOnly)
    }

    /// Whether its disk reads fail.
    #[must_use]
    pub fn reads_fail(&self) -> bool {
        self.modes.iter().any(|(_, mode)| *mode == GrayMode::WritesOnly)
    }
}
