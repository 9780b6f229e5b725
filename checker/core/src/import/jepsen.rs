//! Histories of Jepsen and its kin in EDN: one map per line, or one vector or list of maps.
//!
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
    let close = match reader.peek()? {
        None => return Err(Expected::at(reader.offset(), "a history, found nothing")),
        Some(b'[') => b']',
        Some(b'(') => b')',
        Some(_) => {
            while let (Some(_), offset) = (reader.peek()?, reader.offset()) {
                if let Some(form) = reader.form()? {
                    events.add(&form, offset)?;
                }
            }
            return Ok(events.in_order());
        }
    };
    let open = reader.offset();
    reader.take_delimiter();
    loop {
        match reader.peek()? {
            None => return Err(Expected::at(open, format!("'{}' for the history that opens here, but the file ends", close as char))),
            Some(byte) if byte == close => break,
            Some(_) => {
                let offset = reader.offset();
                if let Some(form) = reader.form()? {
                    events.add(&form, offset)?;
                }
            }
        }
    }
    reader.take_delimiter();
    match reader.peek()? {
        None => Ok(events.in_order()),
        Some(_) => Err(Expected::at(reader.offset(), "nothing behind the history")),
    }
}
