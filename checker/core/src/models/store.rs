//! The whole store of a run: every tenant's keys, streams and accounts, in dense arrays.
//!
//! Replaying a log of any length through it costs a few array accesses per operation, which is what makes checking a claimed
//! order near-linear. It follows the meaning of functions that the history format states, and nothing else.

#![expect(clippy::cast_possible_truncation, reason = "numbers of a layout are far below 2^32: it is refused otherwise")]

use super::layout::Layout;
use vopr_schema::column::Niche;
use vopr_schema::{Function, OperationError, Operations, Outcome};

/// Stands for "absent"; a history reserves this value for null.
const ABSENT: u64 = u64::MAX;

/// The state of all tenants.
#[derive(Clone, Debug)]
pub struct Store {
    layout: Layout,
    values: Vec<u64>,
    streams: Vec<Option<Vec<u64>>>,
    balances: Vec<u64>,
    told: Told,
}

/// What the model answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Why it is refused.
    pub error: Option<OperationError>,
    /// Single value.
    pub result: Option<u64>,
    /// Whether there are pairs.
    pub has_pairs: bool,
    /// Keys, offsets or accounts of the pairs.
    pub keys: Vec<u64>,
    /// Their values; the value that a history reserves for null stands for absence.
    pub values: Vec<u64>,
}

/// The row does not hold what its function needs, or names a function of a newer version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operation cannot be executed: its row lacks an argument, or names an unknown function")]
pub struct Inexecutable;

impl Store {
    /// The state before the first operation.
    ///
    /// # Panics
    /// Never: a layout is bounded when it is read.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        let numbers = usize::try_from(layout.numbers()).expect("a layout is bounded when it is read");
        Self {
            layout,
            values: vec![ABSENT; numbers],
            streams: vec![None; numbers],
            balances: vec![layout.initial_balance; numbers],
            told: Told::default(),
        }
    }

    /// Executes an operation and says what its client must be told.
    ///
    /// # Errors
    /// The row does not say what to execute.
    #[inline]
    pub fn execute(&mut self, operations: &Operations, row: usize) -> Result<&Told, Inexecutable> {
        self.told.error = None;
        self.told.result = None;
        if self.told.has_pairs {
            self.told.has_pairs = false;
            self.told.keys.clear();
            self.told.values.clear();
        }
        self.told.error = self.dispatch(operations, row)?;
        Ok(&self.told)
    }

    /// Sum of a tenant's balances.
    #[must_use]
    pub fn total(&self, tenant: u32) -> u128 {
        let Some((first, _)) = self.layout.range(tenant) else { return 0 };
        let accounts = first as usize..(first + self.layout.accounts_per_tenant) as usize;
        self.balances[accounts].iter().map(|balance| u128::from(*balance)).sum()
    }

    fn dispatch(&mut self, operations: &Operations, row: usize) -> Result<Option<OperationError>, Inexecutable> {
        let (tenant, key) = (operations.tenant[row], operations.key[row]);
        let function = operations.function.get(row);
        if function == Function::Transaction {
            return Ok(self.transaction(operations, row));
        }
        if !self.layout.owns(tenant, key) {
            return Ok(Some(OperationError::OutOfRange));
        }
        let at = key as usize;
        let value = operations.value.get(row);
        match function {
            Function::Write => self.values[at] = value.ok_or(Inexecutable)?,
            Function::Read => self.told.result = self.value(at),
            Function::ReadModifyWrite => {
                let sum = self.value(at).unwrap_or(0).wrapping_add(value.ok_or(Inexecutable)?);
                self.values[at] = sum;
                self.told.result = Some(sum);
            }
            Function::CompareAndSet => {
                let matches = self.values[at] == operations.expected.0[row];
                if matches {
                    self.values[at] = value.ok_or(Inexecutable)?;
                }
                self.told.result = Some(u64::from(matches));
            }
            Function::StreamCreate | Function::StreamAppend | Function::StreamRead => {
                return self.stream(function, at, value, operations.expected.get(row));
            }
            Function::Scan | Function::Balance | Function::Transfer => {
                let last = operations.key_last.get(row).ok_or(Inexecutable)?;
                if !self.layout.owns(tenant, last) || (function != Function::Transfer && last < key) {
                    return Ok(Some(OperationError::OutOfRange));
                }
                let last = last as usize;
                return match function {
                    Function::Transfer => Ok(self.transfer(at, last, value.ok_or(Inexecutable)?)),
                    Function::Scan => Ok(self.scan(at, last)),
                    _ => Ok(self.balance(at, last)),
                };
            }
            _ => return Err(Inexecutable),
        }
        Ok(None)
    }

    #[inline]
    fn value(&self, at: usize) -> Option<u64> {
        (self.values[at] != ABSENT).then_some(self.values[at])
    }

    fn stream(
        &mut self,
        function: Function,
        at: usize,
        value: Option<u64>,
        count: Option<u64>,
    ) -> Result<Option<OperationError>, Inexecutable> {
        let stream = &mut self.streams[at];
        if function == Function::StreamCreate {
            let exists = stream.is_some();
            stream.get_or_insert_default();
            return Ok(exists.then_some(OperationError::StreamExists));
        }
        let value = value.ok_or(Inexecutable)?;
        let Some(elements) = stream else { return Ok(Some(OperationError::NoSuchStream)) };
        if function == Function::StreamAppend {
            self.told.result = Some(elements.len() as u64);
            elements.push(value);
            return Ok(None);
        }
        let seen = super::stream::window(elements, value, count.ok_or(Inexecutable)?);
        self.told.has_pairs = true;
        self.told.keys.extend((value..=u64::MAX).take(seen.len()));
        self.told.values.extend_from_slice(seen);
        Ok(None)
    }

    fn transfer(&mut self, from: usize, to: usize, amount: u64) -> Option<OperationError> {
        if from == to {
            return Some(OperationError::SameAccount);
        }
        if !self.layout.is_account(from as u64) || !self.layout.is_account(to as u64) {
            return Some(OperationError::NoSuchAccount);
        }
        let Some(left) = self.balances[from].checked_sub(amount) else { return Some(OperationError::InsufficientFunds) };
        self.balances[from] = left;
        self.balances[to] = self.balances[to].wrapping_add(amount);
        None
    }

    fn balance(&mut self, first: usize, last: usize) -> Option<OperationError> {
        self.told.has_pairs = true;
        for account in (first..=last).filter(|account| self.layout.is_account(*account as u64)) {
            self.told.keys.push(account as u64);
            self.told.values.push(self.balances[account]);
        }
        None
    }

    fn scan(&mut self, first: usize, last: usize) -> Option<OperationError> {
        self.told.has_pairs = true;
        for key in (first..=last).filter(|key| self.values[*key] != ABSENT) {
            self.told.keys.push(key as u64);
            self.told.values.push(self.values[key]);
        }
        None
    }

    fn transaction(&mut self, operations: &Operations, row: usize) -> Option<OperationError> {
        let tenant = operations.tenant[row];
        let (reads, writes) = (operations.reads.get(row), operations.writes.get(row));
        let keys = reads.clone().into_iter().flatten().chain(writes.clone().into_iter().flatten());
        if keys.into_iter().any(|pair| !self.layout.owns(tenant, pair.key)) {
            return Some(OperationError::OutOfRange);
        }
        self.told.has_pairs = true;
        for pair in reads.into_iter().flatten() {
            self.told.keys.push(pair.key);
            self.told.values.push(self.values[pair.key as usize]);
        }
        for pair in writes.into_iter().flatten() {
            self.values[pair.key as usize] = pair.value.unwrap_or(ABSENT);
        }
        None
    }
}

impl Told {
    /// Whether an answered operation says exactly this.
    #[inline]
    #[must_use]
    pub fn agrees(&self, operations: &Operations, row: usize) -> bool {
        let error = operations.error.get(row);
        if operations.outcome.codes[row] == Outcome::Error as u8 {
            return error.is_some() && error == self.error;
        }
        if self.error.is_some() || error.is_some() || operations.result.0[row] != self.result.unwrap_or(u64::NONE) {
            return false;
        }
        let results = &operations.results;
        if !results.present[row] {
            return self.keys.is_empty();
        }
        let start = if row == 0 { 0 } else { results.ends[row - 1] as usize };
        let pairs = start..results.ends[row] as usize;
        results.keys[pairs.clone()] == *self.keys && results.values.0[pairs] == *self.values
    }

    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        let held = |held: Option<u64>| held.map_or_else(|| "absent".to_owned(), crate::words::value);
        if let Some(error) = self.error {
            return format!("refused: {error}");
        }
        if self.has_pairs {
            let pairs = self.keys.iter().zip(&self.values);
            return words_of_pairs(pairs.map(|(key, value)| (*key, (*value != ABSENT).then(|| crate::words::value(*value)))));
        }
        held(self.result)
    }
}

/// A list in words, the first few of its elements.
pub(crate) fn words_of_list(list: &[u64]) -> String {
    const SHOWN: usize = 8;
    if list.len() <= SHOWN { format!("{list:?}") } else { format!("{} elements, the first ones {:?}", list.len(), &list[..SHOWN]) }
}

/// Pairs in words, the first few of them.
pub(crate) fn words_of_pairs<V: core::fmt::Display>(pairs: impl ExactSizeIterator<Item = (u64, Option<V>)>) -> String {
    const SHOWN: usize = 8;
    let length = pairs.len();
    let held = |value: Option<V>| value.map_or_else(|| "absent".to_owned(), |value| value.to_string());
    let shown: Vec<String> = pairs.take(SHOWN).map(|(key, value)| format!("{key}: {}", held(value))).collect();
    let rest = if length > SHOWN { format!(", … {length} pairs") } else { String::new() };
    format!("{{{}{rest}}}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_schema::{OperationRow, Pair};

    const LAYOUT: Layout = Layout { tenants: 2, keys_per_tenant: 10, accounts_per_tenant: 2, initial_balance: 5 };

    fn pair(key: u64, value: impl Into<Option<u64>>) -> Pair {
        Pair { key, value: value.into() }
    }

    /// Runs the rows, each of which holds what its client must be told, through a fresh store.
    fn replay(rows: &[OperationRow]) -> Store {
        let mut operations = Operations::default();
        for row in rows {
            operations.push(row.clone());
        }
        let mut store = Store::new(LAYOUT);
        for row in 0..rows.len() {
            let told = store.execute(&operations, row).expect("the rows are complete").clone();
            assert!(told.agrees(&operations, row), "row {row}: the model says {}", told.words());
        }
        store
    }

    fn ok(function: Function, key: u64) -> OperationRow {
        OperationRow { function, key, outcome: Outcome::Ok, ..OperationRow::default() }
    }

    fn refused(error: OperationError, row: OperationRow) -> OperationRow {
        OperationRow { outcome: Outcome::Error, error: Some(error), ..row }
    }

    #[test]
    fn keys_follow_their_functions() {
        replay(&[
            ok(Function::Read, 3),
            OperationRow { value: Some(7), ..ok(Function::Write, 3) },
            OperationRow { result: Some(7), ..ok(Function::Read, 3) },
            OperationRow { value: Some(2), result: Some(9), ..ok(Function::ReadModifyWrite, 3) },
            OperationRow { value: Some(2), result: Some(2), ..ok(Function::ReadModifyWrite, 4) },
            OperationRow { value: Some(1), expected: Some(8), result: Some(0), ..ok(Function::CompareAndSet, 3) },
            OperationRow { value: Some(1), expected: None, result: Some(1), ..ok(Function::CompareAndSet, 5) },
            OperationRow { key_last: Some(9), results: Some(vec![pair(4, 2), pair(5, 1)]), ..ok(Function::Scan, 4) },
            refused(OperationError::OutOfRange, ok(Function::Read, 10)),
            refused(OperationError::OutOfRange, OperationRow { key_last: Some(10), ..ok(Function::Scan, 4) }),
            refused(OperationError::OutOfRange, OperationRow { key_last: Some(3), ..ok(Function::Scan, 4) }),
        ]);
    }

    #[test]
    fn transactions_read_before_they_write() {
        let transaction = |reads, writes, results| OperationRow {
            reads: Some(reads),
            writes: Some(writes),
            results: Some(results),
            ..ok(Function::Transaction, 0)
        };
        replay(&[
            transaction(vec![pair(1, None)], vec![pair(1, 8), pair(2, 9)], vec![pair(1, None)]),
            transaction(vec![pair(2, None), pair(1, None)], vec![], vec![pair(2, 9), pair(1, 8)]),
            refused(OperationError::OutOfRange, transaction(vec![], vec![pair(11, 1)], vec![])),
        ]);
    }

    #[test]
    fn streams_give_out_offsets() {
        let append = |value| OperationRow { value: Some(value), ..ok(Function::StreamAppend, 1) };
        replay(&[
            refused(OperationError::NoSuchStream, append(5)),
            ok(Function::StreamCreate, 1),
            refused(OperationError::StreamExists, ok(Function::StreamCreate, 1)),
            OperationRow { result: Some(0), ..append(5) },
            OperationRow { result: Some(1), ..append(6) },
            OperationRow { value: Some(1), expected: Some(5), results: Some(vec![pair(1, 6)]), ..ok(Function::StreamRead, 1) },
            OperationRow { value: Some(9), expected: Some(5), results: Some(vec![]), ..ok(Function::StreamRead, 1) },
        ]);
    }

    #[test]
    fn transfers_move_what_is_there() {
        let transfer = |key_last, value| OperationRow { key_last: Some(key_last), value: Some(value), ..ok(Function::Transfer, 0) };
        let store = replay(&[
            transfer(1, 3),
            refused(OperationError::InsufficientFunds, transfer(1, 3)),
            refused(OperationError::SameAccount, transfer(0, 1)),
            refused(OperationError::NoSuchAccount, transfer(2, 1)),
            OperationRow { key_last: Some(9), results: Some(vec![pair(0, 2), pair(1, 8)]), ..ok(Function::Balance, 0) },
        ]);
        assert_eq!((store.total(0), store.total(1)), (10, 10));
    }

    #[test]
    fn a_wrong_answer_does_not_agree() {
        let mut operations = Operations::default();
        operations.push(OperationRow { result: Some(1), ..ok(Function::Read, 3) });
        operations.push(refused(OperationError::NoSuchStream, ok(Function::Read, 3)));
        operations.push(OperationRow { key_last: Some(9), results: Some(vec![pair(3, 1)]), ..ok(Function::Scan, 0) });
        operations.push(ok(Function::Write, 0));
        let mut store = Store::new(LAYOUT);
        for row in 0..3 {
            assert!(!store.execute(&operations, row).expect("complete").agrees(&operations, row), "row {row}");
        }
        assert_eq!(store.execute(&operations, 3), Err(Inexecutable));
    }
}
