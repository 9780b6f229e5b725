//! `vopr dashboard` over HTTP: what a browser is given, whatever lies in the directory. What it does in one is tested by
//! tools/browser/dashboard.sh.

use e2e::sandbox::{Running, Sandbox};
use std::io::{Read, Write};
use std::net::TcpStream;
use vopr::campaign_dir::Directory;

/// A server over the sandbox's `data`, with a campaign that failed and one that is to be damaged.
struct Served {
    sandbox: Sandbox,
    running: Option<Running>,
    port: u16,
}

impl Served {
    fn new() -> Self {
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_e2e-vopr"), env!("CARGO_BIN_EXE_e2e-vopr-check"));
        let broken = "vopr campaign baseline --seeds 20 --seed 1 --max-events 800 --bug lost_update --dir data/broken";
        let _ = sandbox.run(broken).exits(1);
        let _ = sandbox.run("vopr campaign swizzle --seeds 6 --seed 1 --max-events 800 --dir 'data/a night/it held'").exits(0);
        let mut running = sandbox.start("vopr dashboard --data-dir data --port 0 > address.txt");
        let address = || std::fs::read_to_string(sandbox.path("address.txt")).unwrap_or_default();
        running.until(|| address().contains('\n'));
        let port = address().split("http://127.0.0.1:").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
        Self { sandbox, running: Some(running), port }
    }

    /// Status, head and body of an answer.
    fn ask(&self, method: &str, path: &str, host: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
    }

    /// The body of a page that must be there.
    fn page(&self, path: &str) -> String {
        let (status, head, body) = self.ask("GET", path, &format!("127.0.0.1:{}", self.port));
        assert_eq!(status, 200, "{path}\n{head}\n{body}");
        assert!(head.contains("Content-Security-Policy") && head.contains("no-store"), "{head}");
        body
    }

    fn status(&self, path: &str) -> u16 {
        self.ask("GET", path, &format!("localhost:{}", self.port)).0
    }

    /// Ends the server politely.
    fn end(mut self) {
        let running = self.running.take().unwrap();
        running.signal("INT");
        let _ = running.outcome().exits(0);
    }
}

/// The addresses that a page leads to on this server.
fn links(page: &str) -> Vec<String> {
    let targets = page.split("href=\"/").skip(1).map(|rest| format!("/{}", rest.split('"').next().unwrap().replace("&amp;", "&")));
    let mut links: Vec<String> = targets.collect();
    links.sort();
    links.dedup();
    links
}

#[test]
fn every_link_leads_to_a_page_that_says_what_the_directory_says() {
    let served = Served::new();
    let mut open = vec!["/".to_owned()];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(path) = open.pop() {
        if seen.insert(path.clone()) && !path.contains("/run?") {
            let page = served.page(&path);
            assert!(page.contains("</html>") && !page.contains("http://") && !page.contains("<script"), "{path}");
            open.extend(links(&page));
        }
    }
    let directory = Directory::open(&served.sandbox.path("data/broken")).unwrap();
    let (group, _) = directory.groups().remove(0);
    assert!(seen.contains(&format!("/c/broken/group/{}", group.fingerprint)), "{seen:?}");
    assert!(seen.contains("/c/a%20night%2Fit%20held/scenario/swizzle_clogging"), "{seen:?}");
    let page = served.page("/c/broken/");
    for text in [&group.fingerprint, group.invariant(), "vopr repro ", "<svg ", "baseline", "view_change_completed"] {
        assert!(page.contains(text), "{text}");
    }
    let report = served.page("/c/broken/report.jsonl");
    assert!(report.lines().last().unwrap().contains("\"type\":\"summary\""), "{report}");

    // Runs: one from its bundle, one that held and was kept, one simulated again.
    let bundle = served.page(&format!("/c/broken/run?scenario=baseline&seed={}", group.first().seed));
    assert!(bundle.contains("id=\"run-0\"") && bundle.contains(".kmb") && bundle.contains("\"violations\":[{"), "a bundle");
    let kept = directory.scenarios["baseline"].kept[0].0;
    assert!(served.page(&format!("/c/broken/run?scenario=baseline&seed={kept}")).contains(".parquet"));
    let again = served.page("/c/broken/run?scenario=baseline&seed=12345");
    assert!(again.contains("baseline seed 12345") && again.contains("\"file\":null"));
    for path in [
        "/c/broken/run?scenario=none&seed=1",
        "/c/broken/run?scenario=baseline&seed=x",
        "/c/broken/run",
        "/c/none/",
        "/x",
        "/c/..%2F..%2Fetc/",
    ] {
        assert_eq!(served.status(path), 404, "{path}");
    }
    served.end();
}

#[test]
fn it_reads_what_is_there_now_and_survives_damage() {
    let served = Served::new();
    let before = served.page("/c/broken/");
    assert!(!before.contains("what is wrong</h2>"));
    let folder = served.sandbox.path("data/broken");
    for (number, file) in served.sandbox.files("data/broken", ".jsonl").iter().enumerate() {
        let mut bytes = std::fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes.truncate(bytes.len() - 9 - number);
        std::fs::write(file, bytes).unwrap();
    }
    for file in served.sandbox.files("data/broken", ".json") {
        std::fs::write(file, "\u{ff}{{{").unwrap();
    }
    std::fs::write(folder.join("known.toml"), "not = [toml").unwrap();
    std::fs::write(folder.join("runs-x-1.jsonl"), [0_u8, 255, 10, 10, 13, 10]).unwrap();
    std::fs::create_dir(folder.join("runs-y-1.jsonl")).unwrap();
    for file in std::fs::read_dir(folder.join("failures")).unwrap().flatten().flat_map(|folder| std::fs::read_dir(folder.path()).unwrap()) {
        std::fs::write(file.unwrap().path(), "gone").unwrap();
    }
    let after = served.page("/c/broken/");
    for text in ["what is wrong</h2>", "known.toml", "not a plan", "runs-x-1.jsonl:1", "runs-y-1.jsonl"] {
        assert!(after.contains(text), "{text}");
    }
    // Its bundle is gone: the run is simulated again.
    let directory = Directory::open(&folder).unwrap();
    let seed = directory.groups()[0].0.first().seed;
    assert!(served.page(&format!("/c/broken/run?scenario=baseline&seed={seed}")).contains("\"violations\":[{"));
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(served.status("/c/broken/"), 404);
    assert!(served.page("/").contains("it held"));
    served.end();
}

#[test]
fn only_this_machine_may_read_and_nobody_write() {
    let served = Served::new();
    let own = format!("127.0.0.1:{}", served.port);
    assert_eq!(served.ask("GET", "/", "evil.example").0, 403);
    assert_eq!(served.ask("GET", "/", &format!("127.0.0.1:{}", served.port ^ 1)).0, 403);
    assert_eq!(served.ask("POST", "/", &own).0, 405);
    assert_eq!(served.ask("GET", "/c/%ff/", &own).0, 400);
    assert_eq!(served.ask("GET", "/favicon.ico", &own).0, 204);
    let (status, _, body) = served.ask("HEAD", "/", &own);
    assert_eq!((status, body.as_str()), (200, ""));
    let taken = served.sandbox.run(&format!("vopr dashboard --data-dir data --port {}", served.port)).exits(70);
    let _ = taken.warns("--port");
    let _ = served.sandbox.run("vopr dashboard --data-dir nowhere").exits(4).warns("nowhere");
    served.end();
}
