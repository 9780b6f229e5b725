//! The rows of kind run as columns.
//!
//! Runs are structs in memory because there are few of them; here they become columns like everything else.

use crate::dictionary::Dictionary;
use crate::history::{Ended, History, Run};
use core::ops::Range;

/// One column of kind run.
pub(crate) enum RunColumn<'a> {
    /// Integers of up to 64 bits.
    Numbers(Vec<u64>),
    /// Nullable integers; null is the largest value.
    NullableNumbers(Vec<u64>),
    /// Dictionary codes.
    Codes(Vec<u8>, &'static [&'static str]),
    /// Texts or digests.
    Texts(Vec<Option<&'a [u8]>>),
}

/// The column called `name` of the given runs.
pub(crate) fn run_column<'a>(history: &'a History, range: &Range<usize>, name: &str) -> RunColumn<'a> {
    let runs = &history.runs[range.clone()];
    let numbers = |get: &dyn Fn(&Run) -> u64| RunColumn::Numbers(runs.iter().map(get).collect());
    let rows = |get: &dyn Fn(usize) -> Range<usize>| RunColumn::Numbers(range.clone().map(|run| get(run).len() as u64).collect());
    match name {
        "replicas" => numbers(&|run| run.replicas.into()),
        "standbys" => numbers(&|run| run.standbys.into()),
        "clients" => numbers(&|run| run.clients.into()),
        "tenants" => numbers(&|run| run.tenants.into()),
        "bug" => RunColumn::Texts(runs.iter().map(|run| run.bug.as_deref().map(str::as_bytes)).collect()),
        "options" => RunColumn::Texts(runs.iter().map(|run| Some(run.options.as_bytes())).collect()),
        "plan" => RunColumn::Texts(runs.iter().map(|run| Some(run.plan.as_bytes())).collect()),
        "streams_version" => numbers(&|run| run.streams_version.into()),
        "end_time_ns" => numbers(&|run| run.end_time_ns),
        "heal_time_ns" => RunColumn::NullableNumbers(runs.iter().map(|run| run.heal_time_ns.unwrap_or(u64::MAX)).collect()),
        "events" => numbers(&|run| run.events),
        "rows_operation" => rows(&|run| history.operations.rows_of_run(run)),
        "rows_message" => rows(&|run| history.messages.rows_of_run(run)),
        "rows_transition" => rows(&|run| history.transitions.rows_of_run(run)),
        "rows_storage" => rows(&|run| history.storage.rows_of_run(run)),
        "rows_fault" => rows(&|run| history.faults.rows_of_run(run)),
        "operations_ok" => numbers(&|run| run.operations_ok),
        "operations_error" => numbers(&|run| run.operations_error),
        "operations_unknown" => numbers(&|run| run.operations_unknown),
        "digest" => RunColumn::Texts(runs.iter().map(|run| Some(&run.digest[..])).collect()),
        "ended" => RunColumn::Codes(runs.iter().map(|run| run.ended.code()).collect(), Ended::NAMES),
        "ended_detail" => RunColumn::Texts(runs.iter().map(|run| run.ended_detail.as_deref().map(str::as_bytes)).collect()),
        _ => unreachable!("every column of kind run is listed above: a test writes them all"),
    }
}
