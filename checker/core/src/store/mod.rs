//! Verdicts that were reached before, so that a run meets each version of each invariant once.
//!
//! A campaign's histories outlive many checkers. What is kept here belongs to the digest of a run's rows, never to a file's name, and what
//! could not be decided is kept with its limits, so that larger ones try again.

mod folders;
mod table;
#[cfg(test)]
mod tests;

pub use folders::Stores;
pub use table::StoreError;

use crate::budget::Budget;
use crate::evidence::{Evidence, PROMISES};
use crate::registry::{InvariantId, Selection};
use crate::report::RunVerdicts;
use crate::situations::{Counts, Situation};
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// BLAKE3 of a run's rows, or of a file's bytes.
pub type Digest = [u8; 32];

/// The limits within which a verdict was sought; none is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time for a run, milliseconds.
    pub time_ms: Option<u64>,
    /// Memory for one invariant, bytes.
    pub memory_bytes: Option<u64>,
}

impl Limits {
    /// The limits of a budget.
    #[must_use]
    pub fn of(budget: &Budget) -> Self {
        let time = budget.time_per_run.into_iter().chain(budget.time_per_invariant).min();
        let time_ms = time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        Self { time_ms, memory_bytes: budget.memory_bytes }
    }

    /// Whether something may be decided within these that was not within `other`.
    #[must_use]
    pub fn exceed(&self, other: &Self) -> bool {
        let above = |ours: Option<u64>, theirs: Option<u64>| ours.unwrap_or(u64::MAX) > theirs.unwrap_or(u64::MAX);
        above(self.time_ms, other.time_ms) || above(self.memory_bytes, other.memory_bytes)
    }
}

/// A verdict with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    invariant: String,
    version: u32,
    verdict: Verdict,
    limits: Limits,
}

impl Kept {
    /// Whether this says more than `other` about the same question.
    fn replaces(&self, other: &Self) -> bool {
        match (&self.verdict, &other.verdict) {
            (Verdict::Unknown { .. }, Verdict::Unknown { .. }) => self.limits.exceed(&other.limits) && !other.limits.exceed(&self.limits),
            (Verdict::Unknown { .. }, _) => false,
            _ => true,
        }
    }

    /// Whether a check within `limits` would be in vain.
    fn stands(&self, limits: &Limits) -> bool {
        match &self.verdict {
            Verdict::Unknown { .. } => !limits.exceed(&self.limits),
            _ => true,
        }
    }
}

/// What a report needs of a run besides its verdicts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Facts {
    /// Which situations and promises the program knew: with others the rest is worth nothing.
    definitions: String,
    bug: Option<String>,
    rows: u64,
    operations: u64,
    missing: Option<Vec<String>>,
    situations: BTreeMap<String, u64>,
}

impl Facts {
    fn of(run: &RunVerdicts) -> Self {
        let missing = run.evidence.as_ref().map(|evidence| evidence.missing.iter().map(|words| (*words).to_owned()).collect());
        let seen = run.situations.iter().filter(|(_, times)| *times > 0);
        Self {
            definitions: definitions(),
            bug: run.bug.clone(),
            rows: run.rows,
            operations: run.operations,
            missing,
            situations: seen.map(|(situation, times)| (situation.name().to_owned(), times)).collect(),
        }
    }

    /// The run's evidence, an error when its words are of another program.
    fn evidence(&self) -> Result<Option<Evidence>, UnknownWords> {
        let words = |text: &String| {
            let mut known = PROMISES.iter().flat_map(|promise| promise.conditions).map(|condition| condition.words);
            known.find(|words| words == text)
        };
        match &self.missing {
            None => Ok(None),
            Some(missing) => {
                let missing: Option<Vec<_>> = missing.iter().map(words).collect();
                Ok(Some(Evidence { missing: missing.ok_or(UnknownWords)? }))
            }
        }
    }
}

/// A promise is not in the words of this program.
struct UnknownWords;

/// A name for everything that decides a run's evidence and situations.
fn definitions() -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
    let situations = Situation::ALL.iter().flat_map(|situation| [situation.name(), situation.words()]);
    let promises = PROMISES.iter().flat_map(|promise| {
        let words = promise.conditions.iter().map(|condition| condition.words);
        core::iter::once(promise.scenario).chain(words)
    });
    for word in situations.chain(promises) {
        hasher.update(word.as_bytes()).update(&[0]);
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// What is known of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct KeptRun {
    scenario: String,
    seed: u64,
    facts: Option<Facts>,
    verdicts: Vec<Kept>,
}

impl KeptRun {
    fn keep(&mut self, kept: Kept) {
        // Verdicts of an older version are of no use to anyone but an older program.
        self.verdicts.retain(|old| old.invariant != kept.invariant || old.version >= kept.version);
        match self.verdicts.iter_mut().find(|old| old.invariant == kept.invariant && old.version == kept.version) {
            Some(old) if kept.replaces(old) => *old = kept,
            Some(_) => {}
            None => self.verdicts.push(kept),
        }
    }

    fn standing(&self, id: InvariantId, limits: &Limits) -> Option<&Verdict> {
        let same = |kept: &&Kept| kept.invariant == id.name() && kept.version == id.invariant().version;
        self.verdicts.iter().find(same).filter(|kept| kept.stands(limits)).map(|kept| &kept.verdict)
    }
}

/// Verdicts on many runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    runs: BTreeMap<Digest, KeptRun>,
    /// BLAKE3 of files whose every page was read, and whose every run has the digest that is recorded in it.
    files: BTreeMap<Digest, String>,
}

/// What is known already about a run, and what is not.
#[derive(Debug, Default)]
pub struct Recalled {
    /// Verdicts that stand.
    pub verdicts: Vec<(InvariantId, Verdict)>,
    /// Invariants to ask.
    pub open: Vec<InvariantId>,
    facts: Option<(Facts, Option<Evidence>)>,
}

impl Recalled {
    /// Whether nothing is left to be done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.open.is_empty() && self.facts.is_some()
    }
}

impl Store {
    /// Number of runs of which something is known.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// What is known about the run with this digest.
    #[must_use]
    pub fn recall(&self, digest: &Digest, selection: &Selection, limits: &Limits) -> Recalled {
        let run = self.runs.get(digest);
        let mut recalled = Recalled::default();
        for id in selection.ids() {
            match run.and_then(|run| run.standing(*id, limits)) {
                Some(verdict) => recalled.verdicts.push((*id, verdict.clone())),
                None => recalled.open.push(*id),
            }
        }
        let facts = run.and_then(|run| run.facts.as_ref()).filter(|facts| facts.definitions == definitions());
        recalled.facts = facts.and_then(|facts| Some((facts.clone(), facts.evidence().ok()?)));
        recalled
    }

    /// Keeps what a check has found within `limits`.
    pub fn learn(&mut self, digest: Digest, run: &RunVerdicts, limits: Limits) {
        let kept = self.runs.entry(digest).or_default();
        kept.scenario.clone_from(&run.scenario);
        kept.seed = run.seed;
        kept.facts = Some(Facts::of(run));
        // A breakdown of the invariant itself says nothing about the run.
        for (id, verdict) in run.verdicts.iter().filter(|(_, verdict)| !verdict.is_internal()) {
            let version = id.invariant().version;
            kept.keep(Kept { invariant: id.name().to_owned(), version, verdict: verdict.clone(), limits });
        }
    }

    /// Keeps that a file was read to its last page and says the truth about its digests.
    pub fn seal(&mut self, bytes: Digest, name: String) {
        self.files.insert(bytes, name);
    }

    /// Whether a file with these bytes was read to its last page.
    #[must_use]
    pub fn is_sealed(&self, bytes: &Digest) -> bool {
        self.files.contains_key(bytes)
    }

    /// Adds what another store knows.
    pub fn merge(&mut self, other: Self) {
        for (digest, theirs) in other.runs {
            let ours = self.runs.entry(digest).or_default();
            (ours.scenario, ours.seed) = (theirs.scenario, theirs.seed);
            ours.facts = theirs.facts.or(ours.facts.take());
            theirs.verdicts.into_iter().for_each(|kept| ours.keep(kept));
        }
        self.files.extend(other.files);
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.files.is_empty()
    }

    /// Digests of files and names of invariants that anything is known about, for tests and listings.
    #[must_use]
    pub fn invariants(&self) -> BTreeSet<&str> {
        self.runs.values().flat_map(|run| &run.verdicts).map(|kept| kept.invariant.as_str()).collect()
    }
}

/// The verdicts of a run from what was known, before or after a check of the rest.
fn assembled(meta: &vopr_schema::Run, recalled: Recalled, fresh: Option<RunVerdicts>) -> Option<RunVerdicts> {
    let mut verdicts = recalled.verdicts;
    let (facts, evidence, situations) = match (&fresh, recalled.facts) {
        (Some(fresh), _) => (Facts::of(fresh), fresh.evidence.clone(), fresh.situations.clone()),
        (None, Some((facts, evidence))) => {
            let situations = Counts::from_names(&facts.situations);
            (facts, evidence, situations)
        }
        (None, None) => return None,
    };
    verdicts.extend(fresh.into_iter().flat_map(|fresh| fresh.verdicts));
    verdicts.sort_by_key(|(id, _)| *id);
    Some(RunVerdicts {
        file: None,
        scenario: meta.scenario.clone(),
        seed: meta.seed,
        bug: meta.bug.clone(),
        replayable: meta.replicas > 0,
        digest: meta.digest,
        rows: facts.rows,
        operations: facts.operations,
        verdicts,
        evidence,
        situations,
    })
}
