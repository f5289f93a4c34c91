//! Role bindings that grant to a service account of another namespace than the program's own: left behind when the
//! program moved, or copied. The API server then refuses the program (403), although its role is right.

use super::emit::{Ctx, Draft};
use super::model::*;
use super::value::Val;
use std::collections::{BTreeMap, BTreeSet};

/// Longest log scanned, in lines.
const MAX_LINES: usize = 100_000;
/// Most bindings remembered.
const MAX_BINDINGS: usize = 20_000;
/// Most bindings for which logs are searched.
const MAX_SEARCHED: usize = 16;

/// Reads the service accounts that a binding grants to.
pub fn read(cluster: &mut Cluster, file: u32, val: &Val) {
    let meta = val.get("metadata");
    let ns = meta.get("namespace").text();
    for subject in val.get("subjects").items() {
        let (kind, of) = (subject.get("kind").text(), subject.get("namespace"));
        if kind != "ServiceAccount" || cluster.bindings.len() >= MAX_BINDINGS {
            continue;
        }
        let src = |at: super::value::At| Src {
            file,
            line: at.line,
            column: at.column,
        };
        cluster.bindings.push(Binding {
            ns: ns.to_owned(),
            name: meta.get("name").text().to_owned(),
            src: src(meta.get("name").at),
            account: subject.get("name").text().to_owned(),
            account_ns: if of.is_null() { ns } else { of.text() }.to_owned(),
            account_src: src(of.at),
        });
    }
}

/// Namespaces in which a service account of a name exists, or a pod runs as one.
fn homes<'a>(ctx: &Ctx<'a>) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let cluster = ctx.cluster;
    let known = cluster
        .names
        .iter()
        .filter(|(kind, ..)| kind == "ServiceAccount")
        .map(|(_, ns, name)| (name.as_str(), ns.as_str()));
    let used = cluster
        .pods
        .iter()
        .map(|pod| (pod.service_account.as_str(), pod.ns.as_str()));
    let mut homes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, ns) in known.chain(used) {
        homes.entry(name).or_default().insert(ns);
    }
    homes
}

/// The last line in a log of namespace `home` that tells of a refusal concerning `ns`.
fn refusal(ctx: &Ctx, home: &str, ns: &str) -> Option<(Src, String, String)> {
    for log in ctx.cluster.logs.iter().filter(|log| log.ns == home) {
        let mut last = None;
        ctx.each_line(log, MAX_LINES, |number, line| {
            let refused = line.contains("403") || line.contains("orbidden");
            if refused && (ns.is_empty() || super::emit::contains_word(line, ns)) {
                last = Some((number, line.trim().to_owned()));
            }
        });
        if let Some((line, text)) = last {
            let src = Src {
                file: log.file,
                line,
                column: 0,
            };
            return Some((src, text, log.pod.clone()));
        }
    }
    None
}

/// Bindings whose service account is not the one that programs run as.
pub fn detect(ctx: &Ctx) {
    let all = homes(ctx);
    let granted: BTreeSet<(&str, &str, &str)> = ctx
        .cluster
        .bindings
        .iter()
        .map(|one| {
            (
                one.ns.as_str(),
                one.account.as_str(),
                one.account_ns.as_str(),
            )
        })
        .collect();
    let mut searched = 0;
    for binding in &ctx.cluster.bindings {
        let (ns, account) = (binding.ns.as_str(), binding.account.as_str());
        let homes = all.get(account).filter(|_| account != "default");
        if homes.is_none_or(|homes| homes.contains(binding.account_ns.as_str())) {
            continue;
        }
        // Another binding beside this one may grant the rights where the program runs.
        let home = homes.into_iter().flatten().copied();
        let homes: Vec<&str> = home
            .filter(|home| !granted.contains(&(ns, account, *home)))
            .collect();
        if homes.is_empty() || searched >= MAX_SEARCHED {
            continue;
        }
        searched += 1;
        let listed = ctx.cluster.is_listed("ServiceAccount", &binding.account_ns);
        let Some((home, refused)) = homes
            .into_iter()
            .map(|home| (home, refusal(ctx, home, ns)))
            .max_by_key(|(_, refused)| refused.is_some())
        else {
            continue;
        };
        let strength = match (listed, refused.is_some()) {
            (true, true) => 0.93,
            (false, true) => 0.9,
            // What was left behind harms nobody until something is refused.
            (true, false) => 0.35,
            (false, false) => continue,
        };
        let (then, so) = match refused.is_some() {
            true => (
                ": it is forbidden (403)",
                ", so the API server refuses it (403, RBAC)",
            ),
            false => ("", "; no refusal was seen"),
        };
        let who = full_name(&binding.ns, &binding.name);
        let (account, account_ns) = (&binding.account, &binding.account_ns);
        let mut draft = Draft::cause("rbac-forbidden", "RoleBinding", &binding.ns, &binding.name, strength)
            .says(
                format!("role binding {who} grants to service account {account} of namespace {account_ns}, and the program runs as {account} of namespace {home}{then}"),
                format!("Role binding {who} names service account {account} of namespace {account_ns} as its subject. The program runs as service account {account} of namespace {home}, to which this binding gives no right{so}."),
            );
        if let Some((src, text, pod)) = refused {
            draft = draft.show(ctx.quote(src, &text)).entity("pod", &pod);
        }
        draft = draft
            .show(ctx.quote(binding.account_src, account_ns))
            .show(ctx.quote(binding.src, &binding.name));
        ctx.emit(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, run};

    const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: sync-1\n  namespace: ops\nspec:\n  serviceAccountName: sync\n  containers:\n  - name: sync\n    image: sync:2\n";
    const LOG: &str = "2026-02-16 13:09:32 WARN sync: not allowed to read secrets in blue (403), skipped\n2026-02-16 13:14:32 WARN sync: not allowed to read secrets in blue (403), skipped\n";

    #[test]
    fn a_binding_to_the_account_of_another_namespace() {
        let of = |ns: &str| {
            let binding = format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: sync\n  namespace: blue\nroleRef:\n  kind: Role\n  name: writer\nsubjects:\n- kind: ServiceAccount\n  name: sync\n  namespace: {ns}\n"
            );
            run(&[
                ("pod.yaml", POD),
                ("kubectl/rolebindings.yaml", &binding),
                ("logs/ops/sync-1.log", LOG),
            ])
        };
        let found = of("platform");
        assert_eq!(first(&found).subject.kind, "RoleBinding");
        assert!(first(&found).title.contains("of namespace platform"));
        assert!(
            of("ops")
                .signals
                .iter()
                .all(|signal| signal.subject.kind != "RoleBinding")
        );
    }
}
