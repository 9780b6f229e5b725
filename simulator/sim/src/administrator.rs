//! Administrators: they ask for other voters, again and again until they are told what became of it.
//!
//! They are no clients of the state machine, so their requests are no operations of the history: it has their messages, the
//! epochs that they bring, and the faults that made them ask.

use crate::entropy::{Actor, Purpose, Stream};
use crate::network::FIRST_CLIENT;
use crate::options::{MILLISECOND, RunOptions};
use crate::world::{Event, World};
use vsr::entry::request_hash;
use vsr::ids::{ClientId, ClientKey, Epoch, Peer, ReplicaId, RequestNumber, SessionNumber, TenantId, View};
use vsr::message::{Body, Message};
use vsr::quorum::Members;
use vsr::reconfiguration::{Change, Outcome, change_hash};

/// How many there are: two changes can be asked for at once.
pub const ADMINISTRATORS: u8 = 2;
/// An administrator asks the next replica after so long, nominal nanoseconds.
const PATIENCE_NS: u64 = 150 * MILLISECOND;

/// One administrator.
#[derive(Debug)]
pub struct Administrator {
    key: ClientKey,
    endpoint: u16,
    nonce: u64,
    session: Option<SessionNumber>,
    request: u64,
    /// The epoch that it believes to be in force.
    epoch: Epoch,
    /// What it asks for.
    wanted: Option<Change>,
    target: u8,
    /// Only the alarm of this number counts.
    alarm: u32,
    retry: Stream,
}

impl Administrator {
    /// One that has nothing to ask for. Its tenant is the one behind the clients' last.
    #[must_use]
    pub fn new(options: &RunOptions, number: u8) -> Self {
        let key = ClientKey { tenant: TenantId(options.cluster.tenants), client: ClientId(number.into()) };
        let clients = u16::try_from(options.clients()).unwrap_or(u16::MAX / 2);
        Self {
            key,
            endpoint: FIRST_CLIENT + clients + u16::from(number),
            nonce: 0,
            session: None,
            request: 0,
            epoch: Epoch(0),
            wanted: None,
            target: 0,
            alarm: 0,
            retry: Stream::new(options.seed, Actor::Client(options.clients() + u32::from(number)), Purpose::Retry, 0),
        }
    }

    /// What it asks for, if it waits for an answer.
    #[must_use]
    pub fn wanted(&self) -> Option<Members> {
        self.wanted.map(|change| change.voters)
    }

    /// What it waits for, in words.
    #[must_use]
    pub fn pending(&self) -> Option<String> {
        self.wanted.map(|change| format!("the change to voters {:#b} of epoch {} is pending", change.voters.0, change.base))
    }

    fn message(&self) -> Option<Message> {
        let change = self.wanted?;
        let body = match self.session {
            None => Body::Register { nonce: self.nonce },
            Some(session) => Body::Reconfigure { session, request: RequestNumber(self.request), members: change.voters.0 },
        };
        let (from, to) = (Peer::Client(self.key), Peer::Replica(ReplicaId(self.target)));
        Some(Message { epoch: change.base, view: View(0), from, to, body })
    }

    /// Whether a reply says that the session is open; then the change itself is due.
    fn registered(&mut self, hash: vsr::ids::Hash, session: SessionNumber) -> bool {
        let expected = request_hash(self.key, SessionNumber(0), RequestNumber(0), &self.nonce.to_le_bytes());
        if self.session.is_some() || hash != expected {
            return false;
        }
        (self.session, self.request) = (Some(session), 1);
        true
    }

    /// Whether a reply says what became of the change: nothing more is wanted then.
    fn answered(&mut self, hash: vsr::ids::Hash, told: Epoch, result: &[u8]) -> bool {
        let (Some(change), Some(session)) = (self.wanted, self.session) else { return false };
        if hash != change_hash(self.key, session, RequestNumber(self.request), change) {
            return false;
        }
        let Some(outcome) = Outcome::decode(result) else { return false };
        // The reply leaves before the epoch is entered that it tells of.
        let known = if outcome == Outcome::Changed { Epoch(change.base.0 + 1) } else { change.base };
        self.epoch = self.epoch.max(known).max(told);
        self.wanted = None;
        self.request += 1;
        true
    }
}

impl World {
    /// An administrator is to ask for these voters, unless it still waits for an answer.
    pub(crate) fn administer(&mut self, number: u8, voters: Members) -> bool {
        let Some(admin) = self.administrators.get_mut(usize::from(number)).filter(|admin| admin.wanted.is_none()) else { return false };
        if admin.session.is_none() {
            admin.nonce = admin.retry.bits();
        }
        admin.wanted = Some(Change { base: admin.epoch, voters });
        self.ask_for_change(usize::from(number));
        true
    }

    fn ask_for_change(&mut self, number: usize) {
        let admin = &mut self.administrators[number];
        let Some(message) = admin.message() else { return };
        admin.alarm += 1;
        let (from, to, alarm) = (admin.endpoint, u16::from(admin.target), admin.alarm);
        let nominal = PATIENCE_NS + admin.retry.below(PATIENCE_NS / 4);
        self.send(from, to, message);
        let due_ns = self.now_ns + self.options.compress(nominal);
        self.queue.push(due_ns, Event::Administrator { number: u8::try_from(number).unwrap_or(u8::MAX), alarm });
    }

    /// An administrator's patience is over; false when a later alarm has taken this one's place.
    pub(crate) fn administrator_alarm(&mut self, number: usize, alarm: u32) -> bool {
        let members = u8::try_from(self.nodes.len()).unwrap_or(u8::MAX);
        let admin = &mut self.administrators[number];
        if admin.alarm != alarm || admin.wanted.is_none() {
            return false;
        }
        admin.target = (admin.target + 1) % members;
        self.ask_for_change(number);
        true
    }

    /// A message reaches an administrator.
    pub(crate) fn administrator_receives(&mut self, number: usize, message: &Message) {
        let members = self.nodes.len() as u64;
        let Some(admin) = self.administrators.get_mut(number) else { return };
        match &message.body {
            Body::Reply { session, request, request_hash, result, .. } => {
                if let Some(replica) = message.from_replica() {
                    admin.target = replica.0;
                }
                if request.0 == 0 && admin.registered(*request_hash, *session) {
                    self.ask_for_change(number);
                } else if admin.answered(*request_hash, message.epoch, result) {
                    self.reassess();
                }
            }
            // Whether the change was made is not known; asking again does no harm, because it is meant for one epoch only.
            Body::Eviction { session } if admin.session == Some(*session) => {
                admin.session = None;
                admin.nonce = admin.retry.bits();
                self.ask_for_change(number);
            }
            Body::Redirect => {
                let primary = u8::try_from(message.view.0 % members).unwrap_or(0);
                if message.from_replica().is_some_and(|from| from.0 == admin.target) && primary != admin.target {
                    admin.target = primary;
                    self.ask_for_change(number);
                }
            }
            _ => {}
        }
    }
}
