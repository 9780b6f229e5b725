//! Operations by client, session and request number.
//!
//! Log entries name the request that they carry; the operation row holds what was asked and what was answered.

use super::RunIndex;
use super::entries::narrow;
use vopr_schema::column::Niche;

/// Operation rows, sorted by (tenant, client, session, request number, position).
#[derive(Debug)]
pub struct Requests {
    rows: Vec<u32>,
}

type Key = (u32, u32, u64, u64);

fn key(index: &RunIndex<'_>, row: usize) -> Key {
    let table = index.operations();
    (table.tenant[row], table.client[row], table.session.0[row], table.request_number[row])
}

impl Requests {
    pub(super) fn build(index: &RunIndex<'_>) -> Self {
        let mut rows: Vec<u32> = index.operation_rows().map(narrow).collect();
        rows.sort_unstable_by_key(|row| (key(index, *row as usize), *row));
        Self { rows }
    }

    /// The operations with this client, session and request number, in the order of their invocations. More than one means
    /// that a client used a number again.
    #[must_use]
    pub fn find(&self, index: &RunIndex<'_>, tenant: u32, client: u32, session: Option<u64>, request_number: u64) -> &[u32] {
        let wanted = (tenant, client, session.unwrap_or(u64::NONE), request_number);
        let start = self.rows.partition_point(|row| key(index, *row as usize) < wanted);
        let length = self.rows[start..].partition_point(|row| key(index, *row as usize) == wanted);
        &self.rows[start..start + length]
    }

    /// All operation rows, sorted by (tenant, client, session, request number, position).
    #[must_use]
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }
}
