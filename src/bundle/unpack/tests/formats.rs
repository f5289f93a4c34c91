//! Every compressed form, whole, in several members, cut and damaged; and a lone compressed log.

use super::packed::{all, bzip2, xz, zstd};
use super::*;

fn unpack_called(name: &str, archive: &[u8]) -> Outcome {
    let unpacker = Unpacker::new(UnpackLimits::default()).unwrap().called(name);
    unpack_by(unpacker, archive)
}

#[test]
fn every_form_gives_the_same_files() {
    let plain = unpack(&archives::ordinary());
    for (ending, archive) in all(&archives::ordinary()) {
        let out = unpack(&archive);
        assert_eq!(out.index(), plain.index(), "{ending}");
        assert_eq!(out.disk, plain.disk, "{ending}");
    }
}

#[test]
fn several_members_are_one_stream() {
    let whole = archives::ordinary();
    let (a, b) = whole.split_at(700);
    for pack in [bzip2, xz, zstd] {
        let out = unpack(&[pack(a), pack(b)].concat());
        assert_eq!(out.paths().len(), 4);
        assert!(out.index().skipped.is_empty());
    }
    // Parallel writers of zstd begin with a frame that holds no content.
    let skipped = [&b"\x50\x2a\x4d\x18\x04\0\0\0junk"[..], &zstd(&whole)].concat();
    assert_eq!(unpack(&skipped).paths().len(), 4);
    // Padding behind a stream of xz comes in words of zeros.
    assert!(
        unpack(&[xz(&whole), vec![0; 8]].concat())
            .index()
            .skipped
            .is_empty()
    );
}

#[test]
fn a_cut_stream_is_told_wherever_it_is_cut() {
    for (ending, whole) in all(&archives::ordinary()) {
        for length in 6..whole.len() {
            let out = unpack(&whole[..length]);
            let error = out.error();
            assert_eq!(error.exit, ExitCode::InputRefused, "{ending} {length}");
            assert!(
                ["cut off", "damaged", "what it holds is not"]
                    .iter()
                    .any(|words| error.message.contains(words)),
                "{ending} {length}: {}",
                error.message
            );
        }
    }
}

#[test]
fn a_flipped_bit_never_gives_other_files() {
    let good = unpack(&archives::ordinary());
    for (ending, whole) in all(&archives::ordinary()) {
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            let out = unpack(&damaged);
            if out.result.is_ok() {
                assert_eq!(out.disk, good.disk, "{ending}, byte {at}");
            }
        }
    }
}

#[test]
fn a_lone_compressed_log_is_a_bundle_of_one_file() {
    let log = b"2026-01-01T00:00:00Z level=error msg=\"disk full\"\n".repeat(50);
    for (ending, packed) in all(&log) {
        let out = unpack_called(&format!("app.log.{ending}"), &packed);
        assert_eq!(out.paths(), ["app.log"]);
        assert_eq!(out.disk["app.log"], log);
        // Its own name says it is an archive, so it is a broken one.
        unpack_called(&format!("app.tar.{ending}"), &packed).refused("not a tar archive");
    }
    let out = unpack_called("app.log", &log);
    assert_eq!(out.disk["app.log"], log);
    unpack_called("app.bin", &log).refused("neither a tar nor a zip");
    let short = unpack_called("app.log.gz", &gzip(b"x"));
    assert_eq!(short.disk["app.log"], b"x");
}

#[test]
fn a_lone_log_meets_the_limit_of_one_file() {
    let limits = UnpackLimits {
        file_bytes: 1000,
        ..UnpackLimits::default()
    };
    let unpacker = Unpacker::new(limits).unwrap().called("app.log.gz");
    unpack_by(unpacker, &gzip(&[b'x'; 5000])).refused("larger than 1000 bytes");
}

#[test]
fn a_bomb_is_stopped_in_every_form() {
    let limits = UnpackLimits {
        ratio: 10,
        ratio_free_bytes: 1 << 20,
        ..UnpackLimits::default()
    };
    let zeros = Tar::new().file("bundle/zeros", &vec![0; 16 << 20]).end();
    for (ending, packed) in all(&zeros) {
        let out = unpack_with(&packed, limits);
        assert!(out.result.is_err(), "{ending}");
        out.refused("grows more than 10 times");
    }
}
