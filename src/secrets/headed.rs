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
    /// What stands behind so many colons. A backslash before one makes it part of a word.
    Colons(usize),
    /// What stands behind the first colon of the second word.
    Login,
    /// What stands behind the last colon.
    LastColon,
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
    ("rsyncd.secrets", Form::Colons(1)),
    ("passwd.client", Form::Colons(2)),
    ("sasl_passwd", Form::Login),
    ("passwd-s3fs", Form::LastColon),
    (".pgpass", Form::Colons(4)),
    ("pgpass.conf", Form::Colons(4)),
    ("cram-md5.pwd", Form::LastColon),
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
    if !is_path && !is_prompt(line) && !heads.iter().any(|head| line.starts_with(head)) {
        return;
    }
    // The whole path that the keyword is in.
    let before = text[start..at.start].rsplit([' ', '\'', '"']).next();
    let before = before.unwrap_or_default();
    let behind = text[at.end..end]
        .split([' ', '\'', '"', '|', ')', ':', ';'])
        .next()
        .unwrap_or_default();
    // Its arguments are no content: `mount -o credentials=/run/secrets/x`.
    if before.contains('=') {
        return;
    }
    let path = &text[at.start - before.len()..at.end + behind.len()];
    if let Some(form) = form(path.trim()) {
        content(text, end + 1, form, report);
    }
}

/// Whether a shell was asked in this line for what a file holds: `bo@web1:~$ cat /run/secrets/db`.
fn is_prompt(line: &str) -> bool {
    ["$ cat ", "# cat ", "$ sudo cat "]
        .iter()
        .any(|ask| line.contains(ask))
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
            || (number > 0 || from > 0)
                && (is_prompt(shown) || heading.iter().any(|head| shown.starts_with(head)))
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
            Form::Colons(count) => behind_colons(shown, count),
            Form::Login => shown
                .split_whitespace()
                .nth(1)
                .map_or("", |login| behind_colons(login, 1)),
            Form::LastColon => shown.rsplit_once(':').map_or("", |(_, value)| value),
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
    }
}

/// What stands in `line` behind the colon with this number, counted from one.
fn behind_colons(line: &str, count: usize) -> &str {
    let colons = line.match_indices(':');
    colons
        .filter(|(at, _)| !line[..*at].ends_with('\\'))
        .nth(count - 1)
        .map_or("", |(at, _)| &line[at + 1..])
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
            ("/etc/rsyncd.secrets:\nbo:tisch442x\n", "tisch442x"),
            (
                "up 4 days\n==> /etc/rsyncd.secrets <==\nbo:tisch442x\n",
                "tisch442x",
            ),
            (
                "bo@web1:~$ sudo cat /run/secrets/db\ntisch442x\nbo@web1:~$ cat /etc/motd\nwelcome7\n",
                "tisch442x",
            ),
            ("root@web1:~# cat /run/secrets/db\ntisch442x\n", "tisch442x"),
            (
                "# uptime\n 4 days\n# cat '/etc/ntp.keys'\n1 M tisch442x\n",
                "tisch442x",
            ),
            (
                "# cat /etc/openvpn/auth.txt\n# of bo\nwolke88\ntisch442x\nlampe99\n",
                "tisch442x",
            ),
            ("# cat ~/.pgpass\nh:5432:*:bo:tisch=442\n", "tisch=442"),
            (
                "# cat ~/.pgpass\nfe80\\:\\:1:5432:*:bo:ti\\:sch:442\n",
                "ti\\:sch:442",
            ),
            ("# cat /etc/rsyncd.secrets\nbo:tisch:442x\n", "tisch:442x"),
            (
                "# cat /etc/postfix/sasl_passwd\nmail.corp bo:tisch:442x\n",
                "tisch:442x",
            ),
            (
                "# cat /etc/exim4/passwd.client\nmail.corp:bo:tisch:442x\n",
                "tisch:442x",
            ),
            (
                "# cat /etc/passwd-s3fs\nstore:AK442:x7Fq2mKc9vLw\n",
                "x7Fq2mKc9vLw",
            ),
            (
                "# cat /etc/munge/munge.key\nuser=bo12\nx7Fq2mKc9vLw4RtYz8BnPq3=\n",
                "x7Fq2mKc9vLw4RtYz8BnPq3=",
            ),
            (
                "# cat /run/secrets/db\ntisch442x\n# cat /etc/motd\nwelcome7\n",
                "tisch442x",
            ),
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
            "$ cat /etc/rsyncd.secrets",
            "/etc/rsyncd.secrets\nbo:tisch442x\n",
            "see /etc/rsyncd.secrets:\nbo:tisch442x\n",
            "# mount -o credentials=/run/secrets/db\ntisch442x\n",
            "# cat /run/secrets/db\n$ tisch442x\n",
            "# cat /run/secrets/db\n---8<---lampe9\n",
            "# cat /run/secrets/db\nab1\n",
            "# cat /run/secrets/db\n${PASSWORD}\n",
            "# cat /run/secrets/db\nx7Fq2mKc9vLw4RtYz8BnPq=\n",
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

    #[test]
    fn a_heading_is_a_short_line() {
        let text = "bo:tisch442x\n";
        for (words, count) in [("a b c d e", 1), ("a b c d e f", 0)] {
            let text = format!("# cat /etc/rsyncd.secrets {words}\n{text}");
            assert_eq!(under(&text).len(), count, "{words}");
        }
        for (length, count) in [(200, 1), (201, 0)] {
            let folder = "x".repeat(length - "# cat //rsyncd.secrets".len());
            let text = format!("# cat /{folder}/rsyncd.secrets\n{text}");
            assert_eq!(under(&text).len(), count, "{length}");
        }
    }

    #[test]
    fn a_file_may_begin_like_a_heading_and_ends_at_the_next_one() {
        let mut out = Vec::new();
        let text = "---tisch442x\nwolke883y\n--- other\nlampe99z\n";
        file("root/.vault-token", text, |range| out.push(&text[range]));
        assert_eq!(out, ["---tisch442x", "wolke883y"]);
    }
}
