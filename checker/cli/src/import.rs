//! `vopr-check import` and `--from`: histories that other systems recorded.
//!
//! What the user leaves out is guessed where one answer fits, and everything that was guessed or left out is said.

use crate::exit::{Exit, Problem};
use crate::terminal::{Sink, counted, note};
use crate::version::{COMMIT, VERSION};
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vopr_checker::import::columns::COLUMNS;
use vopr_checker::import::{self, Brought, Format, ImportError, Mapping, Request};
use vopr_checker::imported::{FailedCas, Model, NilRead};
use vopr_checker::transactions::KeyOrder;
use vopr_schema::{HistoryWriter, Provenance, WriteOptions};

/// Formats on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// Jepsen's EDN: one map per line, or one vector or list of maps
    JepsenEdn,
    /// Jepsen's JSON: the same maps
    JepsenJson,
    /// Elle's transactions: list-append, rw-register; bank
    Elle,
    /// Knossos' registers
    Knossos,
    /// Lines of jepsen.log or history.txt, as in Porcupine's test data
    PorcupineLog,
    /// Maelstrom's history.edn, or the directory that holds it
    Maelstrom,
    /// A table with a line of column names
    Csv,
    /// JSON objects that are rows
    Jsonl,
}

impl From {
    fn format(self) -> Format {
        match self {
            Self::JepsenEdn => Format::JepsenEdn,
            Self::JepsenJson => Format::JepsenJson,
            Self::Elle => Format::Elle,
            Self::Knossos => Format::Knossos,
            Self::PorcupineLog => Format::PorcupineLog,
            Self::Maelstrom => Format::Maelstrom,
            Self::Csv => Format::Csv,
            Self::Jsonl => Format::JsonLines,
        }
    }
}

/// How files of other systems are to be read.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadingArguments {
    /// Format of the files; guessed from their beginning unless told
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub from: Option<From>,

    /// What the clients talked to; guessed from the operations unless told
    #[arg(long, value_name = "MODEL", value_parser = model)]
    pub model: Option<Model>,

    /// What nil as an answer says: nothing (any), or that there was no value (absent)
    #[arg(long, value_name = "any|absent", value_parser = nil_read)]
    pub nil_read: Option<NilRead>,

    /// What a failed compare-and-set says: that it did not happen (dropped), or that the value was another one (compared)
    #[arg(long, value_name = "dropped|compared", value_parser = failed_cas)]
    pub failed_cas: Option<FailedCas>,

    /// What every register, counter or account holds at first, in EDN; nil unless told (multi-registers and counters: 0);
    /// of a bank also a map of the accounts that there are, such as '{0 10, 1 10}'
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub initial: Option<String>,

    /// What the balances of a bank add up to; what the first read shows unless told
    #[arg(long, value_name = "SUM", allow_hyphen_values = true)]
    pub total: Option<i64>,

    /// Whether accounts of a bank may fall below zero; false unless told
    #[arg(long, value_name = "true|false")]
    pub negative_balances: Option<bool>,

    /// What orders the versions of a register in transactions besides what was read: nothing (none), each process sees and
    /// writes them in order (sequential), or real time (linearizable); none unless told
    #[arg(long, value_name = "none|sequential|linearizable", value_parser = register_order)]
    pub register_order: Option<KeyOrder>,

    /// Whether values are [key value]; guessed unless told
    #[arg(long, value_name = "true|false")]
    pub keyed: Option<bool>,

    /// Column of a table under another name than the usual ones, e.g. client=thread
    #[arg(long, value_name = "MEANING=NAME", value_parser = column)]
    pub column: Vec<(String, String)>,

    /// A cell of a table that stands for no value (repeat; unless told: empty, nil, null, `NotFound`, <empty>)
    #[arg(long, value_name = "TEXT")]
    pub absent: Vec<String>,
}

/// What to import, and where to.
#[derive(Args, Clone, Debug)]
pub struct ImportArguments {
    /// Files: plain, or packed with gzip, zstd, xz or bzip2
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The history to write; one run per file
    #[arg(long, short, value_name = "OUT.parquet")]
    pub output: PathBuf,

    /// How to read them.
    #[command(flatten)]
    pub reading: ReadingArguments,
}

fn model(name: &str) -> Result<Model, String> {
    let names: Vec<&str> = Model::ALL.iter().map(|model| model.name()).collect();
    Model::ALL.into_iter().find(|model| model.name() == name).ok_or_else(|| format!("one of {}", names.join(", ")))
}

fn nil_read(name: &str) -> Result<NilRead, String> {
    match name {
        "any" => Ok(NilRead::Any),
        "absent" => Ok(NilRead::Absent),
        _ => Err("any or absent".to_owned()),
    }
}

fn failed_cas(name: &str) -> Result<FailedCas, String> {
    match name {
        "dropped" => Ok(FailedCas::Dropped),
        "compared" => Ok(FailedCas::Compared),
        _ => Err("dropped or compared".to_owned()),
    }
}

fn register_order(name: &str) -> Result<KeyOrder, String> {
    match name {
        "none" => Ok(KeyOrder::None),
        "sequential" => Ok(KeyOrder::Sequential),
        "linearizable" => Ok(KeyOrder::Linearizable),
        _ => Err("none, sequential or linearizable".to_owned()),
    }
}

fn column(text: &str) -> Result<(String, String), String> {
    let meanings: Vec<&str> = COLUMNS.iter().map(|(meaning, _)| *meaning).collect();
    match text.split_once('=') {
        Some((meaning, name)) if meanings.contains(&meaning) && !name.is_empty() => Ok((meaning.to_owned(), name.to_owned())),
        _ => Err(format!("MEANING=NAME, where MEANING is one of {}", meanings.join(", "))),
    }
}

impl ReadingArguments {
    /// What the importers want to know.
    #[must_use]
    pub fn request(&self) -> Request {
        Request {
            format: self.from.map(From::format),
            model: self.model,
            nil_read: self.nil_read,
            failed_cas: self.failed_cas,
            initial: self.initial.clone(),
            total: self.total,
            negative_balances: self.negative_balances,
            register_order: self.register_order,
            keyed: self.keyed,
            mapping: Mapping { columns: self.column.clone(), absent: self.absent.clone() },
        }
    }
}

/// Brings all files, and says what was guessed and left out.
///
/// # Errors
/// The first file that is refused.
pub fn bring(files: &[PathBuf], reading: &ReadingArguments) -> Result<Vec<Brought>, Problem> {
    let request = reading.request();
    let bring = |file: &PathBuf| -> Result<Brought, ImportError> {
        let brought = import::bring(file, &request)?;
        note(&format!("{}: {}", file.display(), summary(&brought)));
        Ok(brought)
    };
    files.iter().map(|file| bring(file).map_err(|error| Problem::refused(error.to_string()))).collect()
}

/// What was brought, in one line.
fn summary(brought: &Brought) -> String {
    let settings = &brought.settings;
    let mut parts = vec![format!("{}, model {}", counted(brought.rows.len() as u64, "operation"), settings.model.name())];
    if let Some(other) = settings.alternative {
        parts.push(format!("or {}, which has the same functions: --model says it", other.name()));
    }
    parts.push(format!("read as {}", settings.format));
    if settings.keyed {
        parts.push("independent keys".to_owned());
    }
    if settings.texts_as_numbers {
        parts.push("numbers in texts taken as numbers".to_owned());
    }
    if settings.model == Model::Bank {
        parts.push(format!("balances below zero are {}", if settings.negative_balances { "allowed" } else { "violations" }));
    } else if settings.model == Model::RwRegister {
        parts.push(format!(
            "each register is {}",
            match settings.register_order {
                KeyOrder::None => "known by what was read alone",
                KeyOrder::Sequential => "sequential",
                KeyOrder::Linearizable => "linearizable",
            }
        ));
    } else if !settings.model.is_transactional() {
        parts.push(format!("a read of nil says {}", if settings.nil_read == NilRead::Any { "nothing" } else { "absent" }));
    }
    for (count, what) in [
        (settings.fault_events, "event of no client left out"),
        (settings.given_up, "operation given up by its process"),
        (settings.without_invocation, "completion without invocation"),
        (settings.skipped_lines, "line passed over that is no operation"),
    ] {
        if count > 0 {
            parts.push(format!("{count} × {what}"));
        }
    }
    parts.join("; ")
}

/// What is written, in the words of a refusal.
const WHAT: &str = "the imported history";

/// Imports files into one history.
///
/// # Errors
/// When a file is refused, or the history cannot be written.
pub fn run(arguments: &ImportArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let output = &arguments.output;
    crate::page::try_place(output).map_err(|error| Problem::unwritable(output, WHAT, &error))?;
    let brought = bring(&arguments.files, &arguments.reading)?;
    let history = import::history(&brought);
    let values: Vec<&Vec<String>> = brought.iter().map(|file| &file.settings.values).collect();
    let values = serde_json::to_string(&values).map_err(|error| Problem::internal(error.to_string()))?;
    let provenance = Provenance {
        program: "vopr-check import".to_owned(),
        program_version: VERSION.to_owned(),
        source_commit: COMMIT.to_owned(),
        first_seed: 1,
        seeds: brought.len() as u64,
        command_line: std::env::args().collect::<Vec<_>>().join(" "),
        notes: BTreeMap::from([("import.values".to_owned(), values)]),
        ..Provenance::default()
    };
    write(output, provenance, &history).map_err(|error| Problem::unwritten(output, WHAT, &error))?;
    let operations = history.operations.len() as u64;
    let path = arguments.output.display();
    sink.line(&format!("{path}: {}, {}", counted(brought.len() as u64, "run"), counted(operations, "operation")))?;
    Ok(Exit::Held)
}

fn write(path: &Path, provenance: Provenance, history: &vopr_schema::History) -> Result<(), vopr_schema::WriteError> {
    let mut writer = HistoryWriter::create(path, provenance, WriteOptions::default())?;
    writer.write(history)?;
    writer.finish().map(|_| ())
}

#[cfg(test)]
mod tests {
    use crate::exit::Exit;

    const GOOD: &str = "{:type :invoke, :f :write, :value 1, :process 0}\n{:type :ok, :f :write, :value 1, :process 0}
{:type :invoke, :f :read, :value nil, :process 1}\n{:type :ok, :f :read, :value 1, :process 1}\n";

    fn run(words: &[&str]) -> Exit {
        crate::run(core::iter::once("vopr-check").chain(words.iter().copied()).map(Into::into))
    }

    #[test]
    fn a_history_of_another_system_is_imported_judged_and_exported() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name).display().to_string();
        let bad = GOOD.replace(":f :read, :value 1", ":f :read, :value 2");
        for (name, text) in [("good.edn", GOOD), ("bad.edn", &bad), ("broken.edn", "{:type :ok")] {
            std::fs::write(path(name), text).expect("a file");
        }
        let (good, bad, broken, out) = (path("good.edn"), path("bad.edn"), path("broken.edn"), path("out.parquet"));
        assert_eq!(run(&["import", &good, &bad, "-o", &out, "--model", "register"]), Exit::Held);
        assert_eq!(run(&[&out]), Exit::Violated);
        assert_eq!(run(&[&out, "--seed", "1", "--strict"]), Exit::Held);
        assert_eq!(run(&["verify", &out]), Exit::Held);
        assert_eq!(run(&["--from", "jepsen-edn", &good]), Exit::Held);
        assert_eq!(run(&["--from", "jepsen-edn", &bad, "--json"]), Exit::Violated);
        assert_eq!(run(&["import", &broken, "-o", &path("never.parquet")]), Exit::Refused);
        assert!(!directory.path().join("never.parquet").exists());
        assert_eq!(run(&[&out, "--model", "queue"]), Exit::Usage);
        let edn = path("again.edn");
        assert_eq!(run(&["export", "--to", "jepsen-edn", &out, "-o", &edn]), Exit::Usage);
        assert_eq!(run(&["export", "--to", "jepsen-edn", &out, "--seed", "2", "-o", &edn]), Exit::Held);
        let again = std::fs::read_to_string(&edn).expect("it was written");
        assert!(again.lines().nth(3).is_some_and(|line| line.contains(":type :ok, :process 1, :f :read, :value 2")), "{again}");
        assert_eq!(run(&["--from", "jepsen-edn", &edn]), Exit::Violated);
    }

    #[test]
    fn a_bank_of_another_system_is_imported_judged_and_exported() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name).display().to_string();
        let (edn, out, again) = (path("bank.edn"), path("bank.parquet"), path("again.edn"));
        let text = "{:type :invoke, :f :transfer, :value {:from 0, :to 1, :amount 7}, :process 0}
{:type :ok, :f :transfer, :value {:from 0, :to 1, :amount 7}, :process 0}
{:type :invoke, :f :read, :value nil, :process 1}\n{:type :ok, :f :read, :value {0 -2, 1 7}, :process 1}\n";
        std::fs::write(&edn, text).expect("a file");
        let import = ["import", &edn, "-o", &out, "--model", "bank", "--total", "5"];
        assert_eq!(run(&[&import[..], &["--initial", "{0 5, 1 0}"]].concat()), Exit::Held);
        assert_eq!(run(&[&out, "--invariant", "conservation"]), Exit::Violated);
        let overdrawn = ["--negative-balances", "true", "--initial"];
        assert_eq!(run(&[&import[..], &overdrawn, &["{0 5, 1 0}"]].concat()), Exit::Held);
        assert_eq!(run(&[&out, "--strict"]), Exit::Held);
        assert_eq!(run(&["export", "--to", "jepsen-edn", &out, "-o", &again]), Exit::Held);
        let settings = ["--from", "jepsen-edn", "--model", "bank", "--total", "5", "--negative-balances", "true", "--initial"];
        assert_eq!(run(&[&[again.as_str()], &settings[..], &["{0 5, 1 0}"]].concat()), Exit::Held);
        assert_eq!(run(&[&[again.as_str()], &settings[..], &["{0 4, 1 1}"]].concat()), Exit::Violated);
        assert_eq!(run(&["import", &edn, "-o", &out, "--model", "bank", "--initial", ":much"]), Exit::Refused);
    }
}
