//! Archives inside a bundle: opened beside themselves, to a bounded depth, within the same limits.

use super::packed::{all, zip};
use super::*;

#[test]
fn rotated_logs_and_inner_archives_are_opened_beside_themselves() {
    let log = b"an older line\n".repeat(40);
    let node = zip(&[("messages", b"from the node\n"), ("sub/dmesg", b"boot\n")]);
    let mut bundle = Tar::new().file("b/now.log", b"a line\n");
    for (ending, packed) in all(&log) {
        bundle = bundle.file(&format!("b/var/log/syslog.2.{ending}"), &packed);
    }
    let out = unpack(
        &bundle
            .file("b/nodes/n1.zip", &node)
            .file("b/inner.tgz", &gzip(&archives::ordinary()))
            .end(),
    );
    for ending in ["gz", "bz2", "xz", "zst"] {
        let path = format!("b/var/log/syslog.2.{ending}!/syslog.2");
        assert_eq!(out.disk[&path], log, "{path}");
        assert_eq!(out.index().get(&path).unwrap().kind, FileKind::Log);
    }
    assert_eq!(out.disk["b/nodes/n1.zip!/messages"], b"from the node\n");
    assert_eq!(out.disk["b/nodes/n1.zip!/sub/dmesg"], b"boot\n");
    assert!(
        out.paths()
            .iter()
            .any(|path| path.starts_with("b/inner.tgz!/"))
    );
    // The archive itself stays, with its own hash.
    assert_eq!(out.disk["b/nodes/n1.zip"], node);
    assert!(out.index().skipped.is_empty(), "{:?}", out.index().skipped);
}

#[test]
fn a_tar_in_a_zip_in_a_tar_is_opened_and_a_fifth_layer_is_not() {
    let mut inner = Tar::new().file("leaf.log", b"the line\n").end();
    for depth in 0..4 {
        inner = Tar::new().file(&format!("d{depth}.tar"), &inner).end();
    }
    let out = unpack(&inner);
    let deepest = "d3.tar!/d2.tar!/d1.tar!/d0.tar";
    assert!(out.disk.contains_key(deepest), "{:?}", out.paths());
    assert!(!out.disk.keys().any(|path| path.ends_with("leaf.log")));
    assert!(
        out.why("d0.tar").contains("too deep"),
        "{}",
        out.why("d0.tar")
    );
}

#[test]
fn a_broken_inner_archive_leaves_nothing_and_is_said() {
    let good = gzip(&b"a line of the log\n".repeat(1000));
    let tar = archives::ordinary();
    let out = unpack(
        &Tar::new()
            .file("b/cut.log.gz", &good[..good.len() - 9])
            .file("b/cut.tar", &tar[..tar.len() - 3 * BLOCK])
            .file("b/whole.log.gz", &good)
            .file("b/liar.tar", &archives::pax_size_desync())
            .end(),
    );
    assert!(out.disk.contains_key("b/whole.log.gz!/whole.log"));
    for name in ["b/cut.log.gz", "b/cut.tar", "b/liar.tar"] {
        assert!(
            !out.disk
                .keys()
                .any(|path| path.starts_with(&format!("{name}!"))),
            "{name} left something: {:?}",
            out.disk.keys()
        );
        assert!(
            out.why(name).starts_with("not opened: "),
            "{name}: {}",
            out.why(name)
        );
    }
}

#[test]
fn what_an_inner_archive_names_stays_in_its_folder() {
    for (name, attack) in archives::all() {
        let out = unpack(
            &Tar::new()
                .file("b/a.log", HARMLESS)
                .file("b/attack.tar", &attack)
                .end(),
        );
        let index = out.index();
        for entry in &index.entries {
            let path = entry.path.as_str();
            assert!(
                ["b/a.log", "b/attack.tar"].contains(&path) || path.starts_with("b/attack.tar!/"),
                "{name} made {path}"
            );
        }
        assert_eq!(out.disk["b/a.log"], HARMLESS, "{name}");
    }
}

#[test]
fn a_folder_in_the_way_keeps_an_archive_closed() {
    let packed = gzip(b"old\n");
    let out = unpack(
        &Tar::new()
            .file("a.log.gz!/a.log", b"planted\n")
            .file("a.log.gz", &packed)
            .end(),
    );
    assert_eq!(out.disk["a.log.gz!/a.log"], b"planted\n");
    assert!(
        out.why("a.log.gz")
            .contains("something else where its files would go")
    );
}

#[test]
fn programs_and_documents_are_left_closed() {
    let jar = zip(&[("META-INF/MANIFEST.MF", b"x")]);
    let out = unpack(&Tar::new().file("lib/app.jar", &jar).end());
    assert_eq!(out.paths(), ["lib/app.jar"]);
}

#[test]
fn nested_bombs_share_the_limits_of_the_bundle() {
    let limits = UnpackLimits {
        ratio: 100,
        ratio_free_bytes: 1 << 20,
        ..UnpackLimits::default()
    };
    let zeros = gzip(&vec![0; 700 << 10]);
    let mut bundle = Tar::new().file("b/a.log", b"line\n");
    for at in 0..8 {
        bundle = bundle.file(&format!("b/{at}.gz"), &zeros);
    }
    // Each alone is within the limit, all of them are not.
    let out = unpack_with(&gzip(&bundle.end()), limits);
    let opened = out.disk.keys().filter(|path| path.contains("gz!/")).count();
    assert!((1..8).contains(&opened), "{opened} were opened");
    assert!(
        out.why("b/7.gz").contains("grows more than 100 times"),
        "{}",
        out.why("b/7.gz")
    );
    let few = UnpackLimits {
        inner_archives: 3,
        ..UnpackLimits::default()
    };
    let mut bundle = Tar::new();
    for at in 0..5 {
        bundle = bundle.file(&format!("b/{at}.gz"), &gzip(b"x"));
    }
    let out = unpack_with(&bundle.end(), few);
    assert!(out.why("b/3.gz").contains("too many archives"));
    assert!(out.disk.contains_key("b/2.gz!/2"));
}
