//! The kernel behind the protocol's wall: the one place where both are known.

use crate::options::ClusterOptions;
use kernel::{Context, Kernel, KernelBug, Layout};
use vsr::ids::{ClientKey, TenantId};
use vsr::state_machine::{ApplyContext, StateMachine};

/// A kernel as a replica's state machine.
#[derive(Clone, Debug)]
pub struct Machine(Kernel);

impl Machine {
    /// The state before the first command.
    #[must_use]
    pub fn new(cluster: &ClusterOptions, bug: Option<KernelBug>) -> Self {
        Self(Kernel::new(
            Layout {
                tenants: cluster.tenants,
                keys_per_tenant: cluster.keys_per_tenant,
                accounts_per_tenant: cluster.accounts_per_tenant,
                initial_balance: cluster.initial_balance,
            },
            bug,
        ))
    }
}

impl StateMachine for Machine {
    fn apply(&mut self, context: ApplyContext, command: &[u8]) -> Vec<u8> {
        let context = Context { tenant: context.client.tenant.0, local_clock_ns: context.local_clock_ns };
        self.0.apply(context, command).encode()
    }

    fn state_hash(&self) -> u64 {
        self.0.state_hash()
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.snapshot()
    }

    fn restore(&mut self, snapshot: &[u8]) -> bool {
        self.0.restore(snapshot)
    }

    fn is_read(&self, command: &[u8]) -> bool {
        kernel::Command::decode(command).is_some_and(|command| command.is_read())
    }

    fn query(&self, tenant: TenantId, command: &[u8], pending: &mut dyn Iterator<Item = (ClientKey, &[u8])>) -> Vec<u8> {
        let mut pending = pending.peekable();
        if pending.peek().is_none() {
            return self.0.query(tenant.0, command).encode();
        }
        // A copy of the state is dear, but only a replica with a planted bug reads what is not committed.
        let mut ahead = self.0.clone();
        for (client, command) in pending {
            ahead.apply(Context { tenant: client.tenant.0, local_clock_ns: 0 }, command);
        }
        ahead.query(tenant.0, command).encode()
    }

    fn is_refusal(&self, result: &[u8]) -> bool {
        matches!(kernel::Reply::decode(result), Some(kernel::Reply::Refused(_)))
    }

    fn prepare(&self, _tenant: TenantId, command: &[u8]) -> Option<Vec<u8>> {
        self.0.prepare(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{Command, Reply};
    use vsr::ids::{ClientId, Op};

    const CLUSTER: ClusterOptions = ClusterOptions {
        replicas: 3,
        standbys: 0,
        tenants: 1,
        clients_per_tenant: 1,
        keys_per_tenant: 100,
        accounts_per_tenant: 10,
        initial_balance: 1_000,
        checkpoint_interval: 64,
        log_slots: 256,
        pipeline_max: 8,
        sessions_max: 8,
        quorum_reads: false,
        scrub_tick_ns: 0,
    };
    const CLIENT: ClientKey = ClientKey { tenant: TenantId(0), client: ClientId(0) };

    #[test]
    fn a_query_sees_pending_commands_only_when_they_are_handed_in() {
        let mut machine = Machine::new(&CLUSTER, None);
        let context = ApplyContext { op: Op(1), timestamp: 1, client: CLIENT, local_clock_ns: 1 };
        machine.apply(context, &Command::Write { key: 1, value: 5 }.encode());
        let (read, later) = (Command::Read { key: 1 }.encode(), Command::Write { key: 1, value: 6 }.encode());
        let answer = |pending: &mut dyn Iterator<Item = (ClientKey, &[u8])>| Reply::decode(&machine.query(TenantId(0), &read, pending));
        assert_eq!(answer(&mut core::iter::empty()), Some(Reply::Value(Some(5))));
        assert_eq!(answer(&mut [(CLIENT, &later[..])].into_iter()), Some(Reply::Value(Some(6))));
        assert_eq!(answer(&mut core::iter::empty()), Some(Reply::Value(Some(5))), "the state itself is untouched");
    }
}
