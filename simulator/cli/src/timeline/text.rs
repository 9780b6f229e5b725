//! Events in columns of text, one line each.
//!
//! Time runs downwards; what stands in one line is one event, what stands side by side happened meanwhile.

use super::events::{Event, Lane, Shown};
use std::fmt::Write as _;
use vopr_check::output::violation::seconds;
use vopr_check::terminal::Paint;

/// Characters in front of the columns: position, time, step of the violation.
const MARGIN: usize = 30;

/// A column is at least and at most so wide.
const COLUMN: core::ops::RangeInclusive<usize> = 14..=34;

/// Lines of the whole picture, its headline first.
pub(crate) fn lines(lanes: &[Lane], events: &[Event], shown: &Shown, width: usize, paint: Paint) -> Vec<String> {
    let column = (width.saturating_sub(MARGIN) / lanes.len().max(1)).clamp(*COLUMN.start(), *COLUMN.end());
    let tenants = lanes.iter().any(|lane| matches!(lane, Lane::Client(tenant, _) if *tenant > 0));
    let name = |lane: &Lane| match lane {
        Lane::Client(tenant, client) if tenants => format!("client {client} (t{tenant})"),
        Lane::Client(_, client) => format!("client {client}"),
        Lane::Replica(replica) => format!("replica {replica}"),
        Lane::All => String::new(),
    };
    let heads: Vec<String> = lanes.iter().map(name).collect();
    let mut picture = vec![row(&format!("{:>8}  {:>13}", "row", "time"), &heads, column)];
    let mut before: Option<&Event> = None;
    for event in events {
        let gap = before.replace(event).filter(|before| shown.window(before.time_ns) != shown.window(event.time_ns));
        picture.extend(gap.map(|before| {
            let passed = seconds(event.time_ns.saturating_sub(before.time_ns));
            format!("{:MARGIN$}... {} that the violation does not cite", "", passed.trim())
        }));
        let step = event.step.map(|step| format!("  [{step}]")).unwrap_or_default();
        let margin = format!("{:>8}  {:>13}{step}", event.seq, seconds(event.time_ns));
        let line = if event.lane == Lane::All {
            paint.doubt(&format!("{margin:MARGIN$}--- fault: {}", event.words))
        } else {
            let cells: Vec<String> =
                lanes.iter().map(|lane| if *lane == event.lane { event.words.clone() } else { String::new() }).collect();
            row(&margin, &cells, column)
        };
        picture.push(if event.step.is_some() { paint.bad(&line) } else { line });
    }
    picture
}

/// Cells behind a margin; the last one that is filled may be as long as it likes, since nothing follows.
fn row(margin: &str, cells: &[String], column: usize) -> String {
    let mut line = format!("{margin:MARGIN$}");
    for (index, cell) in cells.iter().enumerate() {
        let last = cells[index + 1..].iter().all(String::is_empty);
        let room = column - 2;
        let long = cell.chars().count() > room && !last;
        let shown: String = if long { cell.chars().take(room - 1).chain(['…']).collect() } else { cell.clone() };
        write!(line, "| {shown:room$}").expect("a string takes all");
    }
    line.trim_end().trim_end_matches(['|', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_stands_in_its_column() {
        let lanes = [Lane::Client(0, 1), Lane::Replica(0), Lane::Replica(1)];
        let event = |seq, lane, words: &str, step| Event { seq, time_ns: 1_000, lane, words: words.to_owned(), step };
        let events = [
            event(1, Lane::Client(0, 1), "> read k2", None),
            event(2, Lane::Replica(1), "VIEW 2 ENTERED", Some(1)),
            event(3, Lane::All, "crash 0", None),
        ];
        let mut shown = Shown::everything();
        shown.windows = vec![(0, 10), (500, 2_000)];
        let picture = lines(&lanes, &events, &shown, 100, Paint::default());
        let place = |line: &str, words: &str| line.find(words).map(|at| line[..at].chars().count());
        assert_eq!(place(&picture[0], "replica 1"), place(&picture[2], "VIEW 2"));
        assert_eq!(place(&picture[0], "client 1"), place(&picture[1], "> read"));
        let far = [Event { time_ns: 3, ..events[0].clone() }, events[1].clone()];
        let parted = lines(&lanes, &far, &shown, 100, Paint::default());
        assert!(parted.len() == 4 && parted[2].contains("... 0.000000 s that the violation does not cite"), "{parted:#?}");
        assert!(picture[2].contains("[1]") && picture[3].contains("--- fault: crash 0"), "{picture:#?}");
    }
}
