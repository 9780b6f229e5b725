//! Which files a command line names.
//!
//! A directory stands for the histories in it, or, when it has none of its own, for those in its folders, as a campaign keeps them; a
//! name that matches nothing is told apart from one that cannot be read, because a script must notice an empty campaign.

use std::path::{Path, PathBuf};

/// Ending of a history.
pub const ENDING: &str = "parquet";

/// Ending of a history of one failing run, with what is needed to repeat and shrink it.
pub const BUNDLE_ENDING: &str = "kmb";

/// End of the name of a run that was made smaller, before the ending.
const MINIMIZED: &str = "-min";

/// Folders in folders that are looked into: a campaign has `failures/ID/` and `kept/ID/`.
const DEPTH_MAX: usize = 3;

/// Ending of a file that a recorder had not finished.
const UNFINISHED: &str = "partial";

/// What the arguments of a command stand for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Histories, in the order of the arguments, those of a directory by name.
    pub files: Vec<PathBuf>,
    /// Runs in directories that were made smaller and lie beside the run that they were made from: the same failure once more.
    pub minimized: Vec<PathBuf>,
    /// Arguments that stand for nothing, each with the reason.
    pub unmatched: Vec<String>,
    /// Arguments that cannot be taken, each with the reason.
    pub refused: Vec<String>,
    /// Things to know that change no verdict.
    pub notes: Vec<String>,
}

/// Resolves arguments to files.
#[must_use]
pub fn resolve(arguments: &[PathBuf]) -> Inputs {
    let mut inputs = Inputs::default();
    for argument in arguments {
        if argument.is_dir() {
            let before = inputs.files.len();
            directory(argument, DEPTH_MAX, &mut inputs);
            if inputs.files.len() == before {
                let text = format!("{}: no *.{ENDING} or *.{BUNDLE_ENDING} in this directory, nor below it", argument.display());
                inputs.unmatched.push(text);
            }
        } else if unfinished(argument) {
            inputs.refused.push(format!("{}: an unfinished recording, not a history", argument.display()));
        } else if argument.exists() {
            inputs.files.push(argument.clone());
        } else if argument.to_string_lossy().contains(['*', '?', '[']) {
            inputs.unmatched.push(format!("{}: no file matches", argument.display()));
        } else {
            inputs.refused.push(format!("{}: no such file", argument.display()));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    inputs.files.retain(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    inputs
}

impl Inputs {
    /// Puts the runs that were made smaller among the files, where each file counts for itself.
    #[must_use]
    pub fn with_minimized(mut self) -> Self {
        self.files.append(&mut self.minimized);
        self.files.sort();
        self
    }

    /// Things to know that change no verdict, and what is left out.
    pub fn remarks(&self) -> impl Iterator<Item = String> {
        let one = |path: &PathBuf| {
            format!("note: {}: made smaller from the run beside it, and left out: name it to have it looked at", path.display())
        };
        self.notes.iter().map(|text| format!("note: {text}")).chain(self.minimized.iter().map(one))
    }
}

/// Where a run of this file goes when it is made smaller, unless told otherwise: beside the file. Of a file of several runs `run` is the
/// scenario and the seed.
#[must_use]
pub fn minimized(file: &Path, run: Option<(&str, u64)>) -> PathBuf {
    let stem = match run {
        Some((scenario, seed)) => format!("{scenario}-{seed}"),
        None => file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    file.with_file_name(format!("{stem}{MINIMIZED}.{BUNDLE_ENDING}"))
}

/// Whether a file bears the name of a run that was made smaller.
#[must_use]
pub fn is_minimized(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(MINIMIZED)) && has_ending(file, BUNDLE_ENDING)
}

fn has_ending(file: &Path, ending: &str) -> bool {
    file.extension().is_some_and(|found| found == ending)
}

/// Whether the run that this one was made from lies beside it.
fn lies_beside_its_origin(file: &Path) -> bool {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let origin = stem.strip_suffix(MINIMIZED).map(|stem| file.with_file_name(format!("{stem}.{BUNDLE_ENDING}")));
    is_minimized(file) && origin.is_some_and(|origin| origin.exists())
}

fn directory(path: &Path, depth: usize, inputs: &mut Inputs) {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => {
            inputs.refused.push(format!("{}: {error}", path.display()));
            return;
        }
    };
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    found.sort();
    let (folders, found): (Vec<PathBuf>, Vec<PathBuf>) = found.into_iter().partition(|path| path.is_dir());
    let before = inputs.files.len();
    for file in found {
        if unfinished(&file) {
            inputs.notes.push(format!("{}: an unfinished recording, left out", file.display()));
        } else if lies_beside_its_origin(&file) {
            inputs.minimized.push(file);
        } else if has_ending(&file, ENDING) || has_ending(&file, BUNDLE_ENDING) {
            inputs.files.push(file);
        }
    }
    // What begins with a dot is somebody's own.
    let is_open = |folder: &&PathBuf| folder.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'));
    if inputs.files.len() == before && depth > 0 {
        folders.iter().filter(is_open).for_each(|folder| directory(folder, depth - 1, inputs));
    }
}

fn unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == UNFINISHED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_was_made_smaller_counts_apart_from_the_one_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for name in ["a.kmb", "a-min.kmb", "b-min.kmb", "c-min.parquet"] {
            std::fs::write(path(name), b"x").unwrap();
        }
        let inputs = resolve(&[home.path().to_owned()]);
        assert_eq!(inputs.files, [path("a.kmb"), path("b-min.kmb"), path("c-min.parquet")]);
        assert_eq!(inputs.minimized, [path("a-min.kmb")]);
        assert!(inputs.remarks().any(|remark| remark.contains("a-min.kmb")));
        assert_eq!(inputs.with_minimized().files.len(), 4);
        assert_eq!(resolve(&[path("a-min.kmb")]).files, [path("a-min.kmb")]);
        assert_eq!(minimized(&path("a.kmb"), None), path("a-min.kmb"));
        assert_eq!(minimized(Path::new("runs/x-1-8.parquet"), Some(("x", 3))), Path::new("runs/x-3-min.kmb"));
    }

    #[test]
    fn a_directory_without_histories_stands_for_those_in_its_folders() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for folder in ["failures/7", "kept/7", ".vopr"] {
            std::fs::create_dir_all(path(folder)).unwrap();
        }
        for name in ["plan-7.json", "failures/7/a.kmb", "kept/7/b.parquet", ".vopr/verdicts.parquet"] {
            std::fs::write(path(name), b"x").unwrap();
        }
        assert_eq!(resolve(&[home.path().to_owned()]).files, [path("failures/7/a.kmb"), path("kept/7/b.parquet")]);
        assert_eq!(resolve(&[path("failures")]).files, [path("failures/7/a.kmb")]);
        std::fs::write(path("own.parquet"), b"x").unwrap();
        assert_eq!(resolve(&[home.path().to_owned()]).files, [path("own.parquet")]);
    }

    #[test]
    fn directories_files_and_nothing_are_told_apart() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for name in ["b.parquet", "a.parquet", "k.kmb", "c.parquet.partial", "notes.txt"] {
            std::fs::write(path(name), b"x").unwrap();
        }
        std::fs::create_dir(path("empty")).unwrap();
        let arguments =
            [home.path().to_owned(), path("a.parquet"), path("d.parquet"), path("z*.parquet"), path("c.parquet.partial"), path("empty")];
        let inputs = resolve(&arguments);
        assert_eq!(inputs.files, [path("a.parquet"), path("b.parquet"), path("k.kmb")]);
        assert_eq!((inputs.unmatched.len(), inputs.refused.len(), inputs.notes.len()), (2, 2, 1), "{inputs:?}");
    }
}
