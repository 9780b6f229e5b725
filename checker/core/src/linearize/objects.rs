//! Decides one object, and if it has no legal order, finds the few operations that show it.

use super::partition::{Calls, Partition};
use super::shrink::{self, Core};
use super::zones::{self, Conflict, Zones};
use super::{Answer, Call, Effort, NEVER, Refutation, decide, frontier, wgl};
use crate::budget::Meter;
use crate::index::RunIndex;
use crate::models::Model;
use crate::models::keys::{Keys, KeysAction, project};
use crate::models::ledger::{Ledger, LedgerAction};
use crate::models::register::{Register, RegisterAction};
use crate::models::stream::{Stream, StreamAction};

/// Steps of one attempt to shrink a counter-example.
const SHRINK_STEPS: u64 = 20_000;

/// What is known of one object.
#[derive(Debug)]
pub enum Found {
    /// A legal order exists.
    Linearizable,
    /// None exists.
    Refuted(Box<Story>),
    /// Not decided, for this reason.
    Undecided(String),
}

/// A counter-example in terms of operation rows.
#[derive(Debug)]
pub struct Story {
    /// What was broken: `key`, `keys`, `stream`, `accounts`.
    pub kind: &'static str,
    /// The numbers of the keys, streams or accounts that take part.
    pub numbers: Vec<u64>,
    /// The operations, in the order of their invocation.
    pub members: Vec<Member>,
    /// The operation at whose return no order was left.
    pub last: Option<usize>,
    /// The states that were possible just before, in words.
    pub states: Vec<String>,
    /// The contradiction, where it has a simple form.
    pub conflict: Option<Contradiction>,
    /// The elements of a set that matter, as in [`super::any::Example::elements`].
    pub elements: Vec<u64>,
}

/// One operation of a counter-example.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Its row.
    pub row: usize,
    /// Whether it matters that, and when, it returned.
    pub return_matters: bool,
}

/// A contradiction that needs no search to be understood; rows of operations.
#[derive(Clone, Debug)]
pub enum Contradiction {
    /// It saw a value that nobody wrote.
    NeverWritten(usize),
    /// Both replaced the same value.
    ConsumedTwice(usize, usize),
    /// The second must come after the first one, but returned before the first was invoked.
    Backwards(usize, usize),
    /// Both say what one offset of the stream holds, and disagree.
    TwoElements(usize, usize),
    /// A snapshot of all tied accounts with another sum than they have had from the start.
    WrongTotal(usize),
}

/// Decides an object of a run.
pub fn decide_object(index: &RunIndex<'_>, partition: &Partition, object: usize, meter: &Meter, scratch: &mut zones::Scratch) -> Found {
    let rows = &partition.objects()[object].rows;
    let numbers = partition.numbers(object);
    let balance = index.layout().map_or(0, |layout| layout.initial_balance);
    match partition.calls(index, object, balance) {
        Calls::Register(calls) => register(&calls, rows, numbers[0], meter, scratch),
        Calls::Keys(calls) => keys(index, &calls, rows, numbers, meter, scratch),
        Calls::Stream(calls) => stream(&calls, rows, numbers, meter),
        Calls::Ledger(calls, initial_balance) => {
            ledger(&calls, rows, Ledger { balances: vec![initial_balance; numbers.len()], accounts: numbers, credit: 0 }, meter)
        }
    }
}

fn register(calls: &[Call<RegisterAction>], rows: &[usize], key: u64, meter: &Meter, scratch: &mut zones::Scratch) -> Found {
    let model = Register::default();
    let answer = decide::register(&model, calls, meter, scratch).answer;
    let refutation = match answer {
        Answer::Linearizable => return Found::Linearizable,
        Answer::Undecided(why) => return Found::Undecided(format!("key {key}: {why}")),
        Answer::Refuted(refutation) => refutation,
    };
    let core = shrink::minimal(&model, calls, &refutation, |calls| match decide::by_zones(&model, calls, meter, scratch) {
        Answer::Undecided(_) => frontier::decide(&model, calls, &mut Effort::steps(meter, SHRINK_STEPS)),
        decided => decided,
    });
    // With all their returns, because the method has simple words for complete calls only.
    let plain: Vec<Call<RegisterAction>> = core.calls.iter().map(|(number, _)| calls[*number]).collect();
    let row = |place: usize| rows[core.calls[place].0];
    let conflict = match zones::decide(None, &plain, scratch) {
        Zones::Refuted(Conflict::NeverWritten { reader }) => Some(Contradiction::NeverWritten(row(reader))),
        Zones::Refuted(Conflict::ConsumedTwice { first, second }) => Some(Contradiction::ConsumedTwice(row(first), row(second))),
        Zones::Refuted(Conflict::Backwards { early, late }) => Some(Contradiction::Backwards(row(early), row(late))),
        _ => None,
    };
    confirmed(&model, &core, rows, Story { conflict, ..story("key", vec![key]) }, meter)
}

fn keys(
    index: &RunIndex<'_>,
    calls: &[Call<KeysAction>],
    rows: &[usize],
    numbers: Vec<u64>,
    meter: &Meter,
    scratch: &mut zones::Scratch,
) -> Found {
    // What one key alone refutes needs no search over all of them, and is far easier to understand.
    for (slot, key) in numbers.iter().enumerate() {
        let touching: Vec<usize> = (0..calls.len()).filter(|number| touches(&calls[*number].action, slot)).collect();
        let single = |number: &usize| {
            let Call { invoke, returned, .. } = calls[*number];
            Call { invoke, returned, action: super::actions::register(index, rows[*number], *key) }
        };
        let projected: Vec<Call<RegisterAction>> = touching.iter().map(single).collect();
        let rows: Vec<usize> = touching.iter().map(|number| rows[*number]).collect();
        if let refuted @ Found::Refuted(_) = register(&projected, &rows, *key, meter, scratch) {
            return refuted;
        }
        if meter.check().is_err() {
            break;
        }
    }
    let model = Keys::absent(numbers);
    let refutation = match decide::general(&model, calls, meter).answer {
        Answer::Linearizable => return Found::Linearizable,
        Answer::Undecided(why) => return Found::Undecided(format!("{} keys tied together: {why}", model.keys.len())),
        Answer::Refuted(refutation) => refutation,
    };
    let (model, numbered) = fewer_keys(&model, calls, &refutation, meter);
    let rows: Vec<usize> = numbered.iter().map(|(number, _)| rows[*number]).collect();
    let calls: Vec<Call<KeysAction>> = numbered.into_iter().map(|(_, call)| call).collect();
    let again = shrinking(&model, &calls, meter);
    let refutation = if let Answer::Refuted(refutation) = again { refutation } else { Refutation::default() };
    let core = shrink::minimal(&model, &calls, &refutation, |calls| shrinking(&model, calls, meter));
    let story = story("keys", model.keys.clone());
    confirmed(&model, &core, &rows, story, meter)
}

/// Leaves out keys, many at once first, as long as the rest is refuted.
fn fewer_keys(model: &Keys, calls: &[Call<KeysAction>], refutation: &Refutation, meter: &Meter) -> (Keys, Vec<(usize, Call<KeysAction>)>) {
    let end = refutation.at.map_or(NEVER - 1, |at| calls[at].returned);
    let calls = shrink::prefix(calls, end);
    let mut keep = vec![true; model.keys.len()];
    let mut best = (model.clone(), calls.clone());
    let mut chunk = keep.len().div_ceil(2);
    while chunk > 0 {
        for start in (0..keep.len()).step_by(chunk) {
            let places = start..(start + chunk).min(keep.len());
            let mut fewer = keep.clone();
            fewer[places].fill(false);
            if fewer == keep || !fewer.contains(&true) || meter.check().is_err() {
                continue;
            }
            let projected = calls.iter().filter_map(|(number, call)| {
                let Call { invoke, returned, ref action } = *call;
                Some((*number, Call { invoke, returned, action: project(action, &fewer)? }))
            });
            let projected: Vec<(usize, Call<KeysAction>)> = projected.collect();
            let plain: Vec<Call<KeysAction>> = projected.iter().map(|(_, call)| call.clone()).collect();
            let kept = model.keys.iter().zip(&fewer).filter(|(_, kept)| **kept).map(|(key, _)| *key).collect();
            let smaller = Keys { keys: kept, initial: model.initial };
            if let Answer::Refuted(_) = shrinking(&smaller, &plain, meter) {
                keep = fewer;
                best = (smaller, projected);
            }
        }
        chunk /= 2;
    }
    best
}

/// Whether an action says anything about a slot.
fn touches(action: &KeysAction, slot: usize) -> bool {
    match action {
        KeysAction::One { slot: own, .. } => *own as usize == slot,
        KeysAction::Scan { first, seen } => (*first as usize..*first as usize + seen.len()).contains(&slot),
        KeysAction::Transaction { reads, writes } => reads.iter().chain(writes).any(|(own, _)| *own as usize == slot),
    }
}

fn stream(calls: &[Call<StreamAction>], rows: &[usize], numbers: Vec<u64>, meter: &Meter) -> Found {
    let model = match revealed(calls) {
        Ok(model) => model,
        Err((first, second)) => {
            let members = [first, second].map(|number| Member { row: rows[number], return_matters: false });
            let conflict = Some(Contradiction::TwoElements(rows[first], rows[second]));
            return Found::Refuted(Box::new(Story { members: members.to_vec(), conflict, ..story("stream", numbers) }));
        }
    };
    let refutation = match decide::general(&model, calls, meter).answer {
        Answer::Linearizable => return Found::Linearizable,
        Answer::Undecided(why) => return Found::Undecided(format!("stream {}: {why}", numbers[0])),
        // What later answers reveal helped to refute earlier ones: the end of the story has to be found again.
        Answer::Refuted(refutation) => Refutation { at: None, ..refutation },
    };
    let core = shrink::minimal(&model, calls, &refutation, |calls| match revealed(calls) {
        Ok(model) => frontier::decide(&model, calls, &mut Effort::steps(meter, SHRINK_STEPS)),
        Err((first, second)) => Answer::Refuted(Refutation { core: vec![first, second], ..Refutation::default() }),
    });
    confirmed(&Stream::default(), &core, rows, story("stream", numbers), meter)
}

/// What the answered calls reveal of a stream's elements.
fn revealed(calls: &[Call<StreamAction>]) -> Result<Stream, (usize, usize)> {
    let answered: Vec<usize> = (0..calls.len()).filter(|number| calls[*number].returned != NEVER).collect();
    let actions = answered.iter().map(|number| &calls[*number].action);
    Stream::revealed_by(actions).map_err(|(first, second)| (answered[first], answered[second]))
}

fn ledger(calls: &[Call<LedgerAction>], rows: &[usize], model: Ledger, meter: &Meter) -> Found {
    let total = model.balances.iter().map(|balance| u128::from(*balance)).sum::<u128>();
    let wrong = calls.iter().position(|call| match &call.action {
        LedgerAction::Balance { seen, .. } if seen.len() == model.accounts.len() => {
            seen.iter().map(|balance| u128::from(*balance)).sum::<u128>() != total
        }
        _ => false,
    });
    if let Some(wrong) = wrong {
        let members = vec![Member { row: rows[wrong], return_matters: false }];
        let conflict = Some(Contradiction::WrongTotal(rows[wrong]));
        return Found::Refuted(Box::new(Story { members, conflict, ..story("accounts", model.accounts) }));
    }
    let refutation = match decide::general(&model, calls, meter).answer {
        Answer::Linearizable => return Found::Linearizable,
        Answer::Undecided(why) => return Found::Undecided(format!("{} accounts tied together: {why}", model.accounts.len())),
        Answer::Refuted(refutation) => refutation,
    };
    let core = shrink::minimal(&model, calls, &refutation, |calls| shrinking(&model, calls, meter));
    let story = story("accounts", model.accounts.clone());
    confirmed(&model, &core, rows, story, meter)
}

/// A short attempt.
fn shrinking<M: Model>(model: &M, calls: &[Call<M::Action>], meter: &Meter) -> Answer {
    frontier::decide(model, calls, &mut Effort::steps(meter, SHRINK_STEPS))
}

fn story(kind: &'static str, numbers: Vec<u64>) -> Story {
    Story { kind, numbers, members: Vec::new(), last: None, states: Vec::new(), conflict: None, elements: Vec::new() }
}

/// Tells a counter-example, once the second engine has confirmed it.
fn confirmed<M: Model>(model: &M, core: &Core<M::Action>, rows: &[usize], mut story: Story, meter: &Meter) -> Found {
    let plain: Vec<Call<M::Action>> = core.calls.iter().map(|(_, call)| call.clone()).collect();
    if wgl::decide(model, &plain, &mut Effort::steps(meter, SHRINK_STEPS)) == Answer::Linearizable {
        return Found::Undecided("internal: two engines disagree about a counter-example; please report this history".to_owned());
    }
    story.members = core.calls.iter().map(|(number, call)| Member { row: rows[*number], return_matters: call.returned != NEVER }).collect();
    story.members.sort_unstable_by_key(|member| member.row);
    // The states just before the end are told by the search in time order, whichever engine refuted.
    if let Answer::Refuted(refutation) = frontier::decide(model, &plain, &mut Effort::steps(meter, SHRINK_STEPS)) {
        story.last = refutation.at.map(|at| rows[core.calls[at].0]);
        story.states = refutation.states;
    }
    Found::Refuted(Box::new(story))
}
