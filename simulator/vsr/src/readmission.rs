//! Readmission: how a voter whose disk was replaced by an empty one becomes a voter again.
//!
//! It has forgotten what its former self promised, so it begins as a non-voter: it replicates and applies, and counts in no quorum. It
//! asks all voters (with a nonce that no former self can have used) in which view they are. Once so many of them have answered that every
//! quorum which its former self was a part of has one of them in it, it knows M, the highest view among the answers, and votes again from the
//! first view on that it enters and that is M + 2 or later. Why that is enough, n voters and quorums of q:
//!
//! 1. A voter leaves its view for a later one only if a quorum was in its view (suspicion, window and abdication go one view up from a
//!    view that a quorum had entered or voted for), or because another voter has. So if the former self voted for view v, a quorum was in view
//!    v - 1 or later, q - 1 of them others.
//! 2. n - q + 1 of the n - 1 others have answered after the former self had died; they meet any q - 1 of the others. Hence M >= v - 1:
//!    no vote of the former self, in flight or counted, is for a view above M + 1.
//! 3. A view from M + 2 on is therefore started without it: by the logs of q others. They hold whatever was committed with its help
//!    before, because q others and the q - 1 others that voted for such an entry meet. That log is pinned in the superblock when the view is
//!    entered, and voted for once it is on the disk: from there on the replica is like any other.
//!
//! Those that are not readmitted themselves do not answer, so with r disks replaced at once there must be n - q + 1 other voters left: a
//! minority may be replaced at a time. Where it would go wrong otherwise, in steps: (1) of replicas 0, 1 and 2 the first two commit op 7, and
//! 2 has not heard of it; (2) the disk of 1 is replaced; (3) 1 takes part in a view change at once, with an empty log; (4) 2 enters
//! view 2 with the logs of 1 and 2, and op 7 is gone. And it is not enough to have caught up, in steps: (1) of five replicas, 1 votes for
//! view 5, and its log, in flight to 0, ends at op 6; (2) its disk is replaced, and it learns the log of view 4 up to op 7, which it then
//! helps to commit; (3) 0 starts view 5 with the old log of 1 and those of two others, none of which has op 7.
//!
//! The others are those of one configuration. If the former self was a voter of a later one, its quorums there are met by answers of that
//! one's voters only: a replica that enters an epoch before it votes again asks all over. Where it would go wrong otherwise, in steps: (1)
//! replicas 0 and 1 of three lag, 2 to 4 have entered the epoch in which all five vote, and go on; (2) 2 votes for view 5, and its disk is
//! replaced; (3) 0 and 1 say that they are in view 1; (4) 2 hears of the epoch, and votes from view 4 on, without what it had promised in 5.
//!
//! Where members do not vote, the views that they would lead are passed over: "one view up" and "M + 2" grow by their number.
//!
//! In a quiet cluster no view changes by itself. So a replica that has caught up asks its primary for the view that it needs, and the
//! primary steps down, one view at a time.

use crate::bug::Bug;
use crate::ids::{ReplicaId, View};
use crate::io::{AbdicationCause, Effect, Note, Status, Timer};
use crate::message::Body;
use crate::quorum::Members;
use crate::replica::{Config, Replica};
use crate::state_machine::StateMachine;
use alloc::vec::Vec;

/// Sequence numbers of superblocks from one format of a disk to the next: no disk lives to write so many.
const SEQUENCES_PER_FORMAT: u64 = 1 << 40;
/// Whoever may vote from this view on does not know yet from which one.
const UNKNOWN: View = View(u64::MAX);

/// What a re-formatted replica has learnt of the others.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Readmission {
    witnesses: Members,
    highest: View,
}

/// The first sequence number of a disk, and the view from which on its replica may vote.
pub(crate) fn formatted(config: &Config) -> (u64, View) {
    // The guard: who has forgotten its promises does not vote.
    let is_known = config.format == 0 || config.bug == Some(Bug::VotesAfterReformat);
    (u64::from(config.format) * SEQUENCES_PER_FORMAT, if is_known { View(0) } else { UNKNOWN })
}

impl<S: StateMachine> Replica<S> {
    /// Whether this is a voter that may not vote yet.
    pub(crate) fn awaits_readmission(&self) -> bool {
        self.last_normal_view < self.promises.durable.voter_from
    }

    /// How many views a voter goes up at a time, at most: as far as the next one that a voter leads.
    fn views_at_a_time(&self) -> u64 {
        u64::from(self.config.members()) - u64::from(self.membership.voters.len()) + 1
    }

    /// From which view on this replica may vote in an epoch that it is about to enter.
    pub(crate) fn voter_from_in_new_epoch(&self) -> View {
        if self.awaits_readmission() { UNKNOWN } else { self.voter_from }
    }

    /// The voters are others now: who answered before, or had to, is no witness of what their quorums have promised.
    pub(crate) fn forget_witnesses(&mut self) {
        if self.awaits_readmission() {
            self.voter_from = UNKNOWN;
            self.readmission = Readmission::default();
        }
    }

    /// A voter has said, after this disk was formatted, in which view it is.
    pub(crate) fn witnessed(&mut self, from: ReplicaId, view: View, nonce: u64, fx: &mut Vec<Effect>) {
        let is_own = nonce / SEQUENCES_PER_FORMAT == u64::from(self.config.format);
        if self.voter_from != UNKNOWN || !is_own || !self.votes(from) {
            return;
        }
        self.readmission.witnesses.insert(from);
        self.readmission.highest = self.readmission.highest.max(view);
        if self.readmission.witnesses.len() >= self.quorums.nack {
            // Views that would be led by members without a vote are passed over.
            self.voter_from = View(self.readmission.highest.0 + 1 + self.views_at_a_time());
            self.want_superblock(fx);
        }
    }

    /// Asks once more: who has not answered, or the primary for the next view.
    pub(crate) fn on_readmission_timer(&mut self, fx: &mut Vec<Effect>) {
        self.note(fx, Note::TimerFired(Timer::Recovery));
        let primary = self.config.primary_of(self.view);
        if self.status == Status::Recovering || self.voter_from == UNKNOWN {
            self.ask_everybody(fx);
        } else if self.status == Status::Normal && self.log.holes() == 0 && primary != self.config.replica {
            self.send_in(self.voter_from, primary, Body::GetView, fx);
        }
        self.set_timer(Timer::Recovery, fx);
    }

    /// Primary: a voter needs a later view than this one.
    pub(crate) fn step_down_for(&mut self, from: ReplicaId, view: View, fx: &mut Vec<Effect>) -> bool {
        let is_near = view.0 <= self.view.0 + 1 + self.views_at_a_time();
        let steps_down = is_near && self.votes(from) && self.is_primary();
        if steps_down {
            self.abdicate(AbdicationCause::HigherView, fx);
        }
        steps_down
    }
}
