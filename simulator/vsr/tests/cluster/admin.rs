//! An administrator that changes the membership again and again, at any time, whatever else goes on.

use crate::draw::Draw;
use vsr::ids::{ClientId, ClientKey, Epoch, Peer, ReplicaId, RequestNumber, SessionNumber, TenantId, View};
use vsr::message::{Body, Message};
use vsr::quorum::Members;
use vsr::reconfiguration::{Change, Outcome, change_hash};

/// The administrator's name.
pub const KEY: ClientKey = ClientKey { tenant: TenantId(9), client: ClientId(0) };
const NONCE: u64 = 77;

/// The administrator.
pub struct Admin {
    draw: Draw,
    members: u8,
    session: Option<SessionNumber>,
    request: u64,
    change: Change,
    /// Which attempt the newest retry timer is for.
    pub attempt: u64,
    target: u8,
    waits: bool,
    /// Changes that were made.
    pub changed: u64,
}

impl Admin {
    pub fn new(seed: u64, members: u8) -> Self {
        Self {
            draw: Draw(!seed),
            members,
            session: None,
            request: 0,
            change: Change { base: Epoch(0), voters: Members(0) },
            attempt: 0,
            target: 0,
            waits: false,
            changed: 0,
        }
    }

    /// Wants something new: two voters or more, of which one may lose its disk.
    pub fn begin(&mut self) {
        if self.waits {
            return;
        }
        self.waits = true;
        if self.session.is_none() {
            return;
        }
        self.request += 1;
        let mut voters = Members::default();
        while voters.len() < 2 {
            voters = Members(u32::try_from(self.draw.below(1 << self.members)).unwrap());
        }
        self.change.voters = voters;
    }

    /// The message that is due.
    pub fn message(&mut self) -> Option<Message> {
        if !self.waits {
            return None;
        }
        self.attempt += 1;
        self.target = (self.target + 1) % self.members;
        let body = match self.session {
            None => Body::Register { nonce: NONCE },
            Some(session) => Body::Reconfigure { session, request: RequestNumber(self.request), members: self.change.voters.0 },
        };
        let to = Peer::Replica(ReplicaId(self.target));
        Some(Message { epoch: self.change.base, view: View(0), from: Peer::Client(KEY), to, body })
    }

    /// What came in; a contradiction, if it is one.
    pub fn receive(&mut self, message: &Message) -> Result<(), String> {
        match &message.body {
            Body::Reply { session, request: RequestNumber(0), .. } if self.session.is_none() => {
                (self.session, self.request, self.waits) = (Some(*session), 0, false);
            }
            Body::Reply { session, request, request_hash, result, .. } if self.waits && *request == RequestNumber(self.request) => {
                let expected = change_hash(KEY, *session, *request, self.change);
                if *request_hash != expected {
                    return Err("the administrator got a reply to something else".into());
                }
                match Outcome::decode(result) {
                    Some(Outcome::Changed) => {
                        self.change.base.0 += 1;
                        self.changed += 1;
                    }
                    Some(Outcome::Impossible) => {}
                    other => return Err(format!("nobody else changes the membership, and yet {other:?}")),
                }
                self.waits = false;
            }
            Body::Eviction { session } if self.session == Some(*session) => self.session = None,
            _ => {}
        }
        Ok(())
    }
}
