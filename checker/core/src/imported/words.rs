//! Operations of other systems in words, with the values as their file has them.
//!
//! A counter-example that says `9223372036854775809` where the file says `"apple"` helps nobody.

use super::{Imported, Model, NOTHING};
use crate::index::RunIndex;
use vopr_schema::{Function, Outcome, Pair};

/// An operation in words.
#[must_use]
pub fn operation_words(index: &RunIndex<'_>, imported: &Imported, row: usize) -> String {
    let table = index.operations();
    format!("process {} {} {}", table.client[row], request(index, imported, row), answer(index, imported, row))
}

/// States of a model in words.
#[must_use]
pub fn step_words(imported: &Imported, text: &str) -> String {
    imported.in_words(text).replace(&NOTHING.to_string(), "nil")
}

/// What a whole read of a set says of some elements: `, 5 not among them`. Empty for other operations.
#[must_use]
pub fn membership_words(index: &RunIndex<'_>, imported: &Imported, row: usize, elements: &[u64]) -> String {
    let table = index.operations();
    let Some(seen) = table.results.get(row).filter(|_| table.function.get(row) == Function::SetRead) else { return String::new() };
    let seen: Vec<Option<u64>> = seen.map(|pair| pair.value).collect();
    let one = |element: &u64| {
        let among = if seen.contains(&Some(*element)) { "among" } else { "not among" };
        format!(", {} {among} them", imported.words(*element))
    };
    elements.iter().map(one).collect()
}

fn request(index: &RunIndex<'_>, imported: &Imported, row: usize) -> String {
    let table = index.operations();
    let several = imported.keyed || imported.model == Model::Kv || table.key[row] != 0;
    let of = if several { format!(" {}", imported.words(table.key[row])) } else { String::new() };
    let optional = |value: Option<u64>| value.map_or_else(|| "nil".to_owned(), |value| imported.words(value));
    let value = optional(table.value.get(row));
    match table.function.get(row) {
        Function::Read if imported.model == Model::Counter => format!("reads the counter{of}"),
        Function::Read => format!("reads the register{of}"),
        Function::Write => format!("writes {value} to the register{of}"),
        Function::Delete => format!("deletes{of}"),
        Function::CompareAndSet if imported.model == Model::Mutex => {
            format!("{} the lock{of}", if table.expected.get(row).is_none() { "takes" } else { "gives back" })
        }
        Function::CompareAndSet => format!("sets the register{of} from {} to {value}", optional(table.expected.get(row))),
        Function::TextAppend => format!("appends {value} to the text{of}"),
        Function::CounterAdd => format!("adds {value} to the counter{of}"),
        Function::SetAdd => format!("adds {value} to the set{of}"),
        Function::SetRemove => format!("removes {value} from the set{of}"),
        Function::SetContains => format!("looks for {value} in the set{of}"),
        Function::SetRead => format!("reads the set{of}"),
        Function::Enqueue => format!("enqueues {value}{of}"),
        Function::Dequeue => format!("dequeues{of}"),
        Function::Drain => format!("drains the queue{of}"),
        Function::Transfer => {
            format!("transfers {value} from account {} to {}", imported.words(table.key[row]), optional(table.key_last.get(row)))
        }
        Function::Balance => "reads all balances".to_owned(),
        Function::RegisterTransaction | Function::ListTransaction => "runs a transaction:".to_owned(),
        _ => "asks for something that this version does not know".to_owned(),
    }
}

fn answer(index: &RunIndex<'_>, imported: &Imported, row: usize) -> String {
    let table = index.operations();
    let function = table.function.get(row);
    if matches!(function, Function::RegisterTransaction | Function::ListTransaction) {
        return transaction(index, imported, row);
    }
    match table.outcome.get(row) {
        Outcome::Unknown => "and never learns whether it happened: it may or may not have".to_owned(),
        Outcome::Error => "and is told that it failed".to_owned(),
        Outcome::Ok => match (function, table.result.get(row), table.results.get(row)) {
            (Function::Balance, _, Some(pairs)) => {
                let pairs: Vec<String> = pairs.map(|pair| format!("{} has {}", imported.words(pair.key), value(imported, pair))).collect();
                format!("and is told {}", pairs.join(", "))
            }
            (_, _, Some(pairs)) => {
                format!("and is told {}", list(imported, pairs))
            }
            (Function::CompareAndSet, Some(1), _) => "and succeeds".to_owned(),
            (Function::CompareAndSet, _, _) => "and is told that it held something else".to_owned(),
            (Function::SetContains, Some(found), _) => format!("and is told {}", found == 1),
            (_, Some(result), _) => format!("and is told {}", imported.words(result)),
            (Function::Dequeue, None, _) => "and is told that it is empty".to_owned(),
            (Function::Read, None, _) => "and is told nil".to_owned(),
            _ => "and is told that it is done".to_owned(),
        },
    }
}

/// Values that are written out, at the beginning and at the end of a long list.
const LISTED: (usize, usize) = (12, 4);

/// A list of values; of a long one, what it begins and ends with and how long it is.
fn list(imported: &Imported, pairs: impl Iterator<Item = Pair>) -> String {
    let mut values: Vec<String> = pairs.map(|pair| value(imported, pair)).collect();
    let (first, last) = LISTED;
    if let Some(left_out) = values.len().checked_sub(first + last).filter(|left_out| *left_out > 1) {
        values.splice(first..first + left_out, [format!("… {left_out} more …")]);
    }
    format!("[{}]", values.join(" "))
}

fn value(imported: &Imported, pair: Pair) -> String {
    pair.value.map_or_else(|| "nil".to_owned(), |value| imported.words(value))
}

/// Reads and writes of a transaction, in order.
fn transaction(index: &RunIndex<'_>, imported: &Imported, row: usize) -> String {
    let table = index.operations();
    let lists = table.function.get(row) == Function::ListTransaction;
    let answered = table.outcome.get(row) == Outcome::Ok;
    let mut writes = table.writes.get(row).into_iter().flatten().peekable();
    let mut results = table.results.get(row).into_iter().flatten();
    let mut steps = Vec::new();
    let mut write = |pair: Pair| {
        let (key, value) = (imported.words(pair.key), value(imported, pair));
        if lists { format!("appends {value} to {key}") } else { format!("{key} := {value}") }
    };
    let mut done = 0;
    for read in table.reads.get(row).into_iter().flatten() {
        while done < read.value.unwrap_or(0)
            && let Some(pair) = writes.next()
        {
            steps.push(write(pair));
            done += 1;
        }
        let key = imported.words(read.key);
        if !answered {
            steps.push(format!("reads {key}"));
            continue;
        }
        let told = results.next();
        let seen = match told {
            Some(pair) if lists => {
                let count = usize::try_from(pair.value.unwrap_or(0)).unwrap_or(usize::MAX);
                list(imported, results.by_ref().take(count))
            }
            Some(pair) => value(imported, pair),
            None => "nothing".to_owned(),
        };
        steps.push(format!("reads {key}: {seen}"));
    }
    steps.extend(writes.map(&mut write));
    let outcome = match table.outcome.get(row) {
        Outcome::Ok => "",
        Outcome::Error => "; it failed",
        Outcome::Unknown => "; whether it happened is not known",
    };
    format!("{}{outcome}", steps.join(", "))
}
