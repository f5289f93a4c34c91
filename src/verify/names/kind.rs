//! What a single word is: plain English, a name, or a value.

use super::vocabulary::{ANNOUNCING, DEFINED, ENGLISH_PARTS, UNITS, VOCABULARY};
use crate::verify::values::Moment;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Plain,
    Name,
    Computed,
    Parts(Vec<&'a str>),
}

pub(super) fn kind<'a>(word: &'a str, before: &str) -> Kind<'a> {
    let lower = word.to_ascii_lowercase();
    if word.chars().count() < 2
        || lower.len() > 4096
        || VOCABULARY.contains(&format!(" {lower} "))
        || DEFINED.contains(&format!(" {lower} "))
    {
        return Kind::Plain;
    }
    let digits = word.bytes().any(|byte| byte.is_ascii_digit());
    let letters = word.chars().any(char::is_alphabetic);
    // Points in time; the evidence may write them otherwise.
    if digits && Moment::parse(word).is_some() {
        return Kind::Computed;
    }
    // Numbers, alone or with a unit.
    if word.starts_with(|c: char| c.is_ascii_digit())
        && let Some(kind) = number(word, before)
    {
        return kind;
    }
    if word.contains("://") {
        return Kind::Name;
    }
    if word.contains('/') {
        // A path, an image, namespace/name, unit/unit; or two words of English.
        let parts: Vec<&str> = word.split('/').filter(|part| !part.is_empty()).collect();
        if word.starts_with('/') || parts.len() > 2 || word.contains(['.', '_', '-']) || digits {
            return Kind::Name;
        }
        return if parts
            .iter()
            .all(|part| part.chars().all(char::is_alphabetic))
        {
            Kind::Plain
        } else {
            Kind::Parts(parts)
        };
    }
    if word.contains(['@', '_']) && letters {
        return Kind::Name;
    }
    if word.contains('.') {
        // Hosts, files, units, versions: letters or digits on both sides of the dot.
        let inner = word.split('.').all(|part| !part.is_empty());
        let abbreviation = word.split('.').all(|part| part.len() <= 1);
        return if inner && !abbreviation {
            Kind::Name
        } else {
            Kind::Plain
        };
    }
    if word.contains(':') && digits {
        return Kind::Name;
    }
    if word.contains('-') {
        return hyphenated(word, before);
    }
    // Letters and digits mixed the way names are; two of them are a kind of thing.
    if digits && word.len() >= 3 && word.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return Kind::Name;
    }
    Kind::Plain
}

/// `out-of-memory` is English, `cart-5f7d` and `ingress-nginx` are names.
fn hyphenated<'a>(word: &'a str, before: &str) -> Kind<'a> {
    let parts: Vec<&str> = word.split('-').filter(|part| !part.is_empty()).collect();
    let digits = word.bytes().any(|b| b.is_ascii_digit());
    if digits {
        // 3-node, 10-minute, 2-3, 5-second, sha-256, TLS-1: a number and an English word.
        let numeric = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if parts.len() == 2
            && numeric(parts[0])
            && (parts[1].chars().all(|c| c.is_ascii_lowercase()) || numeric(parts[1]))
        {
            return Kind::Plain;
        }
        // ISO dates and times of day: values that can be looked for.
        return Kind::Name;
    }
    if parts
        .iter()
        .all(|part| part.chars().all(char::is_alphabetic))
    {
        // Without digits a hyphenated word is a name only where the sentence says so: "pod web-front", "the namespace kube-system".
        let announced = ANNOUNCING.contains(&format!(" {before} "));
        let english = parts
            .iter()
            .all(|part| ENGLISH_PARTS.contains(&format!(" {} ", part.to_ascii_lowercase())));
        return if announced && !english {
            Kind::Name
        } else {
            Kind::Plain
        };
    }
    Kind::Plain
}

/// What a word that begins with a digit is; `None` if it is no number.
fn number<'a>(word: &str, before: &str) -> Option<Kind<'a>> {
    let end = word
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',')))
        .unwrap_or(word.len());
    let (figure, unit) = word.split_at(end);
    let dots = figure.matches('.').count();
    if unit.is_empty() {
        if dots >= 2 {
            return Some(Kind::Name); // an IPv4 address, a version
        }
        // A bare number is a value where the sentence says what it is.
        let announced = matches!(
            before,
            "port"
                | "code"
                | "pid"
                | "uid"
                | "gid"
                | "status"
                | "signal"
                | "vlan"
                | "errno"
                | "version"
        );
        return Some(if announced { Kind::Name } else { Kind::Plain });
    }
    if unit == "/s" || UNITS.contains(&unit) || UNITS.contains(&unit.trim_end_matches("/s")) {
        // Sizes as a system prints them are copied; the rest may be computed.
        let copied = matches!(unit, "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei")
            || unit == "m" && figure.len() >= 2 && dots == 0;
        return Some(if copied { Kind::Name } else { Kind::Computed });
    }
    // 4xx, 2x, 3rd, 1-2, 10s-like forms of English.
    if matches!(unit, "x" | "st" | "nd" | "rd" | "th" | "xx")
        || unit.starts_with('x') && unit.len() <= 2
    {
        return Some(Kind::Plain);
    }
    // 1h5m30s and 3d4h: compound durations.
    if word
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, 'd' | 'h' | 'm' | 's' | '.'))
    {
        return Some(Kind::Computed);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'a>(parts: &[&'a str]) -> Kind<'a> {
        Kind::Parts(parts.to_vec())
    }

    #[test]
    fn a_word_is_english_a_name_or_a_value() {
        use Kind::{Computed, Name, Plain};
        for (word, kind_of) in [
            ("x", Plain),
            ("7", Plain),
            ("memory", Plain),
            ("HTTP/2", Plain),
            ("OOMKilled", Plain),
            // Letters and digits.
            ("n7", Plain),
            ("no7", Name),
            ("äö7", Plain),
            ("7fa", Name),
            // Values.
            ("2022-02-17", Computed),
            ("12:30", Computed),
            ("10.0.0.12", Name),
            ("1.28.12", Name),
            ("1.28", Plain),
            ("137", Plain),
            ("64Mi", Name),
            ("64MB", Computed),
            ("5m", Computed),
            ("50m", Name),
            ("1.5m", Computed),
            ("98%", Computed),
            ("5/s", Computed),
            ("5MB/s", Computed),
            ("1h5m30s", Computed),
            ("3d4h", Computed),
            ("3d4q", Name),
            ("7th", Plain),
            ("7x", Plain),
            ("7xx", Plain),
            ("7xy", Plain),
            ("7xyz", Name),
            // Addresses and paths.
            ("https://example", Name),
            ("/var", Name),
            ("shop/web/x", Name),
            ("disk/memory", Plain),
            ("shop/web.log", Name),
            ("shop/web_log", Name),
            ("shop/web7", Name),
            ("shop/web-log", Name),
            ("root@web/shell", parts(&["root@web", "shell"])),
            ("root@web", Name),
            ("7@8", Plain),
            ("rp_filter", Name),
            ("7_8", Plain),
            ("web:80", Name),
            ("web:latest", Plain),
            // Dots.
            ("web.log", Name),
            ("a.b", Plain),
            ("a.log", Name),
            ("web..log", Plain),
            // Hyphens.
            ("3-node", Plain),
            ("2-3", Plain),
            ("3-Node", Name),
            ("3-5f", Name),
            ("node-5", Name),
            ("1-2-3", Name),
            ("cart-5f7d9", Name),
            ("cart-web", Plain),
        ] {
            assert_eq!(kind(word, ""), kind_of, "{word}");
        }
        assert_eq!(kind(&"no7".repeat(4_096)[..4_096], ""), Name);
        assert_eq!(kind(&"no7".repeat(4_096)[..4_097], ""), Plain);
    }

    #[test]
    fn the_word_before_may_say_that_it_is_a_name() {
        use Kind::{Name, Plain};
        for (before, word, kind_of) in [
            ("pod", "cart-web", Name),
            ("namespace", "kube-system", Name),
            ("the", "kube-system", Plain),
            ("volume", "read-only", Plain),
            ("volume", "read-cart", Name),
            ("pod", "cart-c++", Plain),
            ("pod", "web", Plain),
            ("port", "8080", Name),
            ("port", "7", Plain),
            ("vlan", "208", Name),
            ("version", "1.28", Name),
            ("about", "8080", Plain),
        ] {
            assert_eq!(kind(word, before), kind_of, "{before} {word}");
        }
    }
}
