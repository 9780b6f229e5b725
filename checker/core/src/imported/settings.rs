//! What a run of another system is: its model, and how its answers are to be read.
//!
//! Histories of the same form mean different things in different suites (does a failed compare-and-set say that the value was
//! another one? does nil say that there is none, or that nobody knows?), so every reading is a setting that is recorded with
//! the run and can be seen in it.

use crate::import::edn::Edn;
use crate::import::interner::{FIRST, name};
use crate::transactions::KeyOrder;
use serde::{Deserialize, Serialize};
use vopr_schema::Run;

/// What the clients talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// Registers: read, write.
    Register,
    /// Registers: read, write, compare-and-set.
    CasRegister,
    /// Several registers, read and written together at one instant.
    MultiRegister,
    /// Keys: get, put, append to a text, delete, compare-and-set.
    Kv,
    /// Transactions of reads of lists and appends to them.
    ListAppend,
    /// Transactions of reads and writes of registers.
    RwRegister,
    /// Sets: add, remove, contains, read.
    Set,
    /// First-in-first-out queues: enqueue, dequeue, drain.
    Queue,
    /// Counters: add, read.
    Counter,
    /// Accounts: transfer, read of all balances.
    Bank,
    /// Locks: acquire, release.
    Mutex,
    /// Queues without order: enqueue, dequeue, drain.
    Bag,
}

impl Model {
    /// All models.
    pub const ALL: [Self; 12] = [
        Self::Register,
        Self::CasRegister,
        Self::MultiRegister,
        Self::Kv,
        Self::ListAppend,
        Self::RwRegister,
        Self::Set,
        Self::Queue,
        Self::Counter,
        Self::Bank,
        Self::Mutex,
        Self::Bag,
    ];

    /// The name on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::CasRegister => "cas-register",
            Self::MultiRegister => "multi-register",
            Self::Kv => "kv",
            Self::ListAppend => "list-append",
            Self::RwRegister => "rw-register",
            Self::Set => "set",
            Self::Queue => "queue",
            Self::Counter => "counter",
            Self::Bank => "bank",
            Self::Mutex => "mutex",
            Self::Bag => "bag",
        }
    }

    /// Whether objects may be said to hold something at first.
    #[must_use]
    pub fn has_initial(self) -> bool {
        matches!(self, Self::Register | Self::CasRegister | Self::MultiRegister | Self::Kv | Self::Counter | Self::Bank)
    }

    /// Whether its operations are transactions, whose isolation is judged and not their linearizability.
    #[must_use]
    pub fn is_transactional(self) -> bool {
        matches!(self, Self::ListAppend | Self::RwRegister)
    }
}

/// What a read that was answered with nil says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NilRead {
    /// Nothing: whatever was read is not known (Knossos).
    Any,
    /// That there was no value (Porcupine, Elle).
    Absent,
}

/// What a compare-and-set that failed says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailedCas {
    /// That it did not happen, for whatever reason (Jepsen).
    Dropped,
    /// That the value was another one than expected (Porcupine).
    Compared,
}

/// A run's origin and reading, as its options hold it under `import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// What the clients talked to.
    pub model: Model,
    /// Format of the file it came from.
    pub format: String,
    /// Name of that file.
    pub file: String,
    /// Another model that has the same functions, where nobody said which it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternative: Option<Model>,
    /// What a read that was answered with nil says.
    pub nil_read: NilRead,
    /// What a compare-and-set that failed says.
    pub failed_cas: FailedCas,
    /// What every register, text, counter or account holds at first (none: nothing); of a bank also a map of the accounts that there are.
    pub initial: Option<u64>,
    /// What all balances of a bank add up to, if the user said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// Whether accounts of a bank may be overdrawn.
    #[serde(default, skip_serializing_if = "is_default")]
    pub negative_balances: bool,
    /// What orders the versions of a register besides what was read (transactions of registers).
    #[serde(default, skip_serializing_if = "is_default")]
    pub register_order: KeyOrder,
    /// Whether the file keeps keys in the values: `[key value]`.
    pub keyed: bool,
    /// Whether texts that are whole numbers were taken for the numbers, because all values written are numbers.
    pub texts_as_numbers: bool,
    /// Events of processes that are no clients, left out.
    pub fault_events: u64,
    /// Operations that their process gave up without a completion.
    pub given_up: u64,
    /// Operations whose invocation the file lacks.
    pub without_invocation: u64,
    /// Lines of a log that are no operations, left out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub skipped_lines: u64,
    /// In EDN, the values that are no whole numbers from 0 on; the first has number 2^63.
    pub values: Vec<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Serialize, Deserialize)]
struct Options {
    import: Imported,
}

impl Imported {
    /// What a run's options say of its import; none for a run of our own.
    #[must_use]
    pub fn of_run(run: &Run) -> Option<Self> {
        // Options of our own runs are long, and no import is named in them.
        if !run.options.starts_with("{\"import\":") {
            return None;
        }
        serde_json::from_str(&run.options).ok().map(|Options { import }| import)
    }

    /// The options of a run.
    ///
    /// # Panics
    /// Never: numbers and texts are JSON.
    #[must_use]
    pub fn to_options(&self) -> String {
        serde_json::to_string(&Options { import: self.clone() }).expect("numbers and texts are JSON")
    }

    /// The value in EDN.
    #[must_use]
    pub fn words(&self, number: u64) -> String {
        self.interned(number).map_or_else(|| number.to_string(), str::to_owned)
    }

    /// The EDN of an interned value.
    #[must_use]
    pub fn interned(&self, number: u64) -> Option<&str> {
        let place = usize::try_from(number.checked_sub(FIRST)?).ok()?;
        self.values.get(place).map(String::as_str)
    }

    /// The number that columns have for a value; none where the run never names it.
    #[must_use]
    pub fn number(&self, value: &Edn) -> Option<u64> {
        if let Edn::Integer(number) = value
            && let Ok(number) = u64::try_from(*number)
        {
            return Some(number);
        }
        let name = name(value);
        (FIRST..).zip(&self.values).find(|(_, known)| **known == name).map(|(number, _)| number)
    }

    /// The whole number that a column's number stands for, negative ones included.
    #[must_use]
    pub fn integer(&self, number: u64) -> Option<i64> {
        match self.interned(number) {
            Some(text) => text.parse().ok(),
            None => i64::try_from(number).ok(),
        }
    }

    /// The number, or none when it stands for nil.
    #[must_use]
    pub fn present(&self, number: u64) -> Option<u64> {
        (self.interned(number) != Some("nil")).then_some(number)
    }

    /// An object in words.
    #[must_use]
    pub fn object_words(&self, kind: &str, keys: &[u64]) -> String {
        match keys {
            [key] if self.keyed || self.model == Model::Kv || *key != 0 => format!("{kind} {}", self.words(*key)),
            [_] => format!("the {kind}"),
            keys => {
                let keys: Vec<String> = keys.iter().take(12).map(|key| self.words(*key)).collect();
                format!("{kind} {}", keys.join(", "))
            }
        }
    }

    /// Replaces the numbers of interned values in a text by the values.
    #[must_use]
    pub fn in_words(&self, text: &str) -> String {
        let mut words = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
            let end = rest[start..].find(|character: char| !character.is_ascii_digit()).map_or(rest.len(), |length| start + length);
            words.push_str(&rest[..start]);
            match rest[start..end].parse().ok().and_then(|number| self.interned(number)) {
                Some(value) => words.push_str(value),
                None => words.push_str(&rest[start..end]),
            }
            rest = &rest[end..];
        }
        words.push_str(rest);
        words
    }
}
