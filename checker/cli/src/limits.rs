//! Numbers with units on the command line: `4GiB`, `30s`, `10..20`.
//!
//! clap turns the errors of these functions into usage errors that show the value.

use std::time::Duration;

/// Bytes: a number with an optional unit (`B`, `KiB`, `MiB`, `GiB`, `KB`, `MB`, `GB`).
///
/// # Errors
/// What is wrong with the text, for people.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err(format!("`{unit}` is no unit of memory: use KiB, MiB or GiB")),
    };
    number.checked_mul(factor).filter(|bytes| *bytes > 0).ok_or_else(|| "must be above 0 and fit 64 bits".to_owned())
}

/// A duration: a number with an optional unit (`ms`, `s`, `m`, `h`); seconds without one.
///
/// # Errors
/// What is wrong with the text, for people.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("`{unit}` is no unit of time: use ms, s, m or h")),
    };
    let total = number.checked_mul(milliseconds).filter(|total| *total > 0);
    total.map(Duration::from_millis).ok_or_else(|| "must be above 0 and fit 64 bits".to_owned())
}

/// A seed, or a range of seeds `FIRST..LAST` with both ends included.
///
/// # Errors
/// What is wrong with the text, for people.
pub fn seeds(text: &str) -> Result<core::ops::RangeInclusive<u64>, String> {
    let number = |part: &str| part.parse::<u64>().map_err(|error| format!("`{part}`: {error}"));
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last.trim_start_matches('='))?);
    if first > last { Err("the range is empty".to_owned()) } else { Ok(first..=last) }
}

fn split(text: &str) -> Result<(u64, &str), String> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let number = text[..end].parse().map_err(|_| "must begin with a whole number".to_owned())?;
    Ok((number, text[end..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_understood() {
        assert_eq!(bytes("4GiB"), Ok(4 << 30));
        assert_eq!(bytes("100 MB"), Ok(100_000_000));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(seeds("7"), Ok(7..=7));
        assert_eq!(seeds("7..9"), Ok(7..=9));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "GiB", "0", "3 parsecs", "99999999999GiB", "-1"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        for text in ["", "s", "0s", "5 weeks"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "9..7", "a..b", "1..", "-1"] {
            assert!(seeds(text).is_err(), "{text}");
        }
    }
}
