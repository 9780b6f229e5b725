//! The workload plan: what each client did when, written down while a run is simulated.
//!
//! A drawn run needs the generator that drew it. A run whose workload is written down needs it no longer: it can be replayed when
//! generators have changed, and made smaller operation by operation without moving the others.

use crate::workload::Operation;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use vopr_schema::Dictionary;
use vopr_schema::rows::Function;

/// What the clients of a run do, by client, each in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkloadPlan(pub Vec<Vec<PlannedStep>>);

/// One thing that a client does of its own accord; what follows from answers (asking again, registering anew) is not planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Virtual time, nanoseconds. A client that is not ready by then does it as soon as it is.
    pub time_ns: u64,
    /// What it does.
    #[serde(flatten)]
    pub step: Step,
}

/// What a client does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It begins its life, or comes back from a crash, and asks for a session.
    Register,
    /// It invokes an operation.
    Invoke(Operation),
    /// It has nothing more to do.
    Retire,
}

impl WorkloadPlan {
    /// A plan in which `clients` clients do nothing.
    #[must_use]
    pub fn idle(clients: u32) -> Self {
        Self((0..clients).map(|_| Vec::new()).collect())
    }

    /// Operations of all clients.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.0.iter().flatten().filter(|planned| matches!(planned.step, Step::Invoke(_))).count()
    }

    /// Clients that do anything.
    #[must_use]
    pub fn active_clients(&self) -> usize {
        self.0.iter().filter(|steps| !steps.is_empty()).count()
    }

    /// As JSON text: what a bundle holds.
    ///
    /// # Panics
    /// Never: plain integers and strings always serialise.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain integers and strings always serialise")
    }

    /// From JSON text.
    ///
    /// # Errors
    /// The text is not JSON, or not that of a plan.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// A client's part of a plan, and how far it has come.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    steps: Vec<PlannedStep>,
    next: usize,
}

impl Script {
    pub(crate) fn new(steps: Vec<PlannedStep>) -> Self {
        Self { steps, next: 0 }
    }

    /// When the client registers next: what it was to do before is left out, because it crashed instead. None: never again.
    /// A client that crashes before that time comes back to the same registration.
    pub(crate) fn registers_at(&mut self) -> Option<u64> {
        let found = self.steps[self.next..].iter().position(|planned| planned.step == Step::Register)?;
        self.next += found;
        Some(self.steps[self.next].time_ns)
    }

    /// The client asks for the session that it was to ask for.
    pub(crate) fn registers(&mut self) {
        self.next += usize::from(self.steps.get(self.next).is_some_and(|planned| planned.step == Step::Register));
    }

    /// When the client, which has a session, acts next. None: it waits for the end, or for its crash.
    pub(crate) fn acts_at(&self) -> Option<u64> {
        self.steps.get(self.next).filter(|planned| planned.step != Step::Register).map(|planned| planned.time_ns)
    }

    /// The operation that it invokes now; none: it has nothing more to do.
    pub(crate) fn operation(&mut self) -> Option<Operation> {
        let planned = self.steps.get(self.next)?;
        self.next += 1;
        match &planned.step {
            Step::Invoke(operation) => Some(operation.clone()),
            Step::Register | Step::Retire => None,
        }
    }
}

/// The word for a function in a plan: the history's.
pub(crate) mod function_name {
    use super::{Deserialize, Deserializer, Dictionary, Function, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
    pub(crate) fn serialize<S: Serializer>(function: &Function, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(function.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Function, D::Error> {
        let name = String::deserialize(deserializer)?;
        Function::parse(&name).ok_or_else(|| serde::de::Error::custom(format!("no function is called {name:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(key: u64) -> Operation {
        Operation {
            function: Function::CompareAndSet,
            key,
            key_last: None,
            value: Some(7),
            expected: None,
            reads: vec![1],
            writes: vec![(2, 3)],
        }
    }

    fn plan() -> WorkloadPlan {
        let at = |time_ns, step| PlannedStep { time_ns, step };
        let steps = [at(5, Step::Register), at(9, Step::Invoke(operation(1))), at(20, Step::Register), at(30, Step::Invoke(operation(2)))];
        WorkloadPlan(vec![steps.into_iter().chain([at(40, Step::Retire)]).collect(), Vec::new()])
    }

    #[test]
    fn a_plan_goes_through_json_and_back() {
        assert_eq!(WorkloadPlan::from_json(&plan().to_json()).unwrap(), plan());
        assert!(WorkloadPlan::from_json(r#"[[{"time_ns":1,"invoke":{"function":"wrte","key":1}}]]"#).is_err());
        assert_eq!((plan().operations(), plan().active_clients()), (2, 1));
    }

    #[test]
    fn a_crash_leaves_out_what_was_planned_before_the_next_registration() {
        let mut script = Script::new(plan().0.swap_remove(0));
        assert_eq!(script.registers_at(), Some(5));
        assert_eq!(script.registers_at(), Some(5), "it crashed before it had registered");
        script.registers();
        assert_eq!(script.acts_at(), Some(9));
        assert_eq!(script.registers_at(), Some(20), "the operation at 9 was never invoked");
        script.registers();
        assert_eq!(script.operation(), Some(operation(2)));
        assert_eq!((script.acts_at(), script.operation()), (Some(40), None));
        assert_eq!((script.acts_at(), script.registers_at()), (None, None));
    }
}
