//! Which words of a sentence are names or values that must stand in the bundle, and which are plain English.

use super::lookup::has_whole;
use super::quote::normalise;
use crate::secrets::find_mark;

/// A name or value found in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// As written.
    pub text: String,
    /// Whether it may have been computed (a duration, a share, a sum) instead of copied.
    pub computed: bool,
}

/// Technical English with `-`, `.`, `/` or digits in it that names nothing of a particular bundle.
const VOCABULARY: &str = " \
 and/or n/a i/o tcp/ip on/off up/down yes/no read/write ssl/tls http/https tcp/udp cpu/memory memory/cpu request/response input/output client/server ci/cd pass/fail start/stop either/or his/her source/destination name/value key/value \
 active/backup active/active master/slave primary/replica image/tag host/port requests/limits limits/requests liveness/readiness readiness/liveness add/remove dns/network network/dns username/password user/password \
 e.g i.e etc vs a.m p.m node.js next.js vue.js .net asp.net \
 http/1.0 http/1.1 http/2 http/2.0 http/3 tls1.0 tls1.1 tls1.2 tls1.3 tlsv1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 ipv4 ipv6 x509 x.509 sha1 sha256 sha-256 sha512 md5 utf-8 utf8 utf-16 base64 oauth2 s3 ec2 k8s k3s rke2 i18n x86 x86_64 x86-64 amd64 arm64 aarch64 ppc64le s390x 64-bit 32-bit \
 raid0 raid1 raid5 raid6 raid10 raid-1 raid-5 ext3 ext4 xfs nfs4 nfsv3 nfsv4 layer-2 layer-3 layer-4 layer-7 l2 l3 l4 l7 l1 p0 p1 p2 p95 p99 p50 2fa mp3 mp4 h264 c++ f5 log4j log4j2 python2 python3 php7 php8 java8 java11 java17 http2 ipvs0 sda1 \
 4xx 5xx 3xx 2xx 1st 2nd 3rd 4th 5th 24/7 24x7 7x24 10x 2x 3x 5x 100x 1x ";

/// Kinds, states and reasons that the systems themselves define: naming one is no claim about a name.
const DEFINED: &str = " \
 crashloopbackoff imagepullbackoff errimagepull oomkilled createcontainerconfigerror createcontainererror invalidimagename notready ready pending failedscheduling failedmount failedattachvolume unhealthy backoff evicted \
 diskpressure memorypressure pidpressure networkunavailable configmap statefulset daemonset replicaset persistentvolume persistentvolumeclaim cronjob serviceaccount networkpolicy storageclass clusterrole clusterrolebinding rolebinding \
 limitrange resourcequota horizontalpodautoscaler customresourcedefinition hugepages poddisruptionbudget ingressclass volumeattachment endpointslice \
 econnrefused econnreset etimedout enoent enospc eacces eperm eaddrinuse enomem emfile ehostunreach eio edquot erofs enotfound eai_again sigkill sigterm sigsegv sigabrt sigbus ";

/// Units that make a number a value, longest first where one begins another.
const UNITS: &[&str] = &[
    "KiB",
    "MiB",
    "GiB",
    "TiB",
    "PiB",
    "Kib",
    "Mib",
    "Gib",
    "kB",
    "KB",
    "MB",
    "GB",
    "TB",
    "PB",
    "Ki",
    "Mi",
    "Gi",
    "Ti",
    "Pi",
    "Ei",
    "kb",
    "mb",
    "gb",
    "tb",
    "Mbps",
    "Gbps",
    "Mbit",
    "Gbit",
    "ms",
    "us",
    "µs",
    "ns",
    "min",
    "mins",
    "sec",
    "secs",
    "hrs",
    "Hz",
    "kHz",
    "MHz",
    "GHz",
    "bytes",
    "cores",
    "millicores",
    "IOPS",
    "rpm",
    "s",
    "m",
    "h",
    "d",
    "k",
    "K",
    "M",
    "G",
    "T",
    "B",
    "%",
    "°C",
    "C",
    "V",
    "W",
];

/// Splits text into words, keeping what belongs to names together.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '"' | '\''
                    | '`'
                    | '“'
                    | '”'
                    | '‘'
                    | '’'
                    | '('
                    | ')'
                    | '['
                    | ']'
                    | '{'
                    | '}'
                    | '<'
                    | '>'
                    | ','
                    | ';'
                    | '|'
                    | '«'
                    | '»'
                    | '…'
                    | '—'
                    | '–'
                    | '→'
                    | '!'
                    | '?'
                    | '*'
            )
    })
    .flat_map(|word| {
        // key=value and key:value are two; host:port, 12:30:01, a::b and sha256:… stay one.
        match word.split_once('=') {
            Some((key, value)) => vec![key, value],
            None => vec![word],
        }
    })
    .map(|word| {
        word.trim_matches(|c: char| {
            matches!(
                c,
                '.' | ':' | '-' | '_' | '#' | '~' | '^' | '&' | '+' | '\\' | '$' | '@'
            )
        })
    })
    .map(|word| {
        word.strip_suffix("/")
            .filter(|rest| rest.contains('/'))
            .unwrap_or(word)
    })
    .filter(|word| !word.is_empty())
}

/// Names and values in `text` that must occur in the bundle, each once, in order.
pub(super) fn extract(text: &str) -> Vec<Name> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(mark) = find_mark(rest) {
        // A masked part makes its whole word unknown.
        plain.push_str(&rest[..mark.start]);
        while plain
            .chars()
            .next_back()
            .is_some_and(|c| !c.is_whitespace())
        {
            plain.pop();
        }
        plain.push(' ');
        rest = rest[mark.end..].trim_start_matches(|c: char| !c.is_whitespace());
    }
    plain.push_str(rest);
    let mut out: Vec<Name> = Vec::new();
    let mut add = |text: &str, computed| {
        let name = Name {
            text: text.to_owned(),
            computed,
        };
        if text.chars().count() <= 256 && !out.iter().any(|known| known.text == name.text) {
            out.push(name);
        }
    };
    for quoted in quoted_texts(&plain) {
        add(quoted, false);
    }
    let all: Vec<&str> = words(&plain).collect();
    for (at, word) in all.iter().enumerate() {
        let before = at
            .checked_sub(1)
            .and_then(|at| all.get(at))
            .map_or(String::new(), |word| word.to_ascii_lowercase());
        match kind(word, &before) {
            Kind::Plain => {}
            Kind::Name => add(word, false),
            Kind::Computed => add(word, true),
            Kind::Parts(parts) => {
                for part in parts {
                    match kind(part, "") {
                        Kind::Name => add(part, false),
                        Kind::Computed => add(part, true),
                        _ => {}
                    }
                }
            }
        }
    }
    out
}

/// Texts in quotation marks and backticks that look like something copied, not like irony.
fn quoted_texts(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    for (open, close) in [('"', '"'), ('`', '`'), ('“', '”')] {
        let mut rest = text;
        while let Some(start) = rest.find(open) {
            let inner = &rest[start + open.len_utf8()..];
            let Some(end) = inner.find(close) else { break };
            let quoted = inner[..end].trim();
            if quoted.chars().count() >= 3
                && !quoted.is_empty()
                && !quoted.contains('\n')
                && !is_plain_word(quoted)
            {
                out.push(quoted);
            }
            rest = &inner[end + close.len_utf8()..];
        }
    }
    out
}

fn is_plain_word(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase())
        || DEFINED.contains(&format!(" {} ", text.to_ascii_lowercase()))
}

#[derive(Debug, PartialEq, Eq)]
enum Kind<'a> {
    Plain,
    Name,
    Computed,
    Parts(Vec<&'a str>),
}

fn kind<'a>(word: &'a str, before: &str) -> Kind<'a> {
    let lower = word.to_ascii_lowercase();
    if word.chars().count() < 2
        || lower.len() > 4096
        || VOCABULARY.contains(&format!(" {lower} "))
        || DEFINED.contains(&format!(" {lower} "))
    {
        return Kind::Plain;
    }
    if lower.ends_with("'s") {
        return Kind::Plain;
    }
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    // Numbers, alone or with a unit.
    if (word.starts_with(|c: char| c.is_ascii_digit())
        || (word.starts_with(['-', '+']) && digits > 0))
        && let Some(kind) = number(word, before)
    {
        return kind;
    }
    if word.contains("://") {
        return Kind::Name;
    }
    if word.contains('/') {
        // A path, an image, namespace/name, unit/unit; or two words of English.
        let parts: Vec<&str> = word.split('/').filter(|part| !part.is_empty()).collect();
        if word.starts_with('/')
            || parts.len() > 2
            || word.contains('.')
            || word.contains('_')
            || digits > 0
            || parts.iter().any(|part| is_identifier(part))
        {
            return Kind::Name;
        }
        return if parts
            .iter()
            .all(|part| part.chars().all(char::is_alphabetic))
        {
            Kind::Plain
        } else {
            Kind::Parts(parts)
        };
    }
    if word.contains('@') && letters > 0 {
        return Kind::Name;
    }
    if word.contains('_') && letters > 0 {
        return Kind::Name;
    }
    if word.contains('.') {
        // Hosts, files, units, versions: letters or digits on both sides of the dot.
        let inner = word.split('.').all(|part| !part.is_empty());
        let abbreviation = word.split('.').all(|part| part.len() <= 1);
        return if inner && !abbreviation {
            Kind::Name
        } else {
            Kind::Plain
        };
    }
    if word.contains(':') && digits > 0 {
        return Kind::Name;
    }
    if word.contains('-') {
        return hyphenated(word, before);
    }
    if digits > 0 && letters > 0 {
        return if is_identifier(word) {
            Kind::Name
        } else {
            Kind::Plain
        };
    }
    Kind::Plain
}

/// `out-of-memory` is English, `cart-5f7d` and `ingress-nginx` are names.
fn hyphenated<'a>(word: &'a str, before: &str) -> Kind<'a> {
    let parts: Vec<&str> = word.split('-').filter(|part| !part.is_empty()).collect();
    let digits = word.bytes().any(|b| b.is_ascii_digit());
    if digits {
        // 3-node, 10-minute, 2-3, 5-second, sha-256, TLS-1: a number and an English word.
        let numeric = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if parts.len() == 2
            && numeric(parts[0])
            && (parts[1].chars().all(|c| c.is_ascii_lowercase()) || numeric(parts[1]))
        {
            return Kind::Plain;
        }
        // ISO dates and times of day: values that can be looked for.
        return Kind::Name;
    }
    if parts
        .iter()
        .all(|part| part.chars().all(char::is_alphabetic))
    {
        // Without digits a hyphenated word is a name only where the sentence says so: "pod web-front", "the namespace kube-system".
        let announced = matches!(
            before,
            "pod"
                | "pods"
                | "namespace"
                | "namespaces"
                | "node"
                | "nodes"
                | "host"
                | "container"
                | "deployment"
                | "statefulset"
                | "daemonset"
                | "service"
                | "unit"
                | "secret"
                | "configmap"
                | "image"
                | "volume"
                | "claim"
                | "pvc"
                | "job"
                | "cronjob"
                | "ingress"
                | "interface"
                | "device"
                | "server"
                | "cluster"
                | "database"
                | "user"
                | "bucket"
                | "queue"
                | "topic"
                | "replicaset"
                | "storageclass"
                | "serviceaccount"
                | "role"
                | "package"
                | "module"
                | "router"
                | "network"
                | "vm"
                | "instance"
                | "index"
                | "zone"
                | "pool"
        );
        let english = parts
            .iter()
            .all(|part| ENGLISH_PARTS.contains(&format!(" {} ", part.to_ascii_lowercase())));
        return if announced && !english {
            Kind::Name
        } else {
            Kind::Plain
        };
    }
    Kind::Plain
}

/// Parts that make a hyphenated word English.
const ENGLISH_PARTS: &str = " a able after all an and at auto back based bound bad before by co cross cut de deep down driven due end error ever every existing fail failed fault faulty first follow for free full grained half hand hard healthy high host in inter \
 internal ip is job key kill known large last layer less level like live local log long loop looping low made max memory micro mid min mis missing multi name near new no non not of off old on one only open or out over own owned part per point post pre pull-\
 pulling re read real related retry run running safe scheduled scale self semi set short side single size slow so specific stage start state sub system term the through throttled time timed to too top two type ultra un under unhealthy up user valid version \
 wait well wide with write wrong zero ";

/// Letters and digits mixed the way names are: not `x86`-like vocabulary, not a number with a unit.
fn is_identifier(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    if word.contains('-') || word.contains('_') {
        return digits > 0 || word.contains('_') || word.split('-').count() > 1;
    }
    digits > 0 && letters > 0 && word.len() >= 3
}

/// What a word that begins with a digit is; `None` if it is no number.
fn number<'a>(word: &str, before: &str) -> Option<Kind<'a>> {
    let word = word.trim_start_matches(['-', '+']);
    let end = word
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',')))
        .unwrap_or(word.len());
    let (figure, unit) = word.split_at(end);
    let dots = figure.matches('.').count();
    if unit.is_empty() {
        if dots >= 3 {
            return Some(Kind::Name); // an IPv4 address
        }
        if dots == 2 {
            return Some(Kind::Name); // a version
        }
        // A bare number is a value where the sentence says what it is.
        let announced = matches!(
            before,
            "port"
                | "code"
                | "pid"
                | "uid"
                | "gid"
                | "status"
                | "signal"
                | "vlan"
                | "errno"
                | "version"
        );
        return Some(if announced { Kind::Name } else { Kind::Plain });
    }
    if unit == "/s" || UNITS.contains(&unit) || UNITS.contains(&unit.trim_end_matches("/s")) {
        // Sizes as a system prints them are copied; the rest may be computed.
        let copied = matches!(unit, "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei")
            || unit == "m" && figure.len() >= 2 && dots == 0;
        return Some(if copied { Kind::Name } else { Kind::Computed });
    }
    // 4xx, 2x, 3rd, 1-2, 10s-like forms of English.
    if matches!(unit, "x" | "st" | "nd" | "rd" | "th" | "xx")
        || unit.starts_with('x') && unit.len() <= 2
    {
        return Some(Kind::Plain);
    }
    // 1h5m30s and 3d4h: compound durations.
    if word
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, 'd' | 'h' | 'm' | 's' | '.'))
    {
        return Some(Kind::Computed);
    }
    None
}

/// Other spellings under which a value may stand in the bundle: sizes in bytes and in neighbouring units, figures alone.
pub(super) fn spellings(name: &str) -> Vec<String> {
    let end = name
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',')))
        .unwrap_or(name.len());
    let (figure, unit) = name.split_at(end);
    let mut out = Vec::new();
    if figure.is_empty() || unit.is_empty() || unit.len() > 4 {
        return out;
    }
    let power = |unit: &str| {
        ["K", "M", "G", "T", "P"]
            .iter()
            .position(|prefix| {
                unit.starts_with(prefix) || unit.starts_with(&prefix.to_ascii_lowercase())
            })
            .map(|at| at as u32 + 1)
    };
    if let (Some(power), Ok(value)) = (power(unit), figure.replace(',', "").parse::<f64>())
        && unit != "m"
    {
        let bytes = value * 1024f64.powi(power as i32);
        for (steps, suffixes) in [
            (0u32, vec!["", "B"]),
            (1, vec!["Ki", "KiB", "K", "k", "kB", "KB"]),
            (2, vec!["Mi", "MiB", "M", "MB", "m"]),
            (3, vec!["Gi", "GiB", "G", "GB", "g"]),
            (4, vec!["Ti", "TiB", "T", "TB"]),
        ] {
            let scaled = bytes / 1024f64.powi(steps as i32);
            if scaled >= 1.0 && scaled.fract() == 0.0 && scaled < 1e15 {
                out.extend(
                    suffixes
                        .into_iter()
                        .map(|suffix| format!("{scaled:.0}{suffix}")),
                );
            } else if scaled >= 1.0 && steps == power {
                out.extend(
                    suffixes
                        .into_iter()
                        .map(|suffix| format!("{figure}{suffix}")),
                );
            }
        }
        let decimal = value * 1000f64.powi(power as i32);
        if decimal.fract() == 0.0 && decimal < 1e15 {
            out.push(format!("{decimal:.0}"));
        }
    } else {
        out.push(figure.to_owned());
    }
    out.retain(|spelling| spelling != name);
    out
}

/// Whether `text` itself names it, case ignored, in one of its spellings; a quoted passage may differ in blanks.
pub(super) fn stands_in(name: &Name, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let lower = name.text.to_ascii_lowercase();
    has_whole(&text, &lower)
        || spellings(&name.text)
            .iter()
            .any(|other| has_whole(&text, &other.to_ascii_lowercase()))
        || lower.contains(' ') && normalise(&text).contains(&normalise(&lower))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        extract(text).into_iter().map(|name| name.text).collect()
    }

    #[test]
    fn names_and_values_are_recognised() {
        for (text, expected) in [
            ("Pod shop/cart-5f7d9 is OOM-killed", vec!["shop/cart-5f7d9"]),
            ("the namespace kube-system has no DNS", vec!["kube-system"]),
            ("it exceeds its 50Mi memory limit", vec!["50Mi"]),
            (
                "connection to 10.0.0.12:5432 refused",
                vec!["10.0.0.12:5432"],
            ),
            ("/var/log is full on node7", vec!["/var/log", "node7"]),
            (
                "image registry.example.com/app:v1.2.3 can't be pulled",
                vec!["registry.example.com/app:v1.2.3"],
            ),
            ("the container ended with exit code 137", vec!["137"]),
            ("DB_PASSWORD is not set", vec!["DB_PASSWORD"]),
            ("nginx.service failed", vec!["nginx.service"]),
            (
                "it says \"no space left on device\" twice",
                vec!["no space left on device"],
            ),
            ("etcd took 3.2s for a request", vec!["3.2s"]),
            (
                "uuid 123e4567-e89b-12d3-a456-426614174000 is gone",
                vec!["123e4567-e89b-12d3-a456-426614174000"],
            ),
            ("password=‹secret:password:1› is wrong", vec![]),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn ordinary_english_is_no_name() {
        let corpus = include_str!("prose_corpus.txt");
        let mut count = 0;
        for sentence in corpus.lines().filter(|line| !line.trim().is_empty()) {
            count += 1;
            let found: Vec<String> = extract(sentence)
                .into_iter()
                .filter(|name| !name.computed)
                .map(|name| name.text)
                .collect();
            assert!(found.is_empty(), "{sentence:?} gives {found:?}");
        }
        assert!(count >= 80, "{count}");
    }

    #[test]
    fn sizes_are_found_in_other_units() {
        assert!(spellings("50Mi").contains(&"52428800".to_owned()));
        assert!(spellings("2GiB").contains(&"2048Mi".to_owned()));
        assert!(spellings("98%").contains(&"98".to_owned()));
        assert!(spellings("abc").is_empty());
    }
}
