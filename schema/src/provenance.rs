//! Where a history came from: everything that its file says about itself besides its rows.
//!
//! A file is complete in itself: with the provenance alone a run can be simulated again.

use crate::rows::Kind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Major version of the schema: a reader refuses a greater one.
pub const SCHEMA_MAJOR: u32 = 1;

/// Minor version of the schema: within a major version columns are only added, and are nullable.
pub const SCHEMA_MINOR: u32 = 0;

/// The version of the schema that a file was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SchemaVersion {
    /// Changes when old readers can not read new files.
    pub major: u32,
    /// Changes when nullable columns or dictionary values are added.
    pub minor: u32,
}

impl SchemaVersion {
    /// The version that this crate writes.
    pub const CURRENT: Self = Self { major: SCHEMA_MAJOR, minor: SCHEMA_MINOR };

    /// Reads `MAJOR.MINOR`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl core::fmt::Display for SchemaVersion {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// Who wrote a file, from what, when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Name of the program that recorded or imported the runs.
    pub program: String,
    /// Its version.
    pub program_version: String,
    /// Source commit that it was built from, empty when unknown.
    pub source_commit: String,
    /// The scenario's definition, JSON; empty for external histories.
    pub scenario: String,
    /// First seed of the range that the file was recorded for.
    pub first_seed: u64,
    /// Number of seeds in that range.
    pub seeds: u64,
    /// Guard that was switched off.
    pub bug: Option<String>,
    /// The command line.
    pub command_line: String,
    /// Wall clock at the start of recording, milliseconds since 1970.
    pub started_unix_ms: u64,
    /// Wall clock when the file was closed, milliseconds since 1970; filled in by the writer.
    pub ended_unix_ms: u64,
    /// Anything else, such as an importer's dictionary of interned values; keys are free.
    pub notes: BTreeMap<String, String>,
}

/// One row group, as the index in the footer describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupEntry {
    /// Batch that it belongs to: the row groups that hold the same runs.
    pub(crate) batch: usize,
    /// Name of its kind.
    pub(crate) kind: String,
    /// Rows.
    pub(crate) rows: u64,
    /// First run, counted over the file.
    pub(crate) first_run: u64,
    /// Runs.
    pub(crate) runs: u64,
    /// Seed of the first run.
    pub(crate) first_seed: u64,
    /// Seed of the last run.
    pub(crate) last_seed: u64,
}

/// A row group of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowGroup {
    /// Batch that it belongs to: the row groups that hold the same runs.
    pub batch: usize,
    /// Kind of its rows.
    pub kind: Kind,
    /// Number of rows.
    pub rows: usize,
    /// First run, counted over the file.
    pub first_run: usize,
    /// Number of runs.
    pub runs: usize,
    /// Seed of the first run.
    pub first_seed: u64,
    /// Seed of the last run.
    pub last_seed: u64,
}

const PREFIX: &str = "vopr.";
const NOTE_PREFIX: &str = "vopr.note.";
const CHECKSUM: &str = "vopr.checksum";

impl Provenance {
    /// The footer's key-value pairs, index and checksum included.
    pub(crate) fn to_pairs(&self, version: SchemaVersion, groups: &[GroupEntry]) -> Vec<(String, String)> {
        let mut pairs = vec![
            ("schema_version", version.to_string()),
            ("program", self.program.clone()),
            ("program_version", self.program_version.clone()),
            ("source_commit", self.source_commit.clone()),
            ("scenario", self.scenario.clone()),
            ("first_seed", self.first_seed.to_string()),
            ("seeds", self.seeds.to_string()),
            ("command_line", self.command_line.clone()),
            ("started_unix_ms", self.started_unix_ms.to_string()),
            ("ended_unix_ms", self.ended_unix_ms.to_string()),
            ("row_groups", serde_json::to_string(groups).expect("an index of numbers and names is JSON")),
        ];
        pairs.extend(self.bug.iter().map(|bug| ("bug", bug.clone())));
        let mut pairs: Vec<_> = pairs.into_iter().map(|(key, value)| (format!("{PREFIX}{key}"), value)).collect();
        pairs.extend(self.notes.iter().map(|(key, value)| (format!("{NOTE_PREFIX}{key}"), value.clone())));
        let checksum = checksum(&pairs);
        pairs.push((CHECKSUM.to_owned(), checksum));
        pairs
    }

    /// Reads the footer's pairs; keys of others are ignored. The error says what is wrong, in words.
    pub(crate) fn from_pairs(pairs: &[(String, String)]) -> Result<(Self, SchemaVersion, Vec<GroupEntry>), String> {
        let text = |key: &str| {
            let key = format!("{PREFIX}{key}");
            pairs.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
        };
        let required = |key: &str| text(key).ok_or_else(|| format!("the footer has no {PREFIX}{key}"));
        let number = |key: &str| required(key)?.parse::<u64>().map_err(|_| format!("the footer's {PREFIX}{key} is no number"));
        let version = required("schema_version")?;
        let version = SchemaVersion::parse(version).ok_or_else(|| format!("the footer's schema version {version:?} is none"))?;
        if version.major > SCHEMA_MAJOR {
            // The rest may mean anything: the caller refuses the version.
            return Ok((Self::default(), version, Vec::new()));
        }
        let (covered, sums): (Vec<_>, Vec<_>) =
            pairs.iter().filter(|(key, _)| key.starts_with(PREFIX)).cloned().partition(|(key, _)| key != CHECKSUM);
        if sums.len() != 1 || sums[0].1 != checksum(&covered) {
            return Err("the provenance in the footer does not match its checksum".to_owned());
        }
        let provenance = Self {
            program: required("program")?.to_owned(),
            program_version: required("program_version")?.to_owned(),
            source_commit: required("source_commit")?.to_owned(),
            scenario: required("scenario")?.to_owned(),
            first_seed: number("first_seed")?,
            seeds: number("seeds")?,
            bug: text("bug").map(str::to_owned),
            command_line: required("command_line")?.to_owned(),
            started_unix_ms: number("started_unix_ms")?,
            ended_unix_ms: number("ended_unix_ms")?,
            notes: pairs.iter().filter_map(|(key, value)| Some((key.strip_prefix(NOTE_PREFIX)?.to_owned(), value.clone()))).collect(),
        };
        let groups = serde_json::from_str(required("row_groups")?).map_err(|error| format!("the footer's row-group index: {error}"))?;
        Ok((provenance, version, groups))
    }
}

/// CRC-32 over all keys and values, each with its length in front, in the order of the file.
fn checksum(pairs: &[(String, String)]) -> String {
    let mut hasher = crc32fast::Hasher::new();
    for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    format!("{:08x}", hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Provenance {
        Provenance {
            program: "vopr".into(),
            scenario: "{}".into(),
            bug: Some("lost_update".into()),
            first_seed: u64::MAX,
            notes: [("import.values".to_owned(), "[\"a\"]".to_owned())].into(),
            ..Provenance::default()
        }
    }

    #[test]
    fn pairs_round_trip() {
        let pairs = sample().to_pairs(SchemaVersion::CURRENT, &[]);
        assert_eq!(Provenance::from_pairs(&pairs).unwrap(), (sample(), SchemaVersion::CURRENT, vec![]));
    }

    #[test]
    fn any_changed_letter_is_noticed() {
        let pairs = sample().to_pairs(SchemaVersion::CURRENT, &[]);
        for at in 0..pairs.len() {
            let mut changed = pairs.clone();
            changed[at].1.push('0');
            assert!(Provenance::from_pairs(&changed).is_err(), "{}", pairs[at].0);
        }
    }

    #[test]
    fn a_newer_major_version_is_told_before_anything_else() {
        let pairs = vec![("vopr.schema_version".to_owned(), "9.4".to_owned())];
        assert_eq!(Provenance::from_pairs(&pairs).unwrap().1, SchemaVersion { major: 9, minor: 4 });
    }
}
