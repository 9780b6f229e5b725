//! Where results go: lines on standard output, and whether they may have colours.
//!
//! A reader that has gone away (`| head`) is not an error; any other failure to write is.

use std::io::{self, IsTerminal, Write};

/// Colours for text that people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint {
    colours: bool,
}

impl Paint {
    /// Colours when standard output is a terminal and neither `NO_COLOR` nor `TERM=dumb` speaks against it.
    #[must_use]
    pub fn for_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { colours: io::stdout().is_terminal() && !refused && !dumb }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Bad news.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// Good news.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// Doubt.
    #[must_use]
    pub fn doubt(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// Things of lesser weight.
    #[must_use]
    pub fn faint(self, text: &str) -> String {
        self.wrap("2", text)
    }
}

/// Standard output, or what a test puts in its place.
pub struct Sink<'a> {
    inner: Box<dyn Write + 'a>,
    closed: bool,
}

impl core::fmt::Debug for Sink<'_> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Sink").field("closed", &self.closed).finish_non_exhaustive()
    }
}

impl<'a> Sink<'a> {
    /// Lines to `inner`.
    pub fn new(inner: impl Write + 'a) -> Self {
        Self { inner: Box::new(inner), closed: false }
    }

    /// Lines to standard output.
    #[must_use]
    pub fn stdout() -> Sink<'static> {
        Sink::new(io::stdout())
    }

    /// Writes one line and flushes it, so that a killed program has said what it knew.
    ///
    /// # Errors
    /// Whatever the writer reports, except that nobody reads any more.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let written = writeln!(self.inner, "{text}").and_then(|()| self.inner.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other,
        }
    }

    /// Writes one JSON object as a line.
    ///
    /// # Errors
    /// Those of [`Sink::line`].
    pub fn object(&mut self, object: &serde_json::Value) -> io::Result<()> {
        self.line(&object.to_string())
    }
}

/// Writes one line on standard error; that nobody listens there is no reason to fail.
pub fn note(text: &str) {
    let mut stderr = io::stderr().lock();
    writeln!(stderr, "{text}").and_then(|()| stderr.flush()).unwrap_or_default();
}

/// `1234567` as `1 234 567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `n thing` or `n things`.
#[must_use]
pub fn counted(number: u64, thing: &str) -> String {
    format!("{} {}", grouped(number), vopr_checker::words::plural(number, thing))
}

/// A table with aligned columns: the first to the left, the others to the right.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let padding = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
                if column == 0 { format!("{cell}{padding}") } else { format!("{padding}{cell}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(self.0))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error() {
        let mut sink = Sink::new(Failing(io::ErrorKind::BrokenPipe));
        assert!(sink.line("one").is_ok());
        assert!(sink.line("two").is_ok());
    }

    #[test]
    fn a_full_disk_is_an_error() {
        assert!(Sink::new(Failing(io::ErrorKind::StorageFull)).line("one").is_err());
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!([grouped(0), grouped(999), grouped(1000), grouped(1_234_567)], ["0", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["a".to_owned(), "10".to_owned()], vec!["long".to_owned(), "5".to_owned()]];
        assert_eq!(table(&rows), ["a     10", "long   5"]);
    }
}
