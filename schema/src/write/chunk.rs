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

/// Builds one chunk after the other, straight into the file's pending bytes.
pub(crate) struct ChunkBuilder {
    /// Where the pages go.
    pub(crate) output: Output,
    compressor: zstd::bulk::Compressor<'static>,
    compressed: Vec<u8>,
    /// Where the chunk at hand begins in the file.
    start: u64,
    dictionary_bytes: usize,
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
            start: output.position(),
            output,
            compressor,
            compressed: Vec::new(),
            dictionary_bytes: 0,
            uncompressed_bytes: 0,
            values: 0,
            compress: false,
            encodings: Vec::new(),
        })
    }

    /// Takes back all chunks from `position` on, if they still wait in memory.
    pub(crate) fn take_back(&mut self, position: u64) -> bool {
        self.start = position;
        self.output.take_back(position)
    }

    /// Starts a chunk, in place of one that was not finished.
    pub(crate) fn begin(&mut self, compress: bool) {
        let taken_back = self.output.take_back(self.start);
        assert!(taken_back, "a chunk's pages wait in memory until it is finished");
        self.encodings.clear();
        self.dictionary_bytes = 0;
        self.uncompressed_bytes = 0;
        self.values = 0;
        self.compress = compress;
    }

    /// Adds a data page of `values` values, nulls included.
    pub(crate) fn data_page(&mut self, payload: &[u8], values: usize, encoding: Encoding) -> Result<(), WriteError> {
        self.values += values;
        self.page(PageKind::Data, payload, values, encoding)
    }

    /// Sets the chunk's dictionary page, after its data pages, when all its entries are known; in the file it is the first.
    pub(crate) fn dictionary_page(&mut self, payload: &[u8], values: usize) -> Result<(), WriteError> {
        let before = self.bytes();
        self.page(PageKind::Dictionary, payload, values, Encoding::PLAIN)?;
        self.dictionary_bytes = self.bytes() - before;
        self.output.move_to_front(self.start, self.dictionary_bytes);
        Ok(())
    }

    /// Bytes of the chunk so far.
    fn bytes(&self) -> usize {
        (self.output.position() - self.start) as usize
    }

    fn page(&mut self, kind: PageKind, payload: &[u8], values: usize, encoding: Encoding) -> Result<(), WriteError> {
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
        let before = self.output.position();
        header.write(self.output.pending());
        self.uncompressed_bytes += (self.output.position() - before) as usize + payload.len();
        self.output.pending().extend_from_slice(stored);
        Ok(())
    }

    /// Whether the chunk expands more than a reader accepts; it must then be built again without compression.
    pub(crate) fn expands_too_much(&self) -> bool {
        self.compress && self.uncompressed_bytes > EXPANSION_FREE + EXPANSION_MAX * self.bytes()
    }

    /// Ends the chunk and returns what the footer says about it.
    pub(crate) fn finish(&mut self, column: &ColumnDescPtr, statistics: Statistics) -> Result<ColumnChunkMetaData, WriteError> {
        let signed = |value: u64| i64::try_from(value).expect("a file is bounded by the disk");
        if !self.encodings.contains(&Encoding::RLE) {
            self.encodings.push(Encoding::RLE);
        }
        let compression = if self.compress { Compression::ZSTD(ZstdLevel::default()) } else { Compression::UNCOMPRESSED };
        let metadata = ColumnChunkMetaData::builder(column.clone())
            .set_compression(compression)
            .set_encodings(self.encodings.clone())
            .set_total_compressed_size(signed(self.bytes() as u64))
            .set_total_uncompressed_size(signed(self.uncompressed_bytes as u64))
            .set_num_values(signed(self.values as u64))
            .set_dictionary_page_offset((self.dictionary_bytes > 0).then_some(signed(self.start)))
            .set_data_page_offset(signed(self.start + self.dictionary_bytes as u64))
            .set_statistics(statistics);
        self.output.flush_if_large()?;
        // What is in the file now is no chunk at hand any more.
        self.start = self.output.position();
        metadata.build().map_err(|source| WriteError::Footer { source })
    }
}
