//! Parquet pages by hand: bit packing, the three encodings that a history uses, page headers.
//!
//! The `parquet` crate writes and reads footer and schema; pages are ours, because its column writers take 80 to 100 ns a
//! row (strings are hashed one by one, null columns are walked row by row), and because a reader that is handed hostile
//! files must check every size before it takes memory and must never panic.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "layouts are made of low bits; widths and sizes are checked where they are read"
)]

pub(crate) mod bits;
pub(crate) mod delta;
pub(crate) mod header;
pub(crate) mod hybrid;

/// What is wrong with the bytes of a page; the reader adds the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage(pub(crate) String);

impl Damage {
    /// Damage in words.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// An unsigned integer that pages hold.
pub(crate) trait Word: Copy + Eq + Ord + Default + core::fmt::Debug + 'static {
    /// Bits of the physical type that stands for it in a file: 32 or 64.
    const PHYSICAL_BITS: u32;
    /// Widens without loss.
    fn wide(self) -> u64;
    /// Narrows; the caller has checked that nothing is lost.
    fn narrow(value: u64) -> Self;
}

macro_rules! words {
    ($($integer:ty => $bits:literal),*) => { $(
        impl Word for $integer {
            const PHYSICAL_BITS: u32 = $bits;
            #[inline]
            fn wide(self) -> u64 { u64::from(self) }
            #[inline]
            fn narrow(value: u64) -> Self { value as $integer }
        }
    )* };
}
words!(u8 => 32, u16 => 32, u32 => 32, u64 => 64);

/// Appends an unsigned LEB128 number.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number in zigzag form.
pub(crate) fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Reads from a slice without ever running over its end.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| Damage::new("it ends early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> Result<u8, Damage> {
        Ok(self.take(1)?[0])
    }

    /// The next four bytes, little endian.
    pub(crate) fn u32(&mut self) -> Result<u32, Damage> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// An unsigned LEB128 number.
    pub(crate) fn varint(&mut self) -> Result<u64, Damage> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Damage::new("a number is longer than 64 bits"))
    }

    /// A signed number in zigzag form.
    pub(crate) fn zigzag(&mut self) -> Result<i64, Damage> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }
}
