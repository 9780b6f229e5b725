//! Situations that a command line requires.

use vopr_checker::situations::Situation;

/// The situations that the words name; `all` stands for all of them.
#[must_use]
pub fn required(words: &[String]) -> Vec<Situation> {
    if words.iter().any(|word| word == "all") {
        return Situation::ALL.to_vec();
    }
    words.iter().filter_map(|word| Situation::parse(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_all_are_understood() {
        assert_eq!(required(&["primary_crashed".to_owned()]), [Situation::PrimaryCrashed]);
        assert_eq!(required(&["quorum_down".to_owned(), "all".to_owned()]).len(), Situation::ALL.len());
        assert!(required(&[]).is_empty());
    }
}
