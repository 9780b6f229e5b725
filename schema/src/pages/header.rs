//! Page headers in Thrift's compact protocol.
//!
//! Only the fields that a history needs; what another writer added (page statistics) is skipped.

use super::{Cursor, Damage, put_zigzag};

/// Encodings by their numbers in `parquet.thrift`.
pub(crate) mod encoding {
    /// Values as they are.
    pub(crate) const PLAIN: i32 = 0;
    /// Dictionary indices, old name.
    pub(crate) const PLAIN_DICTIONARY: i32 = 2;
    /// Levels.
    pub(crate) const RLE: i32 = 3;
    /// Differences.
    pub(crate) const DELTA_BINARY_PACKED: i32 = 5;
    /// Dictionary indices.
    pub(crate) const RLE_DICTIONARY: i32 = 8;
}

const TYPE_TRUE: u8 = 1;
const TYPE_FALSE: u8 = 2;
const TYPE_I32: u8 = 5;
const TYPE_STRUCT: u8 = 12;

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageKind {
    /// The chunk's dictionary.
    Dictionary,
    /// Levels and values, all compressed together.
    Data,
    /// Levels of the given sizes (repetition, definition) in front, never compressed.
    DataV2 {
        /// Bytes of repetition levels.
        repetition_bytes: usize,
        /// Bytes of definition levels.
        definition_bytes: usize,
        /// Whether the values are compressed with the chunk's codec.
        compressed: bool,
    },
}

/// A page header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageHeader {
    /// What follows.
    pub(crate) kind: PageKind,
    /// Bytes when decompressed.
    pub(crate) uncompressed: usize,
    /// Bytes in the file.
    pub(crate) compressed: usize,
    /// CRC-32 of the bytes in the file.
    pub(crate) crc: Option<u32>,
    /// Values, nulls included.
    pub(crate) values: usize,
    /// Encoding of the values.
    pub(crate) encoding: i32,
}

impl PageHeader {
    /// Appends the header (of a dictionary or a version 1 data page).
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let dictionary = self.kind == PageKind::Dictionary;
        let size = |value: usize| i64::try_from(value).expect("page sizes are bounded");
        put_i32(out, 1, if dictionary { 2 } else { 0 });
        put_i32(out, 1, size(self.uncompressed));
        put_i32(out, 1, size(self.compressed));
        if let Some(crc) = self.crc {
            put_i32(out, 1, i64::from(crc.cast_signed()));
        }
        // Fields are numbered by their distance from the one before: 4 is the checksum, 5 a data page, 7 a dictionary.
        let distance = if dictionary { 3 } else { 1 } + u8::from(self.crc.is_none());
        out.push(distance << 4 | TYPE_STRUCT);
        put_i32(out, 1, size(self.values));
        put_i32(out, 1, i64::from(self.encoding));
        if !dictionary {
            put_i32(out, 1, i64::from(encoding::RLE));
            put_i32(out, 1, i64::from(encoding::RLE));
        }
        out.push(0);
        out.push(0);
    }

    /// Reads a header.
    pub(crate) fn read(input: &mut Cursor<'_>) -> Result<Self, Damage> {
        let mut outer = Fields::default();
        let mut details = None;
        outer.read(input, |input, field, kind| {
            if kind == TYPE_STRUCT && [5, 7, 8].contains(&field) {
                let mut fields = Fields::default();
                fields.read(input, |input, _, kind| skip(input, kind, 0))?;
                details = Some((field, fields));
                Ok(())
            } else {
                skip(input, kind, 0)
            }
        })?;
        let (field, inner) = details.ok_or_else(|| Damage::new("a page header says nothing about its page"))?;
        let page_type = outer.required(1)?;
        let kind = match (page_type, field) {
            (2, 7) => PageKind::Dictionary,
            (0, 5) => {
                let rle = i64::from(encoding::RLE);
                if inner.required(3)? != rle || inner.required(4)? != rle {
                    return Err(Damage::new("levels are encoded in a way that histories do not use"));
                }
                PageKind::Data
            }
            (3, 8) => PageKind::DataV2 {
                definition_bytes: inner.size(5)?,
                repetition_bytes: inner.size(6)?,
                compressed: inner.values[7].is_none_or(|value| value != 0),
            },
            _ => return Err(Damage::new(format!("a page of type {page_type} does not belong here"))),
        };
        let encoding_field = if field == 8 { 4 } else { 2 };
        Ok(Self {
            kind,
            uncompressed: outer.size(2)?,
            compressed: outer.size(3)?,
            crc: outer.values[4].map(|value| (value & 0xffff_ffff) as u32),
            values: inner.size(1)?,
            encoding: i32::try_from(inner.required(encoding_field)?).unwrap_or(-1),
        })
    }
}

fn put_i32(out: &mut Vec<u8>, field_delta: u8, value: i64) {
    out.push(field_delta << 4 | TYPE_I32);
    put_zigzag(out, value);
}

/// The number fields of a struct, by field id.
#[derive(Default)]
struct Fields {
    values: [Option<i64>; 10],
}

impl Fields {
    fn read(
        &mut self,
        input: &mut Cursor<'_>,
        mut other: impl FnMut(&mut Cursor<'_>, u64, u8) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        let mut field = 0_u64;
        loop {
            let byte = input.byte()?;
            if byte == 0 {
                return Ok(());
            }
            let (delta, kind) = (byte >> 4, byte & 0x0f);
            field = if delta == 0 { input.zigzag()?.cast_unsigned() } else { field + u64::from(delta) };
            let slot = usize::try_from(field).ok().filter(|slot| *slot < self.values.len());
            match (kind, slot) {
                (TYPE_I32, Some(slot)) => self.values[slot] = Some(input.zigzag()?),
                (TYPE_TRUE | TYPE_FALSE, Some(slot)) => self.values[slot] = Some(i64::from(kind == TYPE_TRUE)),
                _ => other(input, field, kind)?,
            }
            if field > 1000 {
                return Err(Damage::new("a page header has an impossible field"));
            }
        }
    }

    fn required(&self, field: usize) -> Result<i64, Damage> {
        self.values[field].ok_or_else(|| Damage::new("a page header lacks a field"))
    }

    fn size(&self, field: usize) -> Result<usize, Damage> {
        let value = self.required(field)?;
        i32::try_from(value)
            .ok()
            .and_then(|value| usize::try_from(value).ok())
            .ok_or_else(|| Damage::new("a page header declares a negative or absurd size"))
    }
}

/// Skips a value of Thrift type `kind`.
fn skip(input: &mut Cursor<'_>, kind: u8, depth: usize) -> Result<(), Damage> {
    if depth > 8 {
        return Err(Damage::new("a page header is nested too deeply"));
    }
    match kind {
        TYPE_TRUE | TYPE_FALSE => Ok(()),
        3 => input.byte().map(drop),
        4..=6 => input.varint().map(drop),
        7 => input.take(8).map(drop),
        8 => {
            let length = usize::try_from(input.varint()?).map_err(|_| Damage::new("a text is absurdly long"))?;
            input.take(length).map(drop)
        }
        TYPE_STRUCT => Fields::default().read(input, |input, _, kind| skip(input, kind, depth + 1)),
        _ => Err(Damage::new("a page header holds a value of unknown type")),
    }
}

/// Appends `bytes` with their length in front, as level data stand in a version 1 page.
pub(crate) fn put_levels(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = u32::try_from(out.len() - at - 4).expect("levels of a page are bounded");
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_round_trip() {
        for (kind, crc) in
            [(PageKind::Dictionary, Some(u32::MAX - 5)), (PageKind::Data, Some(0)), (PageKind::Dictionary, None), (PageKind::Data, None)]
        {
            let header = PageHeader { kind, uncompressed: 70_000, compressed: 3, crc, values: 1 << 20, encoding: 8 };
            let mut bytes = Vec::new();
            header.write(&mut bytes);
            let mut cursor = Cursor::new(&bytes);
            assert_eq!(PageHeader::read(&mut cursor).unwrap(), header);
            assert!(cursor.rest().is_empty());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_header_or_damage(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = PageHeader::read(&mut Cursor::new(&bytes));
        }
    }
}
