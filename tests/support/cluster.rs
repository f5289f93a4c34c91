//! Answers of a small cluster, recorded by hand, served on loopback to a real `kubectl`. One pod
//! restarts because its database refuses the password; nodes may not be listed.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Group and version, resource, kind, namespaced.
const RESOURCES: &[(&str, &str, &str, bool)] = &[
    ("v1", "pods", "Pod", true),
    ("v1", "events", "Event", true),
    ("v1", "services", "Service", true),
    ("v1", "endpoints", "Endpoints", true),
    (
        "v1",
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        true,
    ),
    ("v1", "resourcequotas", "ResourceQuota", true),
    ("v1", "limitranges", "LimitRange", true),
    ("v1", "configmaps", "ConfigMap", true),
    ("v1", "secrets", "Secret", true),
    ("v1", "serviceaccounts", "ServiceAccount", true),
    ("v1", "namespaces", "Namespace", false),
    ("v1", "nodes", "Node", false),
    ("v1", "persistentvolumes", "PersistentVolume", false),
    ("apps/v1", "deployments", "Deployment", true),
    ("apps/v1", "statefulsets", "StatefulSet", true),
    ("apps/v1", "daemonsets", "DaemonSet", true),
    ("apps/v1", "replicasets", "ReplicaSet", true),
    ("batch/v1", "jobs", "Job", true),
    ("batch/v1", "cronjobs", "CronJob", true),
    ("networking.k8s.io/v1", "ingresses", "Ingress", true),
    (
        "networking.k8s.io/v1",
        "networkpolicies",
        "NetworkPolicy",
        true,
    ),
    (
        "discovery.k8s.io/v1",
        "endpointslices",
        "EndpointSlice",
        true,
    ),
    (
        "autoscaling/v2",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        true,
    ),
    ("storage.k8s.io/v1", "storageclasses", "StorageClass", false),
];

/// The server. It ends with the test's process.
pub struct Api {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Api {
    /// Starts it; `password` is in the pod's environment, in a ConfigMap and in a log.
    pub fn serve(password: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, password) = (Arc::clone(&asked), password.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, password) = (Arc::clone(&log), password.clone());
                std::thread::spawn(move || {
                    let _ = answer(stream, &log, &password);
                });
            }
        });
        Self { port, asked }
    }

    /// Method and target of every request so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": format!("http://127.0.0.1:{}", self.port)}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "users": [{"name": "test", "user": {}}],
        })
        .to_string()
    }
}

fn answer(stream: TcpStream, log: &Mutex<Vec<String>>, password: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let request = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    log.lock().unwrap().push(request.clone());
    let target = request.split(' ').nth(1).unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (code, kind, body) = match path.strip_suffix("/log") {
        Some(_) => (200, "text/plain", log_text(path, query, password)),
        None => {
            let (code, value) = resource(path, password);
            (code, "application/json", value.to_string())
        }
    };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {code} Answer\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}

fn log_text(path: &str, query: &str, password: &str) -> String {
    if !path.contains("/pods/cart-5f/") {
        return "2026-01-01T00:10:00Z ready\n".into();
    }
    let end = format!(
        "2026-01-01T00:10:07Z dial db.shop.svc:5432 as cart with {password}\n2026-01-01T00:10:08Z FATAL: password authentication failed for user \"cart\"\n"
    );
    match query.contains("previous=true") {
        true => format!("2026-01-01T00:10:01Z starting cart 1.4.2\n{end}"),
        false => "2026-01-01T00:12:01Z starting cart 1.4.2\n".into(),
    }
}

fn resource(path: &str, password: &str) -> (u16, Value) {
    let groups = || {
        let mut names: Vec<&str> = RESOURCES
            .iter()
            .map(|(group, ..)| *group)
            .filter(|group| group.contains('/'))
            .collect();
        names.dedup();
        names
    };
    match path {
        "/version" => {
            return (
                200,
                json!({"major": "1", "minor": "32", "gitVersion": "v1.32.4", "platform": "linux/amd64"}),
            );
        }
        "/api" => {
            return (
                200,
                json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
            );
        }
        "/apis" => {
            let list: Vec<_> = groups()
                .into_iter()
                .map(|group| {
                    let (name, version) = group.split_once('/').unwrap();
                    let version = json!({"groupVersion": group, "version": version});
                    json!({"name": name, "versions": [version], "preferredVersion": version})
                })
                .collect();
            return (
                200,
                json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": list}),
            );
        }
        _ => {}
    }
    let below = path
        .strip_prefix("/apis/")
        .or_else(|| path.strip_prefix("/api/"))
        .unwrap_or("");
    let Some((group, rest)) = RESOURCES
        .iter()
        .map(|(group, ..)| *group)
        .find_map(|group| Some((group, below.strip_prefix(group)?)))
    else {
        return (
            404,
            status(
                404,
                "NotFound",
                "the server could not find the requested resource",
            ),
        );
    };
    if rest.is_empty() {
        let list: Vec<_> = RESOURCES
            .iter()
            .filter(|(of, ..)| *of == group)
            .map(|(_, name, kind, namespaced)| {
                json!({"name": name, "singularName": kind.to_lowercase(), "kind": kind, "namespaced": namespaced, "verbs": ["get", "list"]})
            })
            .collect();
        return (
            200,
            json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": list}),
        );
    }
    let parts: Vec<&str> = rest.trim_start_matches('/').split('/').collect();
    let (name, one) = match parts.as_slice() {
        ["namespaces", "shop", name] => (*name, None),
        ["namespaces", "shop", name, one] => (*name, Some(*one)),
        [name] => (*name, None),
        _ => return (404, status(404, "NotFound", "no such thing")),
    };
    if name == "nodes" {
        let message = "nodes is forbidden: User \"dev\" cannot list resource \"nodes\" in API group \"\" at the cluster scope";
        return (403, status(403, "Forbidden", message));
    }
    let Some((_, _, kind, _)) = RESOURCES
        .iter()
        .find(|(of, known, ..)| *of == group && *known == name)
    else {
        return (404, status(404, "NotFound", "no such kind"));
    };
    let items = items(name, password);
    if let Some(one) = one {
        return match items
            .into_iter()
            .find(|item| item["metadata"]["name"] == one)
        {
            Some(item) => (200, item),
            None => (404, status(404, "NotFound", "not found")),
        };
    }
    (
        200,
        json!({"kind": format!("{kind}List"), "apiVersion": group, "metadata": {"resourceVersion": "7"}, "items": items}),
    )
}

fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message})
}

fn items(name: &str, password: &str) -> Vec<Value> {
    let meta = |name: &str| json!({"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "creationTimestamp": "2026-01-01T00:00:00Z"});
    match name {
        "pods" => vec![
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": meta("cart-5f"),
                "spec": {"nodeName": "n1", "containers": [{
                    "name": "web", "image": "registry.example/cart:1.4.2",
                    "env": [{"name": "DB_PASSWORD", "value": password}],
                }]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
                    "containerStatuses": [{"name": "web", "ready": false, "restartCount": 9,
                        "image": "registry.example/cart:1.4.2", "imageID": "",
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=web pod=cart-5f"}},
                        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": "2026-01-01T00:10:00Z", "finishedAt": "2026-01-01T00:10:08Z"}}}]},
            }),
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": meta("front-7c"),
                "spec": {"nodeName": "n1", "containers": [{"name": "web", "image": "registry.example/front:2.0.0"}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                    "containerStatuses": [{"name": "web", "ready": true, "restartCount": 0, "image": "registry.example/front:2.0.0", "imageID": "",
                        "state": {"running": {"startedAt": "2026-01-01T00:00:10Z"}}}]},
            }),
        ],
        "events" => vec![json!({
            "apiVersion": "v1", "kind": "Event", "metadata": meta("cart-5f.1"),
            "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "cart-5f"},
            "type": "Warning", "reason": "BackOff", "message": "Back-off restarting failed container web in pod cart-5f",
            "count": 40, "firstTimestamp": "2026-01-01T00:01:00Z", "lastTimestamp": "2026-01-01T00:12:00Z",
        })],
        "configmaps" => vec![json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("cart"),
            "data": {"app.conf": format!("db_user=cart\ndb_password={password}\n")},
        })],
        "namespaces" => vec![
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "uid-ns"}, "status": {"phase": "Active"}}),
        ],
        _ => vec![],
    }
}
