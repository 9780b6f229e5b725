//! What is fuzzed: every reader of bytes that other people made.
//!
//! Each target takes arbitrary bytes and must return; a panic, an endless loop or memory beyond the limits is a bug. What an
//! importer accepts is judged and exported too, because a checker that panics on a strange history is as bad as a reader.

use std::path::Path;
use vopr_checker::import::edn::{Edn, Reader};
use vopr_checker::import::{Brought, Format, Request, bring_text, compressed, export, history};
use vopr_checker::{Budget, Selection, check_run};
use vopr_schema::{HistoryFile, Projection};

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 6] =
    [("edn", edn), ("json", json), ("log", log), ("table", table), ("packed", packed), ("history_file", history_file)];

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

/// Packed files.
pub fn packed(data: &[u8]) {
    let _ = compressed::unpack(Path::new("packed"), data, 1 << 20);
}

/// Histories in Parquet: reading and judging them.
///
/// # Panics
/// When the directory for temporary files cannot be written.
pub fn history_file(data: &[u8]) {
    let file = tempfile::NamedTempFile::new().expect("a place for temporary files");
    std::fs::write(file.path(), data).expect("a place for temporary files");
    if let Ok(history) = HistoryFile::open(file.path()).and_then(|file| file.read_all(&Projection::all())) {
        for run in 0..history.runs.len() {
            let _ = check_run(&history, run, &Selection::all(), &budget());
        }
    }
    let _ = vopr_schema::verify(file.path());
}

fn with_text(data: &[u8], formats: &[Format]) {
    if let Ok(text) = core::str::from_utf8(data) {
        formats.iter().for_each(|format| import(text, *format));
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
