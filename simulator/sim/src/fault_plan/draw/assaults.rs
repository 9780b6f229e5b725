//! Rounds of attacks on messages, as a scenario's row describes them.
//!
//! An attack is worth something only at its moment: most of them need a view change, so a round brings one about, and names its
//! liars by the parts that they will play in it.

use super::Planner;
use crate::attack::CommandName;
use crate::fault_plan::{Fault, Partition, Target};
use crate::scenario::PrimaryFate;

impl Planner<'_> {
    /// In a round all rules hold, one replica's links after another's in the order of the row; between rounds nobody lies.
    pub(super) fn assaults(&mut self) {
        let assault = self.base.assault;
        let mut start = self.duration(assault.pause.0, assault.pause.1);
        while !assault.ambushes.is_empty() && start < self.horizon() {
            let end = start + self.duration(assault.round.0, assault.round.1);
            for ambush in assault.ambushes {
                let (from, to, attack, chance) = (ambush.from, ambush.to, ambush.attack, ambush.chance);
                let command = ambush.command.map(CommandName);
                self.push_if_on(start, Some(end), Fault::Attack { from, to, command, attack, chance });
            }
            if assault.primary == PrimaryFate::Mute {
                for place in 0..self.options.cluster.replicas - 1 {
                    let shape = Partition::OneWay { from: Target::Primary, to: Target::Backup(place) };
                    self.push_if_on(start, Some(end), Fault::Partition { shape, clients_too: false });
                }
            }
            start = end + self.duration(assault.pause.0, assault.pause.1);
        }
    }
}
