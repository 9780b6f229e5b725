//! A bundle: one failing run in one file, with all that is needed to repeat, judge and shrink it.
//!
//! It is a history of one run whose footer also holds the workload plan, the symptom and the verdicts: whatever reads
//! histories reads bundles, and compression, checksums and atomic writing are the history's.

use crate::failure::symptom::Symptom;
use crate::failure::trial::Trial;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vopr_check::exit::Problem;
use vopr_check::output;
use vopr_check::shell;
use vopr_check::terminal::counted;
use vopr_check::version::{COMMIT, VERSION};
use vopr_checker::Selection;
use vopr_schema::read::{HistoryFile, Projection, ReadError};
use vopr_schema::write::{HistoryWriter, WriteError, WriteOptions};
use vopr_schema::{History, Provenance, Run};
use vopr_sim::workload_plan::WorkloadPlan;
use vopr_sim::{RequestError, RunRequest};

/// Version of what the footer says besides a history's own; raised when a note changes its meaning.
const BUNDLE_VERSION: u32 = 1;

const NOTE_VERSION: &str = "bundle.version";
const NOTE_WORKLOAD: &str = "bundle.workload";
const NOTE_SYMPTOM: &str = "bundle.symptom";
const NOTE_VERDICTS: &str = "bundle.verdicts";
const NOTE_ORIGIN: &str = "bundle.origin";

/// A failing run.
#[derive(Debug)]
pub struct Bundle {
    /// What is simulated. The workload is planned, unless the run comes from a plain history.
    pub request: RunRequest,
    /// The recorded run.
    pub history: History,
    /// How it failed, when it was judged.
    pub symptom: Option<Symptom>,
    /// All verdicts, as `vopr-check --format json` prints them.
    pub verdicts: Option<Value>,
    /// Of a run that was made smaller: what it was made from.
    pub origin: Option<Value>,
    /// Who recorded it.
    pub provenance: Provenance,
}

/// Why a bundle cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A later program wrote it.
    #[error("{}: the bundle has version {version}; this program knows version {BUNDLE_VERSION}", .file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// What it claims.
        version: String,
    },
    /// A part of the footer is not what it should be.
    #[error("{}: {note} in the footer cannot be read: {error}", .file.display())]
    Note {
        /// The file.
        file: PathBuf,
        /// Which part.
        note: &'static str,
        /// Why.
        error: serde_json::Error,
    },
    /// Its options cannot be simulated.
    #[error("{}: {error}", .file.display())]
    Request {
        /// The file.
        file: PathBuf,
        /// Why.
        error: RequestError,
    },
    /// Another system recorded it: there is nothing to simulate.
    #[error("{}: {} was recorded by another system and imported: only what is simulated here can be simulated again", .file.display(), .run)]
    Imported {
        /// The file.
        file: PathBuf,
        /// Scenario and seed.
        run: String,
    },
    /// The file holds several runs, and none was chosen; or it is a directory.
    #[error("{}: {which}", .file.display())]
    Which {
        /// The file.
        file: PathBuf,
        /// What is there.
        which: String,
    },
    /// The chosen run is not in the file.
    #[error("{}: no run has the seed {seed}; it holds {there}", .file.display())]
    NoSuchRun {
        /// The file.
        file: PathBuf,
        /// Which was chosen.
        seed: u64,
        /// What is there.
        there: String,
    },
}

impl From<BundleError> for Problem {
    fn from(error: BundleError) -> Self {
        match &error {
            BundleError::Which { .. } => Self::usage(error.to_string()),
            BundleError::NoSuchRun { .. } => Self::nothing(error.to_string()),
            _ => Self::refused(error.to_string()),
        }
    }
}

/// Files of a directory that are named when the directory is taken for a file.
const NAMED_MAX: usize = 8;

/// Opens a file; of a directory its bundles are named.
///
/// # Errors
/// It cannot be read, or is a directory.
pub fn open(path: &Path) -> Result<HistoryFile, BundleError> {
    if !path.is_dir() {
        return Ok(HistoryFile::open(path)?);
    }
    let inside = vopr_check::inputs::resolve(&[path.to_owned()]).files;
    let named: Vec<String> = inside.iter().take(NAMED_MAX).map(|file| shell::quoted(&file.display().to_string())).collect();
    let more = if inside.len() > named.len() { format!(", and {} more", inside.len() - named.len()) } else { String::new() };
    let which = if inside.is_empty() {
        "it is a directory, and no bundle or history is in it".to_owned()
    } else {
        format!("it is a directory: choose one of the files in it: {}{more}", named.join(", "))
    };
    Err(BundleError::Which { file: path.to_owned(), which })
}

impl Bundle {
    /// Reads a bundle, or a run of a plain history: the one with this seed, or the only one.
    ///
    /// # Errors
    /// The file is damaged, of a later version, or does not hold the run.
    pub fn read(path: &Path, seed: Option<u64>) -> Result<Self, BundleError> {
        let file = open(path)?;
        let provenance = file.provenance().clone();
        let notes = &provenance.notes;
        let version = notes.get(NOTE_VERSION);
        if let Some(version) = version.filter(|version| version.parse() != Ok(BUNDLE_VERSION)) {
            return Err(BundleError::Version { file: path.to_owned(), version: version.clone() });
        }
        let history = one_run(&file, path, seed)?;
        let run = &history.runs[0];
        if is_imported(run) {
            return Err(BundleError::Imported { file: path.to_owned(), run: format!("{} seed {}", run.scenario, run.seed) });
        }
        let workload = note(notes, NOTE_WORKLOAD, path)?;
        let request = request_of(run, workload).map_err(|error| BundleError::Request { file: path.to_owned(), error })?;
        let symptom = note(notes, NOTE_SYMPTOM, path)?;
        let (verdicts, origin) = (note(notes, NOTE_VERDICTS, path)?, note(notes, NOTE_ORIGIN, path)?);
        Ok(Self { request, history, symptom, verdicts, origin, provenance })
    }

    /// The bundle of a run that was just simulated and judged.
    #[must_use]
    pub fn of_trial(request: &RunRequest, trial: Trial, scenario: String, command_line: String) -> Self {
        let symptom = trial.symptom();
        let Trial { history, verdicts, workload, .. } = trial;
        let options = &request.options;
        let provenance = Provenance {
            program: "vopr".to_owned(),
            program_version: VERSION.to_owned(),
            source_commit: COMMIT.to_owned(),
            scenario,
            first_seed: options.seed,
            seeds: 1,
            bug: options.bug.clone(),
            command_line,
            ..Provenance::default()
        };
        Self {
            request: RunRequest { workload: Some(workload), ..request.clone() },
            symptom,
            verdicts: verdicts.as_ref().map(output::json::run),
            history,
            origin: None,
            provenance,
        }
    }

    /// The same run simulated and judged anew by all invariants, if it can be.
    #[must_use]
    pub fn again(&self) -> Option<Trial> {
        Trial::run(&self.request, &Selection::all(), History::default())
    }

    /// The run's row.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.history.runs[0]
    }

    /// Writes it: to a file beside, flushed, renamed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        let mut provenance = self.provenance.clone();
        let notes = &mut provenance.notes;
        notes.insert(NOTE_VERSION.to_owned(), BUNDLE_VERSION.to_string());
        let mut put = |name: &str, value: Option<String>| match value {
            Some(value) => drop(notes.insert(name.to_owned(), value)),
            None => drop(notes.remove(name)),
        };
        put(NOTE_WORKLOAD, self.request.workload.as_ref().map(WorkloadPlan::to_json));
        put(NOTE_SYMPTOM, self.symptom.as_ref().map(|symptom| json!(symptom).to_string()));
        put(NOTE_VERDICTS, self.verdicts.as_ref().map(Value::to_string));
        put(NOTE_ORIGIN, self.origin.as_ref().map(Value::to_string));
        let mut writer = HistoryWriter::create(path, provenance, WriteOptions::default())?;
        writer.write(&self.history)?;
        writer.finish().map(drop)
    }

    /// Its size, in the three numbers that a person has to read.
    #[must_use]
    pub fn size(&self) -> Size {
        let operations = self.request.workload.as_ref().map_or(self.history.operations.len(), WorkloadPlan::operations);
        Size { events: self.run().events, faults: self.request.plan.0.len(), operations }
    }
}

/// How large a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Simulated events.
    pub events: u64,
    /// Planned faults.
    pub faults: usize,
    /// Planned operations.
    pub operations: usize,
}

/// File name of a failing run's bundle.
#[must_use]
pub fn file_name(scenario: &str, seed: u64, bug: Option<&str>) -> String {
    let bug = bug.map_or_else(String::new, |bug| format!("-{bug}"));
    format!("{scenario}{bug}-{seed}.{}", vopr_check::inputs::BUNDLE_ENDING)
}

/// The workload plan in a file's footer, if it is a bundle.
///
/// # Errors
/// The plan cannot be read.
pub fn planned_workload(provenance: &Provenance, path: &Path) -> Result<Option<WorkloadPlan>, BundleError> {
    note(&provenance.notes, NOTE_WORKLOAD, path)
}

/// Whether another system recorded a run, which has no replicas then: it can be judged and shown, and not simulated.
#[must_use]
pub fn is_imported(run: &Run) -> bool {
    run.replicas == 0
}

/// What to simulate for a recorded run.
///
/// # Errors
/// The row belongs to another version of the random streams, or cannot be read.
pub fn request_of(run: &Run, workload: Option<WorkloadPlan>) -> Result<RunRequest, RequestError> {
    let request = RunRequest::recorded(run)?;
    match workload {
        Some(workload) => RunRequest::planned(request.options, request.plan, workload),
        None => Ok(request),
    }
}

fn note<T: serde::de::DeserializeOwned>(
    notes: &BTreeMap<String, String>,
    name: &'static str,
    path: &Path,
) -> Result<Option<T>, BundleError> {
    let parse = |text: &String| serde_json::from_str(text);
    notes.get(name).map(parse).transpose().map_err(|error| BundleError::Note { file: path.to_owned(), note: name, error })
}

/// The chosen run of a file alone.
///
/// # Errors
/// The file cannot be read, or does not hold the run.
pub fn one_run(file: &HistoryFile, path: &Path, seed: Option<u64>) -> Result<History, BundleError> {
    let seeds: Vec<u64> = file.runs()?.iter().map(|run| run.seed).collect();
    let wrong = |which: String| BundleError::Which { file: path.to_owned(), which };
    let place = match (seed, seeds.as_slice()) {
        (None, [_]) => 0,
        (None, []) => return Err(wrong("no run is in it".to_owned())),
        (None, several) => {
            let seeds = several.iter().take(NAMED_MAX).map(u64::to_string).collect::<Vec<_>>().join(", ");
            let more = if several.len() > NAMED_MAX { ", …" } else { "" };
            return Err(wrong(format!("{} runs are in it: choose one with --run SEED ({seeds}{more})", several.len())));
        }
        (Some(seed), known) => known.iter().position(|known| *known == seed).ok_or_else(|| {
            let range = known.iter().min().zip(known.iter().max()).map_or_else(String::new, |(low, high)| format!(" ({low} to {high})"));
            BundleError::NoSuchRun { file: path.to_owned(), seed, there: format!("{}{range}", counted(known.len() as u64, "run")) }
        })?,
    };
    let group = file.row_groups().iter().find(|group| (group.first_run..group.first_run + group.runs).contains(&place));
    let group = group.ok_or_else(|| wrong("the run has no rows".to_owned()))?;
    let batch = file.read_batch(group.batch, &Projection::all())?;
    Ok(vopr_schema::cut::run(&batch, place - group.first_run, u64::MAX))
}
