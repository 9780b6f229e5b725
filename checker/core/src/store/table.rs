//! A store as a Parquet file, so that anybody's tools can read it too.
//!
//! In front of the footer stands a BLAKE3 over all other bytes: it is tested before anything is parsed, so that a damaged store can
//! neither lie nor do harm. Other readers of Parquet pass over it. A store that somebody made up can carry a true BLAKE3: columns and sizes
//! are tested as those of a history are, and a panic of the Parquet library is an error like any other.

use super::{Digest, Facts, Kept, KeptRun, Limits, Store};
use crate::verdict::Verdict;
use crate::witness::Witness;
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{SchemaDescriptor, Type};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The columns. `kind` is `verdict`, `run` (what a report needs besides verdicts, in `detail`) or `file` (`digest` is of its bytes).
const COLUMNS: &str = "message verdicts {
    required fixed_len_byte_array(32) digest;
    required binary kind (UTF8);
    required binary scenario (UTF8);
    required int64 seed (INTEGER(64,false));
    required binary invariant (UTF8);
    required int32 version (INTEGER(32,false));
    required binary verdict (UTF8);
    required int64 facts (INTEGER(64,false));
    required binary detail (UTF8);
    required int64 time_limit_ms (INTEGER(64,false));
    required int64 memory_limit_bytes (INTEGER(64,false));
}";

/// Key of the footer's metadata under which the version of this layout stands.
const VERSION_KEY: &str = "vopr.verdicts";

/// Version of this layout.
const VERSION: u32 = 1;

const SEAL_NAME: &[u8; 4] = b"vopr";
const SEAL_BYTES: usize = 4 + 32;
/// Length of the footer and the magic number.
const TAIL_BYTES: usize = 8;

/// Rows that a small store may have whatever its size.
const ROWS_FREE: usize = 1_000;
/// Rows per byte at most: of each run there are 32 bytes of digest, which nothing compresses, and one row per invariant.
const ROWS_PER_BYTE: usize = 8;
/// Bytes of text that a small store may have whatever its size.
const TEXT_FREE: usize = 1 << 20;
/// Bytes of text per byte at most.
const TEXT_PER_BYTE: usize = 1_000;

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its bytes are not those that were written.
    #[error("damaged: {0}")]
    Damaged(String),
    /// A later program wrote it.
    #[error("of layout {0}, which is newer than this program")]
    Newer(u32),
    /// It could not be encoded.
    #[error("cannot be encoded: {0}")]
    Encoding(#[from] ParquetError),
}

#[expect(clippy::needless_pass_by_value, reason = "it stands behind map_err, which hands over errors")]
fn damaged(what: impl ToString) -> StoreError {
    StoreError::Damaged(what.to_string())
}

/// One row.
#[derive(Clone, Debug, Default)]
struct Row {
    digest: Digest,
    kind: String,
    scenario: String,
    seed: u64,
    invariant: String,
    version: u32,
    verdict: String,
    facts: u64,
    detail: String,
    time_limit_ms: u64,
    memory_limit_bytes: u64,
}

impl Store {
    /// The bytes of the file.
    ///
    /// # Errors
    /// When the Parquet library refuses.
    pub fn encode(&self) -> Result<Vec<u8>, StoreError> {
        encode(COLUMNS, &self.rows())
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// When one bit is not as it was written, or a later program wrote them.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, StoreError> {
        let bytes = unsealed(bytes)?;
        let read = catch_unwind(AssertUnwindSafe(|| Self::parse(bytes)));
        read.unwrap_or_else(|_| Err(damaged("reading it ended in a panic, in a way that no check foresaw")))
    }

    fn parse(bytes: Vec<u8>) -> Result<Self, StoreError> {
        let length = bytes.len();
        let file = SerializedFileReader::new(bytes::Bytes::from(bytes)).map_err(damaged)?;
        let pairs = file.metadata().file_metadata().key_value_metadata();
        let version = pairs.into_iter().flatten().find(|pair| pair.key == VERSION_KEY).and_then(|pair| pair.value.as_deref()?.parse().ok());
        match version {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => return Err(StoreError::Newer(newer)),
            _ => return Err(damaged("no version")),
        }
        check_columns(file.metadata().file_metadata().schema_descr())?;
        let (mut rows_left, mut text_left) =
            (ROWS_FREE + length.saturating_mul(ROWS_PER_BYTE), TEXT_FREE + length.saturating_mul(TEXT_PER_BYTE));
        let mut store = Self::default();
        for group in 0..file.num_row_groups() {
            let group = file.get_row_group(group).map_err(damaged)?;
            let count = usize::try_from(group.metadata().num_rows()).map_err(damaged)?;
            rows_left = rows_left.checked_sub(count).ok_or_else(|| damaged(format!("{count} rows in {length} bytes: that cannot be")))?;
            let rows = read_rows(group.as_ref(), count, &mut text_left)?;
            rows.into_iter().try_for_each(|row| store.take(row))?;
        }
        Ok(store)
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (digest, run) in &self.runs {
            let common = Row { digest: *digest, scenario: run.scenario.clone(), seed: run.seed, ..Row::default() };
            if let Some(facts) = &run.facts {
                let detail = serde_json::to_string(facts).expect("facts are plain data");
                rows.push(Row { kind: "run".to_owned(), detail, ..common.clone() });
            }
            rows.extend(run.verdicts.iter().map(|kept| verdict_row(kept, common.clone())));
        }
        rows.extend(self.files.iter().map(|(digest, name)| Row {
            digest: *digest,
            kind: "file".to_owned(),
            detail: name.clone(),
            ..Row::default()
        }));
        rows
    }

    fn take(&mut self, row: Row) -> Result<(), StoreError> {
        if row.kind == "file" {
            self.files.insert(row.digest, row.detail);
            return Ok(());
        }
        let run = self.runs.entry(row.digest).or_default();
        (run.scenario, run.seed) = (row.scenario, row.seed);
        if row.kind == "run" {
            run.facts = serde_json::from_str::<Facts>(&row.detail).ok();
            return Ok(());
        }
        let verdict = match row.verdict.as_str() {
            "pass" => Verdict::from_facts(row.facts, "nothing"),
            "violation" => Verdict::Violation(serde_json::from_str::<Witness>(&row.detail).map_err(damaged)?),
            "unknown" => Verdict::unknown(row.detail),
            "not_applicable" => Verdict::not_applicable(row.detail),
            other => return Err(damaged(format!("a verdict `{other}`"))),
        };
        let limit = |value: u64| (value != u64::MAX).then_some(value);
        let limits = Limits { time_ms: limit(row.time_limit_ms), memory_bytes: limit(row.memory_limit_bytes) };
        KeptRun::keep(run, Kept { invariant: row.invariant, version: row.version, verdict, limits });
        Ok(())
    }
}

/// Rows as the bytes of a file with these columns, sealed.
fn encode(columns: &str, rows: &[Row]) -> Result<Vec<u8>, StoreError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_key_value_metadata(Some(vec![KeyValue::new(VERSION_KEY.to_owned(), VERSION.to_string())]));
    let schema = Arc::new(parse_message_type(columns)?);
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties.build()))?;
    let mut group = file.next_row_group()?;
    write_rows(&mut group, rows)?;
    group.close()?;
    file.close()?;
    Ok(sealed(bytes))
}

fn verdict_row(kept: &Kept, common: Row) -> Row {
    let detail = match &kept.verdict {
        Verdict::Pass { .. } => String::new(),
        Verdict::Violation(witness) => serde_json::to_string(witness).expect("a witness is plain data"),
        Verdict::Unknown { reason } | Verdict::NotApplicable { reason } => reason.clone(),
    };
    Row {
        kind: "verdict".to_owned(),
        invariant: kept.invariant.clone(),
        version: kept.version,
        verdict: kept.verdict.name().to_owned(),
        facts: kept.verdict.facts(),
        detail,
        time_limit_ms: kept.limits.time_ms.unwrap_or(u64::MAX),
        memory_limit_bytes: kept.limits.memory_bytes.unwrap_or(u64::MAX),
        ..common
    }
}

fn write_rows<W: std::io::Write + Send>(group: &mut SerializedRowGroupWriter<'_, W>, rows: &[Row]) -> Result<(), ParquetError> {
    let text = |of: fn(&Row) -> &str| rows.iter().map(|row| ByteArray::from(of(row))).collect::<Vec<_>>();
    let wide = |of: fn(&Row) -> u64| rows.iter().map(|row| of(row).cast_signed()).collect::<Vec<_>>();
    let digests: Vec<_> = rows.iter().map(|row| FixedLenByteArray::from(row.digest.to_vec())).collect();
    let versions: Vec<i32> = rows.iter().map(|row| row.version.cast_signed()).collect();
    put::<FixedLenByteArrayType, W>(group, &digests)?;
    put::<ByteArrayType, W>(group, &text(|row| &row.kind))?;
    put::<ByteArrayType, W>(group, &text(|row| &row.scenario))?;
    put::<Int64Type, W>(group, &wide(|row| row.seed))?;
    put::<ByteArrayType, W>(group, &text(|row| &row.invariant))?;
    put::<Int32Type, W>(group, &versions)?;
    put::<ByteArrayType, W>(group, &text(|row| &row.verdict))?;
    put::<Int64Type, W>(group, &wide(|row| row.facts))?;
    put::<ByteArrayType, W>(group, &text(|row| &row.detail))?;
    put::<Int64Type, W>(group, &wide(|row| row.time_limit_ms))?;
    put::<Int64Type, W>(group, &wide(|row| row.memory_limit_bytes))
}

fn put<T: DataType, W: std::io::Write + Send>(group: &mut SerializedRowGroupWriter<'_, W>, values: &[T::T]) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.ok_or_else(|| ParquetError::General("a column too many".to_owned()))?;
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

/// Whether the columns are those of this layout: the readers below rely on it.
fn check_columns(found: &SchemaDescriptor) -> Result<(), StoreError> {
    let expected = SchemaDescriptor::new(Arc::new(parse_message_type(COLUMNS)?));
    if found.num_columns() != expected.num_columns() {
        return Err(damaged(format!("{} columns instead of {}", found.num_columns(), expected.num_columns())));
    }
    for (found, expected) in found.columns().iter().zip(expected.columns()) {
        let length = |kind: &Type| if let Type::PrimitiveType { type_length, .. } = kind { *type_length } else { 0 };
        let same_type = found.physical_type() == expected.physical_type() && length(found.self_type()) == length(expected.self_type());
        if !same_type || (found.max_def_level(), found.max_rep_level()) != (0, 0) {
            return Err(damaged(format!("column {} is not as it should be", expected.name())));
        }
    }
    Ok(())
}

fn read_rows(group: &dyn RowGroupReader, count: usize, text_left: &mut usize) -> Result<Vec<Row>, StoreError> {
    let mut rows = vec![Row::default(); count];
    let digest = |row: &mut Row, value: FixedLenByteArray| row.digest.copy_from_slice(value.data());
    get::<FixedLenByteArrayType>(group, 0, &mut rows, digest)?;
    texts(group, 1, &mut rows, text_left, |row| &mut row.kind)?;
    texts(group, 2, &mut rows, text_left, |row| &mut row.scenario)?;
    get::<Int64Type>(group, 3, &mut rows, |row, value| row.seed = value.cast_unsigned())?;
    texts(group, 4, &mut rows, text_left, |row| &mut row.invariant)?;
    get::<Int32Type>(group, 5, &mut rows, |row, value| row.version = value.cast_unsigned())?;
    texts(group, 6, &mut rows, text_left, |row| &mut row.verdict)?;
    get::<Int64Type>(group, 7, &mut rows, |row, value| row.facts = value.cast_unsigned())?;
    texts(group, 8, &mut rows, text_left, |row| &mut row.detail)?;
    get::<Int64Type>(group, 9, &mut rows, |row, value| row.time_limit_ms = value.cast_unsigned())?;
    get::<Int64Type>(group, 10, &mut rows, |row, value| row.memory_limit_bytes = value.cast_unsigned())?;
    Ok(rows)
}

fn get<T: DataType>(group: &dyn RowGroupReader, column: usize, rows: &mut [Row], put: impl Fn(&mut Row, T::T)) -> Result<(), StoreError> {
    let values = values::<T>(group, column, rows.len())?;
    rows.iter_mut().zip(values).for_each(|(row, value)| put(row, value));
    Ok(())
}

/// All values of a column: as many as there are rows.
fn values<T: DataType>(group: &dyn RowGroupReader, column: usize, count: usize) -> Result<Vec<T::T>, StoreError> {
    let reader = group.get_column_reader(column).map_err(damaged)?;
    let mut reader: ColumnReaderImpl<T> = parquet::column::reader::get_typed_column_reader(reader);
    let mut values = Vec::with_capacity(count);
    reader.read_records(count, None, None, &mut values).map_err(damaged)?;
    if values.len() != count {
        return Err(damaged(format!("column {column} has {} of {count} values", values.len())));
    }
    Ok(values)
}

/// Reads a column of texts. `left` is how many bytes of text there may still be: a few bytes can stand for a long text in every row.
fn texts(
    group: &dyn RowGroupReader,
    column: usize,
    rows: &mut [Row],
    left: &mut usize,
    of: impl Fn(&mut Row) -> &mut String,
) -> Result<(), StoreError> {
    let values = values::<ByteArrayType>(group, column, rows.len())?;
    let bytes = values.iter().map(ByteArray::len).fold(0, usize::saturating_add);
    *left = left.checked_sub(bytes).ok_or_else(|| damaged(format!("{bytes} bytes of text in column {column}: that cannot be")))?;
    rows.iter_mut().zip(values).for_each(|(row, value)| *of(row) = String::from_utf8_lossy(value.data()).into_owned());
    Ok(())
}

/// Where the seal of a whole file stands, its own bytes not counted.
fn seal_position(bytes: &[u8]) -> Option<usize> {
    let tail = bytes.last_chunk::<TAIL_BYTES>()?;
    let footer = u32::from_le_bytes(*tail.first_chunk()?);
    bytes.len().checked_sub(TAIL_BYTES)?.checked_sub(usize::try_from(footer).ok()?)
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let position = seal_position(&bytes).expect("a file that was just written has a footer");
    let seal: Vec<u8> = SEAL_NAME.iter().copied().chain(*blake3::hash(&bytes).as_bytes()).collect();
    bytes.splice(position..position, seal);
    bytes
}

fn unsealed(mut bytes: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let end = seal_position(&bytes).ok_or_else(|| damaged("too short"))?;
    let start = end.checked_sub(SEAL_BYTES).ok_or_else(|| damaged("no seal"))?;
    let seal: Vec<u8> = bytes.drain(start..end).collect();
    let whole = seal.starts_with(SEAL_NAME) && seal[SEAL_NAME.len()..] == *blake3::hash(&bytes).as_bytes();
    if whole { Ok(bytes) } else { Err(damaged("its seal does not match")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(columns: &str, rows: &[Row]) -> String {
        Store::decode(encode(columns, rows).unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn a_sealed_store_with_other_columns_is_refused() {
        assert!(Store::decode(encode(COLUMNS, &[]).unwrap()).unwrap().is_empty());
        let optional = COLUMNS.replace("required int32", "optional int32");
        assert_eq!(refused(&optional, &[]), "damaged: column version is not as it should be");
        let check = |columns: &str| check_columns(&SchemaDescriptor::new(Arc::new(parse_message_type(columns).unwrap())));
        let told = |from: &str, to: &str| check(&COLUMNS.replace(from, to)).unwrap_err().to_string();
        assert!(check(COLUMNS).is_ok());
        assert_eq!(told("array(32)", "array(31)"), "damaged: column digest is not as it should be");
        assert_eq!(told("required binary kind (UTF8)", "required int64 kind"), "damaged: column kind is not as it should be");
        assert_eq!(told("required binary kind (UTF8);", ""), "damaged: 10 columns instead of 11");
    }

    #[test]
    fn a_sealed_store_takes_no_more_memory_than_its_size_justifies() {
        let file = Row { kind: "file".to_owned(), ..Row::default() };
        assert!(refused(COLUMNS, &vec![file.clone(); 300_000]).contains("300000 rows in "));
        let wordy = Row { detail: "a".repeat(20_000), ..file };
        assert!(refused(COLUMNS, &vec![wordy.clone(); 900]).contains("18000000 bytes of text in column 8"));
        assert!(Store::decode(encode(COLUMNS, &[wordy]).unwrap()).is_ok());
    }
}
