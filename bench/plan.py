"""How much is measured: the numbers by which a quick run differs from a full one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """Sizes of one run. ``folder`` is where stores and log files lie while it lasts."""

    folder: Path
    repeats: int
    load_seconds: int
    bulk_events: int
    store_sizes: tuple[int, ...]
    calls: int

    connections: tuple[int, ...] = (1, 16, 64, 256)
    max_requests: int = 400_000
    """Requests of one load at most, whatever the time."""

    @classmethod
    def full(cls, folder: Path, repeats: int | None) -> Plan:
        return cls(folder, repeats or 5, 2, 60_000, (10_000, 100_000, 1_000_000), 5_000)

    @classmethod
    def quick(cls, folder: Path, repeats: int | None) -> Plan:
        return cls(folder, repeats or 2, 1, 20_000, (10_000, 100_000), 3_000)
