//! How much may happen, and what a cluster is at the beginning.

use vsr::ids::{ClientId, ClientKey, Epoch, Peer, ReplicaId, TenantId, View};
use vsr::io::Timer;
use vsr::message::{Body, Message};
use vsr::{Bug, Config};

/// Voting members at most.
pub const REPLICAS_MAX: usize = 5;

/// How much may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Voting members, [`REPLICAS_MAX`] at most.
    pub replicas: u8,
    /// Client operations, 3 at most: each is a client that registers, which puts one entry into the log.
    pub operations: u8,
    /// Views, the first one included.
    pub views: u64,
    /// Timers that fire.
    pub timers: u8,
    /// Which timers may; empty for all.
    pub kinds: Vec<Timer>,
    /// Crashes; a replica comes back at once.
    pub crashes: u8,
    /// Messages that are delivered once more.
    pub duplicates: u8,
    /// Crashes that damage the newest durable entry.
    pub damage: u8,
    /// Writes are durable at once: fewer states, and nothing between a write and its completion.
    pub eager_disk: bool,
    /// What one end sends to another does not overtake what it sent before; lost and repeated it may be.
    pub ordered_links: bool,
    /// The guard that is switched off.
    pub bug: Option<Bug>,
}

impl Bounds {
    /// One operation of three replicas in two views; messages are lost and reordered, and nothing else goes wrong.
    pub const CALM: Self = Self {
        replicas: 3,
        operations: 1,
        views: 2,
        timers: 0,
        kinds: Vec::new(),
        crashes: 0,
        duplicates: 0,
        damage: 0,
        eager_disk: false,
        ordered_links: false,
        bug: None,
    };

    /// One replica's configuration for each member.
    ///
    /// # Panics
    /// With four operations or more: a checkpoint would be taken, whose writing is not part of the model. And with more replicas than
    /// a state has room for.
    #[must_use]
    pub fn configs(&self) -> Vec<Config> {
        assert!(self.operations < 4, "no checkpoint is taken within the bounds");
        assert!((1..=REPLICAS_MAX).contains(&usize::from(self.replicas)), "one to five replicas");
        let config = |replica| Config {
            log_slots: 10,
            checkpoint_interval: 4,
            pipeline_max: 2,
            sessions_max: 4,
            bug: self.bug,
            ..Config::new(ReplicaId(replica), self.replicas)
        };
        (0..self.replicas).map(config).collect()
    }

    /// What is under way at the beginning: every client asks the primary of every view.
    #[must_use]
    pub fn requests(&self) -> Vec<Message> {
        let ask = |client: u8, view: u8| Message {
            epoch: Epoch(0),
            view: View(0),
            from: Peer::Client(ClientKey { tenant: TenantId(0), client: ClientId(u32::from(client)) }),
            to: Peer::Replica(ReplicaId(view)),
            body: Body::Register { nonce: u64::from(client) + 1 },
        };
        let primaries = (0..self.replicas).filter(|replica| u64::from(*replica) < self.views);
        primaries.flat_map(|view| (0..self.operations).map(move |client| ask(client, view))).collect()
    }

    /// Members that decide.
    #[must_use]
    pub fn quorum(&self) -> usize {
        usize::from(self.replicas / 2 + 1)
    }
}
