//! Why a file could not be read: where, what, and what to do.

use crate::pages::Damage;
use crate::provenance::{SCHEMA_MAJOR, SchemaVersion};
use crate::rows::Kind;
use core::fmt;
use std::path::PathBuf;

/// Where in a file something is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Row group, from 0; none for the footer.
    pub row_group: Option<usize>,
    /// Kind of its rows.
    pub kind: Option<Kind>,
    /// Column, as a path such as `message.view`.
    pub column: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.row_group, self.kind) {
            (Some(group), Some(kind)) => write!(formatter, "row group {group} ({kind})")?,
            (Some(group), None) => write!(formatter, "row group {group}")?,
            (None, _) => formatter.write_str("footer")?,
        }
        match &self.column {
            Some(column) => write!(formatter, ", column {column}"),
            None => Ok(()),
        }
    }
}

/// Why a history file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refused.
    #[error("{}: {action} failed: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The answer.
        source: std::io::Error,
    },
    /// The file was never completed.
    #[error(
        "{}: this file was not completed (its writer was interrupted, or is still at work); it is not a history: record the runs again, or resume the campaign",
        path.display()
    )]
    Partial {
        /// The file.
        path: PathBuf,
    },
    /// The file is of a newer major version.
    #[error("{}: schema version {found} is newer than this program, which reads up to {SCHEMA_MAJOR}.x: use a newer program", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: SchemaVersion,
    },
    /// The file is no history, or is damaged.
    #[error("{}: {place}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where.
        place: Box<Place>,
        /// What is wrong, and what to do where something can be done.
        what: String,
    },
}

impl ReadError {
    /// The place, for damage.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Malformed { place, .. } => Some(place),
            _ => None,
        }
    }
}

/// Damage at a place; the file's path is added at the boundary.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) place: Place,
    pub(crate) what: String,
}

impl Fault {
    /// Damage in the footer.
    pub(crate) fn footer(what: impl Into<String>) -> Self {
        Self { place: Place::default(), what: what.into() }
    }

    /// Damage in a row group.
    pub(crate) fn group(row_group: usize, kind: Kind, what: impl Into<String>) -> Self {
        Self { place: Place { row_group: Some(row_group), kind: Some(kind), column: None }, what: what.into() }
    }

    /// Damage in a column of a row group.
    pub(crate) fn column(row_group: usize, kind: Kind, column: String, damage: Damage) -> Self {
        Self { place: Place { row_group: Some(row_group), kind: Some(kind), column: Some(column) }, what: damage.0 }
    }
}
