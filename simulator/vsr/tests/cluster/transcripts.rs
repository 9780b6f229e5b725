//! Transcripts: files of commands and of what the cluster did, one per rule of the protocol.
//!
//! Lines that begin with `>` are commands, with `#` remarks; all others are what came out, and `UPDATE_TRANSCRIPTS=1` writes them
//! anew. The commands are described where [`crate::stage::Stage`] carries them out.

use crate::stage::Stage;
use std::path::Path;

/// Runs the commands of a transcript and returns it with what came out. An empty line follows output, and nothing else.
fn replay(text: &str) -> String {
    let mut stage = Stage::default();
    let mut out: Vec<String> = Vec::new();
    let mut has_output = false;
    for line in text.lines().filter(|line| line.starts_with("> ") || line.starts_with('#')) {
        if core::mem::take(&mut has_output) {
            out.push(String::new());
        }
        out.push(line.into());
        if let Some(command) = line.strip_prefix("> ") {
            let told = stage.perform(command);
            has_output = !told.is_empty();
            out.extend(told);
        }
    }
    out.join("\n") + "\n"
}

#[test]
fn transcripts_show_the_rules() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 30, "{} transcripts", files.len());
    let update = std::env::var_os("UPDATE_TRANSCRIPTS").is_some();
    let mut differing = Vec::new();
    for file in files {
        let recorded = std::fs::read_to_string(&file).unwrap();
        let told = replay(&recorded);
        if told == recorded {
            continue;
        }
        if update {
            std::fs::write(&file, told).unwrap();
            continue;
        }
        let line = told.lines().zip(recorded.lines()).take_while(|(new, old)| new == old).count();
        let (new, old) = (told.lines().nth(line), recorded.lines().nth(line));
        differing.push(format!("{}:{}: recorded {old:?}, now {new:?}", file.display(), line + 1));
    }
    assert!(differing.is_empty(), "UPDATE_TRANSCRIPTS=1 writes them anew:\n{}", differing.join("\n"));
}
