//! Threads that wait for each other for ever: what the runtime of a program (JVM, Go, Ruby, Python, .NET, C++)
//! says about a deadlock, with the threads and the code that hold each other up. Such a program answers no
//! probe, and whoever calls it waits.

use super::emit::{Ctx, Draft, cut, full_name_words, with_pod};
use super::lastwords;
use super::model::*;
use super::raised;
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Longest log scanned, in lines.
const MAX_LINES: usize = 400_000;
/// Most threads of a dump that are remembered.
const MAX_THREADS: usize = 500;
/// Lines below the statement that tell who waits for whom.
const BELOW: usize = 60;

/// What the runtimes say, and which runtime it is.
const SAID: [(&str, &str); 10] = [
    ("Java-level deadlock", "the JVM"),
    ("all goroutines are asleep - deadlock", "the Go runtime"),
    ("POTENTIAL DEADLOCK", "its lock checker"),
    ("No live threads left. Deadlock", "the Ruby runtime"),
    ("deadlock; recursive locking", "the Ruby runtime"),
    ("deadlock; lock already owned", "the Ruby runtime"),
    ("deadlock detected by _ModuleLock", "the Python runtime"),
    ("Resource deadlock avoided", "the thread library"),
    ("Resource deadlock would occur", "the thread library"),
    ("resource deadlock avoided", "the thread library"),
];

/// A health check or a library that found threads in a deadlock, and the watchdog of Python that dumps the
/// threads of a program that hangs.
static TOLD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:threads?|monitors?|tasks?)\b.{0,40}\b(?:deadlock(?:ed)?\b|in a deadlock)|\bdeadlock(?:ed)?\b.{0,24}\b(?:threads?|goroutines?|monitors?)\b|^found \d+ deadlocks?\b").ok()
});
static WATCHDOG: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^Timeout \((?:\d+:)+\d\d(?:\.\d+)?\)!$").ok());
/// The head of a thread in a dump of the JVM.
static THREAD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^"(?P<name>[^"]{1,120})"(?P<rest>:$| .*\b(?:tid|nid|prio)=)"#).ok()
});

/// Whether a line belongs to a dump of threads: its numbers are the age and the use of threads.
pub fn is_dump_line(line: &str) -> bool {
    let text = line.trim_start();
    text.starts_with('"') && THREAD.as_ref().is_some_and(|regex| regex.is_match(text))
        || text.starts_with("java.lang.Thread.State:")
        || [
            "- locked <",
            "- waiting to lock <",
            "- waiting on <",
            "- parking to wait for",
        ]
        .iter()
        .any(|lead| text.starts_with(lead))
        || text.starts_with("Full thread dump")
        || text.starts_with("goroutine ") && text.ends_with("]:")
        || text.starts_with("Thread 0x") && text.contains("most recent call first")
}

/// What is found in one log.
#[derive(Debug, Default, PartialEq)]
struct Found {
    /// Which runtime says it.
    by: String,
    /// The statement and its line.
    said: (String, u32),
    /// Threads that the statement names, with the lines.
    threads: Vec<(String, u32)>,
    /// Where they wait: a call of the application's own code, and its line.
    wait: Option<(String, u32)>,
    /// The kind of lock, "" if unsaid.
    lock: String,
    /// A hang that a watchdog saw, not a proven deadlock.
    hang: bool,
}

/// Reads a log line by line.
#[derive(Default)]
struct Reader {
    found: Option<Found>,
    /// Where the threads of the dump before it stand.
    calls: BTreeMap<String, (String, u32)>,
    thread: String,
    left: usize,
}

impl Reader {
    fn line(&mut self, number: u32, raw: &str) {
        let dump = raw.contains('"') || raw.contains("at ") || raw.contains("File ");
        let may =
            raw.contains("eadlock") || raw.contains("DEADLOCK") || raw.starts_with("Timeout (");
        if !dump && !may && self.left == 0 {
            return;
        }
        let text = lastwords::uncoloured(raw);
        let bare = text.trim();
        if let Some(head) = THREAD.as_ref().and_then(|regex| regex.captures(bare)) {
            self.thread = head["name"].to_owned();
            if self.left > 0
                && let Some(found) = &mut self.found
                && bare.ends_with(':')
                && found.threads.len() < 6
                && !found.threads.iter().any(|(name, _)| *name == self.thread)
            {
                found.threads.push((self.thread.clone(), number));
            }
        } else if let Some(call) = raised::frame(&text) {
            if !self.thread.is_empty()
                && self.calls.len() < MAX_THREADS
                && !self.calls.contains_key(&self.thread)
            {
                self.calls
                    .insert(self.thread.clone(), (call.clone(), number));
            }
            if self.left > 0
                && let Some(found) = &mut self.found
                && found.wait.is_none()
            {
                found.wait = Some((call, number));
            }
        } else if self.left > 0
            && let Some(found) = &mut self.found
            && found.lock.is_empty()
            && bare.starts_with("waiting ")
            && let Some((_, kind)) = bare.split_once(" a ").or_else(|| bare.split_once("(a "))
        {
            found.lock = kind.trim_end_matches([')', ',', ' ']).to_owned();
        }
        self.left = self.left.saturating_sub(1);
        if !may || self.found.as_ref().is_some_and(|found| !found.hang) {
            return;
        }
        let hang = WATCHDOG.as_ref().is_some_and(|regex| regex.is_match(bare));
        let by = match SAID.iter().find(|(words, _)| bare.contains(words)) {
            Some((_, by)) => (*by).to_owned(),
            None if hang => "its watchdog".to_owned(),
            None if told(bare) => "the program".to_owned(),
            None => return,
        };
        if hang && self.found.is_some() {
            return;
        }
        self.thread.clear();
        self.left = BELOW;
        self.found = Some(Found {
            by,
            said: (bare.to_owned(), number),
            hang,
            ..Found::default()
        });
    }
    fn end(self) -> Option<Found> {
        let mut found = self.found?;
        // What the dump above says about the threads that hold each other up.
        if found.wait.is_none() {
            found.wait = found
                .threads
                .iter()
                .find_map(|(name, _)| self.calls.get(name).cloned());
        }
        Some(found)
    }
}

/// A statement about threads; a database that ends one of two transactions goes on, and nothing hangs.
fn told(line: &str) -> bool {
    let lower = line.to_lowercase();
    let denied = [
        "no deadlock",
        "no deadlocked",
        "transaction",
        "victim",
        "0 deadlock",
        "deadlocks: 0",
        "deadlocks=0",
        "deadlock detection",
        "deadlock-detect",
        "deadlock timeout",
        "avoid",
        "potential",
        "innodb",
        "process ",
        "healthy",
    ]
    .iter()
    .any(|word| lower.contains(word));
    !denied && TOLD.as_ref().is_some_and(|regex| regex.is_match(line))
}

/// Deadlocks that logs tell.
pub fn detect(ctx: &Ctx) {
    for log in ctx.cluster.logs.iter().filter(|log| !log.empty) {
        let mut reader = Reader::default();
        ctx.each_line(log, MAX_LINES, |number, line| reader.line(number, line));
        if let Some(found) = reader.end() {
            tell(ctx, log, &found);
        }
    }
}

fn tell(ctx: &Ctx, log: &Log, found: &Found) {
    let pod = ctx
        .cluster
        .pods
        .iter()
        .find(|pod| lastwords::belongs(log, pod, ""));
    let probed = ctx.signals().iter().any(|signal| {
        signal.cause.ends_with("-probe-failing")
            && (signal.subject.name == log.pod
                || signal
                    .entities
                    .get("pod")
                    .is_some_and(|pod| *pod == log.pod))
    });
    let well = pod.is_some_and(|pod| pod.is_ready() || pod.is_done());
    let strength = match () {
        () if probed || pod.is_some_and(|pod| !pod.is_ready() && !pod.is_done()) => 0.93,
        // It was started anew since.
        () if log.previous && well => 0.6,
        () => 0.84,
    } - if found.hang { 0.1 } else { 0.0 };
    let who = full_name_words(&log.ns, &log.pod, &log.container);
    let names: Vec<String> = found
        .threads
        .iter()
        .take(3)
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    let threads = if names.is_empty() {
        "its threads".to_owned()
    } else {
        format!("its threads {}", names.join(" and "))
    };
    let place = found
        .wait
        .as_ref()
        .map(|(call, _)| format!(" in {}", cut(call, 90)))
        .unwrap_or_default();
    let lock = if found.lock.is_empty() {
        String::new()
    } else {
        format!(" (locks of {})", cut(&found.lock, 80))
    };
    let said = cut(&found.said.0, 90);
    let (title, statement) = if found.hang {
        (
            format!("{who} hangs{place} — {said}"),
            format!(
                "{who}: {} found it hanging{place} and wrote what its threads do.",
                found.by
            ),
        )
    } else {
        (
            format!("{who} is in a deadlock: {threads} wait for each other{place}{lock} — {said}"),
            format!(
                "{who}: {} reports a deadlock: {threads} wait for each other{place}{lock}. What needs these locks hangs for ever, so requests and probes get no answer until it is restarted.",
                found.by
            ),
        )
    };
    let src = |line: u32| Src {
        file: log.file,
        line,
        column: 0,
    };
    let mut draft = Draft::cause("application-deadlocked", "Pod", &log.ns, &log.pod, strength)
        .says(title, statement)
        .show(ctx.quote(src(found.said.1), &found.said.0))
        .entity("container", &log.container);
    for (name, line) in found.threads.iter().take(2) {
        draft = draft.show(ctx.quote(src(*line), name));
    }
    if let Some((call, line)) = &found.wait {
        draft = draft.show(ctx.quote(src(*line), call));
    }
    if let Some(pod) = pod {
        draft = with_pod(draft, pod, &log.container);
    }
    ctx.emit(draft);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Found> {
        let mut reader = Reader::default();
        for (at, line) in text.lines().enumerate() {
            reader.line(at as u32 + 1, line);
        }
        reader.end()
    }

    #[test]
    fn threads_and_the_code_that_hold_each_other_up_are_told() {
        let found = read("\"pool-1-thread-7\" #31 prio=5 os_prio=0 cpu=91234.10ms elapsed=8211.00s tid=0x01 nid=0x2 waiting for monitor entry\n   java.lang.Thread.State: BLOCKED (on object monitor)\n\tat com.example.seats.Plan.swap(Plan.java:61)\n\t- waiting to lock <0x0e> (a com.example.seats.Seat)\n\nFound one Java-level deadlock:\n=====\n\"pool-1-thread-7\":\n  waiting to lock monitor 0x07 (object 0x0e, a com.example.seats.Seat),\n  which is held by \"pool-1-thread-9\"\n\"pool-1-thread-9\":\n  waiting to lock monitor 0x08 (object 0x0f, a com.example.seats.Seat),\n").unwrap();
        assert_eq!(found.by, "the JVM");
        assert_eq!(found.lock, "com.example.seats.Seat");
        assert_eq!(found.wait, Some(("com.example.seats.Plan.swap".into(), 3)));
        assert_eq!(
            found.threads,
            vec![
                ("pool-1-thread-7".into(), 8),
                ("pool-1-thread-9".into(), 11)
            ]
        );
    }

    #[test]
    fn other_runtimes_say_it_in_their_words() {
        for (text, by) in [
            (
                "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:",
                "the Go runtime",
            ),
            (
                "main.rb:4:in `join': No live threads left. Deadlock? (fatal)",
                "the Ruby runtime",
            ),
            (
                "terminate called after throwing: Resource deadlock avoided",
                "the thread library",
            ),
            (
                "ERROR health check failed: 2 threads are in a deadlock",
                "the program",
            ),
            ("WARN Deadlocked threads: worker-1, worker-4", "the program"),
        ] {
            assert_eq!(
                read(text).map(|found| found.by).as_deref(),
                Some(by),
                "{text}"
            );
        }
        let hang = read("Timeout (0:00:30)!\nThread 0x00007f (most recent call first):\n  File \"/app/jobs/lease.py\", line 8, in take\n").unwrap();
        assert!(hang.hang);
        assert_eq!(hang.wait.unwrap().0, "take, jobs/lease.py line 8");
        for text in [
            "ERROR: deadlock detected\nDETAIL: Process 1 waits for ShareLock on transaction 7",
            "Transaction (Process ID 6) was deadlocked on lock resources with another thread and has been chosen as the deadlock victim",
            "health: threads ok, deadlocks: 0",
            "no deadlocked threads found",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn lines_of_a_dump_are_no_operations() {
        assert!(is_dump_line(
            "\"exec-3\" #41 daemon prio=5 os_prio=0 cpu=18211.40ms elapsed=171002.11s tid=0x0 nid=0x3a waiting"
        ));
        assert!(is_dump_line("goroutine 7 [semacquire, 12 minutes]:"));
        assert!(!is_dump_line("\"GET /x\" took 18211 ms, elapsed=18.2s"));
    }
}
