//! How much work an expression is at most, from the real sizes of what it goes through: known before it runs.
//!
//! A step is about one node of the tree, or 32 bytes of text. What would take too many is not run: it is unknown, which
//! passes nothing, and the process lives.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};

use super::function::supplied_number;
use super::value::Size;

/// The most steps: some tenths of a second, and at most this many times 32 bytes of memory.
pub(super) const MOST_STEPS: u64 = 4_000_000;
/// The longest text that may be put together.
pub(super) const LONGEST_TEXT: u64 = 4 * 1024 * 1024;

/// Why an expression is not run, in words; none if it may be.
pub(super) fn refuse(tree: &IdedExpr, size_of: &dyn Fn(&str) -> Size) -> Option<String> {
    let mut meter = Meter { size_of, scope: Vec::new(), longest: 0 };
    let (steps, _) = meter.measure(tree);
    if meter.longest > LONGEST_TEXT {
        return Some(format!("the expression would put together a text of {} bytes", meter.longest));
    }
    (steps > MOST_STEPS)
        .then(|| format!("the expression would take {steps} steps, and {MOST_STEPS} are allowed"))
}

struct Meter<'a> {
    size_of: &'a dyn Fn(&str) -> Size,
    scope: Vec<(&'a str, Size)>,
    /// The longest text that is put together.
    longest: u64,
}

impl<'a> Meter<'a> {
    /// The steps that a node takes, and how large its value is.
    fn measure(&mut self, node: &'a IdedExpr) -> (u64, Size) {
        match &node.expr {
            Expr::Literal(LiteralValue::String(text)) => {
                (1, Size { items: 0, bytes: text.inner().len() as u64 })
            }
            Expr::Ident(name) => {
                let bound = self.scope.iter().rev().find(|(known, _)| known == name).map(|(_, size)| *size);
                (1, bound.unwrap_or_else(|| (self.size_of)(name)))
            }
            Expr::Select(select) => {
                let (steps, of) = self.measure(&select.operand);
                (steps.saturating_add(2), of)
            }
            Expr::List(list) => {
                let (steps, size) = self.all(&list.elements);
                (steps.saturating_add(weight(size)), Size { items: list.elements.len() as u64, ..size })
            }
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(looped) => self.comprehension(looped),
            Expr::Literal(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => (1, Size::default()),
        }
    }

    /// Several nodes: the steps of all of them, and the largest size.
    fn all(&mut self, nodes: &'a [IdedExpr]) -> (u64, Size) {
        let mut sum = (0_u64, Size::default());
        for node in nodes {
            let (steps, size) = self.measure(node);
            sum.0 = sum.0.saturating_add(steps);
            sum.1 = Size { items: sum.1.items.max(size.items), bytes: sum.1.bytes.max(size.bytes) };
        }
        sum
    }

    fn call(&mut self, call: &'a CallExpr) -> (u64, Size) {
        let mut steps = 2_u64;
        let mut sizes = Vec::new();
        for part in call.target.as_deref().into_iter().chain(&call.args) {
            let (taken, size) = self.measure(part);
            steps = steps.saturating_add(taken).saturating_add(weight(size));
            sizes.push(size);
        }
        let sum = sizes.iter().fold(Size::default(), |sum, size| Size {
            items: sum.items.saturating_add(size.items),
            bytes: sum.bytes.saturating_add(size.bytes),
        });
        let largest = sizes.iter().map(|size| size.bytes).max().unwrap_or(0);
        let size = match call.func_name.as_str() {
            // Two lists are as long as both together, and their texts no longer than the longest of either.
            operators::ADD if sum.items > 0 => Size { bytes: largest, ..sum },
            operators::ADD => {
                self.longest = self.longest.max(sum.bytes);
                sum
            }
            operators::CONDITIONAL => Size { bytes: largest, ..sum },
            operators::INDEX => Size { items: 0, bytes: largest },
            // A pattern reads a text more slowly than a comparison does.
            operators::IN if call.args.iter().any(is_supplied) => {
                steps = steps.saturating_add(largest / 8);
                Size::default()
            }
            _ => Size::default(),
        };
        (steps, size)
    }

    fn comprehension(&mut self, looped: &'a ComprehensionExpr) -> (u64, Size) {
        let (range_steps, range) = self.measure(&looped.iter_range);
        let (start_steps, _) = self.measure(&looped.accu_init);
        self.scope.push((&looped.iter_var, Size { items: 0, ..range }));
        self.scope.push((&looped.accu_var, Size::default()));
        let (condition_steps, _) = self.measure(&looped.loop_cond);
        let (step_steps, step) = self.measure(&looped.loop_step);
        self.scope.truncate(self.scope.len().saturating_sub(2));
        let each = condition_steps.saturating_add(step_steps).saturating_add(4);
        let steps = range.items.saturating_mul(each).saturating_add(range_steps).saturating_add(start_steps);
        // Each round adds at most what one step gives when nothing is there yet.
        (steps, Size { items: range.items.saturating_mul(step.items), bytes: step.bytes })
    }
}

fn is_supplied(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Ident(name) if supplied_number(name).is_some())
}

/// The steps that it takes to look at a value, or to copy it.
fn weight(size: Size) -> u64 {
    size.items.max(1).saturating_mul(size.bytes / 32 + u64::from(size.items > 0))
}
