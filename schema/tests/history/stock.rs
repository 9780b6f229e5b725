//! Another implementation of Parquet (the stock Arrow reader and writer): reads histories, and rewrites them with one thing changed.
//!
//! Independent of the crate's own pages, so it shows that the format is what it claims, and builds files that ours never would.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// A history as Arrow sees it: one batch per row group, and the footer's pairs.
#[derive(Clone)]
pub struct Stock {
    pub groups: Vec<RecordBatch>,
    pub pairs: Vec<(String, String)>,
}

impl Stock {
    /// Reads a file with the stock reader.
    pub fn read(path: &Path) -> Self {
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
        let metadata = builder.metadata().clone();
        let pairs = metadata.file_metadata().key_value_metadata().unwrap();
        let pairs = pairs.iter().map(|pair| (pair.key.clone(), pair.value.clone().unwrap())).collect();
        let groups = (0..metadata.num_row_groups()).map(|group| {
            let rows = usize::try_from(metadata.row_group(group).num_rows()).unwrap();
            let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
            let mut reader = builder.with_row_groups(vec![group]).with_batch_size(rows).build().unwrap();
            reader.next().unwrap().unwrap()
        });
        Self { groups: groups.collect(), pairs }
    }

    /// Writes the file with the stock writer, its own encodings, and no page checksums.
    pub fn write(&self, path: &Path, compression: Compression) {
        let pairs = self.pairs.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
        let properties = WriterProperties::builder().set_compression(compression).set_key_value_metadata(Some(pairs)).build();
        let schema = self.groups[0].schema();
        let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, Some(properties)).unwrap();
        for group in &self.groups {
            writer.write(group).unwrap();
            writer.flush().unwrap();
        }
        writer.close().unwrap();
    }

    /// Sets a pair of the footer and its checksum.
    pub fn set_pair(&mut self, key: &str, value: &str) {
        value.clone_into(&mut self.pairs.iter_mut().find(|(known, _)| known == key).unwrap().1);
        let mut hasher = crc32fast::Hasher::new();
        let covered = self.pairs.iter().filter(|(key, _)| key.starts_with("vopr.") && key != "vopr.checksum");
        for text in covered.flat_map(|(key, value)| [key, value]) {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        let sum = format!("{:08x}", hasher.finalize());
        self.pairs.iter_mut().find(|(known, _)| known == "vopr.checksum").unwrap().1 = sum;
    }

    /// The row group whose rows are of this kind.
    pub fn group_of(&self, kind: &str) -> usize {
        self.groups.iter().position(|group| group.column_by_name("kind").unwrap().as_string::<i32>().value(0) == kind).unwrap()
    }

    /// A column of a row group, `kind.column` or a common one.
    pub fn column(&self, group: usize, path: &str) -> ArrayRef {
        match path.split_once('.') {
            None => self.groups[group].column_by_name(path).unwrap().clone(),
            Some((kind, column)) => self.groups[group].column_by_name(kind).unwrap().as_struct().column_by_name(column).unwrap().clone(),
        }
    }

    /// Replaces a column in one row group; the type may change in all of them (other groups get nulls of it).
    pub fn replace(&mut self, group: usize, path: &str, column: &ArrayRef) {
        for (index, batch) in self.groups.iter_mut().enumerate() {
            *batch = edit(batch, path, |old| {
                if index == group {
                    Some(column.clone())
                } else if old.data_type() == column.data_type() {
                    Some(old.clone())
                } else {
                    Some(arrow::array::new_null_array(column.data_type(), old.len()))
                }
            });
        }
    }

    /// Replaces the 64-bit values of a column in one row group.
    pub fn map_u64(&mut self, group: usize, path: &str, change: impl Fn(usize, Option<u64>) -> Option<u64>) {
        let old = self.column(group, path);
        let old = old.as_primitive::<arrow::datatypes::UInt64Type>();
        let new: UInt64Array = old.iter().enumerate().map(|(row, value)| change(row, value)).collect();
        self.replace(group, path, &(Arc::new(new) as ArrayRef));
    }

    /// Removes a column everywhere.
    pub fn remove(&mut self, path: &str) {
        for batch in &mut self.groups {
            *batch = edit(batch, path, |_| None);
        }
    }

    /// Adds a nullable column of 64-bit integers to a kind's struct.
    pub fn add(&mut self, kind: &str, column: &str) {
        for batch in &mut self.groups {
            *batch = edit(batch, kind, |old| {
                let old = old.as_struct();
                let (fields, mut arrays, nulls) = old.clone().into_parts();
                let mut fields = fields.to_vec();
                fields.push(Arc::new(Field::new(column, DataType::UInt64, true)));
                arrays.push(Arc::new(UInt64Array::from(vec![Some(7); old.len()])));
                Some(Arc::new(StructArray::new(Fields::from(fields), arrays, nulls)) as ArrayRef)
            });
        }
    }

    /// Removes some rows of a row group.
    pub fn keep_rows(&mut self, group: usize, from: usize, count: usize) {
        self.groups[group] = self.groups[group].slice(from, count);
    }
}

/// Replaces (or removes) one column of a batch.
fn edit(batch: &RecordBatch, path: &str, change: impl Fn(&ArrayRef) -> Option<ArrayRef>) -> RecordBatch {
    let (name, inner) = path.split_once('.').map_or((path, None), |(kind, column)| (kind, Some(column)));
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let new = if field.name() != name {
            Some(array.clone())
        } else if let Some(inner) = inner {
            Some(edit_struct(array.as_struct(), inner, &change))
        } else {
            change(array)
        };
        if let Some(new) = new {
            let nullable = field.is_nullable() || new.null_count() > 0;
            fields.push(Arc::new(Field::new(field.name(), new.data_type().clone(), nullable)));
            arrays.push(new);
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn edit_struct(array: &StructArray, inner: &str, change: impl Fn(&ArrayRef) -> Option<ArrayRef>) -> ArrayRef {
    let (fields, arrays, nulls) = array.clone().into_parts();
    let mut kept = Vec::new();
    let mut columns = Vec::new();
    for (field, array) in fields.iter().zip(arrays) {
        if field.name() != inner {
            kept.push(field.clone());
            columns.push(array);
        } else if let Some(new) = change(&array) {
            kept.push(Arc::new(Field::new(field.name(), new.data_type().clone(), field.is_nullable())));
            columns.push(new);
        }
    }
    Arc::new(StructArray::new(Fields::from(kept), columns, nulls))
}
