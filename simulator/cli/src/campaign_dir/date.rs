//! Days and times for people, in UTC: when parts of a campaign ran, and until when a failure counts as known.
//!
//! A campaign's files hold milliseconds since 1970; only what people read or write is a date.

use std::time::{SystemTime, UNIX_EPOCH};

const MS_PER_DAY: u64 = 24 * 3600 * 1000;

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    /// Year.
    pub year: u64,
    /// Month, from 1.
    pub month: u64,
    /// Day of the month, from 1.
    pub day: u64,
}

impl Day {
    /// The day of an instant, milliseconds since 1970.
    #[must_use]
    pub fn of_ms(unix_ms: u64) -> Self {
        // Counted from the first of March of year 0, so that the day that leap years add is the last of its year.
        let days = unix_ms / MS_PER_DAY + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self { year: era * 400 + year_of_era + u64::from(month <= 2), month, day }
    }

    /// Today.
    #[must_use]
    pub fn today() -> Self {
        Self::of_ms(now_ms())
    }
}

impl core::fmt::Display for Day {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// An instant as `2026-11-29 23:05:00`.
#[must_use]
pub fn instant(unix_ms: u64) -> String {
    let seconds = unix_ms % MS_PER_DAY / 1000;
    format!("{} {:02}:{:02}:{:02}", Day::of_ms(unix_ms), seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// An instant as a part of a file name: `20261129-230500`.
#[must_use]
pub fn stamp(unix_ms: u64) -> String {
    instant(unix_ms).replace(['-', ':'], "").replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let text = |seconds: u64| instant(seconds * 1000);
        assert_eq!(text(0), "1970-01-01 00:00:00");
        assert_eq!(text(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(text(951_868_800), "2000-03-01 00:00:00");
        assert_eq!(text(1_796_000_734), "2026-11-30 01:05:34");
        assert_eq!(text(4_107_542_400), "2100-03-01 00:00:00");
        assert_eq!(stamp(1_796_000_734_000), "20261130-010534");
    }

    #[test]
    fn days_are_ordered() {
        let day = |year, month, day| Day { year, month, day };
        assert!(day(2026, 12, 31) < day(2027, 1, 1) && day(2026, 2, 3) < day(2026, 10, 1));
    }
}
