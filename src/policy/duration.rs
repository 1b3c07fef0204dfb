//! Lengths of time as people write them: `10m`, `2h`, `1d12h`.

use jiff::SignedDuration;

/// Seconds of each unit, the larger ones first.
const UNITS: [(char, i64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
/// Ten years: a longer one is a slip, and sums with instants stay in range.
const LONGEST: i64 = 3_653 * 86_400;

/// Reads a length of time; none when it is not one.
pub(super) fn parse(text: &str) -> Option<SignedDuration> {
    let mut seconds = 0_i64;
    let mut digits = String::new();
    let mut next_unit = 0;
    for character in text.chars() {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        // Units come in falling order, each once: `30m1h` is more likely a slip than a wish.
        let (offset, (_, size)) =
            UNITS.iter().skip(next_unit).enumerate().find(|(_, (unit, _))| *unit == character)?;
        next_unit += offset + 1;
        let amount: i64 = digits.parse().ok()?;
        seconds = seconds.checked_add(amount.checked_mul(*size)?)?;
        digits.clear();
    }
    let complete = digits.is_empty() && !text.is_empty() && seconds <= LONGEST;
    complete.then(|| SignedDuration::from_secs(seconds))
}

/// Writes a length of time the way it is read.
pub(super) fn render(duration: SignedDuration) -> String {
    let mut rest = duration.as_secs();
    let mut text = String::new();
    for (unit, size) in UNITS {
        if rest >= size {
            text += &(rest / size).to_string();
            text.push(unit);
            rest %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_written() {
        for (text, seconds) in [("10m", 600), ("2h", 7_200), ("1d12h", 129_600), ("1w", 604_800), ("0s", 0)] {
            assert_eq!(parse(text).map(|read| read.as_secs()), Some(seconds), "{text}");
            assert_eq!(parse(text).map(render).as_deref(), Some(text));
        }
        for wrong in ["", "10", "m", "10 m", "30m1h", "1h1h", "-1h", "99999999999999999999w", "20000d", "2x"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
