//! Guesses what the user left out: the format of a file from its first bytes, the model from the operations.
//!
//! A guess is made only where one answer fits; otherwise the user is asked to say it.

use super::edn::{Edn, Expected};
use super::pairing::{Ending, Operation};
use super::rows::{FALLS, RISES, function, is_read, is_write, micro_operations};
use super::{Format, log};
use crate::imported::Model;

/// The format that a text is in; none when nothing known fits.
#[must_use]
pub fn format(text: &str) -> Option<Format> {
    let start = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n', ',']);
    let line = start.lines().next().unwrap_or("");
    if start.starts_with([';', '(', '#']) {
        return Some(Format::JepsenEdn);
    }
    if let Some(inside) = start.strip_prefix(['{', '[']) {
        let inside = inside.trim_start_matches(['{', '[', ' ', '\t', '\r', '\n']);
        if !inside.starts_with('"') {
            return Some(Format::JepsenEdn);
        }
        // Records of Jepsen say what happened under "type", to whom under "process" (some tests write "client") and what under "f";
        // others are rows with a column for each thing.
        let record = start.lines().take(200).collect::<String>();
        let names = |names: &[&str]| names.iter().all(|name| record.contains(name));
        let is_jepsen = names(&["\"type\"", "\"process\""]) || names(&["\"type\"", "\"client\"", "\"f\"", "\"invoke\""]);
        return Some(if is_jepsen { Format::JepsenJson } else { Format::JsonLines });
    }
    if start.lines().take(1000).any(log::looks_like) {
        return Some(Format::PorcupineLog);
    }
    (line.matches(',').count() >= 2).then_some(Format::Csv)
}

/// Everything about operations by which models differ.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a sign of its own")]
struct Signs {
    words: Vec<String>,
    appends: bool,
    reads_of_lists: bool,
    registers: bool,
    long_words: bool,
    collections: bool,
    maps: bool,
    maps_written: bool,
    numbers: bool,
}

/// The model that the operations fit.
///
/// # Errors
/// Why none is certain, in words.
pub fn model(operations: &[Operation], keyed: bool) -> Result<Model, String> {
    let mut signs = Signs::default();
    for operation in operations {
        signs.add(operation, keyed);
    }
    let has = |names: &[&str]| signs.words.iter().any(|word| names.contains(&word.as_str()));
    if signs.appends || signs.reads_of_lists {
        return Ok(Model::ListAppend);
    }
    if signs.registers {
        return Ok(if signs.long_words { Model::MultiRegister } else { Model::RwRegister });
    }
    if has(&["transfer"]) {
        return Ok(Model::Bank);
    }
    let has_any = |model: Model| signs.words.iter().any(|word| function(model, word).is_some());
    if let Some(model) = [Model::Queue, Model::Mutex].into_iter().find(|model| has_any(*model)) {
        return Ok(model);
    }
    let counts = has(RISES) || has(FALLS);
    if counts || has(&["add", "insert"]) {
        return match (signs.collections || has(&["contains", "remove"]), signs.numbers || counts) {
            (true, false) => Ok(Model::Set),
            (false, true) => Ok(Model::Counter),
            _ => Err("set and counter both have :add, and no read tells them apart: say --model".to_owned()),
        };
    }
    if signs.maps && signs.maps_written {
        return Ok(Model::MultiRegister);
    }
    if has(&["append", "put", "get", "delete", "del", "remove"]) {
        return Ok(Model::Kv);
    }
    if has(&["cas", "compare-and-set", "compare-and-swap", "compare_and_set", "compare_and_swap"]) {
        return Ok(Model::CasRegister);
    }
    if has(&["write", "w", "set"]) {
        return Ok(Model::Register);
    }
    match (has(&["read", "r"]), signs.maps, signs.collections) {
        (true, true, false) => Ok(Model::Bank),
        (true, false, true) => Err("collections were read, of a set or of something else, and nothing was written: say --model".to_owned()),
        (true, false, false) => Ok(Model::Register),
        _ => Err("no model has these functions: say --model".to_owned()),
    }
}

impl Signs {
    fn add(&mut self, operation: &Operation, keyed: bool) {
        let word = operation.function.to_ascii_lowercase();
        if !self.words.contains(&word) && self.words.len() < 64 {
            self.words.push(word.clone());
        }
        let told = operation.told.as_ref().filter(|_| operation.ending == Ending::Ok);
        for value in told.into_iter().chain([&operation.asked]) {
            let Ok(steps) = micro_operations(value) else { continue };
            for step in steps {
                self.appends |= step.append;
                self.registers = true;
                self.reads_of_lists |= step.read && step.value.sequence().is_some();
            }
            self.long_words |= value
                .sequence()
                .into_iter()
                .flatten()
                .filter_map(Edn::sequence)
                .any(|step| step.first().and_then(Edn::word).is_some_and(|word| matches!(word, "read" | "write")));
        }
        self.maps_written |= is_write(&word) && matches!(operation.asked.untagged(), Edn::Map(_));
        let told = match told.and_then(|told| told.sequence().filter(|_| keyed)) {
            Some([_, value]) => Some(value),
            _ => told,
        };
        if is_read(&word) {
            let told = told.map(Edn::untagged);
            self.collections |= told.is_some_and(|told| told.elements().is_some());
            self.maps |= matches!(told, Some(Edn::Map(_)));
            self.numbers |= matches!(told, Some(Edn::Integer(_)));
        }
    }
}

/// Whether all values are `[key value]`, as in histories of independent keys.
///
/// # Errors
/// Where a value has another form although a read that asks for `[key nil]` says that there are keys.
pub fn keyed(operations: &[Operation]) -> Result<bool, Expected> {
    fn pair(value: &Edn) -> Option<(&Edn, &Edn)> {
        match value.untagged().sequence()? {
            [key, value] => Some((key, value)),
            _ => None,
        }
    }
    fn with_key(value: &Edn, compares: bool) -> Option<&Edn> {
        let (key, value) = pair(value)?;
        (key.sequence().is_none() && (!compares || pair(value).is_some())).then_some(value)
    }
    // Whether a read asks for a key; whether one is told a key that it did not ask for; another operation without a key.
    let (mut asks, mut told, mut writes, mut other) = (false, false, false, None);
    for operation in operations {
        let word = operation.function.to_ascii_lowercase();
        let reads = is_read(&word);
        let compares = word.starts_with('c') && word != "contains";
        match with_key(&operation.asked, compares).filter(|_| operation.key.is_none()) {
            Some(value) => {
                asks |= reads && *value == Edn::Nil;
                writes |= !reads;
            }
            None if reads && operation.asked == Edn::Nil => {
                told |= operation.ending == Ending::Ok && operation.told.as_ref().is_some_and(|told| with_key(told, false).is_some());
                other = other.or(Some((false, operation)));
            }
            None => other = Some(other.filter(|(known, _)| *known).unwrap_or((true, operation))),
        }
    }
    match other {
        Some((is_other, Operation { offset, asked, .. })) if asks || (told && writes && !is_other) => Err(Expected::at(
            *offset,
            format!("[key value], as in other operations, found {asked}: say --keyed false if there are no keys, else --keyed true"),
        )),
        other => Ok(other.is_none() && !operations.is_empty()),
    }
}

/// Whether everything that was read is a text that is a whole number, while everything written is a whole number: then the
/// system keeps texts.
#[must_use]
pub fn texts_as_numbers(operations: &[Operation], keyed: bool) -> bool {
    let (mut texts, mut numbers, mut others) = (false, false, false);
    for operation in operations {
        let (reads, value) = match (&*operation.function.to_ascii_lowercase(), &operation.told) {
            ("dequeue" | "deq" | "drain", Some(told)) if operation.ending == Ending::Ok => (true, told),
            (word, Some(told)) if is_read(word) && operation.ending == Ending::Ok => (true, told),
            ("cas" | "append" | "add" | "enqueue" | "enq", _) => (false, &operation.asked),
            (word, _) if is_write(word) || RISES.contains(&word) || FALLS.contains(&word) => (false, &operation.asked),
            _ => continue,
        };
        let value = match value.sequence() {
            Some([_, value]) if keyed => value,
            _ => value,
        };
        for value in value.untagged().elements().unwrap_or(core::slice::from_ref(value)) {
            match value {
                Edn::Nil => {}
                Edn::Text(text) if reads && text.parse::<i64>().is_ok() => texts = true,
                Edn::Integer(_) if !reads => numbers = true,
                _ => others = true,
            }
        }
    }
    texts && numbers && !others
}
