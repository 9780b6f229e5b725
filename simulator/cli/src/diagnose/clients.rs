//! Clients that waited for an answer when a run stalled, or ended without having settled: whom they asked last, and what they heard.
//!
//! Replicas that agree on everything and wait for requests are no sound cluster if its clients ask somebody else.

use super::scene::Scene;
use std::collections::BTreeMap;
use vopr_checker::Step;
use vopr_schema::{Command, Dictionary, Fate};

/// Clients that are told, at most.
const CLIENTS_MAX: usize = 4;

/// A client whose operation had not returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// Who waits for what, in words.
    pub sentence: String,
    /// Its last request, and the last message that reached it.
    pub rows: Vec<Step>,
}

/// The clients that went on asking at the end of a scene, in the order of tenants and numbers.
pub(super) fn asking(scene: &Scene<'_>) -> Vec<Asking> {
    let (operations, messages) = (scene.index.operations(), scene.index.messages());
    let whose = |row: usize| messages.tenant.get(row).zip(messages.client.get(row));
    let mut sent: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    let mut heard: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for row in scene.index.message_rows() {
        let Some(client) = whose(row) else { continue };
        if matches!(messages.command.get(row), Command::Request | Command::Register) {
            sent.insert(client, row);
        } else if usize::from(messages.to[row]) >= scene.index.replicas() && messages.fate.get(row) == Fate::Delivered {
            let arrived = |row: usize| messages.fate_seq.get(row);
            if heard.get(&client).is_none_or(|known| arrived(*known) < arrived(row)) {
                heard.insert(client, row);
            }
        }
    }
    let mut last: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for row in scene.index.operation_rows() {
        last.insert((operations.tenant[row], operations.client[row]), row);
    }
    let waiting = last.into_iter().filter(|(_, row)| operations.return_seq.get(*row).is_none());
    let told = waiting.filter_map(|(client, row)| {
        // Whoever crashed asks no more, or for another session.
        let request = *sent.get(&client).filter(|sent| messages.request_number.get(**sent) == Some(operations.request_number[row]))?;
        let (replica, number) = (messages.to[request], operations.request_number[row]);
        let fate = match (messages.fate.get(request), messages.reject_reason.get(request)) {
            (Fate::Delivered, None) => format!("replica {replica} has taken its last request"),
            (Fate::Delivered, Some(reason)) => {
                format!("replica {replica} has refused its last request ({})", reason.name().replace('_', " "))
            }
            (fate, _) => format!("its last request, to replica {replica}, has not arrived ({})", fate.name().replace('_', " ")),
        };
        let answer = heard.get(&client).map_or_else(String::new, |row| {
            let view = messages.view.get(*row).map_or_else(String::new, |view| format!(" in view {view}"));
            format!("; the last that it heard is a {} of replica {}{view}", messages.command.get(*row).name(), messages.from[*row])
        });
        let sentence = format!("client {} of tenant {} waits for the answer to its request {number}: {fate}{answer}", client.1, client.0);
        let mut rows = vec![scene.message(request, "")];
        rows.extend(heard.get(&client).map(|row| scene.message(*row, "")));
        Some(Asking { sentence, rows })
    });
    told.take(CLIENTS_MAX).collect()
}
