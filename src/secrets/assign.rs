//! `password: x`, `TOKEN=x`, `"client_secret": "x"`: values told by the name of their key.

use super::check::entropy;
use super::dummy::is_dummy;
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// Literals, any case, one of which stands in a secret's key.
pub(super) const KEYWORDS: &[&str] = &[
    "password",
    "passwd",
    "passwort",
    "passphrase",
    "_pass",
    "pass=",
    "pass:",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "accesskey",
    "access_key",
    "private_key",
    "privatekey",
    "encryption_key",
    "encryptionkey",
    "signing_key",
    "credential",
    "auth_key",
    "authkey",
    "account_key",
    "master_key",
    "shared_key",
    "app_key",
    "appkey",
    "application_key",
    "erlang_cookie",
    "_key",
    "-key",
    "psk",
];

/// Longest rest of a key after its word, in bytes.
const MAX_TAIL: usize = 32;
/// Most blanks before a separator.
const MAX_BLANKS: usize = 24;

/// Whether the keyword at `at` can be part of a key with a value: what decides is a few bytes behind it, which spares
/// the expression most lines of a log.
pub(super) fn may_follow(text: &str, at: Range<usize>) -> bool {
    let bytes = text.as_bytes();
    if matches!(bytes[at.end - 1], b'=' | b':') {
        return true;
    }
    let rest = &bytes[at.end..bytes.len().min(at.end + MAX_TAIL + MAX_BLANKS + 8)];
    let tail = rest
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        .count();
    let rest = &rest[tail..];
    let quotes = rest
        .iter()
        .take(4)
        .take_while(|b| matches!(b, b'\\' | b'"' | b'\'' | b']'))
        .count();
    let rest = &rest[quotes..];
    let blanks = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
    match rest.get(blanks) {
        Some(b':' | b'=') => true,
        Some(b',') => quotes > 0,
        Some(b'>') => blanks == 0,
        _ => false,
    }
}

/// A key with one of the words in it, a separator, and a value: quoted, or up to a blank or a delimiter.
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?ix)
        (?P<key>[a-z0-9_.$/-]{0,64}(?:password|passwd|passwort|passphrase|pass|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key
            |encryption[_-]?key|signing[_-]?key|credentials?|auth[_-]?key|account[_-]?key|master[_-]?key|shared[_-]?key
            |app(?:lication)?[_-]?key|erlang_cookie|[_-]key|psk)[a-z0-9_.-]{0,32})
        \\?["'\]]{0,2}\s{0,24}(?::=|=>|==?|:)\s{0,24}
        (?:[a-z]{0,2}\\?"(?P<d>[^"\\\n]{1,512})\\?"|[a-z]{0,2}\\?'(?P<q>[^'\n]{1,512})'|(?P<b>[^\s"',;&<>\[\]{}()\\|‹›]{1,512}(?:[&][^\s"',;&<>\[\]{}()=\\|‹›]{1,64}(?:\s|$))?))"#,
    )
    .unwrap_or_else(|why| panic!("the assignment pattern: {why}"))
});

/// The same as arguments of a call, both quoted: `define('DB_PASSWORD', 'x')`.
static CALL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)["'](?P<key>[a-z0-9_.$/-]{0,64}(?:pass|pwd|secret|token|key|credential)[a-z0-9_.-]{0,32})["']\s{0,8},\s{0,8}(?:"(?P<d>[^"\\\n]{3,512})"|'(?P<q>[^'\\\n]{3,512})')"#,
    )
    .unwrap_or_else(|why| panic!("the pattern of calls: {why}"))
});

/// The same as an element: `<client_secret>x</client_secret>`.
static ELEMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)<(?P<key>[a-z0-9_.:-]{0,64}(?:pass|pwd|secret|token|key|credential)[a-z0-9_.-]{0,32})>\s*(?P<d>[^<>\s][^<>\n]{0,511}?)\s*</"#,
    )
    .unwrap_or_else(|why| panic!("the pattern of elements: {why}"))
});

/// How much a key's name says about its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// A password or a named key: whatever it holds is secret.
    Strong,
    /// Tokens and things called secret or credential, which are often names or counters.
    Weak,
    /// Something's key: licence keys and signing keys, and keys of maps and tables too.
    Faint,
    /// The word is in the key and the value is something else: a count, a name, a file.
    Other,
}

fn judge_key(key: &str) -> Key {
    let flat: String = key
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let last_part = key.rsplit(['.', '/', '$']).next().unwrap_or(key);
    if matches!(last_part, "PWD" | "OLDPWD" | "pwd" | "cwd") {
        return Key::Other;
    }
    const TAILS: &[&str] = &[
        "name",
        "names",
        "file",
        "files",
        "path",
        "paths",
        "dir",
        "directory",
        "url",
        "uri",
        "endpoint",
        "ref",
        "keyref",
        "refs",
        "type",
        "types",
        "count",
        "counts",
        "ttl",
        "lifetime",
        "expiry",
        "expires",
        "expiration",
        "expiresin",
        "expirationseconds",
        "length",
        "len",
        "minlength",
        "maxlength",
        "size",
        "limit",
        "enabled",
        "disabled",
        "required",
        "policy",
        "id",
        "ids",
        "version",
        "format",
        "algorithm",
        "alg",
        "encryption",
        "hashing",
        "namespace",
        "issuer",
        "audience",
        "audiences",
        "review",
        "reviews",
        "authentication",
        "auth",
        "mode",
        "age",
        "days",
        "rotation",
        "interval",
        "created",
        "updated",
        "at",
        "prompt",
        "hint",
        "field",
        "column",
        "label",
        "title",
        "text",
        "message",
        "error",
        "class",
        "provider",
        "resolver",
        "store",
        "manager",
        "engine",
        "backend",
        "mount",
        "mounts",
        "volume",
        "key",
        "sources",
        "source",
        "controller",
        "cleaner",
        "status",
        "state",
        "usage",
        "rate",
        "bucket",
        "range",
        "ranges",
        "index",
        "strategy",
        "attempts",
        "retries",
        "timeout",
        "change",
        "changed",
        "quality",
        "history",
        "warn",
        "lock",
        "locked",
        "last",
        "set",
        "reset",
        "list",
        "owners",
        "hosts",
        "hashmethod",
    ];
    const STRONG: &[&str] = &[
        "password",
        "passwd",
        "passwort",
        "passphrase",
        "pass",
        "pwd",
        "clientsecret",
        "secretkey",
        "apikey",
        "accesskey",
        "encryptionkey",
        "signingkey",
        "authkey",
        "accountkey",
        "appkey",
        "applicationkey",
        "erlangcookie",
        "masterkey",
        "sharedkey",
        "psk",
        "apisecret",
        "appsecret",
        "sharedsecret",
        "userpassword",
        "secretaccesskey",
        "presharedkey",
    ];
    if STRONG.iter().any(|tail| flat.ends_with(tail)) {
        // Compass, bypass, tokens per pass and the like end in "pass" without being a key for a password.
        if flat.ends_with("pass")
            && !(flat == "pass"
                || key.to_ascii_lowercase().ends_with("_pass")
                || key.to_ascii_lowercase().ends_with("-pass")
                || key.to_ascii_lowercase().ends_with(".pass")
                || key.ends_with("Pass"))
        {
            return Key::Other;
        }
        return Key::Strong;
    }
    if flat.ends_with("privatekey") {
        return Key::Weak;
    }
    if flat.ends_with("key") && !flat.ends_with("publickey") && !flat.contains("secret") {
        return Key::Faint;
    }
    if TAILS.iter().any(|tail| flat.ends_with(tail))
        || flat.contains("maxtoken")
        || flat.contains("publickey")
        || flat.ends_with("tokens")
    {
        return Key::Other;
    }
    // Digits after the word: password1, DB_PASSWORD_2.
    let bare = flat.trim_end_matches(|c: char| c.is_ascii_digit());
    if STRONG.iter().any(|tail| bare.ends_with(tail))
        && bare.len() < flat.len()
        && !flat.ends_with("256")
    {
        return Key::Strong;
    }
    if flat.contains("password") || flat.contains("passphrase") {
        Key::Strong
    } else {
        Key::Weak
    }
}

/// Whether a token-like value looks random rather than like a name, a version or a sentence.
fn looks_random(value: &str) -> bool {
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
fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Whether the value can only be a key: one long word of mixed letters and digits.
fn looks_like_a_key(value: &str) -> bool {
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

/// Values of secret keys in `text`; `report` is called with the byte range of each.
pub(super) fn find(text: &str, mut report: impl FnMut(&'static str, Range<usize>)) {
    for found in ASSIGNMENT.captures_iter(text) {
        let (Some(key), Some(value), quoted) = (
            found.name("key"),
            found
                .name("d")
                .or_else(|| found.name("q"))
                .or_else(|| found.name("b")),
            found.name("b").is_none(),
        ) else {
            continue;
        };
        let kind = judge_key(key.as_str());
        let shown = value.as_str();
        if kind == Key::Other
            || is_argument(shown)
            || is_dummy(shown)
            || is_dummy(shown.trim_end_matches(['.', ',', ':']))
        {
            continue;
        }
        let follows = text[value.end()..].chars().next();
        // A function call or a member of source code: password = getpass(…), token := r.Header.Get("…").
        if !quoted && matches!(follows, Some('(' | '[' | '{')) {
            continue;
        }
        if !quoted && is_reference(shown) {
            continue;
        }
        let keep = match kind {
            Key::Strong if quoted => shown.len() >= 3 && !looks_like_prose(shown),
            Key::Strong => {
                shown.len() >= 3
                    && !(shown.bytes().all(|b| b.is_ascii_digit()) && shown.len() < 4)
                    && !reads_on(&text[value.end()..], shown)
            }
            Key::Weak => looks_random(shown),
            Key::Faint => looks_like_a_key(shown),
            Key::Other => false,
        };
        if keep {
            let name = match kind {
                Key::Strong => "password",
                _ => "token",
            };
            report(name, value.range());
        }
    }
    for (wanted, pattern) in [(text.contains(','), &CALL), (text.contains("</"), &ELEMENT)] {
        if wanted {
            pairs(pattern, text, &mut report);
        }
    }
}

/// Values whose key stands beside them without a separator of assignments. A word alone is rather the name of
/// another thing: `rename("token", "session")`.
fn pairs(pattern: &Regex, text: &str, report: &mut impl FnMut(&'static str, Range<usize>)) {
    for found in pattern.captures_iter(text) {
        let (Some(key), Some(value)) = (
            found.name("key"),
            found.name("d").or_else(|| found.name("q")),
        ) else {
            continue;
        };
        let shown = value.as_str();
        if is_dummy(shown) || is_reference(shown) || looks_like_prose(shown) {
            continue;
        }
        let word = shown
            .bytes()
            .all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.' | b'-' | b':' | b'/'));
        match judge_key(key.as_str()) {
            Key::Strong if !word && !shown.contains(' ') && shown.len() >= 6 => {
                report("password", value.range());
            }
            Key::Weak if looks_random(shown) => report("token", value.range()),
            Key::Faint if looks_like_a_key(shown) => report("token", value.range()),
            _ => {}
        }
    }
}

/// A name in source code or configuration that speaks of a secret instead of being one: `settings.db_password`.
fn is_reference(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    value.contains(['.', '_'])
        && value
            .bytes()
            .all(|b| b.is_ascii_alphabetic() || matches!(b, b'.' | b'_'))
        && ["pass", "secret", "token", "key", "pwd", "credential"]
            .iter()
            .any(|word| lower.contains(word))
}

/// What tests and documentation pass for a password: `old_password`, `your-token`.
fn is_argument(value: &str) -> bool {
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
fn looks_like_prose(value: &str) -> bool {
    let words: Vec<_> = value.split(' ').filter(|word| !word.is_empty()).collect();
    words.len() >= 3
        && words.iter().all(|word| {
            word.chars()
                .all(|c| c.is_alphabetic() || matches!(c, '.' | ',' | '\'' | ':' | '%'))
        })
}

/// Whether an unquoted word of letters is followed by further words: prose after a colon.
fn reads_on(rest: &str, value: &str) -> bool {
    value
        .bytes()
        .all(|b| b.is_ascii_alphabetic() || matches!(b, b'.' | b',' | b':'))
        && rest.strip_prefix(' ').is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_lowercase())
                && rest
                    .split(' ')
                    .next()
                    .is_some_and(|word| !word.contains('='))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<&str> {
        let mut out = Vec::new();
        find(text, |_, range| out.push(&text[range]));
        out
    }

    #[test]
    fn finds_values_by_the_name_of_their_key() {
        for (text, value) in [
            ("password: hunter2", "hunter2"),
            ("DB_PASSWORD=hunter2", "hunter2"),
            ("db.password = hunter2 # x", "hunter2"),
            ("\"client_secret\": \"h8/x Yz\",", "h8/x Yz"),
            ("spring.datasource.password=hunter2", "hunter2"),
            (
                "Server=x;User Id=sa;Password=hunter2;Encrypt=true",
                "hunter2",
            ),
            ("{\\\"password\\\":\\\"hunter2\\\"}", "hunter2"),
            ("'passwd' => 'hunter2',", "hunter2"),
            ("requirepass_token=x7Fq2mKc9vLw4RtY", "x7Fq2mKc9vLw4RtY"),
            ("RABBITMQ_DEFAULT_PASS=hunter2", "hunter2"),
            (
                "connection: mysql://h/db?user=a&password=hunter2&ssl=1",
                "hunter2",
            ),
            ("    DB_PASSWORD:   hunter2", "hunter2"),
            ("api_key=0a1b2c3d4e5f", "0a1b2c3d4e5f"),
            (
                "splunk_token: 0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0",
                "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0",
            ),
            ("define('DB_PASSWORD', 'hunter2');", "hunter2"),
            (
                "<client_secret>x7Fq2mKc9vLw4RtY</client_secret>",
                "x7Fq2mKc9vLw4RtY",
            ),
            (
                "license_key: x7Fq2mKc9vLw4RtYz8BnPq3",
                "x7Fq2mKc9vLw4RtYz8BnPq3",
            ),
        ] {
            assert_eq!(values(text), [value], "{text}");
        }
    }

    #[test]
    fn leaves_names_counts_and_prose_alone() {
        for text in [
            "secretName: my-tls-secret-x7f2k",
            "passwordFile: /run/secrets/pw",
            "token: default-token-abcde",
            "max_tokens=4096",
            "passwd: files systemd",
            "PWD=/root",
            "password: ***HIDDEN***",
            "password = ${DB_PASSWORD}",
            "password: authentication failed for user",
            "invalid token: unexpected end of input",
            "token = r.Header.Get(\"x\")",
            "PasswordAuthentication: yes",
            "secret: ",
            "tokenExpirationSeconds: 3600",
            "kubernetes.io/service-account-token: opaque",
            "error: password: wrong password given",
            "secret/db-credentials: not found",
            "bypass: enabled",
            "\"password\": \"\"",
            "password = settings.db_password",
            "if password != other_password: raise ValueError",
            "rename(\"token\", \"session\")",
            "[\"password\", \"username\", \"token\"]",
            "cache_key: shop/api/orders/2024-03-01T10:00:00Z/7",
            "primary_key: OrderId",
            "partition_key = 0123456789abcdef0123456789abcdef",
            "keySecret: projects/p/secrets/shop-key/versions/31",
            "<token>opaque</token>",
            "--private-key=db:Open_vSwitch,SSL,private_key",
            "private_key = $dir/private/cakey.pem",
            "change(\"password\", \"old_password\")",
            "when(\"layer.secret\", \"layer.vaultlocker.ready\")",
            "password: admin::{}",
        ] {
            assert!(values(text).is_empty(), "{text}: {:?}", values(text));
        }
    }
}
