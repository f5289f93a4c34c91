//! What a value itself says: whether it is random, made up by a person, a key, a name or a sentence.

use super::check::entropy;

/// Whether a token-like value looks random rather than like a name, a version or a sentence.
pub(super) fn looks_random(value: &str) -> bool {
    if value.len() < 8 || value.contains(' ') {
        return false;
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let lower = value.bytes().any(|b| b.is_ascii_lowercase());
    let upper = value.bytes().any(|b| b.is_ascii_uppercase());
    let kebab = value
        .split(['-', '_', '.', '/', ':'])
        .all(|part| part.len() < 16)
        && value.contains(['-', '_', '.', '/']);
    if is_uuid(value) {
        return true;
    }
    // Names of Kubernetes secrets end in five random characters; times, versions and addresses are mostly digits.
    let only_digits = value.bytes().all(|b| !b.is_ascii_alphabetic());
    !only_digits
        && entropy(value) >= 3.0
        && ((digits >= 2 && !kebab)
            || (lower && upper && digits >= 1)
            || (value.len() >= 32 && !kebab))
}

/// Splunk, Consul, Snyk and others issue UUIDs as tokens.
pub(super) fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Whether the value can only be a key: one long word of mixed letters and digits.
pub(super) fn looks_like_a_key(value: &str) -> bool {
    value.len() >= 20
        && entropy(value) >= 3.8
        && value.bytes().any(|b| b.is_ascii_lowercase())
        && value.bytes().any(|b| b.is_ascii_uppercase())
        && value.bytes().filter(u8::is_ascii_digit).count() >= 2
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-'))
        && !(value.contains(['/', '-', '_'])
            && value.split(['/', '-', '_']).all(|part| part.len() < 12))
}

/// A name in source code or configuration that speaks of a secret instead of being one: `settings.db_password`.
pub(super) fn is_reference(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    value.contains(['.', '_'])
        && value
            .bytes()
            .all(|b| b.is_ascii_alphabetic() || matches!(b, b'.' | b'_'))
        && ["pass", "secret", "token", "key", "pwd", "credential"]
            .iter()
            .any(|word| lower.contains(word))
}

/// Whether an unquoted value is source code: a type, a path of a module, a pointer, a number with its type. `spaced`:
/// whether a blank stands before it.
pub(super) fn is_code(value: &str, rest: &str, spaced: bool) -> bool {
    let word = value.trim_end_matches([',', ';']);
    let camel = spaced
        && word.bytes().next().is_some_and(|b| b.is_ascii_uppercase())
        && word.bytes().skip(1).any(|b| b.is_ascii_uppercase())
        && word.bytes().any(|b| b.is_ascii_lowercase())
        && word.bytes().all(|b| b.is_ascii_alphabetic());
    let numbered = word.trim_start_matches(|c: char| c.is_ascii_digit());
    word.starts_with(':')
        || word.contains("::")
        || word
            .strip_prefix('*')
            .is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_'))
        || matches!(
            numbered,
            "i8" | "i16"
                | "i32"
                | "i64"
                | "i128"
                | "isize"
                | "u8"
                | "u16"
                | "u32"
                | "u64"
                | "u128"
                | "usize"
                | "f32"
                | "f64"
                | "int8"
                | "int16"
                | "int32"
                | "int64"
                | "uint8"
                | "uint16"
                | "uint32"
                | "uint64"
                | "size_t"
                | "DWORD"
                | "UInt32"
                | "Int32"
                | "uintptr"
        )
        || rest.starts_with('<') && !rest.starts_with("</")
        || camel
            && (value.len() > word.len()
                || rest.starts_with([',', ')', ';', '='])
                || rest.starts_with(" =")
                || rest.starts_with(" {"))
}

/// What tests and documentation pass for a password: `old_password`, `your-token`.
pub(super) fn is_argument(value: &str) -> bool {
    value.split_once(['_', '-']).is_some_and(|(first, rest)| {
        matches!(
            first,
            "old" | "new" | "current" | "your" | "my" | "the" | "user" | "some" | "test"
        ) && matches!(
            rest,
            "password" | "passwd" | "secret" | "token" | "key" | "pass"
        )
    })
}

/// Three or more words of letters: a sentence, not a pass phrase someone would put into a configuration.
pub(super) fn looks_like_prose(value: &str) -> bool {
    let words: Vec<_> = value.split(' ').filter(|word| !word.is_empty()).collect();
    words.len() >= 3
        && words.iter().all(|word| {
            word.chars()
                .all(|c| c.is_alphabetic() || matches!(c, '.' | ',' | '\'' | ':' | '%'))
        })
}

/// Whether an unquoted word of letters is followed by further words: prose after a colon.
pub(super) fn reads_on(rest: &str, value: &str) -> bool {
    value
        .bytes()
        .all(|b| b.is_ascii_alphabetic() || matches!(b, b'.' | b',' | b':'))
        && rest.strip_prefix(' ').is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_alphabetic())
                && rest
                    .split(' ')
                    .next()
                    .is_some_and(|word| !word.contains(['=', ':']))
        })
}

/// Whether the value is made of hexadecimal digits, as many as a key has.
pub(super) fn is_hex_key(value: &str) -> bool {
    let digits = value.strip_prefix("0x").unwrap_or(value);
    digits.len() >= 32
        && digits.len().is_multiple_of(2)
        && digits.bytes().all(|b| b.is_ascii_hexdigit())
        && entropy(digits) >= 2.8
}

/// Names with a number that are no passwords: algorithms, protocols, machines.
const NUMBERED: &str = " a aes arm base blake bus c cp cpu crc d db des disk ec ed edge eth fe ge gen gpu h host http https \
    i id int ip ipv iso k key krb level line log lvl md mq n no node ns ntlm ntlmv nvme oauth p page part pg phase pid \
    pkcs pod port q r rack rc release rev rsa s scram server sha shard slot smb snmp ssh step stage tcp tls te tenant \
    tier u uid user utf v ver vlan vm vol web worker x xe zone ";

/// Whether a word looks like a password that a person or a generator made up: letters with digits or signs, and
/// neither a version, a size, a time, an address nor the name of an algorithm or a machine.
pub(super) fn is_chosen(value: &str) -> bool {
    let value = value.trim_end_matches(['.', ',', ';', ':', ')', ']', '"', '\'', '`', '>']);
    if !(5..=128).contains(&value.len()) || value.contains(char::is_whitespace) {
        return false;
    }
    if ["&quot", "&lt", "&gt", "&#"]
        .iter()
        .any(|entity| value.contains(entity))
    {
        return false;
    }
    let letters = value.chars().any(char::is_alphabetic);
    let digits = value.bytes().any(|b| b.is_ascii_digit());
    // `wrong password again!` is a sentence.
    let body = match digits {
        true => value,
        false => value.trim_end_matches(['!', '?']),
    };
    let signs = body.bytes().any(|b| {
        matches!(
            b,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'*' | b'+' | b'?' | b'@' | b'^' | b'~'
        )
    });
    if !(letters && (digits || signs)) || value.starts_with(['%', '/', '<', '[', '(', '{', '-']) {
        return false;
    }
    // 14-character, 30s, 10MB, 2nd, v1.2.3, 1.28.4-rc1.
    let unnumbered = value
        .trim_start_matches('v')
        .trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | ':' | '_'));
    if (unnumbered.len() <= 3 || unnumbered.chars().all(|c| c.is_alphabetic() || c == '-'))
        && !signs
    {
        return false;
    }
    // sha256, utf-8, node12, db01.prod.
    let stem = value
        .trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | '.'))
        .to_ascii_lowercase();
    if stem.len() < value.len() && NUMBERED.contains(&format!(" {stem} ")) {
        return false;
    }
    if let Some((_, domain)) = value.rsplit_once('.')
        && value.contains('.')
        && matches!(
            domain,
            "com"
                | "net"
                | "org"
                | "local"
                | "internal"
                | "io"
                | "lan"
                | "corp"
                | "example"
                | "svc"
                | "cluster"
                | "log"
                | "txt"
                | "json"
                | "yaml"
                | "yml"
                | "conf"
                | "sh"
                | "py"
                | "go"
                | "java"
                | "rs"
                | "js"
                | "md"
        )
    {
        return false;
    }
    // A name at a host.
    if value.contains('@')
        && !digits
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"@._-+".contains(&b))
    {
        return false;
    }
    // A call, an option, an assignment, a path.
    let path = value.matches('/').count() >= 2 && !signs;
    !path && !value.contains(['(', '=', '|']) && !value.contains("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_makes_up() {
        for value in [
            "Winter2031!",
            "kl4vier-tisch",
            "Zebra#Wolke",
            "q7R.t2_mP",
            "P@ssw0rd9",
            "monkey7582",
        ] {
            assert!(is_chosen(value), "{value}");
        }
        for value in [
            "required",
            "14-character",
            "sha256",
            "utf-8",
            "v1.28.3",
            "1.2.3-rc1",
            "10.0.0.1:5432",
            "node12",
            "30s",
            "db01.corp.local",
            "rotate(2)",
            "a=b2c4d",
            "/run/secrets/x1",
            "%s-4abc",
            "<new1pass>",
            "patience.",
            "web03",
        ] {
            assert!(!is_chosen(value), "{value}");
        }
    }

    #[test]
    fn keys_in_hexadecimal() {
        assert!(is_hex_key("0f1e2d3c4b5a69788796a5b4c3d2e1f0"));
        assert!(!is_hex_key("00000000000000000000000000000000"));
        assert!(!is_hex_key("0f1e2d3c"));
    }

    /// Each of `yes` is what `test` asks for, none of `no` is.
    fn told(name: &str, test: fn(&str) -> bool, yes: &[&str], no: &[&str]) {
        for value in yes {
            assert!(test(value), "{name} takes {value}");
        }
        for value in no {
            assert!(!test(value), "{name} leaves {value}");
        }
    }

    #[test]
    fn tokens_are_told_from_names_times_and_sentences() {
        told(
            "random",
            looks_random,
            &[
                "a1b2c3d4",
                "qK7rTz0wLm",
                "api-0a1b2c3d4e5f6a7b",
                "qwertzuiopasdfghjklyxcvbnmQWERTZ",
                "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
            ],
            &[
                "a1b2c3d",
                "a1b2 c3d4 e5f6",
                "api-0a1b2c3d4e5f6a7",
                "9081726354",
                "2031-11-22/15:46:24",
                "monitoring",
                "aaaa1111bbbb",
                "shop-db-7d9f8",
                "wolkenbruch",
            ],
        );
        told(
            "a UUID",
            is_uuid,
            &["0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"],
            &[
                "0f1e2d3c",
                "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f",
                "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1g0",
                "0f1e2d3cx4b5ax6978x8796xa5b4c3d2e1f0",
                "a-name-of-a-service-in-36-characters",
            ],
        );
    }

    #[test]
    fn a_key_is_one_long_word_of_mixed_letters_and_digits() {
        told(
            "a key",
            looks_like_a_key,
            &[
                "qK7rTz0wLmB4nXcV9pYd",
                "qK7rTz0wLm/B4nXcV9pYdHf",
                "team/qK7rTz0wLmB4/nXcV",
                "qK7rTz0wLm+B4nXcV9pYdHf==",
            ],
            &[
                "qK7rTz0wLmB4nXcV9pY",
                "qk7rtz0wlmb4nxcv9pydhf",
                "QK7RTZ0WLMB4NXCV9PYDHF",
                "qKsrTzowLmBonXcVapYdHf",
                "qKsrTzowLmBonXcV9pYdHf",
                "qK7rTz0wLmB4nXcV9pYd%",
                "qK7qK7qK7qK7qK7qK7qK7",
                "team/qK7rTz0wLmB/nXcV9",
            ],
        );
    }

    #[test]
    fn names_that_speak_of_a_secret_are_none() {
        told(
            "a reference",
            is_reference,
            &["settings.db_password", "auth.TOKEN", "my_key"],
            &[
                "password",
                "settings.db_passw0rd",
                "some.thing",
                "db-token.x",
            ],
        );
        told(
            "an argument",
            is_argument,
            &["old_password", "your-token", "test_key"],
            &["old_wolke", "wolke_password", "oldpassword", "password"],
        );
        told(
            "prose",
            looks_like_prose,
            &["must be set", "don't use this, please", "about 'x' % full"],
            &[
                "two words",
                "two  words",
                "kl4vier tisch lampe",
                "one-two three four",
            ],
        );
        for (value, rest, on) in [
            ("is", " required here", true),
            ("Note:", " the rest", true),
            ("wolke", "", false),
            ("wolke", " 42 times", false),
            ("wolke", " user=ada", false),
            ("wolke", " user: ada", false),
            ("wolke7", " and so on", false),
        ] {
            assert_eq!(reads_on(rest, value), on, "{value}{rest}");
        }
    }

    #[test]
    fn types_and_pointers_of_source_code_are_no_values() {
        for (value, rest, spaced, code) in [
            ("StringValue", ", x", true, true),
            ("StringValue,", "", true, true),
            ("StringValue", " = x", true, true),
            ("StringValue", " {", true, true),
            ("StringValue", "", true, false),
            ("StringValue", " and", true, false),
            ("StringValue", ", x", false, false),
            ("stringValue", ", x", true, false),
            ("Stringvalue", ", x", true, false),
            ("STRINGVALUE", ", x", true, false),
            ("StringValue7", ", x", true, false),
            ("*db_password", "", false, true),
            ("*db.password", "", false, false),
            ("*wolke7", "", false, false),
            ("vault::token", "", false, true),
            (":token", "", false, true),
            ("16u32", "", false, true),
            ("16u33", "", false, false),
            ("Option", "<String>", false, true),
            ("wolke7", "</password>", false, false),
        ] {
            assert_eq!(is_code(value, rest, spaced), code, "{value}{rest}");
        }
    }

    #[test]
    fn what_is_chosen_has_a_length_and_is_one_word() {
        let word = |length: usize| format!("wolke{}7", "x".repeat(length - 6));
        told(
            "chosen",
            is_chosen,
            &["wol7e", "tisch/7/lampe!", &word(128), "10MB!x"],
            &[
                "wo7e",
                "wolke 7tisch",
                "srv/data7/x",
                "a&quot;b7c",
                "wolke::x7",
                &word(129),
                "&lt;7wolke",
            ],
        );
    }
}
