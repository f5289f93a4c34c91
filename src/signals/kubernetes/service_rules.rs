//! Nodes on which kube-proxy cannot write its rules: what runs there reaches no service by its address, not even the
//! cluster's DNS, while the same pods work on other nodes.

use super::emit::{Ctx, Draft, cut};
use super::lastwords;
use super::model::*;
use regex::Regex;
use std::sync::LazyLock;

/// Longest log scanned, in lines.
const MAX_LINES: usize = 200_000;

/// What kube-proxy says when its rules are not in force.
static FAILS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"Failed to execute (?:iptables-restore|ip6tables-restore|nft)|Failed to ensure that \S+ chain|(?:iptables|ip6tables)-restore[^\r\n]{0,80}(?:Couldn't load|line \d+ failed|Permission denied|can't initialize)|can't initialize ip6?tables table|[Ee]rror syncing (?:iptables|ipvs|nftables) rules|nftables sync failed|Failed to (?:sync|apply) \S{0,20} ?(?:rules|services)|can't use (?:the )?(?:IPVS|iptables|nftables) proxier|IPVS proxier will not be used").ok()
});
/// A later word that the rules were written after all.
const WRITTEN: [&str; 2] = ["SyncProxyRules complete", "syncProxyRules complete"];
/// The tool's own reason, on one of the lines below.
static REASON: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"Couldn't load (?:match|target) [`'\x22]?\S+|No chain/target/match by that name|[Pp]ermission denied[^\r\n]{0,60}|can't initialize[^\r\n]{0,80}|[Tt]able does not exist[^\r\n]{0,60}|line \d+ failed|[Ii]nvalid argument|Module \S+ not found|Could not process rule[^\r\n]{0,60}").ok()
});

/// Logs of kube-proxy whose last word about the rules is a failure.
pub fn detect(ctx: &Ctx) {
    let (Some(fails), Some(reasons)) = (FAILS.as_ref(), REASON.as_ref()) else {
        return;
    };
    for log in ctx.cluster.logs.iter().filter(|log| !log.empty) {
        if !log.pod.starts_with("kube-proxy") {
            continue;
        }
        let (mut count, mut said, mut reason) = (0u32, None, None);
        ctx.each_line(log, MAX_LINES, |at, line| {
            if WRITTEN.iter().any(|words| line.contains(words)) {
                (count, said, reason) = (0, None, None);
            }
            if fails.is_match(line) {
                count += 1;
                said = Some((at, line.trim().to_owned()));
            }
            if let Some(found) = reasons.find(line).filter(|_| said.is_some()) {
                reason = Some((at, found.as_str().to_owned()));
            }
        });
        let Some((line, text)) = said.filter(|_| count >= 2) else {
            continue;
        };
        let pod = ctx
            .cluster
            .pods
            .iter()
            .find(|pod| lastwords::belongs(log, pod, ""));
        let node = pod.map(|pod| pod.node.as_str()).unwrap_or_default();
        let place = match node {
            "" => String::new(),
            node => format!(" on node {node}"),
        };
        let why = match &reason {
            Some((_, words)) => format!(": {}", cut(words, 90)),
            None => format!(": {}", cut(&text, 120)),
        };
        let at = |line: u32| Src {
            file: log.file,
            line,
            column: 0,
        };
        let mut draft = Draft::cause("kube-proxy-rules-failed", "Pod", &log.ns, &log.pod, 0.92)
            .says(
                format!("kube-proxy{place} cannot write the rules for services{why}"),
                format!("kube-proxy ({}){place} fails to write its rules{why}. What runs there reaches services by their addresses only as far as older rules allow, the cluster's DNS included; a kernel module that is missing after an update of the kernel, or another tool's rules, are the usual reasons.", log.pod),
            )
            .show(ctx.quote(at(line), ""));
        if let Some((line, words)) = &reason {
            draft = draft.show(ctx.quote(at(*line), words));
        }
        if let Some(pod) = pod {
            draft = draft.show(ctx.quote(pod.src, &pod.name));
        }
        ctx.emit(draft.entity("node", node));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, run};

    const LOG: &str = "I0114 14:40:02.000000 1 server_linux.go:66] \"Using iptables proxy\"\nE0114 14:40:11.362924 1 proxier.go:1588] \"Failed to execute iptables-restore\" ipFamily=\"IPv4\" err=<\n\texit status 2: ip6tables-restore v1.8.9 (nf_tables): Couldn't load match `comment':No such file or directory\n >\nE0114 14:41:11.362924 1 proxier.go:1588] \"Failed to execute iptables-restore\" ipFamily=\"IPv4\" err=<\n";

    #[test]
    fn rules_that_cannot_be_written() {
        let pods = "NAMESPACE     NAME               READY   STATUS    RESTARTS   AGE   IP         NODE\nkube-system   kube-proxy-x8k2d   1/1     Running   1          9d    10.0.0.3   node-c\n";
        let found = run(&[
            ("pods.txt", pods),
            ("logs/kube-system/kube-proxy-x8k2d.log", LOG),
        ]);
        assert_eq!(first(&found).cause, "kube-proxy-rules-failed");
        assert!(first(&found).title.contains("node-c"));
        let mended =
            format!("{LOG}I0114 14:45:11.0 1 proxier.go:805] \"SyncProxyRules complete\"\n");
        let found = run(&[
            ("pods.txt", pods),
            ("logs/kube-system/kube-proxy-x8k2d.log", &mended),
        ]);
        let causes: Vec<&str> = found.signals.iter().map(|one| one.cause.as_str()).collect();
        assert!(!causes.contains(&"kube-proxy-rules-failed"));
    }
}
