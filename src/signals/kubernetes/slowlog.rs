//! The slow log of Redis (`SLOWLOG GET`): one command over a whole keyspace stops all others, because Redis runs one at a time.

use super::emit::{Ctx, Draft, cut};
use crate::report::Evidence;
use std::collections::BTreeMap;

/// Largest file looked into, in bytes.
const MAX_BYTES: u64 = 4 << 20;
/// Microseconds from which a command holds the others up.
const SLOW: u64 = 200_000;
/// Commands that look at every key or member.
const WHOLE: [&str; 9] = [
    "KEYS", "SMEMBERS", "HGETALL", "FLUSHALL", "FLUSHDB", "SORT", "LRANGE", "ZRANGE", "SUNION",
];

/// An entry: how long it took, its command with the first argument, and who sent it.
struct Entry {
    took: u64,
    words: Vec<String>,
    client: String,
    lines: Vec<usize>,
}

/// `1) 1) (integer) 7`, `2) (integer) 1770634980`, `3) (integer) 1872186`, `4) 1) "KEYS"`, `2) "cart:*"`, `5) "10.0.0.1:5"`.
fn entries(text: &str) -> Vec<Entry> {
    let mut out: Vec<Entry> = Vec::new();
    let (mut integers, mut strings) = (0, false);
    for (at, line) in text.lines().enumerate() {
        let bare = line.trim();
        // An entry begins with two numbers of lists: `2) 1) (integer) 11`, `4) 1) "KEYS"`.
        let nested = bare
            .split_whitespace()
            .nth(1)
            .and_then(|word| word.strip_suffix(')'))
            .is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
        let value = bare.rsplit(") ").next().unwrap_or_default();
        if let Some(number) = bare.split_once("(integer) ").map(|(_, rest)| rest) {
            if nested {
                out.push(Entry {
                    took: 0,
                    words: Vec::new(),
                    client: String::new(),
                    lines: vec![],
                });
                (integers, strings) = (0, false);
            }
            integers += 1;
            if integers == 3
                && let (Some(last), Ok(took)) = (out.last_mut(), number.trim().parse())
            {
                last.took = took;
                last.lines.push(at + 1);
            }
        } else if let Some(last) = out.last_mut()
            && integers == 3
            && value.starts_with('"')
        {
            let value = value.trim_matches('"').to_owned();
            if nested || (strings && last.client.is_empty() && !is_client(&value)) {
                strings = true;
                if last.words.len() < 2 {
                    last.words.push(value);
                    last.lines.push(at + 1);
                }
            } else if is_client(&value) && last.client.is_empty() {
                last.client = value;
                last.lines.push(at + 1);
            }
        }
    }
    out.retain(|entry| !entry.words.is_empty());
    out
}

/// An address with a port.
fn is_client(value: &str) -> bool {
    value.rsplit_once(':').is_some_and(|(host, port)| {
        host.contains('.') && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The slowest command of each slow log.
pub fn detect(ctx: &Ctx) {
    for file in ctx
        .tree
        .files()
        .filter(|file| file.bytes > 0 && file.bytes <= MAX_BYTES)
    {
        if !file.path.name().to_ascii_lowercase().contains("slowlog") {
            continue;
        }
        let Ok(Some(text)) = ctx.tree.text(file) else {
            continue;
        };
        let all = entries(text.as_str());
        let mut sums: BTreeMap<&str, (u64, usize)> = BTreeMap::new();
        for entry in all.iter().filter(|entry| entry.took >= SLOW) {
            let sum = sums.entry(entry.words[0].as_str()).or_default();
            *sum = (sum.0 + entry.took, sum.1 + 1);
        }
        let Some((command, (_, count))) = sums.into_iter().max_by_key(|(_, sum)| sum.0) else {
            continue;
        };
        let Some(one) = all
            .iter()
            .filter(|entry| entry.words[0] == command)
            .max_by_key(|entry| entry.took)
        else {
            continue;
        };
        let host = one.client.rsplit_once(':').map_or("", |(host, _)| host);
        let by = ctx.cluster.pods.iter().find(|pod| {
            !host.is_empty()
                && ctx
                    .line(pod.src)
                    .is_some_and(|line| super::emit::contains_word(&line, host))
        });
        let sender = match (by, host) {
            (Some(pod), _) => format!(" of pod {} ({host})", pod.full_name()),
            (None, "") => String::new(),
            (None, host) => format!(" of {host}"),
        };
        let words = one.words.join(" ");
        let whole = WHOLE.contains(&command.to_ascii_uppercase().as_str());
        let strength = if whole { 0.9 } else { 0.74 };
        let mut draft = Draft::cause("redis-slow-command", "Command", "", command, strength).says(
            format!("Redis is blocked by {} {sender}: each call takes up to {} µs, and all other commands wait", cut(&words, 60), one.took).replace("  ", " "),
            format!("The slow log of Redis shows {count} slow calls of {}{sender}. Redis runs one command at a time, so every other client waits that long; a command over the whole keyspace takes longer with each key.", cut(&words, 60)),
        );
        for line in one.lines.iter().take(4) {
            draft = draft.show(Some(Evidence {
                path: file.path.as_str().to_owned(),
                line_start: *line as u64,
                line_end: *line as u64,
                quote: cut(text.line(*line).unwrap_or_default().trim(), 200),
            }));
        }
        if let Some(pod) = by {
            draft = draft.show(ctx.quote(pod.src, host));
        }
        ctx.emit(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, run};
    use super::*;

    const TEXT: &str = "1) 1) (integer) 12\n   2) (integer) 1770634980\n   3) (integer) 1872186\n   4) 1) \"KEYS\"\n      2) \"seat:*\"\n   5) \"10.0.7.19:51418\"\n   6) \"\"\n2) 1) (integer) 11\n   2) (integer) 1770634975\n   3) (integer) 12044\n   4) 1) \"GET\"\n      2) \"seat:1\"\n   5) \"10.0.7.20:51418\"\n   6) \"\"\n";

    #[test]
    fn a_command_over_all_keys_holds_the_others_up() {
        let all = entries(TEXT);
        assert_eq!(all.len(), 2);
        assert_eq!(
            (all[0].took, all[0].words.join(" ")),
            (1_872_186, "KEYS seat:*".into())
        );
        assert_eq!(all[0].client, "10.0.7.19:51418");
        let found = run(&[("redis/slowlog.txt", TEXT)]);
        assert_eq!(first(&found).cause, "redis-slow-command");
        let quick = TEXT.replace("1872186", "18721");
        assert!(run(&[("redis/slowlog.txt", &quick)]).signals.is_empty());
    }
}
