//! Groups that are likely of one cause although their fingerprints differ: they are told next to each other, and never made one.

use super::group::{Group, Status};

/// What two groups have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kinship {
    /// A cause, by name, that most runs of both prove.
    Cause(String),
    /// The violated invariant, where one of them has no run whose cause is proven.
    Invariant(String),
}

/// What two groups have in common, if anything.
#[must_use]
pub fn kinship(one: &Group, other: &Group) -> Option<Kinship> {
    let proven = |group: &Group, cause: &str| group.causes.get(cause).is_some_and(|runs| runs * 2 > group.count());
    if let Some(cause) = one.causes.keys().find(|cause| proven(one, cause) && proven(other, cause)) {
        return Some(Kinship::Cause(cause.clone()));
    }
    let unexplained = one.causes.is_empty() || other.causes.is_empty();
    (unexplained && one.invariant() == other.invariant()).then(|| Kinship::Invariant(one.invariant().to_owned()))
}

/// Moves groups behind the first one that they have something in common with; alarming ones stay before the others.
pub(super) fn together(groups: Vec<(&Group, Status)>) -> Vec<(&Group, Status)> {
    let mut placed: Vec<(&Group, Status)> = Vec::with_capacity(groups.len());
    let mut rest = groups;
    while !rest.is_empty() {
        let first = rest.remove(0);
        let is_kin = |other: &(&Group, Status)| other.1.is_alarming() == first.1.is_alarming() && kinship(first.0, other.0).is_some();
        let (kin, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_kin);
        placed.push(first);
        placed.extend(kin);
        rest = others;
    }
    placed
}

/// The first group told before this place that has something in common with the one told there.
#[must_use]
pub fn before<'a>(groups: &[(&'a Group, Status)], place: usize) -> Option<(&'a Group, Kinship)> {
    let (group, _) = groups.get(place)?;
    groups[..place].iter().find_map(|(other, _)| Some((*other, kinship(other, group)?)))
}

#[cfg(test)]
mod tests {
    use super::super::group::tests::{failure, run};
    use super::*;

    /// A group: its fingerprint, and of each run the invariant and the proven causes.
    fn group(fingerprint: &str, runs: &[(&str, &[&str])]) -> Group {
        let mut group = Group::new(&failure(fingerprint, "", &[]));
        for (seed, (invariant, causes)) in runs.iter().enumerate() {
            let line = failure(fingerprint, invariant, causes);
            group.add(&line, super::super::FailingRun { invariant: (*invariant).to_owned(), ..run("s", seed as u64, 9, false) });
        }
        group
    }

    #[test]
    fn what_most_runs_of_two_groups_prove_brings_them_together() {
        let denied = group("denied", &[("a", &["denied", "cut"]), ("b", &["denied", "cut"]), ("a", &["denied"])]);
        let cut = group("cut", &[("a", &["cut"])]);
        let other = group("other", &[("a", &["other"]), ("a", &["other", "cut"])]);
        let plain = group("b-1", &[("b", &[])]);
        let unexplained = group("a-1", &[("a", &[])]);
        assert_eq!(kinship(&denied, &cut), Some(Kinship::Cause("cut".to_owned())));
        assert_eq!(kinship(&other, &cut), None, "half of the runs are not most, and both invariants are explained");
        assert_eq!((kinship(&denied, &plain), kinship(&plain, &unexplained)), (None, None));
        assert_eq!(kinship(&other, &unexplained), Some(Kinship::Invariant("a".to_owned())));

        let told = together(vec![(&denied, Status::New), (&plain, Status::New), (&other, Status::New), (&cut, Status::New)]);
        let names: Vec<&str> = told.iter().map(|(group, _)| group.fingerprint.as_str()).collect();
        assert_eq!(names, ["denied", "cut", "b-1", "other"]);
        assert_eq!(before(&told, 1).map(|(group, _)| group.fingerprint.as_str()), Some("denied"));
        assert_eq!(before(&told, 3), None);
        // A group that is no alarm stays behind those that are.
        let fixed = Status::Fixed("c".to_owned());
        let told = together(vec![(&denied, Status::New), (&plain, Status::New), (&cut, fixed)]);
        assert_eq!(told.iter().map(|(group, _)| group.fingerprint.as_str()).collect::<Vec<_>>(), ["denied", "b-1", "cut"]);
    }
}
