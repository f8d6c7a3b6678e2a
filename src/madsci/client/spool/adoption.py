"""What processes that have ended left behind in a spool directory, and what all of them hold there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from madsci.client.spool.flight_recorder import forget_deleted_directories, recorded_lanes
from madsci.client.spool.lane import Lane
from madsci.client.spool.lane_lock import LOCK_SUFFIX
from madsci.client.spool.segments import SUFFIX, parse_file_name
from madsci.common.durability import make_private_folders


def lane_tokens(directory: Path) -> list[str]:
    """List the tokens of all lanes, the oldest first; tokens begin with the time."""
    tokens = set(recorded_lanes(directory))
    try:
        names = os.listdir(directory)  # noqa: PTH208 - names are all that is needed
    except OSError:
        names = []
    for name in names:
        parsed = parse_file_name(name)
        if parsed is not None:
            tokens.add(parsed[0])
        elif name.endswith(LOCK_SUFFIX) and "-" in name:
            tokens.add(name.removesuffix(LOCK_SUFFIX))
    return sorted(tokens)


def has_lanes(directory: Path, own: str) -> bool:
    """Tell whether there are lanes but one's own, dead or alive."""
    return any(token != own for token in lane_tokens(directory))


def next_orphan(directory: Path, own: str, on_damage: Callable[[bytes], None]) -> Lane | None:
    """Adopt the oldest lane whose process has ended and in which something waits.

    Those without anything are deleted. Lanes that may not be read are their owner's business.
    """
    tokens = [token for token in lane_tokens(directory) if token != own]
    if tokens:
        with contextlib.suppress(OSError):  # it may be gone, and what was in it is to be told
            make_private_folders(directory)
    for token in tokens:
        try:
            lane = Lane.adopt(directory, token, on_damage)
        except OSError:
            continue
        if lane is None:
            continue
        if lane.waiting or lane.losses.count:
            return lane
        lane.remove()
    forget_deleted_directories(directory)
    return None


def directory_size(directory: Path) -> int:
    """Return the bytes of all segments in a directory; 0 if it cannot be read."""
    size = 0
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    try:
                        size += entry.stat(follow_symlinks=False).st_size
                    except FileNotFoundError:
                        continue  # settled meanwhile
    except OSError:
        return 0
    return size
