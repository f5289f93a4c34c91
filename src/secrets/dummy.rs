//! What stands in a secret's place without being one: redactions, variables, types, prose.

/// Words that follow "password:" or "token=" in prose, configuration and source without being a secret.
const WORDS: &str = " \
 a access active admin-password all allow allowed always and any apikey are argon2 as ask async at auth authenticated authentication authorization \
 authtoken auto available aws bad base64 basic bcrypt be bearer been blank bool boolean bot by bytes cannot cert certificate \
 change changed char check client cluster compat config configured created crypt csrf current data db default defined \
 deleted denied deprecated digest disable disabled disallowed does empty enable enabled encrypt encrypted enter env environment \
 error exceeded existing exists expire expired expires fail failed failure false field file files for format found from \
 generate generated generic get getpass given global group guest has hash hashed have header hidden id if ignore \
 ignored in include incorrect input int integer internal invalid is issued it json jwt jwks key keystone kerberos known kubernetes ldap \
 length local locked login long lookup managed manager masked match matches max mechanism method min mismatch missing \
 mode must name nil nis no nobody nologin none not null number oauth oauth2 object of off ok on one only opaque opt optional or pam \
 param parameter parse parsed pass passed password passwords path payload pem permission plain plaintext present privileged prompt \
 property provided provider raise read redacted refresh refused reject rejected required request reset resource response \
 restricted retrieved return revoked root rotate rotated rsa secret secrets see self-signed service session set sha256 sha512 should \
 size skip skipped sss static string success successful successfully sudo supplied system systemd template test text that the this throw \
 timeout to token tokens too true try type undefined unauthorized unchanged unknown unset unused updated usage use used user \
 username using uuid valid validated validation value variable vault verified verify via was when will winbind with without wrong \
 debug info warn trace new old await return super function lambda passphrase str bytes varchar nvarchar text blob dict list self on_create on-create n/a nvarchar2 optional \
 x509 yaml yes you your kubernetes.io/service-account-token kubernetes.io/dockerconfigjson bootstrap.kubernetes.io/token ";

/// Values too common to replace wherever they occur; they are hidden only where the context says that they are secret.
const COMMON: &str = " \
 admin administrator ansible apache backup bitnami cassandra ceph changeit changeme cinder cloudera consul demo docker elastic \
 elasticsearch example foobar gitlab glance grafana guestguest harbor horizon influxdb jenkins keystone kibana kubernetes letmein \
 mariadb master minio minioadmin mongodb monitor mysecretpassword mysql neutron nginx nova openstack oracle password passw0rd \
 postgres postgresql prometheus public private qwerty rabbit rabbitmq rancher readonly redis replica replication root secret \
 server service sonar splunk sqlserver supersecret system tomcat toor user username vagrant vault welcome wordpress zabbix zookeeper \
 123456 1234567 12345678 123456789 1234567890 000000 111111 ";

fn listed(list: &str, word: &str) -> bool {
    !word.contains(' ') && list.contains(&format!(" {word} "))
}

/// Whether `value` is a placeholder, a reference, a redaction or a word of prose rather than a secret.
pub(super) fn is_dummy(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'', '\\', '`']);
    let Some(first) = value.chars().next() else {
        return true;
    };
    let lower = value.to_ascii_lowercase();
    let unpunctuated = lower.trim_end_matches(['.', ',', ':', ';', '!', '?', ')', ']']);
    if listed(WORDS, &lower) || listed(WORDS, unpunctuated) {
        return true;
    }
    // Masks: asterisks, x's, bullets, dots, dashes and one repeated character.
    if value.chars().all(|c| c == first)
        || value.contains("***")
        || value.contains("•••")
        || value.contains("███")
        || lower.contains("xxxx")
    {
        return true;
    }
    let body = lower.trim_start_matches(['<', '[', '(', '{', '*', '_', '-', '‹', '#']);
    if body.starts_with("secret:") || REDACTIONS.iter().any(|word| is_redaction(body, word)) {
        return true;
    }
    // What elides, encrypts or digests: sk-..., ENC[AES256_GCM,…], hmac-sha256:….
    if value.ends_with("...")
        || value.ends_with('…')
        || lower.starts_with("enc[")
        || lower.starts_with("hmac-sha")
        || lower.starts_with("sha256:")
        || lower.starts_with("-----begin")
        || lower.starts_with("pk_live_")
        || lower.starts_with("pk_test_")
        || is_sealed(value)
        || is_example(&lower)
    {
        return true;
    }
    // A line that is still to be filled in: SP%d_ERR=0x%08x.
    if ["%s", "%d", "%0", "%x", "%u", "%v"]
        .iter()
        .any(|format| value.contains(format))
        && (first == '%' || value.contains(['=', '_', '[']))
    {
        return true;
    }
    // References: $VAR, ${VAR}, $(VAR), {{ value }}, %VAR%, <value>, @file, &anchor, !vault.
    if matches!(first, '<' | '{' | '[' | '(' | '&' | '!' | '|' | '‹' | '@') && !is_made_up(value)
        || value.starts_with("%(")
        || value.starts_with("#{")
        || value.starts_with("$_")
        || lower.starts_with("$env:")
        || value.contains("${")
        || value.contains("{{")
        || value.contains("$(")
        || value.contains("{}")
        || (first == '$' && value.contains('/') && !value.contains("$$"))
    {
        return true;
    }
    if first == '$'
        && value[1..]
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !value[1..].starts_with(|c: char| c.is_ascii_digit())
    {
        return true;
    }
    if first == '%' && value.ends_with('%') {
        return true;
    }
    // Paths, addresses and source code.
    if value.starts_with('/') && value[1..].contains('/')
        || value.starts_with("./")
        || value.starts_with("~/")
        || lower.contains("://")
    {
        return true;
    }
    if value.contains("()")
        || value.ends_with('(')
        || lower.starts_with("os.environ")
        || lower.starts_with("process.env")
        || lower.starts_with("env.")
        || lower.starts_with("your")
    {
        return true;
    }
    // The name of an environment variable.
    value.contains('_')
        && value.len() > 5
        && value.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
}

/// Whether a value that begins with a sign is a word that a generator of passwords makes: `!tisch442`, `[x7Fq2mKc`.
fn is_made_up(value: &str) -> bool {
    value.len() >= 8
        && value.bytes().any(|b| b.is_ascii_digit())
        && value.bytes().any(|b| b.is_ascii_alphabetic())
        && !value.contains(char::is_whitespace)
        && !value.contains(['/', '.', ':', '=', '>', '}', ']', ')', '›', '"', '\''])
}

/// Words that a redaction begins with.
const REDACTIONS: &[&str] = &[
    "redacted",
    "masked",
    "hidden",
    "removed",
    "scrubbed",
    "obfuscated",
    "sanitized",
    "filtered",
    "placeholder",
];

/// Whether `lower` says with `word` that something was here: a longer word with digits is one that a person made up.
fn is_redaction(lower: &str, word: &str) -> bool {
    lower.strip_prefix(word).is_some_and(|rest| {
        !rest.starts_with(char::is_alphanumeric) || !rest.bytes().any(|b| b.is_ascii_digit())
    })
}

/// Words that only a template's value has, beside others: `insert-client-secret-here`, `xoxb-your-token`.
const TEMPLATE: &str =
    " your insert here replace replaceme placeholder please todo fixme goes example sample enter ";

/// Whether the value, in lower case, is what a template or a vendor's documentation has in its place.
pub(super) fn is_example(lower: &str) -> bool {
    if lower.ends_with("example") || lower.ends_with("examplekey") || lower.contains("xxxxxx") {
        return lower.len() > 8;
    }
    let parts = || {
        lower
            .split(['-', '_', ' ', '.'])
            .filter(|part| !part.is_empty())
    };
    parts().count() >= 2
        && parts().any(|part| listed(TEMPLATE, part))
        && !lower.bytes().any(|b| b.is_ascii_digit())
}

/// Sealed by a controller's public key: long base64 that begins with the length of its wrapped key.
fn is_sealed(value: &str) -> bool {
    value.len() > 400
        && ["AgA", "AgB", "AgC", "AgD"]
            .iter()
            .any(|head| value.starts_with(head))
}

/// Whether `value` is too short or too common to be replaced wherever it stands.
pub(super) fn only_in_context(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    if listed(COMMON, &lower) || listed(WORDS, &lower) {
        return true;
    }
    let kinds = [
        value.chars().any(char::is_alphabetic),
        value.chars().any(|c| c.is_ascii_digit()),
        value.chars().any(|c| !c.is_alphanumeric()),
    ];
    match value.chars().count() {
        0..=3 => true,
        4..=5 => kinds.iter().filter(|kind| **kind).count() < 2,
        // A single short word of letters may occur in any sentence.
        6..=8 => value.bytes().all(|b| b.is_ascii_lowercase()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_no_secrets() {
        for value in [
            "***HIDDEN***",
            "<redacted>",
            "${DB_PASSWORD}",
            "$DB_PASSWORD",
            "$(TOKEN)",
            "{{ .Values.pw }}",
            "true",
            "",
            "null",
            "xxxxxxxx",
            "********",
            "/run/secrets/db",
            "DB_PASSWORD",
            "%PASSWORD%",
            "[REDACTED]",
            "required",
            "invalid,",
            "‹secret:jwt:1›",
            "os.environ['X']",
            "getpass()",
            "https://vault/x",
            "your-token-here",
            "-----",
        ] {
            assert!(is_dummy(value), "{value:?}");
        }
        for value in [
            "hunter2",
            "s3cretpw",
            "Tr0ub4dor&3",
            "changeme",
            "$2y$10$abc",
            "p@ss/word",
            "correct horse",
            "P4$$w0rd",
        ] {
            assert!(!is_dummy(value), "{value:?}");
        }
    }

    #[test]
    fn common_words_are_hidden_in_context_only() {
        for value in [
            "postgres", "admin", "abc", "a1b", "changeme", "123456", "redis", "orders", "5432",
        ] {
            assert!(only_in_context(value), "{value:?}");
        }
        for value in [
            "hunter2",
            "s3cretpw",
            "a1b2",
            "ab-cd",
            "correcthorsebattery",
            "x7!q",
            "918273",
        ] {
            assert!(!only_in_context(value), "{value:?}");
        }
    }

    #[test]
    fn what_stands_for_a_secret_in_one_way_alone() {
        let sealed = format!("AgB{}", "x7Fq2mKc".repeat(50));
        for value in [
            // Masks.
            "tisch***442",
            "tisch•••442",
            "tisch███442",
            "tischxxxx442",
            "(masked)",
            "hidden-442",
            "redactedbyadmin",
            "secret:jwt:1",
            // What elides, encrypts or digests.
            "tisch442...",
            "tisch442…",
            "ENC[tisch442",
            "hmac-sha1=442a",
            "sha256:442a",
            "-----BEGIN X-----",
            concat!("pk_", "live_442a"),
            concat!("pk_", "test_442a"),
            &sealed[..401],
            "tisch-your-wolke",
            // Lines to be filled in.
            "SP%d_ERR",
            "x=%08x",
            "a[%s",
            "%s4711",
            // References.
            "<tisch442x>",
            "{tisch442x}",
            "[tisch442x]",
            "(tisch442x)",
            "‹tisch442x›",
            "&tisch4",
            "!tischlampe",
            "!4711-0815",
            "@tisch.442",
            "@tisch/442",
            "|tisch 442",
            "%(db_pass)x",
            "#{tisch442",
            "$_POST['tisch442']",
            "$env:tisch442",
            "tisch${X}",
            "tisch{{ x",
            "tisch$(cat x",
            "tisch{}442",
            "$dir/tisch442.pem",
            "%tisch442%",
            // Paths, addresses and source code.
            "/tisch/442",
            "./tisch442",
            "~/tisch442",
            "tisch://442",
            "tisch442()",
            "tisch442(",
            "os.environ.tisch442",
            "process.env.tisch442",
            "env.tisch442",
            "yours442",
            "DB_PWD",
        ] {
            assert!(is_dummy(value), "{value:?}");
        }
        for value in [
            "hiddenvalley7",
            "filtered4coffee",
            "tisch**442",
            "tischxxx442",
            "tisch442..",
            &sealed[..400],
            &sealed.replace("AgB", "AxB"),
            "AgBtisch442",
            "tisch%s442",
            "@tisch44",
            "!tisch442",
            "&tisch442",
            "|tisch442",
            "[tisch442",
            "(tisch442",
            "<tisch442",
            "{tisch442",
            "tisch{442}",
            "$dir/$$tisch442",
            "$4711",
            "%tisch442",
            "tisch442%",
            "/tisch442",
            "tisch/442",
            "tisch(442",
            "DB_PW",
            "DBPASS",
            "DB_PASs",
        ] {
            assert!(!is_dummy(value), "{value:?}");
        }
    }

    #[test]
    fn values_of_templates() {
        for value in ["tisch442example", "aaexample", "insert-tisch", "a xxxxxx b"] {
            assert!(is_example(value), "{value:?}");
        }
        for value in [
            "1example",
            "xxxxxx",
            "insert",
            "insert-tisch-442",
            "tisch-wolke",
        ] {
            assert!(!is_example(value), "{value:?}");
        }
    }
}
