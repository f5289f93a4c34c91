//! Finding a host's facts by path and content, whatever collected them.
//!
//! Understands sosreport (`sos_commands/<plugin>/<command_with_underscores>` and the shortcuts in the
//! root), supportconfig (sections `# <command or path>` inside text files) and plain folders with
//! command outputs or `var/log`. A host's folder may lie anywhere in the bundle.

use super::clock::{self, Frame};
use crate::bundle::{Entry, FileKind, Text, Tree};
use crate::report::Evidence;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest quote, in characters.
pub const MAX_QUOTE: usize = 400;

/// A file, or a section of one, with line numbers of the file.
#[derive(Debug, Clone)]
pub struct Doc {
    /// Path inside the bundle.
    pub path: String,
    /// The command that printed it, or the path on the host.
    pub name: String,
    text: Arc<Text>,
    first: usize,
    last: usize,
}

impl Doc {
    /// Lines with their numbers in the file.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (self.first..=self.last).filter_map(|n| self.text.line(n).map(|line| (n, line)))
    }
    /// Line `number` as evidence.
    pub fn cite(&self, number: usize) -> Evidence {
        cite(
            &self.path,
            number,
            self.text.line(number).unwrap_or_default(),
        )
    }
    /// The first line that `test` accepts.
    pub fn line_with(&self, test: impl Fn(&str) -> bool) -> Option<(usize, &str)> {
        self.lines().find(|(_, line)| test(line))
    }
    /// Whether any line contains `needle`.
    pub fn contains(&self, needle: &str) -> bool {
        self.line_with(|line| line.contains(needle)).is_some()
    }
}

/// One line as evidence, cut to [`MAX_QUOTE`] characters around byte `at`.
pub fn cite_at(path: &str, number: usize, line: &str, at: usize) -> Evidence {
    let mut from = if line.len() > MAX_QUOTE {
        at.saturating_sub(120)
    } else {
        0
    };
    while !line.is_char_boundary(from) {
        from -= 1;
    }
    cite(path, number, line[from..].trim_start())
}

/// One line as evidence, cut to [`MAX_QUOTE`] characters.
pub fn cite(path: &str, number: usize, line: &str) -> Evidence {
    Evidence {
        path: path.to_owned(),
        line_start: number as u64,
        line_end: number as u64,
        quote: line
            .chars()
            .take(MAX_QUOTE)
            .collect::<String>()
            .trim_end()
            .to_owned(),
    }
}

/// Keys of one document with their values and lines.
type Table<T> = (BTreeMap<String, (T, usize)>, Doc);
/// A value, and where it stands.
type Setting = (String, Doc, usize);

/// One host of the bundle.
pub struct Host<'t> {
    /// The whole bundle.
    pub tree: &'t Tree,
    /// The host's folder inside the bundle, with `/`, or "".
    pub root: String,
    /// The customer's words in lower case, or "".
    pub ticket: String,
    /// Clock and boot time of the host.
    pub frame: Frame,
    /// Runs in a container: kernel messages and limits belong to another host.
    pub container: bool,
    commands: BTreeMap<String, Vec<Source<'t>>>,
    sections: BTreeMap<String, Source<'t>>,
    sysctl: OnceCell<BTreeMap<String, Setting>>,
    meminfo: OnceCell<Option<Table<u64>>>,
}

#[derive(Debug, Clone)]
struct Source<'t> {
    entry: &'t Entry,
    name: String,
    lines: Option<(usize, usize)>,
}

impl<'t> Host<'t> {
    /// Reads the host in the folder `root` (see [`super::layout::roots`]).
    pub fn new(tree: &'t Tree, root: &str, ticket: Option<&str>) -> Self {
        let mut host = Self {
            tree,
            root: root.to_owned(),
            ticket: ticket.unwrap_or_default().to_lowercase(),
            frame: Frame::default(),
            container: false,
            commands: BTreeMap::new(),
            sections: BTreeMap::new(),
            sysctl: OnceCell::new(),
            meminfo: OnceCell::new(),
        };
        host.collect();
        host.frame = host.read_clock();
        host.container = host.is_container();
        host
    }

    /// Path of `entry` inside the host's folder.
    pub fn rel<'a>(&self, entry: &'a Entry) -> &'a str {
        entry
            .path
            .as_str()
            .strip_prefix(self.root.as_str())
            .unwrap_or(entry.path.as_str())
    }

    /// All files of the host.
    pub fn entries(&self) -> impl Iterator<Item = &'t Entry> {
        self.tree
            .index()
            .entries
            .iter()
            .filter(|e| e.path.as_str().starts_with(self.root.as_str()))
    }

    /// Registers command outputs by their first word, and supportconfig's sections.
    fn collect(&mut self) {
        let tree = self.tree;
        let support = tree
            .index()
            .get(&format!("{}basic-environment.txt", self.root))
            .is_some();
        let entries: Vec<&'t Entry> = self.entries().collect();
        for entry in entries {
            let rel = self.rel(entry);
            let top = rel.split('/').next().unwrap_or_default();
            let is_command = match top {
                "sos_commands" | "insights_commands" => true,
                // An inspection report's folder `sys/` holds outputs; the kernel's own holds folders only.
                "sys" if rel.matches('/').count() == 1 => true,
                "var" | "etc" | "proc" | "sys" | "usr" | "run" | "lib" | "boot" | "opt"
                | "cluster-resources" => false,
                _ => rel.matches('/').count() < 3,
            };
            if !is_command
                || matches!(
                    entry.kind,
                    FileKind::Binary | FileKind::Archive | FileKind::Empty
                )
            {
                continue;
            }
            if support && rel.ends_with(".txt") {
                self.collect_sections(entry);
            }
            let base = entry.path.name();
            let base = [".txt", ".out"]
                .iter()
                .find_map(|e| base.strip_suffix(e))
                .unwrap_or(base);
            self.register(
                base.replace('_', " "),
                Source {
                    entry,
                    name: String::new(),
                    lines: None,
                },
            );
        }
    }

    fn register(&mut self, name: String, mut source: Source<'t>) {
        let first = name.split(' ').next().unwrap_or_default().to_owned();
        source.name = name;
        if let Some((head, _)) = first.split_once(['-', '.']) {
            self.commands
                .entry(head.to_owned())
                .or_default()
                .push(source.clone());
        }
        self.commands.entry(first).or_default().push(source);
    }

    /// supportconfig: `#==[ Command ]====#`, then `# /bin/df -h`, then the output.
    fn collect_sections(&mut self, entry: &'t Entry) {
        let Ok(Some(text)) = self.tree.text(entry) else {
            return;
        };
        let mut open: Option<(String, usize)> = None;
        let mut header = false;
        let mut done = Vec::new();
        for (number, line) in text.lines() {
            if line.starts_with("#==[") {
                if let Some((name, from)) = open.take() {
                    done.push((name, from, number - 1));
                }
                header = true;
            } else if header && line.starts_with("# ") {
                open = Some((line[2..].trim().to_owned(), number + 1));
                header = false;
            }
        }
        if let Some((name, from)) = open {
            done.push((name, from, text.len()));
        }
        for (name, from, to) in done {
            let source = Source {
                entry,
                name: name.clone(),
                lines: Some((from, to)),
            };
            let first = name.split(' ').next().unwrap_or_default();
            if ["/etc/", "/proc/", "/var/", "/sys/", "/run/"]
                .iter()
                .any(|p| first.starts_with(p))
            {
                self.sections
                    .insert(first.trim_start_matches('/').to_owned(), source);
            } else {
                let program = first.rsplit('/').next().unwrap_or(first);
                self.register(format!("{program}{}", &name[first.len()..]), source);
            }
        }
    }

    fn open(&self, source: &Source<'t>) -> Option<Doc> {
        let text = self.tree.text(source.entry).ok()??;
        let (first, last) = source.lines.unwrap_or((1, text.len()));
        Some(Doc {
            path: source.entry.path.as_str().to_owned(),
            name: source.name.clone(),
            text,
            first,
            last,
        })
    }

    /// A file of the host, e.g. `proc/meminfo`.
    pub fn file(&self, rel: &str) -> Option<Doc> {
        match self.tree.index().get(&format!("{}{rel}", self.root)) {
            Some(entry) => self.open(&Source {
                entry,
                name: rel.to_owned(),
                lines: None,
            }),
            None => self.sections.get(rel).and_then(|source| self.open(source)),
        }
    }

    /// Files whose host path begins with `prefix`, e.g. `proc/net/bonding/`.
    pub fn files(&self, prefix: &str) -> Vec<Doc> {
        let from = format!("{}{prefix}", self.root);
        let entries = &self.tree.index().entries;
        let start = entries.partition_point(|e| e.path.as_str() < from.as_str());
        let mut docs: Vec<Doc> = entries[start..]
            .iter()
            .take_while(|e| e.path.as_str().starts_with(&from))
            .filter_map(|entry| {
                self.open(&Source {
                    entry,
                    name: self.rel(entry).to_owned(),
                    lines: None,
                })
            })
            .collect();
        docs.extend(
            self.sections
                .iter()
                .filter(|(k, _)| k.starts_with(prefix))
                .filter_map(|(_, s)| self.open(s)),
        );
        docs
    }

    /// Outputs of the command `program` whose command line `test` accepts.
    pub fn commands(&self, program: &str, test: impl Fn(&str) -> bool) -> Vec<Doc> {
        let found = self
            .commands
            .get(program)
            .map(Vec::as_slice)
            .unwrap_or_default();
        found
            .iter()
            .filter(|s| test(&s.name))
            .filter_map(|s| self.open(s))
            .collect()
    }

    /// The first output of `program` whose command line contains every word of `words`.
    pub fn command(&self, program: &str, words: &[&str]) -> Option<Doc> {
        self.commands(program, |name| words.iter().all(|word| name.contains(word)))
            .into_iter()
            .next()
    }

    fn read_clock(&self) -> Frame {
        let utc_first = ["--utc", ""];
        let date = utc_first.iter().find_map(|w| {
            let doc = self.command("date", &[w])?;
            doc.lines()
                .find_map(|(_, line)| clock::calendar(line).or_else(|| clock::iso(line)))
        });
        let now = date
            .or_else(|| {
                let doc = self.command("timedatectl", &[])?;
                let line = doc
                    .line_with(|l| l.contains("Universal time"))?
                    .1
                    .split_once(':')?
                    .1;
                clock::iso(
                    line.trim()
                        .split_once(' ')
                        .map_or(line, |(_, rest)| rest.trim()),
                )
            })
            .or_else(|| {
                self.command("hwclock", &[])
                    .and_then(|d| d.lines().find_map(|(_, l)| clock::iso(l)))
            })
            .or_else(|| self.latest_stamp());
        let up = self
            .command("uptime", &[])
            .and_then(|d| d.lines().find_map(|(_, l)| clock::uptime(l)));
        Frame {
            now,
            year: now.map(clock::year_of),
            boot: now.zip(up).map(|(now, up)| now - up),
        }
    }

    /// Without a date file: the latest stamp in the last lines of the host's logs.
    fn latest_stamp(&self) -> Option<i64> {
        let logs: Vec<Doc> = self
            .entries()
            .filter(|e| {
                e.kind == FileKind::Log && self.rel(e).contains("var/log/") && e.bytes < 2 << 20
            })
            .filter(|e| !self.rel(e).contains("/pods/"))
            .take(60)
            .filter_map(|entry| {
                self.open(&Source {
                    entry,
                    name: String::new(),
                    lines: None,
                })
            })
            .collect();
        let last = |frame: Frame| {
            let of = |doc: &Doc| {
                let from = doc.last.saturating_sub(3);
                (from..=doc.last)
                    .filter_map(|n| clock::stamp(doc.text.line(n)?, &frame))
                    .max()
            };
            logs.iter().filter_map(of).max()
        };
        let dated = last(Frame::default());
        let year = dated.map(clock::year_of).or(Some(2000));
        dated.max(
            last(Frame {
                year,
                ..Frame::default()
            })
            .filter(|_| dated.is_none()),
        )
    }

    fn is_container(&self) -> bool {
        let chassis = self.command("hostnamectl", &[]).is_some_and(|doc| {
            doc.contains("Virtualization: lxc")
                || doc.contains("Virtualization: docker")
                || doc.contains("Chassis: container")
        });
        let mounts = || {
            self.command("mount", &[]).is_some_and(|doc| {
                doc.contains("lxcfs on /proc") || doc.contains("/dev/.lxd-mounts")
            })
        };
        chassis || mounts()
    }

    /// A kernel setting as running now, e.g. `net.ipv4.tcp_mem`, with its line.
    pub fn sysctl(&self, key: &str) -> Option<(String, Doc, usize)> {
        let all = self.sysctl.get_or_init(|| {
            let mut all = BTreeMap::new();
            for doc in self.commands("sysctl", |name| name.contains("-a")) {
                for (number, line) in doc.lines() {
                    if let Some((key, value)) = line.split_once('=') {
                        all.insert(
                            key.trim().to_owned(),
                            (value.trim().to_owned(), doc.clone(), number),
                        );
                    }
                }
            }
            all
        });
        if let Some(found) = all.get(key) {
            return Some(found.clone());
        }
        let doc = self.file(&format!("proc/sys/{}", key.replace('.', "/")))?;
        let value = doc.lines().next().map(|(_, line)| line.trim().to_owned())?;
        Some((value, doc.clone(), doc.first))
    }

    /// A kernel setting as a number.
    pub fn sysctl_number(&self, key: &str) -> Option<(u64, Evidence)> {
        let (value, doc, line) = self.sysctl(key)?;
        Some((
            value.split_whitespace().next()?.parse().ok()?,
            doc.cite(line),
        ))
    }

    /// A line of `/proc/meminfo` in kB (or pages for `HugePages_*`), with the line as evidence.
    pub fn meminfo(&self, key: &str) -> Option<(u64, Evidence)> {
        let (map, doc) = self
            .meminfo
            .get_or_init(|| {
                let doc = self
                    .file("proc/meminfo")
                    .or_else(|| self.command("meminfo", &[]))?;
                let mut map = BTreeMap::new();
                for (number, line) in doc.lines() {
                    if let Some((key, value)) = line.split_once(':')
                        && let Some(value) =
                            value.split_whitespace().next().and_then(|v| v.parse().ok())
                    {
                        map.insert(key.trim().to_owned(), (value, number));
                    }
                }
                Some((map, doc))
            })
            .as_ref()?;
        let (value, number) = map.get(key)?;
        Some((*value, doc.cite(*number)))
    }

    /// Number of logical processors.
    pub fn cpus(&self) -> Option<usize> {
        if let Some(doc) = self.file("proc/cpuinfo") {
            let count = doc
                .lines()
                .filter(|(_, l)| l.starts_with("processor\t") || l.starts_with("processor "))
                .count();
            if count > 0 {
                return Some(count);
            }
        }
        let doc = self.command("lscpu", &[])?;
        doc.line_with(|l| l.starts_with("CPU(s):"))?
            .1
            .split(':')
            .nth(1)?
            .trim()
            .parse()
            .ok()
    }

    /// Whether the customer's words contain one of `words` as whole words (lower case).
    pub fn ticket_has(&self, words: &[&str]) -> bool {
        words
            .iter()
            .any(|word| !word.is_empty() && contains_word(&self.ticket, word))
    }
}

/// Whether `text` contains `word` not inside a longer word.
pub fn contains_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric)
            && !after.is_some_and(|c| c.is_alphanumeric() && c != 's')
    })
}
