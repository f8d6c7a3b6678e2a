"""Damage of the files of a spool, as disks, tools and people do it, and what it leaves whole."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path


def flip(content: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(content))
    changed = bytes([content[place] ^ (1 << chance.randrange(8))])
    return content[:place] + changed + content[place + 1 :]


def cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def zero_tail(content: bytes, chance: random.Random) -> bytes:
    begin = chance.randrange(len(content))
    return content[:begin] + bytes(len(content) - begin)


def empty(content: bytes, chance: random.Random) -> bytes:
    return b""


def delete(content: bytes, chance: random.Random) -> None:
    return None


KINDS: list[Callable[[bytes, random.Random], bytes | None]] = [flip, cut, zero_tail, empty, delete]


def damage(path: Path, kind: Callable[[bytes, random.Random], bytes | None], seed: int) -> None:
    """Damage a file in its place, so that who has it open has the damaged one."""
    content = path.read_bytes()
    after = kind(content, random.Random(seed)) if content else None
    if after is None:
        path.unlink()
    elif len(after) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(after))
    else:
        with path.open("r+b") as file:
            file.write(after)


def whole_events(before: dict[Path, bytes]) -> set[bytes]:
    """Return the events of which every byte is still where it was."""
    whole = set()
    for path, content in before.items():
        after = path.read_bytes() if path.exists() else b""
        begin = 0
        for line in content.splitlines():
            end = begin + len(line)
            if after[begin:end] == line:
                whole.add(line[line.index(b"{") :])
            begin = end + 1
    return whole
