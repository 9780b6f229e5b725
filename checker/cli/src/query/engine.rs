//! The engine that answers queries: `DuckDB` as another program, its command line or its Python wheel.
//!
//! To compile an engine in would multiply the time that this workspace takes to build; `DuckDB` is one download, people who write queries
//! have it, and a query that goes wild is a process that can be ended.

use crate::exit::{Exit, Problem};
use crate::interrupt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vopr_schema::{Dictionary, Kind};

/// One row of an answer.
pub type Row = serde_json::Map<String, Value>;

/// Scenario, seed and seq of a row.
pub type Place = (String, u64, u64);

/// What kind of row lies at a place, and when it happened.
pub type Kinds = BTreeMap<Place, (Kind, Option<u64>)>;

/// Names the program of `DuckDB`'s command line.
const VARIABLE: &str = "VOPR_DUCKDB";

/// Rows that are taken from an answer: a query that returns more has said enough.
const ROWS_MAX: usize = 100_000;

/// Places that are looked up.
const PLACES_MAX: usize = 10_000;

/// The driver of the wheel.
const DRIVER: &str = include_str!("duckdb.py");

/// What a query may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Time for one query.
    pub time: Option<Duration>,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Threads.
    pub threads: usize,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The engine does not accept the query, in its words.
    Query(String),
    /// A limit was reached.
    Limit(String),
    /// The user wants an end.
    Interrupted,
}

/// `DuckDB` on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Its command line.
    Program(PathBuf),
    /// An interpreter of Python that has the wheel.
    Python(PathBuf),
}

impl Engine {
    /// Looks for the engine: the program that the environment names, `duckdb` on the path, then the wheel of a virtual environment or of the
    /// system's Python.
    ///
    /// # Errors
    /// When there is none, with the ways to get it.
    pub fn find() -> Result<Self, Problem> {
        if let Some(named) = std::env::var_os(VARIABLE) {
            return Self::named(PathBuf::from(named));
        }
        let works = |program: &Path, words: &[&str]| {
            let tried = Command::new(program).args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
            tried.is_ok_and(|status| status.success())
        };
        if works(Path::new("duckdb"), &["--version"]) {
            return Ok(Self::Program("duckdb".into()));
        }
        let own = std::env::var_os("VIRTUAL_ENV").map(|home| PathBuf::from(home).join("bin/python"));
        let pythons = own.into_iter().chain([PathBuf::from(".venv/bin/python"), PathBuf::from("python3")]);
        let found = pythons.into_iter().find(|python| works(python, &["-c", "import duckdb"]));
        found.map(Self::Python).ok_or_else(|| Problem {
            exit: Exit::Internal,
            message: format!(
                "--sql needs DuckDB, and there is neither a program `duckdb` on the path nor a Python with its wheel. Get it with\n  \
                 python3 -m venv .venv && .venv/bin/pip install duckdb\nor from https://duckdb.org/docs/installation, or name the program in {VARIABLE}"
            ),
        })
    }

    fn named(program: PathBuf) -> Result<Self, Problem> {
        if program.exists() {
            return Ok(Self::Program(program));
        }
        let message = format!("{VARIABLE} names {}, and there is no such program", program.display());
        Err(Problem { exit: Exit::Internal, message })
    }

    /// The rows that a query returns over these files.
    ///
    /// # Errors
    /// When the engine refuses the query, or it takes too long.
    pub fn rows(&self, sql: &str, files: &[&Path], limits: &Limits) -> Result<Vec<Row>, Failed> {
        let before = preamble(files, limits);
        let (mut command, question) = match self {
            Self::Program(program) => {
                let mut command = Command::new(program);
                // A person's own start-up file must not change what a query means.
                command.args(["-init", "/dev/null", "-batch", "-bail", "-jsonlines"]);
                (command, format!("{};\n{sql}\n;\n", before.join(";\n")))
            }
            Self::Python(program) => {
                let mut command = Command::new(program);
                command.args(["-c", DRIVER]);
                (command, json!({ "before": before, "sql": sql, "rows_max": ROWS_MAX }).to_string())
            }
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| Failed::Query(format!("the engine does not start: {error}")))?;
        answer(child, question, limits.time)
    }

    /// Kind and time of the rows that an answer points at; those that cannot be found are left out.
    #[must_use]
    pub fn kinds(&self, rows: &[Row], files: &[&Path], limits: &Limits) -> Kinds {
        let places: Vec<String> = rows
            .iter()
            .filter_map(place)
            .take(PLACES_MAX)
            .map(|(scenario, seed, seq)| format!("({}, {seed}::ubigint, {seq}::ubigint)", quoted(&scenario)))
            .collect();
        if places.is_empty() {
            return Kinds::new();
        }
        let sql = format!(
            "select scenario::varchar as scenario, seed, seq, kind::varchar as kind, time_ns from read_parquet(getvariable('histories')) \
             where (scenario::varchar, seed, seq) in (values {})",
            places.join(", ")
        );
        let kind = |row: Row| {
            let kind = Kind::parse(row.get("kind")?.as_str()?)?;
            Some((place(&row)?, (kind, super::number(&row, "time_ns"))))
        };
        self.rows(&sql, files, limits).unwrap_or_default().into_iter().filter_map(kind).collect()
    }
}

/// Where a row lies, if it says so.
#[must_use]
pub fn place(row: &Row) -> Option<Place> {
    Some((row.get("scenario")?.as_str()?.to_owned(), super::number(row, "seed")?, super::number(row, "seq")?))
}

/// What is said before the query.
fn preamble(files: &[&Path], limits: &Limits) -> Vec<String> {
    let files: Vec<String> = files.iter().map(|file| quoted(&file.display().to_string())).collect();
    let views = vopr_schema::duckdb::views_sql();
    let views = views.split(";\n").filter(|view| view.contains("create"));
    let mut before = vec![
        format!("set threads = {}", limits.threads),
        format!("set memory_limit = '{} B'", limits.memory_bytes),
        format!("set variable histories = [{}]", files.join(", ")),
    ];
    before.extend(views.map(|view| view[view.find("create").unwrap_or(0)..].to_owned()));
    before
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Asks a started engine and waits for its rows.
fn answer(mut child: Child, question: String, time: Option<Duration>) -> Result<Vec<Row>, Failed> {
    let started = Instant::now();
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    // Three threads, because a pipe that nobody empties stops whoever fills it.
    let asking = std::thread::spawn(move || stdin.is_some_and(|mut stdin| stdin.write_all(question.as_bytes()).is_ok()));
    let complaining = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.map(|mut stderr| stderr.read_to_string(&mut text));
        text
    });
    let reading = std::thread::spawn(move || stdout.map(read_rows).unwrap_or_default());
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if interrupt::requested() => break Err(Failed::Interrupted),
            Ok(None) => {}
            Err(error) => break Err(Failed::Query(error.to_string())),
        }
        if let Some(limit) = time.filter(|limit| started.elapsed() > *limit) {
            break Err(Failed::Limit(format!("the query took longer than its {} s", limit.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let status = status.inspect_err(|_| {
        // It may have ended by itself in the meantime.
        child.kill().and_then(|()| child.wait()).map(drop).unwrap_or_default();
    })?;
    let rows = reading.join().unwrap_or_default();
    let complaint = complaining.join().unwrap_or_default();
    asking.join().unwrap_or_default();
    if status.success() { Ok(rows) } else { Err(refusal(complaint.trim())) }
}

fn refusal(complaint: &str) -> Failed {
    if complaint.contains("Out of Memory") {
        return Failed::Limit("the query needs more memory than its limit".to_owned());
    }
    Failed::Query(if complaint.is_empty() { "the engine failed without a word".to_owned() } else { complaint.to_owned() })
}

fn read_rows(stdout: impl Read) -> Vec<Row> {
    let lines = BufReader::new(stdout).lines().map_while(Result::ok);
    lines.filter_map(|line| serde_json::from_str::<Row>(&line).ok()).take(ROWS_MAX).collect()
}
