//! The way from a red line to the cause, as a person goes it: pictures on narrow screens, histories of other systems, what was killed
//! half-way, and places where no file can be.

use e2e::sandbox::{Sandbox, printed_commands};

const STALE: &str = "vopr run --scenario crash_during_view_change --bug stale_primary_serves_reads --seed 10 -n 1 --save-failures kept";
const BUNDLE: &str = "kept/crash_during_view_change-stale_primary_serves_reads-10.kmb";

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"))
}

/// Transactions over lists of which one reads less than was there; nobody wrote down times.
const LISTS: &str = "{:process 0 :type :invoke :f :txn :value [[:append 1 1]]}
{:process 0 :type :ok :f :txn :value [[:append 1 1]]}
{:process 0 :type :invoke :f :txn :value [[:append 1 2]]}
{:process 0 :type :ok :f :txn :value [[:append 1 2]]}
{:process 1 :type :invoke :f :txn :value [[:r 1 nil]]}
{:process 1 :type :ok :f :txn :value [[:r 1 [1 2]]]}
{:process 1 :type :invoke :f :txn :value [[:r 1 nil] [:append 2 7]]}
{:process 1 :type :ok :f :txn :value [[:r 1 [1]] [:append 2 7]]}
";

#[test]
fn no_line_of_a_picture_is_wider_than_what_was_asked_for() {
    let sandbox = sandbox();
    let _ = sandbox.run(STALE).exits(1);
    for (width, limit) in [(0, 40), (40, 40), (70, 70), (120, 120)] {
        let picture = sandbox.run(&format!("vopr timeline {BUNDLE} --show-messages --show-faults --width {width}")).exits(0);
        let widest = picture.out.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(limit), "{widest:?} instead of {limit}");
    }
    let narrow = sandbox.run(&format!("vopr timeline {BUNDLE} --around-violation --width 40")).exits(0);
    let _ = narrow.says("r2: committed op").says("c3: > read k2").says("c3: < ok 1.2.5");
}

#[test]
fn the_answer_that_breaks_the_rule_is_in_the_picture() {
    let sandbox = sandbox();
    let _ = sandbox
        .run(
            STALE
                .replace("--seed 10", "--seed 777007003")
                .replace("crash_during_view_change", "gray_failure_intermittent_network")
                .as_str(),
        )
        .exits(1);
    let file = "kept/gray_failure_intermittent_network-stale_primary_serves_reads-777007003.kmb";
    let picture = sandbox.run(&format!("vopr timeline {file} --around-violation")).exits(0);
    let told: Vec<&str> = picture.out.lines().filter(|line| line.contains("  [4]  ")).collect();
    // The read and, a quarter of a second later, what it was told.
    assert!(told.len() == 2 && told[0].ends_with("> read k2") && told[1].ends_with("< ok 1.1.3"), "{}", picture.out);
}

#[test]
fn nobody_is_asked_for_who_is_not_there() {
    let sandbox = sandbox();
    let _ = sandbox.run(STALE).exits(1);
    let asked = |filter: &str| sandbox.run(&format!("vopr timeline {BUNDLE} {filter}"));
    let _ = asked("--replica 1,9").exits(2).warns("no replica 9 is in this run; there: 0, 1, 2");
    let _ = asked("--client 40").exits(2).warns("no client 40");
    let _ = asked("--tenant 3").exits(2).warns("no tenant 3 is in this run; there: 0");
    let _ = asked("--tenant 0 --key 2").exits(0).says("> read k2");
}

#[test]
fn a_history_of_another_system_is_shown_and_never_simulated() {
    let sandbox = sandbox();
    sandbox.write("lists.edn", LISTS);
    let _ = sandbox.run("vopr-check import --from elle lists.edn -o lists.parquet").exits(0);
    let _ = sandbox.run("vopr show lists.parquet --events").exits(0).says("recorded by another system").says("list_transaction");
    let _ = sandbox.run("vopr show lists.parquet --json").exits(0).says("\"scenario\":\"elle\"");
    for command in ["repro", "bisect", "minimize -o small.kmb"] {
        let _ = sandbox.run(&format!("vopr {command} lists.parquet")).exits(4).warns("recorded by another system");
    }
    let _ = sandbox.run("vopr replay lists.parquet").exits(4).says("another system recorded it");
    let told = sandbox.run("vopr diagnose lists.parquet").exits(0);
    let commands = printed_commands(&told.out, &["reproduce", "minimize", "first event", "check", "picture"]);
    assert_eq!(commands.len(), 2, "{}", told.out);
    for (command, code) in commands.iter().zip([1, 0]) {
        let _ = sandbox.run(command).exits(code);
    }
    // Nobody knows when anything happened, and nobody is told so.
    let picture = sandbox.run("vopr timeline lists.parquet --around-violation").exits(0);
    let _ = picture.says("process 1").says("> transaction: read k1, k2 <- 7").says("< ok, k1: [1]");
    let judged = sandbox.run("vopr-check lists.parquet").exits(1).says("operation row 7");
    assert!(!judged.out.contains("0.000000 s"), "{}", judged.out);
    let _ = sandbox.run("vopr-check lists.edn").exits(4).warns("vopr-check --from jepsen-edn lists.edn");
    let paged = sandbox.run("vopr-check --from elle lists.edn --report page.html").exits(1);
    let _ = paged.warns("only a history that is kept can be drawn: vopr-check import lists.edn -o kept.parquet");
}

#[test]
fn a_campaign_that_goes_on_groups_what_was_done_before_by_its_cause() {
    let sandbox = sandbox();
    // Two groups of one invariant.
    let line = "vopr run --scenario client_session_crash --bug reply_cache_by_number_only --seed 1 --jobs 1";
    let groups = |text: &str| -> Vec<String> { text.lines().filter(|line| line.starts_with("group  ")).map(str::to_owned).collect() };
    let whole = sandbox.run(&format!("{line} -n 8")).exits(1);
    let _ = sandbox.run(&format!("{line} -n 4 --checkpoint-file state.json")).exits(1);
    let resumed = sandbox.run(&format!("{line} -n 8 --checkpoint-file state.json")).exits(1).says("resumed: 4 runs were done before");
    assert!(!groups(&whole.out).is_empty() && groups(&whole.out)[0].contains("8 runs"), "{}", whole.out);
    assert_eq!(groups(&resumed.out), groups(&whole.out));
}

#[test]
fn of_a_smaller_run_it_is_said_who_is_left() {
    let sandbox = sandbox();
    let _ = sandbox.run(STALE).exits(1);
    assert!(!sandbox.run(&format!("vopr show {BUNDLE}")).exits(0).out.contains("at work"));
    let _ = sandbox.run(&format!("vopr minimize {BUNDLE} -o small.kmb")).exits(0).says("2 operations");
    let _ = sandbox.run("vopr show small.kmb").exits(0).says("4 clients of 1 tenant, 2 of them at work");
    let _ = sandbox.run("vopr stats small.kmb --no-check").exits(0).says("in the one scenario");
}

#[test]
fn a_device_or_a_pipe_is_never_replaced_by_a_file() {
    let sandbox = sandbox();
    let _ = sandbox.run(STALE).exits(1);
    let made = std::process::Command::new("mkfifo").arg(sandbox.path("pipe")).status().expect("mkfifo runs");
    assert!(made.success());
    for command in ["timeline --html pipe", "timeline --perfetto pipe", "minimize -o pipe"] {
        let _ = sandbox.run(&format!("vopr {command} {BUNDLE}")).exits(2).warns("it is a device or a pipe, and no file");
    }
    let _ = sandbox.run(&format!("vopr-check {BUNDLE} --report pipe")).exits(2).warns("it is a device or a pipe, and no file");
    let kind = std::fs::metadata(sandbox.path("pipe")).expect("it is still there").file_type();
    assert!(std::os::unix::fs::FileTypeExt::is_fifo(&kind));
}

#[test]
fn what_is_printed_about_several_runs_can_be_pasted() {
    let sandbox = sandbox();
    let _ = sandbox.run("vopr run --scenario baseline --bug lost_update --seed 1 -n 24 --max-events 2000 --out runs").exits(1);
    let mut shown = sandbox.files("runs", ".parquet").into_iter().map(|file| sandbox.run(&format!("vopr show {}", file.display())));
    let listed = shown.find(|shown| shown.out.contains("one of them: ")).expect("a file holds several runs");
    let command = listed.out.lines().last().and_then(|line| line.split_once("one of them: ")).expect("it names a command").1;
    let _ = sandbox.run(command).exits(0).says("baseline seed ");
    let judged = sandbox.run("vopr-check runs").exits(1);
    let diagnose = printed_commands(&judged.out, &["diagnose"]);
    assert!(!diagnose.is_empty(), "{}", judged.out);
    let _ = sandbox.run(&diagnose[0]).exits(0).says("update_on_stale_value");
}

#[test]
fn what_no_imported_history_is_about_does_not_hide_what_it_is_about() {
    let sandbox = sandbox();
    sandbox.write("lists.edn", LISTS);
    let _ = sandbox.run("vopr-check import --from elle lists.edn -o lists.parquet").exits(0);
    let brief = sandbox.run("vopr-check lists.parquet").exits(1).says("invariants more: not applicable");
    assert!(!brief.out.contains("vsr_agreement"), "{}", brief.out);
    let verbose = sandbox.run("vopr-check lists.parquet --verbose").exits(1).says("vsr_agreement");
    assert!(!verbose.out.contains("invariants more"), "{}", verbose.out);
}
