//! tools/duckdb/views.sql, made from the table of columns: one view per kind, its columns by their own names.
//!
//! In a file the columns of a kind are fields of a struct; in a query nobody wants to write `message.view`.

use crate::column::ColumnType;
use crate::dictionary::Dictionary;
use crate::layout::columns_of;
use crate::rows::Kind;
use core::fmt::Write;

/// The view that shows a kind.
#[must_use]
pub fn view_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Run => "runs",
        Kind::Operation => "operations",
        Kind::Message => "messages",
        Kind::Transition => "transitions",
        Kind::Storage => "storage",
        Kind::Fault => "faults",
    }
}

/// The whole file: views over all histories that the variable `histories` names.
#[must_use]
pub fn views_sql() -> String {
    let mut sql = String::from(
        "-- One view per kind of row. Generated from the table of columns; do not edit.\n\
         --\n\
         -- Say first which histories to look at, by a path or a pattern:\n\
         --     set variable histories = 'histories/*.parquet';\n",
    );
    for kind in Kind::ALL {
        let common = if *kind == Kind::Run { "scenario, seed" } else { "scenario, seed, seq, time_ns" };
        write!(sql, "\ncreate or replace view {} as\nselect\n    filename as file, {common}", view_name(*kind))
            .expect("a string takes all");
        for spec in columns_of(*kind) {
            let path = format!("\"{kind}\".\"{}\"", spec.name);
            let value = if spec.column_type == ColumnType::Bytes32 { format!("lower(hex({path}))") } else { path };
            write!(sql, ",\n    {value} as \"{}\"", spec.name).expect("a string takes all");
        }
        let name = kind.name();
        write!(sql, "\nfrom read_parquet(getvariable('histories'), filename = true)\nwhere kind = '{name}';\n")
            .expect("a string takes all");
    }
    sql
}
