//! The border to the guest: what it may import, and what a guest that was taken over gains.

use super::*;

#[test]
fn the_guest_can_reach_eight_functions_and_nothing_else() {
    let engine = Engine::new(&engine::config()).unwrap();
    // SAFETY: as in `Unpacker::new`.
    let module = unsafe { Module::deserialize(&engine, GUEST) }.unwrap();
    let mut imports: Vec<_> = module
        .imports()
        .map(|import| (import.module(), import.name()))
        .collect();
    imports.sort_unstable();
    assert_eq!(
        imports,
        [
            "begin",
            "data",
            "end",
            "input_bytes",
            "note",
            "read",
            "read_at",
            "skip"
        ]
        .map(|name| (imports::MODULE, name))
    );
    assert_eq!(Unpacker::guest_sha256().len(), 64);
}

/// Runs an attack of `sandbox/hostile.wat` in the guest's place.
fn attack(name: &str) -> Outcome {
    static HOSTILE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hostile.cwasm"));
    let limits = UnpackLimits {
        ratio_free_bytes: 8 << 20,
        files: 10_000,
        fuel: 500_000_000,
        ..UnpackLimits::default()
    };
    // SAFETY: build.rs made it as it makes the guest.
    unpack_by(
        unsafe { Unpacker::load(HOSTILE, name, limits) }.unwrap(),
        b"the archive's bytes",
    )
}

#[test]
fn a_guest_that_was_taken_over_gains_nothing() {
    assert_eq!(attack("honest").disk["bundle/a.log"], b"bund");
    for (name, words) in [
        ("read_outside", "pointed outside its memory"),
        ("read_wrapping", "pointed outside its memory"),
        ("name_outside", "pointed outside its memory"),
        ("data_outside", "pointed outside its memory"),
        ("read_at_outside", "pointed outside its memory"),
        ("link_outside", "pointed outside its memory"),
        ("read_again", "over and over"),
        ("name_flood", "more than 10000 entries"),
        ("skip_outside", "pointed outside its memory"),
        ("write_refused", "content without a file"),
        ("absolute_only", "/etc/passwd: the path is absolute"),
        ("too_much_data", "longer than announced"),
        ("too_little_data", "a file ended early"),
        ("never_ended", "ended inside a file"),
        ("nested", "an entry began inside another"),
        ("end_of_nothing", "a file ended early"),
        ("unknown_kind", "an entry of unknown kind"),
        ("unknown_reason", "an unknown reason"),
        ("unknown_note", "an unknown note"),
        ("unknown_status", "an unknown status"),
        ("inflate", "grows more than 500 times"),
        ("many_entries", "more than 10000 entries"),
        ("grow", "holds no files"),
    ] {
        attack(name).refused(words);
    }
    for name in ["spin", "no_progress", "chatter"] {
        let out = attack(name);
        assert_eq!(
            out.error().exit,
            ExitCode::LimitReached,
            "{name}: {}",
            out.error().chain()
        );
    }
    for name in ["stop", "recurse", "load_outside"] {
        let out = attack(name);
        assert!(
            out.error().message.contains("the archive parser stopped"),
            "{name}: {}",
            out.error().chain()
        );
    }
}
