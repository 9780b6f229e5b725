//! Stores beside the histories: one per folder, in `.vopr/verdicts.parquet`.
//!
//! Several programs may check one folder. Each reads the store as it finds it and, at its end, adds what it learnt under a lock; the
//! file is replaced in one step, so that a reader never meets a half of it.

use super::{Digest, Limits, Recalled, Store, StoreError, assembled};
use crate::budget::Budget;
use crate::check::judge_run;
use crate::registry::Selection;
use crate::report::RunVerdicts;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use vopr_schema::History;
use vopr_schema::digest::run_digest;

/// Folder of what the programs keep beside histories.
pub const FOLDER: &str = ".vopr";

/// Name of the store in it.
pub const FILE: &str = "verdicts.parquet";

/// The stores of all folders that are being checked.
#[derive(Debug)]
pub struct Stores {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    folders: BTreeMap<PathBuf, Folder>,
    files: BTreeMap<PathBuf, Survey>,
    recalled: u64,
    judged: u64,
}

#[derive(Debug, Default)]
struct Folder {
    known: Store,
    learnt: Store,
    /// A later program's store is left as it is.
    untouchable: bool,
}

/// What is known of a file's bytes.
#[derive(Debug, Default)]
struct Survey {
    bytes: Option<Digest>,
    sealed: bool,
    /// Runs with rows whose digest is the recorded one.
    true_runs: usize,
}

impl Stores {
    /// Reads the stores beside these files. What cannot be used is told, one sentence each.
    #[must_use]
    pub fn open(files: &[PathBuf], budget: &Budget) -> (Self, Vec<String>) {
        let mut state = State::default();
        let mut notes = Vec::new();
        for file in files {
            let folder = folder_of(file);
            state.folders.entry(folder).or_insert_with_key(|folder| load(&store_path(folder), &mut notes));
        }
        (Self { limits: Limits::of(budget), state: Mutex::new(state) }, notes)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the digest of each file's bytes, to know which of them need not be read again.
    pub(crate) fn survey(&self, files: &[PathBuf]) {
        let digest = |file: &PathBuf| (file.clone(), digest_of_file(file).ok());
        let surveyed: Vec<_> = files.par_iter().map(digest).collect();
        let mut state = self.state();
        for (file, bytes) in surveyed {
            let known = &state.folders[&folder_of(&file)].known;
            let sealed = bytes.is_some_and(|bytes| known.is_sealed(&bytes));
            state.files.insert(file, Survey { bytes, sealed, true_runs: 0 });
        }
    }

    /// Whether this very file was read to its last page before, and its recorded digests are true.
    pub(crate) fn is_sealed(&self, file: &Path) -> bool {
        self.state().files.get(file).is_some_and(|survey| survey.sealed)
    }

    fn recall(&self, file: &Path, digest: &Digest, selection: &Selection) -> Recalled {
        let state = self.state();
        let folder = state.folders.get(&folder_of(file));
        folder.map_or_else(
            || Store::default().recall(digest, selection, &self.limits),
            |folder| folder.known.recall(digest, selection, &self.limits),
        )
    }

    /// Whether everything is known about a run of a sealed file.
    pub(crate) fn knows(&self, file: &Path, digest: &Digest, selection: &Selection) -> bool {
        self.recall(file, digest, selection).is_complete()
    }

    /// The verdicts on a run: those that are known, and the others by judging it.
    pub(crate) fn judge(&self, file: &Path, history: &History, run: usize, selection: &Selection, budget: &Budget) -> RunVerdicts {
        let meta = &history.runs[run];
        let sealed = self.is_sealed(file);
        // Of a file that is not sealed only the rows themselves say which run this is.
        let digest = if sealed { meta.digest } else { run_digest(history, run) };
        let name = crate::imported::named(digest, meta);
        let recalled = self.recall(file, &name, selection);
        if recalled.is_complete() {
            self.count(file, true, digest == meta.digest);
            return assembled(meta, recalled, None).expect("what is complete has its facts");
        }
        let open = selection.restricted_to(&recalled.open);
        let fresh = judge_run(history, run, &open, budget);
        if budget.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            return fresh;
        }
        self.count(file, false, digest == meta.digest);
        if let Some(folder) = self.state().folders.get_mut(&folder_of(file)) {
            folder.learnt.learn(name, &fresh, self.limits);
        }
        assembled(meta, recalled, Some(fresh)).expect("a fresh check has its facts")
    }

    fn count(&self, file: &Path, recalled: bool, true_digest: bool) {
        let mut state = self.state();
        state.recalled += u64::from(recalled);
        state.judged += u64::from(!recalled);
        if let Some(survey) = state.files.get_mut(file) {
            survey.true_runs += usize::from(true_digest);
        }
    }

    /// Tells that a file was gone through; when all of its `runs` were met with true digests, its bytes are known from now on.
    pub(crate) fn finished(&self, file: &Path, runs: usize) {
        let mut state = self.state();
        let Some(survey) = state.files.get(file) else { return };
        let (Some(bytes), false, true) = (survey.bytes, survey.sealed, survey.true_runs == runs) else { return };
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(folder) = state.folders.get_mut(&folder_of(file)) {
            folder.learnt.seal(bytes, name);
        }
    }

    /// Runs whose verdicts were all known, and runs that were judged.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let state = self.state();
        (state.recalled, state.judged)
    }

    /// Adds what was learnt to the stores. What could not be kept is told, one sentence each.
    #[must_use]
    pub fn save(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (path, folder) in &mut self.state().folders {
            if folder.learnt.is_empty() || folder.untouchable {
                continue;
            }
            match add(path, &folder.learnt) {
                Ok(merged) => (folder.known, folder.learnt) = (merged, Store::default()),
                Err(error) => notes.push(format!("{}: the verdicts are not kept: {error}", store_path(path).display())),
            }
        }
        notes
    }
}

/// The folder of a file, as a path that can be joined.
fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Where the store of a folder lies.
fn store_path(folder: &Path) -> PathBuf {
    folder.join(FOLDER).join(FILE)
}

fn load(path: &Path, notes: &mut Vec<String>) -> Folder {
    match read(path) {
        Ok(known) => Folder { known, ..Folder::default() },
        Err(StoreError::Newer(version)) => {
            let why = StoreError::Newer(version);
            notes.push(format!("{}: {why}: everything is checked, nothing is kept", path.display()));
            Folder { untouchable: true, ..Folder::default() }
        }
        Err(error) => {
            notes.push(format!("{}: {error}: everything is checked again and the store is built anew", path.display()));
            Folder::default()
        }
    }
}

/// The store at a path; an empty one when there is none.
fn read(path: &Path) -> Result<Store, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Store::decode(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Store::default()),
        Err(error) => Err(StoreError::Damaged(error.to_string())),
    }
}

/// Adds to the store of a folder what another process may have added to as well.
fn add(folder: &Path, learnt: &Store) -> Result<Store, io::Error> {
    let path = store_path(folder);
    fs::create_dir_all(folder.join(FOLDER))?;
    let lock = File::create(folder.join(FOLDER).join("lock"))?;
    lock.lock()?;
    let mut merged = match read(&path) {
        Ok(store) => store,
        Err(newer @ StoreError::Newer(_)) => return Err(io::Error::other(newer)),
        // It was named when it was read; what it held is being replaced by what the rows say.
        Err(_) => Store::default(),
    };
    merged.merge(learnt.clone());
    let bytes = merged.encode().map_err(io::Error::other)?;
    let partial = path.with_extension("parquet.partial");
    let mut file = File::create(&partial)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&partial, &path)?;
    File::open(folder.join(FOLDER))?.sync_all()?;
    lock.unlock()?;
    Ok(merged)
}

fn digest_of_file(path: &Path) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(*hasher.finalize().as_bytes())
}
