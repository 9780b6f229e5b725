//! Operations back into Jepsen's EDN, so that Knossos, Elle and others can judge the same history.
//!
//! An imported run gives the events of its file again; a run of our own gives those of its keys, as independent registers.

use super::edn::{Edn, Reader};
use super::event::EventKind;
use crate::imported::{Imported, Model};
use core::fmt::Write;
use vopr_schema::{Function, History, Outcome, Pair};

/// Why a run cannot be exported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Jepsen's models have nothing like it.
    #[error("operation row {seq} is a {function}, which no model of Jepsen's has")]
    Function {
        /// Position of the row.
        seq: u64,
        /// Its function.
        function: &'static str,
    },
    /// The row lacks what its function needs.
    #[error("operation row {seq} is incomplete")]
    Incomplete {
        /// Position of the row.
        seq: u64,
    },
}

/// The history of a run in EDN, one event per line.
///
/// # Errors
/// A row that Jepsen's models cannot tell.
///
/// # Panics
/// When the history has no such run.
pub fn jepsen_edn(history: &History, run: usize) -> Result<String, ExportError> {
    let imported = Imported::of_run(&history.runs[run]);
    let table = &history.operations;
    let named = table.rows_of_run(run).any(|row| table.key[row] != 0);
    let exporter = Exporter { history, imported, named };
    let mut events: Vec<(u64, u64, u32, EventKind, Event)> = Vec::new();
    for row in table.rows_of_run(run) {
        let Some((asked, told, kind)) = exporter.events(row)? else { continue };
        let (process, start) = (exporter.process(row), table.seq[row]);
        if exporter.has_invocation(row) {
            events.push((start, table.time_ns[row], process, EventKind::Invoke, asked));
        }
        if let Some(end) = table.return_seq.get(row) {
            events.push((end, table.return_time_ns.get(row).unwrap_or(0), process, kind, told));
        }
    }
    events.sort_by_key(|event| event.0);
    let mut text = String::new();
    for (index, (_, time, process, kind, event)) in events.into_iter().enumerate() {
        let Event { function, key, value } = event;
        let key = key.map_or_else(String::new, |key| format!(", :key {key}"));
        let function = if function.is_empty() { "nil".to_owned() } else { format!(":{function}") };
        let kind = kind.word();
        writeln!(text, "{{:index {index}, :time {time}, :type :{kind}, :process {process}, :f {function}{key}, :value {value}}}")
            .expect("a string takes all");
    }
    Ok(text)
}

struct Event {
    function: &'static str,
    key: Option<Edn>,
    value: Edn,
}

struct Exporter<'a> {
    history: &'a History,
    imported: Option<Imported>,
    /// Whether objects have keys.
    named: bool,
}

impl Exporter<'_> {
    fn value(&self, number: u64) -> Edn {
        let interned = self.imported.as_ref().and_then(|imported| imported.interned(number));
        match interned {
            Some(text) => Reader::new(text).form().ok().flatten().unwrap_or(Edn::Nil),
            None => i64::try_from(number).map_or_else(|_| Edn::Number(format!("{number}N").into()), Edn::Integer),
        }
    }

    fn optional(&self, number: Option<u64>) -> Edn {
        number.map_or(Edn::Nil, |number| self.value(number))
    }

    /// Clients of our own runs are numbered within their tenant.
    fn process(&self, row: usize) -> u32 {
        let table = &self.history.operations;
        if self.imported.is_some() { table.client[row] } else { table.tenant[row].wrapping_mul(1000).wrapping_add(table.client[row]) }
    }

    /// Completions without invocation keep none: they have no attempt.
    fn has_invocation(&self, row: usize) -> bool {
        self.imported.is_none() || self.history.operations.attempts[row] > 0
    }

    /// What was asked, what was told, and how it ended; none for what was refused before it could happen.
    fn events(&self, row: usize) -> Result<Option<(Event, Event, EventKind)>, ExportError> {
        let table = &self.history.operations;
        let function = table.function.get(row);
        let seq = table.seq[row];
        let outcome = table.outcome.get(row);
        let ok = outcome == Outcome::Ok;
        let compared = function == Function::CompareAndSet && table.result.get(row) == Some(0);
        let kind = match outcome {
            Outcome::Ok if compared => EventKind::Fail,
            Outcome::Ok => EventKind::Ok,
            Outcome::Error => EventKind::Fail,
            Outcome::Unknown => EventKind::Info,
        };
        let value = table.value.get(row);
        let (name, asked) = match function {
            Function::Read | Function::SetRead => (if self.model() == Some(Model::Kv) { "get" } else { "read" }, Edn::Nil),
            Function::Balance => ("read", Edn::Nil),
            Function::Dequeue => ("dequeue", Edn::Nil),
            Function::Drain => ("drain", Edn::Nil),
            Function::Delete => ("delete", Edn::Nil),
            Function::Write if self.model() == Some(Model::Kv) => ("put", self.optional(value)),
            Function::Write => ("write", self.optional(value)),
            Function::TextAppend => ("append", self.optional(value)),
            Function::CounterAdd | Function::SetAdd => ("add", self.optional(value)),
            Function::SetRemove => ("remove", self.optional(value)),
            Function::SetContains => ("contains", self.optional(value)),
            Function::Enqueue => ("enqueue", self.optional(value)),
            Function::CompareAndSet if self.model() == Some(Model::Mutex) => {
                (if table.expected.get(row).is_none() { "acquire" } else { "release" }, Edn::Nil)
            }
            Function::CompareAndSet => ("cas", Edn::Vector(vec![self.optional(table.expected.get(row)), self.optional(value)])),
            Function::Transfer => {
                let account = |number| self.optional(number);
                let fields =
                    [("from", account(Some(table.key[row]))), ("to", account(table.key_last.get(row))), ("amount", self.optional(value))];
                ("transfer", Edn::Map(fields.into_iter().map(|(name, value)| (Edn::keyword(name), value)).collect()))
            }
            Function::RegisterTransaction | Function::ListTransaction => return self.transaction(row, kind).map(Some),
            Function::ReadModifyWrite if ok => return Ok(Some(self.addition(row))),
            // Its effect is not known, and no operation of Jepsen's registers adds: it cannot be left out either.
            _ => return Err(ExportError::Function { seq, function: vopr_schema::Dictionary::name(function) }),
        };
        let told = match function {
            Function::Read | Function::Dequeue if ok => self.optional(table.result.get(row)),
            Function::SetContains if ok => Edn::Bool(table.result.get(row) == Some(1)),
            Function::SetRead | Function::Drain if ok => {
                table.results.get(row).map_or(Edn::Nil, |pairs| Edn::Vector(pairs.map(|pair| self.optional(pair.value)).collect()))
            }
            Function::Balance if ok => table
                .results
                .get(row)
                .map_or(Edn::Nil, |pairs| Edn::Map(pairs.map(|pair| (self.value(pair.key), self.optional(pair.value))).collect())),
            _ => asked.clone(),
        };
        Ok(Some((self.event(name, row, asked), self.event(name, row, told), kind)))
    }

    fn model(&self) -> Option<Model> {
        self.imported.as_ref().map(|imported| imported.model)
    }

    /// The value under its key, if it has one.
    fn event(&self, function: &'static str, row: usize, value: Edn) -> Event {
        let key = || self.value(self.history.operations.key[row]);
        match &self.imported {
            Some(imported) if imported.keyed => Event { function, key: None, value: Edn::Vector(vec![key(), value]) },
            Some(imported) if imported.model == Model::Kv || (self.named && imported.model != Model::Bank) => {
                Event { function, key: Some(key()), value }
            }
            Some(_) => Event { function, key: None, value },
            None => Event { function, key: None, value: Edn::Vector(vec![key(), value]) },
        }
    }

    /// An addition that was answered is a compare-and-set from the value before.
    fn addition(&self, row: usize) -> (Event, Event, EventKind) {
        let table = &self.history.operations;
        let (sum, amount) = (table.result.get(row).unwrap_or(0), table.value.get(row).unwrap_or(0));
        let value = Edn::Vector(vec![self.value(sum.wrapping_sub(amount)), self.value(sum)]);
        (self.event("cas", row, value.clone()), self.event("cas", row, value), EventKind::Ok)
    }

    fn transaction(&self, row: usize, kind: EventKind) -> Result<(Event, Event, EventKind), ExportError> {
        let table = &self.history.operations;
        let incomplete = || ExportError::Incomplete { seq: table.seq[row] };
        let lists = table.function.get(row) == Function::ListTransaction;
        let long = self.model() == Some(Model::MultiRegister);
        let (read_word, write_word) = match (lists, long) {
            (true, _) => ("r", "append"),
            (false, true) => ("read", "write"),
            (false, false) => ("r", "w"),
        };
        let step = |word: &str, key: u64, value: Edn| Edn::Vector(vec![Edn::keyword(word), self.value(key), value]);
        let (mut asked, mut told) = (Vec::new(), Vec::new());
        let mut writes = table.writes.get(row).into_iter().flatten();
        let mut results = table.results.get(row).into_iter().flatten();
        let mut done = 0;
        let both = |asked: &mut Vec<Edn>, told: &mut Vec<Edn>, pair: Pair| {
            let form = step(write_word, pair.key, self.optional(pair.value));
            asked.push(form.clone());
            told.push(form);
        };
        for read in table.reads.get(row).into_iter().flatten() {
            while done < read.value.unwrap_or(0) {
                both(&mut asked, &mut told, writes.next().ok_or_else(incomplete)?);
                done += 1;
            }
            asked.push(step(read_word, read.key, Edn::Nil));
            let seen = match results.next() {
                Some(pair) if lists => match pair.value {
                    None => Edn::Nil,
                    Some(count) => {
                        let count = usize::try_from(count).map_err(|_| incomplete())?;
                        Edn::Vector(results.by_ref().take(count).map(|pair| self.optional(pair.value)).collect())
                    }
                },
                Some(pair) => self.optional(pair.value),
                None => Edn::Nil,
            };
            told.push(step(read_word, read.key, seen));
        }
        for pair in writes {
            both(&mut asked, &mut told, pair);
        }
        let event = |steps: Vec<Edn>| Event { function: "txn", key: None, value: Edn::Vector(steps) };
        Ok((event(asked), event(told), kind))
    }
}
