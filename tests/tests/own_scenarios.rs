//! A user's own scenario from its file to a replayed history, and what `vopr stats` tells of it.

use e2e::sandbox::{Sandbox, printed_commands};
use serde_json::Value;

const MINE: &str = "name = \"mine\"\nlike = \"swizzle_clogging\"\n[base]\nreplicas = [5]\nevents = 2_000\ndrop = [\"10%\", \"20%\"]\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    sandbox.write("mine.toml", MINE);
    sandbox
}

#[test]
fn a_history_of_an_own_scenario_needs_its_file_no_more() {
    let sandbox = sandbox();
    let run = sandbox.run("vopr run --config mine.toml --seed 1 -n 3 --out runs").exits(0).says("mine");
    assert!(run.out.contains("vopr run --config mine.toml --seed 1 --iterations 3"), "{}", run.out);
    std::fs::remove_file(sandbox.path("mine.toml")).unwrap();
    let _ = sandbox.run("vopr replay runs").exits(0).says("3 of 3 runs identical, bit for bit");
    let _ = sandbox.run("vopr-check runs --strict").exits(0).says("evidence  mine: exercised");
}

#[test]
fn without_a_likeness_no_evidence_is_asked() {
    let sandbox = sandbox();
    sandbox.write("plain.toml", "name = \"plain\"\n[base]\nevents = 1_000\n");
    let _ = sandbox.run("vopr run --config plain.toml --seed 1 -n 2 --out runs --require-evidence").exits(0).says("not asked");
    let _ = sandbox.run("vopr-check runs --require-evidence").exits(0).says("evidence  plain: not asked (2 runs)");
}

#[test]
fn every_row_that_is_printed_can_be_run() {
    let sandbox = sandbox();
    let _ = sandbox.run("vopr scenarios --toml swizzle > row.toml").exits(0);
    let own = sandbox.run("vopr run --config row.toml --seed 5 -n 1 --no-check --max-events 1000 --out own").exits(0);
    assert!(!own.err.contains("note:"), "{}", own.err);
    let _ = sandbox.run("vopr run --scenario swizzle_clogging --seed 5 -n 1 --no-check --max-events 1000 --out registered").exits(0);
    let digest = |folder: &str| sandbox.run(&format!("vopr replay {folder}")).exits(0).out.split("digest ").nth(1).map(str::to_owned);
    assert_eq!(digest("own"), digest("registered"));
    let _ = sandbox.run("sed -i 's/^events = .*/events = 500/' row.toml; vopr run --config row.toml --seed 5 -n 1").exits(0).warns("note:");
}

#[test]
fn own_scenarios_and_those_of_the_registry_run_together() {
    let sandbox = sandbox();
    let both =
        sandbox.run("vopr run --config mine.toml --scenario baseline,gray --seed 1 -n 1 --max-events 500 --no-check --json").exits(0);
    let start: Value = serde_json::from_str(both.out.lines().next().unwrap()).unwrap();
    assert_eq!(start["scenarios"], serde_json::json!(["baseline", "gray_failures", "mine"]));
    let _ = sandbox.run("vopr run --config mine.toml --config mine.toml -n 1").exits(2).warns("two scenarios are called mine");
}

#[test]
fn an_edited_file_is_another_campaign() {
    let sandbox = sandbox();
    let line = "vopr run --config mine.toml --seed 1 -n 2 --checkpoint-file state.json";
    let _ = sandbox.run(line).exits(0);
    let _ = sandbox.run(line).exits(0).says("resumed: 2 runs");
    sandbox.write("mine.toml", MINE.replace("2_000", "1_000"));
    let _ = sandbox.run(line).exits(2).warns("belongs to another campaign");
}

#[test]
fn failures_of_an_own_scenario_are_reproduced_by_the_printed_command() {
    let sandbox = sandbox();
    let failed = sandbox.run("vopr run --config mine.toml --bug commits_below_quorum --seed 1 -n 5").exits(1);
    let commands = printed_commands(&failed.out, &["reproduce"]);
    assert!(commands[0].contains("--config mine.toml"), "{commands:?}");
    let _ = sandbox.run(&commands[0]).exits(1).says("quorum_commit");
}

#[test]
fn mistakes_in_a_file_are_refused_with_their_place() {
    let sandbox = sandbox();
    sandbox.write("bad.toml", MINE.replace("drop", "dropp"));
    let _ = sandbox.run("vopr run --config bad.toml -n 1").exits(4).warns("bad.toml:6:1: unknown key `dropp`; did you mean `drop`?");
    let _ = sandbox.run("vopr run --config missing.toml -n 1").exits(4).warns("missing.toml: ");
}

#[test]
fn statistics_count_words_and_name_what_is_damaged() {
    let sandbox = sandbox();
    let _ = sandbox.run("vopr run --config mine.toml --scenario baseline --seed 1 -n 2 --max-events 1000 --no-check --out runs").exits(0);
    let stats = sandbox.run("vopr stats runs --json").exits(0);
    let objects: Vec<Value> = stats.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.iter().map(|object| object["name"].as_str()).collect::<Vec<_>>(), [Some("baseline"), Some("mine"), None]);
    let summary = &objects[2];
    assert_eq!(summary["runs"], 4);
    assert!(summary["words"]["message.command"]["seen"]["prepare"].as_u64() > Some(0));
    assert!(summary["words"]["message.command"]["never"].as_array().is_some_and(|words| !words.is_empty()));
    assert_eq!(objects[0]["words"]["fault.fault"]["seen"], serde_json::json!({}), "baseline has no faults");
    assert!(summary["invariants"]["linearizability"]["facts"].as_u64() > Some(0));
    assert!(summary["situations"]["view_change_completed"].is_object());
    let broken = sandbox.files("runs", ".parquet").remove(0);
    let bytes = std::fs::read(&broken).unwrap();
    std::fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    let stats = sandbox
        .run("vopr stats runs --no-check")
        .exits(4)
        .says("all 2 scenarios")
        .warns(&broken.display().to_string()[broken.display().to_string().len() - 12..]);
    assert!(stats.err.contains("refused"), "{}", stats.err);
    let _ = sandbox.run("vopr stats nothing*.parquet").exits(5);
}
