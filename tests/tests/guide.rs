//! The guide as its reader meets it: every command in a `sh` block is run, in order, page by page.
//!
//! A block marked `sh duckdb` is run where that engine is installed. Blocks of other languages are not commands of ours (`text` for builds, `yaml`
//! for pipelines). Long campaigns are cut short: `-n` and `--seeds` to [`RUNS_MAX`] runs, `--for` to two seconds.

use e2e::sandbox::Sandbox;
use std::path::{Path, PathBuf};

/// No command simulates more runs of a scenario.
const RUNS_MAX: u64 = 20;

/// Makes both programs report an exit code that no command of a guide should end with: all but 0, held, and 1, violated.
const WATCH: &str = r#"
watch() { local code=0; command "$@" || code=$?; if [ "$code" -gt 1 ]; then echo "GUIDE: exit code $code of: $*" >&2; exit 99; fi; }
vopr() { watch vopr "$@"; }
vopr-check() { watch vopr-check "$@"; }
set -e
"#;

/// A block of commands, and the line where it begins.
struct Block {
    line: usize,
    needs_engine: bool,
    commands: String,
}

fn pages() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide");
    let mut pages: Vec<_> = std::fs::read_dir(folder).expect("the guide").map(|page| page.expect("a page").path()).collect();
    pages.sort();
    pages
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (open.as_mut(), line) {
            (None, "```sh" | "```sh duckdb") => {
                open = Some(Block { line: number + 1, needs_engine: line.ends_with("duckdb"), commands: String::new() });
            }
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), _) => {
                block.commands.push_str(&shortened(line));
                block.commands.push('\n');
            }
            (None, _) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// The line with fewer runs and less time.
fn shortened(line: &str) -> String {
    let mut before = "";
    let words = line.split(' ').map(|word| {
        let short = match before {
            "-n" | "--iterations" | "--seeds" => word.parse::<u64>().ok().map(|runs| runs.min(RUNS_MAX).to_string()),
            "--for" => Some("2s".to_owned()),
            _ => None,
        };
        before = word;
        short.unwrap_or_else(|| word.to_owned())
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn long_campaigns_are_cut_short_and_nothing_else() {
    assert_eq!(shortened("vopr run -n 1000 --seed 1000 --for 8h  # a night"), "vopr run -n 20 --seed 1000 --for 2s  # a night");
    let found = blocks("a\n```sh\nvopr x\n```\n```\nno\n```\n```sh duckdb\nvopr y\n```\n");
    let told: Vec<_> = found.iter().map(|block| (block.line, block.needs_engine, block.commands.as_str())).collect();
    assert_eq!(told, [(2, false, "vopr x\n"), (8, true, "vopr y\n")]);
}

#[test]
fn every_command_of_the_guide_works_as_written() {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv");
    let mut commands = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
        if venv.exists() {
            std::os::unix::fs::symlink(&venv, sandbox.path(".venv")).expect("the directory is new");
        }
        for block in blocks(&text).iter().filter(|block| !block.needs_engine || venv.exists()) {
            let outcome = sandbox.run(&format!("{WATCH}{}", block.commands));
            let place = format!("{}:{}", page.display(), block.line);
            assert_eq!(outcome.code, Some(0), "{place}\n{}\nstdout:\n{}\nstderr:\n{}", block.commands, outcome.out, outcome.err);
            commands += block.commands.lines().filter(|line| line.starts_with("vopr")).count();
        }
    }
    assert!(commands > 30, "only {commands} commands stand in blocks that are run");
}
