//! Whole random histories against brute force over the whole store: rows, objects, projections and engines together.

#![expect(clippy::cast_possible_truncation, reason = "draws are far below 2^32")]

use crate::budget::Budget;
use crate::linearize::trials::{self, Random};
use crate::models::layout::Layout;
use crate::models::store::{Store, Told};
use crate::testing::dialogue::{Dialogue, ask};
use crate::{Selection, Verdict};
use vopr_schema::{Function, OperationRow, Operations, Outcome, Pair};

const LAYOUT: Layout = Layout { tenants: 2, keys_per_tenant: 100, accounts_per_tenant: 4, initial_balance: 100 };

/// A request without an answer, on few keys so that clients meet.
fn request(random: &mut Random) -> OperationRow {
    let tenant = random.below(4) / 3;
    let base = tenant * 100;
    let key = base + random.below(3);
    let value = if random.chance(50) { random.below(3) } else { random.below(1000) };
    let row = |function| OperationRow { tenant: u32::from(tenant == 1), value: Some(value), ..ask(function, key) };
    let pairs = |keys: &[u64], value: Option<u64>| Some(keys.iter().map(|&key| Pair { key, value }).collect());
    match random.below(16) {
        0..3 => row(Function::Write),
        3..5 => OperationRow { value: None, ..row(Function::Read) },
        5 => OperationRow { value: Some(1 + random.below(2)), ..row(Function::ReadModifyWrite) },
        6 => OperationRow { expected: random.below(4).checked_sub(1), ..row(Function::CompareAndSet) },
        7..9 => OperationRow { value: None, key_last: Some(key + random.below(99 - (key - base))), ..row(Function::Scan) },
        9 => OperationRow { value: None, ..row(Function::StreamCreate) },
        10..12 => row(Function::StreamAppend),
        12 => OperationRow { value: Some(random.below(2)), expected: Some(3), ..row(Function::StreamRead) },
        13 => {
            let to = base + random.below(5);
            OperationRow { key_last: Some(to), value: Some(40 + random.below(40)), ..row(Function::Transfer) }
        }
        14 => OperationRow { value: None, key: base, key_last: Some(base + 99), ..row(Function::Balance) },
        _ => {
            let (reads, writes) = (pairs(&[base, base + 1][..random.below(3) as usize], None), pairs(&[key], Some(value)));
            OperationRow { value: None, reads, writes, ..row(Function::Transaction) }
        }
    }
}

fn fill_in(row: &mut OperationRow, told: &Told) {
    row.outcome = if told.error.is_some() { Outcome::Error } else { Outcome::Ok };
    (row.error, row.result) = (told.error, told.result);
    let pairs = told.keys.iter().zip(&told.values).map(|(&key, &value)| Pair { key, value: (value != u64::MAX).then_some(value) });
    row.results = told.has_pairs.then(|| pairs.collect());
}

/// Makes an answer that is probably wrong.
fn damage(random: &mut Random, row: &mut OperationRow) {
    if let Some(pairs) = row.results.as_mut().filter(|pairs| !pairs.is_empty()) {
        let place = random.below(pairs.len() as u64) as usize;
        if random.chance(50) {
            pairs[place].value = Some(random.below(3));
        } else if row.function == Function::Scan {
            pairs.remove(place);
        }
    } else if row.function == Function::CompareAndSet {
        row.result = row.result.map(|result| 1 - result);
    } else if row.result.is_some() || row.function == Function::Read {
        row.result = Some(random.below(3));
    }
}

/// A few overlapping operations: answers come from an execution at random instants, which the log holds, or nearly.
fn history(random: &mut Random) -> Dialogue {
    let plan = trials::instants(random);
    let requests: Vec<OperationRow> = plan.iter().map(|_| request(random)).collect();
    let mut executed = Operations::default();
    for row in &requests {
        executed.push(row.clone());
    }
    let mut store = Store::new(LAYOUT);
    let damage_percent = [0, 15, 40][random.below(3) as usize];
    let mut dialogue = Dialogue::new(2);
    let mut rows = Vec::new();
    for (number, (row, &(_, invoke, returned))) in requests.into_iter().zip(&plan).enumerate() {
        let unknown = random.chance(20);
        let mut row = row;
        let applied = !unknown || random.chance(50);
        if applied {
            fill_in(&mut row, store.execute(&executed, number).expect("complete"));
        }
        if unknown {
            (row.outcome, row.error, row.result, row.results) = (Outcome::Unknown, None, None, None);
        } else if random.chance(damage_percent) {
            damage(random, &mut row);
        }
        row.client = number as u32;
        // Positions are unique: invocations of one time come before its returns, as closed intervals ask.
        row.seq = 10_000 + invoke * 100 + number as u64;
        row.return_seq = (!unknown).then_some(10_000 + returned * 100 + 50 + number as u64);
        rows.push((applied, row));
    }
    if random.chance(30) {
        let last = rows.len() - 1;
        rows.swap(last, random.below(last as u64 + 1) as usize);
    }
    for (applied, row) in &mut rows {
        let session = dialogue.register(row.tenant, row.client);
        (row.session, row.request_number) = (Some(session), 1);
        if *applied {
            let op = dialogue.apply((row.tenant, row.client, session, 1));
            row.op = (row.outcome != Outcome::Unknown).then_some(op);
        }
    }
    rows.sort_by_key(|(_, row)| row.seq);
    dialogue.story.operations = rows.into_iter().map(|(_, row)| OperationRow { time_ns: row.seq, ..row }).collect();
    dialogue
}

/// Whether an order of all answered operations and some of the others exists in which the store gives every answer.
fn explained(operations: &Operations, done: u32, store: &Store) -> bool {
    let rows = 0..operations.len();
    let is_open = |row: usize| done & (1 << row) == 0;
    let unknown = |row: usize| operations.outcome.get(row) == Outcome::Unknown;
    let returned = |row: usize| if unknown(row) { u64::MAX } else { operations.return_seq.0[row] };
    if rows.clone().all(|row| !is_open(row) || unknown(row)) {
        return true;
    }
    rows.clone().filter(|row| is_open(*row)).any(|row| {
        if rows.clone().any(|other| is_open(other) && returned(other) < operations.seq[row]) {
            return false;
        }
        let mut next = store.clone();
        let told = next.execute(operations, row).expect("complete").clone();
        (unknown(row) || told.agrees(operations, row)) && explained(operations, done | 1 << row, &next)
    })
}

#[test]
fn verdicts_agree_with_brute_force_over_the_whole_store_with_and_without_a_log() {
    let only = Selection::only(&["linearizability"]).expect("registered");
    let mut random = Random(21);
    let mut seen = [0_u32; 2];
    for case in 0..6_000 {
        let mut dialogue = history(&mut random);
        let history = dialogue.story.history();
        if history.operations.outcome.codes.iter().all(|outcome| *outcome == Outcome::Unknown as u8) {
            continue;
        }
        let expected = explained(&history.operations, 0, &Store::new(LAYOUT));
        seen[usize::from(expected)] += 1;
        for with_log in [true, false] {
            if !with_log {
                dialogue.story.transitions.clear();
            }
            let verdicts = crate::check_run(&dialogue.story.history(), 0, &only, &Budget::default());
            let verdict: &Verdict = &verdicts[0].1;
            let name = if expected { "pass" } else { "violation" };
            assert_eq!(verdict.name(), name, "case {case}, log {with_log}: {verdict:#?} {:#?}", dialogue.story.operations);
        }
    }
    assert!(seen.iter().all(|count| *count > 500), "{seen:?}");
}
