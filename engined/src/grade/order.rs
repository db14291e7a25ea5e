//! The order in which people number files: `2` before `10`.

use std::cmp::Ordering;

/// Compares runs of digits by their number and all else by its characters. Names that differ are never equal.
#[must_use]
pub fn natural(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    loop {
        let (here, there) = (digits(left), digits(right));
        if !here.is_empty() && !there.is_empty() {
            // However long they are: without leading zeros the longer number is the larger one.
            let (a, b) = (here.trim_start_matches('0'), there.trim_start_matches('0'));
            let by_number = a.len().cmp(&b.len()).then_with(|| a.cmp(b));
            if by_number != Ordering::Equal {
                return by_number;
            }
            (left, right) = (&left[here.len()..], &right[there.len()..]);
            continue;
        }
        let (mut a, mut b) = (left.chars(), right.chars());
        match (a.next(), b.next()) {
            (None, None) => return one.cmp(other),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x != y => return x.cmp(&y),
            (Some(_), Some(_)) => (left, right) = (a.as_str(), b.as_str()),
        }
    }
}

fn digits(text: &str) -> &str {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers() {
        let mut names = vec!["10", "b", "2", "a10", "a9", "02", "é1", "", "a", "1", "99999999999999999999999", "a9x"];
        names.sort_by(|one, other| natural(one, other));
        assert_eq!(names, ["", "1", "02", "2", "10", "99999999999999999999999", "a", "a9", "a9x", "a10", "b", "é1"]);
    }
}
