//! Transactions as clients recorded them: the input of every check of this folder.
//!
//! Struct of arrays, because a read of a list may hold many elements and a history many reads: elements of all lists lie in one
//! vector, micro-operations in another, and a transaction is a range of those.

use core::fmt;
use core::ops::Range;

/// The completion of a transaction that never returned.
pub const NEVER: u64 = u64::MAX;

/// How a transaction ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was committed (`:ok`).
    Committed,
    /// It was certainly not committed (`:fail`): nobody may see what it wrote.
    Aborted,
    /// Nobody knows (`:info`, or no completion): it may have been committed at any time after its invocation, or never.
    Unknown,
}

/// One step of a transaction. Keys and values are numbers that the caller chose: different ones for different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Micro {
    /// Puts a value behind the list at a key (`[:append k v]`).
    Append {
        /// The list's key.
        key: u64,
        /// The element; unique per key.
        value: u64,
    },
    /// Sets the register at a key (`[:w k v]`).
    Write {
        /// The register's key.
        key: u64,
        /// The value; unique per key, or the reads of it say nothing.
        value: u64,
    },
    /// Read the whole list at a key (`[:r k [1 2 3]]`); a key that does not exist is an empty list.
    ReadList {
        /// The list's key.
        key: u64,
        /// First of its elements in [`Transactions::elements`].
        start: u32,
        /// End of them.
        end: u32,
    },
    /// Read the register at a key and saw a value (`[:r k v]`).
    ReadValue {
        /// The register's key.
        key: u64,
        /// What was seen.
        value: u64,
    },
    /// Read the register at a key and saw that it was never written (`[:r k nil]` of a committed transaction).
    ReadAbsent {
        /// The register's key.
        key: u64,
    },
}

impl Micro {
    /// The key it touches.
    #[inline]
    #[must_use]
    pub fn key(self) -> u64 {
        match self {
            Self::Append { key, .. }
            | Self::Write { key, .. }
            | Self::ReadList { key, .. }
            | Self::ReadValue { key, .. }
            | Self::ReadAbsent { key } => key,
        }
    }
}

/// One transaction, without its micro-operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Who ran it: transactions of one process follow one another.
    pub process: u64,
    /// When it was invoked: any clock that all transactions share, such as the place of the event in the history.
    pub invoke: u64,
    /// When it completed; [`NEVER`] when its outcome is unknown. Intervals are closed: a transaction precedes another one exactly
    /// when it completed at an earlier time than the other was invoked.
    pub complete: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Its place in the recorded commit order, where the system told one: then that is the order of versions.
    pub position: Option<u64>,
    /// Where it stands in what was read (line, index, sequence number), for witnesses.
    pub label: u64,
    micro: Range<u32>,
}

/// What keys and values are called where they are not numbers. Whatever lies beyond the end of a list is called by its number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Names of keys.
    pub keys: Vec<String>,
    /// Names of values.
    pub values: Vec<String>,
}

/// A history of transactions over lists (list-append), registers (rw-register), or both.
///
/// ```
/// use vopr_checker::transactions::{Outcome, Transactions};
/// let mut history = Transactions::default();
/// history.begin(1, 0);
/// history.append(5, 10);
/// history.read_list(6, [7, 8]);
/// history.end(3, Outcome::Committed);
/// assert_eq!(history.len(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Transactions {
    rows: Vec<Transaction>,
    micro: Vec<Micro>,
    elements: Vec<u64>,
    /// What keys and values are called.
    pub names: Names,
}

impl Transactions {
    /// Begins the next transaction: `process` invokes it at `invoke`. Until [`Self::end`] its outcome is unknown.
    ///
    /// # Panics
    /// Beyond 2^32 micro-operations.
    pub fn begin(&mut self, process: u64, invoke: u64) -> usize {
        let start = narrow(self.micro.len());
        self.rows.push(Transaction {
            process,
            invoke,
            complete: NEVER,
            outcome: Outcome::Unknown,
            position: None,
            label: invoke,
            micro: start..start,
        });
        self.rows.len() - 1
    }

    /// The transaction begun last ends. What a transaction that did not commit claims to have read is not looked at.
    pub fn end(&mut self, complete: u64, outcome: Outcome) {
        let last = self.last();
        last.complete = if outcome == Outcome::Unknown { NEVER } else { complete };
        last.outcome = outcome;
    }

    /// Where the transaction begun last stands in its source; without this call that is its invocation.
    pub fn label(&mut self, label: u64) {
        self.last().label = label;
    }

    /// The place of the transaction begun last in the recorded commit order.
    pub fn position(&mut self, position: u64) {
        self.last().position = Some(position);
    }

    /// The transaction begun last appends `value` to the list at `key`.
    pub fn append(&mut self, key: u64, value: u64) {
        self.push(Micro::Append { key, value });
    }

    /// The transaction begun last writes `value` to the register at `key`.
    pub fn write(&mut self, key: u64, value: u64) {
        self.push(Micro::Write { key, value });
    }

    /// The transaction begun last reads the list at `key`.
    ///
    /// # Panics
    /// Beyond 2^32 elements.
    pub fn read_list(&mut self, key: u64, list: impl IntoIterator<Item = u64>) {
        let start = narrow(self.elements.len());
        self.elements.extend(list);
        self.push(Micro::ReadList { key, start, end: narrow(self.elements.len()) });
    }

    /// The transaction begun last reads the register at `key`; none is a register that was never written.
    pub fn read(&mut self, key: u64, value: Option<u64>) {
        self.push(value.map_or(Micro::ReadAbsent { key }, |value| Micro::ReadValue { key, value }));
    }

    fn last(&mut self) -> &mut Transaction {
        self.rows.last_mut().expect("a transaction was begun")
    }

    fn push(&mut self, micro: Micro) {
        self.micro.push(micro);
        let end = narrow(self.micro.len());
        self.last().micro.end = end;
    }

    /// Number of transactions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no transaction.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All transactions, in the order in which they were begun.
    #[inline]
    #[must_use]
    pub fn transactions(&self) -> &[Transaction] {
        &self.rows
    }

    /// What a transaction did, in order.
    #[inline]
    #[must_use]
    pub fn micro(&self, transaction: usize) -> &[Micro] {
        let Range { start, end } = self.rows[transaction].micro;
        &self.micro[start as usize..end as usize]
    }

    /// All micro-operations.
    #[must_use]
    pub fn micro_operations(&self) -> &[Micro] {
        &self.micro
    }

    /// Elements of a list that was read.
    #[inline]
    #[must_use]
    pub fn elements(&self, start: u32, end: u32) -> &[u64] {
        &self.elements[start as usize..end as usize]
    }

    /// A key in words.
    #[must_use]
    pub fn key_name(&self, key: u64) -> String {
        name(&self.names.keys, key)
    }

    /// A value in words.
    #[must_use]
    pub fn value_name(&self, value: u64) -> String {
        if self.names.values.is_empty() { crate::words::value(value) } else { name(&self.names.values, value) }
    }

    /// A transaction in words: `T7 (process 2): append 3 to x, read y: [1, 2]`.
    #[must_use]
    pub fn words(&self, transaction: usize) -> String {
        let row = &self.rows[transaction];
        let committed = row.outcome == Outcome::Committed;
        let micro: Vec<String> = self.micro(transaction).iter().map(|micro| self.micro_words(*micro, committed)).collect();
        let outcome = match row.outcome {
            Outcome::Committed => "",
            Outcome::Aborted => ", aborted",
            Outcome::Unknown => ", outcome unknown",
        };
        format!("T{transaction} (process {}{outcome}): {}", row.process, micro.join(", "))
    }

    fn micro_words(&self, micro: Micro, committed: bool) -> String {
        let key = self.key_name(micro.key());
        match micro {
            Micro::Append { value, .. } => format!("append {} to {key}", self.value_name(value)),
            Micro::Write { value, .. } => format!("{key} := {}", self.value_name(value)),
            _ if !committed => format!("read {key}"),
            Micro::ReadList { start, end, .. } => format!("read {key}: {}", self.list_words(self.elements(start, end))),
            Micro::ReadValue { value, .. } => format!("read {key}: {}", self.value_name(value)),
            Micro::ReadAbsent { .. } => format!("read {key}: absent"),
        }
    }

    /// A list in words; of a long one the end, which is what readers differ in.
    #[must_use]
    pub fn list_words(&self, list: &[u64]) -> String {
        const SHOWN: usize = 12;
        let shown: Vec<String> = list.iter().skip(list.len().saturating_sub(SHOWN)).map(|value| self.value_name(*value)).collect();
        let before = if list.len() > SHOWN { format!("… {} before, ", list.len() - SHOWN) } else { String::new() };
        format!("[{before}{}]", shown.join(", "))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Unknown => "unknown",
        })
    }
}

fn narrow(length: usize) -> u32 {
    u32::try_from(length).expect("a history has fewer than 2^32 micro-operations and elements")
}

fn name(names: &[String], number: u64) -> String {
    usize::try_from(number).ok().and_then(|number| names.get(number)).cloned().unwrap_or_else(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_told_in_words() {
        let mut history = Transactions::default();
        history.names.keys = vec!["x".to_owned()];
        history.begin(3, 5);
        history.append(0, 1);
        history.read_list(0, 0..14);
        history.write(9, 2);
        history.read(9, None);
        history.end(8, Outcome::Committed);
        history.begin(4, 9);
        history.read(0, Some(7));
        let words = "T0 (process 3): append 1 to x, read x: [… 2 before, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], 9 := 2, read 9: absent";
        assert_eq!(history.words(0), words);
        assert_eq!(history.words(1), "T1 (process 4, outcome unknown): read x");
        assert_eq!((history.len(), history.transactions()[1].complete), (2, NEVER));
    }
}
