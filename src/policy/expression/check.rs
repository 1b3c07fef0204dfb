//! The types of an expression, and what it uses: every name, field, function and operator is held against the vocabulary, so
//! that nothing is found out only when a merge request comes.
//!
//! The macros (`all`, `exists`, `map`, …) arrive expanded: a loop whose result builds up under a name that nobody can write.
//! They need no rules of their own; the result has the type that the loop's step gives it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use cel::common::ast::{
    CallExpr, ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue, SelectExpr, SourceInfo, operators,
};

use super::function::{
    HELPERS, Helper, Supplied, Takes, compile_pattern, compile_time, helper, supplied_name,
};
use super::parse::{Fault, span_of};
use super::value::{Kind, Type};
use super::vocabulary::{self, VARIABLES, Variable};
use crate::policy::enumeration::list;
use crate::policy::pattern::{GlobIds, PathGlobsBuilder};
use crate::schema::nearest;

/// How deep loops may nest: each level multiplies the work by the length of a list.
const DEEPEST_LOOPS: usize = 2;

/// CEL's own functions that are read here, with how they are written.
pub(super) const BUILT_IN: &[(&str, &str)] = &[
    ("size", "size(labels)"),
    ("startsWith", "title.startsWith('fix')"),
    ("endsWith", "title.endsWith('.')"),
    ("contains", "title.contains('fix')"),
];

/// CEL's macros, with how they are written.
pub(super) const MACROS: &[(&str, &str)] = &[
    ("all", "labels.all(label, label != 'x')"),
    ("exists", "labels.exists(label, label == 'x')"),
    ("exists_one", "labels.exists_one(label, label == 'x')"),
    ("filter", "files.filter(file, file.binary)"),
    ("map", "files.map(file, file.path)"),
];

/// What an expression speaks of.
#[derive(Debug, Default)]
pub(super) struct Uses {
    pub(super) variables: Vec<&'static Variable>,
    /// By the words for one row: the fields that are looked at.
    fields: BTreeMap<&'static str, BTreeSet<&'static str>>,
    pub(super) supplied: Vec<Supplied>,
    /// The functions of ours that are called, by name.
    pub(super) helpers: BTreeSet<&'static str>,
}

impl Uses {
    /// The fields of a variable's rows that are looked at.
    pub(super) fn fields(&self, variable: &Variable) -> Vec<&'static str> {
        let Type::List(Some(Kind::Row(record))) = variable.kind else { return Vec::new() };
        self.fields.get(record.one).into_iter().flatten().copied().collect()
    }

    /// Whether a merge request makes any difference to it.
    fn depends_on_facts(&self) -> bool {
        let only_pattern = |supplied: &Supplied| matches!(supplied, Supplied::Pattern(_));
        !self.variables.is_empty() || !self.supplied.iter().all(only_pattern)
    }
}

/// Checks an expression, puts numbers where calls of ours stood, and says what it uses; or everything that is wrong with it.
pub(super) fn check(
    tree: &mut IdedExpr,
    info: &SourceInfo,
    globs: &mut PathGlobsBuilder,
) -> Result<Uses, Vec<Fault>> {
    let mut checker =
        Checker { info, globs, scope: Vec::new(), loops: 0, uses: Uses::default(), faults: Vec::new() };
    let id = tree.id;
    let found = checker.check(tree);
    let whole = 0..info.source.trim_end().len();
    match found {
        _ if !checker.faults.is_empty() => {}
        Some(Type::FLAG) if checker.uses.depends_on_facts() => {}
        Some(Type::FLAG) => {
            let message = "the expression says the same of every merge request";
            checker.fault_at(id, message, "let it speak of something, such as `labels` or `changed_paths`");
        }
        Some(other) => {
            let message = format!("the expression is {}, not true or false", other.describe());
            checker.fault(whole, message, Some("compare it with something, as in `… == …`".to_owned()));
        }
        // INVARIANT: what has no type was noted. Should that ever fail, it still is no expression.
        None => checker.fault(whole, "the expression can't be read", None),
    }
    if checker.faults.is_empty() { Ok(checker.uses) } else { Err(checker.faults) }
}

struct Checker<'a> {
    info: &'a SourceInfo,
    globs: &'a mut PathGlobsBuilder,
    /// What the loops around bind, the innermost last.
    scope: Vec<(String, Type)>,
    loops: usize,
    uses: Uses,
    faults: Vec<Fault>,
}

impl Checker<'_> {
    /// The type of a node; none if a mistake in it was found.
    fn check(&mut self, node: &mut IdedExpr) -> Option<Type> {
        let id = node.id;
        match &mut node.expr {
            Expr::Literal(literal) => self.literal(literal, id),
            Expr::Ident(name) => self.name(name, id),
            Expr::Select(select) => self.select(select, id),
            Expr::List(items) => self.list(items, id),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, id),
            Expr::Call(call) => {
                let helper = helper(&call.func_name);
                let Some(helper) = helper else { return self.call(call, id) };
                let supplied = self.help(helper, call, id);
                node.expr = supplied?;
                Some(Type::FLAG)
            }
            Expr::Map(_) | Expr::Struct(_) => {
                self.fault_at(id, "maps and messages are not read here", "use a list: `['a', 'b']`");
                None
            }
            Expr::Unspecified => {
                self.fault_at(id, "this part can't be read", "write it out");
                None
            }
        }
    }

    fn literal(&mut self, literal: &LiteralValue, id: u64) -> Option<Type> {
        let (what, help) = match literal {
            LiteralValue::Boolean(_) => return Some(Type::FLAG),
            LiteralValue::Int(_) => return Some(Type::NUMBER),
            LiteralValue::String(_) => return Some(Type::TEXT),
            LiteralValue::Double(_) => ("fractions are", "write whole numbers"),
            LiteralValue::UInt(_) => ("numbers with `u` are", "leave the `u` away"),
            LiteralValue::Bytes(_) => ("bytes are", "write a text, without the `b`"),
            LiteralValue::Null => {
                ("`null` is", "what is not there is an empty text or an empty list: `milestone == ''`")
            }
        };
        self.fault_at(id, format!("{what} not read here"), help);
        None
    }

    fn name(&mut self, name: &str, id: u64) -> Option<Type> {
        if let Some((_, bound)) = self.scope.iter().rev().find(|(known, _)| known == name) {
            return Some(*bound);
        }
        if let Some(variable) = vocabulary::find(name) {
            if !self.uses.variables.iter().any(|used| used.name == variable.name) {
                self.uses.variables.push(variable);
            }
            return Some(variable.kind);
        }
        let names: Vec<_> = VARIABLES.iter().map(|variable| variable.name).collect();
        let bound = self.scope.iter().map(|(name, _)| name.as_str()).filter(|name| !name.starts_with('@'));
        let meant = nearest(name, names.iter().copied().chain(bound));
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("an expression can speak of {}", list(&names)),
        };
        self.fault_at(id, format!("`{name}` is not known here"), help);
        None
    }

    fn select(&mut self, select: &mut SelectExpr, id: u64) -> Option<Type> {
        let operand = self.check(&mut select.operand)?;
        let name = select.field.as_str();
        let Type::One(Kind::Row(record)) = operand else {
            let help = match helper(name) {
                Some(helper) => format!("write `{}`", helper.usage),
                None => "only entries of `files` and `commits` have fields".to_owned(),
            };
            self.fault_at(id, format!("{} has no field `{name}`", operand.describe()), help);
            return None;
        };
        if select.test {
            self.fault_at(id, "`has` is not needed", format!("{} always has its fields", record.one));
            return None;
        }
        let Some(field) = record.fields.iter().find(|field| field.name == name) else {
            let names: Vec<_> = record.fields.iter().map(|field| field.name).collect();
            let help = match nearest(name, names.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("it has {}", list(&names)),
            };
            self.fault_at(id, format!("`{name}` is no field of {}", record.one), help);
            return None;
        };
        self.uses.fields.entry(record.one).or_default().insert(field.name);
        Some(Type::One(field.kind))
    }

    fn list(&mut self, items: &mut ListExpr, id: u64) -> Option<Type> {
        let mut kind = None;
        let kinds: Vec<_> = items.elements.iter_mut().map(|item| (item.id, self.check(item))).collect();
        for (item, found) in kinds {
            match (found?, kind) {
                (Type::List(_), _) => {
                    self.fault_at(id, "lists of lists are not read here", "keep one level of lists");
                    return None;
                }
                (Type::One(found), None) => kind = Some(found),
                (Type::One(found), Some(kind)) if found == kind => {}
                (found @ Type::One(_), Some(kind)) => {
                    let message = format!(
                        "{} stands in a list beside {}",
                        found.describe(),
                        Type::One(kind).describe()
                    );
                    self.fault_at(item, message, "the entries of a list must be alike");
                    return None;
                }
            }
        }
        Some(Type::List(kind))
    }

    fn comprehension(&mut self, looped: &mut ComprehensionExpr, id: u64) -> Option<Type> {
        let word = self.word_at(id);
        let range = self.check(&mut looped.iter_range);
        let start = self.check(&mut looped.accu_init)?;
        let name = &looped.iter_var;
        if vocabulary::find(name).is_some() || self.scope.iter().any(|(known, _)| known == name) {
            let message = format!("`{name}` already means something else");
            self.fault_at(id, message, format!("give the entry of `{word}` another name"));
            return None;
        }
        if self.loops == DEEPEST_LOOPS {
            let message = format!("`{word}` stands inside of {DEEPEST_LOOPS} other loops");
            let help = "use `touches`, `in` or another condition beside this one";
            self.fault_at(id, message, help);
            return None;
        }
        let Type::List(Some(entry)) = range? else {
            let message =
                format!("`{word}` goes through a list with something in it, not {}", range?.describe());
            self.fault_at(id, message, "write it behind a list, as in `labels.exists(label, …)`");
            return None;
        };
        self.loops += 1;
        self.scope.push((name.clone(), Type::One(entry)));
        self.scope.push((looped.accu_var.clone(), start));
        // INVARIANT: of the condition to go on only the macros know; it speaks of the result alone.
        let step = self.check(&mut looped.loop_cond).and_then(|_| self.check(&mut looped.loop_step));
        if let (Some(step), Some((_, result))) = (step, self.scope.last_mut()) {
            *result = start.join(step)?;
        }
        let result = step.and_then(|_| self.check(&mut looped.result));
        self.scope.truncate(self.scope.len().saturating_sub(2));
        self.loops -= 1;
        result.or_else(|| (start != Type::List(None)).then_some(Type::FLAG))
    }

    fn call(&mut self, call: &mut CallExpr, id: u64) -> Option<Type> {
        let name = call.func_name.clone();
        if MACROS.iter().any(|(known, _)| *known == name) {
            // With other arguments it would have been expanded; these may bind what is not known here.
            let (message, help) = unknown_function(&name);
            self.fault_at(id, message, help);
            return None;
        }
        let arguments: Vec<_> =
            call.args.iter_mut().map(|argument| (argument.id, self.check(argument))).collect();
        let over_result = matches!(call.args.first(), Some(IdedExpr { expr: Expr::Ident(name), .. }) if name.starts_with('@'));
        match (name.as_str(), arguments.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [left, right]) => {
                let word = if over_result { self.word_at(id) } else { symbol(&name) };
                for (id, found) in [left, right] {
                    self.expect(Type::FLAG, *found, *id, &word);
                }
                Some(Type::FLAG)
            }
            (operators::LOGICAL_NOT | operators::NOT_STRICTLY_FALSE, [(operand, found)]) => {
                self.expect(Type::FLAG, *found, *operand, "!");
                Some(Type::FLAG)
            }
            (operators::NEGATE, [(operand, found)]) => {
                self.expect(Type::NUMBER, *found, *operand, "-");
                found.filter(|found| *found == Type::NUMBER)
            }
            (operators::CONDITIONAL, [(condition, found), (_, left), (_, right)]) => {
                self.expect(Type::FLAG, *found, *condition, &self.word_at(id));
                let joined = (*left)?.join((*right)?);
                if joined.is_none() {
                    let message = format!(
                        "either side of `?` must be alike, not {} and {}",
                        (*left)?.describe(),
                        (*right)?.describe()
                    );
                    self.fault_at(id, message, "give both sides one type");
                }
                joined
            }
            (operators::INDEX, [(_, list), (index, found)]) => self.index((*list)?, *index, *found, id),
            (_, [(_, left), (_, right)]) if name.starts_with('_') || name == operators::IN => {
                self.binary(&name, *left, *right, id)
            }
            _ => self.function(call, &arguments, id),
        }
    }

    fn index(&mut self, list: Type, index: u64, found: Option<Type>, id: u64) -> Option<Type> {
        if let Type::List(Some(kind)) = list {
            self.expect(Type::NUMBER, found, index, "[…]");
            return Some(Type::One(kind));
        }
        let help = match list {
            Type::One(Kind::Row(_)) => "write the field behind a dot: `file.path`",
            Type::One(_) | Type::List(_) => "only lists have entries",
        };
        self.fault_at(id, format!("`[…]` does not work on {}", list.describe()), help);
        None
    }

    fn binary(&mut self, operator: &str, left: Option<Type>, right: Option<Type>, id: u64) -> Option<Type> {
        let gives_flag = !matches!(
            operator,
            operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO
        );
        let (Some(left), Some(right)) = (left, right) else { return gives_flag.then_some(Type::FLAG) };
        let result = match operator {
            operators::EQUALS | operators::NOT_EQUALS => {
                left.join(right).filter(|joined| !is_row(*joined)).map(|_| Type::FLAG)
            }
            operators::IN => match (left, right) {
                (Type::One(entry), Type::List(kind)) => {
                    (kind.is_none_or(|kind| kind == entry) && !is_row(left)).then_some(Type::FLAG)
                }
                _ => None,
            },
            operators::ADD => left
                .join(right)
                .filter(|joined| matches!(joined, Type::One(Kind::Number | Kind::Text) | Type::List(_))),
            operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO => {
                (left == Type::NUMBER && right == Type::NUMBER).then_some(Type::NUMBER)
            }
            operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS => {
                (left == right && [Type::NUMBER, Type::TEXT].contains(&left)).then_some(Type::FLAG)
            }
            _ => None,
        };
        if result.is_none() {
            let sign = symbol(operator);
            let message = format!("`{sign}` does not work on {} and {}", left.describe(), right.describe());
            self.fault_at(id, message, binary_help(operator, left, right));
            return gives_flag.then_some(Type::FLAG);
        }
        result
    }

    /// One of CEL's own functions, or none that is known.
    fn function(&mut self, call: &mut CallExpr, arguments: &[(u64, Option<Type>)], id: u64) -> Option<Type> {
        let target = match call.target.as_deref_mut() {
            None => None,
            Some(target) => Some((target.id, self.check(target)?)),
        };
        match (call.func_name.as_str(), target, arguments) {
            ("size", Some((_, of)), []) => self.size(of, id),
            ("size", None, [(_, of)]) => self.size((*of)?, id),
            (name @ ("startsWith" | "endsWith" | "contains"), Some((_, of)), [(argument, found)]) => {
                if of == Type::TEXT {
                    self.expect(Type::TEXT, *found, *argument, name);
                } else {
                    let message = format!("`{name}` looks into a text, not into {}", of.describe());
                    let help = match of {
                        Type::List(_) => "write `'x' in labels`, or `labels.exists(label, …)`",
                        Type::One(_) => "it stands behind a text, such as `title`",
                    };
                    self.fault_at(id, message, help);
                }
                Some(Type::FLAG)
            }
            (name, ..) => {
                let (message, help) = unknown_function(name);
                self.fault_at(id, message, help);
                None
            }
        }
    }

    fn size(&mut self, of: Type, id: u64) -> Option<Type> {
        if !matches!(of, Type::List(_) | Type::One(Kind::Text)) {
            let message = format!("`size` counts a text or a list, not {}", of.describe());
            self.fault_at(id, message, "write `size(labels)` or `size(title)`");
            return None;
        }
        Some(Type::NUMBER)
    }

    /// One of our own functions: what stands for it in the tree.
    fn help(&mut self, helper: &'static Helper, call: &mut CallExpr, id: u64) -> Option<Expr> {
        let shaped = match (helper.takes, call.args.len()) {
            (Takes::PathGlobs(_), 1..) | (Takes::Time(_), 1) | (Takes::Pattern(_), 2) => {
                call.target.is_none()
            }
            _ => false,
        };
        if !shaped {
            let message = format!("`{}` is not written like this", helper.name);
            self.fault_at(id, message, format!("write `{}`", helper.usage));
            return None;
        }
        let written = match helper.takes {
            Takes::Pattern(_) => call.args.get(1..).unwrap_or_default(),
            Takes::PathGlobs(_) | Takes::Time(_) => call.args.as_slice(),
        };
        let written: Vec<_> = written.iter().map(|argument| self.written_out(helper, argument)).collect();
        let written = written.into_iter().collect::<Option<Vec<_>>>();
        let text = match helper.takes {
            Takes::Pattern(_) => {
                let text = call.args.first_mut()?;
                let (place, found) = (text.id, self.check(text));
                self.expect(Type::TEXT, found, place, helper.name);
                found.map(|_| text.clone())
            }
            Takes::PathGlobs(_) | Takes::Time(_) => None,
        };
        let number = self.uses.supplied.len();
        let supplied = self.supply(helper, &written?)?;
        self.uses.supplied.push(supplied);
        self.uses.helpers.insert(helper.name);
        let name = IdedExpr { id, expr: Expr::Ident(supplied_name(number)) };
        match helper.takes {
            Takes::PathGlobs(_) | Takes::Time(_) => Some(name.expr),
            Takes::Pattern(_) => {
                let args = vec![text?, name];
                Some(Expr::Call(CallExpr { func_name: operators::IN.to_owned(), target: None, args }))
            }
        }
    }

    /// Compiles what is written out in a call of ours.
    fn supply(&mut self, helper: &Helper, written: &[(u64, String)]) -> Option<Supplied> {
        let mut globs = GlobIds::default();
        let mut supplied = None;
        for (id, text) in written {
            let compiled = match helper.takes {
                Takes::Pattern(syntax) => compile_pattern(syntax, text),
                Takes::Time(since) => compile_time(since, text),
                Takes::PathGlobs(_) if text.starts_with('!') => Err("a leading `!` can't exclude".to_owned()),
                Takes::PathGlobs(quantity) => {
                    self.globs.add(text, &mut globs).map(|()| Supplied::Touches(quantity, globs.clone()))
                }
            };
            match compiled {
                Ok(compiled) => supplied = Some(compiled),
                Err(why) => {
                    self.fault_at(
                        *id,
                        format!("`{text}` can't be read: {why}"),
                        format!("write it as in `{}`", helper.usage),
                    );
                    return None;
                }
            }
        }
        supplied
    }

    /// An argument that is a text in quotes.
    fn written_out(&mut self, helper: &Helper, argument: &IdedExpr) -> Option<(u64, String)> {
        if let Expr::Literal(LiteralValue::String(text)) = &argument.expr {
            return Some((argument.id, text.inner().to_owned()));
        }
        let message = format!("what `{}` looks for must be written out", helper.name);
        self.fault_at(argument.id, message, format!("put it in quotes, as in `{}`", helper.usage));
        None
    }

    fn expect(&mut self, wanted: Type, found: Option<Type>, id: u64, word: &str) {
        if let Some(found) = found.filter(|found| *found != wanted) {
            let message = format!("`{word}` takes {}, not {}", wanted.describe(), found.describe());
            let help = match (wanted, found) {
                (Type::FLAG, _) => "compare it with something, as in `… == …`",
                (_, Type::NUMBER) => "put it in quotes if it is a text",
                (Type::NUMBER, _) => "write a number, or count with `size(…)`",
                (_, Type::List(_)) => "go through the list: `labels.exists(label, …)`",
                _ => "make a text of it, or ask for something else",
            };
            self.fault_at(id, message, help);
        }
    }

    fn fault(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        let fault = Fault { span, message: message.into(), help };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    fn fault_at(&mut self, id: u64, message: impl Into<String>, help: impl Into<String>) {
        self.fault(self.place_of(id), message, Some(help.into()));
    }

    fn word_at(&self, id: u64) -> String {
        self.info.source.get(self.place_of(id)).unwrap_or_default().to_owned()
    }

    /// The word that an author would point at: a call's name and not its bracket, a field and not the dot before it.
    fn place_of(&self, id: u64) -> Range<usize> {
        let source = self.info.source.as_str();
        let token = span_of(id, self.info);
        let (before, behind) =
            (source.get(..token.start).unwrap_or_default(), source.get(token.start..).unwrap_or_default());
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let word_length = |text: &str| text.find(|letter| !is_word(letter)).unwrap_or(text.len());
        match behind.chars().next() {
            Some('(') => {
                let end = before.trim_end().len();
                let name = before.trim_end().trim_end_matches(is_word);
                if name.len() < end { name.len()..end } else { token }
            }
            Some('.') => {
                let name = behind.get(1..).unwrap_or_default().trim_start();
                let start = source.len() - name.len();
                start..start + word_length(name)
            }
            Some(letter) if is_word(letter) && token.end <= token.start + word_length(behind) => {
                token.start..token.start + word_length(behind)
            }
            Some(_) | None => {
                let text = source.get(token.clone()).unwrap_or(behind);
                token.start..token.start + text.trim_end().len()
            }
        }
    }
}

/// An operator as it is written: `_==_` is `==`.
fn symbol(operator: &str) -> String {
    operator.trim_matches(['_', '@']).to_owned()
}

fn is_row(found: Type) -> bool {
    matches!(found, Type::One(Kind::Row(_)) | Type::List(Some(Kind::Row(_))))
}

fn binary_help(operator: &str, left: Type, right: Type) -> String {
    match (operator, left, right) {
        (operators::EQUALS | operators::NOT_EQUALS, ..) if is_row(left) || is_row(right) => {
            "compare their fields, such as `path` or `sha`".to_owned()
        }
        (operators::EQUALS | operators::NOT_EQUALS, Type::List(_), Type::TEXT)
        | (operators::EQUALS | operators::NOT_EQUALS, Type::TEXT, Type::List(_)) => {
            "write `'x' in labels` to ask for one entry".to_owned()
        }
        (operators::IN, _, Type::TEXT) => "write `title.contains('x')` to look into a text".to_owned(),
        (operators::ADD, Type::List(_), _) => "put the entry into a list: `labels + ['x']`".to_owned(),
        _ if left == Type::NUMBER || right == Type::NUMBER => {
            "numbers stand without quotes and texts in quotes; `size(…)` makes a number of a text or a list"
                .to_owned()
        }
        _ => "both sides must be alike".to_owned(),
    }
}

fn unknown_function(name: &str) -> (String, String) {
    let known = BUILT_IN.iter().chain(MACROS);
    if name == "matches" {
        let message =
            "`matches` is not read here: it would compile its pattern again at each call".to_owned();
        return (message, "write `matches_whole(text, '…')` or `contains_match(text, '…')`".to_owned());
    }
    if let Some((_, usage)) = known.clone().find(|(known, _)| *known == name) {
        return (format!("`{name}` is not written like this"), format!("write it as in `{usage}`"));
    }
    let names: Vec<_> =
        known.map(|(name, _)| *name).chain(HELPERS.iter().map(|helper| helper.name)).collect();
    let help = match nearest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}", list(&names)),
    };
    (format!("there is no function `{name}`"), help)
}
