//! The network: one state per directed link, which decides when a message arrives, or why it never does.
//!
//! Nothing is polled. A link is asked when a message is sent and again when it arrives, faults change its state in
//! between, and each kind of decision draws from its own stream, so that a new loss on one link moves no other draw.

use crate::clocks::compress;
use crate::entropy::{Actor, Purpose, Stream};
use crate::gray::Gray;
use crate::options::{NetworkOptions, Rate, RunOptions};
use vopr_schema::Fate;

/// Endpoint numbers of clients start here; replicas are numbered from 0.
pub const FIRST_CLIENT: u16 = 1_000;

/// What becomes of one copy of a message at its sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transit {
    /// It arrives after so many nanoseconds, unless the link is cut meanwhile.
    Arrives {
        /// Delay.
        after_ns: u64,
    },
    /// It never arrives.
    Ends(Fate),
}

#[derive(Clone, Copy, Debug)]
struct Clogging {
    plan_index: u32,
    delay_factor: u32,
    drop: Rate,
}

#[derive(Debug, Default)]
struct Link {
    in_flight: u32,
    /// How many partitions cut it at present.
    cuts: u32,
    clogs: Vec<Clogging>,
    latency: Option<Stream>,
    loss: Option<Stream>,
    duplication: Option<Stream>,
    clog: Option<Stream>,
    gray: Option<Stream>,
}

/// All links of a run.
#[derive(Debug)]
pub struct Network {
    seed: u64,
    replicas: u16,
    endpoints: usize,
    links: Vec<Link>,
    options: NetworkOptions,
    time_compression: u32,
    /// Loss on all links of a client, by client; on top of the links' own.
    client_loss: Vec<Rate>,
}

impl Network {
    /// The healthy network of a run.
    #[must_use]
    pub fn new(options: &RunOptions) -> Self {
        let replicas = u16::from(options.cluster.replicas) + u16::from(options.cluster.standbys);
        let clients = options.clients() as usize;
        let endpoints = usize::from(replicas) + clients;
        let mut links = Vec::new();
        links.resize_with(endpoints * endpoints, Link::default);
        Self {
            seed: options.seed,
            replicas,
            endpoints,
            links,
            options: options.network,
            time_compression: options.time_compression,
            client_loss: vec![Rate::NEVER; clients],
        }
    }

    fn place(&self, endpoint: u16) -> usize {
        if endpoint < FIRST_CLIENT { usize::from(endpoint) } else { usize::from(endpoint - FIRST_CLIENT + self.replicas) }
    }

    fn index(&self, from: u16, to: u16) -> usize {
        self.place(from) * self.endpoints + self.place(to)
    }

    fn extra_loss(&self, from: u16, to: u16) -> Rate {
        let client = from.max(to);
        if client < FIRST_CLIENT { Rate::NEVER } else { self.client_loss[usize::from(client - FIRST_CLIENT)] }
    }

    /// Whether the network makes another copy of a message.
    pub fn duplicates(&mut self, from: u16, to: u16) -> bool {
        if self.options.duplicate == Rate::NEVER {
            return false;
        }
        let (index, seed, rate) = (self.index(from, to), self.seed, self.options.duplicate);
        stream(&mut self.links[index].duplication, seed, from, to, Purpose::Duplication).hit(rate)
    }

    /// A copy of a message enters the link; `sender` and `receiver` are the gray states of its ends.
    pub fn send(&mut self, from: u16, to: u16, sender: &Gray, receiver: &Gray) -> Transit {
        let (index, seed, extra_loss) = (self.index(from, to), self.seed, self.extra_loss(from, to));
        let options = &self.options;
        let link = &mut self.links[index];
        if link.cuts > 0 {
            return Transit::Ends(Fate::Partitioned);
        }
        if sender.is_unresponsive() || receiver.is_unresponsive() {
            return Transit::Ends(Fate::Lost);
        }
        for rate in [options.drop, extra_loss] {
            if rate != Rate::NEVER && stream(&mut link.loss, seed, from, to, Purpose::Loss).hit(rate) {
                return Transit::Ends(Fate::Lost);
            }
        }
        for rate in [sender.failure(), receiver.failure()] {
            if rate != Rate::NEVER && stream(&mut link.gray, seed, from, to, Purpose::Gray).hit(rate) {
                return Transit::Ends(Fate::Lost);
            }
        }
        let mut factor = u64::from(sender.slowness()) * u64::from(receiver.slowness());
        if let Some(drop) = link.clogs.iter().map(|clog| clog.drop).max() {
            if drop != Rate::NEVER && stream(&mut link.clog, seed, from, to, Purpose::Clog).hit(drop) {
                return Transit::Ends(Fate::Clogged);
            }
            factor *= u64::from(link.clogs.iter().map(|clog| clog.delay_factor).max().unwrap_or(1));
        }
        if link.in_flight >= options.link_messages_max {
            return Transit::Ends(Fate::Overflow);
        }
        link.in_flight += 1;
        let range = options.latency_ns_min..=options.latency_ns_max;
        let nominal = stream(&mut link.latency, seed, from, to, Purpose::Latency).range(range);
        Transit::Arrives { after_ns: compress(nominal, self.time_compression) * factor }
    }

    /// A copy leaves the link at its far end; answers why it was lost on the way, if it was.
    pub fn arrive(&mut self, from: u16, to: u16, sender: &Gray, receiver: &Gray) -> Option<Fate> {
        let index = self.index(from, to);
        let link = &mut self.links[index];
        link.in_flight -= 1;
        if link.cuts > 0 {
            Some(Fate::Partitioned)
        } else if sender.is_unresponsive() || receiver.is_unresponsive() {
            Some(Fate::Lost)
        } else {
            None
        }
    }

    /// A partition cuts the directed link; links are joined as often as they were cut.
    pub fn cut(&mut self, from: u16, to: u16) {
        let index = self.index(from, to);
        self.links[index].cuts += 1;
    }

    /// A partition of the directed link ends.
    pub fn join(&mut self, from: u16, to: u16) {
        let index = self.index(from, to);
        self.links[index].cuts -= 1;
    }

    /// Whether a partition cuts the directed link.
    #[must_use]
    pub fn is_cut(&self, from: u16, to: u16) -> bool {
        self.links[self.index(from, to)].cuts > 0
    }

    /// Whether the directed link is clogged.
    #[must_use]
    pub fn is_clogged(&self, from: u16, to: u16) -> bool {
        !self.links[self.index(from, to)].clogs.is_empty()
    }

    /// A planned fault clogs the directed link; of several at once the strongest delay and loss count.
    pub fn clog(&mut self, from: u16, to: u16, plan_index: u32, delay_factor: u32, drop: Rate) {
        let index = self.index(from, to);
        self.links[index].clogs.push(Clogging { plan_index, delay_factor, drop });
    }

    /// That planned fault ends.
    pub fn unclog(&mut self, from: u16, to: u16, plan_index: u32) {
        let index = self.index(from, to);
        self.links[index].clogs.retain(|clog| clog.plan_index != plan_index);
    }

    /// Sets the extra loss on all links of a client.
    pub fn set_client_loss(&mut self, client: usize, loss: Rate) {
        self.client_loss[client] = loss;
    }

    /// Ends every fault; messages on their way arrive.
    pub fn heal(&mut self) {
        self.options.drop = Rate::NEVER;
        self.options.duplicate = Rate::NEVER;
        self.client_loss.fill(Rate::NEVER);
        for link in &mut self.links {
            link.cuts = 0;
            link.clogs.clear();
        }
    }
}

fn stream(slot: &mut Option<Stream>, seed: u64, from: u16, to: u16, purpose: Purpose) -> &mut Stream {
    slot.get_or_insert_with(|| Stream::new(seed, Actor::Link(from, to), purpose, 0))
}
