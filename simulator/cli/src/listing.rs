//! The registries as text and as JSON: scenarios and seeded bugs.

use crate::args::ScenariosArguments;
use crate::output::tagged;
use crate::own;
use serde_json::{Value, json};
use std::io;
use vopr_check::exit::{Exit, Problem};
use vopr_check::output::violation::wrapped;
use vopr_check::terminal::Sink;
use vopr_sim::bugs::{self, SeededBug};
use vopr_sim::scenario::Scenario;
use vopr_sim::scenarios;

/// Width of the descriptions.
const TEXT_COLUMNS: usize = 100;

/// A scenario as an object.
#[must_use]
pub fn scenario(scenario: &Scenario) -> Value {
    json!({
        "name": scenario.name,
        "aliases": scenario.aliases,
        "phase": scenario.phase,
        "purpose": scenario.purpose,
        "configuration": scenario.base.describe(),
        "evidence": scenario.evidence,
        "holds": scenario.holds,
    })
}

/// A bug as an object.
#[must_use]
pub fn bug(bug: &SeededBug) -> Value {
    json!({ "name": bug.name, "does": bug.does, "scenarios": bug.scenarios, "invariants": bug.invariants })
}

/// Prints the chosen scenarios.
///
/// # Errors
/// When nothing matches, or standard output cannot be written.
pub fn print_scenarios(arguments: &ScenariosArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    if arguments.schema {
        sink.line(own::schema().trim_end())?;
        return Ok(Exit::Held);
    }
    if let Some(scenario) = arguments.toml.as_deref().and_then(scenarios::find) {
        sink.line("# vopr run --config THIS_FILE; every key: docs/guide/writing-a-scenario.md, or vopr scenarios --schema")?;
        sink.line(own::to_toml(scenario).trim_end())?;
        return Ok(Exit::Held);
    }
    let text = arguments.filter.as_deref().unwrap_or_default().to_lowercase();
    let mentions = |scenario: &Scenario| {
        let names = core::iter::once(scenario.name).chain(scenario.aliases.iter().copied());
        names.chain([scenario.purpose]).any(|words| words.to_lowercase().contains(&text))
    };
    let in_phase = |scenario: &Scenario| arguments.phase.is_none_or(|phase| phase == scenario.phase);
    let chosen: Vec<&Scenario> = scenarios::all().iter().filter(|scenario| in_phase(scenario) && mentions(scenario)).collect();
    if chosen.is_empty() {
        return Err(Problem::nothing("no scenario matches; `vopr scenarios` lists all of them"));
    }
    for scenario in chosen {
        if arguments.json {
            sink.object(&tagged("scenario", self::scenario(scenario)))?;
        } else {
            print_scenario(scenario, sink)?;
        }
    }
    Ok(Exit::Held)
}

fn print_scenario(scenario: &Scenario, sink: &mut Sink<'_>) -> io::Result<()> {
    let aliases = if scenario.aliases.is_empty() { String::new() } else { format!(" ({})", scenario.aliases.join(", ")) };
    sink.line(&format!("{}{aliases}   phase {}", scenario.name, scenario.phase))?;
    field("purpose", scenario.purpose, sink)?;
    field("runs with", &scenario.base.describe(), sink)?;
    field("evidence", scenario.evidence, sink)?;
    field("tests", &scenario.holds.join(", "), sink)?;
    sink.line("")
}

/// Prints the chosen bugs; all when none is named.
///
/// # Errors
/// When standard output cannot be written.
pub fn print_bugs(chosen: &[&SeededBug], json: bool, sink: &mut Sink<'_>) -> io::Result<()> {
    for bug in chosen {
        if json {
            sink.object(&tagged("bug", self::bug(bug)))?;
        } else {
            sink.line(bug.name)?;
            field("does", bug.does, sink)?;
            field("found in", &bug.scenarios.join(", "), sink)?;
            field("caught by", &bug.invariants.join(", "), sink)?;
            sink.line("")?;
        }
    }
    Ok(())
}

/// The bugs of these names; all when there is none.
#[must_use]
pub fn chosen_bugs(names: &[String]) -> Vec<&'static SeededBug> {
    bugs::all().iter().filter(|bug| names.is_empty() || names.iter().any(|name| name == bug.name)).collect()
}

fn field(name: &str, text: &str, sink: &mut Sink<'_>) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    for (index, line) in wrapped(text, TEXT_COLUMNS).enumerate() {
        sink.line(&format!("  {:<10} {line}", if index == 0 { name } else { "" }))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(arguments: &ScenariosArguments) -> Vec<String> {
        let mut written = Vec::new();
        print_scenarios(arguments, &mut Sink::new(&mut written)).unwrap();
        String::from_utf8(written).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn listings_for_programs_have_a_name_on_every_line() {
        let lines = lines(&ScenariosArguments { json: true, ..ScenariosArguments::default() });
        assert_eq!(lines.len(), scenarios::all().len());
        for line in lines {
            let object: Value = serde_json::from_str(&line).unwrap();
            assert!(object["name"].is_string() && object["evidence"].is_string(), "{line}");
        }
    }

    #[test]
    fn filters_look_at_names_and_aliases() {
        let lines =
            lines(&ScenariosArguments { filter: Some("SWIZZLE".to_owned()), phase: Some(0), json: true, ..ScenariosArguments::default() });
        assert_eq!(lines.len(), 1);
        let nothing = ScenariosArguments { filter: Some("no such thing".to_owned()), ..ScenariosArguments::default() };
        assert_eq!(print_scenarios(&nothing, &mut Sink::new(io::sink())).unwrap_err().exit, Exit::NothingToDo);
    }

    #[test]
    fn bugs_are_chosen_by_name() {
        assert_eq!(chosen_bugs(&[]).len(), bugs::all().len());
        let name = bugs::all()[1].name;
        assert_eq!(chosen_bugs(&[name.to_owned()])[0].name, name);
    }
}
