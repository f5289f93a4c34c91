//! Behaviour on bundles about the way between clients and services: endpoints, policies, silent nodes, clocks.

use super::tests::{first, loudest, run_with};
use crate::signals::{Partial, Role};

const WIDE: &str = "NAMESPACE   NAME   READY   STATUS    RESTARTS      AGE   IP           NODE   NOMINATED NODE   READINESS GATES   LABELS\n";

fn titles(partial: &Partial) -> String {
    partial
        .signals
        .iter()
        .map(|signal| {
            format!(
                "{:.2} {:?} {} | {} | {}\n",
                signal.strength, signal.role, signal.cause, signal.title, signal.statement
            )
        })
        .collect()
}

fn repeated(line: &str) -> String {
    (10..60)
        .map(|n| line.replace("MIN", &n.to_string()) + "\n")
        .collect()
}

#[test]
fn a_service_without_endpoints_stands_above_those_refused_at_its_address() {
    let run = |label: &str, ready: &str, endpoints: &str| {
        let pods = format!(
            "$ kubectl get pods -n harbour -o wide --show-labels\nNAME                        READY   STATUS    RESTARTS   AGE   IP         NODE   NOMINATED NODE   READINESS GATES   LABELS\nberths-6958c5bdd8-69gtn     {ready}     Running   0          3d    10.9.0.5   n1     <none>           <none>            app={label}\nterminal-5f7c9d6b8-x2x4z    1/1     Running   0          3d    10.9.0.6   n1     <none>           <none>            app=terminal\n"
        );
        let services = "$ kubectl get svc -n harbour -o wide\nNAME     TYPE        CLUSTER-IP    EXTERNAL-IP   PORT(S)   AGE   SELECTOR\nberths   ClusterIP   10.40.7.31    <none>        80/TCP    9d    app=berths\n";
        let sets = format!(
            "$ kubectl get endpoints -n harbour\nNAME     ENDPOINTS   AGE\nberths   {endpoints}      9d\n"
        );
        let log = repeated(
            "2025-05-01T10:MIN:00Z ERROR cannot book: dial tcp 10.40.7.31:80: connect: connection refused",
        );
        run_with(
            &[
                ("out/1-pods.txt", &pods),
                ("out/2-services.txt", services),
                ("out/3-endpoints.txt", &sets),
                ("out/logs/harbour/terminal-5f7c9d6b8-x2x4z.log", &log),
            ],
            Some("Since today nobody can book a berth at the terminal."),
        )
    };
    let partial = run("berth", "1/1", "<none>");
    let top = first(&partial);
    assert_eq!(
        top.cause,
        "service-selector-mismatch",
        "{}",
        titles(&partial)
    );
    assert!(top.strength >= 0.85, "{}", titles(&partial));
    assert!(top.title.contains("app=berths") && top.title.contains("harbour/berths"));
    let client = partial
        .signals
        .iter()
        .find(|signal| signal.subject.name.starts_with("terminal"))
        .expect("the client");
    assert!(
        client
            .title
            .contains("10.40.7.31:80 (service harbour/berths)"),
        "{}",
        titles(&partial)
    );
    // A pod that is not ready would be no endpoint whatever the selector says.
    let partial = run("berth", "0/1", "<none>");
    assert!(
        partial
            .signals
            .iter()
            .filter(|signal| signal.cause == "service-selector-mismatch")
            .all(|signal| signal.strength < 0.85),
        "{}",
        titles(&partial)
    );
    // With endpoints the program behind them refuses.
    let partial = run("berths", "1/1", "10.9.0.5:8080");
    assert!(
        partial
            .signals
            .iter()
            .all(|signal| signal.cause != "service-selector-mismatch"),
        "{}",
        titles(&partial)
    );
}

#[test]
fn a_policy_that_wants_a_label_of_the_namespace_drops_those_without_it() {
    const DENY: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: nobody\n  namespace: ledger\nspec:\n  podSelector: {}\n  policyTypes:\n  - Ingress\n";
    const ALLOW: &str = "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: guests\n  namespace: ledger\nspec:\n  ingress:\n  - from:\n    - namespaceSelector:\n        matchLabels:\n          books: read\n  podSelector:\n    matchLabels:\n      app: postings\n  policyTypes:\n  - Ingress\n";
    let run = |namespaces: &str| {
        let pods = format!(
            "{WIDE}ledger   postings-6958c5bdd8-69gtn   1/1   Running   0   3d   10.9.0.5   n1   <none>   <none>   app=postings\ntills   till-5f7c9d6b8-k2v9x   1/1   Running   0   3d   10.9.0.7   n1   <none>   <none>   app=till\ntills   till-5f7c9d6b8-x2x4z   1/1   Running   0   3d   10.9.0.6   n1   <none>   <none>   app=till\n"
        );
        let services = "NAMESPACE   NAME       TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE   SELECTOR\nledger      postings   ClusterIP   10.40.7.31   <none>        80/TCP    9d    app=postings\n";
        let log = repeated(
            "2025-05-01T10:MIN:00Z ERROR cannot post: Get \"http://postings.ledger.svc.cluster.local/v1\": dial tcp 10.40.7.31:80: connect: ETIMEDOUT",
        );
        let policies = format!("{DENY}{ALLOW}");
        run_with(
            &[
                ("kubectl/get_pod_-A.txt", &pods),
                ("kubectl/get_service_-A.txt", services),
                ("kubectl/get_namespace.txt", namespaces),
                ("kubectl/netpol.yaml", &policies),
                ("kubectl/logs/tills/till-5f7c9d6b8-x2x4z.log", &log),
                ("kubectl/logs/tills/till-5f7c9d6b8-k2v9x.log", &log),
            ],
            Some("The tills cannot post since they moved to their new namespace."),
        )
    };
    let table = |labels: &str| {
        format!(
            "NAME     STATUS   AGE   LABELS\nledger   Active   90d   kubernetes.io/metadata.name=ledger\ntills    Active   1d    {labels}\n"
        )
    };
    let partial = run(&table("kubernetes.io/metadata.name=tills,team=front"));
    let top = first(&partial);
    assert_eq!(top.cause, "networkpolicy-blocks", "{}", titles(&partial));
    assert!(top.strength >= 0.85, "{}", titles(&partial));
    for word in ["ledger/guests", "books=read", "namespace tills"] {
        assert!(top.statement.contains(word), "{word}: {}", titles(&partial));
    }
    assert_eq!(
        partial
            .signals
            .iter()
            .filter(|signal| signal.cause == "networkpolicy-blocks" && signal.strength >= 0.5)
            .count(),
        1,
        "{}",
        titles(&partial)
    );
    // Not shown: weaker, and said.
    let partial = run("NAME     STATUS   AGE\nledger   Active   90d\ntills    Active   1d\n");
    let top = partial
        .signals
        .iter()
        .find(|signal| signal.cause == "networkpolicy-blocks" && signal.subject.name == "guests")
        .expect("the policy");
    assert!(
        top.strength > 0.5 && top.statement.contains("not shown"),
        "{}",
        titles(&partial)
    );
    // One policy that lets it in is enough, whatever the others say.
    let partial = run(&table("books=read,kubernetes.io/metadata.name=tills"));
    assert!(
        partial
            .signals
            .iter()
            .all(|signal| signal.cause != "networkpolicy-blocks" || signal.strength < 0.5),
        "{}",
        titles(&partial)
    );
}

#[test]
fn pods_that_leave_a_silent_node_are_its_consequence() {
    let events = "NAMESPACE   LAST SEEN   TYPE     REASON                 OBJECT                        MESSAGE\ntides       9m          Normal   TaintManagerEviction   pod/gauge-6958c5bdd8-69gtn    Marking for deletion Pod tides/gauge-6958c5bdd8-69gtn\n";
    let partial = run_with(
        &[("kubectl/get_events_-A.txt", events)],
        Some("Why did the gauge move?"),
    );
    let gone = partial
        .signals
        .iter()
        .find(|signal| signal.cause == "pod-evicted")
        .expect("the eviction");
    assert_eq!(gone.role, Role::Symptom, "{}", titles(&partial));
    // What the node ran out of is a reason.
    let events = "NAMESPACE   LAST SEEN   TYPE      REASON    OBJECT                       MESSAGE\ntides       9m          Warning   Evicted   pod/gauge-6958c5bdd8-69gtn   The node was low on resource: memory. Threshold quantity: 100Mi\n";
    let partial = run_with(&[("kubectl/get_events_-A.txt", events)], None);
    assert_eq!(first(&partial).role, Role::Cause, "{}", titles(&partial));
}

#[test]
fn the_clock_of_a_node_is_the_root_of_tokens_from_the_future_on_it() {
    let run = |third: &str, leap: &str| {
        let pods = format!(
            "{WIDE}doors   porter-6958c5bdd8-69gtn   1/1   Running   0   3d   10.9.0.5   n3   <none>   <none>   app=porter\n"
        );
        let nodes = "NAME   STATUS   ROLES    AGE   VERSION\nn1     Ready    <none>   90d   v1.31.2\nn2     Ready    <none>   90d   v1.31.2\nn3     Ready    <none>   90d   v1.31.2\n";
        let log = repeated("2025-05-01T10:MIN:00Z ERROR refused: token is not valid yet");
        let dates = format!("n1 2025-05-01T10:00:00Z\nn2 2025-05-01T10:00:01Z\nn3 {third}\n");
        let tracking = format!(
            "Stratum         : 0\nSystem time     : 0.000000000 seconds fast of NTP time\nLeap status     : {leap}\n"
        );
        run_with(
            &[
                ("kubectl/get_pod_-A.txt", &pods),
                ("kubectl/get_node.txt", nodes),
                ("kubectl/logs/doors/porter-6958c5bdd8-69gtn.log", &log),
                ("nodes/dates.txt", &dates),
                ("nodes/n3/chronyc_tracking.txt", &tracking),
            ],
            Some("Some visitors are turned away at the door."),
        )
    };
    let partial = run("2025-05-01T09:57:30Z", "Not synchronised");
    let top = first(&partial);
    assert_eq!(
        (top.cause.as_str(), top.subject.name.as_str()),
        ("clock-skew", "n3"),
        "{}",
        titles(&partial)
    );
    assert!(top.strength >= 0.85 && top.title.contains("150 seconds behind"));
    // Clocks that agree: the issuer's may be wrong, the node's is not.
    let partial = run("2025-05-01T10:00:01Z", "Normal");
    assert!(
        partial
            .signals
            .iter()
            .all(|signal| signal.subject.kind != "Node"),
        "{}",
        titles(&partial)
    );
}

#[test]
fn a_policy_that_shuts_out_the_namespace_in_which_somebody_tried() {
    let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: rates-callers\n  namespace: pricing\nspec:\n  podSelector:\n    matchLabels:\n      app: rates\n  policyTypes:\n  - Ingress\n  ingress:\n  - from:\n    - namespaceSelector:\n        matchLabels:\n          team: shop\n";
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: rates\n  namespace: pricing\nspec:\n  selector:\n    app: rates\n  ports:\n  - port: 80\n";
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: rates-0\n  namespace: pricing\n  labels:\n    app: rates\nspec:\n  containers:\n  - name: rates\n    image: rates:2\nstatus:\n  phase: Running\n  conditions:\n  - type: Ready\n    status: \"True\"\n  containerStatuses:\n  - name: rates\n    ready: true\n    restartCount: 0\n    state:\n      running: {}\n";
    let curl = "$ kubectl -n shop exec deploy/web -- curl -sS -m 5 http://rates.pricing.svc/healthz\ncurl: (28) Connection timed out after 5001 milliseconds\n";
    let of = |team: &str| {
        let spaces = format!(
            "NAME      STATUS   AGE    LABELS\npricing   Active   300d   kubernetes.io/metadata.name=pricing,team=pricing\nshop      Active   300d   kubernetes.io/metadata.name=shop,team={team}\n"
        );
        run_with(
            &[
                ("k/policies.yaml", policy),
                ("k/services.yaml", service),
                ("k/pods.yaml", pod),
                ("k/get_namespaces_--show-labels.txt", &spaces),
                ("net/curl_from_shop.txt", curl),
            ],
            None,
        )
    };
    let found = of("storefront");
    assert_eq!(
        first(&found).cause,
        "networkpolicy-blocks",
        "{}",
        titles(&found)
    );
    let open = of("shop");
    assert!(
        !titles(&open).contains("rates-callers"),
        "{}",
        titles(&open)
    );
    // Without the policies the time-out itself is no answer: they are asked for.
    let unseen = run_with(
        &[
            ("k/services.yaml", service),
            ("k/pods.yaml", pod),
            ("net/curl_from_shop.txt", curl),
        ],
        None,
    );
    assert!(loudest(&unseen) < 0.5, "{}", titles(&unseen));
    assert!(unseen.missing.iter().any(|missing| {
        missing
            .what
            .contains("network policies of namespace pricing")
    }));
}
