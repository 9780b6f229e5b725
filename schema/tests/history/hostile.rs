//! Files made to mislead: each is refused with the place and the reason, and none makes the reader take much memory.

use crate::stock::Stock;
use crate::{Place, read_everything, realistic, write_batches};
use arrow::array::{ArrayRef, AsArray, StringArray, UInt8Array, UInt32Array, UInt64Array};
use arrow::compute::concat_batches;
use arrow::datatypes::{UInt8Type, UInt64Type};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{ParquetMetaDataBuilder, ParquetMetaDataReader, ParquetMetaDataWriter};
use std::path::PathBuf;
use std::sync::Arc;
use vopr_schema::{History, HistoryFile, ReadError, WriteOptions};

/// A file, taken apart to be put together wrongly.
struct Victim {
    _place: Place,
    path: PathBuf,
    history: History,
    stock: Stock,
}

impl Victim {
    fn new() -> Self {
        let place = Place::new();
        let path = place.path("hostile.parquet");
        let history = realistic::history(40, 2, 3000);
        write_batches(&path, std::slice::from_ref(&history), WriteOptions::default());
        let stock = Stock::read(&path);
        Self { _place: place, path, history, stock }
    }

    /// Writes the changed file; reading it must end in an error that has all the words.
    fn is_refused(&self, words: &[&str]) {
        self.stock.write(&self.path, Compression::ZSTD(ZstdLevel::default()));
        refuses(&self.path, words);
    }
}

fn refuses(path: &std::path::Path, words: &[&str]) {
    let error = read_everything(path).expect_err("a hostile file");
    let text = error.to_string();
    assert!(matches!(error, ReadError::Malformed { .. }), "{text}");
    assert!(text.contains("hostile.parquet"), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

#[test]
fn other_files_are_no_histories() {
    let place = Place::new();
    let path = place.path("hostile.parquet");
    for (bytes, word) in [
        (&b""[..], "too short"),
        (b"PAR1", "too short"),
        (b"a history, honestly", "another kind of file"),
        (b"PAR1\0\0\0\0\0\0\0\0\xff\xff\xff\x7fPAR1", "longer than the file"),
        (b"PAR1\0\0\0\0PAR1", "footer"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        refuses(&path, &[word]);
    }
}

#[test]
fn a_parquet_file_of_something_else_is_no_history() {
    let mut victim = Victim::new();
    victim.stock.pairs.clear();
    victim.is_refused(&["vopr.schema_version"]);
}

#[test]
fn wrong_types() {
    let mut victim = Victim::new();
    let group = victim.stock.group_of("message");
    let rows = victim.history.messages.len();
    victim.stock.replace(group, "message.view", &(Arc::new(StringArray::from(vec!["1"; rows])) as ArrayRef));
    victim.is_refused(&["message.view", "BYTE_ARRAY"]);
}

#[test]
fn unknown_columns() {
    let mut victim = Victim::new();
    victim.stock.add("message", "veiw");
    victim.is_refused(&["message.veiw", "not part of schema"]);
}

#[test]
fn numbers_beyond_their_type() {
    let mut victim = Victim::new();
    let group = victim.stock.group_of("storage");
    let replicas = victim.stock.column(group, "storage.replica");
    let wide: UInt32Array = replicas.as_primitive::<UInt8Type>().iter().map(|replica| Some(u32::from(replica.unwrap()) + 254)).collect();
    victim.stock.replace(group, "storage.replica", &(Arc::new(wide) as ArrayRef));
    victim.is_refused(&["storage.replica", "exceeds"]);
}

#[test]
fn reserved_numbers() {
    let mut victim = Victim::new();
    let group = victim.stock.group_of("message");
    victim.stock.map_u64(group, "message.op", |row, op| if row == 9 { Some(u64::MAX) } else { op });
    victim.is_refused(&["message.op", "reserved for null"]);
    let mut victim = Victim::new();
    let group = victim.stock.group_of("operation");
    let rows = victim.history.operations.len();
    victim.stock.replace(group, "operation.replica", &(Arc::new(UInt8Array::from(vec![255; rows])) as ArrayRef));
    victim.is_refused(&["operation.replica", "reserved for null"]);
}

#[test]
fn unknown_words() {
    let mut victim = Victim::new();
    let group = victim.stock.group_of("message");
    let rows = victim.history.messages.len();
    victim.stock.replace(group, "message.command", &(Arc::new(StringArray::from(vec!["obey"; rows])) as ArrayRef));
    victim.is_refused(&["message.command", "obey"]);
}

#[test]
fn rows_of_another_kind() {
    let mut victim = Victim::new();
    let group = victim.stock.group_of("message");
    let rows = victim.history.messages.len();
    victim.stock.replace(group, "kind", &(Arc::new(StringArray::from(vec!["fault"; rows])) as ArrayRef));
    victim.is_refused(&["column kind", "another run or kind"]);
    // One row group with rows of two kinds.
    let mut victim = Victim::new();
    let (message, fault) = (victim.stock.group_of("message"), victim.stock.group_of("fault"));
    let schema = victim.stock.groups[message].schema();
    let rows = victim.history.messages.len();
    let mixed = concat_batches(&schema, [&victim.stock.groups[message].slice(0, rows - 2), &victim.stock.groups[fault]]).unwrap();
    assert_eq!(mixed.num_rows(), rows);
    victim.stock.groups[message] = mixed;
    victim.is_refused(&["message"]);
}

#[test]
fn positions_that_do_not_rise() {
    let mut victim = Victim::new();
    let group = victim.stock.group_of("transition");
    let rows = victim.history.transitions.rows_of_run(1);
    let seq = victim.history.transitions.seq.clone();
    let changed: UInt64Array = seq.iter().enumerate().map(|(row, seq)| if row == rows.start + 5 { 0 } else { *seq }).collect();
    victim.stock.replace(group, "seq", &(Arc::new(changed) as ArrayRef));
    victim.is_refused(&["seq does not rise", "transition", "seed 41"]);
}

#[test]
fn rows_of_a_run_that_is_not_there() {
    let mut victim = Victim::new();
    let group = victim.stock.group_of("message");
    let rows = victim.history.messages.len();
    let seeds: UInt64Array = (0..rows).map(|row| if row < 7 { 99 } else { 40 + u64::from(row >= rows / 2) }).collect();
    victim.stock.replace(group, "seed", &(Arc::new(seeds) as ArrayRef));
    victim.is_refused(&["column seed", "another run"]);
}

#[test]
fn one_run_twice() {
    let mut victim = Victim::new();
    for group in 0..victim.stock.groups.len() {
        let rows = victim.stock.groups[group].num_rows();
        victim.stock.replace(group, "seed", &(Arc::new(UInt64Array::from(vec![40; rows])) as ArrayRef));
    }
    let index =
        victim.stock.pairs.iter().find(|(key, _)| key == "vopr.row_groups").unwrap().1.replace("\"last_seed\":41", "\"last_seed\":40");
    victim.stock.set_pair("vopr.row_groups", &index);
    victim.is_refused(&["seed 40", "twice"]);
}

#[test]
fn lost_rows() {
    let mut victim = Victim::new();
    let group = victim.stock.group_of("message");
    let rows = victim.history.messages.len();
    victim.stock.keep_rows(group, 0, rows - 1);
    victim.is_refused(&["row group"]);
    let index = victim.stock.pairs.iter().find(|(key, _)| key == "vopr.row_groups").unwrap().1.clone();
    let index = index.replace(&format!("\"kind\":\"message\",\"rows\":{rows}"), &format!("\"kind\":\"message\",\"rows\":{}", rows - 1));
    victim.stock.set_pair("vopr.row_groups", &index);
    victim.is_refused(&["claim", "message"]);
}

#[test]
fn a_wrong_index() {
    let whole = Victim::new();
    let index = whole.stock.pairs.iter().find(|(key, _)| key == "vopr.row_groups").unwrap().1.clone();
    for (from, to, word) in [
        ("\"kind\":\"message\"", "\"kind\":\"massage\"", "kind that does not exist"),
        ("\"batch\":0", "\"batch\":7", "batch"),
        ("\"runs\":2", "\"runs\":18446744073709551615", ""),
        ("\"kind\":\"run\",\"rows\":2", "\"kind\":\"run\",\"rows\":1048577", "1 to 1048576"),
        ("{", "[", "index"),
    ] {
        let mut victim = Victim::new();
        victim.stock.set_pair("vopr.row_groups", &index.replace(from, to));
        victim.is_refused(&[word]);
    }
}

#[test]
fn absurdly_many_rows_in_few_bytes() {
    let mut victim = Victim::new();
    let group = victim.stock.group_of("fault");
    let schema = victim.stock.groups[group].schema();
    let mut rows = victim.stock.groups[group].slice(0, 1);
    while rows.num_rows() < 1 << 20 {
        rows = concat_batches(&schema, [&rows, &rows]).unwrap();
    }
    victim.stock.groups[group] = rows;
    let index = victim.stock.pairs.iter().find(|(key, _)| key == "vopr.row_groups").unwrap().1.clone();
    victim.stock.set_pair("vopr.row_groups", &index.replace("\"kind\":\"fault\",\"rows\":2", "\"kind\":\"fault\",\"rows\":1048576"));
    victim.is_refused(&["1048576 rows", "that can not be"]);
}

#[test]
fn a_decompression_bomb() {
    let mut victim = Victim::new();
    let group = victim.stock.group_of("run");
    let bomb = " ".repeat(40 << 20);
    victim.stock.replace(group, "run.plan", &(Arc::new(StringArray::from(vec![bomb.as_str(), ""])) as ArrayRef));
    victim.is_refused(&["run.plan", "more than its chunk can hold"]);
}

#[test]
fn one_long_text_named_many_times() {
    let mut victim = Victim::new();
    let group = victim.stock.group_of("run");
    // 200 runs that share one text of 500 kB by way of the stock writer's dictionary.
    let schema = victim.stock.groups[group].schema();
    let one = victim.stock.groups[group].slice(0, 1);
    let runs = concat_batches(&schema, std::iter::repeat_n(&one, 200)).unwrap();
    victim.stock.groups[group] = runs;
    let text = "x".repeat(500_000);
    victim.stock.replace(group, "run.plan", &(Arc::new(StringArray::from(vec![text.as_str(); 200])) as ArrayRef));
    let index = victim.stock.pairs.iter().find(|(key, _)| key == "vopr.row_groups").unwrap().1.clone();
    let index = index
        .replace("\"kind\":\"run\",\"rows\":2,", "\"kind\":\"run\",\"rows\":200,")
        .replace("\"runs\":2", "\"runs\":200")
        .replace("\"last_seed\":41", "\"last_seed\":40");
    victim.stock.set_pair("vopr.row_groups", &index);
    victim.is_refused(&["run.plan", "texts are longer"]);
}

#[test]
fn many_row_groups_that_share_their_bytes() {
    let victim = Victim::new();
    let bytes = std::fs::read(&victim.path).unwrap();
    let footer = u32::from_le_bytes(*bytes.last_chunk::<8>().unwrap().first_chunk().unwrap()) as usize;
    let (data, rest) = bytes.split_at(bytes.len() - 8 - footer);
    let metadata = ParquetMetaDataReader::decode_metadata(&rest[..footer]).unwrap();
    let mut groups = metadata.row_groups().to_vec();
    let mut index: Vec<serde_json::Value> =
        serde_json::from_str(&victim.stock.pairs.iter().find(|(key, _)| key == "vopr.row_groups").unwrap().1).unwrap();
    let (group, entry) = (groups.last().unwrap().clone(), index.last().unwrap().clone());
    for _ in 0..500 {
        groups.push(group.clone());
        index.push(entry.clone());
    }
    let mut stock = victim.stock.clone();
    stock.set_pair("vopr.row_groups", &serde_json::to_string(&index).unwrap());
    let file = metadata.file_metadata();
    let pairs = stock.pairs.iter().map(|(key, value)| parquet::file::metadata::KeyValue::new(key.clone(), value.clone())).collect();
    let file = parquet::file::metadata::FileMetaData::new(
        file.version(),
        file.num_rows(),
        None,
        Some(pairs),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let metadata = ParquetMetaDataBuilder::new(file).set_row_groups(groups).build();
    // Without the eight bytes of the seal, which a forger would leave out.
    let mut changed = data[..data.len() - 8].to_vec();
    let mut tail = Vec::new();
    ParquetMetaDataWriter::new(&mut tail, &metadata).finish().unwrap();
    changed.extend(tail);
    std::fs::write(&victim.path, changed).unwrap();
    refuses(&victim.path, &["longer than the file"]);
}

#[test]
fn the_whole_file_is_still_read_after_all_that() {
    let victim = Victim::new();
    let seeds: Vec<u64> = HistoryFile::open(&victim.path).unwrap().runs().unwrap().iter().map(|run| run.seed).collect();
    assert_eq!(seeds, [40, 41]);
    let seed = victim.stock.column(victim.stock.group_of("run"), "seed");
    assert_eq!(seed.as_primitive::<UInt64Type>().values().to_vec(), seeds);
}
