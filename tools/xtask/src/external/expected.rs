//! What a manifest states of a file, in the several ways in which suites state it.
//!
//! Some state whether a history is linearizable, in words, in the name of the file, or as two programs' answers; Elle's tests state
//! which anomalies there are and whether the levels that were asked for hold.

use super::Told;
use anyhow::{Result, bail};
use vopr_checker::Budget;
use vopr_checker::import::edn::{Edn, Reader};
use vopr_schema::History;

/// What is stated of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whether it is linearizable.
    Linearizable(bool),
    /// Whether the levels and anomalies that were asked for hold, as Elle has it; none: Elle does not know.
    Isolation {
        /// Whether it is valid.
        valid: Option<bool>,
        /// Elle's options.
        options: Edn,
    },
    /// Nothing.
    NotStated,
}

impl Expected {
    /// Reads the statement of a manifest.
    ///
    /// # Errors
    /// When it is of no known form.
    pub fn parse(file: &str, _model: &str, verdict: &str) -> Result<Self> {
        let word = |name: &str| {
            let rest = verdict.split_once(name)?.1;
            Some(rest.split_whitespace().next().filter(|_| !rest.starts_with(' ')).unwrap_or(""))
        };
        Ok(match verdict.trim() {
            "linearizable" => Self::Linearizable(true),
            "not linearizable" => Self::Linearizable(false),
            "not stated" => Self::NotStated,
            "by name" => Self::by_name(file),
            _ if verdict.contains("options=") => {
                let text = verdict.split_once("options=").map_or("{}", |(_, options)| options);
                let options = Reader::new(text).form().ok().flatten().unwrap_or(Edn::Nil);
                Self::Isolation { valid: truth(word("valid=").unwrap_or("")), options }
            }
            _ if verdict.contains("stated=") => match (word("porcupine="), truth(word("stated=").unwrap_or(""))) {
                (Some("Ok"), _) => Self::Linearizable(true),
                (Some("Illegal"), _) => Self::Linearizable(false),
                (_, Some(stated)) => Self::Linearizable(stated),
                (_, None) => Self::NotStated,
            },
            other => match other.split_whitespace().nth(1).and_then(truth) {
                Some(valid) => Self::Isolation { valid: Some(valid), options: Edn::Map(Vec::new()) },
                None => bail!("{other:?} is of no known form"),
            },
        })
    }

    /// Names such as `history_non_linearizable.csv`.
    fn by_name(file: &str) -> Self {
        let name = file.rsplit('/').next().unwrap_or(file).to_lowercase();
        let negated = ["non_linearizable", "nonlinearizable", "not_linearizable", "non-linearizable", "fail", "bad", "illegal"];
        if negated.iter().any(|word| name.contains(word)) {
            Self::Linearizable(false)
        } else if ["linearizable", "ok", "good"].iter().any(|word| name.contains(word)) {
            Self::Linearizable(true)
        } else {
            Self::NotStated
        }
    }

    /// Whether what this checker says is what is stated; none when nothing is.
    pub fn agrees(&self, holds: Option<bool>) -> Option<bool> {
        match self {
            Self::NotStated => None,
            Self::Linearizable(stated) => Some(holds == Some(*stated)),
            Self::Isolation { valid, .. } => Some(holds == *valid),
        }
    }
}

fn truth(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Judges the isolation of transactions.
pub fn isolation(_history: &History, _expected: &Expected, _budget: &Budget) -> Told {
    Told { holds: None, words: "unknown: transactions".to_owned() }
}
