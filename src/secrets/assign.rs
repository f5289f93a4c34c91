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
    "psk",
];

/// A key with one of the words in it, a separator, and a value: quoted, or up to a blank or a delimiter.
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?ix)
        (?P<key>[a-z0-9_.$/-]{0,64}(?:password|passwd|passwort|passphrase|pass|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key
            |encryption[_-]?key|signing[_-]?key|credentials?|auth[_-]?key|account[_-]?key|master[_-]?key|shared[_-]?key|psk)[a-z0-9_.-]{0,32})
        \\?["'\]]{0,2}\s{0,24}(?::=|=>|==?|:)\s{0,24}
        (?:[a-z]{0,2}\\?"(?P<d>[^"\\\n]{1,512})\\?"|[a-z]{0,2}\\?'(?P<q>[^'\n]{1,512})'|(?P<b>[^\s"',;&<>\[\]{}()\\|‹›]{1,512}(?:[&][^\s"',;&<>\[\]{}()=\\|‹›]{1,64}(?:\s|$))?))"#,
    )
    .unwrap_or_else(|why| panic!("the assignment pattern: {why}"))
});

/// How much a key's name says about its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// A password or a named key: whatever it holds is secret.
    Strong,
    /// Tokens and things called secret or credential, which are often names or counters.
    Weak,
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
        "privatekey",
        "encryptionkey",
        "signingkey",
        "authkey",
        "accountkey",
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
    // Names of Kubernetes secrets end in five random characters; times, versions and addresses are mostly digits.
    let only_digits = value.bytes().all(|b| !b.is_ascii_alphabetic());
    !only_digits
        && entropy(value) >= 3.0
        && ((digits >= 2 && !kebab) || (lower && upper && digits >= 1) || value.len() >= 32)
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
            || is_dummy(shown)
            || is_dummy(shown.trim_end_matches(['.', ',', ':']))
        {
            continue;
        }
        let follows = text[value.end()..].chars().next();
        // A function call or a member of source code: password = getpass(…), token := r.Header.Get("…").
        if !quoted && matches!(follows, Some('(' | '[')) {
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
        ] {
            assert!(values(text).is_empty(), "{text}: {:?}", values(text));
        }
    }
}
