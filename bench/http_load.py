"""Load from wrk: single events, one request after the other on each of many connections."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from events import templates, time_text

_SCRIPT = Path(__file__).with_suffix(".lua")
HOW_TO_INSTALL = "The load generator wrk is missing: install it with `apt-get install wrk`."


@dataclass(frozen=True)
class Load:
    """What a load measured; latencies in milliseconds."""

    requests: int
    per_second: float
    p50: float
    p99: float


def is_installed() -> bool:
    """Tell whether there is a load generator."""
    return shutil.which("wrk") is not None


def write_templates(folder: Path) -> Path:
    """Write the file of events that a load varies."""
    path = folder / "templates.txt"
    path.write_text("\n".join(templates(64)) + "\n")
    return path


def post_events(
    port: int, connections: int, seconds: int, max_requests: int, templates_file: Path
) -> Load:
    """Send events for so many seconds, each with an id that was never sent before."""
    now = datetime.now(timezone.utc)
    done = subprocess.run(
        [
            "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
            "-s", str(_SCRIPT), f"http://127.0.0.1:{port}/event", "--",
            str(templates_file), str(max_requests), time_text(now), str(int(now.timestamp())),
        ],
        capture_output=True, text=True, timeout=seconds + 30, check=True,
    )  # fmt: skip
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    found = json.loads(line.removeprefix("RESULT "))
    if found["errors"]:
        raise RuntimeError(f"{found['errors']} requests failed: {done.stdout}")
    return Load(
        found["requests"],
        found["requests"] / found["microseconds"] * 1e6,
        found["p50"] / 1000,
        found["p99"] / 1000,
    )
