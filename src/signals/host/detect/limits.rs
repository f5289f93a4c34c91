//! Limits of the whole host: open files, processes, asynchronous I/O.

use crate::signals::Partial;
use crate::signals::host::emit::{Draft, percent};
use crate::signals::host::facts::Host;

pub fn detect(host: &Host, out: &mut Partial) {
    files(host, out);
    pids(host, out);
    aio(host, out);
}

/// `fs.file-nr`: allocated, unused, maximum.
fn files(host: &Host, out: &mut Partial) {
    let Some((value, doc, line)) = host.sysctl("fs.file-nr") else {
        return;
    };
    let numbers: Vec<u64> = value
        .split_whitespace()
        .filter_map(|v| v.parse().ok())
        .collect();
    let [used, _, max] = numbers[..] else { return };
    if percent(used, max) >= 90 {
        Draft::cause("file-nr", "file-descriptors-exhausted", 0.88, "Host", "host")
            .says(format!("Open files of the whole host are at their limit: {used} of {max}"), format!("{used} of fs.file-max = {max} file handles are in use; when none is left, no process can open anything."))
            .cites([doc.cite(line)])
            .if_ticket(host, &["files", "open", "limit"])
            .put(out);
    }
}

/// Threads against pid_max and threads-max.
fn pids(host: &Host, out: &mut Partial) {
    let Some(doc) = host
        .file("proc/loadavg")
        .or_else(|| host.command("loadavg", &[]))
    else {
        return;
    };
    let Some((number, line)) = doc.lines().next() else {
        return;
    };
    let Some(threads) = line
        .split_whitespace()
        .nth(3)
        .and_then(|w| w.split('/').nth(1)?.parse::<u64>().ok())
    else {
        return;
    };
    for key in ["kernel.pid_max", "kernel.threads-max"] {
        let Some((max, at)) = host.sysctl_number(key) else {
            continue;
        };
        if percent(threads, max) >= 90 {
            Draft::cause("pid-max", "cannot-fork", 0.84, "Host", "host")
                .says(format!("Threads are at the limit: {threads} of {key} = {max}"), format!("{threads} threads exist and {key} is {max}; no further process or thread can be started."))
                .cites([doc.cite(number), at])
                .if_ticket(host, &["fork", "thread", "threads", "process"])
                .put(out);
        }
    }
}

/// `fs.aio-nr` against `fs.aio-max-nr`.
fn aio(host: &Host, out: &mut Partial) {
    let (Some((used, used_at)), Some((max, max_at))) = (
        host.sysctl_number("fs.aio-nr"),
        host.sysctl_number("fs.aio-max-nr"),
    ) else {
        return;
    };
    if max > 0 && percent(used, max) >= 90 {
        Draft::cause("aio-nr", "aio-limit", 0.74, "Host", "host")
            .says(format!("Asynchronous I/O contexts are at their limit: {used} of {max}"), format!("fs.aio-nr is {used} of fs.aio-max-nr = {max}; databases, virtual machines and storage daemons that ask for more fail to start."))
            .cites([used_at, max_at])
            .if_ticket(host, &["aio", "start", "disk"])
            .put(out);
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn limits_reached_and_not() {
        let sysctl = |files: u32, aio: u32| {
            format!("fs.file-nr = {files}\t0\t1000\nfs.aio-nr = {aio}\nfs.aio-max-nr = 65536\n")
        };
        assert_eq!(
            causes(&on(&[(
                "sos_commands/kernel/sysctl_-a",
                &sysctl(990, 65500)
            )])),
            ["file-descriptors-exhausted", "aio-limit"]
        );
        assert!(causes(&on(&[("sos_commands/kernel/sysctl_-a", &sysctl(100, 200))])).is_empty());
    }

    #[test]
    fn threads_at_pid_max() {
        let files = [
            ("proc/loadavg", "0.5 0.4 0.3 2/32700 99\n"),
            ("proc/sys/kernel/pid_max", "32768\n"),
        ];
        assert_eq!(causes(&on(&files)), ["cannot-fork"]);
    }
}
