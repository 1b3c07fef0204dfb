//! From a path pattern as Ruby's `File.fnmatch` reads it to globs.
//!
//! GitLab matches `/path` with the flags for paths and for files that begin with a dot: `*` and `?` stop at `/`, `**/` stands
//! for any folders where a part of the path begins and is a plain `*` elsewhere, sets never hold `/`, a backslash takes the
//! meaning from the sign behind it, braces mean themselves.

use globset::GlobBuilder;

use super::automaton::PathGlob;

/// A pattern that is longer is none.
const LONGEST: usize = 4096;
/// One sign beyond ASCII, a byte at a time.
const BEYOND_ASCII: &str = "[!\0-\u{7f}]";
/// All of ASCII but `/`, one bit each.
const ASCII: u128 = !(1 << b'/');

/// A pattern.
pub(super) struct PathPattern {
    /// What is the same for two patterns that are written for the same paths.
    pub(super) key: String,
    /// The globs that it stands for. If it can't be read, they match whatever it may mean.
    pub(super) globs: Vec<PathGlob>,
    /// Why it can't be read.
    pub(super) fault: Option<String>,
}

impl PathPattern {
    /// Reads a pattern; a `wide` one may go on behind what is written.
    pub(super) fn read(pattern: &str, wide: bool) -> Self {
        let key = normalized(pattern);
        let short = key.len() <= LONGEST && !pattern.is_empty();
        let (read, mut fault) = match (pattern.is_empty(), short) {
            (true, _) => (String::new(), Some("it names no path".to_owned())),
            (false, false) => (String::new(), Some(format!("its pattern is longer than {LONGEST} bytes"))),
            (false, true) => translated(&key),
        };
        let texts = match (&fault, wide) {
            (None, false) => vec![read],
            (Some(_), _) => vec![format!("{read}*"), format!("{read}*/**/*")],
            // A folder's pattern goes on by itself.
            (None, true) => vec![format!("{read}*"), format!("{read}*/**/*"), read],
        };
        let built: Result<Vec<_>, _> = texts.iter().map(|text| path_glob(text)).collect();
        let globs = built.or_else(|error| {
            fault = Some(error.kind().to_string());
            path_glob("**").map(|everything| vec![everything])
        });
        Self { key, globs: globs.unwrap_or_default(), fault }
    }
}

fn path_glob(text: &str) -> Result<PathGlob, globset::Error> {
    let build = |text| GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    match text.strip_suffix("/**/*") {
        Some(folder) => build(folder).map(PathGlob::Folder),
        None if text == "**/*" => build("**").map(PathGlob::File),
        None => build(text).map(PathGlob::File),
    }
}

/// What divides a pattern from its owners, unless a backslash stands before it.
pub(super) fn is_space(sign: char) -> bool {
    matches!(sign, ' ' | '\t' | '\u{b}' | '\u{c}' | '\r')
}

/// GitLab's own preparation of a pattern.
fn normalized(pattern: &str) -> String {
    if pattern == "*" {
        return "/**/*".to_owned();
    }
    let pattern = match pattern.strip_prefix("\\#") {
        Some(rest) => format!("#{rest}"),
        None => pattern.to_owned(),
    };
    let mut plain = String::with_capacity(pattern.len());
    let mut signs = pattern.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign == '\\' && signs.next_if(|next| is_space(*next)).is_some() {
            while signs.next_if(|next| is_space(*next)).is_some() {}
            plain.push(' ');
        } else {
            plain.push(sign);
        }
    }
    let rooted = if plain.starts_with('/') { plain } else { format!("/**/{plain}") };
    if rooted.ends_with('/') { format!("{rooted}**/*") } else { rooted }
}

/// The glob of a prepared pattern, without the first `/`; up to what can't be read, if something can't.
fn translated(pattern: &str) -> (String, Option<String>) {
    let mut glob = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern.strip_prefix('/').unwrap_or(pattern);
    let mut begins = true;
    loop {
        if begins && let Some(behind) = rest.strip_prefix("**/") {
            if !glob.ends_with("**/") {
                glob.push_str("**/");
            }
            rest = behind;
            continue;
        }
        let mut signs = rest.chars();
        let Some(sign) = signs.next() else { return (glob, None) };
        rest = signs.as_str();
        begins = sign == '/';
        match sign {
            '*' => {
                rest = rest.trim_start_matches('*');
                glob.push('*');
            }
            '?' => glob.push_str(&one_of(ASCII, true)),
            '[' => {
                let Some((set, behind)) = read_set(rest) else {
                    return (glob, Some("its `[` has no end, or no sign that can be read".to_owned()));
                };
                glob.push_str(&set);
                rest = behind;
            }
            '\\' => {
                let mut signs = rest.chars();
                let Some(sign) = signs.next() else {
                    return (glob, Some("it ends in a backslash".to_owned()));
                };
                rest = signs.as_str();
                begins = sign == '/';
                push_literal(&mut glob, sign);
            }
            // Spaces and invisible signs that GitLab takes for a part of the name are a slip of whoever wrote it.
            sign if sign.is_control() || (sign.is_whitespace() && sign != ' ') || sign == '\u{feff}' => {
                return (glob, Some("it has a sign that nobody sees".to_owned()));
            }
            sign => push_literal(&mut glob, sign),
        }
    }
}

fn push_literal(glob: &mut String, sign: char) {
    if matches!(sign, '*' | '?' | '[' | ']' | '{' | '}' | ',' | '\\' | '!') {
        glob.push('\\');
    }
    glob.push(sign);
}

/// What follows a `[`: the glob of the set, and the rest. None if it does not end, is empty, or goes beyond ASCII.
fn read_set(text: &str) -> Option<(String, &str)> {
    let negated = text.starts_with(['!', '^']);
    let mut signs = text.chars();
    if negated {
        signs.next();
    }
    let (mut mask, mut empty) = (0_u128, true);
    loop {
        let sign = signs.next()?;
        if sign == ']' {
            break;
        }
        let low = literal(sign, &mut signs)?;
        let mut ahead = signs.clone();
        let high = match (ahead.next(), ahead.clone().next()) {
            (Some('-'), Some(next)) if next != ']' => {
                signs = ahead;
                let sign = signs.next()?;
                literal(sign, &mut signs)?
            }
            _ => low,
        };
        mask |= (low..=high).fold(0, |mask, byte| mask | 1_u128.checked_shl(byte.into()).unwrap_or(0));
        empty = false;
    }
    let mask = if negated { !mask } else { mask };
    (!empty).then(|| (one_of(mask & ASCII, negated), signs.as_str()))
}

/// A sign of a set, a backslash before it taken away; none beyond ASCII.
fn literal(sign: char, signs: &mut std::str::Chars<'_>) -> Option<u8> {
    let sign = if sign == '\\' { signs.next()? } else { sign };
    u8::try_from(sign).ok().filter(u8::is_ascii)
}

/// The glob of one sign of a set, and of any beyond ASCII if `beyond`.
fn one_of(mask: u128, beyond: bool) -> String {
    let has = |byte: u8| mask >> byte & 1 == 1;
    let mut class = String::from("[");
    // A bracket must come first and a hyphen last. No path has a zero byte, so it may stand for "no bracket": then no other
    // sign is the first one.
    class.push(if has(b']') { ']' } else { '\0' });
    let plain = (1..128_u8).filter(|byte| has(*byte) && !matches!(byte, b']' | b'-'));
    class.extend(plain.map(char::from));
    class.push_str(if has(b'-') { "-]" } else { "]" });
    if !beyond {
        return class;
    }
    let (two, three, four) = (BEYOND_ASCII.repeat(2), BEYOND_ASCII.repeat(3), BEYOND_ASCII.repeat(4));
    format!("{{{class},{two},{three},{four}}}")
}
