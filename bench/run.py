"""``python bench/run.py [group ...] [--quick]``: measure, print a table, keep it under results."""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import alerts
import apsw
import busy
import client
import follow
import http_load
import ingest
import large
import mongo
import peers
import reads
import report
import reports
import single
from plan import Plan
from table import Row, markdown

from madsci.common.file_lock import try_lock

GROUPS: dict[str, Callable[[Plan], list[Row]]] = {
    "single": single.measure,
    "bulk": ingest.measure,
    "reads": reads.measure,
    "busy": busy.measure,
    "follow": follow.measure,
    "alerts": alerts.measure,
    "large": large.measure,
    "reports": reports.measure,
    "client": client.measure,
    "mongo": mongo.measure,
    "peers": peers.measure,
}
SOURCES = Path(__file__).parent.parent / "src"


def main() -> int:
    """Measure what was asked for; return 1 when something had to be left out."""
    options = _options()
    # So that servers are ended and files removed also when somebody stops the benchmark.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    groups = options.groups or list(GROUPS)
    code = 0
    loaded = {"single", "follow", "alerts"} & set(groups)
    if loaded and not http_load.is_installed():
        print(http_load.HOW_TO_INSTALL, file=sys.stderr)
        groups = [group for group in groups if group not in loaded]
        code = 1
    for module in (mongo, peers):
        if module.GROUP in groups and (missing := module.what_is_missing()):
            print(missing, file=sys.stderr)
            groups = [group for group in groups if group != module.GROUP]
            code = 1
    # Two benchmarks at once would measure each other.
    alone = (Path(tempfile.gettempdir()) / "madsci-bench.lock").open("ab")
    if not try_lock(alone.fileno()):
        print("Another benchmark runs on this machine: wait for its end.", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="madsci-bench-", dir=options.dir))
    begin = time.monotonic()
    measured = _fingerprint()
    try:
        plan = (Plan.quick if options.quick else Plan.full)(folder, options.repeats)
        rows: list[Row] = []
        for group in groups:
            print(f"{group} ...", file=sys.stderr, flush=True)
            rows += GROUPS[group](plan)
            shutil.rmtree(folder)
            folder.mkdir()
        header = _header(plan, folder, options.quick, time.monotonic() - begin)
        header += f", sources {measured}"
        if _fingerprint() != measured:
            header += ". THE SOURCES CHANGED DURING THE RUN: these rows mix two versions"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if rows:
        print(f"{header}\n\n{markdown(rows)}")
        report.keep(header, rows, alone=bool(options.groups))
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure the Event Manager beside what it is built on."
    )
    parser.add_argument(
        "groups", nargs="*", metavar="group", help=f"of {', '.join(GROUPS)}; default all"
    )
    parser.add_argument("--quick", action="store_true", help="smaller stores, shorter runs: 2 minutes")
    parser.add_argument("--repeats", type=int, metavar="N", help="repeats of each measurement")
    parser.add_argument(
        "--dir", type=Path, help="a folder on the disk to measure; default the system's"
    )
    options = parser.parse_args()
    unknown = [group for group in options.groups if group not in GROUPS]
    if unknown:
        parser.error(f"no such group: {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    return options


def _header(plan: Plan, folder: Path, is_quick: bool, seconds: float) -> str:
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()},"
        f" {_file_system(folder)}, {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC,"
        f" load {os.getloadavg()[0]:.1f}; {'quick' if is_quick else 'full'} run,"
        f" medians of {plan.repeats} interleaved repeats, {seconds:.0f} s"
    )


def _fingerprint() -> str:
    """Return a short hash of the code that is measured."""
    digest = hashlib.sha256()
    for path in sorted(SOURCES.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _file_system(folder: Path) -> str:
    """Return the kind of disk under the stores: on a tmpfs, durable would mean nothing."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown disk"
    under = [(len(place), kind) for place, kind in mounts if folder.is_relative_to(place)]
    kind = max(under)[1] if under else "unknown disk"
    return f"{kind} (NOT A DISK: choose one with --dir)" if kind in ("tmpfs", "ramfs") else kind


if __name__ == "__main__":
    sys.exit(main())
