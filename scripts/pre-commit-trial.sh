#!/usr/bin/env bash
# Tries the hooks of .pre-commit-hooks.yaml with the real pre-commit framework on a real repository,
# and holds the SARIF output against what the standard asks of it.
# Needs git, python3 with venv, and the program: NARROWROOM=PATH, or target/release/narrowroom.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
program=$(realpath "${NARROWROOM:-target/release/narrowroom}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "failed: $*" >&2; exit 1; }
step() { echo "- $*"; }

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pre-commit==4.7.0
mkdir "$work/bin" "$work/home" "$work/repo" "$work/hooks"
ln -s "$program" "$work/bin/narrowroom"
export PATH="$work/bin:$work/venv/bin:$PATH" HOME="$work/home" PRE_COMMIT_HOME="$work/pre-commit"
export GIT_CONFIG_NOSYSTEM=1 PRE_COMMIT_COLOR=never NO_COLOR=1
git config --global user.name Test
git config --global user.email test@example.org
git config --global init.defaultBranch main

# The hooks' repository: pre-commit clones it, as it would clone this one.
cp "$root/.pre-commit-hooks.yaml" "$work/hooks/"
git -C "$work/hooks" init -q
git -C "$work/hooks" add -A
git -C "$work/hooks" commit -qm hooks
revision=$(git -C "$work/hooks" rev-parse HEAD)

cd "$work/repo"
git init -q
cat >.pre-commit-config.yaml <<CONFIG
repos:
  - repo: file://$work/hooks
    rev: $revision
    hooks:
      - id: narrowroom-guard
      - id: narrowroom-guard-files
CONFIG
echo "fine" >readme.txt
git add -A
git commit -qm start
pre-commit install --hook-type pre-commit --hook-type pre-push >/dev/null
pre-commit run >"$work/clean.log" 2>&1 || { cat "$work/clean.log"; fail "a clean index is stopped"; }
step "a clean index passes"

# A token whose checksum holds, put together here so that this file holds none.
token="gh""p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
mkdir src
printf 'import os\n\ntoken = "%s"\n' "$token" >src/app.py
git add -A
touch "$work/stamp"; sleep 1

nothing_of() { # FILE: no eight characters in a row of the token stand in it
  local at
  for ((at = 0; at + 8 <= ${#token}; at++)); do
    if grep -qaF -- "${token:at:8}" "$1"; then fail "a part of the value is in $1"; fi
  done
}

status=0
pre-commit run >"$work/found.log" 2>&1 || status=$?
[ "$status" -ne 0 ] || fail "pre-commit run lets the token pass"
grep -qF 'src/app.py:3:10' "$work/found.log" || { cat "$work/found.log"; fail "file, line and column are not shown"; }
grep -qF 'exit code: 7' "$work/found.log" || fail "the exit code is another"
nothing_of "$work/found.log"
step "pre-commit run stops the planted token, names src/app.py:3:10, shows nothing of it"

status=0
git commit -m leak >"$work/commit.log" 2>&1 || status=$?
[ "$status" -ne 0 ] || fail "git commit lets the token pass"
nothing_of "$work/commit.log"
[ "$(git rev-list --count HEAD)" = 1 ] || fail "a commit was made"
step "git commit is stopped too"

written=0
while IFS= read -r -d '' file; do
  nothing_of "$file"
  written=$((written + 1))
done < <(find "$work" -type f -newer "$work/stamp" -not -path "$work/venv/*" -print0)
[ "$written" -gt 0 ] || fail "the search of written files searched nothing"
git -c core.quotePath=false grep --no-index -aF -e "$token" -- ':!src/app.py' >/dev/null && fail "git grep finds the value"
step "none of the $written files written since holds a part of it"

git commit -q --no-verify -m leak
status=0
pre-commit run --all-files --hook-stage manual narrowroom-guard-files >"$work/all.log" 2>&1 || status=$?
[ "$status" -ne 0 ] || fail "--all-files lets the token pass"
grep -qF 'src/app.py:3:10' "$work/all.log" || { cat "$work/all.log"; fail "--all-files shows no place"; }
nothing_of "$work/all.log"
step "pre-commit run --all-files finds it in whole files"

git init -q --bare "$work/remote.git"
git remote add origin "$work/remote.git"
status=0
pre-commit run narrowroom-guard --from-ref HEAD^ --to-ref HEAD >"$work/range.log" 2>&1 || status=$?
[ "$status" -ne 0 ] || fail "a range lets the token pass"
grep -qF 'src/app.py:3:10' "$work/range.log" || { cat "$work/range.log"; fail "a range shows no place"; }
nothing_of "$work/range.log"
step "--from-ref and --to-ref look at the commits"

narrowroom guard --sarif --no-model --range HEAD >"$work/guard.sarif" || true
nothing_of "$work/guard.sarif"
python3 - "$work/guard.sarif" <<'PYTHON'
import json, sys
log = json.load(open(sys.argv[1]))
assert log["version"] == "2.1.0", log["version"]
run = log["runs"][0]
rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
assert run["results"], "there is no result"
for result in run["results"]:
    assert result["ruleId"] in rules, result
    assert result["level"] in ("none", "note", "warning", "error"), result
    assert result["message"]["text"], result
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "src/app.py", place
    assert place["region"]["startLine"] == 3, place
PYTHON
step "the SARIF log names rule, level, message and place"

printf 'import os\n\ntoken = os.environ["TOKEN"]\n' >src/app.py
git add -A
git commit -q -m fixed
step "without the token the commit goes through"
echo "the hooks work with $(pre-commit --version)"
