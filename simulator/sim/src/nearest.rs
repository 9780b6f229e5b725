//! The known name nearest to a mistyped one.

/// The candidate with the fewest letters to insert, delete or replace (Levenshtein), if these are at most a third of the name.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    candidates
        .map(|candidate| (strsim::levenshtein(&name, &candidate.replace('-', "_")), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance * 3 <= name.chars().count())
        .map(|(_, candidate)| candidate)
}
