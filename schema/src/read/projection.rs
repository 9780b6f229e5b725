//! Which kinds and columns to read.
//!
//! Reading everything costs several times what one kind costs: say what you need.

use crate::layout::columns_of;
use crate::rows::Kind;
use std::collections::{BTreeMap, BTreeSet};

/// Which kinds and columns to read. Rows of kind run are always read, and `seq` of every selected kind.
///
/// A kind that is not selected has no rows. A column of a selected kind that is not selected is left empty, so that touching it
/// panics instead of showing values that nobody read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    kinds: BTreeMap<Kind, Columns>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Columns {
    All,
    Some(BTreeSet<String>),
}

impl Projection {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        let kinds = [Kind::Operation, Kind::Message, Kind::Transition, Kind::Storage, Kind::Fault];
        kinds.into_iter().fold(Self::runs(), Self::with_kind)
    }

    /// Rows of kind run only.
    #[must_use]
    pub fn runs() -> Self {
        Self::default()
    }

    /// All columns of `kind` as well.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kinds.insert(kind, Columns::All);
        self
    }

    /// This column of `kind` (or its common column `time_ns`) as well.
    ///
    /// # Panics
    /// When the table of columns has no such column: a mistake of the caller.
    #[must_use]
    pub fn with_column(mut self, kind: Kind, column: &str) -> Self {
        let known = ["seq", "time_ns"].contains(&column) || columns_of(kind).iter().any(|spec| spec.name == column);
        assert!(known, "there is no column {kind}.{column}");
        if let Columns::Some(names) = self.kinds.entry(kind).or_insert_with(|| Columns::Some(BTreeSet::new())) {
            names.insert(column.to_owned());
        }
        self
    }

    /// What either of the two selects.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        for (kind, columns) in &other.kinds {
            match columns {
                Columns::All => self = self.with_kind(*kind),
                Columns::Some(names) => {
                    self.kinds.entry(*kind).or_insert_with(|| Columns::Some(BTreeSet::new()));
                    self = names.iter().fold(self, |union, name| union.with_column(*kind, name));
                }
            }
        }
        self
    }

    /// Whether rows of `kind` are read.
    #[must_use]
    pub fn has_kind(&self, kind: Kind) -> bool {
        kind == Kind::Run || self.kinds.contains_key(&kind)
    }

    /// Whether this column of `kind` is read.
    #[must_use]
    pub fn has_column(&self, kind: Kind, column: &str) -> bool {
        match self.kinds.get(&kind) {
            None => kind == Kind::Run,
            Some(Columns::All) => true,
            Some(Columns::Some(names)) => column == "seq" || names.contains(column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_union_selects_what_either_selects() {
        let one = Projection::runs().with_column(Kind::Message, "view");
        let other = Projection::runs().with_column(Kind::Message, "op").with_kind(Kind::Fault);
        let union = one.union(&other);
        assert!(union.has_column(Kind::Message, "view") && union.has_column(Kind::Message, "op"));
        assert!(union.has_column(Kind::Message, "seq") && !union.has_column(Kind::Message, "commit"));
        assert!(union.has_column(Kind::Fault, "target") && !union.has_kind(Kind::Storage));
    }
}
