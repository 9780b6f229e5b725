//! The pages of one column chunk: sizes checked, checksums verified, bytes decompressed.
//!
//! Nothing here trusts a declared size: memory is taken for a page only after its size was held against the chunk's.

use crate::pages::header::{PageHeader, PageKind};
use crate::pages::{Cursor, Damage};
use crate::write::{EXPANSION_FREE, EXPANSION_MAX};

/// Largest page, decompressed.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// Buffers that live from chunk to chunk.
pub(crate) struct PageBuffers {
    decompressor: zstd::bulk::Decompressor<'static>,
    page: Vec<u8>,
}

impl PageBuffers {
    /// Empty buffers.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { decompressor: zstd::bulk::Decompressor::new()?, page: Vec::new() })
    }
}

/// A page, decompressed.
pub(crate) struct Page<'a> {
    /// Whether it is the chunk's dictionary.
    pub(crate) dictionary: bool,
    /// Values, nulls included.
    pub(crate) values: usize,
    /// Encoding of the values.
    pub(crate) encoding: i32,
    /// Repetition levels.
    pub(crate) repetition: &'a [u8],
    /// Definition levels.
    pub(crate) definition: &'a [u8],
    /// Encoded values.
    pub(crate) body: &'a [u8],
}

/// Iterates over the pages of a chunk.
pub(crate) struct Pages<'a> {
    input: Cursor<'a>,
    buffers: &'a mut PageBuffers,
    compressed: bool,
    levels: (bool, bool),
    /// Decompressed bytes that the chunk's size still justifies.
    budget: usize,
    unchecked: usize,
}

impl<'a> Pages<'a> {
    /// The pages in `chunk`; `levels` says whether the column has repetition and definition levels.
    pub(crate) fn new(chunk: &'a [u8], compressed: bool, levels: (bool, bool), buffers: &'a mut PageBuffers) -> Self {
        let budget = EXPANSION_FREE + EXPANSION_MAX * chunk.len();
        Self { input: Cursor::new(chunk), buffers, compressed, levels, budget, unchecked: 0 }
    }

    /// What the chunk's size justifies: the most bytes, or list elements, that may come out of it.
    pub(crate) fn budget(chunk_bytes: usize) -> usize {
        EXPANSION_FREE + EXPANSION_MAX * chunk_bytes
    }

    /// Pages seen so far that carried no checksum.
    pub(crate) fn unchecked(&self) -> usize {
        self.unchecked
    }

    /// The next page.
    pub(crate) fn next(&mut self) -> Result<Option<Page<'_>>, Damage> {
        if self.input.rest().is_empty() {
            return Ok(None);
        }
        let header = PageHeader::read(&mut self.input)?;
        if header.uncompressed > PAGE_BYTES_MAX || header.uncompressed > self.budget {
            return Err(Damage::new(format!("a page claims {} bytes, more than its chunk can hold", header.uncompressed)));
        }
        self.budget -= header.uncompressed;
        let stored = self.input.take(header.compressed).map_err(|_| Damage::new("a page is longer than its chunk"))?;
        match header.crc {
            Some(crc) if crc != crc32fast::hash(stored) => {
                return Err(Damage::new("a page's checksum does not match: the file is damaged here"));
            }
            Some(_) => {}
            None => self.unchecked += 1,
        }
        let (v2_levels, stored) = match header.kind {
            PageKind::DataV2 { repetition_bytes, definition_bytes, .. } => {
                let levels = repetition_bytes.saturating_add(definition_bytes);
                stored.split_at_checked(levels).ok_or_else(|| Damage::new("levels are longer than their page"))?
            }
            _ => (&stored[..0], stored),
        };
        let compressed = self.compressed && !matches!(header.kind, PageKind::DataV2 { compressed: false, .. });
        let expected = header.uncompressed.checked_sub(v2_levels.len()).ok_or_else(|| Damage::new("levels are longer than their page"))?;
        let bytes = if compressed && !(stored.is_empty() && expected == 0) {
            decompress(self.buffers, stored, expected)?
        } else if stored.len() == expected {
            stored
        } else {
            return Err(Damage::new("a page's two sizes differ though it is not compressed"));
        };
        split(&header, self.levels, v2_levels, bytes).map(Some)
    }
}

fn decompress<'a>(buffers: &'a mut PageBuffers, stored: &[u8], expected: usize) -> Result<&'a [u8], Damage> {
    buffers.page.clear();
    buffers.page.reserve_exact(expected);
    let length = buffers
        .decompressor
        .decompress_to_buffer(stored, &mut buffers.page)
        .map_err(|error| Damage::new(format!("a page can not be decompressed: {error}")))?;
    if length != expected {
        return Err(Damage::new(format!("a page decompresses to {length} bytes where it claims {expected}")));
    }
    Ok(&buffers.page)
}

/// Takes a decompressed page apart.
fn split<'a>(header: &PageHeader, levels: (bool, bool), v2_levels: &'a [u8], bytes: &'a [u8]) -> Result<Page<'a>, Damage> {
    let page = |dictionary, repetition, definition, body| Page {
        dictionary,
        values: header.values,
        encoding: header.encoding,
        repetition,
        definition,
        body,
    };
    match header.kind {
        PageKind::Dictionary => Ok(page(true, &bytes[..0], &bytes[..0], bytes)),
        PageKind::Data => {
            let mut input = Cursor::new(bytes);
            let mut levels_if = |there: bool| {
                if there {
                    let length = input.u32()?;
                    input.take(length as usize)
                } else {
                    Ok(&bytes[..0])
                }
            };
            let repetition = levels_if(levels.0)?;
            let definition = levels_if(levels.1)?;
            Ok(page(false, repetition, definition, input.rest()))
        }
        PageKind::DataV2 { repetition_bytes, .. } => {
            let (repetition, definition) = v2_levels.split_at(repetition_bytes);
            Ok(page(false, repetition, definition, bytes))
        }
    }
}
