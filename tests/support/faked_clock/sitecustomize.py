"""Loaded by each Python with a faked clock: libfaketime 0.9.10 refuses the call of ``sleep``."""

from __future__ import annotations

import select
import time


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep
