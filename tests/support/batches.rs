//! Batches of small bundles for the tests: making them, running the program on them, looking into
//! the batch directory.

use super::support::{Ended, Place, pack};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// A small bundle of a cluster with one fault, different for each number.
pub fn bundle(number: usize) -> Vec<u8> {
    let pods = serde_json::json!({"kind": "PodList", "apiVersion": "v1", "items": [{
        "metadata": {"name": format!("cart-{number}"), "namespace": "shop"},
        "spec": {"containers": [{"name": "web", "image": format!("registry.example/cart:{number}")}]},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "web", "ready": false, "restartCount": 0,
            "image": format!("registry.example/cart:{number}"), "imageID": "",
            "state": {"waiting": {"reason": "ImagePullBackOff",
                "message": format!("Back-off pulling image \"registry.example/cart:{number}\"")}}}]},
    }]});
    let pods = serde_json::to_vec_pretty(&pods).unwrap();
    let noise = format!("{{\"line\": {number}}}\n").repeat(50 + number * 7);
    pack(&[
        ("bundle/cluster-resources/pods/shop.json", &pods),
        (
            "bundle/cluster-resources/namespaces.json",
            b"{\"kind\":\"NamespaceList\",\"items\":[]}",
        ),
        ("bundle/notes.txt", noise.as_bytes()),
    ])
}

/// A folder of `n` bundles of two tenants, planned without a model into `m.json`.
pub fn planned(place: &Place, n: usize, shards: &str) {
    for number in 0..n {
        let tenant = if number % 3 == 0 { "zeta" } else { "acme" };
        let dir = place.join("in").join(tenant);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(format!("case-{number:02}.tar.gz")), bundle(number)).unwrap();
    }
    batch(
        place,
        &[
            "plan",
            "in",
            "--no-model",
            "--tenant-from",
            "parent-dir",
            "--shards",
            shards,
            "--out",
            "m.json",
        ],
    )
    .ends(0);
}

/// `narrowroom batch …` in the place's folder.
pub fn batch(place: &Place, args: &[&str]) -> Ended {
    let output = place
        .program()
        .current_dir(place.path())
        .arg("batch")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    Ended::of(output)
}

/// The same, going on in the background.
pub fn start(place: &Place, args: &[&str]) -> Child {
    place
        .program()
        .current_dir(place.path())
        .arg("batch")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

/// The bytes of the merged results.
pub fn merged(place: &Place, outs: &[&str]) -> Vec<u8> {
    let mut args = vec!["merge", "m.json"];
    args.extend(outs);
    args.extend(["--out", "merged.jsonl"]);
    batch(place, &args).ends(0);
    std::fs::read(place.join("merged.jsonl")).unwrap()
}

/// JSON of a file.
pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Name and bytes of the results of a batch directory.
pub fn results(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in listed(&out.join("results")) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with('.') {
            found.insert(name, std::fs::read(path).unwrap());
        }
    }
    found
}

/// Every whole run of a batch directory: the folder's name, and the bundle it is about.
pub fn runs(out: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for tenant in listed(&out.join("runs/tenants")) {
        for run in listed(&tenant) {
            let name = run.file_name().unwrap().to_str().unwrap().to_owned();
            // The runs directory may hold more than runs.
            if run.join("record.json").exists() && !name.starts_with('.') {
                let record = json(&run.join("record.json"));
                found.insert(name, record["bundle"]["name"].as_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// What is left of half-done work anywhere below a folder.
pub fn leftovers(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in listed(dir) {
        if path.to_string_lossy().ends_with(".partial") {
            found.push(path);
        } else if path.is_dir() {
            found.extend(leftovers(&path));
        }
    }
    found
}

fn listed(dir: &Path) -> Vec<PathBuf> {
    let Ok(items) = std::fs::read_dir(dir) else {
        return vec![];
    };
    items.map(|item| item.unwrap().path()).collect()
}
