//! `vopr tui`: a campaign's directory in a terminal, live while the campaign runs.
//!
//! It only reads the directory, so that it may be started, left and started again beside a campaign at any time, and works as well
//! on one that ended last night.

mod draw;
mod state;

use crate::args::campaign::TuiArguments;
use crate::campaign_dir::{Directory, is_campaign};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use state::State;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};
use vopr_check::exit::{Exit, Problem};
use vopr_check::terminal::Sink;

/// How often the directory is read again.
const REFRESH: Duration = Duration::from_secs(1);

/// Shows a campaign until its user has seen enough.
///
/// # Errors
/// The directory is no campaign's, or there is no terminal.
pub fn run(arguments: &TuiArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let refused = |error: &dyn core::fmt::Display| Problem::refused(format!("{}: {error}", arguments.directory.display()));
    if !is_campaign(&arguments.directory) {
        return Err(refused(&"no campaign lies here; vopr campaign SCENARIO --dir DIR begins one"));
    }
    let directory = Directory::open(&arguments.directory).map_err(|error| refused(&error))?;
    let mut state = State::new(directory);
    if arguments.once {
        once(&state, arguments.width, arguments.height).iter().try_for_each(|line| sink.line(line))?;
        return Ok(Exit::Held);
    }
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Problem::usage("vopr tui needs a terminal; --once prints one screen anywhere"));
    }
    let mut terminal = ratatui::try_init()?;
    let shown = show(&mut terminal, &mut state);
    ratatui::restore();
    Ok(shown.map(|()| Exit::Held)?)
}

/// Draws, waits for a key, reads again what the campaign has written.
fn show<B: ratatui::backend::Backend<Error = io::Error>>(terminal: &mut Terminal<B>, state: &mut State) -> io::Result<()> {
    let mut read = Instant::now();
    while !state.is_over {
        terminal.draw(|frame| draw::screen(frame, state))?;
        if event::poll(REFRESH.saturating_sub(read.elapsed()))?
            && let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
        {
            state.key(key);
        }
        if read.elapsed() >= REFRESH {
            state.refresh();
            read = Instant::now();
        }
    }
    Ok(())
}

/// One screen as lines of text.
fn once(state: &State, width: u16, height: u16) -> Vec<String> {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(frame) = terminal.draw(|frame| draw::screen(frame, state));
    lines(frame.buffer)
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width).max(1);
    let line = |cells: &[ratatui::buffer::Cell]| cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned();
    buffer.content.chunks(width).map(line).collect()
}

#[cfg(test)]
mod tests;
