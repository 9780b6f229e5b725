//! The file that lets a campaign go on after it was killed.
//!
//! It is replaced atomically and names only what is durable: a batch enters it after its history was published. Whatever was
//! under way is simulated again, with the same result, because a seed decides everything.

use crate::seeds::{SeedRange, gaps};
use crate::tally::{Failure, Tally};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use vopr_checker::situations::Coverage;

/// Version of the file's form.
const FORMAT: u32 = 1;

/// State of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Version of this form.
    pub format: u32,
    /// Program that wrote it.
    pub program: String,
    /// First seed of every scenario.
    pub seed: u64,
    /// What decides about the runs besides the seeds: canonical words of the command line.
    pub options: Vec<String>,
    /// Where histories are recorded.
    pub out: Option<PathBuf>,
    /// One entry per scenario.
    pub scenarios: Vec<ScenarioState>,
}

/// What is done of one scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioState {
    /// Canonical name.
    pub name: String,
    /// Seeds per batch.
    pub batch: u64,
    /// Finished batches; those without a file are joined when they touch.
    pub done: Vec<Record>,
}

/// A finished batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// First seed.
    pub first: u64,
    /// How many seeds.
    pub count: u64,
    /// Name of the history in the output directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Counts.
    pub tally: Tally,
    /// The situations that its runs came into.
    #[serde(default, skip_serializing_if = "Coverage::is_empty")]
    pub situations: Coverage,
    /// Failures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

impl Record {
    /// The seeds of the batch.
    #[must_use]
    pub fn range(&self) -> SeedRange {
        SeedRange { first: self.first, count: self.count }
    }
}

impl ScenarioState {
    /// Adds a finished batch.
    pub fn finish(&mut self, record: Record) {
        if record.file.is_none()
            && let Some(touching) = self.done.iter_mut().find(|done| done.file.is_none() && done.range().end() == record.first)
        {
            touching.count = touching.count.saturating_add(record.count);
            touching.tally.add(&record.tally);
            touching.situations.merge(&record.situations);
            touching.failures.extend(record.failures);
            return;
        }
        self.done.push(record);
        self.done.sort_by_key(|record| record.first);
    }

    /// What is left of `whole`.
    #[must_use]
    pub fn left(&self, whole: SeedRange) -> Vec<SeedRange> {
        gaps(whole, self.done.iter().map(Record::range))
    }

    /// The situations that the runs of all finished batches came into.
    #[must_use]
    pub fn situations(&self) -> Coverage {
        let mut sum = Coverage::default();
        self.done.iter().for_each(|record| sum.merge(&record.situations));
        sum
    }

    /// Counts over all finished batches.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        for record in &self.done {
            sum.add(&record.tally);
        }
        sum
    }
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It cannot be read.
    #[error("checkpoint {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("checkpoint {} is damaged: {source}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Another version wrote it.
    #[error("checkpoint {} has form {found}, this program knows {FORMAT}", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It claims what no campaign can have done.
    #[error("checkpoint {} is damaged: {what}", path.display())]
    Impossible {
        /// Which file.
        path: PathBuf,
        /// What it claims.
        what: String,
    },
    /// It belongs to another campaign.
    #[error("checkpoint {} belongs to another campaign: {what} was `{theirs}`, now it is `{ours}`", path.display())]
    Other {
        /// Which file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// In the file.
        theirs: String,
        /// On the command line.
        ours: String,
    },
}

impl Checkpoint {
    /// A campaign of which nothing is done.
    #[must_use]
    pub fn new(program: &str, seed: u64, options: Vec<String>, out: Option<PathBuf>, scenarios: Vec<ScenarioState>) -> Self {
        Self { format: FORMAT, program: program.to_owned(), seed, options, out, scenarios }
    }

    /// Reads a checkpoint, none when there is no such file.
    ///
    /// # Errors
    /// When the file exists and cannot be used.
    pub fn read(path: &Path) -> Result<Option<Self>, CheckpointError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CheckpointError::Read { path: path.to_owned(), source }),
        };
        let checkpoint: Self =
            serde_json::from_slice(&text).map_err(|source| CheckpointError::Damaged { path: path.to_owned(), source })?;
        if checkpoint.format != FORMAT {
            return Err(CheckpointError::Form { path: path.to_owned(), found: checkpoint.format });
        }
        checkpoint.possible().map_err(|what| CheckpointError::Impossible { path: path.to_owned(), what })?;
        Ok(Some(checkpoint))
    }

    /// Whether its batches are ones that a campaign can have finished: beyond the first seed, before the numbers end, each seed once.
    fn possible(&self) -> Result<(), String> {
        for ScenarioState { name, done, .. } in &self.scenarios {
            let mut batches: Vec<SeedRange> = done.iter().map(Record::range).collect();
            batches.sort_unstable();
            let mut next = self.seed;
            for batch in batches {
                let SeedRange { first, count } = batch;
                if first < next {
                    return Err(format!("scenario {name}: the batch of {count} seeds from {first} begins before seed {next}"));
                }
                next = first.checked_add(count).ok_or_else(|| format!("scenario {name}: no {count} seeds are left from {first} on"))?;
            }
        }
        Ok(())
    }

    /// Whether it belongs to the campaign `ours`; more or fewer seeds make no other campaign.
    ///
    /// # Errors
    /// When it does not, with what differs.
    pub fn belongs_to(&self, ours: &Self, path: &Path) -> Result<(), CheckpointError> {
        let names = |checkpoint: &Self| checkpoint.scenarios.iter().map(|scenario| scenario.name.as_str()).collect::<Vec<_>>().join(",");
        let out = |checkpoint: &Self| checkpoint.out.as_ref().map_or_else(|| "(none)".to_owned(), |out| out.display().to_string());
        let pairs = [
            ("--seed", self.seed.to_string(), ours.seed.to_string()),
            ("--scenario", names(self), names(ours)),
            ("--out", out(self), out(ours)),
            ("the set of options", words(&self.options), words(&ours.options)),
            (
                "a line of the file of --config",
                first_other_line(&self.options, &ours.options),
                first_other_line(&ours.options, &self.options),
            ),
        ];
        match pairs.into_iter().find(|(_, theirs, ours)| theirs != ours) {
            None => Ok(()),
            Some((what, theirs, ours)) => Err(CheckpointError::Other { path: path.to_owned(), what, theirs, ours }),
        }
    }

    /// Forgets batches whose history is gone; returns the names of those files.
    pub fn forget_missing_files(&mut self) -> Vec<PathBuf> {
        let Some(out) = &self.out else { return Vec::new() };
        let mut missing = Vec::new();
        for scenario in &mut self.scenarios {
            scenario.done.retain(|record| {
                let path = record.file.as_ref().map(|file| out.join(file));
                let gone = path.filter(|path| !path.exists());
                let keep = gone.is_none();
                missing.extend(gone);
                keep
            });
        }
        missing
    }

    /// Replaces the file at `path`, durably.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let mut file = std::fs::File::create(&beside)?;
        serde_json::to_writer_pretty(std::io::BufWriter::new(&mut file), self)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::File::open(folder)?.sync_all()
    }
}

/// The options that are words; the others are whole files of scenarios.
fn words(options: &[String]) -> String {
    options.iter().filter(|option| !option.contains('\n')).map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// The first line of the files in `options` that stands elsewhere otherwise.
fn first_other_line(options: &[String], elsewhere: &[String]) -> String {
    let lines = |options: &[String]| options.iter().filter(|option| option.contains('\n')).cloned().collect::<Vec<_>>().join("\n");
    let (own, other) = (lines(options), lines(elsewhere));
    let mut others = other.lines();
    own.lines().find(|line| others.next() != Some(line)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_edited_scenario_only_the_line_is_told() {
        let with = |drop: &str| {
            let file = format!("name = \"mine\"\n[base]\ndrop = \"{drop}\"\nreplicas = [5]\n");
            Checkpoint::new("0", 5, vec!["--no-faults".to_owned(), file], None, Vec::new())
        };
        let refused = with("1%").belongs_to(&with("2%"), Path::new("state.json")).unwrap_err().to_string();
        let expected = "a line of the file of --config was `drop = \"1%\"`, now it is `drop = \"2%\"`";
        assert!(refused.ends_with(expected), "{refused}");
        assert!(with("1%").belongs_to(&with("1%"), Path::new("state.json")).is_ok());
        let longer = Checkpoint::new("0", 5, vec![format!("{}more = 1\n", with("1%").options[1])], None, Vec::new());
        let shorter = Checkpoint::new("0", 5, vec![with("1%").options[1].clone()], None, Vec::new());
        assert!(shorter.belongs_to(&longer, Path::new("state.json")).is_err());
    }

    fn record(first: u64, count: u64, file: Option<&str>) -> Record {
        let tally = Tally { runs: count, ..Tally::default() };
        Record { first, count, file: file.map(str::to_owned), tally, situations: Coverage::default(), failures: Vec::new() }
    }

    fn checkpoint(out: Option<PathBuf>) -> Checkpoint {
        let scenario = ScenarioState { name: "baseline".to_owned(), batch: 10, done: Vec::new() };
        Checkpoint::new("0", 5, vec!["--no-faults".to_owned()], out, vec![scenario])
    }

    #[test]
    fn what_was_written_is_read_again() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.json");
        assert!(Checkpoint::read(&path).unwrap().is_none());
        let mut written = checkpoint(None);
        written.scenarios[0].finish(record(5, 10, None));
        written.write(&path).unwrap();
        written.scenarios[0].finish(record(15, 10, None));
        written.write(&path).unwrap();
        assert_eq!(Checkpoint::read(&path).unwrap(), Some(written));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_or_foreign_file_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.json");
        std::fs::write(&path, "{\"format\": 1").unwrap();
        assert!(matches!(Checkpoint::read(&path), Err(CheckpointError::Damaged { .. })));
        let other = Checkpoint { seed: 6, ..checkpoint(None) };
        let error = other.belongs_to(&checkpoint(None), &path).unwrap_err().to_string();
        assert!(error.contains("--seed was `6`, now it is `5`"), "{error}");
    }

    #[test]
    fn batches_that_no_campaign_can_have_finished_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.json");
        let read = |batches: &[(u64, u64)]| {
            let mut state = checkpoint(None);
            state.scenarios[0].done = batches.iter().map(|(first, count)| record(*first, *count, Some("a"))).collect();
            state.write(&path).unwrap();
            Checkpoint::read(&path).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(read(&[(15, 10), (5, 10), (u64::MAX - 3, 3)]), Ok(()));
        for (batches, expected) in [
            (&[(4, 10)][..], "the batch of 10 seeds from 4 begins before seed 5"),
            (&[(5, 10), (14, 2)], "the batch of 2 seeds from 14 begins before seed 15"),
            (&[(u64::MAX - 3, 5)], "no 5 seeds are left from 18446744073709551612 on"),
        ] {
            let error = read(batches).unwrap_err();
            assert!(error.contains("is damaged") && error.ends_with(expected), "{error}");
        }
    }

    #[test]
    fn touching_batches_join_unless_they_are_files() {
        let mut state = ScenarioState::default();
        state.finish(record(0, 5, None));
        state.finish(record(5, 5, None));
        assert_eq!((state.done.len(), state.tally().runs), (1, 10));
        state.finish(record(20, 5, Some("a")));
        state.finish(record(25, 5, Some("b")));
        assert_eq!(state.done.len(), 3);
        assert_eq!(state.left(SeedRange { first: 0, count: 40 }), [SeedRange { first: 10, count: 10 }, SeedRange { first: 30, count: 10 }]);
    }

    #[test]
    fn a_batch_whose_file_is_gone_is_not_done() {
        let home = tempfile::tempdir().unwrap();
        let mut state = checkpoint(Some(home.path().to_owned()));
        std::fs::write(home.path().join("kept"), "").unwrap();
        state.scenarios[0].finish(record(5, 10, Some("kept")));
        state.scenarios[0].finish(record(15, 10, Some("gone")));
        assert_eq!(state.forget_missing_files(), [home.path().join("gone")]);
        assert_eq!(state.scenarios[0].tally().runs, 10);
    }
}
