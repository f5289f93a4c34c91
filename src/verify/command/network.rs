//! `ip`: showing the network, and changing it.

use super::flags::{Style, list, parse};
use super::words::{Arg, HOLE};
use super::{Judge, Stdin};

impl Judge {
    pub(super) fn ip(&mut self, args: &[Arg], stdin: &Stdin) {
        let values = list("-f -family -n -netns -l -loops -rc -rcvbuf -b -batch");
        let parsed = parse(
            args,
            Style {
                values: &values,
                one_dash: true,
                stop_at_word: true,
            },
        );
        if parsed.has(&["-b", "-batch"]) {
            return self.unknown("runs commands of a file that is not shown");
        }
        let words = parsed.all_words();
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let begins = |word: &str, full: &str| !word.is_empty() && full.starts_with(word);
        let Some(object) = texts.first() else {
            return self.read_only();
        };
        if (begins(object, "netns") || begins(object, "vrf"))
            && texts.get(1).is_some_and(|word| begins(word, "exec"))
        {
            // With `-all`, no name stands before the command.
            let from = if parsed.has(&["-a", "-al", "-all"]) {
                2
            } else {
                3
            };
            let inner = words.get(from..).unwrap_or_default().to_vec();
            return self.inner(&inner, stdin);
        }
        // Under these stands a kind of thing (state, policy, endpoint), and the verb comes after it.
        let at = if begins(object, "xfrm") || object.len() > 1 && begins(object, "mptcp") {
            2
        } else {
            1
        };
        let verb = texts.get(at).copied().unwrap_or("show");
        let any = |options: &[&str]| {
            options.iter().any(|full| {
                full.starts_with(verb) && verb.len() >= if full.len() > 4 { 1 } else { 2 }
            })
        };
        // `ip link s eth0 down` sets; elsewhere `s` shows.
        let sets = verb == "set"
            || matches!(verb, "s" | "se")
                && begins(object, "link")
                && texts.iter().filter(|word| **word != "dev").count() > 3;
        if verb.contains(HOLE) {
            self.unknown("what `ip` does is not in the text");
        } else if any(&["delete", "flush"]) {
            self.destructive(format!("`ip {object} {verb}` removes network settings"));
        } else if sets {
            if texts.contains(&"down") {
                self.destructive(format!("`ip {object} set … down` stops an interface"));
            } else {
                self.changes(format!("`ip {object} set` changes network settings"));
            }
        } else if [
            "add", "a", "change", "replace", "append", "prepend", "attach", "save",
        ]
        .contains(&verb)
            && texts.len() > 2
            || ["add", "change", "replace", "append", "restore"].contains(&verb)
        {
            self.changes(format!("`ip {object} {verb}` changes network settings"));
        } else if any(&[
            "show", "list", "ls", "lst", "get", "help", "monitor", "identify", "pids", "fdb",
            "stats", "showdump",
        ]) || ["s", "l", "sh", "dev", "all", "to", "table", "up", "-d"].contains(&verb)
            || verb.starts_with("eth")
            || verb.starts_with("en")
        {
            self.read_only();
        } else {
            self.unknown(format!(
                "`ip {object} {verb}` is not on the list of what only reads"
            ));
        }
    }
}
