//! Writing to a campaign's directory: a file per process, lines behind lines, each durable before anybody is told of it.
//!
//! No process writes to a file of another one, not even of one that was killed: whatever stands there stays.

use super::date::{now_ms, stamp};
use super::line::{Begin, End, Line, PlanRecord};
use crate::seeds::random_seed;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A name that nobody else draws: when, which shard, and a drawn number.
#[must_use]
pub fn new_id(shard: [u64; 2]) -> String {
    format!("{}-{}of{}-{:010x}", stamp(now_ms()), shard[0], shard[1], random_seed())
}

/// File name of a plan.
#[must_use]
pub fn plan_file(plan: &str) -> String {
    format!("plan-{plan}.json")
}

/// Writes a file in one step, durably.
///
/// # Errors
/// When the disk refuses.
pub fn write_whole(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut file = File::create(&partial)?;
    file.write_all(contents)?;
    file.sync_all()?;
    std::fs::rename(&partial, path)?;
    sync_folder(path)
}

/// Writes a plan to its file.
///
/// # Errors
/// When the disk refuses.
pub fn write_plan(directory: &Path, plan: &PlanRecord) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(plan)?;
    text.push('\n');
    write_whole(&directory.join(plan_file(&plan.id)), text.as_bytes())
}

/// Holds a plan for this process until the file is dropped or the process is gone; none when another one holds it.
///
/// # Errors
/// When there is no such plan, or the file system has no locks.
pub fn hold_plan(directory: &Path, plan: &str) -> io::Result<Option<File>> {
    let file = File::open(directory.join(plan_file(plan)))?;
    // Somebody who only looks whether it is held holds it for an instant.
    for _ in 0..20 {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether a process holds a plan.
pub(super) fn is_held(directory: &Path, plan: &str) -> bool {
    let Ok(file) = File::open(directory.join(plan_file(plan))) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// The file that this process adds lines to.
#[derive(Debug)]
pub struct Part {
    /// Its name in the directory.
    pub name: String,
    file: File,
}

impl Part {
    /// A new file, called `KIND-PLAN-DRAWN.jsonl`, with its first line.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn create(directory: &Path, kind: &str, plan: &str, begin: Begin) -> io::Result<Self> {
        let name = format!("{kind}-{plan}-{:010x}.jsonl", random_seed());
        let path = directory.join(&name);
        let file = OpenOptions::new().create_new(true).append(true).open(&path)?;
        let mut part = Self { name, file };
        part.append(&[Line::Begin(Box::new(begin))])?;
        sync_folder(&path)?;
        Ok(part)
    }

    /// Adds lines; they are durable when this returns.
    ///
    /// # Errors
    /// When the disk refuses. A part of the last line may stand there then: nothing may be added behind it.
    pub fn append(&mut self, lines: &[Line]) -> io::Result<()> {
        let text: String = lines.iter().map(Line::text).collect();
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()
    }

    /// Adds the last line.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn end(&mut self, why: &str) -> io::Result<()> {
        self.append(&[Line::End(End { why: why.to_owned(), at_ms: now_ms() })])
    }
}

/// Flushes the folder of a file, without which its name may not survive a crash of the machine.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
