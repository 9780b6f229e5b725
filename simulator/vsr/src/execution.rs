//! Commit and execution: in order, once, hash-connected; checkpoints, and the room in the ring that they free.
//!
//! Both the primary, which counts votes, and the backups, which are told, come through here, so that there is one place in which
//! a commit number rises.

use crate::bug::Bug;
use crate::checkpoint::Checkpoint;
use crate::constants::{CHECKPOINT_PLACES, REPLICAS_MAX};
use crate::entry::{Entry, EntryKind};
use crate::ids::{ClientKey, Op, ReplicaId, RequestNumber, SessionNumber};
use crate::io::{Effect, EntryName, Note, Status, Write, WriteId};
use crate::message::{Body, RejectReason};
use crate::promise::Pending;
use crate::replica::{Config, Replica};
use crate::sessions::{Session, SessionTable};
use crate::start_view::EnterView;
use crate::state_machine::{ApplyContext, StateMachine};
use crate::superblock::CheckpointRef;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A reply kept beyond the end of its session, by a replica whose guard is switched off.
#[derive(Clone, Debug, Hash)]
pub(crate) struct StrayReply {
    pub client: ClientKey,
    pub request: RequestNumber,
    pub op: Op,
    pub result: Arc<[u8]>,
}

/// A checkpoint on its way to the disk.
#[derive(Clone, Debug, Hash)]
struct CheckpointWrite {
    id: WriteId,
    place: u8,
    checkpoint: Arc<Checkpoint>,
    /// The view to enter with it, if it came from a peer.
    enter: Option<Box<EnterView>>,
    /// Whether what it was written for has been given up.
    abandoned: bool,
}

/// The checkpoints of this replica, and what is known of the others'.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Checkpoints {
    /// The one that the superblock names.
    pub named: CheckpointRef,
    /// Its content.
    pub content: Option<Arc<Checkpoint>>,
    /// Durable, not yet named.
    ready: Option<(u8, Arc<Checkpoint>)>,
    writing: Option<CheckpointWrite>,
    /// Ops of the members' durable checkpoints, as far as heard.
    pub durable: Vec<Op>,
}

impl Checkpoints {
    pub fn new(config: &Config) -> Self {
        let durable = (0..config.members()).map(|_| Op(0)).collect();
        Self { named: CheckpointRef::default(), content: None, ready: None, writing: None, durable }
    }

    /// What the next superblock names.
    pub fn to_name(&self) -> CheckpointRef {
        match &self.ready {
            Some((place, checkpoint)) => CheckpointRef { op: checkpoint.op, hash: checkpoint.hash, place: *place },
            None => self.named,
        }
    }

    /// Whether the place that the superblock does not name is free.
    pub fn place_is_free(&self) -> bool {
        self.ready.is_none() && self.writing.is_none()
    }

    /// The place that the superblock does not name.
    fn other_place(&self) -> u8 {
        (self.named.place + 1) % CHECKPOINT_PLACES
    }

    /// The write to ask for again after it failed.
    pub fn write_again(&mut self, write: WriteId) -> Option<Write> {
        let writing = self.writing.as_ref().filter(|writing| writing.id == write)?;
        if writing.abandoned {
            self.writing = None;
            return None;
        }
        Some(Write::Checkpoint { place: writing.place, checkpoint: Arc::clone(&writing.checkpoint) })
    }

    /// The view change has overtaken a state transfer: its checkpoint is of no use any more.
    pub fn abandon_transfer(&mut self) {
        if let Some(writing) = self.writing.as_mut().filter(|writing| writing.enter.is_some()) {
            writing.enter = None;
            writing.abandoned = true;
        }
    }

    /// A peer's checkpoint is in force.
    pub fn install(&mut self, place: u8, checkpoint: Arc<Checkpoint>) {
        self.named = CheckpointRef { op: checkpoint.op, hash: checkpoint.hash, place };
        self.content = Some(checkpoint);
        self.ready = None;
    }

    /// Remembers what a member said of its checkpoint; whether that is news.
    pub fn heard(&mut self, replica: ReplicaId, op: Op) -> bool {
        let known = &mut self.durable[usize::from(replica.0)];
        let is_news = op > *known;
        *known = op.max(*known);
        is_news
    }
}

impl<S: StateMachine> Replica<S> {
    /// Commits and applies whatever can be: first what is known to be committed, then what has a quorum of votes in this view.
    pub(crate) fn advance_commit(&mut self, fx: &mut Vec<Effect>) {
        if self.pending.is_some() {
            return;
        }
        self.commit_what_can_be(fx);
        self.answer_reads(fx);
    }

    fn commit_what_can_be(&mut self, fx: &mut Vec<Effect>) {
        let counts_votes = self.is_primary();
        while self.commit < self.log.head() {
            let next = Op(self.commit.0 + 1);
            let Some(slot) = self.log.slot(next) else { return };
            let quorum = slot.votes;
            if next <= self.commit_max {
                self.commit_next(next, None, fx);
            } else if counts_votes && self.is_backed(next, quorum, slot.vote_count) {
                self.commit_max = next;
                self.primary_commit = next;
                self.commit_next(next, Some(quorum.0), fx);
            } else {
                return;
            }
            if self.commit != next || self.pending.is_some() {
                return;
            }
        }
    }

    fn commit_next(&mut self, op: Op, quorum: Option<u32>, fx: &mut Vec<Effect>) {
        let Some(entry) = self.log.get(op).map(Arc::clone) else { return };
        assert!(
            self.config.bug.is_some() || self.log.hash_of(self.commit) == Some(entry.previous_hash),
            "op {op}: an entry commits only when it follows the last committed one"
        );
        self.commit = op;
        self.commit_max = self.commit_max.max(op);
        self.note(fx, Note::Committed { entry: EntryName { op, hash: entry.hash }, quorum });
        // The guard: a command that is refused is applied like any other. Switched off, nothing is applied after it.
        let stalls = self.has_bug(Bug::StallsOnRefusedCommand) && op.0 != self.applied.0 + 1;
        if op > self.applied && !stalls {
            self.apply(&entry, fx);
        }
    }

    fn apply(&mut self, entry: &Arc<Entry>, fx: &mut Vec<Effect>) {
        self.applied = entry.op;
        let result: Option<Arc<[u8]>> = (entry.operation == EntryKind::Command).then(|| {
            let context = ApplyContext { op: entry.op, timestamp: entry.timestamp, client: entry.client, local_clock_ns: self.clock_ns };
            self.machine.apply(context, &entry.body).into()
        });
        if self.has_bug(Bug::StallsOnRefusedCommand) && result.as_ref().is_some_and(|result| self.machine.is_refusal(result)) {
            self.applied.0 -= 1;
            return;
        }
        self.note(fx, Note::Applied { entry: Arc::clone(entry), state_hash: self.machine.state_hash() });
        match entry.operation {
            EntryKind::Register => self.apply_registration(entry, fx),
            EntryKind::Command => self.apply_command(entry, result.expect("commands have results"), fx),
            EntryKind::Reconfigure => self.apply_reconfiguration(entry, fx),
            EntryKind::Noop => {}
        }
        if entry.op.0.is_multiple_of(self.config.checkpoint_interval) {
            self.take_checkpoint(entry, fx);
        }
    }

    fn apply_registration(&mut self, entry: &Arc<Entry>, fx: &mut Vec<Effect>) {
        let nonce = entry.body.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        if self.has_bug(Bug::ReplyCacheByNumberOnly)
            && let Some(old) = self.sessions.get(entry.client)
        {
            let stray = StrayReply { client: old.client, request: old.request, op: old.op, result: Arc::clone(&old.result) };
            self.stray_replies.push(stray);
        }
        let opened = Session {
            client: entry.client,
            session: entry.session,
            nonce,
            request: RequestNumber(0),
            op: entry.op,
            request_hash: entry.request_hash,
            result: Arc::default(),
        };
        // The guard: only what has committed decides who leaves. The own pipeline is longer or shorter than another's.
        let by_local_order = self.has_bug(Bug::EvictsByLocalOrder);
        let busy: Vec<ClientKey> = if by_local_order { self.pipeline().map(|entry| entry.client).collect() } else { Vec::new() };
        if let Some(evicted) = self.sessions.register(opened, |client| busy.contains(&client)) {
            self.note(fx, Note::SessionEvicted { client: evicted.client, session: evicted.session, op: entry.op });
        }
        self.note(fx, Note::SessionRegistered { client: entry.client, op: entry.op });
        self.reply_committed(entry, Arc::default(), fx);
    }

    /// A command whose session was evicted after it was prepared is executed all the same: exactly once, like any other. Its
    /// client learns the result, or that its session is gone.
    pub(crate) fn apply_command(&mut self, entry: &Arc<Entry>, result: Arc<[u8]>, fx: &mut Vec<Effect>) {
        self.sessions.record(entry.client, entry.session, entry.request, entry.op, entry.request_hash, Arc::clone(&result));
        self.reply_committed(entry, result, fx);
    }

    fn reply_committed(&mut self, entry: &Entry, result: Arc<[u8]>, fx: &mut Vec<Effect>) {
        if self.is_primary() {
            let body =
                Body::Reply { session: entry.session, request: entry.request, op: entry.op, request_hash: entry.request_hash, result };
            self.reply(entry.client, entry.session, entry.request, entry.op, body, fx);
        }
    }

    /// Sends a reply and notes it.
    pub(crate) fn reply(
        &self,
        client: ClientKey,
        session: SessionNumber,
        request: RequestNumber,
        op: Op,
        body: Body,
        fx: &mut Vec<Effect>,
    ) {
        self.note(fx, Note::Replied { client, session, request, op, quorum: None });
        self.send_client(client, body, fx);
    }

    /// Takes a checkpoint of the state after its last entry, unless the one before is still on its way: a slow disk gets fewer.
    fn take_checkpoint(&mut self, entry: &Entry, fx: &mut Vec<Effect>) {
        if !self.checkpoints.place_is_free() || entry.op <= self.checkpoints.named.op {
            return;
        }
        let checkpoint = Arc::new(Checkpoint {
            op: entry.op,
            hash: entry.hash,
            view: entry.view,
            timestamp: entry.timestamp,
            membership: self.reconfiguration.applied,
            sessions: self.sessions.sessions().to_vec(),
            state: self.machine.snapshot().into(),
            state_hash: self.machine.state_hash(),
        });
        let name = EntryName { op: entry.op, hash: entry.hash };
        self.note(fx, Note::CheckpointTaken { entry: name, state_hash: checkpoint.state_hash });
        self.write_checkpoint(checkpoint, None, fx);
    }

    /// Writes a checkpoint to the place that the superblock does not name; with `enter`, a peer's, to enter a view with.
    pub(crate) fn write_checkpoint(&mut self, checkpoint: Arc<Checkpoint>, enter: Option<Box<EnterView>>, fx: &mut Vec<Effect>) {
        let place = self.checkpoints.other_place();
        let id = self.checkpoint_write_id(place);
        let what = Write::Checkpoint { place, checkpoint: Arc::clone(&checkpoint) };
        self.checkpoints.writing = Some(CheckpointWrite { id, place, checkpoint, enter, abandoned: false });
        fx.push(Effect::Persist { write: id, what });
    }

    pub(crate) fn on_checkpoint_written(&mut self, write: WriteId, fx: &mut Vec<Effect>) {
        let Some(written) = self.checkpoints.writing.take_if(|writing| writing.id == write) else { return };
        if written.abandoned {
            return;
        }
        match written.enter {
            Some(mut enter) if self.status == Status::StateTransfer && self.pending.is_none() => {
                enter.checkpoint = Some((written.place, written.checkpoint));
                self.promise(Pending::Enter(enter), fx);
            }
            Some(_) => {}
            None => {
                // A peer's checkpoint may have overtaken this one; the one in force is written again when its place is damaged.
                if written.checkpoint.op >= self.checkpoints.named.op {
                    self.checkpoints.ready = Some((written.place, written.checkpoint));
                    self.want_superblock(fx);
                }
            }
        }
    }

    /// Looks whether the superblock that has just become durable names a new checkpoint.
    pub(crate) fn on_checkpoint_named(&mut self, fx: &mut Vec<Effect>) {
        let named = self.promises.durable.checkpoint;
        let Some((place, checkpoint)) =
            self.checkpoints.ready.take_if(|(place, checkpoint)| (checkpoint.op, *place) == (named.op, named.place))
        else {
            return;
        };
        self.checkpoints.install(place, checkpoint);
        self.checkpoint_rewritten();
        self.checkpoint_in_force(fx);
        self.make_up_for_checkpoints(fx);
    }

    /// Where checkpoints fell due while another one was on its way, one more is taken, at whatever op: a replica whose only
    /// checkpoint lies far back has no room for the others' logs, and the others may have no checkpoint beyond its commit number.
    fn make_up_for_checkpoints(&mut self, fx: &mut Vec<Effect>) {
        if self.applied.0 >= self.checkpoints.named.op.0 + self.config.checkpoint_interval
            && let Some(entry) = self.log.get(self.applied).map(Arc::clone)
        {
            self.take_checkpoint(&entry, fx);
        }
    }

    /// The named checkpoint has changed: tells so, and uses the room.
    pub(crate) fn checkpoint_in_force(&mut self, fx: &mut Vec<Effect>) {
        let named = self.checkpoints.named;
        self.log.rebase(named.op, named.hash);
        self.checkpoints.heard(self.config.replica, named.op);
        self.note(fx, Note::CheckpointDurable(named.op));
        self.advance_trim(fx);
        self.note_trim(fx);
    }

    /// Primary: what a quorum's checkpoints cover may be overwritten, and the backups are told at once.
    pub(crate) fn advance_trim(&mut self, fx: &mut Vec<Effect>) {
        if !self.is_primary() {
            return;
        }
        let voters = self.membership.voters.len() as usize;
        let mut ops = [Op(0); REPLICAS_MAX as usize];
        let durable = (0..).map(ReplicaId).zip(&self.checkpoints.durable);
        let of_voters = durable.filter(|(member, _)| self.votes(*member)).map(|(_, op)| *op);
        ops.iter_mut().zip(of_voters).for_each(|(place, op)| *place = op);
        ops[..voters].sort_unstable();
        let covered = ops[voters - self.quorums.replication as usize];
        if covered > self.trim {
            self.trim = covered;
            self.note_trim(fx);
            self.send_heartbeats(fx);
        }
    }

    /// Ops that may be overwritten here: a quorum has a checkpoint that covers them, and this replica has.
    pub(crate) fn reusable(&self) -> Op {
        self.trim.min(self.checkpoints.named.op)
    }

    pub(crate) fn note_trim(&mut self, fx: &mut Vec<Effect>) {
        let reusable = self.reusable();
        if reusable > self.trim_noted {
            self.trim_noted = reusable;
            self.note(fx, Note::LogTrimmed(reusable));
            // What had no room in the ring may have now.
            self.connect_ahead(fx);
        }
    }

    /// A log with this head was let grow so far only because a quorum's checkpoints cover what its ring lacks.
    pub(crate) fn trim_implied_by(&self, head: Op) -> Op {
        Op(head.0.saturating_sub(self.log.capacity()))
    }

    /// Whether a log with this head fits into the ring without giving up an entry after the own checkpoint.
    pub(crate) fn reaches(&self, head: Op) -> bool {
        head.0 <= self.checkpoints.named.op.0 + self.log.capacity()
    }

    /// Whether the ring has room for an op.
    pub(crate) fn has_room(&self, op: Op) -> bool {
        op.0 <= self.reusable().0 + self.log.capacity()
    }

    /// Puts a peer's checkpoint in the place of the state.
    pub(crate) fn install_checkpoint(&mut self, place: u8, checkpoint: Arc<Checkpoint>, fx: &mut Vec<Effect>) {
        let restored = self.machine.restore(&checkpoint.state);
        assert!(restored, "a checkpoint that a replica took can be restored");
        let mut sessions = checkpoint.sessions.clone();
        // The guard: what the sessions were told is a part of the state.
        if self.has_bug(Bug::StateTransferDropsSessions) {
            sessions.iter_mut().for_each(Session::forget_requests);
        }
        self.sessions = SessionTable::restore(sessions, self.config.sessions_max as usize);
        (self.commit, self.applied) = (checkpoint.op, checkpoint.op);
        self.commit_max = self.commit_max.max(checkpoint.op);
        self.reconfiguration.applied = checkpoint.membership;
        let name = EntryName { op: checkpoint.op, hash: checkpoint.hash };
        self.note(fx, Note::StateInstalled { entry: name, state_hash: self.machine.state_hash() });
        self.checkpoints.install(place, checkpoint);
    }

    /// Refuses what only the primary of a started view may do.
    pub(crate) fn primary_only(&self) -> Result<(), RejectReason> {
        if self.is_primary() { Ok(()) } else { Err(RejectReason::NotPrimary) }
    }
}
