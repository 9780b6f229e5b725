//! The wire form of messages.

use crate::strategies::message;
use proptest::prelude::*;
use std::collections::BTreeSet;
use vsr::codec::CLUSTER_DEFAULT;
use vsr::ids::{Epoch, Peer, ReplicaId, View};
use vsr::message::{Body, Command, Message, RejectReason};

fn get_view() -> Message {
    let (from, to) = (Peer::Replica(ReplicaId(1)), Peer::Replica(ReplicaId(2)));
    Message { epoch: Epoch(0), view: View(7), from, to, body: Body::GetView }
}

proptest! {
    #[test]
    fn what_was_encoded_decodes_to_itself(message in message()) {
        let bytes = message.encode();
        prop_assert_eq!(bytes.len(), message.encoded_len());
        prop_assert_eq!(Message::decode(&bytes, None), Ok(message));
    }

    #[test]
    fn a_flipped_bit_is_refused(message in message(), place in any::<proptest::sample::Index>(), bit in 0..8_u32) {
        let mut bytes = message.encode();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        prop_assert_eq!(Message::decode(&bytes, None), Err(RejectReason::Checksum));
    }

    #[test]
    fn a_message_cut_short_is_refused(message in message(), cut in any::<proptest::sample::Index>()) {
        let bytes = message.encode();
        prop_assert!(Message::decode(&bytes[..cut.index(bytes.len())], None).is_err());
    }

    #[test]
    fn well_summed_nonsense_is_refused_without_a_panic(message in message(), place in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = message.encode();
        let place = 8 + place.index(bytes.len() - 8);
        bytes[place] = byte;
        let crc = crc32fast::hash(&bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        if let Ok(decoded) = Message::decode(&bytes, None) {
            prop_assert_eq!(decoded.encode(), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Message::decode(&bytes, None).is_err());
    }
}

#[test]
fn the_checksum_stands_where_it_is_looked_for() {
    let bytes = get_view().encode();
    assert_eq!(Message::checksum_of(&bytes), Some(crc32fast::hash(&bytes[8..])));
    assert_eq!(Message::checksum_of(&bytes[..5]), None);
}

#[test]
fn another_clusters_message_is_refused() {
    let bytes = get_view().encode_for(CLUSTER_DEFAULT + 1);
    assert_eq!(Message::decode(&bytes, None), Err(RejectReason::WrongCluster));
}

#[test]
fn a_message_beyond_the_limit_is_refused_unread() {
    let bytes = vec![0; vsr::constants::MESSAGE_BYTES_MAX + 1];
    assert_eq!(Message::decode(&bytes, None), Err(RejectReason::TooLarge));
}

#[test]
fn names_are_distinct() {
    let commands: BTreeSet<_> = Command::ALL.iter().map(|command| command.name()).collect();
    let reasons: BTreeSet<_> = RejectReason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!((commands.len(), reasons.len()), (Command::ALL.len(), RejectReason::ALL.len()));
}
