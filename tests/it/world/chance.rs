//! Chance that can be had again: one seed, one scale, both from the environment.

use std::env;

/// How much to do: 1 is what fits into every run.
pub fn scale() -> usize {
    read("COUNTERSIGN_TEST_SCALE").map_or(1, |scale| usize::try_from(scale).unwrap().max(1))
}

/// Where the randomness of this run begins.
pub fn seed() -> u64 {
    read("COUNTERSIGN_TEST_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32))
}

/// Randomness from the seed of this run, which is printed for whoever wants the same again.
pub struct Chance(fastrand::Rng);

impl Chance {
    pub fn new(test: &str) -> Self {
        let seed = seed();
        println!("{test}: COUNTERSIGN_TEST_SEED={seed} COUNTERSIGN_TEST_SCALE={}", scale());
        Self(fastrand::Rng::with_seed(seed))
    }

    /// One of them.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.0.usize(..from.len())].clone()
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.u64(..bound)
    }

    /// Any order.
    pub fn shuffle<T>(&mut self, what: &mut [T]) {
        self.0.shuffle(what);
    }

    pub fn coin(&mut self) -> bool {
        self.0.bool()
    }
}

fn read(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().expect("a number"))
}
