//! The cells of a history in memory: how one column keeps its values.
//!
//! Reader, writer and digest see every column through [`ColumnRef`] and [`ColumnMut`], so that none of them knows a table.

use crate::dictionary::Dictionary;
use core::marker::PhantomData;

/// An integer type that keeps its largest value free to mean "absent".
pub trait Niche: Copy + Eq + core::fmt::Debug {
    /// The reserved value.
    const NONE: Self;
}

macro_rules! niche {
    ($($integer:ty),*) => { $(impl Niche for $integer { const NONE: Self = <$integer>::MAX; })* };
}
niche!(u8, u16, u32, u64);

/// A column of integers in which the type's largest value stands for null.
///
/// One value of the domain is given up for half the memory and no second buffer. Writers never produce it (hashes that
/// would are mapped to the value below), readers refuse a file that holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nullable<T>(pub Vec<T>);

impl<T: Niche> Nullable<T> {
    /// The value of row `index`.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<T> {
        let value = self.0[index];
        (value != T::NONE).then_some(value)
    }
}

/// A column of dictionary values, one byte each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes<E> {
    /// The codes.
    pub codes: Vec<u8>,
    marker: PhantomData<E>,
}

/// A column of optional dictionary values, one byte each; 255 stands for null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NullableCodes<E> {
    /// The codes.
    pub codes: Vec<u8>,
    marker: PhantomData<E>,
}

impl<E> Default for Codes<E> {
    fn default() -> Self {
        Self { codes: Vec::new(), marker: PhantomData }
    }
}

impl<E> Default for NullableCodes<E> {
    fn default() -> Self {
        Self { codes: Vec::new(), marker: PhantomData }
    }
}

impl<E: Dictionary> Codes<E> {
    /// The value of row `index`.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> E {
        E::ALL[usize::from(self.codes[index])]
    }
}

impl<E: Dictionary> NullableCodes<E> {
    /// The value of row `index`.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<E> {
        E::from_code(self.codes[index])
    }
}

/// A key and the value that was read or written there; null when the key was absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    /// Key, stream offset, or account.
    pub key: u64,
    /// Value or balance.
    pub value: Option<u64>,
}

/// A nullable column of lists of [`Pair`]s, flattened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairLists {
    /// `ends[i]` is where row i's list ends in `keys` and `values`; it begins where row i - 1's ended.
    pub ends: Vec<u32>,
    /// Whether row i's list is there at all.
    pub present: Vec<bool>,
    /// Keys of all lists.
    pub keys: Vec<u64>,
    /// Values of all lists.
    pub values: Nullable<u64>,
}

impl Default for PairLists {
    fn default() -> Self {
        Self { ends: Vec::new(), present: Vec::new(), keys: Vec::new(), values: Nullable(Vec::new()) }
    }
}

impl PairLists {
    /// The pairs of row `index`, none when the list is null.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<impl ExactSizeIterator<Item = Pair> + Clone + '_> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        let end = self.ends[index] as usize;
        self.present[index].then(move || (start..end).map(|at| Pair { key: self.keys[at], value: self.values.get(at) }))
    }

    /// Appends a row from an iterator.
    ///
    /// # Panics
    /// When all lists of one batch together hold more than 2^32 pairs; batches are closed long before.
    pub fn push_iter(&mut self, pairs: Option<impl IntoIterator<Item = Pair>>) {
        self.present.push(pairs.is_some());
        for pair in pairs.into_iter().flatten() {
            self.keys.push(pair.key);
            self.values.0.push(pair.value.unwrap_or(u64::NONE));
        }
        self.ends.push(u32::try_from(self.keys.len()).expect("a batch holds fewer than 2^32 pairs"));
    }
}

/// A column seen by reader, writer and digest.
#[derive(Clone, Copy, Debug)]
pub enum ColumnRef<'a> {
    /// 8 bits, unsigned; null = 255 where the column is nullable.
    U8(&'a [u8]),
    /// 16 bits, unsigned.
    U16(&'a [u16]),
    /// 32 bits, unsigned.
    U32(&'a [u32]),
    /// 64 bits, unsigned.
    U64(&'a [u64]),
    /// 64-bit float.
    F64(&'a [f64]),
    /// Codes into a list of strings.
    Dictionary(&'a [u8], &'static [&'static str]),
    /// Lists of pairs.
    Pairs(&'a PairLists),
}

/// A column being filled by the reader.
#[derive(Debug)]
pub enum ColumnMut<'a> {
    /// 8 bits, unsigned.
    U8(&'a mut Vec<u8>),
    /// 16 bits, unsigned.
    U16(&'a mut Vec<u16>),
    /// 32 bits, unsigned.
    U32(&'a mut Vec<u32>),
    /// 64 bits, unsigned.
    U64(&'a mut Vec<u64>),
    /// 64-bit float.
    F64(&'a mut Vec<f64>),
    /// Codes into a list of strings.
    Dictionary(&'a mut Vec<u8>, &'static [&'static str]),
    /// Lists of pairs.
    Pairs(&'a mut PairLists),
}

/// The physical type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// Float, 64 bits.
    F64,
    /// One of a closed list of strings.
    Dictionary(&'static [&'static str]),
    /// List of struct(key, value).
    Pairs,
    /// UTF-8 text (kind run only).
    Text,
    /// 32 bytes (kind run only).
    Bytes32,
}

/// What a table's field must offer.
pub trait Column: Default {
    /// What one row gives and takes.
    type Value: Default;
    /// Physical type.
    const TYPE: ColumnType;
    /// Whether a row may be null.
    const NULLABLE: bool;
    /// Appends a row.
    fn push(&mut self, value: Self::Value);
    /// Row `index`.
    fn value(&self, index: usize) -> Self::Value;
    /// Removes all rows, keeping the memory.
    fn clear(&mut self);
    /// For writer and digest.
    fn view(&self) -> ColumnRef<'_>;
    /// For the reader.
    fn view_mut(&mut self) -> ColumnMut<'_>;
}

macro_rules! integer_columns {
    ($($integer:ty => $variant:ident),*) => { $(
        impl Column for Vec<$integer> {
            type Value = $integer;
            const TYPE: ColumnType = ColumnType::$variant;
            const NULLABLE: bool = false;
            #[inline]
            fn push(&mut self, value: $integer) { Vec::push(self, value); }
            fn value(&self, index: usize) -> $integer { self[index] }
            fn clear(&mut self) { Vec::clear(self); }
            fn view(&self) -> ColumnRef<'_> { ColumnRef::$variant(self) }
            fn view_mut(&mut self) -> ColumnMut<'_> { ColumnMut::$variant(self) }
        }
    )* };
}
integer_columns!(u8 => U8, u16 => U16, u32 => U32, u64 => U64, f64 => F64);

macro_rules! nullable_columns {
    ($($integer:ty => $variant:ident),*) => { $(
        impl Column for Nullable<$integer> {
            type Value = Option<$integer>;
            const TYPE: ColumnType = ColumnType::$variant;
            const NULLABLE: bool = true;
            #[inline]
            fn push(&mut self, value: Option<$integer>) { self.0.push(value.unwrap_or(<$integer>::NONE)); }
            fn value(&self, index: usize) -> Option<$integer> { self.get(index) }
            fn clear(&mut self) { self.0.clear(); }
            fn view(&self) -> ColumnRef<'_> { ColumnRef::$variant(&self.0) }
            fn view_mut(&mut self) -> ColumnMut<'_> { ColumnMut::$variant(&mut self.0) }
        }
    )* };
}
nullable_columns!(u8 => U8, u16 => U16, u32 => U32, u64 => U64);

impl<E: Dictionary> Column for Codes<E> {
    type Value = E;
    const TYPE: ColumnType = ColumnType::Dictionary(E::NAMES);
    const NULLABLE: bool = false;
    #[inline]
    fn push(&mut self, value: E) {
        self.codes.push(value.code());
    }
    fn value(&self, index: usize) -> E {
        self.get(index)
    }
    fn clear(&mut self) {
        self.codes.clear();
    }
    fn view(&self) -> ColumnRef<'_> {
        ColumnRef::Dictionary(&self.codes, E::NAMES)
    }
    fn view_mut(&mut self) -> ColumnMut<'_> {
        ColumnMut::Dictionary(&mut self.codes, E::NAMES)
    }
}

impl<E: Dictionary> Column for NullableCodes<E> {
    type Value = Option<E>;
    const TYPE: ColumnType = ColumnType::Dictionary(E::NAMES);
    const NULLABLE: bool = true;
    #[inline]
    fn push(&mut self, value: Option<E>) {
        self.codes.push(value.map_or(u8::NONE, E::code));
    }
    fn value(&self, index: usize) -> Option<E> {
        self.get(index)
    }
    fn clear(&mut self) {
        self.codes.clear();
    }
    fn view(&self) -> ColumnRef<'_> {
        ColumnRef::Dictionary(&self.codes, E::NAMES)
    }
    fn view_mut(&mut self) -> ColumnMut<'_> {
        ColumnMut::Dictionary(&mut self.codes, E::NAMES)
    }
}

impl Column for PairLists {
    type Value = Option<Vec<Pair>>;
    const TYPE: ColumnType = ColumnType::Pairs;
    const NULLABLE: bool = true;
    fn push(&mut self, value: Option<Vec<Pair>>) {
        self.push_iter(value);
    }
    fn value(&self, index: usize) -> Option<Vec<Pair>> {
        self.get(index).map(Iterator::collect)
    }
    fn clear(&mut self) {
        self.ends.clear();
        self.present.clear();
        self.keys.clear();
        self.values.0.clear();
    }
    fn view(&self) -> ColumnRef<'_> {
        ColumnRef::Pairs(self)
    }
    fn view_mut(&mut self) -> ColumnMut<'_> {
        ColumnMut::Pairs(self)
    }
}
