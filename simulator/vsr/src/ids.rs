//! Newtypes of every counter, so that a view can never be passed where an op number belongs.

macro_rules! counter {
    ($($(#[$meta:meta])* $name:ident($inner:ty);)*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl core::fmt::Display for $name {
            fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.fmt(formatter)
            }
        }
    )* };
}

counter! {
    /// Number of a view; its primary is member `view mod members`.
    View(u64);
    /// Position in the log, from 1; 0 is the empty log.
    Op(u64);
    /// Number of a configuration.
    Epoch(u32);
    /// Index of a replica.
    ReplicaId(u8);
    /// A tenant: a key space of its own.
    TenantId(u32);
    /// A client within its tenant.
    ClientId(u32);
    /// A session: the op number of its registration.
    SessionNumber(u64);
    /// A request of a session, from 1.
    RequestNumber(u64);
}

/// A client, which is known by its tenant and its number there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey {
    /// Tenant.
    pub tenant: TenantId,
    /// Number within the tenant.
    pub client: ClientId,
}

/// A BLAKE3 hash.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The first eight bytes, little endian: what a history records. Never `u64::MAX`, which a history reserves for null.
    #[must_use]
    pub fn short(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[..8]);
        u64::from_le_bytes(bytes).min(u64::MAX - 1)
    }
}

impl core::fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{:016x}", self.short())
    }
}

/// One end of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// A replica.
    Replica(ReplicaId),
    /// A client.
    Client(ClientKey),
}
