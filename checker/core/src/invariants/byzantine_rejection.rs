//! `byzantine_rejection`: every attack that the guards must refuse was refused, with the right reason.
//!
//! A refusal for the wrong reason is luck: the guard that should have stopped the message did not.
//!
//! **Formally.** Each delivered message whose bytes or content a fault changed in a way that must be noticed carries a
//! `reject_reason` out of those that its mutation admits: flipped bits (checksum, malformed, `too_large`, `wrong_cluster`), a cut
//! (checksum, malformed), an overwritten checksum (checksum), a false tail length (`tail_length_mismatch`, malformed), another tail
//! (`broken_chain`, `hash_mismatch`, `invalid_metadata`, `conflicts_with_committed`), an entry that contradicts its header
//! (`invalid_metadata`, `hash_mismatch`, `broken_chain`), a senseless range (`invalid_range`), a commit number beyond the log or
//! the entry (`commit_beyond_log`, `invalid_metadata`), an op number that a log does not reach (`tail_length_mismatch`; of a vote
//! `invalid_range`, `hash_mismatch`), a last normal view that is not older than the view voted for (`invalid_metadata`), more than
//! a message may have (`too_large`). The last eight may also be refused for what the receiver looks at first: view, status, sender,
//! duplicates. No message that no fault touched is refused as malformed, too large, of another cluster, or for another destination.
//!
//! **Evidence.** message: command, from, to, op, commit, view, `last_normal_view`, mutation, fate, `reject_reason`.
//!
//! **Deliberately not checked.** Mutations that may leave a message acceptable (a commit number within the log; an older last
//! normal view; another view; identical claims; replays; floods; another time): what accepting them does to the cluster is the
//! business of all other invariants. That a refused message had no effect, and clean messages refused for their checksum: `corruption_detection`.

use crate::budget::Meter;
use crate::index::RunIndex;
use crate::registry::{Category, Invariant, Reads};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::column::Niche;
use vopr_schema::{Command, Fate, Kind, Mutation, RejectReason as Reason};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "byzantine_rejection",
    version: 1,
    category: Category::Replication,
    reads: &[Reads {
        kind: Kind::Message,
        columns: &["command", "from", "to", "op", "commit", "view", "last_normal_view", "mutation", "fate", "reject_reason"],
    }],
    statement: "every mutated message that must be refused was refused with a reason that fits its mutation",
    because_of: &["corruption_detection"],
    check,
};

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no message was changed that must be refused", || messages(index, meter))
}

fn messages(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.messages();
    let mut ticker = meter.ticker();
    let mut facts = 0;
    for row in index.message_rows() {
        if table.mutation.codes[row] == u8::NONE && table.reject_reason.codes[row] == u8::NONE {
            continue;
        }
        ticker.step()?;
        let reason = table.reject_reason.get(row);
        let Some(mutation) = table.mutation.get(row) else {
            if reason.is_some_and(|reason| ONLY_FOR_ATTACKS.contains(&reason)) {
                let why = reason.unwrap_or_default();
                let summary = format!("a message that no fault touched was refused as an attack: {why}");
                return Err(witness(index, "clean_message_refused_as_attack", summary, row).into());
            }
            continue;
        };
        let Some((fitting, decoded)) = admitted(index, mutation, row).filter(|_| table.fate.get(row) == Fate::Delivered) else { continue };
        facts += 1;
        let Some(reason) = reason else {
            let summary = format!("a message that a fault had changed ({mutation}) was delivered and not refused");
            return Err(witness(index, "attack_accepted", summary, row).into());
        };
        let fits = fitting.contains(&reason) || (decoded && LOOKED_AT_FIRST.contains(&reason));
        if !fits {
            let summary = format!("a message that a fault had changed ({mutation}) was refused for a reason that does not fit: {reason}");
            return Err(witness(index, "attack_refused_for_another_reason", summary, row).into());
        }
    }
    Ok(facts)
}

/// Refusals that nothing but a changed message can bring about.
const ONLY_FOR_ATTACKS: [Reason; 4] = [Reason::Malformed, Reason::TooLarge, Reason::WrongCluster, Reason::WrongDestination];

/// What a receiver looks at before it looks at what a message carries.
const LOOKED_AT_FIRST: [Reason; 11] = [
    Reason::WrongEpoch,
    Reason::NotMember,
    Reason::OldView,
    Reason::NewerView,
    Reason::WrongStatus,
    Reason::NotPrimary,
    Reason::Duplicate,
    Reason::Stale,
    Reason::PipelineFull,
    Reason::SlotChanged,
    Reason::CommitBeyondLog,
];

/// The reasons that fit a mutation, and whether the message can still be decoded, so that other guards may come first; none for a
/// mutation that may leave a message acceptable.
fn admitted(index: &RunIndex<'_>, mutation: Mutation, row: usize) -> Option<(&'static [Reason], bool)> {
    match mutation {
        Mutation::BitFlip | Mutation::Inserted => {
            Some((&[Reason::Checksum, Reason::Malformed, Reason::TooLarge, Reason::WrongCluster], false))
        }
        Mutation::Truncated => Some((&[Reason::Checksum, Reason::Malformed], false)),
        Mutation::Checksum => Some((&[Reason::Checksum], false)),
        Mutation::TailLength => Some((&[Reason::TailLengthMismatch, Reason::Malformed], true)),
        Mutation::TailContent => {
            Some((&[Reason::BrokenChain, Reason::HashMismatch, Reason::InvalidMetadata, Reason::ConflictsWithCommitted], true))
        }
        Mutation::EntryMetadata => Some((&[Reason::InvalidMetadata, Reason::HashMismatch, Reason::BrokenChain], true)),
        Mutation::Range => Some((&[Reason::InvalidRange], true)),
        Mutation::Oversized => Some((&[Reason::TooLarge], true)),
        Mutation::CommitNumber => {
            let (op, commit) = index.messages().op.get(row).zip(index.messages().commit.get(row))?;
            (commit > op).then_some((&[Reason::CommitBeyondLog, Reason::InvalidMetadata], true))
        }
        Mutation::OpNumber => {
            let table = index.messages();
            match table.command.get(row) {
                Command::DoViewChange | Command::StartView => Some((&[Reason::TailLengthMismatch], true)),
                Command::PrepareOk => Some((&[Reason::InvalidRange, Reason::HashMismatch], true)),
                _ => None,
            }
        }
        Mutation::LastNormalView => {
            let (last, view) = index.messages().last_normal_view.get(row).zip(index.messages().view.get(row))?;
            (last >= view).then_some((&[Reason::InvalidMetadata], true))
        }
        Mutation::Other
        | Mutation::ViewNumber
        | Mutation::IdenticalClaim
        | Mutation::Withheld
        | Mutation::Replayed
        | Mutation::Flood
        | Mutation::ClockSample
        | Mutation::ClockSampleWithheld => None,
    }
}

fn witness(index: &RunIndex<'_>, shape: &str, summary: String, row: usize) -> Witness {
    let table = index.messages();
    let words = format!("{} from {} to {}", table.command.get(row), table.from[row], table.to[row]);
    Witness::new(shape, summary).step(index.message_step(row, words))
}

#[cfg(test)]
mod tests {
    use crate::testing::Story;
    use vopr_schema::{Command, Fate, Mutation, RejectReason as Reason};

    const NAME: &str = "byzantine_rejection";

    fn story(mutation: Option<Mutation>, reason: Option<Reason>) -> Story {
        let mut story = Story::clean(2);
        story.message(Command::DoViewChange, 0, 1, |row| (row.mutation, row.reject_reason) = (mutation, reason));
        story
    }

    fn shape(story: &Story) -> String {
        let verdict = story.verdict(NAME);
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    #[test]
    fn attacks_refused_for_a_fitting_reason_are_facts() {
        for (mutation, reason) in [
            (Mutation::BitFlip, Reason::Checksum),
            (Mutation::Truncated, Reason::Malformed),
            (Mutation::Checksum, Reason::Checksum),
            (Mutation::TailLength, Reason::TailLengthMismatch),
            (Mutation::TailContent, Reason::OldView),
            (Mutation::Range, Reason::InvalidRange),
        ] {
            assert_eq!(story(Some(mutation), Some(reason)).verdict(NAME).facts(), 1, "{mutation}");
        }
    }

    #[test]
    fn attacks_accepted_or_refused_by_luck_are_violations() {
        assert_eq!(shape(&story(Some(Mutation::EntryMetadata), None)), "attack_accepted");
        assert_eq!(shape(&story(Some(Mutation::Checksum), None)), "attack_accepted");
        assert_eq!(shape(&story(Some(Mutation::BitFlip), Some(Reason::OldView))), "attack_refused_for_another_reason");
        assert_eq!(shape(&story(Some(Mutation::Range), Some(Reason::Checksum))), "attack_refused_for_another_reason");
        assert_eq!(shape(&story(None, Some(Reason::Malformed))), "clean_message_refused_as_attack");
    }

    #[test]
    fn a_commit_number_is_an_attack_beyond_the_log_only() {
        let story = |op: u64, commit: u64, reason: Option<Reason>| {
            let mut story = story(Some(Mutation::CommitNumber), reason);
            let row = story.messages.last_mut().unwrap();
            (row.op, row.commit) = (Some(op), Some(commit));
            story
        };
        assert_eq!(shape(&story(5, 6, None)), "attack_accepted");
        assert_eq!(story(5, 6, Some(Reason::CommitBeyondLog)).verdict(NAME).facts(), 1);
        assert_eq!(story(5, 5, None).verdict(NAME).name(), "not_applicable");
        assert_eq!(super::tests::story(Some(Mutation::Oversized), Some(Reason::TooLarge)).verdict(NAME).facts(), 1);
    }

    #[test]
    fn numbers_that_cannot_be_are_attacks() {
        let last_normal_view = |last: u64| {
            let mut story = story(Some(Mutation::LastNormalView), None);
            let row = story.messages.last_mut().unwrap();
            (row.view, row.last_normal_view) = (Some(4), Some(last));
            story
        };
        assert_eq!(shape(&last_normal_view(4)), "attack_accepted");
        assert_eq!(last_normal_view(3).verdict(NAME).name(), "not_applicable");
        assert_eq!(shape(&story(Some(Mutation::OpNumber), None)), "attack_accepted");
        assert_eq!(shape(&story(Some(Mutation::OpNumber), Some(Reason::InvalidRange))), "attack_refused_for_another_reason");
        assert_eq!(story(Some(Mutation::OpNumber), Some(Reason::TailLengthMismatch)).verdict(NAME).facts(), 1);
    }

    #[test]
    fn harmless_mutations_and_ordinary_refusals_are_no_facts() {
        assert_eq!(story(Some(Mutation::ViewNumber), None).verdict(NAME).name(), "not_applicable");
        assert_eq!(story(None, Some(Reason::OldView)).verdict(NAME).name(), "not_applicable");
        assert_eq!(Story::new(3).verdict(NAME).name(), "not_applicable");
    }

    #[test]
    fn what_never_arrived_is_not_judged() {
        let lost = |mut story: Story| {
            story.messages.last_mut().unwrap().fate = Fate::Lost;
            story
        };
        assert_eq!(lost(story(Some(Mutation::BitFlip), None)).verdict(NAME).name(), "not_applicable");
        let cut = story(Some(Mutation::BitFlip), None);
        let sent = cut.messages.last().unwrap().seq;
        assert_eq!(cut.cut_off(sent + 1).verdict(NAME).name(), "not_applicable");
    }
}
