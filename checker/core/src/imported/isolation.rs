//! Rows of transactions as the checks of isolation take them.
//!
//! Keys and values are numbered densely there, with their names beside them.

use super::Imported;
use crate::index::RunIndex;
use crate::transactions::{Outcome, Transactions};
use std::collections::BTreeMap;
use vopr_schema::{Function, Operations, Pair};

/// Numbers of things, and what they are called.
struct Numbers<'a> {
    imported: &'a Imported,
    known: BTreeMap<u64, u64>,
    names: Vec<String>,
}

impl<'a> Numbers<'a> {
    fn new(imported: &'a Imported) -> Self {
        Self { imported, known: BTreeMap::new(), names: Vec::new() }
    }

    fn of(&mut self, number: u64) -> u64 {
        *self.known.entry(number).or_insert_with(|| {
            self.names.push(self.imported.words(number));
            self.names.len() as u64 - 1
        })
    }
}

/// One step: a write, or a read with the key, the number told, and the elements.
enum Step {
    Write(Pair),
    Read(u64, Option<u64>, Vec<u64>),
}

/// The steps of a transaction in their order: reads say how many writes stand before them.
fn steps(table: &Operations, row: usize, lists: bool) -> Vec<Step> {
    let mut writes = table.writes.get(row).into_iter().flatten();
    let mut results = table.results.get(row).into_iter().flatten();
    let (mut done, mut steps) = (0, Vec::new());
    for read in table.reads.get(row).into_iter().flatten() {
        while done < read.value.unwrap_or(0)
            && let Some(pair) = writes.next()
        {
            steps.push(Step::Write(pair));
            done += 1;
        }
        // A list is told as its length and its elements, a register as its value.
        let told = results.next().and_then(|pair| pair.value);
        let elements = usize::try_from(told.unwrap_or(0)).unwrap_or(usize::MAX);
        let list = if lists { results.by_ref().take(elements).filter_map(|pair| pair.value).collect() } else { Vec::new() };
        steps.push(Step::Read(read.key, told, list));
    }
    steps.extend(writes.map(Step::Write));
    steps
}

/// The transactions of a run; each is labelled with the position of its row.
#[must_use]
pub fn transactions(index: &RunIndex<'_>, imported: &Imported) -> Transactions {
    let table = index.operations();
    let mut history = Transactions::default();
    let (mut keys, mut values) = (Numbers::new(imported), Numbers::new(imported));
    for row in index.operation_rows() {
        let lists = match table.function.get(row) {
            Function::ListTransaction => true,
            Function::RegisterTransaction => false,
            _ => continue,
        };
        let outcome = match table.outcome.get(row) {
            vopr_schema::Outcome::Ok => Outcome::Committed,
            vopr_schema::Outcome::Error => Outcome::Aborted,
            vopr_schema::Outcome::Unknown => Outcome::Unknown,
        };
        history.begin(u64::from(table.client[row]), table.seq[row]);
        for step in steps(table, row, lists) {
            match step {
                Step::Write(pair) => {
                    let (key, value) = (keys.of(pair.key), values.of(pair.value.unwrap_or(super::NOTHING)));
                    if lists { history.append(key, value) } else { history.write(key, value) }
                }
                Step::Read(key, _, list) if lists => history.read_list(keys.of(key), list.into_iter().map(|value| values.of(value))),
                Step::Read(key, told, _) => {
                    let value = told.and_then(|value| imported.present(value)).map(|value| values.of(value));
                    history.read(keys.of(key), value);
                }
            }
        }
        history.label(table.seq[row]);
        history.end(table.return_seq.get(row).unwrap_or(crate::transactions::NEVER), outcome);
    }
    history.names.keys = keys.names;
    history.names.values = values.names;
    history
}
