"""What the recovery of a damaged store saved, in lines for people and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from madsci.event_manager.stores.salvage import Salvaged, Trouble, TroubleKind

_OF_A_FILE: Final = ("", "-wal", "-shm", ".acknowledged")
"""Endings of the names of an event file and of what belongs to it alone."""
_TOLD: Final = {
    TroubleKind.DAMAGED: "{} events are damaged and were not saved:",
    TroubleKind.MISSING: "{} events are missing and were not saved:",
    TroubleKind.UNSURE: "{} events were saved, with a doubt:",
    TroubleKind.UNREADABLE: "{} places could not be read; what stood there was saved from elsewhere, or"
    " is missing:",
}


def salvaged_as_json(salvaged: Salvaged) -> dict[str, Any]:
    """Return what was saved as JSON values."""
    paths = {"list": salvaged.list_path, "kept": salvaged.kept}
    return {
        "source": salvaged.source,
        "target": salvaged.target,
        "events": salvaged.events,
        **{kind.value: number for kind, number in salvaged.counts.items()},
        "troubles": [trouble.as_json() for trouble in salvaged.shown],
        **{name: None if path is None else str(path) for name, path in paths.items()},
    }


def salvaged_sentences(salvaged: Salvaged) -> Iterator[str]:
    """Return what was saved, what was not, and what to do next."""
    yield f"{salvaged.events:,} events of {salvaged.source} were saved to {salvaged.target}."
    if salvaged.list_path is None:
        yield "Nothing is damaged, and nothing is missing."
    for kind, sentence in _TOLD.items():
        number = salvaged.counts[kind]
        if number:
            shown = [trouble for trouble in salvaged.shown if trouble.kind is kind]
            yield sentence.format(f"{number:,}")
            yield from (f"  {_line(trouble)}" for trouble in shown)
            if number > len(shown):
                yield f"  and {number - len(shown):,} more"
    if salvaged.list_path is not None:
        yield f"All of them, with what can be read of each, stand in {salvaged.list_path}."
    if salvaged.kept is not None:
        yield f"The damaged file is kept as {salvaged.kept}. The server can be started again."
    else:
        yield from _next_steps(Path(salvaged.source), Path(salvaged.target))


def _line(trouble: Trouble) -> str:
    named = [trouble.event_id or "", f"number {trouble.seq:,}" if trouble.seq is not None else ""]
    if trouble.first is not None or trouble.last is not None:
        first, last = trouble.first, trouble.last
        named.append(
            f"between the events number {'1' if first is None else f'{first:,}'} and"
            f" {'the last' if last is None else f'{last:,}'}"
        )
    words = [*(word for word in named if word), trouble.reason, trouble.place or ""]
    return ", ".join(word for word in words if word)


def _next_steps(source: Path, target: Path) -> Iterator[str]:
    quoted = shlex.quote
    files = " ".join(quoted(f"{source}{ending}") for ending in _OF_A_FILE)
    aside = quoted(f"{source}.damaged")
    yield f"{source} is as it was. To go on with what was saved, while the server is stopped:"
    yield f"  mkdir {aside}"
    yield f'  for file in {files}; do [ ! -e "$file" ] || mv "$file" {aside}; done'
    yield f"  mv {quoted(str(target))} {quoted(str(source))}"
    yield "The same in one step, which keeps the damaged file beside it: recover with --in-place."
