#!/bin/sh
# `sh scripts/npm.sh run build` is npm in web/, with its packages installed, and with the machine's Node or, where that
# is missing or too old for Vite, Node from the Python package index.
set -eu
cd "$(dirname "$0")/.."
fit='const [major, minor] = process.versions.node.split(".").map(Number);
process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)'
if ! command -v npm >/dev/null || ! node -e "$fit" 2>/dev/null; then
    [ -x .venv/bin/node ] || .venv/bin/python scripts/environment.py node
    PATH="$PWD/.venv/bin:$PATH"
    export PATH
fi
cd web
stamp=node_modules/.installed
if [ ! -e "$stamp" ] || [ package.json -nt "$stamp" ] || [ package-lock.json -nt "$stamp" ]; then
    echo "Installing the pages' packages with Node $(node --version)"
    npm ci --no-audit --no-fund --loglevel=error
    touch "$stamp"
fi
exec npm --silent "$@"
