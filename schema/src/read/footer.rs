//! The footer: is this a history, which row groups does it have, do its promises fit its size.
//!
//! Everything later relies on what is checked here: ranges lie inside the file, row counts are justified by bytes.

use super::error::{Fault, ReadError};
use crate::dictionary::Dictionary;
use crate::footer_seal::{self, MAGIC, SEAL_BYTES};
use crate::layout::{self, Leaf, Part};
use crate::provenance::{GroupEntry, Provenance, RowGroup, SchemaVersion};
use crate::rows::Kind;
use crate::write::{ROWS_FREE, ROWS_PER_BYTE, ROWS_PER_GROUP_MAX};
use core::ops::Range;
use parquet::basic::{Compression, Type as PhysicalType};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::schema::types::SchemaDescriptor;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Longest footer, bytes.
const FOOTER_BYTES_MAX: u64 = 256 << 20;

/// Where a column chunk lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkPlace {
    /// First byte in the file.
    pub(crate) start: u64,
    /// Number of bytes, known to lie inside the file.
    pub(crate) length: usize,
    /// Whether its pages are compressed.
    pub(crate) compressed: bool,
}

/// What the footer says, checked.
#[derive(Debug)]
pub(crate) struct Footer {
    pub(crate) provenance: Provenance,
    pub(crate) version: SchemaVersion,
    pub(crate) groups: Vec<RowGroup>,
    /// Row groups of each batch.
    pub(crate) batches: Vec<Range<usize>>,
    /// All leaves of the schema that this program knows.
    pub(crate) leaves: Vec<Leaf>,
    /// For every leaf its place in every row group; none when the file lacks the column. Indexed [group][leaf].
    pub(crate) chunks: Vec<Vec<Option<ChunkPlace>>>,
    /// Nullable columns that the file, being older, lacks.
    pub(crate) missing: Vec<(Kind, &'static str)>,
}

/// Reads the footer's bytes from the end of the file, and those before it, where its seal stands.
pub(crate) fn read_bytes(path: &Path, file: &mut (impl Read + Seek), length: u64) -> Result<([u8; SEAL_BYTES], Vec<u8>), ReadError> {
    let failed = |source| ReadError::File { path: path.to_owned(), action: "reading the footer", source };
    let malformed = |what: &str| super::malformed(path, Fault::footer(what));
    if length < 12 {
        return Err(malformed("it is too short for a Parquet file"));
    }
    let mut tail = [0; 8];
    file.seek(SeekFrom::Start(length - 8)).and_then(|_| file.read_exact(&mut tail)).map_err(failed)?;
    let footer = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    if tail[4..] != *MAGIC {
        return Err(malformed("it does not end like a Parquet file: it is another kind of file, or was cut short"));
    }
    if footer > length - 12 || footer > FOOTER_BYTES_MAX {
        return Err(malformed("the footer claims to be longer than the file or the limit: the file was cut short or is damaged"));
    }
    let mut bytes = vec![0; usize::try_from(footer).unwrap_or(0)];
    // A file whose footer begins right behind its first four bytes has no room for a seal; they are repeated in its place.
    let mut before = [0; SEAL_BYTES];
    let from = (length - 8 - footer).saturating_sub(SEAL_BYTES as u64);
    file.seek(SeekFrom::Start(from)).and_then(|_| file.read_exact(&mut before)).map_err(failed)?;
    file.seek(SeekFrom::Start(length - 8 - footer)).and_then(|_| file.read_exact(&mut bytes)).map_err(failed)?;
    Ok((before, bytes))
}

/// Takes the footer apart; `length` is the file's.
pub(crate) fn parse(path: &Path, before: [u8; SEAL_BYTES], bytes: &[u8], length: u64) -> Result<Footer, ReadError> {
    let malformed = |fault| super::malformed(path, fault);
    let metadata = ParquetMetaDataReader::decode_metadata(bytes)
        .map_err(|error| malformed(Fault::footer(format!("it can not be decoded: {error}"))))?;
    if !footer_seal::is_whole(bytes, before, metadata.file_metadata().created_by()) {
        return Err(malformed(Fault::footer("it does not match its checksum: the file is damaged there")));
    }
    let pairs: Vec<(String, String)> = (metadata.file_metadata().key_value_metadata().into_iter().flatten())
        .map(|pair| (pair.key.clone(), pair.value.clone().unwrap_or_default()))
        .collect();
    let (provenance, version, entries) = Provenance::from_pairs(&pairs).map_err(|what| malformed(Fault::footer(what)))?;
    if version.major > SchemaVersion::CURRENT.major {
        return Err(ReadError::NewerSchema { path: path.to_owned(), found: version });
    }
    if version.major == 0 {
        return Err(malformed(Fault::footer(format!("schema version {version} never existed"))));
    }
    let data_end = length - 8 - bytes.len() as u64;
    assemble(&metadata, provenance, version, &entries, data_end).map_err(malformed)
}

fn assemble(
    metadata: &ParquetMetaData,
    provenance: Provenance,
    version: SchemaVersion,
    entries: &[GroupEntry],
    data_end: u64,
) -> Result<Footer, Fault> {
    let leaves = layout::leaves();
    let schema = metadata.file_metadata().schema_descr();
    let columns = match_columns(&leaves, schema, version)?;
    let mut missing: Vec<(Kind, &'static str)> = (leaves.iter().zip(&columns))
        .filter(|(_, column)| column.is_none())
        .filter_map(|(leaf, _)| Some((leaf.kind?, leaf.spec.name)))
        .collect();
    missing.dedup();
    if entries.len() != metadata.num_row_groups() {
        return Err(Fault::footer(format!("the index names {} row groups, the file has {}", entries.len(), metadata.num_row_groups())));
    }
    let groups = entries.iter().enumerate().map(|(index, entry)| row_group(index, entry)).collect::<Result<Vec<_>, _>>()?;
    let batches = batches(&groups)?;
    let mut chunks = Vec::with_capacity(groups.len());
    let mut total = 0_u64;
    for (index, (group, metadata)) in groups.iter().zip(metadata.row_groups()).enumerate() {
        let places = places(index, group, metadata, &columns, &leaves, data_end)?;
        total = total.saturating_add(check_size(index, group, metadata)?);
        chunks.push(places);
    }
    if total > data_end {
        return Err(Fault::footer("its column chunks together are longer than the file"));
    }
    Ok(Footer { provenance, version, groups, batches, leaves, chunks, missing })
}

/// For every known leaf the file's column of that path.
fn match_columns(leaves: &[Leaf], schema: &SchemaDescriptor, version: SchemaVersion) -> Result<Vec<Option<usize>>, Fault> {
    let paths: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
    if version <= SchemaVersion::CURRENT {
        let known: Vec<String> = leaves.iter().map(Leaf::path).collect();
        if let Some(unknown) = paths.iter().find(|path| !known.contains(path)) {
            return Err(Fault::footer(format!("column {unknown} is not part of schema {version}")));
        }
    }
    let mut columns = Vec::with_capacity(leaves.len());
    for leaf in leaves {
        let path = leaf.path();
        let Some(index) = paths.iter().position(|known| *known == path) else {
            if !leaf.spec.nullable {
                return Err(Fault::footer(format!("column {path} is missing")));
            }
            columns.push(None);
            continue;
        };
        let column = schema.column(index);
        let levels = (i32::from(column.max_def_level()), i32::from(column.max_rep_level()));
        let expected = (leaf.max_definition().cast_signed(), leaf.max_repetition().cast_signed());
        let fixed_length = column.physical_type() == PhysicalType::FIXED_LEN_BYTE_ARRAY && column.type_length() != 32;
        if column.physical_type() != leaf.physical() || levels != expected || fixed_length {
            let found = column.physical_type();
            return Err(Fault::footer(format!("column {path} has type {found} or a nesting that is not the schema's")));
        }
        columns.push(Some(index));
    }
    if let Some((leaf, _)) = leaves.iter().zip(&columns).find(|(leaf, column)| leaf.part == Part::Key && column.is_none())
        && leaves
            .iter()
            .zip(&columns)
            .any(|(other, column)| other.spec.name == leaf.spec.name && other.part == Part::Value && column.is_some())
    {
        return Err(Fault::footer(format!("column {} is missing", leaf.path())));
    }
    Ok(columns)
}

fn row_group(index: usize, entry: &GroupEntry) -> Result<RowGroup, Fault> {
    let fault = |what: &str| Fault::footer(format!("the index entry of row group {index} {what}"));
    let size = |value: u64| usize::try_from(value).map_err(|_| fault("has an absurd number"));
    let kind = Kind::parse(&entry.kind).ok_or_else(|| fault("names a kind that does not exist"))?;
    let group = RowGroup {
        batch: entry.batch,
        kind,
        rows: size(entry.rows)?,
        first_run: size(entry.first_run)?,
        runs: size(entry.runs)?,
        first_seed: entry.first_seed,
        last_seed: entry.last_seed,
    };
    if group.rows == 0 || group.rows > ROWS_PER_GROUP_MAX {
        return Err(fault(&format!("claims {} rows; 1 to {ROWS_PER_GROUP_MAX} are allowed", group.rows)));
    }
    Ok(group)
}

/// Row groups of each batch: a group of kind run first, then the others, all about the same runs.
fn batches(groups: &[RowGroup]) -> Result<Vec<Range<usize>>, Fault> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut runs = 0_usize;
    for (index, group) in groups.iter().enumerate() {
        let fault = |what: &str| Err(Fault::group(index, group.kind, what));
        let new = group.batch == batches.len();
        if new {
            if group.kind != Kind::Run || group.rows != group.runs || group.first_run != runs {
                return fault("a batch must begin with its rows of kind run");
            }
            runs = runs.saturating_add(group.runs);
            batches.push(index..index + 1);
            continue;
        }
        let Some(batch) = batches.last_mut().filter(|batch| groups[batch.start].batch == group.batch) else {
            return fault("it belongs to no batch");
        };
        let first = &groups[batch.start];
        let previous = &groups[batch.end - 1];
        if group.kind == Kind::Run || group.kind < previous.kind {
            return fault("it is out of order in its batch");
        }
        if (group.first_run, group.runs) != (first.first_run, first.runs) {
            return fault("it is about other runs than its batch");
        }
        batch.end = index + 1;
    }
    Ok(batches)
}

fn places(
    index: usize,
    group: &RowGroup,
    metadata: &RowGroupMetaData,
    columns: &[Option<usize>],
    leaves: &[Leaf],
    data_end: u64,
) -> Result<Vec<Option<ChunkPlace>>, Fault> {
    let mut places = Vec::with_capacity(leaves.len());
    for (column, leaf) in columns.iter().zip(leaves) {
        places.push(match column.and_then(|column| metadata.columns().get(column)) {
            Some(chunk) => Some(place(chunk, data_end).map_err(|what| {
                let mut fault = Fault::group(index, group.kind, what);
                fault.place.column = Some(leaf.path());
                fault
            })?),
            None => None,
        });
    }
    Ok(places)
}

fn place(chunk: &ColumnChunkMetaData, data_end: u64) -> Result<ChunkPlace, &'static str> {
    let data = u64::try_from(chunk.data_page_offset()).map_err(|_| "its offset is negative")?;
    let dictionary = chunk.dictionary_page_offset().and_then(|offset| u64::try_from(offset).ok()).filter(|offset| *offset > 0);
    let start = dictionary.map_or(data, |dictionary| dictionary.min(data));
    let length = u64::try_from(chunk.compressed_size()).map_err(|_| "its size is negative")?;
    if start < 4 || start.checked_add(length).is_none_or(|end| end > data_end) {
        return Err("it lies outside the file");
    }
    let compressed = match chunk.compression() {
        Compression::UNCOMPRESSED => false,
        Compression::ZSTD(_) => true,
        _ => return Err("it is compressed with a codec that histories do not use (zstd or none)"),
    };
    Ok(ChunkPlace { start, length: usize::try_from(length).map_err(|_| "it is too long")?, compressed })
}

/// Holds a row group's row count against its bytes; returns the bytes.
fn check_size(index: usize, group: &RowGroup, metadata: &RowGroupMetaData) -> Result<u64, Fault> {
    let fault = |what: String| Fault::group(index, group.kind, what);
    if u64::try_from(metadata.num_rows()) != Ok(group.rows as u64) {
        return Err(fault(format!("it has {} rows, {} by the index", metadata.num_rows(), group.rows)));
    }
    let sizes = metadata.columns().iter().map(|chunk| u64::try_from(chunk.compressed_size()).unwrap_or(u64::MAX));
    let bytes = sizes.fold(0_u64, u64::saturating_add);
    if group.rows as u64 > ROWS_FREE.saturating_add(ROWS_PER_BYTE.saturating_mul(bytes)) {
        return Err(fault(format!("it claims {} rows in {bytes} bytes: that can not be", group.rows)));
    }
    Ok(bytes)
}
