//! Facts that a cluster's notes establish, and that no later note may contradict.

use std::collections::{BTreeMap, BTreeSet};
use vsr::entry::EntryKind;
use vsr::ids::{ClientKey, Epoch, Hash, Op, RequestNumber, SessionNumber, View};
use vsr::io::{Note, StateSummary};
use vsr::quorum::Members;
use vsr::reconfiguration::Membership;

/// What has been established so far.
#[derive(Debug)]
pub struct Facts {
    /// Configurations by their epoch.
    memberships: Vec<Membership>,
    /// Who committed an op by counting, and in which epoch.
    quorums: Vec<(Epoch, Op, u32)>,
    /// Per op: the committed entry and the state after it.
    committed: BTreeMap<Op, Hash>,
    states: BTreeMap<Op, u64>,
    /// Who voted for what: (view, op) to hash and bit set.
    votes: BTreeMap<(View, Op, Hash), u32>,
    prepared: BTreeMap<(View, Op), Hash>,
    /// The one place of each request.
    requests: BTreeMap<(ClientKey, SessionNumber, RequestNumber), Op>,
    /// Logs sent in view changes: per view and replica the head.
    sent_logs: BTreeMap<(View, usize), Hash>,
    durable: Vec<BTreeSet<(Op, Hash)>>,
    view: Vec<View>,
    voted: Vec<View>,
    commit: Vec<Op>,
    applied: Vec<Op>,
    /// First contradiction.
    pub broken: Option<String>,
}

impl Facts {
    pub fn new(replicas: usize, members: usize) -> Self {
        let voters = Members::first(u8::try_from(replicas).unwrap());
        Self {
            memberships: vec![Membership { voters, ..Membership::default() }],
            quorums: Vec::new(),
            committed: BTreeMap::new(),
            states: BTreeMap::new(),
            votes: BTreeMap::new(),
            prepared: BTreeMap::new(),
            requests: BTreeMap::new(),
            sent_logs: BTreeMap::new(),
            durable: vec![BTreeSet::new(); members],
            view: vec![View(0); members],
            voted: vec![View(0); members],
            commit: vec![Op(0); members],
            applied: vec![Op(0); members],
            broken: None,
        }
    }

    /// What clients were told: the op that a reply names holds the request that it answers.
    pub fn check_claims(&mut self, claims: &[(Op, ClientKey, SessionNumber, RequestNumber)]) {
        for (op, client, session, request) in claims {
            let known = self.requests.get(&(*client, *session, *request)).copied();
            self.expect(known == Some(*op), || format!("{client:?} request {request}: told op {op}, applied at {known:?}"));
        }
    }

    pub fn committed(&self) -> usize {
        self.committed.len()
    }

    fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            self.broken = Some(what());
        }
    }

    pub fn learn(&mut self, replica: usize, state: &StateSummary, note: &Note) {
        let old = self.view[replica];
        self.expect(state.view >= old, || format!("replica {replica}: view {} after {old}", state.view));
        self.view[replica] = state.view;
        match note {
            Note::Restarted => self.restarted(replica, state),
            Note::VoteCast { view, head } => self.vote_cast(replica, *view, *head),
            Note::EntryAppended(entry) => {
                let known = *self.prepared.entry((entry.view, entry.op)).or_insert(entry.hash);
                self.expect(known == entry.hash, || format!("two entries at view {} op {}", entry.view, entry.op));
                self.expect(entry.view <= state.view, || format!("replica {replica}: entry of view {} in {}", entry.view, state.view));
            }
            Note::EntryDurable(name) => {
                self.durable[replica].insert((name.op, name.hash));
            }
            Note::EntryTruncated(name) => {
                let commit = self.commit[replica];
                self.expect(name.op > commit, || format!("replica {replica}: truncates committed op {}", name.op));
            }
            Note::Acknowledged(name) => {
                let is_durable = self.durable[replica].contains(&(name.op, name.hash));
                self.expect(is_durable, || format!("replica {replica}: votes for op {}, which is not durable", name.op));
                *self.votes.entry((state.view, name.op, name.hash)).or_default() |= 1 << replica;
            }
            Note::Committed { entry, quorum } => self.commits(replica, state, entry.op, entry.hash, *quorum),
            Note::Applied { entry, state_hash } => {
                let last = self.applied[replica];
                self.expect(entry.op.0 == last.0 + 1, || format!("replica {replica}: applies {} after {last}", entry.op));
                self.applied[replica] = entry.op;
                self.state(replica, entry.op, *state_hash);
                if entry.operation == EntryKind::Command {
                    let key = (entry.client, entry.session, entry.request);
                    let known = *self.requests.entry(key).or_insert(entry.op);
                    self.expect(known == entry.op, || format!("request {key:?} at ops {known} and {}", entry.op));
                }
            }
            Note::StateInstalled { entry, state_hash } => {
                self.agree(entry.op, entry.hash);
                self.state(replica, entry.op, *state_hash);
                self.commit[replica] = entry.op;
                self.applied[replica] = entry.op;
            }
            Note::EpochEntered(membership) => self.epoch_entered(replica, *membership),
            _ => {}
        }
    }

    fn epoch_entered(&mut self, replica: usize, entered: Membership) {
        let index = usize::try_from(entered.epoch.0).unwrap();
        if index == self.memberships.len() {
            self.memberships.push(entered);
        }
        let known = self.memberships.get(index).copied();
        self.expect(known == Some(entered), || format!("replica {replica} enters {entered:?}, others {known:?}"));
    }

    /// Whatever was committed by counting had a quorum of the configuration in force where it was counted, and of nobody else: that of
    /// the op or, since whoever enters an epoch knows that everything before is committed, a later one. A change needs both.
    pub fn check_quorums(&mut self) {
        for (epoch, op, quorum) in std::mem::take(&mut self.quorums) {
            let epoch = usize::try_from(epoch.0).unwrap();
            let counted = self.memberships[epoch];
            let next = self.memberships.get(epoch + 1).copied();
            let is_late = next.is_some_and(|next| op > next.since);
            let after = next.filter(|next| op == next.since).unwrap_or(counted);
            let votes = Members(quorum);
            let strangers = votes.without(counted.voters.or(after.voters));
            let holds = !is_late && counted.has_quorum(votes) && after.has_quorum(votes) && strangers.is_empty();
            self.expect(holds, || format!("op {op} committed by {quorum:b} under {counted:?}, next {next:?}"));
        }
    }

    fn restarted(&mut self, replica: usize, state: &StateSummary) {
        let voted = self.voted[replica];
        self.expect(state.view >= voted, || format!("replica {replica}: restarted in view {}, voted for {voted}", state.view));
        self.commit[replica] = state.commit;
        self.applied[replica] = state.commit;
    }

    fn vote_cast(&mut self, replica: usize, view: View, head: Option<Hash>) {
        self.voted[replica] = self.voted[replica].max(view);
        if let Some(head) = head {
            let known = *self.sent_logs.entry((view, replica)).or_insert(head);
            self.expect(known == head, || format!("replica {replica}: two logs in view {view}"));
        }
    }

    fn commits(&mut self, replica: usize, state: &StateSummary, op: Op, hash: Hash, quorum: Option<u32>) {
        self.agree(op, hash);
        let last = self.commit[replica];
        self.expect(op.0 == last.0 + 1, || format!("replica {replica}: commits {op} after {last}"));
        self.commit[replica] = op;
        if let Some(quorum) = quorum {
            let votes = self.votes.get(&(state.view, op, hash)).copied().unwrap_or(0);
            self.expect(quorum & !votes == 0, || format!("op {op}: quorum {quorum:b}, votes {votes:b}"));
            self.quorums.push((state.epoch, op, quorum));
        }
    }

    fn agree(&mut self, op: Op, hash: Hash) {
        let known = *self.committed.entry(op).or_insert(hash);
        self.expect(known == hash, || format!("op {op} committed twice: {known:?} and {hash:?}"));
    }

    fn state(&mut self, replica: usize, op: Op, hash: u64) {
        let known = *self.states.entry(op).or_insert(hash);
        self.expect(known == hash, || format!("replica {replica}: another state at op {op}"));
    }
}
