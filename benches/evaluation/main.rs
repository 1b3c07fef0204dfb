//! An evaluation with its tree of reasons, 100 rules over 1,000 changed files, beside the least that any implementation
//! has to do: one `GlobSet` of all the rules' patterns over all the paths.
//!
//! Both run in turns in one process. The facts are there already; reading them from GitLab is not part of this.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    unreachable_pub,
    reason = "a bench that can't go on has failed, nobody uses it from outside, and figures are for whoever runs it"
)]

mod change;
mod expressions;
mod floor;
mod rules;
#[path = "../stage/mod.rs"]
#[allow(dead_code, reason = "not every bench needs everything")]
mod stage;

use std::hint::black_box;
use std::time::Instant;

use countersign::merge_request::CheckName;
use countersign::policy::{Evaluation, Facts, PolicySet, PolicySource, RuleState, Step, evaluate};

use self::floor::Floor;
use self::rules::Rules;
use self::stage::conditions;
use self::stage::figures::median;
use self::stage::options::{Known, Options};

const RULES: usize = 100;
const FILES: usize = 1000;
/// For expressions: as many as nobody reviews.
const VERY_MANY_FILES: usize = 10_000;
const OPTIONS: &[Known] = &[("size", "share of the full measure, which is 300 pairs")];

fn main() {
    let options = Options::read(OPTIONS);
    let pairs = options.scaled(300, 5);
    let rules = Rules::new(RULES);
    let facts = change::facts(FILES);
    let set = compile(&rules);
    let paths = change::paths(&facts);
    let floor = Floor::new(rules.patterns());

    println!(
        "evaluation  {RULES} rules with {} path patterns over {FILES} changed files with {} paths, {pairs} pairs in turns",
        rules.patterns().len(),
        paths.len()
    );
    conditions::print(conditions::folder().path());
    let evaluation = decide(&set, &facts);
    prove(&rules, &evaluation, &paths);

    let (mut evaluations, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        floors.push(milliseconds(|| floor.matches(black_box(&paths))));
        evaluations.push(milliseconds(|| decide(black_box(&set), black_box(&facts))));
    }
    let ratios: Vec<_> = evaluations.iter().zip(&floors).map(|(one, other)| one / other).collect();
    println!("\nmedians of {pairs} pairs");
    println!("  evaluation with its tree   {:>8.3} ms", median(&evaluations));
    println!("  one GlobSet over all paths {:>8.3} ms, {} matches", median(&floors), floor.matches(&paths));
    println!("  evaluation / GlobSet       {:>8.2}", median(&ratios));
    grow(options.scaled(20, 3));
    measure_expressions(options.scaled(20, 3));
}

fn compile(rules: &Rules) -> PolicySet {
    let source = |(number, text): (usize, &String)| PolicySource {
        path: format!("rules-{number}.yaml"),
        text: text.clone(),
    };
    let sources: Vec<_> = rules.policies().iter().enumerate().map(source).collect();
    PolicySet::compile(&sources).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// How an evaluation grows with the rules and with the files: ten times as many of either should take ten times as long
/// at most.
fn grow(runs: usize) {
    println!("\nmedians of {runs} runs\n  rules   files   evaluation      GlobSet   compiled in");
    for rules in [RULES, 10 * RULES] {
        let rules = Rules::new(rules);
        let begun = Instant::now();
        let set = compile(&rules);
        let compiled = begun.elapsed().as_secs_f64() * 1e3;
        let floor = Floor::new(rules.patterns());
        for files in [FILES, 10 * FILES] {
            let facts = change::facts(files);
            let paths = change::paths(&facts);
            let settled: usize = decide(&set, &facts).policies.iter().map(|policy| policy.rules.len()).sum();
            let (mut evaluations, mut floors) = (Vec::new(), Vec::new());
            for _ in 0..runs {
                floors.push(milliseconds(|| floor.matches(black_box(&paths))));
                evaluations.push(milliseconds(|| decide(black_box(&set), black_box(&facts))));
            }
            let (evaluation, floor) = (median(&evaluations), median(&floors));
            println!("  {settled:>5}  {files:>6}  {evaluation:>8.2} ms  {floor:>8.2} ms  {compiled:>8.1} ms");
        }
    }
}

/// One expression each over very many files, the making of its values included.
fn measure_expressions(rounds: usize) {
    let facts = change::facts(VERY_MANY_FILES);
    println!("\nan expression over {VERY_MANY_FILES} files, medians of {rounds}");
    for (words, set) in expressions::sets() {
        let evaluation = decide(&set, &facts);
        expressions::prove(words, &evaluation.summary, &facts);
        let taken: Vec<_> = (0..rounds).map(|_| milliseconds(|| decide(black_box(&set), &facts))).collect();
        println!("  {words:<30} {:>8.3} ms", median(&taken));
    }
}

/// What is measured: facts in, verdict and tree out; the tree is dropped within the measure, too.
fn decide(set: &PolicySet, facts: &Facts) -> Evaluation {
    match evaluate(set, &CheckName::default(), facts) {
        Step::Decided(evaluation) => evaluation,
        Step::Needs(keys) => panic!("the facts are not complete: {keys:?}"),
    }
}

/// Fails unless the tree is whole and each rule that guards a service applies just where globs of other make say so.
fn prove(rules: &Rules, evaluation: &Evaluation, paths: &[String]) {
    let settled: Vec<_> = evaluation.policies.iter().flat_map(|policy| &policy.rules).collect();
    assert_eq!(settled.len(), RULES, "every rule is settled");
    let mut applied = 0;
    for guard in rules.guards() {
        let rule = settled.iter().find(|rule| rule.id == guard.id).expect("it is in the tree");
        let touched = floor::touched(&guard.any, &guard.except, paths);
        assert_eq!(rule.state != RuleState::Skipped, touched, "{}", rule.id);
        applied += usize::from(touched);
    }
    let count = |state: fn(&RuleState) -> bool| settled.iter().filter(|rule| state(&rule.state)).count();
    println!(
        "rules       {} passed, {} violated, {} waiting, {} skipped; of {} that guard a service {applied} apply",
        count(|state| *state == RuleState::Passed),
        count(|state| *state == RuleState::Violated),
        count(|state| *state == RuleState::Waiting),
        count(|state| *state == RuleState::Skipped),
        rules.guards().len(),
    );
}

fn milliseconds<T>(work: impl FnOnce() -> T) -> f64 {
    let begun = Instant::now();
    drop(black_box(work()));
    begun.elapsed().as_secs_f64() * 1e3
}
