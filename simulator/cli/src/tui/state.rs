//! What is on the screen, and what a key does to it.

use crate::campaign_dir::{Directory, FailingRun, Group};
use crate::diagnose;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Lines that a page key moves by.
const PAGE: usize = 10;

/// A level of the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Screen {
    /// Groups of failures.
    Groups,
    /// The runs of a group, by its fingerprint.
    Runs(String),
    /// What is known of a run: its title and the lines of its diagnosis.
    Run(String, Vec<String>),
}

/// The browser.
#[derive(Debug)]
pub(super) struct State {
    pub(super) directory: Directory,
    /// The levels gone into, the one on the screen last; never empty. Each with the chosen line.
    pub(super) screens: Vec<(Screen, usize)>,
    pub(super) is_over: bool,
    /// Why the directory could not be read the last time.
    pub(super) complaint: Option<String>,
}

impl State {
    pub(super) fn new(directory: Directory) -> Self {
        Self { directory, screens: vec![(Screen::Groups, 0)], is_over: false, complaint: None }
    }

    /// Reads what the campaign has written since; who has chosen a group keeps it, wherever it goes.
    pub(super) fn refresh(&mut self) {
        let chosen = self.group_at(self.screens[0].1).map(|group| group.fingerprint.clone());
        self.complaint = self.directory.refresh().err().map(|error| error.to_string());
        let place = chosen.and_then(|chosen| self.directory.groups().iter().position(|(group, _)| group.fingerprint == chosen));
        self.screens[0].1 = place.unwrap_or(self.screens[0].1);
        self.stay_inside();
    }

    pub(super) fn screen(&self) -> &(Screen, usize) {
        self.screens.last().expect("the first level is never left")
    }

    pub(super) fn key(&mut self, key: KeyEvent) {
        let chosen = self.screen().1;
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => self.is_over = true,
            KeyCode::Char('q') => self.is_over = true,
            KeyCode::Char('r') => self.refresh(),
            KeyCode::Down | KeyCode::Char('j') => self.choose(chosen + 1),
            KeyCode::Up | KeyCode::Char('k') => self.choose(chosen.saturating_sub(1)),
            KeyCode::PageDown => self.choose(chosen + PAGE),
            KeyCode::PageUp => self.choose(chosen.saturating_sub(PAGE)),
            KeyCode::Home => self.choose(0),
            KeyCode::End => self.choose(usize::MAX),
            KeyCode::Enter | KeyCode::Right | KeyCode::Char('l') => self.enter(),
            KeyCode::Esc | KeyCode::Left | KeyCode::Backspace | KeyCode::Char('h') if self.screens.len() > 1 => drop(self.screens.pop()),
            _ => {}
        }
    }

    fn choose(&mut self, line: usize) {
        if let Some((_, chosen)) = self.screens.last_mut() {
            *chosen = line;
        }
        self.stay_inside();
    }

    /// Lines of the screen.
    pub(super) fn length(&self) -> usize {
        match &self.screen().0 {
            Screen::Groups => self.directory.groups().len(),
            Screen::Runs(fingerprint) => self.directory.group(fingerprint).map_or(0, |group| group.runs.len()),
            Screen::Run(_, lines) => lines.len(),
        }
    }

    fn stay_inside(&mut self) {
        let last = self.length().saturating_sub(1);
        if let Some((_, chosen)) = self.screens.last_mut() {
            *chosen = (*chosen).min(last);
        }
    }

    fn group_at(&self, place: usize) -> Option<&Group> {
        self.directory.groups().get(place).map(|(group, _)| *group)
    }

    /// Goes a level deeper, if there is one.
    fn enter(&mut self) {
        let (screen, chosen) = self.screen();
        let deeper = match screen {
            Screen::Groups => self.group_at(*chosen).map(|group| Screen::Runs(group.fingerprint.clone())),
            Screen::Runs(fingerprint) => {
                let run = self.directory.group(fingerprint).and_then(|group| sorted(group).get(*chosen).copied().cloned());
                run.map(|run| self.about(&run))
            }
            Screen::Run(..) => None,
        };
        self.screens.extend(deeper.map(|screen| (screen, 0)));
    }

    /// What is known of a run: its sentence, and the diagnosis of its bundle when one was kept.
    fn about(&self, run: &FailingRun) -> Screen {
        let mut lines = vec![run.sentence.clone(), String::new()];
        match &run.file {
            None => lines.push("no bundle of this run was kept: the campaign keeps some of each group".to_owned()),
            Some(file) => {
                let path = self.directory.path.join(file);
                match diagnose::report(&path) {
                    Ok(report) => lines.extend(report),
                    Err(problem) => lines.push(problem.to_string()),
                }
            }
        }
        Screen::Run(format!("{} seed {}", run.scenario, run.seed), lines)
    }
}

/// The runs of a group: those with a bundle first, the shortest first.
pub(super) fn sorted(group: &Group) -> Vec<&FailingRun> {
    let mut runs: Vec<&FailingRun> = group.runs.iter().collect();
    runs.sort_by_key(|run| (run.file.is_none(), run.events, run.seed));
    runs
}
