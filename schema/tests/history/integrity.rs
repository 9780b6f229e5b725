//! Damage and tampering are told apart from whole runs.

use crate::stock::Stock;
use crate::{Place, realistic, write_batches};
use parquet::basic::Compression;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::File;
use std::path::Path;
use vopr_schema::{HistoryFile, Projection, ReadError, RunDamage, WriteOptions, verify};

/// Where the pages of a column chunk begin.
fn offset_of(path: &Path, group: usize, column: &str) -> usize {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let columns = reader.metadata().row_group(group).columns();
    let chunk = columns.iter().find(|chunk| chunk.column_path().string() == column).unwrap();
    usize::try_from(chunk.data_page_offset()).unwrap() + usize::try_from(chunk.compressed_size()).unwrap() / 2
}

#[test]
fn a_whole_file_is_intact() {
    let place = Place::new();
    let path = place.path("whole.parquet");
    write_batches(&path, &[realistic::history(1, 3, 3000)], WriteOptions::default());
    let report = verify(&path).unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.runs, report.pages_without_checksum), (3, 0));
}

#[test]
fn a_flipped_byte_damages_its_batch_only() {
    let place = Place::new();
    let path = place.path("damaged.parquet");
    let batches = [realistic::history(10, 2, 3000), realistic::history(20, 2, 3000), realistic::history(30, 1, 3000)];
    write_batches(&path, &batches, WriteOptions::default());
    let file = HistoryFile::open(&path).unwrap();
    let group = file.batch_row_groups(1).find(|group| file.row_groups()[*group].kind == vopr_schema::Kind::Message).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[offset_of(&path, group, "message.fate_time_ns")] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();

    let file = HistoryFile::open(&path).unwrap();
    assert!(file.read_batch(0, &Projection::all()).unwrap() == batches[0]);
    assert!(file.read_batch(2, &Projection::all()).unwrap() == batches[2]);
    let damage = file.read_batch(1, &Projection::all()).unwrap_err();
    let place = damage.place().unwrap();
    assert_eq!((place.row_group, place.column.as_deref()), (Some(group), Some("message.fate_time_ns")));
    assert!(damage.to_string().contains("checksum"), "{damage}");
    // What does not need the damaged column is still there.
    let other = Projection::runs().with_column(vopr_schema::Kind::Message, "op");
    assert_eq!(file.read_batch(1, &other).unwrap().messages.op, batches[1].messages.op);

    let report = verify(&path).unwrap();
    let damaged: Vec<u64> = report.damaged_runs().map(|run| run.seed).collect();
    assert_eq!(damaged, [20, 21]);
    assert_eq!(report.batches[1].damage.len(), 1);
}

#[test]
fn a_changed_value_changes_one_digest() {
    let place = Place::new();
    let path = place.path("changed.parquet");
    let history = realistic::history(10, 3, 3000);
    write_batches(&path, std::slice::from_ref(&history), WriteOptions::default());
    let mut stock = Stock::read(&path);
    let group = stock.group_of("operation");
    let victim = history.operations.rows_of_run(1).start + 3;
    stock.map_u64(group, "operation.op", |row, op| if row == victim { Some(1_000_000) } else { op });
    stock.write(&path, Compression::UNCOMPRESSED);
    let report = verify(&path).unwrap();
    let damaged: Vec<_> = report.damaged_runs().collect();
    assert_eq!(damaged.len(), 1);
    assert_eq!(damaged[0].seed, 11);
    assert!(matches!(damaged[0].damage, Some(RunDamage::Digest { .. })));
}

#[test]
fn two_rows_with_one_position_are_found() {
    let place = Place::new();
    let path = place.path("positions.parquet");
    let mut history = realistic::history(10, 1, 3000);
    let taken = history.messages.seq[0];
    history.faults.seq[0] = taken;
    history.runs[0].digest = vopr_schema::digest::run_digest(&history, 0);
    write_batches(&path, &[history], WriteOptions::default());
    let report = verify(&path).unwrap();
    let damage: Vec<_> = report.damaged_runs().filter_map(|run| run.damage.clone()).collect();
    assert_eq!(damage, [RunDamage::DuplicateSeq { seq: taken }]);
}

#[test]
fn a_file_without_a_footer_can_not_be_verified() {
    let place = Place::new();
    let path = place.path("short.parquet");
    write_batches(&path, &[realistic::history(10, 1, 3000)], WriteOptions::default());
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    assert!(matches!(verify(&path), Err(ReadError::Malformed { .. })));
}

#[test]
fn every_flipped_bit_of_a_footer_is_noticed() {
    let place = Place::new();
    let path = place.path("flipped.parquet");
    write_batches(&path, &[realistic::history(10, 1, 1000)], WriteOptions::default());
    let bytes = std::fs::read(&path).unwrap();
    let footer = u32::from_le_bytes(*bytes.last_chunk::<8>().unwrap().first_chunk().unwrap()) as usize;
    let sealed = bytes.len() - 8 - footer - 8;
    let flips = (sealed * 8..bytes.len() * 8).step_by(211);
    // A seal without its name is damage only because the footer still says that there is one.
    for bit in flips.chain(sealed * 8..sealed * 8 + 64) {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &changed).unwrap();
        assert!(verify(&path).is_err(), "bit {} of byte {} before the end", bit % 8, bytes.len() - bit / 8);
    }
}
