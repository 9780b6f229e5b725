//! The walls between the crates, as a literal table of allowed edges.
//!
//! An absence cannot be seen in code, so it is written down here and compared with what cargo says.

use std::collections::{BTreeMap, BTreeSet};

/// Crate, folder, and the crates of this workspace that its shipped code may name.
const WALLS: &[(&str, &str, &[&str])] = &[
    ("vopr-schema", "schema", &[]),
    ("vsr", "simulator/vsr", &[]),
    ("kernel", "simulator/kernel", &[]),
    ("vopr-sim", "simulator/sim", &["kernel", "vopr-schema", "vsr"]),
    ("vopr-checker", "checker/core", &["vopr-schema"]),
    ("vopr-page", "checker/page", &["vopr-schema"]),
    ("vopr-check", "checker/cli", &["vopr-checker", "vopr-page", "vopr-schema"]),
    ("vopr", "simulator/cli", &["vopr-check", "vopr-checker", "vopr-page", "vopr-schema", "vopr-sim"]),
    ("e2e", "tests", &["vopr", "vopr-check"]),
    ("model", "tools/model", &["vsr"]),
    ("vopr-fuzz", "tools/fuzz", &["kernel", "vopr", "vopr-checker", "vopr-schema", "vopr-sim", "vsr"]),
    ("xtask", "tools/xtask", &["vopr-checker", "vopr-schema", "vopr-sim"]),
];

/// Crates that must compile without the standard library, and everything outside this workspace that they may use.
const NO_STD: &[(&str, &[&str])] = &[("vsr", &["blake3", "crc32fast", "thiserror"]), ("kernel", &["blake3"])];

fn metadata() -> cargo_metadata::Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    cargo_metadata::MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata runs")
}

/// Shipped (normal and build) dependencies by crate.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let shipped = |package: &cargo_metadata::Package| {
        let kinds = [cargo_metadata::DependencyKind::Normal, cargo_metadata::DependencyKind::Build];
        package
            .dependencies
            .iter()
            .filter(|dependency| kinds.contains(&dependency.kind))
            .map(|dependency| dependency.name.clone())
            .collect()
    };
    metadata().packages.iter().map(|package| (package.name.to_string(), shipped(package))).collect()
}

#[test]
fn every_edge_between_crates_is_allowed() {
    let found = dependencies();
    let names: BTreeSet<&str> = WALLS.iter().map(|(name, _, _)| *name).collect();
    assert_eq!(found.keys().map(String::as_str).collect::<BTreeSet<_>>(), names, "crates of the workspace and of the table differ");
    for (name, _, allowed) in WALLS {
        for edge in &found[*name] {
            let inside = names.contains(edge.as_str());
            assert!(!inside || allowed.contains(&edge.as_str()), "{name} must not know {edge}: see docs/architecture.md");
        }
    }
}

#[test]
fn crates_lie_where_the_table_says() {
    for package in metadata().packages {
        let (_, folder, _) = WALLS.iter().find(|(name, _, _)| *name == package.name.as_str()).expect("every crate stands in the table");
        assert!(
            package.manifest_path.as_str().ends_with(&format!("{folder}/Cargo.toml")),
            "{} lies at {}",
            package.name,
            package.manifest_path
        );
    }
}

#[test]
fn the_protocol_and_the_kernel_need_no_standard_library() {
    let found = dependencies();
    for (name, allowed) in NO_STD {
        for edge in &found[*name] {
            assert!(allowed.contains(&edge.as_str()), "{name} must not use {edge}");
        }
        let (_, folder, _) = WALLS.iter().find(|(known, _, _)| known == name).expect("in the table");
        let library = std::fs::read_to_string(format!("{}/../{folder}/src/lib.rs", env!("CARGO_MANIFEST_DIR"))).expect("lib.rs is there");
        assert!(library.lines().any(|line| line == "#![no_std]"), "{name} has lost its #![no_std]");
    }
}
