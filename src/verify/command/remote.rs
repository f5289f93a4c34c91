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
                let values = match name {
                    "pdsh" => "-w -x -g -X -F -l -t -u -f -R -M",
                    "clush" => {
                        "-w -x -g -X -l -t -u -f -o -s --hostfile --user --group --options --fanout --command_timeout --connect_timeout --groupsource --color --conf -m --mode -O --option -R --worker --topology --pick --outdir --errdir --remote --maxrc"
                    }
                    _ => {
                        "-h --hosts -H --host -l --user -p --par -o --outdir -e --errdir -t --timeout -O --options -x --extra-args -X --extra-arg -g --host-glob"
                    }
                };
                let parsed = leading(args, values);
                let text = join(&parsed.all_words());
                self.remote_text(&text);
            }
            "ansible" => self.ansible(args),
            "scp" | "sftp" | "rsync" => self.copy(name, args, stdin),
            "gcloud" if args.iter().any(|arg| arg.text == "ssh") => {
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
                    None => {
                        // What stands after `--` is for ssh.
                        let mut given = args.splitn(2, |arg| arg.text == "--");
                        let mut inner = vec![Arg::new("host")];
                        inner.extend(given.nth(1).unwrap_or_default().iter().cloned());
                        self.ssh(&inner, stdin);
                    }
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
        const VALUES: &str = "-B -b -c -D -E -e -F -I -i -J -L -l -m -O -o -P -p -Q -R -S -W -w";
        let mut parsed = leading(args, VALUES);
        // Flags may stand after the host as well.
        if parsed.words.len() > 1 && parsed.words[1].text.starts_with('-') {
            let after = leading(&parsed.words[1..], VALUES);
            parsed.words.truncate(1);
            parsed.words.extend(after.all_words());
            parsed.flags.extend(after.flags);
        }
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
        let words = parsed.all_words();
        match (words.len(), stdin) {
            (0, _) => self.unknown("`ssh` without a host"),
            (1, Stdin::Text(text)) => {
                let text = text.clone();
                self.remote_text(&text);
            }
            (1, Stdin::Piped) => self
                .destructive("hands control to code that is not shown: a pipe into a remote shell"),
            _ => {
                let text = join(&words[1..]);
                // What the remote shell gets on its standard input matters if it is told to read it and nothing else.
                let split: Vec<Arg> = text.split_whitespace().map(Arg::new).collect();
                let plain = !text.contains([';', '|', '&', '\n', '$', '`', '<', '>', '(']);
                let reads = plain
                    && split
                        .iter()
                        .skip_while(|word| word.text == "sudo")
                        .take_while(|word| word.text != "-s")
                        .enumerate()
                        .all(|(at, word)| {
                            if at == 0 {
                                matches!(
                                    word.text.as_str(),
                                    "bash" | "sh" | "/bin/bash" | "/bin/sh"
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
        let module = parsed.value(&["-m", "--module-name"]).unwrap_or("command");
        let module = ["ansible.builtin.", "ansible.legacy.", "ansible.windows."]
            .iter()
            .find_map(|collection| module.strip_prefix(collection))
            .unwrap_or(module);
        match module {
            "command" | "shell" | "raw" | "win_command" | "win_shell" => self.remote_text(&text),
            "ping" | "setup" | "debug" | "stat" | "service_facts" | "package_facts" | "getent" => {
                self.read_only()
            }
            "service" | "systemd" | "systemd_service" | "sysvinit" | "win_service"
                if text.contains("stopped") =>
            {
                self.destructive("stops a service")
            }
            "reboot" | "win_reboot" => self.destructive("reboots machines"),
            _ if text.contains("absent") => self.destructive("removes something"),
            _ => self.changes("an ansible module changes machines"),
        }
    }

    fn copy(&mut self, name: &str, args: &[Arg], stdin: &Stdin) {
        if name == "rsync" {
            let parsed = anywhere(
                args,
                "-e --rsh --exclude --include --files-from --bwlimit --timeout --password-file --port --log-file -f --filter --rsync-path --out-format",
            );
            let usual = |shell: &str| {
                shell.is_empty()
                    || ["ssh", "rsync", "sudo rsync"]
                        .iter()
                        .any(|known| shell.starts_with(known))
                        && !shell.contains([';', '|', '&', '$', '`', '\n'])
            };
            if !parsed.values(&["-e", "--rsh", "--rsync-path"]).all(usual) {
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
        let hops = args
            .iter()
            .map(|arg| arg.text.to_ascii_lowercase())
            .any(|text| text.contains("proxycommand") && !text.ends_with("none"));
        let copier = anywhere(args, "-B -b -c -D -F -i -J -l -o -P -R -S -s -X");
        if hops || name != "rsync" && copier.has(&["-S"]) {
            self.destructive(format!("`{name}` is told to run another program"));
        }
        if let (true, Stdin::Text(text)) = (name == "sftp", stdin)
            && text.lines().any(|line| {
                matches!(
                    line.split_whitespace().next(),
                    Some("rm" | "-rm" | "rmdir" | "-rmdir")
                )
            })
        {
            self.destructive("`sftp` is told to delete files");
        }
        if args.iter().all(|arg| arg.text.chars().all(|c| c == HOLE)) {
            return self.unknown("what is copied is not in the text");
        }
        self.changes(format!("`{name}` copies files"));
    }
}
