//! The files of the repository, and what may stand at its top.

use std::path::{Path, PathBuf};

/// Everything that may stand at the top level. Anything else has a better place in one of these.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "checker",
    "docs",
    "histories",
    "rustfmt.toml",
    "schema",
    "simulator",
    "tests",
    "tools",
];

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").to_path_buf()
}

/// All files below `folder` with one of the endings, sorted; build output and dot folders are passed over.
pub fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(directory) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    open.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The path as the repository knows it.
pub fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Folders of the top level that `.gitignore` names: what programs leave behind (build output, recorded runs) is nobody's mistake.
fn ignored_at_the_top() -> Vec<String> {
    let rules = std::fs::read_to_string(root().join(".gitignore")).expect(".gitignore can be read");
    rules.lines().filter_map(|rule| rule.strip_prefix('/')).map(str::to_owned).collect()
}

#[test]
fn the_top_level_holds_nothing_unexpected() {
    let ignored = ignored_at_the_top();
    let findings: Vec<String> = std::fs::read_dir(root())
        .expect("the repository can be read")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str()) && !ignored.contains(name))
        .map(|name| format!("{name}: not one of {TOP_LEVEL:?}"))
        .collect();
    super::assert_clean(&findings);
}
