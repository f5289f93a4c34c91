//! Commands inside containers, pods and on other machines.

use super::flags::{anywhere, leading};
use super::words::{Arg, HOLE};
use super::wrappers::join;
use super::{Judge, Stdin};

impl Judge {
    /// Containers, clusters and remote machines; `false` if `name` is none.
    pub(super) fn remote_program(&mut self, name: &str, args: &[Arg], stdin: &Stdin) -> bool {
        match name {
            "kubectl" | "oc" | "k" | "microk8s.kubectl" | "kubecolor" => self.kubectl(args, stdin),
            "microk8s" | "k3s" | "minikube" | "rke2"
                if args.first().is_some_and(|arg| {
                    matches!(arg.text.as_str(), "kubectl" | "crictl" | "ctr")
                }) =>
            {
                let inner: Vec<Arg> = args
                    .iter()
                    .filter(|arg| arg.text != "--")
                    .cloned()
                    .collect();
                self.inner(&inner, stdin);
            }
            "docker" | "podman" | "nerdctl" => self.docker(name, args, stdin),
            "docker-compose" | "podman-compose" => self.compose(args, stdin),
            "crictl" | "ctr" | "lxc" | "incus" | "virsh" | "juju" | "vagrant" | "multipass"
            | "lxc-attach" => return self.other_exec(name, args, stdin),
            "ssh" | "slogin" => self.ssh(args, stdin),
            "pdsh" | "clush" | "pssh" | "parallel-ssh" => {
                let parsed = leading(
                    args,
                    "-w -x -g -l -t -u -f -h -H -p -o -e -i --hosts --user --timeout --group -b",
                );
                let text = join(&parsed.all_words());
                self.remote_text(&text);
            }
            "ansible" => self.ansible(args),
            "scp" | "sftp" | "rsync" => self.copy(name, args),
            "gcloud" if args.len() > 1 && args.iter().any(|arg| arg.text == "ssh") => {
                match args.iter().enumerate().find_map(|(at, arg)| {
                    arg.text
                        .strip_prefix("--command=")
                        .map(str::to_owned)
                        .or_else(|| {
                            (arg.text == "--command")
                                .then(|| args.get(at + 1).map(|arg| arg.text.clone()))
                                .flatten()
                        })
                }) {
                    Some(text) => self.remote_text(&text),
                    None => self.unknown("a bare interactive shell"),
                }
            }
            _ => return false,
        }
        true
    }

    /// A command line that a shell elsewhere runs.
    pub(super) fn remote_text(&mut self, text: &str) {
        if text.trim().is_empty() {
            return self.unknown("a bare interactive shell");
        }
        let scope = std::mem::take(&mut self.scope);
        self.deeper(|judge| judge.script(text));
        self.scope = scope;
    }

    fn ssh(&mut self, args: &[Arg], stdin: &Stdin) {
        let parsed = leading(
            args,
            "-B -b -c -D -E -e -F -I -i -J -L -l -m -O -o -P -p -Q -R -S -W -w",
        );
        for flag in &parsed.flags {
            let value = flag
                .value
                .as_deref()
                .unwrap_or_default()
                .to_ascii_lowercase();
            if flag.name == "-o"
                && (value.contains("proxycommand")
                    || value.contains("localcommand")
                    || value.contains("knownhostscommand"))
            {
                match value.split_once(['=', ' ']) {
                    Some((_, inner)) if inner.trim() != "none" => {
                        let inner = inner.to_owned();
                        self.deeper(|judge| judge.script(&inner));
                        self.unknown("`ssh -o` runs a command here");
                    }
                    _ => {}
                }
            }
            if matches!(flag.name.as_str(), "-R" | "-L" | "-D" | "-w") {
                self.changes("`ssh` opens a tunnel");
            }
        }
        if parsed.has(&["-V"]) || parsed.has(&["-Q"]) || parsed.has(&["-G"]) {
            return self.read_only();
        }
        let mut words = parsed.all_words();
        if words.get(1).is_some_and(|word| word.text == "--") {
            words.remove(1);
        }
        match (words.len(), stdin) {
            (0, _) => self.unknown("`ssh` without a host"),
            (1, Stdin::Text(text)) => {
                let text = text.clone();
                self.remote_text(&text);
            }
            (1, Stdin::Piped) => self
                .destructive("hands control to code that is not shown: a pipe into a remote shell"),
            (1, Stdin::None) => self.unknown("a bare interactive shell"),
            _ => {
                let text = join(&words[1..]);
                // What the remote shell gets on its standard input matters if it is told to read it.
                let split: Vec<Arg> = text.split_whitespace().map(Arg::new).collect();
                let reads = split
                    .iter()
                    .skip_while(|word| word.text == "sudo")
                    .enumerate()
                    .all(|(at, word)| {
                        if at == 0 {
                            matches!(
                                word.text.as_str(),
                                "bash" | "sh" | "/bin/bash" | "/bin/sh" | "-s" | "-"
                            )
                        } else {
                            word.text.starts_with('-') && !word.text.contains('c')
                        }
                    });
                if reads {
                    self.inner(&split, stdin);
                } else {
                    self.remote_text(&text);
                    // The other side joins the words without their quotes; what they were meant to be counts too.
                    if words[1..].iter().any(|word| word.text.contains(' ')) && words.len() > 2 {
                        self.container(&words[1..], stdin);
                    }
                }
            }
        }
    }

    fn ansible(&mut self, args: &[Arg]) {
        let parsed = anywhere(
            args,
            "-m --module-name -a --args -i --inventory -u --user -f --forks -l --limit -e --extra-vars -t --tree --become-user -T --timeout",
        );
        let text = parsed
            .value(&["-a", "--args"])
            .unwrap_or_default()
            .to_owned();
        match parsed.value(&["-m", "--module-name"]).unwrap_or("command") {
            "command" | "shell" | "raw" | "ansible.builtin.shell" | "ansible.builtin.command" => {
                self.remote_text(&text)
            }
            "ping"
            | "setup"
            | "debug"
            | "stat"
            | "ansible.builtin.setup"
            | "ansible.builtin.ping"
            | "service_facts"
            | "package_facts"
            | "getent" => self.read_only(),
            "service" | "systemd" if text.contains("stopped") => {
                self.destructive("stops a service")
            }
            "file" if text.contains("absent") => self.destructive("deletes files"),
            "reboot" => self.destructive("reboots machines"),
            _ if text.contains("state=absent") => self.destructive("removes something"),
            _ => self.changes("an ansible module changes machines"),
        }
        if parsed.has(&["-C", "--check"]) {
            self.read_only();
        }
    }

    fn copy(&mut self, name: &str, args: &[Arg]) {
        if name == "rsync" {
            let parsed = anywhere(
                args,
                "-e --rsh --exclude --include --files-from --bwlimit --timeout --password-file --port --log-file -f --filter --rsync-path --out-format",
            );
            let shell = parsed
                .value(&["-e", "--rsh", "--rsync-path"])
                .unwrap_or_default()
                .to_owned();
            if !shell.is_empty()
                && !shell.starts_with("ssh")
                && !shell.starts_with("rsync")
                && !shell.starts_with("sudo rsync")
            {
                self.destructive("`rsync` is told to run another program");
            }
            if parsed.has(&["-n", "--dry-run"]) || parsed.has(&["--list-only"]) {
                return self.read_only();
            }
            if parsed
                .flags
                .iter()
                .any(|flag| flag.name.starts_with("--del") || flag.name == "--remove-source-files")
            {
                return self.destructive("`rsync --delete` deletes files");
            }
        }
        if args
            .iter()
            .any(|arg| arg.text.contains("ProxyCommand") && !arg.text.ends_with("none"))
            || name != "rsync" && args.iter().any(|arg| arg.text == "-S")
        {
            self.destructive(format!("`{name}` is told to run another program"));
        }
        if args.iter().all(|arg| arg.text.chars().all(|c| c == HOLE)) {
            return self.unknown("what is copied is not in the text");
        }
        self.changes(format!("`{name}` copies files"));
    }
}
