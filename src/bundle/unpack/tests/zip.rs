//! Zip archives: ordinary ones by another writer, and every way to say two things.

use super::packed::{Lie, lying_zip, zip};
use super::*;

fn one(lie: Lie) -> Outcome {
    unpack(&lying_zip(&[lie], b"", None))
}

#[test]
fn an_ordinary_zip_is_unpacked() {
    let text = b"a line\n".repeat(10_000);
    let out = unpack(&zip(&[
        ("b/a.log", &text),
        ("b/c/d.json", b"{}"),
        ("b/empty", b""),
    ]));
    assert_eq!(out.disk["b/a.log"], text);
    assert_eq!(out.disk["b/c/d.json"], b"{}");
    assert_eq!(out.disk["b/empty"], b"");
    assert!(out.index().skipped.is_empty());
    let own = lying_zip(
        &[Lie::file("b/a", b"1"), Lie::file("b/b", b"2")],
        b"a comment",
        None,
    );
    assert_eq!(unpack(&own).paths(), ["b/a", "b/b"]);
}

#[test]
fn names_that_escape_are_left_out() {
    for name in ["../x", "/etc/x", "a/../../x", "a\\..\\x", "a\x1b[2Jx"] {
        let out = unpack(&lying_zip(
            &[Lie::file("b/good", b"1"), Lie::file(name, b"evil")],
            b"",
            None,
        ));
        assert_eq!(out.paths(), ["b/good"], "{name:?}");
        assert_eq!(out.index().skipped.len(), 1);
    }
}

#[test]
fn what_directory_and_headers_say_differently_refuses_the_whole() {
    let good = || Lie::file("b/good", b"content");
    let with = |change: fn(&mut Lie)| {
        let mut lie = good();
        change(&mut lie);
        lie
    };
    for (what, lie) in [
        ("name", with(|lie| lie.local_name = Some(b"b/evil".into()))),
        ("size", with(|lie| lie.local_size = Some(3))),
        ("offset", with(|lie| lie.offset = Some(4))),
        ("reach", with(|lie| lie.packed = Some(70))),
        (
            "unicode path",
            with(|lie| {
                lie.extra = [&b"\x75\x70\x0b\0\x01\0\0\0\0"[..], b"b/evil"].concat();
            }),
        ),
    ] {
        let out = one(lie);
        assert!(out.result.is_err(), "{what} was accepted");
        out.refused("programs would read different files");
    }
    for (what, lie) in [
        ("checksum", with(|lie| lie.crc = Some(7))),
        ("shorter", with(|lie| lie.size = Some(3))),
        ("longer", with(|lie| lie.size = Some(300))),
    ] {
        let out = one(lie);
        assert!(out.result.is_err(), "{what} was accepted");
        out.refused("does not match its checksums");
    }
    unpack(&lying_zip(&[good(), good()], b"", Some(1))).refused("different files");
    unpack(&lying_zip(&[good()], b"", Some(9))).refused("different files");
}

#[test]
fn overlapping_files_are_refused() {
    // The same packed bytes under two names, as in overlap bombs.
    let first = Lie::file("b/a", b"shared content");
    let second = Lie {
        offset: Some(0),
        ..Lie::file("b/a", b"")
    };
    unpack(&lying_zip(&[first, second], b"", None)).refused("different files");
}

#[test]
fn a_second_end_in_the_comment_is_refused() {
    let inner = lying_zip(&[], b"", None);
    let out = unpack(&lying_zip(&[Lie::file("b/a", b"1")], &inner, None));
    out.refused("different files");
}

#[test]
fn hidden_bytes_before_the_files_are_refused() {
    let mut archive = b"PK\x03\x04hidden".to_vec();
    archive.extend(lying_zip(&[Lie::file("b/a", b"1")], b"", None));
    unpack(&archive).refused("different files");
}

#[test]
fn what_cannot_be_read_is_said() {
    let good = Lie::file("b/good", b"1");
    for (words, lie) in [
        (
            "encrypted",
            Lie {
                flags: 1,
                ..Lie::file("b/x", b"?")
            },
        ),
        (
            "method that is not known",
            Lie {
                method: 98,
                ..Lie::file("b/x", b"?")
            },
        ),
        (
            "a device",
            Lie {
                unix_mode: Some(0o020_644),
                ..Lie::file("b/x", b"")
            },
        ),
        (
            "a named pipe",
            Lie {
                unix_mode: Some(0o010_644),
                ..Lie::file("b/x", b"")
            },
        ),
        ("whose name ends in '/'", Lie::file("b/x/", b"?")),
    ] {
        let out = unpack(&lying_zip(&[good.clone(), lie], b"", None));
        assert_eq!(out.paths(), ["b/good"], "{words}");
        assert!(out.why("b/x").contains(words), "{}", out.why("b/x"));
    }
    let link = Lie {
        unix_mode: Some(0o120_777),
        ..Lie::file("b/link", b"good")
    };
    let out = unpack(&lying_zip(&[good.clone(), link], b"", None));
    assert_eq!(out.link("b/link"), Some("b/good"));
    let away = Lie {
        unix_mode: Some(0o120_777),
        ..Lie::file("b/link", b"/etc/passwd")
    };
    assert!(
        unpack(&lying_zip(&[good, away], b"", None))
            .why("b/link")
            .contains("outside the bundle")
    );
}

#[test]
fn a_cut_zip_is_told_wherever_it_is_cut() {
    let whole = zip(&[("b/a.log", b"a line\n"), ("b/b", b"x")]);
    for length in 4..whole.len() {
        let out = unpack(&whole[..length]);
        assert_eq!(out.error().exit, ExitCode::InputRefused, "{length}");
        assert!(out.error().message.contains("zip is cut off"), "{length}");
    }
}

#[test]
fn a_flipped_bit_never_gives_other_content() {
    let whole = zip(&[("b/a.log", b"a line\n"), ("b/b", b"x")]);
    let good = unpack(&whole);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x08;
        if let Ok(unpacked) = unpack(&damaged).result {
            // Times and other fields that are not looked at may differ; names come in two places.
            for entry in unpacked.index.entries {
                let same = good.index().get(entry.path.as_str());
                assert_eq!(
                    same.map(|same| &same.sha256),
                    Some(&entry.sha256),
                    "byte {at}"
                );
            }
        }
    }
}

#[test]
fn a_zip_from_a_pipe_asks_for_a_file() {
    let (read, mut write) = std::io::pipe().unwrap();
    write.write_all(&zip(&[("b/a", b"1")])).unwrap();
    drop(write);
    let out = tempfile::tempdir().unwrap();
    let dir = cap_std::fs::Dir::open_ambient_dir(out.path(), cap_std::ambient_authority()).unwrap();
    let input = File::from(std::os::fd::OwnedFd::from(read));
    let failed = Unpacker::new(UnpackLimits::default())
        .unwrap()
        .run(input, dir, &mut |_| {})
        .unwrap_err();
    assert_eq!(failed.exit, ExitCode::InputRefused);
    assert!(failed.message.contains("from a pipe"));
}
