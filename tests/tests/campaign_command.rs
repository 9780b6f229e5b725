//! `vopr campaign`: whatever was told is in the directory, whoever was killed when, and directories can be copied together.

use e2e::sandbox::{Sandbox, printed_commands};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use vopr::campaign_dir::{Begin, Directory, FORMAT, FailureLine, Line, Outcome, Part, RunLine};
use vopr_schema::read::HistoryFile;

/// Two scenarios, one of which fails now and then.
const CAMPAIGN: &str = "vopr campaign baseline swizzle --seed 1 --max-events 800 --bug lost_update";

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"))
}

/// The runs of a directory by scenario and seed, each with all that does not depend on time; none may stand there twice.
fn verdicts(directory: &Path) -> BTreeMap<(String, u64), String> {
    let mut verdicts = BTreeMap::new();
    for run in lines(directory) {
        let fingerprint = run.failure.as_ref().map(|failure| failure.fingerprint.clone());
        let verdict = format!("{:?} {fingerprint:?} {:?} {:?} {}", run.outcome, run.digest, run.missing, run.events);
        let twice = verdicts.insert((run.scenario.clone(), run.seed), verdict);
        assert_eq!(twice, None, "{} seed {} twice", run.scenario, run.seed);
    }
    verdicts
}

/// The whole run lines of all files.
fn lines(directory: &Path) -> Vec<RunLine> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("runs-"));
    let text: Vec<String> = files.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect();
    let parsed = text.iter().flat_map(|text| text.lines()).filter_map(|line| Line::parse(line.as_bytes()).ok());
    parsed.filter_map(|line| if let Line::Run(run) = line { Some(*run) } else { None }).collect()
}

/// The runs that a campaign with `--verbose` has told of.
fn told(text: &str) -> BTreeSet<(String, u64)> {
    let run = |line: &str| {
        if let Some(again) = line.strip_prefix("FAILED seed ").filter(|line| line.contains(": again ")) {
            let scenario = again.rsplit_once('(')?.1.strip_suffix(')')?;
            return Some((scenario.to_owned(), again.split(':').next()?.parse().ok()?));
        }
        let rest = line.strip_prefix("ok  ").or_else(|| line.strip_prefix("failed  "))?;
        let (scenario, rest) = rest.split_once(" seed ")?;
        Some((scenario.to_owned(), rest.split(':').next()?.parse().ok()?))
    };
    // Half a line at the end was not told.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter_map(run).collect()
}

fn open(sandbox: &Sandbox, name: &str) -> Directory {
    Directory::open(&sandbox.path(name)).unwrap()
}

/// Writes a directory with one plan and nothing done, and returns the plan's id.
fn begun(sandbox: &Sandbox, name: &str, more: &str) -> String {
    let mut running = sandbox.start(&format!("vopr campaign baseline --seeds 4 --seed 1 --max-events 500 --dir {name} {more}"));
    running.until(|| sandbox.path(name).exists() && open(sandbox, name).processes.len() == 1);
    let _ = running.outcome();
    let plan = open(sandbox, name).plans.keys().next().unwrap().clone();
    for file in sandbox.files(name, ".jsonl") {
        std::fs::remove_file(file).unwrap();
    }
    plan
}

/// Adds what another program could have written: seed 1 of `baseline` failed.
fn add_failure(sandbox: &Sandbox, name: &str, plan: &str) {
    let dir = sandbox.path(name);
    let record = open(sandbox, name).plans[plan].clone();
    let begin =
        Begin { format: FORMAT.to_owned(), plan: Some(record), version: "0.0.9".into(), commit: "old".into(), threads: 1, at_ms: 1 };
    let failure = FailureLine {
        fingerprint: "liveness-00000000".into(),
        causes: vec![],
        invariant: "liveness".into(),
        sentence: "stopped".into(),
        also: vec![],
    };
    let run = RunLine {
        scenario: "baseline".into(),
        seed: 1,
        outcome: Outcome::Failed,
        failure: Some(failure),
        undecided: vec![],
        missing: None,
        events: 10,
        rows: 0,
        operations: 0,
        facts: 0,
        simulating_ns: 1,
        checking_ns: 1,
        cpu_ns: 1,
        situations: BTreeMap::new(),
        digest: None,
        file: None,
        at_ms: 2,
    };
    Part::create(&dir, "runs", plan, begin).unwrap().append(&[Line::Run(Box::new(run))]).unwrap();
}

#[test]
fn a_campaign_that_is_killed_at_any_moment_loses_nothing_that_was_told() {
    let sandbox = sandbox();
    let _ = sandbox.run(&format!("{CAMPAIGN} --seeds 150 --dir whole")).exits(1);
    let expected = verdicts(&sandbox.path("whole"));
    assert_eq!(expected.len(), 300);

    let mut all_told = BTreeSet::new();
    for (attempt, runs) in [1, 3, 40, 120, 200].into_iter().enumerate() {
        let line = match attempt {
            0 => format!("{CAMPAIGN} --seeds 150 --dir killed --jobs 1 --verbose"),
            jobs => format!("vopr campaign resume killed --jobs {jobs} --verbose"),
        };
        let mut running = sandbox.start(&format!("{line} > told-{attempt}.txt"));
        running.until(|| sandbox.path("killed").exists() && lines(&sandbox.path("killed")).len() >= runs);
        running.signal("KILL");
        assert_eq!(running.outcome().code, None, "killed");

        all_told.extend(told(&std::fs::read_to_string(sandbox.path(&format!("told-{attempt}.txt"))).unwrap()));
        let found = verdicts(&sandbox.path("killed"));
        let lost: Vec<_> = all_told.iter().filter(|run| !found.contains_key(*run)).collect();
        assert!(lost.is_empty(), "told and lost: {lost:?}");
        assert!(found.len() < 300, "the campaign was not killed in its middle");
        let dropped = open(&sandbox, "killed").dropped().clone();
        for run in lines(&sandbox.path("killed")) {
            if let Some(file) = run.file.as_ref().filter(|file| !dropped.contains(*file)) {
                let file = HistoryFile::open(&sandbox.path("killed").join(file)).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(file.runs().unwrap()[0].seed, run.seed);
            }
        }
    }
    assert!(all_told.len() > 100, "{} runs were told of", all_told.len());

    let _ = sandbox.run("vopr campaign resume killed").exits(1).says("300 runs");
    assert_eq!(verdicts(&sandbox.path("killed")), expected);
    let (whole, killed) = (open(&sandbox, "whole"), open(&sandbox, "killed"));
    assert_eq!(killed.situations(), whole.situations());
    let groups = |directory: &Directory| -> Vec<_> {
        let groups = directory.groups();
        groups.iter().map(|(group, _)| (group.fingerprint.clone(), group.count(), group.first().seed, group.fastest().seed)).collect()
    };
    assert!(!groups(&whole).is_empty());
    assert_eq!(groups(&killed), groups(&whole));
    assert!(killed.processes.len() == 6 && killed.damage.is_empty() && killed.conflicts.is_empty());
    // Nothing is left: the same summary, and nothing is simulated.
    let _ = sandbox.run("vopr campaign resume killed").exits(1).says("300 runs");
    assert_eq!(open(&sandbox, "killed").processes.len(), 6);
}

/// The files that a directory's folders hold, and those that its lines name: folder and name of each, with the digest of its run.
fn kept(sandbox: &Sandbox, name: &str) -> [BTreeMap<String, [u8; 32]>; 2] {
    let directory = open(sandbox, name);
    let digest = |path: &Path| HistoryFile::open(path).unwrap_or_else(|error| panic!("{error}")).runs().unwrap()[0].digest;
    let told = |path: &Path| {
        let words: Vec<_> = path.iter().map(|word| word.to_string_lossy()).collect();
        // The folder between them is called by the plan.
        (format!("{}/{}", words[words.len() - 3], words[words.len() - 1]), digest(path))
    };
    let folders = ["failures", "kept"].map(|folder| std::fs::read_dir(directory.path.join(folder)).unwrap());
    let plans = folders.into_iter().flatten().flat_map(|plan| std::fs::read_dir(plan.unwrap().path()).unwrap());
    let held = plans.map(|entry| told(&entry.unwrap().path())).collect();
    let rows = directory.scenarios.values().flat_map(|scenario| scenario.kept.iter().map(|(_, file)| file.clone()));
    let groups = directory.groups();
    let bundles = groups.iter().flat_map(|(group, _)| group.runs.iter().filter_map(|run| run.file.clone()));
    let named = rows.chain(bundles).map(|file| told(&directory.path.join(file))).collect();
    [held, named]
}

#[test]
fn what_a_finished_campaign_keeps_depends_on_its_runs_alone() {
    let sandbox = sandbox();
    let campaign = "vopr campaign baseline combined swizzle --bug lost_update --seed 1 --seeds 40 --max-events 1500 \
                    --keep-failing 4 --keep-rare 2 --keep-one-in 30";
    for jobs in [1, 2, 4] {
        let _ = sandbox.run(&format!("{campaign} --dir with-{jobs} --jobs {jobs}")).exits(1);
    }
    for (attempt, runs) in [20, 60, 90].into_iter().enumerate() {
        let line = if attempt == 0 { format!("{campaign} --dir killed") } else { "vopr campaign resume killed".to_owned() };
        let mut running = sandbox.start(&format!("{line} --jobs 4 > killed.txt"));
        running.until(|| sandbox.path("killed").exists() && lines(&sandbox.path("killed")).len() >= runs);
        running.signal("KILL");
        assert_eq!(running.outcome().code, None, "killed");
    }
    let _ = sandbox.run("vopr campaign resume killed --jobs 2").exits(1).says("120 runs");

    let [expected, named] = kept(&sandbox, "with-1");
    assert_eq!(expected, named);
    let count = |folder: &str| expected.keys().filter(|name| name.starts_with(folder)).count();
    assert!(count("kept") > 10 && count("failures") >= 4, "{expected:?}");
    for other in ["with-2", "with-4", "killed"] {
        let [held, named] = kept(&sandbox, other);
        assert_eq!(held, expected, "{other} keeps something else");
        assert_eq!(named, expected, "{other} names something else");
    }
    // What its rule says, counted anew from the lines.
    let record = open(&sandbox, "with-1").plans.values().next().unwrap().clone();
    let mut runs = lines(&sandbox.path("with-4"));
    runs.sort_by_key(|run| record.turn_of(&run.scenario, run.seed));
    let mut shown: BTreeMap<String, u64> = BTreeMap::new();
    for run in &runs {
        let counts = run.situations.keys().map(|situation| *shown.entry(situation.clone()).and_modify(|runs| *runs += 1).or_insert(1));
        let is_rare = counts.filter(|count| *count <= 2).count() > 0;
        let is_kept = expected.contains_key(&format!("kept/{}-{}-1.parquet", run.scenario, run.seed));
        assert!(!is_rare || is_kept || run.failure.is_some(), "{} seed {} is rare", run.scenario, run.seed);
    }
}

#[test]
fn the_moment_of_the_kill_does_not_matter() {
    let sandbox = sandbox();
    let campaign = format!("{CAMPAIGN} --seeds 100 --dir runs --verbose");
    let mut all_told = BTreeSet::new();
    for attempt in 0..16_u64 {
        let running = sandbox.start(&format!("{campaign} > told.txt"));
        std::thread::sleep(std::time::Duration::from_millis(attempt * 5));
        running.signal("KILL");
        let _ = running.outcome();
        all_told.extend(told(&std::fs::read_to_string(sandbox.path("told.txt")).unwrap_or_default()));
        if sandbox.path("runs").exists() {
            let found = verdicts(&sandbox.path("runs"));
            assert!(all_told.iter().all(|run| found.contains_key(run)), "attempt {attempt}");
        }
    }
    let _ = sandbox.run(&format!("{campaign} && false || vopr campaign resume runs")).exits(1).says("200 runs");
    assert_eq!(verdicts(&sandbox.path("runs")).len(), 200);
    let unfinished = open(&sandbox, "runs").plans.values().filter(|plan| open(&sandbox, "runs").left(plan) != Some(0)).count();
    assert_eq!(unfinished, 0, "a plan of the same runs is done when they are");
}

#[test]
fn shards_that_are_copied_together_are_the_whole() {
    let sandbox = sandbox();
    let _ = sandbox.run(&format!("{CAMPAIGN} --seeds 31 --dir whole --jobs 2")).exits(1);
    for shard in 1..=3 {
        let _ = sandbox.run(&format!("{CAMPAIGN} --seeds 31 --shard {shard}/3 --dir shard-{shard} --jobs 1; true")).exits(0);
    }
    let _ = sandbox.run("mkdir all && cp -r shard-1/* shard-2/* shard-3/* all/").exits(0);
    assert_eq!(verdicts(&sandbox.path("all")), verdicts(&sandbox.path("whole")));
    let (all, whole) = (open(&sandbox, "all"), open(&sandbox, "whole"));
    assert_eq!(all.total().operations, whole.total().operations);
    for ((ours, _), (theirs, _)) in all.groups().iter().zip(whole.groups()) {
        assert_eq!((&ours.fingerprint, ours.count()), (&theirs.fingerprint, theirs.count()));
        assert_eq!((ours.first().seed, ours.fastest().seed), (theirs.first().seed, theirs.fastest().seed));
        assert!(ours.runs.iter().all(|run| run.file.as_ref().is_some_and(|file| sandbox.path("all").join(file).exists())));
    }
    let _ = sandbox.run("vopr campaign resume all").exits(1).says("62 runs");
    assert_eq!(open(&sandbox, "all").processes.len(), 3);
    // The same seeds once more add nothing.
    let _ = sandbox.run(&format!("{CAMPAIGN} --seeds 31 --dir all")).exits(1).says("62 runs").says("resumed: 62 runs");
    let _ = sandbox.run(&format!("{CAMPAIGN} --seeds 31 --shard 4/3 --dir x")).exits(2).warns("shards of 3 are 1 to 3");
    let _ = sandbox.run("vopr campaign baseline --seeds 3 --shard 1/3 --dir x").exits(2).warns("--seed");
}

#[test]
fn a_shard_that_was_killed_is_resumed_in_the_merged_directory() {
    let sandbox = sandbox();
    let _ = sandbox.run(&format!("{CAMPAIGN} --seeds 60 --shard 1/2 --dir one; true")).exits(0);
    let mut running = sandbox.start(&format!("{CAMPAIGN} --seeds 60 --shard 2/2 --dir two --jobs 1"));
    running.until(|| sandbox.path("two").exists() && lines(&sandbox.path("two")).len() >= 2);
    running.signal("KILL");
    let _ = running.outcome();
    let _ = sandbox.run("mkdir both && cp -r one/* two/* both/").exits(0);
    let before = verdicts(&sandbox.path("both")).len();
    assert!(before < 120, "{before}");
    let _ = sandbox.run("vopr campaign resume both").exits(1).says("120 runs");
    assert_eq!(verdicts(&sandbox.path("both")).len(), 120);
}

#[test]
fn a_known_failure_is_no_alarm_until_it_expires() {
    let sandbox = sandbox();
    let _ = sandbox.run(&format!("{CAMPAIGN} --seeds 20 --dir runs")).exits(1).says("(new: not in known*.toml)");
    let groups: Vec<String> = open(&sandbox, "runs").groups().iter().map(|(group, _)| group.fingerprint.clone()).collect();
    assert!(!groups.is_empty());
    let known = |day: &str| -> String {
        let entry = |print: &String| format!("[[known]]\nfingerprint = \"{print}\"\nlink = \"tracker/12\"\nexpires = {day}\n");
        groups.iter().map(entry).collect()
    };
    sandbox.write("runs/known.toml", known("9999-12-31"));
    let resumed = sandbox.run("vopr campaign resume runs").exits(0).says("known until 9999-12-31: tracker/12");
    let _ = resumed.says("nothing new").says("(0 new or expired)");
    sandbox.write("runs/known.toml", known("2001-01-01"));
    let _ = sandbox.run("vopr campaign resume runs").exits(1).says("EXPIRED").says("known until 2001-01-01, which is over");
    // Another machine's file counts too, and the later day of two.
    sandbox.write("runs/known-b.toml", known("9999-12-31"));
    let _ = sandbox.run("vopr campaign resume runs").exits(0);
    let json = sandbox.run("vopr campaign report runs --json").exits(0).says("\"status\":\"known\"");
    assert!(json.out.contains("\"link\":\"tracker/12\""), "{}", json.out);
    sandbox.write("runs/known.toml", "[[known]]\nfingerprint = \"a\"\n");
    let _ = sandbox.run("vopr campaign resume runs").exits(4).warns("known.toml");
    // Given with the command, it is copied into the directory.
    sandbox.write("mine.toml", known("9999-12-31"));
    let _ = sandbox.run(&format!("{CAMPAIGN} --seeds 20 --dir other --known mine.toml")).exits(0).says("KNOWN");
    sandbox.write("mine.toml", known("9999-12-32"));
    let _ = sandbox.run(&format!("{CAMPAIGN} --seeds 20 --dir third --known mine.toml")).exits(4).warns("mine.toml");
    assert!(!sandbox.path("third").exists(), "nothing begins with excuses that cannot be read");
}

#[test]
fn damaged_lines_are_named_and_their_runs_done_again() {
    let sandbox = sandbox();
    let _ = sandbox.run("vopr campaign baseline --seeds 8 --seed 1 --max-events 500 --dir runs --jobs 1").exits(0);
    let expected = verdicts(&sandbox.path("runs"));
    let file = sandbox.files("runs", ".jsonl").pop().unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    // One bit of the third line, and half of the last one.
    let third = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0 + 40;
    bytes[third] ^= 4;
    let cut = bytes.len() - 30;
    bytes.truncate(cut);
    std::fs::write(&file, &bytes).unwrap();
    let report = sandbox.run("vopr campaign report runs").exits(4).says(".jsonl:3: ").says("half a line at its end");
    assert!(report.out.contains("7 runs"), "{}", report.out);
    let _ = sandbox.run("vopr campaign resume runs").exits(0).says("8 runs").warns(".jsonl:3: ");
    assert_eq!(verdicts(&sandbox.path("runs")), expected);
    // The lines say what a plan was whose file is gone.
    let gone = sandbox.files("runs", ".json").pop().unwrap();
    let whole = std::fs::read(&file).unwrap();
    let begin = whole.iter().position(|byte| *byte == b'\n').unwrap();
    std::fs::write(&file, &whole[..=begin]).unwrap();
    for other in sandbox.files("runs", ".jsonl").iter().filter(|other| **other != file) {
        std::fs::remove_file(other).unwrap();
    }
    std::fs::remove_file(&gone).unwrap();
    let _ = sandbox.run("vopr campaign resume runs").exits(0).says("8 runs");
    assert!(gone.exists() && verdicts(&sandbox.path("runs")) == expected);
    // A file that is no campaign's, and a plan that cannot be read: the lines say what it was.
    let plan = sandbox.files("runs", ".json").pop().unwrap();
    std::fs::write(&plan, "{").unwrap();
    sandbox.write("runs/runs-x-y.jsonl", "\u{0}\n\nnonsense\n{}\n");
    let report = sandbox.run("vopr campaign report runs").exits(4).says("not a plan").says("runs-x-y.jsonl:1: ");
    assert!(report.out.contains("8 runs"), "{}", report.out);
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    let _ = sandbox.run("vopr campaign report empty").exits(5).warns("no campaign");
    let _ = sandbox.run("vopr campaign report nowhere").exits(4).warns("nowhere");
}

#[test]
fn failing_runs_are_tried_again_and_those_that_hold_are_fixed() {
    let sandbox = sandbox();
    let _ = sandbox.run(&format!("{CAMPAIGN} --seeds 20 --dir runs --keep-failing 1")).exits(1);
    let failed = open(&sandbox, "runs").total().failed;
    assert!(failed > 1);
    let again = sandbox.run("vopr campaign rerun runs --failed").exits(1).says("from its bundle").says("from its seed").says("still there");
    assert_eq!(again.out.matches("still update_on_stale_value").count() as u64, failed, "{}", again.out);
    let _ = sandbox.run("vopr campaign rerun runs --failed --from-seed --json").exits(1).says("\"from_bundle\":false");
    let _ = sandbox.run("vopr campaign rerun runs --fingerprint none").exits(5);
    let _ = sandbox.run("vopr campaign rerun runs").exits(2).warns("--failed");
    let _ = sandbox.run("vopr man").exits(0).says("campaign rerun").says("fingerprint");

    let plan = begun(&sandbox, "old", "");
    add_failure(&sandbox, "old", &plan);
    let resumed = sandbox.run("vopr campaign resume old").exits(1).warns("vopr 0.0.9 (old) did 1 run").says("liveness-00000000");
    let _ = resumed.says("4 runs").says("several programs");
    let _ = sandbox.run("vopr campaign rerun old --failed").exits(0).says("holds").says("gone").says("fixed");
    let _ = sandbox.run("vopr campaign resume old").exits(0).says("FIXED  liveness-00000000");
}

#[test]
fn ctrl_c_ends_cleanly_and_prints_the_command_that_resumes() {
    let sandbox = sandbox();
    let mut running = sandbox.start("vopr campaign baseline --seeds 3000 --seed 1 --max-events 500 --dir runs");
    running.until(|| sandbox.path("runs").exists() && !lines(&sandbox.path("runs")).is_empty());
    let second = sandbox.run("vopr campaign resume runs").exits(2).warns("another process works on plan");
    assert!(second.out.is_empty(), "{}", second.out);
    running.signal("INT");
    let outcome = running.outcome().exits(130).says("interrupted").says("left");
    assert!(outcome.out.contains("vopr campaign baseline --seeds 3000 --seed 1 --dir runs"), "{}", outcome.out);
    assert!(open(&sandbox, "runs").processes.values().all(|process| process.end.is_some()));
    let commands = printed_commands(&outcome.out, &["resume"]);
    assert_eq!(commands.len(), 1);
    let _ = sandbox.run(&commands[0]).exits(0).says("3 000 runs");
    assert_eq!(verdicts(&sandbox.path("runs")).len(), 3000);
}

#[test]
fn time_ends_a_campaign_and_its_commands_can_be_pasted() {
    let sandbox = sandbox();
    let outcome = sandbox.run("vopr campaign baseline --for 300ms --max-events 500 --keep-one-in 10").exits(0);
    let folder = sandbox.files("runs", "").pop().expect("a directory under runs/ is the default");
    let directory = Directory::open(&folder).unwrap();
    assert_eq!(directory.processes.values().next().unwrap().end.as_ref().unwrap().why, "time", "{}", outcome.out);
    let kept = &directory.scenarios["baseline"].kept;
    assert!(!kept.is_empty() && kept.iter().all(|(_, file)| HistoryFile::open(&folder.join(file)).is_ok()));
    let _ = sandbox.run(&format!("vopr campaign resume {}", folder.display())).exits(0);
    let more = directory.total().runs;
    let _ = sandbox.run(&format!("vopr campaign resume {} --for 200ms", folder.display())).exits(0);
    assert!(Directory::open(&folder).unwrap().total().runs > more);
    let command = outcome.out.lines().nth(1).unwrap();
    let _ = sandbox.run(command).exits(0).says("resumed: ");
    let _ = sandbox.run("vopr campaign baseline").exits(2).warns("--seeds");
    let caught = sandbox.run(&format!("{CAMPAIGN} --seeds 20 --dir caught --keep-failing 0")).exits(1);
    for command in printed_commands(&caught.out, &["reproduce"]) {
        let _ = sandbox.run(&command).exits(1);
    }
    let caught = sandbox.run(&format!("{CAMPAIGN} --seeds 4 --dir bundles; vopr campaign report bundles")).exits(0);
    let commands = printed_commands(&caught.out, &["reproduce", "diagnose", "look", "check", "minimize"]);
    let commands: BTreeSet<&String> = commands.iter().collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let outcome = sandbox.run(command);
        assert!(matches!(outcome.code, Some(0 | 1)), "{outcome:?}");
    }
    let _ = sandbox
        .run("vopr campaign baseline --seeds 2 --seed 1 --max-events 500 --dir j --json --verbose")
        .exits(0)
        .says("\"type\":\"start\"");
    let _ = sandbox.run("vopr campaign baseline --seeds 2 --seed 1 --max-events 100 --dir v --require-evidence").exits(3).says("vacuous");
    let _ = sandbox.run("vopr campaign resume v").exits(3);
    // What a failure has cut short is not vacuous.
    let cut = "vopr campaign byzantine_invalid_metadata --bug skips_prepare_metadata_check --seeds 3 --seed 1 --dir cut";
    let cut = sandbox.run(cut).exits(1).says("not shown  byzantine_invalid_metadata: 0 of 3 runs show what it promises; 3 failing runs");
    assert!(!cut.out.contains("vacuous"), "{}", cut.out);
}

#[test]
fn a_disk_that_takes_no_more_ends_the_campaign_and_loses_nothing() {
    let sandbox = sandbox();
    // A limit on file sizes stands in for a full disk: first a bundle cannot be written, then the file of lines.
    let bare = "--keep-failing 0 --keep-rare 0 --keep-one-in 0";
    for (dir, more, code) in [("kept", "", 1), ("bare", bare, 70)] {
        let campaign = format!("{CAMPAIGN} --seeds 40 --dir {dir} --verbose {more}");
        let full = sandbox.run(&format!("trap '' XFSZ; ulimit -f 12; exec {campaign}")).exits(code);
        assert!(format!("{}{}", full.out, full.err).contains("vopr campaign resume "), "{full:?}");
        let (told, found) = (told(&full.out), verdicts(&sandbox.path(dir)));
        assert!(found.len() < 80 && told.iter().all(|run| found.contains_key(run)), "{told:?}");
        let _ = sandbox.run(&format!("vopr campaign resume {dir}")).exits(1).says("80 runs");
        assert_eq!(verdicts(&sandbox.path(dir)).len(), 80);
    }
}

#[test]
fn a_scenario_of_ones_own_goes_with_the_directory() {
    let sandbox = sandbox();
    let _ = sandbox.run("vopr scenarios --toml baseline | sed 's/^name = .*/name = \"mine\"/' > mine.toml").exits(0);
    let mut running = sandbox.start("vopr campaign --config mine.toml --seeds 300 --seed 1 --max-events 500 --dir runs --jobs 1");
    running.until(|| sandbox.path("runs").exists() && !lines(&sandbox.path("runs")).is_empty());
    running.signal("KILL");
    let _ = running.outcome();
    std::fs::remove_file(sandbox.path("mine.toml")).unwrap();
    let _ = sandbox.run("mv runs elsewhere && vopr campaign resume elsewhere").exits(0).says("300 runs");
    assert_eq!(verdicts(&sandbox.path("elsewhere")).len(), 300);
}
