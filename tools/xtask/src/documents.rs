//! Generated documents: the column tables of docs/format.md and the `DuckDB` views.
//!
//! Both come from the schema crate's column table; the tidy test compares them with what is committed.

use crate::root;
use anyhow::{Context, Result};

const BEGIN: &str = "<!-- generated from the table of columns: begin -->";
const END: &str = "<!-- generated from the table of columns: end -->";

/// Writes both.
///
/// # Errors
/// A file cannot be read or written, or docs/format.md has lost its markers.
pub fn write() -> Result<()> {
    let page = root().join("docs/format.md");
    let text = std::fs::read_to_string(&page)?;
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("{} has no line {BEGIN}", page.display()))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{} has no line {END}", page.display()))?;
    let tables = vopr_schema::format_doc::column_tables_markdown();
    std::fs::write(&page, format!("{before}{BEGIN}\n{}\n{END}{after}", tables.trim()))?;
    std::fs::write(root().join("tools/duckdb/views.sql"), vopr_schema::duckdb::views_sql())?;
    Ok(())
}
