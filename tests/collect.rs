//! Collecting on the customer's side: the real `kubectl` against recorded answers on loopback, this
//! host, and a triage of what was collected.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test handles the files it made itself and serves recorded answers on loopback"
)]

#[path = "support/cluster.rs"]
mod cluster;
mod support;

use cluster::Api;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use support::Place;

const PASSWORD: &str = "Vq7hT2mZpL9w";

/// Path below the archive's folder, and text.
fn unpacked(archive: &Path) -> BTreeMap<String, String> {
    let gz = flate2::read::GzDecoder::new(std::fs::File::open(archive).unwrap());
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(gz).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let (_, below) = path.split_once('/').unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(below.to_owned(), text);
    }
    files
}

fn collect(place: &Place, args: &[&str]) -> support::Ended {
    let output = place
        .program()
        .current_dir(place.path())
        .env("SOURCE_DATE_EPOCH", "1767225600")
        .env("KUBECONFIG", place.join("kubeconfig"))
        .arg("collect")
        .args(args)
        .output()
        .unwrap();
    support::Ended::of(output)
}

#[test]
fn a_namespace_is_collected_masked_and_triaged() {
    let place = Place::new();
    let api = Api::serve(PASSWORD);
    place.write("kubeconfig", api.kubeconfig());
    let ended = collect(
        &place,
        &["--namespace", "shop", "--out", "customer-123.tar.gz"],
    )
    .ends(0);
    assert!(
        ended
            .err
            .contains("kubectl get --request-timeout=30s pods --namespace=shop --output=json"),
        "{}",
        ended.err
    );
    assert!(
        ended.out.contains("could not be collected"),
        "{}",
        ended.out
    );

    // Only reads, and never a Secret.
    let asked = api.asked();
    assert!(asked.len() > 20);
    for request in &asked {
        assert!(request.starts_with("GET "), "{request}");
        assert!(!request.to_lowercase().contains("secret"), "{request}");
        assert!(
            !request.contains("exec") && !request.contains("watch=true"),
            "{request}"
        );
    }
    assert!(
        asked
            .iter()
            .any(|request| request.contains("/pods/cart-5f/log")
                && request.contains("previous=true"))
    );

    let files = unpacked(&place.join("customer-123.tar.gz"));
    for path in [
        "collect.json",
        "cluster-resources/pods/shop.json",
        "cluster-resources/events/shop.json",
        "cluster-resources/pods/logs/shop/cart-5f/web.log",
        "cluster-resources/pods/logs/shop/cart-5f/web-previous.log",
        "cluster-resources/nodes-errors.json",
    ] {
        assert!(
            files.contains_key(path),
            "{path} is not in {:?}",
            files.keys()
        );
    }
    assert!(files["cluster-resources/nodes-errors.json"].contains("forbidden"));
    for (path, text) in &files {
        assert!(!text.contains(PASSWORD), "{path}");
    }
    assert!(files["cluster-resources/pods/shop.json"].contains("‹secret:"));
    assert!(
        files["cluster-resources/pods/logs/shop/cart-5f/web-previous.log"].contains("‹secret:"),
        "masked by value where no rule would see it"
    );
    let manifest: serde_json::Value = serde_json::from_str(&files["collect.json"]).unwrap();
    assert_eq!(manifest["schema"], "narrowroom.collect/v1");
    assert!(
        manifest["not_collected"]
            .to_string()
            .contains("never asked for, by design")
    );
    assert!(manifest["not_collected"].to_string().contains("nodes"));
    for (path, facts) in manifest["files"].as_object().unwrap() {
        use sha2::Digest;
        assert_eq!(
            facts["sha256"],
            hex::encode(sha2::Sha256::digest(files[path].as_bytes())),
            "{path}"
        );
    }

    // The same answers give the same archive.
    collect(
        &place,
        &["--namespace", "shop", "--out", "again.tar.gz", "--quiet"],
    )
    .ends(0);
    let again = unpacked(&place.join("again.tar.gz"));
    assert_eq!(files, again);
    std::fs::create_dir(place.join("x")).unwrap();
    collect(
        &place,
        &[
            "--namespace",
            "shop",
            "--out",
            "x/customer-123.tar.gz",
            "--quiet",
        ],
    )
    .ends(0);
    let bytes = |name: &str| std::fs::read(place.join(name)).unwrap();
    assert!(
        bytes("customer-123.tar.gz") == bytes("x/customer-123.tar.gz"),
        "the archive is not reproducible"
    );
    collect(&place, &["--namespace", "shop", "--out", "again.tar.gz"])
        .ends(2)
        .says("is there already");

    let (ended, report) = place.triage(&place.join("customer-123.tar.gz"), &["--no-model"]);
    ended.ends(0);
    assert_eq!(report["bundle"]["profile"], "troubleshoot");
    assert_eq!(report["outcome"], "findings", "{report:#}");
    assert_eq!(
        report["findings"][0]["subject"]["name"], "cart-5f",
        "{report:#}"
    );
}

#[test]
fn a_dry_run_lists_everything_and_starts_nothing() {
    let place = Place::new();
    let ended = collect(
        &place,
        &[
            "-n",
            "shop",
            "--dry-run",
            "--kubectl",
            "/nowhere/kubectl",
            "--context",
            "my cluster",
        ],
    )
    .ends(0);
    assert!(
        ended.out.contains("secrets are never asked for"),
        "{}",
        ended.out
    );
    assert!(
        ended
            .out
            .contains("'--context=my cluster' get --request-timeout=30s events --namespace=shop"),
        "{}",
        ended.out
    );
    assert!(
        ended
            .out
            .contains("logs --request-timeout=30s <pod> --namespace=shop --container=<container>"),
        "{}",
        ended.out
    );
    assert!(!ended.out.contains("get --request-timeout=30s secrets"));
    assert_eq!(place.path().read_dir().unwrap().count(), 0);
    let fewer = collect(
        &place,
        &[
            "-n",
            "shop",
            "--dry-run",
            "--without",
            "configmaps",
            "--without",
            "logs",
        ],
    )
    .ends(0);
    assert!(!fewer.out.contains("configmaps") && !fewer.out.contains(" logs "));
}

#[test]
fn what_makes_no_bundle_says_why() {
    let place = Place::new();
    collect(
        &place,
        &[
            "-n",
            "shop",
            "--out",
            "a.tar.gz",
            "--kubectl",
            "/nowhere/kubectl",
        ],
    )
    .ends(3)
    .says("is not installed");
    collect(&place, &["-n", "../x", "--out", "a.tar.gz"])
        .ends(2)
        .says("cannot be a namespace");
    collect(&place, &["-n", "shop", "--out", "a.zip"])
        .ends(2)
        .says("not a good name");
    collect(
        &place,
        &["-n", "shop", "--without", "secrets", "--out", "a.tar.gz"],
    )
    .ends(2)
    .says("no kind");
    collect(&place, &["--out", "a.tar.gz"]).ends(2);
    collect(&place, &["--host", "-n", "shop", "--out", "a.tar.gz"]).ends(2);
    assert!(!place.join("a.tar.gz").exists());
}

#[test]
fn this_host_is_collected_within_its_limits_and_triaged() {
    let place = Place::new();
    let ended = collect(
        &place,
        &[
            "--host",
            "--out",
            "host-1.tar.gz",
            "--max-file-bytes",
            "64KiB",
            "--question-seconds",
            "10",
            "--json",
        ],
    )
    .ends(0);
    let manifest: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let files = unpacked(&place.join("host-1.tar.gz"));
    for path in [
        "proc/meminfo",
        "sos_commands/date/date",
        "sos_commands/kernel/uname_-a",
        "etc/os-release",
    ] {
        assert!(
            files.contains_key(path),
            "{path} is not in {:?}",
            files.keys()
        );
    }
    for (path, facts) in manifest["files"].as_object().unwrap() {
        assert!(facts["bytes"].as_u64().unwrap() < 80 << 10, "{path}");
    }
    assert!(manifest["not_collected"].as_array().is_some_and(|list| {
        list.iter()
            .all(|row| row["why"].as_str().is_some_and(|why| !why.is_empty()))
    }));
    let (ended, report) = place.triage(&place.join("host-1.tar.gz"), &["--no-model"]);
    ended.ends(0);
    assert_eq!(report["bundle"]["profile"], "sosreport");
}
