//! `tenant_isolation`: no tenant sees or touches what belongs to another one.
//!
//! A leak is the one failure that a customer never forgives, and no other customer would notice it.
//!
//! **Formally.** Tenant t owns the numbers `keys_per_tenant * t ..` of this count, and the values whose upper 16 bits are t + 1
//! (0: nobody's). Each key in an answer to a client of t, and each stored value in it, is owned by t or nobody. Each operation of t that is
//! answered as done names only numbers of t. Each message to a client names the tenant and client under which that endpoint
//! itself writes.
//!
//! **Evidence.** run: options (`cluster`); operation: tenant, function, key, `key_last`, reads, writes, result, results,
//! outcome; message: from, to, tenant, client, mutation.
//!
//! **Deliberately not checked.** Values that nobody owns (counters, balances, offsets), contents of messages (a history has
//! none), messages that a fault changed on their way.

use crate::budget::Meter;
use crate::index::RunIndex;
use crate::models::layout::Layout;
use crate::registry::{Category, Invariant, Reads};
use crate::replay::operation_words;
use crate::verdict::{Decision, Verdict};
use crate::witness::Witness;
use vopr_schema::column::Niche;
use vopr_schema::{Function, Kind, Operations, Outcome};

/// See the module.
pub const INVARIANT: Invariant = Invariant {
    name: "tenant_isolation",
    version: 1,
    category: Category::Client,
    reads: &[
        Reads { kind: Kind::Run, columns: &["options"] },
        Reads {
            kind: Kind::Operation,
            columns: &["tenant", "function", "key", "key_last", "reads", "writes", "result", "results", "outcome"],
        },
        Reads { kind: Kind::Message, columns: &["from", "to", "tenant", "client", "mutation"] },
    ],
    statement: "no result, scan, or message to one tenant's client carries another tenant's key or value, and no command of one \
                tenant touches another one's range",
    because_of: &[],
    check,
};

/// Endpoints of clients begin here.
const FIRST_CLIENT: u16 = 1000;
/// Values carry their tenant above this bit.
const TENANT_SHIFT: u32 = 48;

fn check(index: &RunIndex<'_>, meter: &Meter) -> Verdict {
    Verdict::decide("there are no two tenants, or nothing was answered", || {
        let Some(layout) = index.layout() else {
            let external = index.members() == 0;
            return if external {
                Ok(0)
            } else {
                Err(Box::new(Verdict::unknown("the run's options do not say who owns which keys (cluster.keys_per_tenant)")))
            };
        };
        let answers = answers(index, layout, meter)?;
        let messages = messages(index, meter)?;
        // With one tenant there is nobody to be isolated from: a violation would still be one, but nothing is proved.
        Ok(if layout.tenants > 1 { answers + messages } else { 0 })
    })
}

/// Whether a value belongs to a tenant, or to nobody.
#[inline]
fn may_see(tenant: u32, value: u64) -> bool {
    let owner = value >> TENANT_SHIFT;
    owner == 0 || owner == u64::from(tenant) + 1 || value == u64::NONE
}

fn answers(index: &RunIndex<'_>, layout: Layout, meter: &Meter) -> Decision {
    let table = index.operations();
    let mut ticker = meter.ticker();
    let ok = Outcome::Ok as u8;
    let mut facts = 0;
    for row in index.operation_rows().filter(|row| table.outcome.codes[*row] == ok) {
        ticker.step()?;
        facts += 1;
        if let Some(trespass) = trespass(table, layout, row) {
            return Err(leak(index, row, &trespass).into());
        }
    }
    Ok(facts)
}

/// What one answered operation has to do with another tenant.
#[derive(Debug)]
enum Trespass {
    /// It named a number outside its range, and was not refused.
    Touched(u64),
    /// Its answer holds a key outside its range.
    Key(u64),
    /// Its answer holds another tenant's value.
    Value(u64),
}

fn trespass(table: &Operations, layout: Layout, row: usize) -> Option<Trespass> {
    let tenant = table.tenant[row];
    let Some((first, last)) = layout.range(tenant) else { return Some(Trespass::Touched(table.key[row])) };
    let owned = |number: u64| (first..=last).contains(&number);
    let function = table.function.get(row);
    let pairs = |list: &vopr_schema::column::PairLists| {
        let start = if row == 0 { 0 } else { list.ends[row - 1] as usize };
        start..list.ends[row] as usize
    };
    let listed = [&table.reads, &table.writes].into_iter().flat_map(|list| &list.keys[pairs(list)]);
    let named = core::iter::once(&table.key[row]).chain(table.key_last.0.get(row).filter(|last| **last != u64::NONE)).chain(listed);
    if let Some(foreign) = named.into_iter().find(|number| !owned(**number)) {
        return Some(Trespass::Touched(*foreign));
    }
    let told = pairs(&table.results);
    match function {
        Function::Read | Function::ReadModifyWrite if !may_see(tenant, table.result.0[row]) => {
            return Some(Trespass::Value(table.result.0[row]));
        }
        // Offsets are no keys, balances no values.
        Function::Scan | Function::Transaction | Function::Balance => {
            if let Some(key) = table.results.keys[told.clone()].iter().find(|key| !owned(**key)) {
                return Some(Trespass::Key(*key));
            }
        }
        _ => {}
    }
    let stored = function != Function::Balance;
    let foreign = table.results.values.0[told].iter().find(|value| stored && !may_see(tenant, **value));
    foreign.map(|value| Trespass::Value(*value))
}

fn leak(index: &RunIndex<'_>, row: usize, trespass: &Trespass) -> Witness {
    let table = index.operations();
    let tenant = table.tenant[row];
    let owner = |value: u64| format!("tenant {}", (value >> TENANT_SHIFT) - 1);
    let range = |key: u64| {
        index.layout().and_then(|layout| layout.owner(key)).map_or_else(|| "nobody".to_owned(), |owner| format!("tenant {owner}"))
    };
    let (shape, summary) = match *trespass {
        Trespass::Touched(key) => {
            ("foreign_key_touched", format!("an operation of tenant {tenant} on key {key}, which belongs to {}, was done", range(key)))
        }
        Trespass::Key(key) => {
            ("foreign_key_shown", format!("a client of tenant {tenant} was shown key {key}, which belongs to {}", range(key)))
        }
        Trespass::Value(value) => (
            "foreign_value_shown",
            format!("a client of tenant {tenant} was shown the value {}, which belongs to {}", crate::words::value(value), owner(value)),
        ),
    };
    let written = match trespass {
        Trespass::Value(value) => index.operation_rows().find(|other| table.value.get(*other) == Some(*value)),
        _ => None,
    };
    Witness::new(shape, summary)
        .step_if(written.map(|writer| index.operation_step(writer, operation_words(index, writer))))
        .step(index.operation_step(row, operation_words(index, row)))
}

/// Each endpoint hears only of the client that it is.
fn messages(index: &RunIndex<'_>, meter: &Meter) -> Decision {
    let table = index.messages();
    let mut ticker = meter.ticker();
    // Per endpoint the row in which it named itself first.
    let mut selves: Vec<Option<usize>> = Vec::new();
    let mut facts = 0;
    for row in index.message_rows() {
        let (from, to) = (table.from[row], table.to[row]);
        if (from < FIRST_CLIENT && to < FIRST_CLIENT) || table.mutation.codes[row] != u8::NONE || table.tenant.0[row] == u32::NONE {
            continue;
        }
        ticker.step()?;
        let endpoint = usize::from(from.max(to) - FIRST_CLIENT);
        selves.resize(selves.len().max(endpoint + 1), None);
        let named = (table.tenant.0[row], table.client.0[row]);
        match selves[endpoint] {
            Some(own) if (table.tenant.0[own], table.client.0[own]) == named => facts += u64::from(from < FIRST_CLIENT),
            Some(own) => return Err(misdirected(index, own, row).into()),
            None if from >= FIRST_CLIENT => selves[endpoint] = Some(row),
            None => {}
        }
    }
    Ok(facts)
}

fn misdirected(index: &RunIndex<'_>, own: usize, row: usize) -> Witness {
    let table = index.messages();
    let name = |row: usize| format!("client {} of tenant {}", table.client.0[row], table.tenant.0[row]);
    let summary = format!("a {} that concerns {} passed between {} and the replicas", table.command.get(row), name(row), name(own));
    Witness::new("foreign_message", summary).step(index.message_step(own, format!("endpoint {} is {}", table.from[own], name(own)))).step(
        index.message_step(row, format!("a {} from {} to {} names {}", table.command.get(row), table.from[row], table.to[row], name(row))),
    )
}

#[cfg(test)]
mod tests {
    use crate::testing::dialogue::{Dialogue, balance, read, scan, write};
    use vopr_schema::{Command, Mutation, OperationError};

    const ONE: u64 = 1 << 48 | 7;
    const TWO: u64 = 2 << 48 | 7;

    fn dialogue(tenants: u32) -> Dialogue {
        let mut dialogue = Dialogue::new(tenants);
        dialogue.call(0, 1, write(5, ONE));
        dialogue.call(0, 1, read(5, ONE));
        dialogue.call(0, 2, scan(0, 99, &[(5, ONE)]));
        dialogue.call(0, 2, read(6, 40));
        dialogue
    }

    fn shape(dialogue: &Dialogue) -> String {
        let verdict = dialogue.verdict("tenant_isolation");
        verdict.witness().unwrap_or_else(|| panic!("no violation: {verdict:?}")).shape.clone()
    }

    #[test]
    fn answers_within_their_tenant_are_facts() {
        let mut dialogue = dialogue(2);
        dialogue.call(1, 1, write(105, TWO));
        dialogue.call(1, 1, balance(100, 199, &[(100, 1 << 60)]));
        dialogue.refused(1, 1, OperationError::OutOfRange, read(5, None));
        assert_eq!(dialogue.verdict("tenant_isolation").facts(), 6);
    }

    #[test]
    fn a_foreign_value_or_key_is_a_violation() {
        let mut value = dialogue(2);
        value.call(1, 1, write(105, TWO));
        value.call(0, 1, read(5, TWO));
        assert_eq!(shape(&value), "foreign_value_shown");
        let mut scanned = dialogue(2);
        scanned.call(0, 1, scan(0, 99, &[(5, ONE), (105, ONE)]));
        assert_eq!(shape(&scanned), "foreign_key_shown");
        let mut touched = dialogue(2);
        touched.call(0, 1, read(105, None));
        assert_eq!(shape(&touched), "foreign_key_touched");
        let mut beyond = dialogue(2);
        beyond.call(0, 1, scan(0, 150, &[]));
        assert_eq!(shape(&beyond), "foreign_key_touched");
    }

    #[test]
    fn a_message_that_names_another_client_is_a_violation_unless_a_fault_changed_it() {
        let mut dialogue = dialogue(2);
        let mut message = |from, to, tenant, mutation| {
            dialogue.story.message(Command::Reply, from, to, |row| {
                (row.tenant, row.client, row.mutation) = (Some(tenant), Some(1), mutation);
            });
        };
        message(1000, 0, 0, None);
        message(0, 1000, 0, None);
        message(0, 1000, 1, Some(Mutation::BitFlip));
        assert_eq!(dialogue.verdict("tenant_isolation").facts(), 4 + 1);
        dialogue.story.message(Command::Reply, 0, 1000, |row| (row.tenant, row.client) = (Some(1), Some(1)));
        assert_eq!(shape(&dialogue), "foreign_message");
    }

    #[test]
    fn one_tenant_alone_proves_nothing_but_can_still_be_broken() {
        let mut dialogue = dialogue(1);
        assert_eq!(dialogue.verdict("tenant_isolation").name(), "not_applicable");
        dialogue.call(0, 1, read(5, TWO));
        assert_eq!(shape(&dialogue), "foreign_value_shown");
    }

    #[test]
    fn vacuous_and_truncated_histories_do_not_pass() {
        assert_eq!(Dialogue::new(2).verdict("tenant_isolation").name(), "not_applicable");
        let mut no_options = dialogue(2);
        no_options.story.run.options.clear();
        assert_eq!(no_options.verdict("tenant_isolation").name(), "unknown");
        no_options.story.run.replicas = 0;
        assert_eq!(no_options.verdict("tenant_isolation").name(), "not_applicable");
    }
}
