//! Behaviour on bundles that were collected for a complaint: whose error it is, what is only beside it, and
//! what two objects say against each other.

use super::tests::{finds, first, loudest, quiet, run_with};
use crate::signals::{Partial, Role};

const PODS: &str = "NAMESPACE   NAME                      READY   STATUS    RESTARTS      AGE   IP           NODE   NOMINATED NODE   READINESS GATES   LABELS\nhotel       rooms-api-6958c5bdd8-69gtn   1/1   Running   0   3d   10.1.1.1   n1   <none>   <none>   app=rooms-api\nhotel       mailer-5f7c9d6b8-x2x4z   1/1   Running   0   3d   10.1.1.2   n1   <none>   <none>   app=mailer\nhotel       rooms-mongodb-0   1/1   Running   0   3d   10.1.1.3   n1   <none>   <none>   app=rooms-mongodb\nmonitoring  grafana-7f9d8c6b5d-k2v9x   1/1   Running   0   3d   10.1.1.4   n1   <none>   <none>   app=grafana\n";

fn alert(name: &str, severity: &str, labels: &str, words: &str) -> String {
    format!(
        "{{\"status\":\"success\",\"data\":{{\"alerts\":[\n{{\"labels\":{{\"alertname\":\"{name}\",\n{labels}\"severity\":\"{severity}\"}},\n\"annotations\":{{\"summary\":\"{words}\"}},\n\"state\":\"firing\",\"activeAt\":\"2025-05-01T10:00:00Z\"}}]}}}}"
    )
}

/// Lines of an ordinary day around `odd`, which comes every third line.
fn log(odd: &str) -> String {
    (0..60)
        .map(|n| {
            if n % 3 == 2 {
                odd.replace("MIN", &format!("{n:02}")) + "\n"
            } else {
                format!("2025-05-01T10:{n:02}:00.000Z INFO tick\n")
            }
        })
        .collect()
}

fn titles(partial: &Partial) -> String {
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

#[test]
fn the_error_of_what_is_complained_about_comes_before_louder_neighbours() {
    let own = log(
        "2025-05-01T10:MIN:30.000Z ERROR [rooms.api] unhandled exception in GET /rooms\nTraceback (most recent call last):\n  File \"/app/rooms/price.py\", line 9, in night_rate\n    return table[kind]\nKeyError: 'suite'",
    );
    let other = log(
        "2025-05-01T10:MIN:30.000Z ERROR [mail] cannot connect to smtp.example:25: Connection refused",
    );
    let files = [
        ("kubectl/get_pod_-A.txt", PODS),
        (
            "kubectl/logs/hotel/rooms-api-6958c5bdd8-69gtn.log",
            own.as_str(),
        ),
        (
            "kubectl/logs/hotel/mailer-5f7c9d6b8-x2x4z.log",
            other.as_str(),
        ),
    ];
    let partial = run_with(
        &files,
        Some(
            "Nobody can see rooms any more, every search ends with an error. The mailer writes errors, too. Is it the reason?",
        ),
    );
    let top = first(&partial);
    assert!(
        top.subject.name.starts_with("rooms-api"),
        "{}",
        titles(&partial)
    );
    assert!(
        top.title
            .contains("raises KeyError: 'suite' in night_rate, rooms/price.py line 9"),
        "{}",
        top.title
    );
}

#[test]
fn an_alert_says_that_and_not_why() {
    let text = alert(
        "RoomsErrors",
        "critical",
        "",
        "rooms-api answers with errors",
    );
    let partial = run_with(
        &[
            ("kubectl/get_pod_-A.txt", PODS),
            ("prometheus/alerts.json", &text),
        ],
        None,
    );
    assert!(
        partial
            .signals
            .iter()
            .any(|signal| signal.cause == "alert-firing" && signal.role == Role::Symptom)
    );
    assert!(loudest(&partial) < 0.5, "{}", titles(&partial));
}

#[test]
fn an_alert_for_information_is_no_answer_to_a_complaint() {
    let text = alert(
        "CPUThrottlingHigh",
        "info",
        "\"namespace\":\"monitoring\",\n\"pod\":\"grafana-7f9d8c6b5d-k2v9x\",\n",
        "elevated CPU throttling",
    );
    let partial = run_with(
        &[
            ("kubectl/get_pod_-A.txt", PODS),
            ("prometheus/alerts.json", &text),
        ],
        Some("Nobody can book rooms."),
    );
    assert!(loudest(&partial) < 0.4, "{}", titles(&partial));
}

#[test]
fn a_failure_that_is_passed_on_asks_for_the_log_of_who_failed() {
    let text = log(
        r#"{"level":"error","ts":"2025-05-01T10:MIN:30Z","msg":"mail was not sent","url":"http://mailer:8080/send","status":500}"#,
    );
    let partial = run_with(
        &[
            ("kubectl/get_pod_-A.txt", PODS),
            ("kubectl/logs/hotel/rooms-api-6958c5bdd8-69gtn.log", &text),
        ],
        Some("The rooms service cannot send mails."),
    );
    assert!(loudest(&partial) < 0.5, "{}", titles(&partial));
    assert!(
        partial
            .missing
            .iter()
            .any(|item| item.what.contains("log of mailer")),
        "{:?}",
        partial.missing
    );
}

#[test]
fn a_scan_in_the_database_is_the_root_of_its_clients_time_limits() {
    let client = log(
        r#"{"level":50,"time":1746093630000,"err":{"type":"MongoServerError","message":"operation exceeded time limit","stack":"MongoServerError: operation exceeded time limit\n    at Connection.onMessage (/app/node_modules/mongodb/lib/cmap/connection.js:1:2)"},"msg":"GET /rooms failed MIN"}"#,
    );
    let mut database = "{\"t\":{\"$date\":\"2025-05-01T09:58:00.000+00:00\"},\"s\":\"I\",\"c\":\"COMMAND\",\"msg\":\"CMD: dropIndexes\",\"attr\":{\"namespace\":\"hotel.stays\",\"indexes\":\"guest_1\"}}\n".to_owned();
    let before: String = (0..30)
        .map(|n| format!("{{\"t\":{{\"$date\":\"2025-05-01T09:{n:02}:00.000+00:00\"}},\"s\":\"I\",\"c\":\"NETWORK\",\"msg\":\"Connection accepted\"}}\n"))
        .collect();
    database = before + &database;
    for n in 0..12 {
        database.push_str(&format!("{{\"t\":{{\"$date\":\"2025-05-01T10:{n:02}:00.000+00:00\"}},\"s\":\"I\",\"c\":\"COMMAND\",\"msg\":\"Slow query\",\"attr\":{{\"ns\":\"hotel.stays\",\"planSummary\":\"COLLSCAN\",\"docsExamined\":9000{n:02},\"durationMillis\":80{n:02}}}}}\n"));
    }
    let partial = run_with(
        &[
            ("kubectl/get_pod_-A.txt", PODS),
            (
                "kubectl/logs/hotel/rooms-api-6958c5bdd8-69gtn.log",
                client.as_str(),
            ),
            ("kubectl/logs/hotel/rooms-mongodb-0.log", database.as_str()),
        ],
        Some("The rooms page ends in errors."),
    );
    let top = first(&partial);
    assert_eq!(
        top.cause,
        "database-scan-without-index",
        "{}",
        titles(&partial)
    );
    assert!(top.statement.contains("dropIndexes"), "{}", top.statement);
}

#[test]
fn a_refusal_with_a_json_answer_is_told_in_words() {
    let text = log(
        r#"2025-05-01 10:MIN:30,000 WARNING [maps] GET https://maps.example/v1/find?q=MINab9c1f -> 429 in 20 ms: {"error":{"code":"OVER_DAILY_LIMIT","message":"You have exceeded your daily quota."}}"#,
    );
    let files = [
        ("kubectl/get_pod_-A.txt", PODS),
        (
            "kubectl/logs/hotel/rooms-api-6958c5bdd8-69gtn.log",
            text.as_str(),
        ),
    ];
    let partial = run_with(&files, Some("rooms-api shows no map."));
    let top = first(&partial);
    assert_eq!(top.cause, "dependency-rate-limited", "{}", titles(&partial));
    assert!(
        top.title.contains("OVER_DAILY_LIMIT: You have exceeded") && !top.title.contains('{'),
        "{}",
        top.title
    );
    assert!(top.statement.contains("20 times"), "{}", top.statement);
}

#[test]
fn a_turned_flag_in_another_program_is_shown_with_the_error_that_follows() {
    let flags = "2025-05-01T08:00:00.000Z\tinfo\tstart\tready\n2025-05-01T10:01:00.000Z\tinfo\teval\tflag configuration changed: suite-prices\n";
    let own = log("2025-05-01T10:MIN:30.000Z ERROR [rooms.api] no price for suite");
    let partial = run_with(
        &[
            ("kubectl/get_pod_-A.txt", PODS),
            (
                "kubectl/logs/hotel/rooms-api-6958c5bdd8-69gtn.log",
                own.as_str(),
            ),
            ("kubectl/logs/hotel/mailer-5f7c9d6b8-x2x4z.log", flags),
        ],
        Some("rooms-api shows no prices."),
    );
    let top = first(&partial);
    assert!(
        top.statement
            .contains("2 minutes after a change that mailer tells")
            || top
                .statement
                .contains("a minute after a change that mailer tells"),
        "{}",
        top.statement
    );
}

const RULE: &str = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata:\n  name: tariff\n  namespace: hotel\nspec:\n  host: tariff.hotel.svc.cluster.local\n  trafficPolicy:\n    tls:\n      mode: DISABLE\n";
const PEER: &str = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: default\n  namespace: hotel\nspec:\n  mtls:\n    mode: STRICT\n";

#[test]
fn clients_that_speak_plain_text_to_a_strict_workload() {
    finds(
        &[("rule.yaml", RULE), ("peer.yaml", PEER)],
        "mesh-tls-conflict",
        "plain text to tariff",
    );
    let permissive = PEER.replace("STRICT", "PERMISSIVE");
    let partial = run_with(&[("rule.yaml", RULE), ("peer.yaml", &permissive)], None);
    assert!(partial.signals.is_empty());
}

#[test]
fn clients_outside_of_the_mesh() {
    let turned =
        "[2025-05-02T03:30:02.100Z] \"- - -\" 0 NR filter_chain_not_found - \"-\" 0 0 0 - \"-\"\n"
            .repeat(3);
    let log = ("logs/hotel/tariff-5f-x/istio-proxy.log", turned.as_str());
    finds(
        &[("peer.yaml", PEER), log],
        "mesh-tls-conflict",
        "outside of the mesh",
    );
    let permissive = PEER.replace("STRICT", "PERMISSIVE");
    let partial = run_with(&[("peer.yaml", &permissive), log], None);
    assert!(!titles(&partial).contains("demands mutual TLS"));
}

#[test]
fn threads_in_a_file_of_their_own() {
    let dump = "Full thread dump OpenJDK 64-Bit Server VM (17.0.9+9 mixed mode):\n\nFound one Java-level deadlock:\n=============================\n\"worker-1\":\n  waiting to lock monitor 0x07 (object 0x0e, a com.example.seats.Seat),\n  which is held by \"worker-2\"\n\"worker-2\":\n  waiting to lock monitor 0x08 (object 0x0f, a com.example.seats.Seat),\n  which is held by \"worker-1\"\n";
    let pods = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: seats-5f-x\n  namespace: hotel\nspec:\n  containers:\n  - name: main\n    image: seats:2\n";
    finds(
        &[("pods.yaml", pods), ("exec/jstack-seats-5f-x.txt", dump)],
        "application-deadlocked",
        "worker-1",
    );
}

#[test]
fn the_dns_that_answers_that_there_is_no_such_name_has_not_failed() {
    let line = |answer: &str| {
        format!(
            "[INFO] 10.244.1.7:41822 - 4711 \"A IN mysql.hotel.svc.hotel.svc.cluster.local. udp 60 false 512\" {answer} 153 0.000214s\n"
        ).repeat(4)
    };
    let path = "logs/kube-system/coredns-5d78c9869d-x/coredns.log";
    for answer in ["NXDOMAIN qr,aa,rd", "NOERROR qr,aa,rd"] {
        quiet(&[(path, &line(answer))]);
    }
}

#[test]
fn tidying_up_and_queries_of_less_than_a_second_are_no_trouble() {
    let lines = "{\"level\":30,\"time\":1782966050821,\"msg\":\"session store swept, 7 stale entries dropped\"}\n2026-01-01T10:00:00Z INFO cache: evicted 12 expired entries\n".repeat(4);
    quiet(&[("logs/hotel/portal-5f-x.log", &lines)]);
    let query = |ms: u32| {
        let line = format!("2026-01-01T10:00:00Z WARN slow query {ms} ms: findByRoom\n").repeat(4);
        loudest(&run_with(
            &[("logs/hotel/rooms-5f-x.log", &line)],
            Some("rooms are slow"),
        ))
    };
    assert!(query(640) < query(6_400));
    // `hang` does not stand in `changes`.
    let line = "2026-01-01T10:00:00Z INFO rooms: job done in 14.2 s\n".repeat(4);
    let told = |ticket: &str| {
        loudest(&run_with(
            &[("logs/hotel/rooms-5f-x.log", &line)],
            Some(ticket),
        ))
    };
    assert!(told("we see no changes") < told("it hangs"));
}

#[test]
fn durations_of_a_trace_of_jaeger_are_millionths() {
    let trace = r#"{
  "data": [
    {
      "traceID": "5af7183fb1d4cf5f",
      "spans": [
        {
          "traceID": "5af7183fb1d4cf5f",
          "spanID": "6b221d5bc9e6496c",
          "operationName": "GET /rooms",
          "references": [],
          "startTime": 1746156602100000,
          "duration": 5700123,
          "processID": "p1"
        },
        {
          "traceID": "5af7183fb1d4cf5f",
          "spanID": "d9a01b73c9e64961",
          "operationName": "SELECT rooms",
          "references": [{"refType": "CHILD_OF", "traceID": "5af7183fb1d4cf5f", "spanID": "6b221d5bc9e6496c"}],
          "startTime": 1746156602150000,
          "duration": 5615291,
          "processID": "p2"
        }
      ],
      "processes": {
        "p1": {"serviceName": "gateway"},
        "p2": {"serviceName": "rooms"}
      }
    }
  ]
}
"#;
    let partial = run_with(
        &[("traces/slow.json", trace)],
        Some("the rooms page is slow"),
    );
    let all = titles(&partial);
    assert!(
        all.contains("SELECT rooms") && all.contains("5.62 s"),
        "{all}"
    );
}

#[test]
fn an_autoscaler_and_a_gitops_controller_that_undo_each_other() {
    let hpa = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: tariff\n  namespace: hotel\nspec:\n  maxReplicas: 9\n  scaleTargetRef:\n    kind: Deployment\n    name: tariff\n";
    let events = "LAST SEEN   TYPE     REASON              OBJECT              MESSAGE\n40m         Normal   ScalingReplicaSet   deployment/tariff   Scaled up replica set tariff-5f to 5 from 3\n38m         Normal   ScalingReplicaSet   deployment/tariff   Scaled down replica set tariff-5f to 3 from 5\n20m         Normal   ScalingReplicaSet   deployment/tariff   Scaled up replica set tariff-5f to 6 from 3\n18m         Normal   ScalingReplicaSet   deployment/tariff   Scaled down replica set tariff-5f to 3 from 6\n";
    let app = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: tariff\n  namespace: argocd\nspec:\n  destination:\n    namespace: hotel\n  syncPolicy:\n    automated:\n      selfHeal: true\n";
    let files = [
        ("hpa.yaml", hpa),
        ("kubectl/get_events_-n_hotel.txt", events),
        ("argocd/app.yaml", app),
    ];
    finds(&files, "gitops-fights-autoscaler", "set back to 3 replicas");
    let own = events.to_owned()
        + "18m         Normal   SuccessfulRescale   horizontalpodautoscaler/tariff   New size: 3; reason: All metrics below target\n";
    let partial = run_with(
        &[("hpa.yaml", hpa), ("kubectl/get_events_-n_hotel.txt", &own)],
        None,
    );
    assert!(
        !partial
            .signals
            .iter()
            .any(|signal| signal.cause == "gitops-fights-autoscaler"),
        "{}",
        titles(&partial)
    );
}

#[test]
fn a_schedule_that_is_read_in_another_time_zone() {
    let cron = "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: invoice-run\n  namespace: hotel\nspec:\n  schedule: 0 22 * * *\n";
    let log = "2025-05-02 03:30:02,100 INFO [run] begin\n2025-05-02 03:31:10,000 ERROR [run] rejected: too late, cut-off of the day has passed\n";
    let files = [
        ("cron.yaml", cron),
        ("kubectl/logs/hotel/invoice-run-29066490-vc56s.log", log),
    ];
    finds(&files, "cronjob-wrong-time-zone", "5.5 hours ahead");
    let zoned = cron.to_owned() + "  timeZone: Asia/Kolkata\n";
    let partial = run_with(&[("cron.yaml", &zoned), files[1]], None);
    assert!(
        !partial
            .signals
            .iter()
            .any(|signal| signal.cause == "cronjob-wrong-time-zone")
    );
}

#[test]
fn a_chain_without_its_intermediate() {
    let answer = "CONNECTED(00000003)\ndepth=0 CN = files.hotel.example\nverify error:num=21:unable to verify the first certificate\n---\nCertificate chain\n 0 s:CN = files.hotel.example\n   i:CN = Hotel Issuing 3\n---\n";
    finds(
        &[("outputs/openssl_s_client_files.txt", answer)],
        "certificate-chain-incomplete",
        "without the intermediate Hotel Issuing 3",
    );
}

#[test]
fn a_record_that_cannot_be_read_comes_before_the_lag_it_makes() {
    let text = log(
        "2025-05-01T10:MIN:30.000Z ERROR [c] org.apache.kafka.common.errors.RecordDeserializationException: Error deserializing VALUE for partition stays-4 at offset 77123",
    );
    let lag = "GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID\nstay-reader stays 4 77123 177123 100000 c-1 /10.1.1.1 c\n";
    let partial = run_with(
        &[
            ("kubectl/get_pod_-A.txt", PODS),
            (
                "kubectl/logs/hotel/mailer-5f7c9d6b8-x2x4z.log",
                text.as_str(),
            ),
            ("kafka/groups.txt", lag),
        ],
        None,
    );
    assert_eq!(
        first(&partial).cause,
        "message-undecodable",
        "{}",
        titles(&partial)
    );
}

#[test]
fn whose_failures_the_subject_passes_on_is_the_subject() {
    let rooms = log(
        "2025-05-01T10:MIN:30.000Z ERROR [rooms] order MIN: GET http://mailer:8080/card returned 500",
    );
    let mailer = log("2025-05-01T10:MIN:30.000Z ERROR [cards] template welcome.mjml has no body");
    let files = [
        ("kubectl/get_pod_-A.txt", PODS),
        (
            "kubectl/logs/hotel/rooms-api-6958c5bdd8-69gtn.log",
            rooms.as_str(),
        ),
        (
            "kubectl/logs/hotel/mailer-5f7c9d6b8-x2x4z.log",
            mailer.as_str(),
        ),
    ];
    let partial = run_with(&files, Some("Rooms cannot be booked since ten."));
    let top = first(&partial);
    assert!(
        top.title.contains("welcome.mjml") && top.strength >= 0.5,
        "{}",
        titles(&partial)
    );
}

#[test]
fn a_warning_that_speaks_of_the_complaint_counts_and_a_remark_does_not() {
    let text = log("2025-05-01T10:MIN:30.000Z WARN [tariff] exchange rates are from last week");
    let files = [
        ("kubectl/get_pod_-A.txt", PODS),
        (
            "kubectl/logs/hotel/rooms-api-6958c5bdd8-69gtn.log",
            text.as_str(),
        ),
    ];
    let asked = run_with(
        &files,
        Some("The rooms have wrong prices, the exchange rates seem old."),
    );
    assert!(loudest(&asked) >= 0.5, "{}", titles(&asked));
    let other = run_with(&files, Some("The rooms page looks odd."));
    assert!(loudest(&other) < 0.5, "{}", titles(&other));
}

#[test]
fn what_stopped_long_ago_is_no_answer_to_somebody_who_says_that_it_is_over() {
    let mut text: String = (0..6)
        .map(|n| {
            format!(
                "2025-05-01T09:0{n}:00.000Z ERROR [db] connection refused: rooms-mongodb:27017\n"
            )
        })
        .collect();
    text.push_str(&"2025-05-01T10:00:00.000Z INFO tick\n".repeat(80));
    let files = [
        ("kubectl/get_pod_-A.txt", PODS),
        (
            "kubectl/logs/hotel/rooms-api-6958c5bdd8-69gtn.log",
            text.as_str(),
        ),
    ];
    let over = run_with(
        &files,
        Some("rooms-api failed for some minutes, it works again. Is anything left?"),
    );
    assert!(loudest(&over) < 0.5, "{}", titles(&over));
}

#[test]
fn a_drain_that_a_controller_retries() {
    let budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata:\n  name: rooms\n  namespace: hotel\nspec:\n  minAvailable: 2\nstatus:\n  disruptionsAllowed: 0\n";
    let log = "E0611 11:11:10.000000       1 drain_controller.go:152] error when evicting pods/\"rooms-0\" -n \"hotel\" (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.\n".repeat(2);
    let files = [
        ("budgets.yaml", budget),
        (
            "logs/openshift-machine-config-operator/machine-config-controller-5f-x.log",
            log.as_str(),
        ),
    ];
    finds(&files, "pdb-blocks-eviction", "minAvailable 2");
}

#[test]
fn a_consumer_that_its_group_throws_out() {
    let log = "13:09:00.000 [heartbeat] WARN  ConsumerCoordinator - [Consumer clientId=c-1, groupId=bills] consumer poll timeout has expired. This means the time between subsequent calls to poll() was longer than the configured max.poll.interval.ms\n".repeat(3);
    let table = "GROUP   TOPIC      PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG     CONSUMER-ID  HOST  CLIENT-ID\nbills   orders.v1  0          1000            84070           83070   -            -     -\n";
    let files = [
        ("logs/hotel/bills-5f-x.log", log.as_str()),
        ("kafka-consumer-groups.txt", table),
    ];
    finds(&files, "consumer-too-slow", "max.poll.interval.ms");
}

#[test]
fn a_call_to_a_namespace_of_which_nothing_was_collected() {
    let spaces = "NAME      STATUS   AGE\nhotel     Active   300d\ntariffs   Active   300d\n";
    let log = "2026-01-01T10:00:00Z ERROR quote failed: 503 Service Unavailable from http://engine.tariffs:8080/v1\n".repeat(4);
    let of = |spaces: &str| {
        run_with(
            &[
                ("get-namespaces.txt", spaces),
                ("get-pods-A.txt", PODS),
                ("logs/hotel/rooms-api-6958c5bdd8-69gtn.log", &log),
            ],
            None,
        )
    };
    let unseen = of(spaces);
    assert!(loudest(&unseen) < 0.5, "{}", titles(&unseen));
    assert!(
        unseen
            .missing
            .iter()
            .any(|one| one.what.contains("namespace tariffs"))
    );
}
