//! `--explain NAME`: what an invariant says, why, and what it does not check.
//!
//! The pages are part of the program: whoever meets a violation need not have the sources at hand.

use crate::args::Format;
use crate::exit::Exit;
use crate::output::json;
use crate::terminal::Sink;
use std::io;
use vopr_checker::registry::{ELSEWHERE, INVARIANTS};

/// Names and texts, by name.
const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// All that there is a page about.
pub fn names() -> impl Iterator<Item = &'static str> {
    INVARIANTS.iter().map(|invariant| invariant.name).chain(ELSEWHERE.iter().map(|property| property.name))
}

/// The page about an invariant.
#[must_use]
pub fn page(name: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Prints pages, in the order in which they were asked for.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(names: &[String], format: Format, sink: &mut Sink<'_>) -> io::Result<Exit> {
    for (place, name) in names.iter().enumerate() {
        let text = page(name).unwrap_or_default();
        if format == Format::Json {
            let mut object = json::invariants().chain(json::elsewhere()).find(|object| object["name"] == name.as_str()).unwrap_or_default();
            object["text"] = text.into();
            sink.object(&object)?;
            continue;
        }
        if place > 0 {
            sink.line("")?;
        }
        sink.line(text.trim_end())?;
    }
    Ok(Exit::Held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_page_and_every_page_a_name() {
        assert!(names().all(|name| page(name).is_some_and(|text| text.starts_with(&format!("# `{name}`")))));
        assert_eq!(names().count(), PAGES.len());
    }
}
