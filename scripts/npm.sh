#!/bin/sh
# `sh scripts/npm.sh run build` is npm in web/, with its packages installed.
set -eu
cd "$(dirname "$0")/.."
. scripts/node.sh
cd web
stamp=node_modules/.installed
if [ ! -e "$stamp" ] || [ package.json -nt "$stamp" ] || [ package-lock.json -nt "$stamp" ]; then
    echo "Installing the pages' packages with Node $(node --version)"
    npm ci --no-audit --no-fund --loglevel=error
    touch "$stamp"
fi
exec npm --silent "$@"
