//! The replica: its state, and which sub-protocol handles which input.
//!
//! The sub-protocols are separate files with separate `impl` blocks; nothing here decides anything but who is asked.

use crate::bug::Bug;
use crate::clock::{Clock, ClockSource};
use crate::codec::CLUSTER_DEFAULT;
use crate::constants::{CHECKPOINT_INTERVAL, LOG_SLOTS, MEMBERS_MAX, PIPELINE_MAX, REPLICAS_MAX, SESSIONS_MAX, ring_is_large_enough};
use crate::execution::Checkpoints;
use crate::ids::{ClientKey, Epoch, Hash, Op, Peer, ReplicaId, View};
use crate::io::{Damage, Effect, EntryName, Input, Note, Now, StateSummary, Status, Timer};
use crate::log::Log;
use crate::message::{Body, Message, RejectReason};
use crate::normal::Primary;
use crate::promise::{Pending, Promises};
use crate::quorum::{Members, Quorums};
use crate::readmission::Readmission;
use crate::reads::ReadPath;
use crate::reconfiguration::{Change, Membership, Reconfiguration};
use crate::repair::{Repair, Serving};
use crate::scrub::Scrub;
use crate::sessions::SessionTable;
use crate::state_machine::StateMachine;
use crate::view_change::ViewChange;
use alloc::vec::Vec;

/// What a replica must be told once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Cluster: messages and superblocks of another one are refused.
    pub cluster: u32,
    /// Which member this is: voters first, then standbys.
    pub replica: ReplicaId,
    /// Voting members of the first configuration, 1 to 7.
    pub replicas: u8,
    /// Members that replicate and apply and do not vote until a change of membership names them.
    pub standbys: u8,
    /// Slots of the log ring.
    pub log_slots: u32,
    /// Ops from one checkpoint to the next.
    pub checkpoint_interval: u64,
    /// Uncommitted entries of a primary, at most.
    pub pipeline_max: u32,
    /// Sessions in the table, at most.
    pub sessions_max: u32,
    /// How often the disk of this member has been replaced by an empty one.
    pub format: u32,
    /// Time between two ticks of the scrubber, nanoseconds, before division; 0: nothing is scrubbed.
    pub scrub_tick_ns: u64,
    /// All timeouts are divided by this.
    pub time_divisor: u64,
    /// Whose word counts for the time.
    pub clock: ClockSource,
    /// How reads are answered.
    pub reads: ReadPath,
    /// The guard that is switched off.
    pub bug: Option<Bug>,
}

impl Config {
    /// Member `replica` of `replicas` voters, everything else as in [`crate::constants`].
    #[must_use]
    pub const fn new(replica: ReplicaId, replicas: u8) -> Self {
        Self {
            cluster: CLUSTER_DEFAULT,
            replica,
            replicas,
            standbys: 0,
            log_slots: LOG_SLOTS,
            checkpoint_interval: CHECKPOINT_INTERVAL,
            pipeline_max: PIPELINE_MAX,
            sessions_max: SESSIONS_MAX,
            format: 0,
            scrub_tick_ns: 0,
            time_divisor: 1,
            clock: ClockSource::Host,
            reads: ReadPath::Log,
            bug: None,
        }
    }

    fn check(&self) {
        assert!(self.replicas >= 1 && self.replicas <= REPLICAS_MAX, "1 to 7 voting members");
        assert!(self.members() <= MEMBERS_MAX && self.replica.0 < self.members(), "the replica is a member");
        assert!(self.time_divisor >= 1 && self.sessions_max >= 1 && self.pipeline_max >= 1, "no limit is zero");
        assert!(self.log_slots < crate::promise::SLOTS_MAX, "the ring is limited");
        assert!(ring_is_large_enough(self.log_slots, self.checkpoint_interval, self.pipeline_max), "the ring is large enough");
    }

    /// Members that vote or not.
    pub(crate) const fn members(&self) -> u8 {
        self.replicas + self.standbys
    }

    /// The primary of a view, whatever the configuration: a view whose primary does not vote is passed over.
    pub(crate) fn primary_of(&self, view: View) -> ReplicaId {
        ReplicaId(u8::try_from(view.0 % u64::from(self.members())).expect("members are few"))
    }

    /// A timeout, divided.
    pub(crate) const fn timeout(&self, timeout_ns: u64) -> u64 {
        let divided = timeout_ns / self.time_divisor;
        if divided == 0 { 1 } else { divided }
    }
}

/// A replica. It can be copied, so that an explorer can go on from one state in several ways.
#[derive(Clone, Debug, Hash)]
pub struct Replica<S> {
    pub(crate) config: Config,
    pub(crate) quorums: Quorums,
    pub(crate) machine: S,
    /// The local clock at this step, nanoseconds; never used to decide anything that must be the same elsewhere.
    pub(crate) clock_ns: u64,
    pub(crate) clock: Clock,

    /// The configuration in force.
    pub(crate) membership: Membership,
    pub(crate) reconfiguration: Reconfiguration,
    pub(crate) status: Status,
    pub(crate) view: View,
    pub(crate) last_normal_view: View,
    pub(crate) log: Log,
    /// Everything up to here is committed and applied.
    pub(crate) commit: Op,
    /// Everything up to here is known to be committed, held or not.
    pub(crate) commit_max: Op,
    /// Last op given to the state machine; differs from `commit` only when a guard is switched off.
    pub(crate) applied: Op,
    /// Head of the log as the superblock pins it, or will with its next write.
    pub(crate) pin_head: Op,
    /// Slots after the head of which nobody knows what they held: found damaged at the restart.
    pub(crate) uncertain: u32,
    /// Last op of this view that this replica voted for, or need not vote for.
    pub(crate) acked: Op,
    /// Commit number of this view's primary, as far as heard.
    pub(crate) primary_commit: Op,
    /// A checkpoint that covers everything up to here is durable on a quorum.
    pub(crate) trim: Op,
    /// What [`Note::LogTrimmed`] said last.
    pub(crate) trim_noted: Op,

    pub(crate) sessions: SessionTable,
    /// Replies that outlive their session: filled only when the guard of the reply cache is switched off.
    pub(crate) stray_replies: Vec<crate::execution::StrayReply>,
    pub(crate) promises: Promises,
    /// What the replica turns to once the superblock says so; until then it takes no part in anything.
    pub(crate) pending: Option<Pending>,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) primary: Primary,
    pub(crate) view_change: ViewChange,
    pub(crate) repair: Repair,
    pub(crate) serving: Serving,
    pub(crate) scrub: Scrub,
    /// The first view in which this replica may vote, as the next superblock will say.
    pub(crate) voter_from: View,
    pub(crate) readmission: Readmission,
    /// The disk has replaced another one, and nothing has been written to it yet.
    pub(crate) is_new_disk: bool,
    /// Running timers, a bit each.
    pub(crate) timers: u16,
    /// What the restart found damaged, for [`Input::Start`] to tell.
    pub(crate) found_damage: Vec<(Option<Op>, Damage)>,
    /// Entries that a restart found on disk and the log has replaced.
    pub(crate) found_replaced: Vec<EntryName>,
    pub(crate) restarted: bool,
    /// The superblock is lost: this replica has forgotten its promises and must never vote again.
    pub(crate) lost: bool,
}

/// What a handler says of a message: refused, and why, or not.
pub(crate) type Handled = Result<(), RejectReason>;

impl<S: StateMachine> Replica<S> {
    /// A replica whose disk was just formatted.
    #[must_use]
    pub fn new(config: Config, machine: S) -> Self {
        config.check();
        let log = Log::new(config.log_slots, Op(0), Hash::default());
        Self {
            quorums: Quorums::of(config.replicas),
            machine,
            clock_ns: 0,
            clock: Clock::new(&config),
            membership: Membership::first(&config),
            reconfiguration: Reconfiguration::new(&config),
            status: Status::Normal,
            view: View(0),
            last_normal_view: View(0),
            commit: Op(0),
            commit_max: Op(0),
            applied: Op(0),
            pin_head: Op(0),
            uncertain: 0,
            acked: Op(0),
            primary_commit: Op(0),
            trim: Op(0),
            trim_noted: Op(0),
            sessions: SessionTable::new(config.sessions_max as usize),
            stray_replies: Vec::new(),
            promises: Promises::formatted(&config),
            pending: None,
            checkpoints: Checkpoints::new(&config),
            primary: Primary::default(),
            view_change: ViewChange::new(&config),
            repair: Repair::new(&config),
            serving: Serving::default(),
            scrub: Scrub::default(),
            voter_from: crate::readmission::formatted(&config).1,
            readmission: Readmission::default(),
            is_new_disk: false,
            timers: 0,
            found_damage: Vec::new(),
            found_replaced: Vec::new(),
            restarted: false,
            lost: false,
            log,
            config,
        }
    }

    /// Handles one input; effects are appended in the order in which they must be carried out.
    pub fn step(&mut self, now: impl Into<Now>, input: Input, effects: &mut Vec<Effect>) {
        let now = now.into();
        self.clock_ns = now.wall_ns;
        self.clock.tick(now);
        if self.lost {
            if matches!(input, Input::Start) {
                self.start(effects);
            }
            return;
        }
        let handled = match input {
            Input::Start => {
                self.start(effects);
                self.start_clock(effects);
                Ok(())
            }
            Input::Message(message) => self.on_message(message, effects),
            Input::Bytes(bytes) => self.on_bytes(&bytes, effects),
            Input::Timer(timer) => {
                self.on_timer(timer, effects);
                Ok(())
            }
            Input::Written(write) => {
                self.on_written(write, effects);
                Ok(())
            }
            Input::WriteFailed(write) => {
                self.on_write_failed(write, effects);
                Ok(())
            }
            Input::Read { read, content } => {
                self.on_read(read, content, effects);
                Ok(())
            }
            Input::Scanned { read, contents } => {
                self.on_scanned(read, contents, effects);
                Ok(())
            }
        };
        if let Err(reason) = handled {
            effects.push(Effect::Reject(reason));
        }
    }

    fn on_bytes(&mut self, bytes: &[u8], fx: &mut Vec<Effect>) -> Handled {
        match Message::decode_for(self.config.cluster, bytes, self.config.bug) {
            Ok(message) => self.on_message(message, fx),
            Err(reason) => {
                // Another cluster's message, and one that is too large to be looked at, need not be damaged.
                if !matches!(reason, RejectReason::WrongCluster | RejectReason::TooLarge) {
                    self.note(fx, Note::CorruptionDetected { op: None, what: Damage::Message });
                }
                Err(reason)
            }
        }
    }

    fn on_message(&mut self, message: Message, fx: &mut Vec<Effect>) -> Handled {
        let Message { epoch, view, from, to, body } = message;
        if to != Peer::Replica(self.config.replica) {
            return Err(RejectReason::WrongDestination);
        }
        match from {
            Peer::Client(client) => {
                self.tell_unstarted_view(client, view, fx)?;
                self.on_client_message(client, epoch, body, fx)
            }
            Peer::Replica(from) if from.0 >= self.config.members() || from == self.config.replica => Err(RejectReason::NotMember),
            Peer::Replica(from) if epoch != self.membership.epoch => self.on_other_epoch(from, epoch, &body, fx),
            Peer::Replica(from) => self.on_replica_message(from, view, body, fx),
        }
    }

    /// Clients need not know the epoch; but a change of membership is made to the one that its client names.
    fn on_client_message(&mut self, client: ClientKey, epoch: Epoch, body: Body, fx: &mut Vec<Effect>) -> Handled {
        match body {
            Body::Request { session, request, command } => self.on_request(client, session, request, &command, fx),
            Body::Register { nonce } => self.on_register(client, nonce, fx),
            Body::Reconfigure { session, request, members } => {
                let change = Change { base: epoch, voters: Members(members) };
                self.on_reconfigure(client, (session, request), change, fx)
            }
            _ => Err(RejectReason::NotMember),
        }
    }

    fn on_replica_message(&mut self, from: ReplicaId, view: View, body: Body, fx: &mut Vec<Effect>) -> Handled {
        self.repair.heard(from);
        if self.pending.is_some() {
            return self.on_message_while_pending(from, view, body);
        }
        match body {
            Body::Prepare { entry, commit } => self.on_prepare(from, view, entry, commit, fx),
            Body::PrepareOk { op, hash, checkpoint } => self.on_prepare_ok(from, view, op, hash, checkpoint, fx),
            Body::Commit { commit, commit_hash, trim, ask, round } => {
                self.on_commit(from, view, (commit, commit_hash), trim, ask.then_some(round), fx)
            }
            Body::Ping { sent_ns, suspects } => {
                self.on_ping(from, view, sent_ns, suspects, fx);
                Ok(())
            }
            Body::Pong { sent_ns, clock_ns, synchronised, round, suspects, votes, checkpoint } => {
                self.on_round_answer(from, view, round, fx);
                self.on_clock_sample(from, sent_ns, clock_ns, synchronised, fx);
                self.on_pong(from, view, (suspects, votes), checkpoint, fx);
                Ok(())
            }
            Body::StartViewChange => self.on_start_view_change(from, view, fx),
            Body::DoViewChange(vote) => self.on_do_view_change(from, view, vote, fx),
            Body::StartView(start) => self.on_start_view(from, view, *start, false, fx),
            Body::GetView => self.on_get_view(from, view, fx),
            Body::RepairRequest { first, last, hash } => self.on_repair_request(from, first, last, hash, fx),
            Body::RepairResponse { entries } => self.on_repair_response(from, entries, fx),
            Body::Nack { first, last, reason } => self.on_nack(from, first, last, reason, fx),
            Body::StateTransferRequest { commit } => self.on_state_transfer_request(from, view, commit, fx),
            Body::StateTransferResponse(transfer) => self.on_state_transfer_response(from, view, *transfer, fx),
            Body::RecoveryRequest { nonce } => self.on_recovery_request(from, view, nonce, fx),
            Body::RecoveryResponse { nonce, start, .. } => self.on_recovery_response(from, view, nonce, start, fx),
            Body::Request { .. }
            | Body::Register { .. }
            | Body::Reply { .. }
            | Body::Eviction { .. }
            | Body::Redirect
            | Body::Reconfigure { .. } => Err(RejectReason::NotMember),
        }
    }

    /// Votes are remembered while the superblock is being written: the others have left their view for good. Everything else is
    /// refused, so that what the superblock is about to say of the log stays true.
    fn on_message_while_pending(&mut self, from: ReplicaId, view: View, body: Body) -> Handled {
        match body {
            Body::StartViewChange if self.votes(from) => {
                self.view_change.saw(from, view);
                Ok(())
            }
            Body::DoViewChange(vote) => self.keep_do_view_change(from, view, vote),
            _ => Err(RejectReason::WrongStatus),
        }
    }

    fn on_timer(&mut self, timer: Timer, fx: &mut Vec<Effect>) {
        self.timers &= !(1 << timer as u16);
        self.reconfiguration.ask_again();
        if self.pending.is_some() {
            self.set_timer(timer, fx);
            return;
        }
        match timer {
            Timer::Prepare => self.on_prepare_timer(fx),
            Timer::Heartbeat => self.on_heartbeat_timer(fx),
            Timer::ViewChange => self.on_view_change_timer(fx),
            Timer::ViewChangeWindow => self.on_window_timer(fx),
            Timer::ViewChangeResend => self.on_resend_timer(fx),
            Timer::Recovery => self.on_recovery_timer(fx),
            Timer::Repair => self.on_repair_timer(fx),
            Timer::StateTransfer => self.on_state_transfer_timer(fx),
            Timer::Abdication => self.on_abdication_timer(fx),
            Timer::Ping => self.on_ping_timer(fx),
            Timer::Scrub => self.on_scrub_timer(fx),
        }
    }

    /// The replica in one line.
    #[must_use]
    pub fn summary(&self) -> StateSummary {
        StateSummary {
            status: self.status,
            view: self.view,
            last_normal_view: self.last_normal_view,
            op: self.log.head(),
            commit: self.commit,
            epoch: self.membership.epoch,
        }
    }

    /// Last op that was applied.
    #[must_use]
    pub fn applied(&self) -> Op {
        self.applied
    }

    /// The state machine.
    #[must_use]
    pub fn machine(&self) -> &S {
        &self.machine
    }

    /// Whether this is the primary of a view that has started.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        let leads = self.status == Status::Normal && self.pending.is_none() && self.config.primary_of(self.view) == self.config.replica;
        leads && self.is_voter()
    }

    /// Whether this replica may vote.
    #[must_use]
    pub fn is_voter(&self) -> bool {
        self.votes(self.config.replica) && !self.awaits_readmission()
    }

    /// Whether every entry of its log is here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.log.holes() == 0
    }

    pub(crate) fn has_bug(&self, bug: Bug) -> bool {
        self.config.bug == Some(bug)
    }
}
