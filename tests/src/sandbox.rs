//! A directory of its own in which the two programs run as a user's shell would run them.
//!
//! Commands are given as text, because what is tested is also that the texts which the programs print can be pasted.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest time that anything in a test may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// A directory with both programs on its path.
#[derive(Debug)]
pub struct Sandbox {
    home: TempDir,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The command.
    pub line: String,
    /// Exit status; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Outcome {
    /// Requires an exit status.
    ///
    /// # Panics
    /// When it was another one, with everything that was printed.
    #[must_use]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\nstdout:\n{}\nstderr:\n{}", self.line, self.out, self.err);
        self
    }

    /// Requires a text on standard output.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text), "{}\nstandard output lacks {text:?}:\n{}\nstderr:\n{}", self.line, self.out, self.err);
        self
    }

    /// Requires a text on standard error.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn warns(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{}\nstandard error lacks {text:?}:\n{}", self.line, self.err);
        self
    }
}

impl Sandbox {
    /// A new directory; the arguments are the paths of the two binaries.
    ///
    /// # Panics
    /// When the system gives no directory.
    #[must_use]
    pub fn new(vopr: &str, vopr_check: &str) -> Self {
        let home = TempDir::new().expect("a test needs a temporary directory");
        let programs = home.path().join("bin");
        std::fs::create_dir(&programs).expect("the directory is new");
        for (name, path) in [("vopr", vopr), ("vopr-check", vopr_check)] {
            std::os::unix::fs::symlink(path, programs.join(name)).expect("the directory is new");
        }
        Self { home }
    }

    /// The path of a file in the directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file into the directory.
    ///
    /// # Panics
    /// When that fails.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), contents).expect("a test may write to its own directory");
    }

    /// Names of the files in a folder of the directory that end with `ending`, sorted.
    ///
    /// # Panics
    /// When there is no such folder.
    #[must_use]
    pub fn files(&self, folder: &str, ending: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path(folder)).expect("the folder exists");
        let paths = entries.map(|entry| entry.expect("a readable folder").path());
        let mut files: Vec<PathBuf> = paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
        files.sort();
        files
    }

    fn command(&self, line: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command.arg("-c").arg(line).current_dir(self.home.path()).stdin(Stdio::null());
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        for variable in ["VOPR_ITERATIONS", "VOPR_SEED", "VOPR_OUTPUT_DIR"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs a command line to its end.
    ///
    /// # Panics
    /// When there is no shell.
    #[must_use]
    pub fn run(&self, line: &str) -> Outcome {
        let output = self.command(line).output().expect("bash runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Outcome { line: line.to_owned(), code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Starts a command line; the process is the program itself, so that signals reach it.
    ///
    /// # Panics
    /// When there is no shell.
    #[must_use]
    pub fn start(&self, line: &str) -> Running {
        let child = self.command(&format!("exec {line}")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Running { line: line.to_owned(), child: child.expect("bash runs") }
    }
}

/// A command that has not ended.
#[derive(Debug)]
pub struct Running {
    line: String,
    child: Child,
}

impl Running {
    /// Waits until `condition` holds.
    ///
    /// # Panics
    /// When the command ends before, or it takes too long.
    pub fn until(&mut self, mut condition: impl FnMut() -> bool) {
        let started = Instant::now();
        while !condition() {
            let ended = self.child.try_wait().expect("the child is ours");
            assert!(ended.is_none(), "{} ended too early: {ended:?}", self.line);
            assert!(started.elapsed() < PATIENCE, "{} takes too long", self.line);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends a signal by name, such as `INT` or `KILL`.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill exists");
        assert!(sent.success(), "signal {name} to {}", self.line);
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When the output cannot be read.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        let output = self.child.wait_with_output().expect("the child is ours");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Outcome { line: self.line, code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// The commands that a program printed behind one of these words at the beginning of a line.
#[must_use]
pub fn printed_commands(text: &str, words: &[&str]) -> Vec<String> {
    let after = |line: &str| words.iter().find_map(|word| line.trim_start().strip_prefix(word)?.strip_prefix(' ').map(str::to_owned));
    text.lines().filter_map(after).map(|command| command.trim().to_owned()).collect()
}

/// Whether a path is there and not empty.
#[must_use]
pub fn is_filled(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.len() > 0)
}
