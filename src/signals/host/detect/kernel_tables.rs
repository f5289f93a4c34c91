//! Tables of the kernel that have an end: control groups, keys, terminals; and tracked connections that were refused.

use crate::signals::Partial;
use crate::signals::host::emit::{Draft, percent};
use crate::signals::host::facts::Host;

pub fn detect(host: &Host, out: &mut Partial) {
    if host.container {
        return;
    }
    control_groups(host, out);
    keys(host, out);
    terminals(host, out);
    connections(host, out);
}

/// Ids of memory control groups are 16 bits wide; groups that were removed keep theirs as long as pages are charged.
fn control_groups(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("proc/cgroups") else {
        return;
    };
    let Some((number, count)) = doc.lines().find_map(|(number, line)| {
        let mut words = line.split_whitespace();
        (words.next() == Some("memory")).then_some(())?;
        Some((number, words.nth(1)?.parse::<u64>().ok()?))
    }) else {
        return;
    };
    if count < 50_000 {
        return;
    }
    Draft::cause("control-groups", "control-groups-exhausted", 0.84, "Host", "control groups")
        .says(
            format!("{count} control groups of memory exist; the kernel has 65535 at most"),
            format!("{count} memory control groups exist, most of them removed and still charged with pages (a leak): when their ids are used up no container, session or service can be started (\"No space left on device\")."),
        )
        .cites([doc.cite(number)])
        .if_ticket(host, &["container", "containers", "start", "pod", "pods", "cgroup", "memory"])
        .put(out);
}

/// `uid: usage nkeys/nikeys qnkeys/maxkeys qnbytes/maxbytes`.
fn keys(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("proc/key-users") else {
        return;
    };
    for (number, line) in doc.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [uid, _, _, count, bytes] = words[..] else {
            continue;
        };
        let full = [count, bytes].iter().find_map(|word| {
            let (used, limit) = word.split_once('/')?;
            let (used, limit): (u64, u64) = (used.parse().ok()?, limit.parse().ok()?);
            (limit > 0 && percent(used, limit) >= 95).then_some((used, limit))
        });
        let Some((used, limit)) = full else { continue };
        let uid = uid.trim_end_matches(':');
        Draft::cause("key-usage", "kernel-key-quota", 0.82, "User", uid)
            .says(
                format!("User {uid} has {used} of {limit} kernel keys"),
                format!("The quota of kernel keys of user {uid} is used up ({used} of {limit}): each container takes some, and further ones fail with \"disk quota exceeded\"."),
            )
            .cites([doc.cite(number)])
            .if_ticket(host, &["container", "containers", "start", "quota", "key"])
            .put(out);
        return;
    }
}

fn terminals(host: &Host, out: &mut Partial) {
    let (Some((used, used_at)), Some((limit, limit_at))) = (
        host.sysctl_number("kernel.pty.nr"),
        host.sysctl_number("kernel.pty.max"),
    ) else {
        return;
    };
    if limit == 0 || percent(used, limit) < 95 {
        return;
    }
    Draft::cause("terminals", "pty-exhausted", 0.8, "Host", "terminals")
        .says(
            format!("{used} of {limit} pseudo terminals are in use"),
            format!("Nearly all pseudo terminals are in use ({used} of {limit}); logins over ssh get none."),
        )
        .cites([used_at, limit_at])
        .if_ticket(host, &["login", "ssh", "terminal"])
        .put(out);
}

/// `conntrack -S`: connections given up before their time, or refused, because the table was full.
fn connections(host: &Host, out: &mut Partial) {
    let Some(doc) = host
        .commands("conntrack", |name| name.contains("-S"))
        .into_iter()
        .next()
    else {
        return;
    };
    let mut sum = 0u64;
    let mut worst = (0u64, 0usize);
    for (number, line) in doc.lines().filter(|(_, line)| line.contains("early_drop=")) {
        let of = |key: &str| {
            line.split_whitespace()
                .find_map(|word| word.strip_prefix(key)?.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let lost = of("early_drop=").saturating_add(of("drop="));
        sum = sum.saturating_add(lost);
        if lost > worst.0 {
            worst = (lost, number);
        }
    }
    if sum < 10_000 {
        return;
    }
    Draft::cause("conntrack-drops", "conntrack-table-full", 0.52, "Host", "host")
        .says(
            format!("Connection tracking dropped {sum} connections since the host started"),
            format!("{sum} connections were dropped because the table was full or an entry could not be made: at times there are more connections than nf_conntrack_max, or the hash table is far too small."),
        )
        .cites([doc.cite(worst.1)])
        .if_ticket(host, &["network", "connection", "connections", "packet", "packets", "dns", "timeout"])
        .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn tables_with_an_end() {
        let groups = |count: &str| {
            on(&[
                (
                    "proc/cgroups",
                    &format!(
                        "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t5\t{count}\t1\n"
                    ),
                ),
                ("proc/stat", ""),
            ])
        };
        assert_eq!(causes(&groups("65534")), ["control-groups-exhausted"]);
        assert!(groups("431").signals.is_empty());
        let keys = |count: &str| {
            on(&[
                (
                    "proc/key-users",
                    &format!(
                        "    0:   131 130/130 120/1000000 2000/25000000\n 1000:   200 199/199 {count}/200 5000/20000\n"
                    ),
                ),
                ("proc/stat", ""),
            ])
        };
        assert_eq!(causes(&keys("199")), ["kernel-key-quota"]);
        assert!(keys("12").signals.is_empty());
        let track = |drop: &str| {
            on(&[(
                "sos_commands/networking/conntrack_-S",
                &format!(
                    "cpu=0 found=1 invalid=9 insert=0 insert_failed=1 drop={drop} early_drop=0 error=0 search_restart=1\n"
                ),
            )])
        };
        assert_eq!(causes(&track("90000")), ["conntrack-table-full"]);
        assert!(track("12").signals.is_empty());
    }
}
