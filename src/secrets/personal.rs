//! Pseudonyms for what is no secret and still says whose machine it was: addresses, e-mails, names of hosts.
//!
//! The marks are like those of secrets, `‹address:1›`, and the verifier reads them as it reads those: a
//! quote that holds one still matches its line. The same value has the same mark in every form of one run.

use super::MARK_CLOSE;
use crate::error::{Context, ExitCode, Result};
use regex::{Captures, Match, Regex};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::LazyLock;

/// Kinds of marks given out here.
pub(super) const KINDS: [&str; 4] = ["address", "mac", "e-mail", "host"];

/// Everything that is looked for, by the name of its group.
static FINDER: LazyLock<Regex> = LazyLock::new(|| {
    compiled(concat!(
        r"(?P<mail>[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)",
        r"|(?P<mac>[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5,7})",
        r"|(?P<six>[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\d{1,3}(?:\.\d{1,3}){3})?)",
        r"|(?P<four>\d{1,3}(?:\.\d{1,3}){3})",
        r"|(?P<name>[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9][A-Za-z0-9-]*)*\.[A-Za-z]{2,12})",
        r"|(?P<word>[A-Za-z0-9][A-Za-z0-9-]*)",
    ))
});

/// Where a host says its bare name: before the program in a log of the system, in the folder of a sosreport, as
/// the node of a pod.
static PLACES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"(?m)^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*) ([A-Za-z0-9][A-Za-z0-9.-]+) [\w./@()-]+(?:\[\d+\])?: ",
        r"sosreport-([A-Za-z0-9][A-Za-z0-9.-]*?)-(?:\d+-)?\d{4}-\d\d-\d\d",
        r"(?m)^\s*Node:\s+([a-z0-9][a-z0-9.-]+)/",
        r#"(?:nodeName|kubernetes\.io/hostname|[Hh]ostname)"?\s*[:=]\s*"?([A-Za-z0-9][A-Za-z0-9.-]+)"#,
        r"\b(?:node|host) ([a-z0-9][a-z0-9.-]*[a-z][a-z0-9.-]*\d[a-z0-9.-]*)\b",
    ]
    .iter()
    .map(|place| compiled(place))
    .collect()
});

/// An expression of this file. One that is wrong must not let anything through unseen.
fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|why| panic!("a pattern for pseudonyms: {why}"))
}

/// Ends of names that are hosts of somebody's; others that look alike are files, packages and keys.
const ENDS: [&str; 42] = [
    "com",
    "org",
    "net",
    "edu",
    "gov",
    "mil",
    "int",
    "info",
    "biz",
    "io",
    "dev",
    "app",
    "cloud",
    "local",
    "localdomain",
    "lan",
    "internal",
    "intranet",
    "intra",
    "corp",
    "home",
    "private",
    "example",
    "test",
    "invalid",
    "eu",
    "de",
    "at",
    "ch",
    "fr",
    "uk",
    "nl",
    "es",
    "it",
    "jp",
    "cn",
    "in",
    "br",
    "au",
    "ca",
    "us",
    "ru",
];

/// Public names of software and its registries: they say nothing about whose machine it was.
const PUBLIC: [&str; 26] = [
    "kubernetes.io",
    "k8s.io",
    "openshift.io",
    "cluster.local",
    "docker.io",
    "docker.com",
    "quay.io",
    "gcr.io",
    "ghcr.io",
    "github.com",
    "githubusercontent.com",
    "redhat.com",
    "ubuntu.com",
    "debian.org",
    "suse.com",
    "rancher.io",
    "cattle.io",
    "harvesterhci.io",
    "longhorn.io",
    "coreos.com",
    "cncf.io",
    "istio.io",
    "cert-manager.io",
    "python.org",
    "kernel.org",
    "golang.org",
];

/// What the folder of a sosreport begins with.
const SOSREPORT: &str = "sosreport-";

/// Gives every value its pseudonym, the same one each time.
#[derive(Default)]
pub struct Pseudonyms {
    known: HashMap<String, String>,
    counts: BTreeMap<&'static str, usize>,
    /// Bare names of hosts, in small letters.
    hosts: BTreeSet<String>,
}

impl Pseudonyms {
    /// Learns from everything in `run` which names are hosts, and numbers what is found in its order.
    ///
    /// # Errors
    /// A bug when it can't be written as JSON.
    pub fn of(run: &impl Serialize) -> Result<Self> {
        let mut made = Self::default();
        let mut whole = json(run)?;
        made.learn(&whole);
        made.replace_in(&mut whole);
        Ok(made)
    }

    /// `value` with pseudonyms in all its texts. Keys of objects stay.
    ///
    /// # Errors
    /// A bug when it can't be written as JSON or read back.
    pub fn over<T: Serialize + DeserializeOwned>(&mut self, value: &T) -> Result<T> {
        let mut whole = json(value)?;
        self.replace_in(&mut whole);
        serde_json::from_value(whole).or_fail(ExitCode::Bug, "read back what has pseudonyms")
    }

    fn learn(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                for place in PLACES.iter() {
                    for found in place.captures_iter(text) {
                        self.learn_host(&found[1]);
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|one| self.learn(one)),
            Value::Object(fields) => {
                if let (Some(Value::String(kind)), Some(Value::String(name))) =
                    (fields.get("kind"), fields.get("name"))
                    && ["node", "host", "machine"].contains(&kind.to_lowercase().as_str())
                {
                    self.learn_host(name);
                }
                fields.values().for_each(|one| self.learn(one));
            }
            _ => {}
        }
    }

    fn learn_host(&mut self, name: &str) {
        let name = name.trim_end_matches('.').to_lowercase();
        let first = name.split('.').next().unwrap_or_default();
        // A word of the language as a name would take that word out of every sentence.
        let telling = |name: &str| {
            name.len() > 3
                && name.bytes().any(|byte| byte.is_ascii_alphabetic())
                && name
                    .bytes()
                    .any(|byte| byte.is_ascii_digit() || byte == b'-')
        };
        for name in [name.as_str(), first] {
            if telling(name) {
                self.hosts.insert(name.to_owned());
            }
        }
    }

    fn replace_in(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.replace(text),
            Value::Array(list) => list.iter_mut().for_each(|one| self.replace_in(one)),
            Value::Object(fields) => fields.values_mut().for_each(|one| self.replace_in(one)),
            _ => {}
        }
    }

    /// `text` with a pseudonym for every address, e-mail and name of a host.
    pub fn replace(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for found in FINDER.captures_iter(text) {
            let Some((kind, span)) = self.kind_of(&found, text) else {
                continue;
            };
            out.push_str(&text[at..span.start]);
            out.push_str(&self.mark(kind, &text[span.clone()]));
            at = span.end;
        }
        out.push_str(&text[at..]);
        out
    }

    /// What a match is, if it is something that gets a pseudonym.
    fn kind_of(&self, found: &Captures<'_>, text: &str) -> Option<(&'static str, Range<usize>)> {
        if let Some(mail) = found.name("mail") {
            // An image by digest or a unit of a template has an @ as well; their ends are no domains.
            return ends_as_host(mail.as_str()).then_some(("e-mail", mail.range()));
        }
        let before = |span: Match<'_>| text[..span.start()].chars().next_back();
        let after = |span: Match<'_>| text[span.end()..].chars().next();
        let joined = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "_~+".contains(c));
        if let Some(mac) = found.name("mac") {
            return (!joined(before(mac)) && !joined(after(mac)) && after(mac) != Some(':'))
                .then_some(("mac", mac.range()));
        }
        if let Some(six) = found.name("six") {
            let parsed: Ipv6Addr = six.as_str().parse().ok()?;
            return (!parsed.is_loopback() && !parsed.is_unspecified() && !joined(before(six)))
                .then_some(("address", six.range()));
        }
        if let Some(four) = found.name("four") {
            let parsed: Ipv4Addr = four.as_str().parse().ok()?;
            let [first, ..] = parsed.octets();
            // Loopback, anything and masks are the same everywhere. What goes on after it is a version.
            let everywhere = first == 127 || first == 0 || first == 255;
            let version = joined(before(four))
                || (before(four) == Some('-') && !ends_as_address(&text[..four.start() - 1]))
                || before(four) == Some('.')
                || joined(after(four))
                || (after(four) == Some('.')
                    && text[four.end() + 1..].starts_with(|c: char| c.is_ascii_digit()))
                || (after(four) == Some('-')
                    && text[four.end() + 1..].starts_with(|c: char| c.is_ascii_alphanumeric())
                    && !begins_as_address(&text[four.end() + 1..]));
            return (!everywhere && !version).then_some(("address", four.range()));
        }
        if let Some(name) = found.name("name") {
            let small = name.as_str().to_lowercase();
            return (self.hosts.contains(&small)
                || (ends_as_host(&small)
                    && before(name) != Some('@')
                    && !PUBLIC.iter().any(|public| {
                        small == *public
                            || small
                                .strip_suffix(public)
                                .is_some_and(|rest| rest.ends_with('.'))
                    })))
            .then_some(("host", name.range()));
        }
        let word = found.name("word")?;
        let small = word.as_str().to_lowercase();
        if self.hosts.contains(&small) {
            return Some(("host", word.range()));
        }
        // The folder of a sosreport: the host's name, then a date and letters.
        let rest = small.strip_prefix(SOSREPORT)?;
        let host = self.hosts.iter().rev().find(|host| {
            rest.strip_prefix(host.as_str())
                .is_some_and(|after| after.starts_with('-'))
        })?;
        let start = word.start() + SOSREPORT.len();
        Some(("host", start..start + host.len()))
    }

    fn mark(&mut self, kind: &'static str, value: &str) -> String {
        let value = value.to_lowercase();
        if let Some(mark) = self.known.get(&value) {
            return mark.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let mark = format!("‹{kind}:{count}{MARK_CLOSE}");
        self.known.insert(value, mark.clone());
        mark
    }
}

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pseudonyms")
            .field("kinds", &self.counts)
            .finish_non_exhaustive()
    }
}

fn json(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).or_fail(ExitCode::Bug, "write JSON")
}

/// Whether `text` begins with an address, as behind the hyphen of a range.
fn begins_as_address(text: &str) -> bool {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    text[..end]
        .trim_end_matches('.')
        .parse::<Ipv4Addr>()
        .is_ok()
}

/// Whether `text` ends with an address, as before the hyphen of a range.
fn ends_as_address(text: &str) -> bool {
    let start = text
        .rfind(|c: char| !c.is_ascii_alphanumeric() && !"._-~+".contains(c))
        .map_or(0, |at| {
            at + text[at..].chars().next().map_or(1, char::len_utf8)
        });
    text[start..].parse::<Ipv4Addr>().is_ok()
}

/// Whether a dotted name ends as hosts do. Two parts are enough under a public end with a name of some length.
fn ends_as_host(name: &str) -> bool {
    let small = name.to_lowercase();
    let Some((rest, end)) = small.rsplit_once('.') else {
        return false;
    };
    ENDS.contains(&end) && (rest.contains('.') || rest.contains('@') || rest.len() > 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str) -> String {
        Pseudonyms::of(&text).unwrap().replace(text)
    }

    #[test]
    fn the_same_value_has_the_same_pseudonym() {
        assert_eq!(
            replaced("10.0.4.7:6379 refused by 10.0.4.9, again 10.0.4.7/24"),
            "‹address:1›:6379 refused by ‹address:2›, again ‹address:1›/24"
        );
        assert_eq!(
            replaced("jo.doe@mail.example.org asked DB7.corp.example.com, db7.corp.example.com"),
            "‹e-mail:1› asked ‹host:1›, ‹host:1›"
        );
        assert_eq!(
            replaced("link/ether 52:54:00:ab:cd:ef inet6 fe80::5054:ff:feab:cdef/64"),
            "link/ether ‹mac:1› inet6 ‹address:1›/64"
        );
    }

    #[test]
    fn versions_times_files_and_software_stay() {
        for text in [
            "at 12:34:56 it listened on 127.0.0.1, ::1, 0.0.0.0 with mask 255.255.255.0",
            "linux-image 5.15.0.91-generic, ceph 17.2.6.0.1, libfoo-1.2.3.4-5.el9, v1.28.4",
            "kubectl/get_pods.txt, etc/nova/nova.conf, main.py, io.netty.Channel, a.b.c",
            "registry.k8s.io/pause, app.kubernetes.io/name, web.shop.svc.cluster.local, quay.io",
            "sha256:0011aabb, worker@1.service, image@sha256:ab12",
            "libfoo_1.2.3.4, (libfoo)-1.2.3.4, 1.2.3.4~rc1, 1.2.3.4+git, 1.2.3.4rc1, 1.2.3.4-rc1",
            "OID 1.3.6.1.4.1.9.9 and libfoo-1.2.3.4-5.6.7.8, foo-1.2.3-4.5.6.7",
            "_52:54:00:ab:cd:ef, 52:54:00:ab:cd:ef_1, 52:54:00:ab:cd:efg",
            "print 52:54:00:ab:cd:ef:01:12:23:34:45:56:67:78:89:9a",
            "web.de, a.com",
        ] {
            assert_eq!(replaced(text), text);
        }
    }

    #[test]
    fn bare_names_of_hosts_are_learnt_where_hosts_say_them() {
        let log = "Feb 10 09:36:18 hv-node-3 kernel: oops\nhv-node-3 is down; node kernel is not";
        let found = replaced(log);
        assert_eq!(
            found,
            "Feb 10 09:36:18 ‹host:1› kernel: oops\n‹host:1› is down; node kernel is not"
        );
        let subject =
            serde_json::json!({"kind": "Node", "name": "rack7-a", "text": "rack7-a, rack7-ab"});
        let mut made = Pseudonyms::of(&subject).unwrap();
        let value: Value = made.over(&subject).unwrap();
        assert_eq!(value["text"], "‹host:1›, rack7-ab");
        assert_eq!(value["kind"], "Node");
        assert_eq!(
            replaced("sosreport-juju-87ab-12-2024-01-05-abcdefg/proc and juju-87ab"),
            "sosreport-‹host:1›-12-2024-01-05-abcdefg/proc and ‹host:1›"
        );
    }

    #[test]
    fn quotes_with_pseudonyms_hold_marks_the_verifier_knows() {
        let text = replaced("dial tcp 10.1.2.3:443");
        let range = crate::secrets::find_mark(&text).unwrap();
        assert_eq!(&text[range], "‹address:1›");
    }

    #[test]
    fn an_address_is_one_at_the_end_of_a_sentence_and_in_a_range() {
        for (text, expected) in [
            ("refused by 10.0.4.7. Then", "refused by ‹address:1›. Then"),
            ("refused by 10.0.4.7- then", "refused by ‹address:1›- then"),
            (
                "pool 10.0.4.7-10.0.4.9, and 10.0.4.9-10.0.4.20.",
                "pool ‹address:1›-‹address:2›, and ‹address:2›-‹address:3›.",
            ),
            ("–10.0.4.7-10.0.4.9", "–‹address:1›-‹address:2›"),
        ] {
            assert_eq!(replaced(text), expected);
        }
    }

    #[test]
    fn short_names_are_hosts_and_mailboxes_where_more_speaks_for_it() {
        for (text, expected) in [
            ("shop.de", "‹host:1›"),
            ("a.b.de", "‹host:1›"),
            ("a@b.de", "‹e-mail:1›"),
        ] {
            assert_eq!(replaced(text), expected);
        }
    }

    #[test]
    fn a_name_of_a_host_must_tell_it_from_a_word() {
        for (name, learnt) in [
            ("n-01", true),
            ("db07", true),
            ("rack-a", true),
            ("n-1", false),
            ("kernel", false),
            ("2024-01", false),
        ] {
            let machine = serde_json::json!({"kind": "host", "name": name, "text": name});
            let value: Value = Pseudonyms::of(&machine).unwrap().over(&machine).unwrap();
            assert_eq!(value["text"] == "‹host:1›", learnt, "{name}");
        }
    }

    #[test]
    fn lists_are_read_and_replaced_as_single_texts_are() {
        let run = serde_json::json!({"nodes": [{"kind": "node", "name": "rack7-a"}], "log": ["rack7-a at 10.0.4.7"]});
        let mut made = Pseudonyms::of(&run).unwrap();
        let value: Value = made.over(&run).unwrap();
        assert_eq!(value["log"][0], "‹host:1› at ‹address:1›");
        assert_eq!(
            format!("{made:?}"),
            "Pseudonyms { kinds: {\"address\": 1, \"host\": 1}, .. }"
        );
    }
}
