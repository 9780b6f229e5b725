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

/// A duration above 0: see [`time`].
///
/// # Errors
/// What is wrong with the text, for people.
pub fn duration(text: &str) -> Result<Duration, String> {
    time(text).and_then(|time| if time.is_zero() { Err("must be above 0".to_owned()) } else { Ok(time) })
}

/// A time: a number, whose fraction is exact, with an optional unit (`ns`, `us`, `ms`, `s`, `m`, `h`); seconds without one. Whatever the
/// programs print, such as `1.450702 s`, is understood.
///
/// # Errors
/// What is wrong with the text, for people.
pub fn time(text: &str) -> Result<Duration, String> {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let unit_ns: u64 = match unit {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(format!("`{unit}` is no unit of time: use ns, us, ms, s, m or h")),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| part.parse::<u64>().ok().filter(|_| part.bytes().all(|byte| byte.is_ascii_digit()));
    let parts = digits(whole).zip(digits(fraction)).zip(u32::try_from(fraction.len()).ok().and_then(|places| 10_u64.checked_pow(places)));
    let ((whole, fraction), scale) = parts.ok_or_else(|| "must begin with a number, such as 90, 1.5 or 0.25".to_owned())?;
    let fraction_ns = u128::from(fraction) * u128::from(unit_ns) / u128::from(scale);
    let total_ns = u128::from(whole) * u128::from(unit_ns) + fraction_ns;
    u64::try_from(total_ns).map(Duration::from_nanos).map_err(|_| "must fit 64 bits of nanoseconds, which are 584 years".to_owned())
}

/// A duration as a word that [`duration`] reads as the same.
#[must_use]
pub fn word(time: Duration) -> String {
    let ns = time.as_nanos();
    match (ns % 1_000_000, ns % 1_000) {
        (0, _) => format!("{}ms", ns / 1_000_000),
        (_, 0) => format!("{}us", ns / 1_000),
        _ => format!("{ns}ns"),
    }
}

/// How many: a number above 0.
///
/// # Errors
/// What is wrong with the text, for people.
pub fn count(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "must be a whole number above 0".to_owned())
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
        assert_eq!(time("0"), Ok(Duration::ZERO));
        assert_eq!(seeds("7"), Ok(7..=7));
        assert_eq!(seeds("7..9"), Ok(7..=9));
    }

    #[test]
    fn times_that_are_printed_are_read_to_the_nanosecond() {
        let ns = |text: &str| duration(text).map(|time| time.as_nanos());
        let printed = crate::output::violation::seconds(13_052_210_000);
        assert_eq!((ns(&printed), ns("1.5ms"), ns("1.5s")), (Ok(13_052_210_000), Ok(1_500_000), Ok(1_500_000_000)));
        assert_eq!((ns("300us"), ns("7ns"), ns("1.450702")), (Ok(300_000), Ok(7), Ok(1_450_702_000)));
        for ns in [1, 1_000, 1_500_000, 90_000_000_000, 1_234_567_891] {
            let time = Duration::from_nanos(ns);
            assert_eq!(duration(&word(time)), Ok(time));
        }
        assert_eq!(word(Duration::from_millis(1_500)), "1500ms");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "GiB", "0", "3 parsecs", "99999999999GiB", "-1"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        for text in ["", "s", "0s", "0.0", "5 weeks", "1.2.3", ".5s", "1.", "+1", "9999999h", "1.12345678901234567890123"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "0", "-5", "1.5", "99999999999999999999"] {
            assert!(count(text).is_err(), "{text}");
        }
        for text in ["", "9..7", "a..b", "1..", "-1"] {
            assert!(seeds(text).is_err(), "{text}");
        }
    }
}
