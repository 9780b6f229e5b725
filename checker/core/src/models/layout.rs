//! Which numbers belong to which tenant, from the options that a run records.
//!
//! Without it nobody can tell a key of one tenant from another one's, nor what the accounts hold at first.

use serde::Deserialize;
use vopr_schema::Run;

/// Numbers in all tenants' ranges together, at most: a model keeps an array of them.
const NUMBERS_MAX: u64 = 1 << 20;

/// Keys, streams and accounts are three spaces of numbers, each shared out among the tenants in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Layout {
    /// Tenants, numbered from 0.
    pub tenants: u32,
    /// Tenant t owns the numbers from `keys_per_tenant * t` on, so many.
    pub keys_per_tenant: u64,
    /// The first so many of them are accounts, which exist from the start.
    pub accounts_per_tenant: u64,
    /// What each account holds at the start.
    pub initial_balance: u64,
}

#[derive(Deserialize)]
struct Options {
    cluster: Layout,
}

impl Layout {
    /// The layout that a run's options name under `cluster`; none when they do not, or when it is absurd.
    #[must_use]
    pub fn of_run(run: &Run) -> Option<Self> {
        let Options { cluster } = serde_json::from_str(&run.options).ok()?;
        let numbers = u64::from(cluster.tenants).checked_mul(cluster.keys_per_tenant)?;
        let sane = (1..=NUMBERS_MAX).contains(&numbers) && cluster.accounts_per_tenant <= cluster.keys_per_tenant;
        sane.then_some(cluster)
    }

    /// First and last number of a tenant's range; none for a tenant that does not exist.
    #[inline]
    #[must_use]
    pub fn range(&self, tenant: u32) -> Option<(u64, u64)> {
        let first = u64::from(tenant) * self.keys_per_tenant;
        (tenant < self.tenants).then(|| (first, first + self.keys_per_tenant - 1))
    }

    /// Whether a number belongs to a tenant.
    #[inline]
    #[must_use]
    pub fn owns(&self, tenant: u32, number: u64) -> bool {
        self.range(tenant).is_some_and(|(first, last)| (first..=last).contains(&number))
    }

    /// The tenant in whose range a number is.
    #[must_use]
    pub fn owner(&self, number: u64) -> Option<u32> {
        u32::try_from(number / self.keys_per_tenant).ok().filter(|tenant| *tenant < self.tenants)
    }

    /// Whether a number of somebody's range is an account.
    #[inline]
    #[must_use]
    pub fn is_account(&self, number: u64) -> bool {
        number % self.keys_per_tenant < self.accounts_per_tenant
    }

    /// Numbers in all ranges together.
    #[must_use]
    pub fn numbers(&self) -> u64 {
        u64::from(self.tenants) * self.keys_per_tenant
    }

    /// Sum of all balances of one tenant.
    #[must_use]
    pub fn total(&self) -> u128 {
        u128::from(self.accounts_per_tenant) * u128::from(self.initial_balance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(options: &str) -> Run {
        Run { options: options.to_owned(), ..Run::default() }
    }

    #[test]
    fn it_is_read_from_the_recorded_options() {
        let options = r#"{"seed": 1, "cluster": {"tenants": 2, "keys_per_tenant": 100, "accounts_per_tenant": 4, "initial_balance": 10}}"#;
        let layout = Layout::of_run(&run(options)).expect("all four are there");
        assert_eq!(layout.range(1), Some((100, 199)));
        assert_eq!((layout.owner(199), layout.owner(200), layout.range(2)), (Some(1), None, None));
        assert!(layout.owns(0, 99) && !layout.owns(0, 100) && layout.is_account(103) && !layout.is_account(104));
        assert_eq!(layout.total(), 40);
    }

    #[test]
    fn absent_and_absurd_options_give_none() {
        assert_eq!(Layout::of_run(&run("")), None);
        assert_eq!(Layout::of_run(&run("{}")), None);
        let absurd = r#"{"cluster": {"tenants": 4000000000, "keys_per_tenant": 18446744073709551615, "accounts_per_tenant": 4, "initial_balance": 1}}"#;
        assert_eq!(Layout::of_run(&run(absurd)), None);
        let layout = |tenants: u64, keys: u64, accounts: u64| {
            let cluster = [("tenants", tenants), ("keys_per_tenant", keys), ("accounts_per_tenant", accounts), ("initial_balance", 1)];
            let cluster: std::collections::BTreeMap<_, _> = cluster.into_iter().collect();
            Layout::of_run(&run(&serde_json::json!({ "cluster": cluster }).to_string()))
        };
        assert!(layout(2, 100, 100).is_some() && layout(2, NUMBERS_MAX / 2, 4).is_some());
        assert_eq!(layout(2, 100, 101), None, "more accounts than keys");
        assert_eq!(layout(2, NUMBERS_MAX / 2 + 1, 4), None, "more keys than a model holds");
        assert_eq!((layout(0, 100, 4), layout(2, 0, 0)), (None, None), "no key at all");
    }
}
