//! Answers of cloud providers' and container engines' own tools in JSON: load balancer targets, subnets, node
//! groups, scaling activities, managed databases, failed operations, inspected containers, search clusters.

use super::emit::{cut, one_line};
use super::model::*;
use super::tools::{Told, push};
use super::value::{Node as N, Val};

/// Most objects looked at in one document.
const MOST: usize = 20_000;
/// Fewer free addresses than this let no further machine or pod in.
const FEW_ADDRESSES: i64 = 5;

/// Whether the beginning of a JSON file looks like such an answer.
pub fn is_answer(head: &[String]) -> bool {
    const KEYS: [&str; 22] = [
        "\"TargetHealthDescriptions\"",
        "\"AvailableIpAddressCount\"",
        "\"Subnets\"",
        "\"nodegroup\"",
        "\"addon\"",
        "\"Activities\"",
        "\"DBInstances\"",
        "\"DBClusters\"",
        "\"provisioningState\"",
        "\"operationType\"",
        "\"OOMKilled\"",
        "\"ExitCode\"",
        "\"RestartCount\"",
        "\"unassigned_shards\"",
        "\"allocate_explanation\"",
        "\"unassigned_info\"",
        "\"CertificateArn\"",
        "\"VolumeStatuses\"",
        "\"statusMessage\"",
        "\"QuotaCode\"",
        "\"FailureReason\"",
        "\"clusterHealth\"",
    ];
    head.iter()
        .any(|line| KEYS.iter().any(|key| line.contains(key)))
}

/// Reads what is wrong in such an answer, wherever in it that stands.
pub fn read(cluster: &mut Cluster, file: u32, doc: &Val) {
    let mut todo = vec![doc];
    let mut seen = 0;
    while let Some(val) = todo.pop() {
        seen += 1;
        if seen > MOST {
            break;
        }
        match &val.node {
            N::List(items) => todo.extend(items.iter().rev()),
            N::Map(members) => {
                if let Some(told) = judge(val, file) {
                    push(cluster, told);
                }
                todo.extend(members.iter().rev().map(|(_, value)| value));
            }
            _ => {}
        }
    }
}

fn judge(val: &Val, file: u32) -> Option<Told> {
    let src = |of: &Val| Src {
        file,
        line: of.at.line,
        column: of.at.column,
    };
    let text = |key: &str| val.get(key).text().to_owned();
    let first = |keys: &[&str]| {
        keys.iter()
            .map(|key| val.get(key).scalar())
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    };
    // aws elbv2 describe-target-health
    let health = val.get("TargetHealth");
    if matches!(health.get("State").text(), "unhealthy" | "unavailable") {
        let target = val.get("Target");
        let why = [
            health.get("Reason").text(),
            health.get("Description").text(),
        ]
        .join(": ");
        return Some(Told {
            slug: "load-balancer-target-unhealthy",
            kind: "Target",
            name: target.get("Id").text().to_owned(),
            says: format!(
                "the load balancer takes it out of service: {}",
                cut(&one_line(&why), 160)
            ),
            strength: 0.66,
            asked: 0.8,
            about: &["502", "503", "504", "load balancer", "unavailable", "reach"],
            src: src(health.get("Reason")),
            more: Some(src(target.get("Id"))),
            client: None,
        });
    }
    if let Some(free) = val
        .get("AvailableIpAddressCount")
        .int()
        .filter(|free| *free < FEW_ADDRESSES)
    {
        return Some(Told {
            slug: "subnet-addresses-used-up",
            kind: "Subnet",
            name: text("SubnetId"),
            says: format!(
                "it has {free} free addresses ({}), so no further node, pod or load balancer gets one",
                text("CidrBlock")
            ),
            strength: 0.86,
            asked: 0.92,
            about: &["pending", "address", "node", "pod", "creating", "start"],
            src: src(val.get("AvailableIpAddressCount")),
            more: Some(src(val.get("SubnetId"))),
            client: None,
        });
    }
    // aws eks describe-nodegroup / describe-addon / describe-cluster
    if let Some(issue) = val.at_path(&["health", "issues"]).items().first() {
        let name = first(&["nodegroupName", "addonName", "name"]);
        return Some(Told {
            slug: "managed-service-degraded",
            kind: "ManagedService",
            says: format!(
                "the provider reports {}: {}",
                issue.get("code").text(),
                cut(&one_line(issue.get("message").text()), 200)
            ),
            name,
            strength: 0.84,
            asked: 0.9,
            src: src(if issue.get("message").is_null() {
                issue.get("code")
            } else {
                issue.get("message")
            }),
            ..Told::default()
        });
    }
    // aws autoscaling describe-scaling-activities
    if text("StatusCode") == "Failed" && !val.get("StatusMessage").is_null() {
        return Some(Told {
            slug: "autoscaler-cannot-add-nodes",
            kind: "ScalingGroup",
            name: text("AutoScalingGroupName"),
            says: format!(
                "the cloud starts no machine: {}",
                cut(&one_line(&text("StatusMessage")), 200)
            ),
            strength: 0.82,
            asked: 0.9,
            about: &["node", "pending", "scale", "autoscal"],
            src: src(val.get("StatusMessage")),
            ..Told::default()
        });
    }
    let state = val.get("DBInstanceStatus");
    if !state.is_null()
        && [
            "storage-full",
            "incompatible",
            "failed",
            "inaccessible",
            "restore-error",
            "insufficient-capacity",
        ]
        .iter()
        .any(|word| state.text().contains(word))
    {
        return Some(Told {
            slug: "managed-service-degraded",
            kind: "Database",
            name: text("DBInstanceIdentifier"),
            says: format!("the managed database is in state {}", state.text()),
            strength: 0.88,
            asked: 0.92,
            src: src(state),
            ..Told::default()
        });
    }
    // Azure: a resource or operation that failed, with its code.
    let failed = [
        val.get("provisioningState"),
        val.at_path(&["properties", "provisioningState"]),
    ]
    .into_iter()
    .find(|state| state.text() == "Failed");
    if let Some(state) = failed {
        let why = [
            val.at_path(&["statusMessage", "error", "message"]),
            val.at_path(&["properties", "statusMessage", "error", "message"]),
            val.at_path(&["error", "message"]),
            val.at_path(&["status", "errorDetail", "message"]),
        ]
        .into_iter()
        .find(|why| !why.text().is_empty());
        let name = first(&["name", "operationId", "id"]);
        if !name.is_empty() {
            return Some(Told {
                slug: "managed-service-degraded",
                kind: "CloudResource",
                says: format!(
                    "its provisioning failed{}",
                    why.map_or(String::new(), |why| format!(
                        ": {}",
                        cut(&one_line(why.text()), 200)
                    ))
                ),
                name: name.rsplit('/').next().unwrap_or_default().to_owned(),
                strength: if why.is_some() { 0.84 } else { 0.66 },
                asked: 0.9,
                src: src(why.unwrap_or(state)),
                more: Some(src(state)),
                ..Told::default()
            });
        }
    }
    // gcloud: operations with an error
    if let Some(error) = val
        .at_path(&["error", "errors"])
        .items()
        .first()
        .filter(|_| !val.get("operationType").is_null())
    {
        return Some(Told {
            slug: "managed-service-degraded",
            kind: "CloudOperation",
            name: first(&["targetLink", "name"])
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned(),
            says: format!(
                "the operation {} failed: {}: {}",
                text("operationType"),
                error.get("code").text(),
                cut(&one_line(error.get("message").text()), 180)
            ),
            strength: 0.84,
            asked: 0.9,
            src: src(if error.get("message").is_null() {
                error.get("code")
            } else {
                error.get("message")
            }),
            ..Told::default()
        });
    }
    // docker inspect, podman inspect
    let state = val.get("State");
    if state.get("OOMKilled").bool() == Some(true) {
        return Some(Told {
            slug: "container-oom-killed",
            kind: "Container",
            name: text("Name").trim_start_matches('/').to_owned(),
            says: format!(
                "it was OOM-killed (exit code {}): it needed more memory than its limit of {} bytes",
                state.get("ExitCode").scalar(),
                val.at_path(&["HostConfig", "Memory"]).scalar()
            ),
            strength: 0.9,
            asked: 0.94,
            src: src(state.get("OOMKilled")),
            more: Some(src(state.get("ExitCode"))),
            ..Told::default()
        });
    }
    let failing = state.get("Error").text();
    if failing.len() > 8 {
        return Some(Told {
            slug: "container-start-failed",
            kind: "Container",
            name: text("Name").trim_start_matches('/').to_owned(),
            says: format!(
                "the container engine cannot start it: {}",
                cut(&one_line(failing), 200)
            ),
            strength: 0.86,
            asked: 0.92,
            src: src(state.get("Error")),
            ..Told::default()
        });
    }
    if state.at_path(&["Health", "Status"]).text() == "unhealthy" {
        let last = state.at_path(&["Health", "Log"]).items().last();
        let output = last.map_or("", |log| log.get("Output").text());
        return Some(Told {
            slug: "liveness-probe-failing",
            kind: "Container",
            name: text("Name").trim_start_matches('/').to_owned(),
            says: format!("its health check fails: {}", cut(&one_line(output), 180)),
            strength: 0.62,
            asked: 0.76,
            src: src(last.map_or(state.at_path(&["Health", "Status"]), |log| {
                log.get("Output")
            })),
            ..Told::default()
        });
    }
    // _cluster/health and _cluster/allocation/explain
    if !val.get("unassigned_shards").is_null() && text("status") == "red" {
        return Some(Told {
            slug: "search-cluster-red",
            kind: "Cluster",
            name: text("cluster_name"),
            says: format!(
                "the search cluster is red: {} shards are assigned to no node",
                val.get("unassigned_shards").scalar()
            ),
            strength: 0.8,
            asked: 0.88,
            src: src(val.get("status")),
            more: Some(src(val.get("unassigned_shards"))),
            ..Told::default()
        });
    }
    let why = val.get("allocate_explanation");
    if !why.text().is_empty() {
        let decider = val
            .get("node_allocation_decisions")
            .items()
            .iter()
            .flat_map(|node| node.get("deciders").items())
            .map(|decider| decider.get("explanation"))
            .find(|text| !text.text().is_empty());
        return Some(Told {
            slug: "search-cluster-red",
            kind: "Index",
            name: text("index"),
            says: format!(
                "a shard of it cannot be assigned to a node: {}",
                cut(&one_line(decider.unwrap_or(why).text()), 220)
            ),
            strength: 0.86,
            asked: 0.9,
            src: src(decider.unwrap_or(why)),
            more: Some(src(why)),
            ..Told::default()
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, loudest, run_with};

    #[test]
    fn answers_of_clouds_name_what_is_wrong() {
        for (file, text, cause, words) in [
            (
                "aws_target_health.json",
                "{\n  \"TargetHealthDescriptions\": [\n    {\"Target\": {\"Id\": \"10.0.3.7\", \"Port\": 8080},\n     \"TargetHealth\": {\"State\": \"unhealthy\",\n       \"Reason\": \"Target.ResponseCodeMismatch\",\n       \"Description\": \"Health checks failed with these codes: [404]\"}},\n    {\"Target\": {\"Id\": \"10.0.3.8\", \"Port\": 8080}, \"TargetHealth\": {\"State\": \"healthy\"}}\n  ]\n}\n",
                "load-balancer-target-unhealthy",
                "[404]",
            ),
            (
                "aws_subnets.json",
                "{\n \"Subnets\": [\n  {\"AvailabilityZone\": \"a\",\n   \"AvailableIpAddressCount\": 1,\n   \"CidrBlock\": \"10.2.0.0/24\",\n   \"SubnetId\": \"subnet-0aa\"},\n  {\"AvailableIpAddressCount\": 200,\n   \"SubnetId\": \"subnet-0bb\"}\n ]\n}\n",
                "subnet-addresses-used-up",
                "subnet-0aa",
            ),
            (
                "aws_nodegroup.json",
                "{\n \"nodegroup\": {\n  \"nodegroupName\": \"batch\",\n  \"status\": \"DEGRADED\",\n  \"health\": {\"issues\": [\n    {\"code\": \"AsgInstanceLaunchFailures\",\n     \"message\": \"Could not launch On-Demand Instances. VcpuLimitExceeded\"}]}\n }\n}\n",
                "managed-service-degraded",
                "VcpuLimitExceeded",
            ),
            (
                "docker_inspect.json",
                "[\n {\n  \"Id\": \"af31\",\n  \"Name\": \"/importer\",\n  \"State\": {\n   \"Status\": \"exited\",\n   \"OOMKilled\": true,\n   \"ExitCode\": 137\n  },\n  \"HostConfig\": {\"Memory\": 268435456}\n }\n]\n",
                "container-oom-killed",
                "importer",
            ),
            (
                "es_health.json",
                "{\n \"cluster_name\": \"logs\",\n \"status\": \"red\",\n \"number_of_nodes\": 2,\n \"unassigned_shards\": 14\n}\n",
                "search-cluster-red",
                "logs",
            ),
        ] {
            finds(&[(file, text)], cause, words);
        }
    }

    #[test]
    fn healthy_answers_say_nothing() {
        let text = "{\n \"TargetHealthDescriptions\": [\n  {\"Target\": {\"Id\": \"10.0.3.8\", \"Port\": 8080}, \"TargetHealth\": {\"State\": \"healthy\"}}\n ],\n \"Subnets\": [{\"AvailableIpAddressCount\": 200, \"SubnetId\": \"s\"}],\n \"nodegroup\": {\"nodegroupName\": \"a\", \"health\": {\"issues\": []}}\n}\n";
        assert!(loudest(&run_with(&[("aws.json", text)], None)) < 0.1);
    }
}
