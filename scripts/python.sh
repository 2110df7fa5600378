#!/bin/sh
# Prints the name of a Python that is new enough; says what is missing if there is none.
for name in "${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "$name"
        exit 0
    fi
done
echo "Pixelmill needs Python 3.11 or newer; none was found on the PATH (set PYTHON=/path/to/python3)." >&2
exit 1
