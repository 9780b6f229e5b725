//! Failures that are known: each with where it is tracked and until when it is excused.
//!
//! The files are the user's own. One that cannot be read stops a campaign, because an excuse that is not read would be a false alarm,
//! and one that is half read a false silence.

use super::date::Day;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::value::Datetime;

/// A failure that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFailure {
    /// Where it is tracked.
    pub link: String,
    /// The last day on which it counts as known.
    pub expires: Day,
    /// What there is to say about it.
    pub note: Option<String>,
}

/// Known failures by fingerprint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known(BTreeMap<String, KnownFailure>);

/// Why a file of known failures cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", path.display())]
pub struct KnownError {
    /// Which file.
    pub path: PathBuf,
    /// Why, with line and column.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    fingerprint: String,
    link: String,
    expires: Datetime,
    note: Option<String>,
}

impl Known {
    /// Adds what a file says. Of two entries for one fingerprint the one that expires later counts.
    ///
    /// # Errors
    /// When the file cannot be read or says something else.
    pub fn add_file(&mut self, path: &Path) -> Result<(), KnownError> {
        let text = std::fs::read_to_string(path).map_err(|error| KnownError { path: path.to_owned(), message: error.to_string() })?;
        self.add(&text).map_err(|message| KnownError { path: path.to_owned(), message })
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        for entry in file.known {
            let date = entry.expires.date.ok_or_else(|| format!("{}: expires is a time without a day", entry.fingerprint))?;
            let expires = Day { year: date.year.into(), month: date.month.into(), day: date.day.into() };
            let known = KnownFailure { link: entry.link, expires, note: entry.note };
            let later = self.0.get(&entry.fingerprint).is_none_or(|other| other.expires < known.expires);
            if later {
                self.0.insert(entry.fingerprint, known);
            }
        }
        Ok(())
    }

    /// What is known of a fingerprint.
    #[must_use]
    pub fn get(&self, fingerprint: &str) -> Option<&KnownFailure> {
        self.0.get(fingerprint)
    }

    /// All of them, by fingerprint.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &KnownFailure)> {
        self.0.iter().map(|(fingerprint, known)| (fingerprint.as_str(), known))
    }
}

/// Whether a file of a campaign's directory holds known failures; several machines may each bring one.
#[must_use]
pub fn is_known_file(name: &str) -> bool {
    name.starts_with("known") && Path::new(name).extension().is_some_and(|ending| ending == "toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> Result<Known, String> {
        let mut known = Known::default();
        known.add(text).map(|()| known)
    }

    #[test]
    fn the_entry_that_expires_later_counts() {
        let entry = |day: &str| format!("[[known]]\nfingerprint = \"liveness-1\"\nlink = \"issue 3\"\nexpires = {day}\n");
        let two = known(&format!("{}{}", entry("2027-03-01"), entry("2027-02-01"))).unwrap();
        assert_eq!(two.get("liveness-1").unwrap().expires, Day { year: 2027, month: 3, day: 1 });
        assert_eq!(two.get("liveness-2"), None);
        assert!(known("").unwrap().iter().next().is_none());
    }

    #[test]
    fn what_is_missing_or_misspelt_is_named() {
        for (text, expected) in [
            ("[[known]]\nfingerprint = \"a\"\nlink = \"b\"\n", "expires"),
            ("[[known]]\nfingerprint = \"a\"\nlink = \"b\"\nexpires = \"2027-01-01\"\n", "expires"),
            ("[[known]]\nfingerprint = \"a\"\nlink = \"b\"\nexpires = 12:00:00\n", "without a day"),
            ("[[knwon]]\nfingerprint = \"a\"\n", "knwon"),
            ("[[known]\n", "line 1"),
        ] {
            let error = known(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
