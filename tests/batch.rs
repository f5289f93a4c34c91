//! Batches through the command line: plans, budgets, order, changed bundles, two at once, merging.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

#[path = "support/batches.rs"]
mod batches;
mod support;

use batches::{batch, json, leftovers, merged, planned, results, runs, start};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use support::Place;

fn run(place: &Place, out: &str, more: &[&str]) -> support::Ended {
    let mut args = vec!["run", "m.json", "--out", out];
    args.extend(more);
    batch(place, &args)
}

#[test]
fn a_plan_is_the_same_twice_and_never_changed() {
    let place = Place::new();
    planned(&place, 4, "2");
    let first = std::fs::read(place.join("m.json")).unwrap();
    let plan = [
        "plan",
        "in",
        "--no-model",
        "--tenant-from",
        "parent-dir",
        "--shards",
    ];
    batch(&place, &[&plan[..], &["2", "--out", "again.json"]].concat()).ends(0);
    assert_eq!(first, std::fs::read(place.join("again.json")).unwrap());
    batch(&place, &[&plan[..], &["3", "--out", "m.json"]].concat())
        .ends(2)
        .says("is there already and differs");
    assert_eq!(first, std::fs::read(place.join("m.json")).unwrap());

    let manifest = json(&place.join("m.json"));
    assert_eq!(manifest["schema"], "narrowroom.batch/v1");
    let items = manifest["items"].as_array().unwrap();
    assert_eq!(items.len(), 4);
    for item in items {
        let tenant = item["path"].as_str().unwrap().split('/').next().unwrap();
        assert_eq!(item["tenant"], tenant);
        assert_eq!(item["sha256"].as_str().unwrap().len(), 64);
    }

    // Any altered field is seen, also one that still makes sense.
    let altered = String::from_utf8(first)
        .unwrap()
        .replacen("\"acme\"", "\"zeta\"", 1);
    place.write("altered.json", altered);
    batch(&place, &["run", "altered.json", "--out", "out"])
        .ends(2)
        .says("was altered after it was planned");
    place.write("unknown.json", "{\"schema\": \"narrowroom.batch/v9\"}");
    batch(&place, &["run", "unknown.json", "--out", "out"])
        .ends(2)
        .says("failed to read the manifest");
}

#[test]
fn a_list_names_bundles_anywhere_and_mistakes_in_it_are_named() {
    let place = Place::new();
    std::fs::create_dir_all(place.join("a/b")).unwrap();
    std::fs::create_dir_all(place.join("c")).unwrap();
    place.write("a/b/one.bin", batches::bundle(1));
    place.write("c/two.tar.gz", batches::bundle(2));
    let plan = |list: &str, more: &[&str]| {
        place.write("list.txt", list);
        let _ = std::fs::remove_file(place.join("m.json"));
        batch(
            &place,
            &[&["plan", "list.txt", "--no-model", "--out", "m.json"], more].concat(),
        )
    };
    plan("# two bundles\na/b/one.bin\n\nc/two.tar.gz\n", &[]).ends(0);
    let manifest = json(&place.join("m.json"));
    assert_eq!(manifest["items"][0]["path"], "a/b/one.bin");
    assert_eq!(manifest["items"][1]["path"], "c/two.tar.gz");
    assert!(manifest["items"][0].get("tenant").is_none());
    plan("a/b/one.bin\na/../a/b/one.bin\n", &[])
        .ends(2)
        .says("listed twice");
    plan("a/b/one.bin\na/none.tar\n", &[])
        .ends(2)
        .says("line 2");
    plan("a/b\n", &[]).ends(2).says("line 1");
    plan("# nothing\n", &[]).ends(2).says("no bundle");
    plan(
        "c/two.tar.gz\n",
        &["--tenant-from", "name-regex:^([0-9]+)-"],
    )
    .ends(2)
    .says("tenant of two.tar.gz");
    plan("c/two.tar.gz\n", &["--tenant-from", "../x"])
        .ends(2)
        .says("tenant");
}

#[test]
fn neither_order_nor_workers_nor_shards_change_the_merged_bytes() {
    let place = Place::new();
    planned(&place, 7, "3");
    run(
        &place,
        "one",
        &["--workers", "1", "--order", "smallest-first"],
    )
    .ends(0);
    run(
        &place,
        "two",
        &["--workers", "2", "--cpus", "2", "--order", "largest-first"],
    )
    .ends(0);
    for shard in ["2", "0", "1"] {
        let out = format!("s{shard}");
        run(&place, &out, &["--shard", shard]).ends(0);
        assert!(
            place
                .join(&out)
                .join(format!("summary-shard-{shard}.html"))
                .exists()
        );
    }
    let one = merged(&place, &["one"]);
    assert_eq!(one, merged(&place, &["two"]));
    assert_eq!(one, merged(&place, &["s1", "s2", "s0"]));
    let lines: Vec<Value> = String::from_utf8(one)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["schema"], "narrowroom.batch-merged/v1");
    assert_eq!(lines[0]["items"], 7);
    assert_eq!(lines.len(), 8);
    for line in &lines[1..] {
        assert_eq!(line["ended"], "done");
        assert_eq!(line["report"]["bundle"]["sha256"], line["bundle_sha256"]);
        let cause = &line["report"]["findings"][0]["cause"];
        assert_eq!(cause, "image-pull-failed", "{line:#}");
    }
    // One tenant's results, and nothing of another's.
    batch(
        &place,
        &[
            "merge",
            "m.json",
            "one",
            "--tenant",
            "zeta",
            "--out",
            "zeta.jsonl",
        ],
    )
    .ends(0);
    let zeta = std::fs::read_to_string(place.join("zeta.jsonl")).unwrap();
    assert_eq!(zeta.lines().count(), 4);
    assert!(!zeta.contains("acme"));
    batch(
        &place,
        &["merge", "m.json", "one", "--tenant", "nobody", "--out", "x"],
    )
    .ends(2)
    .says("no bundle of the tenant");
}

#[test]
fn a_bundle_that_changed_is_refused_for_that_item_until_it_is_back() {
    let place = Place::new();
    planned(&place, 3, "1");
    let path = place.join("in/acme/case-01.tar.gz");
    let original = std::fs::read(&path).unwrap();
    // Another bundle, one of the same size, one cut short, none at all.
    let mut flipped = original.clone();
    let at = flipped.len() - 20;
    flipped[at] ^= 1;
    let cases = [
        Some(batches::bundle(9)),
        Some(flipped),
        Some(original[..200].to_vec()),
        None,
    ];
    for (number, case) in cases.into_iter().enumerate() {
        match case {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        run(&place, "out", &[])
            .ends(3)
            .says("has changed since it was planned");
        assert_eq!(results(&place.join("out")).len(), 2, "case {number}");
        batch(&place, &["merge", "m.json", "out", "--out", "x"])
            .ends(2)
            .says("case-01.tar.gz")
            .says("has changed");
    }
    std::fs::write(&path, original).unwrap();
    let before = runs(&place.join("out"));
    run(&place, "out", &[]).ends(0);
    let after = runs(&place.join("out"));
    assert_eq!((before.len(), after.len()), (2, 3));
    merged(&place, &["out"]);
}

#[test]
fn what_a_bundle_itself_causes_is_final_and_named() {
    let place = Place::new();
    std::fs::create_dir(place.join("in")).unwrap();
    place.write("in/good.tar.gz", batches::bundle(1));
    place.write("in/text.tar.gz", "this is no archive");
    batch(
        &place,
        &[
            "plan",
            "in",
            "--no-model",
            "--tenant-from",
            "acme",
            "--out",
            "m.json",
        ],
    )
    .ends(0);
    run(&place, "out", &[])
        .ends(3)
        .says("in/text.tar.gz".trim_start_matches("in/"));
    let first = results(&place.join("out"));
    run(&place, "out", &[]).ends(3);
    assert_eq!(
        first,
        results(&place.join("out")),
        "a refused bundle is not run again"
    );
    let text = String::from_utf8(merged(&place, &["out"])).unwrap();
    let refused: Value = serde_json::from_str(text.lines().nth(2).unwrap()).unwrap();
    assert_eq!(refused["ended"], "refused");
    assert_eq!(refused["failure"]["exit"], 3);
    let summary = json(&place.join("out/summary.json"));
    assert_eq!(summary["counts"]["refused"], 1);
    assert_eq!(
        summary["rows"][0]["path"], "text.tar.gz",
        "what needs a person comes first"
    );
}

#[test]
fn a_limit_of_the_bundle_is_final_too() {
    let place = Place::new();
    std::fs::create_dir(place.join("in")).unwrap();
    place.write("in/many.tar.gz", batches::bundle(1));
    batch(
        &place,
        &[
            "plan",
            "in",
            "--no-model",
            "--max-files",
            "2",
            "--out",
            "m.json",
        ],
    )
    .ends(0);
    let ended = run(&place, "out", &[]);
    assert!([3, 6].contains(&ended.code), "{}", ended.err);
    assert_eq!(results(&place.join("out")).len(), 1);
}

/// Waits until `ready` or fails.
fn wait_for(what: &str, ready: impl Fn() -> bool) {
    let since = Instant::now();
    while !ready() {
        assert!(
            since.elapsed() < Duration::from_secs(60),
            "{what} did not happen"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn two_batches_at_once_are_refused_but_two_shards_are_not() {
    let place = Place::new();
    planned(&place, 24, "2");
    let mut first = start(&place, &["run", "m.json", "--out", "out", "--workers", "1"]);
    wait_for("the first claim", || {
        place
            .join("out/claims")
            .read_dir()
            .is_ok_and(|mut dir| dir.next().is_some())
    });
    run(&place, "out", &[])
        .ends(2)
        .says("another batch is working");
    run(&place, "out", &["--shard", "1"])
        .ends(2)
        .says("another batch is working");
    let status = batch(&place, &["status", "m.json", "out", "--json"]).ends(0);
    let status: Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(status["shards"][0]["running"], true);
    first.kill().unwrap();
    first.wait().unwrap();

    let mut shard = start(
        &place,
        &[
            "run",
            "m.json",
            "--out",
            "out",
            "--workers",
            "1",
            "--shard",
            "0",
        ],
    );
    wait_for("the shard's lock", || {
        batch(&place, &["status", "m.json", "out", "--json"])
            .out
            .contains("\"running\": true")
    });
    run(&place, "out", &["--shard", "0"])
        .ends(2)
        .says("another batch is working on shard 0");
    run(&place, "out", &["--shard", "1"]).ends(0);
    assert!(shard.wait().unwrap().success());
    merged(&place, &["out"]);
    assert_eq!(runs(&place.join("out")).len(), 24);
}

#[test]
fn merging_names_gaps_duplicates_and_what_is_foreign() {
    let place = Place::new();
    planned(&place, 4, "2");
    run(&place, "a", &["--shard", "0"]).ends(0);
    batch(&place, &["merge", "m.json", "a", "--out", "x"])
        .ends(2)
        .says("have no result")
        .says("shard 1, never started");
    assert!(!place.join("x").exists());
    batch(
        &place,
        &["merge", "m.json", "a", "--allow-gaps", "--out", "x"],
    )
    .ends(0);
    let head: Value = serde_json::from_str(
        std::fs::read_to_string(place.join("x"))
            .unwrap()
            .lines()
            .next()
            .unwrap(),
    )
    .unwrap();
    assert_eq!(head["gaps"], 2);

    run(&place, "all", &[]).ends(0);
    batch(&place, &["merge", "m.json", "a", "all", "--out", "y"])
        .ends(2)
        .says("more than once");
    batch(&place, &["merge", "m.json", "all", "all", "--out", "y"])
        .ends(2)
        .says("given twice");
    batch(&place, &["merge", "m.json", "in", "--out", "y"])
        .ends(2)
        .says("is not the directory of a batch");

    std::fs::write(place.join("all/results/0123456789abcdef.json"), "{}").unwrap();
    batch(&place, &["merge", "m.json", "all", "--out", "y"])
        .ends(2)
        .says("0123456789abcdef");
    std::fs::remove_file(place.join("all/results/0123456789abcdef.json")).unwrap();

    let (name, bytes) = results(&place.join("all")).pop_first().unwrap();
    std::fs::write(place.join("all/results").join(&name), &bytes[..40]).unwrap();
    batch(&place, &["merge", "m.json", "all", "--out", "y"])
        .ends(2)
        .says("damaged");
    std::fs::write(place.join("all/results").join(&name), &bytes).unwrap();
    let result: Value = serde_json::from_slice(&bytes).unwrap();
    let id = result["run"]["id"].as_str().unwrap();
    let run_dir = ["acme", "zeta"].map(|t| place.join("all/runs/tenants").join(t).join(id));
    let run_dir = run_dir.iter().find(|dir| dir.exists()).unwrap();
    std::fs::rename(run_dir, place.join("elsewhere")).unwrap();
    batch(&place, &["merge", "m.json", "all", "--out", "y"])
        .ends(2)
        .says("its run is not there");
    assert!(!place.join("y").exists());

    batch(&place, &["plan", "in", "--no-model", "--out", "other.json"]).ends(0);
    batch(&place, &["run", "other.json", "--out", "all"])
        .ends(2)
        .says("belongs to another manifest");
}

#[test]
fn the_shard_comes_from_the_engine_and_what_is_ambiguous_is_refused() {
    let place = Place::new();
    planned(&place, 4, "2");
    let auto = |out: &str, variables: &[(&str, &str)]| {
        let mut program = place.program();
        for name in ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "HQ_TASK_ID"] {
            program.env_remove(name);
        }
        let output = program
            .current_dir(place.path())
            .envs(variables.iter().copied())
            .args(["batch", "run", "m.json", "--shard", "auto", "--out", out])
            .output()
            .unwrap();
        support::Ended::of(output)
    };
    auto("k8s", &[("JOB_COMPLETION_INDEX", "1")]).ends(0);
    assert!(place.join("k8s/summary-shard-1.json").exists());
    let slurm = [
        ("SLURM_ARRAY_TASK_ID", "1"),
        ("SLURM_ARRAY_TASK_MIN", "1"),
        ("SLURM_ARRAY_TASK_MAX", "2"),
        ("SLURM_ARRAY_TASK_COUNT", "2"),
    ];
    auto("slurm", &slurm).ends(0);
    assert!(place.join("slurm/summary-shard-0.json").exists());
    merged(&place, &["k8s", "slurm"]);
    auto("x", &[]).ends(2).says("no engine says which shard");
    auto("x", &[("HQ_TASK_ID", "2")])
        .ends(2)
        .says("counted from 0");
    auto("x", &[("HQ_TASK_ID", "1"), ("JOB_COMPLETION_INDEX", "1")])
        .ends(2)
        .says("more than one engine");
    auto("x", &slurm[..1]).ends(2).says("--shard K");
    assert!(
        !place.join("x").exists(),
        "nothing is touched before the shard is known"
    );
}

#[test]
fn what_does_not_fit_the_budget_is_refused_before_anything_runs() {
    let place = Place::new();
    planned(&place, 2, "1");
    let none = run(&place, "out", &["--memory", "512MiB"])
        .ends(2)
        .says("hold 0");
    assert!(none.err.contains("--worker-memory"), "{}", none.err);
    run(
        &place,
        "out",
        &["--workers", "3", "--memory", "2.5GiB", "--cpus", "8"],
    )
    .ends(2)
    .says("use --workers 2");
    run(
        &place,
        "out",
        &["--workers", "3", "--memory", "9GiB", "--cpus", "2"],
    )
    .ends(2)
    .says("carry 2");
    assert!(!place.join("out").exists());
    let dry = run(
        &place,
        "out",
        &["--memory", "4GiB", "--cpus", "8", "--dry-run"],
    )
    .ends(0);
    assert_eq!(
        dry.out,
        "2 workers (4 fit): 1 GiB each of 4 GiB, 1 thread each of 8 processors\n"
    );
}

#[test]
fn a_worker_that_the_machine_killed_is_tried_again() {
    let place = Place::new();
    planned(&place, 8, "1");
    let mut child = start(
        &place,
        &[
            "run",
            "m.json",
            "--out",
            "out",
            "--workers",
            "1",
            "--order",
            "as-planned",
        ],
    );
    let mut killed = false;
    while child.try_wait().unwrap().is_none() {
        if !killed && let Some(worker) = sealed_worker(child.id()) {
            killed = rustix::process::kill_process(worker, rustix::process::Signal::KILL).is_ok();
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    assert!(killed, "no worker was seen");
    assert!(child.wait().unwrap().success());
    let attempts: Vec<u64> = results(&place.join("out"))
        .values()
        .map(|bytes| {
            serde_json::from_slice::<Value>(bytes).unwrap()["attempts"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(attempts.iter().sum::<u64>(), 9, "{attempts:?}");
    assert_eq!(runs(&place.join("out")).len(), 8);
    assert_eq!(
        leftovers(&place.join("out")),
        Vec::<std::path::PathBuf>::new()
    );
}

/// A file system of a given size, in a namespace of its own, that gets room later.
#[test]
fn on_a_full_disk_bundles_are_left_open_and_finished_when_there_is_room() {
    let place = Place::new();
    planned(&place, 4, "1");
    run(&place, "calm", &[]).ends(0);
    let calm = merged(&place, &["calm"]);
    let script = r#"
        mkdir disk
        for size in 100k 300k 500k; do
            mount -t tmpfs -o size=$size,mode=0700 none disk || exit 90
            code=0
            "$1" batch run m.json --out disk/out --retries 0 --workers 1 >log 2>&1 || code=$?
            # Where not even the first claim can be written the batch itself ends.
            [ $code = 6 ] || { echo "size $size: exit $code"; cat log; exit 91; }
            grep -q 'no space' log || [ -d disk/out/open ] || { cat log; exit 92; }
            mount -o remount,size=64m disk || exit 93
            "$1" batch run m.json --out disk/out --workers 1 >log 2>&1 || { cat log; exit 94; }
            "$1" batch merge m.json disk/out --out full.jsonl >/dev/null || exit 95
            cmp full.jsonl "$2" || exit 96
            "$1" audit verify --runs disk/out/runs || exit 97
            rm full.jsonl
            umount disk
        done
    "#;
    let kept = place.write("calm.jsonl", calm);
    let mut command = std::process::Command::new("unshare");
    command
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
        ])
        .arg(env!("CARGO_BIN_EXE_narrowroom"))
        .arg(&kept)
        .current_dir(place.path())
        .env("HOME", place.path())
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_STATE_HOME");
    support::Ended::of(command.output().expect("unshare of util-linux")).ends(0);
}

/// A sealed worker among the children of a process.
fn sealed_worker(parent: u32) -> Option<rustix::process::Pid> {
    let children =
        std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let worker = children.split_whitespace().find(|pid| {
        let command =
            std::fs::read(Path::new("/proc").join(pid).join("cmdline")).unwrap_or_default();
        command.windows(8).any(|part| part == b"__worker")
    })?;
    rustix::process::Pid::from_raw(worker.parse().ok()?)
}

#[test]
fn with_a_model_every_worker_has_the_whole_context_or_nothing_runs() {
    let place = Place::new();
    let model =
        std::env::var("NARROWROOM_TEST_MODEL").expect("NARROWROOM_TEST_MODEL: run scripts/test.sh");
    place.run(&["model", "import", &model]).ends(0);
    std::fs::create_dir(place.join("in")).unwrap();
    for number in 0..2 {
        place.write(&format!("in/{number}.tar.gz"), batches::bundle(number));
    }
    batch(
        &place,
        &["plan", "in", "--context", "1000000", "--out", "m.json"],
    )
    .ends(2)
    .says("reads at most");
    batch(
        &place,
        &["plan", "in", "--context", "2048", "--out", "m.json"],
    )
    .ends(0);
    let fit = run(
        &place,
        "out",
        &[
            "--workers",
            "2",
            "--cpus",
            "2",
            "--memory",
            "16GiB",
            "--dry-run",
        ],
    )
    .ends(0);
    assert!(fit.out.contains("ctx 2048 = 4096 / 2"), "{}", fit.out);
    run(
        &place,
        "out",
        &["--workers", "2", "--cpus", "1", "--memory", "16GiB"],
    )
    .ends(2)
    .says("1 processor carry 1");
    run(&place, "out", &["--workers", "1", "--memory", "16GiB"]).ends(0);
    for (id, _) in runs_of(&place.join("out/runs")) {
        let record = json(&place.join("out/runs").join(id).join("record.json"));
        assert_eq!(record["model"]["context_effective"], 2048);
        assert_eq!(record["settings"]["threads"], 1);
    }
}

fn runs_of(dir: &Path) -> Vec<(String, ())> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|item| item.unwrap())
        .filter(|item| item.path().join("record.json").exists())
        .map(|item| (item.file_name().into_string().unwrap(), ()))
        .collect()
}
