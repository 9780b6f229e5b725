//! Tables: CSV, and JSON objects that are rows. Which column is what, by name.
//!
//! A row is either one operation with the times of its call and its return, or one event with its type. Names that are
//! usual are known; others are given with `--column client=thread_id`.

use super::edn::{Edn, Expected};
use super::event::{Event, EventKind, Events};
use std::collections::BTreeMap;

/// What a column can be, with the names under which it is found.
pub const COLUMNS: &[(&str, &[&str])] = &[
    ("client", &["client", "client_id", "clientid", "process", "process_id", "thread", "thread_id", "pid", "session"]),
    ("call", &["call", "call_ns", "call_time", "start", "start_ns", "start_time", "invoke", "invoke_ns", "invocation", "begin"]),
    ("return", &["return", "return_ns", "return_time", "end", "end_ns", "end_time", "response", "complete", "finish"]),
    ("type", &["type", "kind", "event"]),
    ("time", &["time", "time_ns", "timestamp"]),
    ("function", &["function", "f", "op", "operation", "method", "action"]),
    ("key", &["key", "object", "register"]),
    ("value", &["value", "input", "argument", "arg"]),
    ("expected", &["expected", "old", "compare"]),
    ("output", &["output", "result", "returned", "read"]),
    ("outcome", &["outcome", "status", "success", "ok"]),
];

/// Cells that stand for no value, unless others are named.
pub const ABSENT: &[&str] = &["", "nil", "null", "NotFound", "<empty>"];

/// How the columns of a table are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Names of columns that the user gave: what it is, and its name.
    pub columns: Vec<(String, String)>,
    /// Cells that stand for no value; none named: [`ABSENT`].
    pub absent: Vec<String>,
}

impl Mapping {
    /// What the column with this name is.
    fn meaning(&self, name: &str) -> Option<&'static str> {
        let given = self.columns.iter().find(|(_, column)| column == name).map(|(meaning, _)| meaning.as_str());
        let folded = name.trim().to_ascii_lowercase();
        let known = |(meaning, names): &&(&'static str, &[&str])| match given {
            Some(given) => *meaning == given,
            None => names.contains(&folded.as_str()) && !self.columns.iter().any(|(taken, _)| taken == meaning),
        };
        COLUMNS.iter().find(known).map(|(meaning, _)| *meaning)
    }

    /// The value of a cell.
    fn cell(&self, cell: &str) -> Edn {
        let absent = if self.absent.is_empty() { ABSENT.contains(&cell) } else { self.absent.iter().any(|word| word == cell) };
        match cell.parse::<i64>() {
            _ if absent => Edn::Nil,
            Ok(number) if number.to_string() == cell => Edn::Integer(number),
            _ => Edn::text(cell),
        }
    }
}

/// One row: what each column is, and what stands in it.
struct Row {
    cells: Vec<(&'static str, Edn)>,
    offset: usize,
}

impl Row {
    fn get(&self, meaning: &str) -> Option<&Edn> {
        self.cells.iter().find(|(own, _)| *own == meaning).map(|(_, value)| value)
    }

    fn time(&self, meaning: &str) -> Result<Option<u64>, Expected> {
        match self.get(meaning) {
            None | Some(Edn::Nil) => Ok(None),
            Some(form) => match form.integer().and_then(|time| u64::try_from(time).ok()) {
                Some(time) => Ok(Some(time)),
                None => Err(self.wrong(format!("a whole number of nanoseconds in the column for {meaning}, found {form}"))),
            },
        }
    }

    fn wrong(&self, what: impl Into<String>) -> Expected {
        Expected::at(self.offset, what)
    }

    fn function(&self) -> Result<&str, Expected> {
        self.get("function").and_then(Edn::word).ok_or_else(|| self.wrong("a function"))
    }

    fn asked(&self) -> Edn {
        let value = self.get("value").cloned().unwrap_or(Edn::Nil);
        match self.get("expected") {
            Some(expected) if self.function().is_ok_and(|word| word.to_ascii_lowercase().starts_with('c')) => {
                Edn::Vector(vec![expected.clone(), value])
            }
            _ => value,
        }
    }

    /// How the operation ended, as far as its columns say it.
    fn ending(&self) -> Result<EventKind, Expected> {
        let compares = self.function()?.to_ascii_lowercase().starts_with('c') && self.get("expected").is_some();
        let outcome = if compares { self.get("outcome").or_else(|| self.get("output")) } else { self.get("outcome") };
        let word = match outcome {
            None | Some(Edn::Nil | Edn::Bool(true) | Edn::Integer(1)) => return Ok(EventKind::Ok),
            Some(Edn::Bool(false) | Edn::Integer(0)) => return Ok(EventKind::Fail),
            Some(form) => form.word().unwrap_or("").to_ascii_lowercase(),
        };
        match &*word {
            "ok" | "true" | "success" | "done" => Ok(EventKind::Ok),
            "fail" | "failed" | "false" | "error" | "aborted" => Ok(EventKind::Fail),
            "info" | "unknown" | "timeout" | "indeterminate" => Ok(EventKind::Info),
            _ => Err(self.wrong(format!("ok, fail or info for how it ended, found {word}"))),
        }
    }
}

/// Collects rows into events.
struct Table {
    events: Events,
    /// Rows with call and return: (time, whether it is the return, number of the row), which is the order of events.
    moments: Vec<((u64, bool, usize), Event)>,
    rows: usize,
    /// Clients that have names, which are numbered from 0; and whether any has a number.
    names: BTreeMap<Box<str>, u32>,
    numbers: bool,
}

impl Table {
    fn new() -> Self {
        Self { events: Events::default(), moments: Vec::new(), rows: 0, names: BTreeMap::new(), numbers: false }
    }

    fn process(&mut self, row: &Row) -> Result<u32, Expected> {
        let form = row.get("client").ok_or_else(|| row.wrong("a column for the client"))?;
        let number = match form {
            Edn::Text(name) => {
                let next = u32::try_from(self.names.len()).ok();
                next.map(|next| *self.names.entry(name.clone()).or_insert(next))
            }
            form => {
                self.numbers = true;
                form.integer().and_then(|process| u32::try_from(process).ok())
            }
        };
        let number = number.filter(|_| self.names.is_empty() || !self.numbers);
        number.ok_or_else(|| row.wrong(format!("a client from 0 to 4294967295, or names for all clients, found {form}")))
    }

    fn add(&mut self, row: &Row) -> Result<(), Expected> {
        self.rows += 1;
        let process = self.process(row)?;
        let key = row.get("key").filter(|key| **key != Edn::Nil).cloned();
        let event = |kind, value, time_ns, process| -> Result<Event, Expected> {
            Ok(Event { kind, process, function: row.function()?.into(), key: key.clone(), value, time_ns, offset: row.offset })
        };
        if let Some(kind) = row.get("type") {
            let kind = kind.word().map(str::to_ascii_lowercase).and_then(|word| match &*word {
                "invocation" | "call" => Some(EventKind::Invoke),
                "response" | "return" => Some(EventKind::Ok),
                word => EventKind::parse(word),
            });
            let kind = kind.ok_or_else(|| row.wrong("invoke, ok, fail or info in the column for the type"))?;
            let value = if kind == EventKind::Invoke { row.asked() } else { row.get("output").cloned().unwrap_or_else(|| row.asked()) };
            self.events.events.push(event(kind, value, row.time("time")?, process)?);
            return Ok(());
        }
        let Some(call) = row.time("call")? else { return Err(row.wrong("a type, or the time of the call")) };
        self.moments.push(((call, false, self.rows), event(EventKind::Invoke, row.asked(), Some(call), process)?));
        let Some(returned) = row.time("return")? else { return Ok(()) };
        if returned < call {
            return Err(row.wrong(format!("a return that is not before the call at {call}, found {returned}")));
        }
        let kind = row.ending()?;
        let tells =
            matches!(&*row.function()?.to_ascii_lowercase(), "read" | "r" | "get" | "dequeue" | "deq" | "drain" | "contains" | "balance");
        let told = if tells && kind == EventKind::Ok { row.get("output").cloned().unwrap_or(Edn::Nil) } else { row.asked() };
        self.moments.push(((returned, true, self.rows), event(kind, told, Some(returned), process)?));
        Ok(())
    }

    /// Intervals are closed: at equal times calls stand before returns. Clients that have several operations open at a time
    /// are split into as many as they need.
    fn finish(mut self) -> Result<Events, Expected> {
        self.moments.sort_by_key(|(moment, _)| *moment);
        if !self.moments.is_empty() && !self.events.events.is_empty() {
            return Err(Expected::at(self.moments[0].1.offset, "rows with a type, or rows with call and return; found both"));
        }
        let mut lanes = Lanes::default();
        for ((_, returns, row), mut event) in self.moments {
            event.process = if returns { lanes.close(row) } else { lanes.open(event.process, row) };
            self.events.events.push(event);
        }
        Ok(self.events)
    }
}

/// Which process each open row has: the client itself while it is free, otherwise one behind all clients.
#[derive(Default)]
struct Lanes {
    busy: BTreeMap<u32, usize>,
    of_row: BTreeMap<usize, u32>,
    next: u32,
}

impl Lanes {
    fn open(&mut self, client: u32, row: usize) -> u32 {
        let mut process = client;
        while self.busy.contains_key(&process) {
            process = (1 << 31) + self.next;
            self.next += 1;
        }
        self.busy.insert(process, row);
        self.of_row.insert(row, process);
        process
    }

    fn close(&mut self, row: usize) -> u32 {
        let process = self.of_row.remove(&row).unwrap_or(0);
        self.busy.remove(&process);
        process
    }
}

/// Reads CSV with a line of names (RFC 4180: quotes, doubled quotes, line breaks inside quotes).
///
/// # Errors
/// What was expected, and where.
pub fn csv(text: &str, mapping: &Mapping) -> Result<Events, Expected> {
    let text_start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut at = text_start;
    let names = record(text, &mut at)?.ok_or_else(|| Expected::at(0, "a line with the names of the columns, found nothing"))?;
    let meanings: Vec<Option<&'static str>> = names.iter().map(|name| mapping.meaning(name)).collect();
    for (place, meaning) in meanings.iter().enumerate() {
        if meaning.is_some() && meanings[..place].contains(meaning) {
            return Err(Expected::at(text_start, format!("one column for {}, found two: say --column {0}=NAME", meaning.unwrap_or(""))));
        }
    }
    for needed in ["client", "function"] {
        if !meanings.contains(&Some(needed)) {
            return Err(Expected::at(
                text_start,
                format!("a column for the {needed} among {}: say --column {needed}=NAME", names.join(", ")),
            ));
        }
    }
    let mut table = Table::new();
    loop {
        let offset = at;
        let Some(cells) = record(text, &mut at)? else { break };
        if cells.len() == 1 && cells[0].trim().is_empty() {
            continue;
        }
        if cells.len() != names.len() {
            return Err(Expected::at(offset, format!("{} cells as in the first line, found {}", names.len(), cells.len())));
        }
        let cells =
            meanings.iter().zip(&cells).filter_map(|(meaning, cell)| meaning.map(|meaning| (meaning, mapping.cell(cell)))).collect();
        table.add(&Row { cells, offset })?;
    }
    table.finish()
}

/// The cells of the next record; none at the end.
fn record(text: &str, at: &mut usize) -> Result<Option<Vec<String>>, Expected> {
    if *at >= text.len() {
        return Ok(None);
    }
    let mut cells = vec![String::new()];
    loop {
        let rest = &text[*at..];
        let open = *at;
        if rest.starts_with('"') && cells.last().is_some_and(String::is_empty) {
            quoted(text, at, cells.last_mut().expect("there is a cell"))?;
            match text.as_bytes().get(*at) {
                None | Some(b',' | b'\n' | b'\r') => {}
                Some(_) => return Err(Expected::at(*at, "',' or the end of the line behind a quoted cell")),
            }
        }
        let rest = &text[*at..];
        let end = rest.find([',', '\n']).unwrap_or(rest.len());
        let plain = &rest[..end];
        let last = !rest[end..].starts_with(',');
        let plain = if last { plain.strip_suffix('\r').unwrap_or(plain) } else { plain };
        if open == *at && plain.contains('"') {
            return Err(Expected::at(*at, "a cell in quotes, because it holds one"));
        }
        cells.last_mut().expect("there is a cell").push_str(plain);
        *at += (end + 1).min(rest.len());
        if last {
            return Ok(Some(cells));
        }
        cells.push(String::new());
    }
}

fn quoted(text: &str, at: &mut usize, cell: &mut String) -> Result<(), Expected> {
    let open = *at;
    *at += 1;
    loop {
        let rest = &text[*at..];
        let Some(end) = rest.find('"') else { return Err(Expected::at(open, "'\"' for the cell that opens here, but the file ends")) };
        cell.push_str(&rest[..end]);
        *at += end + 1;
        if !text[*at..].starts_with('"') {
            return Ok(());
        }
        cell.push('"');
        *at += 1;
    }
}

/// Reads JSON objects that are rows: an array of them, or one after the other.
///
/// # Errors
/// What was expected, and where.
pub fn json_rows(text: &str, mapping: &Mapping) -> Result<Events, Expected> {
    let mut table = Table::new();
    super::json::each(text, |form, offset| {
        let Edn::Map(fields) = form else { return Err(Expected::at(offset, format!("a JSON object for each row, found {}", form.kind()))) };
        let mut cells: Vec<(&'static str, Edn)> = Vec::new();
        for (name, value) in fields {
            let Some(meaning) = name.word().and_then(|name| mapping.meaning(name)) else { continue };
            if cells.iter().any(|(own, _)| *own == meaning) {
                return Err(Expected::at(offset, format!("one field for {meaning}, found two: say --column {meaning}=NAME")));
            }
            let value = match &value {
                Edn::Text(text) if mapping.absent.iter().any(|word| **word == **text) => Edn::Nil,
                _ => value,
            };
            cells.push((meaning, value));
        }
        table.add(&Row { cells, offset })
    })?;
    table.finish()
}
