//! The file under construction: bytes in their order, and the row groups that its footer will name.
//!
//! The Parquet library's file writer copies every chunk three times; here a chunk goes from its pages to the file.

use super::{WriteError, partial_path};
use crate::footer_seal;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataWriter, RowGroupMetaData};
use parquet::schema::types::SchemaDescPtr;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes that wait in memory until they are written: few enough to stay in the processor's cache.
const PENDING_BYTES: usize = 512 << 10;

/// A file that is being written.
pub(crate) struct Output {
    file: File,
    partial: PathBuf,
    pending: Vec<u8>,
    /// Bytes that the file has already.
    written: u64,
}

impl Output {
    /// Creates the partial file of `path` and writes the magic number.
    pub(crate) fn create(path: &Path) -> Result<Self, WriteError> {
        let partial = partial_path(path);
        let failed = |source| WriteError::File { path: partial.clone(), action: "creating it", source };
        let file = File::create(&partial).map_err(failed)?;
        let mut pending = Vec::with_capacity(2 * PENDING_BYTES);
        pending.extend_from_slice(footer_seal::MAGIC);
        Ok(Self { file, partial, pending, written: 0 })
    }

    /// Where the next byte will stand in the file.
    pub(crate) fn position(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// What is not written yet, to be appended to.
    pub(crate) fn pending(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// Moves the last `count` bytes to `position`, which must not have been written yet.
    pub(crate) fn move_to_front(&mut self, position: u64, count: usize) {
        let from = usize::try_from(position - self.written).expect("what waits is in memory");
        self.pending[from..].rotate_right(count);
    }

    /// Takes back everything from `position` on, if all of it is still in memory.
    pub(crate) fn take_back(&mut self, position: u64) -> bool {
        let keep = position.checked_sub(self.written).and_then(|keep| usize::try_from(keep).ok());
        keep.inspect(|keep| self.pending.truncate(*keep)).is_some()
    }

    /// Writes what waits, once it is enough.
    pub(crate) fn flush_if_large(&mut self) -> Result<(), WriteError> {
        if self.pending.len() >= PENDING_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what waits.
    pub(crate) fn flush(&mut self) -> Result<(), WriteError> {
        let failed = |source| WriteError::File { path: self.partial.clone(), action: "writing it", source };
        self.file.write_all(&self.pending).map_err(failed)?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Writes the footer and its seal.
    pub(crate) fn finish(mut self, schema: SchemaDescPtr, groups: Vec<RowGroupMetaData>, pairs: Vec<KeyValue>) -> Result<File, WriteError> {
        let rows = groups.iter().map(RowGroupMetaData::num_rows).sum();
        let file = FileMetaData::new(1, rows, Some(footer_seal::CREATED_BY.to_owned()), Some(pairs), schema, None);
        let mut footer = Vec::new();
        let metadata = ParquetMetaData::new(file, groups);
        ParquetMetaDataWriter::new(&mut footer, &metadata).finish().map_err(|source| WriteError::Footer { source })?;
        let seal = footer_seal::seal(&footer[..footer.len() - footer_seal::TAIL_BYTES]);
        self.pending.extend_from_slice(&seal);
        self.pending.extend_from_slice(&footer);
        self.flush()?;
        Ok(self.file)
    }
}

/// A row group's entry in the footer.
pub(crate) fn row_group(
    schema: &SchemaDescPtr,
    number: usize,
    rows: usize,
    columns: Vec<ColumnChunkMetaData>,
) -> Result<RowGroupMetaData, ParquetError> {
    let bytes = columns.iter().map(ColumnChunkMetaData::uncompressed_size).sum();
    let start = columns.first().map(|column| column.dictionary_page_offset().unwrap_or(column.data_page_offset()));
    let mut group = RowGroupMetaData::builder(schema.clone())
        .set_num_rows(i64::try_from(rows).unwrap_or(i64::MAX))
        .set_total_byte_size(bytes)
        .set_column_metadata(columns)
        .set_file_offset(start.unwrap_or(0));
    if let Ok(ordinal) = i32::try_from(number) {
        group = group.set_ordinal(ordinal);
    }
    group.build()
}
