//! The two programs as their users meet them: words in, text and exit status out.
//!
//! Campaigns that are killed, interrupted or resumed are in `campaigns.rs`.

use e2e::sandbox::{Outcome, Sandbox, printed_commands};
use serde_json::Value;
use vopr_check::exit::Exit;

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"))
}

fn objects(outcome: &Outcome) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}: {line}", outcome.line));
    outcome.out.lines().map(parse).collect()
}

/// A directory with two recorded scenarios.
fn recorded() -> Sandbox {
    let sandbox = sandbox();
    let _ = sandbox.run("vopr --scenario baseline,swizzle -n 4 --seed 1 --max-events 2000 --no-check --out histories").exits(0);
    sandbox
}

#[test]
fn help_teaches_and_lists_the_exit_codes_of_the_enum() {
    let sandbox = sandbox();
    for line in ["vopr --help", "vopr run --help", "vopr-check --help"] {
        let help = sandbox.run(line).exits(0).says("Examples:");
        for exit in Exit::ALL {
            let row = format!("{:>3}  {}", exit.code(), exit.meaning().split(' ').next().unwrap());
            assert!(help.out.contains(&row), "{line} lacks {row:?}:\n{}", help.out);
        }
    }
    let _ = sandbox.run("vopr --version").exits(0).says("vopr 0.");
    let _ = sandbox.run("vopr-check --version").exits(0).says("vopr-check 0.");
}

#[test]
fn mistakes_are_answered_with_the_nearest_word() {
    let sandbox = sandbox();
    for (line, nearest) in [
        ("vopr --scenario basline", "baseline"),
        ("vopr run --iteration 3", "--iterations"),
        ("vopr scenarois", "scenarios"),
        ("vopr --bug lost_updte", "lost_update"),
        ("vopr-check --invariant linearizabilty x", "linearizability"),
        ("vopr-check --stict x", "--strict"),
    ] {
        let _ = sandbox.run(line).exits(2).warns(nearest);
    }
    let _ = sandbox.run("vopr-check").exits(2).warns("no file is named");
    let _ = sandbox.run("vopr --seed 18446744073709551615 -n 2").exits(2);
    let _ = sandbox.run("vopr --no-check --strict").exits(2);
}

#[test]
fn a_small_campaign_is_told_from_its_seed_to_its_table() {
    let outcome = sandbox().run("vopr --scenario swizzle -n 3 --seed 42 -v").exits(0);
    let lines: Vec<&str> = outcome.out.lines().collect();
    assert!(lines[0].starts_with("vopr ") && lines[0].contains("seeds 42..44"), "{}", lines[0]);
    assert_eq!(lines[1], "vopr run --scenario swizzle_clogging --seed 42 --iterations 3");
    for seed in 42..45 {
        assert!(outcome.out.contains(&format!("swizzle_clogging seed {seed}: ")), "{}", outcome.out);
    }
    let _ = outcome.says("evidence").says("events/s").says("held  3 runs");
}

#[test]
fn a_drawn_seed_is_printed_and_gives_the_same_runs_again() {
    let sandbox = sandbox();
    let digests = |outcome: &Outcome| -> Vec<String> {
        let ok = outcome.out.lines().filter(|line| line.starts_with("ok"));
        let mut ok: Vec<String> =
            ok.map(|line| format!("{} {}", line.split(':').next().unwrap(), line.rsplit_once(' ').unwrap().1)).collect();
        ok.sort();
        ok
    };
    let first = sandbox.run("vopr --scenario baseline -n 3 --no-check -v").exits(0);
    let command = first.out.lines().nth(1).unwrap().to_owned();
    let again = sandbox.run(&format!("{command} -v --jobs 1")).exits(0);
    assert_eq!(digests(&first), digests(&again));
    assert_eq!(digests(&first).len(), 3);
    let other = sandbox.run("vopr --scenario baseline -n 3 --no-check -v").exits(0);
    assert_ne!(command, other.out.lines().nth(1).unwrap());
}

#[test]
fn the_environment_stands_in_for_flags() {
    let sandbox = sandbox();
    let outcome =
        sandbox.run("VOPR_ITERATIONS=2 VOPR_SEED=9 VOPR_OUTPUT_DIR=runs vopr --scenario baseline --max-events 500 --no-check").exits(0);
    let _ = outcome.says("--seed 9 --iterations 2").says("--out runs");
    assert_eq!(sandbox.files("runs", ".parquet").len(), 2);
}

#[test]
fn recorded_histories_are_checked_verified_and_replayed() {
    let sandbox = recorded();
    let _ = sandbox.run("vopr-check histories --skip liveness").exits(0).says("evidence  baseline").says("8 runs");
    let _ = sandbox.run("vopr-check histories/*.parquet --scenario baseline --seed 2..3").exits(0).says("2 runs");
    let _ = sandbox.run("vopr-check verify histories").exits(0).says("whole  histories/baseline-1-1.parquet: 1 run");
    let _ = sandbox.run("vopr replay histories").exits(0).says("8 of 8 runs identical");
    let _ = sandbox.run("vopr replay histories --run 3").exits(0).says("2 of 2 runs identical");
    let _ = sandbox.run("vopr replay histories --run 77").exits(5);
    let _ = sandbox.run("vopr-check histories --seed 77").exits(5);
}

#[test]
fn inputs_that_cannot_be_taken_are_named_and_take_no_other_with_them() {
    let sandbox = recorded();
    let whole = std::fs::read(sandbox.path("histories/baseline-1-1.parquet")).unwrap();
    std::fs::create_dir(sandbox.path("bad")).unwrap();
    sandbox.write("bad/cut.parquet", &whole[..whole.len() / 2]);
    sandbox.write("bad/empty.parquet", "");
    sandbox.write("bad/text.parquet", "this is no history\n".repeat(50));
    sandbox.write("bad/left.parquet.partial", &whole);
    for name in ["cut", "empty", "text"] {
        let path = format!("bad/{name}.parquet");
        for line in [format!("vopr-check {path}"), format!("vopr-check verify {path}")] {
            let _ = sandbox.run(&line).exits(4).says(&path);
        }
        let _ = sandbox.run(&format!("vopr replay {path}")).exits(4).warns(&path);
    }
    let outcome = sandbox.run("vopr-check bad histories --skip liveness").exits(4).says("8 runs").says("3 files refused");
    let _ = outcome.warns("left.parquet.partial: an unfinished recording");
    let _ = sandbox.run("vopr-check histories/none.parquet").exits(4).says("no such file");
    let _ = sandbox.run("vopr-check bad/left.parquet.partial").exits(4).says("unfinished");
    let _ = sandbox.run("vopr-check 'histories/none*.parquet'").exits(5).warns("no file matches");
    std::fs::create_dir(sandbox.path("void")).unwrap();
    let _ = sandbox.run("vopr-check void").exits(5).warns("no *.parquet");
}

#[test]
fn flipped_bits_are_found_or_change_nothing() {
    let sandbox = recorded();
    let whole = std::fs::read(sandbox.path("histories/swizzle_clogging-1-1.parquet")).unwrap();
    let table = |outcome: &Outcome| outcome.out.split("\n\n").next().unwrap_or_default().to_owned();
    sandbox.write("same.parquet", &whole);
    let expected = table(&sandbox.run("vopr-check same.parquet"));
    let mut found = 0;
    let footer = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap()) as usize;
    let data = 4..whole.len() - 8 - footer;
    for place in (0..40).map(|part| data.start + part * (data.len() - 1) / 39) {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        sandbox.write("same.parquet", &flipped);
        let outcome = sandbox.run("vopr-check same.parquet");
        if outcome.code != Some(4) {
            assert_eq!(table(&outcome), expected, "a flip at byte {place} changed verdicts");
        }
        found += usize::from(sandbox.run("vopr-check verify same.parquet").code == Some(4));
    }
    // A few bytes of page headers say nothing that is used.
    assert!(found >= 38, "only {found} of 40 flips among the pages were found");
}

#[test]
fn objects_for_programs_have_a_format_and_a_type() {
    let sandbox = recorded();
    for (line, format, last) in [
        ("vopr --scenario baseline -n 2 --seed 1 --json -v --no-check", "vopr/1", "summary"),
        ("vopr replay histories --json", "vopr/1", "summary"),
        ("vopr scenarios --json", "vopr/1", "scenario"),
        ("vopr --list-scenarios --json", "vopr/1", "scenario"),
        ("vopr bugs --json", "vopr/1", "bug"),
        ("vopr-check histories --json", "vopr-check/1", "summary"),
        ("vopr stats histories --json", "vopr/1", "summary"),
        ("vopr-check --list-invariants --json", "vopr-check/1", "elsewhere"),
        ("vopr-check verify histories --json", "vopr-check/1", "verify"),
    ] {
        let objects = objects(&sandbox.run(line).exits(0));
        assert!(objects.iter().all(|object| object["format"] == format && object["type"].is_string()), "{line}");
        assert_eq!(objects.last().unwrap()["type"], last, "{line}");
        if ["scenario", "bug", "elsewhere"].contains(&last) {
            assert!(objects.iter().all(|object| object["name"].is_string()), "{line}");
        }
    }
    let runs = objects(&sandbox.run("vopr-check histories --json").exits(0));
    let runs: Vec<&Value> = runs.iter().filter(|object| object["type"] == "run").collect();
    assert_eq!(runs.len(), 8);
    let invariants = vopr_checker::INVARIANTS.len();
    assert!(runs.iter().all(|run| run["verdicts"].as_array().is_some_and(|verdicts| verdicts.len() == invariants)));
}

#[test]
fn junit_is_well_formed_xml() {
    let outcome = recorded().run("vopr-check histories --format junit; vopr-check no.parquet --format junit");
    let mut depth = 0;
    let mut names = Vec::new();
    for tag in outcome.out.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("every tag is closed");
        assert!(!text.contains(['>', '"']), "unescaped text: {text}");
        assert_eq!(tag.matches('"').count() % 2, 0, "unbalanced quotes: {tag}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(names.pop(), Some(name.to_owned()));
            depth -= 1;
        } else if !tag.ends_with('/') && !tag.starts_with('?') {
            names.push(name.to_owned());
            depth += 1;
        }
    }
    assert_eq!((depth, names.len()), (0, 0));
    assert!(outcome.out.contains("<testsuites") && outcome.out.contains("<testcase classname=\"file\" name=\"no.parquet\"><error"));
}

#[test]
fn completions_and_manual_pages_are_there() {
    let sandbox = sandbox();
    for program in ["vopr", "vopr-check"] {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let _ = sandbox.run(&format!("{program} completions {shell}")).exits(0).says(program);
        }
        let _ = sandbox.run(&format!("{program} completions bash > c && bash -n c")).exits(0);
        let _ = sandbox.run(&format!("{program} man")).exits(0).says(".TH").says("Examples:").says("Exit codes");
    }
    let _ = sandbox.run("vopr man").says("check\\-determinism");
}

#[test]
fn unknown_verdicts_are_printed_and_fail_only_where_certainty_is_asked() {
    let sandbox = sandbox();
    let _ = sandbox.run("vopr --scenario baseline -n 1 --seed 1 --no-check --out histories").exits(0);
    let hurried = "vopr-check histories --timeout-per-run 1ms";
    let _ = sandbox.run(hurried).exits(0).says("unknown").says("time limit");
    let _ = sandbox.run(&format!("{hurried} --strict")).exits(3).says("inconclusive");
}

#[test]
fn a_campaign_that_shows_nothing_is_vacuous() {
    let sandbox = sandbox();
    let run = "vopr --scenario swizzle --no-faults -n 3 --seed 1 --max-events 500";
    let _ = sandbox.run(run).exits(0).says("vacuous");
    let _ = sandbox.run(&format!("{run} --require-evidence --out histories")).exits(3).says("inconclusive");
    let _ = sandbox.run("vopr-check histories --require-evidence").exits(3).says("exercised 0/3");
}

#[test]
fn determinism_is_tested_on_request() {
    let _ = sandbox().run("vopr --scenario combined -n 4 --seed 3 --check-determinism --no-check").exits(0).says("4 runs");
}

#[test]
fn a_seeded_bug_is_caught_and_every_printed_command_works() {
    let sandbox = sandbox();
    let caught = sandbox.run("vopr --scenario baseline --bug lost_update -n 3 --seed 1").exits(1).says("FAILED seed ");
    let caught = caught.says("linearizability");
    let commands = printed_commands(&caught.out, &["reproduce", "record", "check"]);
    assert!(commands.len() >= 3, "{}", caught.out);
    for command in &commands[..3] {
        let outcome = sandbox.run(command).exits(1);
        if command.starts_with("vopr-check") {
            let next = printed_commands(&outcome.out, &["reproduce", "check", "picture"]);
            assert!(next.len() >= 3, "{}", outcome.out);
            for command in next {
                let outcome = sandbox.run(&command);
                let _ =
                    if command.starts_with("vopr replay") { outcome.exits(0).says("identical") } else { outcome.exits(1).says("VIOLATED") };
            }
        }
    }
}

#[test]
fn failing_runs_are_saved_alone_when_asked() {
    let sandbox = sandbox();
    let caught = sandbox.run("vopr --scenario baseline --bug lost_update -n 4 --seed 1 --save-failures kept").exits(1);
    let failed = caught.out.lines().filter(|line| line.starts_with("FAILED")).count();
    assert_eq!(sandbox.files("kept", ".kmb").len(), failed);
    let _ = sandbox.run("vopr-check kept").exits(1).says("linearizability");
    let objects = objects(&sandbox.run("vopr --scenario baseline --bug lost_update -n 4 --seed 1 --json").exits(1));
    let failures: Vec<&Value> = objects.iter().filter(|object| object["type"] == "failure").collect();
    assert_eq!(failures.len(), failed);
    assert!(failures.iter().all(|failure| failure["reproduce"].is_string() && failure["findings"].is_array()));
}

#[test]
fn bugs_are_scored_by_seeds_to_detection() {
    let sandbox = sandbox();
    let line = "vopr bugs --score --bug lost_update --campaigns 2 --max-seeds 20 --json";
    let objects = objects(&sandbox.run(line).exits(0));
    assert!(objects.iter().any(|object| object["caught"] == 2 && object["seeds_median"].is_u64()), "{objects:?}");
    let _ = sandbox.run("vopr bugs").exits(0).says("lost_update").says("caught by");
}

#[test]
fn altered_histories_are_told_from_other_runs() {
    use vopr_schema::read::{HistoryFile, Projection};
    use vopr_schema::write::{HistoryWriter, WriteOptions};
    let sandbox = sandbox();
    let _ = sandbox.run("vopr --scenario baseline -n 1 --seed 1 --no-check --out histories").exits(0);
    let file = HistoryFile::open(&sandbox.path("histories/baseline-1-1.parquet")).unwrap();
    let history = file.read_all(&Projection::all()).unwrap();
    let write = |name: &str, history: &vopr_schema::History| {
        let mut writer = HistoryWriter::create(&sandbox.path(name), file.provenance().clone(), WriteOptions::default()).unwrap();
        writer.write(history).unwrap();
        writer.finish().unwrap();
    };
    let mut altered = history.clone();
    altered.messages.size_bytes[5] += 1;
    write("altered.parquet", &altered);
    let _ = sandbox.run("vopr replay altered.parquet").exits(4).says("altered");
    let _ = sandbox.run("vopr-check verify altered.parquet").exits(4).says("digest is");
    let digest = vopr_schema::digest::run_digest(&altered, 0);
    altered.runs[0].digest = digest;
    write("other.parquet", &altered);
    let outcome = sandbox.run("vopr replay other.parquet").exits(1).says("DIFFERENT").says("the first different row is message row");
    assert!(outcome.out.lines().any(|line| line.contains("size_bytes") && line.ends_with('<')), "{}", outcome.out);
}

#[test]
fn a_reader_that_left_is_no_error_and_a_full_disk_is_one() {
    let sandbox = sandbox();
    let _ = sandbox.run("(vopr scenarios; echo $? > code) | head -n 1 > first; cat code").says("0\n");
    let _ = sandbox.run("(vopr man; echo $? > code) | true; cat code").says("0\n");
    let _ = sandbox.run("vopr scenarios > /dev/full").exits(70);
    sandbox.write("occupied", "a file, not a directory");
    let _ = sandbox.run("vopr --scenario baseline -n 1 --out occupied").exits(2).warns("occupied");
    let _ = sandbox.run("vopr --scenario baseline -n 1 --checkpoint-file none/state.json").exits(2).warns("none/state.json");
}

#[test]
fn a_place_that_cannot_be_written_is_named_before_any_work() {
    let sandbox = sandbox();
    let _ = sandbox.run("vopr --scenario baseline --bug lost_update --seed 1 -n 3 --save-failures kept").exits(1);
    std::fs::create_dir(sandbox.path("taken")).unwrap();
    let bundle = sandbox.files("kept", ".kmb").into_iter().next().expect("it fails");
    let bundle = format!("kept/{}", bundle.file_name().unwrap().to_string_lossy());
    sandbox.write("calls.edn", "{:type :invoke, :f :write, :value 1, :process 0}\n{:type :ok, :f :write, :value 1, :process 0}\n");
    let run = "vopr --scenario baseline -n 1 --max-events 100";
    for (command, is_directory) in [
        (format!("vopr minimize {bundle} -o"), false),
        (format!("vopr timeline {bundle} --html"), false),
        (format!("vopr timeline {bundle} --perfetto"), false),
        (format!("vopr-check {bundle} --report"), false),
        ("vopr-check import calls.edn --model register -o".to_owned(), false),
        (format!("{run} --checkpoint-file"), false),
        (format!("{run} --out"), true),
        (format!("{run} --save-failures"), true),
        ("vopr campaign baseline --seeds 1 --max-events 100 --dir".to_owned(), true),
    ] {
        let places = ["/proc/none/x.kmb", &format!("{bundle}/x.kmb")].map(str::to_owned);
        // Who says - for something that is drawn or made wants to read it at once; a checkpoint may be called so.
        let for_files = ["taken", "-"].iter().filter(|name| !is_directory && (**name != "-" || !command.contains("--checkpoint-file")));
        let for_files = for_files.map(|name| (*name).to_owned());
        for place in places.into_iter().chain(for_files) {
            let told = sandbox.run(&format!("{command} {place}")).exits(2).warns(&place).warns("cannot be written there");
            assert!(!told.out.contains("before  "), "{}: {}", told.line, told.out);
        }
    }
    assert!(sandbox.files(".", ".partial").is_empty(), "nothing is left behind");
}

#[test]
fn a_selection_is_echoed_in_the_words_that_made_it() {
    let sandbox = sandbox();
    let run = "vopr --scenario phase:1 -n 1 --seed 1 --max-events 100 --no-check";
    let _ = sandbox.run(run).exits(0).says("vopr run --scenario phase:1 --seed 1 ");
    let campaign = "vopr campaign phase:1,baseline --seeds 1 --seed 1 --max-events 100 --dir runs";
    let told = sandbox.run(campaign).exits(0).says("vopr campaign phase:1 baseline --seeds 1 ");
    let echoed = told.out.lines().find(|line| line.starts_with("vopr campaign ")).unwrap().replace("--dir runs", "--dir again");
    let _ = sandbox.run(&echoed).exits(0).says(&echoed);
}

#[test]
fn output_for_files_has_no_colours() {
    let outcome = recorded().run("vopr-check histories; vopr --scenario baseline -n 1; vopr --scenario basline");
    assert!(!outcome.out.contains('\u{1b}') && !outcome.err.contains('\u{1b}'), "{outcome:?}");
}

#[test]
fn the_guide_and_the_programs_agree_on_exit_codes() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/command-line.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    for exit in Exit::ALL {
        let (name, meaning) = exit.meaning().split_once(": ").unwrap();
        let row = format!("| {} | {name} | {meaning} |", exit.code());
        assert!(guide.contains(&row), "the guide lacks {row}");
    }
}
