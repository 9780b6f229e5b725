//! The footer's seal: a checksum of the footer's bytes that stands right before them.
//!
//! Pages have checksums, Parquet's footer has none, and a changed bit in it (a statistic, a size, a name that nobody reads)
//! would go unseen. Other readers of Parquet pass over these eight bytes, which belong to no column.

/// What a Parquet file begins and ends with.
pub(crate) const MAGIC: &[u8; 4] = b"PAR1";

/// Bytes behind the footer: its length and the magic number.
pub(crate) const TAIL_BYTES: usize = 8;

/// What files say about their writer; those that say this have a seal.
pub(crate) const CREATED_BY: &str = concat!("vopr-schema ", env!("CARGO_PKG_VERSION"));

/// What [`CREATED_BY`] of every version begins with.
const CREATED_BY_ANY: &str = "vopr-schema ";

/// Length of a seal.
pub(crate) const SEAL_BYTES: usize = 8;

const NAME: [u8; 4] = *b"vopr";

/// The seal of a footer, given without its tail.
pub(crate) fn seal(footer: &[u8]) -> [u8; SEAL_BYTES] {
    let mut seal = [0; SEAL_BYTES];
    seal[..4].copy_from_slice(&NAME);
    seal[4..].copy_from_slice(&crc32fast::hash(footer).to_le_bytes());
    seal
}

/// Whether a footer is what its writer sealed; `before` is what stands in front of it, `created_by` what it says itself.
///
/// Files of other writers, and of this one before there were seals, have none and pass. One changed bit can neither remove
/// a seal nor the duty to have one: it would have to change both.
pub(crate) fn is_whole(footer: &[u8], before: [u8; SEAL_BYTES], created_by: Option<&str>) -> bool {
    let sealed = before[..4] == NAME || created_by.is_some_and(|program| program.starts_with(CREATED_BY_ANY));
    !sealed || before == seal(footer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_bit_is_seen_wherever_it_is() {
        let footer = b"a footer";
        let whole = seal(footer);
        assert!(is_whole(footer, whole, Some(CREATED_BY)));
        assert!(is_whole(footer, *b"anything", Some("parquet-rs")));
        for bit in 0..64 {
            let mut changed = whole;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_whole(footer, changed, Some(CREATED_BY)));
            let mut changed = *footer;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_whole(&changed, whole, Some("vopR-schema ")));
        }
    }
}
