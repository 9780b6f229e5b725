//! `vopr diagnose` on failing runs, and the share of seeded bugs whose true cause it names.

use e2e::sandbox::Sandbox;
use serde_json::Value;
use vopr::args::BugsArguments;
use vopr::diagnose::score::{NAMED_MIN_PERCENT, Score, measure};

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"))
}

/// A seed far from those that the causes were tried on.
const FIRST_SEED: u64 = 7_000_001;

#[test]
fn the_true_cause_of_most_bugs_is_among_the_first_three() {
    let bugs: Vec<_> = vopr_sim::bugs::all().iter().collect();
    let one_each = BugsArguments {
        bug: Vec::new(),
        score: false,
        diagnose: true,
        campaigns: 1,
        max_seeds: 200,
        seed: FIRST_SEED,
        jobs: Some(2),
        json: false,
    };
    let scores = measure(&bugs, &one_each).expect("seeds that exist");
    let missed: Vec<&str> =
        bugs.iter().enumerate().filter(|(place, _)| !scores.get(place).is_some_and(Score::is_named)).map(|(_, bug)| bug.name).collect();
    assert!((bugs.len() - missed.len()) * 100 >= bugs.len() * NAMED_MIN_PERCENT, "not named: {missed:?}");
}

#[test]
fn a_bundle_is_diagnosed_with_rows_and_commands_that_work() {
    let sandbox = sandbox();
    let run = "vopr --scenario client_session_crash --bug applies_retry_twice --seed 3 -n 1 --save-failures kept";
    let _ = sandbox.run(run).exits(1);
    let bundle = "kept/client_session_crash-applies_retry_twice-3.kmb";
    let _ = sandbox.run(&format!("vopr diagnose {bundle}")).exits(0).says("EXACTLY-ONCE").says("1. retry_applied_again").says("proven");
    let told = sandbox.run(&format!("vopr diagnose {bundle} --json")).exits(0);
    let object: Value = serde_json::from_str(told.out.trim()).expect("one object");
    assert_eq!((&object["type"], &object["class"]), (&"diagnosis".into(), &"exactly-once".into()), "{object}");
    let rows = object["causes"][0]["rows"].as_array().expect("rows are cited");
    let events = sandbox.run(&format!("vopr show {bundle} --events --json")).exits(0);
    let known: Vec<Value> = events.out.lines().map(|line| serde_json::from_str(line).expect("objects")).collect();
    for row in rows {
        let is_it = |event: &&Value| event["type"] == "event" && event["seq"] == row["seq"] && event["kind"] == row["kind"];
        assert!(known.iter().any(|event| is_it(&event)), "{row} is no row of the run");
    }
    let chain: Vec<u64> = object["chain"].as_array().expect("a story").iter().filter_map(|step| step["seq"].as_u64()).collect();
    assert!(chain.is_sorted() && chain.len() > rows.len() / 2, "{chain:?}");
    for command in object["commands"].as_array().expect("commands") {
        let line = command["command"].as_str().expect("a line");
        let outcome = sandbox.run(line);
        assert!([Some(0), Some(1)].contains(&outcome.code), "{line}: {}", outcome.err);
    }
}

#[test]
fn a_run_of_a_history_is_chosen_and_a_healthy_one_is_not_diagnosed() {
    let sandbox = sandbox();
    // Three runs to a file.
    let _ = sandbox.run("vopr --scenario baseline --bug lost_update -n 24 --seed 5 --out runs").exits(1);
    let file = "runs/baseline-5-3.parquet";
    let _ = sandbox.run(&format!("vopr diagnose {file}")).exits(2).warns("--run SEED");
    let _ = sandbox.run(&format!("vopr diagnose {file} --run 5")).exits(0).says("1. update_on_stale_value");
    let _ = sandbox.run(&format!("vopr diagnose {file} --seed 6")).exits(0).says("LINEARIZABILITY");
    let _ = sandbox.run(&format!("vopr diagnose {file} --run 9")).exits(5);
    let _ = sandbox.run("vopr --scenario baseline -n 1 --seed 5 --max-events 2000 --out clean").exits(0);
    let _ = sandbox.run("vopr diagnose clean/baseline-5-1.parquet").exits(5).warns("nothing to diagnose");
    let _ = sandbox.run("vopr diagnose nothing.kmb").exits(4);
}

#[test]
fn the_table_of_diagnoses_names_each_bug() {
    let sandbox = sandbox();
    let line = "vopr bugs --diagnose --bug lost_update,scan_past_tenant_end --campaigns 2 --seed 11";
    let _ = sandbox.run(line).exits(0).says("update_on_stale_value").says("2 of 2 bugs");
    let objects = sandbox.run(&format!("{line} --json")).exits(0);
    for line in objects.out.lines() {
        let object: Value = serde_json::from_str(line).expect("an object");
        assert_eq!((&object["first"], object["runs"].as_array().map(Vec::len)), (&2.into(), Some(2)), "{object}");
    }
    let _ = sandbox.run("vopr bugs --diagnose --score").exits(2);
}
