//! A user's own invariants: queries over the histories, each row of their answer a violation.
//!
//! A query sees the views that docs/format.md describes. What it returns becomes findings of the same report that the built-in invariants
//! write to, so that it has the same witness, the same formats and the same exit status.

pub mod engine;

use crate::exit::Problem;
use engine::{Engine, Failed, Limits, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use vopr_checker::report::{InvariantCounts, Refused, Undecided};
use vopr_checker::{Failure, Finding, InvariantId, Report, RunVerdicts, Step, Witness};
use vopr_schema::{Dictionary, Kind};

/// Rows of one run that a witness shows.
const STEPS_MAX: usize = 100;

/// Columns that say where a row lies and need not be repeated in its words.
const PLACES: [&str; 6] = ["file", "scenario", "seed", "seq", "time_ns", "kind"];

/// The column whose text is the sentence of a violation.
const SENTENCE: &str = "message";

/// One query.
#[derive(Debug)]
pub struct Query {
    /// Name of the invariant: the file's without its ending.
    pub name: &'static str,
    /// Where it was read.
    pub path: PathBuf,
    sql: String,
}

/// A run that was checked, as far as a query's rows must be brought to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Checked {
    file: PathBuf,
    scenario: String,
    seed: u64,
    bug: Option<String>,
    replayable: bool,
    violated: bool,
}

impl Checked {
    /// What must be remembered of a run.
    #[must_use]
    pub fn of(run: &RunVerdicts) -> Self {
        Self {
            file: run.file.clone().unwrap_or_default(),
            scenario: run.scenario.clone(),
            seed: run.seed,
            bug: run.bug.clone(),
            replayable: run.replayable,
            violated: run.verdicts.iter().any(|(_, verdict)| verdict.is_violation()),
        }
    }
}

impl Checked {
    /// File, scenario and seed.
    #[must_use]
    pub fn place(&self) -> (&Path, &str, u64) {
        (&self.file, &self.scenario, self.seed)
    }
}

/// Reads the queries of a command line.
///
/// # Errors
/// When a file cannot be read, or its name is taken.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Query>, Problem> {
    let mut names = BTreeSet::new();
    let mut queries = Vec::new();
    for path in paths {
        let sql = std::fs::read_to_string(path).map_err(|error| Problem::usage(format!("{}: {error}", path.display())))?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if InvariantId::parse(&stem).is_some() || !names.insert(stem.clone()) {
            return Err(Problem::usage(format!("{}: the name `{stem}` is taken: rename the file", path.display())));
        }
        // Reports name invariants for as long as the process lives, and so many files a command line does not name.
        queries.push(Query { name: stem.leak(), path: path.clone(), sql });
    }
    Ok(queries)
}

/// Asks every query about the runs that were checked and adds the answers to the report.
pub fn ask(queries: &[Query], engine: &Engine, checked: &[Checked], limits: &Limits, report: &mut Report) {
    let mut files: Vec<&Path> = checked.iter().map(|run| run.file.as_path()).collect();
    files.dedup();
    let mut runs = Runs::new(checked);
    for query in queries {
        let mut counts =
            InvariantCounts { invariant: query.name, version: 1, pass: 0, violation: 0, unknown: 0, not_applicable: 0, facts: 0 };
        let total = checked.len() as u64;
        let answer = if files.is_empty() { Ok(Vec::new()) } else { engine.rows(&query.sql, &files, limits) };
        match answer {
            Ok(rows) => {
                let kinds = engine.kinds(&rows, &files, limits);
                counts.violation = runs.convict(query, rows, &kinds, report);
                counts.pass = total.saturating_sub(counts.violation);
                counts.facts = counts.pass;
            }
            Err(Failed::Limit(reason)) => {
                counts.unknown = total;
                let first = checked.first().map(|run| (run.scenario.clone(), run.seed)).unwrap_or_default();
                report.undecided.push(Undecided { invariant: query.name, reason, runs: total, first });
            }
            Err(Failed::Query(error)) => report.refused.push(Refused { file: query.path.clone(), error }),
            Err(Failed::Interrupted) => report.interrupted = true,
        }
        report.invariants.push(counts);
    }
}

/// The runs that were checked, by place.
struct Runs<'a> {
    by_place: BTreeMap<(&'a str, u64), Vec<&'a Checked>>,
    violated: BTreeSet<&'a Checked>,
}

impl<'a> Runs<'a> {
    fn new(checked: &'a [Checked]) -> Self {
        let mut by_place: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for run in checked {
            by_place.entry((run.scenario.as_str(), run.seed)).or_default().push(run);
        }
        Self { by_place, violated: checked.iter().filter(|run| run.violated).collect() }
    }

    /// The run that a row speaks of: none for a row that names no run, an error for one that was not to be checked.
    fn of(&self, row: &Row) -> Result<Option<&'a Checked>, ()> {
        let text = |name: &str| row.get(name).and_then(serde_json::Value::as_str);
        let (Some(scenario), Some(seed)) = (text("scenario"), number(row, "seed")) else { return Ok(None) };
        let runs = self.by_place.get(&(scenario, seed)).ok_or(())?;
        let file = text("file");
        runs.iter().find(|run| file.is_none_or(|file| run.file == Path::new(file))).map(|run| Some(*run)).ok_or(())
    }

    /// Adds findings to the report; the number of runs that have one.
    fn convict(&mut self, query: &Query, rows: Vec<Row>, kinds: &engine::Kinds, report: &mut Report) -> u64 {
        let mut by_run: BTreeMap<Option<&Checked>, Vec<Row>> = BTreeMap::new();
        for row in rows {
            if let Ok(run) = self.of(&row) {
                by_run.entry(run).or_default().push(row);
            }
        }
        let convicted = by_run.len() as u64;
        for (run, rows) in by_run {
            let finding = Finding { invariant: query.name, witness: witness(query, &rows, kinds), because_of: None };
            let fresh = run.is_none_or(|run| self.violated.insert(run));
            report.add_finding(failure(run), finding, fresh);
        }
        convicted
    }
}

/// A failure without findings of the run that rows speak of.
fn failure(run: Option<&Checked>) -> Failure {
    let (file, scenario) = run.map_or((None, "all histories together"), |run| (Some(run.file.clone()), run.scenario.as_str()));
    Failure {
        file,
        scenario: scenario.to_owned(),
        seed: run.map_or(0, |run| run.seed),
        bug: run.and_then(|run| run.bug.clone()),
        replayable: run.is_some_and(|run| run.replayable),
        findings: Vec::new(),
    }
}

fn witness(query: &Query, rows: &[Row], kinds: &engine::Kinds) -> Witness {
    let first = rows.first().map(words).unwrap_or_default();
    let count = crate::terminal::counted(rows.len() as u64, "row");
    let steps = rows.iter().take(STEPS_MAX).filter_map(|row| step(row, kinds));
    Witness::new(query.name, format!("the query returned {count}: {first}")).steps(steps)
}

fn step(row: &Row, kinds: &engine::Kinds) -> Option<Step> {
    let (place, found) = (engine::place(row)?, number(row, "seq")?);
    let (kind, time_ns) = kinds.get(&place).copied().unwrap_or((Kind::Run, None));
    let kind = row.get("kind").and_then(serde_json::Value::as_str).and_then(Kind::parse).unwrap_or(kind);
    let mut step = Step::new(kind, found, words(row));
    step.time_ns = number(row, "time_ns").or(time_ns);
    step.replica = number(row, "replica").and_then(|replica| u8::try_from(replica).ok());
    Some(step)
}

/// A row's number of that name; engines write large ones as text.
fn number(row: &Row, name: &str) -> Option<u64> {
    let value = row.get(name)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// What a row says: its sentence, or its columns by name.
fn words(row: &Row) -> String {
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(sentence) = row.get(SENTENCE) {
        return text(sentence);
    }
    let columns = row.iter().filter(|(name, _)| !PLACES.contains(&name.as_str()));
    let words = columns.map(|(name, value)| format!("{name} {}", text(value))).collect::<Vec<_>>().join(", ");
    if words.is_empty() { "the query returned this row".to_owned() } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::{clean, mixed, run, violation};
    use serde_json::json;

    fn rows(values: &[serde_json::Value]) -> Vec<Row> {
        values.iter().map(|value| value.as_object().unwrap().clone()).collect()
    }

    fn query() -> Query {
        Query { name: "mine", path: "mine.sql".into(), sql: String::new() }
    }

    #[test]
    fn rows_become_findings_of_the_runs_that_they_name() {
        let checked = [run("b.parquet", 3, violation()), run("b.parquet", 4, vopr_checker::Verdict::unknown("no time"))];
        let checked: Vec<Checked> = checked.iter().map(Checked::of).collect();
        let mut report = mixed();
        let kinds = BTreeMap::from([(("baseline".to_owned(), 4, 7), (Kind::Message, Some(12)))]);
        let found = rows(&[
            json!({ "scenario": "baseline", "seed": 3, "seq": 5, "x": 1 }),
            json!({ "scenario": "baseline", "seed": "4", "seq": "7", "message": "too slow" }),
            json!({ "scenario": "baseline", "seed": 99, "seq": 7 }),
        ]);
        assert_eq!(Runs::new(&checked).convict(&query(), found, &kinds, &mut report), 2);
        assert_eq!((report.failing_runs, report.failures.len(), report.failures[0].findings.len()), (2, 2, 2));
        let witness = &report.failures[1].findings[0].witness;
        assert_eq!(witness.summary, "the query returned 1 row: too slow");
        assert_eq!((witness.steps[0].kind, witness.steps[0].seq, witness.steps[0].time_ns), (Kind::Message, 7, Some(12)));
    }

    #[test]
    fn a_row_that_names_no_run_speaks_of_all() {
        let mut report = clean();
        let found = rows(&[json!({ "lost": 3 }), json!({ "lost": 4 })]);
        assert_eq!(Runs::new(&[]).convict(&query(), found, &BTreeMap::new(), &mut report), 1);
        assert_eq!(report.failures[0].findings[0].witness.summary, "the query returned 2 rows: lost 3");
        assert_eq!((report.failing_runs, &report.failures[0].file), (1, &None));
    }

    #[test]
    fn names_must_be_free() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| {
            let path = home.path().join(name);
            std::fs::write(&path, "select 1").unwrap();
            path
        };
        let taken = format!("{}.sql", InvariantId(0).name());
        assert!(read(&[path(&taken)]).unwrap_err().to_string().contains("is taken"));
        assert!(read(&[path("a.sql"), path("a.sql")]).is_err());
        assert!(read(&[home.path().join("none.sql")]).is_err());
        assert_eq!(read(&[path("a.sql")]).unwrap()[0].name, "a");
    }
}
