//! Two kinds of lines that no format proves and a reviewer would still ask about: a text without a word in it where
//! code or settings hold one, and a person's name beside where that person lives or is called.

use regex::Regex;
use std::sync::LazyLock;

/// A quoted or assigned text of one piece, long enough to be a key.
static TEXT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?:["'`]|[=:]\s*)(?P<text>[A-Za-z0-9+/_:.-]{20,80})(?:=?=?["'`]|[\s,;)]|$)"#)
});

/// At least two capitalised words.
static NAME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b\p{Lu}\p{Ll}+(?:[ -]\p{Lu}\p{Ll}+)+\b"));

/// What belongs to one person: a telephone number, a mail address, a place to live, a day of birth, a number of a state.
static PERSONAL: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"\+[1-9]\d[\d ()./-]{6,16}\d|(?i)\b(?:tel|phone|mobile|fax)\w*\W{1,4}\(?0\d[\d ()./-]{5,14}\d",
        r"(?i)[\w.+-]+@(?:[\w-]+\.)+[a-z]{2,}",
        r"(?i)\w(?:stra(?:ss|ß)e|str\.|weg|allee|platz|gasse|gatan|straat|laan)\s\d{1,4}\b|\b(?:rue|via|calle|avenida|ulica)\s[\p{L} ]{3,30}\s\d{1,4}\b|\b\d{1,5}\s\p{L}[\p{L} ]{2,30}\s(?:street|road|avenue|lane|drive|boulevard|court)\b",
        r"(?i)\b(?:born|birth\w*|dob|geb\w*|n[ée]e?)\b\W{1,4}\d{1,4}[./-]\s?\d{1,2}[./-]\s?\d{1,4}",
        r"\b\d{3}-\d{2}-\d{4}\b",
    ]
    .map(pattern)
    .into()
});

/// What people write where no person is meant.
static NOBODY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:test|example|sample|dummy|foo|bar|john|jane)\b|\bdoe\b|mustermann|musterfrau|lorem|\b555[ -]?01\d\d\b|@(?:[\w-]+\.)*(?:example(?:\.\w+)?|test|invalid|localhost)\b|noreply|no-reply|copyright|\(c\)|©|author|maintainer|signed-off-by",
    )
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

/// Whether a text may be here; cheap.
pub fn any_key(text: &str) -> bool {
    TEXT.is_match(text)
}

/// Whether `line` holds a text in which no word can be read, as keys and tokens are: capitals, small letters and
/// digits that change places all the time.
pub fn holds_key(line: &str) -> bool {
    TEXT.captures_iter(line)
        .any(|found| found.name("text").is_some_and(|text| is_key(text.as_str())))
}

fn is_key(text: &str) -> bool {
    // Checksums of packages and public keys say of themselves what they are.
    let public = [
        "sha1-",
        "sha256",
        "sha384",
        "sha512",
        "h1:",
        "AAAAB3Nza",
        "AAAAC3Nza",
        "AAAAE2Vj",
    ];
    if text.contains("://") || public.iter().any(|start| text.contains(start)) {
        return false;
    }
    // Paths and names with dots change too, but between words.
    let pieces = text.split(|c: char| !c.is_ascii_alphanumeric());
    let Some(piece) = pieces
        .max_by_key(|piece| piece.len())
        .filter(|piece| piece.len() >= 12)
    else {
        return false;
    };
    let class = |byte: &u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        _ => 2,
    };
    let classes: Vec<u8> = piece.as_bytes().iter().map(class).collect();
    let of = |wanted: u8| classes.iter().filter(|class| **class == wanted).count();
    let changes = classes.windows(2).filter(|two| two[0] != two[1]).count();
    let distinct: std::collections::BTreeSet<u8> = piece.bytes().collect();
    of(0) >= 4
        && of(1) >= 3
        && of(2) >= 2
        && distinct.len() * 2 >= piece.len().min(28)
        && changes * 20 >= (piece.len() - 1) * 9
}

/// Whether `line` tells of a person who may exist: a name beside one thing that belongs to that person alone.
pub fn tells_of_person(line: &str) -> bool {
    line.len() <= 400
        && NAME.is_match(line)
        && PERSONAL.iter().any(|part| part.is_match(line))
        && !NOBODY.is_match(line)
}

/// `line` without its digits and what stands before an `@`.
pub fn without_details(line: &str) -> String {
    static MAIL: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\w.+-]+@"));
    MAIL.replace_all(line, "…@")
        .chars()
        .map(|c| if c.is_ascii_digit() { '#' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_what_looks_like_them() {
        for line in [
            "const K = \"aZ81kQwPz0vBn5TtLr61YsDc\";",
            "seed: 7hT2mQ9xK4vR8bN1cW6pL3yZ",
            "signing='Xk29LmQ0pRz7TtVw4YbNc8Hd==';",
        ] {
            assert!(holds_key(line), "{line}");
        }
        for line in [
            "integrity: \"sha512-aZ81kQwPz0vBn5TtLr61YsDcaZ81kQwPz0vBn5TtLr61YsDc\"",
            "id = \"550e8400-e29b-41d4-a716-446655440000\"",
            "digest: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "import org.example.shop.Utf8StringBuilderFactory2Test;",
            "let alphabet = \"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789\";",
            "let name = \"HTTP2StreamMultiplexerConfigBuilder\";",
            "path: \"/srv/Data2024/Reports/Q3/Final/Version2\"",
            "see <https://example.org/a/b/c/d/e>",
            "key = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL3kQwPz0vBn5TtLr61YsDcaZ81\"",
        ] {
            assert!(!holds_key(line), "{line}");
        }
    }

    #[test]
    fn people_and_what_looks_like_them() {
        for line in [
            "3,Emmy Noether,Kirchweg 12,91054 Erlangen",
            "{\"name\": \"Leonhard Euler\", \"phone\": \"+41 61 000 17 07\"}",
            "Pierre de Fermat; Blaise Pascal, born 19.6.1623",
            "('Évariste Galois', 'galois@mathematics.internal')",
        ] {
            assert!(tells_of_person(line), "{line}");
        }
        for line in [
            "1,Jane Doe,12 Main Street,90001",
            "(c) Emmy Noether <emmy@algebra.org>",
            "New York,2024-03-01,17",
            "name,street,phone",
            "Test User,Test Street 1",
            "contact: Emmy Noether <emmy@example.org>",
        ] {
            assert!(!tells_of_person(line), "{line}");
        }
        assert_eq!(
            without_details("Emmy Noether,Kirchweg 12,emmy@algebra.org"),
            "Emmy Noether,Kirchweg ##,…@algebra.org"
        );
    }
}
