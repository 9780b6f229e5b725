//! One run for the page: which columns it needs, and the words of lists.
//!
//! Times are packed in microseconds: nobody sees less, and they fit half the width.

use crate::Violation;
use crate::columns::Pack;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vopr_schema::rows::{Command, Fate, FaultFamily, FaultKind, Function, Mutation, OperationError, Outcome, RejectReason, Zone};
use vopr_schema::rows::{Detail, Status, StorageIo, StorageOutcome, TransitionEvent};
use vopr_schema::{Dictionary, History, Pair, Run};

/// Pairs of a list that are spelt out.
const PAIRS_SHOWN: usize = 8;

/// A run, packed.
pub(crate) struct Packed {
    pub(crate) about: Value,
    pub(crate) data: String,
}

/// The words behind the codes of each dictionary column.
pub(crate) fn dictionaries() -> Value {
    json!({
        "function": Function::NAMES,
        "outcome": Outcome::NAMES,
        "error": OperationError::NAMES,
        "command": Command::NAMES,
        "fate": Fate::NAMES,
        "mutation": Mutation::NAMES,
        "reject_reason": RejectReason::NAMES,
        "event": TransitionEvent::NAMES,
        "status": Status::NAMES,
        "detail": Detail::NAMES,
        "io": StorageIo::NAMES,
        "zone": Zone::NAMES,
        "storage_outcome": StorageOutcome::NAMES,
        "family": FaultFamily::NAMES,
        "fault": FaultKind::NAMES,
    })
}

/// Packs one run.
pub(crate) fn pack(history: &History, run: usize, violations: &[Violation]) -> Packed {
    let meta = &history.runs[run];
    let mut pack = Pack::default();
    let tables = json!({
        "operations": operations(history, run, &mut pack),
        "messages": messages(history, run, &mut pack),
        "transitions": transitions(history, run, &mut pack),
        "storage": storage(history, run, violations, &mut pack),
        "faults": faults(history, run, &mut pack),
    });
    let about = json!({
        "scenario": meta.scenario,
        // A seed may be larger than what the page's numbers hold.
        "seed": meta.seed.to_string(),
        "bug": meta.bug,
        "replicas": u32::from(meta.replicas) + u32::from(meta.standbys),
        "voters": meta.replicas,
        "tenants": meta.tenants,
        "end_us": if is_untimed(meta) { last_place(history, run) * PLACE_US } else { meta.end_time_ns / 1_000 },
        // What stands for a time is the row's place then.
        "place_us": is_untimed(meta).then_some(PLACE_US),
        "heal_us": meta.heal_time_ns.map(|time| time / 1_000),
        "ended": meta.ended.name(),
        "tables": tables,
    });
    Packed { about, data: pack.finish() }
}

/// Microseconds of the page per row of a run of whose rows nobody knows when they happened.
const PLACE_US: u64 = 1_000;

/// Whether nobody wrote down times: then the order of the rows is drawn.
fn is_untimed(run: &Run) -> bool {
    run.end_time_ns == 0
}

fn last_place(history: &History, run: usize) -> u64 {
    let table = &history.operations;
    let last = table.rows_of_run(run).map(|row| table.return_seq.get(row).unwrap_or(table.seq[row]));
    last.max().unwrap_or(0)
}

/// One table: its columns by name.
struct Table<'p> {
    pack: &'p mut Pack,
    rows: Vec<usize>,
    columns: Map<String, Value>,
}

impl<'p> Table<'p> {
    fn new(rows: impl Iterator<Item = usize>, pack: &'p mut Pack) -> Self {
        Self { pack, rows: rows.collect(), columns: Map::new() }
    }

    fn put(&mut self, name: &str, of: impl Fn(usize) -> Option<u64>) {
        let column = self.pack.column(self.rows.iter().map(|row| of(*row)));
        self.columns.insert(name.to_owned(), column);
    }

    fn finish(self) -> Value {
        json!({ "rows": self.rows.len(), "columns": self.columns })
    }
}

/// Puts columns of a table under their own names, by how they are stored: plain, nullable, codes, nullable codes.
macro_rules! put {
    ($table:ident, $source:expr; plain $($plain:ident)*; nullable $($nullable:ident)*; codes $($codes:ident)*; maybe $($maybe:ident)*) => {
        $( $table.put(stringify!($plain), |row| Some(u64::from($source.$plain[row]))); )*
        $( $table.put(stringify!($nullable), |row| $source.$nullable.get(row).map(u64::from)); )*
        $( $table.put(stringify!($codes), |row| Some(u64::from($source.$codes.get(row).code()))); )*
        $( $table.put(stringify!($maybe), |row| $source.$maybe.get(row).map(|value| u64::from(value.code()))); )*
    };
}

fn operations(history: &History, run: usize, pack: &mut Pack) -> Value {
    let source = &history.operations;
    let mut table = Table::new(source.rows_of_run(run), pack);
    if is_untimed(&history.runs[run]) {
        table.put("time", |row| Some(source.seq[row] * PLACE_US));
        table.put("return_time", |row| source.return_seq.get(row).map(|place| place * PLACE_US));
    } else {
        table.put("time", |row| Some(source.time_ns[row] / 1_000));
        table.put("return_time", |row| source.return_time_ns.get(row).map(|time| time / 1_000));
    }
    put!(table, source;
        plain seq client request_number tenant key attempts;
        nullable session key_last value expected result return_seq op view replica;
        codes function outcome;
        maybe error);
    // Lists are few and long: the page gets their words.
    let mut words = Words::default();
    let lists: BTreeMap<usize, [Option<u64>; 3]> = source
        .rows_of_run(run)
        .map(|row| (row, [&source.reads, &source.writes, &source.results].map(|lists| lists.get(row).map(|pairs| words.of(pairs)))))
        .collect();
    for (index, name) in ["reads", "writes", "results"].into_iter().enumerate() {
        table.put(name, |row| lists[&row][index]);
    }
    let mut table = table.finish();
    table["texts"] = json!(words.texts);
    table
}

/// Texts that are told once each.
#[derive(Default)]
struct Words {
    texts: Vec<String>,
    known: BTreeMap<String, u64>,
}

impl Words {
    fn of(&mut self, pairs: impl ExactSizeIterator<Item = Pair>) -> u64 {
        let more = pairs.len().saturating_sub(PAIRS_SHOWN);
        let pair = |pair: Pair| pair.value.map_or_else(|| pair.key.to_string(), |value| format!("{}: {value}", pair.key));
        let mut text = pairs.take(PAIRS_SHOWN).map(pair).collect::<Vec<_>>().join(", ");
        if more > 0 {
            text = format!("{text}, {more} more");
        }
        let next = self.texts.len() as u64;
        *self.known.entry(text).or_insert_with_key(|text| {
            self.texts.push(text.clone());
            next
        })
    }
}

fn messages(history: &History, run: usize, pack: &mut Pack) -> Value {
    let source = &history.messages;
    let mut table = Table::new(source.rows_of_run(run), pack);
    table.put("time", |row| Some(source.time_ns[row] / 1_000));
    table.put("fate_time", |row| source.fate_time_ns.get(row).map(|time| time / 1_000));
    put!(table, source;
        plain seq id copy from to;
        nullable view op commit fate_seq tenant client session request_number;
        codes command fate;
        maybe mutation reject_reason);
    table.finish()
}

fn transitions(history: &History, run: usize, pack: &mut Pack) -> Value {
    let source = &history.transitions;
    let mut table = Table::new(source.rows_of_run(run), pack);
    table.put("time", |row| Some(source.time_ns[row] / 1_000));
    put!(table, source;
        plain seq replica view commit incarnation;
        nullable op tenant client session request_number quorum cause;
        codes event status;
        maybe detail);
    table.finish()
}

/// Disk accesses that went wrong, and those that a violation rests on; the others would only be in the way.
fn storage(history: &History, run: usize, violations: &[Violation], pack: &mut Pack) -> Value {
    let source = &history.storage;
    let marks = violations.iter().flat_map(|violation| &violation.marks).filter(|mark| mark.kind == "storage");
    let marked: BTreeSet<u64> = marks.map(|mark| mark.seq).collect();
    let shown = |row: &usize| source.outcome.get(*row) != StorageOutcome::Ok || marked.contains(&source.seq[*row]);
    let mut table = Table::new(source.rows_of_run(run).filter(shown), pack);
    table.put("time", |row| Some(source.time_ns[row] / 1_000));
    put!(table, source; plain seq replica; nullable op; codes io zone outcome; maybe);
    table.finish()
}

fn faults(history: &History, run: usize, pack: &mut Pack) -> Value {
    let source = &history.faults;
    let mut table = Table::new(source.rows_of_run(run), pack);
    table.put("time", |row| Some(source.time_ns[row] / 1_000));
    table.put("end_time", |row| source.end_time_ns.get(row).map(|time| time / 1_000));
    put!(table, source; plain seq; nullable target peer; codes family fault; maybe);
    table.put("magnitude_milli", |row| magnitude(source.magnitude[row]));
    table.finish()
}

/// A strength in thousandths, which is as exact as a tooltip; none for those that no text would show.
fn magnitude(value: f64) -> Option<u64> {
    let text = format!("{:.0}", value * 1_000.0);
    text.parse().ok()
}
