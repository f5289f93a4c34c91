//! Secrets inside base64, and inside gzip inside base64, to a small depth.

use super::scan::Scanner;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::io::Read;
use std::ops::Range;

/// Shortest run of base64 that is opened, in characters: `password: hunter2` and its like fit.
const MIN_RUN: usize = 24;
/// Shortest line of base64 that the next line goes on with, in characters.
const MIN_WRAPPED_LINE: usize = 60;
/// Longest run that is opened, in characters.
const MAX_RUN: usize = 2 << 20;
/// Base64 in base64 in base64 and a gzip among them is what Helm keeps its releases in.
pub(super) const MAX_DEPTH: usize = 4;
/// Bytes decoded in one scan, all depths together.
pub(super) const MAX_DECODED_BYTES: usize = 16 << 20;
/// Longest text taken out of one gzip, in bytes.
const MAX_UNZIPPED_BYTES: u64 = 4 << 20;
/// Decoded bytes that are looked at before the rest is decoded.
const HEAD_BYTES: usize = 12;

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Which bytes base64 is written with, both alphabets.
const IN_RUN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
        byte += 1;
    }
    table
};

/// What a run of base64 holds.
pub(super) struct Opened {
    /// The run in the text.
    pub range: Range<usize>,
    /// Which rule found something in it.
    pub rule: &'static str,
    /// The values as they stand inside.
    pub values: Vec<String>,
}

/// Every run of base64 in `text` that holds a secret. `left` is how many bytes may still be decoded.
pub(super) fn find(text: &str, depth: usize, left: &mut usize, mut report: impl FnMut(Opened)) {
    if depth >= MAX_DEPTH {
        return;
    }
    let bytes = text.as_bytes();
    // A run of this length covers every byte at such a distance, so the bytes between are not looked at.
    let mut at = MIN_RUN - 1;
    while at < bytes.len() {
        if !IN_RUN[usize::from(bytes[at])] {
            at += MIN_RUN;
            continue;
        }
        let start = bytes[..at]
            .iter()
            .rposition(|byte| !IN_RUN[usize::from(*byte)])
            .map_or(0, |before| before + 1);
        let end = run_end(bytes, at);
        at = end + MIN_RUN;
        if end - start < MIN_RUN || !promising(&bytes[start..end]) {
            continue;
        }
        let (coded, end) = wrapped(bytes, start, end);
        at = at.max(end + MIN_RUN);
        let Some(plain) = open(&coded, left) else {
            continue;
        };
        let mut values = Vec::new();
        let mut rule = None;
        for hit in Scanner::new().scan_at(&plain, depth + 1, left) {
            rule.get_or_insert(hit.rule);
            values.extend(hit.plain);
            values.push(plain[hit.range].to_owned());
        }
        if let Some(rule) = rule {
            report(Opened {
                range: start..end,
                rule,
                values,
            });
        }
    }
}

fn run_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..]
        .iter()
        .position(|byte| !IN_RUN[usize::from(*byte)])
        .map_or(bytes.len(), |after| from + after)
}

/// Whether the first bytes decode to text or to the head of a gzip: random letters hardly ever do.
fn promising(run: &[u8]) -> bool {
    let mut head = [0; HEAD_BYTES];
    let Ok(HEAD_BYTES) = ENGINE.decode_slice(standard(&run[..HEAD_BYTES / 3 * 4]), &mut head)
    else {
        return false;
    };
    head.starts_with(&[0x1F, 0x8B, 8]) || head.iter().all(|byte| is_text(*byte))
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | b'\t' | b' '..=b'~')
}

/// In the standard alphabet, whichever it was written in.
fn standard(run: &[u8]) -> Vec<u8> {
    run.iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect()
}

/// The run with the lines that continue it, and where it ends; padding belongs to it.
fn wrapped(bytes: &[u8], start: usize, mut end: usize) -> (Vec<u8>, usize) {
    let mut coded = standard(&bytes[start..end.min(start + MAX_RUN)]);
    let mut line = end - start;
    while line >= MIN_WRAPPED_LINE && coded.len() < MAX_RUN {
        let rest = &bytes[end..];
        let blank = rest
            .iter()
            .take(64)
            .take_while(|byte| matches!(byte, b'\n' | b'\r' | b' ' | b'\t'))
            .count();
        if !rest[..blank].contains(&b'\n') {
            break;
        }
        let next = run_end(bytes, end + blank);
        line = next - end - blank;
        // A last line may be short; a word of the next sentence is none.
        let whole = matches!(bytes.get(next), None | Some(b'\n' | b'\r' | b'=' | b'"'));
        // A rule of hyphens between documents is none.
        if line == 0 || !whole || bytes[end + blank..next].iter().all(|byte| *byte == b'-') {
            break;
        }
        coded.extend(standard(&bytes[end + blank..next]));
        end = next;
    }
    while bytes.get(end) == Some(&b'=') {
        end += 1;
    }
    (coded, end)
}

/// The text that a run holds, unzipped if it is a gzip.
fn open(coded: &[u8], left: &mut usize) -> Option<String> {
    if coded.len() > *left {
        return None;
    }
    *left -= coded.len();
    let coded = match coded.len() % 4 {
        1 => &coded[..coded.len() - 1],
        _ => coded,
    };
    let plain = ENGINE.decode(coded).ok()?;
    let plain = if plain.starts_with(&[0x1F, 0x8B]) {
        let mut out = Vec::new();
        let most = MAX_UNZIPPED_BYTES.min(*left as u64);
        // What can be read of a damaged or longer one is looked at.
        let _ = flate2::read::GzDecoder::new(plain.as_slice())
            .take(most)
            .read_to_end(&mut out);
        *left -= out.len();
        out
    } else {
        plain
    };
    let text = match String::from_utf8(plain) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(valid);
            String::from_utf8(bytes).ok()?
        }
    };
    (text.len() >= HEAD_BYTES).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::super::check::to_base64;
    use super::*;
    use std::io::Write;

    fn opened(text: &str) -> Vec<(String, &'static str, Vec<String>)> {
        let mut out = Vec::new();
        let mut left = MAX_DECODED_BYTES;
        find(text, 0, &mut left, |found| {
            out.push((text[found.range].to_owned(), found.rule, found.values));
        });
        out
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        zip.write_all(text.as_bytes()).expect("memory");
        zip.finish().expect("memory")
    }

    #[test]
    fn base64_once_twice_and_gzipped() {
        let plain = "db_password: hunter2value\n";
        let once = to_base64(plain.as_bytes());
        let twice = to_base64(once.as_bytes());
        let zipped = to_base64(&gzip(plain));
        for coded in [&once, &twice, &zipped] {
            let text = format!("x: 1\nblob: {coded} # end");
            let found = opened(&text);
            assert_eq!(found.len(), 1, "{coded}");
            assert_eq!(found[0].0, *coded);
            assert!(found[0].2.contains(&"hunter2value".to_owned()));
        }
    }

    #[test]
    fn lines_of_wrapped_base64_are_one_run() {
        let plain = format!(
            "mode: live\n{}api_key=0a1b2c3d4e5f6a7b8c9d\n",
            "# a comment\n".repeat(20)
        );
        let coded = to_base64(plain.as_bytes());
        let wrapped: Vec<&str> = (0..coded.len())
            .step_by(76)
            .map(|at| &coded[at..(at + 76).min(coded.len())])
            .collect();
        let text = format!("  blob: |\n    {}\n  next: x\n", wrapped.join("\n    "));
        let found = opened(&text);
        assert_eq!(found.len(), 1);
        assert!(found[0].0.ends_with(wrapped[wrapped.len() - 1]));
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let mut coded = "db_password: hunter2value and more words\n".to_owned();
        for _ in 0..MAX_DEPTH {
            coded = to_base64(coded.as_bytes());
        }
        assert_eq!(opened(&coded).len(), 1);
        for _ in 0..20 {
            coded = to_base64(coded.as_bytes());
        }
        assert_eq!(opened(&coded).len(), 0);
        let bomb = to_base64(&gzip(&"a ".repeat(40 << 20)));
        let mut left = 1 << 20;
        find(&bomb, 0, &mut left, |_| panic!("nothing is in it"));
        assert!(left < 1 << 20);
    }

    #[test]
    fn names_digests_and_paths_are_not_opened() {
        for text in [
            "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "var/lib/kubelet/pods/volumes/kubernetes/io/projected/token",
            "MIIEowIBAAKCAQEAx7Fq2mKc9vLwMIIEowIBAAKCAQEAx7Fq2mKc9vLw",
        ] {
            assert!(opened(text).is_empty(), "{text}");
        }
    }

    fn found(text: &str) -> Vec<String> {
        opened(text).into_iter().map(|found| found.0).collect()
    }

    #[test]
    fn the_shortest_run_is_found_at_every_place() {
        let run = to_base64(b"password: hunter2v");
        assert_eq!(run.len(), MIN_RUN);
        for blanks in 0..3 * MIN_RUN {
            let text = format!("{}{run} {run}:{run}", " ".repeat(blanks));
            assert_eq!(found(&text), [&*run, &*run, &*run], "{blanks}");
        }
        assert!(found(&run[..MIN_RUN - 1]).is_empty());
    }

    #[test]
    fn a_run_that_was_cut_is_opened_as_far_as_it_goes() {
        let coded = to_base64(b"password: hunter2value and so on");
        for cut in 32..=coded.len() {
            assert_eq!(found(&coded[..cut]).len(), 1, "{cut}");
        }
    }

    #[test]
    fn only_long_lines_go_on_in_the_next() {
        let coded = to_base64("x1: a\npassword: hunter2value\n".repeat(9).as_bytes());
        let head = &coded[..76];
        for (text, runs) in [
            // Lines of the usual lengths, and of the least.
            (format!("{head}\n{}\n", &coded[76..152]), vec![(0, 153)]),
            (
                format!("{}\n    {}\n", &coded[..60], &coded[60..96]),
                vec![(0, 101)],
            ),
            (
                format!("{}\n{}\n", &coded[..56], &coded[..40]),
                vec![(0, 56), (57, 97)],
            ),
            // What follows the last line: a key of YAML, a sentence, a rule, an empty line.
            (
                format!("{head}\n    {}\n    next\n", &coded[76..132]),
                vec![(0, 137)],
            ),
            (format!("{head}\nnext words\n"), vec![(0, 76)]),
            (format!("{head}\n---\nnext\n"), vec![(0, 76)]),
            (format!("{head} next\n"), vec![(0, 76)]),
            (format!("{head}==\n\n"), vec![(0, 78)]),
        ] {
            for before in ["", &"- a line before\n".repeat(20)] {
                let whole = format!("{before}{text}");
                let runs: Vec<&str> = runs.iter().map(|(from, to)| &text[*from..*to]).collect();
                assert_eq!(found(&whole), runs, "{whole}");
            }
        }
    }

    #[test]
    fn what_is_decoded_counts_against_the_limit() {
        let plain = "password: hunter2value and so on, and so on\n";
        let coded = to_base64(plain.as_bytes());
        let coded = coded.trim_end_matches('=');
        let spent = |text: &str, mut left: usize| {
            let mut count = 0;
            find(text, 0, &mut left, |_| count += 1);
            (count, left)
        };
        assert_eq!(spent(coded, coded.len()), (1, 0));
        assert_eq!(spent(coded, coded.len() - 1), (0, coded.len() - 1));
        assert_eq!(spent(coded, 1_000), (1, 1_000 - coded.len()));
        let zipped = to_base64(&gzip(plain));
        let zipped = zipped.trim_end_matches('=');
        let rest = 1_000 - zipped.len() - plain.len();
        assert_eq!(spent(zipped, 1_000), (1, rest));
        // What does not begin as text is never decoded.
        let binary = to_base64(&[&[0, 1, 2, 3], plain.as_bytes()].concat());
        for other in [binary.as_str(), "qK7rTz0wLmB4nXcV9pYdqK7rTz0wLmB4nXcV9pYd"] {
            assert_eq!(spent(other, 1_000), (0, 1_000), "{other}");
        }
    }
}
