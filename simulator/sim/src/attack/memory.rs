//! What the links have seen: the entries of the log, and messages that can be sent once more.
//!
//! An attacker that must build a convincing lie needs the truth to build it from.

use crate::entropy::Stream;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use vsr::entry::{Entry, EntryFields};
use vsr::ids::{Hash, Op, View};
use vsr::message::{Body, Message};

/// Entries that are remembered: more than a log ring holds.
const ENTRIES_MAX: usize = 512;
/// Messages that are remembered of each link and view: the first ones, with which it began, and the last ones.
const MESSAGES_MAX: usize = 16;
/// How many of them are the first ones.
const FIRST_MAX: usize = 4;
/// Views of which messages are remembered.
const VIEWS_MAX: usize = 4;

/// The messages of one link, by view, the oldest view first.
type Link = VecDeque<(View, VecDeque<Message>)>;

/// What the links of a run have seen.
#[derive(Debug, Default)]
pub struct Memory {
    /// By op, the one that was seen last.
    entries: BTreeMap<u64, Arc<Entry>>,
    links: BTreeMap<(u16, u16), Link>,
    /// Invented entries behind the head that was asked for last.
    invented: Invented,
}

/// Where a chain goes on: the op, hash and view of its last entry.
type Head = (Op, Hash, View);

/// A chain of entries that nobody prepared, behind some head. Hashing tens of thousands of them takes longer than the rest of a run,
/// so that they are made once and shared by all messages with that head.
#[derive(Debug, Default)]
struct Invented {
    behind: Option<Head>,
    entries: Vec<Arc<Entry>>,
}

impl Memory {
    /// A message passes.
    pub fn observe(&mut self, from: u16, to: u16, message: &Message) {
        match &message.body {
            Body::Prepare { entry, .. } => {
                self.entries.insert(entry.op.0, Arc::clone(entry));
            }
            Body::StartView(start) => self.entries.extend(start.entries.iter().map(|entry| (entry.op.0, Arc::clone(entry)))),
            Body::PrepareOk { .. } | Body::Commit { .. } | Body::DoViewChange(_) => {}
            _ => return,
        }
        while self.entries.len() > ENTRIES_MAX {
            self.entries.pop_first();
        }
        self.keep(from, to, message);
    }

    /// So many entries that go on behind `head`, hash-connected.
    pub fn continuation(&mut self, head: (Op, Hash, View), count: usize) -> &[Arc<Entry>] {
        let Invented { behind, entries } = &mut self.invented;
        if *behind != Some(head) {
            entries.clear();
            *behind = Some(head);
        }
        let (mut op, mut previous_hash) = entries.last().map_or((head.0, head.1), |last| (last.op, last.hash));
        while entries.len() < count {
            op.0 += 1;
            let entry = Entry::new(EntryFields { op, view: head.2, previous_hash, ..EntryFields::default() });
            previous_hash = entry.hash;
            entries.push(Arc::new(entry));
        }
        &entries[..count]
    }

    fn keep(&mut self, from: u16, to: u16, message: &Message) {
        let link = self.links.entry((from, to)).or_default();
        if link.back().is_none_or(|(view, _)| *view < message.view) {
            link.push_back((message.view, VecDeque::new()));
            if link.len() > VIEWS_MAX {
                link.pop_front();
            }
        }
        let Some((_, messages)) = link.iter_mut().rfind(|(view, _)| *view == message.view) else { return };
        if messages.len() == MESSAGES_MAX {
            messages.remove(FIRST_MAX);
        }
        messages.push_back(message.clone());
    }

    /// The entry that was seen last at an op.
    #[must_use]
    pub fn entry(&self, op: Op) -> Option<&Arc<Entry>> {
        self.entries.get(&op.0)
    }

    /// Some message of a link that belongs to an older view.
    pub fn older(&self, from: u16, to: u16, view: View, stream: &mut Stream) -> Option<Message> {
        let link = self.links.get(&(from, to))?;
        let older: Vec<&Message> = link.iter().filter(|(own, _)| *own < view).flat_map(|(_, messages)| messages).collect();
        stream.pick(&older).map(|message| (*message).clone())
    }
}
