//! From operation rows to objects: which operations must be ordered together, and which need not.
//!
//! Linearizability is local (Herlihy & Wing 1990): a history is linearizable exactly when the sub-history of each object is.
//! Every key is an object of its own until a scan or a transaction touches it together with another one; accounts are tied
//! by transfers and snapshots, streams by nothing. The smaller the objects, the faster the decision.

use super::actions::{self, Problem};
use super::{Call, NEVER};
use crate::index::{RunIndex, is_read};
use crate::models::keys::KeysAction;
use crate::models::ledger::LedgerAction;
use crate::models::register::RegisterAction;
use crate::models::stream::StreamAction;
use vopr_schema::{Function, OperationError, Outcome};

const NONE: u32 = u32::MAX;

/// Operations of unknown kind or effect are in no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Space {
    Keys,
    Streams,
    Accounts,
}

/// A run's objects.
#[derive(Debug)]
pub struct Partition {
    /// All touched numbers, sorted by (space, tenant, number).
    names: Vec<(Space, u32, u64)>,
    /// Object of each name, and its slot there.
    object_of: Vec<u32>,
    slot_of: Vec<u32>,
    objects: Vec<Object>,
    /// Object of each operation, by the row's place in the run; [`NONE`] for operations that say nothing.
    of_row: Vec<u32>,
    first_row: usize,
}

/// Numbers tied together, and the operations on them.
#[derive(Debug, Default)]
pub struct Object {
    /// Places in the list of names: the slots, in order.
    names: Vec<u32>,
    /// Operation rows, in the order of invocation.
    pub rows: Vec<usize>,
}

/// The calls of one object, in the order of its rows.
#[derive(Clone, Debug)]
pub enum Calls {
    /// One key.
    Register(Vec<Call<RegisterAction>>),
    /// Several keys.
    Keys(Vec<Call<KeysAction>>),
    /// One stream.
    Stream(Vec<Call<StreamAction>>),
    /// Accounts, with what each holds at first.
    Ledger(Vec<Call<LedgerAction>>, u64),
}

impl Partition {
    /// Finds the objects of a run.
    ///
    /// # Errors
    /// A row that no model can take part in, or whose answer is impossible whatever happened.
    pub fn new(index: &RunIndex<'_>) -> Result<Self, Problem> {
        let rows = index.operation_rows();
        let mut names = Vec::new();
        for row in rows.clone().filter(|row| says_something(index, *row)) {
            actions::check(index, row)?;
            touched(index, row, |name| names.push(name));
        }
        names.sort_unstable();
        names.dedup();
        let mut partition = Self {
            object_of: Vec::new(),
            slot_of: Vec::new(),
            objects: Vec::new(),
            of_row: vec![NONE; rows.len()],
            first_row: rows.start,
            names,
        };
        partition.tie(index);
        for row in rows.filter(|row| says_something(index, *row)) {
            if let Some(place) = partition.first_name(index, row) {
                let object = partition.object_of[place];
                partition.of_row[row - partition.first_row] = object;
                partition.objects[object as usize].rows.push(row);
            }
        }
        Ok(partition)
    }

    /// The objects.
    #[must_use]
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// The object of an operation; none for one that says nothing about any.
    #[must_use]
    pub fn object_of(&self, row: usize) -> Option<usize> {
        let object = self.of_row[row - self.first_row];
        (object != NONE).then_some(object as usize)
    }

    /// The numbers of an object's keys, streams or accounts, by slot.
    #[must_use]
    pub fn numbers(&self, object: usize) -> Vec<u64> {
        self.objects[object].names.iter().map(|name| self.names[*name as usize].2).collect()
    }

    /// Union-find over names, then numbers objects in the order of their first names.
    fn tie(&mut self, index: &RunIndex<'_>) {
        let mut parents: Vec<u32> = (0..self.names.len() as u32).collect();
        // Ranges tie neighbours: how far the ranges that begin at a name reach.
        let mut reach = vec![0_usize; self.names.len()];
        for row in index.operation_rows().filter(|row| says_something(index, *row)) {
            match index.operations().function.get(row) {
                Function::Scan | Function::Balance => {
                    let range = self.range(index, row);
                    if !range.is_empty() {
                        reach[range.start] = reach[range.start].max(range.end);
                    }
                }
                Function::Transaction | Function::Transfer => {
                    let mut first = None;
                    touched(index, row, |name| {
                        let place = self.names.binary_search(&name).expect("collected before") as u32;
                        let first = *first.get_or_insert(place);
                        unite(&mut parents, first, place);
                    });
                }
                _ => {}
            }
        }
        let mut end = 0;
        for (place, own) in reach.into_iter().enumerate() {
            end = end.max(own);
            if place + 1 < end {
                unite(&mut parents, place as u32, place as u32 + 1);
            }
        }
        let mut numbers = vec![NONE; self.names.len()];
        for place in 0..self.names.len() as u32 {
            let root = find(&mut parents, place) as usize;
            if numbers[root] == NONE {
                numbers[root] = self.objects.len() as u32;
                self.objects.push(Object::default());
            }
            let object = &mut self.objects[numbers[root] as usize];
            self.object_of.push(numbers[root]);
            self.slot_of.push(object.names.len() as u32);
            object.names.push(place);
        }
    }

    /// The places of the names in a scan's or snapshot's range.
    fn range(&self, index: &RunIndex<'_>, row: usize) -> core::ops::Range<usize> {
        let table = index.operations();
        let space = if table.function.get(row) == Function::Scan { Space::Keys } else { Space::Accounts };
        let name = |number: u64| (space, table.tenant[row], number);
        let (first, last) = (name(table.key[row]), name(table.key_last.get(row).unwrap_or(0)));
        let start = self.names.partition_point(|other| *other < first);
        start..self.names.partition_point(|other| *other <= last).max(start)
    }

    /// The place of one of the names that an operation touches; none for a scan over keys that nobody touches.
    fn first_name(&self, index: &RunIndex<'_>, row: usize) -> Option<usize> {
        if matches!(index.operations().function.get(row), Function::Scan | Function::Balance) {
            let range = self.range(index, row);
            return (!range.is_empty()).then_some(range.start);
        }
        let mut first = None;
        touched(index, row, |name| {
            first.get_or_insert(name);
        });
        first.map(|name| self.names.binary_search(&name).expect("collected before"))
    }

    fn slot(&self, space: Space, tenant: u32, number: u64) -> u32 {
        self.slot_of[self.names.binary_search(&(space, tenant, number)).expect("collected before")]
    }

    /// The calls of an object; `initial_balance` is what its accounts hold at first.
    #[must_use]
    pub fn calls(&self, index: &RunIndex<'_>, object: usize, initial_balance: u64) -> Calls {
        let Object { names, rows } = &self.objects[object];
        let (space, _, number) = self.names[names[0] as usize];
        match space {
            Space::Streams => Calls::Stream(each(index, rows, |row| actions::stream(index, row))),
            Space::Accounts => Calls::Ledger(each(index, rows, |row| self.ledger(index, row)), initial_balance),
            Space::Keys if names.len() == 1 => Calls::Register(each(index, rows, |row| actions::register(index, row, number))),
            Space::Keys => Calls::Keys(each(index, rows, |row| self.keys(index, row))),
        }
    }

    fn keys(&self, index: &RunIndex<'_>, row: usize) -> KeysAction {
        let table = index.operations();
        let tenant = table.tenant[row];
        let slot = |key: u64| self.slot(Space::Keys, tenant, key);
        match table.function.get(row) {
            Function::Scan => {
                let range = self.range(index, row);
                let mut pairs = table.results.get(row).into_iter().flatten().peekable();
                let held = |place: usize| {
                    let key = self.names[place].2;
                    pairs.next_if(|pair| pair.key == key).and_then(|pair| pair.value).unwrap_or(crate::models::keys::ABSENT)
                };
                KeysAction::Scan { first: self.slot_of[range.start], seen: range.map(held).collect() }
            }
            Function::Transaction => {
                let answered = table.outcome.get(row) == Outcome::Ok;
                let pairs = |pair: vopr_schema::Pair| (slot(pair.key), pair.value.unwrap_or(crate::models::keys::ABSENT));
                let reads = table.results.get(row).into_iter().flatten().filter(|_| answered).map(pairs).collect();
                let writes = table.writes.get(row).into_iter().flatten().map(pairs).collect();
                KeysAction::Transaction { reads, writes }
            }
            _ => KeysAction::One { slot: slot(table.key[row]), action: actions::register(index, row, table.key[row]) },
        }
    }

    fn ledger(&self, index: &RunIndex<'_>, row: usize) -> LedgerAction {
        let table = index.operations();
        let slot = |account: u64| self.slot(Space::Accounts, table.tenant[row], account);
        if table.function.get(row) == Function::Transfer {
            let refused = match table.outcome.get(row) {
                Outcome::Unknown => None,
                outcome => Some(outcome == Outcome::Error),
            };
            let (from, to) = (slot(table.key[row]), slot(table.key_last.get(row).unwrap_or(0)));
            return LedgerAction::Transfer { from, to, amount: table.value.get(row).unwrap_or(0), refused };
        }
        let range = self.range(index, row);
        let pairs = table.results.get(row).into_iter().flatten();
        LedgerAction::Balance { first: self.slot_of[range.start], seen: pairs.map(|pair| pair.value.unwrap_or(0)).collect() }
    }
}

/// One call per row.
fn each<A>(index: &RunIndex<'_>, rows: &[usize], mut action: impl FnMut(usize) -> A) -> Vec<Call<A>> {
    let table = index.operations();
    let call = |&row: &usize| {
        // What was answered has happened, even if its return was not recorded.
        let returned = if table.outcome.get(row) == Outcome::Unknown { NEVER } else { table.return_seq.0[row].min(NEVER - 1) };
        Call { invoke: table.seq[row], returned, action: action(row) }
    };
    rows.iter().map(call).collect()
}

/// Whether an operation can say anything about the order of others: reads of unknown outcome and requests refused for
/// what they ask, whatever the state, cannot.
fn says_something(index: &RunIndex<'_>, row: usize) -> bool {
    let table = index.operations();
    let function = table.function.get(row);
    match table.outcome.get(row) {
        Outcome::Ok => true,
        Outcome::Error => matches!(
            (function, table.error.get(row)),
            (Function::StreamAppend | Function::StreamRead, Some(OperationError::NoSuchStream))
                | (Function::StreamCreate, Some(OperationError::StreamExists))
                | (Function::Transfer, Some(OperationError::InsufficientFunds))
        ),
        Outcome::Unknown if is_read(index, row) => false,
        Outcome::Unknown => index.layout().is_none_or(|layout| {
            let owns = |number: u64| layout.owns(table.tenant[row], number);
            match function {
                Function::Transaction => table.writes.get(row).into_iter().flatten().all(|pair| owns(pair.key)),
                Function::Transfer => {
                    let (from, to) = (table.key[row], table.key_last.get(row).unwrap_or(0));
                    from != to && [from, to].into_iter().all(|account| owns(account) && layout.is_account(account))
                }
                _ => owns(table.key[row]),
            }
        }),
    }
}

/// The names that an operation touches; of a scan or snapshot those in its answer.
fn touched(index: &RunIndex<'_>, row: usize, mut visit: impl FnMut((Space, u32, u64))) {
    let table = index.operations();
    let tenant = table.tenant[row];
    let told = || table.results.get(row).into_iter().flatten();
    match table.function.get(row) {
        Function::Scan => told().for_each(|pair| visit((Space::Keys, tenant, pair.key))),
        Function::Balance => told().for_each(|pair| visit((Space::Accounts, tenant, pair.key))),
        Function::Transfer => {
            visit((Space::Accounts, tenant, table.key[row]));
            visit((Space::Accounts, tenant, table.key_last.get(row).unwrap_or(0)));
        }
        Function::Transaction => {
            let reads = table.reads.get(row).into_iter().flatten().filter(|_| table.outcome.get(row) == Outcome::Ok);
            let writes = table.writes.get(row).into_iter().flatten();
            reads.chain(writes).for_each(|pair| visit((Space::Keys, tenant, pair.key)));
        }
        Function::StreamCreate | Function::StreamAppend | Function::StreamRead => visit((Space::Streams, tenant, table.key[row])),
        _ => visit((Space::Keys, tenant, table.key[row])),
    }
}

fn find(parents: &mut [u32], mut at: u32) -> u32 {
    while parents[at as usize] != at {
        parents[at as usize] = parents[parents[at as usize] as usize];
        at = parents[at as usize];
    }
    at
}

/// The smaller number becomes the root, so that objects are numbered in the order of their names.
fn unite(parents: &mut [u32], first: u32, second: u32) {
    let (first, second) = (find(parents, first), find(parents, second));
    parents[first.max(second) as usize] = first.min(second);
}
