//! What is generated from the table of columns is what is committed. `UPDATE=1 cargo test -p vopr-schema` writes it anew.

use std::path::PathBuf;
use vopr_schema::{duckdb, format_doc};

fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn check(path: &str, expected: &str) {
    let path = root(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == expected, "{} is stale: UPDATE=1 cargo test -p vopr-schema generated", path.display());
}

#[test]
fn the_views_are_current() {
    check("tools/duckdb/views.sql", &duckdb::views_sql());
}

#[test]
fn the_page_about_the_format_is_current() {
    let page = std::fs::read_to_string(root("docs/format.md")).unwrap();
    let (before, rest) = page.split_once(format_doc::BEGIN).expect("the page has a line where the generated block begins");
    let (_, after) = rest.split_once(format_doc::END).expect("the page has a line where it ends");
    let tables = format_doc::column_tables_markdown();
    check("docs/format.md", &format!("{before}{}\n\n{tables}\n{}{after}", format_doc::BEGIN, format_doc::END));
}
