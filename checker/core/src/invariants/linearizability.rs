//! `linearizability`: what clients were told could have come from one store that does one thing at a time.
//!
//! It is the strongest promise about single operations, and the only one under which a client need not know that there are
//! replicas at all.
//!
//! **Formally.** (Herlihy & Wing, TOPLAS 1990.) Operations are intervals from invocation to return, in positions of the run; a
//! precedes b if a returned before b was invoked. For each object there is a total order of its answered operations and any
//! of those of unknown outcome which contains this precedence and in which each answer is the sequential model's. Objects
//! are keys, streams and accounts; scans, transactions, transfers and snapshots tie those that they touch into one.
//!
//! **Evidence.** operation: all that was asked and answered, outcome, `return_seq`; run: options (`cluster`); transition (as a
//! hint, never as proof): event, op, tenant, client, session, request number.
//!
//! How it is decided: the order of the committed log is tried first, which takes a pass over the run; where it explains every
//! answer and respects real time it is itself the proof. Where it does not, the objects that it does not explain are decided
//! by the engines of [`crate::linearize`], which know nothing of the log.
//!
//! **Deliberately not checked.** Reads of unknown outcome (they say nothing); requests refused for what they ask, whatever the
//! state (`data_correctness`); whether the claimed order is the real one (`data_correctness`, `client_session`).

use crate::budget::Meter;
use crate::imported::{self, Imported};
use crate::index::APPLIED_REQUESTS;
use crate::index::RunIndex;
use crate::linearize::actions::Problem;
use crate::linearize::objects::{Contradiction, Found, Story, decide_object};
use crate::linearize::partition::Partition;
use crate::linearize::zones::Scratch;
use crate::registry::{Category, Invariant, Reads};
use crate::replay::REPLAYED;
use crate::replay::{operation_words, returned};
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use crate::words::{counted, values_in};
use vopr_schema::{Kind, Outcome};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "linearizability",
    version: 2,
    category: Category::Client,
    reads: &[Reads { kind: Kind::Run, columns: &["options"] }, REPLAYED, APPLIED_REQUESTS],
    statement: "a legal total order exists of each object's answered operations, and any subset of the unknown ones, that respects \
                real time",
    because_of: &["vsr_agreement", "idempotency"],
    check,
};

/// Operations of a counter-example that are shown; the rest is counted.
const SHOWN_MAX: usize = 12;

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("no operation was answered", || objects(index, meter))
}

fn objects(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.operations();
    let unknown = Outcome::Unknown as u8;
    if let Some(imported) = index.imported() {
        return imported_objects(index, imported, meter);
    }
    let answered = table.outcome.codes[index.operation_rows()].iter().filter(|outcome| **outcome != unknown).count() as u64;
    if answered == 0 || log_explains_all(index) {
        return Ok(answered);
    }
    let partition = match Partition::new(index) {
        Ok(partition) => partition,
        Err(Problem::Impossible { row, why }) => return Err(impossible(index, row, why).into()),
        Err(Problem::Inexecutable { row }) => {
            let why = "lacks an argument, or names an unknown function";
            return Err(Box::new(Verdict::unknown(format!("operation row {} {why}", table.seq[row]))));
        }
        Err(Problem::NoInitialBalance { row }) => {
            let why = "but the run's options do not say what accounts hold at first (cluster.initial_balance)";
            return Err(Box::new(Verdict::unknown(format!("operation row {} is about accounts, {why}", table.seq[row]))));
        }
    };
    let explained = explained_by_log(index, &partition);
    let mut suspects: Vec<usize> = (0..partition.objects().len()).filter(|object| !explained[*object]).collect();
    // Small objects first: a violation there is found, and understood, at once.
    suspects.sort_by_key(|object| partition.objects()[*object].rows.len());
    let mut scratch = Scratch::default();
    let mut undecided = None;
    for object in suspects {
        match decide_object(index, &partition, object, meter, &mut scratch) {
            Found::Linearizable => {}
            Found::Refuted(story) => return Err(tell(index, &story).into()),
            Found::Undecided(why) => _ = undecided.get_or_insert(why),
        }
    }
    undecided.map_or(Ok(answered), |why| Err(Box::new(Verdict::unknown(why))))
}

/// The objects of a run that another system recorded, by the sequential model that the run names.
fn imported_objects(index: &RunIndex<'_>, imported: &Imported, meter: &Meter) -> Decision {
    if imported.model.is_transactional() {
        let why = format!("operations are transactions ({}): their isolation is judged instead", imported.model.name());
        return Err(Box::new(Verdict::not_applicable(why)));
    }
    match (objects_of(index, imported, meter), imported.alternative) {
        (Err(verdict), Some(model)) if verdict.is_violation() => {
            let (name, other) = (imported.model.name(), model.name());
            let otherwise = Imported { model, alternative: None, ..imported.clone() };
            objects_of(index, &otherwise, meter)?;
            let why = format!("as a {name} it is not linearizable, as a {other} it is, and nobody said which it was: say --model");
            Err(Box::new(Verdict::unknown(why)))
        }
        (decision, _) => decision,
    }
}

fn objects_of(index: &RunIndex<'_>, imported: &Imported, meter: &Meter) -> Decision {
    let objects = match imported::objects(index, imported) {
        Ok(objects) => objects,
        Err(imported::Problem::Impossible(row, why)) => return Err(impossible(index, row, &why).into()),
        Err(imported::Problem::Unknown(row, why)) => {
            return Err(Box::new(Verdict::unknown(format!("operation row {} {why}", index.operations().seq[row]))));
        }
    };
    let mut undecided = None;
    for object in &objects {
        match imported::decide(object, meter) {
            Found::Linearizable => {}
            Found::Refuted(story) => return Err(tell(index, &story).into()),
            Found::Undecided(why) => _ = undecided.get_or_insert(why),
        }
    }
    let answered = objects.iter().map(|object| object.rows.len() as u64).sum();
    undecided.map_or(Ok(answered), |why| Err(Box::new(Verdict::unknown(why))))
}

/// Whether the committed log's order is a proof: every answered operation stands in it once, each answer is the model's, and
/// real time is respected.
fn log_explains_all(index: &RunIndex<'_>) -> bool {
    let journal = index.journal();
    index.replay().is_some_and(|replay| {
        replay.explains_all()
            && journal.repeated().is_empty()
            && journal.misplaced().iter().all(|row| journal.place_of(*row as usize).is_some())
    })
}

/// The same for each object by itself, which is enough because linearizability is local.
fn explained_by_log(index: &RunIndex<'_>, partition: &Partition) -> Vec<bool> {
    let count = partition.objects().len();
    let (Some(replay), journal) = (index.replay(), index.journal()) else { return vec![false; count] };
    if replay.inexecutable.is_some() {
        return vec![false; count];
    }
    let mut explained = vec![true; count];
    let missing = journal.misplaced().iter().filter(|row| journal.place_of(**row as usize).is_none());
    for row in missing.chain(&replay.mismatches).chain(journal.repeated()) {
        if let Some(object) = partition.object_of(*row as usize) {
            explained[object] = false;
        }
    }
    let table = index.operations();
    let mut latest_invoke = vec![0_u64; count];
    let swept = journal.replay(|_, row| {
        if let Some(object) = partition.object_of(row) {
            explained[object] &= returned(index, row) >= latest_invoke[object];
            latest_invoke[object] = latest_invoke[object].max(table.seq[row]);
        }
        Ok::<(), ()>(())
    });
    debug_assert!(swept.is_ok(), "nothing stops this sweep");
    explained
}

fn impossible(index: &RunIndex<'_>, row: usize, why: &str) -> Witness {
    Witness::new("impossible_answer", format!("{}, but {why}", operation_words(index, row)))
        .step(index.operation_step(row, operation_words(index, row)))
}

fn operations(number: usize) -> String {
    counted(number, "operation")
}

/// A counter-example as a witness.
fn tell(index: &RunIndex<'_>, story: &Story) -> Witness {
    let table = index.operations();
    let count = story.members.len();
    let tenant = story.members.first().map_or(0, |member| table.tenant[member.row]);
    let numbers: Vec<String> = story.numbers.iter().take(SHOWN_MAX).map(u64::to_string).collect();
    let more = if story.numbers.len() > SHOWN_MAX { ", …" } else { "" };
    let object = match index.imported() {
        Some(imported) => imported.object_words(story.kind, &story.numbers),
        None => format!("{} {}{more} of tenant {tenant}", story.kind, numbers.join(", ")),
    };
    let mut summary = match &story.conflict {
        Some(conflict) => format!("{object}: {}", conflict_words(index, conflict)),
        None => format!("{object}: no order of these {} explains {}", operations(count), question(index, story)),
    };
    if let (None, Some(last)) = (&story.conflict, story.last) {
        summary = format!("{summary}: {}", last_words(index, story, last));
    }
    let kind = story.kind;
    let shape = match &story.conflict {
        Some(Contradiction::NeverWritten(_)) => format!("{kind}_value_never_written"),
        Some(Contradiction::ConsumedTwice(..)) => format!("{kind}_update_lost"),
        Some(Contradiction::Backwards(..)) => format!("{kind}_stale"),
        Some(Contradiction::TwoElements(..)) => format!("{kind}_two_elements_at_one_offset"),
        Some(Contradiction::WrongTotal(_)) => format!("{kind}_wrong_total"),
        None => format!("{kind}_no_order"),
    };
    let hidden = count.saturating_sub(SHOWN_MAX);
    let mut witness = Witness::new(shape, summary);
    for (place, member) in story.members.iter().enumerate().skip(hidden) {
        let row = member.row;
        let interval = match (returned(index, row), member.return_matters) {
            (u64::MAX, _) => format!("from {} on", table.seq[row]),
            (_, false) => format!("from {} on, its return plays no part", table.seq[row]),
            (returned, true) => format!("from {} to {returned}", table.seq[row]),
        };
        let skipped = if place == hidden && hidden > 0 { format!("(after {} more) ", operations(hidden)) } else { String::new() };
        let last = if story.last == Some(row) { format!("; {}", states_words(index, story)) } else { String::new() };
        let members =
            index.imported().map_or_else(String::new, |imported| imported::membership_words(index, imported, row, &story.elements));
        witness = witness.step(index.operation_step(row, format!("{skipped}{}{members} [{interval}]{last}", operation_words(index, row))));
    }
    witness
}

/// What has no answer.
fn question(index: &RunIndex<'_>, story: &Story) -> String {
    let Some(imported) = index.imported().filter(|_| !story.elements.is_empty()) else { return "all answers".to_owned() };
    let elements: Vec<String> = story.elements.iter().map(|element| imported.words(*element)).collect();
    format!("what the answers say of {}", elements.join(" and "))
}

fn last_words(index: &RunIndex<'_>, story: &Story, last: usize) -> String {
    format!("{}, but {}", operation_words(index, last), states_words(index, story))
}

fn states_words(index: &RunIndex<'_>, story: &Story) -> String {
    let words = states_plain(story);
    index.imported().map_or_else(|| values_in(&words), |imported| imported::step_words(imported, &words))
}

fn states_plain(story: &Story) -> String {
    match &*story.states {
        [] => "no state was possible any more before it returned".to_owned(),
        [state] => format!("the only state possible before it returned was {state}"),
        states => format!("the only states possible before it returned were {}", states.join(" or ")),
    }
}

fn conflict_words(index: &RunIndex<'_>, conflict: &Contradiction) -> String {
    let words = |row: &usize| operation_words(index, *row);
    let table = index.operations();
    match conflict {
        Contradiction::NeverWritten(reader) => format!("{}, which nobody had written or tried to write there", words(reader)),
        Contradiction::ConsumedTwice(first, second) => {
            format!("two operations replaced one and the same value: {}, and {}", words(first), words(second))
        }
        Contradiction::Backwards(early, late) => format!(
            "{} and by its value comes after \"{}\", but it had returned at {} before that one was invoked at {}",
            words(late),
            words(early),
            returned(index, *late),
            table.seq[*early]
        ),
        Contradiction::TwoElements(first, second) => {
            format!("two answers differ about one offset: {}, and {}", words(first), words(second))
        }
        Contradiction::WrongTotal(row) => format!("{}, whose sum no transfers can make", words(row)),
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
