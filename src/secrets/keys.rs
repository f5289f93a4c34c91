//! What the name of a key says about its value: `db_password`, `tokenTtl`, `пароль`.

/// Literals, any case, one of which stands in a secret's key.
pub(super) const KEYWORDS: &[&str] = &[
    "pass",
    "pwd",
    "pw",
    "secret",
    "token",
    "key",
    "credential",
    "erlang_cookie",
    "psk",
    "authtok",
    "community",
    "salt",
    "kennwort",
    "zugangscode",
    "contrase",
    "clave",
    "senha",
    "mdp",
    "parol",
    "wachtwoord",
    "senord",
    "adgangskode",
    "kodeord",
    "salasana",
    "haslo",
    "hasło",
    "heslo",
    "jelsz",
    "geslo",
    "lozinka",
    "sifre",
    "şifre",
    "slaptažodis",
    "sandi",
    "chiave",
    "πρόσβασης",
    "mật khẩu",
    "пароль",
    "Пароль",
    "ПАРОЛЬ",
    "пароля",
    "парола",
    "Парола",
    "лозинка",
    "κωδικός",
    "סיסמה",
    "סיסמא",
    "كلمة المرور",
    "كلمة السر",
    "パスワード",
    "暗証番号",
    "密码",
    "密碼",
    "口令",
    "비밀번호",
    "암호",
    "รหัสผ่าน",
    "पासवर्ड",
];

/// Those of them, as an expression, whose value is a password in some language. The rest of a key may stand around.
pub(super) const FOREIGN: &str = "kennwort|zugangscode|contrase(?:ñ|n|ny)a|clave|senha|palavra[ _-]?(?:passe|chave)|mot[ _-]?de[ _-]?passe|mdp|parola(?:[ _-]?chiave)?|parole|parool|wachtwoord|l(?:ö|o|oe)senord|adgangskode|kodeord|passord|salasana|has[lł]o|heslo|jelsz[oó]|geslo|lozinka|[sş]ifre|slaptažodis|kata[ _-]?sandi|mật[ _-]?khẩu|парол[ья]|парола|лозинка|κωδικός(?:[ _]πρόσβασης)?|סיסמ[הא]|كلمة[ _](?:المرور|السر)|パスワード|暗証番号|密[码碼]|口令|비밀번호|암호|รหัสผ่าน|पासवर्ड";

/// Longest rest of a key after its word, in bytes.
const MAX_TAIL: usize = 32;
/// Most blanks before a separator.
const MAX_BLANKS: usize = 24;

/// Whether the keyword at `at` can be part of a key with a value: what decides is a few bytes behind it, which spares
/// the expression most lines of a log.
pub(super) fn may_follow(text: &str, at: std::ops::Range<usize>) -> bool {
    let bytes = text.as_bytes();
    let rest = &bytes[at.end..bytes.len().min(at.end + MAX_TAIL + MAX_BLANKS + 8)];
    let tail = rest
        .iter()
        .take_while(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-') || !b.is_ascii()
        })
        .count();
    // A colon or an equals sign of full width is three bytes, the first of which is no ASCII.
    if rest[..tail].contains(&0xEF) {
        return true;
    }
    let rest = &rest[tail..];
    let quotes = rest
        .iter()
        .take(5)
        .take_while(|b| matches!(b, b'\\' | b'"' | b'\'' | b'`' | b']'))
        .count();
    let rest = &rest[quotes..];
    let blanks = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
    match rest.get(blanks) {
        Some(b':' | b'=') => true,
        Some(b'?' | b'-') => matches!(rest.get(blanks + 1), Some(b'=' | b'>')),
        Some(b',') => quotes > 0,
        Some(b'>') => blanks == 0,
        _ => false,
    }
}

/// How much a key's name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A password or a named key: whatever it holds is secret.
    Strong,
    /// Words that mean a password here and something else there: what looks made up is taken for one.
    Chosen,
    /// Tokens and things called secret or credential, which are often names or counters.
    Weak,
    /// A key of which the name says that it is one of bytes: hexadecimal digits are no digest there.
    Bytes,
    /// Something's key: licence keys and signing keys, and keys of maps and tables too.
    Faint,
    /// The word is in the key and the value is something else: a count, a name, a file.
    Other,
}

/// Last words of keys that speak about a secret instead of holding it.
const TAILS: &str = " \
    name names file files path paths dir directory url uri endpoint ref keyref refs type types count \
    counts ttl lifetime expiry expires expiration expiresin expirationseconds length len minlength \
    maxlength size limit enabled disabled required policy id ids version format algorithm alg encryption \
    hashing namespace issuer audience audiences review reviews authentication auth mode age days \
    rotation interval created updated at prompt hint field column label title text message error class \
    provider resolver store manager engine backend mount mounts volume key sources source controller \
    cleaner status state usage rate bucket range ranges index strategy attempts retries timeout change \
    changed quality history warn lock locked last set reset list owners hosts hashmethod checksum \
    checksums digest fingerprint sha256 md5 audit supported endpointurl scopes scope grants \
    granttype grant duration seconds minutes hours validity hashalgorithm algorithms rules strength \
    level encoder validator validators generator factory service filter handler window maxage ";

/// Last words of keys that hold a password or a key, whatever it looks like.
const STRONG: &[&str] = &[
    "password",
    "passwd",
    "passwort",
    "passphrase",
    "passcode",
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
    "ipsecsecret",
    "radiussecret",
    "bindpw",
    "rootpw",
    "authtok",
    "bindsecret",
    "webhooksecret",
    "cookiesecret",
    "sessionsecret",
    "jwtsecret",
    "keystorepass",
    "passkey",
    "kennwort",
    "zugangscode",
    "contraseña",
    "contrasena",
    "contrasenya",
    "claveacceso",
    "senha",
    "palavrapasse",
    "palavrachave",
    "motdepasse",
    "mdp",
    "parola",
    "parolachiave",
    "parool",
    "wachtwoord",
    "lösenord",
    "losenord",
    "loesenord",
    "adgangskode",
    "kodeord",
    "passord",
    "salasana",
    "hasło",
    "haslo",
    "heslo",
    "jelszó",
    "jelszo",
    "geslo",
    "lozinka",
    "şifre",
    "sifre",
    "slaptažodis",
    "katasandi",
    "mậtkhẩu",
    "пароль",
    "пароля",
    "парола",
    "лозинка",
    "κωδικός",
    "κωδικόςπρόσβασης",
    "סיסמה",
    "סיסמא",
    "كلمةالمرور",
    "كلمةالسر",
    "パスワード",
    "暗証番号",
    "密码",
    "密碼",
    "口令",
    "비밀번호",
    "암호",
    "รหัสผ่าน",
    "पासवर्ड",
];

/// Words that end in "pass" without being a key for a password.
const NO_PASS: &[&str] = &[
    "compass",
    "bypass",
    "encompass",
    "surpass",
    "trespass",
    "overpass",
    "underpass",
    "lowpass",
    "highpass",
    "bandpass",
    "allpass",
    "singlepass",
    "multipass",
    "firstpass",
    "secondpass",
    "twopass",
    "onepass",
    "fullpass",
    "renderpass",
];

/// What says that a key is one of bytes, not one of a table.
const BYTES: &[&str] = &[
    "integration",
    "routing",
    "validation",
    "decrypt",
    "encrypt",
    "aes",
    "hmac",
    "cipher",
    "sign",
    "master",
    "gossip",
    "license",
    "licence",
    "ingest",
    "webhook",
    "admin",
    "deploy",
    "server",
    "service",
    "private",
    "machine",
    "session",
];

/// How much the name `key` says.
pub(super) fn judge_key(key: &str) -> Key {
    let last_part = key.rsplit(['.', '/', '$']).next().unwrap_or(key);
    if matches!(last_part, "OLDPWD" | "cwd") {
        return Key::Other;
    }
    let flat: String = key
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    // Cursors of lists, nonces of protocols, digests of what is secret.
    if [
        "pagetoken",
        "continuetoken",
        "continuationtoken",
        "nexttoken",
        "synctoken",
        "cursortoken",
        "websocketkey",
        "idempotencykey",
    ]
    .iter()
    .any(|tail| flat.ends_with(tail))
        || [
            "checksum",
            "fingerprint",
            "publickey",
            "pubkey",
            "publishable",
            "maxtoken",
            "keyid",
        ]
        .iter()
        .any(|word| flat.contains(word))
    {
        return Key::Other;
    }
    if STRONG.iter().any(|tail| flat.ends_with(tail)) {
        if flat.ends_with("pass") && NO_PASS.iter().any(|word| flat.ends_with(word)) {
            return Key::Other;
        }
        return Key::Strong;
    }
    if flat == "pw"
        || ["_pw", "-pw", ".pw", "Pw", " pw"]
            .iter()
            .any(|tail| key.ends_with(tail))
        || key.ends_with("_PW")
    {
        return Key::Strong;
    }
    if flat.ends_with("secretid") || flat.ends_with("privatekey") {
        return Key::Weak;
    }
    if flat.ends_with("key") && !flat.contains("secret") {
        return match BYTES.iter().any(|word| flat.contains(word)) {
            true => Key::Bytes,
            false => Key::Faint,
        };
    }
    if flat.ends_with("salt") {
        return Key::Faint;
    }
    if TAILS
        .split_ascii_whitespace()
        .any(|tail| flat.ends_with(tail))
        || flat.ends_with("tokens")
    {
        return Key::Other;
    }
    if flat.ends_with("community") || flat.ends_with("clave") || flat.ends_with("parole") {
        return Key::Chosen;
    }
    // Digits after the word: password1, DB_PASSWORD_2.
    let bare = flat.trim_end_matches(|c: char| c.is_ascii_digit());
    if STRONG.iter().any(|tail| bare.ends_with(tail)) && !flat.ends_with("256") {
        return Key::Strong;
    }
    if flat.contains("password") || flat.contains("passphrase") || flat.contains("passwort") {
        return Key::Strong;
    }
    // Keyboards, keywords and key spaces have no such word; nor have maps.
    let secret = [
        "secret",
        "token",
        "credential",
        "pass",
        "pwd",
        "psk",
        "cookie",
        "apikey",
        "accesskey",
        "privatekey",
    ];
    match secret.iter().any(|word| flat.contains(word)) {
        true => Key::Weak,
        false => Key::Faint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_keys() {
        for (key, kind) in [
            ("DB_PASSWORD", Key::Strong),
            ("dnpass", Key::Strong),
            ("ldap.bind.pw", Key::Strong),
            ("mot de passe", Key::Strong),
            ("Пароль", Key::Strong),
            ("passwd2", Key::Strong),
            ("password_of_db", Key::Strong),
            ("passphrase_neu", Key::Strong),
            ("passwort_neu", Key::Strong),
            ("DB_PWD_1", Key::Strong),
            ("main_pw", Key::Strong),
            ("main-pw", Key::Strong),
            ("mainPw", Key::Strong),
            ("MAIN_PW", Key::Strong),
            ("contraclave", Key::Chosen),
            ("parole", Key::Chosen),
            ("privateKey", Key::Weak),
            ("snmp_community", Key::Chosen),
            ("secret_id", Key::Weak),
            ("routingKey", Key::Bytes),
            ("cache_key", Key::Faint),
            ("NONCE_SALT", Key::Faint),
            ("keyspace", Key::Faint),
            ("key2", Key::Faint),
            ("token_2", Key::Weak),
            ("bypass", Key::Other),
            ("passwordFile", Key::Other),
            ("next_page_token", Key::Other),
            ("checksum/secret", Key::Other),
            ("Sec-WebSocket-Key", Key::Other),
            ("OLDPWD", Key::Other),
            ("token_ttl", Key::Other),
        ] {
            assert_eq!(judge_key(key), kind, "{key}");
        }
    }

    #[test]
    fn a_separator_soon_behind_a_keyword_makes_a_key() {
        let follows = |rest: &str| may_follow(&format!("a password{rest}"), 2..10);
        for rest in [
            ": x",
            "=x",
            "File.of-bo  : x",
            " => x",
            " ?= x",
            " -> x",
            "\": x",
            "\\\": x",
            "'] = x",
            "', 'x'",
            ">x",
            "：x",
            "＝x",
        ] {
            assert!(follows(rest), "{rest}");
        }
        for rest in [
            "",
            " x",
            " ? x",
            " - x",
            ", x",
            " > x",
            "\" x",
            "; x",
            "\"\"\"\"\"\": x",
        ] {
            assert!(!follows(rest), "{rest}");
        }
        let most = MAX_TAIL + MAX_BLANKS + 7;
        assert!(follows(&format!("{}:", " ".repeat(most))));
        assert!(!follows(&format!("{}:", " ".repeat(most + 1))));
    }
}
