#!/usr/bin/env bash
# Tries deploy/slurm.sbatch on a real Slurm of one node: an array over at least 24 bundles, one task
# killed in the middle, the array submitted again, results merged, compared with a batch without
# Slurm, every report verified against its bundle. Takes about a minute, stops its own daemons.
#
# Needs root and Debian's slurm-wlm and munge (--install fetches them; no service is started).
# Everything else lies in a folder of its own: configuration, munge key and socket, state, logs.
# Usage: scripts/slurm-trial.sh [--install]
# Environment: NARROWROOM and PACK_FIXTURES (built programs; else they are built).
set -euo pipefail
cd "$(dirname "$0")/.."
die() { echo "error: $*" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || die "slurmd starts jobs as root only: run this as root, in a container for instance"
if [ "${1:-}" = --install ] && ! command -v slurmctld >/dev/null; then
  command -v apt-get >/dev/null || die "slurmctld, slurmd and munged are missing and there is no apt-get: install them with your package manager"
  # Package scripts would start services with the system's configuration.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
fi
for program in munged slurmctld slurmd sbatch squeue scontrol; do
  command -v "$program" >/dev/null || die "$program is not installed; run: scripts/slurm-trial.sh --install (as root)"
done

target=${CARGO_TARGET_DIR:-target}
[ -n "${PACK_FIXTURES:-}" ] && [ -n "${NARROWROOM:-}" ] || ./scripts/build.sh --quiet
pack=$(realpath "${PACK_FIXTURES:-$target/release/examples/pack-fixtures}")
program=$(realpath "${NARROWROOM:-$target/release/narrowroom}")

work=$(mktemp -d /tmp/narrowroom-slurm.XXXXXX)
chmod 755 "$work"
mkdir "$work/bin" "$work/munge" "$work/state" "$work/spool" "$work/log" "$work/in"
ln -s "$program" "$work/bin/narrowroom"
export PATH="$work/bin:$PATH" HOME="$work" SLURM_CONF="$work/slurm.conf"
unset SLURM_JOB_ID SLURM_ARRAY_TASK_ID XDG_STATE_HOME || true

pids=()
finish() {
  status=$?
  scancel --quiet --state=PENDING,RUNNING --name=narrowroom 2>/dev/null || true
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for _ in $(seq 50); do
    alive=0
    for pid in "${pids[@]}"; do if kill -0 "$pid" 2>/dev/null; then alive=1; fi; done
    [ "$alive" -eq 0 ] && break
    sleep 0.1
  done
  for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  if [ "$status" -ne 0 ]; then
    tail -n 20 "$work"/log/*.log "$work"/narrowroom-*.log 2>/dev/null || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# 1. Bundles: ten of the project's own for each of three tenants; a plan of four shards; the answer
# without Slurm.
"$pack" "$work/fixtures" >/dev/null
fixtures=("$work"/fixtures/*.tar.gz)
for tenant in acme umbra zeta; do
  mkdir "$work/in/$tenant"
  cp "${fixtures[@]:0:10}" "$work/in/$tenant/"
done
bundles=$(find "$work/in" -name '*.tar.gz' | wc -l)
[ "$bundles" -ge 24 ] || die "only $bundles bundles"
shards=4
narrowroom batch plan "$work/in" --tenant-from parent-dir --shards "$shards" --no-model --out "$work/batch.json"
# 5: the verifier rejected some output; that has to be the same under Slurm.
narrowroom batch run "$work/batch.json" --out "$work/direct" --quiet >/dev/null 2>"$work/log/direct.log" || [ $? -eq 5 ] || die "$(cat "$work/log/direct.log")"
narrowroom batch merge "$work/batch.json" "$work/direct" --out "$work/direct.jsonl"

# 2. Slurm of one node, on loopback, with a munge of its own.
host=$(hostname -s)
port=$((20000 + RANDOM % 20000))
cpus=$(nproc)
memory=$(($(awk '/^MemTotal/ {print $2}' /proc/meminfo) / 1024 - 256))
head -c 1024 /dev/urandom >"$work/munge/key"; chmod 400 "$work/munge/key"
cat >"$SLURM_CONF" <<CONF
ClusterName=narrowroom-trial
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/log/slurmctld.log
SlurmdLogFile=$work/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/filetxt
JobCompLoc=$work/log/jobs.txt
ReturnToService=2
MaxArraySize=10001
KillWait=5
MinJobAge=300
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=trial Nodes=$host Default=YES MaxTime=10 State=UP
CONF
munged --foreground --force --num-threads=2 --socket="$work/munge/socket" --key-file="$work/munge/key" \
  --pid-file="$work/munge/pid" --log-file="$work/log/munged.log" --seed-file="$work/munge/seed" 2>/dev/null &
pids+=($!)
for _ in $(seq 50); do [ -S "$work/munge/socket" ] && break; sleep 0.1; done
slurmctld -D -f "$SLURM_CONF" >/dev/null 2>&1 & pids+=($!)
slurmd -D -f "$SLURM_CONF" -N "$host" >/dev/null 2>&1 & pids+=($!)
for _ in $(seq 100); do
  sinfo --noheader --format=%t 2>/dev/null | grep -qx idle && break
  sleep 0.3
done
sinfo --noheader --format=%t | grep -qx idle || die "the node did not come up"

# 3. The array as a user submits it; two processors for all, one task a processor.
submit() {
  (cd "$work" && sbatch --parsable --array=0-$((shards - 1)) --cpus-per-task=1 --mem=1500M --time=8 \
    --export=ALL "$OLDPWD/deploy/slurm.sbatch" "$work/batch.json" "$work/out")
}
ended() { # waits for a job's end, at most 5 minutes
  for _ in $(seq 600); do
    [ -z "$(squeue --noheader --jobs="$1" 2>/dev/null)" ] && return 0
    sleep 0.5
  done
  squeue >&2
  die "job $1 did not end"
}
# The process of one task of the array, by its environment.
process_of() {
  for environment in /proc/[0-9]*/environ; do
    if { tr '\0' '\n' <"$environment"; } 2>/dev/null | grep -qx "SLURM_ARRAY_TASK_ID=$1"; then
      pid=${environment#/proc/}; pid=${pid%/environ}
      if { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -q "batch run $work/batch.json"; then
        echo "$pid"; return 0
      fi
    fi
  done
  return 1
}
results() { find "$work/out/shard-$1/results" -name '[0-9a-f]*.json' 2>/dev/null | wc -l; }

victim=1
job=$(submit)
echo "array $job: $shards tasks, $bundles bundles"
killed=
for _ in $(seq 3000); do
  if [ "$(results $victim)" -ge 2 ] && pid=$(process_of $victim); then
    kill -9 "$pid" && killed=$pid && break
  fi
  sleep 0.02
done
[ -n "$killed" ] || die "task $victim was over before it could be killed"
after_kill=$(results $victim)
ended "$job"
of_victim=$(grep -c "\"shard\": $victim\$\|\"shard\": $victim,\$" "$work/batch.json")
[ "$after_kill" -lt "$of_victim" ] || die "task $victim had finished"
echo "task $victim killed after $after_kill of its $of_victim bundles"
if narrowroom batch merge "$work/batch.json" "$work"/out/shard-* --out "$work/early.jsonl" 2>"$work/log/early.log"; then
  die "merging was not refused although results were missing"
fi
head -n 1 "$work/log/early.log" | cut -c 1-160

# 4. The same array again: only what is missing is run.
before=$(find "$work/out" -name record.json | wc -l)
job=$(submit)
ended "$job"
runs=$(find "$work/out" -name record.json | wc -l)
[ "$runs" -eq "$bundles" ] || die "$runs runs for $bundles bundles"
echo "array $job: $((runs - before)) bundles were missing and were run; $runs runs in all, none twice"
narrowroom batch merge "$work/batch.json" "$work"/out/shard-* --out "$work/merged.jsonl"
cmp "$work/direct.jsonl" "$work/merged.jsonl" || die "the merged results differ from those without Slurm"

# 5. Every report against its bundle, once more.
verified=0
while IFS=$'\t' read -r report bundle; do
  narrowroom verify "$report" --bundle "$bundle" --json >/dev/null || die "$bundle: the report does not hold"
  verified=$((verified + 1))
done < <(narrowroom batch status "$work/batch.json" "$work"/out/shard-* --json | python3 -c '
import json, sys
work = sys.argv[1]
for row in json.load(sys.stdin)["rows"]:
    place = "%s/out/shard-%d/runs/tenants/%s/%s/report.json" % (work, row["shard"], row["tenant"], row["run"]["id"])
    print(place, "%s/in/%s" % (work, row["path"]), sep="\t")
' "$work")
[ "$verified" -eq "$bundles" ] || die "$verified of $bundles reports were verified"
echo "slurm trial, $SECONDS s: $bundles bundles in $shards tasks, one killed and resumed; merged results identical to a batch without Slurm; $verified reports verified"
