//! From a message to its row.

use super::convert::command;
use vopr_schema::MessageRow;
use vsr::message::Message;

/// The row of one copy, all but `seq`, `time_ns` and fate.
pub fn row(id: u64, copy: u16, from: u16, to: u16, message: &Message) -> MessageRow {
    let summary = message.summary();
    MessageRow {
        id,
        copy,
        command: command(message.command()),
        from,
        to,
        view: summary.view.map(|view| view.0),
        last_normal_view: summary.last_normal_view.map(|view| view.0),
        op: summary.op.map(|op| op.0),
        commit: summary.commit.map(|op| op.0),
        entry_hash: summary.hash.map(|hash| hash.short()),
        log_first: summary.log_first.map(|op| op.0),
        log_count: summary.log_count,
        size_bytes: u32::try_from(message.encoded_len()).unwrap_or(u32::MAX),
        tenant: summary.client.map(|client| client.tenant.0),
        client: summary.client.map(|client| client.client.0),
        session: summary.session.map(|session| session.0),
        request_number: summary.request.map(|request| request.0),
        epoch: message.epoch.0,
        ..MessageRow::default()
    }
}
