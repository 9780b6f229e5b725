//! Each checker behind one signature: is this history linearizable?
//!
//! The register's semantics are written once, in [`apply`]; each checker is given them in its own terms.

use crate::histories::History;
use porcupine_rs::{Model, Operation};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use todc_utils::{Action, Specification, WGLChecker};
use vopr_checker::Budget;
use vopr_checker::linearize::any;
use vopr_checker::linearize::trials::workload::of_store;
use vopr_checker::models::keys::Keys;
use vopr_checker::models::register::{Register, RegisterAction};

/// A checker by its name.
pub type Checker = (&'static str, fn(&History) -> bool);

/// All checkers; ratios are to the first.
pub const CHECKERS: [Checker; 4] = [("vopr", vopr), ("porcupine-rs", porcupine), ("todc-utils", todc), ("stateright", stateright)];

/// What a register holds after an action, if the action's answer is right.
#[expect(clippy::option_option, reason = "a register may hold nothing, and an answer may be wrong")]
fn apply(held: Option<u64>, action: &RegisterAction) -> Option<Option<u64>> {
    match *action {
        RegisterAction::Read { seen } => (seen == held).then_some(held),
        RegisterAction::Write { value } => Some(Some(value)),
        RegisterAction::CompareAndSet { expected, value, set } => match set {
            Some(true) => (expected == held).then_some(Some(value)),
            _ => (expected != held).then_some(held),
        },
        RegisterAction::Add { .. } => None,
    }
}

/// This checker, by its entrance for histories of other systems.
fn vopr(history: &History) -> bool {
    let whole = if history.keys == 1 {
        any::History::Register(Register::default(), history.calls.iter().map(|(_, call)| *call).collect())
    } else {
        any::History::Store(Keys::absent((0..u64::from(history.keys)).collect()), of_store(history.calls.clone()))
    };
    whole.judge(&Budget::default().meter()).linearizable.expect("the histories are within its limits")
}

#[derive(Clone)]
struct PorcupineRegister;

impl Model for PorcupineRegister {
    type State = Option<u64>;
    type Op = (u32, RegisterAction);
    type Metadata = ();

    fn partition_operations(history: &[Operation<Self>]) -> Vec<Vec<Operation<Self>>> {
        let keys = history.iter().map(|operation| operation.op.0 as usize + 1).max().unwrap_or(0);
        let mut by_key = vec![Vec::new(); keys];
        for operation in history {
            by_key[operation.op.0 as usize].push(operation.clone());
        }
        by_key
    }

    fn init() -> Option<u64> {
        None
    }

    fn step(state: &Option<u64>, (_, action): &(u32, RegisterAction)) -> (bool, Option<u64>) {
        apply(*state, action).map_or((false, *state), |next| (true, next))
    }
}

fn porcupine(history: &History) -> bool {
    let time = |time: u64| i64::try_from(time).expect("times are positions");
    let operations: Vec<Operation<PorcupineRegister>> = history
        .calls
        .iter()
        .zip(&history.clients)
        .map(|((key, call), client)| Operation {
            client_id: u32::try_from(*client).ok(),
            call_time: time(call.invoke),
            return_time: time(call.returned),
            op: (*key, call.action),
            metadata: None,
        })
        .collect();
    porcupine_rs::check_operations(&operations)
}

struct TodcRegister;

impl Specification for TodcRegister {
    type State = Option<u64>;
    type Operation = RegisterAction;

    fn init() -> Option<u64> {
        None
    }

    fn apply(action: &RegisterAction, state: &Option<u64>) -> (bool, Option<u64>) {
        apply(*state, action).map_or((false, *state), |next| (true, next))
    }
}

fn todc(history: &History) -> bool {
    history.by_key().iter().filter(|calls| !calls.is_empty()).all(|calls| {
        let action = |(number, returns): (usize, bool)| {
            let action = history.calls[number].1.action;
            (history.clients[number], if returns { Action::Response(action) } else { Action::Call(action) })
        };
        let events = history.events(calls).into_iter().map(action).collect();
        WGLChecker::<TodcRegister>::is_linearizable(todc_utils::History::from_actions(events))
    })
}

#[derive(Clone)]
struct StaterightRegister(Option<u64>);

impl SequentialSpec for StaterightRegister {
    type Op = RegisterAction;
    /// The action once more: it holds the answer.
    type Ret = RegisterAction;

    fn invoke(&mut self, action: &RegisterAction) -> RegisterAction {
        if let Some(next) = apply(self.0, action) {
            self.0 = next;
        }
        *action
    }

    fn is_valid_step(&mut self, _: &RegisterAction, answered: &RegisterAction) -> bool {
        apply(self.0, answered).inspect(|next| self.0 = *next).is_some()
    }
}

fn stateright(history: &History) -> bool {
    history.by_key().iter().all(|calls| {
        let mut tester = LinearizabilityTester::new(StaterightRegister(None));
        for (number, returns) in history.events(calls) {
            let (client, action) = (history.clients[number], history.calls[number].1.action);
            let told = if returns { tester.on_return(client, action) } else { tester.on_invoke(client, action) };
            told.expect("a client has one call open at a time");
        }
        tester.is_consistent()
    })
}
