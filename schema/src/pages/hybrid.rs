//! The run-length / bit-packing hybrid: levels and dictionary indices.
//!
//! Runs stay runs on both sides: a column of a few values costs per change, not per row.

use super::{Cursor, Damage, Word, bits, put_varint};

/// Groups of eight that one bit-packed run may hold so that its header stays one byte.
const PACKED_GROUPS_MAX: usize = 63;

/// Values that the decoder hands over at a time.
const DECODE_BLOCK: usize = PACKED_GROUPS_MAX * 8;

/// Appends a run of `count` equal values.
pub(crate) fn put_repeat(out: &mut Vec<u8>, value: u64, count: usize, width: u32) {
    if count == 0 {
        return;
    }
    put_varint(out, (count as u64) << 1);
    out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Appends `values`, each below 2^width.
pub(crate) fn encode<T: Word>(values: &[T], width: u32, out: &mut Vec<u8>) {
    let (groups, tail) = values.as_chunks::<8>();
    let mut literal_from = 0;
    let mut at = 0;
    while at < groups.len() {
        let first = groups[at][0];
        let mut end = at;
        while end < groups.len() && groups[end] == [first; 8] {
            end += 1;
        }
        let last_group = end == groups.len();
        // A run pays for its own header and for the one of the literal run after it.
        if end - at >= 2 || (end > at && last_group && literal_from == at) {
            put_packed(&values[literal_from * 8..at * 8], width, out);
            let tail_of_run = if last_group { tail.iter().take_while(|value| **value == first).count() } else { 0 };
            if tail_of_run == tail.len() || !last_group {
                put_repeat(out, first.wide(), (end - at) * 8 + tail_of_run, width);
                if last_group {
                    return;
                }
            } else {
                put_repeat(out, first.wide(), (end - at) * 8, width);
            }
            literal_from = end;
            at = end;
        } else {
            at = end.max(at + 1);
        }
    }
    put_packed(&values[literal_from * 8..groups.len() * 8], width, out);
    match tail.split_first() {
        Some((first, rest)) if rest.iter().all(|value| value == first) => put_repeat(out, first.wide(), tail.len(), width),
        Some(_) => {
            let mut padded = [T::default(); 8];
            padded[..tail.len()].copy_from_slice(tail);
            put_packed(&padded, width, out);
        }
        None => {}
    }
}

/// Appends whole groups of eight as bit-packed runs.
fn put_packed<T: Word>(values: &[T], width: u32, out: &mut Vec<u8>) {
    for run in values.chunks(PACKED_GROUPS_MAX * 8) {
        out.push(((run.len() / 8) << 1 | 1) as u8);
        bits::pack(run, width, out);
    }
}

/// A piece of a decoded sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Run<'a> {
    /// `count` times `value`.
    Repeat(u32, usize),
    /// Values one by one.
    Values(&'a [u32]),
}

/// Decodes exactly `count` values of `width` bits (at most 32) and hands them to `sink` in order.
pub(crate) fn decode(
    input: &mut Cursor<'_>,
    width: u32,
    count: usize,
    mut sink: impl FnMut(Run<'_>) -> Result<(), Damage>,
) -> Result<(), Damage> {
    if width > 32 {
        return Err(Damage::new("a bit width over 32"));
    }
    let mut block = [0_u32; DECODE_BLOCK];
    let mut left = count;
    while left > 0 {
        let header = input.varint()?;
        let length = usize::try_from(header >> 1).map_err(|_| Damage::new("a run is absurdly long"))?;
        if length == 0 {
            return Err(Damage::new("a run is empty"));
        }
        if header & 1 == 0 {
            let mut value = [0; 4];
            let bytes = input.take(width.div_ceil(8) as usize)?;
            value[..bytes.len()].copy_from_slice(bytes);
            let value = u32::from_le_bytes(value);
            if bits::width_of(u64::from(value)) > width || length > left {
                return Err(Damage::new("a run exceeds its width or its page"));
            }
            sink(Run::Repeat(value, length))?;
            left -= length;
            continue;
        }
        // The last run is padded to whole groups of eight, and by less than one group.
        if length > left.div_ceil(8) {
            return Err(Damage::new("a run exceeds its page"));
        }
        let mut packed = input.take(length * width as usize)?;
        let mut groups = length;
        while groups > 0 {
            let now = groups.min(DECODE_BLOCK / 8);
            let (bytes, rest) = packed.split_at(now * width as usize);
            bits::unpack(bytes, width, &mut block[..now * 8]);
            let values = left.min(now * 8);
            sink(Run::Values(&block[..values]))?;
            left -= values;
            packed = rest;
            groups -= now;
        }
    }
    Ok(())
}

/// Decodes `rows` definition levels of two bits, 1 for null and 2 for a value, to a bit per row, eight rows a byte.
/// Returns the number of values. Bits behind the last row are 0.
pub(crate) fn decode_presence(input: &mut Cursor<'_>, rows: usize, masks: &mut Vec<u8>) -> Result<usize, Damage> {
    let other_kind = || Damage::new("a row has no value for its own kind: rows of several kinds in one row group?");
    masks.clear();
    masks.resize(rows.div_ceil(8), 0);
    let mut at = 0;
    while at < rows {
        let header = input.varint()?;
        let length = usize::try_from(header >> 1).map_err(|_| Damage::new("a run is absurdly long"))?;
        if length == 0 || length > if header & 1 == 0 { rows - at } else { (rows - at).div_ceil(8) } {
            return Err(Damage::new("a run is empty or exceeds its page"));
        }
        if header & 1 == 0 {
            match input.byte()? {
                1 => {}
                2 => set_bits(masks, at, length),
                _ => return Err(other_kind()),
            }
            at += length;
            continue;
        }
        let mut packed = input.take(length * 2)?;
        if at.is_multiple_of(8) {
            // Thirty-two rows at a time as long as all of them exist.
            let (words, _) = packed.as_chunks::<8>();
            let words = &words[..words.len().min((rows - at) / 32)];
            for (levels, masks) in words.iter().zip(masks[at / 8..].as_chunks_mut::<4>().0) {
                let levels = u64::from_le_bytes(*levels);
                if (levels ^ levels >> 1) & 0x5555_5555_5555_5555 != 0x5555_5555_5555_5555 {
                    return Err(other_kind());
                }
                *masks = even_bits_wide(levels >> 1).to_le_bytes();
            }
            at += words.len() * 32;
            packed = &packed[words.len() * 8..];
        }
        for levels in packed.as_chunks::<2>().0 {
            let levels = u16::from_le_bytes(*levels);
            let here = (rows - at).min(8);
            // A level of 1 or 2 has exactly one of its two bits set.
            if (levels ^ levels >> 1 | 0x5555_u16.checked_shl(2 * here as u32).unwrap_or(0)) & 0x5555 != 0x5555 {
                return Err(other_kind());
            }
            let mask = even_bits(levels >> 1) & (0xff_u16 >> (8 - here)) as u8;
            masks[at / 8] |= mask << (at % 8);
            if at % 8 + here > 8 {
                masks[at / 8 + 1] |= mask >> (8 - at % 8);
            }
            at += here;
        }
    }
    Ok(masks.iter().map(|mask| mask.count_ones() as usize).sum())
}

fn set_bits(masks: &mut [u8], from: usize, count: usize) {
    let to = from + count;
    let (first, last) = (from.div_ceil(8) * 8, to / 8 * 8);
    if first <= last {
        masks[first / 8..last / 8].fill(u8::MAX);
    }
    for row in (from..to.min(first)).chain(last.max(first)..to) {
        masks[row / 8] |= 1 << (row % 8);
    }
}

/// The bits at even places, moved together.
fn even_bits(bits: u16) -> u8 {
    even_bits_wide(u64::from(bits)) as u8
}

/// The bits at even places, moved together.
fn even_bits_wide(bits: u64) -> u32 {
    let bits = bits & 0x5555_5555_5555_5555;
    let bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    let bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    let bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    let bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(bytes: &[u8], width: u32, count: usize) -> Result<Vec<u32>, Damage> {
        let mut values = Vec::new();
        let mut cursor = Cursor::new(bytes);
        decode(&mut cursor, width, count, |run| {
            match run {
                Run::Repeat(value, count) => values.extend(core::iter::repeat_n(value, count)),
                Run::Values(block) => values.extend_from_slice(block),
            }
            Ok(())
        })?;
        assert!(cursor.rest().is_empty());
        Ok(values)
    }

    proptest! {
        #[test]
        fn runs_and_literals_round_trip(runs in prop::collection::vec((0_u32..8, 1_usize..40), 0..60)) {
            let values: Vec<u32> = runs.iter().flat_map(|(value, count)| core::iter::repeat_n(*value, *count)).collect();
            let mut bytes = Vec::new();
            encode(&values, 3, &mut bytes);
            prop_assert_eq!(decoded(&bytes, 3, values.len()).unwrap(), values);
        }

        #[test]
        fn any_bytes_end_in_values_or_damage(bytes in prop::collection::vec(any::<u8>(), 0..200), width in 0_u32..34, count in 0_usize..5000) {
            let mut total = 0;
            let ended = decode(&mut Cursor::new(&bytes), width, count, |run| {
                total += match run { Run::Repeat(_, count) => count, Run::Values(values) => values.len() };
                Ok(())
            });
            prop_assert!(total <= count);
            prop_assert!(ended.is_err() || total == count);
        }
    }

    proptest! {
        #[test]
        fn presence_is_what_the_levels_say(runs in prop::collection::vec((1_u8..3, 1_usize..40), 0..60), cut in 0_usize..3) {
            let levels: Vec<u8> = runs.iter().flat_map(|(level, count)| core::iter::repeat_n(*level, *count)).collect();
            let mut bytes = Vec::new();
            // Two encoded stretches make runs begin anywhere, as other writers do.
            let (one, two) = levels.split_at(levels.len() / 16 * 8);
            encode(one, 2, &mut bytes);
            for part in two.chunks(if cut == 0 { 8 } else { usize::MAX }) {
                encode(part, 2, &mut bytes);
            }
            let mut masks = Vec::new();
            let count = decode_presence(&mut Cursor::new(&bytes), levels.len(), &mut masks).unwrap();
            prop_assert_eq!(count, levels.iter().map(|level| usize::from(*level - 1)).sum::<usize>());
            for (row, level) in levels.iter().enumerate() {
                prop_assert_eq!(masks[row / 8] >> (row % 8) & 1, level - 1);
            }
        }

        #[test]
        fn runs_of_any_length_set_their_bits(runs in prop::collection::vec((1_u64..3, 1_usize..40), 0..60)) {
            let mut bytes = Vec::new();
            for (level, count) in &runs {
                put_repeat(&mut bytes, *level, *count, 2);
            }
            let levels: Vec<u64> = runs.iter().flat_map(|(level, count)| core::iter::repeat_n(*level, *count)).collect();
            let mut masks = Vec::new();
            decode_presence(&mut Cursor::new(&bytes), levels.len(), &mut masks).unwrap();
            for (row, level) in levels.iter().enumerate() {
                prop_assert_eq!(u64::from(masks[row / 8] >> (row % 8) & 1), level - 1);
            }
        }

        #[test]
        fn any_bytes_end_in_presence_or_damage(bytes in prop::collection::vec(any::<u8>(), 0..200), rows in 0_usize..5000) {
            let _ = decode_presence(&mut Cursor::new(&bytes), rows, &mut Vec::new());
        }
    }

    #[test]
    fn one_value_costs_a_few_bytes() {
        let mut bytes = Vec::new();
        encode(&vec![5_u32; 1_000_003], 3, &mut bytes);
        assert!(bytes.len() <= 5, "{bytes:?}");
        assert_eq!(decoded(&bytes, 3, 1_000_003).unwrap().len(), 1_000_003);
    }
}
