//! `git`: which of its commands only read.

use super::Judge;
use super::flags::{Style, list, parse};
use super::words::Arg;
use super::wrappers::join;

impl Judge {
    pub(super) fn git(&mut self, args: &[Arg]) {
        let values =
            list("-C -c --git-dir --work-tree --namespace --exec-path --config-env --super-prefix");
        let parsed = parse(
            args,
            Style {
                values: &values,
                stop_at_word: true,
                ..Style::default()
            },
        );
        for flag in &parsed.flags {
            let value = flag
                .value
                .as_deref()
                .unwrap_or_default()
                .to_ascii_lowercase();
            if flag.name == "-c"
                && [
                    "pager",
                    "alias.",
                    "sshcommand",
                    "editor",
                    "fsmonitor",
                    "hookspath",
                    "external",
                    "textconv",
                    "credential",
                    "askpass",
                    "gpg.program",
                    "proxycommand",
                    "filter.",
                    "difftool",
                    "mergetool",
                ]
                .iter()
                .any(|key| value.contains(key))
                && !value.ends_with("pager=cat")
                && !value.ends_with("pager=")
            {
                self.destructive("`git -c` makes git run another program");
            }
            if flag.name == "--exec-path" && flag.value.is_some() || flag.name == "--config-env" {
                self.unknown("git runs programs from elsewhere");
            }
        }
        let words = parsed.all_words();
        if words.is_empty() {
            return self.read_only();
        }
        if words[0].text == "push"
            && words[1..].iter().any(|word| {
                (word.text.starts_with('+') || word.text.starts_with(':')) && word.text.len() > 1
            })
        {
            self.destructive("`git push` overwrites or deletes on the other side");
        }
        if words[0].text == "checkout"
            && words
                .iter()
                .any(|word| word.text == "--" || word.text == ".")
        {
            self.destructive("`git checkout --` overwrites changes in files");
        }
        if matches!(words[0].text.as_str(), "bisect" | "submodule" | "rebase")
            && words
                .iter()
                .any(|word| matches!(word.text.as_str(), "run" | "foreach" | "--exec" | "-x"))
        {
            let at = words
                .iter()
                .position(|word| matches!(word.text.as_str(), "run" | "foreach" | "--exec" | "-x"))
                .unwrap_or(0);
            let inner = join(&words[at + 1..]);
            self.deeper(|judge| judge.script(&inner));
        }
        let named = words[1..]
            .iter()
            .filter(|word| !word.text.starts_with('-'))
            .count();
        let lists = words.iter().any(|word| {
            [
                "-l",
                "--list",
                "-r",
                "-a",
                "-v",
                "-vv",
                "--contains",
                "--merged",
                "--no-merged",
                "--points-at",
                "--sort",
                "--get",
                "--get-all",
                "--get-regexp",
                "--show-current",
            ]
            .iter()
            .any(|flag| word.text == *flag || word.text.starts_with(&format!("{flag}=")))
        });
        let creates = match words[0].text.as_str() {
            "branch" | "tag" => named >= 1 && !lists,
            "config" | "symbolic-ref" => named >= 2 && !lists,
            _ => false,
        };
        if creates {
            self.changes(format!(
                "`git {}` with a name writes to the repository",
                words[0].text
            ));
        }
        self.by_table("git", &words);
    }
}
