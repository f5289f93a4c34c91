//! Damage, contradictions and what is no archive: refused as a whole, or told.

use super::*;

#[test]
fn headers_that_contradict_each_other_refuse_the_whole() {
    for (name, archive) in archives::ambiguous() {
        let out = unpack(&archive);
        assert!(
            out.error().message.contains("contradicts itself"),
            "{name}: {}",
            out.error().chain()
        );
        out.refused("contradicts itself");
    }
}

#[test]
fn pax_sizes_as_real_writers_use_them_are_obeyed() {
    for archive in [
        archives::pax_size_alone(),
        archives::pax_size_then_long_name(),
    ] {
        let out = unpack(&archive);
        assert_eq!(out.disk.len(), 2);
        assert!(out.disk.values().all(|content| content == HARMLESS));
        assert!(out.index().skipped.is_empty());
    }
}

#[test]
fn malformed_pax_headers_refuse_the_whole() {
    for (name, archive) in archives::malformed_pax() {
        let out = unpack(&archive);
        assert!(
            out.result.is_err(),
            "{name} was accepted: {:?}",
            out.paths()
        );
        out.refused("extended file header is malformed");
    }
}

#[test]
fn a_cut_at_every_block_is_told() {
    let whole = archives::ordinary();
    let end = whole.len() - 2 * BLOCK;
    for at in (0..whole.len()).step_by(BLOCK) {
        let out = unpack(&whole[..at]);
        match at {
            0 => out.refused("the input is empty"),
            at if at <= end => out.refused("cut off"),
            _ => {
                assert_eq!(out.paths().len(), 4);
                assert!(out.why("(archive)").contains("only half"), "{at}");
            }
        }
    }
    assert_eq!(unpack(&whole).paths().len(), 4);
    // In gzip the checksum says whether the archive was cut or only lacks its end marker.
    let out = unpack(&gzip(&whole[..end]));
    assert!(out.why("(archive)").contains("without an end marker"));
    unpack(&gzip(&whole[..5 * BLOCK])).refused("cut off");
}

#[test]
fn a_cut_gzip_stream_is_told_wherever_it_is_cut() {
    let whole = gzip(&archives::ordinary());
    for at in 2..whole.len() {
        unpack(&whole[..at]).refused("cut off");
    }
    assert_eq!(unpack(&whole).paths().len(), 4);
}

#[test]
fn a_damaged_gzip_stream_is_refused() {
    let whole = gzip(&archives::ordinary());
    for from_end in [1, 5] {
        let mut damaged = whole.clone();
        let at = damaged.len() - from_end;
        damaged[at] ^= 0x40;
        unpack(&damaged).refused("does not match its checksums");
    }
}

#[test]
fn what_follows_the_end_is_told() {
    let good = gzip(&archives::ordinary());
    let out = unpack(&[&good[..], b"garbage"].concat());
    assert_eq!(out.paths().len(), 4);
    assert!(
        out.why("(archive)")
            .contains("7 bytes lie after the end of its compressed stream")
    );
    // Tapes end in zeros, and GNU tar pads its archives.
    assert!(
        unpack(&[&good[..], &[0; 700]].concat())
            .index()
            .skipped
            .is_empty()
    );
    assert!(
        unpack(&[&archives::ordinary()[..], &[0; 9 * BLOCK]].concat())
            .index()
            .skipped
            .is_empty()
    );
    let hidden = Tar::new().harmless("bundle/hidden.log").end();
    let out = unpack(&[archives::ordinary(), hidden.clone()].concat());
    assert_eq!(out.paths().len(), 4);
    assert!(
        out.why("(archive)")
            .contains("2048 bytes lie after the end of the archive")
    );
    // After a lone zero block too.
    let lone = archives::ordinary();
    let out = unpack(&[&lone[..lone.len() - BLOCK], &hidden[..]].concat());
    assert_eq!(out.paths().len(), 4);
    assert!(
        out.why("(archive)").contains("2048 bytes lie after"),
        "{}",
        out.why("(archive)")
    );
}

#[test]
fn several_gzip_members_are_one_stream() {
    let whole = archives::ordinary();
    let (a, b) = whole.split_at(700);
    let out = unpack(&[gzip(a), gzip(b""), gzip(b)].concat());
    assert_eq!(out.paths().len(), 4);
    assert!(out.index().skipped.is_empty());
    unpack(&[&gzip(a)[..], b"\x1f\x8bnot gzip"].concat()).refused("compressed stream");
}

#[test]
fn a_size_that_is_not_there_is_a_cut() {
    let out = unpack(&archives::lying_size(1 << 30));
    out.refused("cut off");
    unpack_with(
        &archives::lying_size(4 << 30),
        UnpackLimits {
            total_bytes: 1 << 30,
            ..UnpackLimits::default()
        },
    )
    .refused("more than 1073741824 bytes");
}

#[test]
fn damaged_headers_refuse_the_whole() {
    unpack(&archives::bad_checksum()).refused("checksum is wrong at byte");
    for (name, archive) in archives::bad_sizes() {
        let out = unpack(&archive);
        assert!(out.result.is_err(), "{name} was accepted");
        out.refused("a size that is no number");
    }
}

#[test]
fn what_is_no_archive_is_named() {
    unpack(b"").refused("the input is empty");
    unpack(b"short").refused("neither a tar nor a zip archive");
    unpack(&b"a text file\n".repeat(200)).refused("neither a tar nor a zip archive");
    unpack(&gzip(&b"a text file\n".repeat(200))).refused("what it holds is not a tar archive");
    unpack(&gzip(b"short")).refused("what it holds is not a tar archive");
    unpack(&gzip(b"")).refused("what it holds is not a tar archive");
    unpack(b"PK\x03\x04 and more").refused("the directory at its end is missing");
    unpack(b"\xfd7zXZ\0 and more").refused("compressed stream");
    unpack(b"\x28\xb5\x2f\xfd and more").refused("compressed stream");
    unpack(b"BZh9 and more").refused("compressed stream");
    unpack(&Tar::new().end()).refused("holds no files");
    unpack(&Tar::new().harmless("../escaped").end())
        .refused("the first is ../escaped: the path climbs");
}
