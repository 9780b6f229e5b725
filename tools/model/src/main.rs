//! Explores the protocol within bounds given on the command line and prints what holds, or the shortest way to what does not.

use anyhow::Result;
use clap::Parser;
use model::bounds::{Bounds, REPLICAS_MAX};
use model::search::{End, Reductions, Search, Violation};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Explores every interleaving of a small cluster: messages lost, duplicated and reordered, crashes between any two steps.
#[derive(Parser)]
struct Options {
    /// Voting members, 5 at most.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=REPLICAS_MAX as i64))]
    replicas: u8,
    /// Client operations, 3 at most.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    operations: u8,
    /// Views, the first one included.
    #[arg(long, default_value_t = 2)]
    views: u64,
    /// Timers that fire.
    #[arg(long, default_value_t = 2)]
    timers: u8,
    /// Only this timer fires (again for another one); all timers unless given.
    #[arg(long = "timer", value_name = "TIMER", value_parser = find_timer)]
    kinds: Vec<vsr::io::Timer>,
    /// Crashes.
    #[arg(long, default_value_t = 1)]
    crashes: u8,
    /// Messages delivered once more.
    #[arg(long, default_value_t = 0)]
    duplicates: u8,
    /// Crashes that damage the newest durable entry of the replica's disk.
    #[arg(long, default_value_t = 0)]
    damage: u8,
    /// Writes are durable at once.
    #[arg(long)]
    eager_disk: bool,
    /// What one end sends to another does not overtake what it sent before; lost and repeated it may be.
    #[arg(long)]
    ordered_links: bool,
    /// Switch off a guard of the replica, by the name that `vopr bugs` lists.
    #[arg(long)]
    bug: Option<String>,
    /// Stop after so many states (not exhaustive then).
    #[arg(long)]
    states: Option<usize>,
    /// Stop after so many seconds (not exhaustive then).
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let bounds = Bounds {
        replicas: options.replicas,
        operations: options.operations,
        views: options.views,
        timers: options.timers,
        kinds: options.kinds,
        crashes: options.crashes,
        duplicates: options.duplicates,
        damage: options.damage,
        eager_disk: options.eager_disk,
        ordered_links: options.ordered_links,
        bug: options.bug.as_deref().map(find_bug).transpose()?,
    };
    println!("{bounds:?}");
    let (begin, limit) = (Instant::now(), Duration::from_secs(options.seconds));
    let mut search = Search::new(&bounds, Reductions::ALL);
    let end = search.run(|search| {
        if search.visited() % 1_000_000 == 999_999 {
            eprintln!("{} of {} states visited, {:.0} s", search.visited(), search.states(), begin.elapsed().as_secs_f64());
        }
        begin.elapsed() >= limit || options.states.is_some_and(|states| search.states() >= states)
    });
    report(&search, &end, begin.elapsed(), bounds.views);
    Ok(ExitCode::from(u8::from(matches!(end, End::Violated(_)))))
}

/// Prints what was found.
fn report(search: &Search, end: &End, took: Duration, views: u64) {
    let (nodes, messages, facts) = search.sizes();
    println!("{} different states, {} transitions, {:.1} s", search.states(), search.transitions(), took.as_secs_f64());
    println!("made of {nodes} different replicas, {messages} messages, {facts} sets of facts");
    for property in Violation::ALL {
        let verdict = match end {
            End::Violated(violation) if *violation == property => "VIOLATED",
            End::Complete => "holds in every state",
            _ => "held as far as explored",
        };
        println!("{verdict:24} {}", property.name());
        if verdict == "VIOLATED" {
            for (step, words) in search.way().iter().enumerate() {
                println!("  {:3} {words}", step + 1);
            }
        }
    }
    let (all_commit, later_view) = search.happened();
    let examples = [(all_commit, "all operations commit"), (later_view, "a later view commits")];
    // In a single view there is no later one.
    for (happens, what) in examples.into_iter().take(if views > 1 { 2 } else { 1 }) {
        println!("{:24} {what}", if happens { "happens" } else { "was not seen" });
    }
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
