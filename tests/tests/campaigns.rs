//! Campaigns that are killed, interrupted, resumed, shared out over threads: nothing that was reported done may be lost.

use e2e::sandbox::{Sandbox, is_filled, printed_commands};
use std::collections::BTreeMap;
use vopr::checkpoint::Checkpoint;
use vopr_schema::read::{HistoryFile, Projection};

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"))
}

/// Digest of every run in a folder, by scenario and seed; no run may be there twice.
fn digests(sandbox: &Sandbox, folder: &str) -> BTreeMap<(String, u64), [u8; 32]> {
    let mut digests = BTreeMap::new();
    for path in sandbox.files(folder, ".parquet") {
        let file = HistoryFile::open(&path).unwrap_or_else(|error| panic!("{error}"));
        for run in file.read_all(&Projection::runs()).unwrap().runs {
            let twice = digests.insert((run.scenario.clone(), run.seed), run.digest);
            assert_eq!(twice, None, "{} seed {} twice", run.scenario, run.seed);
        }
    }
    digests
}

#[test]
fn the_number_of_threads_changes_no_file() {
    let sandbox = sandbox();
    let campaign = "vopr --scenario swizzle,combined -n 20 --seed 7 --max-events 1000 --no-check";
    let _ = sandbox.run(&format!("{campaign} --out one --jobs 1")).exits(0);
    let _ = sandbox.run(&format!("{campaign} --out four --jobs 4")).exits(0);
    let names = |folder: &str| -> Vec<_> { sandbox.files(folder, "").iter().map(|path| path.file_name().unwrap().to_owned()).collect() };
    assert_eq!(names("one"), names("four"));
    assert!(names("one").len() >= 8, "{:?}", names("one"));
    let digests_of_one = digests(&sandbox, "one");
    assert_eq!(digests_of_one, digests(&sandbox, "four"));
    assert_eq!(digests_of_one.len(), 40);
    for (one, four) in sandbox.files("one", ".parquet").iter().zip(sandbox.files("four", ".parquet")) {
        let read = |path: &std::path::Path| HistoryFile::open(path).unwrap().read_all(&Projection::all()).unwrap();
        assert!(read(one) == read(&four), "{} differs", one.display());
    }
}

#[test]
fn a_killed_campaign_loses_nothing_that_was_reported_done() {
    let sandbox = sandbox();
    let campaign = "vopr --scenario swizzle,baseline -n 400 --seed 1 --max-events 2000 --no-check --out runs --checkpoint-file state.json";
    let state = sandbox.path("state.json");
    let done = || Checkpoint::read(&state).unwrap().is_some_and(|state| state.scenarios.iter().any(|scenario| !scenario.done.is_empty()));
    let mut running = sandbox.start(campaign);
    running.until(|| is_filled(&state) && done());
    running.signal("KILL");
    assert_eq!(running.outcome().code, None);

    let reported = Checkpoint::read(&state).unwrap().unwrap();
    let mut before = 0;
    for record in reported.scenarios.iter().flat_map(|scenario| &scenario.done) {
        let file = HistoryFile::open(&sandbox.path("runs").join(record.file.as_ref().unwrap())).unwrap();
        assert_eq!(file.read_all(&Projection::all()).unwrap().runs.len() as u64, record.count);
        before += record.count;
    }
    assert!(before > 0 && before < 800, "{before} runs were done");

    let resumed = sandbox.run(campaign).exits(0).says("resumed: ").says("800 runs");
    assert!(resumed.out.contains(&format!("resumed: {before} runs were done before")), "{}", resumed.out);
    let all = digests(&sandbox, "runs");
    assert_eq!(all.len(), 800);
    let _ = sandbox.run("vopr-check verify runs").exits(0);
    assert!(sandbox.files("runs", ".partial").is_empty(), "the resumed campaign writes the same names");
    let _ = sandbox.run(&format!("{campaign} --json")).exits(0).says("\"runs_done_before\":800");
}

#[test]
fn ctrl_c_finishes_what_is_under_way_and_prints_how_to_resume() {
    let sandbox = sandbox();
    // A scheduler that takes the machine away sends the polite signal and means the same.
    for (checkpoint, folder, signal) in [("--checkpoint-file state.json", "with", "TERM"), ("", "without", "INT")] {
        let mut running =
            sandbox.start(&format!("vopr --scenario baseline -n 2000 --seed 1 --max-events 500 --no-check --out {folder} {checkpoint}"));
        running.until(|| sandbox.path(folder).exists() && !sandbox.files(folder, ".parquet").is_empty());
        running.signal(signal);
        let outcome = running.outcome().exits(130).says("interrupted").warns("interrupted: ");
        assert!(sandbox.files(folder, ".partial").is_empty());
        let saved = digests(&sandbox, folder).len();
        assert!(saved > 0 && saved < 2000, "{saved}");
        let commands = printed_commands(&outcome.out, &["resume"]);
        assert!(!commands.is_empty(), "{}", outcome.out);
        for command in commands {
            let _ = sandbox.run(&command).exits(0);
        }
        assert_eq!(digests(&sandbox, folder).len(), 2000);
    }
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let sandbox = sandbox();
    let mut running = sandbox.start("vopr --scenario combined -n 100000 --seed 1 --jobs 1 --no-check --out runs");
    running.until(|| sandbox.path("runs").exists());
    running.signal("INT");
    std::thread::sleep(std::time::Duration::from_millis(5));
    running.signal("INT");
    assert_eq!(running.outcome().code, Some(130));
}

#[test]
fn a_checkpoint_belongs_to_one_campaign() {
    let sandbox = sandbox();
    let campaign =
        |more: &str| sandbox.run(&format!("vopr --scenario baseline --max-events 300 --no-check --checkpoint-file state.json {more}"));
    let _ = campaign("-n 3 --seed 5").exits(0);
    let _ = campaign("-n 3").exits(0).says("--seed 5").says("resumed: 3 runs");
    let _ = campaign("-n 6").exits(0).says("6 runs");
    let _ = campaign("-n 3 --seed 6").exits(2).warns("--seed was `5`");
    let _ = campaign("-n 3 --seed 5 --no-faults").exits(2).warns("options");
    sandbox.write("state.json", "{\"format\": 1, \"seed\"");
    let _ = campaign("-n 3").exits(4).warns("state.json is damaged");
}

#[test]
fn what_a_killed_campaign_left_behind_is_named() {
    let sandbox = sandbox();
    std::fs::create_dir(sandbox.path("runs")).unwrap();
    sandbox.write("runs/baseline-9-9.parquet.partial", "half");
    let _ =
        sandbox.run("vopr --scenario baseline -n 1 --max-events 300 --no-check --out runs").exits(0).warns("baseline-9-9.parquet.partial");
}

#[test]
fn a_recorded_batch_whose_file_is_gone_is_simulated_again() {
    let sandbox = sandbox();
    let campaign = "vopr --scenario baseline -n 16 --seed 1 --max-events 300 --no-check --out runs --checkpoint-file state.json";
    let _ = sandbox.run(campaign).exits(0);
    let whole = digests(&sandbox, "runs");
    std::fs::remove_file(&sandbox.files("runs", ".parquet")[2]).unwrap();
    let _ = sandbox.run(campaign).exits(0).warns("is gone").says("16 runs");
    assert_eq!(digests(&sandbox, "runs"), whole);
}

#[test]
fn a_disk_that_takes_no_more_ends_the_campaign_without_half_a_file() {
    let sandbox = sandbox();
    // A limit on file sizes stands in for a full disk: writing fails in the middle.
    let campaign = "vopr --scenario swizzle -n 32 --seed 1 --no-check --out runs --checkpoint-file state.json";
    let outcome = sandbox.run(&format!("trap '' XFSZ; ulimit -f 60; exec {campaign}")).exits(70).says("stopped  runs/swizzle_clogging-");
    assert!(sandbox.files("runs", "").is_empty(), "{:?}\n{}", sandbox.files("runs", ""), outcome.out);
    let _ = sandbox.run(campaign).exits(0).says("32 runs");
    assert_eq!(digests(&sandbox, "runs").len(), 32);
}

#[test]
fn required_situations_must_have_come_about_in_some_part_of_the_campaign() {
    let sandbox = sandbox();
    let campaign = |iterations: u64, required: &str| {
        format!("vopr --scenario combined -n {iterations} --seed 1 --checkpoint-file state.json --require {required}")
    };
    let first = sandbox.run(&campaign(4, "log_trimmed,primary_lost_its_clock")).exits(3);
    assert!(first.out.contains("required and not seen:  primary_lost_its_clock"), "{}", first.out);
    assert!(!first.out.contains("required and not seen:  log_trimmed"), "{}", first.out);
    // Nothing is left to do: what the first part saw counts.
    let _ = sandbox.run(&campaign(4, "log_trimmed")).exits(0);
    let unknown = sandbox.run(&campaign(4, "log_trimed")).exits(2);
    assert!(unknown.err.contains("log_trimmed"), "{}", unknown.err);
}
