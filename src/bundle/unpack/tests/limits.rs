//! Every limit is met once, and what is within it passes.

use super::*;

#[test]
fn a_header_over_its_limit_refuses_the_whole() {
    let limit = UnpackLimits::default().header_bytes as usize;
    assert_eq!(
        unpack(&archives::huge_pax(limit / 2)).paths(),
        ["bundle/a.log"]
    );
    unpack(&archives::huge_pax(limit)).refused("longer than 1048576 bytes");
    unpack(&archives::huge_long_name(limit)).refused("longer than 1048576 bytes");
    let out = unpack(&archives::huge_long_name(limit / 2));
    assert_eq!(out.paths(), ["bundle/a.log"]);
    assert!(out.why("nnn").contains("longer than"));
}

#[test]
fn a_bomb_is_refused_and_a_well_compressing_log_is_not() {
    let limits = UnpackLimits {
        ratio_free_bytes: 4 << 20,
        ..UnpackLimits::default()
    };
    let out = unpack_with(&archives::bomb(64), limits);
    out.refused("grows more than 500 times");
    assert!(out.disk.values().all(|content| content.len() < 20 << 20));
    // The same zeros where they may be, and a log of one line for ever.
    assert_eq!(
        unpack(&archives::bomb(16)).disk["bundle/bomb"].len(),
        16 << 20
    );
    let log = b"2026-01-01T00:00:00Z connection refused\n".repeat(400_000);
    assert_eq!(
        unpack_with(&gzip(&Tar::new().file("bundle/a.log", &log).end()), limits).disk["bundle/a.log"],
        log
    );
}

#[test]
fn each_limit_is_met() {
    let default = UnpackLimits::default();
    let files = archives::many_empty_files(500);
    assert_eq!(
        unpack_with(
            &files,
            UnpackLimits {
                files: 504,
                ..default
            }
        )
        .paths()
        .len(),
        500
    );
    let out = unpack_with(
        &files,
        UnpackLimits {
            files: 503,
            ..default
        },
    );
    out.refused("more than 503 entries");
    assert!(out.error().hint.as_ref().unwrap().contains("--max-files"));

    let ordinary = archives::ordinary();
    let bytes = (HARMLESS.len() + 15) as u64;
    assert!(
        unpack_with(
            &ordinary,
            UnpackLimits {
                total_bytes: bytes,
                ..default
            }
        )
        .result
        .is_ok()
    );
    unpack_with(
        &ordinary,
        UnpackLimits {
            total_bytes: bytes - 1,
            ..default
        },
    )
    .refused("unpacks to more than");

    let out = unpack_with(
        &ordinary,
        UnpackLimits {
            file_bytes: 20,
            ..default
        },
    );
    assert_eq!(out.disk.len(), 2);
    assert!(
        out.why("web.log")
            .contains("over the limit of 20 for one file")
    );
    assert!(out.why("latest.log").contains("not in the bundle"));

    unpack_with(
        &ordinary,
        UnpackLimits {
            name_bytes: 40,
            ..default
        },
    )
    .refused("names and links");

    let out = unpack_with(
        &archives::traversal(),
        UnpackLimits {
            skipped_listed: 3,
            ..default
        },
    );
    assert_eq!(out.index().skipped.len(), 4);
    assert!(out.why("(archive)").contains("6 further entries"));

    let out = unpack_with(
        &ordinary,
        UnpackLimits {
            fuel: 5_000,
            fuel_per_byte: 0,
            ..default
        },
    );
    assert_eq!(out.error().exit, ExitCode::LimitReached);
    assert!(
        out.error().message.contains("more work"),
        "{}",
        out.error().chain()
    );
}

#[test]
fn a_directory_with_something_in_it_is_not_written_to() {
    let around = tempfile::tempdir().unwrap();
    fs::write(around.path().join("earlier"), b"").unwrap();
    let dir =
        cap_std::fs::Dir::open_ambient_dir(around.path(), cap_std::ambient_authority()).unwrap();
    let failed = Unpacker::new(UnpackLimits::default()).unwrap().run(
        tempfile::tempfile().unwrap(),
        dir,
        &mut |_| {},
    );
    assert!(failed.unwrap_err().message.contains("not empty"));
}

#[test]
fn a_folder_as_input_and_progress() {
    let around = tempfile::tempdir().unwrap();
    let out = || {
        let out = tempfile::tempdir().unwrap();
        (
            cap_std::fs::Dir::open_ambient_dir(out.path(), cap_std::ambient_authority()).unwrap(),
            out,
        )
    };
    let (dir, _keep) = out();
    let failed = Unpacker::new(UnpackLimits::default()).unwrap().run(
        File::open(around.path()).unwrap(),
        dir,
        &mut |_| {},
    );
    assert!(
        failed
            .unwrap_err()
            .hint
            .unwrap()
            .contains("not a descriptor of it")
    );

    let archive = Tar::new().file("bundle/big", &vec![b'x'; 20 << 20]).end();
    fs::write(around.path().join("archive"), &archive).unwrap();
    let mut seen = Vec::new();
    let (dir, _keep) = out();
    Unpacker::new(UnpackLimits::default())
        .unwrap()
        .run(
            File::open(around.path().join("archive")).unwrap(),
            dir,
            &mut |at| seen.push(at),
        )
        .unwrap();
    assert!(seen.len() >= 5, "{}", seen.len());
    assert!(seen.is_sorted_by_key(|at| at.bytes_out));
    assert_eq!(
        seen.last(),
        Some(&UnpackProgress {
            files: 1,
            bytes_in: archive.len() as u64,
            bytes_out: 20 << 20
        })
    );
}

#[test]
fn a_full_disk_stops_the_run_and_says_what_to_do() {
    use std::io::ErrorKind;
    let path = crate::bundle::path::BundlePath::parse("bundle/a.log").unwrap();
    for (kind, exit, words) in [
        (
            ErrorKind::StorageFull,
            ExitCode::LimitReached,
            "free disk space",
        ),
        (
            ErrorKind::QuotaExceeded,
            ExitCode::LimitReached,
            "free disk space",
        ),
        (ErrorKind::ReadOnlyFilesystem, ExitCode::Usage, "--runs"),
    ] {
        let error = refusal::write_failed(&path, kind.into());
        assert_eq!(error.exit, exit, "{kind}");
        assert!(error.hint.unwrap().contains(words), "{kind}");
    }
}
