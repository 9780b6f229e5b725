//! What is fuzzed: every reader of bytes that other people made.
//!
//! Each target takes arbitrary bytes and must return; a panic, an endless loop or memory beyond the limits is a bug. What an
//! importer accepts is judged and exported too, because a checker that panics on a strange history is as bad as a reader.

mod own;

use kernel::{Command, Reply};
pub use own::{bundle, campaign, checkpoint, scenario, verdicts};
use std::path::Path;
use vopr_checker::import::edn::{Edn, Reader};
use vopr_checker::import::{Brought, Format, Request, bring_text, compressed, export, history};
use vopr_checker::imported::{FailedCas, Model, NilRead};
use vopr_checker::transactions::KeyOrder;
use vopr_checker::{Budget, Selection, check_run};
use vopr_schema::{HistoryFile, Projection};
use vsr::checkpoint::Checkpoint;
use vsr::entry::{Checks, Entry};
use vsr::message::Message;
use vsr::reconfiguration::Change;
use vsr::superblock::Superblock;

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 14] = [
    ("edn", edn),
    ("json", json),
    ("log", log),
    ("table", table),
    ("guessed", guessed),
    ("packed", packed),
    ("history_file", history_file),
    ("message", message),
    ("stored", stored),
    ("bundle", bundle),
    ("verdicts", verdicts),
    ("scenario", scenario),
    ("checkpoint", checkpoint),
    ("campaign", campaign),
];

/// The reader of EDN: what it accepts is printed and read again as the same; Jepsen's histories of all models.
///
/// # Panics
/// When what is printed is not read again.
pub fn edn(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let mut reader = Reader::new(text);
    while let Ok(Some(form)) = reader.form() {
        let printed = form.to_string();
        assert_eq!(Reader::new(&printed).form(), Ok(Some(form)), "{printed}");
    }
    for format in [Format::JepsenEdn, Format::Elle] {
        import(text, format);
    }
}

/// Jepsen's JSON.
pub fn json(data: &[u8]) {
    with_text(data, &[Format::JepsenJson]);
}

/// Lines of logs.
pub fn log(data: &[u8]) {
    with_text(data, &[Format::PorcupineLog]);
}

/// Tables.
pub fn table(data: &[u8]) {
    with_text(data, &[Format::Csv, Format::JsonLines]);
}

/// A first line of five letters or digits, which says how to read the rest (format, model, nil, failed compare-and-sets, bank or order of
/// registers), and a history in whatever format it seems to be in.
pub fn guessed(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let Some((settings, text)) = text.split_once('\n') else { return };
    let &[format, model, nil, cas, bank] = settings.as_bytes() else { return };
    let model = Model::ALL.get(usize::from(model - model.min(b'0'))).copied();
    let is_registers = model == Some(Model::RwRegister);
    let orders = [None, Some(KeyOrder::None), Some(KeyOrder::Sequential), Some(KeyOrder::Linearizable)];
    let register_order = orders[usize::from(bank % 4)].filter(|_| is_registers);
    let bank = (bank % 4 != 0 && !is_registers).then_some(bank);
    let request = Request {
        format: Format::ALL.get(usize::from(format - format.min(b'0'))).copied(),
        model,
        register_order,
        nil_read: [None, Some(NilRead::Any), Some(NilRead::Absent)][usize::from(nil % 3)],
        failed_cas: [None, Some(FailedCas::Dropped), Some(FailedCas::Compared)][usize::from(cas % 3)],
        negative_balances: bank.map(|bank| bank % 2 == 0),
        total: bank.map(|bank| i64::from(bank) - 64),
        initial: bank.map(|bank| if bank % 8 < 4 { "{0 10, 1 -3, :x 5}".to_owned() } else { "10".to_owned() }),
        ..Request::default()
    };
    if let Ok(brought) = bring_text(Path::new("fuzzed"), text, &request) {
        judge(brought);
    }
}

/// Packed files.
pub fn packed(data: &[u8]) {
    let _ = compressed::unpack(Path::new("packed"), data, 1 << 20);
}

/// Histories in Parquet: reading and judging them, as they are and with the footer's seal made to fit.
///
/// # Panics
/// When the directory for temporary files cannot be written.
pub fn history_file(data: &[u8]) {
    read_file(data);
    let mut bytes = data.to_vec();
    if reseal(&mut bytes).is_some() && bytes != data {
        read_file(&bytes);
    }
}

/// Writes the checksum of the footer in front of it, as this project's files have it; none where there is no footer.
fn reseal(bytes: &mut [u8]) -> Option<()> {
    let end = bytes.len().checked_sub(8)?;
    let length = u32::from_le_bytes(*bytes.get(end..end + 4)?.first_chunk()?);
    let start = end.checked_sub(usize::try_from(length).ok()?)?;
    let checksum = crc32fast::hash(&bytes[start..end]);
    let seal = bytes.get_mut(start.checked_sub(8)?..start)?;
    seal[..4].copy_from_slice(b"vopr");
    seal[4..].copy_from_slice(&checksum.to_le_bytes());
    Some(())
}

fn read_file(data: &[u8]) {
    let file = tempfile::NamedTempFile::new().expect("a place for temporary files");
    std::fs::write(file.path(), data).expect("a place for temporary files");
    if let Ok(history) = HistoryFile::open(file.path()).and_then(|file| file.read_all(&Projection::all())) {
        for run in 0..history.runs.len() {
            let _ = check_run(&history, run, &Selection::all(), &budget());
        }
    }
    let _ = vopr_schema::verify(file.path());
}

/// Messages between replicas: what is read is written and read again as the same. Size and checksum are filled in, because no fuzzer
/// finds them; what an entry's hash does not confirm is read with that guard and without.
///
/// # Panics
/// When what is written is not read again.
pub fn message(data: &[u8]) {
    let _ = Message::decode(data, None);
    let mut bytes = data.to_vec();
    if bytes.len() < 8 {
        return;
    }
    let checksum = crc32fast::hash(&bytes[8..]);
    bytes[..4].copy_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
    for bug in [None, Some(vsr::Bug::SkipsEntryChecksum)] {
        if let Ok(message) = Message::decode(&bytes, bug) {
            assert_eq!(Message::decode(&message.encode(), bug), Ok(message));
        }
    }
}

/// What replicas store and what clients ask for; the first byte says which.
///
/// # Panics
/// When what is written is not read again.
pub fn stored(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else { return };
    match which % 6 {
        0 => {
            for checks in [Checks::Enforced, Checks::TornAccepted, Checks::Skipped] {
                if let Ok(entry) = Entry::decode_stored(bytes, checks) {
                    assert_eq!(Entry::decode_stored(&entry.encode_stored(), Checks::Skipped), Ok(entry));
                }
            }
        }
        1 => {
            if let Ok(checkpoint) = Checkpoint::decode_stored(bytes) {
                assert_eq!(Checkpoint::decode_stored(&checkpoint.encode_stored()), Ok(checkpoint));
            }
        }
        2 => {
            if let Ok(superblock) = Superblock::decode_stored(bytes) {
                assert_eq!(Superblock::decode_stored(&superblock.encode_stored()), Ok(superblock));
            }
        }
        3 => {
            if let Some(change) = Change::decode(bytes) {
                assert_eq!(&*change.encode(), bytes);
            }
        }
        4 => {
            if let Some(command) = Command::decode(bytes) {
                assert_eq!(command.encode(), bytes);
            }
        }
        _ => {
            if let Some(reply) = Reply::decode(bytes) {
                assert_eq!(reply.encode(), bytes);
            }
        }
    }
}

fn with_text(data: &[u8], formats: &[Format]) {
    if let Ok(text) = core::str::from_utf8(data) {
        for format in formats {
            import(text, *format);
        }
    }
}

fn import(text: &str, format: Format) {
    let request = Request { format: Some(format), ..Request::default() };
    let Ok(brought) = bring_text(Path::new("fuzzed"), text, &request) else { return };
    judge(brought);
}

fn judge(brought: Brought) {
    let history = history(&[brought]);
    let _ = check_run(&history, 0, &Selection::all(), &budget());
    if let Ok(text) = export::jepsen_edn(&history, 0) {
        let mut reader = Reader::new(&text);
        while let Some(form) = reader.form().expect("what is exported can be read") {
            assert!(matches!(form, Edn::Map(_)), "{form}");
        }
    }
}

/// A second and 64 MiB for each history.
fn budget() -> Budget {
    Budget { time_per_run: Some(std::time::Duration::from_secs(1)), memory_bytes: Some(64 << 20), ..Budget::default() }
}
