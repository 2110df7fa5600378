#!/bin/sh
# Prints the Python to use: $PYTHON if it will do; else the first that will and was built with optimisations (see
# src/pixelmill/cli/interpreter.py); else the first that will. Says what is missing if there is none.
optimised=$(dirname "$0")/../src/pixelmill/cli/interpreter.py

does() {  # new enough, and able to make an environment
    "$1" -c '
import sys, venv
if sys.version_info < (3, 11):
    sys.exit(1)
try:
    import ensurepip
except ImportError:
    import pip' 2>/dev/null
}

if [ -n "${PYTHON:-}" ] && does "$PYTHON"; then
    echo "$PYTHON"
    exit 0
fi
found=
for name in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
    does "$name" || continue
    if "$name" "$optimised"; then
        if [ -n "$found" ]; then
            echo "$found was built without optimisations: using $name (PYTHON=$found insists on it)." >&2
        fi
        echo "$name"
        exit 0
    fi
    found=${found:-$name}
done
if [ -n "$found" ]; then
    echo "$found was built without optimisations; one with them makes the service faster (PYTHON=/path/to/python3)." >&2
    echo "$found"
    exit 0
fi
echo "Pixelmill needs Python 3.11 or newer with venv; none was found on the PATH (set PYTHON=/path/to/python3)." >&2
exit 1
