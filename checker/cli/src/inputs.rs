//! Which files a command line names.
//!
//! A directory stands for the histories in it; a name that matches nothing is told apart from one that cannot be read, because
//! a script must notice an empty campaign.

use std::path::{Path, PathBuf};

/// Ending of a history.
pub const ENDING: &str = "parquet";

/// Ending of a history of one failing run, with what is needed to repeat and shrink it.
pub const BUNDLE_ENDING: &str = "kmb";

/// Ending of a file that a recorder had not finished.
const UNFINISHED: &str = "partial";

/// What the arguments of a command stand for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Histories, in the order of the arguments, those of a directory by name.
    pub files: Vec<PathBuf>,
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
            directory(argument, &mut inputs);
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

fn directory(path: &Path, inputs: &mut Inputs) {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => {
            inputs.refused.push(format!("{}: {error}", path.display()));
            return;
        }
    };
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|path| !path.is_dir()).collect();
    found.sort();
    let before = inputs.files.len();
    for file in found {
        if unfinished(&file) {
            inputs.notes.push(format!("{}: an unfinished recording, left out", file.display()));
        } else if file.extension().is_some_and(|ending| ending == ENDING || ending == BUNDLE_ENDING) {
            inputs.files.push(file);
        }
    }
    if inputs.files.len() == before {
        inputs.unmatched.push(format!("{}: no *.{ENDING} or *.{BUNDLE_ENDING} in this directory", path.display()));
    }
}

fn unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == UNFINISHED)
}

#[cfg(test)]
mod tests {
    use super::*;

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
