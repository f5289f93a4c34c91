//! Commands inside prose: in code spans, in fences, in plain sentences; and whether the reader is told to run them.
//!
//! A command that is mentioned is no advice: "the log shows `rm -rf /data`", "never run `mkfs`", "`kubectl delete` would
//! not help". One that the sentence tells to run is: "run `rm -rf /data`", "fix: `kubectl delete pod x`".

use super::command::is_program;
use regex::Regex;
use std::sync::LazyLock;

/// Most commands taken from one text.
const MAX_FOUND: usize = 200;

/// Most of a sentence that is looked at before a command, in bytes.
const MAX_SENTENCE_BYTES: usize = 400;

/// A command found in prose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Advice {
    /// The command as it stands there.
    pub command: String,
    /// Whether the text tells the reader to run it.
    pub recommended: bool,
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|why| panic!("advice pattern: {why}"))
}

/// Words before a command that tell to run it.
static TELLS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix)
        (?: ^ | [.:;,(] \s* | \b(?:then|and|or|please|to|can|could|should|must|may|might|you|we|will|just|simply|also|first|finally|next|now|afterwards|instead|manually|\d+[.)])\s+ | ^\s*[-*+]\s+ )
        (?: re-?run | run | execute | use | try | issue | apply | type | enter | invoke | perform | do | call | start\ with | proceed\ with | follow\ with )
        (?: \s+(?:the|this|a|following|command|commands|again|with|once|e\.g\.|for\ example)\b[:,]? )* \s* :? \s* $
        | (?: ^ | [-*+.:;,(] \s* | \b(?:please|you|we|can|could|should|must|may|might|then|and|simply|just|first|next|finally|also|now|either|or|safely|\d+[.)]|(?:need|have|want|like|best|easiest|enough|how|way|able|ought|possible)\s+to | (?:way|fix|solution|step|thing|option|remedy|approach|answer|workaround|plan|choice|move)\b[^.;:!?]{0,40}\s(?:is|was|be)\s+to)\s+ | ^ (?: [-*+] \s+ )? to \s+ )
          (?: remove | delete | clean | clear | free | reset | restart | recreate | re-create | redeploy | drain | fix | repair | resolve | solve | restore | scale | roll | reboot | stop | start | force | drop | purge | wipe | kill | evict | cordon | apply | patch | change | correct | mend | get\ rid | rid | unblock | unlock | release | reclaim | shrink | truncate | empty | rotate | renew | replace | undo | revert | recover | work\ around | mitigate | address | tidy | throw | take | do | go\ on | proceed | continue | start\ over | begin | get | bring | make | force-delete | terminate | disable | enable | rebuild | format | initialise | initialize | set )
          \b [^.;:!?]{0,120} \b(?: with | using | via | through | by\ means\ of | by\ running | by\ executing | by\ issuing | by\ a | running | issuing ) (?:\s+(?:the|a|this|following|command|simple|plain))* \s* :? \s* $
        | \b(?: by | try | consider | recommend(?:ed|s)? | suggest(?:ed|s)? | advise | worth )\s+ (?:running|executing|using|issuing|trying)? (?:\s*(?:the|this|following|command))* \s* :? \s* $
        | \b(?: fix | solution | workaround | remedy | remediation | resolution | mitigation | mitigate\ with | resolve\ (?:it|this)?\ ?with | fix\ (?:it|this)?\ ?with | recommended(?:\ (?:command|action|step))? | next\ (?:step|command)s? | command(?:s)?\ to\ run | action | clean(?:ed)?\ ?up\ with ) \s* (?:is|are|:|=|-|—|–)? \s* $",
    )
});
/// Words before it that take that back, or tell what happened instead.
static TAKES_BACK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:do\s+not|don[’']t|never|avoid|not\s+(?:to|be|recommended|advisable|necessary|needed)|must\s+not|should\s+not|shouldn[’']t|mustn[’']t|can\s?not|can[’']t|won[’']t|instead\s+of|rather\s+than|without|no\s+need\s+to|refrain\s+from|(?:failed|unable|tried|tries|attempted|attempts|attempt|wanted|used|unsafe|dangerous|trying|refused|was|were|about)\s+to|dangerous|harmful|destructive)\b[^.;:]{0,40}$",
    )
});
/// Words after a command that recommend it: `… fixes it`, `… is enough`.
static FIXES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^[\s,]*(?:and\s+|then\s+)?(?:will|would|should|can|could|may|might|is\s+(?:the|a|an)?\s*(?:\w+\s+)?(?:way|fix|remedy|solution|answer|step|command|enough|safe|all)|is\s+(?:enough|safe|all)|usually|normally|typically|simply|just|also)?\s*(?:fix(?:es)?|resolves?|solves?|repairs?|clears?|cures?|unblocks?|restores?|gets?\s+(?:rid|it|things|you)|does\s+(?:the\s+trick|it)|do\s+(?:the\s+trick|it)|suffices?|recovers?|brings?|frees?|helps?|to\s+(?:do|to|fix|run|use)|you\s+need|is\s+needed|needed|and\s+the)\b",
    )
});
/// Words after a command at the beginning of a sentence that make it the subject of a statement.
static STATES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^[\s,]*(?:would|will|was|were|is|are|has|had|does|did|may|might|could|can|must\s+not|should\s+not|failed|fails|returned|returns|shows|showed|removes|removed|deletes|deleted|prints|printed|exited|exits|ended|ran|caused|in\s+the|appears|stands|from)\b",
    )
});
/// A command in a plain sentence, after a word that tells to run it.
static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:run|running|execute|executing|issue|type|enter|invoke|try|use|using|through|do|with|then|and|to|via|:)\s+((?:sudo\s+)?[a-z][a-z0-9_.+-]{1,30}\s+[^\n]{2,300})",
    )
});
/// Programs whose names are no English words, so that a sentence that names one with arguments means the program.
const UNMISTAKABLE: &str = " rm kubectl oc docker podman nerdctl crictl ctr systemctl helm dd mkfs mkfs.ext4 mkfs.xfs fdisk wipefs etcdctl ceph rbd rados git terraform tofu aws gcloud az psql mysql mongosh redis-cli iptables ip6tables nft sudo rabbitmqctl lvremove vgremove pvremove zpool zfs mdadm virsh openstack nodetool curl wget bash sh chmod chown pkill killall journalctl apt apt-get yum dnf rpm dpkg sed ip ";

/// Every command in `text`, with what the text says about it.
pub(super) fn advice(text: &str) -> Vec<Advice> {
    let mut found = Vec::new();
    let mut prose = String::with_capacity(text.len());
    for block in blocks(text) {
        match block {
            Block::Fence(code) => {
                found.extend(script_lines(code).into_iter().map(|command| Advice {
                    command,
                    recommended: true,
                }))
            }
            Block::Prose(part) => {
                prose.push_str(part);
                prose.push('\n');
            }
        }
    }
    for line in prose.lines() {
        spans(line, &mut found);
        plain(line, &mut found);
        if found.len() >= MAX_FOUND {
            break;
        }
    }
    found.truncate(MAX_FOUND);
    found
}

/// A part of a Markdown text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block<'a> {
    /// Outside of fences.
    Prose(&'a str),
    /// The content of a fence that may hold commands.
    Fence(&'a str),
}

/// Languages of fences that hold commands.
const SHELLS: &str = "  bash sh shell console zsh ksh fish ash dash csh tcsh shell-session shellsession bash-session sh-session shellscript shell-script terminal cli command commands cmd dos batch bat powershell pwsh ps1 sql mysql psql pgsql plsql tsql postgresql ";

/// Splits Markdown into prose and fences of commands. Fences of another language (yaml, json, log, text) are neither.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut open: Option<(Mark, usize)> = None;
    let mut commands = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if let Some(mark) = Mark::of(line) {
            match open.take() {
                None => {
                    out.push(Block::Prose(&text[start..at]));
                    commands = mark.opens_commands(&text[start..at]);
                    open = Some((mark, end));
                }
                Some((first, from)) if mark.c != first.c || mark.length < first.length => {
                    open = Some((first, from));
                }
                Some((_, from)) => {
                    if commands {
                        out.push(Block::Fence(&text[from..at]));
                    }
                    start = end;
                    // One that was not closed before the next.
                    commands = mark.opens_commands("");
                    open = (!mark.language.is_empty()).then_some((mark, end));
                }
            }
        }
        at = end;
    }
    match open {
        // A fence that is never closed goes to the end.
        Some((_, from)) if commands => out.push(Block::Fence(&text[from..])),
        Some(_) => {}
        None => out.push(Block::Prose(&text[start..])),
    }
    out
}

/// A line that opens or closes a fence.
struct Mark<'a> {
    c: char,
    length: usize,
    language: &'a str,
}

impl<'a> Mark<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let line = line.trim();
        let c = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let language = line.trim_start_matches(c);
        let length = line.len() - language.len();
        // Where the same marks come again, it is a code span.
        let fence = length >= 3 && !(c == '`' && language.contains(c));
        fence.then_some(Self {
            c,
            length,
            language: language.trim(),
        })
    }

    /// Whether what it opens holds commands, behind `before`: those of a shell, and a text that is told to be run.
    fn opens_commands(&self, before: &str) -> bool {
        let language = self.language.to_ascii_lowercase();
        let word = language
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_')))
            .find(|word| !word.is_empty())
            .unwrap_or_default();
        let told = || TELLS.is_match(before.trim_end().lines().last().unwrap_or_default());
        SHELLS.contains(&format!(" {word} "))
            || matches!(word, "text" | "txt" | "plain" | "plaintext" | "code") && told()
    }
}

/// The commands of a fence: with prompts, what stands behind one and what looks like one; else the whole.
fn script_lines(code: &str) -> Vec<String> {
    let mut prompted: Vec<String> = Vec::new();
    let mut prompts = false;
    for line in code.lines().map(str::trim) {
        if let Some(command) = line.strip_prefix("$ ") {
            prompts = true;
            prompted.push(command.trim().to_owned());
        } else if let Some(last) = prompted.last_mut().filter(|last| last.ends_with('\\')) {
            last.push('\n');
            last.push_str(line);
        } else if looks_like_command(line) {
            prompted.push(line.to_owned());
        }
    }
    if prompts {
        return prompted;
    }
    let whole = code.trim();
    if whole.is_empty() {
        return Vec::new();
    }
    let mut out = vec![whole.to_owned()];
    // Nothing is there to be commented: it is the prompt of root.
    if prompted.iter().all(|line| line.starts_with('#')) {
        let behind = prompted.iter().map(|line| line.trim_start_matches('#'));
        out.extend(behind.map(|line| line.trim().to_owned()));
    }
    out
}

/// Whether a text reads like a command: a program that is known, with something behind it.
pub(super) fn looks_like_command(text: &str) -> bool {
    let mut words = text.split_whitespace().skip_while(|word| {
        matches!(*word, "sudo" | "$" | "#") || word.contains('=') && !word.starts_with('=')
    });
    let Some(first) = words.next() else {
        return false;
    };
    let name = first.rsplit('/').next().unwrap_or(first);
    words.next().is_some() && (is_program(name) || is_cmdlet(name))
}

fn is_cmdlet(name: &str) -> bool {
    name.split_once('-').is_some_and(|(verb, noun)| {
        verb.len() > 2
            && noun.len() > 2
            && verb.starts_with(|c: char| c.is_ascii_uppercase())
            && noun.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    })
}

/// Code spans of a line.
fn spans(line: &str, found: &mut Vec<Advice>) {
    let mut at = 0;
    while let Some(open) = line[at..].find('`').map(|open| at + open) {
        let inner = open + 1;
        let Some(close) = line[inner..].find('`').map(|close| inner + close) else {
            return;
        };
        let code = line[inner..close].trim();
        if looks_like_command(code) {
            let sentence = sentence_start(&line[..open]);
            let before = line[sentence..open].trim_start();
            let after = line[close..].trim_start_matches('`');
            let bare = before
                .trim_matches(|c: char| {
                    c.is_whitespace()
                        || matches!(c, '-' | '*' | '+' | '.' | ')')
                        || c.is_ascii_digit()
                })
                .is_empty();
            let told =
                TELLS.is_match(before) || FIXES.is_match(after) || bare && !STATES.is_match(after);
            found.push(Advice {
                command: code.to_owned(),
                recommended: told && !TAKES_BACK.is_match(before),
            });
        }
        at = close + 1;
    }
}

/// Commands of a line that stand in the sentence itself.
fn plain(line: &str, found: &mut Vec<Advice>) {
    let line = blank_spans(line);
    let mut at = 0;
    while let Some(hit) = PLAIN.captures_at(&line, at) {
        let (Some(whole), Some(command)) = (hit.get(0), hit.get(1)) else {
            return;
        };
        // It begins with a letter of ASCII or a colon.
        at = whole.start() + 1;
        let text = command.as_str();
        let first = text
            .split_whitespace()
            .find(|word| *word != "sudo")
            .unwrap_or_default();
        if !UNMISTAKABLE.contains(&format!(" {} ", first.to_ascii_lowercase())) {
            continue;
        }
        let sentence = sentence_start(&line[..command.start()]);
        let before = line[sentence..command.start()].trim_start();
        if !TELLS.is_match(before) {
            continue;
        }
        let end = text
            .match_indices(['.', ',', ';', '!', '?', '"', ')'])
            .find(|(at, _)| {
                text[at + 1..].is_empty() || text[at + 1..].starts_with(char::is_whitespace)
            })
            .map_or(text.len(), |(at, _)| at);
        found.push(Advice {
            command: text[..end].trim().to_owned(),
            recommended: !TAKES_BACK.is_match(before),
        });
        if found.len() >= MAX_FOUND {
            return;
        }
    }
}

/// The line with code spans and quotations blanked, byte for byte.
fn blank_spans(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut open: Option<char> = None;
    for (at, c) in line.char_indices() {
        match open {
            Some(close) if c == close => {
                open = None;
                out.push(c);
            }
            Some(_) => out.extend(std::iter::repeat_n('_', c.len_utf8())),
            None => {
                if matches!(c, '`' | '"') && line[at + 1..].contains(c) {
                    open = Some(c);
                }
                out.push(c);
            }
        }
    }
    out
}

/// Where the last sentence of `text` begins; of a long one, where its last part does.
fn sentence_start(text: &str) -> usize {
    let from = text.ceil_char_boundary(text.len().saturating_sub(MAX_SENTENCE_BYTES));
    let text = &text[from..];
    from + text
        .match_indices(['.', '!', '?'])
        .rfind(|(at, _)| text[at + 1..].starts_with(char::is_whitespace))
        .map_or(0, |(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        advice(text)
            .into_iter()
            .filter(|found| found.recommended)
            .map(|found| found.command)
            .collect()
    }

    #[test]
    fn what_the_reader_is_told_to_run_is_advice() {
        for (text, command) in [
            (
                "Do not run `rm -rf /etc/x`. Run `kubectl delete pod web-0` instead.",
                "kubectl delete pod web-0",
            ),
            (
                "Run `rm -rf /var/lib/etcd` on the node.",
                "rm -rf /var/lib/etcd",
            ),
            (
                "To free space, run rm -rf /var/log/journal and restart.",
                "rm -rf /var/log/journal and restart",
            ),
            (
                "Fix: `kubectl delete pod web-0`",
                "kubectl delete pod web-0",
            ),
            ("1. `kubectl delete pod web-0`", "kubectl delete pod web-0"),
            (
                "- `kubectl delete pod web-0` to restart it",
                "kubectl delete pod web-0",
            ),
            (
                "You should execute the following command: `dd if=/dev/zero of=/dev/sda`",
                "dd if=/dev/zero of=/dev/sda",
            ),
            (
                "Try running `systemctl stop nginx`.",
                "systemctl stop nginx",
            ),
            (
                "The disk is full. Please use `rm -rf /data`.",
                "rm -rf /data",
            ),
            (
                "Then:\n```bash\nkubectl delete ns shop\n```\n",
                "kubectl delete ns shop",
            ),
            (
                "It works by running `truncate -s 0 /var/log/syslog`.",
                "truncate -s 0 /var/log/syslog",
            ),
            (
                "To free the space you can simply drop the claim with `kubectl delete pvc data-0`.",
                "kubectl delete pvc data-0",
            ),
            (
                "Clean the folder using rm -rf /srv/cache.",
                "rm -rf /srv/cache",
            ),
            (
                "A plain `kubectl delete node n1` will fix it.",
                "kubectl delete node n1",
            ),
            (
                "The quickest way would be to get rid of it with kubectl delete deploy old.",
                "kubectl delete deploy old",
            ),
            (
                "You could get rid of the lock via `etcdctl del /lock`.",
                "etcdctl del /lock",
            ),
            (
                "Recommended: `Remove-Item -Recurse C:\\data`",
                "Remove-Item -Recurse C:\\data",
            ),
            (
                "The disk is full. To free space, go with `rm -rf /data`.",
                "rm -rf /data",
            ),
            ("1. To free space, go with `rm -rf /data`.", "rm -rf /data"),
            ("- To free space, go with `rm -rf /data`.", "rm -rf /data"),
            ("The disk is full! `rm -rf /data`", "rm -rf /data"),
            (
                "To free space, run rm -rf /data, then look again.",
                "rm -rf /data",
            ),
            (
                "The tool \"fstrim\" is gone: run rm -rf /data",
                "rm -rf /data",
            ),
            ("The 5\" disk is full: run rm -rf /data", "rm -rf /data"),
            (
                "Then:\n~~~console\n$ rm -rf /data\nremoved\n~~~\n",
                "rm -rf /data",
            ),
        ] {
            assert_eq!(told(text), [command], "{text}");
        }
    }

    #[test]
    fn what_is_only_mentioned_is_not() {
        for text in [
            "The log shows that `rm -rf /data` was run by cron.",
            "Do not run `rm -rf /var/lib/etcd`.",
            "Never use `mkfs.ext4 /dev/sda` here.",
            "`kubectl delete pod x` would not help.",
            "Somebody ran rm -rf /data on the node.",
            "The hook failed to run `rm -rf /tmp/x`.",
            "The limit is too low; kubectl delete would not help.",
            "Use the pod's previous log to find the reason.",
            "```yaml\ncommand: rm -rf /x\n```",
            "The entry says \"run rm -rf /data now\".",
            "Look at `/var/log/syslog` and `app.log`.",
            "The claim was removed with `kubectl delete pvc data-0` last week.",
            "The operator cleaned the folder using `rm -rf /srv/cache`.",
            "A `kubectl delete pod x` would not fix it.",
            "It can not be solved with `kubectl delete pod x`.",
            "The entry says \"please run rm -rf /data now\".",
        ] {
            assert!(told(text).is_empty(), "{text}: {:?}", told(text));
        }
    }

    #[test]
    fn a_fence_ends_where_a_reader_sees_it_end() {
        use Block::{Fence, Prose};
        for (text, expected) in [
            (
                "a\n```\nb\n```\nc",
                vec![Prose("a\n"), Fence("b\n"), Prose("c")],
            ),
            ("```yaml\nb\n```\nc", vec![Prose(""), Prose("c")]),
            (
                "~~~ SH x\nb\n~~~\nc",
                vec![Prose(""), Fence("b\n"), Prose("c")],
            ),
            // Never closed.
            ("a\n```sh\nb", vec![Prose("a\n"), Fence("b")]),
            ("a\n```yaml\nb", vec![Prose("a\n")]),
            // Other marks and shorter ones are content.
            ("```yaml\n~~~\n```\nc", vec![Prose(""), Prose("c")]),
            ("````yaml\n```\n````\nc", vec![Prose(""), Prose("c")]),
            ("```yaml\nb\n`````\nc", vec![Prose(""), Prose("c")]),
            // Of which language it is.
            (
                "```bash\tx\nb\n```\n",
                vec![Prose(""), Fence("b\n"), Prose("")],
            ),
            (
                "```{.bash .x}\nb\n```\n",
                vec![Prose(""), Fence("b\n"), Prose("")],
            ),
            (
                "```bash,x\nb\n```\n",
                vec![Prose(""), Fence("b\n"), Prose("")],
            ),
            ("```bashful\nb\n```\n", vec![Prose(""), Prose("")]),
            (
                "Run this command:\n\n```text\nb\n```\n",
                vec![Prose("Run this command:\n\n"), Fence("b\n"), Prose("")],
            ),
            (
                "Run this.\nIt said:\n```text\nb\n```\n",
                vec![Prose("Run this.\nIt said:\n"), Prose("")],
            ),
            (
                "Apply this:\n```yaml\nb\n```\n",
                vec![Prose("Apply this:\n"), Prose("")],
            ),
            // A code span is no fence.
            ("```note```\nc", vec![Prose("```note```\nc")]),
            ("``note\nc", vec![Prose("``note\nc")]),
            ("~~~a~~~\nc\n~~~\nd", vec![Prose(""), Prose("d")]),
            // The next one begins before the last is closed.
            (
                "```yaml\na\n```sh\nb\n```\nc",
                vec![Prose(""), Fence("b\n"), Prose("c")],
            ),
        ] {
            assert_eq!(blocks(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_commands_of_a_fence_are_found_behind_prompts_and_without() {
        for (code, expected) in [
            ("", vec![]),
            ("rm -rf /data\ndf -h\n", vec!["rm -rf /data\ndf -h"]),
            ("$ df -h\n/dev/vda2 9G\n$ ls\n", vec!["df -h", "ls"]),
            (
                "$ df -h &&\\\n  rm -rf /data\n",
                vec!["df -h &&\\\nrm -rf /data"],
            ),
            ("$ df -h\nrm -rf /data\n", vec!["df -h", "rm -rf /data"]),
            // A comment, and the prompt of root.
            ("# the old files\ndf -h\n", vec!["# the old files\ndf -h"]),
            ("# find the files\ndf -h\n", vec!["# find the files\ndf -h"]),
            ("# rm -rf /data\n", vec!["# rm -rf /data", "rm -rf /data"]),
            (
                "# rm -rf /data\nremoved\n",
                vec!["# rm -rf /data\nremoved", "rm -rf /data"],
            ),
        ] {
            assert_eq!(script_lines(code), expected, "{code:?}");
        }
    }

    #[test]
    fn every_command_of_a_text_is_found() {
        for text in [
            "- `rm -rf /a`\n- `rm -rf /b`",
            "Run rm -rf /a, then run rm -rf /b.",
            "Run `rm -rf /a` and run rm -rf /b.",
        ] {
            let mut all = told(text);
            all.sort();
            assert_eq!(all, ["rm -rf /a", "rm -rf /b"], "{text}");
        }
        // What stands between two code spans is none.
        assert_eq!(advice("Logs of `web` kill the `db` of it."), []);
    }

    #[test]
    fn the_beginning_of_a_sentence_is_found_behind_a_long_one() {
        for long in ["x".repeat(500), "é".repeat(250)] {
            let text = format!("{long}. To free space, go with `rm -rf /data`.");
            assert_eq!(told(&text), ["rm -rf /data"], "{text}");
            let text = format!("{long}. Never go with `rm -rf /data`.");
            assert!(told(&text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_command_is_a_known_program_with_something_behind_it() {
        for (text, command) in [
            ("rm -rf /data", true),
            ("$ rm -rf /data", true),
            ("# rm -rf /data", true),
            ("sudo rm -rf /data", true),
            ("LANG=C rm -rf /data", true),
            ("/usr/bin/rm -rf /data", true),
            ("=1 rm -rf /data", false),
            ("rm", false),
            ("LANG=C", false),
            ("the pod is gone", false),
            ("Get-Item C:\\data", true),
            ("Set-Acl C:\\data", true),
            ("Get-Item", false),
            ("Go-Item C:\\data", false),
            ("Get-It C:\\data", false),
            ("get-Item C:\\data", false),
            ("Get-item C:\\data", false),
            ("get-item C:\\data", false),
            ("Get-It\u{e9}m C:\\data", false),
            ("Cluster-Admin_2 of it", false),
        ] {
            assert_eq!(looks_like_command(text), command, "{text}");
        }
    }

    #[test]
    fn hostile_text_is_bounded() {
        for text in [
            "`".repeat(100_000),
            "```".repeat(30_000),
            "run rm ".repeat(20_000),
            "`ls -l` ".repeat(5_000),
            "run rm -rf é".repeat(3000),
        ] {
            assert!(advice(&text).len() <= MAX_FOUND);
        }
    }
}
