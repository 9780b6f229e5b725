//! The current version of each key while the log is walked.
//!
//! Versions are told apart by the operation that wrote them; a dense array per layout keeps a step at a few accesses.

use crate::index::{RunIndex, is_read};
use crate::models::layout::Layout;
use vopr_schema::column::Niche;
use vopr_schema::{Function, Operations, Outcome};

const ABSENT: u64 = u64::NONE;

/// An observation of something that is not current.
#[derive(Debug)]
pub(super) enum Unseen {
    /// Another version of a key.
    Version {
        /// Key.
        key: u64,
        /// What was seen; none is absence.
        seen: Option<u64>,
        /// What was current.
        current: Option<u64>,
    },
    /// Another length of a stream.
    Length {
        /// Stream.
        stream: u64,
        /// Its length there.
        length: u64,
    },
}

/// A version: its value and who wrote it where.
#[derive(Clone, Copy)]
struct Version {
    value: u64,
    op: u64,
    row: usize,
}

pub(super) struct Versions<'a> {
    index: &'a RunIndex<'a>,
    layout: Layout,
    current: Vec<Version>,
    /// Per stream its length; [`ABSENT`] until it is created.
    lengths: Vec<u64>,
    facts: u64,
}

impl<'a> Versions<'a> {
    pub fn new(index: &'a RunIndex<'a>, layout: Layout) -> Self {
        let numbers = usize::try_from(layout.numbers()).unwrap_or(0);
        let absent = Version { value: ABSENT, op: 0, row: 0 };
        Self { index, layout, current: vec![absent; numbers], lengths: vec![ABSENT; numbers], facts: 0 }
    }

    pub fn facts(&self) -> u64 {
        self.facts
    }

    /// Where the current version of a key was written.
    pub fn current(&self, key: u64) -> Option<(u64, usize)> {
        let version = self.current.get(usize::try_from(key).ok()?)?;
        (version.value != ABSENT).then_some((version.op, version.row))
    }

    /// The last place in the log at which a value was written to a key; only for witnesses, for it walks the log once more.
    pub fn find(index: &RunIndex<'_>, key: u64, value: Option<u64>) -> Option<(u64, usize)> {
        let (value, table) = (value?, index.operations());
        let mut found = None;
        let _: Result<(), ()> = index.journal().replay(|op, row| {
            if is_read(index, row) || table.outcome.get(row) == Outcome::Error {
                return Ok(());
            }
            let mut writes = |at: u64, written: u64| {
                if (at, written) == (key, value) {
                    found = Some((op, row));
                }
            };
            match table.function.get(row) {
                Function::ReadModifyWrite => writes(table.key[row], table.result.0[row]),
                _ => crate::writers::written(table, row, writes),
            }
            Ok(())
        });
        found
    }

    /// The operation at an op number: what it saw is compared, what it wrote becomes current.
    pub fn visit(&mut self, op: u64, row: usize) -> Result<(), Unseen> {
        let table = self.index.operations();
        let (tenant, key) = (table.tenant[row], table.key[row]);
        let function = table.function.get(row);
        // A request that was applied twice was answered once: its answer, and whether it was refused, says
        // something of the place where it claims to be from only.
        let claim = table.op.0[row];
        let elsewhere = claim != op && self.index.op_index(claim).and_then(|op| self.index.journal().operation_at(op)) == Some(row);
        if table.outcome.get(row) == Outcome::Error && !elsewhere {
            return Ok(());
        }
        let told = table.outcome.get(row) == Outcome::Ok && !elsewhere;
        if function == Function::Transaction {
            return self.transaction(op, row, told);
        }
        if !self.layout.owns(tenant, key) {
            return Ok(());
        }
        let value = table.value.0[row];
        match function {
            Function::Write => self.put(key, value, op, row),
            Function::Read if told => self.see(key, table.result.0[row])?,
            Function::ReadModifyWrite => self.add(op, row, told)?,
            Function::CompareAndSet => self.compare_and_set(op, row, told)?,
            Function::Scan if told => self.scan(table, row)?,
            Function::StreamCreate | Function::StreamAppend => self.lengthen(key, function),
            Function::StreamRead if told => self.stream_read(table, row)?,
            _ => {}
        }
        Ok(())
    }

    fn at(key: u64) -> usize {
        usize::try_from(key).unwrap_or(usize::MAX)
    }

    fn value(&self, key: u64) -> u64 {
        self.current.get(Self::at(key)).map_or(ABSENT, |version| version.value)
    }

    fn put(&mut self, key: u64, value: u64, op: u64, row: usize) {
        if let Some(version) = self.current.get_mut(Self::at(key)) {
            *version = Version { value, op, row };
        }
    }

    fn see(&mut self, key: u64, seen: u64) -> Result<(), Unseen> {
        self.facts += 1;
        let current = self.value(key);
        if seen == current {
            return Ok(());
        }
        let known = |value: u64| (value != ABSENT).then_some(value);
        Err(Unseen::Version { key, seen: known(seen), current: known(current) })
    }

    /// What an addition was told, less what it added, is what it saw.
    fn add(&mut self, op: u64, row: usize, told: bool) -> Result<(), Unseen> {
        let table = self.index.operations();
        let (key, delta) = (table.key[row], table.value.0[row]);
        let current = self.value(key);
        let sum = if current == ABSENT { delta } else { current.wrapping_add(delta) };
        let Some(result) = table.result.get(row).filter(|_| told) else {
            self.put(key, sum, op, row);
            return Ok(());
        };
        if result == sum {
            self.facts += 1;
        } else {
            let seen = result.wrapping_sub(delta);
            // Nothing and a zero cannot be told apart by what was added to them.
            self.see(key, if seen == 0 { ABSENT } else { seen })?;
        }
        self.put(key, result, op, row);
        Ok(())
    }

    fn compare_and_set(&mut self, op: u64, row: usize, told: bool) -> Result<(), Unseen> {
        let table = self.index.operations();
        let (key, expected) = (table.key[row], table.expected.0[row]);
        let matches = self.value(key) == expected;
        let done = if told { table.result.0[row] == 1 } else { matches };
        if told {
            if done {
                self.see(key, expected)?;
            } else if matches {
                return Err(Unseen::Version { key, seen: None, current: table.expected.get(row) });
            } else {
                self.facts += 1;
            }
        }
        if done {
            self.put(key, table.value.0[row], op, row);
        }
        Ok(())
    }

    fn scan(&mut self, table: &Operations, row: usize) -> Result<(), Unseen> {
        let mut shown = table.results.get(row).into_iter().flatten();
        let last = table.key_last.get(row).unwrap_or(0).min(self.layout.numbers().saturating_sub(1));
        // Keys in order, pairs in order: both are walked once.
        let mut next = shown.next();
        for key in table.key[row]..=last {
            while let Some(pair) = next.as_ref().filter(|pair| pair.key < key) {
                self.see(pair.key, pair.value.unwrap_or(ABSENT))?;
                next = shown.next();
            }
            match next.as_ref().filter(|pair| pair.key == key) {
                Some(pair) => {
                    self.see(key, pair.value.unwrap_or(ABSENT))?;
                    next = shown.next();
                }
                None if self.value(key) != ABSENT => self.see(key, ABSENT)?,
                None => {}
            }
        }
        while let Some(pair) = next {
            self.see(pair.key, pair.value.unwrap_or(ABSENT))?;
            next = shown.next();
        }
        Ok(())
    }

    fn transaction(&mut self, op: u64, row: usize, told: bool) -> Result<(), Unseen> {
        let table = self.index.operations();
        let tenant = table.tenant[row];
        let lists = [table.reads.get(row), table.writes.get(row)];
        let owned = lists.into_iter().flatten().flatten().all(|pair| self.layout.owns(tenant, pair.key));
        if !owned {
            return Ok(());
        }
        if told {
            for pair in table.results.get(row).into_iter().flatten() {
                self.see(pair.key, pair.value.unwrap_or(ABSENT))?;
            }
        }
        for pair in table.writes.get(row).into_iter().flatten() {
            self.put(pair.key, pair.value.unwrap_or(ABSENT), op, row);
        }
        Ok(())
    }

    fn lengthen(&mut self, stream: u64, function: Function) {
        let Some(length) = self.lengths.get_mut(Self::at(stream)) else { return };
        match (function, *length) {
            (Function::StreamCreate, ABSENT) => *length = 0,
            (Function::StreamAppend, known) if known != ABSENT => *length = known + 1,
            _ => {}
        }
    }

    fn stream_read(&mut self, table: &Operations, row: usize) -> Result<(), Unseen> {
        let stream = table.key[row];
        let length = self.lengths.get(Self::at(stream)).copied().filter(|length| *length != ABSENT).unwrap_or(0);
        let (first, count) = (table.value.get(row).unwrap_or(0), table.expected.get(row).unwrap_or(0));
        let shown = table.results.get(row).map_or(0, |pairs| pairs.len() as u64);
        self.facts += 1;
        if shown == count.min(length.saturating_sub(first)) { Ok(()) } else { Err(Unseen::Length { stream, length }) }
    }
}
