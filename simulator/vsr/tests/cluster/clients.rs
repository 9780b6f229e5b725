//! Clients that retry, change their minds about who leads, crash, and check what they are told.

use std::collections::BTreeMap;
use vsr::entry::request_hash;
use vsr::ids::{ClientId, ClientKey, Epoch, Hash, Op, Peer, ReplicaId, RequestNumber, SessionNumber, TenantId, View};
use vsr::message::{Body, Message};

/// Requests that each client must get answered.
pub const REQUESTS: u64 = 200;

/// One client.
#[derive(Debug)]
pub struct Client {
    pub key: ClientKey,
    pub session: Option<SessionNumber>,
    pub request: u64,
    pub done: u64,
    /// Which attempt the newest retry timer is for.
    pub attempt: u64,
    pub target: usize,
    nonce: u64,
    view: View,
    /// Highest count that any client had been told when the request was first sent.
    floor: u64,
}

/// What a client does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Wait,
    /// Sends the request that is due.
    Send,
    /// The reply was right: sends the next request.
    Done,
}

/// All clients, and what they have been told.
#[derive(Debug, Default)]
pub struct Clients {
    pub all: Vec<Client>,
    highest_told: u64,
    /// Counts that writes returned.
    written: BTreeMap<u64, (ClientKey, u64)>,
    /// Replies to commands: which op they claim, for which request.
    pub claims: Vec<(Op, ClientKey, SessionNumber, RequestNumber)>,
    pub broken: Option<String>,
}

impl Client {
    fn new(index: u32) -> Self {
        Self {
            key: ClientKey { tenant: TenantId(index % 2), client: ClientId(index / 2) },
            session: None,
            request: 0,
            done: 0,
            attempt: 0,
            target: 0,
            nonce: u64::from(index) * 1000 + 1,
            view: View(0),
            floor: 0,
        }
    }

    /// Every third request is a read.
    fn is_read(&self) -> bool {
        self.request.is_multiple_of(3)
    }

    fn command(&self) -> Vec<u8> {
        let kind = if self.is_read() { 'r' } else { 'w' };
        format!("{kind}{}.{}.{}.{}", self.key.tenant, self.key.client, self.nonce, self.request).into_bytes()
    }

    fn expected_hash(&self) -> Hash {
        match self.session {
            None => request_hash(self.key, SessionNumber(0), RequestNumber(0), &self.nonce.to_le_bytes()),
            Some(session) => request_hash(self.key, session, RequestNumber(self.request), &self.command()),
        }
    }

    /// Forgets its session; the next one counts from 1 again.
    pub fn crash(&mut self) {
        self.session = None;
        self.request = 0;
        self.nonce += 1;
    }

    pub fn is_done(&self) -> bool {
        self.done >= REQUESTS && self.session.is_some()
    }

    /// The message that is due.
    pub fn message(&self, members: usize) -> Message {
        let to = Peer::Replica(ReplicaId(u8::try_from(self.target % members).unwrap()));
        let body = match self.session {
            None => Body::Register { nonce: self.nonce },
            Some(session) => Body::Request { session, request: RequestNumber(self.request), command: self.command().into() },
        };
        Message { epoch: Epoch(0), view: View(0), from: Peer::Client(self.key), to, body }
    }
}

impl Clients {
    pub fn new(count: u32) -> Self {
        Self { all: (0..count).map(Client::new).collect(), ..Self::default() }
    }

    fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            self.broken = Some(what());
        }
    }

    /// The client turns to a new request.
    pub fn begin(&mut self, index: usize) {
        self.all[index].floor = self.highest_told;
    }

    pub fn receive(&mut self, index: usize, message: &Message, members: usize) -> Next {
        let client = &mut self.all[index];
        client.view = client.view.max(message.view);
        match &message.body {
            Body::Reply { session, request, op, request_hash, result } if *request_hash == client.expected_hash() => {
                if client.session.is_none() {
                    client.session = Some(*session);
                } else {
                    assert_eq!(*request, RequestNumber(client.request));
                    client.done += 1;
                    self.claims.push((*op, client.key, *session, *request));
                    let count = std::str::from_utf8(result).unwrap().parse().unwrap();
                    self.check_count(index, count);
                }
                self.all[index].request += 1;
                Next::Done
            }
            Body::Eviction { session } if client.session == Some(*session) => {
                client.crash();
                Next::Send
            }
            Body::Redirect => {
                let leader = usize::try_from(client.view.0 % members as u64).unwrap();
                let moves = client.target % members != leader;
                client.target = leader;
                if moves { Next::Send } else { Next::Wait }
            }
            _ => Next::Wait,
        }
    }

    /// Counts never fall in real time, and no two writes return the same one.
    fn check_count(&mut self, index: usize, count: u64) {
        let client = &self.all[index];
        let (key, request, floor, is_read) = (client.key, client.request, client.floor, client.is_read());
        self.expect(count >= floor + u64::from(!is_read), || format!("{key:?} request {request}: told {count} after {floor}"));
        if !is_read {
            let known = self.written.insert(count, (key, request));
            self.expect(known.is_none(), || format!("two writes returned {count}: {known:?} and {key:?} request {request}"));
        }
        self.highest_told = self.highest_told.max(count);
    }
}
