#!/bin/sh
# One bucket, $BUCKET, in /data; the keys are $MINIO_ROOT_USER and $MINIO_ROOT_PASSWORD.
set -eu
home=${S3_HOME:-/data}
meta="sqlite3://$home/meta.db"
[ -e "$home/meta.db" ] || juicefs format --storage file --bucket "$home/objects/" --trash-days 0 "$meta" "$BUCKET"
exec juicefs gateway --no-banner --no-usage-report --keep-etag --object-meta --object-tag --backup-meta 0 \
    --buffer-size 64 --cache-dir "$home/cache" --log "$home/gateway.log" "$meta" "${S3_ADDRESS:-0.0.0.0:9000}"
