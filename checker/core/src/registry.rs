//! The table of all invariants; what is not in it does not exist for any program.
//!
//! One invariant is one file under `invariants/` with a constant [`Invariant`], and one line here.

use crate::budget::Meter;
use crate::index::RunIndex;
use crate::invariants;
use crate::verdict::Verdict;
use serde::Serialize;
use vopr_schema::Kind;

/// All invariants, causes before consequences: an invariant stands behind all that it names in `because_of`.
pub const INVARIANTS: &[&Invariant] = &[
    // What replicas do.
    &invariants::message_causality::INVARIANT,
    &invariants::log_consistency::INVARIANT,
    &invariants::hash_chain::INVARIANT,
    &invariants::leader_uniqueness::INVARIANT,
    &invariants::view_monotonicity::INVARIANT,
    &invariants::corruption_detection::INVARIANT,
    &invariants::byzantine_rejection::INVARIANT,
    &invariants::replica_head::INVARIANT,
    &invariants::reconfiguration_safety::INVARIANT,
    &invariants::vsr_recovery_safety::INVARIANT,
    &invariants::quorum_commit::INVARIANT,
    &invariants::vsr_view_change_safety::INVARIANT,
    &invariants::vsr_agreement::INVARIANT,
    &invariants::commit_monotonicity::INVARIANT,
    &invariants::applied_position_monotonic::INVARIANT,
    &invariants::vsr_prefix_property::INVARIANT,
    &invariants::vsr_durability::INVARIANT,
    &invariants::commit_history::INVARIANT,
    &invariants::replica_consistency::INVARIANT,
    &invariants::state_transfer_safety::INVARIANT,
    &invariants::checkpoint_recovery::INVARIANT,
    &invariants::repair_safety::INVARIANT,
    &invariants::repair_budget::INVARIANT,
    &invariants::repair_selection::INVARIANT,
    &invariants::scrub_rate::INVARIANT,
    &invariants::scrub_tour::INVARIANT,
    &invariants::clock::INVARIANT,
    &invariants::resource_limits::INVARIANT,
    &invariants::repair_completion::INVARIANT,
    &invariants::liveness::INVARIANT,
    // What clients see.
    &invariants::idempotency::INVARIANT,
    &invariants::client_session::INVARIANT,
    &invariants::durability_of_acknowledged::INVARIANT,
    &invariants::tenant_isolation::INVARIANT,
    &invariants::kernel_command_validation::INVARIANT,
    &invariants::data_correctness::INVARIANT,
    &invariants::mvcc_visibility::INVARIANT,
    &invariants::offset_monotonicity::INVARIANT,
    &invariants::read_your_writes::INVARIANT,
    &invariants::monotonic_reads::INVARIANT,
    &invariants::conservation::INVARIANT,
    &invariants::linearizability::INVARIANT,
    &invariants::serializability::INVARIANT,
];

/// A property that no single history shows: it takes another simulation to decide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Elsewhere {
    /// Name, as in lists and documents.
    pub name: &'static str,
    /// What must hold, in one line.
    pub statement: &'static str,
    /// The commands that decide it.
    pub decided_by: &'static [&'static str],
}

/// What this checker cannot decide, and what can.
pub const ELSEWHERE: &[Elsewhere] = &[Elsewhere {
    name: "storage_determinism",
    statement: "a run that is simulated again from its recorded row gives the same rows, and so the same digest",
    decided_by: &["vopr replay FILE", "vopr run --check-determinism"],
}];

/// The invariant that reports rows which cannot be ordered or numbered; all others answer "unknown" to such a run.
pub const JUDGES_ILL_FORMED: &str = "message_causality";

/// What an invariant is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// What clients see.
    Client,
    /// What replicas agree on.
    Replication,
    /// Damage and its detection.
    Storage,
    /// Progress.
    Liveness,
}

impl Category {
    /// All categories.
    pub const ALL: [Self; 4] = [Self::Client, Self::Replication, Self::Storage, Self::Liveness];

    /// The word for it on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Replication => "replication",
            Self::Storage => "storage",
            Self::Liveness => "liveness",
        }
    }
}

/// The columns of one kind that an invariant reads (`seq` and `time_ns` need not be listed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads {
    /// Kind of rows.
    pub kind: Kind,
    /// Names of columns of that kind.
    pub columns: &'static [&'static str],
}

/// One invariant.
#[derive(Debug)]
pub struct Invariant {
    /// Name, as on the command line and in files.
    pub name: &'static str,
    /// Raised whenever its verdict on some history may have changed.
    pub version: u32,
    /// What it is about.
    pub category: Category,
    /// The columns that it needs; a file without one of them gives "unknown".
    pub reads: &'static [Reads],
    /// What must hold, in one line.
    pub statement: &'static str,
    /// Names of invariants whose violation explains a violation of this one; the report shows those first.
    pub because_of: &'static [&'static str],
    /// Decides one run.
    pub check: fn(&RunIndex<'_>, &Meter) -> Verdict,
}

impl Invariant {
    /// Path of its page, from the root of the repository.
    #[must_use]
    pub fn page(&self) -> String {
        format!("docs/invariants/{}.md", self.name)
    }
}

/// An invariant by its place in [`INVARIANTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvariantId(pub u16);

impl InvariantId {
    /// All invariants, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        (0_u16..).take(INVARIANTS.len()).map(Self)
    }

    /// The invariant of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|id| id.name() == name)
    }

    /// The invariant.
    #[must_use]
    pub fn invariant(self) -> &'static Invariant {
        INVARIANTS[usize::from(self.0)]
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.invariant().name
    }
}

/// Which invariants to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection(Vec<InvariantId>);

/// A name that no invariant has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no invariant is called `{0}`")]
pub struct UnknownInvariant(pub String);

impl Default for Selection {
    fn default() -> Self {
        Self::all()
    }
}

impl Selection {
    /// All invariants.
    #[must_use]
    pub fn all() -> Self {
        Self(InvariantId::all().collect())
    }

    /// None of them.
    #[must_use]
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// The named ones.
    ///
    /// # Errors
    /// When a name is unknown.
    pub fn only<S: AsRef<str>>(names: &[S]) -> Result<Self, UnknownInvariant> {
        let mut ids = names.iter().map(|name| lookup(name.as_ref())).collect::<Result<Vec<_>, _>>()?;
        ids.sort_unstable();
        ids.dedup();
        Ok(Self(ids))
    }

    /// The same without the named ones.
    ///
    /// # Errors
    /// When a name is unknown.
    pub fn without<S: AsRef<str>>(mut self, names: &[S]) -> Result<Self, UnknownInvariant> {
        for name in names {
            let id = lookup(name.as_ref())?;
            self.0.retain(|kept| *kept != id);
        }
        Ok(self)
    }

    /// Those of the selection that are among `wanted`.
    #[must_use]
    pub fn restricted_to(&self, wanted: &[InvariantId]) -> Self {
        Self(self.0.iter().copied().filter(|id| wanted.contains(id)).collect())
    }

    /// The same, those of one category only.
    #[must_use]
    pub fn of_category(mut self, category: Category) -> Self {
        self.0.retain(|id| id.invariant().category == category);
        self
    }

    /// The chosen ones, in the order of the table.
    #[must_use]
    pub fn ids(&self) -> &[InvariantId] {
        &self.0
    }

    /// Whether rows of this kind are needed.
    #[must_use]
    pub fn reads(&self, kind: Kind) -> bool {
        self.0.iter().any(|id| id.invariant().reads.iter().any(|reads| reads.kind == kind))
    }
}

fn lookup(name: &str) -> Result<InvariantId, UnknownInvariant> {
    InvariantId::parse(name).ok_or_else(|| UnknownInvariant(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_schema::{Faults, Messages, Operations, StorageAccesses, Transitions};

    #[test]
    fn names_are_unique_and_causes_stand_first() {
        for (place, invariant) in INVARIANTS.iter().enumerate() {
            assert_eq!(InvariantId::parse(invariant.name).map(|id| usize::from(id.0)), Some(place), "{}", invariant.name);
            for cause in invariant.because_of {
                let before = InvariantId::parse(cause).unwrap_or_else(|| panic!("{}: unknown cause {cause}", invariant.name));
                assert!(usize::from(before.0) < place, "{} stands before its cause {cause}", invariant.name);
            }
        }
    }

    #[test]
    fn every_column_read_exists() {
        for invariant in INVARIANTS {
            assert!(!invariant.reads.is_empty(), "{} reads nothing", invariant.name);
            for reads in invariant.reads {
                let columns = match reads.kind {
                    Kind::Run => vopr_schema::tables::RUN_COLUMNS,
                    Kind::Operation => Operations::COLUMNS,
                    Kind::Message => Messages::COLUMNS,
                    Kind::Transition => Transitions::COLUMNS,
                    Kind::Storage => StorageAccesses::COLUMNS,
                    Kind::Fault => Faults::COLUMNS,
                };
                for name in reads.columns {
                    assert!(columns.iter().any(|column| column.name == *name), "{}: no column {name}", invariant.name);
                }
            }
        }
    }

    #[test]
    fn selections_choose_and_skip() {
        let name = INVARIANTS[0].name;
        assert_eq!(Selection::only(&[name, name]).unwrap().ids(), [InvariantId(0)]);
        assert!(!Selection::all().without(&[name]).unwrap().ids().contains(&InvariantId(0)));
        assert_eq!(Selection::only(&["no_such"]), Err(UnknownInvariant("no_such".to_owned())));
    }
}
