//! Histories that other people recorded and judged: what this checker says about them.
//!
//! A folder holds a `MANIFEST.tsv`: file, source, format, model, verdict, origin of the verdict. Every file is imported and
//! judged as a user would do it, with nothing said but the file, and the two verdicts are compared.

mod expected;

use crate::cpu;
use anyhow::{Context, Result, bail};
use clap::Args;
use expected::Expected;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use vopr_checker::import::{self, Brought, Request};
use vopr_checker::imported::Model;
use vopr_checker::{Budget, Selection, Verdict, check_run};
use vopr_schema::History;

/// What to run.
#[derive(Args)]
pub struct Options {
    /// Folder with a MANIFEST.tsv
    dir: PathBuf,
    /// Only files whose name holds this text
    #[arg(long, default_value = "")]
    only: String,
    /// Print every file
    #[arg(long, short)]
    verbose: bool,
    /// Time for one history, seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// What came of the files of one source.
#[derive(Default)]
struct Source {
    files: u64,
    agree: u64,
    not_stated: u64,
    disagree: u64,
    operations: u64,
    parse_seconds: f64,
    check_seconds: f64,
}

/// Imports and judges all files of a folder.
///
/// # Errors
/// When the folder cannot be read, or a verdict is not the one that the manifest states.
pub fn run(options: &Options) -> Result<()> {
    let manifest = options.dir.join("MANIFEST.tsv");
    let text = std::fs::read_to_string(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
    let mut sources: BTreeMap<String, Source> = BTreeMap::new();
    let mut disagreements = Vec::new();
    for line in text.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, _, _, model, verdict, ..] = *fields else { bail!("a line of the manifest lacks fields: {line}") };
        if !file.contains(&options.only) {
            continue;
        }
        let expected = Expected::parse(file, model, verdict).with_context(|| format!("{file}: its verdict in the manifest"))?;
        let source = sources.entry(file.split('/').next().unwrap_or("").to_owned()).or_default();
        let ours = judge(&options.dir.join(file), &expected, options, source);
        source.files += 1;
        let agrees = expected.agrees(ours.as_ref().map_or(None, |told| told.holds));
        match agrees {
            Some(true) => source.agree += 1,
            None => source.not_stated += 1,
            Some(false) => {
                source.disagree += 1;
                let told = ours.as_ref().map_or_else(|error| format!("refused: {error:#}"), |told| told.words.clone());
                disagreements.push(format!("{file}\n    stated: {verdict}\n    ours:   {told}"));
            }
        }
        if options.verbose {
            println!(
                "{file}\t{}\t{}",
                if agrees == Some(false) { "DISAGREES" } else { "agrees" },
                ours.map_or_else(|error| format!("{error:#}"), |told| told.words)
            );
        }
    }
    print(&sources);
    for disagreement in &disagreements {
        println!("\n{disagreement}");
    }
    if !disagreements.is_empty() {
        bail!("{} verdicts differ", disagreements.len());
    }
    Ok(())
}

/// What this checker says of a file.
struct Told {
    /// Whether what the manifest is about holds; none when it is not decided.
    holds: Option<bool>,
    words: String,
}

fn judge(file: &Path, expected: &Expected, options: &Options, source: &mut Source) -> Result<Told> {
    let (seconds, brought) = cpu::seconds(|| import::bring(file, &Request::default()));
    source.parse_seconds += seconds;
    let brought: Brought = brought?;
    source.operations += brought.rows.len() as u64;
    let model = brought.settings.model;
    let history = import::history(&[brought]);
    let budget = Budget { time_per_run: Some(Duration::from_secs(options.seconds)), ..Budget::default() };
    if model.is_transactional() {
        let (seconds, told) = cpu::seconds(|| expected::isolation(&history, expected, &budget));
        source.check_seconds += seconds;
        return Ok(told);
    }
    // Jepsen's bank test states what snapshots add up to, and says nothing about their age.
    let invariant = if model == Model::Bank { "conservation" } else { "linearizability" };
    let (seconds, told) = cpu::seconds(|| decided(invariant, &history, &budget));
    source.check_seconds += seconds;
    let told = told?;
    Ok(Told { words: format!("{}: {}", model.name(), told.words), ..told })
}

fn decided(invariant: &str, history: &History, budget: &Budget) -> Result<Told> {
    let selection = Selection::only(&[invariant])?;
    let Some((_, verdict)) = check_run(history, 0, &selection, budget).into_iter().next() else { bail!("no verdict") };
    Ok(match verdict {
        Verdict::Pass { facts } => Told { holds: Some(true), words: format!("{invariant} holds ({facts} facts)") },
        Verdict::Violation(witness) => Told { holds: Some(false), words: format!("{invariant} is violated: {}", witness.summary) },
        // A history in which nothing was answered cannot be contradicted.
        Verdict::NotApplicable { reason } => Told { holds: Some(true), words: format!("{invariant} holds in that {reason}") },
        Verdict::Unknown { reason } => Told { holds: None, words: format!("unknown: {reason}") },
    })
}

fn print(sources: &BTreeMap<String, Source>) {
    println!(
        "{:24} {:>5} {:>6} {:>10} {:>9} {:>10} {:>9} {:>9}",
        "source", "files", "agree", "not stated", "disagree", "operations", "parse ms", "check ms"
    );
    let mut total = Source::default();
    let line = |name: &str, source: &Source| {
        println!(
            "{name:24} {:>5} {:>6} {:>10} {:>9} {:>10} {:>9.1} {:>9.1}",
            source.files,
            source.agree,
            source.not_stated,
            source.disagree,
            source.operations,
            source.parse_seconds * 1000.0,
            source.check_seconds * 1000.0
        );
    };
    for (name, source) in sources {
        line(name, source);
        total.files += source.files;
        total.agree += source.agree;
        total.not_stated += source.not_stated;
        total.disagree += source.disagree;
        total.operations += source.operations;
        total.parse_seconds += source.parse_seconds;
        total.check_seconds += source.check_seconds;
    }
    line("all", &total);
}
