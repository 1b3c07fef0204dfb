//! Texts as people really write them, and as nobody should.

use super::*;
use crate::policy::diagnostic::Diagnostics;

fn mistakes(text: &str) -> String {
    let mut notes = Collector::new("p.yaml", text);
    parse(&mut notes);
    Diagnostics::of(notes.finish()).map(|found| found.to_string()).unwrap_or_default()
}

#[test]
fn spans_are_bytes_and_survive_other_alphabets_and_a_byte_order_mark() {
    for text in ["name: Größe\nother: \"ja\"\n", "\u{feff}name: Größe\nother: \"ja\"\n"] {
        let mut notes = Collector::new("p.yaml", text);
        let Some(Node { value: Value::Mapping(entries), .. }) = parse(&mut notes) else {
            panic!("no mapping")
        };
        let words: Vec<_> = entries.iter().map(|entry| text.get(entry.value.span.clone()).unwrap()).collect();
        assert_eq!(words, ["Größe", "\"ja\""]);
    }
}

#[test]
fn duplicate_keys_merge_keys_and_tags_are_all_reported() {
    insta::assert_snapshot!(mistakes("a: 1\na: 2\nb: &x {c: 1}\nd:\n  <<: *x\ne: !important f\n"), @r#"
    p.yaml:2:1: error: `a` is written twice in one mapping
      help: keep one of them; in a mapping of conditions, put both under `all_of`
    p.yaml:5:3: error: merge keys (`<<`) are not read
      help: write the keys out, or alias a whole value
    p.yaml:6:4: error: an unquoted `!` starts a YAML tag
      help: put it in quotes: `"!important"`
    "#);
}

#[test]
fn unquoted_indicators_have_their_own_words() {
    insta::assert_snapshot!(mistakes("paths:\n  - docs\n  - *.md\n"), @r#"
    p.yaml:3:5: error: an unquoted `*` starts a YAML alias, and `*.md` refers to nothing
      help: put it in quotes: `"*.md"`
    "#);
    insta::assert_snapshot!(mistakes("paths: [*]\n"), @r#"
    p.yaml:1:9: error: an unquoted `*` starts a YAML alias, and `*` refers to nothing
      help: put it in quotes: `"*"`
    "#);
    insta::assert_snapshot!(mistakes("paths:\n  - !docs/**\n  - &fix bug\n"), @r#"
    p.yaml:2:5: error: an unquoted `!` starts a YAML tag
      help: put it in quotes: `"!docs/**"`
    p.yaml:3:5: error: an unquoted `&` starts a YAML anchor, and nothing refers to `&fix`
      help: put the text in quotes, or take the anchor away
    "#);
    insta::assert_snapshot!(mistakes("users: [@ana]\n"), @r#"
    p.yaml:1:9: error: `@ana` can't begin a value without quotes
      help: put it in quotes: `"@ana"`
    "#);
}

#[test]
fn an_alias_repeats_a_value_and_a_bomb_is_refused() {
    assert_eq!(mistakes("a: &list [x, y]\nb: *list\n"), "");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let previous = format!("*a{}", level - 1);
        let line = format!("a{level}: &a{level} [{}]\n", vec![previous; 9].join(", "));
        bomb.push_str(&line);
    }
    assert!(mistakes(&bomb).contains("more than 20000 values"));
}

#[test]
fn limits_hold() {
    assert!(mistakes(&"[".repeat(100)).contains("nest deeper than 64"));
    assert!(mistakes(&"# long\n".repeat(40_000)).contains("longer than 256 KiB"));
    assert!(mistakes("a: 1\n---\nb: 2\n").contains("second document"));
    assert!(mistakes("").contains("the file is empty"));
}
