//! CODEOWNERS by example: GitLab's own examples, and lines that nobody can read.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> CodeOwners {
    CodeOwners::parse(&CodeOwnersFile { path: "CODEOWNERS".to_owned(), text: text.to_owned() }).unwrap()
}

/// Who owns a path, in one text for each section: `[Docs] @ana`, `[Docs] nobody`, or what is wrong.
fn owners(text: &str, path: &str) -> Vec<String> {
    let file = parse(text);
    let told = |winner: usize| {
        let (entry, section) = file.entry(winner).unwrap();
        let owners = match &entry.owned {
            Owned::By(owners) => owners.iter().map(Owner::in_words).collect::<Vec<_>>().join(" "),
            Owned::ByNobody => "nobody".to_owned(),
            Owned::Unreadable(why) => why.clone(),
        };
        section.in_words().map_or(owners.clone(), |name| format!("{name} {owners}"))
    };
    file.winners(path).into_iter().map(told).collect()
}

fn matches(pattern: &str, path: &str) -> bool {
    let owned = owners(&format!("{pattern} @a\n"), path);
    assert!(owned.is_empty() || owned == ["@a"], "{pattern}: {owned:?}");
    !owned.is_empty()
}

#[test]
fn sections_of_gitlabs_reference_each_have_their_owners() {
    let text = "* @admin\n\n[README Owners]\nREADME.md @user1 @user2\ninternal/README.md @user4\n\n\
                [README other owners]\nREADME.md @user3\n";
    assert_eq!(
        owners(text, "README.md"),
        ["@admin", "[README Owners] @user1 @user2", "[README other owners] @user3"]
    );
    assert_eq!(
        owners(text, "internal/README.md"),
        ["@admin", "[README Owners] @user4", "[README other owners] @user3"]
    );
    let text = "[Documentation] @docs-team\ndocs/\nREADME.md\n\n[Database] @database-team @agarcia\nmodel/db/\n\
                config/db/database-setup.md @docs-team\n";
    assert_eq!(owners(text, "docs/a/b"), ["[Documentation] @docs-team"]);
    assert_eq!(owners(text, "app/model/db/x.rb"), ["[Database] @database-team @agarcia"]);
    assert_eq!(owners(text, "config/db/database-setup.md"), ["[Database] @docs-team"]);
    let text = "* @general-approvers\n\n[Documentation] @docs-team\ndocs/\nREADME.md\n*.txt\n\n\
                [Database] @database-team\nmodel/db/\nconfig/db/database-setup.md @docs-team\n";
    let all = ["@general-approvers", "[Documentation] @docs-team", "[Database] @database-team"];
    assert_eq!(owners(text, "model/db/CHANGELOG.txt"), all);
}

#[test]
fn the_examples_of_gitlabs_reference_own_what_it_says() {
    let text = "* @default-codeowner\n* @multiple @code\t@owners\n*.rb @ruby-owner\n\\#file_with_pound.rb @pound\n\
                CODEOWNERS @multiple\nLICENSE @legal janedoe@gitlab.com\nREADME @group @group/with-nested/subgroup\n\
                /docs/ @all-docs\n/docs/* @root-docs\n/docs/**/*.md @markdown-docs\nlib/ @lib-owner\n\
                /config/ @config-owner\npath\\ with\\ spaces/ @space-owner\n/roles/ @@developers @@Maintainer @@OWNER\n";
    for (path, expected) in [
        ("x/y", "@multiple @code @owners"),
        ("a/b.rb", "@ruby-owner"),
        ("a/#file_with_pound.rb", "@pound"),
        ("LICENSE", "@legal janedoe@gitlab.com"),
        ("README", "@group members of group/with-nested/subgroup"),
        ("docs/a/b", "@all-docs"),
        ("docs/a", "@root-docs"),
        ("docs/a/b.md", "@markdown-docs"),
        ("x/lib/y/z", "@lib-owner"),
        ("config/a", "@config-owner"),
        ("x/config/a", "@multiple @code @owners"),
        ("a/path with spaces/b", "@space-owner"),
    ] {
        assert_eq!(owners(text, path), [expected], "{path}");
    }
    let roles =
        ["developer", "maintainer", "owner"].map(|role| format!("direct members with the role {role}"));
    assert_eq!(owners(text, "roles/a"), [roles.join(" ")]);
}

#[test]
fn patterns_are_those_of_rubys_fnmatch() {
    assert!(matches("README.md", "README.md") && matches("README.md", "a/b/README.md"));
    assert!(matches("internal/README.md", "docs/internal/README.md"));
    assert!(matches("/README.md", "README.md") && !matches("/README.md", "docs/README.md"));
    assert!(matches("/docs/*.md", "docs/a.md") && !matches("/docs/*.md", "docs/a/b.md"));
    assert!(matches("/docs/*spec*", "docs/runtime.spec") && matches("/docs/*/R", "docs/api/R"));
    assert!(
        matches("/docs/**/index.md", "docs/index.md") && matches("/docs/**/index.md", "docs/a/b/index.md")
    );
    assert!(matches("/docs/", "docs/a/.b") && !matches("/docs/", "docs"));
    assert!(!matches("docs", "docs/a"), "GitLab: only a pattern that ends in `/` is a folder's");
    assert!(matches("/docs/**", "docs/a") && !matches("/docs/**", "docs/a/b"), "there `**` is a `*`");
    assert!(matches("/a**c", "abbc") && !matches("/a**c", "ab/c"));
    assert!(matches("*", ".a/b") && matches("/", "a/b") && matches("**", "a/b/c") && matches("/**/*", "a"));
    assert!(
        matches("/a?c", "abc") && matches("/a?c", "aéc") && !matches("/a?c", "a/c") && !matches("/a?c", "ac")
    );
    assert!(matches("/[a-c]x", "bx") && !matches("/[a-c]x", "dx") && matches("/[!a-c]x", "dx"));
    assert!(matches("/[^a]x", "€x") && !matches("/[^a]x", "ax") && !matches("/a[!b]c", "a/c"));
    assert!(matches("/[+-9]x", "+x") && !matches("/a[+-9]c", "a/c") && matches("/[a\\]-]x", "]x"));
    assert!(matches("/[a\\]-]x", "-x") && matches("/[a^!]x", "^x") && matches("/[^-]x", "ax"));
    assert!(
        matches("/\\*x", "*x")
            && !matches("/\\*x", "ax")
            && matches("/{a,b}", "{a,b}")
            && !matches("/{a,b}", "a")
    );
    assert!(matches("/Docs/", "Docs/a") && !matches("/Docs/", "docs/a") && matches("/ü/", "ü/é"));
    assert!(matches("/pay/", "pay/a\nb") && matches("*.rs", "pay/\u{1}.rs"));
}

#[test]
fn the_last_entry_of_a_section_wins_and_one_written_twice_keeps_its_place() {
    assert_eq!(owners("*.rb @a\n/x.rb @b\n", "x.rb"), ["@b"]);
    assert_eq!(owners("/x.rb @b\n*.rb @a\n", "x.rb"), ["@a"]);
    assert_eq!(owners("*.rb @a\n/x.rb @b\n*.rb @c\n", "x.rb"), ["@b"]);
    assert_eq!(owners("*.rb @a\n/x.rb @b\n*.rb @c\n", "y.rb"), ["@c"]);
}

#[test]
fn headings_say_how_many_and_whether() {
    let file =
        parse("a @a\n[Two][2] @b\nb\n^[Maybe]\nc @c\n[Zero][0]\nd @d\n[Empty][] @e\ne\n^[Many][3]\nf @f\n");
    let of = |path| {
        let (entry, section) = file.entry(file.winners(path)[0]).unwrap();
        (entry.count, section.optional)
    };
    assert_eq!(
        ["a", "b", "c", "d", "e", "f"].map(of),
        [(1, false), (2, false), (1, true), (1, false), (1, false), (3, true)]
    );
}

#[test]
fn sections_are_merged_in_any_case_and_optional_only_if_all_of_them_are() {
    let text = "[Docs]\n*.md @a\n^[DOCS][2]\n/b.md @b\n^[Other]\nx @x\n^[other]\ny @y\n";
    assert_eq!(owners(text, "a.md"), ["[Docs] @a"]);
    assert_eq!(owners(text, "b.md"), ["[Docs] @b"], "the later one wins within one section");
    let file = parse(text);
    let optional = |path| file.entry(file.winners(path)[0]).unwrap().1.optional;
    assert!(!optional("b.md") && optional("x") && optional("y"));
    assert!(file.has_section("docs") && file.has_section("Codeowners") && !file.has_section("Doc"));
    assert_eq!(owners("* @a\n[codeowners]\nx @b\n", "x"), ["@b"], "that is the unnamed section's own name");
}

#[test]
fn an_exclusion_takes_a_path_out_of_its_section_alone_and_for_good() {
    let text = "* @default\n!pom.xml\n\n[Ruby]\n*.rb @ruby\n!/config/**/*.rb\n/config/a.rb @late\n";
    assert_eq!(owners(text, "pom.xml"), Vec::<String>::new());
    assert_eq!(owners(text, "config/a.rb"), ["@default"], "it can't be taken back");
    assert_eq!(owners(text, "a.rb"), ["@default", "[Ruby] @ruby"]);
    assert_eq!(owners("!*.rb\n* @a\n", "a.rb"), Vec::<String>::new(), "wherever it stands");
}

#[test]
fn without_owners_nobody_is_needed_and_that_is_said() {
    assert_eq!(owners("* @a\n/vendor/\n", "vendor/x"), ["nobody"]);
    assert_eq!(owners("[Docs] @docs\n* @a\n/vendor/\n", "vendor/x"), ["[Docs] @docs"]);
}

#[test]
fn a_line_that_cant_be_read_never_means_nobody() {
    let unread = |text: &str, path: &str| {
        let owned = owners(text, path);
        assert!(owned.iter().any(|owned| owned.contains("line 2")), "{text:?} {path}: {owned:?}");
    };
    unread("* @a\n/x ana\n", "x");
    unread("* @a\n/x # nobody yet\n", "x");
    unread("* @a\n/path with spaces/ @a\n", "path with spaces/b");
    unread("* @a\n/src/[abc @b\n", "src/a");
    unread("* @a\n/src/a\\ \n", "src/a");
    unread("* @a\n/x\u{a0}@b\n", "x");
    unread("* @a\n!x @b\n", "x");
    unread("* @a\n!x # generated\n", "x");
    unread("* @a\n!\n", "x");
    unread("* @a\n! x\n", "x");
    for heading in [
        "[Docs",
        "[]",
        "[ ]",
        "[Docs][x]",
        "[Docs][2]@a",
        "[Docs] [2] @a",
        "[Docs] @a, @b",
        "^ [Docs]",
        "[Docs][99999999999999999999]",
        "[abc].rb @a",
        "[Docs] ana",
    ] {
        unread(&format!("* @a\n{heading}\nx @b\n!y\nz\n"), "x");
        unread(&format!("* @a\n{heading}\nx @b\n!y\nz\n"), "y");
        unread(&format!("* @a\n{heading}\nx @b\n!y\nz\n"), "z");
    }
    assert_eq!(owners("* @a\n[Docs\nx @b\n", "other"), ["@a"], "it says nothing of other paths");
    assert_eq!(owners("x @a # and @b for him\n", "x"), ["@a @b"], "GitLab reads owners in a comment, too");
    assert_eq!(owners("\u{feff}* @a\r\n  # x\r\n\r\n", "x"), ["@a"]);
}

#[test]
fn a_file_of_a_thousand_entries_is_found_in_all_of_its_parts() {
    let entry = |number: usize| match number % 4 {
        0 => format!("/src/room-{number}/ @a{number}"),
        1 => format!("room-{number}/ @a{number}"),
        2 => format!("*.e{number} @a{number}"),
        _ => format!("/src/**/test_{number}_*.rs @a{number}"),
    };
    let file = parse(&(0..1_000).map(entry).collect::<Vec<_>>().join("\n"));
    let pattern =
        |path: &str| file.winners(path).iter().map(|winner| file.entry(*winner).unwrap().0.line).max();
    assert_eq!(pattern("src/room-400/x/y.z"), Some(401));
    assert_eq!(pattern("src/a/b/room-401/y"), Some(402));
    assert_eq!(pattern("src/x/y/z.e402"), Some(403));
    assert_eq!(pattern("src/x/y/test_403_x.rs"), Some(404));
    assert_eq!(pattern("room-401"), None);
}

fn line() -> impl Strategy<Value = String> {
    let pattern = prop_oneof![
        Just("*"),
        Just("*.rs"),
        Just("/a/"),
        Just("!b/"),
        Just("a/[bc"),
        Just("x\\ y"),
        Just("?")
    ];
    let owners = prop_oneof![Just(""), Just("@a"), Just("@b/c d@e.org"), Just("@@owner"), Just("junk")];
    let heading = prop_oneof![Just("[A]"), Just("^[B][2] @b"), Just("[a] @c"), Just("[C"), Just("")];
    prop_oneof![
        (pattern, owners).prop_map(|(pattern, owners)| format!("{pattern} {owners}")),
        heading.prop_map(str::to_owned)
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![Just("a/b".to_owned()), Just("b/c.rs".to_owned()), Just("x y".to_owned()), "[a-c/.é]{1,8}"]
}

proptest! {
    #[test]
    fn no_text_makes_it_fall_over(text in "(?s).{0,200}", path in "(?s).{0,40}") {
        let file = CodeOwners::parse(&CodeOwnersFile { path: "CODEOWNERS".to_owned(), text });
        if let Ok(file) = file {
            let _ = file.winners(&path);
        }
    }

    #[test]
    fn no_signs_of_patterns_make_it_fall_over(text in "[\\]\\[!^*?/\\\\ a\\-{},#@\n]{0,60}", path in "[\\]a/!\\-]{0,12}") {
        let _ = parse(&text).winners(&path);
    }

    #[test]
    fn a_comment_changes_nothing(lines in prop::collection::vec(line(), 0..12), at in any::<prop::sample::Index>(),
        path in path(), comment in "[ \t]{0,2}#[ -~]{0,20}")
    {
        let strip = |text: String| text.split("line ").next().unwrap_or_default().to_owned();
        let told = |lines: &[String]| owners(&lines.join("\n"), &path).into_iter().map(strip).collect::<Vec<_>>();
        let mut commented = lines.clone();
        commented.insert(at.index(lines.len() + 1), comment);
        prop_assert_eq!(told(&lines), told(&commented));
    }
}
