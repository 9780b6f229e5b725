//! Judging runs that were recorded by other systems.
//!
//! Rows are the same as those of our own runs, but keys, values and answers are to be read as the run's options say, and only
//! what clients saw is there to be judged: invariants about replicas are not applicable.

mod bank;
mod calls;
mod isolation;
mod settings;
mod words;

pub use bank::bank;
pub use calls::{Object, Problem, objects};
pub use isolation::transactions;
pub use settings::{FailedCas, Imported, Model, NilRead};
pub use words::{membership_words, operation_words, step_words};

use crate::budget::Meter;
use crate::linearize::objects::{Found, Member, Story};

/// Stands for "no value" where a model wants a number; neither whole numbers nor interned values get there.
pub const NOTHING: u64 = u64::MAX - 1;

/// Decides an object, and tells a counter-example in terms of rows.
#[must_use]
pub fn decide(object: &Object, meter: &Meter) -> Found {
    let mut undecided = None;
    let mut refuted = None;
    // What an account holds at first may have to be guessed: one start that explains everything is enough.
    for history in &object.starts {
        let outcome = history.judge(meter);
        match outcome.linearizable {
            Some(true) => return Found::Linearizable,
            Some(false) => refuted = outcome.example,
            None => undecided = outcome.undecided.or_else(|| Some("not decided".to_owned())),
        }
    }
    if object.only_proves {
        let why = "it was found empty, which ties all elements together, and no first-in-first-out order explains it";
        undecided = undecided.or_else(|| Some(why.to_owned()));
    }
    if let Some(why) = undecided {
        return Found::Undecided(format!("{}: {why}", object.name));
    }
    let example = refuted.unwrap_or_default();
    let members = example.calls.iter().map(|(call, return_matters)| Member { row: object.rows[*call], return_matters: *return_matters });
    Found::Refuted(Box::new(Story {
        kind: object.kind,
        numbers: object.keys.clone(),
        members: members.collect(),
        last: example.last.map(|call| object.rows[call]),
        states: example.states,
        conflict: None,
        elements: example.elements,
    }))
}

/// The name under which verdicts on a run are kept: its digest, which knows rows only, and how an imported run is to be read.
#[must_use]
pub fn named(mut digest: [u8; 32], run: &vopr_schema::Run) -> [u8; 32] {
    if Imported::of_run(run).is_some() {
        // FNV-1a: it only has to differ where the reading differs, the digest protects the rest.
        let hash =
            run.options.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        digest.iter_mut().zip(hash.to_le_bytes()).for_each(|(byte, other)| *byte ^= other);
    }
    digest
}

/// Whether an invariant has something to say about a run that was recorded by another system.
#[must_use]
pub fn is_judged_by(invariant: &str) -> bool {
    matches!(invariant, "linearizability" | "serializability" | "conservation")
}

#[cfg(test)]
mod tests;
