//! What the exit status of a program means.
//!
//! Both programs, their help texts, the documentation and its test take the numbers from this one enum.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// The outcome of a program, in the order of precedence: of two, the greater one becomes the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything that was asked held.
    Held,
    /// There was nothing to do.
    NothingToDo,
    /// Something stayed undecided, or was not exercised, where certainty was asked.
    Inconclusive,
    /// An input could not be taken.
    Refused,
    /// The program itself failed.
    Internal,
    /// A violation was found.
    Violated,
    /// The user stopped the program.
    Interrupted,
    /// The command line was wrong.
    Usage,
}

impl Exit {
    /// All outcomes, by number.
    pub const ALL: [Self; 8] =
        [Self::Held, Self::Violated, Self::Usage, Self::Inconclusive, Self::Refused, Self::NothingToDo, Self::Internal, Self::Interrupted];

    /// The exit status.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Violated => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Refused => 4,
            Self::NothingToDo => 5,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }

    /// One line for help texts and documentation.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Held => "held: nothing violated (without --strict some verdicts may be unknown; they are printed)",
            Self::Violated => "violated: at least one run breaks an invariant, got stuck, panicked, or is not deterministic",
            Self::Usage => "usage: the command line is wrong, or names a place that cannot be written",
            Self::Inconclusive => {
                "inconclusive: unknown verdicts under --strict, too little evidence under --require-evidence, or situations of --require not seen"
            }
            Self::Refused => "refused: an input is unreadable, damaged, or of a newer format; the others were still checked",
            Self::NothingToDo => "nothing to do: no file or run matched, or no chosen invariant had anything to test",
            Self::Internal => "internal: the program or its surroundings failed (disk full, an assertion of ours)",
            Self::Interrupted => "interrupted: results so far are saved",
        }
    }

    /// The more important of two outcomes.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }

    /// The section that both programs print at the end of `--help`.
    #[must_use]
    pub fn help() -> String {
        let mut text = String::from("Exit codes:\n");
        for exit in Self::ALL {
            writeln!(text, "  {:>3}  {}", exit.code(), exit.meaning()).expect("writing to a string cannot fail");
        }
        text.push_str("Of several outcomes the first of 130, 1, 70, 4, 3, 5 is reported.");
        text
    }
}

/// Why a program ends before its work is done: the exit status and what to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The outcome.
    pub exit: Exit,
    /// For people.
    pub message: String,
}

impl Problem {
    /// The command line asks for something that cannot be.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// An input cannot be taken.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, message: message.into() }
    }

    /// There is nothing to work on.
    pub fn nothing(message: impl Into<String>) -> Self {
        Self { exit: Exit::NothingToDo, message: message.into() }
    }

    /// Something cannot be written where the command line asks for it; `what` is that thing. A place that can never be written is a mistake
    /// of the command line, a full disk is a failure.
    #[must_use]
    pub fn unwritable(path: &Path, what: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        let misplaced = [
            Kind::NotFound,
            Kind::PermissionDenied,
            Kind::AlreadyExists,
            Kind::NotADirectory,
            Kind::IsADirectory,
            Kind::ReadOnlyFilesystem,
            Kind::InvalidInput,
            Kind::InvalidFilename,
        ];
        let is_misplaced = misplaced.contains(&error.kind());
        let advice = if is_misplaced { ": name another place" } else { "" };
        let message = format!("{}: {what} cannot be written there: {error}{advice}", path.display());
        if is_misplaced { Self::usage(message) } else { Self::internal(message) }
    }

    /// The same for a history.
    #[must_use]
    pub fn unwritten(path: &Path, what: &str, error: &vopr_schema::WriteError) -> Self {
        match error {
            vopr_schema::WriteError::File { source, .. } => Self::unwritable(path, what, source),
            other => Self::internal(format!("{}: {other}", path.display())),
        }
    }

    /// The program, the disk or the system failed.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { exit: Exit::Internal, message: message.into() }
    }
}

impl core::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(&self.message)
    }
}

/// Runs a program; a panic of ours ends it with [`Exit::Internal`] and says what to do.
pub fn guarded(program: &str, run: impl FnOnce() -> Exit) -> Exit {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|_| {
        crate::terminal::note(&format!("{program}: this is a mistake of ours: please report the message above, the command and --version"));
        Exit::Internal
    })
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self::internal(format!("standard output: {error}"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_manual() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 70, 130]);
    }

    #[test]
    fn precedence_is_the_one_that_the_help_prints() {
        let mut all = Exit::ALL.to_vec();
        all.retain(|exit| !matches!(exit, Exit::Held | Exit::Usage));
        all.sort();
        all.reverse();
        let printed = all.iter().map(|exit| exit.code().to_string()).collect::<Vec<_>>().join(", ");
        assert!(Exit::help().contains(&printed), "{printed}");
    }

    #[test]
    fn a_wrong_place_is_a_mistake_of_the_command_line_and_a_full_disk_is_none() {
        let problem = |kind: std::io::ErrorKind| Problem::unwritable(Path::new("a/b"), "the page", &kind.into());
        assert_eq!(problem(std::io::ErrorKind::NotFound).exit, Exit::Usage);
        assert_eq!(problem(std::io::ErrorKind::StorageFull).exit, Exit::Internal);
        assert!(problem(std::io::ErrorKind::NotADirectory).message.starts_with("a/b: the page cannot be written there: "));
    }

    #[test]
    fn a_panic_is_an_internal_error() {
        assert_eq!(guarded("test", || panic!("on purpose")), Exit::Internal);
        assert_eq!(guarded("test", || Exit::Violated), Exit::Violated);
    }

    #[test]
    fn violation_wins_over_refusal_and_refusal_over_doubt() {
        assert_eq!(Exit::Refused.and(Exit::Violated), Exit::Violated);
        assert_eq!(Exit::Refused.and(Exit::Inconclusive), Exit::Refused);
        assert_eq!(Exit::Held.and(Exit::Inconclusive), Exit::Inconclusive);
    }
}
