#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

use super::*;
use crate::audit::entry::{Kind, SCHEMA, State};

pub fn entry(run: &str) -> Entry {
    Entry {
        schema: SCHEMA.into(),
        index: 0,
        time: String::new(),
        kind: Kind::Run,
        run: run.into(),
        tenant: None,
        started: "2026-01-01T00:00:00Z".into(),
        state: State::Failed,
        exit: Some(3),
        stage: "unpack".into(),
        outcome: None,
        verdict: None,
        bundle_sha256: None,
        binary_sha256: "0".repeat(64),
        reach: vec![],
        files: Default::default(),
    }
}

#[test]
fn entries_are_numbered_signed_and_covered() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::generate().unwrap();
    for n in 0..5 {
        assert_eq!(
            Log::append(dir.path(), &key, entry(&format!("r{n}")))
                .unwrap()
                .index,
            n
        );
    }
    let log = Log::read(&folder(dir.path())).unwrap().unwrap();
    assert_eq!(log.entries().unwrap().len(), 5);
    assert_eq!(log.notes().unwrap().len(), 5);
    log.demand_head(&key.public()).unwrap();
}

#[test]
fn another_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    Log::append(dir.path(), &Key::generate().unwrap(), entry("a")).unwrap();
    let error = Log::append(dir.path(), &Key::generate().unwrap(), entry("b")).unwrap_err();
    assert_eq!(error.exit, ExitCode::Usage);
    assert!(error.message.contains("another key"), "{}", error.message);
}

/// Every state that a kill between two writes, or within one, can leave.
#[test]
fn an_append_that_was_cut_short_anywhere_is_carried_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::generate().unwrap();
    let at = folder(dir.path());
    Log::append(dir.path(), &key, entry("a")).unwrap();
    let before = [ENTRIES, CHECKPOINTS].map(|name| std::fs::read(at.join(name)).unwrap());
    Log::append(dir.path(), &key, entry("b")).unwrap();
    let after = [ENTRIES, CHECKPOINTS].map(|name| std::fs::read(at.join(name)).unwrap());
    let journal = serde_json::to_vec(&Journal {
        entries_bytes: before[0].len() as u64,
        checkpoints_bytes: before[1].len() as u64,
        line: String::from_utf8(after[0][before[0].len()..after[0].len() - 1].to_vec()).unwrap(),
        checkpoint: String::from_utf8(after[1][before[1].len()..].to_vec()).unwrap(),
    })
    .unwrap();
    let (lines, notes) = (
        after[0].len() - before[0].len(),
        after[1].len() - before[1].len(),
    );
    let cuts = (0..=lines)
        .map(|n| (n, 0))
        .chain((0..=notes).map(|n| (lines, n)));
    for (line, note) in cuts {
        std::fs::write(at.join(ENTRIES), &after[0][..before[0].len() + line]).unwrap();
        std::fs::write(at.join(CHECKPOINTS), &after[1][..before[1].len() + note]).unwrap();
        std::fs::write(at.join(JOURNAL), &journal).unwrap();
        let log = Log::read(&at).unwrap().unwrap();
        assert!(log.unfinished);
        assert_eq!(log.entries.as_bytes(), after[0]);
        assert_eq!(log.checkpoints.as_bytes(), after[1]);
        log.demand_head(&key.public()).unwrap();
    }
    Log::append(dir.path(), &key, entry("c")).unwrap();
    let log = Log::read(&at).unwrap().unwrap();
    assert!(!log.unfinished);
    assert_eq!(log.entries().unwrap().len(), 3);
}

#[test]
fn a_journal_cannot_cut_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::generate().unwrap();
    let at = folder(dir.path());
    Log::append(dir.path(), &key, entry("a")).unwrap();
    let note = std::fs::read_to_string(at.join(CHECKPOINTS)).unwrap();
    let line = std::fs::read_to_string(at.join(ENTRIES)).unwrap();
    Log::append(dir.path(), &key, entry("b")).unwrap();
    let journal = Journal {
        entries_bytes: 0,
        checkpoints_bytes: 0,
        line: line.trim_end().into(),
        checkpoint: note,
    };
    std::fs::write(at.join(JOURNAL), serde_json::to_vec(&journal).unwrap()).unwrap();
    assert!(Log::read(&at).is_err());
}

#[test]
fn nothing_is_signed_on_top_of_a_damaged_log() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::generate().unwrap();
    let at = folder(dir.path()).join(ENTRIES);
    Log::append(dir.path(), &key, entry("a")).unwrap();
    let good = std::fs::read_to_string(&at).unwrap();
    let twice = format!("{good}{good}");
    for bad in [good.replace("\"a\"", "\"x\""), String::new(), twice] {
        std::fs::write(&at, bad).unwrap();
        let error = Log::append(dir.path(), &key, entry("b")).unwrap_err();
        assert_eq!(error.exit, ExitCode::InputRefused);
    }
}

/// The shortcut and the long way, taken in turns, lead to one log.
#[test]
fn the_kept_tip_and_the_whole_log_lead_to_the_same_place() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::generate().unwrap();
    let tip = folder(dir.path()).join(crate::audit::tip::FILE);
    for n in 0..24_u64 {
        if n % 3 == 1 {
            std::fs::remove_file(&tip).unwrap();
        }
        let made = Log::append(dir.path(), &key, entry(&format!("r{n}"))).unwrap();
        assert_eq!(made.index, n);
    }
    let done = crate::audit::verify(dir.path(), Some((key.public(), "x".into())), &[])
        .unwrap()
        .unwrap();
    assert_eq!((done.entries, done.checkpoints), (24, 24));
    assert!(done.holds(), "{:?}", done.findings);
}

#[test]
fn a_tip_that_does_not_fit_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::generate().unwrap();
    let at = folder(dir.path());
    let tip = at.join(crate::audit::tip::FILE);
    for n in 0..3 {
        Log::append(dir.path(), &key, entry(&format!("r{n}"))).unwrap();
    }
    let good = std::fs::read_to_string(&tip).unwrap();
    let older = {
        let other = tempfile::tempdir().unwrap();
        Log::append(other.path(), &key, entry("x")).unwrap();
        std::fs::read_to_string(folder(other.path()).join(crate::audit::tip::FILE)).unwrap()
    };
    let mut bad = vec![
        String::new(),
        "{".into(),
        older,
        good.replace("\"size\": 3", "\"size\": 7"),
        good.replace("\"size\": 3", "\"size\": 18446744073709551615"),
        good.replace("bytes\": ", "bytes\": 9999999"),
        good.replace("\"last_leaf\": \"", "\"last_leaf\": \"0"),
    ];
    // One digit of a peak.
    let digit = good.find("peaks").unwrap() + 20;
    let twisted = if good.as_bytes()[digit] == b'0' {
        "1"
    } else {
        "0"
    };
    bad.push(format!("{}{twisted}{}", &good[..digit], &good[digit + 1..]));
    for (n, text) in bad.iter().enumerate() {
        assert_ne!(*text, good);
        std::fs::write(&tip, text).unwrap();
        let made = Log::append(dir.path(), &key, entry("more")).unwrap();
        assert_eq!(made.index, 3 + n as u64, "{text}");
        Log::read(&at)
            .unwrap()
            .unwrap()
            .demand_head(&key.public())
            .unwrap();
    }
}

/// A new entry reads the end of the log only, so an older one that was altered is not seen by it. It is
/// not signed either: the new checkpoint goes on from what was there, and verifying names the place.
#[test]
fn an_altered_older_entry_is_never_signed() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::generate().unwrap();
    let at = folder(dir.path()).join(ENTRIES);
    for n in 0..5 {
        Log::append(dir.path(), &key, entry(&format!("r{n}"))).unwrap();
    }
    let good = std::fs::read_to_string(&at).unwrap();
    std::fs::write(&at, good.replace("\"r2\"", "\"x2\"")).unwrap();
    Log::append(dir.path(), &key, entry("r5")).unwrap();
    let check = || {
        crate::audit::verify(dir.path(), Some((key.public(), "x".into())), &[])
            .unwrap()
            .unwrap()
    };
    let found = check();
    assert!(
        found
            .findings
            .iter()
            .any(|one| one.place.contains("line 3 (entry 2)")),
        "{:?}",
        found.findings
    );
    let now = std::fs::read_to_string(&at).unwrap();
    std::fs::write(&at, now.replace("\"x2\"", "\"r2\"")).unwrap();
    assert!(check().holds());
}

#[test]
fn halves_of_the_logs_own_files_are_swept_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::generate().unwrap();
    let at = folder(dir.path());
    Log::append(dir.path(), &key, entry("a")).unwrap();
    let halves = [
        ".journal.json.77.partial",
        ".log.json.77.partial",
        ".tip.json.77.partial",
    ];
    for name in halves.into_iter().chain([".other.json.77.partial"]) {
        std::fs::write(at.join(name), "{").unwrap();
    }
    Log::append(dir.path(), &key, entry("b")).unwrap();
    assert!(halves.iter().all(|name| !at.join(name).exists()));
    assert!(at.join(".other.json.77.partial").exists());
}

#[test]
fn many_writers_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::generate().unwrap();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (dir, key) = (&dir, &key);
            scope.spawn(move || {
                for m in 0..5 {
                    Log::append(dir.path(), key, entry(&format!("{n}-{m}"))).unwrap();
                }
            });
        }
    });
    let log = Log::read(&folder(dir.path())).unwrap().unwrap();
    log.demand_head(&key.public()).unwrap();
    let mut seen: Vec<String> = log.entries().unwrap().into_iter().map(|e| e.run).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 20);
}

#[test]
fn a_clock_that_goes_back_is_said_and_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::generate().unwrap();
    for time in ["2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z"] {
        Log::append_at(dir.path(), &key, entry(&time[..10]), time.into()).unwrap();
    }
    let done = crate::audit::verify(dir.path(), Some((key.public(), "x".into())), &[])
        .unwrap()
        .unwrap();
    assert!(done.holds(), "{:?}", done.findings);
    assert!(
        done.notes
            .iter()
            .any(|note| note.contains("clock went back at entry 1")),
        "{:?}",
        done.notes
    );
}

/// The log cannot tell that its end was cut off; whoever kept a checkpoint can.
#[test]
fn an_older_checkpoint_finds_a_log_that_was_cut_or_rewritten() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key = Key::generate().unwrap();
    let public = || Some((key.public(), "x".to_owned()));
    let mut kept = Vec::new();
    for n in 0..4 {
        Log::append(dir.path(), &key, entry(&format!("r{n}"))).unwrap();
        let log = Log::read(&folder(dir.path())).unwrap().unwrap();
        kept.push((
            "old".to_owned(),
            (*log.notes().unwrap().last().unwrap()).to_owned(),
        ));
    }
    let check = |runs: &Path| {
        crate::audit::verify(runs, public(), &kept)
            .unwrap()
            .unwrap()
    };
    assert!(check(dir.path()).holds());
    let at = folder(dir.path());
    let whole = std::fs::read_to_string(at.join(ENTRIES)).unwrap();
    let notes = std::fs::read_to_string(at.join(CHECKPOINTS)).unwrap();
    let cut: String = whole.split_inclusive('\n').take(2).collect();
    std::fs::write(at.join(ENTRIES), cut).unwrap();
    std::fs::write(at.join(CHECKPOINTS), split(&notes).unwrap()[..2].concat()).unwrap();
    let alone = crate::audit::verify(dir.path(), public(), &[])
        .unwrap()
        .unwrap();
    assert!(alone.holds(), "the log alone cannot tell");
    let found = check(dir.path());
    assert!(
        found.findings.iter().any(|one| one.what.contains("cut")),
        "{:?}",
        found.findings
    );
    // Another history under the same name and key.
    files::make_dir(&folder(other.path())).unwrap();
    std::fs::copy(at.join(INFO), folder(other.path()).join(INFO)).unwrap();
    for n in 0..4 {
        Log::append(other.path(), &key, entry(&format!("x{n}"))).unwrap();
    }
    let found = check(other.path());
    assert!(
        found
            .findings
            .iter()
            .any(|one| one.what.contains("history was rewritten")),
        "{:?}",
        found.findings
    );
}
