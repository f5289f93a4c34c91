//! Programs that run another program: the inner command is judged, and the worst decides.

use super::flags::{Style, leading, list, parse};
use super::words::{Arg, HOLE};
use super::wrapper_table::{WRAPPERS, Wrapper};
use super::{Judge, Stdin};

/// Variables that make an innocent program run something else.
const HIJACKERS: &[&str] = &[
    "LD_PRELOAD",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "BASH_ENV",
    "ENV",
    "PROMPT_COMMAND",
    "PERL5OPT",
    "PERL5LIB",
    "PYTHONSTARTUP",
    "PYTHONPATH",
    "PYTHONHOME",
    "RUBYOPT",
    "RUBYLIB",
    "NODE_OPTIONS",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "DYLD_INSERT_LIBRARIES",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
];
/// Variables whose value is a command that an innocent program runs.
const RUNNERS: &[&str] = &[
    "PAGER",
    "GIT_PAGER",
    "MANPAGER",
    "SYSTEMD_PAGER",
    "LESSOPEN",
    "LESSCLOSE",
    "EDITOR",
    "VISUAL",
    "KUBE_EDITOR",
    "GIT_EDITOR",
    "GIT_EXTERNAL_DIFF",
    "KUBECTL_EXTERNAL_DIFF",
    "GIT_SSH_COMMAND",
    "GIT_SSH",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "BROWSER",
    "RSYNC_RSH",
];

/// Variables that name a program's own settings, in which it can be told to run or load something.
const SETTINGS: &[&str] = &[
    "TAR_OPTIONS",
    "VIMINIT",
    "EXINIT",
    "PSQLRC",
    "RIPGREP_CONFIG_PATH",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
    "ZDOTDIR",
    "MANOPT",
];

impl Judge {
    /// Assignments before a command that change which code runs.
    pub(super) fn environment(&mut self, environment: &[(String, Option<String>)]) {
        for (name, value) in environment {
            if HIJACKERS.contains(&name.as_str()) {
                self.destructive(format!(
                    "{name} makes the program load code that is not shown"
                ));
            } else if name == "PATH" {
                self.unknown("PATH is changed, so another program may run");
            } else if SETTINGS.contains(&name.as_str())
                && !matches!(value.as_deref(), Some("" | "/dev/null"))
                || matches!(name.as_str(), "LESS" | "MORE")
                    && value.as_deref().is_none_or(|value| value.contains('+'))
            {
                self.unknown(format!(
                    "{name} gives the program settings that can run something"
                ));
            } else if RUNNERS.contains(&name.as_str()) {
                match value.as_deref() {
                    None => self.unknown(format!("{name} names a program that is not known")),
                    Some("" | "cat" | "less" | "more" | "head" | "tail") => {}
                    Some(value) => self.deeper(|judge| judge.script(value)),
                }
            } else {
                self.prompt(name, value.as_deref());
            }
        }
    }

    /// A variable that is set for the shell itself.
    pub(super) fn assigned(&mut self, name: &str, value: Option<&str>) {
        if HIJACKERS.contains(&name) && value.is_none_or(|value| !value.is_empty()) {
            self.destructive(format!("{name} makes programs load code that is not shown"));
        }
        self.prompt(name, value);
    }

    /// A prompt runs the commands in it.
    fn prompt(&mut self, name: &str, value: Option<&str>) {
        if matches!(name, "PS0" | "PS1" | "PS2" | "PS4")
            && let Some(value) = value
            && (value.contains("$(") || value.contains('`'))
        {
            self.expand_whole(&format!("\"{}\"", value.replace('"', "")));
        }
    }

    /// Takes a wrapper off and judges what it runs; `false` if `name` is none.
    pub(super) fn wrapper(&mut self, name: &str, args: &[Arg], stdin: &Stdin) -> bool {
        match name {
            "sudo" | "doas" | "pkexec" | "dzdo" | "runuser" | "su" | "sg" | "machinectl" => {
                self.other_user(name, args, stdin)
            }
            "env" => self.env(args, stdin),
            "xargs" => self.xargs(args, stdin),
            "eval" => self.eval(args),
            "command" | "type" | "which"
                if args
                    .first()
                    .is_some_and(|arg| matches!(arg.text.as_str(), "-v" | "-V")) =>
            {
                self.read_only()
            }
            "systemd-run" | "at" | "batch" => {
                self.changes("starts a job of its own");
                let parsed = leading(
                    args,
                    "-u --unit -p --property --uid --gid -M -H --slice --description -f -q -t --on-active --on-calendar",
                );
                if name == "systemd-run" {
                    self.inner(&parsed.all_words(), stdin);
                } else if let Stdin::Text(text) = stdin {
                    let text = text.clone();
                    self.deeper(|judge| judge.script(&text));
                }
            }
            _ => {
                let Some(wrapper) = WRAPPERS
                    .iter()
                    .find(|wrapper| wrapper.names.split(' ').any(|known| known == name))
                else {
                    return false;
                };
                self.plain_wrapper(name, wrapper, args, stdin);
            }
        }
        true
    }

    fn plain_wrapper(&mut self, name: &str, wrapper: &Wrapper, args: &[Arg], stdin: &Stdin) {
        let values = list(wrapper.values);
        let parsed = parse(
            args,
            Style {
                values: &values,
                stop_at_word: true,
                ..Style::default()
            },
        );
        if parsed.has(&["-o", "--output"]) && matches!(name, "strace" | "ltrace") {
            self.changes("writes a file");
        }
        if matches!(name, "strace" | "ltrace") && parsed.has(&["-p"]) && parsed.words.is_empty() {
            self.unknown("attaches a tracer to a running process");
            return;
        }
        if matches!(name, "taskset" | "chrt" | "ionice") && parsed.has(&["-p", "--pid"]) {
            // One number asks, a setting and a number change.
            if parsed.words.len() > 1 || (name == "ionice" && parsed.has(&["-c", "-n"])) {
                self.changes("changes a running process");
            } else {
                self.read_only();
            }
            return;
        }
        let mut words = parsed.words.clone();
        // nice -10 and timeout 5: numbers that look like flags were taken as such.
        let skip = wrapper.words.min(words.len());
        let first: Vec<Arg> = words.drain(..skip).collect();
        if name == "chroot" && first.is_empty() && words.is_empty() {
            self.unknown("a bare interactive shell");
            return;
        }
        words.extend(parsed.rest.iter().flatten().cloned());
        if words.is_empty() {
            match wrapper.bare_reads {
                Some(true) => self.read_only(),
                Some(false) => self.unknown("a bare interactive shell"),
                None => self.unknown(format!("{name} runs nothing")),
            }
            return;
        }
        if name == "flock" && words[0].text == "-c" {
            let command = join(&words[1..]);
            return self.deeper(|judge| judge.script(&command));
        }
        match name {
            // watch and parallel hand their words to a shell.
            "watch" | "viddy" | "parallel" => {
                let text = join(&words);
                let text = text.split(":::").next().unwrap_or_default().to_owned();
                if name == "parallel" && text.trim().is_empty() {
                    self.unknown("runs lines that are not shown");
                } else {
                    self.deeper(|judge| judge.script(&text));
                    // The words are joined without their quotes; what they were meant to be counts too.
                    if words.len() > 1 {
                        let inner: Vec<Arg> = words
                            .iter()
                            .take_while(|word| word.text != ":::")
                            .cloned()
                            .collect();
                        self.inner(&inner, stdin);
                    }
                }
            }
            "perf" => match words[0].text.as_str() {
                "stat" | "record" | "trace" => {
                    if words[0].text == "record" {
                        self.changes("writes a file");
                    }
                    let inner = leading(&words[1..], "-e -p -F -o --output -C -t -I -r");
                    if inner.has(&["-o", "--output"]) {
                        self.changes("writes a file");
                    }
                    if inner.all_words().is_empty() {
                        self.read_only()
                    } else {
                        self.inner(&inner.all_words(), stdin)
                    }
                }
                "top" | "report" | "list" | "script" | "annotate" => self.read_only(),
                _ => self.unknown("perf does many things"),
            },
            _ => self.inner(&words, stdin),
        }
    }

    /// Judges an inner command given as arguments.
    pub(super) fn inner(&mut self, args: &[Arg], stdin: &Stdin) {
        if args.is_empty() {
            return self.unknown("a bare interactive shell");
        }
        self.deeper(|judge| judge.argv(args, stdin));
    }

    fn other_user(&mut self, name: &str, args: &[Arg], stdin: &Stdin) {
        let values = match name {
            "sudo" | "dzdo" => list(
                "-u --user -g --group -h --host -p --prompt -C --close-from -D --chdir -R --chroot -r --role -t --type -T --command-timeout -U --other-user",
            ),
            "doas" => list("-u -C"),
            "su" | "runuser" => {
                list("-c --command -s --shell -g --group -G --supp-group -u --user -w -P")
            }
            "sg" => list("-c"),
            "machinectl" => list("-M --machine --uid -E --setenv"),
            _ => list("--user"),
        };
        let login = name == "runuser"
            && args
                .iter()
                .any(|arg| matches!(arg.text.as_str(), "-c" | "--command"));
        let stop = !matches!(name, "su" | "sg") && !login;
        let parsed = parse(
            args,
            Style {
                values: &values,
                stop_at_word: stop,
                ..Style::default()
            },
        );
        if name == "machinectl" {
            return self.machinectl(&parsed.texts(), &parsed.words, stdin);
        }
        if let Some(command) = parsed.value(&["-c", "--command", "--session-command"])
            && matches!(name, "su" | "runuser" | "sg")
        {
            let command = command.to_owned();
            self.deeper(|judge| judge.script(&command));
            return;
        }
        if matches!(name, "su" | "sg") {
            self.unknown("a bare interactive shell");
            return;
        }
        if parsed.has(&["-e", "--edit"]) {
            self.changes("edits a file");
            return;
        }
        if parsed.has(&[
            "-l",
            "--list",
            "-v",
            "--validate",
            "-k",
            "-K",
            "--reset-timestamp",
            "-V",
            "--version",
        ]) && parsed.words.is_empty()
        {
            self.read_only();
            return;
        }
        let mut words = parsed.all_words();
        let mut environment = Vec::new();
        while let Some((key, value)) = words.first().and_then(|word| assignment(&word.text)) {
            environment.push((key, value));
            words.remove(0);
        }
        self.environment(&environment);
        self.inner(&words, stdin);
    }

    fn machinectl(&mut self, texts: &[&str], words: &[Arg], stdin: &Stdin) {
        match texts.first().copied() {
            None | Some("list" | "status" | "show" | "list-images" | "image-status") => {
                self.read_only()
            }
            Some("shell") if words.len() > 2 => self.inner(&words[2..], stdin),
            Some(
                "terminate" | "kill" | "poweroff" | "reboot" | "remove" | "clean" | "stop"
                | "disable",
            ) => self.destructive("stops or removes a machine"),
            Some(
                "start" | "enable" | "clone" | "rename" | "import-tar" | "pull-tar" | "copy-to"
                | "bind",
            ) => self.changes("changes a machine"),
            _ => self.unknown("a session in a machine"),
        }
    }

    fn env(&mut self, args: &[Arg], stdin: &Stdin) {
        let parsed = leading(args, "-u --unset -C --chdir -S --split-string");
        let mut words = parsed.all_words();
        if let Some(text) = parsed.value(&["-S", "--split-string"]) {
            // Split like a shell would, quotes respected.
            let text = format!("{text} {}", join(&words));
            return self.deeper(|judge| judge.script(&text));
        }
        let mut environment = Vec::new();
        while let Some((key, value)) = words.first().and_then(|word| assignment(&word.text)) {
            environment.push((key, value));
            words.remove(0);
        }
        self.environment(&environment);
        if words.is_empty() {
            self.read_only()
        } else {
            self.inner(&words, stdin)
        }
    }

    fn xargs(&mut self, args: &[Arg], stdin: &Stdin) {
        let parsed = leading(
            args,
            "-I -i -n -P -L -l -s -d -a -E -e --max-args --max-procs --max-lines --max-chars --delimiter --arg-file --replace --eof --process-slot-var",
        );
        let mut words = parsed.all_words();
        if words.is_empty() {
            self.read_only();
            return;
        }
        // What takes the place of the input in code makes the input code.
        let place = parsed
            .value(&["-I", "--replace"])
            .unwrap_or("{}")
            .to_owned();
        let has_place = parsed.has(&["-I", "-i", "--replace"]);
        let shell = |arg: &Arg| {
            matches!(
                arg.text.rsplit('/').next(),
                Some("sh" | "bash" | "zsh" | "ksh" | "dash")
            )
        };
        if has_place
            && words.first().is_some_and(shell)
            && words
                .iter()
                .skip(1)
                .any(|arg| arg.text.trim().starts_with(place.as_str()) && !place.is_empty())
        {
            if let Stdin::Text(text) = stdin {
                let text = text.clone();
                self.deeper(|judge| judge.script(&text));
            }
            return self.destructive("runs its input as code");
        }
        // A bare shell or interpreter gets code from the input.
        words.push(Arg::new(HOLE.to_string()));
        self.inner(&words, &Stdin::Piped);
    }

    fn eval(&mut self, args: &[Arg]) {
        if args.iter().any(|arg| arg.substituted) {
            self.destructive("runs the output of a command as code");
        } else if args.iter().any(|arg| !arg.known()) {
            self.unknown("runs text as code that is not shown");
        }
        let text = join(args);
        if !text.trim().is_empty() {
            self.deeper(|judge| judge.script(&text));
        }
    }
}

/// `NAME=value`, split.
pub(super) fn assignment(text: &str) -> Option<(String, Option<String>)> {
    let (name, value) = text.split_once('=')?;
    let valid = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.as_bytes()[0].is_ascii_digit();
    valid.then(|| {
        (
            name.to_owned(),
            Some(value.to_owned()).filter(|value| !value.contains(HOLE)),
        )
    })
}

/// Arguments joined by blanks, as a remote or inner shell receives them.
pub(super) fn join(args: &[Arg]) -> String {
    args.iter()
        .map(|arg| arg.text.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}
