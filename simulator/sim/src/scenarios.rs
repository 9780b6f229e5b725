//! The registry: one row per scenario. Adding a scenario adds a row, not a branch.

mod basics;
mod byzantine;
mod clock;
mod corruption;
mod crash;
mod defaults;
mod gray;
mod races;
mod reconfiguration;
mod repair;
mod scrub;
mod sessions;
mod timers;

use crate::scenario::Scenario;
pub(crate) use defaults::DEFAULT;
use std::sync::LazyLock;

/// All scenarios, those of one subject together.
#[must_use]
pub fn all() -> &'static [Scenario] {
    static SCENARIOS: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
        [
            basics::SCENARIOS,
            byzantine::SCENARIOS,
            corruption::SCENARIOS,
            crash::SCENARIOS,
            gray::SCENARIOS,
            races::SCENARIOS,
            clock::SCENARIOS,
            sessions::SCENARIOS,
            repair::SCENARIOS,
            reconfiguration::SCENARIOS,
            timers::SCENARIOS,
            scrub::SCENARIOS,
        ]
        .concat()
    });
    &SCENARIOS
}

/// A selection that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// No scenario has this name or alias.
    #[error("no scenario is called {name:?}{}", .suggestion.map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest name, if one is near.
        suggestion: Option<&'static str>,
    },
    /// No scenario belongs to this phase.
    #[error("no scenario belongs to phase {0:?}")]
    NoSuchPhase(String),
    /// Nothing was named.
    #[error("no scenario is named")]
    Nothing,
}

/// The scenario with this name or alias; hyphens and underscores are alike.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scenario> {
    let name = name.trim().to_ascii_lowercase().replace('-', "_");
    all().iter().find(|scenario| names(scenario).any(|known| known.replace('-', "_") == name))
}

/// The scenarios of a comma-separated list of names, aliases, `phase:N` and `all`, each once, in the order asked for.
///
/// # Errors
/// A part names nothing.
pub fn select(list: &str) -> Result<Vec<&'static Scenario>, SelectionError> {
    let mut selected: Vec<&'static Scenario> = Vec::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let found: Vec<&'static Scenario> = if part == "all" {
            all().iter().collect()
        } else if let Some(phase) = part.strip_prefix("phase:") {
            all().iter().filter(|scenario| phase.parse() == Ok(scenario.phase)).collect()
        } else {
            find(part).into_iter().collect()
        };
        if found.is_empty() {
            return Err(match part.strip_prefix("phase:") {
                Some(phase) => SelectionError::NoSuchPhase(phase.to_owned()),
                None => SelectionError::Unknown { name: part.to_owned(), suggestion: suggest(part) },
            });
        }
        for scenario in found {
            if !selected.iter().any(|other| other.name == scenario.name) {
                selected.push(scenario);
            }
        }
    }
    if selected.is_empty() { Err(SelectionError::Nothing) } else { Ok(selected) }
}

/// The shortest words for which [`select`] gives these scenarios in this order; names that it does not know are told as they are.
#[must_use]
pub fn told(chosen: &[&str]) -> Vec<String> {
    let of_phase = |phase: u8| all().iter().filter(move |scenario| scenario.phase == phase).map(|scenario| scenario.name);
    let mut groups = vec![("all".to_owned(), all().iter().map(|scenario| scenario.name).collect::<Vec<_>>())];
    groups.extend((0..=u8::MAX).map(|phase| (format!("phase:{phase}"), of_phase(phase).collect())));
    groups.retain(|(_, names)| names.len() > 1);
    let mut words = Vec::new();
    let mut rest = chosen;
    while let Some((first, others)) = rest.split_first() {
        let group = groups.iter().find(|(_, names)| rest.starts_with(names));
        words.push(group.map_or_else(|| (*first).to_owned(), |(word, _)| word.clone()));
        rest = group.map_or(others, |(_, names)| &rest[names.len()..]);
    }
    words
}

fn names(scenario: &'static Scenario) -> impl Iterator<Item = &'static str> {
    core::iter::once(scenario.name).chain(scenario.aliases.iter().copied())
}

/// The nearest name, at most a third of whose letters are wrong.
fn suggest(name: &str) -> Option<&'static str> {
    crate::nearest::nearest(name, all().iter().flat_map(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_told_in_words_that_select_it_again() {
        for (list, words) in [
            ("all", "all"),
            ("phase:1,swizzle", "phase:1,swizzle_clogging"),
            ("baseline", "baseline"),
            ("swizzle,all", ""),
            ("phase:2,phase:1", "phase:2,phase:1"),
        ] {
            let names = |list: &str| select(list).unwrap().iter().map(|scenario| scenario.name).collect::<Vec<_>>();
            let told = told(&names(list)).join(",");
            assert_eq!(names(&told), names(list), "{list}");
            assert!(words.is_empty() || told == words, "{list} is told as {told}");
        }
        assert_eq!(super::told(&["mine", "baseline"]), ["mine", "baseline"]);
    }

    #[test]
    fn names_and_aliases_are_unique_and_found() {
        let mut seen = std::collections::BTreeSet::new();
        for scenario in all() {
            for name in names(scenario) {
                assert!(seen.insert(name), "{name} twice");
                assert_eq!(find(name).map(|found| found.name), Some(scenario.name));
            }
        }
        assert_eq!(find("Time_Compression").map(|found| found.name), Some("time_compression"));
    }

    #[test]
    fn a_list_selects_each_scenario_once_in_order() {
        let selected = |list| select(list).map(|found| found.iter().map(|scenario| scenario.name).collect::<Vec<_>>());
        assert_eq!(selected("gray, swizzle,gray_failures"), Ok(vec!["gray_failures", "swizzle_clogging"]));
        assert_eq!(
            selected("phase:3"),
            Ok(vec!["crash_during_commit", "crash_during_view_change", "recovery_corrupt_log", "recovery_reformatted_replica"])
        );
        assert_eq!(selected("baseline,all").map(|all| all.len()), Ok(all().len()));
        assert_eq!(selected(" , "), Err(SelectionError::Nothing));
        assert_eq!(selected("phase:77"), Err(SelectionError::NoSuchPhase("77".to_owned())));
    }

    #[test]
    fn a_mistyped_name_is_answered_with_the_nearest_one() {
        let message = |name| select(name).expect_err("no such scenario").to_string();
        assert_eq!(message("basline"), "no scenario is called \"basline\"; did you mean baseline?");
        assert_eq!(message("gray-failure"), "no scenario is called \"gray-failure\"; did you mean gray_failures?");
        assert_eq!(message("zzzzzz"), "no scenario is called \"zzzzzz\"");
    }
}
