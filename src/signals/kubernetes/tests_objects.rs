//! Behaviour of the detectors on nodes, volumes, services, workloads and the control plane.

use super::tests::*;
use crate::signals::Role;

pub(super) fn node(conditions: &str) -> String {
    format!(
        "{{\n \"kind\": \"NodeList\",\n \"items\": [\n  {{\n   \"metadata\": {{\n    \"name\": \"n1\"\n   }},\n   \"status\": {{\n    \"nodeInfo\": {{\n     \"kubeletVersion\": \"v1.29.1\"\n    }},\n    \"conditions\": [\n{conditions}\n    ]\n   }}\n  }}\n ]\n}}\n"
    )
}

pub(super) fn condition(kind: &str, status: &str, message: &str) -> String {
    format!(
        "     {{\n      \"type\": \"{kind}\",\n      \"status\": \"{status}\",\n      \"reason\": \"R\",\n      \"message\": \"{message}\"\n     }}"
    )
}

#[test]
fn nodes_in_trouble() {
    for (kind, status, message, cause) in [
        (
            "Ready",
            "False",
            "container runtime network not ready: NetworkReady=false cni plugin not initialized",
            "cni-failed",
        ),
        (
            "Ready",
            "False",
            "PLEG is not healthy: pleg was last seen active 5m ago",
            "node-pleg",
        ),
        (
            "Ready",
            "False",
            "container runtime is down",
            "node-runtime-down",
        ),
        ("Ready", "False", "kubelet is unwell", "node-not-ready"),
        (
            "MemoryPressure",
            "True",
            "kubelet has insufficient memory available",
            "node-memory-pressure",
        ),
        (
            "DiskPressure",
            "True",
            "kubelet has disk pressure",
            "node-disk-pressure",
        ),
        (
            "PIDPressure",
            "True",
            "kubelet has insufficient PID available",
            "node-pid-pressure",
        ),
        (
            "NetworkUnavailable",
            "True",
            "NodeController create implicit route failed",
            "node-network-unavailable",
        ),
    ] {
        finds(
            &[(
                "cluster-resources/nodes.json",
                &node(&condition(kind, status, message)),
            )],
            cause,
            message,
        );
    }
    quiet(&[(
        "cluster-resources/nodes.json",
        &node(
            &[
                condition("Ready", "True", "kubelet is posting ready status"),
                condition("DiskPressure", "False", "ok"),
            ]
            .join(",\n"),
        ),
    )]);
    let row = run(&[(
        "nodes.txt",
        "NAME   STATUS     ROLES    AGE   VERSION\nn1     NotReady   <none>   9d    v1.29.1\nn2     Ready      <none>   9d    v1.29.1\n",
    )]);
    assert!(
        row.signals
            .iter()
            .any(|signal| signal.cause == "node-not-ready" && signal.role == Role::Symptom)
            && !row.missing.is_empty()
    );
    let skew = [
        (
            "cluster-resources/nodes.json",
            node(&condition("Ready", "True", "ok")),
        ),
        (
            "cluster-info/cluster_version.json",
            "{\"info\": {\"gitVersion\": \"v1.34.0\"},\n\"string\": \"v1.34.0\"}".to_owned(),
        ),
    ];
    let files: Vec<(&str, &str)> = skew
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    assert!(
        run(&files)
            .signals
            .iter()
            .any(|signal| signal.cause == "version-skew")
    );
}

#[test]
fn cordoned_nodes_matter_when_pods_wait() {
    let rows = "NAME   STATUS                     ROLES    AGE   VERSION\nn1     Ready,SchedulingDisabled   <none>   9d    v1.29.1\n";
    quiet(&[("nodes.txt", rows)]);
    let waits = "LAST SEEN   TYPE      REASON             OBJECT      MESSAGE\n5s          Warning   FailedScheduling   pod/web-0   0/1 nodes are available: 1 node(s) were unschedulable.\n";
    finds(
        &[("nodes.txt", rows), ("events.txt", waits)],
        "scheduling-nodes-cordoned",
        "unschedulable",
    );
}

pub(super) const PENDING_CLAIM: &str = "NAME   STATUS    VOLUME   CAPACITY   ACCESS MODES   STORAGECLASS   AGE\ndata   Pending                                      fast           9m\n";
pub(super) const CLASSES: &str = "NAME                 PROVISIONER             RECLAIMPOLICY   VOLUMEBINDINGMODE   ALLOWVOLUMEEXPANSION   AGE\nstandard (default)   rancher.io/local-path   Delete          Immediate           false                  9d\n";

#[test]
fn claims_that_are_not_bound() {
    finds(
        &[("pvc.txt", PENDING_CLAIM), ("sc.txt", CLASSES)],
        "pvc-storage-class-missing",
        "fast",
    );
    let yaml = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data\n  namespace: shop\nspec: {}\nstatus:\n  phase: Pending\n";
    finds(
        &[
            ("pvc.yaml", yaml),
            ("sc.txt", &CLASSES.replace(" (default)", "")),
        ],
        "pvc-no-storage-class",
        "default",
    );
    finds(
        &[("pvc.yaml", &yaml.replace("Pending", "Lost"))],
        "pvc-lost",
        "Lost",
    );
    let manual = CLASSES
        .replace("rancher.io/local-path", "kubernetes.io/no-provisioner  ")
        .replace("standard (default)", "fast              ");
    finds(
        &[("pvc.txt", PENDING_CLAIM), ("sc.txt", &manual)],
        "pvc-no-matching-volume",
        "no-provisioner",
    );
    let unknown = run(&[("pvc.txt", PENDING_CLAIM)]);
    assert!(
        loudest(&unknown) < 0.5
            && unknown
                .missing
                .iter()
                .any(|item| item.what.contains("describe pvc data"))
    );
    quiet(&[
        (
            "pvc.txt",
            &PENDING_CLAIM.replace(
                "Pending                                 ",
                "Bound     pvc-1    1Gi        RWO         ",
            ),
        ),
        ("sc.txt", CLASSES),
    ]);
    finds(
        &[(
            "pv.yaml",
            "apiVersion: v1\nkind: PersistentVolume\nmetadata:\n  name: v1\nstatus:\n  phase: Failed\n  message: recycler failed\n",
        )],
        "pv-failed",
        "Failed",
    );
}

pub(super) const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  selector:\n    app: webb\n  ports:\n  - port: 80\n    targetPort: 8080\n";
pub(super) const POD: &str = "apiVersion: v1\nkind: PodList\nitems:\n- metadata:\n    name: web-5f7c9d6b8-x2x4z\n    namespace: shop\n    labels:\n      app: web\n  spec:\n    containers:\n    - name: main\n      ports:\n      - containerPort: 8080\n        name: http\n  status:\n    phase: Running\n    conditions:\n    - type: Ready\n      status: \"True\"\n";
pub(super) const NO_ENDPOINTS: &str =
    "apiVersion: v1\nkind: Endpoints\nmetadata:\n  name: web\n  namespace: shop\n";

#[test]
fn services_without_pods_and_wrong_ports() {
    finds(
        &[
            ("s.yaml", SERVICE),
            ("p.yaml", POD),
            ("e.yaml", NO_ENDPOINTS),
        ],
        "service-selector-mismatch",
        "app=webb",
    );
    let right = SERVICE.replace("webb", "web");
    let some = format!("{NO_ENDPOINTS}subsets:\n- addresses:\n  - ip: 10.0.0.1\n");
    quiet(&[("s.yaml", &right), ("p.yaml", POD), ("e.yaml", &some)]);
    finds(
        &[
            (
                "s.yaml",
                &right.replace("targetPort: 8080", "targetPort: metrics"),
            ),
            ("p.yaml", POD),
            ("e.yaml", &some),
        ],
        "service-target-port-mismatch",
        "metrics",
    );
    let unready = POD.replace("\"True\"", "\"False\"");
    let partial = run(&[
        ("s.yaml", &right),
        ("p.yaml", &unready),
        ("e.yaml", NO_ENDPOINTS),
    ]);
    assert!(
        partial
            .signals
            .iter()
            .any(|signal| signal.cause == "service-no-endpoints" && signal.role == Role::Symptom)
    );
    let balancer = format!("{right}  type: LoadBalancer\nstatus:\n  loadBalancer: {{}}\n");
    assert!(
        run(&[("s.yaml", &balancer)])
            .signals
            .iter()
            .any(|signal| signal.cause == "loadbalancer-pending")
    );
}

#[test]
fn ingresses_without_backends() {
    let ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: front\n  namespace: shop\nspec:\n  tls:\n  - secretName: front-tls\n  rules:\n  - http:\n      paths:\n      - path: /\n        backend:\n          service:\n            name: web\n            port:\n              number: 80\n";
    let services = |name: &str, port: &str| {
        format!(
            "apiVersion: v1\nkind: ServiceList\nitems:\n- metadata:\n    name: {name}\n    namespace: shop\n  spec:\n    ports:\n    - port: {port}\n"
        )
    };
    finds(
        &[("i.yaml", ingress), ("s.yaml", &services("other", "80"))],
        "ingress-backend-missing",
        "web",
    );
    finds(
        &[("i.yaml", ingress), ("s.yaml", &services("web", "8080"))],
        "ingress-backend-port-mismatch",
        "80",
    );
    quiet(&[("i.yaml", ingress), ("s.yaml", &services("web", "80"))]);
    let secrets = "NAME    TYPE     DATA   AGE\nother   Opaque   1      9d\n";
    finds(
        &[
            ("i.yaml", ingress),
            ("s.yaml", &services("web", "80")),
            ("secrets_-n_shop.txt", secrets),
        ],
        "ingress-tls-secret-missing",
        "front-tls",
    );
}

#[test]
fn policies_count_when_the_network_is_in_question() {
    let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: deny-all\n  namespace: shop\nspec:\n  podSelector: {}\n  policyTypes:\n  - Ingress\n";
    quiet(&[("n.yaml", policy)]);
    let asked = run_with(
        &[("n.yaml", policy)],
        Some("cannot reach web in shop, connections time out"),
    );
    assert_eq!(first(&asked).cause, "networkpolicy-blocks");
    quiet(&[("n.yaml", &format!("{policy}  ingress:\n  - {{}}\n"))]);
}

#[test]
fn the_log_of_a_failed_job_s_pod_explains_the_job() {
    let job = "NAMESPACE   NAME   STATUS   COMPLETIONS   DURATION   AGE\nshop        load   Failed   0/1           9m         9m\n";
    finds(
        &[
            ("jobs.txt", job),
            (
                "logs/shop/load-mldtn.log",
                "curl: (6) Could not resolve host: files.example.test\n",
            ),
        ],
        "dependency-name-unresolved",
        "files.example.test",
    );
}

#[test]
fn workloads() {
    let cron = "NAMESPACE   NAME     SCHEDULE    SUSPEND   ACTIVE   LAST SCHEDULE   AGE\nshop        backup   0 1 * * *   True      0        9d              90d\n";
    let asked = run_with(&[("c.txt", cron)], Some("backup does not run"));
    assert_eq!(first(&asked).cause, "cronjob-suspended");
    let daily = cron.replace("True ", "False").replace(" 9d ", " 9h ");
    quiet(&[("c.txt", &daily)]);
    let job = "Name:             load\nNamespace:        shop\nSelector:         a=b\nParallelism:      1\nCompletions:      1\nBackoff Limit:    0\nPods Statuses:    0 Active (0 Ready) / 0 Succeeded / 1 Failed\n";
    let partial = run(&[("j.txt", job)]);
    assert!(
        loudest(&partial) < 0.5
            && partial
                .signals
                .iter()
                .any(|signal| signal.cause == "job-failed")
            && !partial.missing.is_empty()
    );
    let late = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: load\n  namespace: shop\nspec:\n  completions: 1\nstatus:\n  failed: 1\n  conditions:\n  - type: Failed\n    status: \"True\"\n    reason: DeadlineExceeded\n    message: Job was active longer than specified deadline\n";
    finds(&[("j.yaml", late)], "job-deadline-exceeded", "deadline");
    let hpa = "NAME   REFERENCE        TARGETS         MINPODS   MAXPODS   REPLICAS   AGE\nweb    Deployment/web   <unknown>/50%   1         10        1          9d\n";
    finds(&[("h.txt", hpa)], "hpa-metrics-unavailable", "<unknown>");
    quiet(&[("h.txt", &hpa.replace("<unknown>/50%", "12%/50%      "))]);
    let full = run_with(
        &[(
            "h.txt",
            &hpa.replace(
                "<unknown>/50%   1         10        1 ",
                "99%/50%         1         10        10",
            ),
        )],
        Some("web is slow under load"),
    );
    assert!(
        full.signals
            .iter()
            .any(|signal| signal.cause == "hpa-at-maximum")
    );
    let quota = "Name:       small\nNamespace:  shop\nResource    Used  Hard\n--------    ----  ----\npods        4     4\n";
    let rows = "NAMESPACE   NAME   READY   UP-TO-DATE   AVAILABLE   AGE\nshop        web    0/2     0            0           9d\n";
    finds(
        &[("q.txt", quota), ("d.txt", rows)],
        "resource-quota-exceeded",
        "pods 4 of 4",
    );
    quiet(&[("q.txt", quota)]);
    let partial = run(&[("d.txt", rows)]);
    assert!(
        partial
            .signals
            .iter()
            .any(|signal| signal.cause == "rollout-stuck" && signal.role == Role::Symptom)
            && !partial.missing.is_empty()
    );
    quiet(&[("d.txt", &rows.replace("0/2", "2/2"))]);
    let zero = run_with(
        &[("d.txt", &rows.replace("0/2", "0/0"))],
        Some("web is not reachable"),
    );
    assert_eq!(first(&zero).cause, "workload-scaled-to-zero");
    let paused = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  paused: true\n  replicas: 1\nstatus:\n  readyReplicas: 1\n";
    assert_eq!(
        first(&run_with(&[("d.yaml", paused)], Some("web is not updated"))).cause,
        "rollout-paused"
    );
}

#[test]
fn missing_objects_that_pods_refer_to() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-0\n  namespace: shop\nspec:\n  serviceAccountName: web\n  containers:\n  - name: main\n    env:\n    - name: PASSWORD\n      valueFrom:\n        secretKeyRef:\n          name: db\n          key: password\n  volumes:\n  - name: conf\n    configMap:\n      name: web-conf\nstatus:\n  phase: Pending\n  containerStatuses:\n  - name: main\n    ready: false\n    state:\n      waiting:\n        reason: CreateContainerConfigError\n";
    let maps = "NAME               DATA   AGE\nweb-conf           1      9d\n";
    let secrets = "NAME    TYPE     DATA   AGE\nother   Opaque   1      9d\n";
    finds(
        &[
            ("p.yaml", pod),
            ("secrets_-n_shop.txt", secrets),
            ("cm_-n_shop.txt", maps),
        ],
        "config-secret-missing",
        "db",
    );
    finds(
        &[
            (
                "p.yaml",
                &pod.replace("CreateContainerConfigError", "ContainerCreating")
                    .replace("name: db", "name: other"),
            ),
            ("secrets_-n_shop.txt", secrets),
            ("cm_-n_shop.txt", &maps.replace("web-conf ", "else     ")),
        ],
        "mount-configmap-missing",
        "web-conf",
    );
    let with_key = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  namespace: shop\ndata:\n  passwd: eA==\n";
    finds(
        &[("p.yaml", pod), ("s.yaml", with_key)],
        "config-key-missing",
        "password",
    );
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  replicas: 1\n  template:\n    spec:\n      serviceAccountName: web\nstatus:\n  replicas: 0\n";
    finds(
        &[
            ("d.yaml", deployment),
            (
                "sa_-n_shop.txt",
                "NAME      SECRETS   AGE\ndefault   0         9d\n",
            ),
        ],
        "service-account-missing",
        "web",
    );
}

#[test]
fn control_plane_and_vendor_checks() {
    let hook = "apiVersion: v1\nkind: ValidatingWebhookConfiguration\nmetadata:\n  name: guard\nwebhooks:\n- name: guard.example.io\n  failurePolicy: Fail\n  clientConfig:\n    service:\n      name: guard\n      namespace: shop\n";
    let services = "apiVersion: v1\nkind: ServiceList\nitems:\n- metadata:\n    name: other\n    namespace: shop\n  spec: {}\n";
    finds(
        &[("h.yaml", hook), ("s.yaml", services)],
        "webhook-unavailable",
        "guard",
    );
    quiet(&[
        ("h.yaml", hook),
        ("s.yaml", &services.replace("other", "guard")),
    ]);
    finds(
        &[(
            "a.txt",
            "NAME                     SERVICE                      AVAILABLE                 AGE\nv1beta1.metrics.k8s.io   kube-system/metrics-server   False (MissingEndpoints)  9d\n",
        )],
        "apiservice-unavailable",
        "MissingEndpoints",
    );
    let ns = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: old\nstatus:\n  phase: Terminating\n  conditions:\n  - type: NamespaceContentRemaining\n    status: \"True\"\n    message: Some resources are remaining\n";
    finds(
        &[("n.yaml", ns)],
        "namespace-stuck-terminating",
        "remaining",
    );
    finds(
        &[(
            "pods.txt",
            "Error from server: etcdserver: request timed out\n",
        )],
        "etcd-unhealthy",
        "etcdserver",
    );
    finds(
        &[(
            "pods.txt",
            "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?\n",
        )],
        "apiserver-unavailable",
        "refused",
    );
    quiet(&[(
        "pods.txt",
        "Error from server (NotFound): pods \"web\" not found\n",
    )]);
    let analysis = |severity: &str| {
        format!(
            "[\n {{\n  \"name\": \"nodes\",\n  \"insight\": {{\n   \"primary\": \"Nodes\",\n   \"detail\": \"Needs 3 nodes\",\n   \"severity\": \"{severity}\"\n  }}\n }}\n]\n"
        )
    };
    finds(
        &[
            ("analysis.json", &analysis("error")),
            (
                "cluster-resources/nodes.json",
                &node(&condition("Ready", "True", "ok")),
            ),
        ],
        "analyser-requirement-failed",
        "Needs 3 nodes",
    );
    quiet(&[("analysis.json", &analysis("warn"))]);
    quiet(&[("analysis.json", &analysis("debug"))]);
    let operator = "NAME      VERSION   AVAILABLE   PROGRESSING   DEGRADED   SINCE   MESSAGE\nconsole   4.14.1    False       False         True       9m      RouteHealthDegraded: console route does not answer\n";
    finds(&[("co.txt", operator)], "operator-degraded", "console");
}

#[test]
fn what_a_pod_s_own_status_says() {
    let pod = |status: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-0\n  namespace: shop\nspec:\n  nodeName: n1\n  containers:\n  - name: main\n    image: shop/web:9\nstatus:\n{status}"
        )
    };
    finds(
        &[(
            "p.yaml",
            &pod(
                "  phase: Failed\n  reason: Evicted\n  message: 'The node was low on resource: ephemeral-storage.'\n",
            ),
        )],
        "pod-evicted",
        "ephemeral-storage",
    );
    let waiting = |reason: &str, message: &str| {
        pod(&format!(
            "  phase: Pending\n  containerStatuses:\n  - name: main\n    ready: false\n    state:\n      waiting:\n        reason: {reason}\n        message: '{message}'\n"
        ))
    };
    finds(
        &[(
            "p.yaml",
            &waiting(
                "ErrImagePull",
                "Failed to pull image \"shop/web:9\": not found",
            ),
        )],
        "image-not-found",
        "shop/web:9",
    );
    finds(
        &[(
            "p.yaml",
            &waiting("CreateContainerConfigError", "secret \"db\" not found"),
        )],
        "config-secret-missing",
        "db",
    );
    quiet(&[("p.yaml", &waiting("ContainerCreating", ""))]);
}

#[test]
fn logs_of_dns_and_etcd() {
    let rows = "NAMESPACE     NAME                       READY   STATUS    RESTARTS   AGE\nkube-system   coredns-5f7c9d6b8-x2x4z    0/1     CrashLoopBackOff   9   9d\n";
    finds(
        &[
            ("pods.txt", rows),
            (
                "logs/kube-system/coredns-5f7c9d6b8-x2x4z.log",
                "[FATAL] plugin/loop: Loop (127.0.0.1:44222 -> :53) detected for zone \".\"\n",
            ),
        ],
        "cluster-dns-failing",
        "Loop",
    );
    let etcd = rows.replace("coredns-5f7c9d6b8-x2x4z ", "etcd-master-1           ");
    finds(
        &[
            ("pods.txt", &etcd),
            (
                "logs/kube-system/etcd-master-1.log",
                "{\"level\":\"error\",\"msg\":\"etcdserver: mvcc: database space exceeded\"}\n",
            ),
        ],
        "etcd-unhealthy",
        "space exceeded",
    );
}

#[test]
fn collected_certificates_are_judged_by_the_bundle_s_own_clock() {
    let certificates = |end: &str| {
        format!(
            "[\n {{\n  \"source\": {{\n   \"secret\": \"front-tls\",\n   \"namespace\": \"shop\"\n  }},\n  \"certificateChain\": [\n   {{\n    \"certificate\": \"tls.crt\",\n    \"notAfter\": \"{end}\"\n   }}\n  ]\n }}\n]\n"
        )
    };
    let clock = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: shop\n  creationTimestamp: \"2025-06-01T00:00:00Z\"\nstatus:\n  phase: Succeeded\n";
    finds(
        &[
            (
                "certificates/certificates.json",
                &certificates("2025-05-01T00:00:00Z"),
            ),
            ("q.yaml", clock),
        ],
        "workload-certificate-expired",
        "front-tls",
    );
    quiet(&[
        (
            "certificates/certificates.json",
            &certificates("2035-05-01T00:00:00Z"),
        ),
        ("q.yaml", clock),
    ]);
}

#[test]
fn what_the_collector_was_refused_is_named() {
    let partial = run(&[(
        "kubectl/get_pods.txt",
        "Error from server (Forbidden): pods is forbidden: User \"dev\" cannot list resource \"pods\" in API group \"\"\n",
    )]);
    assert!(
        partial
            .missing
            .iter()
            .any(|item| item.why.contains("Forbidden")
                && item
                    .path
                    .as_deref()
                    .is_some_and(|path| path.ends_with("get_pods.txt"))),
        "{:?}",
        partial.missing
    );
}
