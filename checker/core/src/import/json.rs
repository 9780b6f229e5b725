//! JSON into the forms that EDN has, with the place of every record.
//!
//! Jepsen's JSON has texts where EDN has keywords; otherwise the two tell the same, so everything behind the reader is shared.

use super::edn::{DEPTH_MAX, Edn, Expected, Reader};
use super::event::Events;

/// Reads a history: an array of records, or one record after the other.
///
/// # Errors
/// What was expected, and where.
pub fn read(text: &str) -> Result<Events, Expected> {
    let mut events = Events::default();
    each(text, |form, offset| events.add(&form, offset))?;
    Ok(events.in_order())
}

/// Hands over the records of a text: the elements of one array, or one value after the other.
///
/// # Errors
/// What was expected, and where; or what `take` says.
pub fn each(text: &str, mut take: impl FnMut(Edn, usize) -> Result<(), Expected>) -> Result<(), Expected> {
    let mut json = Json { text, at: if text.starts_with('\u{feff}') { 3 } else { 0 } };
    json.blanks();
    let Some(first) = json.byte() else { return Err(Expected::at(json.at, "a history, found nothing")) };
    if first != b'[' {
        while json.byte().is_some() {
            let offset = json.at;
            take(json.value(0)?, offset)?;
            json.blanks();
        }
        return Ok(());
    }
    let open = json.at;
    json.at += 1;
    json.blanks();
    if json.byte() == Some(b']') {
        json.at += 1;
    } else {
        loop {
            json.blanks();
            let offset = json.at;
            take(json.value(1)?, offset)?;
            if !json.more(b']', open)? {
                break;
            }
        }
    }
    json.blanks();
    if json.byte().is_some() { json.fail("nothing behind the history") } else { Ok(()) }
}

struct Json<'a> {
    text: &'a str,
    at: usize,
}

impl Json<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
    }

    fn fail<T>(&self, what: impl Into<String>) -> Result<T, Expected> {
        Err(Expected::at(self.at, what))
    }

    fn value(&mut self, depth: usize) -> Result<Edn, Expected> {
        if depth >= DEPTH_MAX {
            return self.fail(format!("values nested at most {DEPTH_MAX} deep"));
        }
        let open = self.at;
        match self.byte() {
            None => self.fail("a JSON value, but the text ends"),
            Some(b'"') => self.string().map(Edn::Text),
            Some(b'{') => self.object(depth),
            Some(b'[') => {
                self.at += 1;
                let mut values = Vec::new();
                self.blanks();
                if self.byte() == Some(b']') {
                    self.at += 1;
                    return Ok(Edn::Vector(values));
                }
                loop {
                    self.blanks();
                    values.push(self.value(depth + 1)?);
                    if !self.more(b']', open)? {
                        return Ok(Edn::Vector(values));
                    }
                }
            }
            Some(_) => self.atom(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Edn, Expected> {
        let open = self.at;
        self.at += 1;
        let mut pairs = Vec::new();
        self.blanks();
        if self.byte() == Some(b'}') {
            self.at += 1;
            return Ok(Edn::Map(pairs));
        }
        loop {
            self.blanks();
            if self.byte() != Some(b'"') {
                return self.fail("a name in quotes");
            }
            let name = self.string()?;
            self.blanks();
            if self.byte() != Some(b':') {
                return self.fail("':' behind the name");
            }
            self.at += 1;
            self.blanks();
            pairs.push((Edn::Text(name), self.value(depth + 1)?));
            if !self.more(b'}', open)? {
                return Ok(Edn::Map(pairs));
            }
        }
    }

    /// Whether a comma, or the end, of what opened at `open` comes next.
    fn more(&mut self, close: u8, open: usize) -> Result<bool, Expected> {
        self.blanks();
        let byte = self.byte();
        if byte.is_none() {
            return Err(Expected::at(open, format!("'{}' for what opens here, but the text ends", close as char)));
        }
        if byte != Some(b',') && byte != Some(close) {
            return self.fail(format!("',' or '{}'", close as char));
        }
        self.at += 1;
        Ok(byte == Some(b','))
    }

    /// Texts are written alike in both notations, but for control characters, which JSON does not allow.
    fn string(&mut self) -> Result<Box<str>, Expected> {
        let start = self.at;
        let mut reader = Reader::from_offset(self.text, start);
        let form = reader.form()?;
        self.at = reader.offset();
        if let Some(place) = self.text[start..self.at].bytes().position(|byte| byte < 0x20) {
            return Err(Expected::at(start + place, "no control character inside a text"));
        }
        match form {
            Some(Edn::Text(text)) => Ok(text),
            _ => Err(Expected::at(start, "a text in quotes")),
        }
    }

    fn atom(&mut self) -> Result<Edn, Expected> {
        let open = self.at;
        let rest = &self.text[open..];
        let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let token = &rest[..rest.bytes().position(|byte| !part(byte)).unwrap_or(rest.len())];
        self.at += token.len();
        let wrong = || Expected::at(open, "a JSON value");
        match token {
            "null" => Ok(Edn::Nil),
            "true" => Ok(Edn::Bool(true)),
            "false" => Ok(Edn::Bool(false)),
            _ if token.starts_with(|first: char| first.is_ascii_digit() || first == '-')
                && !token.ends_with(['N', 'M'])
                && !token.contains(['x', '/']) =>
            {
                match Reader::new(token).form() {
                    Ok(Some(number @ (Edn::Integer(_) | Edn::Number(_)))) => Ok(number),
                    _ => Err(wrong()),
                }
            }
            _ => Err(wrong()),
        }
    }
}
