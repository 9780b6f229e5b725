//! The state of the browser on a screen.

use super::state::{Screen, State, sorted};
use crate::campaign_dir::date::{instant, now_ms};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table, TableState};
use vopr_check::terminal::{counted, grouped};
use vopr_checker::situations::Situation;

/// Seconds over which the pace is told.
const PACE_SECONDS: u64 = 10;

/// A process that was heard of less than so long ago is at work, milliseconds.
const ALIVE_MS: u64 = 15_000;

/// Draws everything.
pub(super) fn screen(frame: &mut Frame<'_>, state: &State) {
    let heights = [Constraint::Length(6), Constraint::Min(3), Constraint::Length(1)];
    let [head, body, foot] = Layout::vertical(heights).areas(frame.area());
    frame.render_widget(Paragraph::new(summary(state)).block(Block::bordered().title(" vopr campaign ")), head);
    let (screen, chosen) = state.screen().clone();
    match screen {
        Screen::Groups => groups(frame, body, state, chosen),
        Screen::Runs(fingerprint) => runs(frame, body, state, &fingerprint, chosen),
        Screen::Run(title, lines) => {
            let text: Vec<Line<'_>> = lines.iter().map(|line| Line::raw(line.as_str())).collect();
            let scrolled = u16::try_from(chosen).unwrap_or(u16::MAX);
            let block = Block::bordered().title(format!(" {title} "));
            frame.render_widget(Paragraph::new(text).block(block).scroll((scrolled, 0)), body);
        }
    }
    let keys = "  up/down: choose   enter: look into   esc: back   r: read again   q: leave";
    frame.render_widget(Paragraph::new(keys).style(Style::new().add_modifier(Modifier::DIM)), foot);
}

/// How far the campaign is.
fn summary(state: &State) -> Vec<Line<'static>> {
    let (directory, now) = (&state.directory, now_ms());
    let total = directory.total();
    let alive = directory.processes.values().filter(|process| process.end.is_none() && now.saturating_sub(process.last_ms) < ALIVE_MS);
    let alive = alive.count() as u64;
    let from = (now / 1_000).saturating_sub(PACE_SECONDS);
    let recent: u64 = directory.pace.range(from..).map(|(_, pace)| pace.runs).sum();
    let groups = directory.groups();
    let alarming = groups.iter().filter(|(_, status)| status.is_alarming()).count();
    let left: Option<u64> = directory.plans.values().map(|plan| directory.left(plan)).sum();
    let last = directory.processes.values().map(|process| process.last_ms).max();
    let at_work = if alive == 0 {
        format!("nobody is at work (last heard of {})", last.map_or_else(|| "never".to_owned(), instant))
    } else {
        format!("{} at work, {recent} runs in the last {PACE_SECONDS} s", counted(alive, "process"))
    };
    let left = left.map_or_else(String::new, |left| format!(" · {} to go", grouped(left)));
    let mut lines = vec![
        Line::raw(format!("{} · {at_work}", directory.path.display())),
        Line::raw(format!(
            "{} runs · {} failed · {} undecided{left}",
            grouped(total.runs),
            grouped(total.failed),
            grouped(total.undecided)
        )),
        Line::raw(format!("{} of failures, {alarming} new or expired", counted(groups.len() as u64, "group"))),
        Line::raw(format!(
            "{} events · {} facts checked · {}/{} situations came about",
            grouped(total.events),
            grouped(total.facts),
            directory.sightings.len(),
            Situation::ALL.len()
        )),
    ];
    let wrong = state.complaint.clone().or_else(|| directory.damage.first().map(|damage| format!("{}: {}", damage.place, damage.what)));
    if let Some(wrong) = wrong {
        lines[2] = Line::styled(wrong, Style::new().add_modifier(Modifier::BOLD));
    }
    lines
}

/// A table with one chosen line.
fn table(frame: &mut Frame<'_>, area: Rect, title: String, head: &[&str], widths: &[Constraint], rows: Vec<Vec<String>>, chosen: usize) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let header = Row::new(head.iter().map(|name| Cell::new((*name).to_owned()))).style(bold);
    let is_empty = rows.is_empty();
    let rows = rows.into_iter().map(|cells| Row::new(cells.into_iter().map(Cell::new)));
    let table = Table::new(rows, widths.iter().copied()).header(header).block(Block::bordered().title(title));
    let table = table.row_highlight_style(Style::new().add_modifier(Modifier::REVERSED)).highlight_symbol("> ");
    let mut state = TableState::default().with_selected((!is_empty).then_some(chosen));
    frame.render_stateful_widget(table, area, &mut state);
}

fn groups(frame: &mut Frame<'_>, area: Rect, state: &State, chosen: usize) {
    let groups = state.directory.groups();
    let row = |(group, status): &(&crate::campaign_dir::Group, crate::campaign_dir::Status)| {
        let first = group.first();
        let also = group.also().count();
        let also = if also == 0 { String::new() } else { format!(" (also {also})") };
        vec![
            status.word().to_owned(),
            grouped(group.count()),
            format!("{}{also}", group.invariant()),
            format!("{} {}", first.scenario, first.seed),
            first.sentence.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = groups.iter().map(row).collect();
    let title = if rows.is_empty() { " no failures so far ".to_owned() } else { format!(" {} ", counted(rows.len() as u64, "group")) };
    let widths = [Constraint::Length(8), Constraint::Length(7), Constraint::Length(32), Constraint::Length(30), Constraint::Min(10)];
    table(frame, area, title, &["status", "runs", "invariant", "first", "what"], &widths, rows, chosen);
}

fn runs(frame: &mut Frame<'_>, area: Rect, state: &State, fingerprint: &str, chosen: usize) {
    let group = state.directory.group(fingerprint);
    let row = |run: &crate::campaign_dir::FailingRun| {
        let again = state.directory.rerun(run).map_or("", |(again, _)| if again.now.is_some() { "fails still" } else { "holds now" });
        vec![
            run.scenario.clone(),
            run.seed.to_string(),
            grouped(run.events),
            if run.file.is_some() { "bundle".to_owned() } else { String::new() },
            again.to_owned(),
            run.sentence.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = group.map(|group| sorted(group).into_iter().map(row).collect()).unwrap_or_default();
    let widths = [
        Constraint::Length(30),
        Constraint::Length(10),
        Constraint::Length(9),
        Constraint::Length(6),
        Constraint::Length(11),
        Constraint::Min(10),
    ];
    table(frame, area, format!(" {fingerprint} "), &["scenario", "seed", "events", "kept", "again", "what"], &widths, rows, chosen);
}
