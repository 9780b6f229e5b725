//! Columns of lists: two leaves, keys and values, to one column in memory.
//!
//! Rare (scans, stream reads, transactions), so both leaves are taken apart level by level.

use super::columns::{ChunkBytes, Integers, all_rows, read_values};
use super::pages::{PageBuffers, Pages};
use crate::column::{Niche, PairLists};
use crate::pages::hybrid::{self, Run};
use crate::pages::{Cursor, Damage};

/// The levels of a leaf.
#[derive(Default)]
struct Levels {
    repetition: Vec<u32>,
    definition: Vec<u32>,
}

/// Definition levels of both leaves: the list is null, it is empty, there is a pair; with a value in it.
const NULL_LIST: u32 = 1;
const EMPTY_LIST: u32 = 2;
const PAIR: u32 = 3;
const PAIR_WITH_VALUE: u32 = 4;

/// Appends the lists of a row group.
pub(crate) fn read_lists(
    keys: ChunkBytes<'_>,
    values: ChunkBytes<'_>,
    buffers: &mut PageBuffers,
    out: &mut PairLists,
) -> Result<(), Damage> {
    let (mut key_levels, mut value_levels) = (Levels::default(), Levels::default());
    let (first_pair, first_row) = (out.keys.len(), out.ends.len());
    read_leaf(keys, PAIR, buffers, &mut key_levels, &mut out.keys)?;
    let mut present = Vec::new();
    read_leaf(values, PAIR_WITH_VALUE, buffers, &mut value_levels, &mut present)?;
    if present.contains(&u64::NONE) {
        return Err(Damage::new("a number that is reserved for null stands where a value belongs"));
    }
    let same_shape = key_levels.repetition == value_levels.repetition
        && key_levels.definition.len() == value_levels.definition.len()
        && key_levels.definition.iter().zip(&value_levels.definition).all(|(key, value)| *key == (*value).min(PAIR));
    if !same_shape {
        return Err(Damage::new("keys and values of the lists differ in shape"));
    }
    let mut present = present.into_iter();
    let mut end = u32::try_from(first_pair).map_err(|_| Damage::new("too many pairs"))?;
    let mut open = false;
    for (repetition, definition) in value_levels.repetition.iter().zip(&value_levels.definition) {
        if *repetition == 0 {
            out.ends.push(end);
            out.present.push(*definition != NULL_LIST);
            open = *definition >= PAIR;
        } else if !open || *definition < PAIR {
            return Err(Damage::new("a list goes on that has not begun"));
        }
        if *definition >= PAIR {
            let value = if *definition == PAIR_WITH_VALUE { present.next() } else { None };
            out.values.0.push(value.unwrap_or(u64::NONE));
            end = end.checked_add(1).ok_or_else(|| Damage::new("too many pairs"))?;
            *out.ends.last_mut().ok_or_else(|| Damage::new("a list goes on that has not begun"))? = end;
        } else if *definition != NULL_LIST && *definition != EMPTY_LIST {
            return Err(Damage::new("a row has no value for its own kind: rows of several kinds in one row group?"));
        }
    }
    all_rows(out.ends.len() - first_row, keys.rows)
}

/// Reads a leaf's levels and those of its values that are there.
fn read_leaf(
    chunk: ChunkBytes<'_>,
    max_definition: u32,
    buffers: &mut PageBuffers,
    levels: &mut Levels,
    values: &mut Vec<u64>,
) -> Result<(), Damage> {
    let limit = Pages::budget(chunk.bytes.len());
    let mut pages = Pages::new(chunk.bytes, chunk.compressed, (true, true), buffers);
    let mut dictionary = Vec::new();
    let plain = Integers { nullable: false };
    while let Some(page) = pages.next()? {
        if page.values > limit - levels.definition.len() {
            return Err(Damage::new("a page claims more values than its chunk can hold"));
        }
        if page.dictionary {
            super::columns::Plain::read(&plain, page.body, page.values, &mut dictionary)?;
            continue;
        }
        let start = levels.definition.len();
        decode_levels(page.repetition, 1, page.values, &mut levels.repetition)?;
        decode_levels(page.definition, if max_definition > 3 { 3 } else { 2 }, page.values, &mut levels.definition)?;
        if levels.definition[start..].iter().any(|level| *level > max_definition) {
            return Err(Damage::new("a level exceeds its column's"));
        }
        let count = levels.definition[start..].iter().filter(|level| **level == max_definition).count();
        read_values(&page, count, &plain, &dictionary, values)?;
    }
    Ok(())
}

fn decode_levels(bytes: &[u8], width: u32, count: usize, out: &mut Vec<u32>) -> Result<(), Damage> {
    hybrid::decode(&mut Cursor::new(bytes), width, count, |run| {
        match run {
            Run::Repeat(level, times) => out.resize(out.len() + times, level),
            Run::Values(levels) => out.extend_from_slice(levels),
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::header::{PageHeader, PageKind, encoding, put_levels};
    use proptest::prelude::*;

    /// A chunk of one page with these levels, and one value for every level that has one.
    fn chunk(repetition: &[u8], definition: &[u8], max_definition: u8, value: u64) -> Vec<u8> {
        let mut payload = Vec::new();
        put_levels(&mut payload, |out| hybrid::encode(repetition, 1, out));
        put_levels(&mut payload, |out| hybrid::encode(definition, if max_definition > 3 { 3 } else { 2 }, out));
        definition.iter().filter(|level| **level == max_definition).for_each(|_| payload.extend(value.to_le_bytes()));
        let header = PageHeader {
            kind: PageKind::Data,
            uncompressed: payload.len(),
            compressed: payload.len(),
            crc: None,
            values: definition.len(),
            encoding: encoding::PLAIN,
        };
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        bytes.extend(payload);
        bytes
    }

    fn read(rows: usize, keys: &[u8], values: &[u8]) -> Result<PairLists, Damage> {
        let mut lists = PairLists::default();
        let at = |bytes, max_definition| ChunkBytes { bytes, compressed: false, max_definition, rows };
        read_lists(at(keys, 3), at(values, 4), &mut PageBuffers::new().unwrap(), &mut lists)?;
        Ok(lists)
    }

    #[test]
    fn levels_become_lists() {
        // null, [], [(7, null), (7, 9)]
        let keys = chunk(&[0, 0, 0, 1], &[1, 2, 3, 3], 3, 7);
        let values = chunk(&[0, 0, 0, 1], &[1, 2, 3, 4], 4, 9);
        let lists = read(3, &keys, &values).unwrap();
        assert_eq!((lists.ends, lists.present), (vec![0, 0, 2], vec![false, true, true]));
        assert_eq!((lists.keys, lists.values.0), (vec![7, 7], vec![u64::MAX, 9]));
    }

    #[test]
    fn broken_shapes_are_refused() {
        for (repetition, keys, values) in [
            (vec![1], vec![3], vec![4]),          // it goes on before it began
            (vec![0, 1], vec![2, 3], vec![2, 4]), // an empty list goes on
            (vec![0, 1], vec![3, 2], vec![3, 2]), // a list ends with nothing
            (vec![0], vec![3], vec![2]),          // a key without its value
            (vec![0], vec![0], vec![0]),          // a row of another kind
        ] {
            assert!(read(1, &chunk(&repetition, &keys, 3, 1), &chunk(&repetition, &values, 4, 1)).is_err(), "{repetition:?} {keys:?}");
        }
        assert!(read(1, &chunk(&[0], &[3], 3, 1), &chunk(&[0], &[4], 4, u64::MAX)).is_err(), "a reserved number");
        assert!(read(2, &chunk(&[0], &[3], 3, 1), &chunk(&[0], &[4], 4, 1)).is_err(), "a row too few");
    }

    proptest! {
        #[test]
        fn any_levels_end_in_lists_or_damage(levels in prop::collection::vec((0_u8..2, 0_u8..4, 0_u8..2), 0..40), rows in 0_usize..40) {
            let repetition: Vec<u8> = levels.iter().map(|level| level.0).collect();
            let keys: Vec<u8> = levels.iter().map(|level| level.1).collect();
            let values: Vec<u8> = levels.iter().map(|level| if level.1 == 3 { 3 + level.2 } else { level.1 }).collect();
            if let Ok(lists) = read(rows, &chunk(&repetition, &keys, 3, 5), &chunk(&repetition, &values, 4, 5)) {
                prop_assert_eq!(lists.ends.len(), rows);
                prop_assert_eq!(lists.ends.last().copied().unwrap_or(0) as usize, lists.keys.len());
                prop_assert_eq!(lists.keys.len(), lists.values.0.len());
                prop_assert!(lists.ends.is_sorted());
            }
        }
    }
}
