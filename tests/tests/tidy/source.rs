//! Length of files, functions and lines; words that may not stand in source.

use super::tree::{files, relative};
use std::fs;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 160;

/// Files that are one long table: a list is easy to read however long it is.
const TABLES: &[&str] = &["schema/src/tables.rs", "schema/src/rows.rs"];

/// Banned text, written in two halves so that this file does not find itself, and what to do instead.
const BANNED: &[(&str, &str, &str)] = &[
    ("todo", "!(", "finish it, or say in docs/assumptions.md what is missing"),
    ("unimplemented", "!(", "finish it"),
    ("dbg", "!(", "remove it"),
    ("FIX", "ME", "fix it now"),
    ("XX", "X", "fix it now"),
    ("#[igno", "re", "a test that does not run shows nothing: move it to an xtask"),
    ("#[all", "ow(", "use #[expect(lint, reason = \"...\")]"),
    ("#![all", "ow(", "use #![expect(lint, reason = \"...\")]"),
    ("mod uti", "ls", "name the module after what it holds"),
    ("mod help", "ers", "name the module after what it holds"),
    ("mod com", "mon", "name the module after what it holds"),
    ("mod mi", "sc", "name the module after what it holds"),
    ("/wo", "rk/", "a path of one machine"),
    ("/ro", "ot/", "a path of one machine"),
    ("/ho", "me/", "a path of one machine"),
];

/// Banned in simulator/ only: sources of nondeterminism (docs/determinism.md).
const BANNED_IN_SIMULATION: &[(&str, &str)] = &[
    ("SystemTime", "virtual time"),
    ("HashMap", "BTreeMap or a dense vector"),
    ("HashSet", "BTreeSet or a bit set"),
    ("thread_rng", "entropy::Stream"),
];

fn lines_too_many(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > FILE_LINES_MAX && !TABLES.contains(&path))
        .then(|| format!("{path}: {lines} lines, at most {FILE_LINES_MAX}: split it by reason to change"))
}

/// Functions longer than the limit. Relies on rustfmt: a function ends at the first `}` indented like its `fn`.
fn functions_too_long(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut findings = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let head = code.split_once("fn ").map(|(before, _)| before);
        let is_function = head.is_some_and(|before| {
            before
                .split_whitespace()
                .all(|word| matches!(word, "pub" | "const" | "async" | "unsafe" | "extern") || word.starts_with("pub("))
        });
        if !is_function || code.starts_with("//") {
            continue;
        }
        let indent = line.len() - code.len();
        let ends = |later: &&str| later.len() - later.trim_start().len() == indent && later.ends_with([';', '}']);
        let end = lines[start..].iter().position(ends);
        let length = end.map_or(0, |offset| offset + 1);
        if length > FUNCTION_LINES_MAX {
            findings.push(format!("{path}:{}: a function of {length} lines, at most {FUNCTION_LINES_MAX}", start + 1));
        }
    }
    findings
}

fn lines_too_wide(path: &str, text: &str) -> Vec<String> {
    let wide = |line: &&str| line.chars().count() > LINE_COLUMNS_MAX && !TABLES.contains(&path);
    text.lines()
        .enumerate()
        .filter(|(_, line)| wide(line))
        .map(|(at, _)| format!("{path}:{}: wider than {LINE_COLUMNS_MAX} columns", at + 1))
        .collect()
}

fn banned_words(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for (first, second, remedy) in BANNED {
            let word = format!("{first}{second}");
            if line.contains(&word) {
                findings.push(format!("{path}:{}: `{word}`: {remedy}", at + 1));
            }
        }
    }
    findings
}

fn nondeterminism(path: &str, text: &str) -> Vec<String> {
    let simulated = ["simulator/vsr/src", "simulator/kernel/src", "simulator/sim/src"].iter().any(|folder| path.starts_with(folder));
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|_| simulated) {
        for (word, instead) in BANNED_IN_SIMULATION {
            if line.contains(word) && !line.trim_start().starts_with("//") {
                findings.push(format!("{path}:{}: `{word}` makes runs differ: use {instead}", at + 1));
            }
        }
    }
    findings
}

#[test]
fn source_is_tidy() {
    let mut findings = Vec::new();
    for file in files(".", &[".rs"]) {
        let path = relative(&file);
        let text = fs::read_to_string(&file).expect("source is UTF-8");
        findings.extend(lines_too_many(&path, &text));
        findings.extend(functions_too_long(&path, &text));
        findings.extend(lines_too_wide(&path, &text));
        findings.extend(banned_words(&path, &text));
        findings.extend(nondeterminism(&path, &text));
    }
    super::assert_clean(&findings);
}

#[test]
fn module_files_say_what_they_are() {
    let findings: Vec<String> = files(".", &[".rs"])
        .iter()
        .filter(|file| !fs::read_to_string(file).is_ok_and(|text| text.starts_with("//!")))
        .map(|file| format!("{}: the first line says what the module is (`//! ...`)", relative(file)))
        .collect();
    super::assert_clean(&findings);
}

#[test]
fn a_long_file_is_found() {
    assert!(lines_too_many("a.rs", &"x\n".repeat(801)).is_some());
    assert!(lines_too_many("a.rs", &"x\n".repeat(800)).is_none());
}

#[test]
fn a_long_function_is_found_and_a_short_one_is_not() {
    let long = format!("impl X {{\n    pub fn f() {{\n{}    }}\n}}\n", "        x();\n".repeat(69));
    assert_eq!(functions_too_long("a.rs", &long).len(), 1);
    let short = format!("fn f() {{\n{}}}\n\nfn g() {{\n{}}}\n", "    x();\n".repeat(60), "    x();\n".repeat(60));
    assert!(functions_too_long("a.rs", &short).is_empty());
}

#[test]
fn banned_words_are_found_with_their_remedy() {
    let word = ["to", "do!()"].concat();
    assert_eq!(banned_words("a.rs", &word).len(), 1);
    assert!(banned_words("a.rs", "a methodical list").is_empty());
    assert_eq!(nondeterminism("simulator/sim/src/world.rs", "use std::collections::HashMap;").len(), 1);
    assert!(nondeterminism("checker/core/src/x.rs", "use std::collections::HashMap;").is_empty());
}

#[test]
fn a_wide_line_is_found() {
    assert_eq!(lines_too_wide("a.rs", &"x".repeat(161)).len(), 1);
}
