//! Other ways to answer: an approval, commit statuses, labels, a note. Each mirrors the verdicts and is off by default.
//!
//! A mirror compares what it is to say with what it said last, which is remembered, and with what GitLab shows where that
//! is not certain; only where they differ does it say anything, and then once. The rules of answers hold for it: a pass that
//! no longer holds is taken back before anything is granted, nothing leaves without a proof that the claim still holds, and
//! what may have taken effect although nobody said so is asked for again until it can't any more. What must never be: a
//! mirror that keeps a status check from being answered, or one that says a pass which no status check would be given.
//!
//! ```text
//! standing ▶ wish (what is to be said) ▶ finding (what shows) ▶ deed (the call) ▶ mirroring (proof, memory, retries)
//!            account ▶ markdown (in which words)
//! ```

mod account;
mod deed;
mod finding;
mod markdown;
mod mirroring;
mod place;
mod standing;
mod wish;

pub(super) use self::mirroring::{Extent, Mirroring, Proof};
pub(super) use self::standing::{Approves, CheckStanding, Standing, Word};
