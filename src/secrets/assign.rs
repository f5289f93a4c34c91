//! `password: x`, `TOKEN=x`, `"client_secret": "x"`: values told by the name of their key.

use super::check::entropy;
use super::dummy::is_dummy;
use super::keys::{FOREIGN, Key, judge_key};
use super::values::{
    is_argument, is_chosen, is_code, is_hex_key, is_reference, looks_like_a_key, looks_like_prose,
    looks_random, reads_on,
};
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// A key with one of the words in it, a separator, and a value: quoted, or up to a blank or a delimiter.
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"(?ix)
        (?P<key>[a-z0-9_.$/-]*(?:password|passwd|passwort|passphrase|passcode|passkey|pass|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key
            |encryption[_-]?key|signing[_-]?key|credentials?|auth[_-]?key|account[_-]?key|master[_-]?key|shared[_-]?key
            |app(?:lication)?[_-]?key|erlang_cookie|key|psk|authtok|community|salt|FOREIGN)[a-z0-9_.-]*
            |(?:\b|[a-z0-9.-]*[_.-])pw|[a-z0-9_.-]*(?:bind|root)pw)
        \\{0,3}["'`\]]{0,2}\s*(?::=|=>|\?=|==?|::\x20|:|：|＝|\x20->\x20)\s*
        (?:\{\s{0,8}\\?["'](?:value|s)\\?["']\s{0,4}:\s{0,4})?
        (?:!(?:unsafe|!str)\s+)?(?:Some\(|String::from\(|string\(\d{1,4}\)\s|ConvertTo-SecureString\s+|Secret(?:String|Str)?(?:::new|::from)?\(|(?:ptr|aws)\.(?:String|To)\()?
        (?:[a-z]{0,2}"""\s?(?P<t>[^"\n]+)"""|\\{1,3}"(?P<e>[^"\\\n]+)\\{1,3}"|[a-z@$]{0,2}"(?P<d>(?:[^"\\\n]|\\.)+)"
            |[a-z]{0,2}\\?'(?P<q>[^'\n]+)'|`(?P<g>[^`\n]+)`
            |(?P<b>[^\s"'`,;&<>\[\]{}()\\|‹›]+(?:[&][^\s"',;&<>\[\]{}()=\\|‹›]+(?:\s|$))?))"#
        .replace("FOREIGN", &FOREIGN.replace(' ', r"\x20"));
    Regex::new(&pattern).unwrap_or_else(|why| panic!("the assignment pattern: {why}"))
});

/// The same as arguments of a call, both quoted: `define('DB_PASSWORD', 'x')`.
static CALL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)["'](?P<key>[a-z0-9_.$/-]*(?:pass|pwd|secret|token|key|credential|salt)[a-z0-9_.-]*)["']\s{0,8},\s{0,8}(?:"(?P<d>[^"\\\n]{3,512})"|'(?P<q>[^'\\\n]{3,512})')"#,
    )
    .unwrap_or_else(|why| panic!("the pattern of calls: {why}"))
});

/// The same as an element: `<client_secret>x</client_secret>`.
static ELEMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)<(?P<key>[a-z0-9_.:-]*(?:pass|pwd|secret|token|key|credential)[a-z0-9_.-]*)>\s*(?P<d>[^<>\s][^<>\n]*?)\s*</"#,
    )
    .unwrap_or_else(|why| panic!("the pattern of elements: {why}"))
});

/// What the key `key` makes of `value`: the kind of secret, or none. `rest` is the text behind an unquoted value.
pub(super) fn keeps(key: &str, value: &str, rest: Option<&str>) -> Option<&'static str> {
    let kind = judge_key(key);
    if kind == Key::Other
        || is_argument(value)
        || is_dummy(value)
        || is_dummy(value.trim_end_matches(['.', ',', ':', '!', '?', ';']))
        || is_the_key(key, value)
    {
        return None;
    }
    let keep = match (kind, rest) {
        // The folder that a shell is in.
        _ if key.eq_ignore_ascii_case("pwd") && value.contains(['/', '\\']) => false,
        (Key::Strong, None) => value.len() >= 3 && !looks_like_prose(value),
        (Key::Strong, Some(rest)) => {
            value.len() >= 3
                && (value.len() >= 4 || value.bytes().any(|b| !b.is_ascii_digit()))
                && !names_a_key(key, value)
                && !reads_on(rest, value)
        }
        (Key::Chosen, _) => looks_random(value) || is_chosen(value),
        (Key::Weak, _) => {
            looks_random(value)
                || value.len() >= 8
                    && is_chosen(value)
                    && value.bytes().any(|b| b.is_ascii_digit())
                    && value
                        .bytes()
                        .any(|b| b.is_ascii_punctuation() && !b"-_./:,".contains(&b))
        }
        (Key::Bytes, _) => looks_like_a_key(value) || is_hex_key(value),
        (Key::Faint, None) => looks_like_a_key(value) || is_noise(value),
        (Key::Faint, _) => looks_like_a_key(value),
        (Key::Other, _) => false,
    };
    keep.then_some(if kind == Key::Strong {
        "password"
    } else {
        "token"
    })
}

/// Values of secret keys in the line `text`; `report` is called with the byte range of each.
pub(super) fn find(text: &str, mut report: impl FnMut(&'static str, Range<usize>)) {
    for found in ASSIGNMENT.captures_iter(text) {
        let (Some(key), Some(value), quoted) = (
            found.name("key"),
            ["t", "e", "d", "q", "g", "b"]
                .iter()
                .find_map(|name| found.name(name)),
            found.name("b").is_none(),
        ) else {
            continue;
        };
        // ${DB_PASS:?missing}, {{ token | default("x") }}
        // `public key: …` and the keys of tables and hosts.
        let before = text[..key.start()].trim_end_matches(['-', ' ']);
        let word = before
            .rsplit(|c: char| !c.is_alphanumeric())
            .next()
            .unwrap_or("");
        if text[..key.start()].ends_with("${")
            || key.as_str().eq_ignore_ascii_case("key")
                && [
                    "public",
                    "host",
                    "peer",
                    "primary",
                    "foreign",
                    "partition",
                    "cache",
                    "sort",
                ]
                .iter()
                .any(|other| word.eq_ignore_ascii_case(other))
        {
            continue;
        }
        if quoted {
            if let Some(name) = keeps(key.as_str(), value.as_str(), None) {
                report(name, value.range());
            }
            continue;
        }
        let range = whole_word(text, key.start(), value.range());
        let shown = &text[range.clone()];
        let rest = &text[range.end..];
        // A function call or a member of source code: password = getpass(…), token := r.Header.Get("…").
        if rest.starts_with(['(', '[', '{', '`'])
            || is_reference(shown)
            || is_code(shown, rest, text[..range.start].ends_with(' '))
        {
            continue;
        }
        if let Some(name) = keeps(key.as_str(), shown, Some(rest)) {
            report(name, range);
        }
    }
    for (wanted, pattern) in [(text.contains(','), &CALL), (text.contains("</"), &ELEMENT)] {
        if wanted {
            pairs(pattern, text, &mut report);
        }
    }
}

/// The whole word when it is the last one of the line `text` that begins with the key: there a bracket, a semicolon or an
/// ampersand is part of a password, as in an environment file or in YAML.
fn whole_word(text: &str, key: usize, value: Range<usize>) -> Range<usize> {
    let rest = text[value.end..].trim_end();
    let begins = matches!(
        text[..key].trim(),
        "" | "-" | "export" | "ENV" | "set" | "setenv" | "Environment="
    );
    let is_name = text[value.clone()]
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':'));
    let call = is_name && rest.starts_with(['(', '[', '{', '<']);
    let closing = rest.bytes().all(|b| b",;)}]>|".contains(&b));
    if !begins || call || closing || rest.contains([' ', '\t', '"', '\'', '`', '‹', '$']) {
        return value;
    }
    value.start..value.end + rest.trim_end_matches([',', ';']).len()
}

/// Whether the value is the key once more: the name of an attribute, of a column, of a field.
fn is_the_key(key: &str, value: &str) -> bool {
    let last = key.rsplit(['.', '/', '$']).next().unwrap_or(key);
    value.eq_ignore_ascii_case(last) || value.eq_ignore_ascii_case(key)
}

/// `secretKey: api-token` of a reference to a Secret: plain words with hyphens.
fn names_a_key(key: &str, value: &str) -> bool {
    key.ends_with("Key")
        && value
            .bytes()
            .all(|b| b.is_ascii_lowercase() || matches!(b, b'-' | b'_' | b'.'))
}

/// Whether the value is what a generator of salts writes: long, of all sorts of characters.
fn is_noise(value: &str) -> bool {
    value.len() >= 20
        && entropy(value) >= 4.0
        && value.matches(' ').count() <= 3
        && value.bytes().any(|b| b.is_ascii_digit())
        && value.bytes().any(|b| b.is_ascii_alphabetic())
        && value
            .bytes()
            .filter(|b| b.is_ascii_punctuation() && !b"_-./".contains(b))
            .count()
            * 8
            >= value.len()
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
        if is_reference(shown) {
            continue;
        }
        let word = shown
            .bytes()
            .all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.' | b'-' | b':' | b'/'));
        let Some(name) = keeps(key.as_str(), shown, None) else {
            continue;
        };
        let before = text[..found.get(0).map_or(0, |pair| pair.start())].trim_end();
        let sets = before.ends_with("define(") || before.ends_with("setenv(");
        if name != "password" || sets || (!word && !shown.contains(' ') && shown.len() >= 6) {
            report(name, value.range());
        }
    }
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

    #[test]
    fn finds_values_in_other_dress() {
        for (text, value) in [
            ("APP_SECRET_KEY=ab2#c(d=e)f&g7;h", "ab2#c(d=e)f&g7;h"),
            ("  db_password: x9)y&z{4", "x9)y&z{4"),
            (
                "Account { password: Some(\"kl4vier-tisch\"), id: 4 }",
                "kl4vier-tisch",
            ),
            ("[\"passwd\"]=> string(9) \"tisch-442\"", "tisch-442"),
            (
                "\"admin_password\": {\"value\": \"tisch-442\", \"type\": \"string\"}",
                "tisch-442",
            ),
            ("password = \"\"\"tisch;442\"\"\"", "tisch;442"),
            ("Map(user -> x, password -> tisch442)", "tisch442"),
            ("{\\\\\"password\\\\\":\\\\\"tisch442\\\\\"}", "tisch442"),
            ("{\"password\":\"ti\\u0073ch442\"}", "ti\\u0073ch442"),
            ("uid=sa;pwd=tisch#442;", "tisch#442"),
            ("Mot de passe : tisch442", "tisch442"),
            ("Пароль: tisch442", "tisch442"),
            ("密码：tisch442", "tisch442"),
            ("hasło=tisch442", "tisch442"),
            (
                "signingKey = 0f1e2d3c4b5a69788796a5b4c3d2e1f0",
                "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
            ),
            (
                "define('AUTH_SALT', '5k(=Zr|&vT9:pQ#x2{Lm;8wB');",
                "5k(=Zr|&vT9:pQ#x2{Lm;8wB",
            ),
            ("snmp_community: wolke77x", "wolke77x"),
            ("user: x, pw: tisch442", "tisch442"),
        ] {
            assert_eq!(values(text), [value], "{text}");
        }
    }

    #[test]
    fn leaves_what_only_names_a_secret() {
        for text in [
            "${DB_PASS:?missing}",
            "userPassword=\"userPassword\"",
            "  secretKey: api-token",
            "next_page_token=fHYBa7VSOpDbaDOwMXuRujOVjUx",
            "checksum/secret: 0f1e2d3c4b5a69788796a5b4c3d2e1f0",
            "com.example.PasswordEncoder: debug",
            "def check(password: str) -> bool:",
            "password = cipher.decrypt(blob)",
            "client_token: hmac-sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f0",
            "monkey: abc",
            "pub fn login(password: SecretText, user: &str)",
            "token: Option<i32>,",
            "pwd: *mut passwd,",
            "SigningKey::to_scalar_bytes",
            "pub const LAST_PW: u32 = 1109422304;",
            "x://h/p?key=value&key2=value2#fragid1",
            "  public key: x7Fq2mKc9vLw4RtYz8BnPq3xJ5sD1gH0kE6uA2iO4wQ=",
            "PWD=/home/bo1",
            "PWD = C:\\Users\\bo1",
        ] {
            assert!(values(text).is_empty(), "{text}: {:?}", values(text));
        }
    }

    #[test]
    fn a_password_may_be_short_and_is_no_sentence() {
        for (text, value) in [
            ("password: a7z", "a7z"),
            ("password: 4711", "4711"),
            ("\"password\": \"a7z\"", "a7z"),
            ("\"password\": \"kl4vier tisch\"", "kl4vier tisch"),
            (
                "\"password\": \"kl4vier tisch wolke\"",
                "kl4vier tisch wolke",
            ),
        ] {
            assert_eq!(values(text), [value], "{text}");
        }
        for text in [
            "password: a7",
            "password: 471",
            "\"password\": \"a7\"",
            "\"password\": \"must not be empty\"",
            "\"password\": \"test_password\"",
            "\"password\": \"tisch442...\"",
            "\"password\": \"%PASSWORD%;\"",
            "\"app.db_pass\": \"db_pass\"",
            "\"app.db_pass\": \"app.db_pass\"",
        ] {
            assert!(values(text).is_empty(), "{text}: {:?}", values(text));
        }
    }

    #[test]
    fn the_value_of_a_token_is_random_or_made_up() {
        for value in ["tis!442x", "tisch!442", "x7Fq2mKc", "kl4vier#tisch"] {
            assert_eq!(values(&format!("session_token={value}")), [value]);
        }
        for value in [
            "ti!442x",
            "tisch-wolke",
            "tisch!wolke",
            "tischwolke4",
            "tisch-442",
            "/tisch!442",
        ] {
            let text = format!("session_token={value}");
            assert!(values(&text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_salt_is_noise() {
        for value in [
            "5k(=Zr|&vT9:pQ#x2{Lm",
            "5k(=Zr|&vT9 pQ# x2 {Lm;8wB",
            "5kZrvT9(pQx2!LmaB8wBc7#d",
        ] {
            assert_eq!(values(&format!("'NONCE_SALT': '{value}'")), [value]);
        }
        for value in [
            "5k(=Zr|&vT9:pQ#x2{L",
            "5k(5k(5k(5k(5k(5k(5k(5k(",
            "5k(=Zr|& vT9 pQ# x2 {Lm;8wB",
            "ak(=Zr|&vT!:pQ#xb{Lm",
            "51(=20|&369:94#72{48+;6@",
            "5kZrvT9(pQx2!LmaB8wBc7#de",
            "5k-Zr/vT9.pQ_x2-Lm_8wB!",
        ] {
            let text = format!("'NONCE_SALT': '{value}'");
            assert!(values(&text).is_empty(), "{text}: {:?}", values(&text));
        }
    }

    #[test]
    fn the_argument_beside_the_name_of_a_secret() {
        for (text, value) in [
            ("login('DB_PASSWORD', 'ti442x');", "ti442x"),
            ("define('DB_PASSWORD', 'sommerregen');", "sommerregen"),
            ("define( 'DB_PASSWORD', 'tisch 442x' );", "tisch 442x"),
            ("setenv(\"DB_PASSWORD\", \"wolke\", 1);", "wolke"),
            (
                "setItem(\"token\", \"x7Fq2mKc9vLw4RtY\")",
                "x7Fq2mKc9vLw4RtY",
            ),
            (
                "setItem(\"token\", \"QwJfPgLuZyArStDhNeIoKmBvCxZqWjFp\")",
                "QwJfPgLuZyArStDhNeIoKmBvCxZqWjFp",
            ),
        ] {
            assert_eq!(values(text), [value], "{text}");
        }
        for text in [
            "define('DB_PASSWORD', '');",
            "swap(\"password\", \"session-id\")",
            "rename(\"password\", \"v1.2\")",
            "fail(\"password\", \"at least 8 characters\")",
            "get(\"token\", \"applicationsettingsregistry.client_secret\")",
        ] {
            assert!(values(text).is_empty(), "{text}: {:?}", values(text));
        }
    }

    #[test]
    fn of_a_long_value_nothing_stays() {
        let value = "x7Fq2mKc9vLw4RtYz8BnPq3xJ5sD1gH0".repeat(160);
        for text in [
            format!("SESSION_TOKEN={value}"),
            format!("{{\"session_token\": \"{value}\"}}"),
        ] {
            assert_eq!(values(&text), [&value]);
        }
    }
}
