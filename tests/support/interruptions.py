"""Calling a function amid another one, as signal handlers are called, at places of our choice."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any


class Interruptions:
    """Calls ``handler`` between two opcodes of a run, at places counted over the given source files."""

    def __init__(
        self, handler: Callable[[], object], places: Iterable[int], is_traced: Callable[[str], bool]
    ) -> None:
        self._handler = handler
        self._places = set(places)
        self._is_traced = is_traced
        self.passed = 0
        """How many places there were."""

    def run(self, function: Callable[[], Any]) -> Any:
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            return function()
        finally:
            sys.settrace(before)

    def _trace(self, frame: Any, event: str, _: object) -> Any:
        if not self._is_traced(frame.f_code.co_filename):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if event == "opcode":
            self.passed += 1
            if self.passed in self._places:
                self._handler()
        return self._trace
