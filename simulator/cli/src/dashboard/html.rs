//! Pieces of pages: escaped text, tables, and the frame with its looks.
//!
//! Pages have no script and ask nobody for anything: they are the same as a file and from a server.

use std::fmt::Write as _;

/// The looks of every page.
const LOOKS: &str = include_str!("looks.css");

/// A text as it may stand between tags and in attributes.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A whole document. `refresh`: seconds after which a browser asks again.
#[must_use]
pub fn document(title: &str, refresh: Option<u64>, body: &str) -> String {
    let title = escaped(title);
    let again = refresh.map_or_else(String::new, |seconds| format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">\n"));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\">\n{again}<link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>\n{LOOKS}</style>\n</head>\n\
         <body>\n{body}</body>\n</html>\n"
    )
}

/// A table. Cells are HTML; the first column is text, the others are numbers when `numbers` says so.
#[must_use]
pub fn table(header: &[&str], rows: &[Vec<String>], numbers: bool) -> String {
    let mut html = format!("<div class=\"wide\"><table{}>\n<thead><tr>", if numbers { " class=\"numbers\"" } else { "" });
    for cell in header {
        write!(html, "<th>{}</th>", escaped(cell)).expect("a string takes all");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        writeln!(html, "<tr><td>{}</td></tr>", row.join("</td><td>")).expect("a string takes all");
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// A link, or its text where there is nothing to link to.
#[must_use]
pub fn link(target: Option<&str>, text: &str) -> String {
    let text = escaped(text);
    target.map_or_else(|| text.clone(), |target| format!("<a href=\"{}\">{text}</a>", escaped(target)))
}

/// A command to be copied.
#[must_use]
pub fn command(word: &str, command: &str) -> String {
    format!("<p class=\"command\"><span>{}</span> <code>{}</code></p>\n", escaped(word), escaped(command))
}

/// A part of a path, as it may stand in an address.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut safe = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            safe.push(char::from(byte));
        } else {
            write!(safe, "%{byte:02X}").expect("a string takes all");
        }
    }
    safe
}

/// What a part of an address stands for; none when it is no text.
#[must_use]
pub fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(core::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_can_become_a_tag() {
        let html = document("<t>", None, &table(&["<h>"], &[vec![escaped("<script>'\"&")]], false));
        assert!(!html.contains("<script>") && !html.contains("<t>") && !html.contains("<h>"), "{html}");
        assert!(html.contains("&lt;script&gt;&#39;&quot;&amp;"));
        assert!(!html.contains("http://") && !html.contains("https://"));
        assert_eq!(link(Some("/a\"b"), "x<y"), "<a href=\"/a&quot;b\">x&lt;y</a>");
    }

    #[test]
    fn addresses_give_back_what_they_were_made_of() {
        for text in ["plain-name_1.2", "a b/c?d&e=f#g", "%41", "Überlauf", ""] {
            assert_eq!(decoded(&encoded(text)).as_deref(), Some(text));
        }
        assert_eq!((decoded("a+b").as_deref(), decoded("%4"), decoded("%zz"), decoded("%ff")), (Some("a b"), None, None, None));
    }
}
