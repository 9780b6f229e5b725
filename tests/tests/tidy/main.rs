//! Taste as a test: lengths, banned words, dead files, links, generated documents, pages of invariants.
//!
//! What a reviewer would otherwise have to notice stands here once, with the remedy in the message.

mod documents;
mod modules;
mod source;
mod tree;

use std::fmt::Write as _;

/// Fails with one line per finding, so that all of them can be mended in one go.
fn assert_clean(findings: &[String]) {
    let mut text = String::new();
    for finding in findings {
        writeln!(text, "  {finding}").expect("writing to a string cannot fail");
    }
    assert!(findings.is_empty(), "{} finding(s):\n{text}", findings.len());
}
