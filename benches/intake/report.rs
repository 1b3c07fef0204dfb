//! What the turns came to: a line for each, then medians and ratios.

use std::collections::BTreeMap;

use crate::contestant::Contestant;
use crate::stage::figures::{median, thousands};
use crate::turn::Turn;

/// Figures by contestant, one for each round.
#[derive(Default)]
struct Column(BTreeMap<Contestant, Vec<f64>>);

impl Column {
    fn add(&mut self, contestant: Contestant, figure: f64) {
        self.0.entry(contestant).or_default().push(figure);
    }

    fn median(&self, contestant: Contestant) -> Option<f64> {
        self.0.get(&contestant).map(|figures| median(figures))
    }

    /// The median of the rounds' ratios: the two of one round ran side by side.
    fn ratio(&self, one: Contestant, other: Contestant) -> Option<f64> {
        let (one, other) = (self.0.get(&one)?, self.0.get(&other)?);
        Some(median(&one.iter().zip(other).map(|(one, other)| one / other).collect::<Vec<_>>()))
    }
}

/// All turns so far.
#[derive(Default)]
pub struct Report {
    rate: Column,
    cpu: Column,
    p50: Column,
    p99: Column,
    promised: BTreeMap<Contestant, usize>,
    kept: BTreeMap<Contestant, usize>,
    settings: Option<String>,
}

impl Report {
    pub fn add_flood(&mut self, contestant: Contestant, turn: &Turn) {
        self.tell(contestant, turn);
        self.rate.add(contestant, turn.outcome.rate());
        self.cpu.add(contestant, turn.cpu);
        self.count(contestant, turn);
    }

    pub fn add_pace(&mut self, contestant: Contestant, turn: &Turn) {
        self.tell(contestant, turn);
        self.p50.add(contestant, turn.outcome.latencies.percentile(0.5));
        self.p99.add(contestant, turn.outcome.latencies.percentile(0.99));
        self.count(contestant, turn);
    }

    fn tell(&mut self, contestant: Contestant, turn: &Turn) {
        if self.settings.is_none()
            && let Some(settings) = &turn.settings
        {
            println!("store       {settings}, as the product says of its own connection");
            self.settings = Some(settings.clone());
        }
        let latencies = &turn.outcome.latencies;
        println!(
            "  {contestant:<18} {:>8}/s  p50 {:>6.2} ms  p99 {:>6.2} ms  CPU {:>4.0} µs each  generator {:>3.0} % of a \
             core",
            thousands(turn.outcome.rate()),
            latencies.percentile(0.5),
            latencies.percentile(0.99),
            turn.cpu,
            turn.generator * 100.0,
        );
    }

    fn count(&mut self, contestant: Contestant, turn: &Turn) {
        *self.promised.entry(contestant).or_default() += turn.promised;
        if let Some(kept) = turn.kept {
            *self.kept.entry(contestant).or_default() += kept;
        }
    }

    /// The rate of the second phase.
    pub fn half_of_product(&self) -> f64 {
        self.rate.median(Contestant::Product).expect("the product had its turn") / 2.0
    }

    pub fn print(&self, rounds: usize) {
        println!("\nmedians of {rounds} rounds");
        for contestant in self.rate.0.keys() {
            let figure = |column: &Column| column.median(*contestant).unwrap_or(f64::NAN);
            println!(
                "  {contestant:<18} {:>8} taken/s  CPU {:>4.0} µs each",
                thousands(figure(&self.rate)),
                figure(&self.cpu)
            );
        }
        for contestant in self.p99.0.keys() {
            let figure = |column: &Column| column.median(*contestant).unwrap_or(f64::NAN);
            println!(
                "  {contestant:<18} at half load: p50 {:.2} ms, p99 {:.2} ms",
                figure(&self.p50),
                figure(&self.p99)
            );
        }
        println!("\nratios (of the rounds' ratios the median)");
        let (product, others) = (Contestant::Product, Contestant::all(true));
        for other in others.into_iter().skip(1) {
            let Some(ratio) = self.rate.ratio(product, other) else { continue };
            let label = format!("taken/s, product / {other}");
            println!("  {label:<48} {ratio:.2}");
        }
        for floor in [Contestant::FloorB, Contestant::FloorBHint] {
            let Some(ratio) = self.p99.ratio(product, floor) else { continue };
            let label = format!("p99 at half load, product / {floor}");
            println!("  {label:<48} {ratio:.2}");
        }
        println!("\nkept, counted after a kill");
        for (contestant, kept) in &self.kept {
            let promised = self.promised.get(contestant).copied().unwrap_or(0);
            println!("  {contestant:<18} {kept} deliveries on disk, {promised} answered with 202");
        }
    }
}
