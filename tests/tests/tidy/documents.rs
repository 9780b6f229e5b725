//! Documents: links that lead nowhere, generated parts that have drifted, invariants without a page.

use super::tree::{files, relative, root};
use std::fs;
use std::path::Path;

/// Targets of `[text](target)` in a markdown text, code blocks left out.
fn link_targets(text: &str) -> Vec<String> {
    let mut in_code = false;
    let mut targets = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let mut rest = line;
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            if let Some(end) = rest.find(')') {
                targets.push(rest[..end].to_string());
            }
        }
    }
    targets
}

fn broken_links(file: &Path, text: &str) -> Vec<String> {
    let folder = file.parent().expect("a file lies in a folder");
    link_targets(text)
        .into_iter()
        .filter(|target| !target.contains("://") && !target.starts_with('#'))
        .filter(|target| !folder.join(target.split('#').next().unwrap_or(target)).exists())
        .map(|target| format!("{}: the link to {target} leads nowhere", relative(file)))
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let mut findings = Vec::new();
    for file in files(".", &[".md"]) {
        let text = fs::read_to_string(&file).expect("markdown is UTF-8");
        findings.extend(broken_links(&file, &text));
    }
    super::assert_clean(&findings);
}

#[test]
fn a_broken_link_is_found() {
    let file = root().join("README.md");
    assert_eq!(broken_links(&file, "see [this](docs/no_such_page.md)").len(), 1);
    assert!(broken_links(&file, "see [this](https://example.org) and [that](Cargo.toml)").is_empty());
    assert!(broken_links(&file, "```\n[x](nowhere)\n```").is_empty());
}

#[test]
fn every_invariant_has_a_page_and_a_file() {
    let mut findings = Vec::new();
    for invariant in vopr_checker::INVARIANTS {
        let page = root().join(format!("docs/invariants/{}.md", invariant.name));
        if !page.exists() {
            findings.push(format!("{}: write docs/invariants/{}.md", invariant.name, invariant.name));
        }
        let code = root().join(format!("checker/core/src/invariants/{}.rs", invariant.name));
        let folder = root().join(format!("checker/core/src/invariants/{}", invariant.name));
        if !code.exists() && !folder.exists() {
            findings.push(format!("{}: one invariant, one file: checker/core/src/invariants/{}.rs", invariant.name, invariant.name));
        }
    }
    for property in vopr_checker::ELSEWHERE {
        if !root().join(format!("docs/invariants/{}.md", property.name)).exists() {
            findings.push(format!("{0}: write docs/invariants/{0}.md", property.name));
        }
    }
    super::assert_clean(&findings);
}
