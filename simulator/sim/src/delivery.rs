//! Messages on their way: from a sender's hands into a link, and out of it into a receiver's.
//!
//! A healthy message travels by value. One that a fault has touched travels as the bytes that the fault has left, which the
//! receiver has to decode: exactly what a real machine would see.

use crate::attack::{Extra, Form, Lie};
use crate::client::Client;
use crate::network::{FIRST_CLIENT, Transit};
use crate::node::Process;
use crate::recorder::{RowIndex, messages};
use crate::world::{Event, World};
use vopr_schema::{Fate, Mutation};
use vsr::Replica;
use vsr::ids::Peer;
use vsr::io::{Input, StateSummary};
use vsr::message::Message;

/// What travels.
#[derive(Debug)]
pub enum Payload {
    /// The message as it was sent.
    Message(Message),
    /// What a fault has made of its bytes.
    Bytes(Vec<u8>),
}

/// A copy of a message on its way.
#[derive(Debug)]
pub struct Flight {
    from: u16,
    to: u16,
    id: u64,
    /// Its row in the history.
    pub row: RowIndex,
    /// It has left its link and waits for a paused process.
    arrived: bool,
    payload: Payload,
}

/// All copies on their way, by number.
#[derive(Debug, Default)]
pub struct Flights {
    slots: Vec<Option<Flight>>,
    free: Vec<u32>,
}

impl Flights {
    fn insert(&mut self, flight: Flight) -> u32 {
        if let Some(index) = self.free.pop() {
            self.slots[index as usize] = Some(flight);
            return index;
        }
        self.slots.push(Some(flight));
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 messages are on their way")
    }

    /// Takes a copy out.
    ///
    /// # Panics
    /// When there is none of that number.
    pub fn take(&mut self, index: u32) -> Flight {
        self.free.push(index);
        self.slots[index as usize].take().expect("each copy has one event")
    }

    /// Forgets all, keeping the memory.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.free.clear();
    }
}

/// The message that a receiver is working on.
#[derive(Clone, Copy, Debug)]
pub struct Current {
    /// Its number.
    pub id: u64,
    /// The row of this copy.
    pub row: RowIndex,
}

impl World {
    /// A replica sends.
    pub(crate) fn send_from_replica(&mut self, node: usize, message: Message) {
        let to = match message.to {
            Peer::Replica(replica) => u16::from(replica.0),
            Peer::Client(key) => FIRST_CLIENT + Client::index(&self.options.cluster, key),
        };
        let from = u16::from(self.nodes[node].id);
        self.send(from, to, message);
    }

    /// A message leaves; the network may make more of it, or less.
    pub(crate) fn send(&mut self, from: u16, to: u16, message: Message) {
        self.messages_sent += 1;
        let id = self.messages_sent;
        let extras = if self.attacks.is_planned() { self.watched(from, to, &message) } else { Vec::new() };
        if self.network.duplicates(from, to) {
            self.send_copy(id, 0, from, to, message.clone());
            self.send_copy(id, 1, from, to, message);
        } else {
            self.send_copy(id, 0, from, to, message);
        }
        self.send_extras(id, from, to, extras);
    }

    /// Links that may lie look at what they carry; answers what they add to it.
    fn watched(&mut self, from: u16, to: u16, message: &Message) -> Vec<Extra> {
        self.attacks.observe(from, to, message);
        self.attacks.extras(from, to, message)
    }

    fn send_extras(&mut self, id: u64, from: u16, to: u16, extras: Vec<Extra>) {
        for (copy, extra) in (2..).zip(extras) {
            let (id, copy) = if extra.same {
                (id, copy)
            } else {
                self.messages_sent += 1;
                (self.messages_sent, 0)
            };
            let (mutation, magnitude, form) = (extra.mutation, 1, Form::Message(extra.message));
            self.send_lie(id, copy, from, to, Lie { mutation, magnitude, form });
        }
    }

    /// A link hands on something else than it was given.
    fn send_lie(&mut self, id: u64, copy: u16, from: u16, to: u16, lie: Lie) {
        let (Form::Message(message) | Form::Bytes(message)) = &lie.form else { return };
        let row = self.record_copy(id, copy, from, to, message);
        self.recorder.mutated(row, lie.mutation, None, message.encoded_len());
        self.record_mutation(from, to, lie.magnitude);
        let payload = match lie.form {
            Form::Message(message) => Payload::Message(message),
            Form::Bytes(message) => Payload::Bytes(message.encode()),
            Form::FalseChecksum | Form::Nothing => return,
        };
        self.launch(id, from, to, row, payload);
    }

    /// What the receiver of a message is at present.
    fn receiver(&self, to: u16) -> Option<StateSummary> {
        self.nodes.get(usize::from(to)).and_then(|node| node.replica.as_ref()).map(Replica::summary)
    }

    fn record_copy(&mut self, id: u64, copy: u16, from: u16, to: u16, message: &Message) -> RowIndex {
        if self.recorder.is_on() { self.recorder.message(messages::row(id, copy, from, to, message)) } else { RowIndex::NONE }
    }

    fn send_copy(&mut self, id: u64, copy: u16, from: u16, to: u16, message: Message) {
        let lie = if self.attacks.is_planned() { self.attacks.lie((from, to), &message, self.receiver(to)) } else { None };
        let mut mutation = self.mutator.draw(from, to);
        match lie {
            Some(Lie { form: Form::FalseChecksum, mutation: false_checksum, .. }) => mutation = Some(false_checksum),
            Some(Lie { form: Form::Nothing, mutation, magnitude }) => {
                let row = self.record_copy(id, copy, from, to, &message);
                self.recorder.mutated(row, mutation, None, message.encoded_len());
                self.record_mutation(from, to, magnitude);
                self.recorder.fate(row, Fate::Lost);
                return;
            }
            Some(lie) => {
                self.send_lie(id, copy, from, to, lie);
                return;
            }
            None => {}
        }
        let row = self.record_copy(id, copy, from, to, &message);
        let payload = match mutation {
            None => Payload::Message(message),
            Some(mutation) => self.mutate(row, from, to, &message, mutation),
        };
        self.launch(id, from, to, row, payload);
    }

    fn launch(&mut self, id: u64, from: u16, to: u16, row: RowIndex, payload: Payload) {
        let sender = self.nodes.get(usize::from(from)).map_or(&self.well, |node| &node.gray);
        let receiver = self.nodes.get(usize::from(to)).map_or(&self.well, |node| &node.gray);
        match self.network.send(from, to, sender, receiver) {
            Transit::Ends(fate) => self.recorder.fate(row, fate),
            Transit::Arrives { after_ns } => {
                let flight = self.flights.insert(Flight { from, to, id, row, arrived: false, payload });
                self.queue.push(self.now_ns + after_ns, Event::Arrival { flight });
            }
        }
    }

    fn mutate(&mut self, row: RowIndex, from: u16, to: u16, message: &Message, mutation: Mutation) -> Payload {
        let mut bytes = message.encode();
        let magnitude = self.mutator.apply(from, to, mutation, &mut bytes);
        self.recorder.mutated(row, mutation, Message::checksum_of(&bytes), bytes.len());
        self.record_mutation(from, to, magnitude);
        Payload::Bytes(bytes)
    }

    /// A copy reaches its receiver.
    pub(crate) fn arrival(&mut self, index: u32) {
        let mut flight = self.flights.take(index);
        if !flight.arrived {
            flight.arrived = true;
            let sender = self.nodes.get(usize::from(flight.from)).map_or(&self.well, |node| &node.gray);
            let receiver = self.nodes.get(usize::from(flight.to)).map_or(&self.well, |node| &node.gray);
            if let Some(fate) = self.network.arrive(flight.from, flight.to, sender, receiver) {
                self.recorder.fate(flight.row, fate);
                return;
            }
        }
        if flight.to >= FIRST_CLIENT { self.arrive_at_client(flight) } else { self.arrive_at_replica(flight) }
    }

    fn arrive_at_replica(&mut self, flight: Flight) {
        let node = usize::from(flight.to);
        match self.nodes[node].process {
            Process::Down => self.recorder.fate(flight.row, Fate::ReceiverDown),
            Process::Paused => {
                let flight = self.flights.insert(flight);
                self.nodes[node].deferred.push(Event::Arrival { flight });
            }
            Process::Up => {
                self.recorder.fate(flight.row, Fate::Delivered);
                self.current = Some(Current { id: flight.id, row: flight.row });
                let input = match flight.payload {
                    Payload::Message(message) => Input::Message(message),
                    Payload::Bytes(bytes) => Input::Bytes(bytes),
                };
                self.step(node, input);
                self.current = None;
            }
        }
    }

    fn arrive_at_client(&mut self, flight: Flight) {
        let client = usize::from(flight.to - FIRST_CLIENT);
        if self.clients.get(client).is_some_and(Client::is_down) {
            self.recorder.fate(flight.row, Fate::ReceiverDown);
            return;
        }
        self.recorder.fate(flight.row, Fate::Delivered);
        let message = match flight.payload {
            Payload::Message(message) => message,
            Payload::Bytes(bytes) => match Message::decode(&bytes, self.replica_bug) {
                Ok(message) => message,
                Err(reason) => {
                    self.recorder.rejected(flight.row, crate::recorder::convert::reject_reason(reason));
                    return;
                }
            },
        };
        if client < self.clients.len() {
            self.client_receives(client, message);
        } else {
            self.administrator_receives(client - self.clients.len(), &message);
        }
    }
}
