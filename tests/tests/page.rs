//! `vopr-check --report`: the page as a file. What it does in a browser is tested by tools/browser/test.sh.

use e2e::sandbox::Sandbox;
use serde_json::Value;

fn recorded() -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    let broken = "vopr --scenario crash_during_view_change --bug stale_primary_serves_reads --seed 9 -n 2 --save-failures failing";
    let _ = sandbox.run(broken).exits(1);
    let _ = sandbox.run("vopr --scenario baseline --seed 1 -n 2 --max-events 2000 --out good").exits(0);
    sandbox
}

/// What the page knows.
fn about(sandbox: &Sandbox, name: &str) -> (String, Value) {
    let html = std::fs::read_to_string(sandbox.path(name)).expect("the page was written");
    let start = "<script type=\"application/json\" id=\"about\">";
    let text = html.split_once(start).and_then(|(_, rest)| rest.split_once("</script>")).expect("the page has data").0;
    let about = serde_json::from_str(text).expect("JSON");
    (html, about)
}

#[test]
fn a_page_holds_the_failing_runs_and_their_rows() {
    let sandbox = recorded();
    let _ = sandbox.run("vopr-check failing good --report out.html").exits(1).says("VIOLATED").says("--report report.html");
    let (html, about) = about(&sandbox, "out.html");
    let runs = about["runs"].as_array().expect("runs");
    assert!(!runs.is_empty() && runs.iter().all(|run| run["scenario"] == "crash_during_view_change"), "{runs:?}");
    let marks = runs[0]["violations"][0]["marks"].as_array().expect("rows");
    assert!(marks.iter().all(|mark| mark["seq"].is_u64() && mark["kind"].is_string()) && marks.len() > 1);
    assert!(html.contains("id=\"run-0\"") && !html.contains("http://") && !html.contains("https://"));
    assert!(!sandbox.path("out.html.partial").exists());
}

#[test]
fn without_a_failure_the_first_run_is_shown() {
    let sandbox = recorded();
    let _ = sandbox.run("vopr-check good --report out.html --format json").exits(0);
    let (_, about) = about(&sandbox, "out.html");
    assert_eq!(about["runs"].as_array().map(Vec::len), Some(1));
    assert_eq!((&about["runs"][0]["seed"], &about["runs"][0]["violations"]), (&Value::from("1"), &serde_json::json!([])));
    assert!(about["lines"].as_array().is_some_and(|lines| lines.len() > 20));
}

#[test]
fn a_page_that_cannot_be_written_is_an_error() {
    let sandbox = recorded();
    let _ = sandbox.run("vopr-check good --report nowhere/out.html").exits(2).warns("nowhere/out.html");
}

#[test]
fn a_run_is_drawn_in_the_terminal_and_as_a_page() {
    let sandbox = recorded();
    let file = sandbox.files("failing", ".kmb").first().expect("a run failed").display().to_string();
    let around = sandbox.run(&format!("vopr timeline {file} --around-violation --show-messages --show-faults")).exits(0);
    let around = around.says("VIOLATED").says("| replica 0").says("[1]").says("request 14 -> r").says("that the violation does not cite");
    let whole = sandbox.run(&format!("vopr timeline {file} --show-messages --show-faults")).exits(0);
    assert!(around.out.lines().count() * 2 < whole.out.lines().count(), "a part of the run is around the violation");
    let late = sandbox.run(&format!("vopr timeline {file} --from 2s --to 3s --replica 1 --client 0")).exits(0);
    assert!(!late.out.contains("| replica 0") && !late.out.contains("| client 3"), "{}", late.out);
    let times = late.out.lines().filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    assert!(times.clone().count() > 0 && times.clone().all(|time| (2.0..=3.0).contains(&time)), "{}", late.out);
    let _ = sandbox.run(&format!("vopr timeline {file} --html out.html")).exits(0).says("out.html");
    let (_, about) = about(&sandbox, "out.html");
    assert!(about["runs"][0]["violations"][0]["marks"].as_array().is_some_and(|marks| !marks.is_empty()));
    let good = sandbox.files("good", ".parquet").first().expect("runs were recorded").display().to_string();
    let _ = sandbox.run(&format!("vopr timeline {good} --run 1 --around-violation")).exits(5).warns("no invariant is violated");
    let _ = sandbox.run(&format!("vopr timeline {good} --run 99")).exits(5);
}
