//! Prints forms so that any EDN reader, this one included, reads the same form again.
//!
//! The printed form is also the name under which a value is interned, so equal forms must print equally.

use super::Edn;
use core::fmt::{Display, Formatter, Result, Write};

impl Display for Edn {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self {
            Self::Nil => out.write_str("nil"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Integer(number) => write!(out, "{number}"),
            Self::Number(text) | Self::Symbol(text) => out.write_str(text),
            Self::Character(character) => print_character(*character, out),
            Self::Text(text) => print_text(text, out),
            Self::Keyword(word) => write!(out, ":{word}"),
            Self::List(forms) => print_forms("(", forms, ")", out),
            Self::Vector(forms) => print_forms("[", forms, "]", out),
            Self::Set(forms) => print_forms("#{", forms, "}", out),
            Self::Map(pairs) => {
                out.write_char('{')?;
                for (place, (key, value)) in pairs.iter().enumerate() {
                    let comma = if place == 0 { "" } else { ", " };
                    write!(out, "{comma}{key} {value}")?;
                }
                out.write_char('}')
            }
            Self::Tagged(tag, form) => write!(out, "#{tag} {form}"),
        }
    }
}

fn print_forms(open: &str, forms: &[Edn], close: &str, out: &mut Formatter<'_>) -> Result {
    out.write_str(open)?;
    for (place, form) in forms.iter().enumerate() {
        if place > 0 {
            out.write_char(' ')?;
        }
        write!(out, "{form}")?;
    }
    out.write_str(close)
}

fn print_text(text: &str, out: &mut Formatter<'_>) -> Result {
    out.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            _ if (character as u32) < 0x20 => write!(out, "\\u{:04x}", character as u32)?,
            _ => out.write_char(character)?,
        }
    }
    out.write_char('"')
}

fn print_character(character: char, out: &mut Formatter<'_>) -> Result {
    match character {
        '\n' => out.write_str("\\newline"),
        '\r' => out.write_str("\\return"),
        ' ' => out.write_str("\\space"),
        '\t' => out.write_str("\\tab"),
        '\u{8}' => out.write_str("\\backspace"),
        '\u{c}' => out.write_str("\\formfeed"),
        _ if (character as u32) < 0x20 => write!(out, "\\u{:04x}", character as u32),
        _ => write!(out, "\\{character}"),
    }
}
