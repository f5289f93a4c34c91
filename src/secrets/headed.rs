//! Files that hold nothing but secrets, told by their name: as files, and printed below a heading that names them.

use super::dummy::is_dummy;
use std::ops::Range;

/// How the secret stands in a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The whole line.
    Line,
    /// The second line of the file.
    Second,
    /// What stands behind the last colon.
    Colon,
    /// The third field.
    Third,
}

/// Ends of the names, in lower case.
const KNOWN: &[(&str, Form)] = &[
    (".erlang.cookie", Form::Line),
    ("munge.key", Form::Line),
    ("keyfile", Form::Line),
    ("libvirt/secrets/", Form::Line),
    (".vault-token", Form::Line),
    ("vault_pass", Form::Line),
    ("vault_pass.txt", Form::Line),
    ("vault-password", Form::Line),
    ("vault_password", Form::Line),
    ("initialadminpassword", Form::Line),
    ("/run/secrets/", Form::Line),
    ("config/master.key", Form::Line),
    ("secrets/master.key", Form::Line),
    ("ldap.secret", Form::Line),
    ("libnss-ldap.secret", Form::Line),
    ("pwdfile.txt", Form::Line),
    ("pinfile.txt", Form::Line),
    ("node-token", Form::Line),
    ("server/token", Form::Line),
    ("serviceaccount/token", Form::Line),
    ("corosync/authkey", Form::Line),
    ("pacemaker/authkey", Form::Line),
    ("admin.password", Form::Line),
    ("admin.secret", Form::Line),
    ("openvpn/auth.txt", Form::Second),
    ("openvpn/auth", Form::Second),
    ("auth-user-pass", Form::Second),
    ("rsyncd.secrets", Form::Colon),
    ("passwd.client", Form::Colon),
    ("sasl_passwd", Form::Colon),
    ("passwd-s3fs", Form::Colon),
    (".pgpass", Form::Colon),
    ("pgpass.conf", Form::Colon),
    ("cram-md5.pwd", Form::Colon),
    ("chap-secrets", Form::Third),
    ("pap-secrets", Form::Third),
    ("davfs2/secrets", Form::Third),
    ("ntp.keys", Form::Third),
    ("chrony.keys", Form::Third),
];

/// Literals, any case, one of which stands in such a name.
pub(super) fn keywords() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// Most lines of such a file.
const MAX_LINES: usize = 64;

/// The form of the file with this path or heading.
fn form(path: &str) -> Option<Form> {
    let path = path.to_ascii_lowercase();
    let known = KNOWN.iter().find(|(name, _)| match name.ends_with('/') {
        true => path.contains(name),
        false => path.ends_with(name),
    });
    known.map(|(_, form)| *form)
}

/// Secrets of the file `text` whose path is `path`.
pub(super) fn file(path: &str, text: &str, report: impl FnMut(Range<usize>)) {
    if let Some(form) = form(path) {
        content(text, 0, form, report);
    }
}

/// Secrets below the heading that the keyword at `at` stands in.
pub(super) fn below(text: &str, at: &Range<usize>, report: impl FnMut(Range<usize>)) {
    let start = text[..at.start].rfind('\n').map_or(0, |found| found + 1);
    let Some(end) = text[at.end..].find('\n').map(|found| at.end + found) else {
        return;
    };
    let line = text[start..end].trim();
    if line.len() > 200 || line.split_whitespace().count() > 8 {
        return;
    }
    let heads = [
        "$ ",
        "# ",
        "==> ",
        "=== ",
        "--- ",
        "## ",
        "### ",
        "+ ",
        ">>> ",
        "[",
        "cat ",
        "sudo cat ",
        "File: ",
        "file: ",
    ];
    let is_path = line.starts_with('/') && line.ends_with(':');
    if !is_path && !heads.iter().any(|head| line.starts_with(head)) {
        return;
    }
    // The whole path that the keyword is in.
    let low = text[start..at.start]
        .rfind([' ', '\'', '"'])
        .map_or(start, |found| start + found + 1);
    let high = text[at.end..end]
        .find([' ', '\'', '"', '|', ')', ':', ';'])
        .map_or(end, |found| at.end + found);
    // Its arguments are no content: `mount -o credentials=/run/secrets/x`.
    if text[low..at.start].contains('=') || text[low..high].trim().is_empty() {
        return;
    }
    if let Some(form) = form(text[low..high].trim()) {
        content(text, end + 1, form, report);
    }
}

/// Secrets of the lines from `from`, up to an empty one or the next heading.
fn content(text: &str, from: usize, form: Form, mut report: impl FnMut(Range<usize>)) {
    let mut at = from;
    let mut number = 0;
    for line in text[from..].split_inclusive('\n').take(MAX_LINES) {
        let start = at;
        at += line.len();
        let shown = line.trim();
        let heading = [
            "$ ", "==>", "===", "---", "### ", "+ ", "[root", "# cat", "# /",
        ];
        if shown.is_empty()
            || (number > 0 || from > 0) && heading.iter().any(|head| shown.starts_with(head))
        {
            return;
        }
        if shown.starts_with('#') {
            continue;
        }
        number += 1;
        let value = match form {
            Form::Line => shown,
            Form::Second if number == 2 => shown,
            Form::Second => continue,
            Form::Colon => shown.rsplit_once(':').map_or("", |(_, value)| value),
            Form::Third => shown.split_whitespace().nth(2).unwrap_or(""),
        }
        .trim_matches('"');
        let setting = form == Form::Line && value.contains(['=', ':']) && value.len() < 24;
        let ok = value.len() >= 4
            && !setting
            && !value.contains(char::is_whitespace)
            && !is_dummy(value);
        if ok && let Some(found) = line.rfind(value) {
            report(start + found..start + found + value.len());
        }
        if form == Form::Second && number == 2 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under(text: &str) -> Vec<&str> {
        let lower = text.to_ascii_lowercase();
        let mut out = Vec::new();
        for name in keywords() {
            if let Some(at) = lower.find(name) {
                below(text, &(at..at + name.len()), |range| out.push(&text[range]));
            }
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    #[test]
    fn files_printed_below_their_names() {
        for (text, value) in [
            (
                "$ cat /var/lib/rabbitmq/.erlang.cookie\nQWERTZUIOPASDFGHJKLY\n$ ls\n",
                "QWERTZUIOPASDFGHJKLY",
            ),
            (
                "==> /etc/rsyncd.secrets <==\nbackup:tisch442x\n",
                "tisch442x",
            ),
            (
                "=== /etc/ppp/chap-secrets\n# client server secret\nbo * \"tisch442x\" *\n",
                "tisch442x",
            ),
            (
                "# /etc/postfix/sasl_passwd\n[mail.corp]:587 bo:tisch442x\n",
                "tisch442x",
            ),
            ("# cat /etc/openvpn/auth.txt\nbo\ntisch442x\n", "tisch442x"),
            ("$ sudo cat /run/secrets/db\ntisch442x\n", "tisch442x"),
        ] {
            assert_eq!(under(text), [value], "{text}");
        }
    }

    #[test]
    fn a_mention_is_no_heading() {
        for text in [
            "the cookie in /var/lib/rabbitmq/.erlang.cookie\ndiffers\n",
            "$ ls -l /run/secrets/db\n",
            "# cat /run/secrets/db\ncat: /run/secrets/db: Permission denied\n",
            "$ cat /etc/rsyncd.secrets\n\nnext\n",
        ] {
            assert!(under(text).is_empty(), "{text}: {:?}", under(text));
        }
    }

    #[test]
    fn files_by_their_path() {
        let mut out = Vec::new();
        let text = "bo\ntisch442x\n";
        file("etc/openvpn/auth.txt", text, |range| out.push(&text[range]));
        assert_eq!(out, ["tisch442x"]);
        file("etc/hosts", text, |_| panic!("ordinary"));
    }
}
