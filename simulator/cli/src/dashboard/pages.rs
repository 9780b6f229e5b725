//! What the pages say of a campaign: groups of failures, evidence by scenario, situations, throughput, and what is wrong with the files.
//!
//! The same functions write the report that is one file and the pages of the dashboard; only where links lead differs.

use super::chart;
use super::html::{command, document, encoded, escaped, link, table};
use crate::campaign_command::print::{again, commands, cpu_seconds, remarks, told_status};
use crate::campaign_dir::date::instant;
use crate::campaign_dir::{Directory, FailingRun, Group, Scenario, Status};
use std::fmt::Write as _;
use vopr_check::terminal::{counted, grouped};
use vopr_checker::situations::{Coverage, Situation};

/// Rows of a table of runs at most; the others are counted.
const RUNS_MAX: usize = 200;

/// An instant that is not broken over two lines.
fn when(unix_ms: u64) -> String {
    format!("<span class=\"when\">{}</span>", instant(unix_ms))
}

/// Where links lead.
#[derive(Clone, Copy, Debug)]
pub enum Links<'a> {
    /// Nowhere: the page is a file.
    Nowhere,
    /// To the pages of a campaign that begin with this address.
    Below(&'a str),
}

impl Links<'_> {
    fn to(self, path: &str) -> Option<String> {
        match self {
            Self::Nowhere => None,
            Self::Below(base) => Some(format!("{base}/{path}")),
        }
    }

    fn to_group(self, group: &Group) -> Option<String> {
        self.to(&format!("group/{}", encoded(&group.fingerprint)))
    }

    fn to_scenario(self, scenario: &str) -> Option<String> {
        self.to(&format!("scenario/{}", encoded(scenario)))
    }

    fn to_run(self, scenario: &str, seed: u64) -> Option<String> {
        self.to(&format!("run?scenario={}&seed={seed}", encoded(scenario)))
    }
}

/// A campaign on one page. `name` is what it is called.
#[must_use]
pub fn campaign(directory: &Directory, name: &str, links: Links<'_>) -> String {
    let worked_on = directory.plans.keys().any(|plan| directory.is_worked_on(plan));
    let mut body = head(directory, name, worked_on, links);
    body.push_str("<h2>failures</h2>\n");
    let groups = directory.groups();
    if groups.is_empty() {
        body.push_str("<p class=\"good\">no run failed</p>\n");
    }
    for place in 0..groups.len() {
        body.push_str(&group(directory, &groups, place, links));
    }
    body.push_str("<h2>throughput</h2>\n");
    body.push_str(&chart::throughput(directory));
    body.push_str("<h2>scenarios and their evidence</h2>\n");
    body.push_str(&scenarios(directory, links));
    body.push_str("<h2>situations</h2>\n");
    body.push_str(&situations(&directory.situations(), Some(directory), links));
    body.push_str("<h2>processes</h2>\n");
    body.push_str(&processes(directory));
    body.push_str(&damage(directory));
    // Only a served page is a page of now.
    let refresh = (worked_on && matches!(links, Links::Below(_))).then_some(10);
    document(&format!("{name} · vopr campaign"), refresh, &body)
}

fn head(directory: &Directory, name: &str, worked_on: bool, links: Links<'_>) -> String {
    let total = directory.total();
    let groups = directory.groups();
    let alarming = groups.iter().filter(|(_, status)| status.is_alarming()).count() as u64;
    let coverage = directory.situations();
    let seen = Situation::ALL.iter().filter(|situation| coverage.of(**situation).runs > 0).count();
    let left = directory.left_altogether();
    let up = if let Links::Below(_) = links { "<p><a href=\"/\">all campaigns</a></p>\n" } else { "" };
    let verdict = match (alarming, total.failed, total.runs) {
        (_, _, 0) => "<span class=\"badge\">nothing done</span>".to_owned(),
        (0, 0, _) => "<span class=\"badge good\">held</span>".to_owned(),
        (0, _, _) => "<span class=\"badge\">nothing new</span>".to_owned(),
        (alarming, _, _) => format!("<span class=\"badge bad\">{} new or expired</span>", counted(alarming, "group")),
    };
    let going = if worked_on { "<span class=\"badge good\">a process works on it</span>" } else { "" };
    let mut html = format!("<header>{up}<h1>{}</h1>\n<p>{verdict}{going}</p>\n<div class=\"facts\">", escaped(name));
    let mut fact = |value: String, what: &str| {
        write!(html, "<div><b>{}</b><span>{what}</span></div>", escaped(&value)).expect("a string takes all");
    };
    fact(grouped(total.runs), "runs");
    if let Some(left) = left.filter(|left| *left > 0) {
        fact(grouped(left), "runs left");
    }
    fact(grouped(total.failed), "failed");
    fact(grouped(groups.len() as u64), "groups");
    fact(grouped(total.undecided), "undecided");
    fact(format!("{seen}/{}", Situation::ALL.len()), "situations");
    fact(grouped(total.events), "events");
    fact(grouped(total.operations), "operations");
    fact(grouped(total.facts), "facts tested");
    fact(cpu_seconds(directory.cpu_ns()), "CPU seconds");
    html.push_str("</div></header>\n");
    html
}

/// A group of failures: what it is, how often it came, and what to do with it.
fn group(directory: &Directory, groups: &[(&Group, Status)], place: usize, links: Links<'_>) -> String {
    let (group, status) = &groups[place];
    let alarming = status.is_alarming();
    let badge = if alarming { "badge bad" } else { "badge" };
    let title = link(links.to_group(group).as_deref(), &group.fingerprint);
    let mut html = format!("<div class=\"group{}\">\n", if alarming { " alarming" } else { "" });
    writeln!(html, "<h3><span class=\"{badge}\">{}</span>{title}</h3>", status.word()).expect("a string takes all");
    let scenarios: Vec<String> = group.scenarios().iter().map(|(name, runs)| format!("{} {runs}", escaped(name))).collect();
    writeln!(html, "<p>{}: {}</p>", counted(group.count(), "run"), scenarios.join(", ")).expect("a string takes all");
    writeln!(html, "<p>{}</p>", escaped(&group.first().sentence)).expect("a string takes all");
    for remark in remarks(groups, place) {
        writeln!(html, "<p class=\"faint\">{}</p>", escaped(&remark)).expect("a string takes all");
    }
    if *status != Status::New {
        writeln!(html, "<p>{}</p>", escaped(&told_status(directory, &group.fingerprint, status))).expect("a string takes all");
    }
    if let Some(note) = directory.known.get(&group.fingerprint).and_then(|known| known.note.as_ref()) {
        writeln!(html, "<p>{}</p>", escaped(note)).expect("a string takes all");
    }
    let place = |run: &FailingRun| {
        let name = format!("{} seed {}", run.scenario, run.seed);
        format!("{} ({} events)", link(links.to_run(&run.scenario, run.seed).as_deref(), &name), grouped(run.events))
    };
    writeln!(html, "<p>first {} · fastest {}</p>", place(group.first()), place(group.fastest())).expect("a string takes all");
    let commits: Vec<String> = group.commits().into_iter().map(escaped).collect();
    writeln!(html, "<p class=\"faint\">since {} with {}</p>", instant(group.since_ms()), commits.join(", ")).expect("a string takes all");
    html.push_str("<details><summary>commands</summary>\n");
    for (word, line) in commands(directory, group) {
        html.push_str(&command(word, &line));
    }
    html.push_str("</details></div>\n");
    html
}

fn scenarios(directory: &Directory, links: Links<'_>) -> String {
    let header = ["scenario", "runs", "ok", "failed", "undecided", "evidence", "situations", "events/s", "CPU s", "missing most often"];
    let row = |(name, scenario): (&String, &Scenario)| {
        let tally = &scenario.tally;
        let class = if tally.is_exercised() { "good" } else { "bad" };
        let evidence = match tally.promised {
            0 => "<span class=\"faint\">not asked</span>".to_owned(),
            promised => format!("<span class=\"{class}\">{}/{}</span>", grouped(tally.exercised), grouped(promised)),
        };
        let failed = if tally.failed > 0 { format!("<span class=\"bad\">{}</span>", grouped(tally.failed)) } else { "0".to_owned() };
        let seen = Situation::ALL.iter().filter(|situation| scenario.situations.of(**situation).runs > 0).count();
        let missing = scenario.missing.iter().max_by_key(|(_, runs)| **runs);
        vec![
            link(links.to_scenario(name).as_deref(), name),
            grouped(tally.runs),
            grouped(tally.held()),
            failed,
            grouped(tally.undecided),
            evidence,
            seen.to_string(),
            grouped(tally.events_per_second()),
            cpu_seconds(scenario.cpu_ns),
            missing.map_or_else(String::new, |(words, runs)| format!("{} ({})", escaped(words), counted(*runs, "run"))),
        ]
    };
    table(&header, &directory.scenarios.iter().map(row).collect::<Vec<_>>(), true)
}

/// All situations, those that never came first. With a directory: where each came about first.
fn situations(coverage: &Coverage, directory: Option<&Directory>, links: Links<'_>) -> String {
    let mut all: Vec<(Situation, u64, u64)> =
        Situation::ALL.iter().map(|situation| (*situation, coverage.of(*situation).runs, coverage.of(*situation).times)).collect();
    all.sort_by_key(|(_, runs, _)| *runs);
    let most = all.last().map_or(1, |(_, runs, _)| (*runs).max(1));
    let mut html = String::from("<div class=\"places\">\n");
    for (situation, runs, times) in all {
        let first = directory.and_then(|directory| directory.sightings.get(situation.name()));
        let first = first.map_or_else(String::new, |first| {
            let name = format!("{} seed {}", first.scenario, first.seed);
            format!(" · first in {}, {}", link(links.to_run(&first.scenario, first.seed).as_deref(), &name), instant(first.at_ms))
        });
        let count = if runs == 0 { "never".to_owned() } else { format!("{} ({})", counted(runs, "run"), counted(times, "time")) };
        let class = if runs == 0 { " class=\"never\"" } else { "" };
        let (name, words, part) = (situation.name(), escaped(situation.words()), 90 * runs / most);
        writeln!(
            html,
            "<p{class}><span><b>{name}</b><small>{words}{first}</small></span><span class=\"bar\" style=\"width:{part}px\"></span>\
             <span>{count}</span></p>"
        )
        .expect("a string takes all");
    }
    html.push_str("</div>\n");
    html
}

fn processes(directory: &Directory) -> String {
    let header = ["began", "last heard of", "plan", "shard", "program", "threads", "runs", "end"];
    let mut processes: Vec<_> = directory.processes.values().collect();
    processes.sort_by_key(|process| process.began_ms);
    let row = |process: &&crate::campaign_dir::Process| {
        let plan = process.plan.as_ref().and_then(|plan| directory.plans.get(plan));
        let worked_on = plan.is_some_and(|plan| directory.is_worked_on(&plan.id));
        let end = match &process.end {
            Some(end) => escaped(&end.why),
            None if worked_on => "<span class=\"good\">at work</span>".to_owned(),
            None => "<span class=\"doubt\">killed</span>".to_owned(),
        };
        let [version, commit] = &process.program;
        vec![
            when(process.began_ms),
            when(process.last_ms),
            plan.map_or_else(|| "failures once more".to_owned(), |plan| escaped(&plan.scenarios.join(", "))),
            plan.map_or_else(String::new, |plan| format!("{}/{}", plan.shard[0], plan.shard[1])),
            escaped(&format!("{version} ({commit})")),
            process.threads.to_string(),
            grouped(process.runs),
            end,
        ]
    };
    table(&header, &processes.iter().map(row).collect::<Vec<_>>(), false)
}

fn damage(directory: &Directory) -> String {
    let mut html = String::new();
    for conflict in &directory.conflicts {
        let words = "held in one file and failed in another one";
        let place = format!("{} seed {}", escaped(&conflict.scenario), conflict.seed);
        writeln!(html, "<p class=\"bad\">{place} {words}: another program, or not deterministic</p>").expect("a string takes all");
    }
    for slow in directory.slow() {
        let seconds = slow.at_ms.saturating_sub(slow.since_ms) / 1000;
        let place = format!("{} seed {}", escaped(&slow.scenario), slow.seed);
        writeln!(html, "<p class=\"bad\">{place} was under way for {seconds} s when it was last seen</p>").expect("a string takes all");
    }
    for damage in &directory.damage {
        writeln!(html, "<p class=\"bad\">{}: {}</p>", escaped(&damage.place), escaped(&damage.what)).expect("a string takes all");
    }
    if html.is_empty() { html } else { format!("<h2>what is wrong</h2>\n{html}") }
}

/// A group with all of its runs.
#[must_use]
pub fn whole_group(directory: &Directory, groups: &[(&Group, Status)], place: usize, base: &str) -> String {
    let (group, _) = groups[place];
    let links = Links::Below(base);
    let title = escaped(&group.fingerprint);
    let mut body = format!("<header><p><a href=\"{}/\">the campaign</a></p><h1>{title}</h1></header>\n", escaped(base));
    body.push_str(&self::group(directory, groups, place, links));
    body.push_str("<h2>runs</h2>\n");
    let mut runs: Vec<&FailingRun> = group.runs.iter().collect();
    runs.sort_by_key(|run| (run.events, run.seed));
    let row = |run: &&FailingRun| {
        let now = directory.rerun(run).map_or_else(String::new, |(rerun, commit)| match &rerun.now {
            None => format!("<span class=\"good\">held with {}</span>", escaped(commit)),
            Some(now) => format!("<span class=\"bad\">{} with {}</span>", escaped(&now.fingerprint), escaped(commit)),
        });
        vec![
            link(links.to_run(&run.scenario, run.seed).as_deref(), &format!("{} seed {}", run.scenario, run.seed)),
            grouped(run.events),
            when(run.at_ms),
            escaped(&run.commit),
            now,
            escaped(&run.sentence),
            format!("<code>{}</code>", escaped(&again(directory, run))),
        ]
    };
    let rows: Vec<Vec<String>> = runs.iter().take(RUNS_MAX).map(row).collect();
    body.push_str(&table(&["run", "events", "found", "with", "tried again", "what is wrong", "again"], &rows, false));
    if runs.len() > RUNS_MAX {
        writeln!(body, "<p class=\"faint\">and {} more</p>", runs.len() - RUNS_MAX).expect("a string takes all");
    }
    document(&group.fingerprint, None, &body)
}

/// A scenario: its evidence, its situations, and its runs that can be looked at.
#[must_use]
pub fn scenario(directory: &Directory, name: &str, scenario: &Scenario, base: &str) -> String {
    let links = Links::Below(base);
    let mut body = format!("<header><p><a href=\"{}/\">the campaign</a></p><h1>{}</h1></header>\n", escaped(base), escaped(name));
    let tally = &scenario.tally;
    let words = if tally.promised == 0 {
        "no evidence is asked of it".to_owned()
    } else {
        format!("{} of {} runs show what it promises", grouped(tally.exercised), grouped(tally.promised))
    };
    writeln!(body, "<p>{} · {} failed · {words}</p>", counted(tally.runs, "run"), grouped(tally.failed)).expect("a string takes all");
    for (words, runs) in &scenario.missing {
        writeln!(body, "<p class=\"doubt\">missing in {}: {}</p>", counted(*runs, "run"), escaped(words)).expect("a string takes all");
    }
    for (invariant, runs) in &scenario.undecided {
        writeln!(body, "<p class=\"doubt\">{} undecided in {}</p>", escaped(invariant), counted(*runs, "run")).expect("a string takes all");
    }
    writeln!(
        body,
        "<h2>a run as a timeline</h2>\n<form action=\"{}/run\"><input type=\"hidden\" name=\"scenario\" value=\"{}\"><label>seed \
         <input name=\"seed\" inputmode=\"numeric\" required pattern=\"[0-9]+\"></label><button>show</button></form>",
        escaped(base),
        escaped(name)
    )
    .expect("a string takes all");
    let kept = |(seed, file): &(u64, String)| {
        vec![link(links.to_run(name, *seed).as_deref(), &format!("seed {seed}")), format!("<code>{}</code>", escaped(file))]
    };
    let failing = directory.groups();
    let failing = failing.iter().flat_map(|(group, _)| group.runs.iter().map(move |run| (group, run)));
    let failing = failing.filter(|(_, run)| run.scenario == name).take(RUNS_MAX).map(|(group, run)| {
        let what = link(links.to_group(group).as_deref(), &group.fingerprint);
        vec![link(links.to_run(name, run.seed).as_deref(), &format!("seed {}", run.seed)), format!("failed: {what}")]
    });
    let rows: Vec<Vec<String>> = failing.chain(scenario.kept.iter().take(RUNS_MAX).map(kept)).collect();
    body.push_str(&table(&["failing and kept runs", ""], &rows, false));
    body.push_str("<h2>situations</h2>\n");
    body.push_str(&situations(&scenario.situations, None, links));
    document(name, None, &body)
}

/// All campaigns below a directory: name, address and contents of each.
#[must_use]
pub fn all(data: &str, campaigns: &[(String, String, Directory)]) -> String {
    let mut body = format!("<header><h1>campaigns</h1><p>{}</p></header>\n", escaped(data));
    if campaigns.is_empty() {
        body.push_str("<p>There is none. <code>vopr campaign all --for 8h</code> begins one under <code>runs/</code>.</p>\n");
        return document("vopr campaigns", Some(10), &body);
    }
    let row = |(name, address, directory): &(String, String, Directory)| {
        let total = directory.total();
        let groups = directory.groups();
        let alarming = groups.iter().filter(|(_, status)| status.is_alarming()).count();
        let worked_on = directory.plans.keys().any(|plan| directory.is_worked_on(plan));
        let class = if alarming > 0 { "bad" } else { "good" };
        let coverage = directory.situations();
        let seen = Situation::ALL.iter().filter(|situation| coverage.of(**situation).runs > 0).count();
        let last = directory.processes.values().map(|process| process.last_ms).max().unwrap_or_default();
        vec![
            link(Some(address), name),
            grouped(total.runs),
            grouped(total.failed),
            format!("<span class=\"{class}\">{} ({alarming} new or expired)</span>", groups.len()),
            format!("{seen}/{}", Situation::ALL.len()),
            directory.scenarios.len().to_string(),
            directory.damage.len().to_string(),
            if worked_on { "<span class=\"good\">now</span>".to_owned() } else { instant(last) },
        ]
    };
    let header = ["campaign", "runs", "failed", "groups", "situations", "scenarios", "damaged", "last heard of"];
    body.push_str(&table(&header, &campaigns.iter().map(row).collect::<Vec<_>>(), true));
    document("vopr campaigns", Some(30), &body)
}

/// A page that says what is not there.
#[must_use]
pub fn problem(title: &str, words: &str) -> String {
    let body = format!("<header><p><a href=\"/\">all campaigns</a></p><h1>{}</h1></header>\n<p>{}</p>\n", escaped(title), escaped(words));
    document(title, None, &body)
}
