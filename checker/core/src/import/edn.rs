//! EDN, the notation of Clojure: values, reader and printer.
//!
//! Jepsen, Knossos, Elle and Maelstrom write their histories in it. The reader takes what Clojure prints (records, tagged
//! literals, symbolic numbers, namespaced maps, discarded forms), keeps the place of every form, and refuses the rest with a
//! place and what was expected; nothing in its input can make it panic, recurse without bound or take memory beyond what
//! the input itself takes.

mod print;
mod reader;

pub use reader::{Expected, Reader};

/// Forms may be nested this deep.
pub const DEPTH_MAX: usize = 128;

/// One form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Edn {
    /// `nil`.
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number of 64 bits.
    Integer(i64),
    /// Any other number, as it was written: `1.5`, `2/3`, `12345678901234567890N`, `##Inf`.
    Number(Box<str>),
    /// `\a`.
    Character(char),
    /// `"text"`.
    Text(Box<str>),
    /// `:word`, without the colon.
    Keyword(Box<str>),
    /// `word`.
    Symbol(Box<str>),
    /// `(1 2)`.
    List(Vec<Edn>),
    /// `[1 2]`.
    Vector(Vec<Edn>),
    /// `#{1 2}`.
    Set(Vec<Edn>),
    /// `{:a 1}`.
    Map(Vec<(Edn, Edn)>),
    /// `#tag form`.
    Tagged(Box<str>, Box<Edn>),
}

impl Edn {
    /// The elements of a list or vector, which EDN takes for equal.
    #[must_use]
    pub fn sequence(&self) -> Option<&[Self]> {
        match self {
            Self::List(forms) | Self::Vector(forms) => Some(forms),
            _ => None,
        }
    }

    /// The elements of a list, vector or set.
    #[must_use]
    pub fn elements(&self) -> Option<&[Self]> {
        match self {
            Self::List(forms) | Self::Vector(forms) | Self::Set(forms) => Some(forms),
            _ => None,
        }
    }

    /// The word of a keyword, text or symbol: JSON has only texts for what EDN has keywords.
    #[must_use]
    pub fn word(&self) -> Option<&str> {
        match self {
            Self::Keyword(word) | Self::Text(word) | Self::Symbol(word) => Some(word),
            _ => None,
        }
    }

    /// The whole number.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The value that a map has under a key with this word.
    #[must_use]
    pub fn get(&self, word: &str) -> Option<&Self> {
        match self {
            Self::Map(pairs) => pairs.iter().find(|(key, _)| key.word() == Some(word)).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The form itself, or what the tag stands before.
    #[must_use]
    pub fn untagged(&self) -> &Self {
        let mut form = self;
        while let Self::Tagged(_, inner) = form {
            form = inner;
        }
        form
    }

    /// A keyword.
    #[must_use]
    pub fn keyword(word: &str) -> Self {
        Self::Keyword(word.into())
    }

    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// What kind of form it is, in words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a truth value",
            Self::Integer(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Character(_) => "a character",
            Self::Text(_) => "a text",
            Self::Keyword(_) => "a keyword",
            Self::Symbol(_) => "a symbol",
            Self::List(_) => "a list",
            Self::Vector(_) => "a vector",
            Self::Set(_) => "a set",
            Self::Map(_) => "a map",
            Self::Tagged(..) => "a tagged form",
        }
    }
}

#[cfg(test)]
mod tests;
