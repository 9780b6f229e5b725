//! Explores the protocol within bounds given on the command line and prints what holds, or the shortest way to what does not.

use anyhow::Result;
use clap::Parser;
use model::model::{Bounds, Protocol};
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Explores every interleaving of a small cluster: messages lost, duplicated and reordered, crashes between any two steps.
#[derive(Parser)]
struct Options {
    /// Voting members.
    #[arg(long, default_value_t = 3)]
    replicas: u8,
    /// Client operations, 3 at most.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=3))]
    operations: u32,
    /// Views, the first one included.
    #[arg(long, default_value_t = 2)]
    views: u64,
    /// Timers that fire.
    #[arg(long, default_value_t = 2)]
    timers: u32,
    /// Only this timer fires (again for another one); all timers unless given.
    #[arg(long = "timer", value_name = "TIMER", value_parser = find_timer)]
    kinds: Vec<vsr::io::Timer>,
    /// Crashes.
    #[arg(long, default_value_t = 1)]
    crashes: u32,
    /// Messages delivered once more.
    #[arg(long, default_value_t = 0)]
    duplicates: u32,
    /// Crashes that damage the newest durable entry of the replica's disk.
    #[arg(long, default_value_t = 0)]
    damage: u32,
    /// Writes are durable at once.
    #[arg(long)]
    eager_disk: bool,
    /// Switch off a guard of the replica, by the name that `vopr bugs` lists.
    #[arg(long)]
    bug: Option<String>,
    /// Stop after so many states (not exhaustive then).
    #[arg(long)]
    states: Option<usize>,
    /// Stop after so many seconds (not exhaustive then).
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Go deep first: less memory, but the way to a violation is not the shortest.
    #[arg(long)]
    deep: bool,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let bug = options.bug.as_deref().map(find_bug).transpose()?;
    let bounds = Bounds {
        replicas: options.replicas,
        operations: options.operations,
        views: options.views,
        timers: options.timers,
        kinds: options.kinds.clone(),
        crashes: options.crashes,
        duplicates: options.duplicates,
        damage: options.damage,
        eager_disk: options.eager_disk,
        bug,
    };
    println!("{bounds:?}");
    let begin = Instant::now();
    let protocol = Protocol::new(bounds);
    let (stop, limit) = (protocol.stop(), Duration::from_secs(options.seconds));
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        stop.store(true, Ordering::Relaxed);
    });
    let mut checker = protocol.checker().threads(options.threads).finish_when(HasDiscoveries::AnyFailures);
    if let Some(states) = options.states {
        checker = checker.target_state_count(states);
    }
    let holds = if options.deep {
        report(&checker.spawn_dfs().join(), &options, begin)
    } else {
        report(&checker.spawn_bfs().join(), &options, begin)
    };
    Ok(ExitCode::from(u8::from(!holds)))
}

/// Prints what was found; whether every property holds as far as explored.
fn report(checker: &impl Checker<Protocol>, options: &Options, begin: Instant) -> bool {
    let (states, unique, depth) = (checker.state_count(), checker.unique_state_count(), checker.max_depth());
    println!("{unique} different states of {states} reached, depth {depth}, {:.1} s", begin.elapsed().as_secs_f64());
    let ran_out = checker.model().stop().swap(false, Ordering::Relaxed);
    let found = checker.discoveries();
    let properties = checker.model().properties();
    // The first violation ends the search, too.
    let refuted = properties.iter().any(|property| property.expectation == Expectation::Always && found.contains_key(property.name));
    let stopped = refuted || options.states.is_some_and(|limit| states >= limit) || ran_out;
    let mut holds = true;
    for property in properties {
        let path = found.get(property.name);
        let verdict = match (&property.expectation, path) {
            (Expectation::Always, None) if stopped => "held as far as explored",
            (Expectation::Always, None) => "holds in every state",
            (Expectation::Always, Some(_)) => "VIOLATED",
            (_, Some(_)) => "happens",
            (_, None) => "was not seen",
        };
        println!("{verdict:24} {}", property.name);
        if let (Expectation::Always, Some(path)) = (&property.expectation, path) {
            holds = false;
            for (step, action) in path.clone().into_actions().into_iter().enumerate() {
                println!("  {:3} {action:?}", step + 1);
            }
        }
    }
    holds
}

fn find_bug(name: &str) -> Result<vsr::Bug> {
    let found = vsr::Bug::ALL.iter().find(|bug| bug.name() == name).copied();
    found.ok_or_else(|| {
        anyhow::anyhow!(
            "no guard of the replica is called {name}; `vopr bugs` lists them (those of the state machine are not the replica's)"
        )
    })
}

fn find_timer(name: &str) -> Result<vsr::io::Timer, String> {
    let spelled = |timer: &vsr::io::Timer| format!("{timer:?}").to_lowercase();
    let found = vsr::io::Timer::ALL.into_iter().find(|timer| spelled(timer) == name.replace(['_', '-'], ""));
    found.ok_or_else(|| format!("no timer is called {name}; there are {:?}", vsr::io::Timer::ALL))
}
