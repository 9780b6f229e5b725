//! What every recorded run must satisfy, whatever happened in it.

use std::collections::BTreeMap;
use vopr_schema::{Fate, FaultFamily, FaultKind, History, Outcome};
use vopr_sim::scenario::Overrides;
use vopr_sim::{RunRequest, Simulator, scenarios};

/// A few runs of every scenario, each in its own history.
fn histories() -> Vec<(String, History)> {
    let mut simulator = Simulator::new();
    let mut histories = Vec::new();
    for scenario in scenarios::all() {
        for seed in 0..3 {
            let mut history = History::default();
            let request = RunRequest::new(scenario, seed, &Overrides::default()).expect("nothing is overridden");
            simulator.simulate(&request, Some(&mut history));
            histories.push((format!("{} {seed}", scenario.name), history));
        }
    }
    histories
}

#[test]
fn positions_are_unique_and_rise_with_time() {
    for (name, history) in histories() {
        let mut times: BTreeMap<u64, u64> = BTreeMap::new();
        let mut add = |seqs: &[u64], times_ns: &[u64]| {
            for (seq, time_ns) in seqs.iter().zip(times_ns) {
                assert!(times.insert(*seq, *time_ns).is_none(), "{name}: position {seq} is given twice");
            }
        };
        for (seqs, times_ns) in [
            (&history.operations.seq, &history.operations.time_ns),
            (&history.messages.seq, &history.messages.time_ns),
            (&history.transitions.seq, &history.transitions.time_ns),
            (&history.storage.seq, &history.storage.time_ns),
            (&history.faults.seq, &history.faults.time_ns),
        ] {
            assert!(seqs.is_sorted(), "{name}: the rows of a table are in order");
            add(seqs, times_ns);
        }
        let ended = |seqs: &[u64], times_ns: &[u64]| -> (Vec<u64>, Vec<u64>) {
            seqs.iter().zip(times_ns).filter(|(seq, _)| **seq != u64::MAX).map(|(seq, time_ns)| (*seq, *time_ns)).unzip()
        };
        let (seqs, times_ns) = ended(&history.messages.fate_seq.0, &history.messages.fate_time_ns.0);
        add(&seqs, &times_ns);
        let (seqs, times_ns) = ended(&history.operations.return_seq.0, &history.operations.return_time_ns.0);
        add(&seqs, &times_ns);
        assert_eq!(times.keys().next(), Some(&1), "{name}: position 0 is the run's own row");
        assert_eq!(times.keys().next_back(), Some(&(times.len() as u64)), "{name}: no position is left out");
        assert!(times.values().is_sorted(), "{name}: time never runs backwards");
    }
}

#[test]
fn every_copy_has_a_fate_behind_its_sending() {
    for (name, history) in histories() {
        let messages = &history.messages;
        for row in 0..messages.len() {
            match (messages.fate.get(row), messages.fate_seq.get(row)) {
                (Fate::InFlightAtEnd, None) => {}
                (fate, Some(seq)) => assert!(fate != Fate::InFlightAtEnd && seq > messages.seq[row], "{name}: {:?}", messages.row(row)),
                (fate, None) => panic!("{name}: {fate} without a position: {:?}", messages.row(row)),
            }
            if messages.reject_reason.get(row).is_some() {
                assert_eq!(messages.fate.get(row), Fate::Delivered, "{name}: only what arrives can be refused");
            }
        }
    }
}

#[test]
fn operations_return_once_and_clients_have_one_at_a_time() {
    for (name, history) in histories() {
        let operations = &history.operations;
        let mut last: BTreeMap<(u32, u32), usize> = BTreeMap::new();
        for row in 0..operations.len() {
            let returned = operations.return_seq.get(row);
            let outcome = operations.outcome.get(row);
            assert!(returned.is_some() || outcome == Outcome::Unknown, "{name}: {:?}", operations.row(row));
            assert_eq!(outcome == Outcome::Error, operations.error.get(row).is_some(), "{name}");
            assert!(operations.attempts[row] > 0, "{name}");
            if let Some(before) = last.insert((operations.tenant[row], operations.client[row]), row) {
                let free = operations.return_seq.get(before).is_none_or(|seq| seq < operations.seq[row]);
                assert!(free, "{name}: an operation begins while the one before it is pending");
            }
        }
        let run = &history.runs[0];
        assert_eq!(run.operations_ok + run.operations_error + run.operations_unknown, operations.len() as u64);
    }
}

#[test]
fn faults_belong_to_families_that_are_on_and_baseline_has_none() {
    for (name, history) in histories() {
        let options: serde_json::Value = serde_json::from_str(&history.runs[0].options).expect("options are JSON");
        for row in 0..history.faults.len() {
            let family = history.faults.family.get(row);
            let on = options["families"][family.to_string()].as_bool().expect("every family has a switch");
            // A crash at a step of the protocol belongs to the family of crashes, and tears what was being written.
            let torn = family == FaultFamily::Storage && options["families"]["crash"] == true;
            // A change of membership is asked for, whatever is injected.
            let asked = history.faults.fault.get(row) == FaultKind::Reconfigure;
            assert!(on || torn || asked, "{name}: {:?}", history.faults.row(row));
        }
        assert!(!name.starts_with("baseline") || history.faults.is_empty());
    }
}

#[test]
fn replicas_agree_on_every_state() {
    for (name, history) in histories() {
        let transitions = &history.transitions;
        let mut states: BTreeMap<u64, u64> = BTreeMap::new();
        for row in 0..transitions.len() {
            if transitions.event.get(row) == vopr_schema::TransitionEvent::Applied {
                let (op, state) = (transitions.op.0[row], transitions.state_hash.0[row]);
                assert_eq!(*states.entry(op).or_insert(state), state, "{name}: op {op} gives two states");
            }
        }
        assert!(states.len() > 50, "{name}: {} ops were applied", states.len());
    }
}
