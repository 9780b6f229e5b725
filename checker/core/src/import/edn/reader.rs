//! Reads forms one after the other and knows where it is.
//!
//! A file of a million operations is read form by form; nothing is kept that the caller does not keep.

use super::{DEPTH_MAX, Edn};

/// What was expected, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Offset in bytes.
    pub offset: usize,
    /// What was expected or found there, in words.
    pub what: String,
}

impl Expected {
    /// This was expected at this offset.
    pub fn at(offset: usize, what: impl Into<String>) -> Self {
        Self { offset, what: what.into() }
    }
}

/// Reads a text.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// Begins at the first byte.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The same, beginning at an offset.
    ///
    /// # Panics
    /// When the offset is inside a character or behind the end.
    #[must_use]
    pub fn from_offset(text: &'a str, offset: usize) -> Self {
        assert!(text.is_char_boundary(offset), "readers begin at characters");
        Self { text, at: offset }
    }

    /// Offset of what comes next.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The next byte, blanks, comments and discarded forms skipped; none at the end.
    ///
    /// # Errors
    /// When a discarded form is no form.
    pub fn peek(&mut self) -> Result<Option<u8>, Expected> {
        self.skip(0)?;
        Ok(self.byte())
    }

    /// Takes the byte that [`Self::peek`] showed, which begins or ends a collection.
    pub fn take_delimiter(&mut self) {
        debug_assert!(self.byte().is_some_and(|byte| byte.is_ascii()), "delimiters are ASCII");
        self.at += 1;
    }

    /// The next form; none at the end.
    ///
    /// # Errors
    /// What was expected, and where.
    pub fn form(&mut self) -> Result<Option<Edn>, Expected> {
        self.skip(0)?;
        if self.byte().is_none() {
            return Ok(None);
        }
        self.read(0).map(Some)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fail<T>(&self, what: impl Into<String>) -> Result<T, Expected> {
        Err(Expected::at(self.at, what))
    }

    fn skip(&mut self, depth: usize) -> Result<(), Expected> {
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            match rest {
                [b' ' | b'\t' | b'\n' | b'\r' | b',' | 0x0c, ..] => self.at += 1,
                // A byte order mark, where files were put one behind the other.
                [0xef, 0xbb, 0xbf, ..] => self.at += 3,
                [b';', ..] => self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
                [b'#', b'_', ..] => {
                    self.at += 2;
                    self.skip(deeper(depth, self.at)?)?;
                    if self.byte().is_none() {
                        return self.fail("a form to discard behind #_");
                    }
                    self.read(depth + 1)?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// Reads a form; the caller has skipped blanks and knows that something is there.
    fn read(&mut self, depth: usize) -> Result<Edn, Expected> {
        let depth = deeper(depth, self.at)?;
        match self.byte() {
            None => self.fail("a form, but the text ends"),
            Some(b'(') => self.sequence(b')', depth).map(Edn::List),
            Some(b'[') => self.sequence(b']', depth).map(Edn::Vector),
            Some(b'{') => self.map(depth).map(Edn::Map),
            Some(b'"') => self.string().map(Edn::Text),
            Some(b'\\') => self.character(),
            Some(b'#') => self.dispatch(depth),
            Some(b':') => self.keyword(),
            Some(byte @ (b')' | b']' | b'}')) => self.fail(format!("a form, found '{}' that closes nothing", byte as char)),
            Some(byte @ (b'^' | b'\'' | b'`' | b'~' | b'@')) => self.fail(format!("a form, found '{}', which is no EDN", byte as char)),
            Some(_) => self.atom(),
        }
    }

    fn sequence(&mut self, close: u8, depth: usize) -> Result<Vec<Edn>, Expected> {
        let open = self.at;
        self.at += 1;
        let mut forms = Vec::new();
        loop {
            self.skip(depth)?;
            match self.byte() {
                None => return Err(Expected::at(open, format!("'{}' for what opens here, but the text ends", close as char))),
                Some(byte) if byte == close => {
                    self.at += 1;
                    return Ok(forms);
                }
                Some(byte @ (b')' | b']' | b'}')) => {
                    return self.fail(format!("'{}' or a form, found '{}'", close as char, byte as char));
                }
                Some(_) => forms.push(self.read(depth)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(Edn, Edn)>, Expected> {
        let open = self.at;
        let forms = self.sequence(b'}', depth)?;
        if forms.len() % 2 == 1 {
            return Err(Expected::at(open, "a map with a value for every key"));
        }
        let mut pairs = Vec::with_capacity(forms.len() / 2);
        let mut forms = forms.into_iter();
        while let (Some(key), Some(value)) = (forms.next(), forms.next()) {
            pairs.push((key, value));
        }
        Ok(pairs)
    }

    fn string(&mut self) -> Result<Box<str>, Expected> {
        let open = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(stop) = rest.bytes().position(|byte| byte == b'"' || byte == b'\\') else {
                return Err(Expected::at(open, "'\"' for the text that opens here, but the file ends"));
            };
            text.push_str(&rest[..stop]);
            self.at += stop + 1;
            if rest.as_bytes()[stop] == b'"' {
                return Ok(text.into());
            }
            text.push(self.escape()?);
        }
    }

    /// What stands behind a backslash in a text.
    fn escape(&mut self) -> Result<char, Expected> {
        let byte = self.byte();
        let plain = match byte {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(byte @ (b'"' | b'\\' | b'/' | b'\'')) => byte as char,
            Some(b'u') => {
                self.at += 1;
                return self.code_point();
            }
            Some(b'0'..=b'7') => {
                let digits = self.text[self.at..].bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let code = u32::from_str_radix(&self.text[self.at..self.at + digits], 8).unwrap_or(0);
                self.at += digits;
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            _ => return self.fail("one of n t r b f u \" \\ behind a backslash"),
        };
        self.at += 1;
        Ok(plain)
    }

    /// Four hexadecimal digits, or two such groups that are one character beyond the first 65536.
    fn code_point(&mut self) -> Result<char, Expected> {
        let first = self.hexadecimal()?;
        if let 0xd800..0xdc00 = first {
            if self.text[self.at..].starts_with("\\u") {
                self.at += 2;
                let second = self.hexadecimal()?;
                if let 0xdc00..0xe000 = second {
                    let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
            }
            return self.fail("the second half of a character behind its first half");
        }
        char::from_u32(first).map_or_else(|| self.fail("the first half of a character before its second half"), Ok)
    }

    fn hexadecimal(&mut self) -> Result<u32, Expected> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits else { return self.fail("four hexadecimal digits") };
        self.at += 4;
        Ok(digits.iter().fold(0, |code, digit| code << 4 | (*digit as char).to_digit(16).unwrap_or(0)))
    }

    /// What stands up to the next delimiter, `taken` bytes at least.
    fn token(&mut self, taken: usize) -> &'a str {
        let start = self.at;
        let rest = &self.text[start + taken..];
        let end = rest.char_indices().find(|(_, character)| ends_token(*character)).map_or(rest.len(), |(place, _)| place);
        self.at = start + taken + end;
        &self.text[start..self.at]
    }

    fn character(&mut self) -> Result<Edn, Expected> {
        let open = self.at;
        let Some(first) = self.text[open + 1..].chars().next() else { return self.fail("a character behind the backslash") };
        let token = &self.token(1 + first.len_utf8())[1..];
        let mut characters = token.chars();
        if let (Some(only), None) = (characters.next(), characters.next()) {
            return Ok(Edn::Character(only));
        }
        let named = match token {
            "newline" => Some('\n'),
            "return" => Some('\r'),
            "space" => Some(' '),
            "tab" => Some('\t'),
            "backspace" => Some('\u{8}'),
            "formfeed" => Some('\u{c}'),
            _ => match token.split_at(first.len_utf8()) {
                ("u", digits) if digits.len() == 4 => u32::from_str_radix(digits, 16).ok().and_then(char::from_u32),
                ("o", digits) if digits.len() <= 3 => u32::from_str_radix(digits, 8).ok().and_then(char::from_u32),
                _ => None,
            },
        };
        named.map(Edn::Character).ok_or_else(|| Expected::at(open, format!("a character, found \\{token}")))
    }

    fn keyword(&mut self) -> Result<Edn, Expected> {
        let open = self.at;
        let word = &self.token(1)[1..];
        let word = word.strip_prefix(':').unwrap_or(word);
        if word.is_empty() || word.starts_with(':') || word.ends_with(':') {
            return Err(Expected::at(open, "a word behind the colon"));
        }
        Ok(Edn::Keyword(word.into()))
    }

    fn dispatch(&mut self, depth: usize) -> Result<Edn, Expected> {
        let open = self.at;
        match self.text.as_bytes().get(open + 1) {
            Some(b'{') => {
                self.at += 1;
                self.sequence(b'}', depth).map(Edn::Set)
            }
            Some(b'"') => {
                self.at += 1;
                let pattern = self.string()?;
                Ok(Edn::Tagged("regex".into(), Box::new(Edn::Text(pattern))))
            }
            Some(b'\'') => {
                self.at += 2;
                self.atom()
            }
            Some(b'#') => match self.token(2) {
                token @ ("##Inf" | "##-Inf" | "##NaN") => Ok(Edn::Number(token.into())),
                token => Err(Expected::at(open, format!("##Inf, ##-Inf or ##NaN, found {token}"))),
            },
            Some(b':') => self.namespaced(depth),
            // A byte order mark ends words, so it begins no tag.
            Some(byte) if byte.is_ascii_alphabetic() || *byte >= 0x80 && !self.text[open + 1..].starts_with('\u{feff}') => {
                let tag = &self.token(1)[1..];
                self.skip(depth)?;
                if self.byte().is_none() {
                    return self.fail(format!("a form behind #{tag}, but the text ends"));
                }
                let form = self.read(depth)?;
                Ok(Edn::Tagged(tag.into(), Box::new(form)))
            }
            _ => self.fail("a set, a tag or #_ behind #"),
        }
    }

    /// `#:name{:a 1}` stands for `{:name/a 1}`.
    fn namespaced(&mut self, depth: usize) -> Result<Edn, Expected> {
        let open = self.at;
        let name = self.token(2)[2..].trim_start_matches(':');
        self.skip(depth)?;
        if name.is_empty() || self.byte() != Some(b'{') {
            return Err(Expected::at(open, "a name and a map behind #:"));
        }
        let mut pairs = self.map(depth)?;
        for (key, _) in &mut pairs {
            if let Edn::Keyword(word) = key
                && !word.contains('/')
            {
                *word = format!("{name}/{word}").into();
            }
        }
        Ok(Edn::Map(pairs))
    }

    fn atom(&mut self) -> Result<Edn, Expected> {
        let open = self.at;
        let token = self.token(0);
        let bytes = token.as_bytes();
        let number = match bytes {
            [b'0'..=b'9', ..] => true,
            [b'+' | b'-', second, ..] => second.is_ascii_digit(),
            _ => false,
        };
        if number {
            return parse_number(token).ok_or_else(|| Expected::at(open, format!("a number, found {}", short(token))));
        }
        let printable = |character: char| !character.is_control() && !matches!(character, '"' | '\\' | '^' | '`' | '~' | '@');
        match token {
            "nil" => Ok(Edn::Nil),
            "true" => Ok(Edn::Bool(true)),
            "false" => Ok(Edn::Bool(false)),
            "" => self.fail("a form"),
            _ if token.chars().all(printable) => Ok(Edn::Symbol(token.into())),
            _ => Err(Expected::at(open, format!("a form, found {}", short(token)))),
        }
    }
}

fn deeper(depth: usize, offset: usize) -> Result<usize, Expected> {
    if depth >= DEPTH_MAX {
        return Err(Expected::at(offset, format!("forms nested at most {DEPTH_MAX} deep")));
    }
    Ok(depth + 1)
}

fn ends_token(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | ',' | '\u{c}' | '\u{feff}' | '(' | ')' | '[' | ']' | '{' | '}' | '"' | ';')
}

/// The beginning of a token, fit for a message.
fn short(token: &str) -> String {
    let mut text: String = token.chars().take(40).map(|character| if character.is_control() { '?' } else { character }).collect();
    if token.chars().nth(40).is_some() {
        text.push('…');
    }
    text
}

fn parse_number(token: &str) -> Option<Edn> {
    let unsigned = token.strip_prefix(['+', '-']).unwrap_or(token);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let as_written = || Some(Edn::Number(token.strip_prefix('+').unwrap_or(token).into()));
    if digits(unsigned) {
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            return None;
        }
        return token.parse().map(Edn::Integer).ok().or_else(|| as_written().map(with_suffix));
    }
    if let Some(whole) = unsigned.strip_suffix('N').filter(|whole| digits(whole)) {
        let signed = &token[..token.len() - 1];
        let trimmed = whole.trim_start_matches('0');
        return if whole.len() > 1 && trimmed.len() < whole.len() {
            None
        } else {
            signed.parse().map(Edn::Integer).ok().or_else(as_written)
        };
    }
    if let Some(hexadecimal) = unsigned.strip_prefix("0x") {
        let negative = token.starts_with('-');
        let value = i64::from_str_radix(hexadecimal, 16).ok().filter(|value| *value >= 0)?;
        return Some(Edn::Integer(if negative { -value } else { value }));
    }
    if let Some((above, below)) = unsigned.split_once('/') {
        return if digits(above) && digits(below) { as_written() } else { None };
    }
    let decimal = unsigned.strip_suffix('M').unwrap_or(unsigned);
    let plain = decimal.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if plain && decimal.parse::<f64>().is_ok() { as_written() } else { None }
}

/// Whole numbers beyond 64 bits are printed with the suffix that Clojure prints.
fn with_suffix(number: Edn) -> Edn {
    match number {
        Edn::Number(text) => Edn::Number(format!("{text}N").into()),
        other => other,
    }
}
