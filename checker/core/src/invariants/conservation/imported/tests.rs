//! Banks as Jepsen's test records them: what fires, and what must not.

use crate::import::{Request, bring_text, history};
use crate::{Budget, Selection, Verdict, check_run};
use std::path::Path;

/// Calls one after the other, each of a process of its own.
fn calls(calls: &[(&str, &str, &str)]) -> String {
    let one = |(process, (kind, asked, told)): (usize, &(&str, &str, &str))| {
        let f = if asked.is_empty() { "read" } else { "transfer" };
        let asked = if asked.is_empty() { "nil" } else { asked };
        let told = if told.is_empty() { asked } else { told };
        format!("{{:process {process} :type :invoke :f :{f} :value {asked}}}\n{{:process {process} :type :{kind} :f :{f} :value {told}}}\n")
    };
    calls.iter().enumerate().map(one).collect()
}

fn verdict(text: &str, request: &Request) -> Verdict {
    let brought = bring_text(Path::new("bank.edn"), text, request).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let selection = Selection::only(&["conservation"]).expect("it is registered");
    check_run(&history(&[brought]), 0, &selection, &Budget::default()).remove(0).1
}

fn shape(text: &str, request: &Request) -> String {
    let verdict = verdict(text, request);
    verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}\n{text}")).shape.clone()
}

const MOVE_4: &str = "{:from 0 :to 1 :amount 4}";

fn told(initial: &str) -> Request {
    Request { initial: Some(initial.to_owned()), ..Request::default() }
}

#[test]
fn snapshots_that_add_up_are_facts() {
    let text = calls(&[("ok", "", "{0 10, 1 0}"), ("ok", MOVE_4, ""), ("ok", "", "{1 4, 0 6}"), ("fail", "", ""), ("info", "", "")]);
    for request in [Request::default(), told("{0 10 1 0}"), Request { total: Some(10), ..Request::default() }] {
        let verdict = verdict(&text, &request);
        assert!(verdict.is_pass(), "{verdict:?}");
        assert_eq!(verdict.facts(), 2);
    }
}

#[test]
fn a_total_that_changes_is_a_violation_with_the_story_around_it() {
    let text = calls(&[("ok", "", "{0 10, 1 0}"), ("ok", MOVE_4, ""), ("ok", "", "{0 6, 1 0}"), ("ok", "", "{0 6, 1 1}")]);
    let verdict = verdict(&text, &Request::default());
    let witness = verdict.witness().expect("4 are gone");
    assert_eq!(witness.shape, "wrong_total");
    assert_eq!(witness.summary, "in a read of all balances the balances add up to 6 instead of 10 (wrong: 2 of 3 reads)");
    let steps: Vec<&str> = witness.steps.iter().map(|step| step.words.as_str()).collect();
    assert_eq!(
        steps,
        [
            "the last one that adds up: process 0 reads all balances and is told 0 has 10, 1 has 0",
            "process 1 transfers 4 from account 0 to 1 and is told that it is done",
            "process 2 reads all balances and is told 0 has 6, 1 has 0"
        ]
    );
}

#[test]
fn a_total_that_was_told_is_compared_from_the_first_snapshot_on() {
    let text = calls(&[("ok", "", "{0 10, 1 0}")]);
    assert_eq!(shape(&text, &Request { total: Some(11), ..Request::default() }), "wrong_total");
    assert_eq!(shape(&text, &told("6")), "wrong_total");
    assert!(verdict(&text, &Request { total: Some(10), ..Request::default() }).is_pass());
}

#[test]
fn a_balance_below_zero_is_a_violation_where_it_is_not_allowed() {
    let text = calls(&[("ok", "", "{0 10, 1 0}"), ("ok", "{:from 1 :to 0 :amount 3}", ""), ("ok", "", "{0 13, 1 -3}")]);
    assert_eq!(shape(&text, &Request::default()), "negative_value");
    let allowed = Request { negative_balances: Some(true), ..told("{0 10 1 0}") };
    assert!(verdict(&text, &allowed).is_pass());
}

#[test]
fn an_account_that_is_not_there_and_one_that_is_missing_are_violations() {
    let first = ("ok", "", "{:a 5, :b 5}");
    let verdict = verdict(&calls(&[first, ("ok", "", "{:a 5, :b 5, :c 0}")]), &Request::default());
    let witness = verdict.witness().expect("nobody opened :c");
    assert_eq!((witness.shape.as_str(), witness.summary.as_str()), ("unexpected_key", "in a read of all balances there is no account :c"));
    assert_eq!(shape(&calls(&[first, ("ok", "", "{:a 10}")]), &Request::default()), "nil_balance");
    assert_eq!(shape(&calls(&[first, ("ok", "", "{:a 10, :b nil}")]), &Request::default()), "nil_balance");
    // The first snapshot is not believed where it is told which accounts there are.
    assert_eq!(shape(&calls(&[first]), &told("{:a 10}")), "unexpected_key");
}

#[test]
fn a_state_that_never_was_is_a_violation_though_it_adds_up() {
    let initial = told("{0 10, 1 0}");
    for (seen, good) in [("{0 6, 1 4}", true), ("{0 10, 1 0}", false), ("{0 2, 1 8}", false), ("{0 14, 1 -4}", false)] {
        let text = calls(&[("ok", MOVE_4, ""), ("ok", "", seen)]);
        let request = Request { negative_balances: Some(true), ..initial.clone() };
        if good {
            assert!(verdict(&text, &request).is_pass(), "{seen}");
        } else {
            assert_eq!(shape(&text, &request), "impossible_balance", "{seen}");
        }
    }
    // Whoever never heard of its transfer may have made it, at any time from then on; who was refused has not.
    for (kind, seen, good) in [("info", "{0 6, 1 4}", true), ("info", "{0 10, 1 0}", true), ("fail", "{0 6, 1 4}", false)] {
        let verdict = verdict(&calls(&[(kind, MOVE_4, ""), ("ok", "", seen)]), &initial);
        assert_eq!(verdict.is_pass(), good, "{kind} {seen}: {verdict:?}");
    }
    // A transfer under way may or may not be seen.
    let invoked = "{:process 9 :type :invoke :f :transfer :value {:from 0 :to 1 :amount 4}}\n";
    for seen in ["{0 6, 1 4}", "{0 10, 1 0}"] {
        let text = format!("{invoked}{}{}", calls(&[("ok", "", seen)]), invoked.replace("invoke", "ok"));
        assert!(verdict(&text, &initial).is_pass(), "{seen}");
    }
}

#[test]
fn without_snapshots_and_in_other_models_there_is_nothing_to_judge() {
    assert_eq!(verdict(&calls(&[("ok", MOVE_4, "")]), &Request::default()).name(), "not_applicable");
    let register = "{:process 0 :type :invoke :f :write :value 1}{:process 0 :type :ok :f :write :value 1}";
    assert_eq!(verdict(register, &Request::default()).name(), "not_applicable");
}

#[test]
fn settings_that_fit_no_bank_are_refused() {
    let register = "{:process 0 :type :invoke :f :write :value 1}";
    let bank = calls(&[("ok", "", "{0 10, 1 0}")]);
    let cases = [
        (register, Request { total: Some(1), ..Request::default() }, "which the model register lacks"),
        (register, Request { negative_balances: Some(false), ..Request::default() }, "which the model register lacks"),
        (&bank, told(":much"), "accounts hold a whole number at first"),
        (&bank, told("{0 :much}"), "accounts hold a whole number at first"),
        (&bank, told("{}"), "accounts hold a whole number at first"),
    ];
    for (text, request, expected) in cases {
        let error = bring_text(Path::new("h"), text, &request).expect_err("refused").to_string();
        assert!(error.contains(expected), "{error}");
    }
}
