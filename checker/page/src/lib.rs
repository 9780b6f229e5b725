//! Recorded runs and what is wrong with them, as one page for a browser.
//!
//! A verdict says which rows contradict each other; a person believes it when he sees them among their neighbours. The page is one file that
//! works without a server and without a network; it knows the history format and nothing of simulator or checker, so that both programs
//! can write it.

mod columns;
mod run;

use serde::Serialize;
use std::fmt::Write as _;
use vopr_schema::History;

/// The page's own text: structure, looks, behaviour. What it shows is put in behind.
const STRUCTURE: &str = include_str!("page.html");
const LOOKS: &str = include_str!("page.css");
/// In the order in which they must stand.
const BEHAVIOUR: [&str; 6] = [
    include_str!("script/data.js"),
    include_str!("script/model.js"),
    include_str!("script/cone.js"),
    include_str!("script/draw.js"),
    include_str!("script/words.js"),
    include_str!("script/page.js"),
];

/// One row that a violation rests on.
#[derive(Clone, Debug, Serialize)]
pub struct Mark {
    /// Kind of the row.
    pub kind: &'static str,
    /// Its position in the run's order.
    pub seq: u64,
    /// What it says, as a part of the story.
    pub words: String,
    /// Virtual time, if the witness knows it.
    pub time_ns: Option<u64>,
    /// Replica, if the witness knows it.
    pub replica: Option<u8>,
}

/// One broken invariant of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Violation {
    /// Name of the invariant.
    pub invariant: String,
    /// What is wrong, in one sentence.
    pub summary: String,
    /// The broken invariant that explains this one.
    pub because_of: Option<String>,
    /// The rows that prove it.
    pub marks: Vec<Mark>,
}

/// One line of the table of invariants.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Name of the invariant.
    pub invariant: String,
    /// What must hold.
    pub statement: String,
    /// Runs in which it held.
    pub pass: u64,
    /// Runs in which it was broken.
    pub violation: u64,
    /// Runs that could not be decided.
    pub unknown: u64,
    /// Runs with nothing of its kind.
    pub not_applicable: u64,
}

/// A page under construction.
#[derive(Debug)]
pub struct Page {
    title: String,
    summary: Vec<String>,
    lines: Vec<Line>,
    runs: Vec<serde_json::Value>,
    data: Vec<String>,
}

impl Page {
    /// A page without runs. The summary is what stands above everything, line by line.
    #[must_use]
    pub fn new(title: impl Into<String>, summary: Vec<String>, lines: Vec<Line>) -> Self {
        Self { title: title.into(), summary, lines, runs: Vec::new(), data: Vec::new() }
    }

    /// Adds run `run` of a history; `file` is where it lies, `violations` what is wrong with it, roots first.
    pub fn add(&mut self, history: &History, run: usize, file: Option<&str>, violations: &[Violation]) {
        let packed = run::pack(history, run, violations);
        let mut about = packed.about;
        about["file"] = serde_json::json!(file);
        about["violations"] = serde_json::json!(violations);
        self.runs.push(about);
        self.data.push(packed.data);
    }

    /// Number of runs on the page.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// The whole document.
    #[must_use]
    pub fn html(&self) -> String {
        let about = serde_json::json!({
            "title": self.title,
            "summary": self.summary,
            "lines": self.lines,
            "runs": self.runs,
            "words": run::dictionaries(),
        });
        // Inside a script element only `<` could end it or open a comment.
        let about = about.to_string().replace('<', "\\u003c");
        let mut html = STRUCTURE.replace("{{title}}", &escaped(&self.title)).replace("{{looks}}", LOOKS);
        let scripts = html.find("{{scripts}}").unwrap_or(html.len());
        let rest = html.split_off(scripts).replace("{{scripts}}", "");
        writeln!(html, "<script type=\"application/json\" id=\"about\">{about}</script>").expect("a string takes all");
        for (index, data) in self.data.iter().enumerate() {
            writeln!(html, "<script type=\"text/plain\" id=\"run-{index}\">{data}</script>").expect("a string takes all");
        }
        write!(html, "<script>\n\"use strict\";\n{}</script>\n{rest}", BEHAVIOUR.concat()).expect("a string takes all");
        html
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use vopr_schema::{OperationRow, Run};

    /// What the page itself may weigh, bytes.
    const PROGRAM_MAX: usize = 300_000;

    fn page() -> Page {
        let mut history = History::default();
        history.operations.push(OperationRow { seq: 1, key: 4, value: Some(1 << 60), ..OperationRow::default() });
        history.close_run(Run { scenario: "</script><b>".to_owned(), seed: 1, replicas: 3, ..Run::default() });
        let mut page = Page::new("a & <b>", vec!["one".to_owned()], Vec::new());
        let mark = Mark { kind: "operation", seq: 1, words: "<!-- odd -->".to_owned(), time_ns: None, replica: None };
        let violation = Violation { invariant: "x".to_owned(), summary: "</script>".to_owned(), because_of: None, marks: vec![mark] };
        page.add(&history, 0, Some("a.parquet"), &[violation]);
        page
    }

    /// Relative luminance of a colour such as `#2f74c0`.
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).expect("two hexadecimal digits")) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    #[test]
    fn words_on_bars_can_be_read() {
        let script = include_str!("script/page.js");
        let rows: Vec<&str> = script.lines().filter(|line| line.contains("barInk: ")).collect();
        assert_eq!(rows.len(), 2, "a light and a dark theme");
        for row in rows {
            let colour = |name: &str| {
                let rest = row.split_once(&format!("{name}: \"")).unwrap_or_else(|| panic!("{name} is missing in {row}")).1;
                luminance(&rest[..7])
            };
            for bar in ["write", "read", "refused", "unknown"] {
                let (dark, light) = (colour(bar).min(colour("barInk")), colour(bar).max(colour("barInk")));
                let contrast = (light + 0.05) / (dark + 0.05);
                assert!(contrast >= 4.5, "{bar}: {contrast:.2} in {row}");
            }
        }
    }

    #[test]
    fn nothing_that_is_shown_can_end_a_script() {
        let html = page().html();
        let scripts = html.matches("<script").count();
        assert_eq!((scripts, html.matches("</script>").count()), (3, 3));
        assert!(!html.contains("<!-- odd") && html.contains("a &amp; &lt;b&gt;"));
        assert!(!html.contains("{{"), "every place is filled");
    }

    #[test]
    fn the_program_is_small_and_asks_nobody() {
        let html = Page::new("", Vec::new(), Vec::new()).html();
        assert!(html.len() < PROGRAM_MAX, "{} bytes", html.len());
        for word in ["http://", "https://", "fetch(", "XMLHttpRequest", "import("] {
            assert!(!html.contains(word), "{word}");
        }
    }
}
