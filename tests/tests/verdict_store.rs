//! `vopr-check --new-only`: verdicts kept beside the histories, as a user meets them.

use e2e::sandbox::{Outcome, Sandbox};
use serde_json::Value;

const STORE: &str = "histories/.vopr/verdicts.parquet";

/// Two good runs and a folder with one that reads stale data.
fn recorded() -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    let _ = sandbox.run("vopr --scenario baseline -n 2 --seed 1 --max-events 2000 --no-check --out histories").exits(0);
    let broken = "vopr --scenario crash_during_view_change --bug stale_primary_serves_reads --seed 10 -n 1 --out histories";
    let _ = sandbox.run(broken).exits(1);
    sandbox
}

fn summary(outcome: &Outcome) -> Value {
    serde_json::from_str(outcome.out.lines().last().expect("something was printed")).expect("a JSON object")
}

/// What is printed, without what differs from time to time.
fn lasting(outcome: &Outcome) -> Vec<String> {
    let mut lines: Vec<String> = outcome.out.lines().map(str::to_owned).collect();
    let mut last = summary(outcome);
    for field in ["elapsed_ms", "recalled_runs"] {
        last[field] = Value::Null;
    }
    lines.pop();
    lines.push(last.to_string());
    lines
}

#[test]
fn the_second_check_knows_everything_and_says_the_same() {
    let sandbox = recorded();
    let whole = sandbox.run("vopr-check histories --json").exits(1);
    assert!(!sandbox.path(STORE).exists(), "a plain check writes nothing");
    let first = sandbox.run("vopr-check histories --json --new-only").exits(1);
    let second = sandbox.run("vopr-check histories --json --new-only").exits(1);
    assert_eq!([&summary(&first)["recalled_runs"], &summary(&second)["recalled_runs"]], [0, 3]);
    assert_eq!(lasting(&whole), lasting(&first));
    assert_eq!(lasting(&whole), lasting(&second));
    let _ = sandbox.run("vopr-check histories/*.parquet --new-only").exits(1).says("VIOLATED").says("3 runs known from earlier checks");
    let _ = sandbox.run("vopr-check histories/baseline* --new-only").exits(0).says("held");
}

#[test]
fn verdicts_follow_the_rows_to_another_name() {
    let sandbox = recorded();
    let _ = sandbox.run("vopr-check histories --new-only").exits(1);
    let _ = sandbox.run("mv histories/crash* histories/renamed.parquet && vopr-check histories --new-only --json").exits(1);
    let outcome = sandbox.run("vopr-check histories --new-only --json");
    assert_eq!(summary(&outcome)["recalled_runs"], 3);
    assert!(outcome.out.contains("histories/renamed.parquet"), "{}", outcome.out);
}

#[test]
fn a_damaged_store_is_named_and_built_anew() {
    let sandbox = recorded();
    let _ = sandbox.run("vopr-check histories --new-only").exits(1);
    let mut bytes = std::fs::read(sandbox.path(STORE)).expect("the store was written");
    bytes[100] ^= 8;
    sandbox.write(STORE, &bytes);
    let _ = sandbox.run("vopr-check histories --new-only").exits(1).warns(STORE).warns("damaged").says("VIOLATED");
    let outcome = sandbox.run("vopr-check histories --new-only --json").exits(1);
    assert_eq!((outcome.err.contains("damaged"), &summary(&outcome)["recalled_runs"]), (false, &Value::from(3)));
}

#[test]
fn a_damaged_history_is_refused_however_well_it_is_known() {
    let sandbox = recorded();
    let _ = sandbox.run("vopr-check histories/baseline* --new-only").exits(0);
    let file = sandbox.files("histories", ".parquet").into_iter().find(|path| path.to_string_lossy().contains("baseline"));
    let file = file.expect("it was recorded");
    let mut bytes = std::fs::read(&file).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("a test may damage its own file");
    let _ = sandbox.run("vopr-check histories/baseline* --new-only").exits(4).says("refused");
}

#[test]
fn an_unknown_is_tried_again_when_the_limits_are_larger() {
    let sandbox = recorded();
    let narrow = "vopr-check histories --json --new-only --timeout-per-run 1ms --max-memory 4KiB --jobs 1";
    let unknown = summary(&sandbox.run(narrow))["unknown"].as_u64().expect("a number");
    assert!(unknown > 0, "4 KiB are not enough for a search");
    let again = summary(&sandbox.run(narrow));
    assert_eq!(again["recalled_runs"], 3, "the same limits decide nothing more");
    assert_eq!(again["unknown"], unknown);
    let wide = sandbox.run("vopr-check histories --json --new-only --jobs 1").exits(1);
    assert_eq!((&summary(&wide)["unknown"], summary(&wide)["recalled_runs"].as_u64() < Some(3)), (&Value::from(0), true));
    let after = summary(&sandbox.run(narrow).exits(1));
    assert_eq!((&after["unknown"], &after["recalled_runs"]), (&Value::from(0), &Value::from(3)), "what was decided stays decided");
}

#[test]
fn several_programs_share_a_store() {
    let sandbox = recorded();
    let both = "vopr-check histories/baseline* --new-only --json > a.txt & vopr-check histories/crash* --new-only --json > b.txt; wait";
    let _ = sandbox.run(both);
    assert_eq!(summary(&sandbox.run("vopr-check histories --new-only --json").exits(1))["recalled_runs"], 3);
}

#[test]
fn the_list_of_invariants_shows_versions() {
    let _ = recorded().run("vopr-check --list-invariants").exits(0).says("linearizability").says("  v");
}
