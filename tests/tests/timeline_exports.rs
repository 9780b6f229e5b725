//! What `vopr timeline` writes for other programs: a trace for Perfetto, a sequence diagram for Mermaid.

use e2e::sandbox::Sandbox;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A sandbox with one failing run, and its file.
fn failing() -> (Sandbox, &'static str) {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    let _ = sandbox.run("vopr --scenario client_session_crash --bug applies_retry_twice --seed 3 -n 1 --save-failures kept").exits(1);
    (sandbox, "kept/client_session_crash-applies_retry_twice-3.kmb")
}

fn trace() -> (Sandbox, Vec<Value>) {
    let (sandbox, file) = failing();
    let _ = sandbox.run(&format!("vopr timeline {file} --perfetto run.json")).exits(0).says("written: run.json");
    let text = std::fs::read_to_string(sandbox.path("run.json")).expect("it is written");
    let whole: Value = serde_json::from_str(&text).expect("it is JSON");
    let events = whole["traceEvents"].as_array().expect("a list of events").clone();
    (sandbox, events)
}

fn of_phase<'a>(events: &'a [Value], phase: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["ph"] == phase)
}

fn track(event: &Value) -> (u64, u64) {
    (event["pid"].as_u64().expect("a process"), event["tid"].as_u64().expect("a thread"))
}

fn time(event: &Value) -> f64 {
    event["ts"].as_f64().expect("a time")
}

#[test]
fn every_arrow_of_a_trace_begins_and_ends_on_a_track_that_has_a_name() {
    let (_sandbox, events) = trace();
    let names = of_phase(&events, "M").filter(|event| event["name"] == "thread_name");
    let tracks: BTreeSet<(u64, u64)> = names.map(track).collect();
    assert!(of_phase(&events, "X").chain(of_phase(&events, "i")).all(|event| tracks.contains(&track(event)) && time(event) >= 0.0));
    let ends = |phase| -> BTreeMap<u64, &Value> {
        let all: Vec<&Value> = of_phase(&events, phase).collect();
        let by_id: BTreeMap<u64, &Value> = all.iter().map(|event| (event["id"].as_u64().expect("a number"), *event)).collect();
        assert_eq!(by_id.len(), all.len(), "a number is used once");
        by_id
    };
    let (starts, finishes) = (ends("s"), ends("f"));
    assert!(starts.len() > 100 && starts.keys().eq(finishes.keys()));
    for (id, start) in &starts {
        let finish = finishes[id];
        assert!(time(start) <= time(finish) && tracks.contains(&track(start)) && tracks.contains(&track(finish)), "{start} {finish}");
    }
}

#[test]
fn spans_of_a_track_follow_each_other_and_faults_and_the_violation_are_marked() {
    let (sandbox, events) = trace();
    let mut tracks: BTreeMap<(u64, u64), Vec<(f64, f64)>> = BTreeMap::new();
    for span in of_phase(&events, "X") {
        let length = span["dur"].as_f64().expect("a length");
        assert!(length >= 0.0, "{span}");
        tracks.entry(track(span)).or_default().push((time(span), time(span) + length));
    }
    for (track, spans) in &mut tracks {
        spans.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0 + 1e-3), "{track:?}");
    }
    assert!(of_phase(&events, "X").any(|span| span["name"].as_str().is_some_and(|name| name.starts_with("primary, view"))));
    let marks = |category: &str| of_phase(&events, "i").filter(|event| event["cat"] == category).count();
    assert!(marks("fault") > 0 && marks("violation") > 0);
    let rows = sandbox.run("vopr show kept/client_session_crash-applies_retry_twice-3.kmb --events --json").exits(0);
    let faults = rows.out.lines().filter(|line| line.contains("\"kind\":\"fault\"")).count();
    assert_eq!(of_phase(&events, "i").filter(|event| event["cat"] == "fault" && event["pid"] == 3).count(), faults);
}

/// What a line of a sequence diagram is, and the columns that it names.
fn parsed(line: &str) -> Option<(&'static str, Vec<String>)> {
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric());
    let no_marks = |text: &str| !text.trim().is_empty() && !text.contains([';', '#']);
    if let Some(rest) = line.strip_prefix("participant ") {
        let (name, title) = rest.split_once(" as ")?;
        return (is_name(name) && no_marks(title)).then(|| ("participant", vec![name.to_owned()]));
    }
    if line.starts_with("%% ") {
        return Some(("comment", Vec::new()));
    }
    let (head, text) = line.split_once(": ").filter(|(_, text)| no_marks(text))?;
    if let Some(name) = head.strip_prefix("Note over ") {
        return is_name(name).then(|| ("note", vec![name.to_owned()]));
    }
    let (from, to) = head.split_once("->>").or_else(|| head.split_once("-x"))?;
    let _ = text;
    (is_name(from) && is_name(to)).then(|| ("arrow", vec![from.to_owned(), to.to_owned()]))
}

#[test]
fn a_diagram_is_short_and_every_line_of_it_can_be_read() {
    let (sandbox, file) = failing();
    for limit in [40, 6] {
        let diagram = sandbox.run(&format!("vopr timeline {file} --mermaid --limit {limit}")).exits(0);
        let mut lines = diagram.out.lines();
        assert_eq!(lines.next(), Some("sequenceDiagram"));
        let read: Vec<_> = lines.map(|line| parsed(line.trim()).unwrap_or_else(|| panic!("cannot be read: {line}"))).collect();
        let declared: BTreeSet<&String> = read.iter().filter(|(kind, _)| *kind == "participant").flat_map(|(_, names)| names).collect();
        assert!(read.iter().flat_map(|(_, names)| names).all(|name| declared.contains(name)));
        let count = |wanted: &str| read.iter().filter(|(kind, _)| *kind == wanted).count();
        assert!(count("note") >= 1 && count("arrow") <= limit, "{}", diagram.out);
        assert!(limit < 40 || count("arrow") > 3, "{}", diagram.out);
    }
    let _ = sandbox.run(&format!("vopr timeline {file} --mermaid --perfetto x.json")).exits(2);
    let _ = sandbox.run("vopr --scenario baseline -n 1 --seed 5 --max-events 500 --out clean").exits(0);
    let _ = sandbox.run("vopr timeline clean/baseline-5-1.parquet --mermaid").exits(5).warns("no invariant is violated");
    let _ = sandbox.run("vopr timeline clean/baseline-5-1.parquet --perfetto clean.json").exits(0);
}

#[test]
fn a_diagram_tells_what_the_diagnosis_cites() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    let run =
        "vopr --scenario byzantine_malicious_view_change --bug unvalidated_view_change_log --seed 41004000 -n 12 --save-failures kept";
    let _ = sandbox.run(run).exits(1);
    let file = sandbox.files("kept", ".kmb").into_iter().next().expect("it fails");
    let bundle = format!("kept/{}", file.file_name().unwrap().to_string_lossy());
    let told = sandbox.run(&format!("vopr diagnose {bundle} --json")).exits(0);
    let diagnosis: Value = serde_json::from_str(told.out.trim()).expect("one object");
    let chain = diagnosis["chain"].as_array().expect("a story");
    let of_kind = |kind: &str| chain.iter().filter(|step| step["kind"] == kind).collect::<Vec<_>>();
    let (messages, faults) = (of_kind("message"), of_kind("fault"));
    assert!(!messages.is_empty() && !faults.is_empty(), "{diagnosis}");
    let diagram = sandbox.run(&format!("vopr timeline {bundle} --mermaid --limit 4")).exits(0).out;
    let seconds = |step: &Value| {
        let time_ns = step["time_ns"].as_u64().expect("a time");
        format!("({}.{:06} s)", time_ns / 1_000_000_000, time_ns % 1_000_000_000 / 1_000)
    };
    for step in messages {
        let command = step["words"].as_str().unwrap().split(' ').next().unwrap().replace('_', " ");
        let is_it = |line: &str| line.contains(&seconds(step)) && line.contains(&command);
        assert!(diagram.lines().any(is_it), "{step} is missing:\n{diagram}");
    }
    for step in faults {
        assert!(diagram.contains(step["words"].as_str().unwrap()), "{step} is missing:\n{diagram}");
    }
}
