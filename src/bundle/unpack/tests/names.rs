//! Names, links and types: what is kept, what is left out, and what is said about it.

use super::*;

#[test]
fn names_that_climb_are_left_out_and_listed() {
    let out = unpack(&archives::traversal());
    assert_eq!(out.paths(), ["bundle/a.log", "bundle/b.log"]);
    assert_eq!(out.index().skipped.len(), 9);
    for (name, why) in [
        ("../escaped", "climbs"),
        ("/escaped", "absolute"),
        ("x/../", "climbs"),
    ] {
        assert!(out.why(name).contains(why), "{name}: {}", out.why(name));
    }
}

#[test]
fn names_that_deceive_are_left_out_and_shown_escaped() {
    let out = unpack(&archives::deceiving_names());
    assert_eq!(out.paths(), ["bundle/日本語 ünïcode.log"]);
    assert_eq!(out.index().skipped.len(), 10);
    for (name, why) in [
        ("\\u{202e}", "bidirectional"),
        ("\\u{200b}", "invisible"),
        ("\\u{1b}[2J", "control"),
        ("new\\nline", "control"),
        ("..\\\\..", "backslash"),
        ("\\xff\\xfe", "not UTF-8"),
        ("nul\\u{0}byte", "control"),
    ] {
        assert!(
            out.why(name).contains(why),
            "{name}: {:?}",
            out.index().skipped
        );
    }
}

#[test]
fn links_are_recorded_and_never_lead_out() {
    let out = unpack(&archives::escaping_links());
    assert_eq!(out.paths(), ["bundle/a.log", "bundle/b.log"]);
    for (name, why) in [
        ("bundle/passwd", "outside the bundle"),
        ("bundle/up", "outside the bundle"),
        ("bundle/outer", "outside the bundle"),
        ("bundle/hard", "outside the bundle"),
        ("bundle/hard-absolute", "outside the bundle"),
        ("bundle/hard-through", "outside the bundle"),
        ("bundle/nowhere", "not in the bundle"),
        ("bundle/through-file", "not in the bundle"),
        ("bundle/out/written-through", "leads through a link"),
        ("bundle/outer/written-through", "leads through a link"),
    ] {
        assert!(out.why(name).contains(why), "{name}: {}", out.why(name));
    }
}

#[test]
fn links_inside_lead_to_the_file_in_the_end() {
    let out = unpack(&archives::inner_links());
    let file = Some("bundle/pods/web/current.log");
    for name in [
        "before",
        "collector/web.log",
        "through",
        "chain-1",
        "chain-2",
        "chain-3",
        "hard",
        "hard-to-link",
    ] {
        assert_eq!(out.link(&format!("bundle/{name}")), file, "{name}");
    }
    assert_eq!(out.disk.len(), 1);
    assert_eq!(out.index().skipped.len(), 1);
    assert!(out.why("bundle/by-name").contains("a folder of the bundle"));
}

#[test]
fn loops_of_links_end() {
    let out = unpack(&archives::link_loops(30));
    assert_eq!(out.link("bundle/long-00000"), Some("bundle/end"));
    for name in [
        "bundle/self",
        "bundle/a",
        "bundle/b",
        "bundle/c",
        "bundle/hard-self",
    ] {
        assert!(
            out.why(name).contains("endless chain"),
            "{name}: {}",
            out.why(name)
        );
    }
    let out = unpack(&archives::link_loops(3_000));
    assert!(out.why("bundle/long-00000").contains("endless chain"));
    assert_eq!(out.link("bundle/long-02999"), Some("bundle/end"));
}

#[test]
fn long_names_of_every_form_are_read() {
    let out = unpack(&archives::long_names());
    let names: Vec<_> = out
        .disk
        .keys()
        .map(|path| path.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(names, ["gnu.log", "pax.log", "ustar.log"]);
    assert!(out.disk.contains_key("bundle/prefix/ustar.log"));
    assert!(out.index().skipped.is_empty());
}

#[test]
fn sparse_files_are_left_out_and_what_follows_is_found() {
    let out = unpack(&archives::sparse());
    assert_eq!(out.paths(), ["bundle/a.log", "bundle/b.log"]);
    for name in ["old-sparse", "huge-sparse", "pax-sparse"] {
        assert_eq!(out.why(name), "a sparse file, which is not expanded");
    }
}

#[test]
fn what_is_no_file_is_left_out() {
    let out = unpack(&archives::special_files());
    assert_eq!(out.paths(), ["bundle/a.log", "bundle/b.log"]);
    assert_eq!(
        (out.why("null"), out.why("sda"), out.why("pipe")),
        ("a device".into(), "a device".into(), "a named pipe".into())
    );
    assert_eq!(out.index().skipped.len(), 8);
}

#[test]
fn permission_bits_are_dropped() {
    // The bits are checked for every archive, in `walk`.
    let out = unpack(&archives::setuid());
    assert_eq!(
        out.paths(),
        ["bundle/folder/setuid", "bundle/folder/unreadable"]
    );
}

#[test]
fn of_one_name_the_last_counts_and_it_is_said() {
    let out = unpack(&archives::duplicates());
    assert_eq!(out.disk["bundle/twice.log"], b"second\n");
    assert_eq!(out.disk["bundle/link-then-file"], b"a file\n");
    assert_eq!(out.link("bundle/file-then-link"), Some("bundle/twice.log"));
    assert_eq!(out.disk["bundle/folder/inside"], HARMLESS);
    assert_eq!(out.disk["bundle/file"], b"a file\n");
    for name in ["twice.log", "link-then-file", "file-then-link"] {
        assert!(
            out.why(&format!("bundle/{name}"))
                .contains("more than once"),
            "{name}"
        );
    }
    assert!(
        out.why("bundle/file/inside")
            .contains("leads through a file")
    );
    assert_eq!(out.index().skipped.len(), 6);
}

#[test]
fn names_that_fold_together_are_kept_and_reported() {
    let out = unpack(&archives::folding());
    assert_eq!(out.disk.len(), 5);
    assert_eq!(out.index().skipped.len(), 2);
    assert!(out.why("bundle/readme").contains("letter case"));
    assert!(out.why("bundle/cafe\\u{301}").contains("Unicode form"));
}

#[test]
fn nesting_has_a_limit() {
    let limit = crate::bundle::path::MAX_DEPTH;
    assert_eq!(unpack(&archives::deep(limit)).disk.len(), 2);
    let out = unpack(&archives::deep(limit + 1));
    assert_eq!(out.paths(), ["bundle/a.log"]);
    assert!(out.why("d/d/d").contains("deeper"));
}
