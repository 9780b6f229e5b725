//! Rows of another system's run as calls of a model, object by object.
//!
//! Linearizability is local, so every key is judged by itself; accounts and multi-registers are tied together.

use super::{Imported, Model, NOTHING, NilRead};
use crate::import::edn::{Edn, Reader};
use crate::index::RunIndex;
use crate::linearize::any::History;
use crate::linearize::{Call, NEVER};
use crate::models::counter::{Counter, CounterAction};
use crate::models::keys::{Keys, KeysAction};
use crate::models::queue::{Dequeued, QueueAction};
use crate::models::register::{Register, RegisterAction};
use crate::models::set::SetAction;
use crate::models::text::TextAction;
use std::collections::{BTreeMap, BTreeSet};
use vopr_schema::{Function, Outcome, Pair};

/// What must be ordered together.
#[derive(Debug)]
pub struct Object {
    /// What it is, in words.
    pub name: String,
    /// The kind of it, without any number.
    pub kind: &'static str,
    /// Its keys.
    pub keys: Vec<u64>,
    /// The row of each call.
    pub rows: Vec<usize>,
    /// The calls, once for each start that is possible.
    pub starts: Vec<History>,
    /// Whether only an order can be believed: that there is none refutes nothing.
    pub only_proves: bool,
}

/// Why a run has no objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The answer of this row is impossible, whatever else happened.
    Impossible(usize, String),
    /// This row cannot be judged.
    Unknown(usize, String),
}

/// The objects of a run.
///
/// # Errors
/// A row that refutes the run by itself, or that the model cannot take.
pub fn objects(index: &RunIndex<'_>, imported: &Imported) -> Result<Vec<Object>, Problem> {
    let reader = Rows { index, imported, empty: empty_text(index, imported) };
    match imported.model {
        Model::MultiRegister => Ok(vec![reader.multi_register()?]),
        Model::Bank => Ok(vec![super::bank::object(index, imported)?]),
        _ => {
            let mut by_key: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
            for row in index.operation_rows() {
                by_key.entry(index.operations().key[row]).or_default().push(row);
            }
            if imported.model == Model::Bag {
                let bags: Result<Vec<Vec<Object>>, Problem> = by_key.into_values().map(|rows| reader.bag(&rows)).collect();
                return Ok(bags?.into_iter().flatten().collect());
            }
            by_key.into_iter().map(|(key, rows)| reader.single(key, &rows)).collect()
        }
    }
}

/// The number of the empty text, where it stands for no value: in a store whose reads never say nil.
fn empty_text(index: &RunIndex<'_>, imported: &Imported) -> Option<u64> {
    let table = index.operations();
    let says_nil = |row: usize| {
        let answered = table.function.get(row) == Function::Read && table.outcome.get(row) == Outcome::Ok;
        answered && table.result.get(row).is_none()
    };
    let never = imported.model == Model::Kv && !index.operation_rows().any(says_nil);
    imported.number(&Edn::text("")).filter(|_| never)
}

/// Keys with values.
type Values = Vec<(u64, u64)>;

struct Rows<'a> {
    index: &'a RunIndex<'a>,
    imported: &'a Imported,
    empty: Option<u64>,
}

/// Calls, and the rows they come from.
struct Calls<A> {
    rows: Vec<usize>,
    calls: Vec<Call<A>>,
}

impl Rows<'_> {
    /// What the rows ask and were told; rows without an action say nothing.
    fn calls<A>(&self, rows: &[usize], mut actions: impl FnMut(usize) -> Result<Vec<A>, Problem>) -> Result<Calls<A>, Problem> {
        let table = self.index.operations();
        let mut calls = Calls { rows: Vec::new(), calls: Vec::new() };
        for &row in rows {
            if table.outcome.get(row) == Outcome::Error {
                continue;
            }
            let unknown = table.outcome.get(row) == Outcome::Unknown;
            let returned = if unknown { NEVER } else { table.return_seq.0[row].min(NEVER - 1) };
            for action in actions(row)? {
                calls.rows.push(row);
                calls.calls.push(Call { invoke: table.seq[row], returned, action });
            }
        }
        Ok(calls)
    }

    fn answered(&self, row: usize) -> bool {
        self.index.operations().outcome.get(row) == Outcome::Ok
    }

    fn argument(&self, row: usize) -> Result<u64, Problem> {
        let value = self.index.operations().value.get(row);
        value.ok_or_else(|| Problem::Unknown(row, "lacks its value".to_owned()))
    }

    /// A value as models take it.
    fn number(&self, value: Option<u64>) -> u64 {
        value.and_then(|value| self.imported.present(value)).filter(|_| value != self.empty).unwrap_or(NOTHING)
    }

    /// What a read saw; none when that is not known.
    fn seen(&self, value: Option<u64>) -> Option<u64> {
        match value {
            None if self.imported.nil_read == NilRead::Any => None,
            value => Some(self.number(value)),
        }
    }

    fn single(&self, key: u64, rows: &[usize]) -> Result<Object, Problem> {
        let table = self.index.operations();
        let texts = rows.iter().any(|row| table.function.get(*row) == Function::TextAppend);
        let (kind, (rows, history)) = match self.imported.model {
            Model::Set => ("set", self.set(rows)?),
            Model::Queue => ("queue", self.queue(rows)?),
            Model::Counter => ("counter", self.counter(rows)?),
            Model::Mutex => ("lock", self.register(rows)?),
            Model::Kv if texts => ("text", self.text(rows)?),
            _ => ("register", self.register(rows)?),
        };
        let several = self.imported.keyed || self.imported.model == Model::Kv || key != 0;
        let name = if several { format!("{kind} {}", self.imported.words(key)) } else { format!("the {kind}") };
        Ok(Object { name, kind, keys: vec![key], rows, starts: vec![history], only_proves: false })
    }

    /// A queue without order falls into one for each value; whoever found it empty found all of them empty at once, which an
    /// order that is first-in-first-out proves, and nothing here refutes.
    fn bag(&self, rows: &[usize]) -> Result<Vec<Object>, Problem> {
        let (rows, calls) = self.queue_calls(rows)?;
        let told = |call: &Call<QueueAction>, told| call.action == QueueAction::Dequeue { told };
        let found_empty = calls.iter().any(|call| told(call, Dequeued::Empty));
        let values: BTreeSet<u64> = calls.iter().filter_map(|call| call.action.value()).collect();
        let part = |kind, name, keys, only_proves, is_part: &dyn Fn(&Call<QueueAction>) -> bool| {
            let kept = rows.iter().zip(&calls).filter(|(_, call)| is_part(call));
            let (rows, calls) = kept.map(|(row, call)| (*row, *call)).unzip();
            Object { name, kind, keys, rows, starts: vec![History::Queue(calls)], only_proves }
        };
        let of = |value: u64| {
            let name = format!("element {}", self.imported.words(value));
            // Where nobody finds it empty, nobody need have taken what nobody saw taken.
            part("element", name, vec![value], false, &|call| call.action.value().map_or(found_empty, |other| other == value))
        };
        let mut objects: Vec<Object> = values.iter().map(|value| of(*value)).collect();
        if found_empty {
            objects.push(part("bag", "the bag".to_owned(), Vec::new(), true, &|_| true));
        }
        Ok(objects)
    }

    fn register(&self, rows: &[usize]) -> Result<(Vec<usize>, History), Problem> {
        let table = self.index.operations();
        let Calls { rows, calls } = self.calls(rows, |row| {
            let action = match table.function.get(row) {
                Function::Read if !self.answered(row) => None,
                Function::Read => self.seen(table.result.get(row)).map(|seen| RegisterAction::Read { seen: Some(seen) }),
                Function::Write => Some(RegisterAction::Write { value: self.number(Some(self.argument(row)?)) }),
                Function::Delete => Some(RegisterAction::Write { value: NOTHING }),
                Function::CompareAndSet => Some(RegisterAction::CompareAndSet {
                    expected: Some(self.number(table.expected.get(row))),
                    value: self.number(Some(self.argument(row)?)),
                    set: table.result.get(row).filter(|_| self.answered(row)).map(|set| set == 1),
                }),
                _ => return Err(foreign(row)),
            };
            Ok(action.into_iter().collect())
        })?;
        Ok((rows, History::Register(Register { initial: Some(self.number(self.imported.initial)) }, calls)))
    }

    fn text(&self, rows: &[usize]) -> Result<(Vec<usize>, History), Problem> {
        let table = self.index.operations();
        let Calls { rows, mut calls } = self.calls(rows, |row| {
            let action = match table.function.get(row) {
                Function::Read if !self.answered(row) => None,
                Function::Read if table.result.get(row).is_none() && self.imported.nil_read == NilRead::Any => None,
                Function::Read => Some(TextAction::Get { seen: table.result.get(row).map(|text| self.letters(text)).unwrap_or_default() }),
                Function::Write => Some(TextAction::Put { text: self.letters(self.argument(row)?) }),
                Function::Delete => Some(TextAction::Put { text: Box::default() }),
                Function::TextAppend => Some(TextAction::Append { text: self.letters(self.argument(row)?) }),
                _ => return Err(foreign(row)),
            };
            Ok(action.into_iter().collect())
        })?;
        let mut rows = rows;
        if let Some(initial) = self.imported.initial {
            // The model begins with the empty text.
            calls.insert(0, Call { invoke: 0, returned: 0, action: TextAction::Put { text: self.letters(initial) } });
            rows.insert(0, self.index.operation_rows().start);
        }
        Ok((rows, History::Text(calls)))
    }

    /// The text that a value is.
    fn letters(&self, value: u64) -> Box<str> {
        let words = self.imported.words(value);
        match Reader::new(&words).form() {
            Ok(Some(Edn::Text(text))) => text,
            Ok(Some(Edn::Nil)) => Box::default(),
            _ => words.into(),
        }
    }

    fn set(&self, rows: &[usize]) -> Result<(Vec<usize>, History), Problem> {
        let table = self.index.operations();
        let Calls { rows, calls } = self.calls(rows, |row| {
            let answered = self.answered(row);
            let action = match table.function.get(row) {
                Function::SetAdd => Some(SetAction::Add { element: self.argument(row)? }),
                Function::SetRemove => Some(SetAction::Remove { element: self.argument(row)? }),
                Function::SetContains => {
                    let element = self.argument(row)?;
                    table.result.get(row).filter(|_| answered).map(|found| SetAction::Contains { element, found: found == 1 })
                }
                Function::SetRead => table.results.get(row).filter(|_| answered).map(|seen| SetAction::read(values(seen).collect())),
                _ => return Err(foreign(row)),
            };
            Ok(action.into_iter().collect())
        })?;
        Ok((rows, History::Set(calls)))
    }

    fn queue(&self, rows: &[usize]) -> Result<(Vec<usize>, History), Problem> {
        let (rows, calls) = self.queue_calls(rows)?;
        Ok((rows, History::Queue(calls)))
    }

    fn queue_calls(&self, rows: &[usize]) -> Result<(Vec<usize>, Vec<Call<QueueAction>>), Problem> {
        let table = self.index.operations();
        let Calls { rows, calls } = self.calls(rows, |row| {
            let answered = self.answered(row);
            let took = |value| QueueAction::Dequeue { told: Dequeued::Value(value) };
            Ok(match table.function.get(row) {
                Function::Enqueue => vec![QueueAction::Enqueue { value: self.argument(row)? }],
                Function::Dequeue if !answered => vec![QueueAction::Dequeue { told: Dequeued::Unknown }],
                Function::Dequeue => vec![table.result.get(row).map_or(QueueAction::Dequeue { told: Dequeued::Empty }, took)],
                // A drain is as many dequeues as it took elements; that they were made in order is not used.
                Function::Drain if answered => table.results.get(row).into_iter().flat_map(values).map(took).collect(),
                Function::Drain => return Err(Problem::Unknown(row, "drained an unknown number of elements".to_owned())),
                _ => return Err(foreign(row)),
            })
        })?;
        Ok((rows, calls))
    }

    fn counter(&self, rows: &[usize]) -> Result<(Vec<usize>, History), Problem> {
        let table = self.index.operations();
        let whole = |row: usize, number: u64| {
            self.imported.integer(number).ok_or_else(|| Problem::Unknown(row, "is about something that is no whole number".to_owned()))
        };
        let initial = self.imported.initial.and_then(|initial| self.imported.integer(initial)).unwrap_or(0);
        let Calls { rows, calls } = self.calls(rows, |row| {
            let action = match (table.function.get(row), table.result.get(row)) {
                (Function::CounterAdd, _) => Some(CounterAction::Add { amount: whole(row, self.argument(row)?)? }),
                (Function::Read, _) if !self.answered(row) => None,
                (Function::Read, Some(seen)) => Some(CounterAction::Read { seen: whole(row, seen)? }),
                (Function::Read, None) if self.imported.nil_read == NilRead::Any => None,
                (Function::Read, None) => Some(CounterAction::Read { seen: initial }),
                _ => return Err(foreign(row)),
            };
            Ok(action.into_iter().collect())
        })?;
        Ok((rows, History::Counter(Counter { initial }, calls)))
    }

    fn multi_register(&self) -> Result<Object, Problem> {
        let table = self.index.operations();
        let every: Vec<usize> = self.index.operation_rows().collect();
        let mut keys = BTreeSet::new();
        for row in &every {
            keys.extend(table.reads.get(*row).into_iter().chain(table.writes.get(*row)).flatten().map(|pair| pair.key));
        }
        let keys: Vec<u64> = keys.into_iter().collect();
        let slot = |key: u64| u32::try_from(keys.binary_search(&key).unwrap_or(0)).unwrap_or(u32::MAX);
        let Calls { rows, calls } = self.calls(&every, |row| {
            let (reads, writes) = self.at_one_instant(row)?;
            let reads: Box<[(u32, u64)]> = reads.into_iter().map(|(key, value)| (slot(key), value)).collect();
            let writes: Box<[(u32, u64)]> = writes.into_iter().map(|(key, value)| (slot(key), value)).collect();
            Ok(match (&*reads, &*writes) {
                ([], []) => vec![],
                ([(slot, value)], []) => vec![KeysAction::One { slot: *slot, action: RegisterAction::Read { seen: Some(*value) } }],
                ([], [(slot, value)]) => vec![KeysAction::One { slot: *slot, action: RegisterAction::Write { value: *value } }],
                _ => vec![KeysAction::Transaction { reads, writes }],
            })
        })?;
        let model = Keys { keys: keys.clone(), initial: Some(self.number(self.imported.initial)) };
        let starts = vec![History::Store(model, calls)];
        Ok(Object { name: "the registers".to_owned(), kind: "registers", keys, rows, starts, only_proves: false })
    }

    /// What a transaction saw of others, and what it left behind; what it saw of its own writes is tested at once.
    fn at_one_instant(&self, row: usize) -> Result<(Values, Values), Problem> {
        let table = self.index.operations();
        let writes: Vec<Pair> = table.writes.get(row).into_iter().flatten().collect();
        let mut reads: Vec<(u64, u64)> = Vec::new();
        let told = table.reads.get(row).into_iter().flatten().zip(table.results.get(row).into_iter().flatten());
        for (asked, told) in told.filter(|_| self.answered(row)) {
            let Some(seen) = self.seen(told.value) else { continue };
            let before = usize::try_from(asked.value.unwrap_or(0)).unwrap_or(usize::MAX).min(writes.len());
            let own = writes[..before].iter().rfind(|write| write.key == asked.key).map(|write| self.number(write.value));
            let known = own.or_else(|| reads.iter().find(|(key, _)| *key == asked.key).map(|(_, value)| *value));
            match known {
                Some(known) if known != seen => {
                    let words = |number: u64| if number == NOTHING { "nil".to_owned() } else { self.imported.words(number) };
                    let (key, known, seen) = (self.imported.words(asked.key), words(known), words(seen));
                    return Err(Problem::Impossible(row, format!("inside of it {key} was {known} and is read as {seen}")));
                }
                Some(_) => {}
                None => reads.push((asked.key, seen)),
            }
        }
        Ok((reads, writes.iter().map(|write| (write.key, self.number(write.value))).collect()))
    }
}

fn values(pairs: impl Iterator<Item = Pair>) -> impl Iterator<Item = u64> {
    pairs.filter_map(|pair| pair.value)
}

pub(super) fn foreign(row: usize) -> Problem {
    Problem::Unknown(row, "has a function that the run's model lacks".to_owned())
}
