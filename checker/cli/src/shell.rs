//! Commands that people paste: words quoted as a POSIX shell needs them.
//!
//! Every command that a program prints goes through here, and a test runs each of them.

/// One word, quoted when it holds anything but plain characters.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=,@+%".contains(character);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// A whole command line.
pub fn command<I: IntoIterator<Item = S>, S: AsRef<str>>(words: I) -> String {
    words.into_iter().map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_as_they_are() {
        assert_eq!(command(["vopr", "run", "--seed", "42", "out/a-1-2.parquet"]), "vopr run --seed 42 out/a-1-2.parquet");
    }

    #[test]
    fn a_shell_gives_back_every_word() {
        let words = ["it's", "a b", "", "$HOME", "x*", "\\", "\"q\"", "tab\there"];
        let line = format!("printf '%s|' {}", command(words));
        let output = std::process::Command::new("sh").arg("-c").arg(line).output().expect("a POSIX shell runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout), words.map(|word| format!("{word}|")).concat());
    }
}
