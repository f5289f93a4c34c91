//! `kubectl` and `oc`: their own commands, and those they run in a pod.

use super::flags::{Style, list, parse};
use super::shell::show;
use super::words::Arg;
use super::wrappers::join;
use super::{Judge, Stdin};

const KUBECTL_VALUES: &str = "-n --namespace --context --cluster --kubeconfig -s --server --user --token --as --as-group --as-uid --cache-dir --certificate-authority --client-certificate --client-key --request-timeout --tls-server-name -v --v \
    --vmodule -o --output -l --selector --field-selector -f --filename -k --kustomize --sort-by --template -c --container --tail --since --since-time --max-log-requests --replicas --current-replicas --patch -p --type --patch-file \
    --image --timeout --grace-period --raw --subresource --chunk-size --from --from-literal --from-file --for --env --port --target-port --name --overrides --restart --to-revision --revision --pod-running-timeout --output-directory \
    --profile --target --copy-to --node-name --image-pull-policy --dry-run= --limits --requests --serviceaccount --command-timeout --dest-dir --source-dir --image-stream --duration --audience --clusterrole --role --group --resource-version -L --label-columns";

impl Judge {
    pub(super) fn kubectl(&mut self, args: &[Arg], stdin: &Stdin) {
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
                self.container(&inner, stdin);
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
            "replace" | "create" if parsed.value(&["--raw"]).is_some() => {
                // Past the usual verbs: a namespace is finalised while things are in it, a pod is evicted.
                let path = parsed.value(&["--raw"]).unwrap_or_default();
                if ["/finalize", "/eviction"]
                    .iter()
                    .any(|end| path.ends_with(end))
                {
                    self.destructive(format!("`kubectl {sub} --raw` on {}", show(path)));
                } else {
                    self.changes(format!("`kubectl {sub} --raw` changes a resource"));
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
                } else if patch.contains("\"replicas\":0")
                    || patch.contains("/replicas\"") && patch.contains("\"value\":0")
                {
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
            _ => {
                self.by_table("kubectl", args);
            }
        }
    }

    /// The command after `exec POD [--]`.
    pub(super) fn after_exec(&mut self, args: &[Arg], values: &[String], sub: &str) -> Vec<Arg> {
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
                || matches!(
                    text.split('=').next().unwrap_or_default(),
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
}
