//! Closed dictionaries: enums whose values are written as strings in a history and kept as one byte in memory.
//!
//! The recorder hands over codes, never strings, because building strings per row costs more than everything else.

/// An enum that a history stores as a dictionary of strings.
pub trait Dictionary: Copy + Default + Eq + core::fmt::Debug + 'static {
    /// All values; the code of a value is its index here.
    const ALL: &'static [Self];
    /// The strings of all values, in the order of [`Dictionary::ALL`].
    const NAMES: &'static [&'static str];

    /// What each value means, in the same order.
    const MEANINGS: &'static [&'static str];

    /// The code of this value: its index in [`Dictionary::ALL`].
    #[must_use]
    fn code(self) -> u8;

    /// The string that stands in the file.
    #[must_use]
    fn name(self) -> &'static str {
        Self::NAMES[usize::from(self.code())]
    }

    /// The value with this code, if there is one.
    #[must_use]
    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The value whose string this is, if there is one.
    #[must_use]
    fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|known| *known == name).map(|index| Self::ALL[index])
    }
}

/// Defines an enum and its [`Dictionary`] from one list; the first value is the default.
macro_rules! dictionary {
    ($(#[$meta:meta])* $name:ident { $first:ident => $first_text:literal $(#[doc = $first_doc:literal])+,
        $( $variant:ident => $text:literal $(#[doc = $doc:literal])+ ),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name {
            $(#[doc = $first_doc])+
            #[default]
            $first,
            $( $(#[doc = $doc])+ $variant, )*
        }

        impl $crate::dictionary::Dictionary for $name {
            const ALL: &'static [Self] = &[Self::$first, $(Self::$variant),*];
            const NAMES: &'static [&'static str] = &[$first_text, $($text),*];
            const MEANINGS: &'static [&'static str] = &[concat!($($first_doc),+), $(concat!($($doc),+)),*];
            fn code(self) -> u8 {
                self as u8
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                formatter.write_str($crate::dictionary::Dictionary::name(*self))
            }
        }
    };
}
pub(crate) use dictionary;
