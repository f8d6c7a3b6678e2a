"""Loops of each kind."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from typing import Any

import pytest

LOOPS = ["asyncio"] if sys.platform == "win32" else ["asyncio", "uvloop"]


@pytest.fixture(params=LOOPS)
def run(request):
    """Runs a coroutine on a loop of each kind and fails if anything was left to its error handler."""
    if request.param == "uvloop":
        loop = pytest.importorskip("uvloop").new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    troubles: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: troubles.append(context))

    def run_it(coroutine: Awaitable[Any]) -> Any:
        result = loop.run_until_complete(asyncio.wait_for(coroutine, 60))
        assert troubles == []
        return result

    yield run_it
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
