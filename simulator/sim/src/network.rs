//! The network: one state per directed link, which decides when a message arrives, or why it never does.
//!
//! Nothing is polled. A link is asked when a message is sent and again when it arrives, faults change its state in
//! between, and each kind of decision draws from its own stream, so that a new loss on one link moves no other draw.

use crate::administrator::ADMINISTRATORS;
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
        let clients = clients + usize::from(ADMINISTRATORS);
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

    /// The extra loss on the links of a client's endpoint.
    #[must_use]
    pub fn loss_of_client(&self, endpoint: u16) -> Rate {
        self.client_loss[usize::from(endpoint - FIRST_CLIENT)]
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

#[cfg(test)]
mod tests {
    use super::{FIRST_CLIENT, Network, Transit};
    use crate::fault_plan::GrayMode;
    use crate::gray::Gray;
    use crate::options::{MILLISECOND, Rate, RunOptions};
    use crate::scenario::Overrides;
    use crate::scenarios;
    use vopr_schema::Fate;

    fn options() -> RunOptions {
        scenarios::find("baseline").expect("it is registered").draw(1, &Overrides::default())
    }

    fn send(network: &mut Network, from: u16, to: u16) -> Transit {
        network.send(from, to, &Gray::default(), &Gray::default())
    }

    fn delay(network: &mut Network, from: u16, to: u16) -> u64 {
        match send(network, from, to) {
            Transit::Arrives { after_ns } => {
                assert_eq!(network.arrive(from, to, &Gray::default(), &Gray::default()), None);
                after_ns
            }
            Transit::Ends(fate) => panic!("a healthy link delivers, but: {fate}"),
        }
    }

    #[test]
    fn delays_lie_in_their_range_and_differ_so_that_messages_overtake_each_other() {
        let mut network = Network::new(&options());
        let delays: Vec<u64> = (0..200).map(|_| delay(&mut network, 0, FIRST_CLIENT)).collect();
        assert!(delays.iter().all(|delay| (MILLISECOND..=5 * MILLISECOND).contains(delay)));
        assert!(delays.windows(2).any(|pair| pair[1] + MILLISECOND < pair[0]));
    }

    #[test]
    fn a_draw_on_one_link_changes_nothing_on_another() {
        let (mut one, mut other) = (Network::new(&options()), Network::new(&options()));
        for _ in 0..17 {
            delay(&mut one, 0, 1);
        }
        assert_eq!(delay(&mut one, 1, 0), delay(&mut other, 1, 0));
    }

    #[test]
    fn a_cut_link_loses_what_is_sent_and_what_travels_but_not_the_other_direction() {
        let mut network = Network::new(&options());
        assert!(matches!(send(&mut network, 0, 1), Transit::Arrives { .. }));
        network.cut(0, 1);
        network.cut(0, 1);
        assert_eq!(network.arrive(0, 1, &Gray::default(), &Gray::default()), Some(Fate::Partitioned));
        network.join(0, 1);
        assert_eq!(send(&mut network, 0, 1), Transit::Ends(Fate::Partitioned), "two partitions overlap: one is left");
        delay(&mut network, 1, 0);
        network.join(0, 1);
        delay(&mut network, 0, 1);
    }

    #[test]
    fn a_full_link_overflows_and_has_room_again_when_a_message_arrives() {
        let mut options = options();
        options.network.link_messages_max = 2;
        let mut network = Network::new(&options);
        let fates: Vec<Transit> = (0..3).map(|_| send(&mut network, 2, 0)).collect();
        assert_eq!(fates[2], Transit::Ends(Fate::Overflow));
        assert_eq!(network.arrive(2, 0, &Gray::default(), &Gray::default()), None);
        assert!(matches!(send(&mut network, 2, 0), Transit::Arrives { .. }));
    }

    #[test]
    fn the_strongest_of_several_clogs_counts_until_it_ends() {
        let mut network = Network::new(&options());
        network.clog(0, 1, 7, 10, Rate::NEVER);
        network.clog(0, 1, 8, 2, Rate::NEVER);
        assert!(delay(&mut network, 0, 1) >= 10 * MILLISECOND);
        network.unclog(0, 1, 7);
        assert!((2 * MILLISECOND..=10 * MILLISECOND).contains(&delay(&mut network, 0, 1)));
        network.clog(0, 1, 9, 1, Rate::ALWAYS);
        assert_eq!(send(&mut network, 0, 1), Transit::Ends(Fate::Clogged));
        network.heal();
        assert!(delay(&mut network, 0, 1) <= 5 * MILLISECOND);
    }

    #[test]
    fn gray_ends_lose_or_slow_their_messages() {
        let mut network = Network::new(&options());
        let (well, mut gray) = (Gray::default(), Gray::default());
        gray.begin(0, GrayMode::Slow { factor: 4 });
        let Transit::Arrives { after_ns } = network.send(0, 1, &well, &gray) else { panic!("slow is not lost") };
        assert!(after_ns >= 4 * MILLISECOND);
        gray.begin(1, GrayMode::Intermittent { failure: Rate::percent(50) });
        let lost = (0..100).filter(|_| network.send(0, 1, &gray, &well) == Transit::Ends(Fate::Lost)).count();
        assert!((20..80).contains(&lost), "{lost}");
        gray.begin(2, GrayMode::Unresponsive);
        assert_eq!(network.send(1, 0, &well, &gray), Transit::Ends(Fate::Lost));
    }

    #[test]
    fn a_tenants_bad_links_are_only_its_own() {
        let mut network = Network::new(&options());
        network.set_client_loss(1, Rate::ALWAYS);
        assert_eq!(send(&mut network, FIRST_CLIENT + 1, 0), Transit::Ends(Fate::Lost));
        assert_eq!(send(&mut network, 0, FIRST_CLIENT + 1), Transit::Ends(Fate::Lost));
        delay(&mut network, FIRST_CLIENT, 0);
        delay(&mut network, 1, 0);
    }

    #[test]
    fn loss_and_duplication_follow_their_rates() {
        let mut options = options();
        options.network.drop = Rate::percent(10);
        options.network.duplicate = Rate::percent(5);
        options.network.link_messages_max = u32::MAX;
        let mut network = Network::new(&options);
        let lost = (0..10_000).filter(|_| send(&mut network, 0, 1) == Transit::Ends(Fate::Lost)).count();
        assert!((850..1_150).contains(&lost), "{lost}");
        let doubled = (0..10_000).filter(|_| network.duplicates(0, 1)).count();
        assert!((400..600).contains(&doubled), "{doubled}");
    }
}
