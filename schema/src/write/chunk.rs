//! A column chunk under construction: pages, compression, checksums, the footer's entry.

use super::WriteError;
use super::output::Output;
use crate::pages::header::{PageHeader, PageKind};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;
use zstd::zstd_safe::CParameter;

/// How often a page may be larger than what it was compressed to, plus this much for free.
///
/// The reader refuses more, so that a small file can not ask for much memory; the writer then leaves a chunk uncompressed.
pub(crate) const EXPANSION_MAX: usize = 1024;

/// Bytes of a chunk that are exempt from [`EXPANSION_MAX`].
pub(crate) const EXPANSION_FREE: usize = 1 << 20;

/// Builds one chunk after the other, reusing its buffers.
pub(crate) struct ChunkBuilder {
    /// Where finished chunks go.
    pub(crate) output: Output,
    compressor: zstd::bulk::Compressor<'static>,
    compressed: Vec<u8>,
    data: Vec<u8>,
    dictionary: Vec<u8>,
    uncompressed_bytes: usize,
    values: usize,
    compress: bool,
    encodings: Vec<Encoding>,
}

impl ChunkBuilder {
    /// A builder for this file.
    pub(crate) fn new(output: Output) -> Result<Self, WriteError> {
        let failed = |source| WriteError::Compress { source };
        let mut compressor = zstd::bulk::Compressor::new(1).map_err(failed)?;
        // Shorter matches are not worth the search: 4 % of the time for 0.1 % of the bytes.
        compressor.set_parameter(CParameter::MinMatch(7)).map_err(failed)?;
        Ok(Self {
            output,
            compressor,
            compressed: Vec::new(),
            data: Vec::new(),
            dictionary: Vec::new(),
            uncompressed_bytes: 0,
            values: 0,
            compress: false,
            encodings: Vec::new(),
        })
    }

    /// Starts a chunk.
    pub(crate) fn begin(&mut self, compress: bool) {
        self.data.clear();
        self.dictionary.clear();
        self.encodings.clear();
        self.uncompressed_bytes = 0;
        self.values = 0;
        self.compress = compress;
    }

    /// Adds a data page of `values` values, nulls included.
    pub(crate) fn data_page(&mut self, payload: &[u8], values: usize, encoding: Encoding) -> Result<(), WriteError> {
        let mut pages = core::mem::take(&mut self.data);
        let ended = self.page(PageKind::Data, payload, values, encoding, &mut pages);
        self.data = pages;
        self.values += values;
        ended
    }

    /// Sets the chunk's dictionary page, which may come after its data pages.
    pub(crate) fn dictionary_page(&mut self, payload: &[u8], values: usize) -> Result<(), WriteError> {
        let mut pages = core::mem::take(&mut self.dictionary);
        let ended = self.page(PageKind::Dictionary, payload, values, Encoding::PLAIN, &mut pages);
        self.dictionary = pages;
        ended
    }

    fn page(&mut self, kind: PageKind, payload: &[u8], values: usize, encoding: Encoding, pages: &mut Vec<u8>) -> Result<(), WriteError> {
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
        let stored = if self.compress {
            self.compressed.clear();
            self.compressed.reserve(zstd::zstd_safe::compress_bound(payload.len()));
            self.compressor.compress_to_buffer(payload, &mut self.compressed).map_err(|source| WriteError::Compress { source })?;
            &self.compressed[..]
        } else {
            payload
        };
        let header = PageHeader {
            kind,
            uncompressed: payload.len(),
            compressed: stored.len(),
            crc: Some(crc32fast::hash(stored)),
            values,
            encoding: encoding as i32,
        };
        let before = pages.len();
        header.write(pages);
        self.uncompressed_bytes += pages.len() - before + payload.len();
        pages.extend_from_slice(stored);
        Ok(())
    }

    /// Whether the chunk expands more than a reader accepts; it must then be built again without compression.
    pub(crate) fn expands_too_much(&self) -> bool {
        self.compress && self.uncompressed_bytes > EXPANSION_FREE + EXPANSION_MAX * (self.dictionary.len() + self.data.len())
    }

    /// Ends the chunk: its pages go to the file, and what the footer says about it is returned.
    pub(crate) fn finish(&mut self, column: &ColumnDescPtr, statistics: Statistics) -> Result<ColumnChunkMetaData, WriteError> {
        let signed = |value: u64| i64::try_from(value).expect("a file is bounded by the disk");
        let start = self.output.position();
        let has_dictionary = !self.dictionary.is_empty();
        self.output.push(&self.dictionary);
        let data = self.output.position();
        self.output.push(&self.data);
        if !self.encodings.contains(&Encoding::RLE) {
            self.encodings.push(Encoding::RLE);
        }
        let compression = if self.compress { Compression::ZSTD(ZstdLevel::default()) } else { Compression::UNCOMPRESSED };
        let metadata = ColumnChunkMetaData::builder(column.clone())
            .set_compression(compression)
            .set_encodings(self.encodings.clone())
            .set_total_compressed_size(signed(self.output.position() - start))
            .set_total_uncompressed_size(signed(self.uncompressed_bytes as u64))
            .set_num_values(signed(self.values as u64))
            .set_dictionary_page_offset(has_dictionary.then_some(signed(start)))
            .set_data_page_offset(signed(data))
            .set_statistics(statistics);
        self.output.flush_if_large()?;
        metadata.build().map_err(|source| WriteError::Footer { source })
    }
}
