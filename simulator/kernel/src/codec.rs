//! Reading and writing of the integers that commands, replies and snapshots consist of.
//!
//! Little-endian base 128 keeps a typical command below a dozen bytes; the reader returns `None` instead of failing, whatever
//! bytes it is given.

use alloc::vec::Vec;

/// Appends `value`, seven bits a byte, the lowest first.
pub(crate) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push((value & 0x7f) as u8);
}

/// Appends an optional value: 0 for none, else 1 and the value.
pub(crate) fn put_optional(bytes: &mut Vec<u8>, value: Option<u64>) {
    bytes.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(bytes, value);
    }
}

/// What is left to read.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    /// The next byte.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// The next integer. Only the shortest form is accepted, so that a value has one encoding.
    pub(crate) fn integer(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return (bits != 0 || shift == 0).then_some(value);
            }
        }
        None
    }

    /// The next optional integer.
    #[expect(clippy::option_option, reason = "whether it could be read, and whether it is there")]
    pub(crate) fn optional(&mut self) -> Option<Option<u64>> {
        match self.byte()? {
            0 => Some(None),
            1 => self.integer().map(Some),
            _ => None,
        }
    }

    /// A list of at most `length_max` items, read one by one.
    pub(crate) fn list<T>(&mut self, length_max: usize, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = usize::try_from(self.integer()?).ok().filter(|&length| length <= length_max)?;
        // Each item takes a byte or more: a longer claim is a lie that must not cost memory.
        if length > self.0.len() {
            return None;
        }
        (0..length).map(|_| item(self)).collect()
    }

    /// `value`, provided that nothing is left.
    pub(crate) fn finish<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}
