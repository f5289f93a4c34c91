#!/bin/bash
# A batch as a HyperQueue task array: one task a shard.
#
#   narrowroom batch plan /data/bundles --tenant-from parent-dir --shards 8 --out /data/batch.json
#   hq submit --array 0-7 --env MANIFEST=/data/batch.json --env OUT=/data/out deploy/hyperqueue.sh
#   narrowroom batch merge /data/batch.json /data/out/shard-* --out /data/merged.jsonl
#
# The array counts from 0 and has as many tasks as the manifest has shards. A task whose worker is
# lost is started again by HyperQueue; submit the same array again after any other failure.
#HQ --name=narrowroom
#HQ --array=0-7
#HQ --cpus=2
#HQ --crash-limit=5
set -u
manifest=${MANIFEST:?set MANIFEST with --env}
out=${OUT:?set OUT with --env}
exec narrowroom batch run "$manifest" --out "$out/shard-$HQ_TASK_ID" --shard auto --quiet
