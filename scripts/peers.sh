#!/bin/sh
# Installs tests/node/package-lock.json (BullMQ's own clients and dashboards, Azurite) into .tools/node. Where npm cannot
# get them, the tests that want them are skipped and say so.
cd "$(dirname "$0")/.." || exit 0
install_packages() (
    set -e
    . scripts/node.sh
    mkdir -p .tools/node
    cp tests/node/package.json tests/node/package-lock.json tests/node/.npmrc .tools/node/
    cd .tools/node
    echo "Installing the Node packages that tests start"
    # Not `npm ci`: it wants binaries of other platforms in the lock file, which not every index has.
    npm install --no-save --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
)
install_packages && exit
rm -rf .tools/node/node_modules
echo "The Node packages of tests/node could not be installed: the tests that start them are skipped." >&2
