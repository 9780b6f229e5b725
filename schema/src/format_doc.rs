//! The parts of docs/format.md that come from the table of columns: columns and dictionary values as Markdown.
//!
//! A test compares them with the committed page, so that the page can not go stale.

use crate::column::ColumnType;
use crate::dictionary::Dictionary;
use crate::history::Ended;
use crate::layout::columns_of;
use crate::rows::{
    Command, Detail, Fate, FaultFamily, FaultKind, Function, Kind, Mutation, OperationError, Outcome, RejectReason, Status, StorageIo,
    StorageOutcome, TransitionEvent, Zone,
};
use crate::tables::{COMMON_COLUMNS, ColumnSpec};
use core::fmt::Write;

/// The line before the generated block of docs/format.md.
pub const BEGIN: &str = "<!-- generated from the table of columns: begin -->";

/// The line behind it.
pub const END: &str = "<!-- generated from the table of columns: end -->";

/// All columns, kind by kind, then all dictionary values.
#[must_use]
pub fn column_tables_markdown() -> String {
    let mut page = String::new();
    section(&mut page, "Common columns", COMMON_COLUMNS);
    for kind in Kind::ALL {
        section(&mut page, &format!("`{kind}`: {}", Kind::MEANINGS[usize::from(kind.code())].trim()), columns_of(*kind));
    }
    page.push_str("### Dictionary values\n\n");
    words::<Kind>(&mut page, "kind");
    words::<Ended>(&mut page, "run.ended");
    words::<Function>(&mut page, "operation.function");
    words::<Outcome>(&mut page, "operation.outcome");
    words::<OperationError>(&mut page, "operation.error");
    words::<Command>(&mut page, "message.command");
    words::<Fate>(&mut page, "message.fate");
    words::<Mutation>(&mut page, "message.mutation");
    words::<RejectReason>(&mut page, "message.reject_reason");
    words::<TransitionEvent>(&mut page, "transition.event");
    words::<Status>(&mut page, "transition.status");
    words::<Detail>(&mut page, "transition.detail");
    words::<StorageIo>(&mut page, "storage.io");
    words::<Zone>(&mut page, "storage.zone");
    words::<StorageOutcome>(&mut page, "storage.outcome");
    words::<FaultFamily>(&mut page, "fault.family");
    words::<FaultKind>(&mut page, "fault.fault");
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn section(page: &mut String, title: &str, columns: &[ColumnSpec]) {
    write!(page, "### {title}\n\n| column | type | null | unit | meaning |\n|---|---|---|---|---|\n").expect("a string takes all");
    for spec in columns {
        let null = if spec.nullable { "yes" } else { "" };
        let (name, unit, meaning) = (spec.name, spec.unit, cell(spec.meaning));
        writeln!(page, "| `{name}` | {} | {null} | {unit} | {meaning} |", type_name(spec.column_type)).expect("a string takes all");
    }
    page.push('\n');
}

fn words<E: Dictionary>(page: &mut String, column: &str) {
    write!(page, "#### `{column}`\n\n| value | meaning |\n|---|---|\n").expect("a string takes all");
    for (name, meaning) in E::NAMES.iter().zip(E::MEANINGS) {
        writeln!(page, "| `{name}` | {} |", cell(meaning)).expect("a string takes all");
    }
    page.push('\n');
}

/// A text that can stand in a Markdown table.
fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|")
}

fn type_name(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::U8 => "UINT_8",
        ColumnType::U16 => "UINT_16",
        ColumnType::U32 => "UINT_32",
        ColumnType::U64 => "UINT_64",
        ColumnType::F64 => "DOUBLE",
        ColumnType::Dictionary(_) => "STRING (closed list)",
        ColumnType::Pairs => "LIST of (`key` UINT_64, `value` UINT_64 or null)",
        ColumnType::Text => "STRING",
        ColumnType::Bytes32 => "FIXED_LEN_BYTE_ARRAY(32)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dictionary_column_has_its_values_explained() {
        let page = column_tables_markdown();
        for kind in Kind::ALL {
            for spec in columns_of(*kind) {
                if let ColumnType::Dictionary(names) = spec.column_type {
                    let heading = format!("#### `{kind}.{}`\n", spec.name);
                    let (_, rest) = page.split_once(&heading).unwrap_or_else(|| panic!("{heading}"));
                    let block = rest.split("####").next().unwrap_or(rest);
                    assert!(names.iter().all(|name| block.contains(&format!("| `{name}` |"))), "{heading}");
                }
            }
        }
    }
}
