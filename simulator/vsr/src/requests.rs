//! Requests of clients: who may ask, what was asked before, what goes into the log.
//!
//! A request is recognised in the session table once it is committed and in the pipeline before that, so that it is prepared
//! once however often it is sent.

use crate::bug::Bug;
use crate::entry::{EntryFields, EntryKind, request_hash};
use crate::ids::{ClientKey, Hash, Op, RequestNumber, SessionNumber, View};
use crate::io::{Effect, Status};
use crate::message::{Body, RejectReason};
use crate::reads::Read;
use crate::replica::{Handled, Replica};
use crate::sessions::Session;
use crate::state_machine::StateMachine;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A request on its way into the log.
struct Asked<'a> {
    client: ClientKey,
    session: SessionNumber,
    request: RequestNumber,
    command: &'a [u8],
    hash: Hash,
}

impl<S: StateMachine> Replica<S> {
    pub(crate) fn on_request(
        &mut self,
        client: ClientKey,
        session: SessionNumber,
        request: RequestNumber,
        command: &[u8],
        fx: &mut Vec<Effect>,
    ) -> Handled {
        self.serve_clients(client, fx)?;
        if request == RequestNumber(0) || command.len() > crate::constants::COMMAND_BYTES_MAX {
            return Err(RejectReason::InvalidMetadata);
        }
        let asked = Asked { client, session, request, command, hash: request_hash(client, session, request, command) };
        if self.serve_unguarded(&asked, fx) {
            return Ok(());
        }
        if !self.has_bug(Bug::AppliesRetryTwice) && self.seen_before(&asked, fx)? {
            return Ok(());
        }
        if self.answers_reads_from_state() && self.machine.is_read(command) {
            return self.on_read_request(Read::new(client, session, request, command.into(), asked.hash), fx);
        }
        self.has_pipeline_room()?;
        self.has_time(fx)?;
        // The state machine may have a say in what goes into the log.
        let body = self.machine.prepare(client.tenant, command).map_or_else(|| command.into(), Vec::into_boxed_slice);
        let operation = EntryKind::Command;
        let fields = EntryFields { client, session, request, operation, request_hash: asked.hash, body, ..EntryFields::default() };
        self.prepare(fields, fx);
        Ok(())
    }

    pub(crate) fn on_register(&mut self, client: ClientKey, nonce: u64, fx: &mut Vec<Effect>) -> Handled {
        self.serve_clients(client, fx)?;
        if let Some(known) = self.sessions.get(client).filter(|known| known.nonce == nonce) {
            // Its requests may have moved on since; a registration is answered alike at any time.
            let (session, hash) = (known.session, registration_hash(client, nonce));
            self.answer(client, session, RequestNumber(0), Op(session.0), hash, Arc::default(), fx);
            return Ok(());
        }
        let body = nonce.to_le_bytes();
        let is_pending = |entry: &EntryFields| entry.operation == EntryKind::Register && entry.client == client && *entry.body == body;
        if self.in_pipeline(is_pending) {
            return Err(RejectReason::Duplicate);
        }
        self.has_pipeline_room()?;
        self.has_time(fx)?;
        let session = SessionNumber(self.log.head().0 + 1);
        let operation = EntryKind::Register;
        let request_hash = registration_hash(client, nonce);
        let fields = EntryFields { client, session, operation, request_hash, body: body.into(), ..EntryFields::default() };
        self.prepare(fields, fx);
        // The guard: the table changes when an entry commits, so that what is discarded leaves nothing behind.
        if self.has_bug(Bug::KeepsUncommittedSessions) {
            let (request, op, result) = (RequestNumber(0), Op(session.0), Arc::default());
            self.sessions.register(Session { client, session, nonce, request, op, request_hash, result }, |_| false);
        }
        Ok(())
    }

    /// Only the primary of a started view answers clients, and only once it has applied whatever it took over: before that it
    /// cannot know what was asked before. A backup tells who leads.
    fn serve_clients(&mut self, client: ClientKey, fx: &mut Vec<Effect>) -> Handled {
        if self.pending.is_some() || self.status != Status::Normal {
            return Err(RejectReason::WrongStatus);
        }
        if !self.is_primary() {
            self.send_client(client, Body::Redirect, fx);
            return Err(RejectReason::NotPrimary);
        }
        if self.commit < self.commit_max || self.log.holes() > 0 {
            return Err(RejectReason::WrongStatus);
        }
        Ok(())
    }

    /// The guard: clients are told only of views that have started. Switched off, a replica that sees no primary names the view
    /// that it would go on to, and whoever knows of a newer view than a replica's own is refused there.
    pub(crate) fn tell_unstarted_view(&self, client: ClientKey, known: View, fx: &mut Vec<Effect>) -> Handled {
        if !self.has_bug(Bug::ClientLearnsUnstartedView) {
            return Ok(());
        }
        if known > self.view {
            return Err(RejectReason::NewerView);
        }
        if self.suspects() {
            let next = if self.status == Status::ViewChange { self.view } else { View(self.view.0 + 1) };
            self.send_client_in(next, client, Body::Redirect, fx);
            return Err(RejectReason::NotPrimary);
        }
        Ok(())
    }

    /// The hash of a request that must go into the log; none if its client has been answered.
    pub(crate) fn admit(
        &mut self,
        client: ClientKey,
        session: SessionNumber,
        request: RequestNumber,
        command: &[u8],
        fx: &mut Vec<Effect>,
    ) -> Result<Option<Hash>, RejectReason> {
        self.serve_clients(client, fx)?;
        if request == RequestNumber(0) {
            return Err(RejectReason::InvalidMetadata);
        }
        let hash = request_hash(client, session, request, command);
        let is_answered = self.seen_before(&Asked { client, session, request, command, hash }, fx)?;
        Ok((!is_answered).then_some(hash))
    }

    /// Nothing is prepared behind a change of membership that is not committed: nobody knows yet who would vote for it.
    pub(crate) fn has_pipeline_room(&self) -> Handled {
        let uncommitted = self.log.head().0 - self.commit.0;
        let has_room =
            uncommitted < u64::from(self.config.pipeline_max) && self.has_room(Op(self.log.head().0 + 1)) && self.change().is_none();
        if has_room { Ok(()) } else { Err(RejectReason::PipelineFull) }
    }

    fn in_pipeline(&self, is_wanted: impl Fn(&EntryFields) -> bool) -> bool {
        self.pipeline().any(is_wanted)
    }

    /// Entries that are not committed, oldest first.
    pub(crate) fn pipeline(&self) -> impl Iterator<Item = &EntryFields> {
        (self.commit.0 + 1..=self.log.head().0).filter_map(|op| self.log.get(Op(op))).map(|entry| &***entry)
    }

    /// Whether a request has been answered from the table, its client being told; an error if it must not be prepared either.
    fn seen_before(&mut self, asked: &Asked<'_>, fx: &mut Vec<Effect>) -> Result<bool, RejectReason> {
        if let Some(known) = self.sessions.get(asked.client).filter(|known| known.session == asked.session) {
            let known = known.clone();
            return self.compare(asked, &known, fx);
        }
        let registers = |entry: &EntryFields| entry.operation == EntryKind::Register && entry.session == asked.session;
        if asked.session.0 > self.commit.0 {
            // A registration that is not committed here yet, or nonsense.
            let reason = if self.in_pipeline(registers) { RejectReason::WrongStatus } else { RejectReason::UnknownSession };
            return Err(reason);
        }
        self.send_client(asked.client, Body::Eviction { session: asked.session }, fx);
        Err(RejectReason::UnknownSession)
    }

    fn compare(&mut self, asked: &Asked<'_>, known: &Session, fx: &mut Vec<Effect>) -> Result<bool, RejectReason> {
        if asked.request < known.request {
            return Err(RejectReason::OldRequest);
        }
        if asked.request == known.request {
            if asked.hash != known.request_hash {
                return Err(RejectReason::HashMismatch);
            }
            self.answer(asked.client, known.session, known.request, known.op, asked.hash, Arc::clone(&known.result), fx);
            return Ok(true);
        }
        let of_session = |entry: &&EntryFields| entry.client == asked.client && entry.session == asked.session;
        let newest = self.pipeline().filter(of_session).map(|entry| entry.request).max().unwrap_or(known.request);
        if asked.request <= newest {
            return Err(RejectReason::Duplicate);
        }
        if asked.request.0 > newest.0 + 1 && !self.answers_outside_log() {
            // The request before was committed by somebody else: this is not the primary any more.
            return Err(RejectReason::NotPrimary);
        }
        Ok(false)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a reply")]
    fn answer(
        &self,
        client: ClientKey,
        session: SessionNumber,
        request: RequestNumber,
        op: Op,
        request_hash: Hash,
        result: Arc<[u8]>,
        fx: &mut Vec<Effect>,
    ) {
        let body = Body::Reply { session, request, op, request_hash, result };
        self.reply(client, session, request, op, body, fx);
    }

    /// What replicas answer whose guards are switched off: from the wrong cache, or without the log.
    fn serve_unguarded(&mut self, asked: &Asked<'_>, fx: &mut Vec<Effect>) -> bool {
        let found = match self.config.bug {
            Some(Bug::TenantLostInCache) => self.cached_of_any_tenant(asked),
            Some(Bug::ReplyCacheByNumberOnly) => self.cached_by_number(asked),
            Some(Bug::StalePrimaryServesReads) => self.read_unconfirmed(asked, self.commit),
            Some(Bug::ReadsUncommitted) => self.read_unconfirmed(asked, self.log.head()),
            _ => None,
        };
        let Some((op, result)) = found else { return false };
        self.answer(asked.client, asked.session, asked.request, op, asked.hash, result, fx);
        true
    }

    /// Requests that never reach the log, or are forgotten, leave gaps in the numbers.
    fn answers_outside_log(&self) -> bool {
        let bugs = [
            Bug::StalePrimaryServesReads,
            Bug::ReadsUncommitted,
            Bug::TenantLostInCache,
            Bug::ReplyCacheByNumberOnly,
            Bug::StateTransferDropsSessions,
        ];
        self.answers_reads_from_state() || bugs.iter().any(|bug| self.has_bug(*bug))
    }

    fn cached_of_any_tenant(&self, asked: &Asked<'_>) -> Option<(Op, Arc<[u8]>)> {
        let same = |known: &&Session| known.client.client == asked.client.client && known.request == asked.request;
        self.sessions.sessions().iter().find(same).map(|known| (known.op, Arc::clone(&known.result)))
    }

    fn cached_by_number(&self, asked: &Asked<'_>) -> Option<(Op, Arc<[u8]>)> {
        let known = self.sessions.get(asked.client).filter(|known| known.request == asked.request);
        if let Some(known) = known {
            return Some((known.op, Arc::clone(&known.result)));
        }
        let strays = self.stray_replies.iter().rev();
        let mut same = strays.filter(|stray| stray.client == asked.client && stray.request == asked.request);
        same.next().map(|stray| (stray.op, Arc::clone(&stray.result)))
    }

    fn read_unconfirmed(&self, asked: &Asked<'_>, up_to: Op) -> Option<(Op, Arc<[u8]>)> {
        if !self.machine.is_read(asked.command) {
            return None;
        }
        let commands = self.pipeline().filter(|entry| entry.op <= up_to && entry.operation == EntryKind::Command);
        let mut pending = commands.map(|entry| (entry.client, &*entry.body));
        Some((up_to, self.machine.query(asked.client.tenant, asked.command, &mut pending).into()))
    }
}

/// The hash that the reply to a registration names.
fn registration_hash(client: ClientKey, nonce: u64) -> Hash {
    request_hash(client, SessionNumber(0), RequestNumber(0), &nonce.to_le_bytes())
}
