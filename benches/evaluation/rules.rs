//! Rules as a large repository has them: each with globs of its own, and none that could be settled without the files.

use std::fmt::Write;

/// The services of the repository.
pub const SERVICES: [&str; 40] = [
    "payments", "orders", "basket", "catalog", "search", "login", "profile", "mail", "sms", "push",
    "invoice", "refund", "ledger", "tax", "shipping", "returns", "stock", "supplier", "pricing", "coupon",
    "review", "wishlist", "gift", "loyalty", "fraud", "audit", "report", "export", "import", "media",
    "resize", "banner", "landing", "blog", "support", "chat", "phone", "admin", "gateway", "proxy",
];

/// A rule that guards a service, for whoever proves that it applies where it should.
pub struct Guard {
    pub id: String,
    pub any: Vec<String>,
    pub except: Vec<String>,
}

/// Rules in one file.
const IN_A_FILE: usize = 200;

/// The name of a service; past those with a name of their own they are numbered.
fn service(number: usize) -> String {
    let name = SERVICES[number % SERVICES.len()];
    match number / SERVICES.len() {
        0 => name.to_owned(),
        more => format!("{name}-{more}"),
    }
}

/// All rules.
pub struct Rules {
    policies: Vec<String>,
    patterns: Vec<String>,
    guards: Vec<Guard>,
}

impl Rules {
    /// So many rules: of each ten four guard a service, the others are of other kinds.
    pub fn new(count: usize) -> Self {
        let mut rules = Self { policies: Vec::new(), patterns: Vec::new(), guards: Vec::new() };
        for number in 0..count {
            if number % IN_A_FILE == 0 {
                rules.policies.push(format!("policy: monorepo-{}\nrules:\n", number / IN_A_FILE));
            }
            let round = number / 10;
            match number % 10 {
                kind @ 0..=3 => rules.guard(&service(round * 4 + kind)),
                4 => rules.migrations(&service(round)),
                5 => rules.untouched(&service(round + 30)),
                6 => rules.small(&service(round + 10), round),
                7 => rules.only(&service(round), round),
                8 => rules.either(&service(round + 20), round),
                _ => rules.few(&service(round + 5), round),
            }
        }
        rules
    }

    /// The texts of the policies.
    pub fn policies(&self) -> &[String] {
        &self.policies
    }

    /// Every path pattern of every rule, as often as it is written.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    pub fn guards(&self) -> &[Guard] {
        &self.guards
    }

    /// Whoever touches a service needs its people.
    fn guard(&mut self, service: &str) {
        let any = [format!("services/{service}/**"), format!("libs/{service}-client/**")];
        let except = [format!("services/{service}/docs/**"), format!("services/{service}/generated/*.ts")];
        let id = format!("guard-{service}");
        let when = format!("changed_files: {{any: {}, except: {}}}", self.list(&any), self.list(&except));
        let require = format!("approvals: {{count: 1, from: {{groups: [\"shop/{service}\"]}}}}");
        self.rule(&id, Some(&when), &require);
        self.guards.push(Guard { id, any: any.into(), except: except.into() });
    }

    /// A migration comes with its way back.
    fn migrations(&mut self, service: &str) {
        let up = self.list(&[format!("services/{service}/migrations/*.up.sql")]);
        let down = self.list(&[format!("services/{service}/migrations/*.down.sql")]);
        let when = format!("changed_files: {{any: {up}}}");
        self.rule(&format!("way-back-{service}"), Some(&when), &format!("changed_files: {{any: {down}}}"));
    }

    /// Nobody writes what a machine writes, or what is no more.
    fn untouched(&mut self, service: &str) {
        let none = [format!("services/{service}/**/*_pb.{{rs,ts}}"), format!("archive/{service}/")];
        let require = format!("changed_files: {{none: {}}}", self.list(&none));
        self.rule(&format!("untouched-{service}"), None, &require);
    }

    /// A change can be read.
    fn small(&mut self, service: &str, round: usize) {
        let except = ["*.lock".to_owned(), "vendor/".to_owned(), format!("services/{service}/generated/**")];
        let bounds = format!("at_most: {}, added: {{at_most: {}}}", 30_000 - round % 25 * 1000, 25_000);
        let require = format!("changed_lines: {{{bounds}, except: {}}}", self.list(&except));
        self.rule(&format!("small-{round}"), None, &require);
    }

    /// What is only text needs no label.
    fn only(&mut self, service: &str, round: usize) {
        let all = ["*.md".to_owned(), format!("services/{service}/docs/**"), "**/*.{png,svg}".to_owned()];
        let when = format!("not: {{changed_files: {{all: {}}}}}", self.list(&all));
        self.rule(&format!("labelled-{round}"), Some(&when), "labels: {any: [\"type::*\"]}");
    }

    /// Either one way or the other.
    fn either(&mut self, service: &str, round: usize) {
        let config = self.list(&[format!("services/{service}/config/env-[0-4]*.{{yaml,yml}}")]);
        let tests = self.list(&[format!("services/{service}/tests/**"), format!("e2e/{service}/*.spec.ts")]);
        let require = format!(
            "any_of: [{{changed_files: {{none: {config}}}}}, {{changed_files: {{any: {tests}}}, draft: false}}]"
        );
        self.rule(&format!("tested-{round}"), None, &require);
    }

    /// Not too many files beside those of one kind.
    fn few(&mut self, service: &str, round: usize) {
        let except = self.list(&[format!("services/{service}/web/**/*.{{tsx,css}}"), "*.md".to_owned()]);
        let require = format!("changed_files_count: {{at_most: {}, except: {except}}}", 800 + round * 50);
        self.rule(&format!("few-{round}"), None, &require);
    }

    fn rule(&mut self, id: &str, when: Option<&str>, require: &str) {
        let when = when.map(|when| format!("    when: {{{when}}}\n")).unwrap_or_default();
        let written = writeln!(
            self.policies.last_mut().expect("a policy was begun"),
            "  - id: {id}\n{when}    require: {{{require}}}"
        );
        written.expect("a string takes everything");
    }

    fn list(&mut self, patterns: &[String]) -> String {
        self.patterns.extend_from_slice(patterns);
        format!("{patterns:?}")
    }
}
