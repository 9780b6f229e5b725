//! Pictures of a campaign over time: how fast it goes, and how far it has been around.

use super::html::escaped;
use crate::campaign_dir::date::instant;
use crate::campaign_dir::{Directory, Pace};
use std::fmt::Write as _;
use vopr_check::terminal::grouped;

const WIDTH: u64 = 1200;
const HEIGHT: u64 = 190;
/// Room for what is written at the edges.
const LEFT: u64 = 60;
const BOTTOM: u64 = 22;
const TOP: u64 = 16;

/// Bars of a picture at most.
const BARS_MAX: u64 = 120;

/// Runs per second over time, failing ones apart, and the number of situations that had come about.
#[must_use]
pub fn throughput(directory: &Directory) -> String {
    let (Some(first), Some(last)) = (directory.pace.keys().next().copied(), directory.pace.keys().next_back().copied()) else {
        return "<p class=\"faint\">no run is done</p>\n".to_owned();
    };
    let seconds = (last - first) / BARS_MAX + 1;
    let bars = bars(directory, first, seconds);
    let count = (last - first) / seconds + 1;
    let most = bars.iter().map(|(_, pace)| pace.runs).max().unwrap_or(1).max(1);
    let (wide, high) = (WIDTH - LEFT - 10, HEIGHT - TOP - BOTTOM);
    let label = format!("runs per second, at most {}", rate(most, seconds));
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">\n");
    for part in 0..=2 {
        let y = TOP + high - high * part / 2;
        writeln!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/>", LEFT + wide).expect("a string takes all");
        let value = rate(most * part / 2, seconds);
        writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{value}</text>", LEFT - 6, y + 4).expect("a string takes all");
    }
    for (at, pace) in &bars {
        let x = LEFT + wide * at / count;
        let broad = (wide / count).saturating_sub(1).max(1);
        let tall = |runs: u64| (high * runs / most).max(u64::from(runs > 0));
        let (all, failed) = (tall(pace.runs), tall(pace.failed));
        let when = escaped(&instant((first + at * seconds) * 1000));
        let told = format!("{when}: {} runs, {} failed, {} events", grouped(pace.runs), grouped(pace.failed), grouped(pace.events));
        let bar = |class: &str, tall: u64| {
            let y = TOP + high - tall;
            format!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{broad}\" height=\"{tall}\"/>")
        };
        let red = if failed > 0 { bar("failed", failed) } else { String::new() };
        writeln!(svg, "<g>{}{red}<title>{told}</title></g>", bar("runs", all)).expect("a string takes all");
    }
    svg.push_str(&curve(directory, first, seconds * count, wide, high));
    let baseline = HEIGHT - 6;
    writeln!(svg, "<text x=\"{LEFT}\" y=\"{baseline}\">{}</text>", instant(first * 1000)).expect("a string takes all");
    let end = instant(last * 1000);
    writeln!(svg, "<text x=\"{}\" y=\"{baseline}\" text-anchor=\"end\">{end}</text>", LEFT + wide).expect("a string takes all");
    svg.push_str("</svg>\n<p class=\"faint\">bars: runs per second, red those that failed; line: situations that had come about</p>\n");
    svg
}

/// Sums of `seconds` seconds each, by their place.
fn bars(directory: &Directory, first: u64, seconds: u64) -> Vec<(u64, Pace)> {
    let mut bars: Vec<(u64, Pace)> = Vec::new();
    for (second, pace) in &directory.pace {
        let place = (second - first) / seconds;
        if bars.last().is_none_or(|(last, _)| *last != place) {
            bars.push((place, Pace::default()));
        }
        let (_, sum) = bars.last_mut().expect("one was just put there");
        sum.add(pace);
    }
    bars
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(runs: u64, seconds: u64) -> String {
    let rate = runs as f64 / seconds as f64;
    if rate >= 10.0 { format!("{rate:.0}") } else { format!("{rate:.1}") }
}

/// How many situations had come about by when, as a line of steps.
fn curve(directory: &Directory, first: u64, seconds: u64, wide: u64, high: u64) -> String {
    let mut times: Vec<u64> = directory.sightings.values().map(|sighting| sighting.at_ms).collect();
    if times.is_empty() {
        return String::new();
    }
    times.sort_unstable();
    let all = vopr_checker::situations::Situation::ALL.len() as u64;
    // What a file claims may lie far apart.
    let whole = seconds.saturating_mul(1000).max(1);
    let x = |at_ms: u64| {
        let share = u128::from(at_ms.saturating_sub(first * 1000).min(whole)) * u128::from(wide) / u128::from(whole);
        LEFT + u64::try_from(share).unwrap_or(wide)
    };
    let y = |seen: u64| TOP + high - high * seen.min(all) / all;
    let mut path = format!("M{LEFT} {}", y(0));
    for (index, at_ms) in times.iter().enumerate() {
        write!(path, "H{}V{}", x(*at_ms), y(index as u64 + 1)).expect("a string takes all");
    }
    let (end, seen) = (LEFT + wide, times.len() as u64);
    format!("<path class=\"curve\" d=\"{path}H{end}\"><title>{seen} of {all} situations</title></path>\n")
}
