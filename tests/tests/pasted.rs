//! What a user types after reading what the programs printed: commands as they stand, times as they stand, and mistakes.

use e2e::sandbox::{Outcome, Sandbox, is_filled, printed_commands};

const BUG: &str = "vopr --scenario baseline --bug lost_update --seed 1";

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"))
}

/// A sandbox with the bundle of a failing run in `kept`, and its name.
fn kept() -> (Sandbox, &'static str) {
    let sandbox = sandbox();
    let _ = sandbox.run(&format!("{BUG} -n 1 --save-failures kept")).exits(1);
    (sandbox, "kept/baseline-lost_update-1.kmb")
}

fn second_line(outcome: &Outcome) -> &str {
    outcome.out.lines().nth(1).expect("two lines")
}

#[test]
fn every_command_of_a_diagnosis_works_in_a_directory_with_a_space() {
    let sandbox = sandbox();
    let _ = sandbox.run(&format!("{BUG} -n 1 --save-failures 'my dir'")).exits(1);
    let told = sandbox.run("vopr diagnose 'my dir/baseline-lost_update-1.kmb'").exits(0);
    let commands = printed_commands(&told.out, &["reproduce", "minimize", "first event", "picture"]);
    assert_eq!(commands.len(), 4, "{}", told.out);
    for command in commands {
        let outcome = sandbox.run(&command);
        assert!([Some(0), Some(1)].contains(&outcome.code), "{command}: {}", outcome.err);
    }
    // What was made smaller lies beside the run that it was made from, and is no second failure.
    let both: Vec<_> = sandbox.files("my dir", ".kmb").into_iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(both, ["baseline-lost_update-1-min.kmb", "baseline-lost_update-1.kmb"]);
    let _ = sandbox.run("vopr-check 'my dir'").exits(1).says("1 of 1 run violated").warns("baseline-lost_update-1-min.kmb: made smaller");
    let _ = sandbox.run("vopr-check 'my dir'/*.kmb").exits(1).says("2 of 2 runs violated");
    let _ = sandbox.run("vopr-check verify 'my dir'").exits(0).says("baseline-lost_update-1-min.kmb");
    let of_smaller = sandbox.run("vopr diagnose 'my dir/baseline-lost_update-1-min.kmb'").exits(0);
    assert!(!of_smaller.out.contains("-min-min"), "{}", of_smaller.out);
}

#[test]
fn the_command_of_a_campaign_is_whole() {
    let sandbox = sandbox();
    let demands = "--timeout-per-run 30000ms --strict --require-evidence --require request_retried";
    let line =
        format!("vopr run --scenario baseline --seed 1 --iterations 1 --max-time 1500us --skip liveness {demands} --save-failures 'k k'");
    assert_eq!(second_line(&sandbox.run(&line)), line);
}

#[test]
fn the_command_for_the_rest_asks_what_the_whole_campaign_asked() {
    let sandbox = sandbox();
    let line = format!("{BUG} -n 100000 --faults network --save-failures cc --require-evidence --jobs 1");
    let mut running = sandbox.start(&line);
    running.until(|| is_filled(&sandbox.path("cc/baseline-lost_update-1.kmb")));
    running.signal("INT");
    let outcome = running.outcome().exits(130);
    let resume = printed_commands(&outcome.out, &["resume"]);
    let [resume] = resume.as_slice() else { panic!("one command for one scenario: {resume:?}\n{}", outcome.out) };
    let (seeds, rest) = resume.split_once(" --iterations ").expect("how many are left");
    assert!(seeds.starts_with("vopr run --scenario baseline --seed "), "{resume}");
    let (_, rest) = rest.split_once(' ').expect("more words");
    assert_eq!(rest, "--bug lost_update --faults network --require-evidence --save-failures cc");
}

#[test]
fn a_seed_whose_run_could_not_be_kept_is_done_again() {
    let sandbox = sandbox();
    let line = format!("{BUG} -n 100000 --save-failures cc --jobs 1");
    let mut running = sandbox.start(&line);
    running.until(|| is_filled(&sandbox.path("cc/baseline-lost_update-1.kmb")));
    std::fs::rename(sandbox.path("cc"), sandbox.path("moved")).unwrap();
    sandbox.write("cc", "a file in the way");
    let outcome = running.outcome().exits(1);
    let number = |path: &std::path::PathBuf| path.file_stem()?.to_string_lossy().rsplit('-').next()?.parse::<u64>().ok();
    let saved = sandbox.files("moved", ".kmb").iter().filter_map(number).max().expect("one was saved");
    let resume = printed_commands(&outcome.out, &["resume"]).concat();
    let next: u64 = resume.split("--seed ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).expect("a seed to go on with");
    assert!(next <= saved + 1, "{resume}: {saved} is the last that was saved");
    assert!(outcome.out.contains(&format!("FAILED seed {next}: ")), "{}", outcome.out);
}

#[test]
fn printed_times_and_rows_can_be_typed() {
    let (sandbox, bundle) = kept();
    let whole = sandbox.run(&format!("vopr timeline {bundle} --width 200")).exits(0);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = whole
        .out
        .lines()
        .map(words)
        .filter(|words| words.get(2).is_some_and(|unit| unit == "s") && words[0].parse::<u64>().is_ok())
        .collect();
    let (first, last) = (&rows[10], &rows[20]);
    let numbers =
        |outcome: &Outcome| -> Vec<u64> { outcome.out.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect() };
    let expected: Vec<u64> = rows[10..=20].iter().map(|row| row[0].parse().unwrap()).collect();
    let by_row = sandbox.run(&format!("vopr timeline {bundle} --from-row {} --to-row {}", first[0], last[0])).exits(0);
    assert_eq!(numbers(&by_row), expected);
    let by_time = sandbox.run(&format!("vopr timeline {bundle} --from '{} s' --to {}s", first[1], last[1])).exits(0);
    let shown = numbers(&by_time);
    assert!(shown.len() > 5 && shown.iter().all(|row| expected[0] <= *row && *row <= expected[10]), "{shown:?} of {expected:?}");
    let _ = sandbox.run(&format!("vopr timeline {bundle} --from 1.5ms --to 300us")).exits(2).warns("--from is after --to");
    let _ = sandbox.run(&format!("vopr timeline {bundle} --from-row 9 --to-row 8")).exits(2);
    let _ = sandbox.run(&format!("vopr timeline {bundle} --from .5s")).exits(2).warns("such as 90, 1.5 or 0.25");
}

#[test]
fn what_a_campaign_keeps_is_checked_by_its_name() {
    let sandbox = sandbox();
    let _ = sandbox.run("vopr campaign baseline --bug lost_update --seeds 3 --seed 1 --dir runs/broken").exits(1);
    for name in ["runs/broken", "runs/broken/failures"] {
        let _ = sandbox.run(&format!("vopr-check {name}")).exits(1).says("3 of 3 runs violated");
    }
}

#[test]
fn what_an_invariant_means_is_told_anywhere() {
    let (sandbox, bundle) = kept();
    let told = sandbox.run(&format!("vopr-check {bundle} --report page.html")).exits(1).warns("written: page.html");
    let meaning = printed_commands(&told.out, &["meaning"]);
    assert!(meaning[0].starts_with("vopr-check --explain "), "{meaning:?}");
    let _ = sandbox.run(&meaning[0]).exits(0).says("## What is checked");
    let _ = sandbox.run("vopr-check --explain storage_determinism,liveness --json").exits(0).says("\"name\":\"liveness\"");
    let _ = sandbox.run("vopr-check --explain livenes").exits(2).warns("'liveness'");
}

#[test]
fn a_file_and_a_run_are_asked_for_in_the_same_words_everywhere() {
    let (sandbox, bundle) = kept();
    let _ = sandbox.run(&format!("{BUG} -n 24 --out runs --max-events 1500 --no-check")).exits(0);
    let history = "runs/baseline-1-3.parquet";
    for command in ["repro", "bisect", "diagnose", "timeline"] {
        let _ = sandbox.run(&format!("vopr {command} kept")).exits(2).warns("choose one of the files in it").warns(bundle);
        let _ = sandbox.run(&format!("vopr {command} {history}")).exits(2).warns("3 runs are in it: choose one with --run SEED (1, 2, 3)");
        let _ = sandbox.run(&format!("vopr {command} {history} --run 9")).exits(5).warns("no run has the seed 9; it holds 3 runs (1 to 3)");
    }
    let _ = sandbox.run("vopr show kept").exits(2).warns(bundle);
    let _ = sandbox.run("vopr-check runs --scenario baselin").exits(5).warns("did you mean baseline?").warns("baseline seeds 1..24");
}

#[test]
fn a_place_that_cannot_be_written_is_a_mistake_that_is_told_at_once() {
    let (sandbox, bundle) = kept();
    let start = "vopr --scenario baseline -n 1 --max-events 500";
    for line in [
        format!("{start} --out /proc/foo"),
        format!("{start} --out /proc"),
        format!("{start} --checkpoint-file none/state.json"),
        format!("vopr-check {bundle} --report none/page.html"),
        format!("vopr-check {bundle} --report kept"),
        format!("vopr timeline {bundle} --html none/page.html"),
        format!("vopr timeline {bundle} --perfetto none/trace.json"),
    ] {
        let outcome = sandbox.run(&line).exits(2).warns("cannot be written there");
        assert!(!outcome.out.contains("held") && !outcome.out.contains("violated"), "{line}: {}", outcome.out);
    }
    let _ =
        sandbox.run(&format!("{start} --save-failures {bundle}")).exits(2).warns("--save-failures needs a directory, and this is a file");
    assert!(sandbox.files("kept", ".partial").is_empty());
}

#[test]
fn mistakes_are_answered_in_few_lines() {
    let sandbox = sandbox();
    for (line, listed) in [
        ("vopr --bug lost_updte", "vopr bugs"),
        ("vopr --scenario basline", "vopr scenarios"),
        ("vopr --require foo", "vopr run --verbose"),
        ("vopr-check --skip livenes x", "vopr-check --list-invariants"),
    ] {
        let outcome = sandbox.run(line).exits(2).warns(listed);
        assert!(outcome.err.lines().count() < 8 && outcome.err.len() < 400, "{}", outcome.err);
    }
    let far = sandbox.run("vopr --require foo").exits(2);
    assert!(!far.err.contains("scrub_found"), "{}", far.err);
    let _ = sandbox.run("vopr --scenario baseline -n -5").exits(2).warns("must be a whole number above 0");
    let campaign = "vopr --scenario baseline --max-events 500 --seed 1 -n 2 --checkpoint-file state.json";
    let _ = sandbox.run(campaign).exits(0);
    let other = sandbox.run(&format!("{campaign} --no-faults")).exits(2).warns("belongs to another campaign");
    assert!(!other.out.contains("resumed"), "{}", other.out);
}

#[test]
fn an_answer_that_rests_on_nothing_is_not_green() {
    let sandbox = sandbox();
    let nothing = "vopr --scenario baseline --seed 1 -n 1 --max-events 500 --out runs --invariant scrub_rate";
    let _ = sandbox.run(nothing).exits(5).says("nothing tested  no run has anything that scrub_rate could test");
    let _ = sandbox.run("vopr-check runs --invariant scrub_rate").exits(5).says("nothing checked");
    let _ = sandbox.run("vopr-check runs --invariant scrub_rate,vsr_agreement").exits(0).says("held  2 invariants");
}

#[test]
fn failures_of_one_cause_are_told_once() {
    let sandbox = sandbox();
    let told = sandbox.run(&format!("{BUG} -n 12 --save-failures kept")).exits(1);
    let failed: Vec<&str> = told.out.lines().filter(|line| line.starts_with("FAILED seed ")).collect();
    let (again, first): (Vec<&str>, Vec<&str>) = failed.iter().partition(|line| line.contains(": again "));
    assert!(first.len() < 4 && again.len() >= 8, "{}", told.out);
    assert!(again.iter().all(|line| line.contains(".kmb")), "{again:?}");
    let group = printed_commands(&told.out, &["group"]);
    assert_eq!(group.iter().filter(|name| again.iter().any(|line| line.contains(name.as_str()))).count() > 0, !again.is_empty());
    let limit = told.out.lines().map(|line| line.chars().count()).max();
    assert!(limit <= Some(160), "{}", told.out);
    let of_verbose = sandbox.run(&format!("{BUG} -n 3 -v")).exits(1);
    assert!(!of_verbose.out.contains(": again "), "{}", of_verbose.out);
    let checked = sandbox.run("vopr-check kept --invariant linearizability,liveness").exits(1);
    let _ = checked.says("violated  1 of 2 invariants");
}

#[test]
fn what_cannot_be_read_is_not_counted_and_headlines_are_wrapped() {
    let (sandbox, bundle) = kept();
    sandbox.write("bad.parquet", "this is no history\n".repeat(50));
    let counted = sandbox.run("vopr stats bad.parquet").exits(4).warns("refused: bad.parquet");
    assert!(counted.out.is_empty(), "{}", counted.out);
    let narrow = sandbox.run(&format!("vopr timeline {bundle} --width 70")).exits(0);
    let headline: Vec<&str> = narrow.out.lines().take_while(|line| !line.is_empty()).collect();
    assert!(headline[0].starts_with("VIOLATED  ") && headline.len() > 1, "{headline:?}");
    assert!(headline.iter().all(|line| line.chars().count() <= 72), "{headline:?}");
    let invariants = sandbox.run(&format!("vopr show {bundle} --invariants")).exits(0);
    assert!(
        invariants.out.lines().skip_while(|line| !line.starts_with("invariant")).all(|line| line.chars().count() < 160),
        "{}",
        invariants.out
    );
}
