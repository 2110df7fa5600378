#!/bin/sh
# A thumbnail of a photo, by curl and jq: sh thumbnails.sh photo.jpg
set -eu
service=${PIXELMILL_URL:-http://127.0.0.1:3000}
key=${PIXELMILL_API_KEY:+Authorization: Bearer $PIXELMILL_API_KEY}
ask() { curl --fail-with-body --silent --show-error ${key:+--header "$key"} "$@"; }

# Sent again with the same key, it is done once.
batch=$(ask --retry 5 --header "Idempotency-Key: \"$(date +%s)-$$\"" --form "images=@$1" --form preset=thumbnail \
    "$service/process-images" | jq --raw-output .batchId)

# Events as they come; the stream ends with the batch.
ask --no-buffer "$service/batches/$batch/events" | sed -n 's/^data: //p' | jq --unbuffered --raw-output .event

ask "$service/batches/$batch" | jq --raw-output '.files[].variants[].url // empty' | while read -r url; do
    ask --location --remote-name --remote-header-name "$service$url"
done
