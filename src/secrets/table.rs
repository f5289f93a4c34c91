//! Columns of passwords: CSV, Markdown, the tables of databases, and columns set apart by blanks.

use super::dummy::is_dummy;
use super::values::looks_random;
use std::ops::Range;

/// Most rows looked at below a head.
const MAX_ROWS: usize = 2_000;
/// Longest head, in bytes.
const MAX_HEAD: usize = 1_024;
/// Most columns.
const MAX_COLUMNS: usize = 64;

/// Heads of columns with passwords.
const PASSWORDS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "pass",
    "pw",
    "passphrase",
    "passcode",
    "psk",
    "passwort",
    "kennwort",
    "contraseña",
    "contrasena",
    "mot de passe",
    "mdp",
    "senha",
    "wachtwoord",
    "lösenord",
    "hasło",
    "haslo",
    "heslo",
    "пароль",
    "parola",
    "salasana",
    "密码",
    "密碼",
    "パスワード",
    "비밀번호",
    "user password",
    "root password",
    "admin password",
    "initial password",
    "temporary password",
    "authentication_string",
    "password_hash",
];
/// Heads of columns with what is random.
const TOKENS: &[&str] = &[
    "token",
    "secret",
    "api key",
    "api_key",
    "apikey",
    "access key",
    "access_key",
    "secret key",
    "secret_key",
    "client secret",
    "client_secret",
    "api token",
    "api_token",
    "auth token",
    "private key",
];

/// Whether the keyword at `at` may be the head of a column: nothing but delimiters touch it.
pub(super) fn may_head(text: &str, at: &Range<usize>) -> bool {
    let bytes = text.as_bytes();
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
    let after = &bytes[at.end..bytes.len().min(at.end + 32)];
    let after = &after[after.iter().take_while(|byte| word(byte)).count()..];
    let after = after.strip_prefix(b"\"").unwrap_or(after);
    let ends = matches!(
        after,
        [] | [b'\n' | b'\r' | b',' | b';' | b'\t' | b'|', ..] | [b' ', b' ' | b'|' | b'\n', ..]
    );
    if !ends {
        return false;
    }
    // One word may stand before, as in "root password".
    let low = at.start.saturating_sub(32);
    let before = &bytes[low..at.start];
    let before = &before[..before.len()
        - before
            .iter()
            .rev()
            .take_while(|byte| word(byte) || **byte == b' ')
            .count()];
    let blank = text.as_bytes()[..at.start].ends_with(b"  ");
    blank
        || matches!(
            before.last(),
            None | Some(b'\n' | b',' | b';' | b'\t' | b'|' | b'"')
        )
}

/// How a line is cut into fields.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delimiter {
    Byte(u8),
    Blanks,
}

/// Values of the table whose head is the line around `at`.
pub(super) fn find(
    text: &str,
    at: &Range<usize>,
    mut report: impl FnMut(&'static str, Range<usize>),
) {
    let start = text[..at.start].rfind('\n').map_or(0, |found| found + 1);
    let Some(end) = text[at.end..].find('\n').map(|found| at.end + found) else {
        return;
    };
    if end - start > MAX_HEAD {
        return;
    }
    let head = text[start..end].trim_end_matches('\r');
    let Some((delimiter, fields)) = columns(head) else {
        return;
    };
    let wanted: Vec<(usize, bool)> = fields
        .iter()
        .enumerate()
        .filter_map(|(index, field)| {
            let name = plain(field).to_lowercase();
            match (
                PASSWORDS.contains(&name.as_str()),
                TOKENS.contains(&name.as_str()),
            ) {
                (true, _) => Some((index, true)),
                (_, true) => Some((index, false)),
                _ => None,
            }
        })
        .collect();
    if wanted.is_empty() {
        return;
    }
    let base = text.as_ptr() as usize;
    for line in text[end + 1..].lines().take(MAX_ROWS) {
        if !line.trim().is_empty() && line.bytes().all(|byte| b"-|:+= \t".contains(&byte)) {
            continue;
        }
        let row = split(line, delimiter);
        if row.len() != fields.len() || line.trim().is_empty() {
            return;
        }
        for (index, is_password) in &wanted {
            let value = plain(row[*index]);
            let fits = match is_password {
                true => value.len() >= 4 && !value.contains("  "),
                false => looks_random(value),
            };
            if fits && !is_dummy(value) && !value.eq_ignore_ascii_case("string") {
                let from = value.as_ptr() as usize - base;
                report(
                    if *is_password { "password" } else { "token" },
                    from..from + value.len(),
                );
            }
        }
    }
}

/// The delimiter of a head and its fields, when each is a short name.
fn columns(head: &str) -> Option<(Delimiter, Vec<&str>)> {
    [
        Delimiter::Byte(b'|'),
        Delimiter::Byte(b'\t'),
        Delimiter::Byte(b';'),
        Delimiter::Byte(b','),
        Delimiter::Blanks,
    ]
    .into_iter()
    .map(|delimiter| (delimiter, split(head, delimiter)))
    .find(|(_, fields)| fields.len() >= 2)
    .filter(|(delimiter, fields)| {
        fields.len() <= MAX_COLUMNS
            && fields.iter().all(|field| {
                let name = plain(field);
                // A blank behind a comma is how a sentence goes on.
                !(*delimiter == Delimiter::Byte(b',') && field.starts_with(' '))
                    && name.len() <= 40
                    && name
                        .chars()
                        .next()
                        .is_none_or(|c| c.is_alphabetic() || c == '#')
                    && name.chars().all(|c| {
                        c.is_alphanumeric()
                            || matches!(c, ' ' | '_' | '-' | '.' | '/' | '(' | ')' | '#')
                    })
            })
            && fields
                .iter()
                .filter(|field| !plain(field).is_empty())
                .count()
                >= 2
    })
}

/// The fields of a line; a delimiter in double quotes is none.
fn split(line: &str, delimiter: Delimiter) -> Vec<&str> {
    let Delimiter::Byte(mark) = delimiter else {
        return line
            .split("  ")
            .map(str::trim)
            .filter(|field| !field.is_empty())
            .collect();
    };
    let mut fields = Vec::new();
    let (mut from, mut quoted) = (0, false);
    for (at, byte) in line.bytes().enumerate() {
        if byte == b'"' && mark != b'|' {
            quoted = !quoted;
        } else if byte == mark && !quoted {
            fields.push(&line[from..at]);
            from = at + 1;
        }
    }
    fields.push(&line[from..]);
    fields
}

/// A field without its blanks, quotes and the marks of Markdown.
fn plain(field: &str) -> &str {
    field
        .trim()
        .trim_matches(['"', '\'', '`'])
        .trim_matches('*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<&str> {
        let lower = text.to_lowercase();
        let word = ["password", "token", "passwort"]
            .into_iter()
            .find(|word| lower.contains(word))
            .expect("a head");
        let at = lower.find(word).expect("a head");
        let at = at..at + word.len();
        let mut out = Vec::new();
        if may_head(text, &at) {
            find(text, &at, |_, range| out.push(&text[range]));
        }
        out
    }

    #[test]
    fn columns_of_all_sorts() {
        for text in [
            "user,password,role\nada,tisch442x,admin\nbo,\"wol;ke\",user\n",
            "host;Passwort\nsw1;tisch442x\nsw2;wol;ke\n",
            "| host | password |\n|------|----------|\n| sw1  | tisch442x |\n| sw2 | `wol;ke` |\n",
            "+----+-----+\n| id | Password |\n+----+-----+\n|  1 | tisch442x |\n|  2 | wol;ke |\n+---+---+\n",
            "USER    PASSWORD      ROLE\nada     tisch442x     admin\nbo      wol;ke        user\n",
        ] {
            let found = values(text);
            assert_eq!(found[0], "tisch442x", "{text}");
        }
        assert_eq!(
            values("name,token\na,0f1e2d3c4b5a6978\nb,none\n"),
            ["0f1e2d3c4b5a6978"]
        );
    }

    #[test]
    fn sentences_and_descriptions_are_no_tables() {
        for text in [
            "a wrong password\nwas given by ada\n",
            "the user, password, and role\nare read, checked, and kept\n",
            "| password | the password of the user |\n| name | x |\n",
            "user,password\n",
            "user,password\nada,***\nbo,<hidden>\n",
        ] {
            assert!(values(text).is_empty(), "{text}: {:?}", values(text));
        }
    }

    #[test]
    fn a_head_is_a_word_between_delimiters() {
        for (text, may) in [
            ("user,«pass»word,role\n", true),
            ("user;«pass»_word", true),
            ("user\tmy_«pass»word\trole", true),
            ("user,\"«pass»word\",role", true),
            ("| «pass»word |", true),
            ("id,root «pass»word,role", true),
            ("id  «pass»word  role", true),
            ("id|«contrase»ña|x", true),
            ("id|é«pass»word|x", true),
            ("«pass»word: x", false),
            ("«pass»word=x", false),
            ("«pass»word of ada", false),
            ("«pass»-word,x", false),
            ("url=a&«pass»word,x", false),
            ("a:«pass»word,x", false),
        ] {
            let at = text.find('«').expect("a mark");
            let end = text.find('»').expect("a mark") - '«'.len_utf8();
            let plain = text.replace(['«', '»'], "");
            assert_eq!(may_head(&plain, &(at..end)), may, "{text}");
        }
    }

    #[test]
    fn each_row_gives_its_field_until_the_table_ends() {
        for (text, expected) in [
            (
                "#;password\n1;tisch442x\n2;wolke-9\n",
                &["tisch442x", "wolke-9"][..],
            ),
            ("user,password\nada,\"wol,ke9x\"\n", &["wol,ke9x"]),
            (
                "| user | password |\n| a\" | wolke-9 |\n| bo | tisch442x |\n",
                &["wolke-9", "tisch442x"],
            ),
            ("user,password\nada,ab7\nbo,tisch442x\n", &["tisch442x"]),
            (
                "| user | password |\n| ada | see  the wiki |\n| bo | ab7x |\n",
                &["ab7x"],
            ),
            (
                "user,password\nada,tisch442x\nend\nbo,wolke-9\n",
                &["tisch442x"],
            ),
            (
                "user,password\nada,tisch442x\n\nbo,wolke-9\n",
                &["tisch442x"],
            ),
            ("user,password\r\nada,tisch442x\r\n", &["tisch442x"]),
        ] {
            assert_eq!(values(text), expected, "{text}");
        }
        let below = format!("{}user,password\nada,tisch442x\n", "a line\n".repeat(400));
        assert_eq!(values(&below), ["tisch442x"]);
    }

    #[test]
    fn a_head_has_a_greatest_length() {
        for (length, found) in [(MAX_HEAD, 1), (MAX_HEAD + 1, 0)] {
            let head = format!("{:length$}", "user,password");
            let text = format!("accounts\n{head}\nada,tisch442x\n");
            assert_eq!(values(&text).len(), found, "{length}");
        }
    }
}
