//! The guide and the README as their reader meets them: every command in a `sh` block is run, in order, page by page.
//!
//! A block marked `sh duckdb` is run where that engine is installed. Blocks of other languages are not commands of ours (`text` for builds, `yaml`
//! for pipelines). Long campaigns are cut short: `-n` to [`RUNS_MAX`] runs of a scenario, `--for` to two seconds.

use e2e::sandbox::Sandbox;
use std::path::{Path, PathBuf};

/// No command simulates more runs of a scenario.
const RUNS_MAX: u64 = 20;

/// A command of a page, and what it must end with: 0, unless its comment says `exit N`.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    line: usize,
    command: String,
    code: i32,
    needs_engine: bool,
}

fn pages() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide");
    let mut pages: Vec<_> = std::fs::read_dir(folder).expect("the guide").map(|page| page.expect("a page").path()).collect();
    pages.sort();
    pages
}

/// The commands of all `sh` blocks. A line is a command, with the lines of its here-document if it has one.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut engine = None;
    let mut document: Option<String> = None;
    for (number, line) in text.lines().enumerate() {
        match (engine, line) {
            (None, "```sh" | "```sh duckdb") => engine = Some(line.ends_with("duckdb")),
            (None, _) => {}
            (Some(_), "```") => engine = None,
            (Some(_), line) if document.is_some() => {
                let step = steps.last_mut().expect("a command began the document");
                step.command = format!("{}\n{line}", step.command);
                document = document.filter(|end| end != line);
            }
            (Some(needs_engine), line) => {
                document = line.split_once("<<'").and_then(|(_, rest)| rest.split_once('\'')).map(|(end, _)| end.to_owned());
                let code = line.split_once("# exit ").map_or(0, |(_, code)| code.trim().parse().expect("an exit code"));
                steps.push(Step { line: number + 1, command: shortened(line), code, needs_engine });
            }
        }
    }
    assert!(engine.is_none() && document.is_none(), "a block or a document is not closed");
    steps
}

/// The line with fewer runs and less time.
fn shortened(line: &str) -> String {
    let mut before = "";
    let words = line.split(' ').map(|word| {
        let short = match before {
            "-n" | "--iterations" => word.parse::<u64>().ok().map(|runs| runs.min(RUNS_MAX).to_string()),
            "--for" => Some("2s".to_owned()),
            _ => None,
        };
        before = word;
        short.unwrap_or_else(|| word.to_owned())
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn commands_are_found_with_what_they_end_with() {
    assert_eq!(shortened("vopr run -n 1000 --seed 1000 --for 8h  # a night"), "vopr run -n 20 --seed 1000 --for 2s  # a night");
    let found = steps("a\n```sh\nvopr x  # exit 1\ncat > f <<'E'\nvopr no\nE\n```\n```\nno\n```\n```sh duckdb\nvopr y\n```\n");
    let step = |line, command: &str, code, needs_engine| Step { line, command: command.to_owned(), code, needs_engine };
    let expected = [step(3, "vopr x  # exit 1", 1, false), step(4, "cat > f <<'E'\nvopr no\nE", 0, false), step(12, "vopr y", 0, true)];
    assert_eq!(found, expected);
}

/// Runs a command of a page and requires that it ends as the page says.
fn run(sandbox: &Sandbox, page: &Path, step: &Step) {
    let outcome = sandbox.run(&step.command);
    let told = format!("{}\nstdout:\n{}\nstderr:\n{}", step.command, outcome.out, outcome.err);
    assert_eq!(outcome.code, Some(step.code), "{}:{}: {told}", page.display(), step.line);
}

#[test]
fn every_command_of_the_guide_ends_as_it_says() {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv");
    let mut commands = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
        if venv.exists() {
            std::os::unix::fs::symlink(&venv, sandbox.path(".venv")).expect("the directory is new");
        }
        for step in steps(&text).iter().filter(|step| !step.needs_engine || venv.exists()) {
            run(&sandbox, &page, step);
            commands += usize::from(step.command.starts_with("vopr"));
        }
    }
    assert!(commands > 40, "only {commands} commands stand in blocks that are run");
}

#[test]
fn every_command_of_the_readme_ends_as_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = root.join("README.md");
    let text = std::fs::read_to_string(&page).expect("the README");
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
    // Its reader has just built both programs where cargo puts them.
    std::fs::create_dir(sandbox.path("target")).expect("the directory is new");
    std::os::unix::fs::symlink(sandbox.path("bin"), sandbox.path("target/release")).expect("the directory is new");
    let (scripts, commands): (Vec<Step>, Vec<Step>) = steps(&text).into_iter().partition(|step| step.command.starts_with("sh tools/"));
    // These two build everything and take minutes: it is enough here that the shell can read them.
    let names: Vec<&str> = scripts.iter().map(|step| step.command.as_str()).collect();
    assert_eq!(names, ["sh tools/demo.sh", "sh tools/test.sh"]);
    for step in &scripts {
        let script = root.join(step.command.trim_start_matches("sh ")).canonicalize().expect("the script is there");
        run(&sandbox, &page, &Step { command: format!("sh -n {}", script.display()), line: step.line, code: 0, needs_engine: false });
    }
    assert!(commands.len() >= 3 && commands.iter().all(|step| step.command.starts_with("target/release/vopr")), "{commands:?}");
    for step in &commands {
        run(&sandbox, &page, step);
    }
}
