//! Commands inside containers, pods and on other machines.

use super::flags::{Style, list, parse};
use super::shell::show;
use super::words::{Arg, HOLE};
use super::wrappers::join;
use super::{Judge, Stdin};

const KUBECTL_VALUES: &str = "-n --namespace --context --cluster --kubeconfig -s --server --user --token --as --as-group --as-uid --cache-dir --certificate-authority --client-certificate --client-key --request-timeout --tls-server-name -v --v \
    --vmodule -o --output -l --selector --field-selector -f --filename -k --kustomize --sort-by --template -c --container --tail --since --since-time --max-log-requests --replicas --current-replicas --patch -p --type --patch-file \
    --image --timeout --grace-period --raw --subresource --chunk-size --from --from-literal --from-file --for --env --port --target-port --name --overrides --restart --to-revision --revision --pod-running-timeout --output-directory \
    --profile --target --copy-to --node-name --image-pull-policy --dry-run= --limits --requests --serviceaccount --command-timeout --dest-dir --source-dir --image-stream --duration --audience --clusterrole --role --group --resource-version -L --label-columns";

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
                let values = list(
                    "-w -x -g -l -t -u -f -h -H -p -o -e -i --hosts --user --timeout --group -b",
                );
                let parsed = parse(
                    args,
                    Style {
                        values: &values,
                        stop_at_word: true,
                        ..Style::default()
                    },
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
    fn remote_text(&mut self, text: &str) {
        if text.trim().is_empty() {
            return self.unknown("a bare interactive shell");
        }
        let scope = std::mem::take(&mut self.scope);
        self.deeper(|judge| judge.script(text));
        self.scope = scope;
    }

    fn ssh(&mut self, args: &[Arg], stdin: &Stdin) {
        let values = list("-B -b -c -D -E -e -F -I -i -J -L -l -m -O -o -P -p -Q -R -S -W -w");
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

    fn kubectl(&mut self, args: &[Arg], stdin: &Stdin) {
        let values = list(KUBECTL_VALUES);
        let parsed = parse(
            args,
            Style {
                values: &values,
                ..Style::default()
            },
        );
        let words = parsed.texts();
        let sub = words.first().copied().unwrap_or_default();
        let text = join(args);
        match sub {
            "exec" | "rsh" => {
                let inner = self.after_exec(args, &values, sub);
                if inner.is_empty() {
                    self.unknown("a bare interactive shell");
                } else {
                    self.container(&inner, stdin);
                }
            }
            "debug" => {
                self.changes(format!(
                    "`kubectl debug` creates a pod or changes one: {}",
                    show(words.get(1).copied().unwrap_or_default())
                ));
                let inner = parsed.rest.clone().unwrap_or_default();
                if !inner.is_empty() {
                    self.container(&inner, stdin);
                }
            }
            "run" => {
                self.changes("`kubectl run` creates a pod");
                let inner = parsed.rest.clone().unwrap_or_default();
                if !inner.is_empty()
                    && parsed.has(&["--command", "-it", "-i", "-t", "--rm"])
                    && !inner[0].text.starts_with('-')
                {
                    self.container(&inner, stdin);
                }
            }
            "patch" => {
                let patch = parsed
                    .value(&["-p", "--patch"])
                    .unwrap_or_default()
                    .to_ascii_lowercase()
                    .replace(' ', "");
                if patch.contains("finalizers")
                    && (patch.contains("null")
                        || patch.contains("[]")
                        || patch.contains("\"op\":\"remove\""))
                {
                    self.destructive("nulling finalizers gives up what they protect");
                } else if patch.contains("\"replicas\":0") {
                    self.destructive("scales to 0");
                } else {
                    self.changes("`kubectl patch` changes a resource");
                }
            }
            "scale" | "autoscale" => {
                if parsed.value(&["--replicas"]) == Some("0") {
                    self.destructive("scales to 0");
                } else {
                    self.changes("`kubectl scale` changes the number of replicas");
                }
            }
            "taint" if text.contains("NoExecute") && !text.contains("NoExecute-") => {
                self.destructive("a NoExecute taint evicts pods")
            }
            "rollout" if words.get(1) == Some(&"status") || words.get(1) == Some(&"history") => {
                self.read_only()
            }
            "adm" if words.get(1) == Some(&"node-logs") => self.read_only(),
            _ => {
                self.by_table("kubectl", args);
            }
        }
    }

    /// The command after `exec POD [--]`.
    fn after_exec(&mut self, args: &[Arg], values: &[String], sub: &str) -> Vec<Arg> {
        let own: Vec<Arg> = args
            .iter()
            .skip_while(|arg| arg.text != sub)
            .skip(1)
            .cloned()
            .collect();
        if let Some(at) = own.iter().position(|arg| arg.text == "--") {
            return own[at + 1..].to_vec();
        }
        let mut at = 0;
        let mut pod = false;
        while at < own.len() {
            let text = own[at].text.as_str();
            if text.starts_with('-') && !pod
                || text.starts_with('-')
                    && matches!(
                        text,
                        "-n" | "-c"
                            | "-i"
                            | "-t"
                            | "-it"
                            | "-ti"
                            | "--namespace"
                            | "--container"
                            | "--stdin"
                            | "--tty"
                    )
            {
                at += if values.iter().any(|value| value == text) {
                    2
                } else {
                    1
                };
            } else if pod {
                return own[at..].to_vec();
            } else {
                pod = true;
                at += 1;
            }
        }
        Vec::new()
    }

    /// A command inside a container: nothing defined outside holds there.
    fn container(&mut self, inner: &[Arg], stdin: &Stdin) {
        let scope = std::mem::take(&mut self.scope);
        self.inner(inner, stdin);
        self.scope = scope;
    }

    fn docker(&mut self, name: &str, args: &[Arg], stdin: &Stdin) {
        let values = list(
            "-H --host -c --context --config -l --log-level --tlscacert --tlscert --tlskey --url --identity --connection --root --runroot -n --namespace -a --address",
        );
        let parsed = parse(
            args,
            Style {
                values: &values,
                stop_at_word: true,
                ..Style::default()
            },
        );
        let mut words = parsed.all_words();
        if matches!(
            words.first().map(|word| word.text.as_str()),
            Some("container" | "compose")
        ) && words.len() > 1
        {
            let first = words.remove(0);
            if first.text == "compose" {
                return self.compose(&words, stdin);
            }
            if !matches!(words[0].text.as_str(), "exec" | "run") {
                self.by_table("docker", &words);
                return;
            }
        }
        match words.first().map(|word| word.text.as_str()) {
            Some("exec") => {
                let values = list("-e --env -u --user -w --workdir --env-file --detach-keys");
                let inner = parse(
                    &words[1..],
                    Style {
                        values: &values,
                        stop_at_word: true,
                        ..Style::default()
                    },
                );
                let inner = inner.all_words();
                if inner.len() < 2 {
                    self.unknown("a bare interactive shell")
                } else {
                    self.container(&inner[1..], stdin)
                }
            }
            Some("run" | "create") => {
                self.changes(format!("`{name} run` creates a container"));
                let values = list(
                    "-e --env -u --user -w --workdir -v --volume --mount -p --publish --name --network --net --entrypoint -h --hostname --memory -m --cpus --restart --label -l --env-file --pid --ipc --device --cap-add --cap-drop --security-opt --log-driver --log-opt --dns --add-host --platform --pull --ulimit --tmpfs --gpus --runtime --shm-size --ip --userns --group-add",
                );
                let run = parse(
                    &words[1..],
                    Style {
                        values: &values,
                        stop_at_word: true,
                        ..Style::default()
                    },
                );
                let inner = run.all_words();
                if let Some(entry) = run.value(&["--entrypoint"]).filter(|_| !inner.is_empty()) {
                    let mut command = vec![Arg::new(entry)];
                    command.extend_from_slice(&inner[1..]);
                    self.container(&command, stdin);
                } else if inner.len() > 1 && !inner[1].text.starts_with('-') {
                    self.container(&inner[1..], stdin);
                }
                if run.has(&["--privileged"]) && run.has(&["-v", "--volume"]) {
                    self.unknown("a privileged container with folders of the host");
                }
            }
            _ => {
                self.by_table("docker", &words);
            }
        }
    }

    fn compose(&mut self, args: &[Arg], stdin: &Stdin) {
        let values = list("-f --file -p --project-name --project-directory --env-file --profile");
        let parsed = parse(
            args,
            Style {
                values: &values,
                stop_at_word: true,
                ..Style::default()
            },
        );
        let words = parsed.all_words();
        if words.first().is_some_and(|word| word.text == "exec") {
            let values = list("-e --env -u --user -w --workdir --index");
            let inner = parse(
                &words[1..],
                Style {
                    values: &values,
                    stop_at_word: true,
                    ..Style::default()
                },
            )
            .all_words();
            if inner.len() < 2 {
                self.unknown("a bare interactive shell")
            } else {
                self.container(&inner[1..], stdin)
            }
        } else {
            self.by_table("docker-compose", &words);
        }
    }

    fn other_exec(&mut self, name: &str, args: &[Arg], stdin: &Stdin) -> bool {
        let at = |word: &str| args.iter().position(|arg| arg.text == word);
        match name {
            "lxc-attach" => {
                let values = list("-n --name");
                let parsed = parse(
                    args,
                    Style {
                        values: &values,
                        stop_at_word: true,
                        ..Style::default()
                    },
                );
                let inner = parsed.all_words();
                if inner.is_empty() {
                    self.unknown("a bare interactive shell")
                } else {
                    self.container(&inner, stdin)
                }
            }
            "crictl" if at("exec").is_some_and(|at| at < 4) => {
                let values = list("-r --runtime-endpoint --timeout --name");
                let inner = parse(
                    &args[at("exec").unwrap_or(0) + 1..],
                    Style {
                        values: &values,
                        stop_at_word: true,
                        ..Style::default()
                    },
                );
                let flags_take: Vec<Arg> = inner.all_words();
                if flags_take.len() < 2 {
                    self.unknown("a bare interactive shell")
                } else {
                    self.container(&flags_take[1..], stdin)
                }
            }
            "lxc" | "incus" | "multipass" if args.first().is_some_and(|arg| arg.text == "exec") => {
                let inner = match at("--") {
                    Some(at) => args[at + 1..].to_vec(),
                    None => args.get(2..).unwrap_or_default().to_vec(),
                };
                if inner.is_empty() {
                    self.unknown("a bare interactive shell")
                } else {
                    self.container(&inner, stdin)
                }
            }
            "ctr" if at("exec").is_some() => {
                let values = list("--exec-id --user --cwd");
                let inner = parse(
                    &args[at("exec").unwrap_or(0) + 1..],
                    Style {
                        values: &values,
                        stop_at_word: true,
                        ..Style::default()
                    },
                )
                .all_words();
                if inner.len() < 2 {
                    self.unknown("a bare interactive shell")
                } else {
                    self.container(&inner[1..], stdin)
                }
            }
            "juju"
                if args
                    .first()
                    .is_some_and(|arg| matches!(arg.text.as_str(), "ssh" | "run" | "exec")) =>
            {
                let values =
                    list("-m --model --unit -u -a --application --machine --timeout --format");
                let parsed = parse(
                    &args[1..],
                    Style {
                        values: &values,
                        stop_at_word: true,
                        ..Style::default()
                    },
                );
                let words = parsed.all_words();
                let from = usize::from(
                    args[0].text == "ssh"
                        || parsed.flags.iter().all(|flag| {
                            !matches!(
                                flag.name.as_str(),
                                "-u" | "--unit" | "-a" | "--application" | "--machine"
                            )
                        }),
                );
                let inner = words.get(from..).unwrap_or_default();
                let text = join(inner);
                let action = args[0].text == "run"
                    && from == 1
                    && inner.first().is_some_and(|word| {
                        !word.text.contains(' ') && !super::is_program(&word.text)
                    });
                if action {
                    self.changes("`juju run` runs an action");
                } else {
                    self.remote_text(&text);
                }
            }
            "vagrant" if args.first().is_some_and(|arg| arg.text == "ssh") => {
                let parsed = parse(
                    &args[1..],
                    Style {
                        values: &list("-c --command"),
                        ..Style::default()
                    },
                );
                let text = parsed
                    .value(&["-c", "--command"])
                    .unwrap_or_default()
                    .to_owned();
                self.remote_text(&text);
            }
            _ => return false,
        }
        true
    }

    fn ansible(&mut self, args: &[Arg]) {
        let values = list(
            "-m --module-name -a --args -i --inventory -u --user -f --forks -l --limit -e --extra-vars -t --tree --become-user -T --timeout",
        );
        let parsed = parse(
            args,
            Style {
                values: &values,
                ..Style::default()
            },
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
            let parsed = parse(
                args,
                Style {
                    values: &list(
                        "-e --rsh --exclude --include --files-from --bwlimit --timeout --password-file --port --log-file -f --filter --rsync-path --out-format",
                    ),
                    ..Style::default()
                },
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
