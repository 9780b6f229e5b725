//! Hands the source commit and the pages about invariants to the compiler.
//!
//! The commit is the only thing taken from the surroundings, so that two builds of one commit are the same.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// Where the pages lie, from this package on.
const PAGES: &str = "../../docs/invariants";

/// Writes a table of names and texts, by name.
fn pages() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGES);
    let entries = std::fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut paths: Vec<_> =
        entries.into_iter().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    paths.sort();
    let mut table = String::from("&[\n");
    for path in &paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let path = path.to_string_lossy();
        writeln!(table, "    ({name:?}, include_str!({path:?})),").expect("a string takes all");
    }
    table.push_str("]\n");
    let out = std::env::var_os("OUT_DIR").expect("cargo says where");
    std::fs::write(Path::new(&out).join("pages.rs"), table)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

fn main() {
    println!("cargo:rerun-if-changed={PAGES}");
    pages().expect("the pages about invariants are part of the source");
    println!("cargo:rerun-if-env-changed=VOPR_COMMIT");
    // The log of HEAD grows with every commit and checkout; without a repository there is nothing to watch but this file.
    println!("cargo:rerun-if-changed=build.rs");
    if let Some(log) = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"])
        && std::path::Path::new(&log).exists()
    {
        println!("cargo:rerun-if-changed={log}");
    }
    let given = std::env::var("VOPR_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(|| git(&["rev-parse", "--short=12", "HEAD"])).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=VOPR_COMMIT={commit}");
}
