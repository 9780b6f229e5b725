//! Ranges of seeds: what is done, what is left, and how the rest is cut into batches.
//!
//! Batches lie on a grid that starts at the campaign's first seed, so that neither the number of threads nor an interruption
//! changes which seeds share a file in the rest of the campaign.

/// Consecutive seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeedRange {
    /// First seed.
    pub first: u64,
    /// How many.
    pub count: u64,
}

impl SeedRange {
    /// The seed behind the last one; the numbers end at their largest.
    #[must_use]
    pub fn end(self) -> u64 {
        self.first.saturating_add(self.count)
    }

    /// The seeds.
    pub fn seeds(self) -> impl Iterator<Item = u64> {
        self.first..self.end()
    }
}

/// The parts of `whole` that no range of `done` covers, in order.
#[must_use]
pub fn gaps(whole: SeedRange, done: impl IntoIterator<Item = SeedRange>) -> Vec<SeedRange> {
    let mut done: Vec<SeedRange> = done.into_iter().collect();
    done.sort_unstable();
    let mut left = Vec::new();
    let mut next = whole.first;
    for range in done {
        if range.first.min(whole.end()) > next {
            left.push(SeedRange { first: next, count: range.first.min(whole.end()) - next });
        }
        next = next.max(range.end());
    }
    if next < whole.end() {
        left.push(SeedRange { first: next, count: whole.end() - next });
    }
    left
}

/// Cuts what is left into batches of at most `size` seeds on a grid that starts at `origin`.
#[must_use]
pub fn batches(left: &[SeedRange], origin: u64, size: u64) -> Vec<SeedRange> {
    let mut cut = Vec::new();
    for gap in left {
        let mut first = gap.first;
        while first < gap.end() {
            let grid_end = ((first - origin) / size + 1).saturating_mul(size).saturating_add(origin);
            let end = grid_end.min(gap.end());
            cut.push(SeedRange { first, count: end - first });
            first = end;
        }
    }
    cut
}

/// A seed that nobody chose, short enough to be read aloud and to survive tools that take numbers for floating point.
#[must_use]
pub fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // The keys of a new hasher come from the operating system.
    std::hash::RandomState::new().build_hasher().finish() >> 24
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, count: u64) -> SeedRange {
        SeedRange { first, count }
    }

    #[test]
    fn gaps_are_what_is_not_done() {
        assert_eq!(gaps(range(10, 20), []), [range(10, 20)]);
        assert_eq!(gaps(range(10, 20), [range(15, 5), range(10, 2), range(29, 10)]), [range(12, 3), range(20, 9)]);
        assert_eq!(gaps(range(10, 20), [range(0, 100)]), []);
        assert_eq!(gaps(range(10, 20), [range(0, 5), range(40, 5)]), [range(10, 20)]);
    }

    #[test]
    fn batches_stay_on_the_grid_after_an_interruption() {
        let whole = range(5, 25);
        assert_eq!(batches(&[whole], 5, 10), [range(5, 10), range(15, 10), range(25, 5)]);
        assert_eq!(batches(&gaps(whole, [range(5, 3)]), 5, 10), [range(8, 7), range(15, 10), range(25, 5)]);
        assert_eq!(batches(&[whole], 5, u64::MAX), [whole]);
    }

    #[test]
    fn every_seed_is_in_exactly_one_batch() {
        for size in 1..9 {
            let left = gaps(range(3, 40), [range(7, 2), range(20, 11)]);
            let seeds: Vec<u64> = batches(&left, 3, size).into_iter().flat_map(SeedRange::seeds).collect();
            let expected: Vec<u64> = (3..43).filter(|seed| !(7..9).contains(seed) && !(20..31).contains(seed)).collect();
            assert_eq!(seeds, expected, "batches of {size}");
        }
    }
}
