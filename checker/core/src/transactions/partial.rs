//! Registers without a recorded order: what is known of the order of their versions, and what follows from it.
//!
//! All that is found is certain; what is not found may still be there, because deciding it is NP-hard (Biswas & Enea, OOPSLA 2019).

#![expect(clippy::cast_possible_truncation, reason = "versions and transactions are numbered in 32 bits")]

use super::KeyOrder;
use super::anomaly::AnomalyKind;
use super::findings::Findings;
use super::graph::{FREE, RW, WW};
use super::history::Transactions;
use super::lists::precede;
use super::registers::{NONE, Registers, Touch};

/// One version follows another one. Where that is known only because somebody read the one and wrote the other, a wr edge says so
/// already, and read uncommitted does not forbid the opposite.
struct Follows {
    before: u32,
    after: u32,
    installs: bool,
}

pub(super) fn infer(registers: &Registers, history: &Transactions, order: KeyOrder, touches: &[Touch], findings: &mut Findings) {
    let mut follows = writes_after_reads(registers, touches);
    follows.extend(by_key_order(registers, history, order, touches));
    follows.extend(initial_first(registers, findings, &follows));
    follows.sort_unstable_by_key(|edge| (edge.before, edge.after, !edge.installs));
    follows.dedup_by_key(|edge| (edge.before, edge.after));
    let cyclic = cyclic_keys(registers, history, &follows, findings);
    follows.retain(|edge| !cyclic[registers.versions.get(edge.before).0 as usize]);
    let mut readers = vec![Vec::new(); registers.versions.len()];
    for touch in touches.iter().filter(|touch| touch.read != NONE && !registers.several[touch.read as usize]) {
        readers[touch.read as usize].push(touch.transaction);
    }
    depend(registers, &follows, &mut readers, findings);
}

fn writes_after_reads(registers: &Registers, touches: &[Touch]) -> Vec<Follows> {
    let both = touches.iter().filter(|touch| touch.read != NONE && touch.wrote != NONE && touch.read != touch.wrote);
    let known = both.filter(|touch| !registers.several[touch.read as usize] && !registers.several[touch.wrote as usize]);
    known.map(|touch| Follows { before: touch.read, after: touch.wrote, installs: false }).collect()
}

fn by_key_order(registers: &Registers, history: &Transactions, order: KeyOrder, touches: &[Touch]) -> Vec<Follows> {
    if order == KeyOrder::None {
        return Vec::new();
    }
    let mut sorted: Vec<&Touch> = touches.iter().collect();
    sorted.sort_by_key(|touch| (touch.key, touch.transaction));
    let mut follows = Vec::new();
    for group in sorted.chunk_by(|one, other| one.key == other.key) {
        // Whoever read two versions is not ordered by them: its first and its last touch are.
        let mut transactions: Vec<u32> = group.iter().map(|touch| touch.transaction).collect();
        transactions.dedup();
        for (before, after) in Registers::key_pairs(history, order, &transactions) {
            let of = |transaction: u32| group.iter().filter(move |touch| touch.transaction == transaction);
            let last = of(before).map(|touch| if touch.wrote == NONE { touch.read } else { touch.wrote }).next_back();
            let first = of(after).map(|touch| if touch.read == NONE { touch.wrote } else { touch.read }).next();
            let pair = last.zip(first).filter(|(last, first)| last != first);
            let known = pair.filter(|(last, first)| !registers.several[*last as usize] && !registers.several[*first as usize]);
            follows.extend(known.map(|(before, after)| Follows { before, after, installs: true }));
        }
    }
    follows
}

/// The initial state comes before every version that follows nothing else.
fn initial_first(registers: &Registers, findings: &Findings, follows: &[Follows]) -> Vec<Follows> {
    let mut has_before = vec![false; registers.versions.len()];
    for edge in follows {
        has_before[edge.after as usize] = true;
    }
    let mut found = Vec::new();
    for (version, (key, value)) in registers.versions.items().iter().enumerate() {
        let initial = registers.versions.find(&(*key, None));
        let installed = registers.last[version] && registers.writer(version as u32, findings).is_some();
        if let Some(before) = initial.filter(|_| value.is_some() && installed && !has_before[version]) {
            found.push(Follows { before, after: version as u32, installs: true });
        }
    }
    found
}

/// Per key, whether its versions are ordered in a circle; that is an anomaly.
fn cyclic_keys(registers: &Registers, history: &Transactions, follows: &[Follows], findings: &mut Findings) -> Vec<bool> {
    let mut waits = vec![0_u32; registers.versions.len()];
    for edge in follows {
        waits[edge.after as usize] += 1;
    }
    let mut free: Vec<u32> = (0..waits.len() as u32).filter(|version| waits[*version as usize] == 0).collect();
    while let Some(version) = free.pop() {
        let start = follows.partition_point(|edge| edge.before < version);
        for edge in follows[start..].iter().take_while(|edge| edge.before == version) {
            waits[edge.after as usize] -= 1;
            if waits[edge.after as usize] == 0 {
                free.push(edge.after);
            }
        }
    }
    let mut cyclic = vec![false; registers.keys.len()];
    for edge in follows.iter().filter(|edge| waits[edge.before as usize] > 0 && waits[edge.after as usize] > 0) {
        let key = registers.versions.get(edge.before).0;
        if !core::mem::replace(&mut cyclic[key as usize], true) {
            let involved = [edge.before, edge.after].map(|version| registers.writers[version as usize]);
            let transactions: Vec<usize> = involved.into_iter().filter(|writer| *writer != NONE).map(|writer| writer as usize).collect();
            findings.anomaly(AnomalyKind::CyclicVersions, &transactions, || {
                let (before, after) = (registers.words(history, edge.before), registers.words(history, edge.after));
                format!("of {} {before} precedes {after}, and {after} precedes {before}", history.key_name(*registers.keys.get(key)))
            });
        }
    }
    cyclic
}

/// Writers follow one another as their versions do, and readers of a version precede the writers of all that follow it, also by way
/// of versions whose writers are not in the history.
fn depend(registers: &Registers, follows: &[Follows], readers: &mut [Vec<u32>], findings: &mut Findings) {
    let mut moments = vec![NONE; registers.versions.len()];
    for group in follows.chunk_by(|one, other| one.before == other.before) {
        let before = group[0].before;
        let key = registers.first_key + registers.versions.get(before).0;
        let writer = registers.writer(before, findings);
        let mut overwriters: Vec<u32> = Vec::new();
        for edge in group {
            let Some(after) = registers.writer(edge.after, findings) else { continue };
            overwriters.push(after);
            if let Some(writer) = writer.filter(|writer| edge.installs && *writer != after) {
                findings.graph.add(writer, after, WW, key);
            }
        }
        overwriters.sort_unstable();
        overwriters.dedup();
        let readers = &mut readers[before as usize];
        readers.sort_unstable();
        readers.dedup();
        precede(key, readers, &overwriters, findings);
        for edge in group.iter().filter(|edge| registers.writers[edge.after as usize] == NONE) {
            let [from, to] = [edge.before, edge.after].map(|version| {
                if moments[version as usize] == NONE {
                    moments[version as usize] = findings.graph.moment();
                }
                moments[version as usize]
            });
            for reader in readers.iter() {
                findings.graph.add(*reader, from, RW, key);
            }
            findings.graph.add(from, to, FREE, key);
        }
    }
    // An unseen version passes on who read what was before it.
    for edge in follows.iter().filter(|edge| moments[edge.before as usize] != NONE) {
        if let Some(after) = registers.writer(edge.after, findings) {
            let key = registers.first_key + registers.versions.get(edge.before).0;
            if registers.writers[edge.before as usize] == NONE {
                findings.graph.add(moments[edge.before as usize], after, FREE, key);
            }
        }
    }
}
