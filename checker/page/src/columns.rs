//! Columns as the page reads them: typed arrays, one behind the other, in base64.
//!
//! Each column takes the narrowest of four widths that holds its values. The largest number of a width stands for null, as in a history;
//! a column with one value throughout takes no bytes at all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Columns that are being packed.
#[derive(Debug, Default)]
pub(crate) struct Pack {
    bytes: Vec<u8>,
}

impl Pack {
    /// Packs a column; what must be known to read it again.
    pub(crate) fn column(&mut self, values: impl Iterator<Item = Option<u64>>) -> Value {
        let values: Vec<Option<u64>> = values.collect();
        let largest = values.iter().flatten().copied().max();
        let Some(first) = values.first() else { return json!({ "all": null }) };
        if values.iter().all(|value| value == first) && first.is_none_or(|first| first < 1 << 53) {
            return json!({ "all": first });
        }
        let width = [1_usize, 2, 4, 8].into_iter().find(|width| largest.unwrap_or(0) < null(*width)).unwrap_or(8);
        while !self.bytes.len().is_multiple_of(width) {
            self.bytes.push(0);
        }
        let at = self.bytes.len();
        for value in values {
            self.bytes.extend_from_slice(&value.unwrap_or(null(width)).to_le_bytes()[..width]);
        }
        json!({ "at": at, "width": width })
    }

    /// All columns.
    pub(crate) fn finish(self) -> String {
        STANDARD.encode(self.bytes)
    }
}

/// What stands for null in a column of this width, bytes.
fn null(width: usize) -> u64 {
    u64::MAX >> (64 - 8 * width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_takes_the_narrowest_width() {
        let mut pack = Pack::default();
        let mut column = |values: &[Option<u64>]| pack.column(values.iter().copied()).to_string();
        assert_eq!(column(&[]), r#"{"all":null}"#);
        assert_eq!(column(&[Some(7), Some(7)]), r#"{"all":7}"#);
        assert_eq!(column(&[Some(7), None, Some(254)]), r#"{"at":0,"width":1}"#);
        assert_eq!(column(&[Some(7), Some(255)]), r#"{"at":4,"width":2}"#);
        assert_eq!(column(&[Some(u64::MAX - 1)]), r#"{"at":8,"width":8}"#);
        assert_eq!(STANDARD.decode(pack.finish()).unwrap()[..8], [7, 255, 254, 0, 7, 0, 255, 0]);
    }
}
