//! Who wrote which value: what a reader saw names the write that it saw, where nobody else wrote the same.
//!
//! Session guarantees compare what two operations of a session saw or wrote; without a log to replay, values are all that tells
//! two versions of a key apart.

#![expect(clippy::cast_possible_truncation, reason = "rows and objects are numbered in 32 bits, as everywhere in the index")]

use crate::index::RunIndex;
use crate::linearize::interner::Interner;
use crate::replay::returned;
use vopr_schema::column::Niche;
use vopr_schema::{Function, Operations};

/// An object of a tenant: tenant, key, and whether it is a stream; streams are numbered apart from keys.
pub type Object = (u32, u64, bool);

const NONE: u32 = u32::MAX;

/// The keys and streams that the operations of a run write, and the writers of each value.
#[derive(Debug, Default)]
pub struct Writers {
    objects: Interner<Object>,
    /// Per object, whether an addition touches it.
    added: Vec<bool>,
    /// Values by (object, value), and the only writer of each, [`NONE`] if there are several.
    values: Interner<(u32, u64)>,
    only: Vec<u32>,
}

impl Writers {
    /// Collects who wrote which value, whatever became of the write.
    #[must_use]
    pub fn of_run(index: &RunIndex<'_>) -> Self {
        let table = index.operations();
        let mut writers = Self::default();
        for row in index.operation_rows() {
            let (tenant, key) = (table.tenant[row], table.key[row]);
            match table.function.get(row) {
                Function::ReadModifyWrite => {
                    let object = writers.intern((tenant, key, false));
                    writers.added[object] = true;
                }
                Function::StreamAppend | Function::StreamRead => {
                    writers.intern((tenant, key, true));
                }
                _ => written(table, row, |key, value| writers.note((tenant, key, false), value, row)),
            }
        }
        writers
    }

    fn intern(&mut self, object: Object) -> usize {
        let (number, new) = self.objects.intern(object);
        if new {
            self.added.push(false);
        }
        number as usize
    }

    fn note(&mut self, object: Object, value: u64, row: usize) {
        let object = self.intern(object);
        let (number, new) = self.values.intern((object as u32, value));
        if new {
            self.only.push(row as u32);
        } else if self.only[number as usize] != row as u32 {
            self.only[number as usize] = NONE;
        }
    }

    /// Number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.added.len()
    }

    /// Whether nothing is ever written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
    }

    /// The number of an object; none for a key that nobody writes.
    #[inline]
    #[must_use]
    pub fn find(&self, object: Object) -> Option<usize> {
        self.objects.find(&object).map(|number| number as usize)
    }

    /// The object of a number.
    #[must_use]
    pub fn object(&self, number: usize) -> Object {
        *self.objects.get(number as u32)
    }

    /// Whether some operation adds to an object: then values do not tell its versions apart.
    #[inline]
    #[must_use]
    pub fn is_added_to(&self, object: usize) -> bool {
        self.added[object]
    }

    /// The only operation that can have written a value to an object; none if there are several, or none at all.
    #[inline]
    #[must_use]
    pub fn only_writer(&self, object: usize, value: u64) -> Option<usize> {
        let number = self.values.find(&(object as u32, value))?;
        Some(self.only[number as usize]).filter(|row| *row != NONE).map(|row| row as usize)
    }
}

/// Calls `visit` with each key that an operation may have written, and the value. Additions are not among them.
#[inline]
pub fn written(table: &Operations, row: usize, mut visit: impl FnMut(u64, u64)) {
    match table.function.get(row) {
        Function::Write | Function::CompareAndSet => {
            let failed = table.result.0[row] == 0 && table.function.get(row) == Function::CompareAndSet;
            if let Some(value) = table.value.get(row).filter(|_| !failed) {
                visit(table.key[row], value);
            }
        }
        Function::Transaction => {
            for pair in table.writes.get(row).into_iter().flatten() {
                visit(pair.key, pair.value.unwrap_or(u64::NONE));
            }
        }
        _ => {}
    }
}

/// Whether a write certainly happened before another one: it was answered before the other was asked for, or the log says so.
#[must_use]
pub fn is_older(index: &RunIndex<'_>, writer: usize, than: usize) -> bool {
    if returned(index, writer) < index.operations().seq[than] {
        return true;
    }
    let place = |row: usize| index.journal().place_of(row);
    place(writer).zip(place(than)).is_some_and(|(writer, than)| writer < than)
}

#[cfg(test)]
mod tests {
    use super::Writers;
    use crate::RunIndex;
    use crate::testing::dialogue::{Dialogue, ask, write};
    use vopr_schema::{Function, OperationRow};

    #[test]
    fn a_value_with_two_writers_names_none() {
        let mut dialogue = Dialogue::new(1);
        let first = dialogue.call(0, 1, write(5, 50));
        dialogue.call(0, 1, write(5, 51));
        dialogue.call(0, 2, write(5, 51));
        dialogue.call(0, 2, OperationRow { value: Some(1), ..ask(Function::ReadModifyWrite, 6) });
        let history = dialogue.story.history();
        let index = RunIndex::new(&history, 0);
        let writers = Writers::of_run(&index);
        let five = writers.find((0, 5, false)).expect("written");
        assert_eq!(writers.only_writer(five, 50), Some(first));
        assert_eq!(writers.only_writer(five, 51), None);
        assert_eq!(writers.only_writer(five, 99), None);
        assert!(!writers.is_added_to(five));
        assert!(writers.is_added_to(writers.find((0, 6, false)).expect("added to")));
        assert_eq!(writers.find((0, 5, true)), None);
        assert_eq!(writers.len(), 2);
    }
}
