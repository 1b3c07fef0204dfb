//! How many files a change has, as GitLab counts them.

use std::ops::RangeInclusive;

/// Whether as many files as these may be what GitLab counts: it says `1000+` where it stopped to count.
pub(super) fn fits(size: Option<&str>, found: RangeInclusive<usize>) -> bool {
    match size.map(|size| (size.strip_suffix('+').unwrap_or(size).parse::<usize>(), size)) {
        None => true,
        Some((Ok(number), size)) if size.ends_with('+') => *found.end() >= number,
        Some((Ok(number), _)) => found.contains(&number),
        Some((Err(_), _)) => false,
    }
}
