//! Behaviour on bundles whose fault is a difference between two things, or the absence of one.

use super::tests::{finds, first, loudest, run_with};

fn titles(partial: &crate::signals::Partial) -> String {
    partial
        .signals
        .iter()
        .map(|signal| {
            format!(
                "{:.2} {} | {}\n",
                signal.strength, signal.cause, signal.title
            )
        })
        .collect()
}

const SERVICES: &str = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: ledger\n    namespace: pay\n  spec:\n    clusterIP: 10.0.0.9\n    selector: {app: ledger}\n    ports:\n    - port: 8080\n      targetPort: 8080\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: orders\n    namespace: pay\n  spec:\n    clusterIP: 10.0.0.8\n    selector: {app: orders}\n    ports:\n    - port: 80\n      targetPort: 8080\n";

fn pod(env: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-6958c5bdd8-69gtn\n  namespace: pay\nspec:\n  containers:\n  - name: web\n    image: r.example/web:1\n    env:\n{env}status:\n  phase: Running\n  conditions:\n  - type: Ready\n    status: \"False\"\n  containerStatuses:\n  - name: web\n    ready: false\n    restartCount: 0\n    state:\n      running:\n        startedAt: \"2025-05-01T10:00:00Z\"\n"
    )
}

#[test]
fn a_setting_that_names_a_port_the_service_does_not_have() {
    let wrong = pod("    - name: LEDGER_URL\n      value: http://ledger:8081/v1\n");
    let log = "2025-05-01T10:01:00Z ERROR call failed: dial tcp 10.0.0.9:8081: i/o timeout (http://ledger:8081/v1)\n".repeat(5);
    let files = [
        ("objects/services.yaml", SERVICES),
        ("objects/web.yaml", wrong.as_str()),
        ("logs/pay/web-6958c5bdd8-69gtn.log", log.as_str()),
    ];
    let partial = run_with(&files, None);
    let top = first(&partial);
    assert_eq!(top.cause, "wrong-service-address", "{}", titles(&partial));
    assert!(top.title.contains("no port 8081") && top.title.contains("it has 8080"));
    let right = pod(
        "    - name: LEDGER_URL\n      value: http://ledger:8080/v1\n    - name: ORDERS_URL\n      value: http://orders/\n    - name: HOME_PAGE\n      value: https://www.example.org/\n",
    );
    let partial = run_with(
        &[
            ("objects/services.yaml", SERVICES),
            ("objects/web.yaml", &right),
        ],
        None,
    );
    assert!(
        partial
            .signals
            .iter()
            .all(|signal| signal.cause != "wrong-service-address"),
        "{}",
        titles(&partial)
    );
}

#[test]
fn a_proxy_that_catches_the_cluster_s_own_services() {
    let with = |except: &str| {
        pod(&format!(
            "    - name: HTTPS_PROXY\n      value: http://proxy.corp.example:3128\n{except}    - name: X\n      value: y\n"
        ))
    };
    let log = "2025-05-01T10:01:00Z ERROR request to https://ledger.pay.svc:8443 failed: 503 Service Unavailable from proxy\n".repeat(5);
    let run = |web: &str| {
        run_with(
            &[
                ("objects/services.yaml", SERVICES),
                ("objects/web.yaml", web),
                ("logs/pay/web-6958c5bdd8-69gtn.log", &log),
            ],
            None,
        )
    };
    let partial = run(&with(
        "    - name: NO_PROXY\n      value: localhost,127.0.0.1\n",
    ));
    let top = first(&partial);
    assert_eq!(
        top.cause,
        "proxy-catches-cluster-traffic",
        "{}",
        titles(&partial)
    );
    let partial = run(&with(
        "    - name: NO_PROXY\n      value: localhost,.svc,.cluster.local\n",
    ));
    assert_ne!(first(&partial).cause, "proxy-catches-cluster-traffic");
}

#[test]
fn a_governing_service_that_does_not_exist() {
    let set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: quorum\n  namespace: pay\nspec:\n  replicas: 3\n  serviceName: quorum-headless\n  template:\n    metadata:\n      labels: {app: quorum}\n    spec:\n      containers:\n      - name: q\n        image: r.example/q:1\nstatus:\n  replicas: 3\n  readyReplicas: 0\n";
    let log = "2025-05-01T10:01:00Z ERROR cannot join: lookup quorum-0.quorum-headless.pay.svc.cluster.local on 10.96.0.10:53: no such host\n".repeat(6);
    let files = [
        ("objects/services.yaml", SERVICES),
        ("objects/set.yaml", set),
        ("logs/pay/quorum-1.log", log.as_str()),
    ];
    finds(&files, "governing-service-missing", "quorum-headless");
}

#[test]
fn an_object_whose_finalizer_nobody_removes() {
    let object = "apiVersion: db.example/v1\nkind: Database\nmetadata:\n  name: audit\n  namespace: pay\n  deletionTimestamp: \"2025-05-01T08:00:00Z\"\n  finalizers:\n  - db.example/cleanup\nspec: {}\nstatus: {}\n";
    let event = "apiVersion: v1\nkind: Event\nmetadata:\n  name: x\n  namespace: pay\n  creationTimestamp: \"2025-05-01T10:00:00Z\"\ninvolvedObject: {kind: Pod, name: a, namespace: pay}\nreason: Pulled\nmessage: ok\ntype: Normal\nlastTimestamp: \"2025-05-01T10:00:00Z\"\n";
    finds(
        &[("objects/db.yaml", object), ("objects/event.yaml", event)],
        "object-stuck-deleting",
        "db.example/cleanup",
    );
}

#[test]
fn a_cron_job_whose_last_run_is_too_long_ago() {
    let rows = "NAMESPACE   NAME     SCHEDULE      TIMEZONE   SUSPEND   ACTIVE   LAST SCHEDULE   AGE\npay         settle   */5 * * * *   <none>     False     1        19h             40d\npay         clean    0 * * * *     <none>     False     0        31m             40d\n";
    let partial = run_with(
        &[("kubectl/get_cronjobs_-A.txt", rows)],
        Some("The settlement (settle) has not run since yesterday."),
    );
    let top = first(&partial);
    assert_eq!(
        (top.cause.as_str(), top.subject.name.as_str()),
        ("cronjob-blocked-by-running-job", "settle"),
        "{}",
        titles(&partial)
    );
    assert!(
        partial
            .signals
            .iter()
            .all(|signal| signal.subject.name != "clean")
    );
}

#[test]
fn an_init_container_that_waits_for_a_service_that_does_not_exist() {
    let page = "Name:             api-6958c5bdd8-69gtn\nNamespace:        pay\nNode:             n1/10.0.0.1\nStatus:           Pending\nInit Containers:\n  wait-for-db:\n    Image:         busybox:1.36\n    Command:\n      sh\n      -c\n      until nc -z ledger-db 5432; do echo waiting for ledger-db; sleep 2; done\n    State:          Running\n      Started:      Thu, 01 May 2025 08:00:00 +0000\n    Ready:          False\n    Restart Count:  0\nContainers:\n  api:\n    Image:          r.example/api:1\n    State:          Waiting\n      Reason:       PodInitializing\n    Ready:          False\n    Restart Count:  0\nConditions:\n  Type              Status\n  Initialized       False\n  Ready             False\nEvents:             <none>\n";
    let log = "waiting for ledger-db\n".repeat(40);
    let files = [
        ("kubectl/describe_pod_api.txt", page),
        ("objects/services.yaml", SERVICES),
        (
            "logs/pay/api-6958c5bdd8-69gtn/wait-for-db.log",
            log.as_str(),
        ),
    ];
    finds(&files, "init-container-waits", "waits for ledger-db");
}

#[test]
fn a_volume_that_still_carries_its_earlier_claim() {
    let claims = "NAMESPACE   NAME   STATUS    VOLUME   CAPACITY   ACCESS MODES   STORAGECLASS   AGE\npay         data   Pending                                        local          9m\n";
    let volumes = "NAME    CAPACITY   ACCESS MODES   RECLAIM POLICY   STATUS     CLAIM      STORAGECLASS   REASON   AGE\npv-07   50Gi       RWO            Retain           Released   pay/data   local                   90d\n";
    finds(
        &[
            ("kubectl/get_pvc_-A.txt", claims),
            ("kubectl/get_pv.txt", volumes),
        ],
        "volume-released-not-reusable",
        "pv-07",
    );
}

#[test]
fn routes_say_why_their_gateways_refuse_them() {
    let route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n  name: shop\n  namespace: pay\nspec: {}\nstatus:\n  parents:\n  - parentRef: {name: public}\n    conditions:\n    - type: Accepted\n      status: \"True\"\n      reason: Accepted\n      message: Route is accepted\n    - type: ResolvedRefs\n      status: \"False\"\n      reason: BackendNotFound\n      message: 'backend service pay/shopfront not found'\n";
    finds(
        &[("objects/route.yaml", route)],
        "ingress-backend-missing",
        "shopfront",
    );
}

#[test]
fn healthy_objects_differ_in_nothing() {
    let set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: ledger\n  namespace: pay\n  generation: 4\nspec:\n  replicas: 1\n  serviceName: ledger\n  updateStrategy:\n    type: RollingUpdate\n    rollingUpdate: {partition: 0}\n  template:\n    metadata:\n      labels: {app: ledger}\n    spec:\n      containers:\n      - name: q\n        image: r.example/q:1\nstatus:\n  observedGeneration: 4\n  replicas: 1\n  readyReplicas: 1\n  currentRevision: a\n  updateRevision: a\n";
    let partial = run_with(
        &[
            ("objects/services.yaml", SERVICES),
            ("objects/set.yaml", set),
        ],
        None,
    );
    assert!(loudest(&partial) < 0.2, "{}", titles(&partial));
}

#[test]
fn what_a_database_shows_stands_above_the_clients_that_wait_for_it() {
    let sessions = " pid   | usename | application_name |        state        |  xact_age   | query\n-------+---------+------------------+---------------------+-------------+------\n 20114 | stock   | nightly-export   | idle in transaction | 03:41:10.22 | LOCK TABLE levels IN SHARE MODE\n 20391 | stock   | stock            | active              | 00:00:29.10 | UPDATE levels SET n = 1\n";
    let log = (10..50)
        .map(|n| format!("2025-05-01T10:{n}:00Z ERROR reserve failed: canceling statement due to statement timeout\n"))
        .collect::<String>();
    let rows = "NAMESPACE   NAME                     READY   STATUS    RESTARTS   AGE   IP         NODE   NOMINATED NODE   READINESS GATES\npay         stock-6958c5bdd8-69gtn   1/1     Running   0          3d    10.9.0.5   n1     <none>           <none>\n";
    let run = |sessions: &str| {
        run_with(
            &[
                ("kubectl/get_pods_-A_-o_wide.txt", rows),
                ("sql/sessions.txt", sessions),
                ("logs/pay/stock-6958c5bdd8-69gtn.log", &log),
            ],
            Some("Orders hang since this morning; stock times out."),
        )
    };
    let partial = run(sessions);
    let top = first(&partial);
    assert_eq!(
        (top.cause.as_str(), top.subject.name.as_str()),
        ("database-lock-wait", "20114"),
        "{}",
        titles(&partial)
    );
    // A transaction of a moment holds nobody up.
    let partial = run(&sessions.replace("03:41:10.22", "00:00:00.22"));
    assert_ne!(first(&partial).cause, "database-lock-wait");
}
