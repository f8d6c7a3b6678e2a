"""Standard output for lines that go on for ever, and the end of whoever reads them."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final

from typing_extensions import Self

_LOOK: Final = 0.5
"""Seconds between two looks whether the reader is there: as long as somebody waits for a prompt."""


class Output:
    """Writes lines at once. ``gone`` is called, in a thread, when the reader of a pipe has gone.

    Otherwise ``| head`` would wait for one more event than it shows. ``has_reader`` tells whether
    somebody is there still, as far as is known. The thread lives as long as the block.
    """

    def __init__(self, gone: Callable[[], object]) -> None:
        self.has_reader = True
        self._gone = gone
        self._over = threading.Event()
        self._watch: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Write a line; what the encoding of the output does not have is escaped.

        Raises:
            BrokenPipeError: the reader has gone, or there was none.
            OSError: it cannot be written, as on a full disk.
        """
        stream = sys.stdout
        if stream is None:
            raise BrokenPipeError
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()

    def __enter__(self) -> Self:
        if hasattr(select, "poll") and sys.stdout is not None:
            self._watch = threading.Thread(target=self._look, name="madsci-output", daemon=True)
            self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._watch is not None:
            self._watch.join(2 * _LOOK)
        if kind is not None and issubclass(kind, OSError):
            self.has_reader = False
        if not self.has_reader and sys.stdout is not None:
            _write_no_more()

    def _look(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # an output that is no file
            poll = select.poll()
            poll.register(sys.stdout.fileno(), 0)
            while not self._over.is_set():
                if any(what & select.POLLERR for _, what in poll.poll(_LOOK * 1_000)):
                    self.has_reader = False
                    self._gone()
                    return


def _write_no_more() -> None:
    """Keep Python from complaining, at its end, that the output has gone."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
