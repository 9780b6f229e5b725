//! From a red seed to its cause: what is kept of a failing run, and the commands that repeat, shrink and explain it.

use e2e::sandbox::{Outcome, Sandbox};
use serde_json::Value;

const BUG: &str = "vopr --scenario crash_during_view_change --bug stale_primary_serves_reads --seed 1 -n 12";

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"))
}

/// A sandbox with bundles of one bug in `kept`, and their names.
fn kept() -> (Sandbox, Vec<String>) {
    let sandbox = sandbox();
    let _ = sandbox.run(&format!("{BUG} --save-failures kept")).exits(1);
    let name = |path: &std::path::PathBuf| format!("kept/{}", path.file_name().unwrap().to_string_lossy());
    let names: Vec<String> = sandbox.files("kept", ".kmb").iter().map(name).collect();
    assert!(names.len() >= 2, "{names:?}");
    (sandbox, names)
}

fn object(outcome: &Outcome, kind: &str) -> Value {
    let parsed = outcome.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    parsed.into_iter().find(|object| object["type"] == kind).unwrap_or_else(|| panic!("no {kind} in {}", outcome.out))
}

#[test]
fn a_bundle_repeats_its_failure_bit_for_bit() {
    let (sandbox, names) = kept();
    for name in &names {
        let _ = sandbox.run(&format!("vopr repro {name}")).exits(1).says("identical").says("the same failure");
        let _ = sandbox.run(&format!("vopr replay {name}")).exits(0).says("1 of 1 run identical");
        let _ = sandbox.run(&format!("vopr-check {name}")).exits(1).says("VIOLATED");
    }
    let repeated = object(&sandbox.run(&format!("vopr repro {} --json", names[0])).exits(1), "repro");
    assert_eq!((&repeated["identical"], &repeated["same_failure"]), (&Value::Bool(true), &Value::Bool(true)));
}

#[test]
fn what_a_bundle_holds_is_shown() {
    let (sandbox, names) = kept();
    let name = &names[0];
    let _ = sandbox.run(&format!("vopr show {name}")).exits(0).says("stale_primary_serves_reads").says("fails ").says("faults ");
    let summary = object(&sandbox.run(&format!("vopr show {name} --json")).exits(0), "run");
    let rows = sandbox.run(&format!("vopr show {name} --events --json")).exits(0);
    assert!(rows.out.lines().count() > 1_000 && summary["plan"].is_array() && summary["workload"].is_array());
    let _ = sandbox.run(&format!("vopr show {name} --coverage")).exits(0).says("prepare_ok").says("situation");
    let _ = sandbox.run(&format!("vopr show {name} --invariants")).exits(0).says("vsr_agreement").says("violation");
    let _ = sandbox.run("vopr --scenario baseline -n 24 --seed 5 --max-events 500 --no-check --out runs").exits(0);
    let _ = sandbox.run("vopr show runs/baseline-5-3.parquet").exits(0).says("3 runs");
    let _ = sandbox.run("vopr repro runs/baseline-5-3.parquet").exits(2).warns("choose one with --run");
    let _ = sandbox.run("vopr repro runs/baseline-5-3.parquet --run 9").exits(5).warns("no run has the seed 9");
    let _ = sandbox.run("vopr repro runs/baseline-5-3.parquet --run 6").exits(0).says("identical").says("holds");
    let _ = sandbox.run("vopr minimize runs/baseline-5-3.parquet --run 6 -o x.kmb").exits(5).warns("breaks nothing");
}

#[test]
fn a_failure_is_made_smaller_and_stays_the_same_failure() {
    let (sandbox, names) = kept();
    let [name, other] = [&names[0], &names[1]];
    let group = |file: &str| object(&sandbox.run(&format!("vopr show {file} --json")).exits(0), "run")["symptom"].clone();
    let done = object(&sandbox.run(&format!("vopr minimize {name} -o small.kmb --json")).exits(0), "minimize");
    assert_eq!(done["finished"], true, "{done}");
    for what in ["events", "faults", "operations"] {
        assert!(done["after"][what].as_u64() < done["before"][what].as_u64(), "{what}: {done}");
    }
    assert!(done["after"]["operations"].as_u64() <= Some(30) && done["after"]["faults"].as_u64() <= Some(5), "{done}");
    let (before, after) = (group(name), group("small.kmb"));
    assert_eq!((&before["invariant"], &before["shape"]), (&after["invariant"], &after["shape"]));
    let _ = sandbox.run("vopr repro small.kmb").exits(1).says("identical").says("the same failure");
    let _ = sandbox.run("vopr-check small.kmb").exits(1);
    let again = sandbox.run(&format!("vopr minimize {name} -o small.kmb")).exits(0).warns("going on from small.kmb");
    assert!(again.out.contains("nothing more can be taken away"), "{}", again.out);
    let _ = sandbox.run(&format!("vopr minimize {other} -o small.kmb")).exits(2).warns("was not made from this run");
}

/// A sandbox with one bundle of a bug in `kept`, and its name.
fn one(scenario: &str, bug: &str, seed: u64) -> (Sandbox, String) {
    let sandbox = sandbox();
    let run = format!("vopr --scenario {scenario} --bug {bug} --seed {seed} -n 12 --save-failures kept");
    let _ = sandbox.run(&run).exits(1);
    let first = sandbox.files("kept", ".kmb").into_iter().next().expect("a run of the bug fails");
    let name = format!("kept/{}", first.file_name().unwrap().to_string_lossy());
    (sandbox, name)
}

#[test]
fn a_bundle_is_never_overwritten_by_its_smaller_run() {
    let (sandbox, name) = one("crash_during_view_change", "stale_primary_serves_reads", 1);
    let whole = std::fs::read(sandbox.path(&name)).unwrap();
    let _ = sandbox.run(&format!("ln -s {name} soft.kmb && ln {name} hard.kmb && ln -s kept folder")).exits(0);
    let file = name.trim_start_matches("kept/");
    for output in [name.as_str(), "soft.kmb", "hard.kmb", &format!("./folder/{file}")] {
        let _ = sandbox.run(&format!("vopr minimize {name} -o {output}")).exits(2).warns("would be overwritten");
        assert_eq!(std::fs::read(sandbox.path(&name)).unwrap(), whole, "{output}");
    }
}

#[test]
fn every_command_calls_a_smaller_run_the_same_failure() {
    let (sandbox, name) = one("corruption_checksum_validation", "skips_entry_checksum", 41_001_000);
    let made = sandbox.run(&format!("vopr minimize {name} -o small.kmb --json --for 60s")).exits(0);
    let size = |object: &Value, what: &str| object["size"][what].as_u64().unwrap();
    let passes: Vec<Value> = made.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let passes: Vec<&Value> = passes.iter().filter(|object| object["type"] == "pass").collect();
    // A smaller log may cost events: it lets operations go.
    for pair in passes.windows(2).filter(|pair| pair[1]["name"] != "limits") {
        let all = |object: &Value| {
            let injected = object["injected"].as_u64().unwrap();
            [size(object, "operations"), size(object, "faults"), injected, size(object, "events")]
        };
        assert!(all(pair[1]) <= all(pair[0]), "{} is larger than {}", pair[1], pair[0]);
    }
    let symptom = |file: &str| object(&sandbox.run(&format!("vopr show {file} --json")).exits(0), "run")["symptom"].clone();
    let (before, after) = (symptom(&name), symptom("small.kmb"));
    assert_eq!((&before["invariant"], &before["shape"]), (&after["invariant"], &after["shape"]));
    let repeated = object(&sandbox.run("vopr repro small.kmb --json").exits(1), "repro");
    let diagnosed = object(&sandbox.run("vopr diagnose small.kmb --json").exits(0), "diagnosis");
    let told = &diagnosed["invariant"];
    assert_eq!((&repeated["symptom"], told), (&after, &before["invariant"]), "{diagnosed}");
    let run = object(&sandbox.run("vopr show small.kmb --json").exits(0), "run");
    assert!(run["replicas"].as_u64() >= Some(3), "{run}");
    // The run ends shortly after what its witness cites.
    let found = object(&sandbox.run("vopr bisect small.kmb --json").exits(0), "bisect");
    let last_ns = found["witness"]["steps"].as_array().unwrap().iter().filter_map(|step| step["time_ns"].as_u64()).max().unwrap();
    assert!(run["heal_time_ns"].as_u64().unwrap() <= last_ns + 200_000_000, "{found}");
}

#[test]
fn a_run_that_does_not_come_to_rest_keeps_its_cause_and_no_event_is_blamed() {
    let (sandbox, name) = one("corruption_torn_write", "leaves_damage_lying", 41_007_001);
    let _ = sandbox
        .run(&format!("vopr bisect {name} --invariant liveness"))
        .exits(0)
        .says("broken by how the run ends")
        .says("no operation returned");
    let _ = sandbox.run(&format!("vopr bisect {name} --invariant repair_completion")).exits(0).says("damaged").says("the replicas then");
    let _ = sandbox.run(&format!("vopr minimize {name} -o small.kmb --for 60s")).exits(0).says("injected: ");
    let shown = sandbox.run("vopr show small.kmb").exits(0).says("injected ").says("× torn write");
    assert!(shown.out.contains("3 replicas"), "{}", shown.out);
    let _ = sandbox.run("vopr diagnose small.kmb").exits(0).says("1. damage_left_on_disk");
    let _ = sandbox.run(&format!("vopr minimize {name} -o alone.kmb --min-replicas 1 --for 60s")).exits(0);
    let _ = sandbox.run("vopr diagnose alone.kmb").exits(0).says("1. damage_left_on_disk");
}

#[test]
fn a_failure_that_was_kept_for_another_invariant_than_its_first_says_so() {
    let sandbox = sandbox();
    let run = "vopr --scenario baseline --bug lost_update --seed 5 -n 12 --invariant serializability --save-failures kept";
    let _ = sandbox.run(run).exits(1);
    let file = sandbox.files("kept", ".kmb").into_iter().next().expect("it fails");
    let name = format!("kept/{}", file.file_name().unwrap().to_string_lossy());
    let repeated = object(&sandbox.run(&format!("vopr repro {name} --json")).exits(1), "repro");
    assert!(repeated["symptom"]["invariant"] != "serializability" && repeated["same_failure"] == true, "{repeated}");
    let _ = sandbox.run(&format!("vopr repro {name}")).exits(1).says("told first of the same failure, which was kept for serializability");
    let _ =
        sandbox.run(&format!("vopr minimize {name} -o small.kmb")).exits(0).says("it was kept for serializability, which stays broken too");
    let _ = sandbox.run("vopr repro small.kmb").exits(1).says("the same failure (");
    let _ = sandbox.run("vopr-check small.kmb --invariant serializability").exits(1);
}

#[test]
fn the_same_failure_is_made_smaller_the_same_way_by_any_number_of_threads() {
    let (sandbox, names) = kept();
    let digest = |jobs: u32| {
        let _ = sandbox.run(&format!("vopr minimize {} -o by{jobs}.kmb --jobs {jobs}", names[0])).exits(0);
        object(&sandbox.run(&format!("vopr show by{jobs}.kmb --json")).exits(0), "run")["digest"].clone()
    };
    assert_eq!(digest(1), digest(3));
}

#[test]
fn the_first_event_that_breaks_an_invariant_is_found() {
    let (sandbox, names) = kept();
    for name in &names {
        let _ = sandbox.run(&format!("vopr bisect {name}")).exits(0).says("holds until row").says("sessions");
        let found = object(&sandbox.run(&format!("vopr bisect {name} --json")).exits(0), "bisect");
        // A stale read is wrong when it is answered, neither before nor after.
        assert_eq!((&found["kind"], &found["moment"]), (&"operation".into(), &"return".into()), "{found}");
        let function = found["cells"]["function"].as_str().expect("an operation has a function");
        assert!(["read", "scan", "stream_read", "balance", "transaction"].contains(&function), "{found}");
    }
    let _ = sandbox.run(&format!("vopr bisect {} --invariant vsr_agreement", names[0])).exits(5).warns("is not broken");
}

#[test]
fn a_damaged_bundle_is_refused() {
    let (sandbox, names) = kept();
    let whole = std::fs::read(sandbox.path(&names[0])).unwrap();
    sandbox.write("cut.kmb", &whole[..whole.len() / 2]);
    for command in ["repro", "show", "bisect"] {
        let _ = sandbox.run(&format!("vopr {command} cut.kmb")).exits(4).warns("cut.kmb");
    }
    let _ = sandbox.run("vopr minimize cut.kmb -o y.kmb").exits(4);
    let _ = sandbox.run("vopr show nothing.kmb").exits(4).warns("nothing.kmb");
}
