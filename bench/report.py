"""The latest results as files: a table for people, the samples for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from table import Row, markdown

FOLDER = Path(__file__).parent / "results"


def keep(header: str, rows: Sequence[Row], *, alone: bool) -> None:
    """Write the rows of a run; those of other groups stay when only some were measured.

    The header of a group that was measured alone stands under its name.
    """
    FOLDER.mkdir(exist_ok=True)
    earlier = _earlier() if alone else {}
    measured = {row.group for row in rows}
    others = [Row.read(one) for one in earlier.get("rows", []) if one["group"] not in measured]
    left = {row.group for row in others}
    headers = {group: text for group, text in earlier.get("alone", {}).items() if group in left}
    if others:
        headers.update(dict.fromkeys(sorted(measured), header))
        header = earlier["machine"]
    every = [*others, *rows]
    document = {"machine": header, "alone": headers, "rows": [row.document() for row in every]}
    (FOLDER / "latest.json").write_text(json.dumps(document, indent=1) + "\n")
    notes = [f"* {group} was measured alone: {text}" for group, text in headers.items()]
    parts = ["# Benchmarks", header, *(["\n".join(notes)] if notes else []), markdown(every)]
    (FOLDER / "latest.md").write_text("\n\n".join(parts) + "\n")


def _earlier() -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((FOLDER / "latest.json").read_text())
    except FileNotFoundError:
        return {}
    return found
