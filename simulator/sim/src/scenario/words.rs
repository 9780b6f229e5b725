//! A scenario's values as words: `"20s"`, `"5%"`, `["1ms", "5ms"]`, names of families.
//!
//! People write and read scenarios as text. Inside, every time is a number of nanoseconds and every rate one of parts per million,
//! so that nothing is rounded: the words are turned into these numbers digit by digit, and back without loss.

use super::{List, Rates, Text, Times};
use crate::attack::CommandName;
use crate::options::{ClockOptions, Families, LONGEST_NS, Rate};
use core::fmt;
use core::marker::PhantomData;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error, IgnoredAny, IntoDeserializer, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use vsr::message::Command;

/// Units of time, the longest first.
const UNITS: [(&str, u64); 6] =
    [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
/// Parts per million in a percent.
const PERCENT: u64 = 10_000;

/// A text, kept for as long as the program runs: a scenario is read once, and used until the end like the registry's rows.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    String::deserialize(deserializer).map(|text| &*text.leak())
}

/// A list, kept like [`text`].
pub(super) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<List<T>, D::Error> {
    Vec::deserialize(deserializer).map(|list| &*list.leak())
}

/// A list of texts, kept like [`text`].
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<List<Text>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let kept: Vec<Text> = texts.into_iter().map(|text| &*text.leak()).collect();
    Ok(kept.leak())
}

/// A decimal number times `scale`, exactly; none when it is no number, has more digits than `scale`, or is too large.
fn decimal(text: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || (text.contains('.') && fraction.is_empty()) {
        return None;
    }
    let power = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()?.checked_mul(scale)? };
    if part % power != 0 {
        return None;
    }
    whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(part / power)
}

/// A time as it is written, e.g. `20s`, `1.5s`, `200 ms`.
fn nanoseconds(text: &str) -> Option<u64> {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    decimal(number, *scale)
}

/// The shortest way to write a time in whole units.
fn time_words(nanoseconds: u64) -> String {
    // Minutes and hours are understood; scenarios are written in seconds.
    let (unit, scale) = UNITS[2..].iter().find(|(_, scale)| nanoseconds.is_multiple_of(*scale)).unwrap_or(&("ns", 1));
    format!("{}{unit}", nanoseconds / scale)
}

/// A rate as it is written, e.g. `5%`, `0.01%`.
fn parts_per_million(text: &str) -> Option<Rate> {
    let parts = decimal(text.strip_suffix('%')?.trim_end(), PERCENT)?;
    u32::try_from(parts).ok().map(Rate).filter(|rate| *rate <= Rate::ALWAYS)
}

fn rate_words(rate: Rate) -> String {
    format!("{}%", f64::from(rate.0) / 10_000.0)
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = u64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Duration::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        let time = nanoseconds(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
        if time > LONGEST_NS { Err(E::custom(format!("{text} is too long: at most 100h"))) } else { Ok(time) }
    }
}

struct RateVisitor;

impl Visitor<'_> for RateVisitor {
    type Value = Rate;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Share::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Rate, E> {
        parts_per_million(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_f64<E: Error>(self, share: f64) -> Result<Rate, E> {
        // The shortest decimal of a floating-point number is what was written.
        let parts = Some(share.to_string()).and_then(|text| decimal(&text, u64::from(Rate::ALWAYS.0)));
        let rate = parts.and_then(|parts| u32::try_from(parts).ok()).map(Rate).filter(|rate| *rate <= Rate::ALWAYS);
        rate.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Float(share), &self))
    }

    fn visit_i64<E: Error>(self, share: i64) -> Result<Rate, E> {
        match share {
            0 => Ok(Rate::NEVER),
            1 => Ok(Rate::ALWAYS),
            _ => Err(E::invalid_value(serde::de::Unexpected::Signed(share), &self)),
        }
    }

    fn visit_u64<E: Error>(self, share: u64) -> Result<Rate, E> {
        self.visit_i64(i64::try_from(share).unwrap_or(i64::MAX))
    }
}

/// A value that is written as a word.
trait Word: Copy + Ord + DeserializeOwned {
    /// What it looks like.
    const EXPECTED: &'static str;
}

/// How a field of nanoseconds is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Duration(u64);

impl Word for Duration {
    const EXPECTED: &'static str = "a time with its unit (h, m, s, ms, us, ns), like \"20s\" or \"1.5ms\"";
}

impl Duration {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
    pub(super) fn serialize<S: Serializer>(nanoseconds: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time_words(*nanoseconds))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)? *(h|m|s|ms|us|ns)$",
            "description": "A time with its unit: \"20s\", \"1.5ms\".",
        })
    }
}

/// How a field that is one rate is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share(Rate);

impl Word for Share {
    const EXPECTED: &'static str = "a rate like \"5%\" or 0.05, between 0 and 1, in steps of a millionth";
}

impl Share {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
    pub(super) fn serialize<S: Serializer>(rate: &Rate, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rate_words(*rate))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        deserializer.deserialize_any(RateVisitor)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A rate: \"5%\" or 0.05.",
            "oneOf": [{ "type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,4})? *%$" }, { "type": "number", "minimum": 0, "maximum": 1 }],
        })
    }
}

/// A single value for a range of one, or its two ends, which must be in order.
struct RangeVisitor<W>(PhantomData<W>);

impl<'de, W: Word> Visitor<'de> for RangeVisitor<W> {
    type Value = (W, W);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, or [lowest, highest]", W::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(W, W), E> {
        W::deserialize(text.into_deserializer()).map(|value| (value, value))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(W, W), E> {
        W::deserialize(number.into_deserializer()).map(|value| (value, value))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(W, W), E> {
        W::deserialize(number.into_deserializer()).map(|value| (value, value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut ends: A) -> Result<(W, W), A::Error> {
        let low: W = ends.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let high: W = ends.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
        if ends.next_element::<IgnoredAny>()?.is_some() {
            return Err(A::Error::custom("a range has two ends, [lowest, highest]"));
        }
        if low > high {
            return Err(A::Error::custom("the range is reversed: [lowest, highest] is meant"));
        }
        Ok((low, high))
    }
}

/// One value where a range has the same at both ends.
fn range_words<S: Serializer, W: Serialize + PartialEq>(low: &W, high: &W, serializer: S) -> Result<S::Ok, S::Error> {
    if low == high {
        return low.serialize(serializer);
    }
    let mut pair = serializer.serialize_tuple(2)?;
    pair.serialize_element(low)?;
    pair.serialize_element(high)?;
    pair.end()
}

fn range_schema<W: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let word = generator.subschema_for::<W>();
    json_schema!({
        "description": "One value, or [lowest, highest]: each seed draws its own.",
        "oneOf": [word, { "type": "array", "items": word, "minItems": 2, "maxItems": 2 }],
    })
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        range_words(&Duration(self.0), &Duration(self.1), serializer)
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RangeVisitor(PhantomData)).map(|(Duration(low), Duration(high))| Self(low, high))
    }
}

impl JsonSchema for Times {
    fn schema_name() -> Cow<'static, str> {
        "Times".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        range_schema::<Duration>(generator)
    }
}

impl Serialize for Rates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        range_words(&Share(self.0), &Share(self.1), serializer)
    }
}

impl<'de> Deserialize<'de> for Rates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RangeVisitor(PhantomData)).map(|(Share(low), Share(high))| Self(low, high))
    }
}

impl JsonSchema for Rates {
    fn schema_name() -> Cow<'static, str> {
        "Rates".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        range_schema::<Share>(generator)
    }
}

/// A pair in the table, written with a name for each half.
macro_rules! named_pair {
    ($(#[$meta:meta])* $word:ident { $(#[$first_meta:meta])* $first:ident: $first_type:ty, $(#[$second_meta:meta])* $second:ident: $second_type:ty }) => {
        $(#[$meta])*
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $word {
            $(#[$first_meta])*
            $first: $first_type,
            $(#[$second_meta])*
            $second: $second_type,
        }

        impl $word {
            pub(super) fn serialize<S: Serializer>(pair: &($first_type, $second_type), serializer: S) -> Result<S::Ok, S::Error> {
                let ($first, $second) = *pair;
                Serialize::serialize(&Self { $first, $second }, serializer)
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<($first_type, $second_type), D::Error> {
                let Self { $first, $second } = Deserialize::deserialize(deserializer)?;
                Ok(($first, $second))
            }
        }
    };
}

named_pair! {
    /// A disk that is slow at times.
    SlowDisk {
        /// Which share of its accesses.
        #[serde(with = "Share")]
        share: Rate,
        /// How much longer they take.
        delay: Times
    }
}

named_pair! {
    /// Backups that are left behind.
    Laggards {
        /// How many at a time.
        backups: u8,
        /// For how long.
        away: Times
    }
}

named_pair! {
    /// A client's longer pauses.
    Rest {
        /// How often.
        #[serde(with = "Share")]
        chance: Rate,
        /// How long.
        #[serde(with = "Duration")]
        time: u64
    }
}

/// Clocks.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "ClockOptions", deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names of the options that it stands for: all are limits")]
pub(super) struct Clocks {
    /// Largest constant offset, either way.
    #[serde(rename = "offset_max", with = "Duration")]
    offset_ns_max: u64,
    /// Largest drift, parts per million either way.
    drift_ppm_max: u32,
    /// Largest step, either way.
    #[serde(rename = "step_max", with = "Duration")]
    step_ns_max: u64,
}

/// Families of faults, by name.
pub(super) struct FamilyNames;

impl FamilyNames {
    /// The names, and whether each is among `families`: those of the recorded options.
    fn switches(families: Families) -> Vec<(String, bool)> {
        let object = serde_json::to_value(families).ok().and_then(|value| value.as_object().cloned()).unwrap_or_default();
        object.into_iter().map(|(name, on)| (name, on.as_bool().unwrap_or_default())).collect()
    }

    fn names() -> Vec<String> {
        Self::switches(Families::NONE).into_iter().map(|(name, _)| name).collect()
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
    pub(super) fn serialize<S: Serializer>(families: &Families, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(Self::switches(*families).into_iter().filter(|(_, on)| *on).map(|(name, _)| name))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Families, D::Error> {
        let one = |name: &FamilyName| {
            let is_named = |one: &Families| Self::switches(*one).contains(&(name.0.clone(), true));
            Families::EACH.into_iter().find(is_named).unwrap_or(Families::NONE)
        };
        let names = Vec::<FamilyName>::deserialize(deserializer)?;
        Ok(names.iter().fold(Families::NONE, |sum, name| sum.or(one(name))))
    }
}

impl JsonSchema for FamilyNames {
    fn schema_name() -> Cow<'static, str> {
        "Families".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Families of faults.", "type": "array", "items": { "enum": Self::names() }, "uniqueItems": true })
    }
}

/// The name of one family.
struct FamilyName(String);

impl<'de> Deserialize<'de> for FamilyName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        known_word(&name, &FamilyNames::names()).map_err(D::Error::custom)?;
        Ok(Self(name))
    }
}

/// Says what words there are when this is none of them, as serde does of an enum.
fn known_word(word: &str, known: &[String]) -> Result<(), String> {
    if known.iter().any(|name| name == word) {
        return Ok(());
    }
    let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    Err(format!("unknown variant `{word}`, expected one of {}", quoted.join(", ")))
}

/// A kind of message, where one is named.
pub(super) struct MaybeCommand;

impl MaybeCommand {
    #[expect(clippy::trivially_copy_pass_by_ref, clippy::ref_option, reason = "the shape that serde asks for")]
    pub(super) fn serialize<S: Serializer>(command: &Option<Command>, serializer: S) -> Result<S::Ok, S::Error> {
        command.map(CommandName).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Command>, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known: Vec<String> = Command::ALL.iter().map(|command| command.name().to_owned()).collect();
        known_word(&name, &known).map_err(D::Error::custom)?;
        Ok(Command::ALL.iter().find(|command| command.name() == name).copied())
    }
}

impl JsonSchema for MaybeCommand {
    fn schema_name() -> Cow<'static, str> {
        "Command".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Command::ALL.iter().map(|command| command.name()).collect();
        json_schema!({ "description": "A kind of message.", "enum": names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_exactly() {
        for (text, expected) in [("20s", 20_000_000_000), ("1.5ms", 1_500_000), ("200 us", 200_000), ("2m", 120_000_000_000), ("0s", 0)] {
            assert_eq!(nanoseconds(text), Some(expected), "{text}");
            assert_eq!(nanoseconds(&time_words(expected)), Some(expected), "{text}");
        }
        for text in ["", "20", "s", "-1s", "1.s", ".5s", "1.0000000001s", "1e3s", "20 fortnights", "99999999999999999999s", "18446744074s"]
        {
            assert_eq!(nanoseconds(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_that_no_world_can_add_up_is_refused() {
        let read = |text: &str| TimeVisitor.visit_str::<serde::de::value::Error>(text).map_err(|error| error.to_string());
        assert_eq!(read("100h"), Ok(LONGEST_NS));
        assert_eq!(read("360001s"), Err("360001s is too long: at most 100h".to_owned()));
    }

    #[test]
    fn rates_are_read_and_written_exactly() {
        for (text, expected) in [("5%", 50_000), ("0.01%", 100), ("100%", 1_000_000), ("0%", 0), ("0.0001 %", 1)] {
            assert_eq!(parts_per_million(text), Some(Rate(expected)), "{text}");
        }
        for rate in (0..=1_000_000).step_by(7) {
            assert_eq!(parts_per_million(&rate_words(Rate(rate))), Some(Rate(rate)));
        }
        for text in ["5", "%", "101%", "-1%", "0.00001%"] {
            assert_eq!(parts_per_million(text), None, "{text}");
        }
        let share =
            |number: f64| Share::deserialize(number.into_deserializer()).map_err(|error: serde::de::value::Error| error.to_string());
        assert_eq!(share(0.05), Ok(Rate::percent(5)));
        assert!(share(1.5).is_err() && share(-0.1).is_err() && share(f64::NAN).is_err() && share(0.000_000_1).is_err());
    }
}
