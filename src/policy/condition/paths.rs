//! Paths in a sentence: the first ones by name, the others by their number.

/// Paths named in a sentence; more are counted.
const SHOWN: usize = 3;

/// The first paths, and how many there are.
#[derive(Default)]
pub(super) struct Paths {
    first: Vec<String>,
    pub(super) count: usize,
}

impl Paths {
    pub(super) fn add(&mut self, path: &str) {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(path.to_owned());
        }
    }

    /// They in words, for a sentence about them.
    pub(super) fn describe(&self) -> String {
        let some = self.first.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
        match self.count.saturating_sub(self.first.len()) {
            0 => some,
            more => format!("{some} and {more} more"),
        }
    }
}
