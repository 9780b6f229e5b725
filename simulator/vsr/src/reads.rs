//! Quorum reads: answers from the state, without an entry, by a primary that has proven that it still leads.
//!
//! A read waits for a round of heartbeats that began after the read came. When a quorum has answered it in the same view, no newer view can
//! have started before the read came: a quorum of promises for that view would share a member with this one. So whatever was acknowledged
//! to anybody before is in this primary's log, at or below the commit number that it had then, or in the log that it took over. The
//! answer is that of the state at the commit number at which it is given, once all of that is committed (Ongaro, "Consensus: Bridging
//! Theory and Practice" (2014), section 6.4, says the same of Raft).

use crate::constants::READS_MAX;
use crate::ids::{ClientKey, Hash, Op, ReplicaId, RequestNumber, SessionNumber, View};
use crate::io::{Effect, Note};
use crate::message::{Body, RejectReason};
use crate::quorum::Members;
use crate::replica::{Handled, Replica};
use crate::state_machine::StateMachine;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// How reads are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReadPath {
    /// Like any other request: as an entry of the log.
    #[default]
    Log,
    /// From the state, after a quorum has confirmed who leads.
    Quorum,
}

/// A read that waits for its proof.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Read {
    pub client: ClientKey,
    pub session: SessionNumber,
    pub request: RequestNumber,
    pub command: Arc<[u8]>,
    pub hash: Hash,
    /// First round that began after it came.
    round: u64,
    /// What must be committed before it is answered.
    commit: Op,
    /// The members that have confirmed the view in that round.
    proof: Option<Members>,
}

impl Read {
    pub const fn new(client: ClientKey, session: SessionNumber, request: RequestNumber, command: Arc<[u8]>, hash: Hash) -> Self {
        Self { client, session, request, command, hash, round: 0, commit: Op(0), proof: None }
    }
}

/// The reads of a primary in its view. Rounds are numbered within the view.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Reads {
    waiting: Vec<Read>,
    /// The newest round; 0 before the first.
    round: u64,
    /// Voters that have answered it.
    heard: Members,
    /// Whether it has no quorum yet.
    is_open: bool,
}

impl Reads {
    /// The newest round, and whether a member's answer to it is still missed.
    pub const fn wanted_from(&self, member: ReplicaId) -> (u64, bool) {
        (self.round, self.is_open && !self.heard.contains(member))
    }
}

impl<S: StateMachine> Replica<S> {
    pub(crate) fn answers_reads_from_state(&self) -> bool {
        self.config.reads == ReadPath::Quorum
    }

    /// Primary: a read has come that was not answered before.
    pub(crate) fn on_read_request(&mut self, mut read: Read, fx: &mut Vec<Effect>) -> Handled {
        let reads = &self.primary.reads;
        let is_same = |known: &Read| (known.client, known.session, known.request) == (read.client, read.session, read.request);
        if reads.waiting.iter().any(is_same) {
            // The round's messages may have been lost.
            self.send_round(fx);
            return Err(RejectReason::Duplicate);
        }
        if reads.waiting.len() >= READS_MAX {
            return Err(RejectReason::PipelineFull);
        }
        // A round that is under way began before the read came.
        read.round = reads.round + 1;
        read.commit = self.commit.max(self.primary.inherited);
        self.primary.reads.waiting.push(read);
        if !self.primary.reads.is_open {
            self.begin_round(fx);
        }
        Ok(())
    }

    fn begin_round(&mut self, fx: &mut Vec<Effect>) {
        let reads = &mut self.primary.reads;
        reads.round += 1;
        (reads.heard, reads.is_open) = (Members::default(), true);
        reads.heard.insert(self.config.replica);
        self.send_round(fx);
        self.close_round(fx);
    }

    /// Asks those voters who have not answered the round.
    fn send_round(&self, fx: &mut Vec<Effect>) {
        let (commit, commit_hash, trim) = (self.commit, self.commit_hash(), self.trim.min(self.commit));
        for voter in self.other_voters() {
            let (round, ask) = self.primary.reads.wanted_from(voter);
            if ask {
                self.send(voter, Body::Commit { commit, commit_hash, trim, ask, round }, fx);
            }
        }
    }

    /// A voter answers a round of heartbeats.
    pub(crate) fn on_round_answer(&mut self, from: ReplicaId, view: View, round: u64, fx: &mut Vec<Effect>) {
        let counts = self.is_primary() && view == self.view && self.votes(from);
        let reads = &mut self.primary.reads;
        if counts && reads.is_open && round == reads.round {
            reads.heard.insert(from);
            self.close_round(fx);
        }
    }

    fn close_round(&mut self, fx: &mut Vec<Effect>) {
        let reads = &mut self.primary.reads;
        if !self.membership.has_quorum(reads.heard) {
            return;
        }
        reads.is_open = false;
        let (round, heard) = (reads.round, reads.heard);
        for read in reads.waiting.iter_mut().filter(|read| read.round <= round) {
            read.proof.get_or_insert(heard);
        }
        self.answer_reads(fx);
        if self.primary.reads.waiting.iter().any(|read| read.proof.is_none()) {
            self.begin_round(fx);
        }
    }

    /// Answers what is proven, and whose state has been reached.
    pub(crate) fn answer_reads(&mut self, fx: &mut Vec<Effect>) {
        if self.primary.reads.waiting.is_empty() || !self.is_primary() {
            return;
        }
        let commit = self.commit;
        let waiting = core::mem::take(&mut self.primary.reads.waiting);
        let (ready, waiting) = waiting.into_iter().partition(|read| read.proof.is_some() && read.commit <= commit);
        self.primary.reads.waiting = waiting;
        let ready: Vec<Read> = ready;
        for read in ready {
            let result: Arc<[u8]> = self.machine.query(read.client.tenant, &read.command, &mut core::iter::empty()).into();
            let (client, session, request, op) = (read.client, read.session, read.request, commit);
            let quorum = read.proof.map(|members| members.0);
            self.note(fx, Note::Replied { client, session, request, op, quorum });
            self.send_client(client, Body::Reply { session, request, op, request_hash: read.hash, result }, fx);
        }
    }
}
