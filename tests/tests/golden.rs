//! The goldens of `histories/`: made anew they are equal row by row, and the checker says of the files what is expected.

use vopr_schema::read::{HistoryFile, Projection};
use xtask::goldens;

fn read(golden: &goldens::Golden) -> vopr_schema::History {
    let file = HistoryFile::open(&golden.path()).unwrap_or_else(|error| panic!("{}: {error}", golden.name));
    file.read_all(&Projection::all()).unwrap_or_else(|error| panic!("{}: {error}", golden.name))
}

#[test]
fn goldens_are_what_the_simulator_makes_today() {
    for golden in goldens::all().expect("the recipes are complete") {
        let made = golden.make().expect("the recipe works");
        assert!(read(&golden) == made, "{}: rows differ: if the change is wanted, run `cargo xtask goldens`", golden.name);
    }
}

#[test]
fn the_checker_says_of_each_golden_what_is_expected() {
    for golden in goldens::all().expect("the recipes are complete") {
        let expected = std::fs::read_to_string(golden.path().with_extension("expected")).expect("the verdicts are committed");
        assert_eq!(goldens::fired(&read(&golden)), expected.lines().collect::<Vec<_>>(), "{}", golden.name);
    }
}

#[test]
fn every_history_has_a_recipe() {
    let known: Vec<_> = goldens::all().expect("the recipes are complete").iter().map(goldens::Golden::path).collect();
    for entry in std::fs::read_dir(xtask::root().join("histories")).expect("histories/ is there").flatten() {
        let path = entry.path();
        assert!(path.extension().is_none_or(|ending| ending != "parquet") || known.contains(&path), "{} has no recipe", path.display());
    }
}
