# To be read by other scripts (`. scripts/node.sh`) in the project's folder: puts a Node that is new enough for Vite
# first on the PATH, the machine's own or, where that is missing or too old, the one of the Python package index.
fit='const [major, minor] = process.versions.node.split(".").map(Number);
process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)'
if ! command -v npm >/dev/null || ! node -e "$fit" 2>/dev/null; then
    [ -x .venv/bin/node ] || .venv/bin/python scripts/environment.py node
    PATH="$PWD/.venv/bin:$PATH"
    export PATH
fi
