//! Events in columns of text, one line each.
//!
//! Time runs downwards; what stands in one line is one event, what stands side by side happened meanwhile. Where the columns do not fit
//! the width, each line names the one that it belongs to. No line is longer than the width.

use super::events::{Event, Lane, Shown};
use crate::failure::bundle::is_imported;
use vopr_check::output::violation::{seconds, wrapped};
use vopr_check::terminal::Paint;
use vopr_schema::Run;

/// Narrower lines say nothing.
pub(crate) const WIDTH_MIN: usize = 40;

/// Characters in front of the columns: position, time, step of the violation.
const MARGIN: usize = 30;

/// A column is at least and at most so wide.
const COLUMN: core::ops::RangeInclusive<usize> = 7..=34;

/// What the last column has for its words, at least.
const LAST_MIN: usize = 24;

/// What a line that continues another one begins with, where there are no columns.
const INDENT: usize = 8;

/// Who the columns are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names {
    /// Clients are told apart by their tenants.
    pub(crate) tenants: bool,
    /// Another system's history: its clients are processes.
    pub(crate) processes: bool,
}

impl Names {
    pub(crate) fn of_run(run: &Run) -> Self {
        Self { tenants: run.tenants > 1, processes: is_imported(run) }
    }

    pub(crate) fn of(self, lane: Lane, is_short: bool) -> String {
        match (lane, is_short) {
            (Lane::Client(_, process), true) if self.processes => format!("p{process}"),
            (Lane::Client(_, process), false) if self.processes => format!("process {process}"),
            (Lane::Client(tenant, client), true) if self.tenants => format!("t{tenant}c{client}"),
            (Lane::Client(tenant, client), false) if self.tenants => format!("client {client} (t{tenant})"),
            (Lane::Client(_, client), true) => format!("c{client}"),
            (Lane::Client(_, client), false) => format!("client {client}"),
            (Lane::Replica(replica), true) => format!("r{replica}"),
            (Lane::Replica(replica), false) => format!("replica {replica}"),
            (Lane::All, _) => String::new(),
        }
    }
}

/// The whole picture.
pub(crate) struct Picture<'a> {
    pub(crate) lanes: &'a [Lane],
    pub(crate) names: Names,
    pub(crate) width: usize,
    pub(crate) paint: Paint,
}

impl Picture<'_> {
    /// Its lines, the headline first.
    pub(crate) fn lines(&self, events: &[Event], shown: &Shown) -> Vec<String> {
        let column = self.column();
        let mut picture = self.heads(column);
        let mut before: Option<&Event> = None;
        for event in events {
            let gap = before.replace(event).filter(|before| shown.window(before) != shown.window(event));
            let gap = gap.map(|before| shown.passed(before, event));
            picture.extend(
                gap.into_iter().flat_map(|passed| self.across(column, "... ", &format!("{passed} that the violation does not cite"))),
            );
            let lines = self.event(event, shown, column);
            let told = |line: String| match (event.step.is_some(), event.lane == Lane::All) {
                (true, _) => self.paint.bad(&line),
                (false, true) => self.paint.doubt(&line),
                (false, false) => line,
            };
            picture.extend(lines.into_iter().map(told));
        }
        picture
    }

    /// Width of a column; none where they do not fit.
    fn column(&self) -> Option<usize> {
        let others = self.lanes.len().saturating_sub(1).max(1);
        let column = (self.width.checked_sub(MARGIN + LAST_MIN)? / others).min(*COLUMN.end());
        let heads = self.lanes.iter().map(|lane| self.names.of(*lane, true).len()).max().unwrap_or(0);
        (column >= (*COLUMN.start()).max(heads + 3)).then_some(column)
    }

    fn heads(&self, column: Option<usize>) -> Vec<String> {
        let Some(column) = column else { return vec![format!("{:>7} time", "row")] };
        let long: Vec<String> = self.lanes.iter().map(|lane| self.names.of(*lane, false)).collect();
        let is_short = long.iter().any(|name| name.len() + 3 > column);
        let heads = self.lanes.iter().map(|lane| format!("| {:1$}", self.names.of(*lane, is_short), column - 2));
        let line = format!("{:MARGIN$}{}", format!("{:>8}  {:>13}", "row", "time"), heads.collect::<String>());
        vec![line.trim_end().to_owned()]
    }

    fn event(&self, event: &Event, shown: &Shown, column: Option<usize>) -> Vec<String> {
        let step = event.step.map(|step| format!("  [{step}]")).unwrap_or_default();
        let time = if shown.is_timed() { seconds(event.time_ns) } else { String::new() };
        let margin = format!("{:>8}  {time:>13}{step}", event.seq);
        let Some(column) = column else {
            let margin = format!("{:>7} {}{}", event.seq, time.trim(), step.replace("  ", " ")).trim_end().to_owned();
            let who = self.names.of(event.lane, true);
            let words = if event.lane == Lane::All { format!("--- fault: {}", event.words) } else { format!("{who}: {}", event.words) };
            return self.folded(&format!("{margin}  "), INDENT + 2, &words);
        };
        if event.lane == Lane::All {
            return self.folded(&format!("{margin:MARGIN$}"), MARGIN, &format!("--- fault: {}", event.words));
        }
        let place = self.lanes.iter().position(|lane| *lane == event.lane).unwrap_or(0);
        let before = format!("| {:1$}", "", column - 2).repeat(place);
        self.folded(&format!("{margin:MARGIN$}{before}| "), MARGIN + place * column + 2, &event.words)
    }

    /// Words across all columns.
    fn across(&self, column: Option<usize>, mark: &str, words: &str) -> Vec<String> {
        let indent = if column.is_some() { MARGIN } else { INDENT + 2 };
        self.folded(&format!("{:indent$}", ""), indent, &format!("{mark}{words}"))
    }

    /// Words behind a head, continued below it where they are longer than the line.
    fn folded(&self, head: &str, indent: usize, words: &str) -> Vec<String> {
        let first = self.width.saturating_sub(head.chars().count());
        if words.chars().count() <= first {
            return vec![format!("{head}{words}").trim_end().to_owned()];
        }
        // Where the head leaves no room for a word, the words begin below it.
        let room = self.width.saturating_sub(indent).min(first.max(LAST_MIN)).max(1);
        let parts = wrapped(words, room).flat_map(|part| cut(&part, room));
        let (first, head) = if first < room { (vec![head.trim_end().to_owned()], String::new()) } else { (Vec::new(), head.to_owned()) };
        let blank = " ".repeat(indent);
        let lines = parts.enumerate().map(|(place, part)| {
            let head = if place == 0 && !head.is_empty() { &head } else { &blank };
            format!("{head}{part}").trim_end().to_owned()
        });
        first.into_iter().chain(lines).collect()
    }
}

/// A word that is longer than the room, in pieces.
fn cut(part: &str, room: usize) -> Vec<String> {
    let letters: Vec<char> = part.chars().collect();
    letters.chunks(room).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, lane: Lane, words: &str, step: Option<usize>) -> Event {
        Event { seq, time_ns: 1_000, lane, words: words.to_owned(), step }
    }

    fn picture(lanes: &[Lane], width: usize) -> Picture<'_> {
        Picture { lanes, names: Names::default(), width, paint: Paint::default() }
    }

    #[test]
    fn each_event_stands_in_its_column() {
        let lanes = [Lane::Client(0, 1), Lane::Replica(0), Lane::Replica(1)];
        let events = [
            event(1, Lane::Client(0, 1), "> read k2", None),
            event(2, Lane::Replica(1), "VIEW 2 ENTERED", Some(1)),
            event(3, Lane::All, "crash 0", None),
        ];
        let mut shown = Shown::everyone();
        shown.windows = vec![(0, 10), (500, 2_000)];
        let told = picture(&lanes, 100).lines(&events, &shown);
        let place = |line: &str, words: &str| line.find(words).map(|at| line[..at].chars().count());
        assert_eq!(place(&told[0], "replica 1"), place(&told[2], "VIEW 2"));
        assert_eq!(place(&told[0], "client 1"), place(&told[1], "> read"));
        let far = [Event { time_ns: 3, ..events[0].clone() }, events[1].clone()];
        let parted = picture(&lanes, 100).lines(&far, &shown);
        assert!(parted.len() == 4 && parted[2].contains("... 0.000000 s that the violation does not cite"), "{parted:#?}");
        assert!(told[2].contains("[1]") && told[3].contains("--- fault: crash 0"), "{told:#?}");
    }

    #[test]
    fn no_line_is_longer_than_the_width() {
        let lanes: Vec<Lane> = (0..9).map(|client| Lane::Client(client / 3, client % 3)).chain((0..5).map(Lane::Replica)).collect();
        let long =
            "do view change 12345678, op 123456789, commit 123456789 (changed: tail content) -> r1 X conflicts_with_what_was_committed";
        let events =
            [event(123_456, Lane::Replica(4), long, Some(10)), event(7, Lane::Client(0, 0), long, None), event(8, Lane::All, long, None)];
        for width in [WIDTH_MIN, 60, 80, 100, 160, 200, 300] {
            let all = Picture { names: Names { tenants: true, ..Names::default() }, ..picture(&lanes, width) };
            let told = all.lines(&events, &Shown::everyone());
            assert!(told.iter().all(|line| line.chars().count() <= width), "{width}: {told:#?}");
            let words: Vec<&str> = told.iter().flat_map(|line| line.split_whitespace()).collect();
            assert!(words.iter().filter(|word| **word == "123456789,").count() == 3, "{width}: {told:#?}");
        }
    }

    #[test]
    fn columns_of_several_tenants_are_told_apart_however_narrow() {
        let lanes: Vec<Lane> = (0..6).map(|client| Lane::Client(client / 2, client % 2)).chain([Lane::Replica(0)]).collect();
        let names = Names { tenants: true, ..Names::default() };
        for (width, first, last) in [(110, "| t0c0", "| t2c1"), (200, "| client 0 (t0)", "| client 1 (t2)")] {
            let head = Picture { names, ..picture(&lanes, width) }.lines(&[], &Shown::everyone()).remove(0);
            assert!(head.contains(first) && head.contains(last), "{head}");
        }
        let told = Picture { names, ..picture(&lanes, WIDTH_MIN) }.lines(&[event(4, lanes[3], "> read k1", None)], &Shown::everyone());
        assert_eq!(told[1], "      4 0.000001 s  t1c1: > read k1");
        let process = Picture { names: Names { processes: true, ..names }, ..picture(&lanes[..2], 100) }.lines(&[], &Shown::everyone());
        assert!(process[0].ends_with("| process 1"), "{process:?}");
    }
}
