//! Operations into rows: what a function and a value mean in each model.
//!
//! A function that the model does not have, or a value of another form, is refused: to leave it out could hide a violation.

use super::edn::{Edn, Expected};
use super::interner::Interner;
use super::pairing::{Ending, Operation};
use crate::imported::{FailedCas, Model};
use std::borrow::Cow;
use vopr_schema::{Function, OperationError, OperationRow, Outcome, Pair};

/// What is needed to make rows.
#[derive(Debug)]
pub struct RowMaker {
    /// What the clients talked to.
    pub model: Model,
    /// Whether values are `[key value]`.
    pub keyed: bool,
    /// Whether texts that are whole numbers stand for these.
    pub texts_as_numbers: bool,
    /// What a failed compare-and-set says.
    pub failed_cas: FailedCas,
    /// Numbers of values.
    pub interner: Interner,
}

/// Words that add to a counter, one unless told otherwise.
pub const RISES: &[&str] = &["inc", "incr", "increment"];

/// Words that take from a counter, one unless told otherwise.
pub const FALLS: &[&str] = &["dec", "decr", "decrement"];

/// Words that take a lock.
const LOCKS: &[&str] = &["acquire", "lock"];

/// Words that give a lock back.
const UNLOCKS: &[&str] = &["release", "unlock"];

/// The function of a model that a word stands for; none for words that it does not have. Transactions have no words.
#[must_use]
pub fn function(model: Model, word: &str) -> Option<Function> {
    let word = word.to_ascii_lowercase().replace('_', "-");
    let (read, write) = (is_read(&word), is_write(&word));
    let cas = matches!(&*word, "cas" | "compare-and-set" | "compare-and-swap");
    let remove = matches!(&*word, "remove" | "delete" | "del");
    match model {
        Model::Register | Model::CasRegister | Model::Kv if read => Some(Function::Read),
        Model::Register | Model::CasRegister | Model::Kv if write => Some(Function::Write),
        Model::CasRegister | Model::Kv if cas => Some(Function::CompareAndSet),
        Model::Kv if remove => Some(Function::Delete),
        Model::Kv if word == "append" => Some(Function::TextAppend),
        Model::Set if matches!(&*word, "add" | "insert") => Some(Function::SetAdd),
        Model::Set if remove => Some(Function::SetRemove),
        Model::Set if word == "contains" => Some(Function::SetContains),
        Model::Set if read => Some(Function::SetRead),
        Model::Queue | Model::Bag if matches!(&*word, "enqueue" | "enq") => Some(Function::Enqueue),
        Model::Queue | Model::Bag if matches!(&*word, "dequeue" | "deq") => Some(Function::Dequeue),
        Model::Queue | Model::Bag if word == "drain" => Some(Function::Drain),
        Model::Counter if word == "add" || RISES.contains(&&*word) || FALLS.contains(&&*word) => Some(Function::CounterAdd),
        Model::Counter if read => Some(Function::Read),
        // Locks are registers that hold 1 or nothing.
        Model::Mutex if LOCKS.contains(&&*word) || UNLOCKS.contains(&&*word) => Some(Function::CompareAndSet),
        Model::Bank if word == "transfer" => Some(Function::Transfer),
        Model::Bank if read || word == "balance" => Some(Function::Balance),
        _ => None,
    }
}

impl RowMaker {
    /// The row of an operation, whose `request_number`s are counted by the caller.
    ///
    /// # Errors
    /// What the model expects instead.
    pub fn row(&mut self, operation: &Operation) -> Result<OperationRow, Expected> {
        let outcome = match operation.ending {
            Ending::Ok => Outcome::Ok,
            Ending::Fail => Outcome::Error,
            Ending::Open | Ending::Info => Outcome::Unknown,
        };
        let row = OperationRow {
            seq: operation.invoked.seq,
            time_ns: operation.invoked.time_ns,
            client: operation.process,
            outcome,
            error: (outcome == Outcome::Error).then_some(OperationError::NotApplied),
            return_seq: operation.returned.map(|moment| moment.seq),
            return_time_ns: operation.returned.map(|moment| moment.time_ns),
            attempts: u32::from(operation.has_invocation),
            ..OperationRow::default()
        };
        let made = match self.model {
            Model::ListAppend | Model::RwRegister | Model::MultiRegister => self.transaction(row, operation),
            _ => self.single(row, operation),
        };
        made.map_err(|what| Expected::at(operation.offset, what))
    }

    fn single(&mut self, mut row: OperationRow, operation: &Operation) -> Result<OperationRow, String> {
        let model = self.model.name();
        let word = &operation.function;
        row.function = function(self.model, word).ok_or_else(|| format!("a function of the model {model}, found :{word}"))?;
        let asked = operation.told.as_ref().filter(|_| self.keyed && operation.asked == Edn::Nil).unwrap_or(&operation.asked);
        let (key, asked) = self.split(operation.key.as_ref(), asked)?;
        row.key = key;
        let ok = row.outcome == Outcome::Ok;
        let told = match &operation.told {
            Some(told) if self.keyed && told.sequence().is_some() => {
                let (told_key, told) = self.split(None, told)?;
                if told_key != key {
                    return Err(format!(
                        "a completion for the key of its invocation, found one for {}",
                        operation.told.as_ref().unwrap_or(&Edn::Nil)
                    ));
                }
                Some(told)
            }
            told => told.as_ref(),
        };
        let told = told.filter(|_| ok);
        // Some clients choose what they write only when they are run: then it is the completion that says it.
        let asked = told.filter(|_| *asked == Edn::Nil).unwrap_or(asked);
        match row.function {
            Function::Read | Function::Dequeue => row.result = told.filter(|told| **told != Edn::Nil).map(|told| self.value(told)),
            Function::Write | Function::Enqueue | Function::SetAdd | Function::SetRemove => row.value = Some(self.value(asked)),
            Function::TextAppend if asked.word().is_some() => row.value = Some(self.value(asked)),
            Function::CompareAndSet if self.model == Model::Mutex => self.lock(&mut row, word),
            Function::CompareAndSet if told == Some(&Edn::Bool(false)) => {
                return Err("what is :ok to have been done, or :fail if the value was another one; found :ok and false".to_owned());
            }
            Function::CompareAndSet => self.compare_and_set(&mut row, asked, operation)?,
            Function::SetContains => {
                row.value = Some(self.value(asked));
                row.result = match told {
                    Some(Edn::Bool(found)) => Some(u64::from(*found)),
                    Some(told) => return Err(format!("true or false for whether {asked} is in the set, found {told}")),
                    None => None,
                };
            }
            Function::SetRead | Function::Drain => row.results = self.many(told)?,
            Function::CounterAdd => {
                let word = word.to_ascii_lowercase();
                let falls = FALLS.contains(&&*word);
                let amount = match asked {
                    Edn::Nil if falls || RISES.contains(&&*word) => Some(1),
                    asked => asked.integer(),
                };
                let amount = amount.ok_or_else(|| format!("a whole number to add, found {asked}"))?;
                let amount = if falls { amount.checked_neg() } else { Some(amount) }.ok_or("a smaller number")?;
                row.value = Some(self.interner.number(&Edn::Integer(amount)));
            }
            Function::Transfer => self.transfer(&mut row, asked)?,
            Function::Balance => self.balances(&mut row, told)?,
            Function::Delete => {}
            _ => return Err(format!("a text to append, found {asked}")),
        }
        if self.model == Model::Counter
            && row.function == Function::Read
            && let Some(told) = told.filter(|told| **told != Edn::Nil && self.plain(told).integer().is_none())
        {
            return Err(format!("a whole number for what the counter holds, found {told}"));
        }
        Ok(row)
    }

    /// The key and the value without it.
    fn split<'a>(&mut self, key: Option<&Edn>, value: &'a Edn) -> Result<(u64, &'a Edn), String> {
        if let Some(key) = key {
            return Ok((self.interner.number(key), value));
        }
        if !self.keyed {
            return Ok((0, value));
        }
        match value.untagged().sequence() {
            Some([key, value]) => Ok((self.interner.number(key), value)),
            _ => Err(format!("[key value], as in the other operations of this history, found {value}")),
        }
    }

    fn value(&mut self, value: &Edn) -> u64 {
        let plain = self.plain(value);
        self.interner.number(&plain)
    }

    /// The value, or the number that it stands for.
    fn plain<'a>(&self, value: &'a Edn) -> Cow<'a, Edn> {
        match value {
            Edn::Text(text) if self.texts_as_numbers => {
                text.parse().map_or(Cow::Borrowed(value), |number| Cow::Owned(Edn::Integer(number)))
            }
            _ => Cow::Borrowed(value),
        }
    }

    /// Who takes a lock finds it free, who gives it back finds it taken.
    fn lock(&mut self, row: &mut OperationRow, word: &str) {
        let takes = LOCKS.contains(&&*word.to_ascii_lowercase());
        row.expected = (!takes).then_some(1);
        row.value = Some(if takes { 1 } else { self.interner.number(&Edn::Nil) });
        row.result = (row.outcome == Outcome::Ok).then_some(1);
    }

    fn compare_and_set(&mut self, row: &mut OperationRow, asked: &Edn, operation: &Operation) -> Result<(), String> {
        let Some([expected, value]) = asked.sequence() else { return Err(format!("[expected new] for a compare-and-set, found {asked}")) };
        row.expected = (*expected != Edn::Nil).then(|| self.value(expected));
        row.value = Some(self.value(value));
        match operation.ending {
            Ending::Ok => row.result = Some(1),
            // A completion that repeats the request says that values were compared; one with an error says nothing.
            Ending::Fail if self.failed_cas == FailedCas::Compared && operation.told.as_ref() == Some(&operation.asked) => {
                (row.outcome, row.error, row.result) = (Outcome::Ok, None, Some(0));
            }
            _ => {}
        }
        Ok(())
    }

    /// Elements in the order in which they were told, numbered from 0.
    fn many(&mut self, told: Option<&Edn>) -> Result<Option<Vec<Pair>>, String> {
        match told {
            None | Some(Edn::Nil) => Ok(None),
            Some(told) => {
                let elements = told.untagged().elements().ok_or_else(|| format!("a collection of what was there, found {told}"))?;
                Ok(Some((0..).zip(elements).map(|(key, element)| Pair { key, value: Some(self.value(element)) }).collect()))
            }
        }
    }

    fn transfer(&mut self, row: &mut OperationRow, asked: &Edn) -> Result<(), String> {
        let wrong = || format!("{{:from account, :to account, :amount number}}, found {asked}");
        let field = |name| asked.untagged().get(name).ok_or_else(wrong);
        let amount = field("amount")?.integer().and_then(|amount| u64::try_from(amount).ok()).ok_or_else(wrong)?;
        row.key = self.interner.number(field("from")?);
        row.key_last = Some(self.interner.number(field("to")?));
        row.value = Some(amount);
        Ok(())
    }

    fn balances(&mut self, row: &mut OperationRow, told: Option<&Edn>) -> Result<(), String> {
        let Some(told) = told.map(Edn::untagged).filter(|told| **told != Edn::Nil) else { return Ok(()) };
        let told = accounts(told).ok_or_else(|| format!("a map from accounts to balances, found {told}"))?;
        let mut balances = Vec::with_capacity(told.len());
        for (account, balance) in &told {
            // JSON has only texts for keys.
            let number = account.word().and_then(|word| word.parse().ok()).map(Edn::Integer);
            let account = self.interner.number(number.as_ref().unwrap_or(account));
            if !matches!(balance, Edn::Nil | Edn::Integer(_)) {
                return Err(format!("a whole number for a balance, found {balance}"));
            }
            balances.push((account, balance));
        }
        // Sorted before balances get numbers, so that numbers do not depend on the order of the map.
        balances.sort_by_key(|(account, _)| *account);
        if let Some(twice) = balances.windows(2).find(|two| two[0].0 == two[1].0) {
            return Err(format!("one balance for each account, found two for account {}", twice[0].0));
        }
        let number = |balance: &Edn, interner: &mut Interner| (*balance != Edn::Nil).then(|| interner.number(balance));
        let pairs = balances.into_iter().map(|(key, balance)| Pair { key, value: number(balance, &mut self.interner) }).collect();
        row.results = Some(pairs);
        Ok(())
    }

    fn transaction(&mut self, mut row: OperationRow, operation: &Operation) -> Result<OperationRow, String> {
        let lists = self.model == Model::ListAppend;
        row.function = if lists { Function::ListTransaction } else { Function::RegisterTransaction };
        let ok = row.outcome == Outcome::Ok;
        let told = operation.told.as_ref().filter(|_| ok);
        // A read of whatever there is has its registers in its answer.
        let whole = self.model == Model::MultiRegister
            && is_read(&operation.function)
            && operation.asked.untagged().sequence().is_none_or(|steps| steps.iter().all(|step| step.sequence().is_none()));
        let steps = match told {
            Some(told) if whole || operation.asked == Edn::Nil => self.steps(&operation.function, told)?,
            _ if whole => Vec::new(),
            _ => self.steps(&operation.function, &operation.asked)?,
        };
        let told = told.map_or(Ok(Vec::new()), |told| self.steps(&operation.function, told))?;
        if ok
            && (steps.len() != told.len() || steps.iter().zip(&told).any(|(asked, told)| asked.read != told.read || asked.key != told.key))
        {
            return Err("a completion with the reads and writes of its invocation, in the same order".to_owned());
        }
        let (mut reads, mut writes, mut results) = (Vec::new(), Vec::new(), Vec::new());
        for step in if ok { &told } else { &steps } {
            let key = self.interner.number(step.key);
            if !step.read {
                if step.append != lists {
                    return Err(format!(
                        "reads and {} in a transaction of the model {}",
                        if lists { "appends" } else { "writes" },
                        self.model.name()
                    ));
                }
                if *step.value == Edn::Nil && self.model != Model::MultiRegister && row.outcome != Outcome::Error {
                    return Err("a value other than nil for what a transaction writes: nil stands for what was never written".to_owned());
                }
                writes.push(Pair { key, value: Some(self.interner.number(step.value)) });
                continue;
            }
            reads.push(Pair { key, value: Some(writes.len() as u64) });
            if !ok {
                continue;
            }
            if !lists {
                let value = (*step.value != Edn::Nil).then(|| self.interner.number(step.value));
                results.push(Pair { key, value });
                continue;
            }
            let elements = match step.value {
                Edn::Nil => None,
                list => Some(list.sequence().ok_or_else(|| format!("a list for what was read, found {list}"))?),
            };
            results.push(Pair { key, value: elements.map(|elements| elements.len() as u64) });
            for element in elements.unwrap_or_default() {
                results.push(Pair { key, value: Some(self.interner.number(element)) });
            }
        }
        row.key = reads.first().or(writes.first()).map_or(0, |pair: &Pair| pair.key);
        (row.reads, row.writes) = (Some(reads), Some(writes));
        row.results = ok.then_some(results);
        Ok(row)
    }

    /// The steps of a transaction; registers may also be read and written as a map of them.
    fn steps<'a>(&self, word: &str, value: &'a Edn) -> Result<Vec<Micro<'a>>, String> {
        let read = is_read(word);
        match value.untagged() {
            Edn::Map(pairs) if self.model == Model::MultiRegister && (read || is_write(word)) => {
                Ok(pairs.iter().map(|(key, value)| Micro { read, append: false, key, value }).collect())
            }
            Edn::Nil if self.model == Model::MultiRegister && read => Ok(Vec::new()),
            _ => micro_operations(value),
        }
    }
}

/// Whether a word reads one thing, in any model.
#[must_use]
pub fn is_read(word: &str) -> bool {
    matches!(&*word.to_ascii_lowercase(), "read" | "r" | "get")
}

/// Whether a word writes one thing, in any model.
#[must_use]
pub fn is_write(word: &str) -> bool {
    matches!(&*word.to_ascii_lowercase(), "write" | "w" | "put" | "set")
}

/// What a read of a bank shows: a map, its entries, or the balances of the accounts 0, 1, 2 and so on.
fn accounts(told: &Edn) -> Option<Vec<(Edn, Edn)>> {
    let entry = |form: &Edn| match form.sequence()? {
        [account, balance] => Some((account.clone(), balance.clone())),
        _ => None,
    };
    match told {
        Edn::Map(pairs) => Some(pairs.clone()),
        told => {
            let forms = told.sequence()?;
            let entries: Option<Vec<(Edn, Edn)>> = forms.iter().map(entry).collect();
            entries.or_else(|| Some((0..).map(Edn::Integer).zip(forms.iter().cloned()).collect()))
        }
    }
}

/// One step of a transaction.
#[derive(Clone, Copy, Debug)]
pub struct Micro<'a> {
    /// Whether it reads.
    pub read: bool,
    /// Whether it appends.
    pub append: bool,
    /// The key.
    pub key: &'a Edn,
    /// What is written, appended or was read.
    pub value: &'a Edn,
}

/// The steps of a transaction.
///
/// # Errors
/// What a step should be.
pub fn micro_operations(value: &Edn) -> Result<Vec<Micro<'_>>, String> {
    let steps = value.untagged().sequence().ok_or_else(|| format!("a transaction such as [[:r :x nil] [:append :y 1]], found {value}"))?;
    steps
        .iter()
        .map(|step| micro(step).ok_or_else(|| format!("a step such as [:r :x nil], [:w :x 1] or [:append :x 1], found {step}")))
        .collect()
}

fn micro(step: &Edn) -> Option<Micro<'_>> {
    let (word, key, value) = match step.untagged().sequence()? {
        [word, key] => (word, key, &Edn::Nil),
        [word, key, value] => (word, key, value),
        _ => return None,
    };
    let (read, append) = match word.word()? {
        "r" | "read" => (true, false),
        "append" => (false, true),
        "w" | "write" => (false, false),
        _ => return None,
    };
    Some(Micro { read, append, key, value })
}
