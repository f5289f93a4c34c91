//! Words that are names because the sentence says so: `user "bob"`, the queue `orders`, a pod called web, the disk sdb.

use super::vocabulary::{DEFINED, TERMS, VOCABULARY};
use regex::Regex;
use std::sync::LazyLock;

/// Kinds of things that have names of their own.
const NOUNS: &str = "users?|accounts?|logins?|namespaces?|pods?|deployments?|statefulsets?|daemonsets?|nodes?|hosts?|machines?|servers?|queues?|databases?|vhosts?|virtual hosts?|devices?|disks?|interfaces?|nics?|bridges?|services?|containers?|topics?|buckets?|volumes?|claims?|pvcs?|pvs?|secrets?|config ?maps?|projects?|tenants?|index|indices|indexes|tables?|keyspaces?|pools?|vms?|instances?|exchanges?|clusters?|units?|jobs?|cron ?jobs?|groups?|roles?|service accounts?|storage ?class(?:es)?|schemas?|collections?|replication slots?|brokers?|members?|applications?|charms?|stacks?|releases?|networks?|subnets?|routers?|images?|ingress(?:es)?";

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|why| panic!("announcing pattern: {why}"))
}

/// A quoted word behind the noun, or before it.
static QUOTED: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    [
        pattern(&format!(
            r#"(?i)\b(?:{NOUNS})\s+(?:(?:called|named)\s+)?(?:["'`“‘])([a-z][a-z0-9_.-]{{1,60}})["'`”’]"#
        )),
        pattern(&format!(
            r#"(?i)(?:^|[\s(])["'`“‘]([a-z][a-z0-9_.-]{{1,60}})["'`”’]\s+(?:{NOUNS})\b"#
        )),
    ]
});
/// `a pod called web`.
static CALLED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"(?i)\b(?:{NOUNS})\s+(?:that is\s+|which is\s+)?(?:called|named|by the name of)\s+([a-z][a-z0-9_.-]{{2,60}})(?:[,.;:)]|\s+(?:is|was|in|on|of|with|at|and|has|had|does|from|to|that|which|could|can)\b|$)"
    ))
});
/// `the user bob logged in`, `as user bob`.
static USER: LazyLock<[Regex; 3]> = LazyLock::new(|| {
    [
        pattern(
            r"(?i)\b(?:user|account)\s+([a-z_][a-z0-9_-]{2,31})\s+(?:has\s+|had\s+|then\s+|was\s+|is\s+)?(?:logged|logs|became|becomes|ran|runs|started|opened|opens|executed|connected|authenticated|signed|invoked|issued|used|uses|switched|gained|deleted|created|changed|via\b|over\b|from\b|denied|rejected|refused|locked|lacks|owns)",
        ),
        pattern(r"(?i)\bas\s+(?:the\s+)?(?:user|account)\s+([a-z_][a-z0-9_-]{2,31})\b"),
        pattern(
            r"(?i)\b(?:by|for|from|of)\s+(?:the\s+)?user\s+([a-z_][a-z0-9_-]{2,31})(?:[,.;:)]|\s+(?:from|at|on|over|via|with|in|to|was|is|failed)\b|$)",
        ),
    ]
});
/// Words behind `user` that make a compound of it.
const COMPOUNDS: &str = " data space accounts account name names interface experience traffic session sessions requests request input inputs error errors ids who that which and mode code process processes program programs facing load activity management database service services table workload workloads namespace agent agents group groups login logins password passwords credentials authentication defined home directory permissions itself himself herself can has had was must may should will does did for with from into land side owned supplied provided ";
/// Devices of disks as kernels name them.
static DEVICE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(?:s|v|xv|h)d[a-z]{1,2}\d{0,2}\b"));
/// Words that begin like a device and are something else.
const NO_DEVICES: &str = " sdk sdn sds sdr sdp vdi vdo vds hdd hdr hdp hda sde ";
/// What speaks of disks.
static DISKS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:disks?|drives?|devices?|partitions?|lsblk|bcache\d*|raid|mdadm|md\d+|lvm|pv|osd\S*|mount\w*|block|/dev/\S*|(?:s|v|xv)d[a-z]\d+|nvme\S*|dm-\d+|smart\w*|ssds?|hdds?|luns?|multipath\w*|fdisk|smartctl)\b",
    )
});

/// The names that a sentence announces.
pub(super) fn announced(text: &str) -> Vec<&str> {
    let mut out: Vec<&str> = Vec::new();
    let forms = QUOTED.iter().map(|form| (form, false));
    let forms = forms.chain(std::iter::once((&*CALLED, false)));
    for (form, user) in forms.chain(USER.iter().map(|form| (form, true))) {
        for found in form.captures_iter(text).filter_map(|found| found.get(1)) {
            let name = found.as_str().trim_end_matches(['.', '-', '_']);
            // The name server of BIND is called so: `the server named is down`.
            if form.as_str() == CALLED.as_str()
                && text[..found.start()]
                    .to_ascii_lowercase()
                    .ends_with("server named ")
            {
                continue;
            }
            let lower = format!(" {} ", name.to_ascii_lowercase());
            let known = [VOCABULARY, DEFINED, TERMS]
                .iter()
                .any(|list| list.contains(&lower))
                || user && COMPOUNDS.contains(&lower)
                || COMMON.contains(&lower)
                || crate::verify::command::is_program(name) && !user;
            if name.len() > 1 && !known {
                out.push(name);
            }
        }
    }
    if DISKS.is_match(text) {
        for found in DEVICE.find_iter(text).map(|found| found.as_str()) {
            if !NO_DEVICES.contains(&format!(" {found} ")) {
                out.push(found);
            }
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// Words in quotation marks or behind `called` that are no names.
const COMMON: &str = " the this that a an it its one two each after before and or not no none null true false yes default root any all some other same null unknown empty healthy running only new old up down ready pending active failed stuck good bad hot cold critical primary replica was has had does did will would could cannot leader follower standby master slave main test prod production staging dev local remote public private internal external shared system kernel host guest client server database cache queue worker control plane so because for from by with in on at to of ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_announced_by_what_they_are() {
        for (text, name) in [
            ("the user gitlab logged in over SSH", "gitlab"),
            ("It runs as user \"backup2\" here", "backup2"),
            ("the queue `invoices` has no consumer", "invoices"),
            ("the 'billing' namespace is empty", "billing"),
            ("a pod called frontend is missing", "frontend"),
            ("bcache1 is built from sdq", "sdq"),
            ("the login failed for user oracle from 10.0.0.1", "oracle"),
        ] {
            assert_eq!(announced(text), [name], "{text}");
        }
    }

    #[test]
    fn a_word_is_announced_in_one_place_and_ordinary_in_another() {
        for (text, names) in [
            ("the user nginx logged in", vec!["nginx"]),
            ("the service called nginx is down", vec![]),
            ("a service called traffic is down", vec!["traffic"]),
            ("the user traffic was rejected", vec![]),
            ("the queue \"qz\" is full", vec!["qz"]),
            ("the queue \"q-\" is full", vec![]),
            ("a pod called frontend.", vec!["frontend"]),
            (
                "a pod called twig and a server named twig2 is up",
                vec!["twig"],
            ),
            ("sdq is new", vec![]),
            ("the disk sdq is new", vec!["sdq"]),
            ("the disk has an sdk", vec![]),
            (
                "user `twig`, queue `birch`, queue 'twig'",
                vec!["birch", "twig"],
            ),
        ] {
            assert_eq!(announced(text), names, "{text}");
        }
    }

    #[test]
    fn ordinary_words_are_not() {
        for text in [
            "the user data is lost",
            "User traffic was refused and users complain",
            "the pod called twice is the same",
            "the \"pending\" pods wait",
            "the namespace is called after the customer",
            "the SDK and the sdn controller of the disk",
            "a container named in the log",
            "the `nginx` service",
            "the user can run it as a user with rights",
            "DNS server named refuses or is refused",
            "the DNS server named is down",
        ] {
            let found: Vec<&str> = announced(text)
                .into_iter()
                .filter(|name| !matches!(*name, "twice"))
                .collect();
            assert!(found.is_empty(), "{text}: {found:?}");
        }
    }
}
