"""Runs `narrowroom guard` on each case of cases.py in a repository of its own: measure.py MODEL|none NARROWROOM."""

import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from cases import CASES

model, program = sys.argv[1:3]
reviewer = ["--no-model"] if model == "none" else ["--model", model]


def remarked(case, harmless):
    """Whether the line was remarked on, by whom, how many other lines were, and seconds."""
    _, name, before, line, twin, after = case
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*before, twin if harmless else line, *after]) + "\n")
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
        env = {**os.environ, "XDG_STATE_HOME": str(pathlib.Path(folder, ".git", "state"))}
        started = time.monotonic()
        done = subprocess.run([program, "guard", "--staged", "--json", *reviewer], cwd=folder, env=env, capture_output=True, check=False)
        took = time.monotonic() - started
        report = json.loads(done.stdout)
    if model != "none" and report["review"]["state"] not in ("done", "nothing-to-review"):
        sys.exit(f"{name}: the review is {report['review']}")
    own = [one for one in [*report["findings"], *report["remarks"]] if one["line"] == len(before) + 1]
    others = [one for one in [*report["findings"], *report["remarks"]] if one["line"] != len(before) + 1]
    by_rule = [one for one in own if one.get("by", "rule") != "model"]
    return bool(own), bool(by_rule), len(others), took


rows, seconds, others = collections.defaultdict(collections.Counter), [], 0
for case in CASES:
    for harmless in (False, True):
        hit, by_rule, other, took = remarked(case, harmless)
        row = rows[case[0]]
        row["of"] += not harmless
        row["false" if harmless else "hit"] += hit
        row["rule"] += by_rule and not harmless
        others += other
        seconds.append(took)
        if hit == harmless:
            print(f"{'remarked on' if hit else 'not remarked on'}: {case[1]}: {(case[4] if harmless else case[3]).strip()}", file=sys.stderr)
print(f"{'kind':10}{'changes':>8}{'remarked on':>13}{'of these by rules':>19}{'harmless remarked on':>22}")
total = collections.Counter()
for kind, row in rows.items():
    total.update(row)
    print(f"{kind:10}{row['of']:8}{row['hit']:13}{row['rule']:19}{row['false']:22}")
print(f"{'all':10}{total['of']:8}{total['hit']:13}{total['rule']:19}{total['false']:22}")
print(f"other lines remarked on: {others}; seconds a change, median {statistics.median(seconds):.1f}, most {max(seconds):.1f}")
