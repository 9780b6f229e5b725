//! Dead files: a source file that no module declares is compiled by nobody and misleads everybody.

use super::tree::{files, relative};
use std::fs;
use std::path::Path;

/// Files that cargo finds by itself.
fn is_root(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let parent = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    matches!(name, "lib.rs" | "main.rs" | "build.rs") || matches!(parent, "tests" | "benches" | "examples" | "bin")
}

/// The files that could declare this one: its folder's `mod.rs`, `lib.rs`, `main.rs`, or the file named like its folder.
fn declarers(path: &Path) -> Vec<std::path::PathBuf> {
    let Some(folder) = path.parent() else { return Vec::new() };
    let own_folder = path.file_name().is_some_and(|name| name == "mod.rs");
    let folder = if own_folder { folder.parent().unwrap_or(folder) } else { folder };
    let mut candidates: Vec<_> = ["mod.rs", "lib.rs", "main.rs"].iter().map(|name| folder.join(name)).collect();
    candidates.push(folder.with_extension("rs"));
    candidates
}

fn declared(path: &Path) -> bool {
    let stem = match path.file_name().and_then(|name| name.to_str()) {
        Some("mod.rs") => path.parent().and_then(Path::file_name).and_then(|name| name.to_str()),
        _ => path.file_stem().and_then(|name| name.to_str()),
    };
    let Some(stem) = stem else { return false };
    declarers(path).iter().filter_map(|file| fs::read_to_string(file).ok()).any(|text| {
        text.lines().map(str::trim).any(|line| {
            line.strip_suffix(';').and_then(|line| line.split("mod ").nth(1)).is_some_and(|name| name.trim() == stem)
                || line.contains(&format!("invariant!({stem}"))
        }) || text.contains(&format!("{stem}.rs\""))
    })
}

#[test]
fn every_source_file_is_part_of_a_crate() {
    let findings: Vec<String> = files(".", &[".rs"])
        .iter()
        .filter(|path| !is_root(path) && !declared(path))
        .map(|path| format!("{}: no module declares it", relative(path)))
        .collect();
    super::assert_clean(&findings);
}

#[test]
fn an_undeclared_file_is_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("lib.rs"), "pub mod alive;\n").expect("writes");
    assert!(declared(&folder.path().join("alive.rs")));
    assert!(!declared(&folder.path().join("dead.rs")));
}
