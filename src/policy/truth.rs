//! The logic of conditions: strong Kleene logic with two shades of false and two of open.
//!
//! Printed as tables below the code, which the tests read. The more open a doubt, the less it proves: an operator is
//! settled only when no answer to its open parts could settle it otherwise.

use super::evaluation::Truth;

impl Truth {
    /// Whether it is proven false, finally or for now.
    pub fn is_false(self) -> bool {
        match self {
            Self::Violated | Self::Waiting => true,
            Self::True | Self::Unsettled | Self::Unknown { .. } => false,
        }
    }

    /// Whether it is neither proven true nor proven false.
    pub fn is_open(self) -> bool {
        match self {
            Self::Unsettled | Self::Unknown { .. } => true,
            Self::True | Self::Violated | Self::Waiting => false,
        }
    }

    /// `all_of`: false if one part is, and then violated if one false part is; else open if one part is, and then
    /// an unknown that no retry can cure weighs most, for it can't become true any more.
    pub(super) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        parts.into_iter().max_by_key(|truth| truth.weight_in_all()).unwrap_or(Self::True)
    }

    /// `any_of`: true if one part is; else open if one part is, and then a curable unknown weighs most, for it may
    /// still become true; else false, and waiting if one part is.
    pub(super) fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        parts.into_iter().max_by_key(|truth| truth.weight_in_any()).unwrap_or(Self::Violated)
    }

    /// `not`: true and false change places, false is violated, open stays open.
    #[must_use]
    pub(super) fn negate(self) -> Self {
        match self {
            Self::True => Self::Violated,
            Self::Violated | Self::Waiting => Self::True,
            Self::Unsettled | Self::Unknown { .. } => self,
        }
    }

    fn weight_in_all(self) -> u8 {
        match self {
            Self::True => 0,
            Self::Unsettled => 1,
            Self::Unknown { curable: true } => 2,
            Self::Unknown { curable: false } => 3,
            Self::Waiting => 4,
            Self::Violated => 5,
        }
    }

    fn weight_in_any(self) -> u8 {
        match self {
            Self::Violated => 0,
            Self::Waiting => 1,
            Self::Unsettled => 2,
            Self::Unknown { curable: false } => 3,
            Self::Unknown { curable: true } => 4,
            Self::True => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `T` true, `V` violated, `W` waiting, `s` unsettled, `c` unknown and curable, `u` unknown for good.
    const ALL_OF: &str = "
          T V W s c u
        T T V W s c u
        V V V V V V V
        W W V W W W W
        s s V W s c u
        c c V W c c u
        u u V W u u u";
    const ANY_OF: &str = "
          T V W s c u
        T T T T T T T
        V T V W s c u
        W T W W s c u
        s T s s s c u
        c T c c c c c
        u T u u u c u";
    const NOT: &str = "
          T V W s c u
          V T T s c u";

    const LETTERS: [(char, Truth); 6] = [
        ('T', Truth::True),
        ('V', Truth::Violated),
        ('W', Truth::Waiting),
        ('s', Truth::Unsettled),
        ('c', Truth::Unknown { curable: true }),
        ('u', Truth::Unknown { curable: false }),
    ];

    fn truth(letter: char) -> Truth {
        LETTERS.iter().find(|(known, _)| *known == letter).unwrap().1
    }

    fn rows(table: &str) -> Vec<Vec<Truth>> {
        let lines = table.trim_matches('\n').lines();
        lines
            .map(|line| line.split_whitespace().map(|cell| truth(cell.chars().next().unwrap())).collect())
            .collect()
    }

    #[test]
    fn operators_follow_their_tables() {
        for (table, operator) in [(ALL_OF, Truth::all as fn([Truth; 2]) -> Truth), (ANY_OF, Truth::any)] {
            let rows = rows(table);
            assert_eq!(rows.len(), 7);
            for row in &rows[1..] {
                for (right, expected) in rows[0].iter().zip(&row[1..]) {
                    assert_eq!(operator([row[0], *right]), *expected, "{:?} with {right:?}", row[0]);
                }
            }
        }
        let rows = rows(NOT);
        for (given, expected) in rows[0].iter().zip(&rows[1]) {
            assert_eq!(given.negate(), *expected, "not {given:?}");
        }
    }

    #[test]
    fn nothing_at_all_holds_wholly_and_in_no_part() {
        assert_eq!(Truth::all([]), Truth::True);
        assert_eq!(Truth::any([]), Truth::Violated);
    }
}
