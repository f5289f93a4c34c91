use super::super::accept::{Baseline, Ignored, baseline_text};
use super::super::file::{FileText, KEEP_BYTES, SEGMENT_BYTES};
use super::Scan;

/// A value that no rule of this file's own reader finds: put together at run time.
fn token() -> String {
    ["gh", "p_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"].concat()
}

fn scan_with(baseline: &str) -> Scan {
    let baseline = if baseline.is_empty() {
        Baseline::default()
    } else {
        Baseline::parse(baseline).unwrap()
    };
    Scan::new(Ignored::new(""), baseline, false)
}

/// Feeds lines, `true`: added.
fn feed(scan: &mut Scan, path: &str, first: u64, lines: &[(bool, &[u8])]) {
    scan.next_file();
    let mut file = FileText::new(path.into(), None);
    file.hunk(first, scan);
    for (added, line) in lines {
        file.push(*added, line, true, true, scan);
    }
    file.finish(scan);
}

fn added(scan: &mut Scan, text: &[u8]) {
    let lines: Vec<(bool, &[u8])> = text
        .strip_suffix(b"\n")
        .unwrap_or(text)
        .split(|b| *b == b'\n')
        .map(|line| (true, line))
        .collect();
    feed(scan, "f", 1, &lines);
}

#[test]
fn only_added_lines_count_and_places_are_right() {
    let mut scan = scan_with("");
    let line = format!("let ü = \"{}\";", token());
    feed(
        &mut scan,
        "f",
        41,
        &[
            (false, line.as_bytes()),
            (true, b"x"),
            (true, line.as_bytes()),
        ],
    );
    assert_eq!(scan.findings.len(), 1);
    let finding = &scan.findings[0];
    assert_eq!(
        (finding.line, finding.column, finding.rule.as_str()),
        (43, 10, "github-token")
    );
    assert_eq!(finding.end_column, 10 + 40);
    assert_eq!(finding.verified, Some(true));
    assert!(!format!("{:?}", scan.findings).contains(&token()[4..20]));
}

#[test]
fn context_makes_a_secret_of_an_added_line() {
    let mut scan = scan_with("");
    feed(
        &mut scan,
        "s.yaml",
        1,
        &[
            (false, b"kind: Secret"),
            (false, b"data:"),
            (true, b"  pw: aHVudGVyMnZhbHVl"),
        ],
    );
    assert_eq!(scan.findings.len(), 1, "{:?}", scan.findings);
    assert_eq!(scan.findings[0].line, 3);
}

#[test]
fn a_long_file_keeps_its_line_numbers() {
    let mut scan = scan_with("");
    let line = b"some words that are nothing in particular, over and over again\n";
    let many = 2 * SEGMENT_BYTES / line.len();
    let mut text = line.repeat(many);
    text.extend_from_slice(format!("password: hunter2value\n{}\n", token()).as_bytes());
    text.extend_from_slice(&line.repeat(many));
    added(&mut scan, &text);
    let places: Vec<_> = scan.findings.iter().map(|f| (f.line, f.column)).collect();
    assert_eq!(places, [(many as u64 + 1, 11), (many as u64 + 2, 1)]);
}

#[test]
fn a_huge_single_line_keeps_its_columns_and_nothing_is_found_twice() {
    for lead in [
        SEGMENT_BYTES - 20,
        SEGMENT_BYTES + 5,
        2 * SEGMENT_BYTES - KEEP_BYTES,
        KEEP_BYTES,
    ] {
        let mut scan = scan_with("");
        let text = [" ".repeat(lead), token(), " x".repeat(50)].concat();
        scan.next_file();
        let mut file = FileText::new("f".into(), None);
        file.hunk(1, &mut scan);
        let mut starts = true;
        for piece in text.as_bytes().chunks(64 << 10) {
            file.push(true, piece, starts, false, &mut scan);
            starts = false;
        }
        file.finish(&mut scan);
        let places: Vec<_> = scan.findings.iter().map(|f| (f.line, f.column)).collect();
        assert_eq!(places, [(1, lead as u64 + 1)], "{lead}");
    }
}

#[test]
fn far_context_is_dropped_and_near_context_is_kept() {
    let mut scan = scan_with("");
    let filler = vec![b'.'; 1000];
    let mut lines: Vec<(bool, &[u8])> = vec![(false, filler.as_slice()); 5000];
    let secret = format!("t = \"{}\"", token());
    lines.push((true, secret.as_bytes()));
    lines.extend(vec![(false, filler.as_slice()); 5000]);
    lines.push((true, secret.as_bytes()));
    feed(&mut scan, "f", 1, &lines);
    let places: Vec<_> = scan.findings.iter().map(|f| f.line).collect();
    assert_eq!(places, [5001, 10002]);
    assert_eq!(scan.findings[0].mask, scan.findings[1].mask);
}

#[test]
fn utf16_with_and_without_a_mark() {
    let text = format!("hello\r\npassword: hunter2value\r\n{}\r\n", token());
    for (mark, little) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut bytes: Vec<u8> = Vec::new();
        let units = mark
            .then_some(0xFEFF)
            .into_iter()
            .chain(text.encode_utf16());
        for unit in units {
            bytes.extend(if little {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            });
        }
        let mut scan = scan_with("");
        added(&mut scan, &bytes);
        let places: Vec<_> = scan.findings.iter().map(|f| (f.line, f.column)).collect();
        assert_eq!(places, [(2, 11), (3, 1)], "{mark} {little}");
        assert!(scan.not_examined.is_empty());
    }
}

#[test]
fn what_cannot_be_searched_is_said() {
    let mut scan = scan_with("");
    added(&mut scan, b"\x7fELF\0\0\0\0password: hunter2value");
    added(&mut scan, b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n");
    added(&mut scan, b"caf\xe9\npassword: hunter2value\n");
    let said: Vec<_> = scan.not_examined.iter().map(|n| n.what.as_str()).collect();
    assert_eq!(said, ["binary", "lfs-pointer", "part"]);
    assert_eq!(scan.findings.len(), 1);
}

#[test]
fn comments_allow_with_a_reason_only() {
    let mut scan = scan_with("");
    added(
        &mut scan,
        b"password: hunter2value # narrowroom:allow password sample of the docs\n# narrowroom:allow password another sample\npassword: other3value\npassword: third4value # narrowroom:allow password\npassword: fourth5value # narrowroom:allow jwt wrong rule\n",
    );
    let lines: Vec<_> = scan.findings.iter().map(|f| f.line).collect();
    assert_eq!(lines, [4, 5]);
    assert_eq!(scan.suppressed.len(), 2);
    assert_eq!(
        scan.suppressed[0].reason.as_deref(),
        Some("sample of the docs")
    );
    assert!(
        scan.notes.iter().any(|note| note.contains("no reason")),
        "{:?}",
        scan.notes
    );
}

#[test]
fn a_baseline_accepts_the_place_until_its_value_changes() {
    let mut first = scan_with("");
    added(&mut first, b"password: hunter2value\n");
    let text = baseline_text(first.findings.iter()).unwrap();
    assert!(!text.contains("hunter2"));

    let mut again = scan_with(&text);
    added(&mut again, b"\npassword: hunter2value\n");
    assert!(again.findings.is_empty());
    assert_eq!(again.suppressed.len(), 1);

    // The line is touched, the value stays.
    let kept = b"password: hunter2value".as_slice();
    for (old, new, counts) in [
        (kept, b"  password:   hunter2value".as_slice(), 0),
        (kept, b"password: The-Real-One-7".as_slice(), 1),
    ] {
        let mut scan = scan_with(&text);
        scan.next_file();
        let mut file = FileText::new("f".into(), None);
        file.hunk(1, &mut scan);
        file.remove(old, true);
        file.push(true, new, true, true, &mut scan);
        file.finish(&mut scan);
        assert_eq!(
            scan.findings.len(),
            counts,
            "{:?}",
            String::from_utf8_lossy(new)
        );
    }
}

#[test]
fn a_token_in_a_files_name_is_masked() {
    let mut scan = scan_with("");
    let shown = scan.shown_path(&format!("keys/{}.txt", token()));
    assert!(shown.starts_with("keys/‹secret:github-token:1›"), "{shown}");
}
