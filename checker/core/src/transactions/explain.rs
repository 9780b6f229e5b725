//! A cycle in words: why each of its transactions must come before the next one.
//!
//! Edges hold a key and a kind only; what was read and written there is looked up again when a cycle is told.

use super::findings::Findings;
use super::graph::{Edge, FREE, RW, SESSION, WR, WW};
use super::history::{Micro, Transactions};

/// The transactions of a cycle, in its order, and why each comes before the next.
pub(super) fn tell(history: &Transactions, findings: &Findings, cycle: &[u32]) -> (Vec<usize>, Vec<String>) {
    let edges: Vec<Edge> = cycle.iter().map(|edge| findings.graph.edges[*edge as usize]).collect();
    let mut told = Vec::new();
    for (place, edge) in edges.iter().enumerate().filter(|(_, edge)| edge.kind != FREE) {
        // A moment is passed by: the edge goes to the transaction behind it.
        let carried = edges[place + 1..].iter().take_while(|next| next.kind == FREE).last();
        told.push(Edge { to: carried.map_or(edge.to, |last| last.to), ..*edge });
    }
    // A cycle may begin behind a moment: then its last edge was carried on by its first.
    let transactions = told.iter().map(|edge| edge.from as usize).collect();
    (transactions, told.iter().map(|edge| reason(history, findings, edge)).collect())
}

fn reason(history: &Transactions, findings: &Findings, edge: &Edge) -> String {
    let (before, after) = (edge.from as usize, edge.to as usize);
    let rows = history.transactions();
    if edge.kind == SESSION {
        return format!("T{before} completed before process {} invoked T{after}", rows[before].process);
    }
    let Some(key) = findings.keys.get(edge.key as usize).copied() else {
        return format!("T{before} completed (at {}) before T{after} was invoked (at {})", rows[before].complete, rows[after].invoke);
    };
    let name = history.key_name(key);
    let wrote = written(history, before, key);
    let overwrote = written(history, after, key);
    match edge.kind {
        WW => format!("T{before} {} {name} before T{after} {} it", wrote.words(history), overwrote.words(history)),
        WR => format!("T{before} {} {name}, and T{after} read {}", wrote.words(history), seen(history, after, key)),
        RW => format!(
            "T{before} read {} of {name}, without what T{after} then did: it {} it",
            seen(history, before, key),
            overwrote.words(history)
        ),
        _ => format!("T{before} precedes T{after}"),
    }
}

/// What a transaction wrote to one key.
struct Written {
    values: Vec<u64>,
    appends: bool,
}

impl Written {
    fn words(&self, history: &Transactions) -> String {
        let values: Vec<String> = self.values.iter().map(|value| history.value_name(*value)).collect();
        format!("{} {} to", if self.appends { "appended" } else { "wrote" }, values.join(" and "))
    }
}

fn written(history: &Transactions, transaction: usize, key: u64) -> Written {
    let micro = history.micro(transaction).iter().filter(|micro| micro.key() == key);
    let values = micro.clone().filter_map(|micro| match *micro {
        Micro::Append { value, .. } | Micro::Write { value, .. } => Some(value),
        _ => None,
    });
    Written { values: values.collect(), appends: micro.clone().any(|micro| matches!(micro, Micro::Append { .. })) }
}

/// What a transaction read at one key, first.
fn seen(history: &Transactions, transaction: usize, key: u64) -> String {
    let read = history.micro(transaction).iter().find_map(|micro| match *micro {
        Micro::ReadList { key: other, start, end } if other == key => Some(history.list_words(history.elements(start, end))),
        Micro::ReadValue { key: other, value } if other == key => Some(history.value_name(value)),
        Micro::ReadAbsent { key: other } if other == key => Some("nothing".to_owned()),
        _ => None,
    });
    read.unwrap_or_else(|| "something".to_owned())
}
