//! What a manifest states of a file, in the several ways in which suites state it.
//!
//! Some state whether a history is linearizable, in words, in the name of the file, or as two programs' answers; Elle's tests state
//! which anomalies there are and whether the levels that were asked for hold.

use super::Told;
use anyhow::{Result, bail};
use vopr_checker::import::edn::{Edn, Reader};
use vopr_checker::transactions::{self, KeyOrder, Level, Standing};
use vopr_checker::{Budget, RunIndex, imported};
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
            // Elle does not know where a history has no dependencies at all: nothing is stated.
            Self::Isolation { valid, .. } => valid.map(|valid| holds == Some(valid)),
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

/// What each anomaly is a case of (Adya; Elle's table): who asks for one asks for all that are cases of it.
const IMPLIED: &[(&str, &[&str])] = &[
    ("G0", &["G1c", "G0-process"]),
    ("G0-process", &["G1c-process", "G0-realtime"]),
    ("G0-realtime", &["G1c-realtime"]),
    ("G1a", &["G1"]),
    ("G1b", &["G1"]),
    ("G1c", &["G1", "G1c-process"]),
    ("G1c-process", &["G1c-realtime", "G1-process"]),
    ("G1c-realtime", &["G1-realtime"]),
    ("G1", &["G1-process"]),
    ("G1-process", &["G1-realtime"]),
    ("G-single-item", &["G-single", "G-single-item-process", "G-nonadjacent-item"]),
    ("G-single-item-process", &["G-single-process", "G-single-item-realtime", "G-nonadjacent-item-process"]),
    ("G-single-item-realtime", &["G-single-realtime", "G-nonadjacent-item-realtime"]),
    ("G-single", &["G-nonadjacent", "G-single-process"]),
    ("G-single-process", &["G-nonadjacent-process", "G-single-realtime"]),
    ("G-single-realtime", &["G-nonadjacent-realtime"]),
    ("G-nonadjacent-item", &["G-nonadjacent", "G2-item", "G-nonadjacent-item-process"]),
    ("G-nonadjacent-item-process", &["G-nonadjacent-process", "G2-item-process", "G-nonadjacent-item-realtime"]),
    ("G-nonadjacent-item-realtime", &["G2-item-realtime", "G-nonadjacent-realtime"]),
    ("G-nonadjacent", &["G2", "G-nonadjacent-process"]),
    ("G-nonadjacent-process", &["G2-process", "G-nonadjacent-realtime"]),
    ("G-nonadjacent-realtime", &["G2-realtime"]),
    ("G2", &["G2-process"]),
    ("G2-item", &["G2", "G2-item-process"]),
    ("G2-item-process", &["G2-process", "G2-item-realtime"]),
    ("G2-item-realtime", &["G2-realtime"]),
    ("G2-process", &["G2-realtime"]),
    ("incompatible-order", &["G1a"]),
    ("future-read", &["G1c"]),
    ("dirty-update", &["G1a"]),
    ("lost-update", &["G2-item"]),
];

/// Whether an anomaly is a case of another one.
fn implies(anomaly: &str, other: &str) -> bool {
    let next = IMPLIED.iter().find(|(name, _)| *name == anomaly).map_or(&[][..], |(_, implied)| implied);
    anomaly == other || next.iter().any(|name| implies(name, other))
}

/// Judges the isolation of transactions as Elle was asked to: the levels and anomalies of its options.
pub fn isolation(history: &History, expected: &Expected, budget: &Budget) -> Told {
    let index = RunIndex::new(history, 0);
    let (Some(imported), Expected::Isolation { options, .. }) = (index.imported(), expected) else {
        return Told { holds: None, words: "nothing is stated about its isolation".to_owned() };
    };
    let flag = |name| options.get(name) == Some(&Edn::Bool(true));
    let key_order = match (flag("linearizable-keys?"), flag("sequential-keys?")) {
        (true, _) => KeyOrder::Linearizable,
        (_, true) => KeyOrder::Sequential,
        _ => KeyOrder::None,
    };
    let options_of_reader = transactions::Options { key_order, ..transactions::Options::default() };
    let analysis = match transactions::analyze(&imported::transactions(&index, imported), &options_of_reader, &budget.meter()) {
        Ok(analysis) => analysis,
        Err(exhausted) => return Told { holds: None, words: format!("unknown: {exhausted}") },
    };
    let words = |name: &str| -> Vec<String> {
        options.get(name).and_then(Edn::sequence).into_iter().flatten().filter_map(Edn::word).map(str::to_owned).collect()
    };
    let levels = match options.get("consistency-models") {
        None => vec![Level::StrictSerializable],
        Some(_) => words("consistency-models").iter().filter_map(|name| Level::parse(name)).collect(),
    };
    let asked = words("anomalies");
    let found: Vec<&str> = analysis.anomalies.iter().map(|anomaly| anomaly.kind.name()).collect();
    let refuted = levels.iter().find(|level| analysis.standing(**level) == Standing::Refuted);
    let prohibited = found.iter().find(|found| asked.iter().any(|asked| implies(found, asked)));
    let listed = format!("anomalies [{}]", found.join(", "));
    match (refuted, prohibited) {
        (Some(level), _) => Told { holds: Some(false), words: format!("not {level}: {listed}") },
        (None, Some(anomaly)) => Told { holds: Some(false), words: format!("has {anomaly}: {listed}") },
        (None, None) => {
            let open = levels.iter().any(|level| analysis.standing(*level) != Standing::Holds);
            let how = if open { "not refuted, nor proved" } else { "holds" };
            Told { holds: Some(true), words: format!("{how}: {listed}") }
        }
    }
}
