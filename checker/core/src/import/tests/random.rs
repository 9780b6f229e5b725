//! Random small histories written as files: what the whole way says of them, against brute force that never saw a file.
//!
//! Each history is imported and judged, exported, imported and judged once more. Values are numbers, words or texts by turns.

use super::*;
use crate::linearize::trials::{Generator, Random, history_of};
use crate::linearize::{Call, NEVER, brute};
use crate::models::counter::{Counter, CounterAction};
use crate::models::keys::{ABSENT, Keys, KeysAction};
use crate::models::queue::{Dequeued, Queue, QueueAction};
use crate::models::register::{Register, RegisterAction};
use crate::models::set::{Set, SetAction};
use crate::models::text::{Text, TextAction};
use crate::transactions::oracle::{Workload, random_history, serializable};
use crate::transactions::{self, Level, Micro, Order, Standing, Transactions};

/// How values are written.
#[derive(Clone, Copy)]
struct Style(usize);

impl Style {
    fn value(self, number: u64) -> String {
        match self.0 % 4 {
            0 => number.to_string(),
            1 => format!(":v{number}"),
            2 => format!("\"v {number}\""),
            _ => format!("-{}", number + 1),
        }
    }

    fn optional(self, number: Option<u64>) -> String {
        number.map_or_else(|| "nil".to_owned(), |number| self.value(number))
    }
}

/// A call as a file has it: function, what is asked, what is told, and how it ends if it does.
type Line = (&'static str, String, String, &'static str);

fn done(function: &'static str, value: String) -> Line {
    (function, value.clone(), value, "ok")
}

fn told(function: &'static str, told: String) -> Line {
    (function, "nil".to_owned(), told, "ok")
}

/// Models whose calls can be written to a file.
trait Written: Generator {
    /// None for actions that no file has.
    fn line(&self, action: &Self::Action, style: Style) -> Option<Line>;
}

impl Written for Register {
    fn line(&self, action: &RegisterAction, style: Style) -> Option<Line> {
        Some(match *action {
            RegisterAction::Read { seen } => told("read", style.optional(seen)),
            RegisterAction::Write { value } => done("write", style.value(value)),
            RegisterAction::CompareAndSet { expected, value, set } => {
                let pair = format!("[{} {}]", style.optional(expected), style.value(value));
                ("cas", pair.clone(), pair, if set == Some(false) { "fail" } else { "ok" })
            }
            RegisterAction::Add { .. } => return None,
        })
    }
}

impl Written for Set {
    fn line(&self, action: &SetAction, style: Style) -> Option<Line> {
        Some(match action {
            SetAction::Add { element } => done("add", style.value(*element)),
            SetAction::Remove { element } => done("remove", style.value(*element)),
            SetAction::Contains { element, found } => ("contains", style.value(*element), found.to_string(), "ok"),
            SetAction::Read { seen } => {
                let seen: Vec<String> = seen.iter().rev().map(|element| style.value(*element)).collect();
                told("read", format!("#{{{}}}", seen.join(" ")))
            }
        })
    }
}

impl Written for Queue {
    fn line(&self, action: &QueueAction, style: Style) -> Option<Line> {
        Some(match *action {
            QueueAction::Enqueue { value } => done("enqueue", style.value(value)),
            QueueAction::Dequeue { told: Dequeued::Value(value) } => told("dequeue", style.value(value)),
            QueueAction::Dequeue { .. } => told("dequeue", "nil".to_owned()),
        })
    }
}

impl Written for Counter {
    fn line(&self, action: &CounterAction, _style: Style) -> Option<Line> {
        Some(match *action {
            CounterAction::Add { amount } => done("add", amount.to_string()),
            CounterAction::Read { seen } => told("read", seen.to_string()),
        })
    }
}

impl Written for Text {
    fn line(&self, action: &TextAction, _style: Style) -> Option<Line> {
        Some(match action {
            TextAction::Get { seen } => told("get", format!("\"{seen}\"")),
            TextAction::Put { text } => done("put", format!("\"{text}\"")),
            TextAction::Append { text } => done("append", format!("\"{text}\"")),
        })
    }
}

impl Written for Keys {
    fn line(&self, action: &KeysAction, style: Style) -> Option<Line> {
        let read = |slot: u32, seen: Option<u64>| format!("[:read {slot} {}]", style.optional(seen));
        let step = |action: &RegisterAction, slot: u32| match *action {
            RegisterAction::Read { seen } => Some(read(slot, seen)),
            RegisterAction::Write { value } => Some(format!("[:write {slot} {}]", style.value(value))),
            _ => None,
        };
        let steps: Vec<String> = match action {
            KeysAction::One { slot, action } => vec![step(action, *slot)?],
            KeysAction::Scan { first, seen } => {
                (*first..).zip(seen).map(|(slot, seen)| read(slot, (*seen != ABSENT).then_some(*seen))).collect()
            }
            KeysAction::Transaction { reads, writes } => {
                let reads = reads.iter().map(|(slot, seen)| read(*slot, (*seen != ABSENT).then_some(*seen)));
                reads.chain(writes.iter().map(|(slot, value)| format!("[:write {slot} {}]", style.value(*value)))).collect()
            }
        };
        Some(done("txn", format!("[{}]", steps.join(" "))))
    }
}

/// The file of a history; at equal times invocations stand before completions, because intervals are closed.
fn file<M: Written>(model: &M, calls: &[Call<M::Action>], style: Style, key: Option<u64>, first: usize) -> Vec<(u64, bool, String)> {
    let mut events = Vec::new();
    for (process, call) in (first..).zip(calls) {
        let (function, asked, told, ending) = model.line(&call.action, style).expect("only what a file can have was asked for");
        let of = |value: &str| key.map_or_else(|| value.to_owned(), |key| format!("[{key} {value}]"));
        let line = |kind: &str, value: &str| format!("{{:process {process}, :type :{kind}, :f :{function}, :value {}}}", of(value));
        events.push((call.invoke, false, line("invoke", &asked)));
        if call.returned != NEVER {
            events.push((call.returned, true, line(ending, &told)));
        } else if process % 2 == 0 {
            events.push((call.invoke, true, line("info", &asked)));
        }
    }
    events
}

fn text(mut events: Vec<(u64, bool, String)>) -> String {
    events.sort_by_key(|(time, returns, _)| (*time, *returns));
    events.into_iter().map(|(_, _, line)| line + "\n").collect()
}

/// What the whole way says, and says again of what it exported.
fn twice(text: &str, request: &Request) -> [Verdict; 2] {
    let brought = bring_as(text, request).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let exported = export::jepsen_edn(&history(&[brought]), 0).unwrap_or_else(|error| panic!("{error}\n{text}"));
    [judge(text, request), judge(&exported, request)]
}

/// Two objects now and then, with keys: the history is linearizable if both are.
fn agree<M: Written>(name: Model, model: &M, seed: u64, length: u64) {
    let request = Request {
        model: Some(name),
        nil_read: Some(NilRead::Absent),
        failed_cas: Some(FailedCas::Compared),
        initial: (name != Model::Counter).then(|| "nil".to_owned()),
        ..Request::default()
    };
    let mut random = Random(seed);
    let mut verdicts = [0; 2];
    let permitted = |model: &M, random: &mut Random, serial: u64| loop {
        let action = model.request(random, serial);
        if model.line(&action, Style(0)).is_some() {
            return action;
        }
    };
    for case in 0..3_000 {
        let style = Style(case);
        let mut draw = || history_of(model, &mut random, length, case % 2 == 0, permitted);
        let calls = draw();
        let keyed = case % 5 == 0 && !matches!(name, Model::MultiRegister | Model::Kv);
        let other = if keyed { draw() } else { Vec::new() };
        let mut events = file(model, &calls, style, keyed.then_some(3), 0);
        events.extend(file(model, &other, style, Some(8), calls.len()));
        let text = text(events);
        let request = Request { keyed: Some(keyed), ..request.clone() };
        let expected = brute::linearizable(model, &calls) && brute::linearizable(model, &other);
        verdicts[usize::from(expected)] += 1;
        for verdict in twice(&text, &request) {
            let right = if expected { verdict.is_pass() || verdict.name() == "not_applicable" } else { verdict.is_violation() };
            assert!(right, "{name:?}, case {case}: brute force says {expected}, this {verdict:?}\n{text}");
        }
    }
    assert!(verdicts.iter().all(|count| *count > 150), "one-sided cases: {verdicts:?}");
}

#[test]
fn files_of_registers_are_judged_as_brute_force_judges_them() {
    agree(Model::CasRegister, &Register::default(), 1, 7);
}

#[test]
fn files_of_collections_are_judged_as_brute_force_judges_them() {
    agree(Model::Set, &Set, 2, 7);
    agree(Model::Queue, &Queue, 3, 7);
    agree(Model::Counter, &Counter::default(), 4, 7);
}

#[test]
fn files_of_texts_and_of_several_registers_are_judged_as_brute_force_judges_them() {
    agree(Model::Kv, &Text, 5, 7);
    agree(Model::MultiRegister, &Keys::absent(vec![0, 1, 2]), 6, 7);
}

/// Whether elements can be put in and taken out in some order; whoever never learns what was taken may have taken anything.
fn is_a_bag(calls: &[Call<QueueAction>], done: u32, held: &[u64]) -> bool {
    let open = |number: usize| done & (1 << number) == 0;
    let precedes = |one: usize, other: usize| calls[one].returned < calls[other].invoke;
    if (0..calls.len()).all(|number| !open(number) || calls[number].returned == NEVER) {
        return true;
    }
    let free = (0..calls.len()).filter(|number| open(*number) && !(0..calls.len()).any(|other| open(other) && precedes(other, *number)));
    free.into_iter().any(|number| {
        let without = |place: usize| [&held[..place], &held[place + 1..]].concat();
        let next: Vec<Vec<u64>> = match calls[number].action {
            QueueAction::Enqueue { value } => vec![[held, &[value]].concat()],
            QueueAction::Dequeue { told: Dequeued::Empty } => held.is_empty().then(Vec::new).into_iter().collect(),
            QueueAction::Dequeue { told: Dequeued::Value(value) } => {
                held.iter().position(|own| *own == value).map(without).into_iter().collect()
            }
            QueueAction::Dequeue { told: Dequeued::Unknown } => (0..held.len()).map(without).collect(),
        };
        next.iter().any(|held| is_a_bag(calls, done | 1 << number, held))
    })
}

#[test]
fn files_of_bags_are_judged_as_brute_force_judges_them() {
    let request = Request { model: Some(Model::Bag), keyed: Some(false), ..Request::default() };
    let (mut random, mut verdicts, mut undecided) = (Random(7), [0; 2], 0);
    for case in 0..3_000 {
        let mut calls = history_of(&Queue, &mut random, 7, case % 2 == 0, Queue::request);
        if case % 3 > 0 {
            calls.retain(|call| call.action != QueueAction::Dequeue { told: Dequeued::Empty });
        }
        let text = text(file(&Queue, &calls, Style(case), None, 0));
        let expected = is_a_bag(&calls, 0, &[]);
        if calls.is_empty() {
            continue;
        }
        for verdict in twice(&text, &request) {
            match verdict.name() {
                "pass" | "not_applicable" => assert!(expected, "case {case}: {verdict:?}\n{text}"),
                "violation" => assert!(!expected, "case {case}: {verdict:?}\n{text}"),
                _ => {
                    undecided += 1;
                    assert!(case % 3 == 0, "case {case}: {verdict:?}\n{text}");
                }
            }
        }
        verdicts[usize::from(expected)] += 1;
    }
    assert!(verdicts.iter().all(|count| *count > 150) && undecided < 200, "{verdicts:?}, {undecided}");
}

/// The file of a history of transactions.
fn transactions_text(history: &Transactions, style: Style) -> String {
    let mut events = Vec::new();
    for (number, row) in history.transactions().iter().enumerate() {
        let step = |micro: &Micro, told: bool| match *micro {
            Micro::Append { key, value } => format!("[:append {key} {}]", style.value(value)),
            Micro::Write { key, value } => format!("[:w {key} {}]", style.value(value)),
            micro if !told => format!("[:r {} nil]", micro.key()),
            Micro::ReadList { key, start, end } => {
                let list: Vec<String> = history.elements(start, end).iter().map(|value| style.value(*value)).collect();
                format!("[:r {key} [{}]]", list.join(" "))
            }
            Micro::ReadValue { key, value } => format!("[:r {key} {}]", style.value(value)),
            Micro::ReadAbsent { key } => format!("[:r {key} nil]"),
        };
        let steps = |told: bool| history.micro(number).iter().map(|micro| step(micro, told)).collect::<Vec<String>>().join(" ");
        let line = |kind: &str, told: bool| format!("{{:type :{kind}, :process {}, :f :txn, :value [{}]}}", row.process, steps(told));
        events.push((row.invoke, false, line("invoke", false)));
        match row.outcome {
            transactions::Outcome::Committed => events.push((row.complete, true, line("ok", true))),
            transactions::Outcome::Aborted => events.push((row.complete, true, line("fail", false))),
            transactions::Outcome::Unknown if number % 2 == 0 => events.push((row.invoke, true, line("info", false))),
            transactions::Outcome::Unknown => {}
        }
    }
    text(events)
}

#[test]
fn files_of_transactions_are_judged_as_brute_force_judges_them() {
    let workloads = [Workload::ListAppend, Workload::Register, Workload::RepeatedList, Workload::RepeatedRegister];
    for (seed, workload) in (1..).zip(workloads) {
        let lists = matches!(workload, Workload::ListAppend | Workload::RepeatedList);
        let model = if lists { Model::ListAppend } else { Model::RwRegister };
        let request = Request { model: Some(model), ..Request::default() };
        let (mut random, mut standings) = (transactions::oracle::Random(seed), [0; 3]);
        for case in 0..1_500 {
            let drawn = random_history(&mut random, workload, 6);
            let text = transactions_text(&drawn, Style(case));
            let truth = serializable(&drawn, Order::RealTime);
            let direct = transactions::analyze(&drawn, &transactions::Options::default(), &Budget::default().meter()).expect("no limits");
            let direct = direct.standing(Level::StrictSerializable);
            let brought = bring_as(&text, &request).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let exported = export::jepsen_edn(&history(&[brought]), 0).unwrap_or_else(|error| panic!("{error}\n{text}"));
            for text in [&text, &exported] {
                let verdict = judge_by("serializability", text, &request);
                let (standing, right) = match verdict.name() {
                    "pass" => (Standing::Holds, truth),
                    "violation" => (Standing::Refuted, !truth),
                    // Nothing was read.
                    "not_applicable" => (direct, truth),
                    _ => (Standing::Undecided, workload != Workload::ListAppend),
                };
                // The search for an order of registers takes other ways where transactions stand in another order.
                let same = standing == direct || (!lists && [standing, direct].contains(&Standing::Undecided));
                assert!(right && same, "{workload:?}, case {case}: {truth}, {direct:?}, {verdict:?}\n{text}");
                standings[standing as usize] += 1;
            }
        }
        assert!(standings[0] > 300 && standings[2] > 60, "{workload:?}: {standings:?}");
    }
}
