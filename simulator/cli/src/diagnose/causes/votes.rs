//! Causes in the normal protocol: what a commit was counted from.

use crate::diagnose::scene::{Scene, Sign};
use vopr_checker::index::{Configuration, EntryId, EventSet, members};
use vopr_checker::words::{replicas, votes_of};
use vopr_schema::TransitionEvent as Event;

/// A commit that a primary counted votes for.
struct Count {
    row: usize,
    replica: u8,
    view: u64,
    op: u64,
    seq: u64,
    quorum: u32,
    entry: EntryId,
    /// The configuration in force, and the one that this very entry brings.
    configuration: Configuration,
    next: Option<Configuration>,
}

fn counts<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = Count> + 'a {
    let index = &scene.index;
    let table = index.transitions();
    index.events(EventSet::of(&[Event::Committed])).filter_map(move |(row, _)| {
        let (quorum, op) = (table.quorum.get(row)?, table.op.get(row)?);
        let (entry, configuration) = (index.entries().of_row(row)?, index.configurations().of_epoch(table.epoch[row])?);
        let next = index.configurations().after(configuration.epoch).filter(|next| next.since == op);
        let (replica, view, seq) = (table.replica[row], table.view[row], table.seq[row]);
        Some(Count { row, replica, view, op, seq, quorum, entry, configuration, next })
    })
}

impl Count {
    fn voters(&self) -> u32 {
        self.configuration.voters | self.next.map_or(0, |next| next.voters)
    }

    /// Whether too few voters are in it; one with strangers in it is told apart.
    fn is_short(&self) -> bool {
        let enough = self.configuration.decides(self.quorum) && self.next.is_none_or(|next| next.decides(self.quorum));
        !enough && self.quorum & !self.voters() == 0
    }

    fn step(&self, scene: &Scene<'_>) -> vopr_checker::Step {
        let words = format!("replica {} commits op {} by {}", self.replica, self.op, votes_of(self.quorum));
        scene.transition(self.row, words)
    }

    /// The last two acknowledgements of one member that the primary took for this commit.
    fn twice(&self, scene: &Scene<'_>) -> Option<(usize, usize)> {
        let votes = scene.index.deliveries().votes(self.entry);
        let counted = |vote: &&vopr_checker::index::Vote| {
            vote.view == self.view && vote.to == u16::from(self.replica) && vote.fate_seq < self.seq && vote.from != vote.to
        };
        let all: Vec<_> = votes.iter().filter(counted).collect();
        let enough = all.len() + 1 >= self.configuration.quorum();
        let pair = all.iter().enumerate().find_map(|(place, vote)| {
            let earlier = all[..place].iter().find(|other| other.from == vote.from)?;
            Some((earlier.row as usize, vote.row as usize))
        });
        pair.filter(|_| enough)
    }

    /// An earlier configuration by whose rules the votes would do: as a majority of its voters, or by their number.
    fn outdated(&self, scene: &Scene<'_>) -> Option<Configuration> {
        let all = scene.index.configurations().all().iter().copied().filter(|known| known.epoch < self.configuration.epoch);
        let votes = self.quorum.count_ones() as usize;
        let fewer = |known: &Configuration| known.quorum() < self.configuration.quorum() && votes >= known.quorum();
        all.into_iter().find(|known| known.decides(self.quorum) || fewer(known))
    }
}

/// An acknowledgement that left before its entry was on the disk.
pub(super) fn acknowledged_before_durable(scene: &Scene<'_>) -> Option<Sign> {
    let index = &scene.index;
    let table = index.transitions();
    let testimony = index.testimony();
    let early = index.events(EventSet::of(&[Event::Acknowledged])).filter_map(|(row, _)| {
        let entry = index.entries().of_row(row)?;
        let (replica, seq) = (table.replica[row], table.seq[row]);
        let own = || testimony.about(entry).iter().filter(move |said| said.replica == replica);
        let is_durable = own().any(|said| said.event == Event::EntryDurable && said.seq < seq);
        if is_durable || testimony.may_have_survived(index, entry, row) {
            return None;
        }
        let op = table.op.get(row)?;
        let later = own().find(|said| said.event == Event::EntryDurable).map(|said| said.row as usize);
        let sentence = format!("replica {replica} acknowledged op {op}, and the entry was not on its disk yet");
        let flush = later.map(|later| scene.transition(later, format!("only now op {op} is on its disk")));
        Some(Sign::proven(sentence).row(scene.transition(row, format!("replica {replica} acknowledges op {op}"))).row_if(flush))
    });
    Sign::first(early)
}

/// A commit by fewer votes than a majority, however they are counted.
pub(super) fn committed_below_quorum(scene: &Scene<'_>) -> Option<Sign> {
    let short = counts(scene).filter(|count| count.is_short() && count.twice(scene).is_none() && count.outdated(scene).is_none());
    let sign = |count: Count| {
        let (op, needed) = (count.op, count.configuration.quorum());
        let sentence = format!("op {op} was committed by {}, where {needed} are needed", votes_of(count.quorum));
        Sign::proven(sentence).row(count.step(scene))
    };
    Sign::first(short.map(sign))
}

/// Commits by too few members, each of which has an acknowledgement that came twice.
pub(super) fn votes_counted_twice(scene: &Scene<'_>) -> Option<Sign> {
    let short: Vec<Count> = counts(scene).filter(|count| count.is_short() && count.outdated(scene).is_none()).collect();
    let pairs: Vec<(usize, usize)> = short.iter().map_while(|count| count.twice(scene)).collect();
    if pairs.len() < short.len() {
        return None;
    }
    let sign = |(count, (first, second)): (&Count, &(usize, usize))| {
        let from = scene.index.messages().from[*second];
        let sentence =
            format!("op {} was committed by {} only: the vote of replica {from} had come twice", count.op, replicas(count.quorum));
        Sign::proven(sentence).row(scene.message(*first, "")).row(scene.message(*second, ": once more")).row(count.step(scene))
    };
    Sign::first(short.iter().zip(&pairs).map(sign))
}

/// A commit that counts a vote given in an older view.
pub(super) fn old_view_votes_counted(scene: &Scene<'_>) -> Option<Sign> {
    let testimony = scene.index.testimony();
    let old = counts(scene).filter_map(|count| {
        let given = |member: u8| {
            let about = testimony.about(count.entry).iter();
            about.filter(move |said| said.replica == member && said.event == Event::Acknowledged && said.seq < count.seq)
        };
        let stale = |member: u8| given(member).next_back().filter(|_| given(member).all(|said| said.view < count.view));
        let vote = members(count.quorum).find_map(stale)?;
        let sentence = format!(
            "op {} was committed in view {} with a vote that replica {} had given in view {}",
            count.op, count.view, vote.replica, vote.view
        );
        let words = format!("replica {} acknowledges op {} in view {}", vote.replica, count.op, vote.view);
        Some(Sign::proven(sentence).row(scene.transition(vote.row as usize, words)).row(count.step(scene)))
    });
    Sign::first(old)
}

/// A commit that counts a replica which is no voter.
pub(super) fn removed_member_counted(scene: &Scene<'_>) -> Option<Sign> {
    let strangers = counts(scene).filter_map(|count| {
        let voters = count.voters();
        let strangers = count.quorum & !voters;
        let sentence = format!(
            "op {} was committed in epoch {} with {}, where only these vote: {}",
            count.op,
            count.configuration.epoch,
            votes_of(strangers),
            replicas(voters)
        );
        let entered = count.configuration.row.map(|row| scene.transition(row, format!("from here on these vote: {}", replicas(voters))));
        (strangers != 0).then(|| Sign::proven(sentence).row_if(entered).row(count.step(scene)))
    });
    Sign::first(strangers)
}

/// A commit by a majority of voters that an earlier configuration had.
pub(super) fn old_configuration_decided(scene: &Scene<'_>) -> Option<Sign> {
    let old = counts(scene).filter_map(|count| {
        let older = count.outdated(scene).filter(|_| count.is_short())?;
        let sentence = format!(
            "op {} was committed by {}: enough for epoch {}, but epoch {} was in force (voters: {})",
            count.op,
            replicas(count.quorum),
            older.epoch,
            count.configuration.epoch,
            replicas(count.configuration.voters)
        );
        let entered = count.configuration.row.map(|row| scene.transition(row, format!("epoch {} begins", count.configuration.epoch)));
        Some(Sign::proven(sentence).row_if(entered).row(count.step(scene)))
    });
    Sign::first(old)
}
