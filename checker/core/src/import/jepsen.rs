//! Histories of Jepsen and its kin in EDN: one map per line, or one vector or list of maps.
//!
//! In place of a map may stand Knossos' short form, `[0 :invoke :read nil]`, with an error behind the value.
//! Knossos' and Elle's files, Maelstrom's `history.edn` and Porcupine's key-value test data are the same notation.

use super::edn::{Expected, Reader};
use super::event::Events;

/// Reads a history.
///
/// # Errors
/// What was expected, and where.
pub fn read(text: &str) -> Result<Events, Expected> {
    let mut reader = Reader::new(text);
    let mut events = Events::default();
    let open = match (reader.peek()?, reader.offset()) {
        (None, offset) => return Err(Expected::at(offset, "a history, found nothing")),
        (Some(byte @ (b'[' | b'(')), offset) => {
            reader.take_delimiter();
            let is_event = reader.peek()?.is_some_and(|inside| inside == b':' || inside.is_ascii_digit());
            if is_event {
                reader = Reader::from_offset(text, offset);
            }
            (!is_event).then_some((offset, if byte == b'[' { b']' } else { b')' }))
        }
        _ => None,
    };
    let is_end = |byte: u8| open.is_some_and(|(_, close)| byte == close);
    while let (Some(byte), offset) = (reader.peek()?, reader.offset()) {
        if is_end(byte) {
            reader.take_delimiter();
            return match reader.peek()? {
                None => Ok(events.in_order()),
                Some(_) => Err(Expected::at(reader.offset(), "nothing behind the history")),
            };
        }
        if let Some(form) = reader.form()? {
            events.add(&form, offset)?;
        }
    }
    match open {
        None => Ok(events.in_order()),
        Some((open, close)) => Err(Expected::at(open, format!("'{}' for the history that opens here, but the file ends", close as char))),
    }
}
