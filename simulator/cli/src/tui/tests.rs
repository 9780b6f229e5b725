//! The browser on a made-up campaign: what is drawn, and where keys lead.

use super::*;
use crate::campaign_dir::{Begin, FORMAT, FailureLine, Line, Outcome, RunLine};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::path::Path;

fn failing(seed: u64, invariant: &str) -> RunLine {
    let failure = FailureLine {
        fingerprint: format!("{invariant}-1"),
        causes: Vec::new(),
        invariant: invariant.to_owned(),
        sentence: format!("{invariant} is broken by seed {seed}"),
        also: Vec::new(),
    };
    RunLine {
        scenario: "combined".to_owned(),
        seed,
        outcome: Outcome::Failed,
        failure: Some(failure),
        undecided: Vec::new(),
        missing: None,
        events: 1_000 + seed,
        rows: 10,
        operations: 1,
        facts: 5,
        simulating_ns: 1,
        checking_ns: 1,
        cpu_ns: 2,
        situations: core::iter::once(("view_skipped".to_owned(), 1)).collect(),
        digest: None,
        file: None,
        at_ms: 1_764_000_000_000 + seed,
    }
}

fn campaign(folder: &Path, runs: &[RunLine]) {
    let begin = Begin { format: FORMAT.to_owned(), plan: None, version: "1".to_owned(), commit: "abc".to_owned(), threads: 1, at_ms: 0 };
    let lines = core::iter::once(Line::Begin(Box::new(begin))).chain(runs.iter().cloned().map(|run| Line::Run(Box::new(run))));
    let text: String = lines.map(|line| line.text()).collect();
    std::fs::write(folder.join("runs-p-1.jsonl"), text).expect("a line can be written");
}

fn press(state: &mut State, codes: &[KeyCode]) {
    for code in codes {
        state.key(KeyEvent::new(*code, KeyModifiers::NONE));
    }
}

fn text(state: &State) -> String {
    once(state, 120, 24).join("\n")
}

#[test]
fn groups_are_listed_and_looked_into_down_to_a_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs: Vec<RunLine> = [(4, "liveness"), (5, "liveness"), (9, "clock")].map(|(seed, name)| failing(seed, name)).into();
    campaign(folder.path(), &runs);
    let mut state = State::new(Directory::open(folder.path()).expect("it is read"));
    let groups = text(&state);
    assert!(groups.contains("3 runs · 3 failed") && groups.contains("2 groups of failures, 2 new"), "{groups}");
    assert!(groups.contains("> new") && groups.contains("liveness is broken by seed 4"), "{groups}");
    press(&mut state, &[KeyCode::Enter, KeyCode::Down, KeyCode::Down, KeyCode::Down]);
    assert_eq!(state.screen().1, 1, "the last line is the last one");
    let runs = text(&state);
    assert!(runs.contains(" liveness-1 ") && runs.contains("1 005"), "{runs}");
    press(&mut state, &[KeyCode::Enter]);
    let run = text(&state);
    assert!(run.contains(" combined seed 5 ") && run.contains("no bundle of this run was kept"), "{run}");
    press(&mut state, &[KeyCode::Esc, KeyCode::Esc, KeyCode::Esc, KeyCode::Down]);
    assert_eq!((state.screens.len(), state.screen().1), (1, 1));
    press(&mut state, &[KeyCode::Char('q')]);
    assert!(state.is_over);
}

#[test]
fn what_is_written_meanwhile_is_seen_and_the_choice_stays_with_its_group() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = [failing(4, "clock"), failing(5, "clock"), failing(9, "liveness")];
    campaign(folder.path(), &first);
    let mut state = State::new(Directory::open(folder.path()).expect("it is read"));
    press(&mut state, &[KeyCode::Down]);
    let chosen = |state: &State| state.directory.groups()[state.screen().1].0.invariant().to_owned();
    assert_eq!(chosen(&state), "liveness");
    let more = [10, 11, 12].map(|seed| failing(seed, "liveness"));
    campaign(folder.path(), &[&first[..], &more].concat());
    press(&mut state, &[KeyCode::Char('r')]);
    assert_eq!((chosen(&state).as_str(), state.screen().1), ("liveness", 0), "it has most runs now");
    assert!(text(&state).contains("6 runs · 6 failed"));
}

#[test]
fn an_empty_campaign_and_a_small_screen_are_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    campaign(folder.path(), &[]);
    let mut state = State::new(Directory::open(folder.path()).expect("it is read"));
    press(&mut state, &[KeyCode::Enter, KeyCode::PageDown, KeyCode::End]);
    assert!(text(&state).contains("no failures so far"));
    assert_eq!(once(&state, 20, 5).len(), 5);
}
