//! Going through the runs of a family line by line, for whoever needs more of them than their sums.

use super::line::{Line, RunLine};
use super::read::part_kind;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

/// Visits every run of a family, in no order; a run that stands in several files is visited as often.
///
/// Lines that cannot be taken are passed over: [`super::Directory`] tells of them.
///
/// # Errors
/// When a file cannot be read.
pub fn each_run(directory: &Path, family: &str, mut visit: impl FnMut(&RunLine)) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| part_kind(&name.to_string_lossy()).is_some()) {
            of_file(&path, family, &mut visit)?;
        }
    }
    Ok(())
}

fn of_file(path: &Path, family: &str, visit: &mut impl FnMut(&RunLine)) -> io::Result<()> {
    let mut belongs = false;
    for bytes in BufReader::new(File::open(path)?).split(b'\n') {
        match Line::parse(&bytes?) {
            Ok(Line::Begin(begin)) => belongs = begin.plan.is_some_and(|plan| plan.family == family),
            Ok(Line::Run(run)) if belongs => visit(&run),
            _ => {}
        }
    }
    Ok(())
}
