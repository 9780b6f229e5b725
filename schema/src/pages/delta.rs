//! `DELTA_BINARY_PACKED`: differences in blocks of 128, each quarter of a block with its own width.
//!
//! For columns that rise or jitter (positions, times, op numbers): Parquet specification, "Delta Encoding".

use super::{Cursor, Damage, Word, bits, put_varint, put_zigzag};

const BLOCK: usize = 128;
const QUARTER: usize = 32;

/// Appends `values`; integers of 32 physical bits wrap around at 32 bits, others at 64.
pub(crate) fn encode<T: Word>(values: &[T], out: &mut Vec<u8>) {
    put_varint(out, BLOCK as u64);
    put_varint(out, (BLOCK / QUARTER) as u64);
    put_varint(out, values.len() as u64);
    let Some((first, rest)) = values.split_first() else {
        put_zigzag(out, 0);
        return;
    };
    put_zigzag(out, signed::<T>(first.wide()));
    let mut previous = first.wide();
    for block in rest.chunks(BLOCK) {
        // Rows behind the last one repeat it: a difference of 0, which the decoder throws away.
        let mut wide = [block[block.len() - 1].wide(); BLOCK];
        for (wide, value) in wide.iter_mut().zip(block) {
            *wide = value.wide();
        }
        let mut deltas = [0; BLOCK];
        deltas[0] = signed::<T>(wide[0].wrapping_sub(previous));
        for (delta, pair) in deltas[1..].iter_mut().zip(wide.windows(2)) {
            *delta = signed::<T>(pair[1].wrapping_sub(pair[0]));
        }
        previous = wide[BLOCK - 1];
        put_block::<T>(&deltas, block.len().div_ceil(QUARTER), out);
    }
}

/// Sign extension from the physical width.
#[inline]
fn signed<T: Word>(value: u64) -> i64 {
    let unused = 64 - T::PHYSICAL_BITS;
    (value << unused).cast_signed() >> unused
}

/// Appends a block; quarters without any value are left out, as the specification wants it.
fn put_block<T: Word>(deltas: &[i64; BLOCK], quarters: usize, out: &mut Vec<u8>) {
    const HALF: u64 = 1 << 31;
    let excess = deltas.iter().fold(0, |excess, delta| excess | delta.cast_unsigned().wrapping_add(HALF) >> 32);
    if excess == 0 {
        // All differences fit into 32 bits, where even the oldest x86-64 finds a minimum four at a time.
        let deltas = deltas.map(|delta| delta as i32);
        let least = deltas.iter().copied().fold(deltas[0], i32::min);
        put_zigzag(out, i64::from(least));
        put_quarters(&deltas.map(|delta| delta.wrapping_sub(least).cast_unsigned()), quarters, out);
    } else {
        let least = deltas.iter().copied().fold(deltas[0], i64::min);
        put_zigzag(out, least);
        let unused = 64 - T::PHYSICAL_BITS;
        put_quarters(&deltas.map(|delta| delta.wrapping_sub(least).cast_unsigned() << unused >> unused), quarters, out);
    }
}

fn put_quarters<T: Word>(above: &[T; BLOCK], quarters: usize, out: &mut Vec<u8>) {
    let widths_at = out.len();
    out.extend_from_slice(&[0; BLOCK / QUARTER]);
    for (quarter, values) in above.as_chunks::<QUARTER>().0.iter().enumerate().take(quarters) {
        let width = bits::width_of(values.iter().fold(0, |all, value| all | value.wide()));
        out[widths_at + quarter] = width as u8;
        bits::pack(values, width, out);
    }
}

/// Decodes all values, which must be exactly `count`, and appends them; the input must end there.
pub(crate) fn decode<T: Word>(input: &mut Cursor<'_>, count: usize, out: &mut Vec<T>) -> Result<(), Damage> {
    let block = input.varint()?;
    let quarters = input.varint()?;
    let total = input.varint()?;
    let first = input.zigzag()?;
    if total != count as u64 {
        return Err(Damage::new(format!("it declares {total} values where {count} belong")));
    }
    let per_quarter = block.checked_div(quarters).unwrap_or(0);
    if block == 0 || block > 65_536 || !block.is_multiple_of(128) || block % quarters != 0 || !per_quarter.is_multiple_of(32) {
        return Err(Damage::new("its block size is not one of the format"));
    }
    if count == 0 {
        return Ok(());
    }
    // Sizes are below 65536 from here on.
    let (quarters, per_quarter) = (quarters as usize, per_quarter as usize);
    let mut previous = first.cast_unsigned();
    out.reserve(count);
    out.push(T::narrow(previous));
    let mut left = count - 1;
    let mut block = [0_u64; QUARTER];
    let mut long_block = vec![0_u64; if per_quarter == QUARTER { 0 } else { per_quarter }];
    while left > 0 {
        let least = input.zigzag()?.cast_unsigned();
        let widths = input.take(quarters)?;
        for width in widths {
            if left == 0 {
                break;
            }
            let width = u32::from(*width);
            if width > T::PHYSICAL_BITS {
                return Err(Damage::new("a bit width exceeds its type"));
            }
            let packed = input.take(per_quarter / 8 * width as usize)?;
            let above = if per_quarter == QUARTER { &mut block[..] } else { &mut long_block[..] };
            bits::unpack(packed, width, above);
            let now = left.min(per_quarter);
            out.extend(above[..now].iter().map(|above| {
                // Only the second addition waits for the row before.
                previous = previous.wrapping_add(above.wrapping_add(least));
                T::narrow(previous)
            }));
            left -= now;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip<T: Word>(values: &[T]) -> Vec<T> {
        let mut bytes = Vec::new();
        encode(values, &mut bytes);
        let mut cursor = Cursor::new(&bytes);
        let mut decoded = Vec::new();
        decode(&mut cursor, values.len(), &mut decoded).unwrap();
        assert!(cursor.rest().is_empty());
        decoded
    }

    proptest! {
        #[test]
        fn wide_values_round_trip(values in prop::collection::vec(any::<u64>(), 0..400)) {
            prop_assert_eq!(round_trip(&values), values);
        }

        #[test]
        fn narrow_values_round_trip(values in prop::collection::vec(any::<u32>(), 0..400)) {
            prop_assert_eq!(round_trip(&values), values);
        }

        #[test]
        fn any_bytes_end_in_values_or_damage(bytes in prop::collection::vec(any::<u8>(), 0..300), count in 0_usize..300) {
            let mut values = Vec::<u64>::new();
            let ended = decode(&mut Cursor::new(&bytes), count, &mut values);
            prop_assert!(values.len() <= count && (ended.is_err() || values.len() == count));
        }
    }

    #[test]
    fn a_rising_column_costs_bytes_per_block() {
        let values: Vec<u64> = (0..128_000).map(|index| 7 + 3 * index).collect();
        let mut bytes = Vec::new();
        encode(&values, &mut bytes);
        assert!(bytes.len() < 128_000 / 20, "{}", bytes.len());
        assert_eq!(round_trip(&values), values);
    }
}
