//! Numbers for values: what is a whole number from 0 on stays itself, everything else gets a number beyond all of those.
//!
//! A history has columns of numbers only. The dictionary of the others is kept in the run's options and in the file's footer.

use super::edn::Edn;
use std::collections::BTreeMap;

/// The number of the first interned value; the following ones have the numbers behind it.
pub const FIRST: u64 = 1 << 63;

/// Numbers of values, and values of numbers.
#[derive(Clone, Debug, Default)]
pub struct Interner {
    numbers: BTreeMap<String, u64>,
    values: Vec<String>,
}

impl Interner {
    /// The number of a value.
    pub fn number(&mut self, value: &Edn) -> u64 {
        if let Edn::Integer(number) = value
            && let Ok(number) = u64::try_from(*number)
        {
            return number;
        }
        let name = name(value);
        let next = FIRST + self.values.len() as u64;
        *self.numbers.entry(name.clone()).or_insert_with(|| {
            self.values.push(name);
            next
        })
    }

    /// The values that are no whole numbers from 0 on, in EDN, in the order of their numbers.
    #[must_use]
    pub fn into_values(self) -> Vec<String> {
        self.values
    }
}

/// The name of a value: equal values have equal names, whatever they were written as.
pub(crate) fn name(value: &Edn) -> String {
    canonical(value).to_string()
}

/// Lists are vectors, sets and maps are sorted.
fn canonical(value: &Edn) -> Edn {
    let all = |forms: &[Edn]| forms.iter().map(canonical).collect::<Vec<_>>();
    match value {
        Edn::List(forms) | Edn::Vector(forms) => Edn::Vector(all(forms)),
        Edn::Set(forms) => {
            let mut forms = all(forms);
            forms.sort_by_cached_key(Edn::to_string);
            Edn::Set(forms)
        }
        Edn::Map(pairs) => {
            let mut pairs: Vec<(Edn, Edn)> = pairs.iter().map(|(key, value)| (canonical(key), canonical(value))).collect();
            pairs.sort_by_cached_key(|(key, _)| key.to_string());
            Edn::Map(pairs)
        }
        Edn::Tagged(tag, form) => Edn::Tagged(tag.clone(), Box::new(canonical(form))),
        other => other.clone(),
    }
}
