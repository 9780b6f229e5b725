//! Whom to ask for a repair: the peer that has been the quickest lately, and now and then another one.
//!
//! Response times are smoothed exponentially. They are read off the monotonic clock: the wall clock may be set while an answer is on its
//! way. One choice of ten goes to the next peer in turn instead, whatever is known of it: who was slow once would otherwise never be asked
//! again. There is no randomness in here; counting explores as well as drawing does.

use crate::constants::{EXPLORATION_PERIOD, MEMBERS_MAX, REPAIR_TIMEOUT_NS, RESPONSE_WEIGHT};
use crate::ids::ReplicaId;
use crate::quorum::Members;

/// No answer counts as slower than this many timeouts: that a process stood still says nothing of a peer.
const TIMEOUTS_MAX: u64 = 8;

/// Who has left so many questions in a row unanswered, and says nothing else either, is silent: nobody waits until it has been asked too.
const SILENT_AFTER: u8 = 5;

/// What is known of the peers.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Peers {
    /// Smoothed time until an answer, nanoseconds; 0: never asked.
    response_ns: [u64; MEMBERS_MAX as usize],
    /// Questions in a row that each has left unanswered.
    unanswered: [u8; MEMBERS_MAX as usize],
    /// Those that have said anything since the last question was asked.
    spoke: Members,
    /// Those that have answered the question without an end to it.
    tried: Members,
    /// Those that have left the question unanswered twice.
    waited_for: Members,
    /// Who has left the question unanswered once.
    missed: Option<ReplicaId>,
    /// The peer whose answer is awaited, and since when.
    asked: Option<(ReplicaId, u64)>,
    /// Choices so far.
    choices: u32,
    /// The peer whose turn it is to be asked whatever is known of it.
    turn: u8,
    /// The peer behind the one that was asked last: of equally quick ones the first from here on.
    next: u8,
}

impl Peers {
    /// Something else is wanted: everybody may be asked for it.
    pub fn begin_question(&mut self) {
        (self.tried, self.waited_for, self.missed) = (Members::default(), Members::default(), None);
    }

    /// Nobody's answer is awaited any more.
    pub fn forget_question(&mut self) {
        self.asked = None;
        self.begin_question();
    }

    /// A message of a peer has come.
    pub fn heard(&mut self, from: ReplicaId) {
        if self.asked.is_some() {
            self.spoke.insert(from);
        }
    }

    /// A peer has answered. If the same is still wanted, the others are asked first.
    pub fn answered(&mut self, from: ReplicaId, now_ns: u64) {
        if let Some((peer, since_ns)) = self.asked.take_if(|(peer, _)| *peer == from) {
            self.learn(peer, now_ns.saturating_sub(since_ns));
            self.unanswered[usize::from(peer.0)] = 0;
            self.tried.insert(peer);
        }
    }

    /// The peer that was asked has not answered in time. A message may have been lost: it may be asked once more before the others,
    /// if it still is the quickest.
    pub fn timed_out(&mut self, now_ns: u64) {
        if let Some((peer, since_ns)) = self.asked.take() {
            self.learn(peer, now_ns.saturating_sub(since_ns));
            let unanswered = &mut self.unanswered[usize::from(peer.0)];
            *unanswered = unanswered.saturating_add(1);
            if self.missed.replace(peer) == Some(peer) {
                self.waited_for.insert(peer);
                self.missed = None;
            }
        }
    }

    fn learn(&mut self, peer: ReplicaId, took_ns: u64) {
        let took_ns = took_ns.clamp(1, TIMEOUTS_MAX * REPAIR_TIMEOUT_NS);
        let Some(known_ns) = self.response_ns.get_mut(usize::from(peer.0)) else { return };
        *known_ns = if *known_ns == 0 { took_ns } else { (*known_ns * (RESPONSE_WEIGHT - 1) + took_ns) / RESPONSE_WEIGHT };
    }

    /// The voter to ask now. One that has been tried for the same before waits until all others have been tried too; but while those are silent,
    /// one that is not is asked again, for messages may get lost. `in_turn`: response times decide nothing.
    pub fn choose(&mut self, voters: Members, own: ReplicaId, now_ns: u64, in_turn: bool) -> Option<ReplicaId> {
        let others = |tried: Members, first: u8| {
            let turns = (0..MEMBERS_MAX).map(move |place| ReplicaId((first + place) % MEMBERS_MAX));
            turns.filter(move |peer| voters.contains(*peer) && *peer != own && !tried.contains(*peer))
        };
        let mut passed_over = self.tried.or(self.waited_for);
        if others(passed_over, 0).next().is_none() {
            (self.tried, self.waited_for, passed_over) = (Members::default(), Members::default(), Members::default());
        }
        let spoke = core::mem::take(&mut self.spoke);
        let speaks = |peer: ReplicaId| spoke.contains(peer) || self.unanswered[usize::from(peer.0)] < SILENT_AFTER;
        if !others(passed_over, 0).any(speaks) && others(self.tried, 0).any(speaks) {
            passed_over = self.tried;
        }
        self.choices = self.choices.wrapping_add(1);
        let peer = if in_turn || self.choices.is_multiple_of(EXPLORATION_PERIOD) {
            let peer = others(passed_over, self.turn).next()?;
            self.turn = (peer.0 + 1) % MEMBERS_MAX;
            peer
        } else {
            others(passed_over, self.next).min_by_key(|peer| self.response_ns[usize::from(peer.0)])?
        };
        self.next = (peer.0 + 1) % MEMBERS_MAX;
        self.asked = Some((peer, now_ns));
        Some(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::Peers;
    use crate::ids::ReplicaId;
    use crate::quorum::Members;

    const MS: u64 = 1_000_000;

    /// Asks as often as wanted, each time for something else; peer 3 answers after 90 ms, the others after 10.
    fn asked(count: u32, in_turn: bool) -> [u32; 5] {
        let (mut peers, mut asked, mut now_ns) = (Peers::default(), [0; 5], 0);
        for _ in 0..count {
            peers.begin_question();
            let peer = peers.choose(Members::first(5), ReplicaId(0), now_ns, in_turn).expect("there are others");
            asked[usize::from(peer.0)] += 1;
            now_ns += if peer == ReplicaId(3) { 90 * MS } else { 10 * MS };
            peers.answered(peer, now_ns);
        }
        asked
    }

    #[test]
    fn a_slow_peer_is_asked_only_to_see_whether_it_still_is() {
        let counts = asked(400, false);
        assert!(counts[0] == 0 && counts[1..].iter().all(|count| *count > 0));
        assert!(counts[3] <= 1 + 400 / 10 / 4 + 1, "{counts:?}");
        assert_eq!(asked(400, true), [0, 100, 100, 100, 100]);
    }

    #[test]
    fn who_was_asked_in_vain_twice_waits_for_the_others() {
        let mut peers = Peers::default();
        let mut ask = |now_ns| {
            peers.timed_out(now_ns);
            peers.choose(Members::first(3), ReplicaId(1), now_ns, false).expect("there are others").0
        };
        let asked = [0, 1, 2, 3, 4, 5].map(|time| ask(time * 200 * MS));
        assert_eq!(asked, [0, 2, 0, 2, 0, 2], "equally slow ones take turns");
        let mut peers = Peers::default();
        let mut ask = |now_ns: u64, answered: Option<u8>| {
            peers.timed_out(now_ns);
            let peer = peers.choose(Members::first(3), ReplicaId(1), now_ns, false).expect("there are others");
            if answered == Some(peer.0) {
                peers.answered(peer, now_ns + 5 * MS);
                peers.begin_question();
            }
            peer.0
        };
        // Replica 2 is cut off. Every other answer of replica 0 is lost: it is asked again all the same.
        assert_eq!([ask(0, Some(0)), ask(10 * MS, Some(0)), ask(210 * MS, Some(0)), ask(220 * MS, None)], [0, 2, 0, 0]);
        assert_eq!([ask(420 * MS, Some(0)), ask(430 * MS, None), ask(630 * MS, None), ask(830 * MS, None)], [0, 0, 0, 2]);
    }

    #[test]
    fn who_answers_now_and_then_does_not_wait_for_who_is_silent() {
        let mut peers = Peers::default();
        let mut counts = [0; 3];
        let mut now_ns = 0;
        // Replica 2 is cut off; of replica 0 six answers in a row are lost, while its other messages come.
        for question in 0..20 {
            peers.begin_question();
            for attempt in 0.. {
                let peer = peers.choose(Members::first(3), ReplicaId(1), now_ns, false).expect("there are others");
                counts[usize::from(peer.0)] += u32::from(question >= 10);
                peers.heard(ReplicaId(0));
                if peer == ReplicaId(0) && attempt >= 6 {
                    peers.answered(peer, now_ns + 5 * MS);
                    break;
                }
                now_ns += 200 * MS;
                peers.timed_out(now_ns);
            }
        }
        assert!(counts[2] * 4 <= counts[0], "{counts:?}");
    }

    #[test]
    fn a_peer_that_falls_silent_is_slow_and_one_that_recovers_is_quick_again() {
        let mut peers = Peers::default();
        let mut ask = |now_ns: u64, took_ns: Option<u64>| {
            peers.timed_out(now_ns);
            peers.begin_question();
            let peer = peers.choose(Members::first(3), ReplicaId(0), now_ns, false).expect("there are others");
            if let Some(took_ns) = took_ns {
                peers.answered(peer, now_ns + took_ns);
            }
            peer.0
        };
        assert_eq!([ask(0, Some(5 * MS)), ask(10 * MS, Some(6 * MS))], [1, 2]);
        assert_eq!(ask(20 * MS, None), 1);
        assert_eq!([ask(220 * MS, Some(6 * MS)), ask(240 * MS, Some(6 * MS))], [2, 2]);
    }

    #[test]
    fn alone_there_is_nobody_to_ask() {
        assert_eq!(Peers::default().choose(Members::first(1), ReplicaId(0), 0, false), None);
    }
}
