use super::*;
use proptest::prelude::*;

/// Writes down what it is told.
#[derive(Default)]
struct Heard(Vec<String>);

impl Sink for Heard {
    fn commit(&mut self, id: &str) {
        self.0.push(format!("commit {id}"));
    }
    fn message(&mut self, bytes: &[u8], _: bool, _: bool) {
        self.0
            .push(format!("message {}", String::from_utf8_lossy(bytes)));
    }
    fn begin(&mut self, header: &Header) {
        self.0.push(format!("begin {}", header.path));
    }
    fn hunk(&mut self, first_line: u64) {
        self.0.push(format!("hunk {first_line}"));
    }
    fn line(&mut self, kind: Kind, bytes: &[u8], _: bool, _: bool) {
        self.0
            .push(format!("{kind:?} {}", String::from_utf8_lossy(bytes)));
    }
    fn end(&mut self, header: &Header) {
        self.0.push(format!("end {}", header.path));
    }
}

fn hear(text: &str, form: Form) -> (Vec<String>, Seen) {
    let mut heard = Heard::default();
    let seen = read(text.as_bytes(), form, &mut heard).unwrap();
    (heard.0, seen)
}

#[test]
fn content_that_looks_like_a_header_is_content() {
    let (heard, seen) = hear(
        "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n a\n--- old\n++++ b/evil\n+@@ -1 +1 @@\n\\ No newline at end of file\n",
        Form::Patch,
    );
    assert_eq!(
        heard,
        [
            "begin x",
            "hunk 1",
            "Context a",
            "Removed -- old",
            "Added +++ b/evil",
            "Added @@ -1 +1 @@",
            "end x"
        ]
    );
    assert_eq!(
        seen,
        Seen {
            files: 1,
            stray: 0,
            broken: 0
        }
    );
}

#[test]
fn a_merge_adds_only_what_no_parent_had() {
    let (heard, _) = hear(
        "diff --cc f\nindex 1,2..3\n--- a/f\n+++ b/f\n@@@ -1,1 -1,3 +1,3 @@@\n  both\n+ theirs\n -gone\n++evil\n",
        Form::Patch,
    );
    assert_eq!(
        heard,
        [
            "begin f",
            "hunk 1",
            "Context both",
            "Context theirs",
            "Removed gone",
            "Added evil",
            "end f"
        ]
    );
}

#[test]
fn names_of_every_kind() {
    for (line, name) in [
        ("diff --git a/a b b/a b", "a b"),
        (r#"diff --git "a/t\tb" "b/t\tb""#, "t\tb"),
        (r#"diff --git a/x "b/\303\244""#, "ä"),
        ("diff --git a/old b/a b/c", ""),
        ("diff --cc merged file", "merged file"),
        ("* Unmerged path x", "x"),
    ] {
        assert_eq!(Header::start(line.as_bytes()).unwrap().path, name, "{line}");
    }
    let mut header = Header::start(b"diff --git a/old b/new").unwrap();
    assert!(header.read(b"rename from old") && header.read(b"rename to new"));
    assert_eq!(
        (header.path.as_str(), header.from.as_deref()),
        ("new", Some("old"))
    );
    let mut plain = Header::default();
    assert!(plain.read(b"--- x.orig\t2020-01-01 00:00") && plain.read(b"+++ x\t2020-01-01"));
    assert_eq!(plain.path, "x");
    let mut gone = Header::start(b"diff --git a/x b/x").unwrap();
    assert!(gone.read(b"--- a/x") && gone.read(b"+++ /dev/null") && gone.deleted);
}

#[test]
fn a_log_names_its_commits_and_a_message_cannot_forge_a_file() {
    let (heard, seen) = hear(
        "\0abc\0subject\ndiff --git a/no b/no\n\0\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+y\n\0def\0\0\n",
        Form::Log,
    );
    assert_eq!(
        heard,
        [
            "commit abc",
            "message subject",
            "message diff --git a/no b/no",
            "message ",
            "begin x",
            "hunk 1",
            "Added y",
            "end x",
            "commit def",
            "message "
        ]
    );
    assert_eq!(seen.files, 1);
    // The same bytes in a stranger's patch are only text.
    assert!(
        !hear("\0abc\0x\n", Form::Patch)
            .0
            .iter()
            .any(|line| line.starts_with("commit"))
    );
}

#[test]
fn broken_hunks_are_counted_and_reading_goes_on() {
    let (heard, seen) = hear(
        "hello\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n a\ndiff --git a/y b/y\n--- a/y\n+++ b/y\n@@ -0,0 +1 @@\n+z\n-- \n2.47\n",
        Form::Patch,
    );
    assert_eq!(
        heard,
        [
            "begin x",
            "hunk 1",
            "Context a",
            "end x",
            "begin y",
            "hunk 1",
            "Added z",
            "end y"
        ]
    );
    assert_eq!(
        seen,
        Seen {
            files: 2,
            stray: 3,
            broken: 1
        }
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn any_bytes_are_survived(parts in proptest::collection::vec(prop_oneof![
        Just("diff --git a/x b/x\n".to_owned()), Just("--- a/x\n".to_owned()), Just("+++ b/x\n".to_owned()),
        Just("@@ -1,2 +1,3 @@\n".to_owned()), Just("@@@ -1 -1 +1,99999999999999999999 @@@\n".to_owned()),
        Just("\0id\0msg".to_owned()), "[ +\\-@\\\\]{0,3}\\PC{0,12}\n?",
    ], 0..24)) {
        let text = parts.concat();
        for form in [Form::Patch, Form::Log] {
            let _ = read(text.as_bytes(), form, &mut Heard::default()).unwrap();
        }
    }
}
