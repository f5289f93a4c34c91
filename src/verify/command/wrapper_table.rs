//! Programs that run the words behind them: their flags, and what they do besides.

/// A wrapper: flags with a value, leading words that are not the command, and what it does besides running it.
pub(super) struct Wrapper {
    pub names: &'static str,
    pub values: &'static str,
    /// Words before the command: a duration, a host, a file.
    pub words: usize,
    /// What running nothing means: `Some(true)` reads, `Some(false)` an interactive shell, `None` unknown.
    pub bare_reads: Option<bool>,
}

/// Every wrapper that needs no code of its own.
pub(super) const WRAPPERS: &[Wrapper] = &[
    Wrapper {
        names: "nohup setsid command builtin exec unbuffer catchsegv firejail eatmydata proxychains proxychains4 torsocks xvfb-run dbus-launch ssh-agent setarch caffeinate linux32 linux64 fakeroot dbus-run-session chpst",
        values: "-a",
        words: 0,
        bare_reads: None,
    },
    Wrapper {
        names: "nice",
        values: "-n --adjustment",
        words: 0,
        bare_reads: Some(true),
    },
    Wrapper {
        names: "ionice",
        values: "-c -n --class --classdata",
        words: 0,
        bare_reads: Some(true),
    },
    Wrapper {
        names: "chrt",
        values: "-T -P -D",
        words: 1,
        bare_reads: Some(true),
    },
    Wrapper {
        names: "time",
        values: "-f --format",
        words: 0,
        bare_reads: Some(true),
    },
    Wrapper {
        names: "stdbuf",
        values: "-i -o -e --input --output --error",
        words: 0,
        bare_reads: None,
    },
    Wrapper {
        names: "timeout gtimeout",
        values: "-s -k --signal --kill-after",
        words: 1,
        bare_reads: None,
    },
    Wrapper {
        names: "taskset",
        values: "",
        words: 1,
        bare_reads: None,
    },
    Wrapper {
        names: "numactl",
        values: "-N -m -C -p -i --cpunodebind --membind --physcpubind --preferred --interleave",
        words: 0,
        bare_reads: Some(true),
    },
    Wrapper {
        names: "watch",
        values: "-n --interval",
        words: 0,
        bare_reads: None,
    },
    Wrapper {
        names: "chroot",
        values: "--userspec --groups",
        words: 1,
        bare_reads: Some(false),
    },
    Wrapper {
        names: "gosu su-exec",
        values: "",
        words: 1,
        bare_reads: None,
    },
    Wrapper {
        names: "flock",
        values: "-w -E --timeout --conflict-exit-code",
        words: 1,
        bare_reads: None,
    },
    Wrapper {
        names: "nsenter",
        values: "-t --target -S -G --setuid --setgid",
        words: 0,
        bare_reads: Some(false),
    },
    Wrapper {
        names: "unshare",
        values: "--map-user --map-group -S -G -R -w",
        words: 0,
        bare_reads: Some(false),
    },
    Wrapper {
        names: "setpriv",
        values: "--reuid --regid --groups --bounding-set --ambient-caps --inh-caps",
        words: 0,
        bare_reads: None,
    },
    Wrapper {
        names: "busybox toybox",
        values: "",
        words: 0,
        bare_reads: Some(true),
    },
    Wrapper {
        names: "strace ltrace",
        values: "-e -p -s -o -u -E -P -S -a -O -I -b -X",
        words: 0,
        bare_reads: None,
    },
    Wrapper {
        names: "perf",
        values: "",
        words: 0,
        bare_reads: None,
    },
    Wrapper {
        names: "parallel",
        values: "-j --jobs -n -a --arg-file --colsep --delay --timeout -S -I",
        words: 0,
        bare_reads: None,
    },
    Wrapper {
        names: "retry",
        values: "-t -d -n --times --delay",
        words: 0,
        bare_reads: None,
    },
    Wrapper {
        names: "cgexec",
        values: "-g",
        words: 0,
        bare_reads: None,
    },
    Wrapper {
        names: "aa-exec",
        values: "-p --profile",
        words: 0,
        bare_reads: None,
    },
    Wrapper {
        names: "viddy",
        values: "-n --interval",
        words: 0,
        bare_reads: None,
    },
];
