//! Directories as operators have them: mounted, linked, half written, empty.

use super::*;

const GOOD: &str = "policy: a\nrules: [{id: r, require: {draft: false}}]\n";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn paths(sources: &[PolicySource]) -> Vec<&str> {
    sources.iter().map(|source| source.path.as_str()).collect()
}

#[test]
fn only_visible_policy_files_are_read_and_sorted() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, GOOD).unwrap();
    };
    for path in ["b.yml", "a.yaml", "team/c.yaml", ".hidden.yaml", ".git/d.yaml", "a.cases.yaml", "README.md"]
    {
        write(path);
    }
    assert_eq!(paths(&read(root.path()).unwrap()), ["a.yaml", "b.yml", "team/c.yaml"]);
}

#[test]
#[cfg(unix)]
fn a_mounted_volume_with_links_is_read_once() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("..2026_01_01");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("a.yaml"), GOOD).unwrap();
    symlink("..2026_01_01", root.path().join("..data")).unwrap();
    symlink("..data/a.yaml", root.path().join("a.yaml")).unwrap();
    symlink(".", root.path().join("loop")).unwrap();
    assert_eq!(paths(&read(root.path()).unwrap()), ["a.yaml"]);
}

#[test]
fn the_last_good_set_stays_until_a_better_one_comes() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("a.yaml");
    fs::write(&file, GOOD).unwrap();
    let bundle = Bundle::open(root.path(), at(1)).unwrap();
    let first = bundle.current().revision().clone();
    assert!(matches!(bundle.reload(at(2)), Reloaded::Unchanged));

    fs::write(&file, "policy: a\nrule: []\n").unwrap();
    for second in [3, 4] {
        assert!(matches!(bundle.reload(at(second)), Reloaded::Broken(_)));
        assert_eq!(bundle.trouble().unwrap().since, at(3));
    }
    assert_eq!(*bundle.current().revision(), first);

    fs::write(&file, GOOD.replace("false", "true")).unwrap();
    assert!(matches!(bundle.reload(at(4)), Reloaded::Unchanged));
    assert_eq!(*bundle.current().revision(), first, "what is seen once may still be written to");
    assert!(matches!(bundle.reload(at(5)), Reloaded::Replaced(revision) if revision != first));
    assert!(bundle.trouble().is_none());
    assert_eq!(bundle.current().loaded_at, at(5));
    fs::remove_file(&file).unwrap();
    assert!(
        matches!(bundle.reload(at(6)), Reloaded::Broken(_)),
        "an emptied directory is no set without rules"
    );
}

#[test]
fn a_checkout_in_its_middle_is_never_in_force() {
    let root = tempfile::tempdir().unwrap();
    let strict = root.path().join("strict.yaml");
    let strict_text = GOOD.replace("policy: a", "policy: strict");
    fs::write(root.path().join("a.yaml"), GOOD).unwrap();
    fs::write(&strict, &strict_text).unwrap();
    let bundle = Bundle::open(root.path(), at(1)).unwrap();
    let first = bundle.current().revision().clone();
    fs::remove_file(&strict).unwrap();
    assert!(matches!(bundle.reload(at(2)), Reloaded::Unchanged));
    fs::write(&strict, format!("{strict_text}# newer\n")).unwrap();
    assert!(matches!(bundle.reload(at(3)), Reloaded::Unchanged));
    assert_eq!(*bundle.current().revision(), first);
    assert!(matches!(bundle.reload(at(4)), Reloaded::Replaced(_)));
    assert_eq!(bundle.current().set.policy_names().count(), 2);
}

#[test]
fn an_empty_directory_is_an_error_with_help() {
    let root = tempfile::tempdir().unwrap();
    assert!(load(root.path()).unwrap_err().to_string().contains("holds no policy: put a `.yaml` file there"));
    assert!(load(&root.path().join("none")).unwrap_err().to_string().contains("can't be read"));
}

#[test]
fn the_policies_that_ship_compile() {
    let bundle = Bundle::embedded(at(1)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(bundle.current().set.policy_names().count(), SHIPPED.len());
}
