//! Bit packing: groups of eight integers of one width, as Parquet lays them out.
//!
//! One function per width, made by the compiler, so that all shifts are constants.

use super::Word;

/// Calls `function::<T, WIDTH>(arguments)` for a width that is known at run time only.
macro_rules! by_width {
    ($width:expr, $function:ident::<$word:ident>, $arguments:tt) => {
        by_width!($width, $function::<$word>, $arguments,
            1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
            33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64)
    };
    ($width:expr, $function:ident::<$word:ident>, $arguments:tt, $($case:literal)*) => {
        match $width {
            $( $case => $function::<$word, $case> $arguments, )*
            _ => unreachable!("widths are checked to be at most 64 before packing"),
        }
    };
}

/// Bits needed for `value`.
pub(crate) fn width_of(value: u64) -> u32 {
    64 - value.leading_zeros()
}

/// Appends `values` (whole groups of eight, each value below 2^width) with `width` bits each.
pub(crate) fn pack<T: Word>(values: &[T], width: u32, out: &mut Vec<u8>) {
    debug_assert!(values.len().is_multiple_of(8));
    if width == 0 {
        return;
    }
    by_width!(width, pack_groups::<T>, (values, out));
}

fn pack_groups<T: Word, const WIDTH: usize>(values: &[T], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + values.len() / 8 * WIDTH, 0);
    let (groups, _) = values.as_chunks::<8>();
    let (packed, _) = out[start..].as_chunks_mut::<WIDTH>();
    for (group, bytes) in groups.iter().zip(packed) {
        let mut pending = 0_u64;
        let mut filled = 0_usize;
        let mut at = 0_usize;
        for value in group {
            let value = value.wide();
            pending |= value << filled;
            filled += WIDTH;
            if filled >= 64 {
                bytes[at..at + 8].copy_from_slice(&pending.to_le_bytes());
                at += 8;
                filled -= 64;
                pending = if filled == 0 { 0 } else { value >> (WIDTH - filled) };
            }
        }
        bytes[at..].copy_from_slice(&pending.to_le_bytes()[..WIDTH - at]);
    }
}

/// Unpacks whole groups of eight: `packed` holds `values.len() / 8 * width` bytes.
pub(crate) fn unpack<T: Word>(packed: &[u8], width: u32, values: &mut [T]) {
    debug_assert!(values.len().is_multiple_of(8) && packed.len() == values.len() / 8 * width as usize);
    if width == 0 {
        values.fill(T::default());
        return;
    }
    by_width!(width, unpack_groups::<T>, (packed, values));
}

fn unpack_groups<T: Word, const WIDTH: usize>(packed: &[u8], values: &mut [T]) {
    let mask = u64::MAX >> (64 - WIDTH);
    let (groups, _) = packed.as_chunks::<WIDTH>();
    let (unpacked, _) = values.as_chunks_mut::<8>();
    for (bytes, group) in groups.iter().zip(unpacked) {
        let mut words = [0_u64; 9];
        for (index, word) in words.iter_mut().enumerate().take(WIDTH.div_ceil(8)) {
            let mut little = [0_u8; 8];
            let from = index * 8;
            let length = if WIDTH - from < 8 { WIDTH - from } else { 8 };
            little[..length].copy_from_slice(&bytes[from..from + length]);
            *word = u64::from_le_bytes(little);
        }
        for (index, value) in group.iter_mut().enumerate() {
            let (word, shift) = (index * WIDTH / 64, index * WIDTH % 64);
            let mut bits = words[word] >> shift;
            if shift + WIDTH > 64 {
                bits |= words[word + 1] << (64 - shift);
            }
            *value = T::narrow(bits & mask);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_round_trips() {
        for width in 0..=64 {
            let mask = if width == 0 { 0 } else { u64::MAX >> (64 - width) };
            let values: Vec<u64> = (0..64_u64).map(|index| index.wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask).collect();
            let mut packed = Vec::new();
            pack(&values, width, &mut packed);
            assert_eq!(packed.len(), 8 * width as usize);
            let mut unpacked = vec![1_u64; 64];
            unpack(&packed, width, &mut unpacked);
            assert_eq!(values, unpacked, "width {width}");
        }
    }

    #[test]
    fn bits_lie_as_the_specification_draws_them() {
        // The example of the Parquet specification: 0 to 7 with three bits each.
        let mut packed = Vec::new();
        pack(&[0_u32, 1, 2, 3, 4, 5, 6, 7], 3, &mut packed);
        assert_eq!(packed, [0b1000_1000, 0b1100_0110, 0b1111_1010]);
    }
}
