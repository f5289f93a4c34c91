//! Programs whose effect is in their arguments' content: dispatch, shells and interpreters, files, git, find.

use super::flags::{Style, leading, parse};
use super::shell::show;
use super::words::{Arg, HOLE};
use super::wrappers::join;
use super::{Judge, Stdin};

/// Folders whose programs are what their names say.
const TRUSTED_FOLDERS: &[&str] = &[
    "/bin",
    "/usr/bin",
    "/sbin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/snap/bin",
    "/opt/bin",
    "/var/lib/rancher/rke2/bin",
    "/usr/lib/systemd",
    "/opt/puppetlabs/bin",
    "/opt/mssql-tools/bin",
];

impl Judge {
    /// Judges a simple command given as arguments.
    pub(super) fn argv(&mut self, args: &[Arg], stdin: &Stdin) {
        if !self.spend() {
            return;
        }
        let Some((first, rest)) = args.split_first() else {
            return self.unknown("there is no command");
        };
        if !first.known() || first.text.is_empty() {
            self.unknown(if first.substituted {
                "which program runs comes from another command"
            } else {
                "which program runs is not in the text"
            });
            return self.told_to_delete(rest);
        }
        if first.text.contains(['*', '?', '[']) && !matches!(first.text.as_str(), "[" | "[[") {
            self.unknown("which program runs depends on the files that are there");
            return self.told_to_delete(rest);
        }
        if let Some((folder, name)) = first.text.rsplit_once('/')
            && super::relay::INIT_FOLDERS.contains(&folder)
        {
            return self.init_script(name, rest);
        }
        if first.text.contains('/') && self.was_fetched(&first.text) {
            return self.destructive("runs a program that was fetched from elsewhere");
        }
        let Some(name) = self.program(&first.text) else {
            return;
        };
        if self.scope.functions.contains(&name) {
            return self.read_only();
        }
        if let [only] = rest
            && matches!(only.text.as_str(), "--help" | "--version")
            && !runs_its_argument(&name)
        {
            return self.read_only();
        }
        // For programs of the table, a last --help prints and does nothing else.
        if name == "kill" && rest.iter().skip(1).any(|arg| arg.text == "-1") {
            return self.destructive("`kill -1` stops every process");
        }
        if rest.last().is_some_and(|arg| arg.text == "--help")
            && !rest.iter().any(|arg| arg.text == "--")
            && super::table::Table::shipped().tool(&name).is_some()
            && rest.len() <= 4
            && rest
                .iter()
                .rev()
                .nth(1)
                .is_none_or(|arg| !arg.text.starts_with('-'))
        {
            return self.read_only();
        }
        // Not lazily: an own rule makes a known program stricter, never laxer.
        let own = self.by_own_table(&name, rest);
        if self.wrapper(&name, rest, stdin)
            || self.special(&name, rest, stdin)
            || self.by_table(&name, rest)
            || own
        {
            return;
        }
        self.unknown(format!(
            "{} is not on the list of known programs",
            show(&name)
        ));
    }

    /// Whether a file was written after something was fetched.
    fn was_fetched(&self, path: &str) -> bool {
        let plain = |path: &str| path.strip_prefix("./").unwrap_or(path).to_owned();
        self.fetched
            && self
                .written
                .iter()
                .any(|written| plain(written) == plain(path))
    }

    /// Words that give an unknown program away all the same: `$TOOL delete …`.
    fn told_to_delete(&mut self, args: &[Arg]) {
        let tells = |arg: &Arg| {
            matches!(
                arg.text.as_str(),
                "delete"
                    | "destroy"
                    | "-rf"
                    | "-fr"
                    | "-Rf"
                    | "drain"
                    | "terminate"
                    | "purge"
                    | "drop"
            )
        };
        if args.iter().take(3).any(tells) {
            self.destructive("an unknown program is told to delete");
        }
    }

    /// The program's name without its folder.
    fn program(&mut self, text: &str) -> Option<String> {
        let Some((folder, name)) = text.rsplit_once('/') else {
            let lower = text.to_ascii_lowercase();
            return Some(
                lower
                    .strip_suffix(".exe")
                    .map_or_else(|| text.to_owned(), str::to_owned),
            );
        };
        // A script that is known by its name, in the folder of its package.
        if name.ends_with(".sh")
            && (folder.ends_with("/bin") || folder == "bin")
            && super::table::Table::shipped().tool(name).is_some()
        {
            return Some(name.to_owned());
        }
        let packaged = folder.starts_with("/opt/") && folder.ends_with("/bin");
        if !TRUSTED_FOLDERS.contains(&folder) && !packaged {
            self.unknown(format!(
                "{} is a program or script that is not shown",
                show(text)
            ));
        }
        if name.is_empty() {
            self.unknown("a folder is not a command");
            return None;
        }
        if name.ends_with(".sh") || name.ends_with(".py") || name.ends_with(".pl") {
            self.unknown(format!("{} is a script that is not shown", show(text)));
            return None;
        }
        Some(name.to_owned())
    }

    /// Programs that need more than the table; `false` if `name` is none.
    fn special(&mut self, name: &str, args: &[Arg], stdin: &Stdin) -> bool {
        match name {
            "sh" | "bash" | "zsh" | "ksh" | "dash" | "ash" | "fish" | "rbash" | "csh" | "tcsh"
            | "mksh" => self.shell(name, args, stdin),
            "." | "source" => self.sourced(args, stdin),
            "alias" => {
                for arg in args {
                    if let Some((name, value)) = arg.text.split_once('=') {
                        self.scope.aliases.insert(name.to_owned(), value.to_owned());
                    }
                }
                self.read_only();
            }
            "export" | "declare" | "typeset" | "local" | "readonly" => {
                for arg in args {
                    if let Some((name, value)) = super::wrappers::assignment(&arg.text) {
                        self.environment(&[(name.clone(), value.clone())]);
                        self.scope.variables.insert(name, value);
                    }
                }
                self.read_only();
            }
            "read" | "mapfile" | "readarray" | "getopts" => {
                let value = match stdin {
                    Stdin::Text(text) => Some(text.trim().to_owned()),
                    _ => None,
                };
                for arg in args.iter().filter(|arg| !arg.text.starts_with('-')) {
                    self.scope.variables.insert(arg.text.clone(), value.clone());
                }
                self.read_only();
            }
            "set" => {
                // The arguments of the script itself.
                if let Some(at) = args.iter().position(|arg| arg.text == "--") {
                    let given = &args[at + 1..];
                    let all = join(given);
                    let known = Some(all).filter(|all| !all.contains(HOLE));
                    self.scope.variables.insert("@".into(), known);
                    for (number, arg) in given.iter().enumerate() {
                        let value = Some(arg.text.clone()).filter(|_| arg.known());
                        self.scope.variables.insert((number + 1).to_string(), value);
                    }
                }
                self.read_only();
            }
            "printf" if args.len() > 2 && args[0].text == "-v" => {
                let format = super::words::ansi_c(&args[2].text);
                let value = match format.split_once('%') {
                    Some((before, _)) => format!("{before}{HOLE}"),
                    None => format,
                };
                self.scope
                    .variables
                    .insert(args[1].text.clone(), Some(value));
                self.read_only();
            }
            "trap" => {
                if let Some(code) = args.iter().find(|arg| !arg.text.starts_with('-')) {
                    let code = code.text.clone();
                    self.deeper(|judge| judge.script(&code));
                }
                self.read_only();
            }
            "tmux" | "screen" | "script" | "gdb" => {
                self.changes(format!("`{name}` starts a session"));
                for arg in args.iter().filter(|arg| arg.text.contains(' ')) {
                    let text = arg
                        .text
                        .strip_prefix("shell ")
                        .or_else(|| arg.text.strip_prefix('!'))
                        .unwrap_or(&arg.text)
                        .to_owned();
                    self.deeper(|judge| judge.script(&text));
                }
                // Names of sessions come before the command; it begins at the first program that is known.
                if let Some(at) = args.iter().position(|arg| {
                    super::is_program(&arg.text) && !matches!(arg.text.as_str(), "new" | "attach")
                }) {
                    let inner = args[at..].to_vec();
                    self.inner(&inner, &Stdin::None);
                }
            }
            "find" | "gfind" => self.find(args),
            "fd" | "fdfind" => self.fd(args),
            "sed" | "gsed" => self.sed(args),
            "tar" | "bsdtar" => self.tar(args),
            "dd" => self.dd(args),
            "tee" => {
                let parsed = parse(args, Style::default());
                if parsed.words.is_empty() {
                    self.read_only();
                }
                let append = parsed.has(&["-a", "--append"]);
                for path in &parsed.words {
                    self.writes_to(path, append);
                }
                self.read_only();
            }
            "git" => self.git(args),
            "ip" => self.ip(args, stdin),
            "chmod" | "chown" | "chgrp" | "setfacl" | "chattr" => {
                let parsed = parse(args, Style::default());
                let root = parsed.words.iter().any(|word| {
                    let folder = word.text.trim_end_matches(['/', '*']);
                    word.text.starts_with('/')
                        && matches!(folder, "" | "/etc" | "/usr" | "/bin" | "/lib" | "/var")
                });
                if parsed.has(&["-R", "--recursive"]) && root {
                    self.destructive(format!(
                        "`{name} -R` on a system folder overwrites permissions for good"
                    ));
                } else {
                    self.changes(format!("`{name}` changes permissions"));
                }
            }
            _ => {
                return self.relay_program(name, args, stdin)
                    || self.script_program(name, args, stdin)
                    || self.remote_program(name, args, stdin)
                    || self.http_program(name, args, stdin)
                    || self.database(name, args, stdin);
            }
        }
        true
    }

    fn shell(&mut self, name: &str, args: &[Arg], stdin: &Stdin) {
        // An option that is turned off (`+x`) says nothing.
        let (options, rest) = args.split_at(
            args.iter()
                .position(|arg| !arg.text.starts_with(['-', '+']))
                .unwrap_or(args.len()),
        );
        let on = options.iter().filter(|arg| !arg.text.starts_with('+'));
        let args: Vec<Arg> = on.chain(rest).cloned().collect();
        let parsed = leading(&args, "-o -O --rcfile --init-file");
        if parsed.has(&["-c"]) {
            match parsed.words.first().cloned() {
                Some(code) => {
                    if code.substituted {
                        self.destructive("runs the output of a command as code");
                    } else if code.text.chars().all(|c| c == HOLE) {
                        self.unknown("runs code that is not shown");
                    }
                    // The positional parameters are not known inside unless they are given here.
                    for (index, arg) in parsed.words.iter().skip(1).enumerate() {
                        self.scope.variables.insert(
                            index.to_string(),
                            Some(arg.text.clone()).filter(|_| arg.known()),
                        );
                    }
                    let saved = self.scope.clone();
                    self.deeper(|judge| judge.script(&code.text));
                    self.scope = saved;
                }
                None => self.unknown("runs code that is not shown"),
            }
            return;
        }
        if parsed.has(&["-n"]) && !parsed.words.is_empty() {
            return self.read_only();
        }
        match (parsed.words.first(), stdin) {
            (Some(script), _) if script.substituted => {
                self.destructive("runs the output of a command as code")
            }
            (Some(script), _) if self.was_fetched(&script.text) => {
                self.destructive("runs a script that was fetched from elsewhere")
            }
            (Some(script), _)
                if script.text != "-" && script.text != "/dev/stdin" && !parsed.has(&["-s"]) =>
            {
                self.unknown(format!(
                    "runs the script {}, which is not shown",
                    show(&script.text)
                ))
            }
            (_, Stdin::Text(text)) => {
                let text = text.clone();
                self.deeper(|judge| judge.script(&text));
            }
            (_, Stdin::Piped) => self.destructive(format!(
                "hands control to code that is not shown: a pipe into {name}"
            )),
            (_, Stdin::None) => self.unknown("a bare interactive shell"),
        }
    }

    fn sourced(&mut self, args: &[Arg], stdin: &Stdin) {
        match args.first() {
            Some(file) if file.text == "/dev/stdin" => match stdin {
                Stdin::Text(text) => {
                    let text = text.clone();
                    self.deeper(|judge| judge.script(&text));
                }
                _ => self.destructive("hands control to code that is not shown"),
            },
            Some(file) if file.substituted => {
                self.destructive("runs the output of a command as code")
            }
            Some(file) if self.was_fetched(&file.text) => {
                self.destructive("runs a script that was fetched from elsewhere")
            }
            Some(file) => self.unknown(format!("runs {}, which is not shown", show(&file.text))),
            None => self.unknown("runs a file that is not named"),
        }
    }
}

/// Whether a program is judged by code instead of the table.
pub(super) fn handles(name: &str) -> bool {
    let mut probe = Judge::default();
    let args = [Arg::new("--version")];
    probe.wrapper(name, &args, &Stdin::None) || probe.special(name, &args, &Stdin::None)
}

/// Programs that run whatever their argument names, even if it is called `--help`.
fn runs_its_argument(name: &str) -> bool {
    matches!(name, "source" | "." | "eval")
}
