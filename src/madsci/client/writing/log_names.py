"""The names of log files: of the one that is written, and of its rotated predecessors.

``robot.log`` becomes ``robot.log.1``, ``.2``, … by size, the newest first, or by time
``robot.log.2026-01-31``, named after the period that its lines are from; ``.gz`` is added where it is
compressed.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from madsci.common.types.client_config import EventClientConfig

_FORBIDDEN: Final = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
_MAX_BYTES: Final = 200
"""Bytes of a file name that the client's name may take of the 255 of file systems: rotation adds 40."""
_RESERVED: Final = re.compile(
    r"(CON|PRN|AUX|NUL|COM[0-9¹²³]|LPT[0-9¹²³]|CONIN\$|CONOUT\$) *(\.|$)", re.IGNORECASE
)
"""What Windows takes for devices, in any folder and with any ending."""
_ROTATED: Final = re.compile(
    r"(?:(?P<number>[1-9]\d{0,8})"
    r"|(?P<stamp>\d{4}-\d\d-\d\d(?:_\d\d(?:-\d\d){0,2})?)(?:\.(?P<again>[1-9]\d{0,8}))?)"
    r"(?P<packed>\.gz)?",
    re.ASCII,
)

PACKED: Final = ".gz"
PART: Final = ".part"
"""Added to the name of a compressed file in the making."""


def log_file_path(config: EventClientConfig, name: str) -> Path:
    """Return where a client of this name writes; what file systems refuse in names becomes ``_``."""
    return Path(config.log_dir) / f"{_file_stem(name)}.log"


def _file_stem(name: str) -> str:
    stem = _FORBIDDEN.sub("_", name)
    if not stem.strip(" ."):
        stem = "_" * max(len(stem), 1)
    if _RESERVED.match(stem):
        stem = f"_{stem}"
    encoded = stem.encode()
    if len(encoded) > _MAX_BYTES:  # names that differ only in what is cut off are two names
        digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
        stem = f"{encoded[: _MAX_BYTES - 9].decode(errors='ignore')}-{digest}"
    return stem


class Backup(NamedTuple):
    """A rotated log file: ``number`` is 0 where it has a ``stamp``, whose files ``again`` counts."""

    path: Path
    number: int
    stamp: str
    again: int
    is_packed: bool


def backups(path: Path, *, by_time: bool) -> list[Backup]:
    """Return the rotated files of a log, the newest first.

    Those of the other kind of rotation are the older ones. A compressed file whose plain one is still
    there was not finished, or is about to replace it, and is left out.
    """
    found = list(_matching(path, ""))
    plain = {backup.path for backup in found if not backup.is_packed}
    found = [one for one in found if not one.is_packed or one.path.with_suffix("") not in plain]
    numbered = sorted((one for one in found if one.number), key=lambda one: one.number)
    dated = sorted(
        (one for one in found if not one.number), key=lambda one: (one.stamp, one.again), reverse=True
    )
    return [*dated, *numbered] if by_time else [*numbered, *dated]


def leftovers(path: Path) -> list[Path]:
    """Return what a killed compression left: what it had begun, and what it had not yet replaced."""
    plain = {one.path for one in _matching(path, "") if not one.is_packed}
    doubled = [one.with_name(one.name + PACKED) for one in plain]
    return [one.path for one in _matching(path, PART)] + [one for one in doubled if one.exists()]


def _matching(path: Path, ending: str) -> list[Backup]:
    prefix = f"{path.name}."
    found: list[Backup] = []
    try:
        names = os.listdir(path.parent)  # noqa: PTH208 - their text is looked at
    except (FileNotFoundError, NotADirectoryError):
        return found
    for name in names:
        if name.startswith(prefix) and name.endswith(ending):
            match = _ROTATED.fullmatch(name, len(prefix), len(name) - len(ending))
            if match:
                found.append(
                    Backup(
                        path.with_name(name),
                        int(match["number"] or 0),
                        match["stamp"] or "",
                        int(match["again"] or 0),
                        match["packed"] is not None,
                    )
                )
    return found
