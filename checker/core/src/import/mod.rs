//! Histories recorded by other systems, brought into the format of our own.
//!
//! A file is unpacked, read into events, paired into operations, and each operation becomes a row. From then on the history is
//! one like any other: stored, queried, judged. One file of this folder per format; the readings in which suites differ are
//! settings that the run records ([`crate::imported::Imported`]).

pub mod columns;
pub mod compressed;
pub mod detect;
pub mod edn;
pub mod error;
pub mod event;
pub mod export;
pub mod interner;
pub mod jepsen;
pub mod json;
pub mod log;
pub mod pairing;
pub mod rows;

pub use columns::Mapping;
pub use error::ImportError;

use crate::imported::{FailedCas, Imported, Model, NilRead};
use crate::transactions::KeyOrder;
use edn::{Edn, Expected, Reader};
use event::Events;
use pairing::Paired;
use rows::RowMaker;
use std::path::{Path, PathBuf};
use vopr_schema::{History, OperationRow, Run};

/// Formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Jepsen's EDN, both layouts; also what Porcupine's key-value test data is.
    JepsenEdn,
    /// Jepsen's JSON.
    JepsenJson,
    /// Elle's histories of transactions, EDN or JSON.
    Elle,
    /// Knossos' histories, EDN.
    Knossos,
    /// Lines of `jepsen.log` or `history.txt`, as in Porcupine's test data.
    PorcupineLog,
    /// Maelstrom's results: `history.edn`, or the directory that holds it.
    Maelstrom,
    /// Tables of comma-separated values.
    Csv,
    /// JSON objects that are rows.
    JsonLines,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 8] =
        [Self::JepsenEdn, Self::JepsenJson, Self::Elle, Self::Knossos, Self::PorcupineLog, Self::Maelstrom, Self::Csv, Self::JsonLines];

    /// The name on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::JepsenEdn => "jepsen-edn",
            Self::JepsenJson => "jepsen-json",
            Self::Elle => "elle",
            Self::Knossos => "knossos",
            Self::PorcupineLog => "porcupine-log",
            Self::Maelstrom => "maelstrom",
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }

    fn read(self, text: &str, mapping: &Mapping) -> Result<Events, Expected> {
        let json = || matches!(detect::format(text), Some(Self::JepsenJson | Self::JsonLines));
        match self {
            Self::JepsenJson => json::read(text),
            Self::Elle | Self::Maelstrom if json() => json::read(text),
            Self::PorcupineLog if detect::format(text) != Some(Self::JepsenEdn) => log::read(text),
            Self::Csv => columns::csv(text, mapping),
            Self::JsonLines => columns::json_rows(text, mapping),
            Self::JepsenEdn | Self::Elle | Self::Knossos | Self::Maelstrom | Self::PorcupineLog => jepsen::read(text),
        }
    }

    /// Jepsen's queues promise no order more often than one; who wrote a table or a log for a checker of queues means one.
    fn is_of_jepsen(self) -> bool {
        matches!(self, Self::JepsenEdn | Self::JepsenJson | Self::Knossos | Self::Maelstrom)
    }

    /// What nil as an answer says in histories of this format.
    fn nil_read(self, model: Model) -> NilRead {
        let knossos = self.is_of_jepsen();
        let register = !matches!(model, Model::Kv | Model::Queue | Model::Bag) && !model.is_transactional();
        if (knossos && register) || model == Model::MultiRegister { NilRead::Any } else { NilRead::Absent }
    }
}

/// What the user says about files; everything left out is guessed, or as usual in the format.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Format.
    pub format: Option<Format>,
    /// Model.
    pub model: Option<Model>,
    /// What a read that was answered with nil says.
    pub nil_read: Option<NilRead>,
    /// What a compare-and-set that failed says.
    pub failed_cas: Option<FailedCas>,
    /// What every register, counter or account holds at first, in EDN.
    pub initial: Option<String>,
    /// What the balances of a bank add up to.
    pub total: Option<i64>,
    /// Whether accounts of a bank may be overdrawn.
    pub negative_balances: Option<bool>,
    /// What orders the versions of a register in transactions, besides what was read.
    pub register_order: Option<KeyOrder>,
    /// Whether values are `[key value]`.
    pub keyed: Option<bool>,
    /// Columns of tables.
    pub mapping: Mapping,
}

/// One file, brought.
#[derive(Clone, Debug)]
pub struct Brought {
    /// Its operations.
    pub rows: Vec<OperationRow>,
    /// Where they came from, and how they are to be read.
    pub settings: Imported,
}

/// Brings one file: unpacks and reads it.
///
/// # Errors
/// Why the file was refused.
pub fn bring(file: &Path, request: &Request) -> Result<Brought, ImportError> {
    let inside: PathBuf = file.join("history.edn");
    let file = if file.is_dir() && inside.is_file() { &inside } else { file };
    bring_text(file, &compressed::read(file)?, request)
}

/// Brings a text; `file` is its name.
///
/// # Errors
/// Why it was refused.
pub fn bring_text(file: &Path, text: &str, request: &Request) -> Result<Brought, ImportError> {
    let format = request.format.or_else(|| detect::format(text));
    let format = format.ok_or_else(|| ImportError::file(file, "no known format fits its beginning: say --from"))?;
    let at = |fault: Expected| ImportError::at(file, text, fault);
    let Events { events, of_faults, skipped_lines, .. } = format.read(text, &request.mapping).map_err(at)?;
    let first = events.first().map_or(0, |event| event.offset);
    let Paired { operations, without_invocation, given_up } = pairing::pair(events).map_err(at)?;
    if operations.is_empty() {
        return Err(ImportError::file(file, "no operation of a client is in it"));
    }
    let keyed = request.keyed.map_or_else(|| detect::keyed(&operations), Ok).map_err(at)?;
    let model = match request.model {
        Some(model) => model,
        None => detect::model(&operations, keyed).map_err(|what| at(Expected::at(first, what)))?,
    };
    if model != Model::Bank && (request.total.is_some() || request.negative_balances.is_some()) {
        let what = format!("--total and --negative-balances are about accounts, which the model {} lacks", model.name());
        return Err(ImportError::file(file, what));
    }
    if model != Model::RwRegister && request.register_order.is_some() {
        let what = format!("--register-order is about transactions of registers; the model is {}", model.name());
        return Err(ImportError::file(file, what));
    }
    let keyed = keyed && !model.is_transactional() && !matches!(model, Model::MultiRegister | Model::Bank);
    let failed_cas = request.failed_cas.unwrap_or(if format == Format::PorcupineLog { FailedCas::Compared } else { FailedCas::Dropped });
    let single = !model.is_transactional() && !matches!(model, Model::MultiRegister | Model::Bank | Model::Mutex);
    let texts_as_numbers = single && detect::texts_as_numbers(&operations, keyed);
    let mut maker = RowMaker { model, keyed, texts_as_numbers, failed_cas, interner: interner::Interner::default() };
    let initial = initial(file, model, request)?.map(|value| {
        // Accounts have numbers even if no operation names them.
        if let Edn::Map(pairs) = &value {
            for (account, _) in pairs {
                maker.interner.number(account);
            }
        }
        maker.interner.number(&value)
    });
    let mut rows = Vec::with_capacity(operations.len());
    let mut requests = std::collections::BTreeMap::new();
    for operation in &operations {
        let mut row = maker.row(operation).map_err(at)?;
        let number = requests.entry(row.client).or_insert(0_u64);
        *number += 1;
        row.request_number = *number;
        rows.push(row);
    }
    let settings = Imported {
        model,
        format: format.name().to_owned(),
        file: file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        alternative: (request.model.is_none() && model == Model::Queue && format.is_of_jepsen()).then_some(Model::Bag),
        nil_read: request.nil_read.unwrap_or_else(|| format.nil_read(model)),
        failed_cas,
        initial,
        total: request.total,
        negative_balances: request.negative_balances.unwrap_or(false),
        register_order: request.register_order.unwrap_or_default(),
        keyed,
        texts_as_numbers,
        fault_events: of_faults,
        given_up,
        without_invocation,
        skipped_lines,
        values: maker.interner.into_values(),
    };
    Ok(Brought { rows, settings })
}

/// What registers hold at first.
fn initial(file: &Path, model: Model, request: &Request) -> Result<Option<Edn>, ImportError> {
    let Some(text) = &request.initial else {
        // Knossos' multi-registers start at zero, and so do counters.
        return Ok(matches!(model, Model::MultiRegister | Model::Counter).then_some(Edn::Integer(0)));
    };
    let mut reader = Reader::new(text);
    match (reader.form(), reader.form()) {
        (Ok(Some(Edn::Nil)), Ok(None)) => Ok(None),
        (Ok(Some(_)), Ok(None)) if !model.has_initial() => Err(ImportError::file(
            file,
            format!("what the model {} holds at first is nothing, and no initial value can be said", model.name()),
        )),
        (Ok(Some(value)), Ok(None)) if model == Model::Counter && value.integer().is_none() => {
            Err(ImportError::file(file, format!("counters hold a whole number at first; {text:?} is none")))
        }
        (Ok(Some(value)), Ok(None)) if model == Model::Bank && !are_balances(&value) => Err(ImportError::file(
            file,
            format!("accounts hold a whole number at first, or a map says what each of them holds; {text:?} is neither"),
        )),
        (Ok(Some(value)), Ok(None)) => Ok(Some(value)),
        _ => Err(ImportError::file(file, format!("the initial value {text:?} is no EDN form"))),
    }
}

/// Whether a form says what the accounts of a bank hold: all the same, or each its own.
fn are_balances(value: &Edn) -> bool {
    match value {
        Edn::Map(pairs) => {
            let twice = (1..pairs.len()).any(|place| pairs[..place].iter().any(|(account, _)| *account == pairs[place].0));
            !pairs.is_empty() && !twice && pairs.iter().all(|(_, balance)| matches!(balance, Edn::Integer(_)))
        }
        value => matches!(value, Edn::Integer(_)),
    }
}

/// The history of files: one run each, numbered from 1 in the order given.
#[must_use]
pub fn history(files: &[Brought]) -> History {
    let mut history = History::default();
    for (seed, file) in (1..).zip(files) {
        for row in &file.rows {
            history.operations.push(row.clone());
        }
        let clients: std::collections::BTreeSet<u32> = file.rows.iter().map(|row| row.client).collect();
        let last = file.rows.iter().map(|row| row.return_time_ns.unwrap_or(row.time_ns)).max();
        history.close_run(Run {
            scenario: file.settings.format.clone(),
            seed,
            clients: u32::try_from(clients.len()).unwrap_or(u32::MAX),
            tenants: 1,
            options: file.settings.to_options(),
            plan: "[]".to_owned(),
            end_time_ns: last.unwrap_or(0),
            events: file.rows.len() as u64,
            ..Run::default()
        });
    }
    history
}

#[cfg(test)]
mod tests;
