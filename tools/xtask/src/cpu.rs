//! CPU time and peak memory of this process.
//!
//! Machines are shared and noisy, so figures are CPU time, never wall time.

use cpu_time::ThreadTime;

/// CPU seconds that `work` takes on this thread, and what it returns.
pub fn seconds<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = ThreadTime::now();
    let result = work();
    (start.elapsed().as_secs_f64(), result)
}

/// Largest resident set of this process so far, in MiB, where the system tells.
#[must_use]
pub fn peak_memory_mib() -> Option<f64> {
    status_mib("VmHWM:")
}

/// Resident set of this process now, in MiB, where the system tells.
#[must_use]
pub fn memory_mib() -> Option<f64> {
    status_mib("VmRSS:")
}

fn status_mib(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
