//! `at_least` and `at_most`: bounds of a number that may be known only in part.

use crate::policy::builder::Builder;
use crate::policy::document::Node;

/// Bounds of a number, both of them inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) at_least: Option<u64>,
    pub(super) at_most: Option<u64>,
}

/// A number of which a part may be unknown: no less than `low`, and no more than `high` if that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) low: u64,
    pub(super) high: Option<u64>,
}

impl Bounds {
    /// Reads the bounds of a mapping, if it has any; bounds that nothing can meet are noted.
    pub(super) fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let bounds = Self {
            at_least: node.get("at_least").and_then(Node::number),
            at_most: node.get("at_most").and_then(Node::number),
        };
        if let (Some(least), Some(most)) = (bounds.at_least, bounds.at_most)
            && least > most
        {
            let help = "the smaller number belongs to `at_least`";
            builder.notes.error(
                &node.span,
                format!("no number is at least {least} and at most {most}"),
                help,
            );
        }
        (bounds.at_least.is_some() || bounds.at_most.is_some()).then_some(bounds)
    }

    /// Notes that a mapping says no bound at all.
    pub(super) fn require(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let bounds = Self::build(node, builder);
        if bounds.is_none()
            && !node.entries().is_empty()
            && node.get("at_least").or(node.get("at_most")).is_none()
        {
            builder.notes.error(&node.span, "no bound is given", "write `at_most` or `at_least`");
        }
        bounds
    }

    /// Whether the number is within them; none when what is unknown of it could matter.
    pub(super) fn hold(self, count: Count) -> Option<bool> {
        let too_many = self.at_most.map_or(Some(false), |most| exceeds(count, most));
        let enough = self
            .at_least
            .map_or(Some(true), |least| least.checked_sub(1).map_or(Some(true), |less| exceeds(count, less)));
        match (too_many, enough) {
            (Some(true), _) | (_, Some(false)) => Some(false),
            (Some(false), Some(true)) => Some(true),
            (None, _) | (_, None) => None,
        }
    }

    pub(super) fn describe(self) -> String {
        match (self.at_least, self.at_most) {
            (Some(least), Some(most)) => format!("at least {least} and at most {most}"),
            (Some(least), None) => format!("at least {least}"),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) => "any number".to_owned(),
        }
    }
}

fn exceeds(count: Count, limit: u64) -> Option<bool> {
    match count.high {
        _ if count.low > limit => Some(true),
        Some(high) if high <= limit => Some(false),
        _ => None,
    }
}

impl Count {
    pub(super) fn exactly(number: u64) -> Self {
        Self { low: number, high: Some(number) }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let high = self.high.zip(other.high).map(|(one, other)| one.saturating_add(other));
        Self { low: self.low.saturating_add(other.low), high }
    }

    pub(super) fn describe(self) -> String {
        if self.high == Some(self.low) { self.low.to_string() } else { format!("{} or more", self.low) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_known_in_part_decides_only_what_the_rest_can_not_change() {
        let at_most = Bounds { at_least: None, at_most: Some(5) };
        let at_least = Bounds { at_least: Some(5), at_most: None };
        let open = |low| Count { low, high: None };
        assert_eq!(at_most.hold(open(6)), Some(false));
        assert_eq!(at_most.hold(open(5)), None);
        assert_eq!(at_least.hold(open(5)), Some(true));
        assert_eq!(at_least.hold(open(4)), None);
        assert_eq!(at_most.hold(Count::exactly(5)), Some(true));
        assert_eq!(at_least.hold(Count::exactly(4)), Some(false));
        assert_eq!(Bounds { at_least: Some(0), at_most: None }.hold(open(0)), Some(true));
        assert_eq!(Count::exactly(u64::MAX).plus(Count::exactly(1)).low, u64::MAX);
    }
}
