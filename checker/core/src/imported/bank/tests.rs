//! Random little banks, as their files would be, against brute force; and the way to a file and back.

#![expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "numbers are below 100")]

use super::super::Model;
use super::*;
use crate::import::{Brought, Format, Request, bring_text, export, history};
use crate::linearize::brute;
use crate::linearize::trials::{self, Random};
use crate::{Budget, Selection, Verdict, check_run};
use core::fmt::Write;
use std::path::Path;

fn bring(text: &str, request: &Request) -> Brought {
    bring_text(Path::new("bank.edn"), text, request).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn judge(brought: &Brought, invariant: &str) -> Verdict {
    let history = history(core::slice::from_ref(brought));
    check_run(&history, 0, &Selection::only(&[invariant]).expect("registered"), &Budget::default()).remove(0).1
}

/// What a client asked for; places are event numbers, of which two may be equal.
#[derive(Clone, Debug)]
struct Asked {
    invoke: u64,
    returned: u64,
    unknown: bool,
    what: Wish,
}

#[derive(Clone, Debug)]
enum Wish {
    Transfer(usize, usize, i64),
    Read(Vec<i64>),
}

/// A few overlapping calls, answered by a bank that begins with `balances`; some answers are damaged.
fn draw(random: &mut Random, balances: &mut [i64], overdraw: bool) -> Vec<Asked> {
    let plan = trials::instants(random);
    let damaged = [0, 10, 30][random.below(3) as usize];
    let mut asked = Vec::new();
    for (_, invoke, returned) in plan {
        let unknown = random.chance(20);
        let applied = !unknown || random.chance(50);
        let what = if random.chance(55) {
            let (from, to, amount) = (random.below(3) as usize, random.below(3) as usize, 1 + random.below(4) as i64);
            if applied && !overdraw && balances[from] < amount {
                // Refused: such a call is no part of the history.
                continue;
            }
            if applied {
                balances[from] -= amount;
                balances[to] += amount;
            }
            Wish::Transfer(from, to, amount)
        } else {
            let mut seen = balances.to_vec();
            if random.chance(damaged) {
                let (from, to) = (random.below(3) as usize, random.below(3) as usize);
                seen[from] -= 1;
                seen[if random.chance(70) { to } else { from }] += 1 + i64::from(random.chance(20));
            }
            Wish::Read(seen)
        };
        asked.push(Asked { invoke, returned, unknown, what });
    }
    asked
}

/// The file of a history: invocations of one time come before its returns, as closed intervals ask.
fn text(calls: &[Asked]) -> String {
    let mut events = Vec::new();
    for (process, call) in calls.iter().enumerate() {
        let (f, asked, told) = match &call.what {
            Wish::Transfer(from, to, amount) => {
                let value = format!("{{:from {from}, :to {to}, :amount {amount}}}");
                ("transfer", value.clone(), value)
            }
            Wish::Read(seen) => ("read", "nil".to_owned(), format!("{{0 {}, 1 {}, 2 {}}}", seen[0], seen[1], seen[2])),
        };
        events.push((call.invoke * 2, format!("{{:process {process} :type :invoke :f :{f} :value {asked}}}")));
        let (kind, told) = if call.unknown { ("info", asked) } else { ("ok", told) };
        events.push((call.returned * 2 + 1, format!("{{:process {process} :type :{kind} :f :{f} :value {told}}}")));
    }
    events.sort_by_key(|event| event.0);
    events.into_iter().map(|(_, event)| event + "\n").collect()
}

/// Brute force over every start that has this total and no account below `floor`.
fn explained(calls: &[Asked], starts: &[Vec<i64>], floor: i64) -> bool {
    let kept = |balance: i64| (balance - floor) as u64;
    let calls: Vec<Call<LedgerAction>> = calls
        .iter()
        .map(|call| {
            let returned = if call.unknown { NEVER } else { call.returned };
            let action = match &call.what {
                Wish::Transfer(from, to, amount) => LedgerAction::Transfer {
                    from: *from as u32,
                    to: *to as u32,
                    amount: *amount as u64,
                    refused: (!call.unknown).then_some(false),
                },
                // Nobody was told anything.
                Wish::Read(_) if call.unknown => LedgerAction::Balance { first: 0, seen: Box::default() },
                Wish::Read(seen) if seen.iter().any(|balance| *balance < floor) => {
                    LedgerAction::Balance { first: 0, seen: Box::from([u64::MAX; 3]) }
                }
                Wish::Read(seen) => LedgerAction::Balance { first: 0, seen: seen.iter().copied().map(kept).collect() },
            };
            Call { invoke: call.invoke, returned, action }
        })
        .collect();
    let ledger = |start: &Vec<i64>| Ledger::new(vec![0, 1, 2], start.iter().copied().map(kept).collect());
    starts.iter().any(|start| brute::linearizable(&ledger(start), &calls))
}

/// All ways to share out a total among three accounts of at least `floor`.
fn shared_out(total: i64, floor: i64) -> Vec<Vec<i64>> {
    let spare = total - 3 * floor;
    (0..=spare).flat_map(|one| (0..=spare - one).map(move |two| vec![floor + one, floor + two, floor + spare - one - two])).collect()
}

#[test]
fn verdicts_on_files_agree_with_brute_force_whether_or_not_the_start_is_told() {
    let mut random = Random(5);
    let (mut seen, mut conserved) = ([0_u32; 2], [0_u32; 2]);
    for case in 0..6_000 {
        let overdraw = case % 3 == 0;
        let told = case % 2 == 0;
        // Transfers of four each, six of them at most: nobody can fall further.
        let floor = if overdraw { -30 } else { 0 };
        let start: Vec<i64> = (0..3).map(|_| random.below(3) as i64).collect();
        let calls = draw(&mut random, &mut start.clone(), overdraw);
        let snapshots = calls.iter().filter_map(|call| match &call.what {
            Wish::Read(seen) if !call.unknown => Some(seen),
            _ => None,
        });
        let Some(first) = snapshots.clone().next() else { continue };
        if calls.iter().any(|call| matches!(call.what, Wish::Read(ref seen) if seen.iter().any(|balance| *balance < floor))) && overdraw {
            continue;
        }
        // The oracle tries every start with the total of some snapshot; with another total none explains that snapshot.
        let total = first.iter().sum();
        let starts = if told { vec![start.clone()] } else { shared_out(total, if overdraw { -8 } else { 0 }) };
        if overdraw && !told && calls.len() > 4 {
            continue;
        }
        let expected = explained(&calls, &starts, floor);
        let initial = told.then(|| format!("{{0 {}, 1 {}, 2 {}}}", start[0], start[1], start[2]));
        let request = Request { model: Some(Model::Bank), initial, negative_balances: Some(overdraw), ..Request::default() };
        let text = text(&calls);
        let brought = bring(&text, &request);
        let verdict = judge(&brought, "linearizability");
        let name = if expected { "pass" } else { "violation" };
        assert_eq!(verdict.name(), name, "case {case}, start {start:?}: {verdict:#?}\n{text}");
        seen[usize::from(expected)] += 1;
        let conservation = judge(&brought, "conservation");
        assert!(conservation.is_pass() || !expected, "case {case}, start {start:?}: {conservation:#?}\n{text}");
        let adds_up = snapshots.clone().all(|seen| seen.iter().sum::<i64>() == total && (overdraw || seen.iter().all(|one| *one >= 0)));
        assert!(adds_up || conservation.is_violation(), "case {case}: {conservation:#?}\n{text}");
        conserved[usize::from(conservation.is_pass())] += 1;
    }
    assert!(seen.iter().chain(&conserved).all(|count| *count > 200), "{seen:?} {conserved:?}");
}

/// Two transfers in a row through an empty account, both of them under way while the first snapshot is taken.
#[test]
fn a_start_is_found_where_money_only_passes_through_an_account() {
    let calls = [
        Asked { invoke: 0, returned: 9, unknown: false, what: Wish::Read(vec![0, 0, 5]) },
        Asked { invoke: 1, returned: 2, unknown: false, what: Wish::Transfer(0, 1, 5) },
        Asked { invoke: 3, returned: 4, unknown: false, what: Wish::Transfer(1, 2, 5) },
    ];
    let verdict = judge(&bring(&text(&calls), &Request::default()), "linearizability");
    assert!(verdict.is_pass(), "{verdict:#?}");
}

#[test]
fn the_start_is_guessed_up_to_ten_transfers_and_told_beyond() {
    let calls = |transfers: u64| -> Vec<Asked> {
        let read = Asked { invoke: 0, returned: 99, unknown: false, what: Wish::Read(vec![0, 20, 0]) };
        let one = |at| Asked { invoke: at, returned: at, unknown: false, what: Wish::Transfer(0, 1, 1) };
        core::iter::once(read).chain((1..=transfers).map(one)).collect()
    };
    let verdict = |transfers, request: &Request| judge(&bring(&text(&calls(transfers)), request), "linearizability");
    assert!(verdict(10, &Request::default()).is_pass());
    assert_eq!(verdict(11, &Request::default()).name(), "unknown");
    assert!(verdict(11, &Request { initial: Some("{0 11, 1 9, 2 0}".to_owned()), ..Request::default() }).is_pass());
}

#[test]
fn overdrawn_balances_are_told_as_they_are() {
    let calls = [
        Asked { invoke: 0, returned: 1, unknown: false, what: Wish::Transfer(0, 1, 4) },
        Asked { invoke: 2, returned: 3, unknown: false, what: Wish::Read(vec![0, 0, 0]) },
    ];
    let request = Request { negative_balances: Some(true), initial: Some("0".to_owned()), ..Request::default() };
    let verdict = judge(&bring(&text(&calls), &request), "linearizability");
    let witness = verdict.witness().expect("the transfer was done before");
    assert!(witness.summary.contains("{0: -4, 1: 4, 2: 0}"), "{witness:#?}");
}

#[test]
fn without_any_snapshot_no_amount_is_too_large() {
    let calls = [Asked { invoke: 0, returned: 1, unknown: false, what: Wish::Transfer(0, 1, 1 << 50) }];
    assert!(judge(&bring(&text(&calls), &Request::default()), "linearizability").is_pass());
}

/// Accounts with names and numbers, answers without balances, refusals, and processes that go on after an open call.
fn any_file(random: &mut Random) -> String {
    const ACCOUNTS: [&str; 5] = ["0", "7", "-3", ":savings", "\"bob\""];
    let mut open: [Option<(bool, String)>; 3] = Default::default();
    let mut text = String::new();
    for time in 0..random.below(30) {
        let process = random.below(3) as usize;
        let event = |text: &mut String, kind: &str, (transfers, value): (bool, &str)| {
            let f = if transfers { "transfer" } else { "read" };
            writeln!(text, "{{:time {time}, :type :{kind}, :process {process}, :f :{f}, :value {value}}}").expect("a string takes all");
        };
        if let Some((transfers, asked)) = open[process].take() {
            let kind = ["ok", "ok", "fail", "info"][random.below(4) as usize];
            let told = if transfers || kind != "ok" {
                asked
            } else {
                let first = random.below(5) as usize;
                let balance = |random: &mut Random| match random.below(6) {
                    0 => "nil".to_owned(),
                    _ => (random.below(9) as i64 - 3).to_string(),
                };
                let pairs = (0..random.below(5) as usize).map(|n| format!("{} {}", ACCOUNTS[(first + n) % 5], balance(random)));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
            };
            event(&mut text, kind, (transfers, &told));
        } else {
            let transfers = random.chance(50);
            let account = |random: &mut Random| ACCOUNTS[random.below(5) as usize];
            let asked = if transfers {
                format!("{{:from {}, :to {}, :amount {}}}", account(random), account(random), random.below(9))
            } else {
                "nil".to_owned()
            };
            event(&mut text, "invoke", (transfers, &asked));
            open[process] = Some((transfers, asked));
        }
    }
    text
}

#[test]
fn what_is_exported_is_imported_as_the_same_rows() {
    let mut random = Random(9);
    let request = Request {
        format: Some(Format::JepsenEdn),
        model: Some(Model::Bank),
        initial: Some("{:savings 4, 0 -2}".to_owned()),
        total: Some(2),
        negative_balances: Some(true),
        ..Request::default()
    };
    let mut files = 0;
    for _ in 0..500 {
        let text = any_file(&mut random);
        let Ok(brought) = bring_text(Path::new("bank.edn"), &text, &request) else {
            assert!(text.is_empty(), "{text}");
            continue;
        };
        files += 1;
        let whole = history(core::slice::from_ref(&brought));
        let exported = export::jepsen_edn(&whole, 0).expect("Jepsen has banks");
        let again = bring(&exported, &request);
        assert_eq!(again.rows, brought.rows, "{text}\n{exported}");
        assert_eq!(again.settings, brought.settings);
        assert_eq!(super::super::Imported::of_run(&whole.runs[0]), Some(brought.settings));
    }
    assert!(files > 400, "{files}");
}
