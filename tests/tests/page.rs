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
    let _ = sandbox.run("vopr-check good --report nowhere/out.html").exits(70).warns("nowhere/out.html");
}
