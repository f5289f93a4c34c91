//! Containers and virtual machines: what their managers do, and what they run inside.

use super::flags::{Style, anywhere, leading, list, parse};
use super::words::Arg;
use super::wrappers::join;
use super::{Judge, Stdin};

impl Judge {
    /// A command inside a container: nothing defined outside holds there.
    pub(super) fn container(&mut self, inner: &[Arg], stdin: &Stdin) {
        let scope = std::mem::take(&mut self.scope);
        self.inner(inner, stdin);
        self.scope = scope;
    }

    pub(super) fn docker(&mut self, name: &str, args: &[Arg], stdin: &Stdin) {
        let parsed = leading(
            args,
            "-H --host -c --context --config -l --log-level --tlscacert --tlscert --tlskey --url --identity --connection --root --runroot -n --namespace -a --address",
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
                let inner = leading(
                    &words[1..],
                    "-e --env -u --user -w --workdir --env-file --detach-keys",
                );
                let inner = inner.all_words();
                self.container(inner.get(1..).unwrap_or_default(), stdin);
            }
            Some("run" | "create") => {
                self.changes(format!("`{name} run` creates a container"));
                let run = leading(
                    &words[1..],
                    "-e --env -u --user -w --workdir -v --volume --mount -p --publish --name --network --net --entrypoint -h --hostname --memory -m --cpus --restart --label -l --env-file --pid --ipc --device --cap-add --cap-drop --security-opt --log-driver --log-opt --dns --add-host --platform --pull --ulimit --tmpfs --gpus --runtime --shm-size --ip --userns --group-add",
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

    pub(super) fn compose(&mut self, args: &[Arg], stdin: &Stdin) {
        let parsed = leading(
            args,
            "-f --file -p --project-name --project-directory --env-file --profile",
        );
        let words = parsed.all_words();
        if words.first().is_some_and(|word| word.text == "exec") {
            let inner = leading(&words[1..], "-e --env -u --user -w --workdir --index").all_words();
            self.container(inner.get(1..).unwrap_or_default(), stdin);
        } else {
            self.by_table("docker-compose", &words);
        }
    }

    pub(super) fn other_exec(&mut self, name: &str, args: &[Arg], stdin: &Stdin) -> bool {
        let at = |word: &str| args.iter().position(|arg| arg.text == word);
        match name {
            "lxc-attach" => {
                let parsed = leading(args, "-n --name");
                let inner = parsed.all_words();
                self.container(&inner, stdin);
            }
            "crictl" => {
                let values =
                    "-r --runtime-endpoint -i --image-endpoint -t --timeout -c --config --name";
                let words = leading(args, values).all_words();
                if words.first().is_none_or(|word| word.text != "exec") {
                    return false;
                }
                // Here, -i and -t take no value.
                let inner =
                    leading(&words[1..], "-r --runtime-endpoint --timeout --name").all_words();
                self.container(inner.get(1..).unwrap_or_default(), stdin);
            }
            "lxc" | "incus" | "multipass" if args.first().is_some_and(|arg| arg.text == "exec") => {
                let inner = match at("--") {
                    Some(at) => args[at + 1..].to_vec(),
                    None => args.get(2..).unwrap_or_default().to_vec(),
                };
                self.container(&inner, stdin);
            }
            "ctr" if at("exec").is_some() => {
                let inner = leading(
                    &args[at("exec").unwrap_or(0) + 1..],
                    "--exec-id --user --cwd",
                )
                .all_words();
                self.container(inner.get(1..).unwrap_or_default(), stdin);
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
                let parsed = anywhere(&args[1..], "-c --command");
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
}
