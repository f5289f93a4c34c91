#!/usr/bin/env bash
# Validates deploy/: the Kubernetes objects against the API's published schemas (PyPI
# kubernetes-validate holds them), with a control that a wrong one is refused; the shell files by
# their syntax.
set -euo pipefail
cd "$(dirname "$0")/.."
for file in deploy/slurm.sbatch deploy/hyperqueue.sh; do bash -n "$file"; done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install kubernetes-validate==1.37.0
check() { "$work/venv/bin/kubernetes-validate" --quiet --strict --kubernetes-version "$1" "$2"; }
for version in 1.33 1.37; do check "$version" deploy/kubernetes.yaml; done

sed 's/completionMode:/completionMood:/' deploy/kubernetes.yaml >"$work/wrong.yaml"
if check 1.33 "$work/wrong.yaml" >/dev/null 2>&1; then
  echo "error: a misspelt field was not refused: the validation proves nothing" >&2; exit 1
fi
echo "deploy/: Kubernetes objects are valid for 1.33 and 1.37; a misspelt field is refused"
