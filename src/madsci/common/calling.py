"""Who calls: the name of the program's module, under which its events are known if it gives none."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

NAMELESS: Final = "python"
"""The name of what has no file: an interactive session, ``python -c``, a notebook."""
_OURS: Final = frozenset(
    {
        __name__,
        "contextlib",
        "madsci.client.event_client",
        "madsci.client.logging_handler",
        "madsci.client.structlog_processor",
    }
)
_OUR_PACKAGE: Final = "madsci.common.context"


def caller_name() -> str:
    """Return the name of the module that called into the client or its contexts.

    For the script of a program this is the file's name without its ending; for ``python -m`` that of
    the module; without either, ``python``.
    """
    frame = sys._getframe()  # noqa: SLF001 - inspect would read source files
    while frame.f_back is not None:
        frame = frame.f_back
        name = frame.f_globals.get("__name__")
        if name in ("__main__", "__mp_main__"):  # the latter in children of multiprocessing
            return _script_name(frame.f_globals)
        if isinstance(name, str) and name and name not in _OURS and not _is_of_contexts(name):
            return name
    return NAMELESS


def _is_of_contexts(name: str) -> bool:
    return name == _OUR_PACKAGE or name.startswith(f"{_OUR_PACKAGE}.")


def _script_name(script: Mapping[str, Any]) -> str:
    module = getattr(script.get("__spec__"), "name", None)
    if isinstance(module, str) and module.removesuffix("__main__"):
        return module.removesuffix(".__main__")  # python -m package
    file = script.get("__file__")
    if not isinstance(file, str) or file.startswith("<"):
        return NAMELESS
    path = Path(file)
    if path.stem == "__main__":  # python folder, or a zip file
        path = path.absolute().parent
    return path.stem or NAMELESS
