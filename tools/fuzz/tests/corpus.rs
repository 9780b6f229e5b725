//! Every file of the corpus, and many mutations of each, go through their target; this runs on stable and without a fuzzer.
//!
//! Each target is tried with the same mutations on every machine, however fast it is: a test that is green here and red there helps
//! nobody. To look for more, `VOPR_FUZZ_SECONDS` tries each target that long instead, and `VOPR_FUZZ_SEED` begins elsewhere.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vopr_fuzz::TARGETS;

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).expect("31 bits fit") % below.max(1)
    }
}

fn corpus(target: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// Numbers that sums, products and sizes go wrong with.
const NUMBERS: [&str; 9] =
    ["0", "1", "-1", "255", "65536", "4294967295", "9223372036854775807", "9223372036854775808", "18446744073709551615"];

/// Changes, removes, repeats and moves pieces, takes pieces of another file, and puts other numbers in the place of those that are there.
fn mutated(bytes: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.next(4) {
        let at = random.next(bytes.len() + 1);
        let end = (at + random.next(16)).min(bytes.len());
        match random.next(8) {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.next(8)),
            1 => _ = bytes.drain(at..end),
            2 => {
                let piece = bytes[at..end].to_vec();
                let to = random.next(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            3 => bytes.insert(at, b"{}[]()#_:;,\"\\0 -\n9\xff"[random.next(19)]),
            4 if !other.is_empty() => {
                let from = random.next(other.len());
                let piece = other[from..(from + random.next(64)).min(other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            5 => bytes.truncate(at),
            _ => {
                let is_digit = |place: &usize| bytes[*place].is_ascii_digit();
                if let Some(start) = (at..bytes.len()).find(is_digit) {
                    let stop = (start..bytes.len()).find(|place| !is_digit(place)).unwrap_or(bytes.len());
                    bytes.splice(start..stop, NUMBERS[random.next(NUMBERS.len())].bytes());
                }
            }
        }
    }
    bytes
}

/// Mutations of each target, unless a time is set: a few seconds for the slowest.
const MUTATIONS: u64 = 5000;

#[test]
fn no_mutation_of_the_corpus_makes_a_target_panic() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap_or_else(|error| panic!("{name}: {error}")));
    let time = number("VOPR_FUZZ_SECONDS").map(Duration::from_secs);
    let seed = number("VOPR_FUZZ_SEED").unwrap_or(0x9e37_79b9_7f4a_7c15) | 1;
    for (name, target) in TARGETS {
        let files: Vec<Vec<u8>> = corpus(name).iter().map(|file| std::fs::read(file).expect("a file of the corpus")).collect();
        assert!(!files.is_empty(), "{name} has no corpus");
        for bytes in &files {
            target(bytes);
        }
        let mut random = Random(seed);
        let (start, mut tried) = (Instant::now(), 0_u64);
        while time.map_or(tried < MUTATIONS, |time| start.elapsed() < time) {
            let input = mutated(&files[random.next(files.len())], &files[random.next(files.len())], &mut random);
            let result = std::panic::catch_unwind(|| target(&input));
            assert!(result.is_ok(), "{name} panics on {:?}", String::from_utf8_lossy(&input));
            tried += 1;
        }
        println!("{name}: {} files, {tried} mutations", files.len());
    }
}
