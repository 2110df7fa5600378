#!/bin/sh
# Builds web/ into src/pixelmill/web/dist with the machine's Node, or with Node from the package index.
set -eu
cd "$(dirname "$0")/.."
if ! node -e 'process.exit(parseInt(process.versions.node) < 20)' 2>/dev/null || ! command -v npm >/dev/null; then
    if [ ! -x .venv/bin/node ]; then
        .venv/bin/python scripts/environment.py node
    fi
    PATH="$PWD/.venv/bin:$PATH"
    export PATH
fi
echo "Building the pages with Node $(node --version)"
cd web
stamp=node_modules/.installed
if [ ! -e "$stamp" ] || [ package.json -nt "$stamp" ] || [ package-lock.json -nt "$stamp" ]; then
    npm ci --no-audit --no-fund --loglevel=error
    touch "$stamp"
fi
npm run --silent build
