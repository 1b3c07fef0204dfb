//! Text → a tree that is safe to walk, or what is wrong with the text.
//!
//! The parser recurses, and what it makes of `1+1+1+…` is a tree as deep as the text is long: dropping or evaluating that
//! would overflow a stack, which ends the process. So the text is short, the parser has a stack of its own that no short
//! text can fill, and a tree that is deeper than [`DEEPEST`] never leaves it.

use std::ops::Range;
use std::thread;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, SourceInfo};
use cel::{ParseErrors, Program};

/// The longest expression.
pub(super) const LONGEST: usize = 2 * 1024;
/// The deepest tree: evaluating it takes a megabyte of stack where nothing is optimised, and a tenth of that elsewhere.
pub(super) const DEEPEST: usize = 24;
/// The parser's stack: the worst text of [`LONGEST`] takes a quarter of it where nothing is optimised.
const STACK: usize = 64 * 1024 * 1024;

/// What is wrong with a text, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// Parses an expression.
///
/// The thread is no concurrency: it is joined at once, knows nothing but the text, and gives the same for it for ever.
pub(super) fn parse(text: &str) -> Result<Program, Fault> {
    if text.len() > LONGEST {
        let message = format!("the expression is longer than {} KiB", LONGEST / 1024);
        return Err(Fault { span: 0..text.len(), message, help: Some(SPLIT.to_owned()) });
    }
    let parsed = thread::scope(|scope| {
        let parser = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || parse_here(text));
        parser.ok()?.join().ok()
    });
    // No thread could be had, or the parser panicked: what was not read is no expression.
    parsed.unwrap_or_else(|| {
        let message = "the expression can't be read".to_owned();
        Err(Fault { span: 0..text.len(), message, help: None })
    })
}

const SPLIT: &str = "split it into several conditions under `all_of` or `any_of`";

fn parse_here(text: &str) -> Result<Program, Fault> {
    let program = Program::compile(text).map_err(|errors| syntax_fault(text, &errors))?;
    match first_too_deep(program.expression(), DEEPEST) {
        None => Ok(program),
        Some(id) => {
            let span = span_of(id, program.source_info());
            let message = format!("the expression nests deeper than {DEEPEST} operators and calls");
            Err(Fault { span, message, help: Some(SPLIT.to_owned()) })
        }
    }
}

/// The first node below which no more levels are left; looks no deeper than that.
fn first_too_deep(node: &IdedExpr, left: usize) -> Option<u64> {
    if left == 0 {
        return Some(node.id);
    }
    children(&node.expr).into_iter().find_map(|child| first_too_deep(child, left - 1))
}

/// What a node is made of.
pub(super) fn children(expression: &Expr) -> Vec<&IdedExpr> {
    match expression {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(all) => {
            vec![&all.iter_range, &all.accu_init, &all.loop_cond, &all.loop_step, &all.result]
        }
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Map(map) => map.entries.iter().flat_map(|entry| parts(&entry.expr)).collect(),
        Expr::Struct(literal) => literal.entries.iter().flat_map(|entry| parts(&entry.expr)).collect(),
    }
}

fn parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

/// The token that made a node, in bytes.
pub(super) fn span_of(id: u64, info: &SourceInfo) -> Range<usize> {
    let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX).min(info.source.len());
    let (start, stop) = info.offset_for(id).unwrap_or_default();
    at(start)..at(stop.saturating_add(1)).max(at(start))
}

/// The parser goes on after a mistake and finds its consequences: the first one is what the author made.
fn syntax_fault(text: &str, errors: &ParseErrors) -> Fault {
    let Some(error) = errors.errors.first() else {
        return Fault { span: 0..text.len(), message: "the expression can't be read".to_owned(), help: None };
    };
    let end = text.trim_end().len();
    let start = offset(text, error.pos).min(end);
    let rest = text.get(start..end).unwrap_or_default();
    let word = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    let letter = rest.chars().next().map_or(0, char::len_utf8);
    let span = start..start + word.max(letter);
    let found = text.get(span.clone()).unwrap_or_default();
    let help = match found {
        "" => Some("put it in quotes if that is not its end: without them YAML ends it at `,`, `: ` or ` #`"),
        "and" => Some("write `&&`"),
        "or" => Some("write `||`"),
        "not" => Some("write `!` in front of what must not be"),
        "=" => Some("write `==` to compare"),
        "&" => Some("write `&&`"),
        "|" => Some("write `||`"),
        _ => None,
    };
    let message = match error.msg.strip_prefix("Syntax error: ") {
        None => match error.msg.as_str() {
            "invalid int literal" => format!("`{found}` is too large for a number"),
            "argument must be a simple name" => "a loop begins with a name for the entry".to_owned(),
            other => other.replace('\'', "`"),
        },
        Some(_) if found.is_empty() => "the expression ends too early".to_owned(),
        Some(_) if found == "'" || found == "\"" => {
            "the text that begins here can't be read: its quotes are not closed, or it has a backslash too many".to_owned()
        }
        Some(_) => format!("`{found}` can't stand here"),
    };
    Fault { span, message, help: help.map(str::to_owned) }
}

/// The byte of a line and column, both from 1.
fn offset(text: &str, (line, column): (isize, isize)) -> usize {
    let before = |number: isize| usize::try_from(number - 1).unwrap_or(0);
    let start: usize = text.split_inclusive('\n').take(before(line)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(before(column)).map_or(rest.len(), |(at, _)| at)
}
