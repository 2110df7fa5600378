"""``bench/imaging/run.py``: images a second and memory of Pixelmill, bare pyvips, Sharp and Pillow on the same photos.

One image at a time on one core, engines taking turns, so that what else the machine does hits all alike. The ratio is
of CPU seconds, which that disturbs least; wall-clock rates are printed beside it.

    bench/imaging/run.py [--photos FOLDER] [--turns N] [--tasks one,six] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
from recipes import TASKS  # noqa: E402

ENGINES = ("pixelmill", "pyvips", "sharp", "pillow")
SHARP = "0.35.5"


def sharp_folder() -> Path | None:
    """A folder whose node_modules has Sharp; it is installed there once."""
    given = os.environ.get("PIXELMILL_BENCH_SHARP")
    folder = Path(given) if given else ROOT / ".tools" / "bench-sharp"
    if (folder / "node_modules" / "sharp").exists():
        return folder.resolve()
    npm = shutil.which("npm")
    if npm is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", f"sharp@{SHARP}"], cwd=folder, capture_output=True, check=False
    )
    return folder.resolve() if done.returncode == 0 else None


def once(engine: str, task: str, rounds: int, files: list[str], sharp: Path | None) -> dict[str, Any]:
    if engine == "sharp":
        if sharp is None:
            return {}
        command = ["node", str(HERE / "sharp.mjs"), str(sharp), task, str(rounds), *files]
    else:
        command = [sys.executable, str(HERE / "engine.py"), engine, task, str(rounds), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{engine} {task}: {done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    photos = os.environ.get("PIXELMILL_BENCH_PHOTOS", str(ROOT / ".." / "shared" / "photos"))
    parser.add_argument("--photos", type=Path, default=Path(photos))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--kind", choices=("all", "baseline", "progressive"), default="all")
    parser.add_argument("--write", action="store_true", help="write RESULTS.md")
    arguments = parser.parse_args()
    files = sorted(str(file.resolve()) for file in arguments.photos.glob("*.jpg"))
    if arguments.kind != "all":
        files = [file for file in files if ("-baseline" in file) == (arguments.kind == "baseline")]
    if not files:
        raise SystemExit(f"no photos in {arguments.photos}: give --photos FOLDER")
    sharp = sharp_folder()
    lines = [
        f"{len(files)} photos ({arguments.kind}), {os.cpu_count()} cores, {date.today()}, "
        f"{arguments.turns} turns; ratio = the other's CPU seconds / Pixelmill's",
        "",
        "| task | engine | images/s | CPU ms an image | peak MB | bytes an image | Pixelmill is … times as fast |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for line in lines:
        print(line)
    for task in arguments.tasks.split(","):
        slow = task in ("avif", "gif", "jxl")
        runs: dict[str, list[dict[str, Any]]] = {engine: [] for engine in ENGINES}
        for _ in range(arguments.turns):
            for engine in ENGINES:
                runs[engine].append(once(engine, task, 1 if slow else 2, files, sharp))
        middle = {
            engine: {key: statistics.median(run[key] for run in turns) for key in turns[0]}
            for engine, turns in runs.items()
            if turns[0]
        }
        for engine, found in middle.items():
            # Paired: each turn's ratio on its own, then their median.
            ratios = [theirs["cpu"] / ours["cpu"] for theirs, ours in zip(runs[engine], runs["pixelmill"], strict=True)]
            row = (
                f"| {task} | {engine} | {1 / found['wall']:.1f} | {found['cpu'] * 1e3:.1f} | "
                f"{found['peak'] / 1e6:.0f} | {found['bytes']:,.0f} | {statistics.median(ratios):.2f} |"
            )
            print(row, flush=True)
            lines.append(row)
    if arguments.write:
        text = "# What `bench/imaging/run.py` printed\n\n" + "\n".join(lines) + "\n"
        (HERE / "RESULTS.md").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
