//! Lines of `jepsen.log`, which are what Porcupine's etcd histories are, and of `history.txt`.
//!
//! `INFO  jepsen.util - 4 :invoke :cas [3 1]`, parted by tabs: a process, what happened, a function, a value, and perhaps an error, which
//! may be any text, or named remarks (Porcupine's larger etcd logs have `:hint 7`, a revision). Newer logs have
//! `[jepsen worker 4] jepsen.util: 4` there. Other lines of a log are passed over and counted.

use super::edn::{Edn, Expected, Reader};
use super::event::{Event, EventKind, Events};

/// What stands before the process in a line of a log: old ones have a dash behind it, newer ones a colon, some nothing.
const MARK: &str = "jepsen.util";

/// Reads a log.
///
/// # Errors
/// What was expected, and where.
pub fn read(text: &str) -> Result<Events, Expected> {
    let mut events = Events::default();
    let mut offset = text.len() - text.trim_start_matches('\u{feff}').len();
    for line in text[offset..].split_inclusive('\n') {
        add(line.trim_end(), offset, &mut events)?;
        offset += line.len();
    }
    if events.events.is_empty() {
        return Err(Expected::at(0, format!("a line with \"{MARK}\", or of the form \"0 :invoke :read nil\"; found none")));
    }
    Ok(events)
}

/// Whether a line has the form of an operation.
#[must_use]
pub fn looks_like(line: &str) -> bool {
    body(line).is_some_and(|start| {
        let mut words = line[start..].split_whitespace();
        words.next().is_some() && words.next().and_then(|word| word.strip_prefix(':')).and_then(EventKind::parse).is_some()
    })
}

/// Where the process begins, if this may be an operation.
fn body(line: &str) -> Option<usize> {
    if let Some(mark) = line.find(MARK) {
        let behind = &line[mark + MARK.len()..];
        let rest = behind.strip_prefix(" - ").or_else(|| behind.strip_prefix(": ")).or_else(|| behind.strip_prefix([' ', '\t']))?;
        return Some(line.len() - rest.trim_start().len());
    }
    let start = line.len() - line.trim_start().len();
    line[start..].starts_with(|first: char| first.is_ascii_digit() || first == ':').then_some(start)
}

fn add(line: &str, offset: usize, events: &mut Events) -> Result<(), Expected> {
    let Some(start) = body(line).filter(|_| looks_like(line)) else {
        events.skipped_lines += u64::from(!line.is_empty());
        return Ok(());
    };
    let begin = offset + start;
    let elsewhere = |error: Expected| Expected::at(begin + error.offset, error.what);
    let wrong = |what: &str| Expected::at(begin, what);
    let mut reader = Reader::new(&line[start..]);
    let mut next = || reader.form().map_err(elsewhere);
    let process = next()?.ok_or_else(|| wrong("a process"))?;
    let kind = next()?.as_ref().and_then(Edn::word).and_then(EventKind::parse);
    let kind = kind.ok_or_else(|| wrong(":invoke, :ok, :fail or :info behind the process"))?;
    let Some(process) = process.integer() else {
        events.of_faults += 1;
        return Ok(());
    };
    let process = u32::try_from(process).map_err(|_| wrong("a process from 0 to 4294967295"))?;
    let function = next()?.ok_or_else(|| wrong("a function such as :read behind the type"))?;
    let function = function.word().ok_or_else(|| wrong("a word for the function"))?.into();
    // What an operation that did not succeed tells is an error, in words or in any notation.
    let told = matches!(kind, EventKind::Invoke | EventKind::Ok);
    let value = if told { next()? } else { next().unwrap_or(None) }.unwrap_or(Edn::Nil);
    if told {
        let mut behind = Vec::new();
        while let Some(form) = next()? {
            behind.push(form);
        }
        let are_remarks = behind.chunks(2).all(|pair| matches!(pair, [Edn::Keyword(_), _]));
        if behind.len() > 1 && !are_remarks {
            return Err(wrong("a process, a type, a function, a value and an error or remarks such as :hint 7 in a line, found more"));
        }
    }
    events.events.push(Event { kind, process, function, key: None, value, time_ns: None, offset: begin });
    Ok(())
}
