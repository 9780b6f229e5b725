//! Nulls: definition levels from a bit mask, and the values without them.

use crate::column::Niche;
use crate::pages::Word;
use crate::pages::hybrid;

/// Two bits per row: 1 for null, 2 for a value, for all masks of eight rows.
const LEVELS_OF_MASK: [u16; 256] = levels_of_mask();

const fn levels_of_mask() -> [u16; 256] {
    let mut table = [0_u16; 256];
    let mut mask = 0;
    while mask < 256 {
        let mut row = 0;
        while row < 8 {
            table[mask] |= (1 + (mask as u16 >> row & 1)) << (2 * row);
            row += 1;
        }
        mask += 1;
    }
    table
}

/// Copies the values that are not null to the front of `out`, which only grows, and returns their number; `masks` gets a bit per
/// row, eight rows a byte. Missing rows of the last byte take the value of a row that exists where that makes the byte uniform.
///
/// Nulls come in no order that a processor could guess, so there is no branch: every value is stored, and the next one over
/// it when it was null.
pub(crate) fn compact<T: Word + Niche>(values: &[T], out: &mut Vec<T>, masks: &mut Vec<u8>) -> usize {
    masks.clear();
    if out.len() < values.len() + 8 {
        out.resize(values.len() + 8, T::default());
    }
    let (groups, tail) = values.as_chunks::<8>();
    let mut count = 0;
    masks.extend(groups.iter().map(|group| {
        let slots: &mut [T; 8] = out[count..].first_chunk_mut().expect("there is room for all values and eight more");
        let (mut mask, mut here) = (0_u8, 0_usize);
        for (row, value) in group.iter().enumerate() {
            let present = *value != T::NONE;
            slots[here & 7] = *value;
            here += usize::from(present);
            mask |= u8::from(present) << row;
        }
        count += here;
        mask
    }));
    if !tail.is_empty() {
        let mask = tail.iter().enumerate().fold(0, |mask, (row, value)| mask | u8::from(*value != T::NONE) << row);
        masks.push(if usize::try_from(mask.count_ones()).is_ok_and(|ones| ones == tail.len()) { u8::MAX } else { mask });
        for value in tail.iter().filter(|value| **value != T::NONE) {
            out[count] = *value;
            count += 1;
        }
    }
    count
}

/// Appends the definition levels (1 null, 2 value; 2 bits wide) of `rows` rows whose masks are given.
pub(crate) fn put_definition(masks: &[u8], rows: usize, out: &mut Vec<u8>) {
    let mut at = 0;
    while at < masks.len() {
        let mask = masks[at];
        let same = masks[at..].iter().take_while(|other| **other == mask).count();
        if (mask == 0 || mask == u8::MAX) && (same > 1 || at + same == masks.len()) {
            let count = (same * 8).min(rows - at * 8);
            hybrid::put_repeat(out, if mask == 0 { 1 } else { 2 }, count, 2);
            at += same;
            continue;
        }
        // Literal groups up to the next worthwhile run; 63 keep the header in one byte.
        let mut end = at + 1;
        while end < masks.len()
            && end - at < 63
            && !(end + 1 < masks.len() && masks[end] == masks[end + 1] && matches!(masks[end], 0 | u8::MAX))
        {
            end += 1;
        }
        out.push(((end - at) << 1 | 1) as u8);
        out.extend(masks[at..end].iter().flat_map(|mask| LEVELS_OF_MASK[usize::from(*mask)].to_le_bytes()));
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::{Cursor, hybrid::Run};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nulls_survive(runs in prop::collection::vec((prop::option::of(0_u32..9), 1_usize..30), 0..40)) {
            let rows: Vec<u32> =
                runs.iter().flat_map(|(value, count)| core::iter::repeat_n(value.unwrap_or(u32::NONE), *count)).collect();
            let (mut values, mut masks, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
            let count = compact(&rows, &mut values, &mut masks);
            values.truncate(count);
            put_definition(&masks, rows.len(), &mut bytes);
            let mut levels = Vec::new();
            hybrid::decode(&mut Cursor::new(&bytes), 2, rows.len(), |run| {
                match run {
                    Run::Repeat(level, count) => levels.extend(core::iter::repeat_n(level, count)),
                    Run::Values(block) => levels.extend_from_slice(block),
                }
                Ok(())
            }).unwrap();
            let mut values = values.into_iter();
            let back: Vec<u32> = levels.iter().map(|level| if *level == 2 { values.next().unwrap() } else { u32::NONE }).collect();
            prop_assert_eq!(back, rows);
            prop_assert!(values.next().is_none());
        }
    }
}
