//! One smallest history for each anomaly, and next to it one that must not raise it; random histories against brute force.
//!
//! Histories are written as Elle's tests write them: one line per transaction.

use super::oracle::{Random, Tally, Workload, compare, random_history};
use super::{Analysis, KeyOrder, Level, Options, Outcome, Standing, Transactions, analyze};
use crate::budget::{Budget, Exhausted};

/// A history from lines `process invoke complete outcome: micro, micro`, where a micro-operation is `a x 1` (append), `r x 1 2`
/// (read of a list), `w x 1` (write), `v x 1` or `v x` (read of a register, absent).
fn history(text: &str) -> Transactions {
    let mut history = Transactions::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, micro) = line.split_once(':').expect("a colon behind the outcome");
        let head: Vec<&str> = head.split_whitespace().collect();
        let number = |place: usize| head[place].parse().expect("a number");
        history.begin(number(0), number(1));
        for micro in micro.split(',') {
            let words: Vec<&str> = micro.split_whitespace().collect();
            let key = u64::from(words[1].as_bytes()[0] - b'a');
            let mut values = words[2..].iter().map(|word| word.parse().expect("a value"));
            match words[0] {
                "a" => values.for_each(|value| history.append(key, value)),
                "r" => history.read_list(key, values),
                "w" => values.for_each(|value| history.write(key, value)),
                _ => history.read(key, values.next_back()),
            }
        }
        let outcome = match head[3] {
            "ok" => Outcome::Committed,
            "fail" => Outcome::Aborted,
            _ => Outcome::Unknown,
        };
        history.end(number(2), outcome);
    }
    history.names.keys = ('a'..='z').map(String::from).collect();
    history
}

fn judged(text: &str, options: Options) -> Analysis {
    analyze(&history(text), &options, &Budget::default().meter()).expect("no limits")
}

fn anomalies(text: &str) -> Vec<&'static str> {
    judged(text, Options::default()).anomalies.iter().map(|anomaly| anomaly.kind.name()).collect()
}

fn names(levels: &[Level]) -> Vec<&'static str> {
    levels.iter().map(|level| level.name()).collect()
}

/// All transactions at once, each by a process of its own.
fn at_once(transactions: &[&str]) -> String {
    let lines: Vec<String> = transactions.iter().enumerate().map(|(place, micro)| format!("{place} 0 9 ok: {micro}")).collect();
    lines.join("\n")
}

#[test]
fn clean_lists_are_strictly_serializable() {
    let analysis = judged("0 0 1 ok: a x 1\n1 2 3 ok: a x 2, r x 1 2\n0 4 5 ok: r x 1 2, a y 1", Options::default());
    assert_eq!(names(&analysis.strongest()), ["strict-serializable"]);
    assert_eq!((analysis.anomalies.len(), analysis.facts), (0, 2));
}

#[test]
fn g0() {
    assert_eq!(anomalies(&at_once(&["a x 1, a y 1", "a x 2, a y 2", "r x 1 2, r y 2 1"])), ["G0"]);
    assert_eq!(anomalies(&at_once(&["a x 1, a y 1", "a x 2, a y 2", "r x 1 2, r y 1 2"])), [""; 0]);
}

#[test]
fn nothing_is_made_of_a_list_to_which_an_element_was_appended_twice() {
    let appends = "0 0 1 ok: a x 1\n0 2 3 ok: a x 1\n";
    for (more, lost) in [("0 4 5 ok: r x 1 1", false), ("0 4 5 ok: r x 1", true), ("0 4 5 fail: a x 2\n0 6 7 ok: r x 1 1 2", true)] {
        let analysis = judged(&format!("{appends}{more}"), Options::default());
        assert_eq!(analysis.standing(Level::StrictSerializable), Standing::Undecided, "{more}, lost or aborted: {lost}");
        assert!(analysis.anomalies.is_empty(), "{analysis:?}");
    }
    assert_eq!(anomalies("0 0 1 fail: a x 1\n0 2 3 ok: a x 1\n0 4 5 ok: r x 1"), [""; 0]);
    assert_eq!(anomalies(&format!("{appends}1 4 5 fail: a y 1\n0 6 7 ok: r x 1 1, r y 1")), ["G1a"]);
}

/// The last one to write each value aborted, which says nothing about the order of the others.
#[test]
fn values_written_again_order_nobody() {
    let text = "0 1 9 ok: v x 2, w x 2\n1 2 2 ok: v x, w x 1, v x 1\n1 5 10 ok: v x 1, w x 2\n2 8 11 fail: w x 1, w x 2\n0 10 14 ok: v x 2";
    assert_eq!(anomalies(text), [""; 0]);
}

#[test]
fn g1a() {
    assert_eq!(anomalies("0 0 1 fail: a x 1\n1 2 3 ok: r x 1"), ["G1a"]);
    assert_eq!(anomalies("0 0 1 info: a x 1\n1 2 3 ok: r x 1"), [""; 0]);
    assert_eq!(anomalies("0 0 1 fail: w x 1\n1 2 3 ok: v x 1"), ["G1a"]);
}

#[test]
fn g1b() {
    assert!(anomalies(&at_once(&["a x 1, a x 2", "r x 1"])).contains(&"G1b"));
    assert_eq!(anomalies(&at_once(&["a x 1, a x 2", "r x 1 2"])), [""; 0]);
    assert!(anomalies(&at_once(&["w x 1, w x 2", "v x 1"])).contains(&"G1b"));
    assert_eq!(anomalies(&at_once(&["w x 1, w x 2", "v x 2"])), [""; 0]);
}

#[test]
fn g1c() {
    assert_eq!(anomalies(&at_once(&["a x 1, r y 1", "a y 1, r x 1"])), ["G1c"]);
    assert_eq!(anomalies(&at_once(&["a x 1, r y", "a y 1, r x 1"])), [""; 0]);
    assert_eq!(anomalies(&at_once(&["w x 1, v y 1", "w y 1, v x 1"])), ["G1c"]);
}

#[test]
fn g_single() {
    let fractured = at_once(&["a x 1, a y 1", "r x 1, r y"]);
    assert_eq!(anomalies(&fractured), ["G-single-item"]);
    assert_eq!(names(&judged(&fractured, Options::default()).refuted()), ["consistent-view", "repeatable-read"]);
    assert_eq!(names(&judged(&fractured, Options::default()).strongest()), ["strong-read-committed"]);
    assert_eq!(anomalies(&at_once(&["a x 1, a y 1", "r x 1, r y 1"])), [""; 0]);
}

#[test]
fn g_nonadjacent() {
    let long_fork = at_once(&["a x 1", "a y 1", "r x 1, r y", "r x, r y 1"]);
    let analysis = judged(&long_fork, Options::default());
    assert_eq!(anomalies(&long_fork), ["G-nonadjacent-item"]);
    assert_eq!(names(&analysis.refuted()), ["repeatable-read", "snapshot-isolation"]);
    assert_eq!(analysis.standing(Level::ConsistentView), Standing::Holds);
    assert_eq!(anomalies(&at_once(&["a x 1", "a y 1", "r x 1, r y", "r x 1, r y 1"])), [""; 0]);
}

#[test]
fn g2_item() {
    let skew = at_once(&["r x, r y, a x 1", "r x, r y, a y 1", "r x 1, r y 1"]);
    let analysis = judged(&skew, Options::default());
    assert_eq!(anomalies(&skew), ["G2-item"]);
    assert_eq!(names(&analysis.refuted()), ["repeatable-read"]);
    assert_eq!(names(&analysis.strongest()), ["strong-snapshot-isolation"]);
    assert_eq!(anomalies(&at_once(&["r x, r y, a x 1", "r x 1, r y, a y 1", "r x 1, r y 1"])), [""; 0]);
}

#[test]
fn cycles_closed_by_a_process() {
    let analysis = |text: &str| names(&judged(text, Options::default()).refuted());
    // The process forgets what it read, though real time by itself would allow it: nobody else saw anything complete before.
    assert_eq!(anomalies("0 0 1 ok: a x 1\n0 2 3 ok: r x"), ["G-single-item-process"]);
    assert_eq!(analysis("0 0 1 ok: a x 1\n0 2 3 ok: r x"), ["strong-session-snapshot-isolation"]);
    assert_eq!(anomalies("0 0 1 ok: a x 1\n0 2 3 ok: r x 1"), [""; 0]);
    assert_eq!(anomalies("0 0 1 ok: r x 1\n0 2 3 ok: a x 1"), ["G1c-process"]);
    assert_eq!(anomalies("0 0 1 ok: a x 2\n0 2 3 ok: a x 1\n1 2 4 ok: r x 1 2"), ["G0-process"]);
    let skew = "0 0 1 ok: r x 1, r y\n0 2 9 ok: r x 1, r y\n1 0 9 ok: a x 1\n2 0 9 ok: a y 1\n";
    assert_eq!(anomalies(skew), [""; 0]);
    let fork = "0 0 1 ok: r x 1\n0 2 9 ok: r y\n1 0 1 ok: r y 1\n1 2 9 ok: r x\n2 0 9 ok: a x 1\n3 0 9 ok: a y 1";
    assert_eq!(anomalies(fork), ["G-nonadjacent-item-process"]);
    let late = "0 0 1 ok: r x, a y 1\n0 2 3 ok: r z\n1 0 3 ok: r y, a z 1, a x 1";
    assert!(anomalies(late).contains(&"G2-item"), "{:?}", anomalies(late));
    let skew = "0 0 1 ok: a z 1\n0 2 3 ok: r x, a y 1\n1 0 3 ok: r y, r z, a x 1";
    assert!(anomalies(skew).contains(&"G2-item"), "{:?}", anomalies(skew));
}

#[test]
fn cycles_closed_by_real_time() {
    assert_eq!(anomalies("0 0 1 ok: a x 1\n1 2 3 ok: r x"), ["G-single-item-realtime"]);
    assert_eq!(names(&judged("0 0 1 ok: a x 1\n1 2 3 ok: r x", Options::default()).refuted()), ["strong-snapshot-isolation"]);
    // At the same instant nothing is before anything.
    assert_eq!(anomalies("0 0 2 ok: a x 1\n1 2 3 ok: r x"), [""; 0]);
    assert_eq!(anomalies("0 0 1 ok: r x 1\n1 2 3 ok: a x 1"), ["G1c-realtime"]);
    assert_eq!(anomalies("0 0 1 ok: a x 2\n1 2 3 ok: a x 1\n2 2 4 ok: r x 1 2"), ["G0-realtime"]);
    // A transaction whose outcome is unknown may have been committed at any time after it was invoked.
    assert_eq!(anomalies("0 0 1 info: a x 1\n1 2 3 ok: r x\n2 4 5 ok: r x 1"), [""; 0]);
    assert_eq!(anomalies("1 2 3 ok: r x 1\n0 4 5 info: a x 1"), ["G1c-realtime"]);
}

#[test]
fn lost_update_and_dirty_update() {
    assert!(anomalies(&at_once(&["r x, a x 1", "r x, a x 2"])).contains(&"lost-update"));
    assert!(!anomalies(&at_once(&["r x, a x 1", "r x 1, a x 2"])).contains(&"lost-update"));
    assert!(anomalies(&at_once(&["v x, w x 1", "v x, w x 2"])).contains(&"lost-update"));
    assert_eq!(anomalies(&at_once(&["v x, w x 1", "v x 1, w x 2"])), [""; 0]);
    assert!(anomalies("0 0 9 fail: a x 1\n1 0 9 ok: a x 2\n2 0 9 ok: r x 1 2").contains(&"dirty-update"));
    assert!(!anomalies("0 0 9 info: a x 1\n1 0 9 ok: a x 2\n2 0 9 ok: r x 1 2").contains(&"dirty-update"));
}

#[test]
fn lists_that_cannot_be() {
    assert!(anomalies(&at_once(&["a x 1", "r x 1 1"])).contains(&"duplicate-elements"));
    assert_eq!(anomalies(&at_once(&["a x 1", "r x 1 7"])), ["garbage-versions"]);
    assert_eq!(anomalies(&at_once(&["a x 1", "a x 2", "r x 1", "r x 2"])), ["incompatible-order"]);
    assert_eq!(anomalies(&at_once(&["a x 1", "a x 2", "r x 1", "r x 1 2"])), [""; 0]);
}

#[test]
fn transactions_that_contradict_themselves() {
    assert_eq!(anomalies(&at_once(&["a x 1, r x"])), ["internal"]);
    assert_eq!(anomalies(&at_once(&["a x 1, r x 1"])), [""; 0]);
    assert!(anomalies(&at_once(&["r x, r x 1", "a x 1"])).contains(&"internal"));
    assert_eq!(anomalies(&at_once(&["w x 1, v x"])), ["internal"]);
    assert_eq!(anomalies(&at_once(&["w x 1, v x 1"])), [""; 0]);
    assert!(anomalies(&at_once(&["v x, v x 1", "w x 1"])).contains(&"internal"));
    assert!(anomalies(&at_once(&["a x 1, a x 2", "r x 2 1"])).contains(&"internal"));
    assert_eq!(anomalies(&at_once(&["r x 1, a x 1"])), ["future-read"]);
    assert_eq!(anomalies(&at_once(&["v x 1, w x 1"])), ["future-read"]);
    assert_eq!(anomalies(&at_once(&["r x, a x 1"])), [""; 0]);
}

#[test]
fn registers_without_an_order_are_proven_by_trying() {
    let analysis = judged(&at_once(&["w x 1, w y 1", "w x 2", "v x 1, v y 1", "v x 2, v y 1"]), Options::default());
    assert_eq!(names(&analysis.strongest()), ["strict-serializable"]);
    // Two readers see two blind writes in opposite orders: no order exists, but none of the known dependencies says so.
    let fork = at_once(&["w x 1", "w x 2", "v x 1, w y 1", "v x 2, v y 1, w z 1", "v x 1, v z 1"]);
    let analysis = judged(&fork, Options::default());
    assert_ne!(analysis.standing(Level::Serializable), Standing::Holds);
}

#[test]
fn a_known_order_of_each_register_finds_more() {
    let skew = "0 0 1 ok: v x 1, v y 1\n1 2 5 ok: v x 1, w y 2\n2 3 4 ok: v y 1, w x 2";
    let linearizable = Options { key_order: KeyOrder::Linearizable, ..Options::default() };
    let found: Vec<_> = judged(skew, linearizable).anomalies.iter().map(|anomaly| anomaly.kind.name()).collect();
    assert_eq!(found, ["G2-item"]);
    let opposite = "0 0 1 ok: w x 1, w y 2\n1 2 3 ok: w x 2, w y 1\n0 4 5 ok: v x 2\n1 6 7 ok: v y 2";
    let sequential = Options { key_order: KeyOrder::Sequential, ..Options::default() };
    assert!(judged(opposite, sequential).anomalies.iter().any(|anomaly| anomaly.kind.name() == "G0"));
    assert!(judged(opposite, Options::default()).anomalies.iter().all(|anomaly| anomaly.kind.name() != "G0"));
    let back = "0 0 1 ok: w x 1\n0 2 3 ok: w x 2\n0 4 5 ok: v x 1\n0 6 7 ok: v x 2";
    assert!(judged(back, sequential).anomalies.iter().any(|anomaly| anomaly.kind.name() == "cyclic-versions"));
}

#[test]
fn a_recorded_order_makes_registers_certain() {
    let mut skew = Transactions::default();
    for (place, (read, write)) in [(0, 1), (1, 0)].into_iter().enumerate() {
        skew.begin(place as u64, 0);
        skew.position(place as u64 + 1);
        skew.read(read, None);
        skew.write(write, 7);
        skew.end(9, Outcome::Committed);
    }
    let analysis = analyze(&skew, &Options::default(), &Budget::default().meter()).expect("no limits");
    assert_eq!(analysis.anomalies[0].kind.name(), "G2-item");
    assert_eq!(names(&analysis.strongest()), ["strong-snapshot-isolation"]);
    assert_eq!(analysis.anomalies[0].transactions.len(), 2);
}

#[test]
fn a_cycle_is_told_in_words() {
    let analysis = judged("0 0 1 ok: a x 1\n1 2 3 ok: r x", Options::default());
    let anomaly = &analysis.anomalies[0];
    assert_eq!(anomaly.transactions.len(), 2);
    assert!(anomaly.reasons.contains(&"T1 read [] of x, without what T0 then did: it appended 1 to it".to_owned()), "{anomaly:?}");
    assert!(anomaly.reasons.contains(&"T0 completed (at 1) before T1 was invoked (at 2)".to_owned()), "{anomaly:?}");
}

#[test]
fn nothing_is_known_of_nothing() {
    let analysis = judged("0 0 1 fail: a x 1", Options::default());
    assert_eq!((analysis.facts, analysis.anomalies.len()), (0, 0));
}

#[test]
fn limits_are_kept() {
    let meter = Budget { memory_bytes: Some(100), ..Budget::default() }.meter();
    assert_eq!(analyze(&history("0 0 1 ok: a x 1"), &Options::default(), &meter), Err(Exhausted::Memory(100)));
}

fn against_brute_force(workload: Workload, seed: u64, histories: u64) -> Tally {
    let (mut random, mut tally) = (Random(seed), Tally::default());
    for _ in 0..histories {
        let drawn = random_history(&mut random, workload, 6);
        compare(&drawn, workload, &mut tally).unwrap_or_else(|words| panic!("{words}"));
    }
    assert!(tally.hold > histories / 4 && tally.refuted > histories / 20, "one-sided: {tally:?}");
    tally
}

#[test]
fn lists_agree_with_brute_force() {
    assert_eq!(against_brute_force(Workload::ListAppend, 1, 3_000).undecided, 0);
}

#[test]
fn registers_never_contradict_brute_force() {
    let tally = against_brute_force(Workload::Register, 2, 3_000);
    assert!(tally.undecided * 10 < tally.hold + tally.refuted, "{tally:?}");
    against_brute_force(Workload::RecordedRegister, 3, 1_000);
    // Of lists whose elements repeat nothing is made; other keys of the same history are judged.
    let tally = against_brute_force(Workload::RepeatedList, 4, 3_000);
    assert!(tally.hold > 300 && tally.undecided > 300, "{tally:?}");
    let tally = against_brute_force(Workload::RepeatedRegister, 5, 3_000);
    assert!(tally.refuted > 150 && tally.undecided > 300, "{tally:?}");
}

/// Twenty readers that saw nothing and twenty appends that nobody saw: one edge for each pair would be too many.
#[test]
fn many_readers_precede_many_writers() {
    let crowd = |lines: &str| {
        let readers = (10..30).map(|process| format!("{process} 10 19 ok: r x"));
        let writers = (30..50).map(|process| format!("{process} 11 19 ok: a x {process}"));
        let lines = lines.lines().map(String::from).chain(readers).chain(writers);
        judged(&lines.collect::<Vec<_>>().join("\n"), Options::default())
    };
    let holds = crowd("0 0 1 ok: a y 1\n1 2 3 ok: r y 1");
    assert_eq!(names(&holds.strongest()), ["strict-serializable"], "{holds:?}");
    let late = crowd("0 0 1 ok: a y 1\n1 2 3 ok: a x 1");
    assert_eq!(late.standing(Level::Serializable), Standing::Holds, "{late:?}");
    assert_eq!(late.standing(Level::StrictSerializable), Standing::Refuted, "{late:?}");
}

/// The shortest cycle has two anti-dependencies; the one with a single one, which refutes more, is longer and lies elsewhere.
#[test]
fn a_long_g_single_is_found_beside_a_short_g_nonadjacent() {
    let long_fork = ["a x 1", "a y 1", "r x 1, r y", "r x, r y 1"];
    let chain = ["a k 1, a a 1", "r a 1, a b 1", "r b 1, a c 1", "r c 1, a d 1", "r d 1, r k"];
    let both = at_once(&[&long_fork[..], &chain[..]].concat());
    let found = anomalies(&both);
    assert!(found.len() == 2 && found.contains(&"G-single-item") && found.contains(&"G-nonadjacent-item"), "{found:?}");
    assert_eq!(judged(&both, Options::default()).standing(Level::ConsistentView), Standing::Refuted);
}
