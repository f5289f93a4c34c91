//! Programs that pass words on: to a socket, a scheduler, a management agent, an old init script.

use super::flags::{anywhere, leading};
use super::shell::show;
use super::words::{Arg, HOLE};
use super::wrappers::join;
use super::{Judge, Stdin, sql};

/// First words that only ask, in the text protocols of daemons (ZooKeeper, HAProxy, memcached, Redis, HTTP).
const ASKS: &str = " ruok stat mntr srvr conf cons envi isro wchs wchc wchp dump stats version info show ping help status get head options list quit exit ";
/// First words that change something.
const CHANGES: &str = " enable set put post add patch auth select ";
/// First words that stop, delete or empty something.
const DESTROYS: &str = " flushall flush_all flushdb shutdown disable del delete clear kill quitquitquit drop remove stop reset crst srst ";

/// Folders of old init scripts.
pub(super) const INIT_FOLDERS: &[&str] = &["/etc/init.d", "/etc/rc.d/init.d", "/etc/rc.d"];

impl Judge {
    /// Programs that pass words on; `false` if `name` is none.
    pub(super) fn relay_program(&mut self, name: &str, args: &[Arg], stdin: &Stdin) -> bool {
        match name {
            "socat" => self.socat(args, stdin),
            "nc" | "ncat" | "netcat" => {
                let parsed = anywhere(args, "-w -p -s -i -X -x -q -g -G -o --wait");
                // What is asked decides, unless a port is opened or a program handed over.
                if parsed.has(&[
                    "-l",
                    "-e",
                    "-c",
                    "-z",
                    "--listen",
                    "--exec",
                    "--sh-exec",
                    "--lua-exec",
                    "-o",
                    "--output",
                ]) {
                    self.by_table("nc", args);
                } else {
                    self.told(stdin);
                }
            }
            "redis-cli" | "valkey-cli" | "keydb-cli" => return self.redis(name, args, stdin),
            "crontab" => return self.crontab(args, stdin),
            "sqlplus" => self.sqlplus(args, stdin),
            "salt" | "salt-call" | "salt-ssh" => return self.salt(args),
            "cephadm"
                if args.first().is_some_and(|arg| {
                    matches!(arg.text.as_str(), "shell" | "enter" | "ceph-volume")
                }) =>
            {
                self.cephadm(args, stdin)
            }
            "minikube" | "k3d" if args.first().is_some_and(|arg| arg.text == "ssh") => {
                let inner = leading(&args[1..], "-n --node -p --profile").all_words();
                if inner.is_empty() {
                    self.unknown("a bare interactive shell");
                } else {
                    let text = join(&inner);
                    self.deeper(|judge| judge.script(&text));
                }
            }
            "cp" | "install" | "ln" => self.copies(name, args),
            "aws" | "gsutil" | "gcloud" | "s3cmd" if copies_to_output(args) => self.read_only(),
            "aws" | "az" => return self.run_command(name, args),
            _ => return false,
        }
        true
    }

    /// Lines that a daemon is told over a socket.
    fn told(&mut self, stdin: &Stdin) {
        let Stdin::Text(text) = stdin else {
            return self.unknown("what is sent is not in the text");
        };
        for line in text
            .split(['\n', ';'])
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let line = line.replace("\\r", " ").replace("\\n", " ");
            let first = line
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            let word = format!(" {first} ");
            if ASKS.contains(&word) {
                self.read_only();
            } else if DESTROYS.contains(&word) {
                self.destructive(format!("tells a daemon to {}", show(&first)));
            } else if CHANGES.contains(&word) {
                self.changes(format!("tells a daemon to {}", show(&first)));
            } else {
                self.unknown(format!(
                    "tells a daemon {}, which is not known",
                    show(&first)
                ));
            }
        }
    }

    fn socat(&mut self, args: &[Arg], stdin: &Stdin) {
        let upper = join(args).to_ascii_uppercase();
        if ["EXEC:", "SYSTEM:", "SHELL:"]
            .iter()
            .any(|part| upper.contains(part))
        {
            return self.destructive("`socat` hands a program to the other side");
        }
        if upper.contains("LISTEN:") {
            return self.changes("`socat` opens a port");
        }
        if upper.contains("OPEN:") || upper.contains("CREATE:") {
            return self.changes("`socat` writes a file");
        }
        self.told(stdin);
    }

    fn redis(&mut self, name: &str, args: &[Arg], stdin: &Stdin) -> bool {
        let parsed = anywhere(
            args,
            "-h -p -a -n -u -s --user --pass -r -i --cacert --cert --key",
        );
        let Stdin::Text(text) = stdin else {
            return false;
        };
        if !parsed.all_words().is_empty() {
            return false;
        }
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let words: Vec<Arg> = line
                .split_whitespace()
                .map(|word| Arg::new(word.trim_matches(['"', '\''])))
                .collect();
            self.by_table(name, &words);
        }
        true
    }

    /// A new table of jobs given on the standard input.
    fn crontab(&mut self, args: &[Arg], stdin: &Stdin) -> bool {
        let replaces = args.is_empty() || args.iter().any(|arg| arg.text == "-");
        if let Stdin::Text(text) = stdin
            && replaces
        {
            for line in text
                .lines()
                .map(str::trim)
                .filter(|line| !line.starts_with('#'))
            {
                let fields = if line.starts_with('@') { 1 } else { 5 };
                let job: Vec<&str> = line.split_whitespace().skip(fields).collect();
                if !job.is_empty() {
                    self.deeper(|judge| judge.script(&job.join(" ")));
                }
            }
            self.changes("replaces the table of jobs");
            return true;
        }
        if matches!(stdin, Stdin::Piped) && replaces {
            self.destructive("replaces the table of jobs by something that is not shown");
            return true;
        }
        false
    }

    fn sqlplus(&mut self, args: &[Arg], stdin: &Stdin) {
        if args.iter().any(|arg| arg.text.starts_with('@')) {
            return self.unknown("runs statements of a file that is not shown");
        }
        let Stdin::Text(text) = stdin else {
            return self.unknown("a database session");
        };
        for statement in text
            .split(';')
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            let first = statement
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            match first.as_str() {
                _ if first.starts_with('!') => self.destructive("the session runs a shell command"),
                "startup" | "archive" => self.changes("changes the state of the database"),
                "host" | "ho" => self.destructive("the session runs a shell command"),
                "spool" => self.changes("writes a file"),
                "set" | "column" | "col" | "show" | "desc" | "describe" | "exit" | "quit"
                | "connect" | "conn" | "prompt" => self.read_only(),
                _ => {
                    let (class, why) = sql::sql_class(statement);
                    self.add(class, why);
                }
            }
        }
    }

    /// `salt TARGET cmd.run COMMAND` runs a command elsewhere; other functions are in the table.
    fn salt(&mut self, args: &[Arg]) -> bool {
        let at = args.iter().position(|arg| {
            matches!(
                arg.text.as_str(),
                "cmd.run" | "cmd.shell" | "cmd.run_all" | "cmd.run_stdout" | "cmd.retcode"
            )
        });
        let Some(command) = at.and_then(|at| args.get(at + 1)) else {
            return false;
        };
        let text = command.text.clone();
        self.deeper(|judge| judge.script(&text));
        true
    }

    /// A container with the tools of the cluster: what runs in it decides.
    fn cephadm(&mut self, args: &[Arg], stdin: &Stdin) {
        let parsed = leading(
            &args[1..],
            "--fsid -c --config -k --keyring -n --name -m --mount -e --env",
        );
        let mut inner = parsed.all_words();
        if args[0].text == "ceph-volume" {
            inner.insert(0, Arg::new("ceph-volume"));
        }
        self.inner(&inner, stdin);
    }

    /// Copies that empty or overwrite what they go to.
    fn copies(&mut self, name: &str, args: &[Arg]) {
        let parsed = anywhere(args, "-m -o -g -t -S -Z --mode --owner --group --suffix");
        let words = parsed.all_words();
        let (to, from) = words
            .split_last()
            .map_or(("", &[][..]), |(to, from)| (to.text.as_str(), from));
        let from_nothing = from.iter().any(|word| {
            matches!(
                word.text.as_str(),
                "/dev/null" | "/dev/zero" | "/dev/urandom" | "/dev/random"
            )
        });
        if name != "ln" && from_nothing {
            self.destructive(format!("`{name}` empties or overwrites {}", show(to)));
        } else if to.starts_with("/dev/")
            && !matches!(to, "/dev/null" | "/dev/stdout" | "/dev/stderr")
            && !to.starts_with("/dev/shm")
            && name != "ln"
        {
            self.destructive(format!("`{name}` overwrites the device {}", show(to)));
        } else {
            self.by_table(name, args);
        }
    }

    /// Cloud agents that run a script on a machine: the script is judged too.
    fn run_command(&mut self, name: &str, args: &[Arg]) -> bool {
        let relays = args
            .iter()
            .any(|arg| matches!(arg.text.as_str(), "run-command" | "send-command"));
        if relays {
            // Several may follow one flag.
            let mut given = false;
            for arg in args {
                let text = arg.text.as_str();
                let attached = text
                    .strip_prefix("--scripts=")
                    .or_else(|| text.strip_prefix("--parameters="));
                if text.starts_with('-') {
                    given = attached.is_some() || matches!(text, "--scripts" | "--parameters");
                    if attached.is_none() {
                        continue;
                    }
                }
                let script = attached.unwrap_or(text);
                if !given || script.contains(HOLE) {
                    continue;
                }
                let script = script
                    .strip_prefix("commands=")
                    .unwrap_or(script)
                    .trim_matches(['[', ']'])
                    .replace("\",\"", "\n");
                let script = script.trim_matches('"').to_owned();
                self.deeper(|judge| judge.script(&script));
            }
        }
        self.by_table(name, args)
    }

    /// `/etc/init.d/NAME VERB` is `service NAME VERB`.
    pub(super) fn init_script(&mut self, name: &str, args: &[Arg]) {
        let mut words = vec![Arg::new(name)];
        words.extend_from_slice(args);
        self.by_table("service", &words);
    }
}

/// Whether an object of a store is copied to the standard output: `s3 cp s3://bucket/key -`.
fn copies_to_output(args: &[Arg]) -> bool {
    let words: Vec<&str> = args
        .iter()
        .map(|arg| arg.text.as_str())
        .filter(|word| *word == "-" || !word.starts_with('-'))
        .collect();
    let mut after = words
        .iter()
        .skip_while(|word| !matches!(**word, "cp" | "get"))
        .skip(1);
    after.next().is_some_and(|from| from.contains("://"))
        && after.next() == Some(&"-")
        && after.all(|word| *word != "-")
}
