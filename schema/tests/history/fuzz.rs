//! Thousands of damaged files: each is refused, or reads as what was written; none ends in a panic.

use crate::realistic::Random;
use crate::{Place, arbitrary, read_everything, write_batches};
use std::path::Path;
use vopr_schema::{History, WriteOptions, verify};

/// Reads a damaged file; true when it was refused.
fn refused(path: &Path, original: &History) -> bool {
    match read_everything(path) {
        Ok(history) => {
            let whole = || verify(path).is_ok_and(|report| report.is_intact());
            assert!(history == *original || !whole(), "damage was read as something else");
            false
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("damaged.parquet"), "{text}");
            assert!(!text.contains("ended in a panic"), "{text}");
            true
        }
    }
}

fn sample(place: &Place, seed: u64) -> (History, Vec<u8>) {
    let path = place.path("whole.parquet");
    let history = arbitrary::history(seed, 2, 12);
    write_batches(&path, std::slice::from_ref(&history), WriteOptions::default());
    (history, std::fs::read(&path).unwrap())
}

fn damage(cases: u64, mut change: impl FnMut(&mut Random, &mut Vec<u8>)) -> u64 {
    let place = Place::new();
    let path = place.path("damaged.parquet");
    let mut random = Random(cases);
    let mut count = 0;
    let (mut history, mut whole) = sample(&place, 0);
    for case in 0..cases {
        if case % 200 == 199 {
            (history, whole) = sample(&place, case);
        }
        let mut bytes = whole.clone();
        change(&mut random, &mut bytes);
        // A new file each time: some file systems flush a file that is cut to nothing and written again.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes).unwrap();
        count += u64::from(refused(&path, &history));
    }
    count
}

fn index(random: &mut Random, length: usize) -> usize {
    usize::try_from(random.below(length as u64)).unwrap()
}

#[test]
fn flipped_bits() {
    let count = damage(1200, |random, bytes| {
        let at = index(random, bytes.len());
        bytes[at] ^= 1 << random.below(8);
    });
    assert!(count > 400, "{count}");
}

#[test]
fn flipped_bits_of_the_footer() {
    damage(1200, |random, bytes| {
        let footer = 8 + u32::from_le_bytes(*bytes.last_chunk::<8>().unwrap().first_chunk().unwrap()) as usize;
        let at = bytes.len() - 1 - index(random, footer);
        bytes[at] ^= 1 << random.below(8);
    });
}

#[test]
fn overwritten_stretches() {
    damage(800, |random, bytes| {
        for _ in 0..=random.below(3) {
            let from = index(random, bytes.len());
            let to = (from + 1 + index(random, 40)).min(bytes.len());
            let kind = random.below(4);
            let byte = random.next().to_le_bytes()[0];
            for slot in &mut bytes[from..to] {
                *slot = match kind {
                    0 => 0,
                    1 => u8::MAX,
                    2 => byte,
                    _ => random.next().to_le_bytes()[0],
                };
            }
        }
    });
}

#[test]
fn lost_and_doubled_stretches() {
    let count = damage(600, |random, bytes| {
        let from = index(random, bytes.len());
        let to = (from + 1 + index(random, 2000)).min(bytes.len());
        let stretch: Vec<u8> = bytes[from..to].to_vec();
        if random.chance(2) {
            bytes.drain(from..to);
        } else {
            let at = index(random, bytes.len());
            bytes.splice(at..at, stretch);
        }
    });
    assert!(count > 500, "{count}");
}

#[test]
fn truncated_files() {
    let count = damage(400, |random, bytes| {
        let keep = index(random, bytes.len());
        bytes.truncate(keep);
    });
    assert_eq!(count, 400);
}
