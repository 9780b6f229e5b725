//! A user's own scenario, as TOML: read, printed, and described for editors.
//!
//! The text form is that of the registry's rows, field by field, so that any row can be printed, edited and run. What is wrong in a
//! file is told with its line and column, before anything is simulated.

use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use vopr_check::exit::Problem;
use vopr_sim::nearest::nearest;
use vopr_sim::scenario::Scenario;
use vopr_sim::scenarios;

/// The key that names a scenario of the registry: what the file does not say is as there, and its evidence is asked.
const LIKE: &str = "like";
/// What stands for the evidence of a scenario that is like none of the registry.
const NONE_ASKED: &str = "none asked";

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct ConfigError {
    /// Which file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// For people.
    pub message: String,
}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        Self::refused(error.to_string())
    }
}

/// Reads a scenario from a file. It lives as long as the program, like the registry's rows.
///
/// # Errors
/// The file cannot be read, or holds no possible scenario.
pub fn read(path: &Path) -> Result<&'static Scenario, Problem> {
    let text = std::fs::read_to_string(path).map_err(|error| Problem::refused(format!("{}: {error}", path.display())))?;
    let scenario = parse(&text, &path.display().to_string())?;
    Ok(Box::leak(Box::new(scenario)))
}

/// Reads a scenario from the text of the file called `file`.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(text: &str, file: &str) -> Result<Scenario, ConfigError> {
    let place = Place { text, file };
    let mut table = DeTable::parse(text).map_err(|error| place.syntax(&error))?;
    let own = table.get_ref().clone();
    let liked = liked(table.get_mut(), place)?;
    let liked_text = liked.map(to_toml);
    if let Some(liked_text) = &liked_text {
        let mut row = DeTable::parse(liked_text).map_err(|error| place.syntax(&error))?;
        inherit(table.get_mut(), row.get_mut());
    }
    let mut scenario = Scenario::deserialize(toml::Deserializer::from(table)).map_err(|error| place.syntax(&error))?;
    scenario.evidence = liked.map_or(NONE_ASKED, |row| row.evidence);
    scenario.base.evidence_of = liked.map(|row| row.name).filter(|name| *name != scenario.name);
    if let Err(impossible) = scenario.possible() {
        let (at, rest) = locate(&own, &impossible.path);
        let names = if rest.is_empty() { String::new() } else { format!("{}: ", rest.join(".")) };
        return Err(place.error(at, format!("{names}{}", impossible.why)));
    }
    if liked.is_none() && scenarios::find(scenario.name).is_some() {
        let (at, _) = locate(&own, &["name"]);
        let message = format!("the registry has another scenario {0}: take another name, or say {LIKE} = \"{0}\"", scenario.name);
        return Err(place.error(at, message));
    }
    Ok(scenario)
}

/// Takes the key `like` out of the table and finds its row.
fn liked(table: &mut DeTable<'_>, place: Place<'_>) -> Result<Option<&'static Scenario>, ConfigError> {
    let Some(value) = table.remove(LIKE) else { return Ok(None) };
    let at = value.span().start;
    let name = value.get_ref().as_str().ok_or_else(|| place.error(at, format!("{LIKE}: the name of a scenario is meant")))?;
    let found = scenarios::select(name).map_err(|error| place.error(at, error.to_string()))?;
    match found[..] {
        [one] => Ok(Some(one)),
        _ => Err(place.error(at, format!("{LIKE}: one scenario is meant"))),
    }
}

/// Adds to `own` what only the liked row says: other keys of the scenario but its names, and other keys of its base.
fn inherit<'a>(own: &mut DeTable<'a>, row: &mut DeTable<'a>) {
    for (key, value) in core::mem::take(row) {
        let name = key.get_ref().to_string();
        if ["name", "aliases", LIKE].contains(&name.as_str()) {
            continue;
        }
        match (own.get_mut(name.as_str()).map(Spanned::get_mut), value.into_inner()) {
            (None, value) => drop(own.insert(key, Spanned::new(0..0, value))),
            (Some(DeValue::Table(own)), DeValue::Table(row)) => {
                let missing = row.into_iter().filter(|(key, _)| !own.contains_key(key.get_ref().as_ref())).collect::<Vec<_>>();
                for (key, value) in missing {
                    own.insert(key, value);
                }
            }
            (Some(_), _) => {}
        }
    }
}

/// A scenario as the text of a file that gives it back.
///
/// # Panics
/// Never: a scenario is made of tables, lists, texts and numbers.
#[must_use]
pub fn to_toml(scenario: &Scenario) -> String {
    let own = toml::to_string(scenario).expect("a scenario is made of tables, lists, texts and numbers");
    let like = scenario.base.evidence_of.or_else(|| scenarios::find(scenario.name).map(|row| row.name));
    like.map_or_else(|| own.clone(), |like| format!("{LIKE} = \"{like}\"\n{own}"))
}

/// The shape of these files for editors: a JSON Schema.
///
/// # Panics
/// Never: the schema is an object.
#[must_use]
pub fn schema() -> String {
    let mut schema: Value = schemars::schema_for!(Scenario).into();
    let names: Vec<&str> = scenarios::all().iter().map(|scenario| scenario.name).collect();
    let description = "A scenario of the registry: what the file does not say is as there, and its evidence is asked of the runs.";
    schema["title"] = json!("A scenario of vopr");
    schema["description"] = json!("For `vopr run --config FILE`; see docs/guide/writing-a-scenario.md.");
    schema["properties"][LIKE] = json!({ "description": description, "enum": names });
    let text = serde_json::to_string_pretty(&schema).expect("an object");
    text + "\n"
}

/// Where a text is from, to say where in it something is wrong.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    text: &'a str,
    file: &'a str,
}

impl Place<'_> {
    fn error(self, at: usize, message: String) -> ConfigError {
        let before = self.text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        ConfigError { file: self.file.to_owned(), line, column: before[line_start..].chars().count() + 1, message }
    }

    fn syntax(self, error: &toml::de::Error) -> ConfigError {
        self.error(error.span().map_or(0, |span| span.start), friendly(error.message()))
    }
}

/// A message of the reader in words for people, with the word that was probably meant.
fn friendly(message: &str) -> String {
    for (beginning, what) in [("unknown field `", "key"), ("unknown variant `", "word")] {
        let Some(rest) = message.strip_prefix(beginning) else { continue };
        let Some((word, expected)) = rest.split_once('`') else { continue };
        // Names stand between backquotes: every second piece.
        let known: Vec<String> = expected.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let meant = nearest(word, known.iter().map(String::as_str)).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return format!("unknown {what} `{word}`{meant} (known here: {})", known.join(", "));
    }
    message.trim().replace('\n', " ")
}

/// Where the value at the end of `path` begins, or the deepest one on the way to it that is there; and the rest of the path.
fn locate<'p>(table: &DeTable<'_>, path: &'p [&'static str]) -> (usize, &'p [&'static str]) {
    let Some((first, rest)) = path.split_first() else { return (0, path) };
    let Some(value) = table.get(*first) else { return (0, path) };
    match value.get_ref() {
        DeValue::Table(inner) if rest.first().is_some_and(|next| inner.contains_key(*next)) => locate(inner, rest),
        _ => (value.span().start, rest),
    }
}

#[cfg(test)]
mod tests;
