//! How far a long command has come: a bar on a terminal, otherwise one line every ten seconds on standard error.
//!
//! Results go to standard output; nothing of this file does.

use crate::terminal::{grouped, note};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const LINE_EVERY: Duration = Duration::from_secs(10);

const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Progress over a known amount of work.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    unit: &'static str,
    started: Instant,
    last_line: Instant,
    total: u64,
    done: u64,
    /// Work done before this process started: it counts as done, and not for the rate.
    earlier: u64,
    failures: u64,
    /// What else there is to say.
    remark: String,
    /// When it ends, however much is done.
    deadline: Option<Instant>,
}

impl Progress {
    /// `total` things called `unit` (plural), `earlier` of them already done.
    #[must_use]
    pub fn new(total: u64, earlier: u64, unit: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
            let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_position(earlier);
            bar
        });
        let now = Instant::now();
        Self { bar, unit, started: now, last_line: now, total, done: earlier, earlier, failures: 0, remark: String::new(), deadline: None }
    }

    /// Work that ends at this time at the latest; a total of 0 means that only time ends it.
    #[must_use]
    pub fn until(mut self, deadline: Option<Instant>) -> Self {
        self.deadline = deadline;
        self
    }

    /// What stands behind the numbers from now on.
    pub fn remark(&mut self, remark: String) {
        self.remark = remark;
    }

    /// More was done, with this many failures among it.
    pub fn advance(&mut self, done: u64, failures: u64) {
        self.done += done;
        self.failures += failures;
        self.tick();
    }

    /// The total has become known, or has changed.
    pub fn set(&mut self, done: u64, total: u64, failures: u64) {
        (self.done, self.total, self.failures) = (done, total, failures);
        if let Some(bar) = &self.bar {
            bar.set_length(total);
        }
        self.tick();
    }

    /// Draws, when it is time to.
    pub fn tick(&mut self) {
        if let Some(bar) = &self.bar {
            if self.last_line.elapsed() >= DRAW_EVERY {
                self.last_line = Instant::now();
                bar.set_position(self.done);
                bar.set_message(self.message());
            }
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let elapsed = clock(self.started.elapsed());
            let total = if self.is_open() { String::new() } else { format!(" of {}", grouped(self.total)) };
            note(&format!("{elapsed}  {}{total} {}", grouped(self.done), self.message()));
        }
    }

    /// Prints something else without tearing the bar.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people needs three digits")]
    fn message(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f64().max(1e-9);
        let rate = (self.done - self.earlier.min(self.done)) as f64 / seconds;
        let left = self.total.saturating_sub(self.done) as f64;
        let by_rate = (rate > 0.0 && !self.is_open()).then(|| Duration::try_from_secs_f64(left / rate).unwrap_or(Duration::MAX));
        let by_time = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let eta = by_rate.into_iter().chain(by_time).min().map_or_else(|| "-".to_owned(), clock);
        let remark = if self.remark.is_empty() { String::new() } else { format!(" · {}", self.remark) };
        format!("{} · {rate:.1}/s · ETA {eta} · {} failed{remark}", self.unit, self.failures)
    }

    /// Whether only time ends it.
    fn is_open(&self) -> bool {
        self.total == 0 && self.deadline.is_some()
    }
}

/// A duration as `h:mm:ss`.
#[must_use]
pub fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_clocks() {
        assert_eq!(clock(Duration::from_secs(3 * 3600 + 62)), "3:01:02");
    }

    #[test]
    fn work_of_an_earlier_process_is_not_part_of_the_rate() {
        let mut progress = Progress::new(100, 90, "runs");
        progress.advance(1, 1);
        let message = progress.message();
        assert!(message.contains("1 failed"), "{message}");
        assert_eq!((progress.done, progress.earlier), (91, 90));
    }

    #[test]
    fn of_two_ends_the_earlier_one_is_told() {
        let soon = Some(Instant::now() + Duration::from_secs(5000));
        let mut open = Progress::new(0, 0, "runs").until(soon);
        open.advance(1, 0);
        open.remark("2 groups".to_owned());
        let message = open.message();
        assert!(message.contains("ETA 1:2") && message.ends_with("0 failed · 2 groups"), "{message}");
        let mut endless = Progress::new(u64::MAX, 0, "runs").until(soon);
        endless.advance(1, 0);
        assert!(endless.message().contains("ETA 1:2"), "{}", endless.message());
    }
}
