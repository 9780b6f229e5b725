//! Why a file was refused: where, and what was expected there.
//!
//! A history that is half understood would be judged wrongly, so everything that is not understood is an error with its place.

use super::edn::Expected;
use std::path::{Path, PathBuf};

/// Why a file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Something in it is not what it should be.
    #[error("{}:{line}:{column}: {what}", file.display())]
    Malformed {
        /// Which file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What was expected, and what is there instead.
        what: String,
    },
    /// It is about the whole file.
    #[error("{}: {what}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl ImportError {
    /// Something is wrong with the whole file.
    pub fn file(file: &Path, what: impl Into<String>) -> Self {
        Self::File { file: file.to_owned(), what: what.into() }
    }

    /// Something is wrong at an offset of its text.
    #[must_use]
    pub fn at(file: &Path, text: &str, fault: Expected) -> Self {
        let mut offset = fault.offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
        Self::Malformed { file: file.to_owned(), line, column, what: fault.what }
    }
}
