//! Amounts and sets in words: what witnesses, reasons and causes say about numbers of things and about replicas.
//!
//! Each place that counts would else have its own way to be wrong about one of a kind.

use crate::index::members;

/// `thing` for one of it, its plural for any other number.
#[must_use]
pub fn plural(number: u64, thing: &str) -> String {
    let stem = thing.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    match (number, stem) {
        (1, _) => thing.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) => format!("{thing}s"),
    }
}

/// `1 thing` or `n things`.
#[must_use]
pub fn counted(number: impl TryInto<u64>, thing: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} {}", plural(number, thing))
}

/// A bit set of replicas: `replica 4`, `replicas 0, 1`, or nobody.
#[must_use]
pub fn replicas(set: u32) -> String {
    let list: Vec<String> = members(set).map(|member| member.to_string()).collect();
    if list.is_empty() { "nobody".to_owned() } else { format!("{} {}", plural(list.len() as u64, "replica"), list.join(", ")) }
}

/// The votes of a bit set of replicas: `the vote of replica 4`, `the votes of replicas 0, 1`, or nobody's.
#[must_use]
pub fn votes_of(set: u32) -> String {
    format!("the {} of {}", plural(set.count_ones().into(), "vote"), replicas(set))
}

/// The votes of `set` beside how many members there are: `the vote of replica 0 (1 of 3 members)`.
#[must_use]
pub fn votes_among(set: u32, members: u32) -> String {
    format!("{} ({} of {})", votes_of(set), set.count_ones(), counted(members, "member"))
}

/// A value; one above 2^32 holds several numbers and is told in parts of 16, 16 and 32 bits, exact and compared at a glance.
#[must_use]
pub fn value(value: u64) -> String {
    if value >> 32 == 0 { value.to_string() } else { format!("{}.{}.{}", value >> 48, (value >> 32) & 0xffff, value & 0xffff_ffff) }
}

/// A text whose numbers are keys and values: each told as [`value`] tells it.
#[must_use]
pub fn values_in(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, digits) = rest.split_at(start);
        let (digits, after) = digits.split_at(digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len()));
        words.push_str(before);
        words.push_str(&digits.parse().map_or_else(|_| digits.to_owned(), value));
        rest = after;
    }
    words + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_values_are_told_in_parts_wherever_they_stand() {
        assert_eq!([value(7), value(281_483_566_645_253)], ["7", "1.2.5"]);
        assert_eq!(values_in("{3: 281474976710666, 4: absent} or [5]"), "{3: 1.0.10, 4: absent} or [5]");
        assert_eq!(values_in("99999999999999999999999"), "99999999999999999999999");
    }

    #[test]
    fn one_of_a_kind_is_told_as_one() {
        let number = |count: u64| [counted(count, "member"), counted(count, "entry"), counted(count, "key")];
        assert_eq!(number(1), ["1 member", "1 entry", "1 key"]);
        assert_eq!(number(0), ["0 members", "0 entries", "0 keys"]);
        assert_eq!([replicas(0), replicas(0b1_0000), replicas(0b101)], ["nobody", "replica 4", "replicas 0, 2"]);
        assert_eq!([votes_of(0b10), votes_of(0b11)], ["the vote of replica 1", "the votes of replicas 0, 1"]);
        assert_eq!(votes_among(0b1, 3), "the vote of replica 0 (1 of 3 members)");
    }
}
