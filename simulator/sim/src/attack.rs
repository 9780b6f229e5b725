//! Attacks on messages: rules that say whose links lie, to whom, about which messages, how, and how often.
//!
//! The faulty party is always a link. The replica behind it stays honest, so that every difference between what it sent and what
//! arrived is the attack's, and a history shows both. A rule forges only what a correct receiver can tell from the truth: where
//! that needs knowledge that an attacker may have or not, the link knows it.

mod forge;
mod memory;

use crate::entropy::{Actor, Purpose, Stream};
use crate::options::Rate;
use forge::Scene;
pub use memory::Memory;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use vopr_schema::Mutation;
use vsr::message::{Command, Message};

/// What a link does to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attack {
    /// The commit number is raised so far beyond the head, or beyond the entry.
    CommitNumber {
        /// By this much, at least 1.
        ahead: u64,
    },
    /// A log claims to end so much later, or a vote for an entry names one so much later.
    OpNumber {
        /// By this much, at least 1.
        ahead: u64,
    },
    /// A prepare or heartbeat says that it belongs to a view so much newer.
    ViewNumber {
        /// By this much, at least 1.
        ahead: u64,
    },
    /// A `do_view_change` claims that its sender was normal in the very view that is being started.
    LastNormalView,
    /// A prepare's entry says that it belongs to a view so much newer than the header's.
    EntryMetadata {
        /// By this much, at least 1.
        ahead: u64,
    },
    /// A prepare's entry claims the op at which its receiver's log ends, and is not the entry there.
    EntryPlace,
    /// So many entries at the end of a tail are not carried, though they are claimed.
    TailLength {
        /// How many, at least 1.
        missing: u32,
    },
    /// A `start_view` with another entry at the op that its receiver has committed last.
    CommittedEntry,
    /// A `do_view_change` that claims the newest view, and has entries that connect to nothing.
    LogFromNowhere {
        /// So many entries beyond the true head.
        beyond: u32,
    },
    /// A `do_view_change` with the claims of its receiver's own log and another tail, whose hash loses the tie.
    IdenticalClaim,
    /// More entries than a message may carry.
    OversizedTail {
        /// How many.
        entries: u32,
    },
    /// More bytes than a message may have.
    OversizedBytes,
    /// The checksum field of the encoded message is overwritten.
    Checksum,
    /// A range that is none.
    Range {
        /// Which.
        shape: RangeShape,
    },
    /// After the message an older one of the same link is delivered again, of an older view.
    Replay,
    /// The message never arrives.
    Withhold,
    /// So many more copies of the message.
    Flood {
        /// How many.
        copies: u16,
    },
    /// The clock's reading in a pong is off by so many milliseconds.
    ClockSample {
        /// Ahead, or behind if negative; not 0.
        off_ms: i32,
    },
    /// A pong arrives as a sign of life without the clock's reading.
    NoClockSample,
}

/// The largest number that an attack may add to another one.
const AHEAD_MAX: u64 = 1 << 32;
/// Entries that a forged message carries at most: five times what a message may have.
const ENTRIES_MAX: u32 = 50_000;
/// Copies that a flood makes of one message at most.
const COPIES_MAX: u16 = 1_000;

impl Attack {
    /// Whether a world can carry it out: a plan may come from a file.
    #[must_use]
    pub const fn is_possible(&self) -> bool {
        match *self {
            Self::CommitNumber { ahead } | Self::OpNumber { ahead } | Self::ViewNumber { ahead } | Self::EntryMetadata { ahead } => {
                ahead > 0 && ahead <= AHEAD_MAX
            }
            Self::TailLength { missing: entries } | Self::LogFromNowhere { beyond: entries } | Self::OversizedTail { entries } => {
                entries > 0 && entries <= ENTRIES_MAX
            }
            Self::Flood { copies } => copies > 0 && copies <= COPIES_MAX,
            Self::ClockSample { off_ms } => off_ms != 0,
            Self::EntryPlace
            | Self::LastNormalView
            | Self::CommittedEntry
            | Self::IdenticalClaim
            | Self::OversizedBytes
            | Self::Checksum
            | Self::Range { .. }
            | Self::Replay
            | Self::Withhold
            | Self::NoClockSample => true,
        }
    }
}

impl core::fmt::Display for Attack {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::CommitNumber { ahead } => write!(formatter, "with a commit number {ahead} beyond the log"),
            Self::OpNumber { ahead } => write!(formatter, "with an op number {ahead} too high"),
            Self::ViewNumber { ahead } => write!(formatter, "of a view {ahead} ahead"),
            Self::LastNormalView => formatter.write_str("with the new view as its last normal one"),
            Self::EntryMetadata { ahead } => write!(formatter, "with an entry of a view {ahead} ahead"),
            Self::EntryPlace => formatter.write_str("with an entry at another op"),
            Self::TailLength { missing } => write!(formatter, "with {missing} entries less than claimed"),
            Self::CommittedEntry => formatter.write_str("with another entry where the receiver has committed"),
            Self::LogFromNowhere { beyond } => write!(formatter, "with a log from nowhere, {beyond} entries longer"),
            Self::IdenticalClaim => formatter.write_str("with the receiver's claims and another tail"),
            Self::OversizedTail { entries } => write!(formatter, "with {entries} entries"),
            Self::OversizedBytes => formatter.write_str("with more than 16 MiB"),
            Self::Checksum => formatter.write_str("with a false checksum"),
            Self::Range { shape: RangeShape::Reversed } => formatter.write_str("with a reversed range"),
            Self::Range { shape: RangeShape::FromZero } => formatter.write_str("with a range from op 0"),
            Self::Range { shape: RangeShape::TooLong } => formatter.write_str("with a range that is too long"),
            Self::Replay => formatter.write_str("followed by an older one"),
            Self::Withhold => formatter.write_str("withheld"),
            Self::Flood { copies } => write!(formatter, "with {copies} more copies"),
            Self::ClockSample { off_ms } => write!(formatter, "with a time that is off by {off_ms} ms"),
            Self::NoClockSample => formatter.write_str("without the time"),
        }
    }
}

/// How a range is senseless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RangeShape {
    /// The first op comes after the last.
    Reversed,
    /// It begins at op 0.
    FromZero,
    /// It is longer than one request may be: the whole log, or beyond.
    TooLong,
}

/// A kind of message, by its name in histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandName(pub Command);

impl Serialize for CommandName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for CommandName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = Command::ALL.iter().find(|command| command.name() == name);
        known.map(|command| Self(*command)).ok_or_else(|| serde::de::Error::custom(format!("no message is called {name:?}")))
    }
}

/// A rule at work, its ends resolved.
#[derive(Clone, Copy, Debug)]
struct Rule {
    plan_index: u32,
    from: u16,
    to: Option<u16>,
    command: Option<CommandName>,
    attack: Attack,
    chance: Rate,
}

impl Rule {
    fn concerns(&self, from: u16, to: u16, command: Command) -> bool {
        self.from == from && self.to.is_none_or(|own| own == to) && self.command.is_none_or(|own| own.0 == command)
    }
}

/// What a link made of a message.
#[derive(Clone, Debug)]
pub struct Lie {
    /// What it is called.
    pub mutation: Mutation,
    /// How many fields, entries or bytes were changed.
    pub magnitude: u32,
    /// How it travels on.
    pub form: Form,
}

/// How a lie travels.
#[derive(Clone, Debug)]
pub enum Form {
    /// As another message.
    Message(Message),
    /// As that message's bytes: what a receiver has to look at is their number.
    Bytes(Message),
    /// As the bytes of the true message, its checksum field overwritten.
    FalseChecksum,
    /// Not at all.
    Nothing,
}

/// A message that a link adds of its own.
#[derive(Clone, Debug)]
pub struct Extra {
    /// What it is called.
    pub mutation: Mutation,
    /// The message.
    pub message: Message,
    /// Whether it is another copy of the message that is being sent, and has its number.
    pub same: bool,
}

/// The rules at work in a run, and what the links remember.
#[derive(Debug, Default)]
pub struct Attacks {
    seed: u64,
    rules: Vec<Rule>,
    /// Whether the plan has any attack: without one nothing is remembered.
    planned: bool,
    memory: Memory,
    streams: BTreeMap<(u16, u16), Stream>,
}

impl Attacks {
    /// Those of a run; `planned` says whether there will be any.
    #[must_use]
    pub fn new(seed: u64, planned: bool) -> Self {
        Self { seed, planned, ..Self::default() }
    }

    /// Whether the links watch what they carry.
    #[must_use]
    pub const fn is_planned(&self) -> bool {
        self.planned
    }

    /// A rule begins.
    pub fn begin(&mut self, plan_index: u32, (from, to): (u16, Option<u16>), command: Option<CommandName>, attack: Attack, chance: Rate) {
        self.rules.push(Rule { plan_index, from, to, command, attack, chance });
    }

    /// That rule ends.
    pub fn end(&mut self, plan_index: u32) {
        self.rules.retain(|rule| rule.plan_index != plan_index);
    }

    /// All rules end.
    pub fn heal(&mut self) {
        self.rules.clear();
        self.planned = false;
    }

    /// Whether a rule keeps messages of a link back: who waits for them is not to blame.
    #[must_use]
    pub fn withholds(&self, from: u16, to: u16) -> bool {
        self.rules.iter().any(|rule| rule.attack == Attack::Withhold && rule.from == from && rule.to.is_none_or(|own| own == to))
    }

    /// The links see a message.
    pub fn observe(&mut self, from: u16, to: u16, message: &Message) {
        self.memory.observe(from, to, message);
    }

    fn hits(&mut self, rule: Rule, from: u16, to: u16) -> bool {
        stream(&mut self.streams, self.seed, from, to).hit(rule.chance)
    }

    /// What the first rule that hits, and has a lie to tell, makes of a message. `receiver` is what its receiver is at present.
    pub fn lie(&mut self, (from, to): (u16, u16), message: &Message, receiver: Option<vsr::io::StateSummary>) -> Option<Lie> {
        for index in 0..self.rules.len() {
            let rule = self.rules[index];
            if !rule.concerns(from, to, message.command()) || !self.hits(rule, from, to) {
                continue;
            }
            let mut scene = Scene { receiver, memory: &mut self.memory };
            if let Some(lie) = forge::lie(rule.attack, message, &mut scene) {
                return Some(lie);
            }
        }
        None
    }

    /// What the rules add to a message.
    pub fn extras(&mut self, from: u16, to: u16, message: &Message) -> Vec<Extra> {
        let mut extras = Vec::new();
        for index in 0..self.rules.len() {
            let rule = self.rules[index];
            let adds = matches!(rule.attack, Attack::Flood { .. } | Attack::Replay);
            if !adds || !rule.concerns(from, to, message.command()) || !self.hits(rule, from, to) {
                continue;
            }
            if let Attack::Flood { copies } = rule.attack {
                let copy = Extra { mutation: Mutation::Flood, message: message.clone(), same: true };
                extras.extend((0..copies).map(|_| copy.clone()));
                continue;
            }
            let old = self.memory.older(from, to, message.view, stream(&mut self.streams, self.seed, from, to));
            extras.extend(old.map(|message| Extra { mutation: Mutation::Replayed, message, same: false }));
        }
        extras
    }
}

/// The stream that decides about the messages of one link.
fn stream(streams: &mut BTreeMap<(u16, u16), Stream>, seed: u64, from: u16, to: u16) -> &mut Stream {
    streams.entry((from, to)).or_insert_with(|| Stream::new(seed, Actor::Link(from, to), Purpose::Attack, 0))
}

#[cfg(test)]
mod tests;
