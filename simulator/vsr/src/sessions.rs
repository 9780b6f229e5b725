//! The session table: who may ask, what was answered last, who must leave when the table is full.
//!
//! It changes only when entries commit, in their order, so that it is the same on every replica; a retried request finds its
//! reply here and is never executed again.

use crate::ids::{ClientKey, Hash, Op, RequestNumber, SessionNumber};
use crate::wire::{Reader, Writer};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// One client's session.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Session {
    /// Whose.
    pub client: ClientKey,
    /// Its number: the op of its registration.
    pub session: SessionNumber,
    /// The nonce that the client registered with.
    pub nonce: u64,
    /// Number of the last committed request; 0 after the registration.
    pub request: RequestNumber,
    /// Op of the last committed request, or of the registration.
    pub op: Op,
    /// Hash of that request.
    pub request_hash: Hash,
    /// Its result.
    pub result: Arc<[u8]>,
}

impl Session {
    /// Bytes of a session with an empty result.
    pub(crate) const ENCODED_LEN_MIN: usize = 8 * 5 + 32 + 4;

    /// As if it had just been opened.
    pub(crate) fn forget_requests(&mut self) {
        (self.request, self.op) = (RequestNumber(0), Op(self.session.0));
        self.result = Arc::default();
    }

    pub(crate) fn encoded_len(&self) -> usize {
        Self::ENCODED_LEN_MIN + self.result.len()
    }

    pub(crate) fn encode_into(&self, writer: &mut Writer) {
        writer.client(self.client);
        writer.u64(self.session.0);
        writer.u64(self.nonce);
        writer.u64(self.request.0);
        writer.u64(self.op.0);
        writer.hash(&self.request_hash);
        writer.sized(&self.result);
    }

    pub(crate) fn decode_from(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            client: reader.client()?,
            session: reader.session()?,
            nonce: reader.u64()?,
            request: reader.request()?,
            op: reader.op()?,
            request_hash: reader.hash()?,
            result: reader.sized()?.into(),
        })
    }
}

/// All sessions, in the order of their clients.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct SessionTable {
    sessions: Vec<Session>,
    capacity: usize,
}

impl SessionTable {
    /// An empty table for `capacity` sessions.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { sessions: Vec::with_capacity(capacity), capacity }
    }

    /// A table out of a checkpoint.
    #[must_use]
    pub fn restore(sessions: Vec<Session>, capacity: usize) -> Self {
        Self { sessions, capacity }
    }

    /// The sessions, in the order of their clients.
    #[must_use]
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    fn find(&self, client: ClientKey) -> Result<usize, usize> {
        self.sessions.binary_search_by_key(&client, |session| session.client)
    }

    /// The session of a client.
    #[must_use]
    pub fn get(&self, client: ClientKey) -> Option<&Session> {
        self.find(client).ok().map(|index| &self.sessions[index])
    }

    /// Opens a session in place of the client's old one. When the table is full, the session whose last commit is the oldest
    /// leaves and is returned: commits are the same everywhere, so the choice is too, as long as nobody is `spared`.
    pub fn register(&mut self, opened: Session, spared: impl Fn(ClientKey) -> bool) -> Option<Session> {
        if let Ok(index) = self.find(opened.client) {
            self.sessions[index] = opened;
            return None;
        }
        let evicted = (self.sessions.len() >= self.capacity).then(|| self.evict(spared)).flatten();
        let index = self.find(opened.client).unwrap_or_else(|index| index);
        self.sessions.insert(index, opened);
        evicted
    }

    fn evict(&mut self, spared: impl Fn(ClientKey) -> bool) -> Option<Session> {
        let age = |(_, session): &(usize, &Session)| (spared(session.client), session.op, session.session);
        let oldest = self.sessions.iter().enumerate().min_by_key(age)?.0;
        Some(self.sessions.remove(oldest))
    }

    /// Keeps the result of a committed request, if its session is still in the table.
    pub fn record(&mut self, client: ClientKey, session: SessionNumber, request: RequestNumber, op: Op, hash: Hash, result: Arc<[u8]>) {
        let Ok(index) = self.find(client) else { return };
        let kept = &mut self.sessions[index];
        if kept.session == session {
            kept.request = request;
            kept.op = op;
            kept.request_hash = hash;
            kept.result = result;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Session, SessionTable};
    use crate::ids::{ClientId, ClientKey, Hash, Op, RequestNumber, SessionNumber, TenantId};
    use alloc::vec::Vec;

    /// Nobody is spared.
    fn nobody(_: ClientKey) -> bool {
        false
    }

    fn key(client: u32) -> ClientKey {
        ClientKey { tenant: TenantId(client % 2), client: ClientId(client) }
    }

    fn opened(client: u32, op: u64) -> Session {
        Session {
            client: key(client),
            session: SessionNumber(op),
            nonce: op,
            request: RequestNumber(0),
            op: Op(op),
            request_hash: Hash::default(),
            result: [].into(),
        }
    }

    fn answer(table: &mut SessionTable, client: u32, session: u64, request: u64, op: u64) {
        let result = op.to_le_bytes().as_slice().into();
        table.record(key(client), SessionNumber(session), RequestNumber(request), Op(op), Hash::default(), result);
    }

    #[test]
    fn sessions_are_kept_in_the_order_of_clients() {
        let mut table = SessionTable::new(8);
        for (op, client) in [5, 2, 7, 4].into_iter().enumerate() {
            assert_eq!(table.register(opened(client, op as u64 + 1), nobody), None);
        }
        let order: Vec<_> = table.sessions().iter().map(|session| session.client).collect();
        assert_eq!(order, [key(2), key(4), key(5), key(7)]);
        assert_eq!(SessionTable::restore(table.sessions().to_vec(), 8), table);
    }

    #[test]
    fn the_session_with_the_oldest_commit_leaves() {
        let mut table = SessionTable::new(2);
        table.register(opened(1, 1), nobody);
        table.register(opened(2, 2), nobody);
        answer(&mut table, 1, 1, 1, 3);
        let evicted = table.register(opened(3, 4), nobody);
        assert_eq!(evicted.map(|session| session.client), Some(key(2)));
        assert!(table.get(key(1)).is_some() && table.get(key(2)).is_none() && table.get(key(3)).is_some());
    }

    #[test]
    fn a_new_session_takes_the_place_of_the_clients_old_one() {
        let mut table = SessionTable::new(1);
        table.register(opened(1, 1), nobody);
        assert_eq!(table.register(opened(1, 2), nobody), None);
        assert_eq!(table.get(key(1)).map(|session| session.session), Some(SessionNumber(2)));
        assert_eq!(table.sessions().len(), 1);
    }

    #[test]
    fn only_the_session_that_asked_is_answered() {
        let mut table = SessionTable::new(2);
        table.register(opened(1, 5), nobody);
        answer(&mut table, 1, 4, 9, 6);
        answer(&mut table, 2, 5, 9, 6);
        assert_eq!(table.get(key(1)).map(|session| session.request), Some(RequestNumber(0)));
        answer(&mut table, 1, 5, 1, 6);
        let session = table.get(key(1)).expect("registered");
        assert_eq!((session.request, session.op), (RequestNumber(1), Op(6)));
    }
}
