//! Programs that find, pack, copy and edit files, where single arguments delete, write or run.

use super::flags::{Style, list, parse};
use super::shell::show;
use super::words::{Arg, HOLE};
use super::{Judge, Stdin};

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
                    at += inner.len() + 1;
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
        for (index, arg) in args.iter().enumerate() {
            let text = arg.text.as_str();
            if text.starts_with("--checkpoint-action")
                || text.starts_with("--to-command")
                || text.starts_with("--use-compress-program")
                || text.starts_with("--rsh-command")
                || text == "-I"
                || text.starts_with("--info-script")
                || text.starts_with("--new-volume-script")
            {
                let harmless = matches!(
                    text.split_once('=')
                        .map(|(_, value)| value)
                        .or_else(|| args.get(index + 1).map(|arg| arg.text.as_str())),
                    Some("zstd" | "pigz" | "lz4" | "pbzip2" | "xz" | "gzip")
                );
                if !harmless {
                    self.destructive("`tar` is told to run another program");
                }
            }
            if text == "--remove-files" || text == "--delete" {
                self.destructive(format!("`tar {text}` deletes files"));
            }
            let letters = match text {
                "--extract" | "--get" => "x",
                "--list" => "t",
                "--create" => "c",
                "--append" | "--update" | "--concatenate" => "r",
                "--diff" | "--compare" => "d",
                _ if text.starts_with("--") => continue,
                _ if text.starts_with('-') => &text[1..],
                _ if index == 0 => text,
                _ => continue,
            };
            if mode.is_none() {
                mode = letters.chars().find(|letter| "xtcrduA".contains(*letter));
            }
            // To standard output, nothing is written.
            if mode == Some('x')
                && (letters.contains('O')
                    || args
                        .iter()
                        .any(|arg| arg.text == "--to-stdout" || arg.text == "-O"))
            {
                mode = Some('t');
            }
        }
        match mode {
            Some('t' | 'd') => self.read_only(),
            Some('x') => self.changes("`tar x` writes files, over those that are there"),
            Some(_) => self.changes("`tar` writes an archive"),
            None => self.unknown("`tar` without a mode"),
        }
    }

    pub(super) fn dd(&mut self, args: &[Arg]) {
        match args.iter().find_map(|arg| arg.text.strip_prefix("of=")) {
            None => self.read_only(),
            Some("/dev/null" | "/dev/stdout") => self.read_only(),
            Some(to) if to.starts_with("/dev/") => {
                self.destructive(format!("`dd` overwrites the device {}", show(to)))
            }
            Some(to) => {
                let to = Arg::new(to);
                if to.known() {
                    self.writes_to(&to, false)
                } else {
                    self.destructive("`dd` overwrites something that is not named")
                }
            }
        }
    }

    pub(super) fn sed(&mut self, args: &[Arg]) {
        let values = list("-e -f -l --expression --file --line-length");
        let in_place = args.iter().any(|arg| {
            let text = arg.text.as_str();
            text.starts_with("--in-place")
                || (text.len() >= 3 && "--in-place".starts_with(text) && text.starts_with("--i"))
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
        let scripts: Vec<String> = if parsed.has(&["-e", "--expression"]) {
            parsed
                .flags
                .iter()
                .filter(|flag| matches!(flag.name.as_str(), "-e" | "--expression"))
                .filter_map(|flag| flag.value.clone())
                .collect()
        } else if parsed.has(&["-f", "--file"]) {
            self.unknown("`sed` runs a script that is not shown");
            Vec::new()
        } else {
            parsed
                .words
                .first()
                .map(|word| word.text.clone())
                .into_iter()
                .collect()
        };
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
