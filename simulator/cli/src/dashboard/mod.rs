//! `vopr dashboard`: the campaigns below a directory as pages for a browser, on this machine alone.
//!
//! Every answer is made from the files as they are at that moment: the server holds no state, may be ended and started at any time, and
//! damaged files are named on the pages and take nothing else with them.

pub mod chart;
pub mod html;
pub mod pages;
mod run;

use crate::args::campaign::DashboardArguments;
use crate::campaign_command::print;
use crate::campaign_dir::{Directory, is_campaign};
use html::{decoded, encoded};
use pages::Links;
use std::io::Cursor;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tiny_http::{Header, Method, Request, Response, Server};
use vopr_check::exit::{Exit, Problem};
use vopr_check::interrupt;
use vopr_check::terminal::{Sink, note};

/// Threads that answer.
const THREADS: usize = 4;

/// How deep below the directory campaigns are looked for.
const DEPTH: usize = 2;

/// The address of the directory itself, where it is a campaign.
const ITSELF: &str = "_";

/// A page may look as it likes and run what is in it; it may ask nobody but this server.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// What a request is answered with.
struct Answer {
    status: u16,
    kind: &'static str,
    body: String,
}

impl Answer {
    fn page(body: String) -> Self {
        Self { status: 200, kind: "text/html; charset=utf-8", body }
    }

    fn missing(words: &str) -> Self {
        Self { status: 404, ..Self::page(pages::problem("not found", words)) }
    }

    fn refused(status: u16, words: &str) -> Self {
        Self { status, ..Self::page(pages::problem("refused", words)) }
    }
}

/// Answers until it is interrupted.
///
/// # Errors
/// When there is no such directory, or the port is taken.
pub fn run(arguments: &DashboardArguments, sink: &mut Sink<'_>) -> Result<Exit, Problem> {
    let data = &arguments.data_dir;
    if !data.is_dir() {
        return Err(Problem::refused(format!("{}: no such directory", data.display())));
    }
    interrupt::listen("the answers under way are given");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let server = Server::http(address).map_err(|error| Problem::internal(format!("{address}: {error}: choose another --port")))?;
    let port = server.server_addr().to_ip().map_or(arguments.port, |address| address.port());
    sink.line(&format!("http://127.0.0.1:{port}/  {} (Ctrl-C ends it)", data.display()))?;
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| serve(&server, data, port));
        }
    });
    Ok(Exit::Held)
}

/// The body of a thread that answers.
fn serve(server: &Server, data: &Path, port: u16) {
    while !interrupt::requested() {
        match server.recv_timeout(Duration::from_millis(200)) {
            Ok(Some(request)) => respond(request, data, port),
            Ok(None) => {}
            Err(error) => {
                note(&format!("warning: {error}"));
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }
}

fn respond(request: Request, data: &Path, port: u16) {
    let answered = catch_unwind(AssertUnwindSafe(|| answer(&request, data, port)));
    let answer = answered.unwrap_or_else(|_| Answer::refused(500, "a mistake of ours: please report what the terminal says"));
    let header = |name: &str, value: &str| Header::from_bytes(name, value).expect("these headers are plain words");
    let headers = vec![
        header("Content-Type", answer.kind),
        header("Content-Security-Policy", POLICY),
        header("X-Content-Type-Options", "nosniff"),
        header("Cache-Control", "no-store"),
    ];
    let length = answer.body.len();
    let response = Response::new(answer.status.into(), headers, Cursor::new(answer.body.into_bytes()), Some(length), None);
    // A browser that has gone away misses nothing.
    request.respond(response).unwrap_or_default();
}

fn answer(request: &Request, data: &Path, port: u16) -> Answer {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return Answer::refused(405, "these pages can only be read");
    }
    // A name of another machine that was made to lead here would let any web page read the files.
    let host = request.headers().iter().find(|header| header.field.equiv("Host")).map(|header| header.value.as_str());
    if host.is_none_or(|host| !is_own_host(host, port)) {
        return Answer::refused(403, "this server answers to 127.0.0.1 and localhost alone");
    }
    let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
    let parts: Option<Vec<String>> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
    let Some(parts) = parts else { return Answer::refused(400, "the address is no text") };
    route(&parts.iter().map(String::as_str).collect::<Vec<_>>(), query, data)
}

fn is_own_host(host: &str, port: u16) -> bool {
    ["127.0.0.1", "localhost"].iter().any(|name| host == format!("{name}:{port}") || (port == 80 && host == *name))
}

/// The page of an address.
fn route(parts: &[&str], query: &str, data: &Path) -> Answer {
    match parts {
        [] => Answer::page(overview(data)),
        ["favicon.ico"] => Answer { status: 204, kind: "image/x-icon", body: String::new() },
        ["c", name, rest @ ..] => match find(data, name) {
            Some(path) => campaign(&path, name, rest, query),
            None => Answer::missing(&format!("no campaign {name} is below {}", data.display())),
        },
        _ => Answer::missing("there is no such page"),
    }
}

/// The pages of one campaign.
fn campaign(path: &Path, name: &str, rest: &[&str], query: &str) -> Answer {
    let directory = match Directory::open(path) {
        Ok(directory) => directory,
        Err(error) => return Answer::missing(&format!("{}: {error}", path.display())),
    };
    let base = format!("/c/{}", encoded(name));
    match rest {
        [] => Answer::page(pages::campaign(&directory, &told_name(path, name), Links::Below(&base))),
        ["report.jsonl"] => Answer { status: 200, kind: "application/jsonl; charset=utf-8", body: report(&directory) },
        ["group", fingerprint] => {
            let groups = directory.groups();
            let found = groups.iter().position(|(group, _)| group.fingerprint == *fingerprint);
            found.map_or_else(
                || Answer::missing(&format!("no run of this campaign failed with {fingerprint}")),
                |place| Answer::page(pages::whole_group(&directory, &groups, place, &base)),
            )
        }
        ["scenario", wanted] => directory.scenarios.get(*wanted).map_or_else(
            || Answer::missing(&format!("no run of the scenario {wanted} is in this campaign")),
            |scenario| Answer::page(pages::scenario(&directory, wanted, scenario, &base)),
        ),
        ["run"] => match run::timeline(&directory, query) {
            Ok(page) => Answer::page(page),
            Err(words) => Answer::missing(&words),
        },
        _ => Answer::missing("there is no such page"),
    }
}

/// What `vopr campaign report --json` prints.
fn report(directory: &Directory) -> String {
    let mut text = Vec::new();
    let mut sink = Sink::new(&mut text);
    // Memory takes every line.
    print::summary(directory, &print::Ending::finished(), crate::args::Form::Json, false, &mut sink).unwrap_or_default();
    drop(sink);
    String::from_utf8_lossy(&text).into_owned()
}

fn overview(data: &Path) -> String {
    let open = |(name, path): (String, PathBuf)| {
        let directory = Directory::open(&path).ok()?;
        Some((told_name(&path, &name), format!("/c/{}/", encoded(&name)), directory))
    };
    pages::all(&data.display().to_string(), &campaigns(data).into_iter().filter_map(open).collect::<Vec<_>>())
}

/// What a campaign is called: its path below the directory, or the directory's own name.
fn told_name(path: &Path, name: &str) -> String {
    if name == ITSELF { path.display().to_string() } else { name.to_owned() }
}

/// The campaign of that name, which must be one of those that are listed.
fn find(data: &Path, name: &str) -> Option<PathBuf> {
    campaigns(data).into_iter().find(|(known, _)| known == name).map(|(_, path)| path)
}

/// The campaigns below a directory, the last ones first: names and paths.
fn campaigns(data: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    if is_campaign(data) {
        found.push((ITSELF.to_owned(), data.to_owned()));
        return found;
    }
    let mut open = vec![(String::new(), data.to_owned(), 0)];
    while let Some((prefix, path, depth)) = open.pop() {
        for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
            let (path, part) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if !path.is_dir() || part.starts_with('.') {
                continue;
            }
            let name = if prefix.is_empty() { part } else { format!("{prefix}/{part}") };
            if is_campaign(&path) {
                found.push((name, path));
            } else if depth + 1 < DEPTH {
                open.push((name, path, depth + 1));
            }
        }
    }
    found.sort();
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        assert!(is_own_host("127.0.0.1:8080", 8080) && is_own_host("localhost:8080", 8080) && is_own_host("localhost", 80));
        assert!(!is_own_host("evil.example:8080", 8080) && !is_own_host("127.0.0.1:8081", 8080) && !is_own_host("localhost", 8080));
    }

    #[test]
    fn an_address_leads_to_campaigns_that_are_listed_and_nowhere_else() {
        let home = tempfile::tempdir().unwrap();
        let inside = home.path().join("data");
        for name in ["data/one", "data/night/two", "outside", "data/a/b/too-deep"] {
            let path = home.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("runs-p-1.jsonl"), "").unwrap();
        }
        let names: Vec<String> = campaigns(&inside).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["one", "night/two"]);
        assert!(find(&inside, "night/two").is_some() && find(&inside, "../outside").is_none() && find(&inside, "").is_none());
        let status = |parts: &[&str]| route(parts, "", &inside).status;
        assert_eq!((status(&[]), status(&["c", "one"]), status(&["c", "night/two"])), (200, 200, 200));
        assert_eq!((status(&["c", "../outside"]), status(&["c", "one", "group", "x"]), status(&["x"])), (404, 404, 404));
        assert_eq!(campaigns(&inside.join("one")), [(ITSELF.to_owned(), inside.join("one"))]);
    }
}
