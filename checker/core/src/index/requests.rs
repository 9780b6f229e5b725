//! Operations by client, session and request number.
//!
//! Log entries name the request that they carry; the operation row holds what was asked and what was answered.

use super::RunIndex;
use super::entries::narrow;
use vopr_schema::column::Niche;

/// Operation rows, sorted by (client, tenant, session, request number, position).
#[derive(Debug)]
pub struct Requests {
    rows: Vec<u32>,
}

type Key = (u32, u32, u64, u64);

fn key(index: &RunIndex<'_>, row: usize) -> Key {
    let table = index.operations();
    (table.client[row], table.tenant[row], table.session.0[row], table.request_number[row])
}

impl Requests {
    pub(super) fn build(index: &RunIndex<'_>) -> Self {
        let rows = index.operation_rows();
        let clients = &index.operations().client[rows.clone()];
        let largest = clients.iter().copied().max().unwrap_or(0) as usize;
        if largest > 2 * rows.len() + 1024 {
            let mut rows: Vec<u32> = rows.map(narrow).collect();
            rows.sort_by_key(|row| key(index, *row as usize));
            return Self { rows };
        }
        // A client's requests are almost always in order already: once they stand together, sorting them is one look at each.
        let mut ends = vec![0_usize; largest + 1];
        for client in clients {
            ends[*client as usize] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += core::mem::replace(end, sum);
        }
        let mut sorted = vec![0; rows.len()];
        for (row, client) in rows.zip(clients) {
            let place = &mut ends[*client as usize];
            sorted[*place] = narrow(row);
            *place += 1;
        }
        let mut begin = 0;
        for end in ends {
            sorted[begin..end].sort_by_key(|row| key(index, *row as usize));
            begin = end;
        }
        Self { rows: sorted }
    }

    /// The operations with this client, session and request number, in the order of their invocations. More than one means
    /// that a client used a number again.
    #[must_use]
    pub fn find(&self, index: &RunIndex<'_>, tenant: u32, client: u32, session: Option<u64>, request_number: u64) -> &[u32] {
        let wanted = (client, tenant, session.unwrap_or(u64::NONE), request_number);
        let start = self.rows.partition_point(|row| key(index, *row as usize) < wanted);
        let length = self.rows[start..].partition_point(|row| key(index, *row as usize) == wanted);
        &self.rows[start..start + length]
    }

    /// All operation rows, session by session and each in the order of its requests, with a serial number of the session.
    pub fn by_session<'a>(&'a self, index: &'a RunIndex<'_>) -> impl Iterator<Item = (u32, usize)> + 'a {
        let table = index.operations();
        let session = |row: usize| (table.tenant[row], table.client[row], table.session.0[row]);
        let (mut serial, mut before) = (0, None);
        self.rows.iter().map(move |row| {
            let row = *row as usize;
            if before.replace(session(row)) != Some(session(row)) {
                serial += 1;
            }
            (serial, row)
        })
    }
}
