//! Membership changes: which members vote, who may change that, and how everybody learns of it.
//!
//! A change is an entry of the log; the configuration that it names is in force from the next op on. Why no two configurations
//! can decide at once, with `k` the op of the change, C the configuration before it and D the one after it:
//!
//! 1. `k` commits only with acknowledgements of a quorum of C **and** of a quorum of D, and nothing is prepared behind it before
//!    that. So whatever D commits comes after a quorum of D has the whole log up to `k` on its disks: new members have caught
//!    up before they count, and `k` is the only entry for which they are heard before.
//! 2. A view has one primary for ever, `view mod members`, whatever the configuration; views whose primary does not vote are
//!    passed over. So an op and a view name one entry in all epochs, and views of different epochs can be compared.
//! 3. A view change takes the logs of a quorum of the configuration in force. Where the log that was chosen ends with a change,
//!    its primary also waits for the logs of a quorum of D, members that do not vote yet among them. If D has committed
//!    something already, one of those knows of the new epoch, and refuses.
//! 4. The epoch, with its voters, is in the superblock before a message carries it, and never falls. Messages of another epoch
//!    count for nothing: whoever lags asks, and is told (`recovery_response`). A log says nothing of the epoch, so a replica may
//!    learn of it before it has the entry that brought it. A primary that does has been replaced, for a primary enters an epoch
//!    by committing its change; it leaves its view, or it would count votes for its own log by the quorums of a later one.
//!
//! A removed primary tells all members of the new epoch and stops; the voters that see no voter lead leave the view at once.
//! A change is asked for on top of an epoch: what comes too late commits as an error result, and changes nothing.

use crate::bug::Bug;
use crate::constants::REPLICAS_MAX;
use crate::entry::{Entry, EntryFields, EntryKind};
use crate::ids::{ClientKey, Epoch, Hash, Op, ReplicaId, RequestNumber, SessionNumber, View};
use crate::io::{AbdicationCause, Effect, Note, Status};
use crate::message::{Body, RejectReason};
use crate::promise::Pending;
use crate::quorum::{Members, Quorums};
use crate::replica::{Config, Handled, Replica};
use crate::start_view::EnterView;
use crate::state_machine::StateMachine;
use crate::wire::{Reader, Writer};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A configuration: which members vote, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Membership {
    /// Its number.
    pub epoch: Epoch,
    /// The members that vote, 1 to 7 of them.
    pub voters: Members,
    /// Op of the entry that brought it, 0 of the first one: it is in force from the next op on.
    pub since: Op,
}

/// What an entry of the kind [`EntryKind::Reconfigure`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The epoch that the change is meant for: in any other one it changes nothing.
    pub base: Epoch,
    /// The members that are to vote.
    pub voters: Members,
}

/// What became of a change: the result that its client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// The voters are in force from the next op on.
    Changed,
    /// Another change came first.
    Superseded,
    /// Nobody, too many, members that do not exist, or those that vote already.
    Impossible,
}

impl Outcome {
    /// The result as its client gets it.
    #[must_use]
    pub fn encode(self) -> Arc<[u8]> {
        Arc::new([self as u8])
    }

    /// Reads a result.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [code] = bytes else { return None };
        [Self::Changed, Self::Superseded, Self::Impossible].into_iter().find(|outcome| *outcome as u8 == *code)
    }
}

impl Change {
    /// The entry's body.
    #[must_use]
    pub fn encode(self) -> Box<[u8]> {
        let mut writer = Writer::with_capacity(8);
        writer.u32(self.base.0);
        writer.u32(self.voters.0);
        writer.bytes.into_boxed_slice()
    }

    /// Reads an entry's body.
    #[must_use]
    pub fn decode(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let change = Self { base: Epoch(reader.u32()?), voters: Members(reader.u32()?) };
        (reader.remaining() == 0).then_some(change)
    }
}

impl Membership {
    pub(crate) const ENCODED_LEN: usize = 4 + 4 + 8;

    /// The configuration that a cluster starts with.
    #[must_use]
    pub fn first(config: &Config) -> Self {
        Self { epoch: Epoch(0), voters: Members::first(config.replicas), since: Op(0) }
    }

    /// How many of the voters must agree.
    pub(crate) fn quorums(&self) -> Quorums {
        Quorums::of(u8::try_from(self.voters.len()).expect("at most 7 voters"))
    }

    /// Whether a quorum of the voters is among `members`.
    #[must_use]
    pub fn has_quorum(&self, members: Members) -> bool {
        members.and(self.voters).len() >= self.quorums().replication
    }

    /// The configuration that a change at `op` brings.
    ///
    /// # Errors
    /// What its client is told instead.
    pub fn after(&self, op: Op, change: Change, members: u8) -> Result<Self, Outcome> {
        if change.base != self.epoch {
            return Err(Outcome::Superseded);
        }
        let voters = change.voters;
        let exist = voters.and(Members::first(members)) == voters;
        if voters.is_empty() || voters.len() > u32::from(REPLICAS_MAX) || !exist || voters == self.voters {
            return Err(Outcome::Impossible);
        }
        Ok(Self { epoch: Epoch(self.epoch.0 + 1), voters, since: op })
    }

    pub(crate) fn encode_into(&self, writer: &mut Writer) {
        writer.u32(self.epoch.0);
        writer.u32(self.voters.0);
        writer.u64(self.since.0);
    }

    /// Reads a membership that somebody can have.
    pub(crate) fn decode_from(reader: &mut Reader<'_>) -> Option<Self> {
        let membership = Self { epoch: Epoch(reader.u32()?), voters: Members(reader.u32()?), since: reader.op()? };
        (!membership.voters.is_empty() && membership.voters.len() <= u32::from(REPLICAS_MAX)).then_some(membership)
    }
}

/// What a replica keeps of membership changes besides the configuration in force.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Reconfiguration {
    /// The configuration as of the last applied entry: a part of the state.
    pub applied: Membership,
    /// A newer epoch whose voters were asked for since the last timer.
    asked: Epoch,
    /// Primary: members that do not vote and have nearly everything.
    ready: Members,
    /// Primary of a view that has not started: members that the change in the chosen log names.
    pub named: Members,
}

impl Reconfiguration {
    pub fn new(config: &Config) -> Self {
        let applied = Membership::first(config);
        Self { applied, asked: Epoch(0), ready: Members::default(), named: Members::default() }
    }

    /// A timer ran out: whoever has not answered may be asked again.
    pub fn ask_again(&mut self) {
        self.asked = Epoch(0);
    }

    /// Another view: who has caught up must show it again.
    pub fn forget(&mut self) {
        self.ready = Members::default();
        self.named = Members::default();
    }
}

impl<S: StateMachine> Replica<S> {
    /// Whether a member votes in the configuration in force.
    pub(crate) fn votes(&self, replica: ReplicaId) -> bool {
        self.membership.voters.contains(replica)
    }

    /// The next view that a voter leads.
    pub(crate) fn next_view(&self) -> View {
        let views = (self.view.0 + 1..).map(View);
        views.into_iter().find(|view| self.votes(self.config.primary_of(*view))).expect("somebody votes")
    }

    /// The members whose acknowledgements count.
    pub(crate) fn counted(&self) -> Members {
        let voters = self.membership.voters;
        // The guard: who was removed does not vote. Switched off, whoever voted once votes for ever.
        if self.has_bug(Bug::RemovedMemberVotes) { voters.or(Members::first(self.config.replicas)) } else { voters }
    }

    /// The configuration whose quorums commit entries.
    fn deciding(&self) -> Membership {
        // The guard: quorums are those of the configuration in force.
        if self.has_bug(Bug::OldQuorumAfterReconfig) { Membership::first(&self.config) } else { self.membership }
    }

    /// The configuration that the log's last entry asks for, as long as that entry is not known to be committed. Nothing is prepared
    /// behind it, so there is no other place for one.
    pub(crate) fn change(&self) -> Option<Membership> {
        if self.log.head() <= self.commit {
            return None;
        }
        self.change_by(self.log.get(self.log.head())?)
    }

    /// The configuration that an entry brings when it commits, if it is not in force already.
    fn change_by(&self, entry: &EntryFields) -> Option<Membership> {
        if entry.operation != EntryKind::Reconfigure || entry.op <= self.membership.since {
            return None;
        }
        self.membership.after(entry.op, Change::decode(&entry.body)?, self.config.members()).ok()
    }

    /// Whether an acknowledgement of this member for an entry counts: a voter's, or for the change itself that of a member which the
    /// change names.
    pub(crate) fn may_acknowledge(&self, replica: ReplicaId, op: Op) -> bool {
        let is_named = || op == self.log.head() && self.change().is_some_and(|next| next.voters.contains(replica));
        let may_vote = replica != self.config.replica || !self.awaits_readmission();
        may_vote && (self.counted().contains(replica) || is_named())
    }

    /// Whether these votes commit the entry at `op`; `counted` votes came, the same member's again included.
    pub(crate) fn is_backed(&self, op: Op, votes: Members, counted: u32) -> bool {
        let deciding = self.deciding();
        let (for_it, needed) = (votes.and(deciding.voters.or(self.counted())).len(), deciding.quorums().replication);
        let is_quorum = match self.config.bug {
            Some(Bug::CommitsBelowQuorum) => for_it + 1 >= needed,
            Some(Bug::CountsDuplicateVotes) => counted >= needed,
            _ => for_it >= needed,
        };
        is_quorum && self.log.get(op).and_then(|entry| self.change_by(entry)).is_none_or(|next| next.has_quorum(votes))
    }

    /// A client asks for other voters, on top of the epoch that it knows.
    pub(crate) fn on_reconfigure(
        &mut self,
        client: ClientKey,
        (session, request): (SessionNumber, RequestNumber),
        change: Change,
        fx: &mut Vec<Effect>,
    ) -> Handled {
        let body = change.encode();
        let Some(request_hash) = self.admit(client, session, request, &body, fx)? else { return Ok(()) };
        if self.change().is_some() {
            return Err(RejectReason::ReconfigurationPending);
        }
        self.has_pipeline_room()?;
        self.has_time(fx)?;
        let next = self.membership.after(Op(self.log.head().0 + 1), change, self.config.members());
        if let Ok(next) = next {
            self.have_caught_up(next.voters.without(self.membership.voters), fx)?;
        }
        let operation = EntryKind::Reconfigure;
        self.prepare(EntryFields { client, session, request, operation, request_hash, body, ..EntryFields::default() }, fx);
        Ok(())
    }

    /// Refuses newcomers that are far behind: everybody would wait for them. Those that are not known are asked.
    fn have_caught_up(&mut self, newcomers: Members, fx: &mut Vec<Effect>) -> Handled {
        let unknown = newcomers.without(self.reconfiguration.ready);
        for member in self.other_members().filter(|member| unknown.contains(*member)) {
            self.send(member, Body::Ping { sent_ns: self.clock.now_ns(), suspects: false }, fx);
        }
        if unknown.is_empty() { Ok(()) } else { Err(RejectReason::NotCaughtUp) }
    }

    /// Primary: a member that does not vote has answered in this view, and told which checkpoint it has.
    pub(crate) fn heard_standby(&mut self, from: ReplicaId, checkpoint: Op) {
        self.checkpoints.heard(from, checkpoint);
        if checkpoint.0 + 2 * self.config.checkpoint_interval >= self.commit.0 {
            self.reconfiguration.ready.insert(from);
        }
    }

    /// A committed change: what its client is told, and the epoch that it brings.
    pub(crate) fn apply_reconfiguration(&mut self, entry: &Arc<Entry>, fx: &mut Vec<Effect>) {
        let before = self.reconfiguration.applied;
        let change = Change::decode(&entry.body).ok_or(Outcome::Impossible);
        let outcome = match change.and_then(|change| before.after(entry.op, change, self.config.members())) {
            Ok(next) => {
                self.reconfiguration.applied = next;
                Outcome::Changed
            }
            Err(outcome) => outcome,
        };
        self.apply_command(entry, outcome.encode(), fx);
        if self.reconfiguration.applied.epoch > self.membership.epoch {
            self.promise(Pending::Epoch(self.reconfiguration.applied), fx);
        }
    }

    /// The superblock says so: the epoch is entered.
    pub(crate) fn enter_epoch(&mut self, next: Membership, fx: &mut Vec<Effect>) {
        let led = self.is_primary();
        self.membership = next;
        self.quorums = next.quorums();
        self.forget_witnesses();
        self.note(fx, Note::EpochEntered(next));
        if led {
            for member in self.other_members() {
                self.tell_epoch(member, fx);
            }
        }
        // A primary that has not committed the change itself learns of it from others. Another view may have decided that op and those before
        // it otherwise than this log, and what was acknowledged here was not asked of the voters of now: it leads no more.
        let was_replaced = led && self.commit < next.since;
        let is_led = self.votes(self.config.primary_of(self.view)) && !was_replaced;
        match self.status {
            Status::Normal if led && !self.is_voter() => {
                self.note(fx, Note::Abdicated(AbdicationCause::Removed));
                self.start_backup(fx);
            }
            Status::Normal | Status::ViewChange if !is_led && self.is_voter() => {
                let view = self.next_view();
                self.leave_view(view, fx);
            }
            Status::Normal => {
                // What was committed without this member's vote needs none.
                self.acked = self.acked.max(self.commit);
                if self.is_primary() {
                    self.advance_trim(fx);
                }
                self.advance_votes(fx);
                self.advance_commit(fx);
                self.repair_if_needed(fx);
            }
            Status::ViewChange if self.is_voter() => self.resume_view_change(fx),
            // It left its view when it was no voter, or before it was one.
            Status::Recovering if self.is_voter() && self.view > self.last_normal_view => self.resume_view_change(fx),
            // Without a vote it has no part in a view change.
            Status::ViewChange | Status::Recovering => self.rejoin(fx),
            Status::StateTransfer => {}
        }
    }

    fn tell_epoch(&self, to: ReplicaId, fx: &mut Vec<Effect>) {
        self.send(to, Body::RecoveryResponse { nonce: 0, membership: self.membership, start: None }, fx);
    }

    /// A message of another epoch counts for nothing; but one of the two replicas lags, and must learn so.
    pub(crate) fn on_other_epoch(&mut self, from: ReplicaId, epoch: Epoch, body: &Body, fx: &mut Vec<Effect>) -> Handled {
        if epoch < self.membership.epoch {
            self.tell_epoch(from, fx);
            return Err(RejectReason::WrongEpoch);
        }
        match body {
            Body::RecoveryResponse { membership, .. } if membership.epoch == epoch && self.pending.is_none() => {
                self.promise(Pending::Epoch(*membership), fx);
                return Ok(());
            }
            _ if self.pending.is_none() && self.reconfiguration.asked < epoch => {
                self.reconfiguration.asked = epoch;
                let nonce = self.recovery_nonce();
                self.send(from, Body::RecoveryRequest { nonce }, fx);
            }
            _ => {}
        }
        Err(RejectReason::WrongEpoch)
    }

    /// Primary of a view that has not started: whether the log that was chosen may be entered with. If it ends with a change, a
    /// quorum of those that the change names must have sent their logs too; who does not vote yet is asked to.
    pub(crate) fn change_is_backed(&mut self, enter: &EnterView, fx: &mut Vec<Effect>) -> bool {
        let Some(next) = enter.entries.last().and_then(|entry| self.change_by(entry)) else { return true };
        let sent = self.view_change.senders();
        if next.has_quorum(sent) {
            return true;
        }
        self.reconfiguration.named = next.voters;
        let silent = next.voters.without(sent).without(self.membership.voters);
        for member in self.other_members().filter(|member| silent.contains(*member)) {
            self.send(member, Body::StartViewChange, fx);
        }
        false
    }

    /// A member that does not vote takes part in a view change only when the primary of that view asks it to, because the change in
    /// its log names it.
    pub(crate) fn on_call_for_log(&mut self, from: ReplicaId, view: View, fx: &mut Vec<Effect>) -> Handled {
        if !self.votes(from) || self.config.primary_of(view) != from {
            return Err(RejectReason::NotMember);
        }
        self.refuse_old(view)?;
        if view > self.view {
            self.leave_view(view, fx);
            return Ok(());
        }
        match self.status {
            Status::ViewChange => self.on_resend_timer(fx),
            // It was called before it crashed, or had a vote when it left its view.
            Status::Recovering if self.view > self.last_normal_view => self.resume_view_change(fx),
            _ => return Err(RejectReason::WrongStatus),
        }
        Ok(())
    }

    /// The members that the change at the head names: prepares are sent again to them too.
    pub(crate) fn named_by_change(&self) -> Members {
        self.change().map_or_else(Members::default, |next| next.voters)
    }
}

/// The hash that a reply to a change names is that of the encoded change, like any other request's.
#[must_use]
pub fn change_hash(client: ClientKey, session: SessionNumber, request: RequestNumber, change: Change) -> Hash {
    crate::entry::request_hash(client, session, request, &change.encode())
}
