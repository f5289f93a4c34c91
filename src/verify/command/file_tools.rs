//! Programs that find, pack, copy and edit files, where single arguments delete, write or run.

use super::flags::{Style, list, parse};
use super::shell::show;
use super::words::{Arg, HOLE};
use super::{Judge, Stdin};

/// Options of `tar` that name a program to run.
const RUNNERS: &[&str] = &[
    "--checkpoint-action",
    "--to-command",
    "--use-compress-program",
    "--rsh-command",
    "--info-script",
    "--new-volume-script",
];

impl Judge {
    pub(super) fn find(&mut self, args: &[Arg]) {
        let mut at = 0;
        while at < args.len() {
            let text = args[at].text.as_str();
            at += 1;
            match text {
                "-delete" => self.destructive("`find -delete` deletes what it finds"),
                "-exec" | "-execdir" | "-ok" | "-okdir" => {
                    let inner: Vec<Arg> = args[at..]
                        .iter()
                        .take_while(|arg| arg.text != ";" && arg.text != "+")
                        .cloned()
                        .collect();
                    at += inner.len();
                    let inner: Vec<Arg> = inner
                        .into_iter()
                        .map(|arg| {
                            if arg.text == "{}" {
                                Arg::new(HOLE.to_string())
                            } else {
                                arg
                            }
                        })
                        .collect();
                    self.inner(&inner, &Stdin::None);
                }
                "-fprint" | "-fprint0" | "-fprintf" | "-fls" => {
                    let path = args.get(at).cloned().unwrap_or_default();
                    self.writes_to(&path, false);
                    at += 1;
                }
                _ => {}
            }
        }
        self.read_only();
    }

    pub(super) fn fd(&mut self, args: &[Arg]) {
        if let Some(at) = args
            .iter()
            .position(|arg| matches!(arg.text.as_str(), "-x" | "--exec" | "-X" | "--exec-batch"))
        {
            let inner: Vec<Arg> = args[at + 1..].to_vec();
            self.inner(&inner, &Stdin::None);
        }
        self.read_only();
    }

    pub(super) fn tar(&mut self, args: &[Arg]) {
        let mut mode = None;
        let mut to_stdout = false;
        for (index, arg) in args.iter().enumerate() {
            let text = arg.text.as_str();
            let (name, value) = text
                .split_once('=')
                .map_or((text, None), |(name, value)| (name, Some(value)));
            let next = args.get(index + 1).map(|arg| arg.text.as_str());
            // Long options may be shortened.
            let runs = name.len() > 2
                && name != "--checkpoint"
                && RUNNERS.iter().any(|runner| runner.starts_with(name));
            if runs {
                self.tar_runs(value.or(next));
            }
            if text == "--remove-files" || text == "--delete" {
                self.destructive(format!("`tar {text}` deletes files"));
            }
            to_stdout |= text == "--to-stdout";
            let letters = match text {
                "--extract" | "--get" => "x",
                "--list" => "t",
                "--create" => "c",
                "--append" | "--update" | "--concatenate" => "r",
                "--diff" | "--compare" => "d",
                _ if text.starts_with("--") => continue,
                _ if text.starts_with('-') => {
                    // A letter with a value takes what follows it.
                    let end = text.find(|c| "fCTbgNKVXIFHL".contains(c));
                    let (letters, attached) = text.split_at(end.map_or(text.len(), |end| end + 1));
                    if letters.ends_with(['I', 'F']) {
                        self.tar_runs(Some(attached).filter(|value| !value.is_empty()).or(next));
                    }
                    &letters[1..]
                }
                _ if index == 0 => {
                    if text.contains(['I', 'F']) {
                        self.tar_runs(next);
                    }
                    text
                }
                _ => continue,
            };
            mode = mode.or(letters.chars().find(|letter| "xtcrduA".contains(*letter)));
            to_stdout |= letters.contains('O');
        }
        // To standard output, nothing is written.
        if mode == Some('x') && to_stdout {
            mode = Some('t');
        }
        match mode {
            Some('t' | 'd') => self.read_only(),
            Some('x') => self.changes("`tar x` writes files, over those that are there"),
            Some(_) => self.changes("`tar` writes an archive"),
            None => self.unknown("`tar` without a mode"),
        }
    }

    /// A program that `tar` is told to run; the usual ones that pack are harmless.
    fn tar_runs(&mut self, program: Option<&str>) {
        const PACKERS: &[&str] = &["zstd", "pigz", "lz4", "pbzip2", "xz", "gzip"];
        if program.is_none_or(|program| !PACKERS.contains(&program)) {
            self.destructive("`tar` is told to run another program");
        }
    }

    pub(super) fn dd(&mut self, args: &[Arg]) {
        for to in args.iter().filter_map(|arg| arg.text.strip_prefix("of=")) {
            match to {
                "/dev/null" | "/dev/stdout" => {}
                _ if to.starts_with("/dev/") => {
                    self.destructive(format!("`dd` overwrites the device {}", show(to)))
                }
                _ if to.contains(HOLE) => {
                    self.destructive("`dd` overwrites something that is not named")
                }
                _ => self.writes_to(&Arg::new(to), false),
            }
        }
        self.read_only();
    }

    pub(super) fn sed(&mut self, args: &[Arg]) {
        let values = list("-e -f -l --expression --file --line-length");
        let in_place = args.iter().any(|arg| {
            let text = arg.text.as_str();
            text.starts_with("--in-place")
                || (text.starts_with("--i") && "--in-place".starts_with(text))
                || (text.starts_with('-')
                    && !text.starts_with("--")
                    && text[1..]
                        .split(['e', 'f', 'l'])
                        .next()
                        .is_some_and(|letters| letters.contains('i')))
        });
        let parsed = parse(
            args,
            Style {
                values: &values,
                ..Style::default()
            },
        );
        if in_place {
            self.changes("`sed -i` changes files in place");
        }
        // Long options may be shortened.
        let given = |short: &str, long: &str| {
            parsed
                .flags
                .iter()
                .filter(|flag| flag.name == short || long.starts_with(&flag.name))
                .cloned()
                .collect::<Vec<_>>()
        };
        let expressions = given("-e", "--expression");
        let shown = given("-f", "--file").is_empty();
        if !shown {
            self.unknown("`sed` runs a script that is not shown");
        }
        // Without one of these flags, or with a shortened one, a script is the first word.
        let first = expressions.iter().all(|flag| flag.value.is_none()) && shown;
        let scripts: Vec<String> = expressions
            .into_iter()
            .filter_map(|flag| flag.value)
            .chain(
                parsed
                    .words
                    .first()
                    .filter(|_| first)
                    .map(|word| word.text.clone()),
            )
            .collect();
        for script in scripts {
            match super::script::sed_effect(&script) {
                super::script::SedEffect::Reads => self.read_only(),
                super::script::SedEffect::Writes => self.changes("`sed` writes a file"),
                super::script::SedEffect::Runs => self.destructive("`sed` runs a command"),
            }
        }
        self.read_only();
    }
}
