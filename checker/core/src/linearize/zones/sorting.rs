//! Zones in the order of their earliest returns, in linear time where these are spread evenly, as they are in most histories.

use super::Zone;

/// Fewer are sorted by comparing.
const FEW: usize = 256;

/// Memory for sorting, to be used again.
#[derive(Debug, Default)]
pub(super) struct Sorting {
    /// Where each bucket begins.
    starts: Vec<u32>,
    sorted: Vec<Zone>,
}

impl Sorting {
    /// Sorts: those of one bucket of time are brought together, then the members of each are compared.
    pub fn sort(&mut self, zones: &mut Vec<Zone>) {
        let key = |zone: &Zone| zone.first_return;
        let (Some(first), Some(last)) = (zones.iter().map(key).min(), zones.iter().map(key).max()) else { return };
        if zones.len() < FEW {
            zones.sort_unstable_by_key(key);
            return;
        }
        // At most two buckets for each zone.
        let shift = ((last - first) / zones.len() as u64).checked_ilog2().unwrap_or(0);
        let bucket = |zone: &Zone| ((zone.first_return - first) >> shift) as usize;
        let Self { starts, sorted } = self;
        starts.clear();
        starts.resize(((last - first) >> shift) as usize + 2, 0);
        for zone in zones.iter() {
            starts[bucket(zone) + 1] += 1;
        }
        let mut sum = 0;
        for start in starts.iter_mut() {
            sum += *start;
            *start = sum;
        }
        sorted.clear();
        sorted.resize(zones.len(), Zone::default());
        for zone in zones.iter() {
            let start = &mut starts[bucket(zone)];
            sorted[*start as usize] = *zone;
            *start += 1;
        }
        // Now each start is the end of its bucket.
        let mut begin = 0;
        for &end in starts.iter() {
            if end as usize - begin > 1 {
                sorted[begin..end as usize].sort_unstable_by_key(key);
            }
            begin = end as usize;
        }
        core::mem::swap(zones, sorted);
    }
}
