//! The committed log, replayed once through the checker's own model, for all invariants that compare answers.
//!
//! One pass gives three things: which answers differ from the model's, whether the log's order contradicts real time, and
//! where the ledger's total changes. The order is that of [`crate::index::Journal::replay`].

use crate::index::RunIndex;
use crate::models::layout::Layout;
use crate::models::store::{Inexecutable, Store};
use crate::registry::Reads;
use crate::words::value as value_words;
use vopr_schema::column::Niche;
use vopr_schema::{Function, Kind, Outcome};

/// The columns of operations that a replay looks at.
pub const REPLAYED: Reads = Reads {
    kind: Kind::Operation,
    columns: &[
        "tenant",
        "client",
        "session",
        "request_number",
        "function",
        "key",
        "key_last",
        "value",
        "expected",
        "reads",
        "writes",
        "result",
        "results",
        "outcome",
        "error",
        "return_seq",
        "op",
    ],
};

/// What one replay found.
#[derive(Debug)]
pub struct Replay {
    /// Answers compared.
    pub compared: u64,
    /// Operation rows whose answers differ from the model's, in the order of the log.
    pub mismatches: Vec<u32>,
    /// What the model answers instead to the first of them, in words.
    pub first_expected: String,
    /// Two operation rows: the second one stands behind the first in the log, but returned before the first was invoked.
    pub backwards: Option<(usize, usize)>,
    /// A row that cannot be executed: the replay ends before it.
    pub inexecutable: Option<usize>,
}

impl Replay {
    /// Replays a run; none when its options do not say who owns which keys, or nothing was applied.
    #[must_use]
    pub fn of_run(index: &RunIndex<'_>) -> Option<Self> {
        let layout = index.layout()?;
        (index.journal().applied() > 0).then(|| Self::new(index, layout))
    }

    fn new(index: &RunIndex<'_>, layout: Layout) -> Self {
        let table = index.operations();
        let mut replay = Self { compared: 0, mismatches: Vec::new(), first_expected: String::new(), backwards: None, inexecutable: None };
        let mut store = Store::new(layout);
        let (mut latest_invoke, mut latest_row) = (0, 0);
        let unknown = Outcome::Unknown as u8;
        let end = index.journal().replay(|op, row| {
            let told = store.execute(table, row).map_err(|Inexecutable| row)?;
            // A request that was applied twice was answered once: its answer is compared where it claims to be from.
            let elsewhere =
                table.op.0[row] != op && index.op_index(table.op.0[row]).and_then(|op| index.journal().operation_at(op)) == Some(row);
            if table.outcome.codes[row] != unknown && !elsewhere {
                replay.compared += 1;
                if !told.agrees(table, row) {
                    if replay.mismatches.is_empty() {
                        replay.first_expected = told.words();
                    }
                    replay.mismatches.push(u32::try_from(row).unwrap_or(u32::MAX));
                }
            }
            if returned(index, row) < latest_invoke && replay.backwards.is_none() {
                replay.backwards = Some((latest_row, row));
            }
            if table.seq[row] > latest_invoke {
                (latest_invoke, latest_row) = (table.seq[row], row);
            }
            Ok(())
        });
        replay.inexecutable = end.err();
        replay
    }

    /// Whether the log's order explains every answer that it was asked about.
    #[must_use]
    pub fn explains_all(&self) -> bool {
        self.mismatches.is_empty() && self.backwards.is_none() && self.inexecutable.is_none()
    }
}

/// When an operation returned, as a position; never, when its outcome is unknown.
#[inline]
#[must_use]
pub fn returned(index: &RunIndex<'_>, row: usize) -> u64 {
    let table = index.operations();
    if table.outcome.codes[row] == Outcome::Unknown as u8 { u64::NONE } else { table.return_seq.0[row] }
}

/// An operation in words: who asked for what, and what was told.
#[must_use]
pub fn operation_words(index: &RunIndex<'_>, row: usize) -> String {
    if let Some(imported) = index.imported() {
        return crate::imported::operation_words(index, imported, row);
    }
    format!("{} {} {}", client_words(index, row), request_words(index, row), answer_words(index, row))
}

/// Who asked.
#[must_use]
pub fn client_words(index: &RunIndex<'_>, row: usize) -> String {
    let table = index.operations();
    format!("client {} of tenant {}", table.client[row], table.tenant[row])
}

/// What was asked for.
#[must_use]
pub fn request_words(index: &RunIndex<'_>, row: usize) -> String {
    let table = index.operations();
    let key = table.key[row];
    let optional = |held: Option<u64>, absent: &str| held.map_or_else(|| absent.to_owned(), value_words);
    let last = optional(table.key_last.get(row), "?");
    let value = optional(table.value.get(row), "?");
    let expected = table.expected.get(row);
    match table.function.get(row) {
        Function::Write => format!("writes {value} to key {key}"),
        Function::Read => format!("reads key {key}"),
        Function::ReadModifyWrite => format!("adds {value} to key {key}"),
        Function::CompareAndSet => format!("sets key {key} from {} to {value}", optional(expected, "absent")),
        Function::Scan => format!("scans keys {key} to {last}"),
        Function::StreamCreate => format!("creates stream {key}"),
        Function::StreamAppend => format!("appends {value} to stream {key}"),
        Function::StreamRead => format!("reads {} elements of stream {key} from offset {value}", optional(expected, "?")),
        Function::Transfer => format!("transfers {value} from account {key} to {last}"),
        Function::Balance => format!("reads the balances of accounts {key} to {last}"),
        Function::Transaction => {
            let reads: Vec<String> = table.reads.get(row).into_iter().flatten().map(|pair| pair.key.to_string()).collect();
            let writes = table.writes.get(row).into_iter().flatten();
            let writes: Vec<String> = writes.map(|pair| format!("{} := {}", pair.key, optional(pair.value, "absent"))).collect();
            format!("reads keys [{}] and writes [{}] at once", reads.join(", "), writes.join(", "))
        }
        _ => "asks for something that this version does not know".to_owned(),
    }
}

/// What was told.
#[must_use]
pub fn answer_words(index: &RunIndex<'_>, row: usize) -> String {
    let table = index.operations();
    match table.outcome.get(row) {
        Outcome::Unknown => "and never learns whether it happened: it may or may not have".to_owned(),
        Outcome::Error => {
            let error = table.error.get(row).map_or_else(|| "without a reason".to_owned(), |error| format!("with {error}"));
            format!("and is refused {error}")
        }
        Outcome::Ok => {
            if let Some(pairs) = table.results.get(row) {
                return format!(
                    "and is told {}",
                    crate::models::store::words_of_pairs(pairs.map(|pair| (pair.key, pair.value.map(value_words))))
                );
            }
            match (table.result.get(row), table.function.get(row)) {
                (Some(1), Function::CompareAndSet) => "and succeeds".to_owned(),
                (Some(0), Function::CompareAndSet) => "and is told that it held something else".to_owned(),
                (Some(result), Function::StreamAppend) => format!("and is told offset {result}"),
                (Some(result), _) => format!("and is told {}", value_words(result)),
                (None, Function::Read) => "and is told that it is absent".to_owned(),
                (None, _) => "and is told that it is done".to_owned(),
            }
        }
    }
}
