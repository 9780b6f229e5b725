//! One column chunk to values in memory.
//!
//! Runs of one value are filled, packed values unpacked into the column itself; strings are looked up once per chunk.

use super::pages::{Page, PageBuffers, Pages};
use crate::column::Niche;
use crate::pages::header::encoding;
use crate::pages::hybrid::{self, Run};
use crate::pages::{Cursor, Damage, Word, bits, delta};
use std::rc::Rc;

/// A column chunk's bytes and what the footer says about them.
#[derive(Clone, Copy)]
pub(crate) struct ChunkBytes<'a> {
    /// Its pages.
    pub(crate) bytes: &'a [u8],
    /// Whether they are compressed.
    pub(crate) compressed: bool,
    /// Largest definition level.
    pub(crate) max_definition: u32,
    /// Rows of the row group.
    pub(crate) rows: usize,
}

/// How one value is read from a dictionary page or a plain page.
pub(crate) trait Plain<T> {
    /// Appends all `count` values in `body`, which must end there.
    fn read(&self, body: &[u8], count: usize, out: &mut Vec<T>) -> Result<(), Damage>;

    /// Appends `count` differences-encoded values.
    fn read_delta(&self, _body: &mut Cursor<'_>, _count: usize, _out: &mut Vec<T>) -> Result<(), Damage> {
        Err(Damage::new("texts are encoded as differences"))
    }
}

/// Integers of a column.
pub(crate) struct Integers {
    /// Whether the type's largest value is reserved.
    pub(crate) nullable: bool,
}

impl<T: Word + Niche> Plain<T> for Integers {
    fn read(&self, body: &[u8], count: usize, out: &mut Vec<T>) -> Result<(), Damage> {
        let bytes = T::PHYSICAL_BITS as usize / 8;
        if body.len() != count * bytes {
            return Err(Damage::new("a page of plain values has the wrong size"));
        }
        let start = out.len();
        let mut all = 0_u64;
        if T::PHYSICAL_BITS == 64 {
            out.extend(body.as_chunks::<8>().0.iter().map(|value| T::narrow(u64::from_le_bytes(*value))));
        } else {
            out.extend(body.as_chunks::<4>().0.iter().map(|value| {
                let value = u64::from(u32::from_le_bytes(*value));
                all |= value;
                T::narrow(value)
            }));
        }
        self.check(all, &out[start..])
    }

    fn read_delta(&self, body: &mut Cursor<'_>, count: usize, out: &mut Vec<T>) -> Result<(), Damage> {
        let start = out.len();
        let mut all = 0;
        if T::PHYSICAL_BITS == 32 && core::mem::size_of::<T>() < 4 {
            let mut wide: Vec<u32> = Vec::new();
            delta::decode(body, count, &mut wide)?;
            out.extend(wide.iter().map(|value| {
                all |= u64::from(*value);
                T::narrow(u64::from(*value))
            }));
        } else {
            delta::decode(body, count, out)?;
        }
        self.check(all, &out[start..])
    }
}

impl Integers {
    #[expect(clippy::needless_bitwise_bool, reason = "without a branch values are compared by vectors")]
    fn check<T: Word + Niche>(&self, all: u64, values: &[T]) -> Result<(), Damage> {
        if all > T::NONE.wide() {
            return Err(Damage::new("a number exceeds its column's type"));
        }
        if self.nullable && values.iter().fold(false, |found, value| found | (*value == T::NONE)) {
            return Err(Damage::new("a number that is reserved for null stands where a value belongs"));
        }
        Ok(())
    }
}

/// Strings of a closed dictionary, read as codes.
pub(crate) struct Names {
    /// The strings, by code.
    pub(crate) names: &'static [&'static str],
    /// Code of strings that a newer minor version added.
    pub(crate) unknown: Option<u8>,
}

impl Plain<u8> for Names {
    fn read(&self, body: &[u8], count: usize, out: &mut Vec<u8>) -> Result<(), Damage> {
        let mut input = Cursor::new(body);
        for _ in 0..count {
            let length = input.u32()?;
            let text = input.take(length as usize)?;
            let code = self.names.iter().position(|name| name.as_bytes() == text).and_then(|code| u8::try_from(code).ok());
            out.push(code.or(self.unknown).ok_or_else(|| {
                let shown: String = String::from_utf8_lossy(text).chars().take(40).collect();
                Damage::new(format!("{shown:?} is not a value of this column"))
            })?);
        }
        ended(&input)
    }
}

/// Texts as they are; shared, because a dictionary may name one long text many times.
pub(crate) struct Texts {
    /// Length of all of them, 0 when each says its own.
    pub(crate) fixed: usize,
}

impl Plain<Rc<[u8]>> for Texts {
    fn read(&self, body: &[u8], count: usize, out: &mut Vec<Rc<[u8]>>) -> Result<(), Damage> {
        let mut input = Cursor::new(body);
        for _ in 0..count {
            let length = if self.fixed > 0 { self.fixed } else { input.u32()? as usize };
            out.push(Rc::from(input.take(length)?));
        }
        ended(&input)
    }
}

fn ended(input: &Cursor<'_>) -> Result<(), Damage> {
    if input.rest().is_empty() { Ok(()) } else { Err(Damage::new("a page goes on after its last value")) }
}

/// Where decoded values go, in order.
pub(crate) trait Sink<T> {
    /// `count` times `value`.
    fn put_repeat(&mut self, value: &T, count: usize) -> Result<(), Damage>;
    /// Values one by one.
    fn put_values(&mut self, values: &[T]) -> Result<(), Damage>;
    /// The column in memory, where there is one, so that values are decoded into it and not copied.
    fn column(&mut self) -> Option<&mut Vec<T>> {
        None
    }
}

impl<T: Clone> Sink<T> for Vec<T> {
    fn put_repeat(&mut self, value: &T, count: usize) -> Result<(), Damage> {
        self.resize(self.len() + count, value.clone());
        Ok(())
    }
    fn put_values(&mut self, values: &[T]) -> Result<(), Damage> {
        self.extend_from_slice(values);
        Ok(())
    }
    fn column(&mut self) -> Option<&mut Vec<T>> {
        Some(self)
    }
}

/// Hands all values of a column without nulls to `sink`.
pub(crate) fn read_required<T: Clone, P: Plain<T>>(
    chunk: ChunkBytes<'_>,
    buffers: &mut PageBuffers,
    plain: &P,
    sink: &mut impl Sink<T>,
) -> Result<(), Damage> {
    let mut pages = Pages::new(chunk.bytes, chunk.compressed, (false, chunk.max_definition > 0), buffers);
    let mut dictionary = Vec::new();
    let mut rows = 0;
    let mut first = true;
    while let Some(page) = pages.next()? {
        if core::mem::replace(&mut first, false) && page.dictionary {
            read_dictionary(&page, plain, chunk.bytes.len(), &mut dictionary)?;
            continue;
        }
        rows = count_rows(rows, &page, chunk.rows)?;
        if chunk.max_definition > 0 {
            let width = bits::width_of(u64::from(chunk.max_definition));
            hybrid::decode(&mut Cursor::new(page.definition), width, page.values, |run| {
                let complete = match run {
                    Run::Repeat(level, _) => level == chunk.max_definition,
                    Run::Values(levels) => levels.iter().all(|level| *level == chunk.max_definition),
                };
                if complete { Ok(()) } else { Err(Damage::new("a value is missing: rows of several kinds in one row group?")) }
            })?;
        }
        read_values(&page, page.values, plain, &dictionary, sink)?;
    }
    all_rows(rows, chunk.rows)
}

/// Appends all values of a nullable column; nulls are `none`.
pub(crate) fn read_nullable<T: Clone, P: Plain<T>>(
    chunk: ChunkBytes<'_>,
    buffers: &mut PageBuffers,
    plain: &P,
    none: T,
    out: &mut Vec<T>,
) -> Result<(), Damage> {
    let mut pages = Pages::new(chunk.bytes, chunk.compressed, (false, true), buffers);
    let (mut dictionary, mut values, mut masks) = (Vec::new(), Vec::new(), Vec::new());
    let mut rows = 0;
    let mut first = true;
    while let Some(page) = pages.next()? {
        if core::mem::replace(&mut first, false) && page.dictionary {
            read_dictionary(&page, plain, chunk.bytes.len(), &mut dictionary)?;
            continue;
        }
        rows = count_rows(rows, &page, chunk.rows)?;
        let count = hybrid::decode_presence(&mut Cursor::new(page.definition), page.values, &mut masks)?;
        if count == page.values {
            read_values(&page, count, plain, &dictionary, out)?;
        } else if count == 0 {
            out.resize(out.len() + page.values, none.clone());
        } else {
            values.clear();
            read_values(&page, count, plain, &dictionary, &mut values)?;
            spread(&values, &masks, page.values, &none, out);
        }
    }
    all_rows(rows, chunk.rows)
}

/// Appends `rows` rows: the next of `values` where the mask has a 1, `none` elsewhere. There are as many values as bits.
fn spread<T: Clone>(values: &[T], masks: &[u8], rows: usize, none: &T, out: &mut Vec<T>) {
    let mut values = values;
    let mut left = rows;
    for masks in masks.chunks(8) {
        let mut word = [0; 8];
        word[..masks.len()].copy_from_slice(masks);
        let mut present = u64::from_le_bytes(word);
        let (mut here, rest) = values.split_at(present.count_ones() as usize);
        values = rest;
        // Filled and overwritten in the first-level cache, so that the column in memory is touched once.
        let mut block: [T; 64] = core::array::from_fn(|_| none.clone());
        if here.len() <= 40 {
            for value in here {
                block[present.trailing_zeros() as usize & 63] = value.clone();
                present &= present.wrapping_sub(1);
            }
        } else {
            // Mostly values: whole stretches between nulls.
            let mut row = 0;
            while !here.is_empty() {
                row += (present >> row).trailing_zeros() as usize;
                let length = (present >> row).trailing_ones() as usize;
                let (stretch, rest) = here.split_at(length);
                block[row..row + length].clone_from_slice(stretch);
                here = rest;
                row += length;
            }
        }
        let now = left.min(64);
        out.extend_from_slice(&block[..now]);
        left -= now;
    }
}

fn read_dictionary<T, P: Plain<T>>(page: &Page<'_>, plain: &P, chunk_bytes: usize, dictionary: &mut Vec<T>) -> Result<(), Damage> {
    if ![encoding::PLAIN, encoding::PLAIN_DICTIONARY].contains(&page.encoding) || page.values > Pages::budget(chunk_bytes) {
        return Err(Damage::new("the dictionary's encoding or size is not one of the format"));
    }
    plain.read(page.body, page.values, dictionary)
}

/// Decodes the `count` values of a data page.
pub(crate) fn read_values<T: Clone, P: Plain<T>>(
    page: &Page<'_>,
    count: usize,
    plain: &P,
    dictionary: &[T],
    sink: &mut impl Sink<T>,
) -> Result<(), Damage> {
    let mut apart = Vec::new();
    let in_place = sink.column();
    let copy = in_place.is_none();
    let out = in_place.unwrap_or(&mut apart);
    out.reserve(count);
    match page.encoding {
        encoding::RLE_DICTIONARY | encoding::PLAIN_DICTIONARY => return read_indices(page.body, count, dictionary, sink),
        encoding::PLAIN => plain.read(page.body, count, out)?,
        encoding::DELTA_BINARY_PACKED => {
            let mut input = Cursor::new(page.body);
            plain.read_delta(&mut input, count, out)?;
            ended(&input)?;
        }
        other => return Err(Damage::new(format!("values have encoding {other}, which histories do not use"))),
    }
    if copy { sink.put_values(&apart) } else { Ok(()) }
}

fn read_indices<T: Clone>(body: &[u8], count: usize, dictionary: &[T], sink: &mut impl Sink<T>) -> Result<(), Damage> {
    let outside = || Damage::new("an index exceeds its dictionary");
    let mut input = Cursor::new(body);
    if count == 0 && body.is_empty() {
        return Ok(());
    }
    let width = u32::from(input.byte()?);
    hybrid::decode(&mut input, width, count, |run| match run {
        Run::Repeat(index, times) => sink.put_repeat(dictionary.get(index as usize).ok_or_else(outside)?, times),
        Run::Values(indices) => {
            if indices.iter().fold(0, |most, index| (*index).max(most)) as usize >= dictionary.len() {
                return Err(outside());
            }
            let looked_up = indices.iter().map(|index| dictionary[*index as usize].clone());
            match sink.column() {
                Some(column) => column.extend(looked_up),
                None => looked_up.into_iter().try_for_each(|value| sink.put_values(&[value]))?,
            }
            Ok(())
        }
    })?;
    ended(&input)
}

pub(crate) fn count_rows(rows: usize, page: &Page<'_>, expected: usize) -> Result<usize, Damage> {
    if page.dictionary {
        return Err(Damage::new("a dictionary follows values"));
    }
    rows.checked_add(page.values).filter(|rows| *rows <= expected).ok_or_else(|| Damage::new("more values than the row group has rows"))
}

pub(crate) fn all_rows(rows: usize, expected: usize) -> Result<(), Damage> {
    if rows == expected { Ok(()) } else { Err(Damage::new(format!("{rows} values for {expected} rows"))) }
}
