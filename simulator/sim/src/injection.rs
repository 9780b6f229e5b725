//! Carries out the fault plan: what each planned fault does to the world when it begins, and when it ends.
//!
//! A target that the plan names by its part (the primary) becomes a number when the fault begins and stays that number.

use crate::fault_plan::{ClientName, Endpoint, Fault, GrayMode, Partition, Place, Target, Voters};
use crate::network::FIRST_CLIENT;
use crate::node::Process;
use crate::options::Rate;
use crate::storage::Slowdown;
use crate::world::{Event, World};
use vopr_schema::{FaultFamily, FaultKind, FaultRow};
use vsr::ids::ReplicaId;
use vsr::quorum::Members;

/// A planned fault at work, its targets resolved.
#[derive(Clone, Copy, Debug, Default)]
pub struct Active {
    /// Whether it is at work.
    pub on: bool,
    /// First target: a replica, or an endpoint.
    target: u16,
    /// Second target.
    peer: u16,
    /// The voters that were asked for.
    voters: u32,
    /// What the clock's rate was before, parts per billion.
    drift_ppb: i64,
}

impl World {
    /// The planned fault `index` begins.
    pub(crate) fn begin_fault(&mut self, index: u32) {
        self.queue_next_fault(index);
        if self.healed {
            return;
        }
        let planned = self.plan.0[index as usize].clone();
        let Some(active) = self.apply(index, planned.fault, planned.end_time_ns) else {
            return;
        };
        self.active[index as usize] = Active { on: true, ..active };
        if let Some(end_ns) = planned.end_time_ns {
            self.queue.push(end_ns.max(self.now_ns), Event::FaultEnds { index });
        }
    }

    /// Plans can be long: each fault queues the next, so that the queue stays short.
    fn queue_next_fault(&mut self, index: u32) {
        if let Some(next) = self.plan.0.get(index as usize + 1) {
            self.queue.push(next.time_ns.max(self.now_ns), Event::FaultBegins { index: index + 1 });
        }
    }

    /// Does what a fault does; none when there is nothing to do it to.
    fn apply(&mut self, index: u32, fault: Fault, end_time_ns: Option<u64>) -> Option<Active> {
        let mut active = Active::default();
        match fault {
            Fault::Partition { shape, clients_too } => self.begin_partition(shape, clients_too, &mut active)?,
            Fault::Clog { from, to, delay_factor, drop } => {
                (active.target, active.peer) = (self.endpoint(from)?, self.endpoint(to)?);
                if active.target == active.peer {
                    return None;
                }
                self.network.clog(active.target, active.peer, index, delay_factor, drop);
            }
            Fault::Gray { target, mode } => self.begin_gray(index, target, mode, &mut active)?,
            Fault::Crash { target } => return self.begin_crash(index, target, end_time_ns),
            Fault::Reformat { target } => return self.begin_reformat(index, target, end_time_ns),
            Fault::Pause { target } => return self.begin_pause(index, target, end_time_ns),
            Fault::ClockOffset { target, offset_ns: step_ns } | Fault::ClockStep { target, step_ns } => {
                active.target = self.replica(target)?;
                self.nodes[usize::from(active.target)].clock.step(step_ns);
            }
            Fault::ClockDrift { target, ppm } => {
                active.target = self.replica(target)?;
                let clock = &mut self.nodes[usize::from(active.target)].clock;
                active.drift_ppb = clock.drift_ppb();
                clock.set_drift(self.now_ns, i64::from(ppm) * 1_000);
            }
            Fault::ClientCrash { client } => {
                active.target = self.client_endpoint(client)?;
                self.crash_client(usize::from(active.target - FIRST_CLIENT));
            }
            Fault::ClientPartition { client, replica } => {
                (active.target, active.peer) = (self.client_endpoint(client)?, self.replica(replica)?);
                self.network.cut(active.target, active.peer);
                self.network.cut(active.peer, active.target);
            }
            Fault::TenantLoss { tenant, loss } => self.set_tenant_loss(tenant, loss),
            Fault::Corruption { target, place, bits } => return self.begin_corruption(index, target, place, bits, end_time_ns),
            Fault::StaleRead { target, position } => {
                active.target = self.replica(target)?;
                self.make_stale(usize::from(active.target), position).then_some(())?;
            }
            Fault::MisdirectedWrite { target, position } => {
                active.target = self.replica(target)?;
                self.misdirect(usize::from(active.target), position).then_some(())?;
            }
            Fault::CorruptLog { target, share, head } => return self.begin_log_damage(index, target, share, head),
            Fault::SlowDisk { target, share, delay_ns, delay_ns_max } => {
                active.target = self.replica(target)?;
                let slowdown = Slowdown { plan_index: index, share, delay_ns, delay_ns_max };
                self.nodes[usize::from(active.target)].disk.slow_down(slowdown);
            }
            Fault::LoadBurst => self.load_bursts += 1,
            Fault::Reconfigure { administrator, voters } => {
                let voters = self.voters(voters);
                active.voters = voters.0;
                self.administer(administrator, voters).then_some(())?;
            }
            Fault::Attack { .. } => self.begin_attack(index, fault, &mut active)?,
        }
        self.record_planned(index, &fault, active, end_time_ns);
        Some(active)
    }

    /// The planned fault `index` ends.
    pub(crate) fn end_fault(&mut self, index: u32) {
        let active = core::mem::take(&mut self.active[index as usize]);
        if self.healed || !active.on {
            return;
        }
        let node = usize::from(active.target).min(self.nodes.len() - 1);
        match self.plan.0[index as usize].fault {
            Fault::Partition { shape, clients_too } => self.change_partition(shape, clients_too, active, false),
            Fault::Clog { .. } => self.network.unclog(active.target, active.peer, index),
            Fault::Gray { .. } => self.nodes[node].gray.end(index),
            Fault::Crash { .. } | Fault::Reformat { .. } if self.nodes[node].stopped_by == Some(index) => self.restart(node),
            Fault::Pause { .. } if self.nodes[node].stopped_by == Some(index) => self.resume(node),
            Fault::ClockOffset { offset_ns, .. } => self.nodes[node].clock.step(-offset_ns),
            Fault::ClockDrift { .. } => self.nodes[node].clock.set_drift(self.now_ns, active.drift_ppb),
            Fault::ClientCrash { .. } => {
                let client = usize::from(active.target - FIRST_CLIENT);
                // Of two crashes that overlap the first end brings the client back; the second must not end its new life.
                if self.clients[client].is_down() {
                    self.start_client(client);
                }
            }
            Fault::ClientPartition { .. } => {
                self.network.join(active.target, active.peer);
                self.network.join(active.peer, active.target);
            }
            Fault::TenantLoss { tenant, .. } => self.set_tenant_loss(tenant, Rate::NEVER),
            Fault::LoadBurst => self.load_bursts -= 1,
            Fault::Attack { .. } => self.attacks.end(index),
            Fault::SlowDisk { .. } => self.nodes[node].disk.speed_up(index),
            Fault::Crash { .. }
            | Fault::Reformat { .. }
            | Fault::Pause { .. }
            | Fault::Reconfigure { .. }
            | Fault::ClockStep { .. }
            | Fault::Corruption { .. }
            | Fault::CorruptLog { .. }
            | Fault::StaleRead { .. }
            | Fault::MisdirectedWrite { .. } => {}
        }
    }

    fn begin_partition(&mut self, shape: Partition, clients_too: bool, active: &mut Active) -> Option<()> {
        let (first, second) = match shape {
            Partition::Full { isolated: only } | Partition::Asymmetric { deaf: only } => (only, only),
            Partition::Partial { first, second } => (first, second),
            Partition::OneWay { from, to } => (from, to),
        };
        (active.target, active.peer) = (self.replica(first)?, self.replica(second)?);
        let two = matches!(shape, Partition::Partial { .. } | Partition::OneWay { .. });
        if two && active.target == active.peer {
            return None;
        }
        self.change_partition(shape, clients_too, *active, true);
        Some(())
    }

    fn change_partition(&mut self, shape: Partition, clients_too: bool, active: Active, cut: bool) {
        let (target, peer) = (active.target, active.peer);
        let mut change = |from, to| if cut { self.network.cut(from, to) } else { self.network.join(from, to) };
        match shape {
            Partition::Partial { .. } => {
                change(target, peer);
                change(peer, target);
            }
            Partition::OneWay { .. } => change(target, peer),
            Partition::Full { .. } | Partition::Asymmetric { .. } => {
                let replicas = (0..self.nodes.len()).map(|index| u16::try_from(index).unwrap_or(u16::MAX));
                let clients = (0..self.clients.len()).map(|index| FIRST_CLIENT + u16::try_from(index).unwrap_or(u16::MAX));
                let both_ways = matches!(shape, Partition::Full { .. });
                for other in replicas.chain(clients.filter(|_| clients_too)).filter(|other| *other != target) {
                    change(other, target);
                    if both_ways {
                        change(target, other);
                    }
                }
            }
        }
    }

    fn begin_attack(&mut self, index: u32, fault: Fault, active: &mut Active) -> Option<()> {
        let Fault::Attack { from, to, command, attack, chance } = fault else { return None };
        active.target = self.replica(from)?;
        let to = match to {
            Some(to) => Some(self.replica(to).filter(|to| *to != active.target)?),
            None => None,
        };
        active.peer = to.unwrap_or(u16::MAX);
        self.attacks.begin(index, (active.target, to), command, attack, chance);
        Some(())
    }

    fn begin_gray(&mut self, index: u32, target: Target, mode: GrayMode, active: &mut Active) -> Option<()> {
        active.target = self.replica(target)?;
        self.nodes[usize::from(active.target)].gray.begin(index, mode);
        Some(())
    }

    fn begin_crash(&mut self, index: u32, target: Target, end_time_ns: Option<u64>) -> Option<Active> {
        let target = self.replica(target)?;
        let node = usize::from(target);
        if self.nodes[node].process == Process::Down {
            return None;
        }
        let active = Active { target, ..Active::default() };
        self.record_planned(index, &self.plan.0[index as usize].fault.clone(), active, end_time_ns);
        self.crash(node);
        self.nodes[node].stopped_by = Some(index);
        Some(active)
    }

    /// A crash after which nothing is left, not even a torn write. Not while another disk is still being written to: this one may hold
    /// the only copy of such an entry (see [`World::lose_unflushed`]).
    fn begin_reformat(&mut self, index: u32, target: Target, end_time_ns: Option<u64>) -> Option<Active> {
        let node = usize::from(self.replica(target)?);
        let is_written_to = self.nodes.iter().enumerate().any(|(other, machine)| other != node && machine.disk.writes_entries());
        if self.nodes[node].process == Process::Down || is_written_to || !self.atlas.may_reformat(self.nodes[node].id) {
            return None;
        }
        let active = self.begin_crash(index, target, end_time_ns)?;
        self.nodes[node].disk.replace();
        self.nodes[node].format += 1;
        Some(active)
    }

    fn begin_pause(&mut self, index: u32, target: Target, end_time_ns: Option<u64>) -> Option<Active> {
        let target = self.replica(target)?;
        let node = usize::from(target);
        if self.nodes[node].process != Process::Up {
            return None;
        }
        let active = Active { target, ..Active::default() };
        self.record_planned(index, &self.plan.0[index as usize].fault.clone(), active, end_time_ns);
        self.pause(node);
        self.nodes[node].stopped_by = Some(index);
        Some(active)
    }

    fn begin_corruption(&mut self, index: u32, target: Target, place: Place, bits: u8, end: Option<u64>) -> Option<Active> {
        let target = self.replica(target)?;
        if !self.corrupt(usize::from(target), place, u32::from(bits)) {
            return None;
        }
        let active = Active { target, ..Active::default() };
        self.record_planned(index, &self.plan.0[index as usize].fault.clone(), active, end);
        Some(active)
    }

    /// One row per damaged entry; none at all when nothing was damaged.
    fn begin_log_damage(&mut self, index: u32, target: Target, share: Rate, head: bool) -> Option<Active> {
        let target = self.replica(target)?;
        let flipped = self.corrupt_log(usize::from(target), share, head);
        let active = Active { target, ..Active::default() };
        for bits in &flipped {
            let (target, place) = (Target::Replica(0), Place::Entry { position: Rate::NEVER });
            let entry = Fault::Corruption { target, place, bits: u8::try_from(*bits).unwrap_or(u8::MAX) };
            self.record_planned(index, &entry, active, None);
        }
        (!flipped.is_empty()).then_some(active)
    }

    fn set_tenant_loss(&mut self, tenant: u32, loss: Rate) {
        let of_tenant = self.options.cluster.clients_per_tenant;
        for client in tenant * of_tenant..(tenant + 1) * of_tenant {
            if (client as usize) < self.clients.len() {
                self.network.set_client_loss(client as usize, loss);
            }
        }
    }

    /// The number of a replica that may be named by its part.
    fn replica(&self, target: Target) -> Option<u16> {
        let number = match target {
            Target::Replica(number) => usize::from(number),
            Target::Primary => self.primary(),
            Target::Backup(places) => (self.primary() + 1 + usize::from(places)) % self.nodes.len().max(1),
        };
        (number < self.nodes.len()).then(|| u16::try_from(number).unwrap_or(u16::MAX))
    }

    /// The voters that an administrator is to ask for.
    fn voters(&self, voters: Voters) -> Members {
        let (first, count) = match voters {
            Voters::Members(members) => return Members(members),
            Voters::FromPrimary(count) => (self.primary(), count),
            Voters::BehindPrimary(count) => (self.primary() + 1, count),
        };
        let mut members = Members::default();
        for place in first..first + usize::from(count) {
            members.insert(ReplicaId(u8::try_from(place % self.nodes.len()).unwrap_or(0)));
        }
        members
    }

    fn client_endpoint(&self, client: ClientName) -> Option<u16> {
        let index = client.tenant * self.options.cluster.clients_per_tenant + client.client;
        ((index as usize) < self.clients.len()).then(|| FIRST_CLIENT + u16::try_from(index).unwrap_or(u16::MAX))
    }

    fn endpoint(&self, endpoint: Endpoint) -> Option<u16> {
        match endpoint {
            Endpoint::Replica(target) => self.replica(target),
            Endpoint::Client(client) => self.client_endpoint(client),
        }
    }

    fn record_planned(&mut self, index: u32, fault: &Fault, active: Active, end_time_ns: Option<u64>) {
        let (target, peer) = (u32::from(active.target), u32::from(active.peer));
        let (target, peer) = match fault {
            Fault::Partition { shape: Partition::Full { .. }, .. } => (Some(1 << target), None),
            Fault::Partition { shape: Partition::Partial { .. } | Partition::OneWay { .. }, .. }
            | Fault::Clog { .. }
            | Fault::ClientPartition { .. } => (Some(target), Some(peer)),
            Fault::TenantLoss { tenant, .. } => (Some(*tenant), None),
            Fault::LoadBurst => (None, None),
            Fault::Reconfigure { administrator, .. } => (Some(active.voters), Some(u32::from(*administrator))),
            Fault::Attack { to, .. } => (Some(target), to.map(|_| peer)),
            _ => (Some(target), None),
        };
        self.count_fault(fault.family());
        let (fault, family, magnitude) = (fault.kind(), fault.family(), fault.magnitude());
        self.recorder.fault(FaultRow {
            family,
            fault,
            target,
            peer,
            end_time_ns,
            magnitude,
            plan_index: Some(index),
            ..FaultRow::default()
        });
    }

    /// Writes a fault that was drawn at the moment of an access.
    pub(crate) fn record_fault(&mut self, family: FaultFamily, fault: FaultKind, target: usize, magnitude: f64) {
        self.count_fault(family);
        let target = u32::try_from(target).ok();
        self.recorder.fault(FaultRow { family, fault, target, magnitude, ..FaultRow::default() });
    }

    /// A message was changed on its way.
    pub(crate) fn record_mutation(&mut self, from: u16, to: u16, magnitude: u32) {
        self.count_fault(FaultFamily::Byzantine);
        self.recorder.fault(FaultRow {
            family: FaultFamily::Byzantine,
            fault: FaultKind::MessageMutation,
            target: Some(u32::from(from)),
            peer: Some(u32::from(to)),
            magnitude: f64::from(magnitude),
            ..FaultRow::default()
        });
    }

    /// Writes the faults that last for the whole run.
    pub(crate) fn record_rates(&mut self) {
        let network = self.options.network;
        for (kind, rate) in [(FaultKind::Loss, network.drop), (FaultKind::Duplication, network.duplicate)] {
            if rate != Rate::NEVER {
                self.count_fault(FaultFamily::Network);
                let (family, magnitude) = (FaultFamily::Network, rate.share());
                self.recorder.fault(FaultRow { family, fault: kind, magnitude, ..FaultRow::default() });
            }
        }
    }

    fn count_fault(&mut self, family: FaultFamily) {
        self.faults_by_family[family as usize] += 1;
    }
}
