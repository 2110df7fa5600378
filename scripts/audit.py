"""Look for known faults in the pinned packages of the service (`make audit`).

Fails when there is one. Where no database of them can be reached it says so, and does not fail: what is built must not
hang on somebody else's server.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "requirements" / "runtime.txt"
#: Faults that were looked at and do not reach us: id to reason.
KNOWN: dict[str, str] = {}
SECONDS = 60


def ask(service: str) -> list[str] | None:
    """Faults by PyPI's or OSV's database, one line each; None when it cannot be reached."""
    command = [ROOT / ".venv" / "bin" / "pip-audit", "--requirement", RUNTIME, "--disable-pip", "--require-hashes"]
    command += ["--vulnerability-service", service, "--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        return None
    if any("skip_reason" in package for package in packages):
        return None
    return [
        f"{package['name']} {package['version']}: {fault['id']}, mended in {', '.join(fault['fix_versions']) or 'none'}"
        for package in packages
        for fault in package["vulns"]
        if not KNOWN.keys() & {fault["id"], *fault["aliases"]}
    ]


def main() -> None:
    for service in ("pypi", "osv"):
        faults = ask(service)
        if faults is not None:
            if faults:
                sys.exit(f"Known faults in what the service runs on (by {service}):\n" + "\n".join(faults))
            print(f"No known fault in what the service runs on (by {service}).")
            return
    print("NOT CHECKED: no database of known faults could be reached from here.", file=sys.stderr)


if __name__ == "__main__":
    main()
