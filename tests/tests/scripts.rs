//! The scripts in tools/: each does what its first comment says, and refuses what it cannot do.

use e2e::sandbox::Sandbox;
use std::path::Path;

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"))
}

/// A line that runs a script with the programs of this build.
fn script(words: &str) -> String {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").join("tools");
    format!("VOPR=vopr VOPR_CHECK=vopr-check {}/{words}", tools.display())
}

#[test]
fn an_overnight_campaign_leaves_its_four_files_and_goes_on() {
    let sandbox = sandbox();
    let campaign = "VOPR_SCENARIO=baseline,swizzle VOPR_ITERATIONS=3 VOPR_SEED=7 VOPR_OUTPUT_DIR=results";
    let first = sandbox.run(&format!("{campaign} {}", script("vopr-overnight.sh"))).exits(0).says("exit status: 0").says("held  6 runs");
    let folder = sandbox.files("results", "").pop().unwrap();
    for name in ["summary.txt", "failures.log", "vopr.log", "checkpoint.json"] {
        assert!(folder.join(name).exists(), "{name} in {}", first.out);
    }
    let again = format!("{campaign} {} {}", script("vopr-overnight.sh"), folder.display());
    let _ = sandbox.run(&again).exits(0).says("held  6 runs");
    let bug = "VOPR_SCENARIO=baseline VOPR_ITERATIONS=2 VOPR_SEED=1 VOPR_OUTPUT_DIR=quick";
    let _ = sandbox.run(&format!("{bug} {}", script("vopr-quick.sh 2"))).exits(0).says("held  2 runs");
    assert!(!sandbox.path("quick").exists(), "a quick look records nothing");
}

#[test]
fn attacks_are_withstood_and_caught_and_explained() {
    let sandbox = sandbox();
    let _ = sandbox
        .run(&script("byzantine-attack.sh view_change_merge 5"))
        .exits(0)
        .says("withstood with all guards on")
        .says("caught with the guard merge_overwrites_committed off");
    let _ =
        sandbox.run(&script("byzantine-attack.sh nonsense 5")).exits(2).warns("no attack is called nonsense").warns("view_change_merge");
    let _ = sandbox.run(&script("reproduce-bug.sh view_change_merge 1 5 found")).exits(0).says("identical").says("after ");
    assert_eq!(sandbox.files("found", "-min.kmb").len(), 1);
    let report = sandbox.run(&script("generate-bounty-submission.sh view_change_merge 1")).exits(0);
    for part in ["# byzantine_view_change_merge: merge_overwrites_committed", "VIOLATED", "holds until row", "planned fault"] {
        assert!(report.out.contains(part), "{part} is missing in\n{}", report.out);
    }
}

#[test]
fn violations_are_listed_one_a_line() {
    let sandbox = sandbox();
    let _ = sandbox.run("vopr --scenario baseline --bug lost_update --seed 1 -n 4 --save-failures kept").exits(1);
    let _ = sandbox.run(&script("detect-violations.py kept")).exits(1).says("linearizability: baseline seed");
    let _ = sandbox.run("vopr --scenario baseline --seed 1 -n 2 --max-events 500 --no-check --out clean").exits(0);
    let held = sandbox.run(&script("detect-violations.py clean")).exits(0);
    assert_eq!(held.out, "");
}

#[test]
fn a_seeded_bug_is_minimised_by_the_table_of_bugs() {
    let sandbox = sandbox();
    let table = sandbox.run(&script("minimize-bugs.py 1 lost_update")).exits(0);
    let _ = table.says("lost_update").says("1 of 1 within 30 operations and 5 planned faults");
    let _ = sandbox.run(&script("minimize-bugs.py 1 no_such_bug")).exits(1).warns("no bug is called no_such_bug");
}

#[test]
fn every_recipe_names_what_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository");
    let recipes = std::fs::read_to_string(root.join(".justfile")).expect("the recipes can be read");
    let scripts: Vec<&str> = recipes.split_whitespace().filter(|word| word.starts_with("tools/")).collect();
    assert!(scripts.len() >= 3, "{scripts:?}");
    assert!(scripts.iter().all(|script| root.join(script).exists()), "{scripts:?}");
}
