#!/bin/sh
# Prints the Python to use: $PYTHON if it is new enough; else the first that is, can make environments, and was built
# with optimisations (see src/pixelmill/cli/interpreter.py); else one that can make them; else one that is new enough,
# which will be told what it lacks. Says what is missing if there is none.
optimised=$(dirname "$0")/../src/pixelmill/cli/interpreter.py

new() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

able() {
    "$1" -c '
try:
    import ensurepip
except ImportError:
    import pip' 2>/dev/null
}

if [ -n "${PYTHON:-}" ] && new "$PYTHON"; then
    echo "$PYTHON"
    exit 0
fi
first=
plain=
for name in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
    new "$name" || continue
    first=${first:-$name}
    able "$name" || continue
    if "$name" -I "$optimised"; then
        if [ -n "$plain" ]; then
            echo "$plain was built without optimisations: using $name (PYTHON=$plain insists on it)." >&2
        fi
        echo "$name"
        exit 0
    fi
    plain=${plain:-$name}
done
if [ -n "$plain" ]; then
    echo "$plain was built without optimisations; one with them makes the service faster (PYTHON=/path/to/python3)." >&2
fi
if [ -n "$first" ]; then
    echo "${plain:-$first}"
    exit 0
fi
echo "Pixelmill needs Python 3.11 or newer; none was found on the PATH (set PYTHON=/path/to/python3)." >&2
exit 1
