//! Learning the secret values of a whole bundle: texts, what is compressed or binary, and names of files.

use super::mask::Masker;
use super::scan::{Hit, Scanner};
use super::{check, dummy};
use crate::bundle::{FileKind, Tree};
use std::io::{self, Read};

/// Bytes scanned at a time.
const CHUNK_BYTES: usize = 2 << 20;
/// Bytes of the chunk before that are scanned again, so that what spans the border is seen.
const OVERLAP_BYTES: usize = 32 << 10;

/// How much is learnt at most.
#[derive(Debug, Clone, Copy)]
pub struct LearnLimits {
    /// Bytes of text read in all.
    pub max_bytes: u64,
    /// Bytes of binary files and of unzipped ones, in all. No line of them is ever shown, so what lies beyond
    /// can get out only by standing in a text as well, with nothing there to tell that it is secret.
    pub max_hidden_bytes: u64,
    /// Values kept.
    pub max_values: usize,
}

impl Default for LearnLimits {
    fn default() -> Self {
        Self {
            max_bytes: 8 << 30,
            max_hidden_bytes: 256 << 20,
            max_values: 50_000,
        }
    }
}

/// What learning a tree has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Learned {
    /// Files read.
    pub files: usize,
    /// Bytes of text read.
    pub bytes: u64,
    /// Bytes read of binary files and out of compressed ones.
    pub hidden_bytes: u64,
    /// Distinct secret values known afterwards.
    pub values: usize,
    /// Whether a limit ended it before every text was read.
    pub limited: bool,
}

impl Masker {
    /// Learns from every file of the bundle, in the order of the index, and then from their names.
    ///
    /// # Errors
    /// What the file system says.
    pub fn learn_tree(&mut self, tree: &Tree, limits: LearnLimits) -> io::Result<Learned> {
        let mut learned = Learned::default();
        for entry in tree.files().filter(|entry| entry.kind != FileKind::Empty) {
            if learned.bytes >= limits.max_bytes || self.len() >= limits.max_values {
                learned.limited = true;
                break;
            }
            let text_left = limits.max_bytes - learned.bytes;
            let hidden_left = limits.max_hidden_bytes - learned.hidden_bytes;
            let file = tree.open(entry)?;
            let path = entry.path.as_str();
            match entry.kind {
                FileKind::Archive => {
                    let unzipped = flate2::read::MultiGzDecoder::new(file).take(hidden_left);
                    // Other compressions end here at once, a damaged one where it is damaged.
                    learned.hidden_bytes += self.learn_stream(path, unzipped, limits.max_values).0;
                }
                FileKind::Binary => {
                    let (bytes, failed) =
                        self.learn_stream(path, file.take(hidden_left), limits.max_values);
                    learned.hidden_bytes += bytes;
                    failed?;
                }
                _ => {
                    let (bytes, failed) =
                        self.learn_stream(path, file.take(text_left), limits.max_values);
                    learned.bytes += bytes;
                    failed?;
                    // The rest of this file, the last one too, was not read.
                    learned.limited |= bytes >= text_left;
                }
            }
            learned.files += 1;
        }
        learned.limited |= self.len() >= limits.max_values;
        for entry in &tree.index().entries {
            self.note(entry.path.as_str(), limits.max_values);
        }
        self.build();
        learned.values = self.len();
        Ok(learned)
    }

    /// Learns from all that can be read: how many bytes that was, and what ended it before the end.
    fn learn_stream(
        &mut self,
        path: &str,
        mut from: impl Read,
        max_values: usize,
    ) -> (u64, io::Result<()>) {
        let mut buffer: Vec<u8> = Vec::new();
        let mut total = 0;
        // The path says what the beginning of a file holds.
        let mut path = Some(path);
        loop {
            let before = buffer.len();
            let read = from
                .by_ref()
                .take(CHUNK_BYTES as u64)
                .read_to_end(&mut buffer);
            // What came before an error is in the buffer.
            let count = buffer.len() - before;
            total += count as u64;
            if count > 0 {
                let text = readable(&buffer);
                let hits = match path.take() {
                    Some(path) => Scanner::new().scan_file(path, &text),
                    None => Scanner::new().scan(&text),
                };
                self.note_hits(&text, hits, max_values);
            }
            if let Err(error) = read {
                return (total, Err(error));
            }
            if count < CHUNK_BYTES {
                return (total, Ok(()));
            }
            buffer.drain(..buffer.len().saturating_sub(OVERLAP_BYTES));
        }
    }

    /// Learns from several texts.
    pub fn learn_texts<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        for text in texts {
            self.note(text, LearnLimits::default().max_values);
        }
        self.build();
    }

    /// Learns from a single text.
    pub fn learn_text(&mut self, text: &str) {
        self.learn_texts([text]);
    }

    fn note(&mut self, text: &str, max_values: usize) {
        self.note_hits(text, Scanner::new().scan(text), max_values);
    }

    fn note_hits(&mut self, text: &str, hits: Vec<Hit>, max_values: usize) {
        for hit in hits {
            if self.len() >= max_values {
                return;
            }
            let value = &text[hit.range];
            self.mark(hit.rule, value);
            // A sentence may end behind it.
            let alone = value.trim_end_matches(['.', ',', ';', ':', '!', '?', ')']);
            if alone.len() >= 6 && alone.len() < value.len() && !dummy::is_dummy(alone) {
                self.mark(hit.rule, alone);
            }
            if let Some(plain) = unescaped(value).filter(|plain| !dummy::is_dummy(plain)) {
                self.mark(hit.rule, &plain);
            }
            for inside in hit.plain.iter().filter(|value| !dummy::is_dummy(value)) {
                self.mark(hit.rule, inside);
            }
            match hit.rule {
                // A line of a key may be quoted alone.
                "private-key" => {
                    for line in value
                        .split(['\n', '\r', ' '])
                        .flat_map(|line| line.split("\\n"))
                        .filter(|line| line.len() >= 16)
                    {
                        self.mark(hit.rule, line);
                    }
                }
                "recovery-code" | "static-key" => {
                    for part in value
                        .split([' ', ',', ';', '\n', '\r'])
                        .filter(|part| part.len() >= 6)
                    {
                        self.mark(hit.rule, part);
                    }
                }
                "kubernetes-secret" | "docker-auth" | "authorization-header" => {
                    if let Some(plain) = check::from_base64_text(value) {
                        let plain = plain.trim();
                        // The password of user:password; each line of a file that was packed.
                        let parts = plain
                            .split_once(':')
                            .map(|(_, password)| password)
                            .filter(|_| hit.rule != "kubernetes-secret")
                            .into_iter();
                        for part in parts
                            .chain(plain.lines().map(str::trim))
                            .filter(|part| part.len() >= 6 && !dummy::is_dummy(part))
                        {
                            self.mark(hit.rule, part);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// The value as a program reads it, when JSON, a shell, XML or a URL has escaped some of it.
fn unescaped(value: &str) -> Option<String> {
    let json = || {
        let quoted = format!("\"{value}\"");
        serde_json::from_str::<String>(&quoted).ok()
    };
    let xml = || {
        let pairs = [
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&apos;", "'"),
            ("&#39;", "'"),
            ("&amp;", "&"),
        ];
        pairs
            .iter()
            .fold(value.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let plain = if value.contains('\\') {
        json().unwrap_or_else(|| without_backslashes(value))
    } else if value.contains('&') && value.contains(';') {
        xml()
    } else if value.contains('%') {
        unescaped_url(value)?
    } else {
        return None;
    };
    (plain != value && plain.len() >= 4 && !plain.contains('\n')).then_some(plain)
}

/// `\$` as the sign alone.
fn without_backslashes(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next) if c == '\\' && next.is_ascii_punctuation() => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}

/// `%40` as the byte it stands for, up to twice.
fn unescaped_url(value: &str) -> Option<String> {
    let mut text = value.to_owned();
    for _ in 0..2 {
        let mut out = Vec::with_capacity(text.len());
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            if byte != b'%' {
                out.push(byte);
                continue;
            }
            let digits = [bytes.next()?, bytes.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
        }
        text = String::from_utf8(out).ok()?;
        if !text.contains('%') {
            break;
        }
    }
    Some(text)
}

/// Bytes of any file as text to be searched. A NUL ends a word, as in the environment of a process; where every
/// second byte is one, the text is in units of two bytes.
fn readable(bytes: &[u8]) -> String {
    let nul = bytes.iter().filter(|byte| **byte == 0).count();
    if nul == 0 {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    if nul * 5 > bytes.len() * 2 && nul * 5 < bytes.len() * 3 {
        let narrow: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
        return String::from_utf8_lossy(&narrow).into_owned();
    }
    String::from_utf8_lossy(bytes).replace('\0', "\n")
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests make their own bundles")]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;
    use std::io::Write;

    /// A tree over files with these contents, and the folder that keeps it alive.
    fn tree(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Tree) {
        tree_of(files.iter().copied())
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        zip.write_all(text.as_bytes()).unwrap();
        zip.finish().unwrap()
    }

    #[test]
    fn a_tree_is_learnt_over_chunk_borders() {
        let line = format!("{}\n", "x".repeat(79));
        let mut content = line.repeat(CHUNK_BYTES / 80);
        // The border goes through the key.
        content.push_str(&"\n".repeat(CHUNK_BYTES - 4 - content.len()));
        content.push_str("password: hunter2value\n");
        content.push_str(&line.repeat(CHUNK_BYTES / 80));
        content.push_str("db_password: hunter3value\n");
        let (_folder, tree) = tree(&[("a.log", content.as_bytes())]);
        let mut masker = Masker::new();
        let learned = masker.learn_tree(&tree, LearnLimits::default()).unwrap();
        assert_eq!(
            learned,
            Learned {
                files: 1,
                bytes: content.len() as u64,
                hidden_bytes: 0,
                values: 2,
                limited: false,
            }
        );
        assert_eq!(masker.mask("hunter2value"), "‹secret:password:1›");
        assert_eq!(masker.mask("hunter3value"), "‹secret:password:2›");
        let limits = LearnLimits {
            max_bytes: 10,
            ..LearnLimits::default()
        };
        let limited = Masker::new().learn_tree(&tree, limits).unwrap();
        assert_eq!((limited.bytes, limited.values), (10, 0));
        assert!(limited.limited, "the only file was read in part");
        let limits = LearnLimits {
            max_values: 1,
            ..LearnLimits::default()
        };
        let limited = Masker::new().learn_tree(&tree, limits).unwrap();
        assert!(limited.limited, "further values would not be kept");
    }

    #[test]
    fn compressed_binary_and_two_byte_files_give_their_values() {
        let wide: Vec<u8> = "[db]\r\npassword = Tr0ub4dorWide\r\n"
            .bytes()
            .flat_map(|byte| [byte, 0])
            .collect();
        let mut damaged = gzip(&format!(
            "password: Tr0ub4dorCut\n{}",
            "text of a log, and so on\n".repeat(9_000)
        ));
        damaged.truncate(damaged.len() / 2);
        let (_folder, tree) = tree(&[
            ("cut.gz", &damaged),
            ("environ", b"HOME=/\0DB_PASSWORD=Tr0ub4dorEnv\0TERM=x\0"),
            ("old.log.1.gz", &gzip("password: Tr0ub4dorZip\n")),
            ("settings.dat", &wide),
        ]);
        let mut masker = Masker::new();
        masker.learn_tree(&tree, LearnLimits::default()).unwrap();
        for value in [
            "Tr0ub4dorCut",
            "Tr0ub4dorEnv",
            "Tr0ub4dorZip",
            "Tr0ub4dorWide",
        ] {
            let masked = masker.mask(&format!("tried {value} twice"));
            assert!(masked.starts_with("tried ‹secret:password:"), "{value}");
        }
    }

    #[test]
    fn unzipping_is_bounded() {
        let bomb = gzip(&"no secret here\n".repeat(2 << 20));
        let (_folder, tree) = tree(&[("a.gz", &bomb), ("b.bin", b"\0password: Tr0ub4dorLate\n")]);
        let limits = LearnLimits {
            max_hidden_bytes: 1 << 20,
            ..LearnLimits::default()
        };
        let learned = Masker::new().learn_tree(&tree, limits).unwrap();
        assert_eq!(
            (learned.hidden_bytes, learned.values, learned.limited),
            (1 << 20, 0, false)
        );
    }

    #[test]
    fn a_value_in_the_name_of_a_file_is_learnt() {
        let (_folder, tree) = tree(&[("password=Tr0ub4dorName.txt", b"nothing\n")]);
        let mut masker = Masker::new();
        masker.learn_tree(&tree, LearnLimits::default()).unwrap();
        assert!(!masker.is_empty());
    }

    #[test]
    fn limits_hold_for_all_files_together() {
        let one = b"password: Tr0ub4dorOne\n";
        let (_folder, tree) = tree(&[
            ("a.log", one),
            ("b.bin", b"\0password: Tr0ub4dorBin\n"),
            ("c.log", one),
        ]);
        let all = one.len() as u64;
        let default = LearnLimits::default();
        for (limits, files, bytes, hidden_bytes, limited) in [
            (default, 3, all * 2, 24, false),
            (
                LearnLimits {
                    max_bytes: all,
                    ..default
                },
                1,
                all,
                0,
                true,
            ),
            (
                LearnLimits {
                    max_bytes: all + 4,
                    ..default
                },
                3,
                all + 4,
                24,
                true,
            ),
            (
                LearnLimits {
                    max_values: 1,
                    ..default
                },
                1,
                all,
                0,
                true,
            ),
        ] {
            let learned = Masker::new().learn_tree(&tree, limits).unwrap();
            assert_eq!(
                (
                    learned.files,
                    learned.bytes,
                    learned.hidden_bytes,
                    learned.limited
                ),
                (files, bytes, hidden_bytes, limited),
                "{limits:?}"
            );
        }
    }

    /// Whether `value` is hidden in another text after `text` was learnt.
    fn teaches(text: &str, value: &str) -> bool {
        let mut masker = Masker::new();
        masker.learn_text(text);
        !masker.mask(&format!("tried {value} twice")).contains(value)
    }

    #[test]
    fn a_value_is_learnt_in_every_form_it_has_elsewhere() {
        let auth = check::to_base64(b"bo:Tr0ub4dorDock");
        let data = check::to_base64(b"Tr0ub4dorTop\nTr0ub4dorEnd\n");
        for (text, value) in [
            ("password: \"Tr0ub4dorEnd.\"", "Tr0ub4dorEnd"),
            ("{\"password\":\"ti\\u0073ch442\"}", "tisch442"),
            ("<password>tisch&amp;442</password>", "tisch&442"),
            ("amqp://bo:tisch%40442@mq:5671/v", "tisch@442"),
            ("amqp://bo:tisch%2540442@mq:5671/v", "tisch@442"),
            ("DB_PASSWORD=\"ti\\$sch442\"", "ti$sch442"),
            ("run --password=Tr0ub4dor\\\nSeven", "Tr0ub4dorSeven"),
            ("Recovery codes: 4a7c1-9d2e8, b3f60-1c9a4", "b3f60-1c9a4"),
            ("Backup codes: b3f60c 4a7c19", "4a7c19"),
            (
                concat!(
                    "-----BEGIN OpenVPN Static ",
                    "key V1-----\n0f1e2d3c4b5a69788796a5b4c3d2e1f0\n",
                    "1f2e3d4c5b6a79889706b5a4d3c2f1e0\n-----END OpenVPN Static key V1-----\n"
                ),
                "1f2e3d4c5b6a79889706b5a4d3c2f1e0",
            ),
            (&format!("{{\"auth\":\"{auth}\"}}"), "Tr0ub4dorDock"),
            (&format!("Authorization: Basic {auth}"), "Tr0ub4dorDock"),
            (
                &format!("kind: Secret\ndata:\n  a: {data}\n"),
                "Tr0ub4dorEnd",
            ),
        ] {
            assert!(teaches(text, value), "{text}");
        }
    }

    #[test]
    fn a_part_that_says_nothing_is_not_learnt() {
        let auth = |plain: &str| {
            let coded = check::to_base64(plain.as_bytes());
            format!("{{\"auth\":\"{coded}\"}}")
        };
        for (text, values) in [
            ("password: \"x7!q.\"", 1),
            ("password: \"x7!qab.\"", 2),
            ("password: \"$TISCH442)\"", 1),
            ("{\"password\":\"\\u0024{TISCH442}\"}", 1),
            ("Backup codes: b3f60 4a7c1", 1),
            (&check::to_base64(b"<phash>${PASSWORD_OF_BO}</phash>\n"), 1),
            (&auth("bo:Tr0ub4dorDock"), 3),
            (&auth("bo:changed"), 2),
            (&auth("bo:x7!qa"), 2),
        ] {
            let mut masker = Masker::new();
            masker.learn_text(text);
            assert_eq!(masker.len(), values, "{text}");
        }
        // What stands behind a colon in a Secret is no password of a user.
        let data = check::to_base64(b"host:tisch442x");
        let text = format!("kind: Secret\ndata:\n  a: {data}\n");
        assert!(teaches(&text, "host:tisch442x"));
        assert!(!teaches(&text, "tisch442x"));
    }

    #[test]
    fn escapes_of_json_shells_xml_and_urls_are_read() {
        for (value, plain) in [
            ("ti\\u0073ch", Some("tisch")),
            ("\\u0061bcd", Some("abcd")),
            ("\\u0061bc", None),
            ("ti\\nsch", None),
            ("ti\\sch", None),
            ("ti\\$sch\\\\4\\x", Some("ti$sch\\4\\x")),
            (
                "t&lt;i&gt;s&quot;c&apos;h&#39;4&amp;lt;",
                Some("t<i>s\"c'h'4&lt;"),
            ),
            ("ti&sch%40x", Some("ti&sch@x")),
            ("ti;sch%40x", Some("ti;sch@x")),
            ("ti&sch;x", None),
            ("ti%2540sch", Some("ti@sch")),
            ("ti%252540sch", Some("ti%40sch")),
            ("ti%4", None),
            ("ti%zzsch", None),
            ("ti%ffsch", None),
            ("tisch442", None),
        ] {
            assert_eq!(unescaped(value).as_deref(), plain, "{value}");
        }
    }

    #[test]
    fn bytes_in_units_of_two_are_told_by_how_many_are_nul() {
        let mixed = |nul: usize| {
            let mut bytes = vec![0; nul];
            bytes.resize(20, b'x');
            readable(&bytes)
        };
        for (nul, narrow) in [
            (1, false),
            (8, false),
            (9, true),
            (11, true),
            (12, false),
            (19, false),
        ] {
            let expected = if narrow {
                "x".repeat(20 - nul)
            } else {
                "\n".repeat(nul) + &"x".repeat(20 - nul)
            };
            assert_eq!(mixed(nul), expected, "{nul}");
        }
        assert_eq!(readable(b"a\xFFb"), "a\u{FFFD}b");
    }
}
