//! Stored forms: entries, superblocks, checkpoints; torn told from damaged.

use crate::strategies::{checkpoint, entry, superblock};
use proptest::prelude::*;
use vsr::checkpoint::Checkpoint;
use vsr::entry::{Checks, Entry, EntryFields, request_hash};
use vsr::ids::{ClientKey, RequestNumber, SessionNumber};
use vsr::io::Damage;
use vsr::superblock::Superblock;

fn flip(bytes: &mut [u8], bits: &[proptest::sample::Index]) {
    for bit in bits {
        let place = bit.index(bytes.len() * 8);
        bytes[place / 8] ^= 1 << (place % 8);
    }
}

proptest! {
    #[test]
    fn stored_entries_come_back(entry in entry(), rest in proptest::collection::vec(any::<u8>(), 0..50)) {
        let mut bytes = entry.encode_stored();
        // A longer entry was in the slot before.
        bytes.extend(rest);
        prop_assert_eq!(Entry::decode_stored(&bytes, Checks::Enforced), Ok(entry));
    }

    #[test]
    fn a_write_cut_short_is_torn(entry in entry(), cut in any::<proptest::sample::Index>()) {
        let bytes = entry.encode_stored();
        let cut = cut.index(bytes.len());
        prop_assert_eq!(Entry::decode_stored(&bytes[..cut], Checks::Enforced), Err(Damage::TornEntry));
    }

    #[test]
    fn a_write_cut_short_over_zeros_is_torn(entry in entry(), cut in any::<proptest::sample::Index>()) {
        let mut bytes = entry.encode_stored();
        // Of the last 16 bytes enough must be missing for the end to be told from a damaged one.
        let cut = cut.index(bytes.len() - 16);
        bytes[cut..].fill(0);
        let expected = if cut < 8 { Damage::CorruptEntry } else { Damage::TornEntry };
        prop_assert_eq!(Entry::decode_stored(&bytes, Checks::Enforced), Err(expected));
    }

    #[test]
    fn a_write_cut_short_over_an_older_entry_is_torn(old in entry(), new in entry(), cut in any::<proptest::sample::Index>()) {
        prop_assume!(old.body.len() >= new.body.len() && old.hash != new.hash);
        let (mut bytes, head) = (old.encode_stored(), new.encode_stored());
        let from = head.len() - 16 - new.body.len();
        let cut = from + cut.index(new.body.len() + 1);
        bytes[..cut].copy_from_slice(&head[..cut]);
        // One time in ten thousand what lies there looks much like the end that is missing: then it counts as damaged, which promises less.
        let end = head.len() - 16;
        let unlike: u32 = bytes[end..end + 8].iter().zip(&head[end..]).map(|(lies, belongs)| (lies ^ belongs).count_ones()).sum();
        let expected = if unlike < 17 { Damage::CorruptEntry } else { Damage::TornEntry };
        prop_assert_eq!(Entry::decode_stored(&bytes, Checks::Enforced), Err(expected));
    }

    #[test]
    fn a_few_flipped_bits_are_damage_and_never_a_torn_write(
        entry in entry(),
        bits in proptest::collection::vec(any::<proptest::sample::Index>(), 1..=8),
    ) {
        let mut bytes = entry.encode_stored();
        let whole = bytes.clone();
        flip(&mut bytes, &bits);
        prop_assume!(bytes != whole);
        let length = EntryFields::clone(&entry).body.len();
        match Entry::decode_stored(&bytes, Checks::Enforced) {
            Ok(decoded) => prop_assert_eq!(decoded, entry),
            Err(damage) => prop_assert_eq!(damage, Damage::CorruptEntry, "body of {} bytes", length),
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_entry(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Entry::decode_stored(&bytes, Checks::Enforced).is_err());
        // Unchecked, it may come out as anything, but it comes out.
        let _ = Entry::decode_stored(&bytes, Checks::Skipped);
    }

    #[test]
    fn stored_superblocks_come_back(superblock in superblock()) {
        prop_assert_eq!(Superblock::decode_stored(&superblock.encode_stored()), Ok(superblock));
    }

    #[test]
    fn a_damaged_superblock_is_refused(superblock in superblock(), bit in any::<proptest::sample::Index>()) {
        let mut bytes = superblock.encode_stored();
        flip(&mut bytes, &[bit]);
        prop_assert_eq!(Superblock::decode_stored(&bytes), Err(Damage::Superblock));
        prop_assert_eq!(Superblock::decode_stored(&bytes[..bytes.len() / 2]), Err(Damage::Superblock));
    }

    #[test]
    fn stored_checkpoints_come_back(checkpoint in checkpoint()) {
        prop_assert_eq!(Checkpoint::decode_stored(&checkpoint.encode_stored()), Ok(checkpoint));
    }

    #[test]
    fn a_damaged_checkpoint_is_refused(checkpoint in checkpoint(), bit in any::<proptest::sample::Index>()) {
        let mut bytes = checkpoint.encode_stored();
        flip(&mut bytes, &[bit]);
        prop_assert_eq!(Checkpoint::decode_stored(&bytes), Err(Damage::Checkpoint));
    }

    #[test]
    fn every_field_counts_in_the_hash(one in entry(), other in entry()) {
        prop_assert_eq!(EntryFields::clone(&one) == EntryFields::clone(&other), one.hash == other.hash);
    }
}

#[test]
fn a_request_hash_binds_client_session_number_and_command() {
    let client = ClientKey::default();
    let hash = |session, request, command: &[u8]| request_hash(client, SessionNumber(session), RequestNumber(request), command);
    let hashes = [hash(1, 1, b"a"), hash(2, 1, b"a"), hash(1, 2, b"a"), hash(1, 1, b"b")];
    for (place, one) in hashes.iter().enumerate() {
        assert!(hashes[..place].iter().all(|other| other != one));
    }
}

#[test]
fn unchecked_decoding_takes_a_damaged_body_as_it_is() {
    let entry = Entry::new(EntryFields { body: b"good".as_slice().into(), ..EntryFields::default() });
    let mut bytes = entry.encode_stored();
    let place = bytes.len() - 17;
    bytes[place] ^= 1;
    assert_eq!(Entry::decode_stored(&bytes, Checks::Enforced), Err(Damage::CorruptEntry));
    let taken = Entry::decode_stored(&bytes, Checks::Skipped).unwrap();
    assert_eq!((taken.hash, &*taken.body), (entry.hash, b"gooe".as_slice()));
}
